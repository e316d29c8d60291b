//! A Helm chart from an in-memory tree: values, dependencies, schema, rendering, lint, packages.
//!
//! ```text
//! directory, git tree, .tgz ─► Tree ─► Chart ─┐
//! -f files, --set family  ─► ValueLayers ─────┼─► render ─► Rendered{manifests, hooks, notes, crds, provenance}
//! release, capabilities, lookup ──────────────┘
//! ```
//!
//! Everything is a function of its arguments: no file, network, clock or environment is touched here. Texts of
//! errors are Helm's own where Helm has one, so that [`ChartError`] serves the `helm` persona as it is and becomes a
//! [`landfall_diag::Diagnostic`] for everyone else.

mod ignore;
mod pattern;
mod tree;

pub use ignore::{IGNORE_FILE, Ignore, IgnoreError, IgnoreProblem, PathKind};
pub use pattern::{BadPattern, Glob, path_match};
pub use tree::{Bytes, MAX_CHART_SIZE, MAX_FILE_SIZE, Tree, TreeError, walk_order};
