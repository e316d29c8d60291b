mod alone;
mod approved;
mod carried;
mod checked;
mod claims;
mod differences;
mod options;
mod tried;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_recursion::async_recursion as boxed;
use landfall_apps::DeletionHooks;
use landfall_chart::{Capabilities, Operation, Readings, RenderedUnit, Tracing};
use landfall_cluster::Cluster;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_engine::{Fate, Kinds};
use landfall_object::{Gvk, Object};
use landfall_project::{Check, Environment, Span};
use landfall_release::{
    ArgoHooks, Content, DeployOptions, HookRecord, InstallOptions, OwnershipCheck, Prepared, Record, Status,
    UpgradeOptions, Wait,
};
use landfall_source::Surroundings;
use serde_json::Value;
use tokio::sync::OnceCell;

pub use self::alone::{Compared, SyncEnd};
pub use self::approved::Approved;
use self::checked::definitions;
pub use self::claims::Claims;
pub use self::differences::{Difference, Differences};
pub use self::options::{References, Refusals, Tries, UpOptions};
use self::tried::{Course, Tried};
use crate::content::{content, is_workload, narrowed};
use crate::drawn::Draws;
use crate::images::images_in;
use crate::life::remember_arrivals;
use crate::opened;
use crate::rendering::{Turn, capabilities, render_unit};
use crate::session::{Progress, Session};
use crate::summary::{Outcome, Summary, UnitSummary, changes, unchanged};
use crate::unit::{Door, Unit};
use crate::{Bounds, CheckResult, NetworkReach, Prober, Smoke, Standpoint, Tags, addresses};

/// Where the sealing keys are, and what is remembered beside them, where nobody says otherwise.
pub(crate) const SEALING_KEYS: &str = "kube-system";

/// A unit, read and rendered, or why it could not be.
pub type Candidate = (String, Result<Unit, Vec<Diagnostic>>);

/// A unit rendered.
pub(crate) struct Ready<'u> {
    pub(crate) unit: &'u Unit,
    /// For its next turn; rendered when first needed, where the deployed revision is what it was made from.
    next: OnceCell<RenderedUnit>,
    /// Whether its templates draw.
    draws: Draws,
    /// What they draw another time, where they do.
    again: OnceCell<RenderedUnit>,
    /// Whether it was told what of that stays as it lives.
    told: AtomicBool,
    turn: Turn,
    capabilities: Arc<Capabilities>,
    /// The rendering as the deployed revision's turn, without origins: equal to it when nothing changed.
    same_turn: Option<RenderedUnit>,
    last: Option<Record>,
    /// Kinds that are not served yet and come with the delivery.
    expected: Kinds,
    /// What stands for objects of versions that are gone, by kind, in the version that it is tried in, and by name.
    succeeding: BTreeSet<(Gvk, String)>,
}

impl Ready<'_> {
    pub(crate) fn expected(&self) -> &Kinds {
        &self.expected
    }

    /// For which moments of its deletion it has hooks.
    pub(crate) fn deletion_hooks(&self) -> DeletionHooks {
        let shown = self.shown();
        DeletionHooks::among(shown.objects.iter().chain(&shown.hooks).map(|one| &one.object))
    }

    /// Whether a hook was asked for by name.
    fn runs_hook(&self, options: &UpOptions) -> bool {
        self.shown().hooks.iter().any(|hook| options.services.iter().any(|it| it == hook.object.name()))
    }

    /// Changes what was rendered.
    fn change(&mut self, change: impl Fn(&mut RenderedUnit)) {
        self.next.get_mut().into_iter().chain(&mut self.same_turn).for_each(change);
    }

    /// Places objects of a kind that was not served when they were rendered.
    async fn place_again(&mut self, cluster: &Cluster) {
        for rendered in self.next.get_mut().into_iter().chain(&mut self.same_turn) {
            for rendered in rendered.objects.iter_mut().chain(&mut rendered.hooks) {
                if let Ok(placed) = cluster.place(rendered.object.clone(), &self.unit.namespace).await {
                    rendered.object = placed;
                }
            }
        }
    }

    /// Its objects: for the next turn, or for the deployed one where both say the same.
    pub(crate) fn shown(&self) -> &RenderedUnit {
        self.next.get().or(self.same_turn.as_ref()).expect("one of the two was rendered when the unit was made ready")
    }
}

/// A unit's plan, for showing.
#[derive(Debug, Clone, serde::Serialize)]
pub struct UnitPlan {
    /// The unit's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision it would become.
    pub revision: i64,
    /// Whether there is nothing to do.
    pub unchanged: bool,
    /// The plan.
    pub plan: landfall_engine::Plan,
    /// What would be done, in order.
    pub changes: Vec<crate::summary::Change>,
}

impl UnitPlan {
    fn of(unit: &Unit, revision: i64, unchanged: bool, plan: landfall_engine::Plan) -> Self {
        UnitPlan {
            name: unit.name.clone(),
            namespace: unit.namespace.clone(),
            revision,
            unchanged,
            changes: changes(&plan, None),
            plan,
        }
    }

    /// How many of the declared objects are as they should be.
    pub fn as_declared(&self) -> usize {
        crate::summary::unchanged(&self.plan)
    }
}

impl Session {
    /// Delivers units: all are rendered and checked before the first is touched.
    ///
    /// # Errors
    /// When nothing was begun: a chart that does not render, a reference that resolves nowhere, a cluster that does
    /// not answer. What fails later is in the summary.
    #[boxed]
    pub async fn up(
        &self,
        candidates: &[Candidate],
        environment: Option<&Environment>,
        options: &UpOptions,
    ) -> Result<Summary, Vec<Diagnostic>> {
        self.up_planning(candidates, environment, options, None).await
    }

    /// As [`Session::up`]; the plans as they were made before anything was tried go to `plans`.
    ///
    /// # Errors
    /// As [`Session::up`].
    pub async fn up_planning(
        &self,
        candidates: &[Candidate],
        environment: Option<&Environment>,
        options: &UpOptions,
        plans: Option<&mut Vec<UnitPlan>>,
    ) -> Result<Summary, Vec<Diagnostic>> {
        let capabilities = self.capabilities().await?;
        let mut summaries: BTreeMap<usize, UnitSummary> = BTreeMap::new();
        let mut ready: Vec<(usize, Ready<'_>)> = Vec::new();
        let mut recovered = Vec::new();
        for (_, unit) in candidates {
            recovered.push(match unit {
                Ok(unit) => self.recover_unit(unit).await,
                Err(diagnostics) => Err(diagnostics.clone()),
            });
        }
        let all = candidates.iter().zip(recovered).map(|((_, unit), recovered)| {
            let capabilities = &capabilities;
            async move {
                recovered?;
                match unit {
                    Ok(unit) => self.make_ready(unit, capabilities).await,
                    Err(diagnostics) => Err(diagnostics.clone()),
                }
            }
        });
        let all = futures::future::join_all(all).await;
        for (index, ((name, unit), rendered)) in candidates.iter().zip(all).enumerate() {
            match rendered {
                Ok(one) => ready.push((index, one)),
                // An Application or an optional release fails alone; anything else stops all before it begins.
                Err(diagnostics) if fails_alone(unit.as_ref().ok(), candidates.len()) => {
                    summaries.insert(index, failed_before(name, unit.as_ref().ok(), diagnostics));
                }
                Err(diagnostics) => return Err(diagnostics),
            }
        }
        self.offer(&ready).await?;
        self.check_objects(&mut ready, &mut summaries, options).await?;
        self.check_secrets(environment, &ready, options).await?;
        let kinds = Kinds::defined(&definitions(&ready).collect::<Vec<_>>());
        for (_, one) in &mut ready {
            one.expected.clone_from(&kinds);
        }
        let (mut courses, tried) = match self.look_ahead(&mut ready, &mut summaries, options, plans).await {
            // What a run that is told to stop does not get is no fault: nothing of it is begun.
            Err(_) if self.stop.is_cancelled() => (BTreeMap::new(), Tried::default()),
            other => other?,
        };
        let mut stopped = false;
        let mut acted = false;
        for (index, one) in &ready {
            let begins = !stopped && !self.stop.is_cancelled();
            let fate = if begins { Fate::Kept } else { Fate::TakenBack };
            if let Err(diagnostics) = self.conclude(&tried, *index, fate).await {
                self.tell_unconcluded(diagnostics).await;
            }
            let course = match courses.remove(index) {
                // What was delivered in between may have changed what this one finds.
                Some(Course::Later) | None => None,
                Some(_) if acted => None,
                course => course,
            };
            let mut summary = if begins { self.deliver(one, course, options).await } else { not_begun(one.unit) };
            tried.told_as_made(*index, &mut summary);
            acted |= summary.outcome != Outcome::Unchanged;
            if !summary.is_well() && (!one.unit.optional || self.stop.is_cancelled()) {
                stopped = true;
            }
            summaries.insert(*index, summary);
        }
        let delivered: Vec<UnitSummary> = summaries.into_values().collect();
        let all_well = delivered.iter().all(UnitSummary::is_well);
        let mut checks = Vec::new();
        if let Some(environment) = environment
            && !stopped
            && options.services.is_empty()
            && options.wait
        {
            let mut asked = environment.checks.clone();
            let is_here = |release: &str| candidates.iter().any(|(name, _)| name == release);
            asked.retain(|check| check.release.as_deref().is_none_or(is_here));
            if !all_well {
                // What does not run by now is not waited for: it was not delivered.
                asked.iter_mut().for_each(|check| check.timeout = Some(Span::none()));
            }
            let images = ready.iter().flat_map(|(_, one)| images_in(one.shown())).collect();
            checks = self.check(&asked, Tags::Of(images)).await?;
        }
        let objects: Vec<&Object> =
            ready.iter().flat_map(|(_, one)| one.shown().objects.iter().map(|rendered| &rendered.object)).collect();
        let addresses = if all_well { addresses::answering(&objects, &checks, &self.routes).await } else { Vec::new() };
        let summary =
            Summary { revision: options.revision.clone(), units: delivered, checks, addresses, simulated: Vec::new() };
        self.remember(&summary).await;
        // It is for whoever asks later who runs with values from before; who may not write there finds that out without it.
        let _unremembered = remember_arrivals(&self.cluster, SEALING_KEYS).await;
        Ok(summary)
    }

    /// Makes checks as the cluster's routes lead.
    ///
    /// # Errors
    /// When none can be made: the system's certificates cannot be read.
    #[boxed]
    pub async fn check(&self, checks: &[Check], tags: Tags) -> Result<Vec<CheckResult>, Vec<Diagnostic>> {
        let prober = Prober {
            cluster: Some(&self.cluster),
            bounds: Bounds::default(),
            reach: NetworkReach::default(),
            progress: &self.progress,
            stop: &self.stop,
        };
        prober.smoke(&Smoke { checks, tags, from: Standpoint::Routes(self.routes.clone()) }).await
    }

    /// What would be done, without doing it.
    ///
    /// # Errors
    /// As [`Session::up`].
    #[boxed]
    pub async fn plan(
        &self,
        candidates: &[Candidate],
        environment: Option<&Environment>,
        options: &UpOptions,
    ) -> Result<Vec<UnitPlan>, Vec<Diagnostic>> {
        let capabilities = self.capabilities().await?;
        let mut ready = Vec::new();
        for (index, (_, unit)) in candidates.iter().enumerate() {
            match unit {
                Ok(unit) => ready.push((index, self.make_ready(unit, &capabilities).await?)),
                Err(diagnostics) => return Err(diagnostics.clone()),
            }
        }
        self.offer(&ready).await?;
        self.check_objects(&mut ready, &mut BTreeMap::new(), options).await?;
        self.check_secrets(environment, &ready, options).await?;
        let kinds = Kinds::defined(&definitions(&ready).collect::<Vec<_>>());
        for (_, one) in &mut ready {
            one.expected.clone_from(&kinds);
        }
        let mut plans = Vec::new();
        for (_, one) in &ready {
            if let Door::Application(bound) = &one.unit.door {
                let prepared = self.prepare_sync(bound, one, options).await?;
                prepared.check().map_err(|error| vec![error.diagnose()])?;
                self.tell_notes(one.unit, &prepared).await;
                let unchanged = prepared.plan.changes_nothing();
                plans.push(UnitPlan::of(one.unit, 0, unchanged, prepared.plan));
                continue;
            }
            let (prepared, unchanged) = self.prepare(one, options).await?;
            plans.push(UnitPlan::of(one.unit, prepared.record.version, unchanged, prepared.plan));
        }
        if let Some(approved) = &options.approved {
            approved.permit(&plans)?;
        }
        Ok(plans)
    }

    /// Refuses what would lose a value that was generated once.
    async fn check_secrets(
        &self,
        environment: Option<&Environment>,
        ready: &[(usize, Ready<'_>)],
        options: &UpOptions,
    ) -> Result<(), Vec<Diagnostic>> {
        let shown = ready.iter().flat_map(|(_, one)| {
            one.shown().objects.iter().map(|rendered| (&rendered.object, one.unit.namespace.as_str()))
        });
        self.check_births(environment, options.environment.as_deref(), &shown.collect::<Vec<_>>()).await
    }

    pub(crate) async fn capabilities(&self) -> Result<Arc<Capabilities>, Vec<Diagnostic>> {
        capabilities(&self.cluster).await.map(Arc::new).map_err(|error| vec![error.diagnose()])
    }

    /// Brings to an end what an earlier process left open on a unit.
    async fn recover_unit(&self, unit: &Unit) -> Result<(), Vec<Diagnostic>> {
        match &unit.door {
            Door::Application(bound) => self.recover_application(unit, bound).await,
            Door::Release => self.recover(&self.releases(&unit.namespace), &unit.name, &unit.name).await,
        }
    }

    /// What its renderings see of the machine, and what they know already.
    fn seen(&self) -> (Surroundings, &Option<Readings>) {
        (self.surroundings, &self.readings)
    }

    /// The rendering for a unit's next turn.
    async fn next<'r>(&self, one: &'r Ready<'_>) -> Result<&'r RenderedUnit, Vec<Diagnostic>> {
        one.next
            .get_or_try_init(|| async {
                let here = (&self.cluster, self.offers.as_ref());
                let (tracing, seen) = ((Tracing::On, &one.draws), self.seen());
                let mut rendered = render_unit(one.unit, one.turn, &one.capabilities, here, tracing, seen).await?;
                if let Door::Release = one.unit.door
                    && let Some(again) = self.again(one).await?
                {
                    let kept = self.keep_drawn_of_release(&one.unit.namespace, &mut rendered, again).await;
                    self.tell_drawn(one, &kept).await;
                }
                Ok(rendered)
            })
            .await
    }

    /// Says which values of a release stay that its templates draw anew, once.
    async fn tell_drawn(&self, one: &Ready<'_>, kept: &[String]) {
        if kept.is_empty() || one.told.swap(true, Ordering::Relaxed) {
            return;
        }
        for note in kept {
            let note = Diagnostic::warning(code::DRAWN_ANEW, format!("{}: {note}", one.unit.name));
            self.tell(Progress::Note(note)).await;
        }
    }

    /// The same rendered once more, where its templates draw.
    pub(crate) async fn again<'r>(&self, one: &'r Ready<'_>) -> Result<Option<&'r RenderedUnit>, Vec<Diagnostic>> {
        if !one.draws.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let rendered = one.again.get_or_try_init(|| {
            let here = (&self.cluster, self.offers.as_ref());
            render_unit(one.unit, one.turn, &one.capabilities, here, (Tracing::Off, &one.draws), self.seen())
        });
        rendered.await.map(Some)
    }

    /// Renders a unit for its last turn, to see whether anything has changed, and for its next one where that is so.
    pub(crate) async fn make_ready<'u>(
        &self,
        unit: &'u Unit,
        capabilities: &Arc<Capabilities>,
    ) -> Result<Ready<'u>, Vec<Diagnostic>> {
        self.tell(Progress::Doing(format!("render {}", unit.name))).await;
        // Argo CD renders as `helm template` does: always revision 1, always an installation.
        let turn = Turn { revision: 1, operation: Operation::Install };
        let capabilities = Arc::clone(capabilities);
        let mut ready = Ready {
            unit,
            next: OnceCell::new(),
            draws: Draws::default(),
            again: OnceCell::new(),
            told: AtomicBool::new(false),
            turn,
            capabilities,
            same_turn: None,
            last: None,
            expected: Kinds::default(),
            succeeding: BTreeSet::new(),
        };
        let mut kept = Vec::new();
        if let Door::Release = unit.door {
            let history = self.releases(&unit.namespace).history(&unit.name).await;
            let history = history.map_err(|error| vec![error.diagnose()])?;
            opened::hide_past(unit, &history);
            let last = history.last().filter(|record| record.info.status != Status::Uninstalled);
            ready.turn = match last {
                Some(last) => Turn { revision: last.version + 1, operation: Operation::Upgrade },
                None => Turn {
                    revision: history.last().map_or(1, |record| record.version + 1),
                    operation: Operation::Install,
                },
            };
            if let Some(last) = last.filter(|last| last.info.status == Status::Deployed) {
                let operation = if last.version == 1 { Operation::Install } else { Operation::Upgrade };
                let turn = Turn { revision: last.version, operation };
                // Nobody asks where a field comes from as long as nothing has changed.
                let render = || {
                    let here = (&self.cluster, self.offers.as_ref());
                    let tracing = (Tracing::Off, &ready.draws);
                    render_unit(unit, turn, &ready.capabilities, here, tracing, self.seen())
                };
                let mut same = render().await.ok();
                if let Some(same) = &mut same
                    && ready.draws.load(Ordering::Relaxed)
                    && let Ok(again) = render().await
                {
                    kept = self.keep_drawn_of_release(&unit.namespace, same, &again).await;
                }
                ready.same_turn = same;
            }
            ready.last = last.cloned();
        }
        let says_the_same = match (&ready.same_turn, &ready.last) {
            (Some(same), Some(last)) => content(unit, same.chart()).is_ok_and(|content| delivered_as(&content, last)),
            _ => false,
        };
        if says_the_same {
            self.tell_drawn(&ready, &kept).await;
        } else {
            self.next(&ready).await?;
        }
        Ok(ready)
    }

    /// Installs the definitions of simulated operators for kinds that nobody serves and no unit brings.
    async fn offer(&self, ready: &[(usize, Ready<'_>)]) -> Result<(), Vec<Diagnostic>> {
        let Some(offers) = &self.offers else { return Ok(()) };
        let brought: Vec<(String, String)> = definitions(ready)
            .map(|crd| {
                let text = |pointer| crd.str_at(pointer).unwrap_or_default().to_owned();
                (text("/spec/group"), text("/spec/names/kind"))
            })
            .collect();
        for (_, one) in ready {
            for object in one.shown().all_objects() {
                let gvk = object.gvk();
                if brought.contains(&(gvk.group.clone(), gvk.kind.clone())) || self.cluster.resource(&gvk).await.is_ok()
                {
                    continue;
                }
                let Some((operator, definitions)) = offers.definitions(&gvk) else { continue };
                for definition in definitions {
                    let definition = self.beside(definition).await?;
                    self.cluster.apply(&definition, "landfall").await.map_err(|error| vec![error.diagnose()])?;
                }
                self.cluster.forget_discovery();
                self.tell(Progress::OperatorSimulated { operator, kind: gvk.kind.clone() }).await;
            }
        }
        Ok(())
    }

    /// A definition with the versions that were offered before of the same kind: what was delivered in one of them is still there.
    async fn beside(&self, mut definition: Object) -> Result<Object, Vec<Diagnostic>> {
        let there = self.cluster.get(&definition.key()).await.map_err(|error| vec![error.diagnose()])?;
        let Some(there) = there else { return Ok(definition) };
        let Some(versions) = definition.at_mut("/spec/versions").and_then(Value::as_array_mut) else {
            return Ok(definition);
        };
        for version in there.list_at("/spec/versions") {
            if versions.iter().all(|it| it["name"] != version["name"]) {
                let mut version = version.clone();
                version["storage"] = false.into();
                versions.push(version);
            }
        }
        Ok(definition)
    }

    /// Prepares a unit's operation; says whether there is nothing to do.
    async fn prepare(&self, one: &Ready<'_>, options: &UpOptions) -> Result<(Prepared, bool), Vec<Diagnostic>> {
        let unit = one.unit;
        let releases = self.releases(&unit.namespace).expecting(one.expected.clone());
        let release = unit.name.as_str();
        let told = |error: landfall_release::Error| vec![error.diagnose()];
        let deploy = DeployOptions {
            wait: if options.wait { Wait::Ready } else { Wait::No },
            timeout: options.timeout,
            atomic: options.atomic,
            hooks: options.hooks,
            argo_hooks: ArgoHooks::Remade,
            ownership: match unit.door {
                Door::Release => OwnershipCheck::AdoptNamespace,
                Door::Application(_) => OwnershipCheck::Take,
            },
            ..DeployOptions::default()
        };
        let upgrade = UpgradeOptions { deploy: deploy.clone() };
        let Some(last) = &one.last else {
            let content = content(one.unit, self.next(one).await?.chart())?;
            let install = InstallOptions { deploy, create_namespace: true, replace: true, ..InstallOptions::default() };
            let prepared = releases.prepare_install(release, content, &install).await.map_err(told)?;
            return Ok((prepared, false));
        };
        let narrow = |rendered: &RenderedUnit| -> Result<_, Vec<Diagnostic>> {
            let mut content = content(one.unit, rendered.chart())?;
            if !options.services.is_empty() {
                content.manifest = narrowed(&last.manifest, rendered, &options.services)?;
                let hooks_wanted =
                    one.shown().hooks.iter().any(|hook| options.services.iter().any(|it| it == hook.object.name()));
                if !hooks_wanted {
                    content.hooks.clone_from(&last.hooks);
                }
            }
            Ok(content)
        };
        if let Some(same) = &one.same_turn {
            let prepared = releases.prepare_upgrade(release, narrow(same)?, &upgrade).await.map_err(told)?;
            if prepared.is_noop() {
                return Ok((prepared, true));
            }
        }
        let prepared =
            releases.prepare_upgrade(release, narrow(self.next(one).await?)?, &upgrade).await.map_err(told)?;
        Ok((prepared, false))
    }

    /// Delivers a unit: as it was prepared, or prepared now where that could not be or is out of date.
    async fn deliver(&self, one: &Ready<'_>, course: Option<Course>, options: &UpOptions) -> UnitSummary {
        let unit = one.unit;
        let course = match course {
            Some(course) => course,
            None => match self.course(one, options).await.and_then(|course| course.permitted(one, options)) {
                Ok(course) => course,
                Err(diagnostics) => return self.failed_at_once(unit, diagnostics),
            },
        };
        let (prepared, acts) = match course {
            Course::Release { prepared, acts } => (prepared, acts),
            Course::Application(prepared) => {
                let mut summary = self.sync(unit, &prepared).await;
                if summary.is_well() && !options.services.is_empty() {
                    let before = self.templates(one, &options.services).await;
                    self.restart(one, options, &before, &mut summary).await;
                }
                return summary;
            }
            Course::Later => return not_begun(unit),
        };
        let mut summary = UnitSummary {
            revision: one.last.as_ref().map_or(0, |last| last.version),
            unchanged: unchanged(&prepared.plan),
            notes: prepared.record.info.notes.clone(),
            ..UnitSummary::new(&unit.namespace, &unit.name, Outcome::Unchanged)
        };
        let before = self.templates(one, &options.services).await;
        if acts {
            self.carry_out(&prepared, &mut summary).await;
        } else if options.wait {
            self.wait_for_health(unit, &prepared.live, options, &mut summary).await;
        }
        if summary.is_well() && options.wait {
            self.wait_for_sealed(unit, &prepared.plan, options, &mut summary).await;
        }
        if summary.is_well() && !options.services.is_empty() {
            self.restart(one, options, &before, &mut summary).await;
        }
        if summary.is_well() && options.test {
            self.test(unit, options, &mut summary).await;
        }
        summary
    }

    /// A unit that failed before anything of it was written; what a run that is told to stop does not get is no fault.
    fn failed_at_once(&self, unit: &Unit, diagnostics: Vec<Diagnostic>) -> UnitSummary {
        if self.stop.is_cancelled() { not_begun(unit) } else { failed_before(&unit.name, Some(unit), diagnostics) }
    }

    async fn prepare_again(&self, one: &Ready<'_>, options: &UpOptions) -> Result<Prepared, Vec<Diagnostic>> {
        let releases = self.releases(&one.unit.namespace).expecting(one.expected.clone());
        let content = content(one.unit, self.next(one).await?.chart())?;
        let deploy = DeployOptions {
            wait: if options.wait { Wait::Ready } else { Wait::No },
            timeout: options.timeout,
            ..DeployOptions::default()
        };
        let upgrade = UpgradeOptions { deploy };
        releases.prepare_upgrade(&one.unit.name, content, &upgrade).await.map_err(|error| vec![error.diagnose()])
    }
}

/// The names of workloads and hooks that `up SERVICE` takes, from a rendering without a cluster.
pub fn services(units: &[Candidate], environment: Option<&Environment>) -> Vec<String> {
    let mut names: Vec<String> = environment.map(|it| it.build.keys().cloned().collect()).unwrap_or_default();
    for unit in units.iter().filter_map(|(_, unit)| unit.as_ref().ok()) {
        if let Ok(rendered) = crate::rendering::render_offline(unit) {
            names.extend(
                rendered
                    .objects
                    .iter()
                    .map(|it| &it.object)
                    .filter(|object| is_workload(object))
                    .map(|it| it.name().to_owned()),
            );
            names.extend(
                rendered.hooks.iter().filter(|it| it.object.kind() == "Job").map(|it| it.object.name().to_owned()),
            );
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Whether a record's manifest and hooks are those of a rendering.
fn delivered_as(content: &Content, record: &Record) -> bool {
    let hooks = |hooks: &[HookRecord]| -> Vec<String> { hooks.iter().map(|hook| hook.manifest.clone()).collect() };
    content.manifest == record.manifest && hooks(&content.hooks) == hooks(&record.hooks)
}

/// Takes units that are refused out of the delivery where they fail alone, and ends it otherwise.
fn turn_down(
    ready: &mut Vec<(usize, Ready<'_>)>,
    summaries: &mut BTreeMap<usize, UnitSummary>,
    refused: BTreeMap<usize, Vec<Diagnostic>>,
) -> Result<(), Vec<Diagnostic>> {
    let total = ready.len() + summaries.len();
    let mut all = Vec::new();
    for (index, diagnostics) in refused {
        let Some(at) = ready.iter().position(|(it, _)| *it == index) else { continue };
        if fails_alone(Some(ready[at].1.unit), total) {
            let (_, one) = ready.remove(at);
            summaries.insert(index, failed_before(&one.unit.name, Some(one.unit), diagnostics));
        } else {
            all.extend(diagnostics);
        }
    }
    if all.is_empty() { Ok(()) } else { Err(all) }
}

/// Whether a unit's failure leaves the others standing: Applications always, releases when they are optional.
fn fails_alone(unit: Option<&Unit>, total: usize) -> bool {
    match unit {
        Some(unit) => unit.optional && total > 1,
        None => total > 1,
    }
}

fn failed_before(name: &str, unit: Option<&Unit>, diagnostics: Vec<Diagnostic>) -> UnitSummary {
    let namespace = unit.map(|unit| unit.namespace.as_str()).unwrap_or_default();
    UnitSummary { diagnostics, ..UnitSummary::new(namespace, name, Outcome::Failed) }
}

fn not_begun(unit: &Unit) -> UnitSummary {
    UnitSummary::new(&unit.namespace, &unit.name, Outcome::NotBegun)
}
