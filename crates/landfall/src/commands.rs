//! The commands: each takes its arguments and a context, and says how it ended.

pub(crate) mod about;
pub(crate) mod addon;
pub(crate) mod build;
pub(crate) mod cluster;
pub(crate) mod codes;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod environments;
pub(crate) mod explain;
pub(crate) mod forward;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod images;
pub(crate) mod logs;
mod looked;
pub(crate) mod machine;
pub(crate) mod plan;
pub(crate) mod preview;
pub(crate) mod rehearse;
pub(crate) mod rollback;
pub(crate) mod rules;
pub(crate) mod shared;
pub(crate) mod smoke;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod up;
