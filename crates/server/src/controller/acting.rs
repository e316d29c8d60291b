//! The errands that a machine's actions ask for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use landfall_apps::machine::{Action, End, Observation};
use landfall_apps::{Application, Tried};
use landfall_object::ObjectKey;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::Controller;
use crate::api::Name;
use crate::checks::Due;
use crate::entry::Running;
use crate::happened::Happened;

/// How long a first comparison waits for the lists of its kinds: read before them, it would be made once more behind them.
const LISTED: Duration = Duration::from_secs(3);

impl Controller {
    /// Does what a machine asks for, aside: what it came to is told to the controller.
    pub(super) fn act(&mut self, key: &ObjectKey, action: Action) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Action::WakeAt(at) = action {
            entry.wake = Some(entry.wake.map_or(at, |before| before.min(at)));
            return;
        }
        if let Action::Stop { number, why } = action {
            if let Some(running) = entry.running.as_ref().filter(|running| running.number == number) {
                *running.why.lock() = Some(why);
                running.stop.cancel();
            }
            return;
        }
        let application = match entry.application.clone() {
            Ok(application) => application,
            Err(why) => return self.refused(key, action, &why),
        };
        let (work, told, key) = (Arc::clone(&self.work), self.told.clone(), Arc::new(key.clone()));
        let answer = move |happened: Happened| async move {
            // Nobody is told when the process ends.
            let _ending = told.send(happened).await;
        };
        match action {
            Action::Resolve { number, freshness } => {
                let heard = self.told.clone();
                self.tasks.spawn(async move {
                    let resolve = async move {
                        let revisions = work.resolve(&application, &[], freshness).await?;
                        let moved = work.repositories.moved_tag(&application, &revisions).await;
                        Ok((revisions, moved))
                    };
                    let result = match contained(resolve).await.and_then(|result| result) {
                        Ok((revisions, moved)) => {
                            if let Some(moved) = moved {
                                let _ending = heard.send(Happened::TagMoved(Arc::clone(&key), moved)).await;
                            }
                            Ok(revisions)
                        }
                        Err(why) => Err(why),
                    };
                    answer(Happened::Observed(key, Observation::Resolved { number, result })).await;
                });
            }
            Action::Compare { number, revisions, since } => {
                let places = entry.destination.comparing.clone();
                let known = entry.found.as_ref().filter(|found| since.as_ref() == Some(&found.revisions));
                let reads = known.and_then(|found| found.reads.clone());
                let unread = Arc::new(AtomicBool::new(false));
                entry.unread = Arc::clone(&unread);
                let listings = std::mem::take(&mut entry.listings);
                self.tasks.spawn(async move {
                    let began = std::time::Instant::now();
                    let stop = work.session.stop.clone();
                    let compare = async move {
                        let at = (&revisions[..], since.as_deref().unwrap_or_default());
                        // A push of one Application among a hundred of a repository says nothing of the ninety-nine.
                        if work.are_alike(&application, at, reads.as_deref()).await? {
                            return Ok(Err(revisions));
                        }
                        unread.store(true, Ordering::Release);
                        // They go on by themselves where that takes longer.
                        let _in_time = timeout(LISTED, join_all(listings.into_iter().map(is_listed))).await;
                        let _place = places.place().await;
                        unread.store(false, Ordering::Release);
                        work.compare(&application, revisions).await.map(Ok)
                    };
                    let found = tokio::select! {
                        () = stop.cancelled() => return,
                        found = contained(compare) => found.and_then(|found| found),
                    };
                    answer(match found {
                        Ok(Err(alike)) => Happened::Alike(key, number, alike),
                        Ok(Ok(found)) => Happened::Found(key, number, Ok(found), began.elapsed()),
                        Err(why) => Happened::Found(key, number, Err(why), began.elapsed()),
                    })
                    .await;
                });
            }
            Action::Recover { number } => {
                let running = Running::begins(number, &key, &work.session);
                entry.running = Some(running.clone());
                let (places, alone) = (Arc::clone(&entry.destination.syncing), Arc::clone(&entry.alone));
                self.tasks.spawn(async move {
                    let _alone = alone.lock().await;
                    let _place = places.acquire().await;
                    let end = match contained(async move { work.recover(&application, &running).await }).await {
                        Ok(Some(end)) => end,
                        Ok(None) => return,
                        Err(message) => End::Failed { revisions: Vec::new(), message },
                    };
                    answer(Happened::Observed(key, Observation::Ended { number, end })).await;
                });
            }
            Action::Sync(begun) => {
                let running = Running::begins(begun.number, &key, &work.session);
                entry.running = Some(running.clone());
                let (places, heard) = (Arc::clone(&entry.destination.syncing), self.told.clone());
                let alone = Arc::clone(&entry.alone);
                self.tasks.spawn(async move {
                    let _alone = alone.lock().await;
                    let _place = places.acquire().await;
                    let number = begun.number;
                    let sync = async move { work.sync(&application, &begun, &running, &heard).await };
                    let end = match contained(sync).await {
                        Ok(Some(end)) => end,
                        Ok(None) => return,
                        Err(message) => End::Failed { revisions: Vec::new(), message },
                    };
                    answer(Happened::Observed(key, Observation::Ended { number, end })).await;
                });
            }
            Action::Remove { number } => {
                self.remove(key, number, async move { work.remove(&application).await });
            }
            Action::GiveUp { operation, attempt, why } => {
                let alone = Arc::clone(&entry.alone);
                self.tasks.spawn(async move {
                    let _alone = alone.lock().await;
                    let asked = (&operation, attempt);
                    work.record(&application, asked, &operation.revisions, &why, Tried::GivenUp).await;
                });
            }
            Action::Stop { .. } | Action::WakeAt(_) => {}
        }
    }

    /// Sees to it that an Application goes, alone among its errands, and tells whether it has.
    fn remove(
        &mut self,
        key: Arc<ObjectKey>,
        number: u64,
        errand: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        let Some(alone) = self.entries.get(&key).map(|entry| Arc::clone(&entry.alone)) else { return };
        let told = self.told.clone();
        self.tasks.spawn(async move {
            let _alone = alone.lock().await;
            let happened = match contained(errand).await.and_then(|removed| removed) {
                Ok(()) => Happened::Observed(key, Observation::Ended { number, end: End::Succeeded(Vec::new()) }),
                Err(why) => Happened::Stays(key, number, why),
            };
            // Nobody is told when the process ends.
            let _ending = told.send(happened).await;
        });
    }

    /// What is wanted of an Application that cannot be read any more ends at once.
    fn refused(&mut self, key: &ObjectKey, action: Action, why: &str) {
        let failed = || End::Failed { revisions: Vec::new(), message: why.to_owned() };
        let observation = match action {
            Action::Resolve { number, .. } => Observation::Resolved { number, result: Err(why.to_owned()) },
            Action::Compare { number, .. } => Observation::Compared { number, result: Err(why.to_owned()) },
            Action::Recover { number } => Observation::Ended { number, end: End::NothingOpen },
            Action::Sync(begun) => Observation::Ended { number: begun.number, end: failed() },
            Action::Remove { number } => {
                let abandoned = self.entries.get(key).and_then(|entry| entry.abandoned(&self.work.connections));
                if let Some((application, place)) = abandoned {
                    let work = Arc::clone(&self.work);
                    let abandon = async move { work.abandon(&application, &place).await };
                    return self.remove(Arc::new(key.clone()), number, abandon);
                }
                Observation::Ended { number, end: End::Overtaken }
            }
            Action::GiveUp { .. } | Action::Stop { .. } | Action::WakeAt(_) => return,
        };
        let (told, key) = (self.told.clone(), Arc::new(key.clone()));
        self.tasks.spawn(async move {
            let _ending = told.send(Happened::Observed(key, observation)).await;
        });
    }

    /// Has the declared checks of an Application made where they are due.
    pub(super) fn check(&mut self, key: &ObjectKey) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let is_idle = !entry.state.is_syncing() && entry.running.is_none();
        if !is_idle || entry.object.deletion_timestamp().is_some() {
            return;
        }
        let Ok(application) = &entry.application else { return };
        let Some(due) = entry.checks.due(&entry.object, entry.fares(&self.live)) else { return };
        let application = Application { object: entry.object.clone(), ..(**application).clone() };
        let last = entry.checks.last.clone().flatten();
        entry.checks.busy = true;
        let (work, told, key) = (Arc::clone(&self.work), self.told.clone(), Arc::new(key.clone()));
        self.tasks.spawn(async move {
            let stop = work.session.stop.clone();
            let errand = async move {
                match (due, last) {
                    (Due::Load, _) => Some(work.checked(&Name::of(&application.object)).await),
                    (Due::Make(delivery, by_itself), _) => {
                        work.make_checks(&application, (delivery, by_itself)).await.map(Some)
                    }
                    (Due::Follow, Some(checked)) => Some(Some(work.follow(&application, &checked).await)),
                    (Due::Follow, None) => Some(None),
                }
            };
            let known = tokio::select! {
                () = stop.cancelled() => return,
                known = contained(errand) => known,
            };
            match known {
                Ok(Some(known)) => drop(told.send(Happened::Checked(key, known)).await),
                Ok(None) => {}
                Err(why) => tracing::error!("the checks of {key}: {why}"),
            }
        });
    }
}

/// Waits until all of a kind is known, or nobody lists it any more.
async fn is_listed(mut listing: watch::Receiver<bool>) {
    let _given_up = listing.wait_for(|listed| *listed).await;
}

/// Runs an errand as a task of its own: a bug in it is what that errand has come to, and ends nothing else.
async fn contained<T: Send + 'static>(errand: impl Future<Output = T> + Send + 'static) -> Result<T, String> {
    let task = AbortOnDropHandle::new(tokio::spawn(errand));
    task.await.map_err(|broken| format!("a bug of ours: {broken}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_errand_that_panics_has_come_to_a_bug_of_ours() {
        let broken = contained(async { panic!("at once") }).await;
        let told: Result<(), String> = broken;
        assert!(told.expect_err("it broke").starts_with("a bug of ours: "));
        assert_eq!(contained(async { 7 }).await, Ok(7));
    }
}
