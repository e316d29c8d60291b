//! The crate's contract: what Helm answers.

#[path = "it/expressions.rs"]
mod expressions;
#[path = "it/hostile.rs"]
mod hostile;
#[path = "it/keys.rs"]
mod keys;
#[path = "it/names.rs"]
mod names;
