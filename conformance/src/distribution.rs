//! Charts on their way: packed, signed, pushed, indexed, found, pulled and verified, by helm, by us, and by each what the
//! other made.
//!
//! ```text
//! a script ──► helm for `a`, helm for `b`     (what is expected)
//!         ├──► ours for `a`, ours for `b`  ┐
//!         ├──► ours for `a`, helm for `b`  ├─ exit code, output, errors, files, requests, manifests: the same
//!         └──► helm for `a`, ours for `b`  ┘
//! ```
//!
//! Each side has a home, a working directory and a server of its own (`shelf.rs`).

mod certificates;
pub(crate) mod command;
mod left;
mod shelf;
mod side;

pub(crate) use shelf::Shelf;
