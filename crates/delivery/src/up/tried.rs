//! Everything is prepared and tried at the cluster before the first unit is touched.

use std::collections::{BTreeMap, BTreeSet};

use landfall_apps::{PreparedSync, Refused, SyncStatus};
use landfall_diag::{Code, Diagnose, Diagnostic, Severity, code};
use landfall_engine::{Action, Concluded, Fate, Plan, StepResult, Trial};
use landfall_release::Prepared;

use super::{Ready, Refusals, Tries, UnitPlan, UpOptions, turn_down};
use crate::session::{LeftOut, Progress, Session};
use crate::summary::{Change, Deed, NAMESPACE, Outcome, UnitSummary};
use crate::trial;
use crate::unit::Door;

/// What is to be done for a unit, as far as it is known before the first one is touched.
pub(super) enum Course {
    /// A release's operation.
    Release {
        /// The operation.
        prepared: Box<Prepared>,
        /// Whether it is carried out, or there is nothing to do.
        acts: bool,
    },
    /// An Application's sync.
    Application(Box<PreparedSync>),
    /// It leans on what a unit before it brings, and can be prepared after that alone.
    Later,
}

impl Course {
    /// The plan as it is shown; none for what can be prepared later alone.
    fn as_planned(&self, one: &Ready<'_>) -> Option<UnitPlan> {
        match self {
            Course::Release { prepared, acts } => {
                Some(UnitPlan::of(one.unit, prepared.record.version, !acts, prepared.plan.clone()))
            }
            Course::Application(prepared) => {
                Some(UnitPlan::of(one.unit, 0, prepared.plan.changes_nothing(), prepared.plan.clone()))
            }
            Course::Later => None,
        }
    }

    /// The same, where it is what was approved.
    pub(super) fn permitted(self, one: &Ready<'_>, options: &UpOptions) -> Result<Self, Vec<Diagnostic>> {
        if let (Some(approved), Some(plan)) = (&options.approved, self.as_planned(one)) {
            approved.permit_one(&plan)?;
        }
        Ok(self)
    }

    /// The plan, where there is something to do.
    fn plan(&self) -> Option<&Plan> {
        match self {
            Course::Release { prepared, acts: true } => Some(&prepared.plan),
            Course::Application(prepared) if prepared.status() != SyncStatus::Synced => Some(&prepared.plan),
            Course::Release { .. } | Course::Application(_) | Course::Later => None,
        }
    }
}

/// A trial whose namespaces wait for what becomes of their units.
#[derive(Default)]
pub(super) struct Tried {
    trial: Trial,
    /// The plan among those tried, by the unit's index.
    plans: BTreeMap<usize, usize>,
}

impl Tried {
    /// Tells the namespaces that were made to try a unit as created by its delivery, which found them there.
    pub(super) fn told_as_made(&self, index: usize, summary: &mut UnitSummary) {
        let Some(plan) = self.plans.get(&index) else { return };
        if !matches!(summary.outcome, Outcome::Delivered | Outcome::Failed) {
            return;
        }
        for made in self.trial.made.iter().filter(|made| made.plan == *plan) {
            let told = summary.changes.iter_mut().find(|change| change.object == made.key);
            match told.map(|change| (change.result, change)) {
                Some((Some(StepResult::Changed), change)) => {
                    change.action = Deed::Step(Action::Create);
                    change.result = Some(StepResult::Created);
                    // It was not there before: none of its fields was another.
                    change.fields.clear();
                }
                Some(_) => continue,
                None => summary.changes.insert(
                    0,
                    Change {
                        action: Deed::Step(Action::Create),
                        object: made.key.clone(),
                        phase: NAMESPACE.to_owned(),
                        wave: 0,
                        why: "the release's namespace".to_owned(),
                        fields: Vec::new(),
                        result: Some(StepResult::Created),
                    },
                ),
            }
        }
    }
}

/// Codes of what a unit before it may bring or take away: kinds, and objects that change their owner.
const SETTLED_BEFORE: [Code; 2] = [code::UNKNOWN_KIND, code::FOREIGN_OBJECT];

impl Session {
    /// Prepares all units and tries what they would write; none of them is touched yet.
    pub(super) async fn look_ahead(
        &self,
        ready: &mut Vec<(usize, Ready<'_>)>,
        summaries: &mut BTreeMap<usize, UnitSummary>,
        options: &UpOptions,
        plans: Option<&mut Vec<UnitPlan>>,
    ) -> Result<(BTreeMap<usize, Course>, Tried), Vec<Diagnostic>> {
        let mut courses = self.prepare_all(ready, summaries, options).await?;
        if plans.is_some() || options.approved.is_some() {
            let planned = ready.iter().filter_map(|(index, one)| courses.get(index)?.as_planned(one));
            let planned: Vec<UnitPlan> = planned.collect();
            if let Some(approved) = &options.approved {
                approved.permit(&planned)?;
            }
            plans.into_iter().for_each(|plans| plans.extend(planned.iter().cloned()));
        }
        options.claims.permit(courses.values().filter_map(Course::plan))?;
        let tried = match options.tries {
            Tries::Everything => self.try_all(ready, &mut courses, summaries, options.refusals).await?,
            Tries::Nothing => Tried::default(),
        };
        Ok((courses, tried))
    }

    /// Prepares all units.
    async fn prepare_all(
        &self,
        ready: &mut Vec<(usize, Ready<'_>)>,
        summaries: &mut BTreeMap<usize, UnitSummary>,
        options: &UpOptions,
    ) -> Result<BTreeMap<usize, Course>, Vec<Diagnostic>> {
        let mut courses: BTreeMap<usize, Course> = BTreeMap::new();
        let mut refused = BTreeMap::new();
        for (index, one) in ready.iter() {
            let acted_before = courses.values().any(|course| course.plan().is_some());
            match self.course(one, options).await {
                Ok(course) => drop(courses.insert(*index, course)),
                Err(told) if acted_before && told.iter().all(|it| SETTLED_BEFORE.contains(&it.code)) => {
                    courses.insert(*index, Course::Later);
                }
                Err(told) => drop(refused.insert(*index, told)),
            }
        }
        turn_down(ready, summaries, refused)?;
        Ok(courses)
    }

    /// Prepares what is to be done for a unit.
    pub(super) async fn course(&self, one: &Ready<'_>, options: &UpOptions) -> Result<Course, Vec<Diagnostic>> {
        if let Door::Application(bound) = &one.unit.door {
            let prepared = self.prepare_sync(bound, one, options).await?;
            prepared.check().map_err(|error| vec![error.diagnose()])?;
            return Ok(Course::Application(Box::new(prepared)));
        }
        let (prepared, unchanged) = self.prepare(one, options).await?;
        let prepared = if unchanged && one.runs_hook(options) {
            // The hook was asked for by name: the same content, delivered once more.
            self.prepare_again(one, options).await?
        } else {
            prepared
        };
        Ok(Course::Release { prepared: Box::new(prepared), acts: !unchanged || one.runs_hook(options) })
    }

    /// Tries every object of every unit that is to be delivered; what is refused is turned down, and nothing is changed.
    async fn try_all(
        &self,
        ready: &mut Vec<(usize, Ready<'_>)>,
        courses: &mut BTreeMap<usize, Course>,
        summaries: &mut BTreeMap<usize, UnitSummary>,
        refusals: Refusals,
    ) -> Result<Tried, Vec<Diagnostic>> {
        let plans: Vec<(usize, &Plan)> =
            ready.iter().filter_map(|(index, _)| Some((*index, courses.get(index)?.plan()?))).collect();
        if plans.is_empty() {
            return Ok(Tried::default());
        }
        self.tell(Progress::Doing("try all objects at the cluster".to_owned())).await;
        let told = |error: landfall_engine::Error| vec![error.diagnose()];
        let trial = {
            let plans: Vec<&Plan> = plans.iter().map(|(_, plan)| *plan).collect();
            self.trying().try_out(&plans).await.map_err(told)?
        };
        let tried = Tried { plans: plans.iter().enumerate().map(|(at, (index, _))| (*index, at)).collect(), trial };
        let mut refused: BTreeMap<usize, Vec<Diagnostic>> = BTreeMap::new();
        for (index, one) in ready.iter() {
            let Some(plan) = tried.plans.get(index) else { continue };
            if tried.trial.refuses(*plan) && refusals == Refusals::LeftOut {
                self.leave_refused_out(one, &tried.trial, *plan, courses.get_mut(index)).await?;
            } else if tried.trial.refuses(*plan) {
                if let Some(Course::Application(prepared)) = courses.get(index) {
                    let objects = Refused::of(&prepared.plan, &tried.trial, *plan);
                    self.tell(Progress::Refused(objects)).await;
                }
                let rendered = self.next(one).await?;
                let refusals = trial::refusals(&tried.trial, *plan, |key, path| rendered.places(key, path));
                refused.insert(*index, refusals);
            }
        }
        for remark in tried.plans.values().flat_map(|plan| trial::remarks(&tried.trial, *plan)) {
            self.tell(Progress::Note(remark)).await;
        }
        let alone: Vec<usize> = refused.keys().copied().collect();
        if let Err(mut all) = turn_down(ready, summaries, refused) {
            let units: Vec<usize> = tried.plans.keys().copied().collect();
            let concluded = self.take_back(&tried, &units).await?;
            all.extend(trial::taken_back(&concluded));
            return Err(all);
        }
        for index in alone {
            let concluded = self.take_back(&tried, &[index]).await?;
            if let Some(summary) = summaries.get_mut(&index) {
                summary.diagnostics.extend(trial::taken_back(&concluded));
            }
        }
        for (index, plan) in &tried.plans {
            let made: Vec<_> = tried.trial.made.iter().filter(|made| made.plan == *plan).cloned().collect();
            match courses.get_mut(index) {
                Some(Course::Release { prepared, .. }) => prepared.adopt(&made),
                Some(Course::Application(prepared)) => prepared.adopt(&made),
                Some(Course::Later) | None => {}
            }
        }
        Ok(tried)
    }

    /// Tells what is refused of a unit, and takes it out of its plan.
    async fn leave_refused_out(
        &self,
        one: &Ready<'_>,
        trial: &Trial,
        plan: usize,
        course: Option<&mut Course>,
    ) -> Result<(), Vec<Diagnostic>> {
        let rendered = self.next(one).await?;
        let mut gone = BTreeSet::new();
        for refusal in trial.refusals.iter().filter(|refusal| refusal.tried.plan == plan) {
            let key = &refusal.tried.key;
            gone.insert(key.clone());
            // The cluster refuses the version that it is of, and looks no further.
            if one.succeeding.contains(&(key.gvk.clone(), key.name.clone())) && wants_what_is_new(&refusal.fields) {
                continue;
            }
            self.tell(Progress::LeftOut(Box::new(LeftOut {
                unit: one.unit.name.clone(),
                object: key.clone(),
                field: refusal.fields.first().map(|(field, _)| field.clone()),
                told: trial::refusal(refusal, |key, path| rendered.places(key, path)),
            })))
            .await;
        }
        match course {
            Some(Course::Release { prepared, .. }) => prepared.plan.leave_out(&gone),
            Some(Course::Application(prepared)) => prepared.plan.leave_out(&gone),
            Some(Course::Later) | None => {}
        }
        Ok(())
    }

    /// Ends the trial of a unit: the namespaces that were made for it stay, or go.
    pub(super) async fn conclude(&self, tried: &Tried, index: usize, fate: Fate) -> Result<Concluded, Vec<Diagnostic>> {
        let Some(plan) = tried.plans.get(&index) else { return Ok(Concluded::default()) };
        let concluded = self.trying().conclude_trial(&tried.trial, *plan, fate).await;
        concluded.map_err(|error| vec![error.diagnose()])
    }

    async fn take_back(&self, tried: &Tried, units: &[usize]) -> Result<Concluded, Vec<Diagnostic>> {
        let mut all = Concluded::default();
        for index in units {
            let concluded = self.conclude(tried, *index, Fate::TakenBack).await?;
            all.gone.extend(concluded.gone);
            all.left.extend(concluded.left);
        }
        Ok(all)
    }

    /// Says what a trial that was not concluded leaves behind.
    pub(super) async fn tell_unconcluded(&self, diagnostics: Vec<Diagnostic>) {
        for diagnostic in diagnostics {
            let severity = diagnostic.severity.min(Severity::Warning);
            self.tell(Progress::Note(Diagnostic { severity, ..diagnostic })).await;
        }
    }
}

/// Whether of what is tried in a later version nothing is objected to but that fields are missing, outside of pods: the version
/// that is gone gave them by itself, or did not have them. Pods and names are the same in all versions.
fn wants_what_is_new(fields: &[(String, String)]) -> bool {
    let is_new = |field: &str| !field.contains(".template.") && !field.starts_with("metadata.");
    let is_missing = |field: &str, said: &str| said.starts_with("Required value") && is_new(field);
    let lacks = |name: &str| fields.iter().any(|(field, said)| field == name && is_missing(field, said));
    let is_of_labels = |field: &str, said: &str| {
        field.ends_with(".template.metadata.labels") && said.contains("`selector` does not match")
    };
    let follows = |field: &str, said: &str| {
        (said.starts_with("Invalid value: \"\"") && lacks(field))
            || (is_of_labels(field, said) && lacks("spec.selector"))
    };
    !fields.is_empty() && fields.iter().all(|(field, said)| is_missing(field, said) || follows(field, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_version_had_not_is_wanted_by_its_successor_alone() {
        let of = |fields: &[(&str, &str)]| {
            let fields: Vec<(String, String)> =
                fields.iter().map(|(field, said)| ((*field).to_owned(), (*said).to_owned())).collect();
            wants_what_is_new(&fields)
        };
        let labels =
            ("spec.template.metadata.labels", "Invalid value: {}: `selector` does not match template `labels`");
        assert!(of(&[("spec.rules[0].http.paths[0].pathType", "Required value: pathType must be specified")]));
        assert!(of(&[("spec.selector", "Required value"), labels]));
        let target = "spec.metrics[0].resource.target.type";
        assert!(of(&[
            (target, "Required value"),
            (target, "Invalid value: \"\": must be either Utilization or Value")
        ]));
        assert!(!of(&[labels]));
        assert!(!of(&[("spec.selector", "Required value"), ("spec.replicas", "Invalid value: -1")]));
        assert!(!of(&[("spec.template.spec.containers", "Required value")]));
        assert!(!of(&[("metadata.name", "Required value: name or generateName is required")]));
        assert!(!of(&[]));
    }
}
