//! The task that steps the controllers.

use std::sync::Arc;
use std::time::Duration;

use landfall_apiserver::Plane;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::runtime::Runtime;

/// How long (of real time) nothing must happen before virtual time jumps on: clients answer within this.
const QUIET: Duration = Duration::from_millis(2);

/// How long a client may leave a watch unread before it is taken to have lost interest.
const PATIENCE: Duration = Duration::from_millis(250);

/// What is stepped: the state and the controllers over it.
pub(super) struct Driven {
    pub(super) plane: Arc<Plane>,
    pub(super) runtime: Arc<Mutex<Runtime>>,
}

pub(super) async fn run(driven: Driven, stop: CancellationToken) {
    let Driven { plane, runtime } = driven;
    let mut changed = plane.world.lock().subscribe();
    let mut waiting_since: Option<tokio::time::Instant> = None;
    loop {
        changed.borrow_and_update();
        let due = runtime.lock().settle(&plane.world);
        let (now, clock) = {
            let world = plane.world.lock();
            (world.now(), world.clock().clone())
        };
        // Sleepers count like controllers' timers.
        let alarm = if clock.as_virtual().is_some() { plane.alarms.ring(now) } else { None };
        let wake = [due, alarm].into_iter().flatten().min();
        let pause = match (clock.as_virtual(), wake) {
            (Some(_), Some(_)) => Some(QUIET),
            (None, Some(wake)) => Some(Duration::try_from(wake.duration_since(now)).unwrap_or_default()),
            (_, None) => None,
        };
        let requests = plane.activity.total();
        tokio::select! {
            () = stop.cancelled() => return,
            result = changed.changed() => if result.is_err() { return },
            () = plane.alarms.set.notified() => {}
            () = sleep(pause) => {
                let quiet = plane.activity.running() == 0 && plane.activity.total() == requests;
                let version = plane.world.lock().version();
                let read = plane.watchers.at_rest(version)
                    || waiting_since.get_or_insert_with(tokio::time::Instant::now).elapsed() > PATIENCE;
                // A sleeper may have gone since.
                let wake = [due, plane.alarms.ring(now)].into_iter().flatten().min();
                if let (Some(clock), Some(wake)) = (clock.as_virtual(), wake.filter(|_| quiet && read)) {
                    clock.advance_to(wake);
                    waiting_since = None;
                }
            }
        }
    }
}

/// How often everybody else gets a turn before virtual time moves: whoever was woken may wake another.
const TURNS: usize = 8;

/// Steps the controllers; moves virtual time only while somebody sleeps on it and nothing else is left to be done.
pub(super) async fn run_awaited(driven: Driven, stop: CancellationToken) {
    let Driven { plane, runtime } = driven;
    let mut changed = plane.world.lock().subscribe();
    let mut impatient = false;
    loop {
        changed.borrow_and_update();
        let due = runtime.lock().settle(&plane.world);
        let (now, clock) = {
            let world = plane.world.lock();
            (world.now(), world.clock().clone())
        };
        let sleeper = plane.alarms.ring(now);
        if let (Some(clock), Some(_)) = (clock.as_virtual(), sleeper)
            && is_at_rest(&plane, impatient).await
            // A sleeper may have gone since.
            && let Some(alarm) = plane.alarms.ring(now)
        {
            clock.advance_to(due.map_or(alarm, |due| due.min(alarm)));
            impatient = false;
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            result = changed.changed() => if result.is_err() { return },
            () = plane.alarms.set.notified() => {}
            () = plane.activity.ended.notified() => {}
            () = plane.watchers.rested.notified() => {}
            () = sleep(sleeper.map(|_| PATIENCE)) => impatient = true,
        }
    }
}

/// Whether nothing happens although everybody had a turn.
async fn is_at_rest(plane: &Plane, impatient: bool) -> bool {
    let moment = || (plane.world.lock().version(), plane.activity.total());
    let (version, requests) = moment();
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
        let read = impatient || plane.watchers.at_rest(version);
        if plane.activity.running() > 0 || !read || moment() != (version, requests) {
            return false;
        }
    }
    true
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}
