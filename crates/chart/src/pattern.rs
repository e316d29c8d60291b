//! Two pattern languages Helm's users write: Go's `filepath.Match` and the globs of `.Files.Glob`.

mod files;
mod path;

pub use files::Glob;
pub use path::{BadPattern, path_match};
