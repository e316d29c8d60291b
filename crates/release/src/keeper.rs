use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;
use landfall_cluster::WriteOptions;
use landfall_diag::Diagnose;
use landfall_engine::{Ending, Error as EngineError, Failure, HookPhase, HookRun, Ledger, Plan, StepState};

use crate::compile::namespace_object;
use crate::course::{Course, Verb};
use crate::{Error, KeptRuns, LastRun, Record, Releases, Status, words};

/// Keeps a release's records while the engine carries its plan out.
pub struct Keeper {
    releases: Releases,
    course: Course,
    plan: Plan,
    record: Mutex<Record>,
}

impl Keeper {
    pub(crate) fn new(releases: Releases, course: Course, plan: Plan) -> Self {
        let mut record = course.record.clone();
        record.labels.clone_from(&course.labels);
        Keeper { releases, course, plan, record: Mutex::new(record) }
    }

    pub(crate) fn record(&self) -> Record {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Record)) -> Record {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut record);
        record.clone()
    }

    async fn begin(&self) -> Result<(), Error> {
        let record = self.record();
        match self.course.verb {
            Verb::Test => return Ok(()),
            Verb::Uninstall => {
                // A process that died at the very end has removed the records already.
                return match self.releases.get(&record.name, record.version).await {
                    Ok(_) => self.releases.update(&record).await,
                    Err(Error::NotFound { .. }) => Ok(()),
                    Err(error) => Err(error),
                };
            }
            Verb::Install if self.course.create_namespace => {
                let namespace = namespace_object(&record.namespace);
                match self.releases.cluster.create(&namespace, &WriteOptions::default()).await {
                    Ok(_) => {}
                    Err(error) if error.is_already_exists() => {}
                    Err(error) => return Err(error.into()),
                }
            }
            _ => {}
        }
        match self.releases.get(&record.name, record.version).await {
            // A resumed operation goes on with the hooks' runs as they were recorded.
            Ok(stored) => {
                self.change(|record| record.hooks = stored.hooks);
                Ok(())
            }
            Err(Error::NotFound { .. }) => {
                if self.course.verb == Verb::Install {
                    if let Some(from) = self.course.from {
                        self.replace(from).await?;
                    }
                } else {
                    self.releases.prune_history(&record.name, self.course.max_history).await?;
                }
                self.releases.create_or_update(&record).await
            }
            Err(error) => Err(error),
        }
    }

    /// The release that a new one of its name comes after (pkg/action/install.go, replaceRelease).
    async fn replace(&self, version: i64) -> Result<(), Error> {
        let mut record = match self.releases.get(&self.record().name, version).await {
            Ok(record) => record,
            Err(Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if record.info.status == Status::Failed {
            return Ok(());
        }
        record.info.status = Status::Superseded;
        record.info.description = "superseded by new release".into();
        self.releases.update(&record).await
    }

    async fn set_status(&self, version: i64, status: Status) -> Result<(), Error> {
        let name = self.record().name;
        let mut record = match self.releases.get(&name, version).await {
            Ok(record) => record,
            Err(Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if record.info.status != status {
            record.info.status = status;
            self.releases.update(&record).await?;
        }
        Ok(())
    }

    async fn supersede_others(&self) -> Result<(), Error> {
        let record = self.record();
        for mut other in self.releases.history(&record.name).await? {
            if other.version != record.version && other.info.status == Status::Deployed {
                other.info.status = Status::Superseded;
                self.releases.update(&other).await?;
            }
        }
        Ok(())
    }

    /// Gives the records their final status; `words` are why it failed.
    async fn end(&self, words: Option<String>) -> Result<(), Error> {
        let name = self.record().name;
        match self.course.verb {
            Verb::Test => Ok(()),
            Verb::Uninstall => match words {
                // As Helm: a release whose removal failed stays `uninstalling` and can be uninstalled again.
                Some(words) => {
                    let record =
                        self.change(|record| record.info.description = format!("Uninstallation failed: {words}"));
                    self.releases.update(&record).await
                }
                None if self.course.keep_history => {
                    let description = self.course.description.clone();
                    let record = self.change(|record| {
                        record.info.status = Status::Uninstalled;
                        record.info.description = description.unwrap_or_else(|| "Uninstallation complete".into());
                    });
                    self.releases.update(&record).await?;
                    self.supersede_others().await
                }
                None => {
                    for record in self.releases.history(&name).await? {
                        self.releases.delete(&name, record.version).await?;
                    }
                    Ok(())
                }
            },
            verb => {
                let description = self.course.description.clone();
                let record = self.change(|record| match (&words, verb) {
                    (None, verb) => {
                        record.info.status = Status::Deployed;
                        let usual = match verb {
                            Verb::Install => "Install complete",
                            Verb::Upgrade => "Upgrade complete",
                            _ => return,
                        };
                        record.info.description = description.unwrap_or_else(|| usual.into());
                    }
                    (Some(words), verb) => {
                        record.info.status = Status::Failed;
                        let what = match verb {
                            Verb::Install => "Release",
                            Verb::Upgrade => "Upgrade",
                            _ => "Rollback",
                        };
                        record.info.description = format!("{what} {name:?} failed: {words}");
                    }
                });
                match (&words, verb) {
                    // What it came from is superseded, also when that had failed.
                    (None, Verb::Upgrade) => {
                        if let Some(from) = self.course.from {
                            self.set_status(from, Status::Superseded).await?;
                        }
                        self.supersede_others().await?;
                    }
                    (None, Verb::Rollback) => self.supersede_others().await?,
                    (Some(_), Verb::Rollback) => {
                        if let Some(from) = self.course.from {
                            self.set_status(from, Status::Superseded).await?;
                        }
                    }
                    _ => {}
                }
                self.releases.update(&record).await
            }
        }
    }

    /// A failure in Helm's words.
    pub(crate) fn helm_words(&self, failure: &Failure) -> String {
        words::failure(&self.plan, failure, &self.course)
    }
}

fn told(error: Error) -> EngineError {
    match error {
        Error::Cluster(error) => EngineError::Cluster(error),
        other => EngineError::Ledger(Box::new(other.diagnose())),
    }
}

impl Ledger for Keeper {
    fn begun<'a>(&'a self, _: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { self.begin().await.map_err(told) })
    }

    fn hook<'a>(&'a self, run: &'a HookRun) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let record = self.change(|record| {
                if let Some(hook) = record.hooks.get_mut(run.id) {
                    // Helm writes the policy that it falls back to into the record.
                    if hook.delete_policies.is_empty() {
                        hook.delete_policies.push("before-hook-creation".into());
                    }
                    hook.last_run = LastRun {
                        started_at: Some(run.started),
                        completed_at: run.completed,
                        phase: match run.phase {
                            HookPhase::Running => "Running",
                            HookPhase::Succeeded => "Succeeded",
                            HookPhase::Failed => "Failed",
                        }
                        .into(),
                    };
                }
            });
            match self.releases.runs {
                KeptRuns::AtEachStep => self.releases.update(&record).await.map_err(told),
                KeptRuns::AtTheEnd => Ok(()),
            }
        })
    }

    fn ended<'a>(&'a self, ending: Ending<'a>, _: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), EngineError>> {
        let words = match ending {
            Ending::Succeeded => None,
            Ending::Failed(failure) => Some(self.helm_words(failure)),
            Ending::GivenUp => Some(words::GIVEN_UP.to_owned()),
        };
        Box::pin(async move { self.end(words).await.map_err(told) })
    }
}
