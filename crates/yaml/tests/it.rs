//! The crate's contract: go-yaml's behaviour, and its own properties.

#[path = "it/emitter.rs"]
mod emitter;
#[path = "it/oracle.rs"]
mod oracle;
