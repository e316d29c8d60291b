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
//!
//! Limits, beside Helm's own on archives ([`MAX_FILE_SIZE`], [`MAX_CHART_SIZE`]): a tree has one [`Budget`] for all that
//! is read into it, archives in it included; values files of [`MAX_VALUES_SIZE`], YAML nested
//! [`landfall_yaml::MAX_DEPTH`] deep, templates within [`landfall_gotemplate::Limits`].

mod archive;
mod budget;
mod capabilities;
mod chart;
mod decode;
mod dependency;
mod dialect;
mod error;
mod evidence;
mod functions;
mod go_json;
mod ignore;
mod kept;
mod limits;
mod lines;
mod lint;
mod lock;
mod manifest;
mod metadata;
mod meter;
mod objects;
mod origin;
mod package;
mod pattern;
mod provenance;
mod record;
mod render;
mod rendered_file;
mod schema;
mod set_flag;
mod tree;
mod unit;
mod values;
mod warning;

pub use archive::{ArchiveError, read_archive};
pub use budget::{Budget, MAX_TREE_BYTES, MAX_TREE_DEPTH, MAX_TREE_FILES, MAX_TREE_STEPS, MAX_TREE_VALUES, Spent};
pub use capabilities::{Capabilities, HelmVersion, KUBE_CLIENT, KubeVersion, KubeVersionError};
pub use chart::{Chart, Crd, File, LeftOut, NOT_AT_HAND, StandsBeside, Without};
pub use decode::DecodeError;
pub use dependency::{is_compatible, is_constraint, is_strict_version};
pub use dialect::Dialect;
pub use error::{Broken, ChartError, DocumentStep, Evidence, Mismatch, Problem, Reading, SchemaViolation};
pub use functions::Lookup;
pub use ignore::{IGNORE_FILE, Ignore, IgnoreError, IgnoreProblem, PathKind};
pub use landfall_gotemplate::{Map as Values, Origin, Value};
pub use limits::MAX_VALUES_SIZE;
pub use lint::{Lint, LintOptions, LintTolerance, lint, lint_line};
pub use lock::{Lock, Relock, digest, digest_v2};
pub use manifest::{Head, Hook, HookEvent, Manifest, Readings};
pub use metadata::{API_VERSION_V1, API_VERSION_V2, Dependency, InvalidMetadata, Maintainer, Metadata};
pub use meter::{MAX_HEADERS, Meter, Metered};
pub use origin::{Origins, Setting, Source};
pub use package::{Package, PackageOptions, package};
pub use pattern::{BadPattern, Glob, path_match};
pub use provenance::{Decision, Field, FieldOrigin, Provenance, Reason, TemplateLines, Written};
pub use record::values_to_json;
pub use render::{
    Before, HookChoice, NotesFrom, Operation, OutputFile, ReleaseInfo, RenderOptions, Rendered, SchemaCheck,
    TemplateOptions, Tracing, check_release_name, release_name, render, render_values, render_warning,
};
pub use schema::SchemaDocuments;
pub use set_flag::SetFlag;
pub use tree::{Bytes, MAX_CHART_SIZE, MAX_FILE_SIZE, Tree, TreeError, walk_order};
pub use unit::{Part, RenderedObject, RenderedUnit, path_steps};
pub use values::{ValueLayers, ValuesHistory, recorded_values, values_from_json, values_over};
pub use warning::{Warning, Warnings};
