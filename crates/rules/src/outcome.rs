//! What a delivery onto a fork of the cluster has shown, as data.

use landfall_diag::{Diagnostic, code};
use landfall_object::ObjectKey;
use serde::Serialize;
use serde_json::Value;

use crate::inventory::Inventory;

/// One delivery that was tried.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// On which cluster.
    pub start: &'a Start,
    /// Whether everything was delivered and is healthy.
    pub delivers: bool,
    /// Why nothing was begun, where nothing was.
    pub refused: Option<&'a [Diagnostic]>,
    /// What was refused before the first thing was touched; the rest was tried without it.
    pub left_out: Vec<Refused<'a>>,
    /// What failed, a unit each.
    pub failures: Vec<Failure<'a>>,
    /// What its plans delete; absent where no plan could be made.
    pub deleted: Option<Vec<&'a ObjectKey>>,
    /// The fields that its plans take away from what stays.
    pub removals: Vec<Removal<'a>>,
    /// The cluster's objects at the end.
    pub after: &'a Inventory,
    /// CronJobs that were run once and cannot run.
    pub scheduled: Vec<Unrun<'a>>,
}

/// A CronJob that cannot run.
#[derive(Debug, Clone)]
pub struct Unrun<'a> {
    /// The CronJob.
    pub object: &'a ObjectKey,
    /// The container that cannot be made, where it is one.
    pub container: Option<&'a str>,
    /// What was said of it.
    pub why: &'a str,
}

/// An object that is refused before the first thing is touched.
#[derive(Debug, Clone)]
pub struct Refused<'a> {
    /// The release or Application.
    pub unit: &'a str,
    /// The object.
    pub object: &'a ObjectKey,
    /// The field that is objected to, where one is.
    pub field: Option<&'a str>,
    /// What is said of it.
    pub told: &'a Diagnostic,
}

/// A unit that failed.
#[derive(Debug, Clone)]
pub struct Failure<'a> {
    /// The release or Application.
    pub unit: &'a str,
    /// The object that the evidence is of.
    pub object: Option<&'a ObjectKey>,
    /// Its container.
    pub container: Option<&'a str>,
    /// What shows in its pod: the pod, its container and image, and why it does not run.
    pub in_pod: Option<String>,
    /// Why that does not run, without what another pod of the same template has otherwise: its name and its image.
    pub cause: Option<String>,
    /// What was told of it.
    pub told: &'a [Diagnostic],
}

impl Failure<'_> {
    /// What it fails of, where that is an object whose pod does not run: the object, the container and why.
    pub fn cause_of(&self, told: &Diagnostic) -> Option<String> {
        let is_of_pod = told.code == code::NEVER_READY || told.code == code::NOT_IN_TIME;
        let (object, cause) = self.object.zip(self.cause.as_deref()).filter(|_| is_of_pod)?;
        Some(format!("{}/{} {cause}", object.gvk.kind, object.name))
    }
}

/// A field that is taken away.
#[derive(Debug, Clone)]
pub struct Removal<'a> {
    /// Whose it is.
    pub object: &'a ObjectKey,
    /// `spec.replicas`, `spec.template.spec.containers[web].image`.
    pub path: &'a str,
    /// What it was.
    pub from: Option<&'a Value>,
}

/// What a delivery starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "from", content = "name")]
pub enum Start {
    /// A new cluster.
    Empty,
    /// A cluster on which a revision was delivered.
    Revision(String),
    /// A cluster as it was read, or a snapshot of one.
    Cluster(String),
}

impl std::fmt::Display for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Start::Empty => f.write_str("an empty cluster"),
            Start::Revision(revision) => write!(f, "what {revision} runs"),
            Start::Cluster(name) => write!(f, "{name} as it is"),
        }
    }
}
