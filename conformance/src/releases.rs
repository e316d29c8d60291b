//! Helm's verbs on releases: stock helm and Landfall side by side.
//!
//! ```text
//! conformance/releases/scripts/*.txt   a command a line: once with helm, once with us, each in a namespace of its own
//! cells                                install by A, upgrade by B, rollback by A, uninstall by B, over charts and pairs
//!        └─► side.rs runs ─► exit, stdout, stderr, objects, decoded records ─► compare.rs: equal but for times
//! ```
//!
//! In a cell the reference is the same cell with stock helm in our place, so that what is compared is what the peer
//! itself would have left behind.

pub(crate) mod cells;
pub(crate) mod command;
pub(crate) mod compare;
pub(crate) mod side;
