//! What the verbs on releases have in common: a cluster that answers, the releases of a namespace, and an engine.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use landfall_chart::{Dialect, Lookup};
use landfall_cluster::Cluster;
use landfall_delivery::LiveLookup;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_engine::{Conductor, Event, Recovery, WallClock};
use landfall_release::{Delivered, Driver, Error, Prepared, Record, Releases, Status};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::cluster::{Reached, reach};
use super::deploy::{prefixed, undone_words};
use super::flags::Flags;
use super::four::Otherwise;
use super::journal::Journal;
use super::{Refusal, Stop, Voice, World, namespace, simulated};

/// How long a record may be pending before its process is taken for dead, where no journal knows better: three times
/// the time that Helm gives an operation when nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// A verb's work on releases.
pub(super) struct Session<'w> {
    /// What the verb runs in.
    pub(super) world: &'w World<'w>,
    /// Its flags.
    pub(super) flags: &'w Flags,
    /// The cluster.
    pub(super) reached: Reached,
    /// The releases of the namespace.
    pub(super) releases: Releases,
    /// Set by Ctrl-C.
    pub(super) stop: CancellationToken,
    /// Set by the second one, which ends the undoing of what the first one ended.
    again: CancellationToken,
}

/// Connects and runs a verb's work to its end.
pub(super) fn on_cluster<T>(
    world: &World<'_>,
    flags: &Flags,
    work: impl AsyncFnOnce(&Session<'_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let driver = driver(world)?;
    world.wait_for(async {
        let reached = reach(world, flags).await?;
        let namespace = namespace::namespace(world, flags);
        let releases = Releases::new(reached.cluster.clone(), namespace, Arc::new(WallClock))
            .kept_in(driver)
            .in_the_manner_of(super::dialect(world, flags)?);
        let (stop, again) = (CancellationToken::new(), CancellationToken::new());
        let mut session = Session { world, flags, reached, releases, stop, again };
        session.reached.watch(&session.stop);
        let outcome = work(&session).await;
        let outcome = match (outcome, session.reached.lost()) {
            (Err(_), Some(lost)) => Err(lost),
            (outcome, _) => outcome,
        };
        session.reached.close().await;
        outcome
    })
}

/// Waits for either signal.
async fn next(interrupted: &mut Signal, terminated: &mut Signal) {
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
}

/// In what records are kept, by `HELM_DRIVER`.
fn driver(world: &World<'_>) -> Result<Driver, Stop> {
    let named = world.env("HELM_DRIVER");
    Driver::named(named.as_deref()).ok_or_else(|| match named.unwrap_or_default().as_str() {
        known @ ("memory" | "sql") => Stop::Missing(format!("HELM_DRIVER={known} is not there yet")),
        other => Stop::words(code::BAD_HELM_ARGUMENT, format!("unknown driver {other:?}")),
    })
}

/// An error of the release room in Helm's words and ours.
pub(super) fn told(error: &Error) -> Stop {
    let words = error.to_string();
    let otherwise = match error {
        Error::NameInUse { .. } => Otherwise::check("release name check", "cannot reuse a name that is still in use"),
        // Helm 4 begins no error with a capital letter.
        Error::Foreign { .. } | Error::Nameless { .. } => Otherwise::said(words.replacen('U', "u", 1)),
        _ => return Stop::said(words, error.diagnose()),
    };
    Stop::said(words, error.diagnose()).being(Refusal::Otherwise(Box::new(otherwise)))
}

impl Session<'_> {
    /// The cluster.
    pub(super) fn cluster(&self) -> &Cluster {
        &self.reached.cluster
    }

    /// Whose manner is spoken.
    pub(super) fn dialect(&self) -> Result<Dialect, Stop> {
        super::dialect(self.world, self.flags)
    }

    /// What answers `lookup`.
    pub(super) fn lookup(&self) -> Arc<dyn Lookup> {
        Arc::new(LiveLookup::of(self.cluster()))
    }

    /// One revision of a release, the last one for 0 (helm: `releaseContent`).
    pub(super) async fn content(&self, name: &str, revision: i64) -> Result<Record, Stop> {
        if landfall_release::validate_release_name(name).is_err() {
            return Err(Stop::words(
                code::BAD_RELEASE_NAME,
                format!("releaseContent: Release name is invalid: {name}"),
            ));
        }
        let found =
            if revision <= 0 { self.releases.last(name).await } else { self.releases.get(name, revision).await };
        found.map_err(|error| told(&error))
    }

    /// Works with the journal of a release, which is closed however the work ends.
    pub(super) async fn journalled<T>(
        &self,
        name: &str,
        work: impl AsyncFnOnce(&Journal) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let journal = self.reached.journals.open(self.world, self.releases.namespace(), name).await?;
        let outcome = work(&journal).await;
        journal.close(&self.releases.target(name)).await;
        outcome
    }

    /// Brings to an end what an earlier process left open on a release, where that can be known.
    pub(super) async fn recover(&self, name: &str, journal: &Journal) -> Result<(), Stop> {
        if !journal.alone {
            return Ok(());
        }
        let (conductor, listener) = self.conductor(journal);
        let recovery = conductor.recover(&self.releases, name, PATIENCE).await;
        drop(conductor);
        let _ended = listener.await;
        let note = match recovery {
            Ok(Recovery::Clean) | Err(Error::Pending { .. }) => return Ok(()),
            Ok(Recovery::Resumed(delivered)) => {
                let how = if delivered.succeeded() { "was brought to its end" } else { "was found to have failed" };
                format!("an interrupted operation on release {name} {how} (revision {})", delivered.record.version)
            }
            Ok(Recovery::Repaired(record)) => {
                format!("revision {} of release {name} was never finished; it is marked as failed", record.version)
            }
            Err(error) => return Err(told(&error)),
        };
        writeln!(landfall_terminal::err(), "WARNING: {note}")?;
        Ok(())
    }

    /// Carries an operation out; logs of hooks go to standard error.
    pub(super) async fn run(&self, prepared: &Prepared, journal: &Journal) -> Result<Delivered, Stop> {
        let (conductor, listener) = self.conductor(journal);
        let outcome = conductor.run(&self.releases, prepared).await;
        let outcome = match outcome {
            Err(Error::Engine(landfall_engine::Error::Interrupted)) => {
                let undone = conductor.give_up(&self.releases, prepared, self.again.clone()).await;
                undone.map_err(|error| told(&error)).and_then(|undone| Err(self.cancelled(prepared, undone.as_ref())))
            }
            Err(error) => Err(told(&error)),
            Ok(delivered) => Ok(delivered),
        };
        drop(conductor);
        let _ended = listener.await;
        if let Ok(delivered) = &outcome {
            simulated::tell(self, delivered).await?;
        }
        outcome
    }

    /// What is said of an operation that Ctrl-C ended.
    fn cancelled(&self, prepared: &Prepared, undone: Option<&Delivered>) -> Stop {
        let marked = Diagnostic::error(code::INTERRUPTED, "interrupted; the release is marked as failed");
        let stop = Stop::said("context canceled", marked);
        match undone {
            Some(back) if back.succeeded() => {
                let how = if back.record.info.status == Status::Uninstalled { "uninstalled" } else { "rolled back" };
                prefixed(&undone_words(self, &prepared.record.name, how), stop)
            }
            _ => stop,
        }
    }

    pub(super) fn conductor(&self, journal: &Journal) -> (Conductor, tokio::task::JoinHandle<()>) {
        let (events, mut receiver) = mpsc::channel(256);
        let listener = tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                if let Event::HookLog { text, .. } = event {
                    let _nobody_listens = landfall_terminal::err().write_all(text.as_bytes());
                }
            }
        });
        let new_id = Arc::new(|| ulid::Ulid::generate().to_string());
        let mut conductor = Conductor::new(self.cluster().clone(), journal.store.clone(), events, new_id);
        conductor.stop = self.stop.clone();
        if let Some(probe) = &self.world.host.probe {
            conductor.probe = Arc::clone(probe);
        }
        (conductor, listener)
    }

    /// Says that a release's operation is cancelled, and ends it, on Ctrl-C or SIGTERM; on the next one its undoing.
    pub(super) fn heed_signals(&self, name: &str) {
        let (stop, again, name) = (self.stop.clone(), self.again.clone(), name.to_owned());
        tokio::spawn(async move {
            let (Ok(mut interrupted), Ok(mut terminated)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            next(&mut interrupted, &mut terminated).await;
            let _nobody_listens = writeln!(landfall_terminal::out(), "Release {name} has been cancelled.");
            stop.cancel();
            next(&mut interrupted, &mut terminated).await;
            again.cancel();
        });
    }

    /// Why an operation failed, in Helm's words and with the evidence.
    pub(super) fn failure(&self, delivered: &Delivered) -> Stop {
        let words = delivered.failure_words.clone().unwrap_or_default();
        let diagnostic = match &delivered.report.failure {
            Some(failure) => failure.diagnose(),
            None => Diagnostic::error(code::REFUSED, words.clone()),
        };
        Stop::said(words, diagnostic)
    }

    /// Whether Helm's own voice is spoken.
    pub(super) fn as_helm(&self) -> bool {
        self.world.voice == Voice::Helm
    }
}
