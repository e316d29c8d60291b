//! Builds the peers that Landfall is compared with, from their published Go modules.
//!
//! One [`Oracle`] is one binary: a folder of module files beside this crate, a Go package in it, and link flags. [`Cache::ensure`] gives its path and
//! builds it first when the cache has none for the same files and flags. The crate has almost no dependencies, so that a machine that only needs
//! `helm` or `kubectl` has them minutes earlier.
//!
//! Invariants: a file `bin/NAME-HASH` is complete once it exists (it is built beside and renamed); `bin/NAME` always points at the binary of the last
//! `ensure`; nothing is written outside the cache folder but by `go` itself (its module and build caches).

mod build;
mod cache;
mod command;
mod oracle;
mod toolchain;

pub use build::BuildError;
pub use cache::{Built, Cache};
pub use command::{built, command};
pub use oracle::{ALL, Beside, Oracle, With, select};
