//! What takes time: each errand is a task of its own, and answers with what has happened.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use landfall_apps::machine::{Activity, Begun, Comparison, Difference, End, Freshness, Observation, Past};
use landfall_apps::{
    APPROVAL, Application, CONFIRMED, Operation, Pin, Project, Refused, ResourceName, SyncStatus, Tried, tried_in_vain,
};
use landfall_chart::SchemaDocuments;
use landfall_cluster::{Cluster, Leave};
use landfall_delivery::{
    Compared, Door, NetworkReach, Progress, References, Reverted, Selection, Session, StandIn, SyncEnd, Unit,
    UnitSource, UpOptions,
};
use landfall_diag::{Diagnostic, code};
use landfall_engine::{Action, Clock, Event};
use landfall_object::{Object, ObjectKey};
use landfall_secrets::sops::SopsKeys;
use landfall_source::{Network, ReadSet};
use serde_json::json;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep};

use crate::accounts::{Orders, Roles};
use crate::admitted::Registries;
use crate::alarms::Alarms;
use crate::checks::DeclaredAt;
use crate::connections::Connections;
use crate::entry::Running;
use crate::happened::{Found, Happened};
use crate::news::Sinks;
use crate::recents::Recents;
use crate::repositories::Repositories;
use crate::said;
use crate::settings::ArgoSettings;
use crate::shards::{Shards, Turn};
use crate::traces::{Steps, Trace};

/// What errands work with.
pub(crate) struct Work {
    pub(crate) session: Session,
    pub(crate) repositories: Repositories,
    pub(crate) connections: Arc<Connections>,
    pub(crate) documents: SchemaDocuments,
    /// Who opens what SOPS has encrypted, as far as the server was started with it.
    pub(crate) sops: SopsKeys,
    pub(crate) network: Network,
    /// What targets declare to be checked that the server was started with.
    pub(crate) declared: Vec<DeclaredAt>,
    /// The address of the repository that the server was started in, where it has one.
    pub(crate) origin: Option<String>,
    /// Whether another controller lives, so that nothing is done from here.
    pub(crate) stands_back: AtomicBool,
    /// Whom news are told to.
    pub(crate) sinks: Sinks,
    /// Where addresses of checks may lead.
    pub(crate) reach: NetworkReach,
    /// What stands about roles and projects.
    pub(crate) roles: Arc<Roles>,
    /// What Argo CD's own settings say that has no effect here.
    pub(crate) settings: ArgoSettings,
    /// What counts of protected Applications.
    pub(crate) orders: Arc<Orders>,
    /// What has to be heard.
    pub(crate) alarms: Arc<Alarms>,
    /// Registries, asked which images tags are.
    pub(crate) registries: Registries,
    /// Which Applications are kept from here.
    pub(crate) shards: Arc<Shards>,
    /// Whether it is its turn, or that of those that it shares them with; nothing where no server of this process keeps any.
    pub(crate) turn: Option<Arc<Turn>>,
    /// What was read a moment ago.
    pub(crate) recents: Recents,
}

/// Argo CD's field manager: it wrote the status before, perhaps.
pub(crate) const STATUS_MANAGER: &str = "argocd-controller";
/// What is logged of syncs, without anybody's asking for it.
const SYNCS: &str = "landfall_server::sync";
/// Fields that one event tells of at most.
const MOST_TOLD: usize = 5;
/// How often, and for how long, it is tried again to go on with a sync while its cluster does not answer: as long as an API server
/// takes to be started again.
const AGAIN: Duration = Duration::from_secs(2);
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

impl Work {
    /// What an Application's revisions lead to.
    pub(crate) async fn resolve(
        &self,
        application: &Application,
        asked: &[String],
        freshness: Freshness,
    ) -> Result<Vec<String>, String> {
        self.revisions(application, asked, freshness).await.map_err(|diagnostic| words(&[diagnostic]))
    }

    /// The same: of one that is pinned, to what it is pinned.
    pub(crate) async fn revisions(
        &self,
        application: &Application,
        asked: &[String],
        freshness: Freshness,
    ) -> Result<Vec<String>, Diagnostic> {
        self.permitted(application).await?;
        let pin = Pin::of(&application.object)
            .map_err(|bad| Diagnostic::error(code::BAD_PIN, bad.to_string()).help("landfall app pin NAME --release"))?;
        let pinned = pin.filter(|_| asked.is_empty()).map(|pin| pin.revisions);
        self.repositories.resolve(application, pinned.as_deref().unwrap_or(asked), freshness).await
    }

    /// Holds an Application's sources against its project: no login goes where that leads to nothing. What was read of the project last
    /// lets through, and what it does not is asked of the cluster, where it may say more by now.
    async fn permitted(&self, application: &Application) -> Result<(), Diagnostic> {
        if self.is_permitted(application) {
            return Ok(());
        }
        let checked = self.session.check_sources(application).await;
        checked.map_err(|told| told.into_iter().next().unwrap_or_else(|| Diagnostic::error(code::BUG, "refused")))
    }

    /// Whether an Application's project, as it was read last, lets it be delivered from where its sources lie.
    pub(crate) fn is_permitted(&self, application: &Application) -> bool {
        let checked = match self.roles.now().project_of(application) {
            Some(project) => project.check_sources(application),
            None => Project::check_missing(application),
        };
        checked.is_ok()
    }

    /// Whether an Application is changed by owners alone: its project is protected, or it belongs to one that is.
    pub(crate) fn is_owners(&self, object: &Object) -> bool {
        let project = object.str_at("/spec/project").unwrap_or("default");
        let was_protected = self.orders.was_protected(project) || self.orders.owner_of(object).is_some();
        was_protected || self.roles.now().is_protected(project)
    }

    /// What an Application is compared and delivered with: the cluster that it delivers to, too, as whom its project says.
    ///
    /// Where several processes share Applications it writes by leave alone: whoever keeps another one's only looks.
    pub(crate) fn session_of(&self, application: &Application) -> Result<Session, String> {
        let mut session = self.session_anywhere(application)?;
        if self.shards.is_shared() {
            let held = self.shards.of(&application.namespace, &application.name);
            let leave = held.as_ref().map_or_else(Leave::ended, |held| held.leave.clone());
            session.cluster = session.cluster.by_leave(&leave);
            session.home = session.home.by_leave(&leave);
            if let Some(fence) = held.and_then(|held| held.fence) {
                session.store = session.store.fenced(fence);
            }
        }
        Ok(session)
    }

    /// The same, whoever keeps it.
    fn session_anywhere(&self, application: &Application) -> Result<Session, String> {
        let destination = self.connections.destination(application)?;
        let mut session = self.session.clone();
        let settings = self.settings.now();
        session.excluded = Arc::new(settings.excluded.clone());
        session.health = self.settings.rulebook(&session.clock);
        session.claims = destination.claims.clone();
        session.barred = self.orders.barred(application);
        let standing = self.roles.now();
        if standing.project_of(application).is_none() && self.orders.was_protected(&application.project) {
            // Nobody says any more what it may deliver, and as whom.
            return Err(format!("project {} is protected and not there: put it back", application.project));
        }
        if let Some(project) = standing.project_of(application)
            && let Some(why) = settings.unbounded(project)
        {
            return Err(why);
        }
        if let Some(project) = standing.project_of(application)
            && let Some((namespace, name)) = project.delivers_as(application).map_err(|error| error.to_string())?
        {
            let account = format!("system:serviceaccount:{namespace}:{name}");
            let recent = self.recents.of(application, &format!("{} as {account}", destination.server));
            session.cluster = destination.acting_as(&account)?.keeping(recent);
            if !destination.is_home() {
                (session.offers, session.routes) = (None, Default::default());
            }
            return Ok(session);
        }
        if !destination.is_home() {
            session.cluster = destination.cluster.clone()?;
            // What our own cluster offers others do not.
            (session.offers, session.routes) = (None, Default::default());
        }
        session.cluster = session.cluster.keeping(self.recents.of(application, &destination.server));
        Ok(session)
    }

    /// The cluster as it is written to by what is done once, where several processes share it.
    pub(crate) fn once(&self) -> Cluster {
        self.written_by(|shards| shards.leave_of_first())
    }

    /// The cluster as it is written to: by leave where several processes share it.
    pub(crate) fn written_by(&self, leave: impl FnOnce(&Shards) -> Leave) -> Cluster {
        match self.shards.is_shared() {
            true => self.session.cluster.by_leave(&leave(&self.shards)),
            false => self.session.cluster.clone(),
        }
    }

    /// The files of an Application's sources at these revisions; its project is asked first.
    pub(crate) async fn stand_ins(
        &self,
        application: &Application,
        revisions: &[String],
    ) -> Result<Vec<StandIn>, Diagnostic> {
        self.permitted(application).await?;
        self.repositories.stand_ins(application, revisions).await
    }

    /// An Application with its sources at these revisions.
    pub(crate) async fn unit(&self, application: &Application, revisions: &[String]) -> Result<Unit, Vec<Diagnostic>> {
        let stand_ins = self.stand_ins(application, revisions).await;
        self.unit_of(application, revisions, stand_ins.map_err(|diagnostic| vec![diagnostic])?).await
    }

    async fn unit_of(
        &self,
        application: &Application,
        revisions: &[String],
        repositories: Vec<StandIn>,
    ) -> Result<Unit, Vec<Diagnostic>> {
        let mut application = Repositories::pinned(application.clone(), revisions);
        application.ignore_differences.extend(self.settings.now().ignored.iter().cloned());
        let selection = Selection {
            repositories,
            charts: self.repositories.charts(&application.project),
            documents: self.documents.clone(),
            sops: self.connections.sops(&application.project, &self.sops),
            ..Selection::default()
        };
        Unit::of_application(application, None, &selection).await
    }

    /// As [`Repositories::are_alike`].
    pub(crate) async fn are_alike(
        &self,
        application: &Application,
        at: (&[String], &[String]),
        reads: Option<&[ReadSet]>,
    ) -> Result<bool, String> {
        let alike = self.repositories.are_alike(application, at, reads).await;
        alike.map_err(|diagnostic| words(&[diagnostic]))
    }

    /// Compares an Application with what is live.
    pub(crate) async fn compare(&self, application: &Application, revisions: Vec<String>) -> Result<Found, String> {
        let mut session = self.session_of(application)?;
        // It is watched. Whether an approval still counts hangs on what was delivered last, which the watch may tell in a moment.
        session.given_as_live = [APPROVAL, CONFIRMED].iter().all(|name| application.object.annotation(name).is_none());
        let compared = async {
            let stand_ins = self.stand_ins(application, &revisions).await;
            let stand_ins = stand_ins.map_err(|diagnostic| vec![diagnostic])?;
            let trees: Vec<_> = stand_ins.iter().map(|stand_in| Arc::clone(&stand_in.tree)).collect();
            let unit = self.unit_of(application, &revisions, stand_ins).await?;
            let source_types = unit.sources.iter().map(source_type).collect();
            let compared = session.compare(&unit).await?;
            if compared.status == SyncStatus::Synced || !syncs_at_once(application, &revisions) {
                // No sync follows that could be given what was read.
                self.recents.clear(&application.key());
            }
            // Only now: whatever it depends on has been read.
            let reads = trees.iter().map(|tree| tree.reads()).collect();
            self.wait_for_hooks(application, compared.deletion_hooks).await;
            Ok(Found { revisions, compared: Arc::new(compared), source_types, reads })
        };
        let compared: Result<_, Vec<Diagnostic>> = compared.await;
        match compared {
            Ok(found) => Ok(found),
            Err(diagnostics) => Err(self.refused(application, "application.render", &diagnostics).await),
        }
    }

    /// Why an Application could not be compared, synced or removed; what it would have done past others' owners is heard.
    pub(crate) async fn refused(&self, application: &Application, action: &str, diagnostics: &[Diagnostic]) -> String {
        let told = words(diagnostics);
        if diagnostics.iter().any(|diagnostic| diagnostic.code == code::SIDE_DOOR) {
            let name = format!("{}/{}", application.namespace, application.name);
            self.alarms.raise_once((&name, action, &name), "refused, announced", &told).await;
        }
        told
    }

    /// Brings to an end what an earlier process left open; nothing when this process is to end meanwhile.
    pub(crate) async fn recover(&self, application: &Application, running: &Running) -> Option<End> {
        let revisions = Past::delivering(&application.object);
        let Past { interrupted, retrying, .. } = Past::of(&application.object);
        let mut session = match self.session_of(application) {
            Ok(session) => session,
            Err(message) => return Some(End::Failed { revisions, message }),
        };
        let asked = interrupted.as_ref().map(|(operation, attempt)| (operation, *attempt));
        if let Some(asked) = asked.filter(|_| is_terminating(&application.object)) {
            return self.end_for_good((application, &session), asked, &revisions, "Operation terminated").await;
        }
        let place = (application.namespace.to_string(), application.name.to_string());
        if let Some(turn) = self.turn.as_ref().filter(|turn| turn.follows_another(&place)) {
            // Another server has delivered since: gone on with, it would go back behind that.
            if let Err(diagnostics) = session.abandon(application).await {
                return Some(End::Failed { revisions, message: words(&diagnostics) });
            }
            turn.caught_up(place);
        }
        session.stop = running.stop.clone();
        let finished = self.finish_open((application, &session)).await;
        let stopped = running.why.lock().clone();
        if let Some(why) = stopped.filter(|_| !finished.as_ref().is_some_and(has_come_to_its_end)) {
            let waiting = retrying.as_ref().map(|again| (&again.operation, again.number));
            let Some(asked) = asked.or(waiting) else { return Some(End::NothingOpen) };
            // Whatever ends it does not end its being written down.
            session.stop = self.session.stop.clone();
            return self.end_for_good((application, &session), asked, &revisions, &why).await;
        }
        Some(match (finished?, asked) {
            (None, _) => End::NothingOpen,
            (Some(SyncEnd::Succeeded | SyncEnd::Unchanged), _) => End::Succeeded(revisions),
            (Some(SyncEnd::Failed(diagnostics) | SyncEnd::NotBegun(diagnostics)), _)
                if self.is_left(application, &diagnostics) =>
            {
                return None;
            }
            (Some(SyncEnd::NotBegun(diagnostics)), Some(asked)) => {
                self.in_vain(application, asked, revisions, (&diagnostics, Vec::new())).await
            }
            (Some(SyncEnd::Failed(diagnostics) | SyncEnd::NotBegun(diagnostics)), _) => {
                End::Failed { revisions, message: words(&diagnostics) }
            }
            (Some(SyncEnd::Overtaken), _) => End::Overtaken,
            (Some(SyncEnd::Stopped), _) => return None,
        })
    }

    /// Goes on with what is open. Where its cluster does not answer, again and again for a while: were it given up at once, what it had
    /// still to do, the hooks after a sync among it, would never be done where nothing differs any more. Nothing when it is left to
    /// another process.
    async fn finish_open(&self, (application, session): (&Application, &Session)) -> Option<Option<SyncEnd>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let why = match session.finish_open(application).await {
                Ok(finished) => return Some(finished),
                Err(why) => why,
            };
            if self.is_left(application, &why) || !self.shards.keeps(&application.key()) {
                return None;
            }
            if Instant::now() >= deadline {
                // It is open as before, and gone on with before the next sync.
                return Some(Some(SyncEnd::NotBegun(why)));
            }
            tracing::warn!("{} cannot be gone on with yet: {}", application.name, words(&why));
            tokio::select! {
                () = session.stop.cancelled() => return None,
                () = sleep(AGAIN) => {}
            }
        }
    }

    /// Goes on with what this very process has begun and could not bring to an end, on a disk that was full: nobody else works on an
    /// Application that it keeps. Nothing when it is told to stop meanwhile.
    async fn finish_own(&self, application: &Application, running: &Running) -> Option<()> {
        let mut session = self.session_of(application).ok()?;
        session.stop = running.stop.clone();
        match self.finish_open((application, &session)).await? {
            Some(SyncEnd::Stopped) => None,
            _ => Some(()),
        }
    }

    /// Ends for good what an operation has left open that nobody works on any more.
    pub(crate) async fn close(&self, application: &Application) -> Result<(), String> {
        let session = self.session_of(application)?;
        session.abandon(application).await.map_err(|diagnostics| words(&diagnostics))
    }

    /// Carries out a sync; nothing when this process is to end meanwhile, and the next one goes on with it.
    pub(crate) async fn sync(
        &self,
        application: &Application,
        begun: &Begun,
        running: &Running,
        told: &Sender<Happened>,
    ) -> Option<End> {
        let operation = &begun.operation;
        let revisions = match operation.is_automated() {
            // What was compared is what is delivered.
            true => Ok(operation.revisions.clone()),
            false => self.resolve(application, &operation.revisions, Freshness::Hard).await,
        };
        let (revisions, end) = match revisions {
            Ok(revisions) => {
                let mut end = self.sync_at(application, begun, &revisions, running, told).await;
                if is_in_the_way(&end.0) && self.shards.keeps(&application.key()) {
                    end = match self.finish_own(application, running).await {
                        Some(()) => self.sync_at(application, begun, &revisions, running, told).await,
                        None => (SyncEnd::Stopped, Vec::new()),
                    };
                }
                (revisions, Ok(end))
            }
            Err(message) => (operation.revisions.clone(), Err(message)),
        };
        let asked = (operation, begun.attempt);
        let stopped = running.why.lock().clone();
        match end {
            Ok((SyncEnd::Succeeded, _)) => Some(End::Succeeded(revisions)),
            Ok((SyncEnd::Unchanged, _)) => {
                // What failed before is told of as waiting for this try.
                if !operation.is_automated() || begun.attempt > 0 {
                    let done = Tried::Succeeded;
                    self.record(application, asked, &revisions, "successfully synced (no more tasks)", done).await;
                }
                Some(End::Succeeded(revisions))
            }
            Ok((SyncEnd::Failed(diagnostics) | SyncEnd::NotBegun(diagnostics), _))
                if self.is_left(application, &diagnostics) =>
            {
                None
            }
            Ok((SyncEnd::Failed(diagnostics), _)) => Some(End::Failed { revisions, message: words(&diagnostics) }),
            Ok((SyncEnd::NotBegun(diagnostics), refused)) => {
                Some(self.in_vain(application, asked, revisions, (&diagnostics, refused)).await)
            }
            Ok((SyncEnd::Overtaken, _)) => Some(End::Overtaken),
            Ok((SyncEnd::Stopped, _)) => {
                let (why, session) = (stopped?, self.session_of(application).ok()?);
                self.end_for_good((application, &session), asked, &revisions, &why).await
            }
            Err(message) => {
                self.record(application, asked, &revisions, &message, Tried::Failed(Vec::new())).await;
                Some(End::Failed { revisions, message })
            }
        }
    }

    /// Sees to it that nothing goes on with a sync: the journal first, then what people see. As long as the journal cannot be written
    /// they are told so, and not that it is over: the next process would go on with it. Nothing when it is left to that, or to whoever
    /// takes the shard next.
    async fn end_for_good(
        &self,
        (application, session): (&Application, &Session),
        asked: (&Operation, u32),
        revisions: &[String],
        why: &str,
    ) -> Option<End> {
        let mut told = None;
        while let Err(diagnostics) = session.abandon(application).await {
            if self.is_left(application, &diagnostics) {
                return None;
            }
            let message = format!("it cannot be ended yet: {}", words(&diagnostics));
            if told.as_ref() != Some(&message) {
                tracing::error!("{}: {message}", application.name);
                let patch = json!({"status": {"operationState": {"message": message}}});
                let _told_by_the_log = self.write(&application.key(), patch).await;
                told = Some(message);
            }
            tokio::select! {
                () = self.session.stop.cancelled() => return None,
                () = sleep(AGAIN) => {}
            }
        }
        self.record(application, asked, revisions, why, Tried::Stopped).await;
        Some(End::Stopped)
    }

    /// Whether a sync ended because the shared journal could not be written: it is left as it is, for whoever takes the shard
    /// next, for this process has lost it then.
    fn is_left(&self, application: &Application, diagnostics: &[Diagnostic]) -> bool {
        let is_left = self.shards.is_shared() && diagnostics.iter().any(|diagnostic| diagnostic.code == code::STORE);
        if is_left {
            tracing::warn!("{} is left for now: {}", application.name, words(diagnostics));
            self.shards.doubt(&application.namespace, &application.name);
        }
        is_left
    }

    async fn in_vain(
        &self,
        application: &Application,
        asked: (&Operation, u32),
        revisions: Vec<String>,
        (diagnostics, refused): (&[Diagnostic], Vec<Refused>),
    ) -> End {
        let message = self.refused(application, "application.sync", diagnostics).await;
        self.record(application, asked, &revisions, &message, Tried::Failed(refused)).await;
        End::Failed { revisions, message }
    }

    async fn sync_at(
        &self,
        application: &Application,
        begun: &Begun,
        revisions: &[String],
        running: &Running,
        told: &Sender<Happened>,
    ) -> (SyncEnd, Vec<Refused>) {
        let not_begun = |diagnostics| (SyncEnd::NotBegun(diagnostics), Vec::new());
        let stand_ins = match self.stand_ins(application, revisions).await {
            Ok(stand_ins) => stand_ins,
            Err(diagnostic) => return not_begun(vec![diagnostic]),
        };
        let mut unit = match self.unit_of(application, revisions, stand_ins.clone()).await {
            Ok(unit) => unit,
            Err(diagnostics) => return not_begun(diagnostics),
        };
        let admitted = self.admitted(application, (&begun.operation, revisions), (&unit, &stand_ins)).await;
        let unseen = admitted.as_ref().ok().and_then(|admitted| admitted.unseen.clone());
        // Nobody hears it when the process ends.
        let _ending = told.send(Happened::Unseen(Arc::new(application.key()), unseen)).await;
        if let Err(diagnostics) = admitted {
            return not_begun(diagnostics);
        }
        if let Door::Application(bound) = &mut unit.door {
            bound.revisions = revisions.to_vec();
            bound.operation = begun.operation.clone();
            bound.attempt = begun.attempt;
            bound.application.policy.sync_options.extend(begun.operation.options.iter().cloned());
        }
        let mut session = match self.session_of(application) {
            Ok(session) => session,
            Err(why) => return not_begun(vec![Diagnostic::error(code::NO_DESTINATION, why)]),
        };
        let (progress, heard) = channel(256);
        (session.stop, session.progress) = (running.stop.clone(), progress);
        let (clock, began) = (Arc::clone(&session.clock), session.clock.now());
        let listening = tokio::spawn(listen(heard, (application.key(), begun.number), (told.clone(), clock)));
        // As Argo CD: of the last wave health is not waited for, and what refers to nothing yet is delivered; but not what
        // has lost its key with the commit.
        let options = UpOptions { wait: false, references: References::MayComeButSealed, ..UpOptions::default() };
        let (end, reverted) = session.sync_alone(&unit, &options).await;
        let ended = session.clock.now();
        drop(session);
        let (steps, refused) = listening.await.unwrap_or_default();
        self.trace((application, begun, revisions), (began, ended), (&end, steps));
        if !reverted.is_empty() {
            self.tell_reverted(&application.key(), &reverted).await;
        }
        (end, refused)
    }

    /// Tells at an Application whose changes by hand were set back.
    async fn tell_reverted(&self, key: &ObjectKey, reverted: &[Reverted]) {
        let Ok(Some(application)) = self.session.cluster.get(key).await else { return };
        let one =
            |it: &Reverted| format!("{}/{} {}, written by {}", it.object.gvk.kind, it.object.name, it.field, it.by);
        let mut told: Vec<String> = reverted.iter().take(MOST_TOLD).map(one).collect();
        if reverted.len() > MOST_TOLD {
            told.push(format!("and {} more", reverted.len() - MOST_TOLD));
        }
        let message = format!("set back: {}", told.join("; "));
        tracing::info!(target: SYNCS, "{}: {message}", key.name);
        let cluster = self.written_by(|shards| shards.leave_of(key));
        let now = self.session.clock.now();
        said::event(&cluster, &application, ("landfall", STATUS_MANAGER), ("Normal", "DriftReverted", &message), now)
            .await;
    }

    /// Logs a sync under its trace, and hands that to whoever collects them; what was already as it should be is none.
    fn trace(
        &self,
        (application, begun, revisions): (&Application, &Begun, &[String]),
        (began, ended): (Timestamp, Timestamp),
        (end, steps): (&SyncEnd, Steps),
    ) {
        if matches!(end, SyncEnd::Unchanged) {
            return;
        }
        let (outcome, failure) = match end {
            SyncEnd::Succeeded | SyncEnd::Unchanged => ("succeeded", None),
            SyncEnd::Failed(diagnostics) | SyncEnd::NotBegun(diagnostics) => ("failed", Some(words(diagnostics))),
            SyncEnd::Overtaken => ("overtaken", None),
            SyncEnd::Stopped => ("stopped", None),
        };
        let by = if begun.operation.is_automated() { "automation" } else { "somebody" };
        let attributes = vec![
            ("landfall.application", format!("{}/{}", application.namespace, application.name)),
            ("landfall.project", application.project.clone()),
            ("landfall.revision", revisions.join(", ")),
            ("landfall.attempt", begun.attempt.to_string()),
            ("landfall.initiated_by", by.to_owned()),
            ("landfall.outcome", outcome.to_owned()),
        ];
        let name = format!("{}/{}", application.namespace, application.name);
        let steps = steps.ended(ended);
        let trace = Trace { application: name, attributes, began, ended, failure, steps };
        let (id, why) = (trace.id(), trace.failure.as_deref().map(|why| format!(": {why}")).unwrap_or_default());
        tracing::info!(target: SYNCS, trace_id = %id, "sync of {} to {} {outcome}{why}", trace.application, revisions.join(", "));
        self.sinks.traces.take(&self.network, &trace);
    }

    /// Writes down how a sync ended that the engine has not written down, because it was not begun or is ended for good.
    pub(crate) async fn record(
        &self,
        application: &Application,
        asked: (&Operation, u32),
        revisions: &[String],
        message: &str,
        tried: Tried,
    ) {
        let now = self.session.clock.now();
        // What has been done until it is ended stands in its status.
        let live = match tried {
            Tried::Stopped | Tried::GivenUp => self.session.cluster.get(&application.key()).await.ok().flatten(),
            Tried::Succeeded | Tried::Failed(_) => None,
        };
        let told = live.as_ref().unwrap_or(&application.object);
        let state = tried_in_vain(told, asked, revisions, message, tried, now);
        if let Err(why) = self.write(&application.key(), state).await {
            tracing::warn!("the status of {} cannot be written: {why}", application.name);
        }
    }
}

/// Whether an Application that differs at these revisions is synced by itself, and so at once.
fn syncs_at_once(application: &Application, revisions: &[String]) -> bool {
    let heals = application.policy.automated.is_some_and(|automated| automated.self_heal.unwrap_or(false));
    application.is_automated() && (heals || Past::delivering(&application.object) != revisions)
}

/// Whether somebody has asked to end the operation that an Application's status tells of.
pub(crate) fn is_terminating(application: &Object) -> bool {
    application.str_at("/status/operationState/phase") == Some("Terminating")
}

/// Whether an operation could not begin because another one is open in the journal.
pub(crate) fn is_in_the_way(end: &SyncEnd) -> bool {
    match end {
        SyncEnd::NotBegun(diagnostics) | SyncEnd::Failed(diagnostics) => {
            diagnostics.iter().any(|diagnostic| diagnostic.code == code::BUSY)
        }
        SyncEnd::Succeeded | SyncEnd::Unchanged | SyncEnd::Overtaken | SyncEnd::Stopped => false,
    }
}

/// Whether what was gone on with is over: who ends it now comes too late.
fn has_come_to_its_end(finished: &Option<SyncEnd>) -> bool {
    matches!(finished, Some(SyncEnd::Succeeded | SyncEnd::Unchanged | SyncEnd::Failed(_)))
}

/// Argo CD's word for what a source is.
fn source_type(source: &UnitSource) -> &'static str {
    match source {
        UnitSource::Chart(_) => "Helm",
        UnitSource::Manifests { kustomizations, .. } if !kustomizations.is_empty() => "Kustomize",
        UnitSource::Manifests { .. } => "Directory",
    }
}

/// What the machine needs of a comparison.
pub(crate) fn comparison(compared: &Compared) -> Comparison {
    if compared.status == SyncStatus::Synced {
        return Comparison::Synced;
    }
    let differing = || compared.resources.iter().filter(|one| one.sync == SyncStatus::OutOfSync);
    let mut moved = differing().filter(|one| one.stays.is_none()).peekable();
    if moved.peek().is_none() && differing().next().is_some() {
        // Whatever differs stays so: no sync would do anything about it.
        return Comparison::Synced;
    }
    let mut counted = compared.resources.iter().filter(|one| one.stays.is_none()).peekable();
    let by = match counted.peek().is_some() && counted.all(|one| one.requires_pruning) {
        true => Difference::AllPruned,
        // A namespace that is to be made is no resource.
        _ if moved.peek().is_some() && moved.clone().all(|one| one.requires_pruning) => Difference::OnlyPruning,
        _ => Difference::Changes,
    };
    Comparison::OutOfSync { by, resources: moved.map(|one| ResourceName::from(&one.key)).collect() }
}

/// Tells the machine what a sync does, as often as that changes.
async fn listen(
    mut heard: Receiver<Progress>,
    (key, number): (ObjectKey, u64),
    (told, clock): (Sender<Happened>, Arc<dyn Clock>),
) -> (Steps, Vec<Refused>) {
    let (mut steps, mut refused) = (Steps::default(), Vec::new());
    let (mut hooks, mut waits, mut last) = (BTreeSet::new(), false, Activity::Acts);
    let key = Arc::new(key);
    while let Some(progress) = heard.recv().await {
        let event = match progress {
            Progress::Engine { event, .. } => event,
            Progress::Refused(objects) => {
                refused = objects;
                continue;
            }
            _ => continue,
        };
        steps.note(&event, clock.now());
        match *event {
            Event::StepStarted { id, action: Action::Hook, .. } => drop(hooks.insert(id)),
            Event::StepStarted { .. } => waits = false,
            Event::StepDone { id, .. } => {
                hooks.remove(&id);
                waits = false;
            }
            Event::Waiting { .. } => waits = true,
            _ => continue,
        }
        let now = match (hooks.is_empty(), waits) {
            (false, _) => Activity::RunsHook,
            (true, true) => Activity::Waits,
            (true, false) => Activity::Acts,
        };
        if now != last {
            last = now;
            let _ending =
                told.send(Happened::Observed(Arc::clone(&key), Observation::Does { number, activity: now })).await;
        }
    }
    (steps, refused)
}

/// Diagnostics in words, as they stand in a condition.
pub(crate) fn words(diagnostics: &[Diagnostic]) -> String {
    let told: Vec<String> = diagnostics
        .iter()
        .take(3)
        .map(|it| match it.notes.first() {
            Some(note) => format!("{} ({note})", it.message),
            None => it.message.clone(),
        })
        .collect();
    let more = diagnostics.len().saturating_sub(told.len());
    let and = if more > 0 { format!("; and {more} more") } else { String::new() };
    told.join("; ") + &and
}
