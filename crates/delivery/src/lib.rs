//! The use cases that command line and server share: resolve a target, plan, up, down, status, history, checks.
//!
//! ```text
//! TargetQuery ─► Target (files + what it is) ─► Unit per release or Application
//!     ─► render ─► references resolve ─► plan ─► engine ─► checks ─► Summary
//! ```
//!
//! Invariants: nothing here prints, asks or reads the environment; nothing asks which kind of cluster it talks to;
//! what was not checked is never reported as passed; everything is rendered and checked before the first thing is
//! touched.

mod addon;
mod addresses;
mod admission;
mod application;
mod beginning;
mod builds;
mod checks;
mod content;
mod declared;
mod down;
mod drawn;
mod escrow;
mod explain;
mod history;
mod images;
mod inside;
pub mod life;
mod lookup;
mod managed;
mod opened;
mod pods;
mod references;
mod rendering;
mod restart;
mod running;
mod session;
mod sighting;
mod status;
mod storage;
mod summary;
mod sync;
mod tag_lines;
mod target;
pub mod trial;
mod unit;
mod unserved;
mod up;
mod value_line;
mod viewpoint;

pub use addon::{ADDONS, Addon, AddonChart, AddonCharts, InstalledChart, addon};
pub use admission::{Admission, OurImage, our_images, policy_of};
pub use application::Beside;
pub use beginning::{Beginning, FoundChart, FoundEnvironment, FoundRelease};
pub use builds::named_builds;
pub use checks::{
    Bounds, CheckResult, NOT_SIMULATED_HEADER, NetworkReach, Prober, Routes, SIMULATED_HEADER, Smoke, Standpoint, Tags,
    UNDECLARED_HEADER, Verdict, tally, unmade,
};
pub use declared::{DeclaredChecks, Declaring, declared_checks, declaring, is_of_repository, system_key};
pub use down::{DownOptions, Removal};
pub use drawn::{DRAWN, Draws, keep_drawn_once};
pub use escrow::{Drill, Kept, Opened, Restored, drill, escrow, restore};
pub use explain::{
    BlamedCommit, DecisionStory, Effect, ExplainedRelease, Explainer, FieldStory, LayerStory, ObjectName, ObjectStory,
    RenderedLine, ValueStory, field_path, is_near,
};
pub use history::{Given, GivenValue, HistoryLine, Reverted};
pub use images::{UsedImage, images_of, used_images};
pub use landfall_apps::DirectorySource;
pub use landfall_chart::{Part, RenderedObject, RenderedUnit, path_steps};
pub use landfall_release::HookRuns;
pub use lookup::{LiveLookup, listed};
pub use managed::{annotate_application, managers_of};
pub use references::{Missing, Unresolved, User, unresolved};
pub use rendering::{Turn, capabilities, render_offline, render_unit, render_unlike, render_with};
pub use running::{Running, image_parts, running_images};
pub use session::{Elsewhere, INTERRUPTED, LeftOut, MissingProject, Offers, Progress, Session};
pub use sighting::{Run, Seen, Sighting};
pub use status::{Problem, SystemStatus, UnitStatus, WorkloadStatus};
pub use storage::STAYS;
pub use summary::{Address, Change, Deed, FailureReport, Outcome, PodLine, Summary, UnitSummary};
pub use tag_lines::{Apart, Ours, TagLine, of_files, of_units, told_apart};
pub use target::{Target, TargetKind, TargetPlace, TargetQuery, Typed, slug};
pub use unit::{
    BoundApplication, ChartSource, Door, NamedFile, NotRun, Overrides, PlainManifest, RenderSettings, Selection,
    StandIn, Unit, UnitSource,
};
pub use unserved::{Brought, Reason, Unserved, unserved};
pub use up::{
    Approved, Candidate, Claims, Compared, Difference, Differences, References, Refusals, SyncEnd, Tries, UnitPlan,
    UpOptions, services,
};
pub use value_line::{Files, Standing, ValueLine, said, saying, text_of, tree_path, value_line};
pub use viewpoint::Viewpoint;
