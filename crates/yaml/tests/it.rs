//! The crate's contract: go-yaml's behaviour, and its own properties.

#[path = "it/edit.rs"]
mod edit;
#[path = "it/emitter.rs"]
mod emitter;
#[path = "it/glance.rs"]
mod glance;
#[path = "it/oracle.rs"]
mod oracle;
#[path = "it/properties.rs"]
mod properties;
