//! The rehearsal itself: stand the cluster as it is, deliver the change on forks of it, examine everything.

use jiff::civil::Date;
use landfall_chart::{Operation, Tracing};
use landfall_delivery::{Candidate, CheckResult, HookRuns, Outcome, References, Tries, Turn, UpOptions, Verdict};
use landfall_diag::{Diagnostic, Finding, ObjectName, Witness, code};
use landfall_drydock::{NodeSpec, Play};
use landfall_object::{Assumption, Object, Simulated};
use landfall_project::{Environment, ProjectFile};
use landfall_rules::{
    Blame, ClusterFacts, DesiredUnit, Examination, Fingerprints, Inventory, Known, Rule, Start, Subject, conclude,
    demand,
};
use landfall_source::SourceTree;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::impact::Impact;
use crate::nodes::{self, Labels, Origin};
use crate::snapshot::Snapshot;
use crate::stage::{Attempt, Stage};
use crate::study::{self, Conditions};
use crate::trial::{Trial, WaveWait};
use crate::unmet::{Seen, unmet};

/// What is rehearsed, and from where.
pub struct Request<'a> {
    /// What would be delivered.
    pub head: &'a [Candidate],
    /// Its revision, for people.
    pub revision: String,
    /// What runs before.
    pub from: From<'a>,
    /// Whether a first installation on an empty cluster is tried, too.
    pub first_install: FirstInstall,
    /// The environment's name and declaration.
    pub environment: Option<(&'a str, &'a Environment)>,
    /// The project file whose waivers count.
    pub project: Option<&'a ProjectFile>,
    /// The repository's files.
    pub files: Option<&'a SourceTree>,
    /// What goes wrong: `job/migrate=fail`.
    pub faults: &'a [String],
    /// The nodes of a cluster that is not known; one of 4 cores and 8 GiB when empty.
    pub nodes: Vec<NodeSpec>,
    /// The rules.
    pub rules: &'a [&'a Rule],
    /// What others have found already, such as a real API asked with `dryRun=All`.
    pub told: Vec<Finding>,
    /// What those others could not be asked about, and what they said yes to.
    pub told_besides: Vec<String>,
    /// Who knows which commit wrote a line.
    pub blame: &'a dyn Blame,
    /// The day it is, for waivers.
    pub today: Date,
    /// How it is delivered.
    pub options: UpOptions,
    /// Ends the rehearsal early.
    pub stop: CancellationToken,
}

/// What runs before the change.
pub enum From<'a> {
    /// Nothing.
    Empty,
    /// What a base revision delivers.
    Base {
        /// The revision, for people.
        revision: String,
        /// What it delivers.
        candidates: &'a [Candidate],
        /// The environment as the base revision declares it.
        environment: Option<&'a Environment>,
    },
    /// A cluster as it was read.
    Cluster(&'a Snapshot),
}

/// Whether a first installation on an empty cluster is tried beside an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstInstall {
    /// It is.
    Tried,
    /// Only the upgrade counts.
    Left,
}

/// What a rehearsal has shown.
#[derive(Debug, Serialize)]
pub struct Rehearsal {
    /// What was rehearsed.
    pub revision: String,
    /// For which environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Whether every delivery that was tried would end well.
    pub would_deliver: bool,
    /// The deliveries that were tried, the upgrade first.
    pub trials: Vec<TrialReport>,
    /// What is risky, and why.
    #[serde(flatten)]
    pub examination: Examination,
    /// What could not be simulated.
    pub not_simulated: Vec<String>,
}

/// One delivery that was tried.
#[derive(Debug, Serialize)]
pub struct TrialReport {
    /// From what.
    pub start: Start,
    /// Whether it would end well.
    pub would_deliver: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<Diagnostic>,
    /// What it does to what runs.
    pub impact: Impact,
    /// How long each wave and hook waits.
    pub waits: Vec<WaveWait>,
    /// The declared checks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckResult>,
    /// How long it takes on the cluster's clock, in seconds.
    pub seconds: u64,
}

impl Rehearsal {
    /// Whether the command that shows it succeeds: it would deliver, and no finding is an error.
    pub fn passes(&self) -> bool {
        self.would_deliver && self.examination.errors() == 0
    }
}

/// Rehearses a change on simulated clusters; blocks until it is done.
///
/// Runs on a thread-local runtime of its own, so that virtual time never overtakes anybody. Within another runtime,
/// call it from `tokio::task::block_in_place`.
///
/// # Errors
/// When nothing could be tried: a chart that does not render, a play that cannot be read.
pub fn rehearse(request: &Request<'_>) -> Result<Rehearsal, Vec<Diagnostic>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        vec![
            Diagnostic::error(code::REHEARSAL_CLUSTER, "the simulated cluster cannot be opened")
                .note(error.to_string()),
        ]
    })?;
    runtime.block_on(run(request))
}

async fn run(request: &Request<'_>) -> Result<Rehearsal, Vec<Diagnostic>> {
    let play = |environment: Option<&Environment>, faults: &[String]| {
        landfall_host::declared_play(environment, faults).and_then(|play| Play::parse(&play)).map_err(|error| {
            vec![
                Diagnostic::error(code::UNREADABLE_PLAY, "what containers are declared to do cannot be read")
                    .note(error.to_string()),
            ]
        })
    };
    let declared = request.environment.map(|(_, environment)| environment);
    let quiet = play(declared, &[])?;
    let faulty = play(declared, request.faults)?;
    let offline = Conditions::offline();
    let head = first_look(request.head, &offline);
    let base = match &request.from {
        From::Base { candidates, .. } => first_look(candidates, &offline),
        _ => Vec::new(),
    };
    let delivered: Vec<&Object> = head.iter().chain(&base).collect();
    let labels = Labels::asked(delivered.iter().copied());
    let nodes = match request.nodes.as_slice() {
        [] => labels.on(nodes::holding(demand(head.iter()).max(demand(base.iter()))), Origin::Assumed),
        given => labels.on(given.to_vec(), Origin::Given),
    };
    let mut empty = Stage::empty(nodes, quiet).await?;
    empty.notes.extend(labels.told());
    empty.make_room(delivered.iter().copied()).await?;
    empty.assume_classes(&delivered).await?;

    let mut trials = Vec::new();
    let mut notes: Vec<String> = request.told_besides.clone();
    let mut before = empty.inventory();
    let mut base_units = None;
    let mut made = Vec::new();
    let mut cluster = ClusterFacts::assumed();
    if !request.nodes.is_empty() {
        cluster.nodes = Known::Live;
    }
    let running = match &request.from {
        From::Empty => None,
        From::Base { revision, candidates, environment } => {
            let play = play(*environment, &[])?;
            let options = UpOptions { revision: revision.clone(), ..request.options.clone() };
            let mut stage = empty.fork(Some(play.clone()));
            let stood = stage.attempt(&base_attempt(candidates, &options, &request.stop)).await?;
            if !stood.would_deliver() {
                // It runs all the same, or nobody would change it: on a cluster with a past.
                stage = empty.fork(Some(play));
                stage.stand(&base_attempt(candidates, &put_there(options), &request.stop)).await?;
                notes.push(format!(
                    "{revision} does not install on an empty cluster ({}): what it delivers was put there without its \
                     hooks",
                    first_words(&stood)
                ));
            }
            stage.rest().await?;
            base_units = study::study(candidates, &offline).ok();
            Some((stage, Start::Revision(revision.clone())))
        }
        From::Cluster(snapshot) => {
            cluster.known = Known::Live;
            cluster.nodes = Known::Live;
            cluster.version.clone_from(&snapshot.version);
            cluster.fingerprints = snapshot.fingerprints.clone();
            notes.extend(snapshot.unread.iter().map(|kind| format!("not read of the cluster: {kind}")));
            Some((
                Stage::of(snapshot, request.head, play(declared, &[])?).await?,
                Start::Cluster(snapshot.name.clone()),
            ))
        }
    };
    let attempt = |start| Attempt {
        start,
        candidates: request.head,
        environment: declared,
        options: &request.options,
        stop: &request.stop,
    };
    if let Some((stage, start)) = running {
        before = stage.inventory();
        let mut fork = stage.fork(Some(faulty.clone()));
        trials.push(fork.attempt(&attempt(start)).await?);
        made.push(fork.inventory());
        notes.extend(fork.notes);
    }
    if trials.is_empty() || request.first_install == FirstInstall::Tried {
        let mut fork = empty.fork(Some(faulty.clone()));
        trials.push(fork.attempt(&attempt(Start::Empty)).await?);
        made.push(fork.inventory());
        notes.extend(fork.notes);
    }
    let seen: Vec<&Object> = head.iter().chain(before.iter()).chain(made.iter().flat_map(Inventory::iter)).collect();
    let whole = if trials.iter().all(Trial::would_deliver) { Seen::Everything } else { Seen::Declared };
    let unmet = unmet(&faulty.faults, &seen, whole);
    if !unmet.is_empty() {
        return Err(unmet);
    }
    let units = render_units(request.head, &before, &cluster, &offline)?;
    let outcomes: Vec<landfall_rules::Outcome<'_>> = trials.iter().map(Trial::as_outcome).collect();
    let subject = Subject {
        units: &units,
        base: base_units.as_deref(),
        before: &before,
        cluster: &cluster,
        trials: &outcomes,
        files: request.files,
        project: request.project,
        environment: request.environment,
        today: request.today,
    };
    let mut found: Vec<Finding> = request.told.clone();
    found.extend(request.rules.iter().flat_map(|rule| (rule.check)(&subject)));
    let examination = conclude(one_cause(found), &subject, request.blame);
    notes.extend(unsimulated(&trials));
    notes.sort();
    notes.dedup();
    Ok(Rehearsal {
        revision: request.revision.clone(),
        environment: request.environment.map(|(name, _)| name.to_owned()),
        would_deliver: trials.iter().all(Trial::would_deliver),
        trials: trials.iter().map(|trial| report(trial, &before, &cluster.fingerprints)).collect(),
        examination,
        not_simulated: notes,
    })
}

/// The delivery of a base revision, for what comes of it.
fn base_attempt<'a>(candidates: &'a [Candidate], options: &'a UpOptions, stop: &'a CancellationToken) -> Attempt<'a> {
    Attempt { start: Start::Empty, candidates, environment: None, options, stop }
}

/// Delivers the objects alone: no hook runs, nothing is waited for, and what is referred to may be missing.
fn put_there(options: UpOptions) -> UpOptions {
    UpOptions { wait: false, hooks: HookRuns::Skip, references: References::MayCome, tries: Tries::Nothing, ..options }
}

/// The objects that are delivered, as far as they render without a cluster.
pub(crate) fn first_look(candidates: &[Candidate], offline: &Conditions) -> Vec<Object> {
    let turn = Turn { revision: 1, operation: Operation::Install };
    let mut objects = Vec::new();
    for unit in candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok()) {
        let Ok(rendered) = study::once(unit, turn, offline, study::MOMENTS[0], Tracing::Off) else {
            continue;
        };
        objects.extend(rendered.all_objects().cloned());
    }
    objects
}

/// Renders the units for the rules, as the cluster before shows itself to `lookup`.
fn render_units(
    candidates: &[Candidate],
    before: &Inventory,
    cluster: &ClusterFacts,
    offline: &Conditions,
) -> Result<Vec<DesiredUnit>, Vec<Diagnostic>> {
    let conditions = Conditions { keys: offline.keys.clone(), ..Conditions::of(&cluster.version, before.clone()) };
    let units = candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
    units
        .map(|unit| {
            // One that renders without a cluster and not with what this one has was tried, and what it said is known.
            let desired = study::render(unit, &conditions);
            desired.or_else(|told| study::render(unit, offline).map_err(|_| told))
        })
        .collect()
}

/// Leaves out what the rehearsal or an API says of an object that another finding explains already: that one is the
/// cause, and says that it was seen.
fn one_cause(mut found: Vec<Finding>) -> Vec<Finding> {
    let (mut seen, rest): (Vec<Finding>, Vec<Finding>) =
        found.drain(..).partition(|finding| finding.witness != Witness::Rule);
    let mut rest = rest;
    seen.retain(|failure| {
        let objects: Vec<&ObjectName> = failure.spots.iter().filter_map(|spot| spot.object.as_ref()).collect();
        let mut explained = false;
        for finding in rest.iter_mut().filter(|finding| finding.fails() && finding.rule != failure.rule) {
            let shares = finding.spots.iter().filter_map(|spot| spot.object.as_ref()).any(|key| objects.contains(&key));
            if shares {
                finding.witness = failure.witness.clone();
                explained = true;
            }
        }
        !explained
    });
    rest.extend(seen);
    rest
}

fn first_words(trial: &Trial) -> String {
    why(trial).first().map(|diagnostic| diagnostic.message.clone()).unwrap_or_default()
}

fn why(trial: &Trial) -> Vec<Diagnostic> {
    match &trial.outcome {
        Err(diagnostics) => diagnostics.clone(),
        Ok(summary) => {
            let units = summary.units.iter().filter(|unit| unit.outcome == Outcome::Failed);
            let mut all: Vec<Diagnostic> = units.flat_map(|unit| unit.diagnostics.clone()).collect();
            all.extend(summary.checks.iter().filter_map(|check| {
                match &check.verdict {
                    Verdict::Failed { reason } => Some(
                        Diagnostic::error(code::CHECK_FAILED, format!("check {} fails: {reason}", check.name))
                            .note(check.address.clone()),
                    ),
                    _ => None,
                }
            }));
            all
        }
    }
}

fn report(trial: &Trial, before: &Inventory, fingerprints: &Fingerprints) -> TrialReport {
    let nothing = Inventory::default();
    let before = if trial.start == Start::Empty { &nothing } else { before };
    TrialReport {
        start: trial.start.clone(),
        would_deliver: trial.would_deliver(),
        why: why(trial),
        impact: Impact::of(before, trial, fingerprints),
        waits: trial.waits.iter().filter(|wait| wait.seconds > 0 || wait.is_hook).cloned().collect(),
        checks: trial.outcome.as_ref().map(|summary| summary.checks.clone()).unwrap_or_default(),
        seconds: trial.took.as_secs(),
    }
}

/// What the trials could only take for granted.
fn unsimulated(trials: &[Trial]) -> Vec<String> {
    let mut notes = vec!["containers answer what `simulate:` in landfall.yaml declares, and nothing else".to_owned()];
    let Some(trial) = trials.first() else { return notes };
    let mut taken: Vec<String> = trial
        .after
        .of_kind("", "Pod")
        .filter(|pod| match Simulated::of(pod) {
            Some(Simulated::Containers(taken)) => taken.iter().any(|it| matches!(it, Assumption::Probe(_))),
            _ => false,
        })
        .map(|pod| pod.controller().map_or_else(|| pod.name().to_owned(), |owner| owner.name))
        .collect();
    taken.sort();
    taken.dedup();
    if !taken.is_empty() {
        let more = taken.len().saturating_sub(4);
        taken.truncate(4);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("probes of which nothing is declared were taken as passing: {}{rest}", taken.join(", ")));
    }
    for made in ["Secret", "ConfigMap"].into_iter().flat_map(|kind| trial.after.of_kind("", kind)) {
        let Some(by) = Simulated::of(made) else { continue };
        let why = match by {
            Simulated::MadeBy(_) => "which may create Secrets",
            Simulated::MadeFor(_) => "by an operator that is not simulated",
            Simulated::Containers(_) | Simulated::Other(_) => continue,
        };
        notes.push(format!("{} {}: taken as {by}, {why}", made.kind(), made.name()));
    }
    if trial.after.of_kind("networking.k8s.io", "NetworkPolicy").next().is_some() {
        notes.push("NetworkPolicies are stored; no traffic between pods is simulated".to_owned());
    }
    for (group, kind) in [
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ] {
        if trial.after.of_kind(group, kind).next().is_some() {
            notes.push(format!("{kind}s are stored; no webhook is called"));
        }
    }
    for check in trial.outcome.iter().flat_map(|summary| &summary.checks) {
        if let Verdict::NotSimulated { reason } = &check.verdict {
            notes.push(format!("check {}: {reason}", check.name));
        }
    }
    notes
}
