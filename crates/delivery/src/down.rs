use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_apps::HookType;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_engine::{Action, Fate, Plan};
use landfall_object::ObjectKey;
use landfall_release::{ListFilter, Prepared, Releases, RollbackOptions, Status, UninstallOptions};
use serde::Serialize;

use crate::opened;
use crate::session::{Progress, Session};
use crate::summary::{Outcome, UnitSummary, changes};
use crate::trial;
use crate::unit::{BoundApplication, Door, Unit};

/// What a removal leaves behind.
#[derive(Debug, Clone, Serialize)]
pub struct Removal {
    /// The releases.
    pub units: Vec<UnitSummary>,
    /// Objects that stay, by the chart's wish or because data was to be kept.
    pub kept: Vec<ObjectKey>,
    /// Namespaces of these that were made for a delivery which was refused, and stay because something is in them.
    pub left: Vec<String>,
}

/// How releases are removed.
#[derive(Debug, Clone)]
pub struct DownOptions {
    /// The time each hook and wait may take.
    pub timeout: Duration,
    /// Whether volumes and their claims stay.
    pub keep_data: bool,
}

impl Session {
    /// Removes units, last first.
    ///
    /// # Errors
    /// When the cluster cannot be asked before anything is removed.
    #[boxed]
    pub async fn down(&self, units: &[&Unit], options: &DownOptions) -> Result<Removal, Vec<Diagnostic>> {
        let mut removal = Removal { units: Vec::new(), kept: Vec::new(), left: Vec::new() };
        for unit in units.iter().rev() {
            if let Door::Application(bound) = &unit.door {
                removal.units.push(self.take_along(unit, bound).await?);
                continue;
            }
            let (namespace, name) = (&unit.namespace, &unit.name);
            let releases = self.releases(namespace);
            self.recover(&releases, name, name).await?;
            let history = releases.history(name).await.map_err(|error| vec![error.diagnose()])?;
            if history.last().is_none_or(|last| last.info.status == Status::Uninstalled) {
                continue;
            }
            let uninstall = UninstallOptions {
                timeout: options.timeout,
                wait: true,
                keep_claims: options.keep_data,
                ..UninstallOptions::default()
            };
            let prepared =
                releases.prepare_uninstall(name, &uninstall).await.map_err(|error| vec![error.diagnose()])?;
            removal.kept.extend(kept(&prepared.plan));
            let mut summary = UnitSummary {
                revision: prepared.record.version,
                ..UnitSummary::new(namespace, name, Outcome::Delivered)
            };
            self.carry_out(&prepared, &mut summary).await;
            removal.units.push(summary);
        }
        removal.left = trial::left_behind(&self.cluster).await;
        removal.left.retain(|name| units.iter().any(|unit| unit.namespace == *name));
        Ok(removal)
    }

    /// Removes all that an Application delivered, between the hooks of its deletion.
    async fn take_along(&self, unit: &Unit, bound: &BoundApplication) -> Result<UnitSummary, Vec<Diagnostic>> {
        let capabilities = self.capabilities().await?;
        let ready = match self.make_ready(unit, &capabilities).await {
            Ok(ready) => ready,
            Err(diagnostics) => {
                let why = diagnostics.first().map(|first| first.message.clone()).unwrap_or_default();
                let text =
                    format!("{} does not render, and hooks of its deletion, if it has any, are not run", unit.name);
                self.tell(Progress::Note(Diagnostic::warning(code::SYNC_NOTE, text).note(why))).await;
                return Ok(self.remove_application(unit, bound).await?.0);
            }
        };
        let hooks = ready.deletion_hooks();
        let mut summary = UnitSummary::new(&unit.namespace, &unit.name, Outcome::Delivered);
        if hooks.before {
            summary = self.part_with(unit, bound, &ready, HookType::PreDelete).await?;
        }
        if summary.is_well() {
            summary = summary.followed_by(self.remove_application(unit, bound).await?.0);
        }
        if hooks.after && summary.is_well() {
            summary = summary.followed_by(self.part_with(unit, bound, &ready, HookType::PostDelete).await?);
        }
        Ok(summary)
    }

    /// Whether any release is left on the cluster.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    #[boxed]
    pub async fn is_empty(&self) -> Result<bool, Vec<Diagnostic>> {
        let records =
            self.releases("default").list_everywhere(ListFilter::All).await.map_err(|error| vec![error.diagnose()])?;
        let applications = self.delivered_applications().await?;
        Ok(applications.is_empty() && records.iter().all(|record| record.info.status == Status::Uninstalled))
    }

    /// What goes with the cluster when these units are removed and it with them, and is in no backup; nothing where something
    /// else lives on it, so that it stays.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    #[boxed]
    pub async fn lost_with_cluster(&self, units: &[&Unit]) -> Result<Vec<String>, Vec<Diagnostic>> {
        let records =
            self.releases("default").list_everywhere(ListFilter::All).await.map_err(|error| vec![error.diagnose()])?;
        let is_wanted =
            |namespace: &str, name: &str| units.iter().any(|unit| unit.namespace == namespace && unit.name == name);
        let stays = |record: &landfall_release::Record| {
            record.info.status != Status::Uninstalled && !is_wanted(&record.namespace, &record.name)
        };
        let applications = self.delivered_applications().await?;
        let others = applications.iter().any(|(name, _)| !units.iter().any(|unit| unit.name == *name));
        if others || records.iter().any(stays) {
            return Ok(Vec::new());
        }
        self.lost_with_all().await
    }

    /// What goes with the cluster and all that is on it, and is in no backup.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    #[boxed]
    pub async fn lost_with_all(&self) -> Result<Vec<String>, Vec<Diagnostic>> {
        crate::life::unsaved(&self.cluster).await.map_err(|diagnostic| vec![diagnostic])
    }

    /// What a rollback would do.
    ///
    /// # Errors
    /// When there is no such revision.
    #[boxed]
    pub async fn plan_rollback(
        &self,
        namespace: &str,
        name: &str,
        options: &RollbackOptions,
    ) -> Result<crate::UnitPlan, Vec<Diagnostic>> {
        let releases = self.releases(namespace);
        hide_past(&releases, name).await?;
        let prepared = releases.prepare_rollback(name, options).await.map_err(|error| vec![error.diagnose()])?;
        Ok(crate::UnitPlan {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            revision: prepared.record.version,
            unchanged: prepared.plan.changes_nothing(),
            changes: changes(&prepared.plan, None),
            plan: prepared.plan,
        })
    }

    /// Goes back to an earlier revision of a release.
    ///
    /// # Errors
    /// When there is no such revision; what fails later is in the summary.
    #[boxed]
    pub async fn rollback(
        &self,
        namespace: &str,
        name: &str,
        options: &RollbackOptions,
    ) -> Result<UnitSummary, Vec<Diagnostic>> {
        let releases = self.releases(namespace);
        self.recover(&releases, name, name).await?;
        hide_past(&releases, name).await?;
        let mut prepared = releases.prepare_rollback(name, options).await.map_err(|error| vec![error.diagnose()])?;
        self.try_alone(&mut prepared).await?;
        let mut summary = UnitSummary {
            revision: prepared.record.version,
            unchanged: prepared.plan.count(Action::Unchanged),
            ..UnitSummary::new(namespace, name, Outcome::Delivered)
        };
        self.carry_out(&prepared, &mut summary).await;
        Ok(summary)
    }
}

impl Session {
    /// Tries every object of an operation whose templates are not at hand, and refuses it with nothing changed.
    async fn try_alone(&self, prepared: &mut Prepared) -> Result<(), Vec<Diagnostic>> {
        let told = |error: landfall_engine::Error| vec![error.diagnose()];
        let trial = self.trying().try_out(&[&prepared.plan]).await.map_err(told)?;
        let fate = if trial.is_refused() { Fate::TakenBack } else { Fate::Kept };
        let concluded = self.trying().conclude_trial(&trial, 0, fate).await.map_err(told)?;
        for remark in trial::remarks(&trial, 0) {
            self.tell(Progress::Note(remark)).await;
        }
        if trial.is_refused() {
            let mut refusals = trial::refusals(&trial, 0, |_, _| Vec::new());
            refusals.extend(trial::taken_back(&concluded));
            return Err(refusals);
        }
        prepared.adopt(&trial.made);
        Ok(())
    }
}

/// Hides what a release's revisions were given in secret, before anything of them is told.
async fn hide_past(releases: &Releases, name: &str) -> Result<(), Vec<Diagnostic>> {
    let history = releases.history(name).await.map_err(|error| vec![error.diagnose()])?;
    opened::hide_given_to(&history);
    Ok(())
}

fn kept(plan: &Plan) -> Vec<ObjectKey> {
    plan.steps().filter(|step| step.action == Action::Keep).map(|step| step.key.clone()).collect()
}
