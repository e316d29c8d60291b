use std::sync::Arc;
use std::time::Duration;

use landfall_apps::{Barred, Claims, ExcludedKinds, Pens, Refused, Semantics};
use landfall_chart::Readings;
use landfall_cluster::Cluster;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_engine::{Clock, Conductor, Door, Event, NoProbe, Probe, Recovery, Report};
use landfall_object::health::Rulebook;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_release::{KeptRuns, Record, Releases, Status, Unpacked};
use landfall_source::Surroundings;
use landfall_store::Store;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use crate::{CheckResult, Routes};

/// What a cluster can offer for kinds it does not serve yet: the embedded one has simulated operators.
pub trait Offers: Send + Sync {
    /// The definitions that bring a kind, and who is simulated then; `None` when nobody offers it.
    fn definitions(&self, gvk: &Gvk) -> Option<(String, Vec<Object>)>;
}

/// What every use case works with.
#[derive(Clone)]
pub struct Session {
    /// The cluster that is delivered to.
    pub cluster: Cluster,
    /// The cluster that holds Applications and their projects: the same one, unless an Application delivers elsewhere.
    pub home: Cluster,
    /// The journal and history.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How the host names of checks and addresses are reached.
    pub routes: Routes,
    /// What the cluster offers for kinds it does not serve.
    pub offers: Option<Arc<dyn Offers>>,
    /// Where progress is told; dropped when nobody listens.
    pub progress: Sender<Progress>,
    /// Ends a delivery cleanly.
    pub stop: CancellationToken,
    /// Whether somebody else delivers while this session looks.
    pub elsewhere: Elsewhere,
    /// Whose meaning counts where that of an Application knowingly differs from Argo CD's.
    pub semantics: Semantics,
    /// Kinds that Applications leave alone.
    pub excluded: Arc<ExcludedKinds>,
    /// By what objects are judged.
    pub health: Rulebook,
    /// What becomes of an Application whose project is not there.
    pub missing_project: MissingProject,
    /// Whether Applications are given as they are where they live, by who watches them there: a comparison does not ask once more.
    pub given_as_live: bool,
    /// Whether releases' records tell of hooks while they run.
    pub hook_runs: KeptRuns,
    /// What was unpacked of releases' records.
    pub unpacked: Unpacked,
    /// Whose turn it is to write into Applications.
    pub pens: Pens,
    /// What objects of its cluster say of whose they are.
    pub claims: Claims,
    /// Whose objects are nobody else's to change.
    pub barred: Barred,
    /// What renderings of its units have printed, where it is not the only session that renders them.
    pub readings: Option<Readings>,
    /// What charts may know of the machine.
    pub surroundings: Surroundings,
    /// A listener at the edges of journal writes and effects.
    pub probe: Arc<dyn Probe>,
}

/// What becomes of an Application whose project is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingProject {
    /// It is delivered without bounds, and that is told: a cluster of one's own often has no projects at all.
    #[default]
    Noted,
    /// Nothing of it is compared or delivered, as with Argo CD.
    Refused,
}

/// Whether somebody delivers to the same system at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Elsewhere {
    /// Nobody does: what is open in the journal was left behind.
    #[default]
    Nobody,
    /// Somebody does.
    Somebody,
}

/// The word for a delivery that was broken off and can be gone on with.
pub const INTERRUPTED: &str = "interrupted";

/// What is going on.
#[derive(Debug, Clone)]
pub enum Progress {
    /// Something begins, in words.
    Doing(String),
    /// The definitions of a simulated operator were installed.
    OperatorSimulated {
        /// Its name.
        operator: String,
        /// The kind that needed it.
        kind: String,
    },
    /// The engine works on a unit.
    Engine {
        /// The unit.
        unit: String,
        /// What it does.
        event: Box<Event>,
    },
    /// An image build ended, or was simulated.
    Built {
        /// The service.
        service: String,
        /// How.
        how: String,
    },
    /// A check has ended.
    Checked(CheckResult),
    /// Something to be told now, such as a record that was repaired.
    Note(Diagnostic),
    /// An object that is refused and was left out of the delivery.
    LeftOut(Box<LeftOut>),
    /// Objects of an Application that the cluster would refuse, which is why its sync is not begun.
    Refused(Vec<Refused>),
}

/// An object that is refused before the first thing is touched.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// The unit.
    pub unit: String,
    /// The object.
    pub object: ObjectKey,
    /// The field that is objected to, where one is.
    pub field: Option<String>,
    /// What is said of it, with its places.
    pub told: Diagnostic,
}

impl Session {
    /// A session without listeners and with the machine's clock.
    pub fn new(cluster: Cluster, store: Store, progress: Sender<Progress>) -> Self {
        Session {
            home: cluster.clone(),
            cluster,
            store,
            clock: Arc::new(landfall_engine::WallClock),
            routes: Routes::default(),
            offers: None,
            progress,
            stop: CancellationToken::new(),
            elsewhere: Elsewhere::default(),
            semantics: Semantics::default(),
            excluded: Arc::default(),
            health: Rulebook::default(),
            missing_project: MissingProject::default(),
            given_as_live: false,
            hook_runs: KeptRuns::default(),
            unpacked: Unpacked::default(),
            pens: Pens::default(),
            claims: Claims::default(),
            barred: Barred::default(),
            readings: None,
            surroundings: landfall_source::surroundings,
            probe: Arc::new(NoProbe),
        }
    }

    /// How a release stands, in Helm's word; one whose delivery was broken off and that nobody goes on with is
    /// interrupted, as the command that delivered it said.
    pub(crate) async fn standing(&self, record: &Record) -> Result<String, Vec<Diagnostic>> {
        let status = record.info.status;
        let unfinished = status.is_pending() || status == Status::Uninstalling;
        if unfinished && self.elsewhere == Elsewhere::Nobody {
            let target = self.releases(&record.namespace).target(&record.name);
            let open = self.store.journal.running_operation(&target).await.map_err(|error| vec![error.diagnose()])?;
            if open.is_some() {
                return Ok(INTERRUPTED.to_owned());
            }
        }
        Ok(status.word().to_owned())
    }

    pub(crate) async fn tell(&self, progress: Progress) {
        // Nobody listening is no reason to stop.
        let _unheard = self.progress.send(progress).await;
    }

    pub(crate) fn releases(&self, namespace: &str) -> Releases {
        let releases = Releases::new(self.cluster.clone(), namespace, Arc::clone(&self.clock));
        releases.keeping(self.hook_runs).unpacked_in(self.unpacked.clone())
    }

    /// Carries an operation out; what happens is told on under a unit's name.
    pub(crate) async fn conduct<D: Door>(
        &self,
        unit: &str,
        door: &D,
        operation: &D::Operation,
    ) -> Result<D::Ended, D::Error> {
        let (events, told) = self.engine_events(unit);
        let conductor = self.conductor(events);
        let ended = conductor.run(door, operation).await;
        drop(conductor);
        let _all_told = told.await;
        ended
    }

    /// Brings to an end what an earlier process left open on a target of a door's; told on as in [`Session::conduct`].
    pub(crate) async fn bring_to_end<D: Door>(
        &self,
        unit: &str,
        door: &D,
        target: &D::Target,
    ) -> Result<Recovery<D::Ended, D::Repaired>, D::Error> {
        let (events, told) = self.engine_events(unit);
        let conductor = self.conductor(events);
        let recovery = conductor.recover(door, target, Duration::ZERO).await;
        drop(conductor);
        let _all_told = told.await;
        recovery
    }

    /// A conductor that tells of no step, because it carries none out: plans are tried, open operations abandoned.
    pub(crate) fn trying(&self) -> Conductor {
        let (events, _unheard) = channel(1);
        self.conductor(events)
    }

    fn conductor(&self, events: Sender<Event>) -> Conductor {
        let clock = Arc::clone(&self.clock);
        Conductor {
            cluster: self.cluster.clone(),
            store: self.store.clone(),
            events,
            clock: Arc::clone(&self.clock),
            probe: Arc::clone(&self.probe),
            health: self.health.clone(),
            stop: self.stop.clone(),
            new_id: Arc::new(move || operation_id(clock.as_ref())),
        }
    }

    /// A channel for the engine's events that are told on under a unit's name; ends when the sender is dropped.
    fn engine_events(&self, unit: &str) -> (Sender<Event>, tokio::task::JoinHandle<()>) {
        let (sender, mut receiver): (Sender<Event>, Receiver<Event>) = channel(256);
        let progress = self.progress.clone();
        let unit = unit.to_owned();
        let forward = tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                let told = progress.send(Progress::Engine { unit: unit.clone(), event: Box::new(event) }).await;
                if told.is_err() {
                    // Keep draining: the engine must not wait for a listener that has gone.
                    receiver.close();
                }
            }
        });
        (sender, forward)
    }

    /// Brings to an end what an earlier process left open on a release.
    pub(crate) async fn recover(&self, releases: &Releases, unit: &str, release: &str) -> Result<(), Vec<Diagnostic>> {
        let recovery = self.bring_to_end(unit, releases, release).await;
        match recovery.map_err(|error| vec![error.diagnose()])? {
            Recovery::Clean => {}
            Recovery::Resumed(delivered) => {
                let how = outcome(&delivered.report);
                self.tell(Progress::Note(Diagnostic::new(
                    landfall_diag::Severity::Info,
                    code::INTERRUPTED_FINISHED,
                    format!("a delivery of {unit} that was interrupted {how} (revision {})", delivered.record.version),
                )))
                .await;
            }
            Recovery::Repaired(record) => {
                self.tell(Progress::Note(Diagnostic::warning(
                    code::NEVER_FINISHED,
                    format!("revision {} of {unit} was never finished; it is marked as failed", record.version),
                )))
                .await;
            }
        }
        Ok(())
    }
}

/// What has become of an operation that was gone on with.
pub(crate) fn outcome(report: &Report) -> &'static str {
    if report.succeeded() { "was brought to its end" } else { "was found to have failed" }
}

/// An operation's id: a ULID of the clock's time.
fn operation_id(clock: &dyn Clock) -> String {
    let milliseconds = u64::try_from(clock.now().as_millisecond()).unwrap_or_default();
    ulid::Ulid::from_parts(milliseconds, ulid::Ulid::generate().random()).to_string()
}

#[cfg(test)]
mod tests {
    use landfall_apps::Application;
    use landfall_project::Environment;
    use landfall_release::RollbackOptions;

    use super::Session;
    use crate::{Candidate, DownOptions, Selection, Tags, Target, TargetPlace, TargetQuery, Unit, UpOptions};

    fn is_shared<T: Send + Sync>(_: &T) {}

    fn is_send<T: Send>(_: &T) {}

    /// Never called: what it says is said by its being compiled.
    fn all_of_it(session: &Session, unit: &Unit, application: &Application, environment: &Environment) {
        let (candidates, options): (&[Candidate], UpOptions) = (&[], UpOptions::default());
        is_shared(&(session, unit));
        is_send(&session.up(candidates, Some(environment), &options));
        is_send(&session.plan(candidates, Some(environment), &options));
        is_send(&session.check(&environment.checks, Tags::Of(Vec::new())));
        is_send(&session.sync_alone(unit, &options));
        is_send(&session.compare(unit));
        is_send(&session.finish_open(application));
        is_send(&session.abandon(application));
        is_send(&session.remove_alone(unit));
        is_send(&session.belongings(application));
        is_send(&session.down(&[unit], &DownOptions { timeout: options.timeout, keep_data: false }));
        is_send(&session.is_empty());
        is_send(&session.plan_rollback("", "", &RollbackOptions::default()));
        is_send(&session.rollback("", "", &RollbackOptions::default()));
        is_send(&session.history(&[], 0));
        is_send(&session.status(&[]));
        is_send(&session.addons());
    }

    /// Never called, as above.
    fn all_that_is_read(place: &TargetPlace, query: &TargetQuery, target: &Target, selection: &Selection) {
        is_send(&Target::load(place, query));
        is_send(&Target::declared(place, query));
        is_send(&target.units(selection, &Default::default(), ""));
    }

    /// A server does all this on threads that it shares: what could not go from one to another does not compile.
    #[test]
    fn whatever_a_session_does_may_be_done_on_any_thread() {
        let _compiled: (fn(&_, &_, &_, &_), fn(&_, &_, &_, &_)) = (all_of_it, all_that_is_read);
    }
}
