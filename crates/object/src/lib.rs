//! A Kubernetes object as a value: identity, quantities, schema tables, merges, diff, health, masking.
//!
//! ```text
//! Object (serde_json::Value)          schema::Schemas (built-in tables + CRDs joined at run time)
//!   key, labels, owners, ...            types, list kinds and keys, enums, discovery, protobuf numbers
//!          |                                        |
//!          +-----> merge (json, merge, strategic, managed), defaults, diff, references, health, mask
//! ```
//!
//! Invariants: nothing here does I/O or reads a clock; no function panics on hostile input; the same tables
//! serve the embedded cluster's API and the engine's predictions, so the two cannot drift apart.

mod absent;
pub mod cel;
pub mod defaults;
pub mod diff;
mod field_error;
mod go_print;
mod gvk;
pub mod health;
mod json;
mod key;
pub mod lifecycle;
mod list;
pub mod mask;
pub mod merge;
mod names;
pub mod network_policy;
mod object;
mod once;
pub mod operators;
pub mod order;
pub mod pod_security;
pub mod ports;
pub mod proto;
mod quantity;
pub mod references;
mod schedule;
pub mod schema;
mod simulated;
mod time;

pub use absent::or_default;
pub use field_error::{FieldError, Reason, go_quote};
pub use gvk::{Gvk, Gvr};
pub use health::{Health, HealthStatus};
pub use json::{read_json, to_json, write_json, write_json_string};
pub use key::ObjectKey;
pub use list::flattened;
pub use names::{is_label, is_object_name, is_subdomain};
pub use object::{NotAnObject, Object, OwnerReference, Revealed, at, revealed};
pub use once::{
    BORN_ANNOTATION, ONCE_ANNOTATION, OnceViolation, Wanted, kept_value, mark_born, once_guard, once_keys, showing,
};
pub use quantity::{ParseQuantityError, Quantity, QuantityFormat};
pub use schedule::{Schedule, go_duration};
pub use simulated::{
    ANSWER_NOTHING, ASSUMED, Assumption, BUILT_IN, SIMULATED, STOOD_IN, Simulated, UNANSWERED, UNDECLARED,
    is_unanswered, unanswered,
};
pub use time::whole_second;
