//! The rehearsal itself: stand the cluster as it is, deliver the change on forks of it, examine everything.

mod ground;
mod old_sins;
mod otherwise;
mod played;
mod running;
mod verdict;

use std::borrow::Cow;
use std::collections::BTreeSet;

use ground::Ground;
use jiff::civil::Date;
use landfall_chart::KubeVersion;
use landfall_delivery::{Candidate, CheckResult, UpOptions};
use landfall_diag::{Diagnostic, Finding};
use landfall_drydock::NodeSpec;
use landfall_object::Object;
use landfall_project::{Environment, ProjectFile};
use landfall_rules::{
    Blame, ClusterFacts, DesiredUnit, Examination, Inventory, NoBlame, Role, Rule, Start, Subject, classes, conclude,
    is_beyond,
};
use landfall_source::{SourceTree, surroundings_for_show};
use old_sins::OldSins;
use otherwise::Otherwise;
use running::Running;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use verdict::{one_cause, report, unsimulated};

use crate::apart::{apart, runtime};
use crate::at_hand::NotChecked;
use crate::impact::Impact;
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
    /// The Kubernetes that is meant, where it was asked for.
    pub kubernetes: Option<KubeVersion>,
    /// The rules.
    pub rules: &'a [&'a Rule],
    /// What others have found already, such as a real API asked with `dryRun=All`.
    pub told: Vec<Finding>,
    /// What those others could not be asked about, and what they said yes to.
    pub told_besides: Vec<String>,
    /// What is not looked at, because a chart is not at hand.
    pub not_checked: Vec<NotChecked>,
    /// Who knows which commit wrote a line.
    pub blame: &'a dyn Blame,
    /// The day it is, for waivers.
    pub today: Date,
    /// How it is delivered.
    pub options: UpOptions,
    /// Ends the rehearsal early.
    pub stop: CancellationToken,
}

impl<'a> Request<'a> {
    /// The environment as it is declared.
    fn declared(&self) -> Option<&'a Environment> {
        self.environment.map(|(_, environment)| environment)
    }
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
        /// The repository's files there.
        files: Option<&'a SourceTree>,
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
    /// What is risky about the change, and why.
    #[serde(flatten)]
    pub examination: Examination,
    /// What its base had already: it is not the change's, and decides nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Finding>,
    /// What nobody brings and was taken as there, as `Secret db`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taken_as_there: Vec<String>,
    /// What was not looked at, because a chart is not at hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_checked: Vec<NotChecked>,
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
    /// Whether it would not for the reasons alone for which its base would not either.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub as_its_base: bool,
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
    /// Whether the command that shows it succeeds: it would deliver as well as its base, and no finding of its own is an
    /// error.
    pub fn passes(&self) -> bool {
        passes(&self.trials, &self.examination)
    }
}

/// The one verdict over trials and findings.
pub(crate) fn passes(trials: &[TrialReport], examination: &Examination) -> bool {
    trials.iter().all(|trial| trial.would_deliver || trial.as_its_base) && examination.errors() == 0
}

/// Rehearses a change on simulated clusters; blocks until it is done.
///
/// Runs on a thread-local runtime of its own, so that virtual time never overtakes anybody. Within another runtime,
/// call it from `tokio::task::block_in_place`.
///
/// # Errors
/// When nothing could be tried: a chart that does not render, a play that cannot be read.
pub fn rehearse(request: &Request<'_>) -> Result<Rehearsal, Vec<Diagnostic>> {
    let own = runtime()?;
    let ground = own.block_on(Ground::prepare(request))?;
    let (tried, otherwise) = otherwise::beside(request, &ground, || {
        let delivery = Delivery::of(request, &ground);
        let first = || runtime().and_then(|runtime| runtime.block_on(delivery.first()));
        let changed = || {
            own.block_on(async {
                let running = Running::stand(request, &ground).await?;
                Tried::of(request, &ground, running).await
            })
        };
        let is_changed = !matches!(request.from, From::Empty);
        let (tried, first) = match (is_changed, request.first_install) {
            (true, FirstInstall::Left) => (changed(), None),
            (true, FirstInstall::Tried) => {
                let (tried, first) = apart(changed, first);
                (tried, Some(first))
            }
            (false, _) => (changed(), Some(first())),
        };
        let mut tried = tried?;
        if let Some(first) = first {
            tried.take(first?);
        }
        tried.faults_are_met(&ground)?;
        Ok(tried)
    });
    tried?.judged(request, &ground, otherwise?)
}

/// The change, to be delivered somewhere.
#[derive(Clone, Copy)]
struct Delivery<'r> {
    ground: &'r Ground<'r>,
    environment: Option<&'r Environment>,
    options: &'r UpOptions,
    stop: &'r CancellationToken,
}

/// One delivery of it.
struct Delivered {
    trial: Trial,
    /// What it left.
    made: Inventory,
    notes: Vec<String>,
}

impl<'r> Delivery<'r> {
    fn of(request: &'r Request<'_>, ground: &'r Ground<'_>) -> Self {
        Self { ground, environment: request.declared(), options: &request.options, stop: &request.stop }
    }

    /// Onto an empty cluster.
    async fn first(self) -> Result<Delivered, Vec<Diagnostic>> {
        self.onto(&self.ground.empty, Start::Empty).await
    }

    /// Onto a fork of a cluster.
    async fn onto(self, stage: &Stage, start: Start) -> Result<Delivered, Vec<Diagnostic>> {
        let mut fork = stage.fork(Some(self.ground.faulty.clone()));
        let attempt = Attempt {
            start,
            candidates: &self.ground.played.head,
            objects: &self.ground.played.head_objects,
            environment: self.environment,
            options: self.options,
            stop: self.stop,
            surroundings: surroundings_for_show,
        };
        let trial = fork.attempt(&attempt).await?;
        Ok(Delivered { trial, made: fork.inventory(), notes: fork.notes })
    }
}

/// What came of the trials.
struct Tried {
    trials: Vec<Trial>,
    /// What ran before the change.
    before: Inventory,
    /// What the base revision delivers, where there is one.
    base: Option<Vec<DesiredUnit>>,
    /// How that was delivered itself.
    base_trial: Option<Trial>,
    /// How it is delivered once more onto itself, where the change does not come up, and its base does not or brings kinds.
    base_again: Option<Trial>,
    /// What each trial left.
    made: Vec<Inventory>,
    notes: Vec<String>,
}

impl Tried {
    /// Delivers the change onto a fork of what runs before, where something does.
    async fn of(request: &Request<'_>, ground: &Ground<'_>, running: Option<Running>) -> Result<Self, Vec<Diagnostic>> {
        let mut tried = Tried {
            trials: Vec::new(),
            before: ground.empty.inventory(),
            base: None,
            base_trial: None,
            base_again: None,
            made: Vec::new(),
            notes: request.told_besides.clone(),
        };
        if let Some(Running { stage, start, units, trial, notes }) = running {
            tried.notes.extend(notes);
            (tried.base, tried.base_trial) = (units, trial);
            // What was only taken as there is missed by the change as well.
            tried.before = stage.inventory();
            tried.before.retain(|object| !is_prerequisite(object));
            tried.take(Delivery::of(request, ground).onto(&stage, start.clone()).await?);
            tried.base_again = tried.control(request, ground, &stage, start).await?;
        }
        Ok(tried)
    }

    /// Delivers the base once more onto what it runs: a base that does not install fails an upgrade of anything in another
    /// way than an installation, one that brings kinds prints more the second time, and what it fails itself without any change
    /// is nothing that the change brings.
    async fn control(
        &self,
        request: &Request<'_>,
        ground: &Ground<'_>,
        stage: &Stage,
        start: Start,
    ) -> Result<Option<Trial>, Vec<Diagnostic>> {
        let From::Base { environment, .. } = &request.from else { return Ok(None) };
        let comes_up = self.base_trial.as_ref().is_none_or(Trial::came_up);
        if self.would_deliver() || (comes_up && !self.brings_kinds(&ground.empty.inventory())) {
            return Ok(None);
        }
        let attempt = Attempt {
            start,
            candidates: &ground.played.base,
            objects: &ground.played.base_objects,
            environment: *environment,
            options: &request.options,
            stop: &request.stop,
            surroundings: surroundings_for_show,
        };
        stage.fork(None).attempt(&attempt).await.map(Some)
    }

    /// Whether the base itself brings kinds: what a template prints only where they are served comes with its second delivery.
    fn brings_kinds(&self, empty: &Inventory) -> bool {
        let kinds = |there: &Inventory| there.of_kind("apiextensions.k8s.io", "CustomResourceDefinition").count();
        kinds(&self.before) != kinds(empty)
    }

    /// Adds a trial.
    fn take(&mut self, delivered: Delivered) {
        self.trials.push(delivered.trial);
        self.made.push(delivered.made);
        self.notes.extend(delivered.notes);
    }

    /// What faults are about was there.
    fn faults_are_met(&self, ground: &Ground<'_>) -> Result<(), Vec<Diagnostic>> {
        let made = self.made.iter().flat_map(Inventory::iter);
        let seen: Vec<&Object> = ground
            .played
            .head_objects
            .iter()
            .chain(&ground.played.beside)
            .chain(self.before.iter())
            .chain(made)
            .collect();
        let whole = if self.would_deliver() { Seen::Everything } else { Seen::Declared };
        let unmet = unmet(&ground.faulty.faults, &seen, whole);
        if unmet.is_empty() { Ok(()) } else { Err(unmet) }
    }

    fn would_deliver(&self) -> bool {
        self.trials.iter().all(Trial::would_deliver)
    }

    /// What the rules say of it, and the whole report.
    fn judged(
        mut self,
        request: &Request<'_>,
        ground: &Ground<'_>,
        otherwise: Otherwise,
    ) -> Result<Rehearsal, Vec<Diagnostic>> {
        let Ground { offline, cluster, .. } = ground;
        let mut units = render_units(request.head, &self.before, cluster, offline)?;
        let not_tried: Vec<String> = otherwise.not_tried().collect();
        otherwise.put_into(&mut units, self.base.as_mut());
        let outcomes: Vec<landfall_rules::Outcome<'_>> = self.trials.iter().map(Trial::as_outcome).collect();
        let running = self.running(&ground.played.head_objects);
        let subject = Subject {
            units: &units,
            base: self.base.as_deref(),
            before: &running,
            cluster,
            trials: &outcomes,
            files: request.files,
            project: request.project,
            environment: request.environment,
            today: request.today,
        };
        let mut found: Vec<Finding> = request.told.clone();
        found.extend(request.rules.iter().flat_map(|rule| (rule.check)(&subject)));
        found.retain(|finding| !is_beyond(&subject, finding));
        let mut examination = conclude(one_cause(found), &subject, request.blame);
        let mut sins = self.old_sins(request, ground);
        sins.hold_up(&self.trials);
        let mut known = Examination { findings: sins.take_from(&mut examination), idle_waivers: Vec::new() };
        examination.gather();
        known.gather();
        let mut notes = self.notes.clone();
        notes.extend(unsimulated(&self.trials));
        notes.extend(not_tried);
        notes.sort();
        notes.dedup();
        let taken: BTreeSet<&String> = self.trials.iter().flat_map(|trial| &trial.taken_as_there).collect();
        let told = |trial: &Trial| {
            let base = self.base.as_deref().unwrap_or_default();
            let report = report(trial, &self.before, base, &cluster.fingerprints);
            let as_its_base = !report.would_deliver && !report.why.is_empty() && sins.explain(trial);
            TrialReport { as_its_base, ..report }
        };
        Ok(Rehearsal {
            revision: request.revision.clone(),
            environment: request.environment.map(|(name, _)| name.to_owned()),
            would_deliver: self.would_deliver(),
            trials: self.trials.iter().map(told).collect(),
            examination,
            known: known.findings,
            taken_as_there: taken.into_iter().cloned().collect(),
            not_checked: request.not_checked.clone(),
            not_simulated: notes,
        })
    }

    /// What ran before the change, for the rules: what the base could not be delivered with runs all the same, as it is
    /// rendered, where the change goes on delivering it.
    fn running(&self, head: &[Object]) -> Cow<'_, Inventory> {
        let whole = |trial: &Trial| trial.came_up() && trial.left_out.is_empty();
        if self.base_trial.as_ref().is_none_or(whole) {
            return Cow::Borrowed(&self.before);
        }
        let mut running = self.before.clone();
        for desired in self.base.iter().flatten().flat_map(|unit| &unit.objects) {
            let key = desired.key();
            let goes_on = desired.role == Role::Manifest && head.iter().any(|it| it.is_at(&key));
            if goes_on && running.of(&key).is_none() {
                running.insert(desired.object.clone());
            }
        }
        Cow::Owned(running)
    }

    /// What is wrong with the base revision by itself, delivered onto an empty cluster.
    fn old_sins(&self, request: &Request<'_>, ground: &Ground<'_>) -> OldSins {
        let (From::Base { candidates, environment, files, .. }, Some(units)) = (&request.from, &self.base) else {
            return OldSins::default();
        };
        let before = ground.empty.inventory();
        let outcomes: Vec<landfall_rules::Outcome<'_>> = self.base_trial.iter().map(Trial::as_outcome).collect();
        let subject = Subject {
            units,
            base: None,
            before: &before,
            cluster: &ground.cluster,
            trials: &outcomes,
            files: *files,
            project: request.project,
            environment: request.environment.and_then(|(name, _)| Some((name, (*environment)?))),
            today: request.today,
        };
        let found = |subject: &Subject<'_>| {
            // What a failure comes from is told instead of it, and may be gone where the failure is not: all of it is the base's.
            let found = request.rules.iter().flat_map(|rule| (rule.check)(subject)).collect();
            conclude(found, subject, &NoBlame)
        };
        let mut sins = OldSins::of(&found(&subject), self.base_trial.as_ref());
        // What a delivery of the very same again would be told for is not the change's either: what is drawn anew, what is
        // rendered for an installation alone, and what waits for kinds that the base itself brings.
        let is_another = |unit: &DesiredUnit| !unit.lookups.is_empty() || unit.is_drawn();
        if (units.iter().any(is_another) || self.brings_kinds(&before))
            && let Ok(again) = render_units(candidates, &self.before, &ground.cluster, &ground.offline)
        {
            let subject = Subject { units: &again, base: Some(units), before: &self.before, trials: &[], ..subject };
            sins.add(&found(&subject));
        }
        // What is refused before it begins may be refused whatever the change is: by a template that no upgrade passes.
        if self.trials.iter().any(|trial| !trial.came_up() && trial.plans.is_empty()) {
            let conditions = Conditions {
                keys: ground.offline.keys.clone(),
                readings: ground.offline.readings.clone(),
                ..Conditions::of(&ground.cluster.version, self.before.clone())
            };
            for unit in candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok()) {
                sins.refuse(&study::refuses_upgrades(unit, &conditions));
            }
        }
        if let Some(again) = &self.base_again {
            let subject = Subject { base: Some(units), before: &self.before, trials: &[again.as_outcome()], ..subject };
            sins.add(&found(&subject));
            sins.hear(again);
        }
        sins
    }
}

/// Whether an object stands for something that nobody brings and that LF103 tells.
fn is_prerequisite(object: &Object) -> bool {
    let kinds = ["Namespace", "Secret", "ConfigMap", "ServiceAccount", "PersistentVolumeClaim"];
    object.group().is_empty() && kinds.contains(&object.kind()) && classes::is_assumed(object)
}

/// Renders the units for the rules, as the cluster before shows itself to `lookup`.
fn render_units(
    candidates: &[Candidate],
    before: &Inventory,
    cluster: &ClusterFacts,
    offline: &Conditions,
) -> Result<Vec<DesiredUnit>, Vec<Diagnostic>> {
    let conditions = Conditions {
        keys: offline.keys.clone(),
        readings: offline.readings.clone(),
        ..Conditions::of(&cluster.version, before.clone())
    };
    let units = candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
    units
        .map(|unit| {
            // One that renders without a cluster and not with what this one has was tried, and what it said is known.
            let desired = study::render(unit, &conditions);
            desired.or_else(|told| study::render(unit, offline).map_err(|_| told))
        })
        .collect()
}
