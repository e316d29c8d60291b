//! What the machine is told.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_object::Object;

use crate::guard::{APPROVAL, CONFIRMED};
use crate::{Application, Operation, Pause, ResourceName, Retry, Windows};

/// An Application as far as the machine needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whether and how it syncs by itself; never when absent.
    pub automation: Option<Automation>,
    /// What it is rendered from, as it is written: revisions mean something else for another one.
    pub source: Arc<str>,
    /// Everything that a comparison depends on, as it is written.
    pub compared_by: Arc<str>,
    /// Whether it is being deleted, and what that means.
    pub removal: Removal,
    /// When its project lets it be synced.
    pub windows: Windows,
}

/// How an Application syncs by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automation {
    /// Whether objects no longer wanted are deleted.
    pub prune: bool,
    /// Whether drift is put right.
    pub self_heal: bool,
    /// Whether everything may be pruned.
    pub allow_empty: bool,
    /// How often a sync that fails is tried again.
    pub retry: Retry,
}

/// What becomes of an Application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It stays.
    Stays,
    /// It goes, and before that something is done: it takes along what it delivered, or runs hooks.
    Cascades,
    /// It goes; what it delivered stays.
    Leaves,
}

/// The finalizers by which an Application takes along what it delivered.
pub const CASCADE: &str = "resources-finalizer.argocd.argoproj.io";

/// The finalizers by which an Application waits for the hooks of its deletion: those before, those after. Argo CD has two more that end
/// in `/cleanup`.
pub const OF_HOOKS: [&str; 2] = ["pre-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io"];

impl Wanted {
    /// That of an Application.
    pub fn of(application: &Application) -> Self {
        let policy = &application.policy;
        let is_paused = Pause::of(&application.object).is_some();
        let automated = policy.automated.filter(|automated| automated.enabled.unwrap_or(true) && !is_paused);
        let retry = match &policy.retry {
            Some(retry) => Retry::parse(retry),
            None => Retry { limit: Retry::AUTOMATED, ..Retry::default() },
        };
        let object = &application.object;
        let text = |pointer: &str| object.at(pointer).map(ToString::to_string).unwrap_or_default();
        let waits = |it: &str| [CASCADE].iter().chain(&OF_HOOKS).any(|known| it.starts_with(known));
        let removal = match object.at("/metadata/deletionTimestamp") {
            None => Removal::Stays,
            Some(_) if object.finalizers().any(waits) => Removal::Cascades,
            Some(_) => Removal::Leaves,
        };
        let approved: Vec<&str> =
            [APPROVAL, CONFIRMED].into_iter().filter_map(|name| object.annotation(name)).collect();
        let approved = approved.join(" ");
        Wanted {
            automation: automated.map(|automated| Automation {
                prune: automated.prune.unwrap_or(false),
                self_heal: automated.self_heal.unwrap_or(false),
                allow_empty: automated.allow_empty.unwrap_or(false),
                retry,
            }),
            // What is approved now was not to be delivered before.
            source: match approved.as_str() {
                "" => source_of(object, "/spec"),
                approved => format!("{} {approved}", source_of(object, "/spec")).into(),
            },
            compared_by: format!("{} {approved}", text("/spec")).into(),
            removal,
            windows: Windows::default(),
        }
    }

    /// The same within its project's sync windows.
    #[must_use]
    pub fn within(mut self, windows: Windows) -> Self {
        self.windows = windows;
        self
    }
}

/// The sources of a specification or of a sync's result, in one form.
fn source_of(object: &Object, within: &str) -> Arc<str> {
    let of = |field: &str| object.at(&format!("{within}/{field}")).map(ToString::to_string);
    let several = of("sources").filter(|text| text != "[]" && text != "null");
    several.or_else(|| of("source")).unwrap_or_default().into()
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// The Application stands so.
    Wanted(Wanted),
    /// The Application is no longer there.
    Gone,
    /// What its status says of operations, when this process first sees it.
    Restored(Box<Past>),
    /// Somebody asks for a sync.
    Requested(Operation),
    /// Nobody asks for a sync any more.
    Withdrawn,
    /// Somebody asks to end the sync that is under way.
    Terminated,
    /// What its revisions lead to now.
    Resolved {
        /// Which question is answered.
        number: u64,
        /// One a source, or why it is not known.
        result: Result<Vec<String>, String>,
    },
    /// Its repository says something else than before, or somebody says so: what its revisions lead to is asked for.
    Moved,
    /// Somebody asks to look.
    Refreshed(Freshness),
    /// One of its objects has changed.
    LiveChanged,
    /// A comparison has ended.
    Compared {
        /// Which.
        number: u64,
        /// What it found, or why it could not be made.
        result: Result<Comparison, String>,
    },
    /// What a sync does now.
    Does {
        /// Which.
        number: u64,
        /// What.
        activity: Activity,
    },
    /// What was under way has ended.
    Ended {
        /// Which.
        number: u64,
        /// How.
        end: End,
    },
    /// Time has passed.
    Tick,
}

/// How fresh what is compared must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// What is known of the source will do.
    Recent,
    /// The source is asked what its revisions lead to.
    Latest,
    /// And nothing that was kept of it is used.
    Hard,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The cluster is as the source says.
    Synced,
    /// It is not.
    OutOfSync {
        /// By what.
        by: Difference,
        /// The objects that differ.
        resources: Vec<ResourceName>,
    },
}

/// By what a cluster differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// By objects that are missing or otherwise.
    Changes,
    /// By objects alone that are no longer wanted.
    OnlyPruning,
    /// Every object is no longer wanted.
    AllPruned,
}

/// What a sync does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It reads or writes.
    Acts,
    /// A hook of it runs, and is not ended from outside.
    RunsHook,
    /// It waits until objects are healthy.
    Waits,
}

/// How a sync has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Well.
    Succeeded(Vec<String>),
    /// Not well.
    Failed {
        /// What it delivered, as far as that was known.
        revisions: Vec<String>,
        /// Why.
        message: String,
    },
    /// The live state changed between its plan and its beginning: nothing was touched.
    Overtaken,
    /// It was told to stop.
    Stopped,
    /// What an earlier process left open was looked for: nothing was.
    NothingOpen,
}

/// What an Application's status says of operations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// The last one that came to its end.
    pub attempt: Option<Attempt>,
    /// One that waits to be tried again.
    pub retrying: Option<Retrying>,
    /// One that was under way, and how often it had been tried before.
    pub interrupted: Option<(Operation, u32)>,
    /// How often drift was put right one time after the other.
    pub heal_attempts: u32,
    /// When the last operation ended.
    pub ended: Option<Timestamp>,
}

/// A sync that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What was delivered.
    pub revisions: Vec<String>,
    /// From which source.
    pub source: Arc<str>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// A sync that failed and is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrying {
    /// The sync.
    pub operation: Operation,
    /// The next try's number, counted from 1 behind the first one.
    pub number: u32,
    /// When.
    pub at: Timestamp,
}

impl Past {
    /// What the operation that its status tells of last delivers: one revision a source.
    pub fn delivering(application: &Object) -> Vec<String> {
        let result = "/status/operationState/syncResult";
        let several = application.list_at(&format!("{result}/revisions"));
        let several: Vec<String> = several.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect();
        let one = application.str_at(&format!("{result}/revision")).filter(|it| !it.is_empty());
        if several.is_empty() { one.map(str::to_owned).into_iter().collect() } else { several }
    }

    /// That of an Application, from its `status.operationState`.
    pub fn of(application: &Object) -> Self {
        const STATE: &str = "/status/operationState";
        let Some(state) = application.at(STATE).filter(|state| state.is_object()) else { return Past::default() };
        let text = |pointer: &str| state.pointer(pointer).and_then(|it| it.as_str()).unwrap_or_default();
        let operation = Operation::parse(&state["operation"]);
        let heal_attempts = operation.heal_attempts;
        let tries = state["retryCount"].as_u64().and_then(|count| count.try_into().ok()).unwrap_or_default();
        let ended: Option<Timestamp> = text("/finishedAt").parse().ok();
        let revisions = Past::delivering(application);
        let past = Past { heal_attempts, ended, ..Past::default() };
        match (text("/phase"), ended) {
            // As Argo CD marks it: running, and finished nevertheless.
            ("Running", Some(ended)) => {
                let at = super::later(ended, operation.retry.wait(tries));
                Past { retrying: Some(Retrying { operation, number: tries, at }), ..past }
            }
            ("Running" | "Terminating", None) => Past { interrupted: Some((operation, tries)), ..past },
            (phase @ ("Succeeded" | "Failed" | "Error"), _) => {
                let source = source_of(application, &format!("{STATE}/syncResult"));
                let failure = (phase != "Succeeded").then(|| text("/message").to_owned());
                Past { attempt: Some(Attempt { revisions, source, failure }), ..past }
            }
            _ => past,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn application(state: Value) -> Object {
        let source = json!({"repoURL": "https://git.example.com/shop.git", "path": "deploy"});
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd", "deletionTimestamp": "2026-01-01T00:00:00Z",
                "finalizers": ["other", "resources-finalizer.argocd.argoproj.io/background"]},
            "spec": {"source": source, "destination": {}, "syncPolicy": {"automated": {"prune": true}}},
            "status": {"operationState": state},
        }))
        .expect("a map")
    }

    fn state(phase: &str, finished: Option<&str>) -> Value {
        json!({
            "phase": phase, "finishedAt": finished, "message": "it broke", "retryCount": 2,
            "operation": {"initiatedBy": {"automated": true}, "retry": {"limit": 5},
                "sync": {"revision": "abc", "autoHealAttemptsCount": 3}},
            "syncResult": {"revision": "abc", "source": {"repoURL": "https://git.example.com/shop.git", "path": "deploy"}},
        })
    }

    #[test]
    fn what_a_status_says_of_the_past_is_what_the_next_process_goes_on_from() {
        let ended = "2026-01-01T00:00:00Z";
        let failed = Past::of(&application(state("Failed", Some(ended))));
        let attempt = failed.attempt.expect("one has ended");
        assert_eq!((attempt.revisions, attempt.failure.as_deref()), (vec!["abc".to_owned()], Some("it broke")));
        assert_eq!((failed.heal_attempts, failed.retrying, failed.interrupted), (3, None, None));
        let waiting = Past::of(&application(state("Running", Some(ended)))).retrying.expect("one waits");
        // The second wait of five seconds that double.
        assert_eq!((waiting.number, waiting.at.to_string().as_str()), (2, "2026-01-01T00:00:10Z"));
        let (operation, tries) = Past::of(&application(state("Running", None))).interrupted.expect("one was under way");
        assert_eq!((operation.revisions, tries), (vec!["abc".to_owned()], 2));
        assert_eq!(Past::of(&application(Value::Null)), Past::default());
    }

    #[test]
    fn what_is_wanted_has_argo_cds_defaults_and_its_source_is_that_of_its_status() {
        let object = application(state("Succeeded", Some("2026-01-01T00:00:00Z")));
        let wanted = Wanted::of(&Application::parse(&object).expect("an application"));
        let automation = wanted.automation.expect("it syncs by itself");
        assert!(automation.prune && !automation.self_heal && !automation.allow_empty);
        assert_eq!(automation.retry.limit, 5);
        assert_eq!(wanted.removal, Removal::Cascades);
        assert_eq!(Past::of(&object).attempt.map(|attempt| attempt.source), Some(wanted.source));
    }
}
