//! An Application as it is known, and the status that follows from that.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use landfall_apps::machine::State;
use landfall_apps::{
    APPROVAL, Application, CONFIRMED, EXCLUDED, NOT_ACTED_ON, OUTSIDE, Pen, Project, REPEATED, ResourceName,
    ResourceStatus, SyncStatus, sync_status, worst_of,
};
use landfall_delivery::{DRAWN, STAYS, Session};
use landfall_fleet::sha256_hex;
use landfall_object::{HealthStatus, Object, ObjectKey};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::checks::Known;
use crate::connections::{Connections, Destination};
use crate::happened::Found;
use crate::live::{Live, Lives};
use crate::news::Standing;

/// What of a status is written along with what is told, and by itself is no reason to write.
pub(crate) const ALONGSIDE: [&str; 2] = ["reconciledAt", "controllerNamespace"];

/// The digest of a status, or of a part of one: as a tree it takes ten times what its text does, for each Application.
pub(crate) fn digest_of(status: &Value) -> String {
    sha256_hex(&landfall_object::to_json(status))
}

/// An Application as it is known.
pub(crate) struct Entry {
    /// As the cluster has it, but for who wrote which of its fields.
    pub(crate) object: Object,
    /// Read, or why it cannot be acted on.
    pub(crate) application: Result<Arc<Application>, String>,
    /// Where it delivers to; the cluster that it lives in where that is not known.
    pub(crate) destination: Arc<Destination>,
    /// What is known and under way.
    pub(crate) state: State,
    /// What was found last, as long as that holds.
    pub(crate) found: Option<Found>,
    /// The lists of its kinds that were under way when it was first seen: its first comparison waits for them, for a while.
    pub(crate) listings: Vec<watch::Receiver<bool>>,
    /// Whether the comparison under way has read nothing yet: it waits for its place, and what changes meanwhile it will see.
    pub(crate) unread: Arc<AtomicBool>,
    /// The `operation` that was seen last.
    pub(crate) carried: Option<Value>,
    /// The sync under way, and how it is ended.
    pub(crate) running: Option<Running>,
    /// When the machine wants to be woken.
    pub(crate) wake: Option<Timestamp>,
    /// Whether its status is being written.
    pub(crate) writing: Writing,
    /// When it is told that it is as before at another commit.
    pub(crate) tells_at: Option<Timestamp>,
    /// The digest of what of its status was written last, and the resourceVersion that came of it.
    pub(crate) wrote: Option<(String, Option<String>)>,
    /// Why how it is to sync by itself does not count.
    pub(crate) side_door: Option<String>,
    /// Why nobody says what it may deliver.
    pub(crate) unbounded: Option<String>,
    /// What Argo CD's settings say that has no effect here.
    pub(crate) not_acted_on: Option<String>,
    /// Why what it delivered could not be taken along.
    pub(crate) deletion_error: Option<String>,
    /// Held by who changes what it delivers.
    pub(crate) alone: Arc<Alone>,
    /// What is known of its declared checks.
    pub(crate) checks: Known,
    /// The tag that it follows and that was moved: from which commit to which.
    pub(crate) moved: Option<(String, String, String)>,
    /// What could not be seen of its images when it was synced last.
    pub(crate) unseen: Option<String>,
    /// How it stands, as the keeper of news was told.
    pub(crate) standing: Option<Standing>,
    /// The look under way that somebody has asked for.
    pub(crate) look: Option<Look>,
}

/// A look that somebody has asked for by an annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is under way; the annotation's words.
    Taken(String),
    /// All is told that it has shown, and the annotation is taken off.
    Over(String),
}

impl Look {
    /// The annotation's words.
    pub(crate) fn words(&self) -> &str {
        let (Look::Taken(words) | Look::Over(words)) = self;
        words
    }
}

/// Held by who changes what an Application delivers: who follows it under its name waits for that to end.
pub(crate) type Alone = tokio::sync::Mutex<()>;

/// A sync under way.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// Which.
    pub(crate) number: u64,
    /// Ends it.
    pub(crate) stop: CancellationToken,
    /// Why it is ended for good; without a reason it is this process that ends, and the next one goes on with it.
    pub(crate) why: Arc<Mutex<Option<String>>>,
    /// What writes into the Application, and how many syncs had ended when this one was begun.
    pub(crate) pen: (Arc<Pen>, u64),
}

impl Running {
    /// One that begins, in a session.
    pub(crate) fn begins(number: u64, application: &ObjectKey, session: &Session) -> Self {
        let pen = session.pens.of(application);
        let ended = pen.ended();
        Running { number, stop: session.stop.child_token(), why: Arc::default(), pen: (pen, ended) }
    }
}

/// Whether a status is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Writing {
    /// It is not.
    #[default]
    No,
    /// It is.
    Once,
}

/// Whether an Application tells of a sync that has begun with its objects and has not ended.
fn waits(application: &Object) -> bool {
    let state = |field: &str| application.at(&format!("/status/operationState/{field}"));
    let is_open = state("phase").is_some_and(|phase| phase == "Running") && state("finishedAt").is_none();
    is_open && !application.list_at("/status/operationState/syncResult/resources").is_empty()
}

impl Entry {
    /// An Application as it is first seen, its errands numbered behind those of whoever had its name before.
    pub(crate) fn new(object: Object, connections: &Connections, former: u64, alone: Arc<Alone>) -> Self {
        let (application, destination) = read(&object, connections);
        Entry {
            object,
            application,
            destination,
            state: State::behind(former),
            found: None,
            listings: Vec::new(),
            unread: Arc::default(),
            carried: None,
            running: None,
            wake: None,
            writing: Writing::No,
            tells_at: None,
            wrote: None,
            side_door: None,
            unbounded: None,
            not_acted_on: None,
            deletion_error: None,
            alone,
            checks: Known::default(),
            moved: None,
            unseen: None,
            standing: None,
            look: None,
        }
    }

    /// Takes a newer state of the object.
    pub(crate) fn takes(&mut self, object: Object, connections: &Connections) {
        (self.application, self.destination) = read(&object, connections);
        self.object = object;
    }

    /// Looks anew where it delivers to; whether that is another cluster than before, or another way to it.
    pub(crate) fn reconnects(&mut self, connections: &Connections) -> bool {
        let before = (self.application.is_ok(), Arc::clone(&self.destination));
        (self.application, self.destination) = read(&self.object, connections);
        before.0 != self.application.is_ok() || !Arc::ptr_eq(&before.1, &self.destination)
    }

    /// What is being deleted although no Secret leads to its cluster any more, and where that was.
    pub(crate) fn abandoned(&self, connections: &Connections) -> Option<(Application, String)> {
        self.object.deletion_timestamp()?;
        let application = Application::parse(&self.object).ok()?;
        let place = connections.lost(&application)?;
        Some((application, place))
    }

    /// What of its status is to be changed; nothing when all is told already, or a sync tells for itself: how an Application
    /// stands is told again once that waits for something, which may be long.
    pub(crate) fn status(&self, lives: &Lives, now: Timestamp) -> Option<Value> {
        let live = lives.of(&self.destination.server);
        if self.state.is_syncing() && !(self.found.is_some() && waits(&self.object)) {
            return None;
        }
        let now = landfall_object::whole_second(now).to_string();
        let mut status = json!({"conditions": self.conditions(&now)});
        let is_known = self.application.is_ok() && self.unbounded.is_none();
        if !is_known || self.state.comparison_error().is_some() {
            status["sync"] = sync_status(&self.object, "Unknown", self.state.tip().unwrap_or_default());
        } else if let Some(found) = &self.found {
            let word = found.compared.status.word();
            status["sync"] = sync_status(&self.object, word, &found.revisions);
            status["summary"] = json!({"images": found.compared.images});
            match found.source_types.as_slice() {
                [one] => status["sourceType"] = json!(one),
                several => status["sourceTypes"] = json!(several),
            }
            status["resources"] = found.compared.resources.iter().map(|one| resource(one, live)).collect();
        }
        if let Some(found) = &self.found {
            let health = self.with_checks(health(&found.compared.resources, live)).to_string();
            let before = self.object.str_at("/status/health/status");
            let since =
                self.object.str_at("/status/health/lastTransitionTime").filter(|_| before == Some(health.as_str()));
            status["health"] = json!({"status": health, "lastTransitionTime": since.unwrap_or(&now)});
        } else if self.object.at("/status/health").is_none() {
            status["health"] = json!({"status": "Unknown", "lastTransitionTime": now});
        }
        let none = Value::Array(Vec::new());
        // What stands there already is not sent again: of a commit that changes nothing here that is nearly all.
        if let Some(fields) = status.as_object_mut() {
            fields.retain(|field, wanted| {
                let there = self.object.status().and_then(|status| status.get(field));
                there.unwrap_or(if field == "conditions" { &none } else { &Value::Null }) != wanted
            });
        }
        let is_futile = self.wrote.as_ref().is_some_and(|(wrote, version)| {
            // The cluster has kept something else of it, and nobody has changed it since.
            version.as_deref() == self.object.resource_version() && *wrote == digest_of(&status)
        });
        if status.as_object().is_none_or(serde_json::Map::is_empty) || is_futile {
            return None;
        }
        status["reconciledAt"] = now.into();
        // Whoever reads the marks on objects as Argo CD has to know for whom no namespace stands in front of the name.
        if self.object.str_at("/status/controllerNamespace") != Some(Project::HOME) {
            status["controllerNamespace"] = Project::HOME.into();
        }
        Some(json!({"status": status}))
    }

    /// Whether what is to be changed of its status is no more than the commit at which it stands as before.
    pub(crate) fn is_as_before(&self, patch: &Value) -> bool {
        let Some(status) = patch["status"].as_object() else { return false };
        let others = status.keys().filter(|field| field.as_str() != "sync" && !ALONGSIDE.contains(&field.as_str()));
        let there = self.object.at("/status/sync");
        let same = |field: &str| there.and_then(|there| there.get(field)) == status["sync"].get(field);
        others.count() == 0 && status.contains_key("sync") && same("status") && same("comparedTo")
    }

    /// How it fares, of its objects alone, as far as that is known.
    pub(crate) fn fares(&self, lives: &Lives) -> Option<HealthStatus> {
        let found = self.found.as_ref()?;
        Some(health(&found.compared.resources, lives.of(&self.destination.server)))
    }

    /// What its checks make of how its objects fare: one that fails is no better than an object that does, and until they are made
    /// nobody knows that it is well.
    fn with_checks(&self, objects: HealthStatus) -> HealthStatus {
        if objects == HealthStatus::Healthy && self.checks.are_open(&self.object) {
            return HealthStatus::Progressing;
        }
        let has_failed = self.checks.fault(&self.object).is_some_and(|(_, has_failed)| has_failed);
        let is_better = matches!(objects, HealthStatus::Healthy | HealthStatus::Suspended | HealthStatus::Progressing);
        if has_failed && is_better { HealthStatus::Degraded } else { objects }
    }

    fn conditions(&self, now: &str) -> Value {
        let checks = self.checks.fault(&self.object).map(|(fault, _)| fault);
        let notes = self.found.iter().flat_map(|found| &found.compared.notes);
        let said = |is_it: &dyn Fn(&str) -> bool| {
            let notes: Vec<&str> = notes.clone().map(String::as_str).filter(|note| is_it(note)).collect();
            Some(notes.join("; ")).filter(|notes| !notes.is_empty())
        };
        let held = said(&|note| note.contains(APPROVAL) || note.contains(CONFIRMED));
        let repeated = said(&|note| note.contains(REPEATED));
        let excluded = said(&|note| note.contains(EXCLUDED));
        let shared = said(&|note| note.contains(" is part of applications "));
        let drawn = said(&|note| note.contains(DRAWN));
        let outside = said(&|note| note.contains(OUTSIDE));
        // Expressions are among the notes, each as it is written.
        let is_named = |field: &String| !field.ends_with("jqPathExpressions");
        let fields = self.application.iter().flat_map(|it| it.not_acted_on()).filter(is_named);
        let fields = fields.map(|field| format!("{field}{NOT_ACTED_ON}"));
        let vain: Vec<String> = said(&|note| note.ends_with(NOT_ACTED_ON))
            .into_iter()
            .chain(fields)
            .chain(self.not_acted_on.clone())
            .collect();
        let vain = Some(vain.join("; ")).filter(|vain| !vain.is_empty());
        let claims = said(&|note| note.contains(STAYS));
        let told = [
            ("DeletionError", self.deletion_error.as_deref()),
            ("InvalidSpecError", self.application.as_ref().err().or(self.unbounded.as_ref()).map(String::as_str)),
            ("ComparisonError", self.state.comparison_error().filter(|_| self.unbounded.is_none())),
            ("SyncError", self.state.sync_error()),
            ("SmokeError", checks.as_deref()),
            ("SyncWindowWarning", self.state.closed()),
            ("DeletionHeldWarning", held.as_deref()),
            ("RepeatedResourceWarning", repeated.as_deref()),
            ("ExcludedResourceWarning", excluded.as_deref()),
            ("SharedResourceWarning", shared.as_deref()),
            ("SideDoorWarning", self.side_door.as_deref()),
            ("ImagesUnseenWarning", self.unseen.as_deref()),
            ("ClaimSizeWarning", claims.as_deref()),
            ("DrawnValueWarning", drawn.as_deref()),
            ("OutsideProjectWarning", outside.as_deref()),
            ("NotActedOnWarning", vain.as_deref()),
        ];
        let before = self.object.list_at("/status/conditions");
        let conditions = told.into_iter().filter_map(|(kind, message)| {
            let message = message?;
            let same = before.iter().find(|it| it["type"] == kind && it["message"] == message);
            let since = same.and_then(|it| it["lastTransitionTime"].as_str()).unwrap_or(now);
            Some(json!({"type": kind, "message": message, "lastTransitionTime": since}))
        });
        conditions.collect()
    }
}

/// Reads an Application that is to be kept in sync from here, and finds where it delivers to.
fn read(object: &Object, connections: &Connections) -> (Result<Arc<Application>, String>, Arc<Destination>) {
    let read = Application::parse(object).map_err(|error| error.to_string()).and_then(|application| {
        let destination = connections.destination(&application)?;
        Ok((Arc::new(connections.completed(application)), destination))
    });
    match read {
        Ok((application, destination)) => (Ok(application), destination),
        Err(why) => (Err(why), connections.home()),
    }
}

/// Whether an object is there, as far as that is known, and how it fares.
fn known(one: &ResourceStatus, live: &Live) -> (bool, Option<(HealthStatus, String)>, bool) {
    let name = ResourceName::from(&one.key);
    match live.row(&name) {
        Some(row) => {
            let health = row.health.as_ref().map(|(status, message)| (*status, message.to_string()));
            (true, health, row.counts)
        }
        // What belongs to nobody yet has no row; neither has what is not listed yet.
        None => {
            let seen = one.health.is_some() || (one.sync == SyncStatus::Synced && !live.is_listed(&name));
            (seen, one.health.clone(), one.health.is_some())
        }
    }
}

fn health(resources: &[ResourceStatus], live: &Live) -> HealthStatus {
    worst_of(resources.iter().filter(|one| !one.requires_pruning).map(|one| {
        let (there, health, counts) = known(one, live);
        there.then(|| health.filter(|_| counts).map(|(status, _)| status))
    }))
}

/// An entry of `status.resources`.
fn resource(one: &ResourceStatus, live: &Live) -> Value {
    let gvk = &one.key.gvk;
    let mut entry = json!({"version": gvk.version, "kind": gvk.kind, "name": one.key.name, "status": one.sync.word()});
    if !gvk.group.is_empty() {
        entry["group"] = gvk.group.clone().into();
    }
    if let Some(namespace) = &one.key.namespace {
        entry["namespace"] = namespace.clone().into();
    }
    if one.requires_pruning {
        entry["requiresPruning"] = true.into();
    }
    if one.requires_confirmation {
        entry["requiresDeletionConfirmation"] = true.into();
    }
    match known(one, live) {
        (false, ..) => entry["health"] = json!({"status": "Missing"}),
        (true, Some((status, message)), _) if message.is_empty() => {
            entry["health"] = json!({"status": status.to_string()});
        }
        (true, Some((status, message)), _) => {
            entry["health"] = json!({"status": status.to_string(), "message": message});
        }
        (true, None, _) => {}
    }
    entry
}
