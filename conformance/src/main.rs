//! Oracles and the suites that compare Landfall with them.
fn main() {}
