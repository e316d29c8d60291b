//! PodSecurity admission: the standards' own table of fields, every allowed and forbidden value as a pod, sent to a real API server and to the
//! embedded one under every level and every version at which a rule changes; code, message, causes and warnings must be equal.
//!
//! ```text
//!   table.toml ─► cases ─► pods × namespaces (level:version) ─┐
//!                 random pods that break several rules ───────┤
//!                 workloads of every kind ────────────────────┼─► both servers ─► equal?   is the table true?
//!                 labels of namespaces, right and wrong ──────┤            └─► mutants: is a broken check noticed?
//!                 pods that change, containers that come ─────┘
//! ```
//!
//! Invariants: all cases are sent, whatever our own answer to an earlier one was; the table says what is allowed, and the real server's answers must
//! agree with it; every check, left out or taken a version too late, must show in at least one answer, else the suite itself is too weak and fails.

mod cases;
pub(crate) mod command;
mod flows;
mod mutants;
mod server;
mod table;

/// The minor versions at which a rule changes, with one before and some after, and `latest`.
pub(crate) const VERSIONS: [&str; 22] = [
    "v1.0", "v1.7", "v1.8", "v1.18", "v1.19", "v1.21", "v1.22", "v1.23", "v1.24", "v1.25", "v1.26", "v1.27", "v1.28",
    "v1.29", "v1.30", "v1.31", "v1.32", "v1.33", "v1.34", "v1.35", "v1.99", "latest",
];
