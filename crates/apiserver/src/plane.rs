//! What handlers, storage and whoever steps controllers share.

use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_object::schema::Schemas;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::audit::AuditLog;
use crate::credentials::Credentials;
use crate::documents::Documents;
use crate::unwritable::Unwritable;
use crate::world::World;

/// Everything of one cluster that outlives a request.
pub struct Plane {
    /// The state.
    pub world: Mutex<World>,
    /// Keys, certificates and the admin's token.
    pub credentials: Arc<Credentials>,
    pub(crate) documents: Mutex<Documents>,
    /// Who asked for what.
    pub audit: AuditLog,
    pub(crate) last_modes: crate::api::LastModes,
    /// Requests under way.
    pub activity: Activity,
    /// Who sleeps on the cluster's clock.
    pub alarms: crate::alarms::Alarms,
    /// Watches that are open.
    pub watchers: Arc<crate::watchers::Watchers>,
    /// What is on disk; `None` when nothing is kept.
    pub(crate) durable: Option<watch::Receiver<Durable>>,
    /// What containers answer.
    pub containers: Arc<dyn crate::containers::Containers>,
}

/// How long it may take to notice that there is room again: twice as long as it is looked for.
const NOTICED: Duration = Duration::from_millis(400);

/// How much of the world is on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable {
    /// The newest resource version that is.
    pub(crate) written: u64,
    /// Why nothing newer can be written, for as long as that is so.
    pub(crate) failing: Option<Unwritable>,
}

impl Plane {
    pub(crate) fn over(
        world: Mutex<World>,
        credentials: Arc<Credentials>,
        containers: Arc<dyn crate::containers::Containers>,
        durable: Option<watch::Receiver<Durable>>,
    ) -> Self {
        Self {
            world,
            credentials,
            documents: Mutex::default(),
            audit: AuditLog::default(),
            last_modes: crate::api::LastModes::default(),
            activity: Activity::default(),
            alarms: crate::alarms::Alarms::default(),
            watchers: Arc::default(),
            durable,
            containers,
        }
    }

    /// The same authority over a world that was forked from this one's; nothing of it is kept.
    pub fn fork(&self, world: World, containers: Arc<dyn crate::containers::Containers>) -> Self {
        Self::over(Mutex::new(world), self.credentials.clone(), containers, None)
    }

    /// What is known about kinds now.
    pub(crate) fn schemas(&self) -> Arc<Schemas> {
        self.world.lock().schemas().clone()
    }

    /// Waits until everything written up to `version` is on disk.
    ///
    /// # Errors
    /// Why it cannot be written.
    #[boxed]
    pub async fn persisted(&self, version: u64) -> Result<(), Unwritable> {
        let Some(durable) = &self.durable else { return Ok(()) };
        let mut durable = durable.clone();
        let reached = durable.wait_for(|now| now.written >= version || now.failing.is_some()).await;
        match reached {
            Ok(now) if now.written >= version => Ok(()),
            Ok(now) => Err(now.failing.clone().unwrap_or_else(unwritable)),
            // The writer has ended; what it said last stands.
            Err(_) => Err(self.failing().unwrap_or_else(unwritable)),
        }
    }

    /// Waits until something can be written to disk, at most for as long as a disk with room again is not noticed.
    ///
    /// # Errors
    /// Why nothing can.
    pub(crate) async fn writable(&self) -> Result<(), Unwritable> {
        let (Some(durable), Some(why)) = (&self.durable, self.failing()) else { return Ok(()) };
        let mut durable = durable.clone();
        match tokio::time::timeout(NOTICED, durable.wait_for(|now| now.failing.is_none())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(why),
        }
    }

    /// Why nothing can be written to disk now.
    fn failing(&self) -> Option<Unwritable> {
        self.durable.as_ref().and_then(|durable| durable.borrow().failing.clone())
    }
}

fn unwritable() -> Unwritable {
    Unwritable::Otherwise(Arc::from("the cluster's state can no longer be written to disk"))
}

/// How many requests are under way, without watches; virtual time stands still while there are any.
#[derive(Default)]
pub struct Activity {
    running: std::sync::atomic::AtomicUsize,
    total: std::sync::atomic::AtomicU64,
    /// Told whenever a request or hold ends.
    pub ended: tokio::sync::Notify,
}

/// Counts one request for as long as it lives.
pub struct Running<'a>(&'a Activity);

impl Activity {
    /// Counts a request until the guard is dropped.
    pub fn begin(&self) -> Running<'_> {
        self.running.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        self.total.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        Running(self)
    }

    /// Counts like a request until [`Activity::release`].
    pub fn hold(&self) {
        self.running.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
    }

    /// Ends a [`Activity::hold`].
    pub fn release(&self) {
        self.running.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
        self.total.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        self.ended.notify_one();
    }

    /// Requests under way.
    pub fn running(&self) -> usize {
        self.running.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Requests ever begun.
    pub fn total(&self) -> u64 {
        self.total.load(std::sync::atomic::Ordering::Acquire)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
        self.0.ended.notify_one();
    }
}
