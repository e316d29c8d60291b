//! The Sprig function library as Helm exposes it.

mod constraint;
mod context;
mod version;

pub use constraint::{Constraint, ConstraintError};
pub use context::Context;
pub use version::{Version, VersionError};

/// The functions by name.
pub fn funcs() -> landfall_gotemplate::FuncMap {
    landfall_gotemplate::FuncMap::new()
}
