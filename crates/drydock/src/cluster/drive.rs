//! The task that steps the controllers.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::plane::Plane;

/// How long (of real time) nothing must happen before virtual time jumps on: clients answer within this.
const QUIET: Duration = Duration::from_millis(2);

pub(super) async fn run(plane: Arc<Plane>, stop: CancellationToken) {
    let mut changed = plane.world.lock().subscribe();
    loop {
        changed.borrow_and_update();
        let wake = plane.runtime.lock().settle(&plane.world);
        let (now, clock) = {
            let world = plane.world.lock();
            (world.now(), world.clock().clone())
        };
        // Sleepers count like controllers' timers.
        let alarm = if clock.as_virtual().is_some() { plane.alarms.ring(now) } else { None };
        let wake = [wake, alarm].into_iter().flatten().min();
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
                if let (Some(clock), Some(wake)) = (clock.as_virtual(), wake.filter(|_| quiet)) {
                    clock.advance_to(wake);
                }
            }
        }
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}
