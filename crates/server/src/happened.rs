//! What the controller is told, by whoever has seen or done it.

use std::sync::Arc;
use std::time::Duration;

use landfall_apps::ResourceName;
use landfall_apps::machine::Observation;
use landfall_delivery::Compared;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_source::ReadSet;

use crate::checks::Checked;
use crate::row::Row;

/// What has happened.
#[derive(Debug)]
pub(crate) enum Happened {
    /// References of a repository, by each of its addresses, have moved: the branch or tag, where that is known.
    Moved(Vec<String>, Option<String>),
    /// A repository elsewhere, by its address, says something else than when it was last asked.
    Polled(String),
    /// Logins have changed, or clusters are reached otherwise now: those, by their addresses.
    Connected(Vec<Arc<str>>),
    /// Objects have, in the cluster of this address.
    Live(Arc<str>, Seen),
    /// An errand has ended, or is under way.
    Observed(Arc<ObjectKey>, Observation),
    /// A comparison has ended.
    Found(Arc<ObjectKey>, u64, Result<Found, String>, Duration),
    /// Another commit has the same for an Application as the one before: these revisions, and what was found at the others.
    Alike(Arc<ObjectKey>, u64, Vec<String>),
    /// A status was written; the object as it is then, where it is still there.
    Written(Arc<ObjectKey>, Result<Option<Object>, String>),
    /// What is known of an Application's declared checks.
    Checked(Arc<ObjectKey>, Option<Checked>),
    /// The same as [`Happened::Moved`], and another replica has heard it.
    Announced(Vec<String>, Option<String>),
    /// Shards are held now that were not, or the other way round.
    Shards,
    /// The Applications as they stood after those shards were taken.
    Taken(Vec<u32>, Vec<Object>),
    /// Another controller lives now, by its pod, or none does any more.
    Elsewhere(Option<String>),
    /// What counts of protected Applications may be something else now.
    SaidAnew,
    /// A tag that an Application follows leads to another commit than what it has delivered from it: the tag, that one, and
    /// where it leads now.
    TagMoved(Arc<ObjectKey>, (String, String, String)),
    /// What could not be seen of the images of an Application that is synced, in a sentence; nothing where all was.
    Unseen(Arc<ObjectKey>, Option<String>),
    /// What an Application delivered could not be taken along.
    Stays(Arc<ObjectKey>, u64, String),
}

/// What a comparison found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// What was compared with.
    pub(crate) revisions: Vec<String>,
    /// What it found.
    pub(crate) compared: Arc<Compared>,
    /// `Helm` or `Directory`, one a source.
    pub(crate) source_types: Vec<&'static str>,
    /// What was read of its repositories, one for each source that is no packed chart; not known where one of them says nothing of it.
    pub(crate) reads: Option<Arc<[ReadSet]>>,
}

/// What a watch tells.
#[derive(Debug)]
pub(crate) enum Seen {
    /// All objects of a kind that belong to somebody.
    Listed(Gvk, Vec<(ResourceName, Row)>),
    /// One is new or has changed, as of that resourceVersion.
    Applied(ResourceName, Row, Option<u64>),
    /// One is gone, as of that resourceVersion.
    Deleted(ResourceName, Option<u64>),
    /// A kind cannot be watched.
    Unwatched(Gvk, String),
}
