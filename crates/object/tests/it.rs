//! Recorded answers of a real API server, replayed on the pure functions; and what must hold for any value.

#[path = "it/field_sets.rs"]
mod field_sets;
#[path = "it/properties.rs"]
mod properties;
#[path = "it/server.rs"]
mod server;
#[path = "it/sharing.rs"]
mod sharing;
