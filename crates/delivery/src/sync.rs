//! Applications delivered by Argo CD's rules.

use std::sync::Arc;

use landfall_apps::machine::Past;
use landfall_apps::{
    Application, Applications, HealthWait, HookType, PartingRequest, PreparedSync, Project, SyncRequest, SyncStatus,
    Target,
};
use landfall_cluster::Propagation;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_engine::{Kinds, Recovery};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_release::{HookRuns, manifest_objects};

use crate::session::{MissingProject, Progress, Session, outcome};
use crate::summary::{Outcome, UnitSummary, changes, found_so, unchanged};
use crate::unit::{BoundApplication, Door, Unit};
use crate::up::{Ready, UpOptions};

impl Session {
    pub(crate) fn applications(&self) -> Applications {
        self.applications_expecting(Kinds::default())
    }

    /// Applications where kinds that are not served yet come with the delivery.
    fn applications_expecting(&self, expected: Kinds) -> Applications {
        let (cluster, home, store) = (self.cluster.clone(), self.home.clone(), self.store.clone());
        let (semantics, pens, claims) = (self.semantics, self.pens.clone(), self.claims.clone());
        let (barred, given_as_live) = (self.barred.clone(), self.given_as_live);
        let (clock, excluded, health) = (Arc::clone(&self.clock), Arc::clone(&self.excluded), self.health.clone());
        Applications {
            cluster,
            home,
            store,
            clock,
            expected,
            semantics,
            excluded,
            health,
            pens,
            claims,
            barred,
            given_as_live,
        }
    }

    /// Brings to an end what an earlier process left open on an Application.
    pub(crate) async fn recover_application(
        &self,
        unit: &Unit,
        bound: &BoundApplication,
    ) -> Result<(), Vec<Diagnostic>> {
        let recovered = self.bring_to_end(&unit.name, &self.applications(), &bound.application).await;
        if let Recovery::Resumed(synced) = recovered.map_err(|error| vec![error.diagnose()])? {
            self.tell(Progress::Note(Diagnostic::new(
                landfall_diag::Severity::Info,
                code::INTERRUPTED_FINISHED,
                format!("a delivery of {} that was interrupted {}", unit.name, outcome(&synced.report)),
            )))
            .await;
        }
        Ok(())
    }

    /// Prepares an Application's sync from what its chart renders to.
    pub(crate) async fn prepare_sync(
        &self,
        bound: &BoundApplication,
        one: &Ready<'_>,
        options: &UpOptions,
    ) -> Result<PreparedSync, Vec<Diagnostic>> {
        let (application, expected) = (&bound.application, one.expected());
        let mut targets = targets_of(one)?;
        let excluded = self.excluded.take(application, &mut targets);
        let project = self.check_bounds(bound, &targets).await?;
        let home = &application.destination.namespace;
        let mut kept = self.keep_claims(home, &mut targets).await;
        if let Some(again) = self.again(one).await? {
            kept.extend(self.keep_drawn(home, &mut targets, again).await);
        }
        let operation = bound.operation.clone();
        let revisions = match bound.revisions.is_empty() {
            true => vec![options.revision.clone()],
            false => bound.revisions.clone(),
        };
        let request = SyncRequest {
            targets,
            revisions,
            prune: operation.prune,
            attempt: bound.attempt,
            wait: match options.hooks {
                HookRuns::Skip => HealthWait::Never,
                HookRuns::Run if options.wait => HealthWait::Every,
                HookRuns::Run => HealthWait::Followed,
            },
            timeout: options.timeout.as_secs().max(1),
            operation,
            project,
        };
        let prepared = self.applications_expecting(expected.clone()).prepare(application, request).await;
        let mut prepared = prepared.map_err(|error| vec![error.diagnose()])?;
        prepared.notes.extend(kept.into_iter().chain(excluded));
        Ok(prepared)
    }

    /// Tells what a user should know of a prepared sync.
    pub(crate) async fn tell_notes(&self, unit: &Unit, prepared: &PreparedSync) {
        for note in &prepared.notes {
            self.tell(Progress::Note(Diagnostic::warning(code::SYNC_NOTE, format!("{}: {note}", unit.name)))).await;
        }
    }

    /// The project of an Application: one of the same files, else one on the cluster.
    async fn project_of(&self, bound: &BoundApplication) -> Result<Option<Project>, Vec<Diagnostic>> {
        let application = &bound.application;
        let project = match bound.project.clone() {
            Some(project) => Some(project),
            None => self.live_project(&application.project).await?,
        };
        if project.is_none() && self.missing_project == MissingProject::Refused {
            Project::check_missing(application).map_err(|error| vec![error.diagnose()])?;
        }
        Ok(project)
    }

    /// Holds an Application against its project as that is now, as far as where it stands and what it is delivered from go: before
    /// anything is asked for there.
    ///
    /// # Errors
    /// It is not permitted, there is no such project, or the cluster does not answer.
    pub async fn check_sources(&self, application: &Application) -> Result<(), Vec<Diagnostic>> {
        let checked = match self.live_project(&application.project).await? {
            Some(project) => project.check_sources(application),
            None if self.missing_project == MissingProject::Refused => Project::check_missing(application),
            None => Ok(()),
        };
        checked.map_err(|error| vec![error.diagnose()])
    }

    /// Holds an Application against its project, and gives that.
    async fn check_bounds(
        &self,
        bound: &BoundApplication,
        targets: &[Target],
    ) -> Result<Option<Project>, Vec<Diagnostic>> {
        let application = &bound.application;
        let project = self.project_of(bound).await?;
        self.check_side_doors(application, project.as_ref(), targets).await?;
        let Some(project) = project else {
            if application.project != Project::DEFAULT {
                let text = format!(
                    "{}: project {} is not there; its bounds are not checked",
                    application.name, application.project
                );
                self.tell(Progress::Note(
                    Diagnostic::warning(code::NO_PROJECT, text).help("put the AppProject beside the Application"),
                ))
                .await;
            }
            return Ok(None);
        };
        let keys: Vec<ObjectKey> = targets.iter().map(|target| target.object.key()).collect();
        project.check(application, &keys).map_err(|error| vec![error.diagnose()])?;
        let objects = targets.iter().map(|target| &target.object);
        project.check_sealed(application, objects).map_err(|error| vec![error.diagnose()])?;
        Ok(Some(project))
    }

    /// The project of a name, of Argo CD's own namespace: whoever may write elsewhere bounds nobody. A cluster without Argo CD's
    /// kinds has none; one that does not answer may have one.
    async fn live_project(&self, name: &str) -> Result<Option<Project>, Vec<Diagnostic>> {
        let key = ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "AppProject"), Some(Project::HOME), name);
        let live = match self.home.get(&key).await {
            Ok(live) => live,
            Err(landfall_cluster::Error::NoMatch { .. }) => None,
            Err(error) => return Err(vec![error.diagnose()]),
        };
        live.map(|live| Project::parse(&live)).transpose().map_err(|error| vec![error.diagnose()])
    }

    /// Refuses what would get past the owners of a protected project: an operation or a way to sync by itself that the source
    /// of another project renders for one of its Applications, or another project in its place.
    async fn check_side_doors(
        &self,
        application: &Application,
        own: Option<&Project>,
        targets: &[Target],
    ) -> Result<(), Vec<Diagnostic>> {
        let is_own_protected = own.is_some_and(|project| project.is_protected);
        let mut refused = Vec::new();
        for Target { object, path } in targets {
            if object.group() != "argoproj.io" {
                continue;
            }
            let renders = match object.kind() {
                "Application" => {
                    let automated = object.at("/spec/syncPolicy/automated").is_some_and(|it| it.is_object());
                    let operation = object.at("/operation").is_some_and(|it| !it.is_null());
                    match (operation, automated && !is_own_protected) {
                        (true, _) => "an operation",
                        (false, true) => "syncPolicy.automated",
                        (false, false) => continue,
                    }
                }
                // Elsewhere it is nobody's project.
                "AppProject" if !is_own_protected && lies_in(object, application) == Project::HOME => {
                    "the project itself"
                }
                _ => continue,
            };
            let named = object.str_at("/spec/project").filter(|name| !name.is_empty()).unwrap_or("default");
            let name = if object.kind() == "AppProject" { object.name() } else { named };
            let home = lies_in(object, application);
            if self.live_project(name).await?.is_some_and(|project| project.is_protected) {
                let text = format!(
                    "{} renders {renders} for {} {}/{}, whose project {name} is protected",
                    application.name,
                    object.kind(),
                    home,
                    object.name()
                );
                refused.push(
                    Diagnostic::refused(code::SIDE_DOOR, text)
                        .note(format!("rendered by {path}; nothing of it was delivered"))
                        .help("an owner says so through the API, or the source of an Application of that project does"),
                );
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }

    /// Delivers an Application as it was prepared.
    pub(crate) async fn sync(&self, unit: &Unit, prepared: &PreparedSync) -> UnitSummary {
        self.tell_notes(unit, prepared).await;
        // Of one that was under way and whose journal is lost nobody knows how far it came: its hooks, too, run again.
        let is_open = |bound: &BoundApplication| Past::of(&bound.application.object).interrupted.is_some();
        let asked = matches!(&unit.door, Door::Application(bound) if bound.operation.is_asked_for() || is_open(bound));
        let mut summary = UnitSummary {
            unchanged: unchanged(&prepared.plan),
            ..UnitSummary::new(&unit.namespace, &unit.name, Outcome::Unchanged)
        };
        if prepared.status() != SyncStatus::Synced || asked {
            self.run_sync(prepared, &mut summary).await;
        }
        summary
    }

    async fn run_sync(&self, prepared: &PreparedSync, summary: &mut UnitSummary) {
        match self.conduct(&summary.name, &self.applications(), prepared).await {
            Ok(synced) => {
                summary.changes.extend(changes(&prepared.plan, Some(&synced.report)));
                summary.unchanged += found_so(&prepared.plan, &synced.report);
                match &synced.report.failure {
                    None => summary.outcome = Outcome::Delivered,
                    Some(failure) => self.tell_failure(summary, failure, failure.diagnose()).await,
                }
            }
            Err(error) => summary.broken_off(error.diagnose()),
        }
    }

    /// Runs the hooks of an Application's deletion of one moment, as its source has them now; of one without any nothing is run.
    pub(crate) async fn part_with(
        &self,
        unit: &Unit,
        bound: &BoundApplication,
        one: &Ready<'_>,
        moment: HookType,
    ) -> Result<UnitSummary, Vec<Diagnostic>> {
        let targets = targets_of(one)?;
        self.check_bounds(bound, &targets).await?;
        let timeout = UpOptions::default().timeout.as_secs().max(1);
        let request = PartingRequest { targets, moment, timeout };
        let prepared = self.applications().prepare_parting(&bound.application, request).await;
        let prepared = prepared.map_err(|error| vec![error.diagnose()])?;
        prepared.check().map_err(|error| vec![error.diagnose()])?;
        let mut summary = UnitSummary::new(&unit.namespace, &unit.name, Outcome::Unchanged);
        if prepared.plan.steps().next().is_some() {
            self.run_sync(&prepared, &mut summary).await;
        }
        Ok(summary)
    }

    /// Removes all that an Application delivered, as far as its project lets it; says what a user should know of it.
    pub(crate) async fn remove_application(
        &self,
        unit: &Unit,
        bound: &BoundApplication,
    ) -> Result<(UnitSummary, Vec<String>), Vec<Diagnostic>> {
        let project = self.project_of(bound).await?;
        let applications = self.applications();
        let prepared = applications.prepare_delete(&bound.application, Propagation::Background, project.as_ref()).await;
        let prepared = prepared.map_err(|error| vec![error.diagnose()])?;
        prepared.check().map_err(|error| vec![error.diagnose()])?;
        self.tell_notes(unit, &prepared).await;
        let mut summary = UnitSummary::new(&unit.namespace, &unit.name, Outcome::Delivered);
        self.run_sync(&prepared, &mut summary).await;
        Ok((summary, prepared.notes))
    }

    /// The Applications delivered here, with the objects that belong to each.
    pub(crate) async fn delivered_applications(&self) -> Result<Vec<(String, Vec<ObjectKey>)>, Vec<Diagnostic>> {
        self.applications().delivered().await.map_err(|error| vec![error.diagnose()])
    }
}

/// All that an Application's source renders: definitions, objects, hooks.
fn targets_of(one: &Ready<'_>) -> Result<Vec<Target>, Vec<Diagnostic>> {
    let rendered = one.shown();
    let mut targets = Vec::new();
    for crd in &rendered.definitions {
        let objects = manifest_objects(&crd.text()).map_err(|error| vec![error.diagnose()])?;
        targets.extend(objects.into_iter().map(|it| Target { object: it.object, path: crd.path.clone() }));
    }
    for one in rendered.objects.iter().chain(&rendered.hooks) {
        targets.push(Target { object: one.object.clone(), path: one.path.clone() });
    }
    Ok(targets)
}

/// The namespace in which a rendered object comes to lie.
fn lies_in<'o>(object: &'o Object, application: &'o Application) -> &'o str {
    object.namespace().unwrap_or(&application.destination.namespace)
}
