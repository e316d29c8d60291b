//! The `landfall` binary: arguments, commands, terminal.
fn main() {}
