use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};

use landfall_cluster::{EventLine, Evidence};
use landfall_diag::{Diagnostic, code};
use landfall_engine::{Action, FieldChange, Plan, Report, Step, StepResult};
use landfall_object::ObjectKey;
use serde::{Serialize, Serializer};

use crate::CheckResult;

/// How a delivery has ended.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// What was delivered: `<sha>`, `<sha>+dirty.<8 hex>`, `none+<8 hex>`.
    pub revision: String,
    /// Each release and Application.
    pub units: Vec<UnitSummary>,
    /// The declared checks.
    pub checks: Vec<CheckResult>,
    /// Where what was delivered can be reached.
    pub addresses: Vec<Address>,
    /// What was simulated, one line each.
    pub simulated: Vec<String>,
}

/// How a unit's delivery has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was delivered and is ready.
    Delivered,
    /// There was nothing to do.
    Unchanged,
    /// It failed.
    Failed,
    /// It was interrupted; the journal has what was begun, and the same command goes on from there.
    Interrupted,
    /// It was not begun, because something before it failed.
    NotBegun,
}

/// A release or Application in a summary.
#[derive(Debug, Clone, Serialize)]
pub struct UnitSummary {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The release's revision; 0 when there is none.
    pub revision: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// What was done, in order; unchanged objects are only counted.
    pub changes: Vec<Change>,
    /// Objects that were as they should be.
    pub unchanged: usize,
    /// Why it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    /// What could be seen of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
    /// The chart's notes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

impl UnitSummary {
    /// One of which nothing has been done yet; `outcome` is how it has ended if nothing more is.
    pub(crate) fn new(namespace: &str, name: &str, outcome: Outcome) -> Self {
        UnitSummary {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            revision: 0,
            outcome,
            changes: Vec::new(),
            unchanged: 0,
            diagnostics: Vec::new(),
            failure: None,
            notes: String::new(),
        }
    }

    /// One that has gone with the cluster that it was on.
    pub fn gone(namespace: &str, name: &str, revision: i64) -> Self {
        UnitSummary { revision, ..UnitSummary::new(namespace, name, Outcome::Delivered) }
    }

    /// Says why a delivery was broken off: it failed, or somebody interrupted it.
    pub(crate) fn broken_off(&mut self, diagnostic: Diagnostic) {
        self.outcome = Outcome::of_broken(&diagnostic);
        self.diagnostics.push(diagnostic);
    }

    /// This one and what followed it, as one.
    #[must_use]
    pub(crate) fn followed_by(mut self, next: UnitSummary) -> Self {
        self.changes.extend(next.changes);
        self.diagnostics.extend(next.diagnostics);
        self.unchanged += next.unchanged;
        if next.outcome != Outcome::Unchanged {
            self.outcome = next.outcome;
        }
        self.failure = next.failure.or(self.failure);
        self
    }

    /// Whether it came to its end, or was not needed.
    pub fn is_well(&self) -> bool {
        matches!(self.outcome, Outcome::Delivered | Outcome::Unchanged)
    }
}

impl Outcome {
    fn of_broken(diagnostic: &Diagnostic) -> Self {
        if diagnostic.code == code::INTERRUPTED { Outcome::Interrupted } else { Outcome::Failed }
    }
}

/// What is done to an object, as it is told; a word in machine output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A step of the plan.
    Step(Action),
    /// A restart that was asked for by name.
    Restart,
}

impl Deed {
    /// `create`, `change`, `replace`, `delete`, `keep`, `hook`, `wait`, `restart`.
    pub fn word(self) -> &'static str {
        match self {
            Deed::Step(action) => action.word(),
            Deed::Restart => "restart",
        }
    }
}

impl Display for Deed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Deed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// One thing that was done or will be.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// What is done to it.
    pub action: Deed,
    /// The object.
    pub object: ObjectKey,
    /// Its phase, as `pre-upgrade`.
    pub phase: String,
    /// Its wave.
    pub wave: i32,
    /// Why.
    pub why: String,
    /// Which fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// How it ended; absent in a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<StepResult>,
}

/// The state of a namespace when a delivery failed, the cause first.
#[derive(Debug, Clone, Serialize)]
pub struct FailureReport {
    /// What was seen of the object that failed.
    pub evidence: Vec<Evidence>,
    /// Whether no other one failed beside it, or was waited for in vain.
    #[serde(skip)]
    pub is_sole: bool,
    /// Whether all that was waited for is held up by pods that did not start before the delivery either.
    #[serde(skip)]
    pub is_held_up: bool,
    /// The pods.
    pub pods: Vec<PodLine>,
    /// The last events, oldest first.
    pub events: Vec<EventLine>,
}

/// A pod in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodLine {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Ready containers of all, as `1/1`.
    pub ready: String,
    /// Phase, or the reason why it waits.
    pub status: String,
    /// Restarts of all containers.
    pub restarts: i64,
    /// The node.
    pub node: String,
    /// Whether its containers are simulated.
    pub simulated: bool,
}

/// Where something can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// What answers there: the Service.
    pub name: String,
    /// The address.
    pub url: String,
    /// The status it answered with when it was tried.
    pub status: u16,
    /// Whether a simulated container answered.
    pub simulated: bool,
}

/// The acting steps of a plan as changes, with their results when there is a report; and what then stayed although it is no longer
/// wanted, because somebody may think that it went.
pub(crate) fn changes(plan: &Plan, report: Option<&Report>) -> Vec<Change> {
    let mut changes = Vec::new();
    for phase in &plan.phases {
        for wave in &phase.waves {
            for step in &wave.steps {
                let result = report.and_then(|report| result_of(report, step));
                let acted = matches!(
                    result,
                    Some(
                        StepResult::Created
                            | StepResult::Changed
                            | StepResult::Deleted
                            | StepResult::Kept
                            | StepResult::Failed
                    )
                );
                if !(step.action.acts() || acted) || (report.is_some() && result.is_none()) || was_so(result) {
                    continue;
                }
                changes.push(Change {
                    action: Deed::Step(step.action),
                    object: step.key.clone(),
                    phase: phase.name.clone(),
                    wave: wave.number,
                    why: step.why.clone(),
                    fields: step.changes.clone(),
                    result,
                });
            }
        }
    }
    once_each(changes)
}

/// Each object that is made once: a release's namespace is, before what the chart says of it.
fn once_each(changes: Vec<Change>) -> Vec<Change> {
    const CREATE: Deed = Deed::Step(Action::Create);
    let mut later = HashSet::new();
    let is_last = |one: &Change| one.action != CREATE || later.insert((one.object.clone(), one.result));
    let mut kept: Vec<Change> = changes.into_iter().rev().filter(is_last).collect();
    kept.reverse();
    kept
}

/// The phase of a release's namespace, which is no object of what is delivered: nobody has declared it.
pub(crate) const NAMESPACE: &str = "namespace";

/// The steps about what is declared.
fn declared(plan: &Plan) -> impl Iterator<Item = &Step> {
    let phases = plan.phases.iter().filter(|phase| phase.name != NAMESPACE);
    phases.flat_map(|phase| &phase.waves).flat_map(|wave| &wave.steps)
}

/// How many of the declared objects are as they should be.
pub(crate) fn unchanged(plan: &Plan) -> usize {
    declared(plan).filter(|step| step.action == Action::Unchanged).count()
}

/// The steps that were to act and found their object as it should be: somebody else was there before.
pub(crate) fn found_so(plan: &Plan, report: &Report) -> usize {
    let unchanged = |step: &&Step| result_of(report, step) == Some(StepResult::Unchanged);
    declared(plan).filter(|step| step.action.acts()).filter(unchanged).count()
}

/// Whether nothing had to be done, because somebody else was there before.
fn was_so(result: Option<StepResult>) -> bool {
    matches!(result, Some(StepResult::Unchanged | StepResult::Absent))
}

fn result_of(report: &Report, step: &Step) -> Option<StepResult> {
    report.steps.iter().find(|done| done.id == step.id).map(|done| done.result)
}
