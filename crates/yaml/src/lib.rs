//! Reads and writes YAML as go-yaml does, with spans, and edits a file in place.
//!
//! ```text
//!               scan            event           document          construct
//! text ──► characters ──► tokens ──► events ──► nodes with places ──► Value, JSON, or a caller's own values
//!                                                    │
//!                                                    └──► edit: the same text with one scalar or entry changed
//!   ├──► pieces: the entries of one large mapping, one after the other, so that memory holds one at a time
//!   └──► glance: a few values of a plain document or all of them, without nodes and places
//! stream ──► split: documents, cut and read as Kubernetes' clients do
//! Value, JSON, anything serde knows ──► emit ──► text, byte for byte what Helm's `toYaml` writes
//! ```
//!
//! "As go-yaml does" means: what `sigs.k8s.io/yaml` v1.6 over go-yaml v2 accepts, refuses and prints, with its error
//! words; [`emit_pretty`] writes as go-yaml v3 does. Both are measured against the originals by
//! `conformance/oracles/yamlcheck`.
//!
//! Invariants
//! - No text makes anything here panic, recurse without bound or grow without measure: nesting ends at [`MAX_DEPTH`],
//!   nodes at [`MAX_NODES`], aliases at go-yaml's own ratio and twice that many values.
//! - Every place is counted in bytes, lines and characters of the text as it came in; a byte order mark counts.
//! - An edit that cannot be proven to change only what was asked for is refused.

mod construct;
mod decode;
mod document;
pub mod edit;
mod emit;
mod error;
mod event;
mod glance;
mod gosyntax;
mod json;
mod mark;
mod number;
mod pieces;
mod resolve;
mod scan;
mod split;
mod timestamp;
mod value;

pub use construct::{Build, Repeated, construct};
pub use decode::decode;
pub use document::{CollectionStyle, Document, Kind, MAX_DEPTH, MAX_NODES, Node, Step, parse, parse_first};
pub use emit::{Emit, Emitter, emit, emit_pretty, emit_value, emit_value_pretty, key_order};
pub use error::{Duplicate, Error};
pub use glance::{Gather, Pick, gather, glance};
pub use json::{document_to_json, document_to_json_strict, to_json, to_json_all, to_json_strict};
pub use mark::{Mark, Span};
pub use pieces::{Piece, pieces};
pub use resolve::Scalar;
pub use scan::{Comment, ScalarStyle};
pub use split::{Documents, Part, documents};
pub use value::{Map, Value};
