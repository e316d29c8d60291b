//! What a real API server answered to request scripts, replayed on the pure functions.

#[path = "it/server.rs"]
mod server;
