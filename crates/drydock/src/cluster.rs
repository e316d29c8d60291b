//! A cluster: opened, called in process, served on loopback, stepped through virtual time.

mod drive;

use std::net::SocketAddr;
use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use jiff::Timestamp;
use landfall_apiserver::{
    AuditEntry, Authority, Clock, Error, Opening, Plane, Randomness, ServeLimits, Served, Service, Settings, Storage,
    World,
};
use landfall_object::SIMULATED;
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::behaviour::{Behaviour, Play};
use crate::controllers::ControlPlane;
use crate::ingress::{IngressError, IngressOptions, IngressServer};
use crate::kubelet;
use crate::runtime::{Restless, Runtime};

/// Who steps the controllers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drive {
    /// A task of the cluster: after each write and when timers are due. With a virtual clock it also jumps to the
    /// next timer whenever no request is under way.
    #[default]
    Background,
    /// As `Background`, but virtual time moves only while somebody sleeps on the cluster's clock and everybody else
    /// has nothing left to do; the same run then takes the same steps. Wants a runtime of one thread, so that a client
    /// that thinks is never overtaken.
    Awaited,
    /// The owner, by [`Cluster::settle`] and [`Cluster::advance_until`].
    ByHand,
}

/// How a cluster is opened.
pub struct Options {
    /// Where the state lives.
    pub storage: Storage,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where suffixes, UIDs and addresses come from.
    pub randomness: Randomness,
    /// Who steps the controllers.
    pub drive: Drive,
    /// Address ranges, history, admission.
    pub settings: Settings,
    /// Nodes, switches of the simulated control plane, and what containers do at the start.
    pub control_plane: ControlPlane,
    /// The admin's bearer token; without one, the kept or a new random one.
    pub token: Option<String>,
    /// Who signs certificates of the server and of clients; without one, the kept or a new authority.
    pub authority: Option<Authority>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            storage: Storage::Memory,
            clock: Clock::Real,
            randomness: Randomness::from_system(),
            drive: Drive::Background,
            settings: Settings::default(),
            control_plane: ControlPlane::default(),
            token: None,
            authority: None,
        }
    }
}

/// A running embedded cluster; clones are the same one. Its tasks end with the last clone.
#[derive(Clone)]
pub struct Cluster {
    plane: Arc<Plane>,
    runtime: Arc<Mutex<Runtime>>,
    control_plane: ControlPlane,
    behaviour: Arc<Behaviour>,
    drive: Drive,
    stop: CancellationToken,
    _stop_on_drop: Arc<DropGuard>,
}

impl Cluster {
    /// Opens a cluster: loads what is kept, or makes a new one with the system's namespaces, roles and nodes.
    ///
    /// # Errors
    /// [`Error`]; nothing runs then.
    #[boxed]
    pub async fn open(options: Options) -> Result<Self, Error> {
        let Options { storage, clock, randomness, drive, settings, control_plane, token, authority } = options;
        let behaviour = Arc::new(Behaviour::new(control_plane.play.clone()));
        let containers = behaviour.clone();
        let opening = Opening { storage, clock, randomness, settings, token, authority, containers };
        let nodes = |world: &mut World| kubelet::register(world, &control_plane.nodes);
        let (plane, writer) = landfall_apiserver::open(opening, nodes).await?;
        let runtime = Runtime::new(control_plane.stand(&behaviour, &plane.credentials));
        let cluster = Self::start(plane, runtime, control_plane, behaviour, drive);
        if let Some(writer) = writer {
            tokio::spawn(writer.run(cluster.plane.clone(), cluster.stop.clone()));
            cluster.persisted().await?;
        }
        Ok(cluster)
    }

    fn start(
        plane: Plane,
        runtime: Runtime,
        control_plane: ControlPlane,
        behaviour: Arc<Behaviour>,
        drive: Drive,
    ) -> Self {
        let stop = CancellationToken::new();
        let cluster = Self {
            plane: Arc::new(plane),
            runtime: Arc::new(Mutex::new(runtime)),
            control_plane,
            behaviour,
            drive,
            stop: stop.clone(),
            _stop_on_drop: Arc::new(stop.clone().drop_guard()),
        };
        let driven = drive::Driven { plane: cluster.plane.clone(), runtime: cluster.runtime.clone() };
        match drive {
            Drive::Background => drop(tokio::spawn(drive::run(driven, stop))),
            Drive::Awaited => drop(tokio::spawn(drive::run_awaited(driven, stop))),
            Drive::ByHand => {}
        }
        cluster
    }

    /// A cluster in memory that starts with this one's state and then goes its own way; with a virtual clock that
    /// starts at the same time.
    pub fn fork(&self, clock: ForkClock) -> Self {
        let behaviour = Arc::new(self.behaviour.fork());
        // In the order in which settling takes them: what the controllers have seen is what the world shows.
        let (mut world, runtime) = {
            let runtime = self.runtime.lock();
            let world = self.plane.world.lock();
            (world.fork(), runtime.fork(&behaviour))
        };
        if clock == ForkClock::Virtual {
            let now = world.now();
            world.set_clock(Clock::virtual_at(now));
        }
        let plane = self.plane.fork(world, behaviour.clone());
        Self::start(plane, runtime, self.control_plane.clone(), behaviour, self.drive)
    }

    /// Puts another play on, without writing it into the cluster.
    pub fn perform(&self, play: Play) {
        self.behaviour.set(play);
    }

    /// All objects that are stored, by resource, namespace and name.
    pub fn objects(&self) -> Vec<landfall_object::Object> {
        self.plane.world.lock().objects_of_all()
    }

    /// Puts objects of another cluster in place as they are, statuses and identities included, definitions first;
    /// gives those of kinds that are not served. Its nodes are simulated here.
    pub fn import(&self, mut objects: Vec<landfall_object::Object>) -> Vec<landfall_object::Object> {
        for node in objects.iter_mut().filter(|it| it.group().is_empty() && it.kind() == "Node") {
            if node.annotation(SIMULATED).is_none() {
                node.set_annotation(SIMULATED, "true");
            }
        }
        self.plane.world.lock().import(objects)
    }

    /// The API as a service that needs no socket; requests without credentials are the admin's.
    pub fn service(&self) -> Service {
        Service::in_process(self.plane.clone())
    }

    /// A client of the API in this process.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.service(), "default")
    }

    /// Reads or changes the state directly, with no request waiting in between.
    pub fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(&mut self.plane.world.lock())
    }

    /// The present instant of the cluster's clock.
    pub fn now(&self) -> Timestamp {
        self.plane.world.lock().now()
    }

    /// Virtual time stands still while the guard lives: for a client that works between its requests.
    pub fn hold(&self) -> Hold {
        self.plane.activity.hold();
        Hold { plane: Arc::clone(&self.plane) }
    }

    /// Sleeps until an instant of the cluster's clock; virtual time jumps there when nothing else is to be done before.
    ///
    /// With a virtual clock the cluster must be driven in the background, or the owner must advance it.
    #[boxed]
    pub async fn sleep_until(&self, instant: Timestamp) {
        let clock = self.plane.world.lock().clock().clone();
        if clock.as_virtual().is_none() {
            let rest = instant.duration_since(clock.now());
            tokio::time::sleep(std::time::Duration::try_from(rest).unwrap_or_default()).await;
        } else if clock.now() < instant && self.plane.alarms.set(instant).await.is_err() {
            // The cluster is gone, and its time with it.
            std::future::pending::<()>().await;
        }
    }

    /// Steps the controllers until none has anything to do at the present time; gives the next instant at which
    /// one has.
    pub fn settle(&self) -> Option<Timestamp> {
        self.runtime.lock().settle(&self.plane.world)
    }

    /// What the simulated controllers write without ever coming to rest, once they did not.
    pub fn restless(&self) -> Option<Restless> {
        self.runtime.lock().restless().cloned()
    }

    /// Settles, and jumps from timer to timer until `done` says so or `deadline` is reached; true when done.
    /// With the machine's clock there is nothing to jump: it settles once.
    pub fn advance_until(&self, deadline: Timestamp, mut done: impl FnMut(&World) -> bool) -> bool {
        loop {
            let wake = self.settle();
            let world = self.plane.world.lock();
            if done(&world) {
                return true;
            }
            let Some(clock) = world.clock().as_virtual() else { return false };
            if world.now() >= deadline {
                return false;
            }
            clock.advance_to(wake.map_or(deadline, |wake| wake.min(deadline)));
        }
    }

    /// Waits until everything written so far is on disk; at once where nothing is kept.
    ///
    /// # Errors
    /// [`Error::Unwritten`] when it cannot be written.
    #[boxed]
    pub async fn persisted(&self) -> Result<(), Error> {
        let version = self.plane.world.lock().version();
        Ok(self.plane.persisted(version).await?)
    }

    /// The last requests that changed something or were refused, oldest first.
    pub fn audit(&self) -> Vec<AuditEntry> {
        self.plane.audit.entries()
    }

    /// The admin's bearer token.
    pub fn token(&self) -> &str {
        self.plane.credentials.token()
    }

    /// PEM of the authority that signs the served certificate.
    pub fn authority(&self) -> &str {
        self.plane.credentials.authority()
    }

    /// A client certificate for a user in groups, signed by the cluster's authority: certificate and key, as PEM.
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn client_certificate(&self, user: &str, groups: &[&str]) -> Result<(String, String), Error> {
        self.plane.credentials.client_certificate(user, groups)
    }

    /// Serves the API over TLS; port 0 takes a free one.
    ///
    /// # Errors
    /// [`Error::Listen`] when the address cannot be bound.
    #[boxed]
    pub async fn serve(&self, address: SocketAddr) -> Result<Served, Error> {
        self.serve_within(address, ServeLimits::default()).await
    }

    /// The same with other limits for its clients.
    ///
    /// # Errors
    /// [`Error::Listen`] when the address cannot be bound.
    #[boxed]
    pub async fn serve_within(&self, address: SocketAddr, limits: ServeLimits) -> Result<Served, Error> {
        landfall_apiserver::serve(&self.plane, address, limits, self.stop.child_token()).await
    }

    /// A kubeconfig for an address at which this cluster is served.
    pub fn kubeconfig(&self, server: &str) -> String {
        landfall_apiserver::kubeconfig(server, self.authority(), self.token())
    }

    /// What the containers do and what goes wrong, as it is now.
    pub fn play(&self) -> Arc<Play> {
        self.behaviour.play()
    }

    /// Serves the rules of Ingress and IngressRoute objects until the server is dropped.
    ///
    /// # Errors
    /// [`IngressError`] when no port can be had.
    #[boxed]
    pub async fn serve_ingress(&self, options: &IngressOptions) -> Result<IngressServer, IngressError> {
        crate::ingress::serve(self.plane.clone(), options).await
    }

    /// How many requests have ever been begun; a host that sees no more of them may end.
    pub fn requests(&self) -> u64 {
        self.plane.activity.total()
    }

    /// Ends the cluster's tasks.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

/// Keeps virtual time from moving on.
pub struct Hold {
    plane: Arc<Plane>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.plane.activity.release();
    }
}

/// Which clock a fork gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkClock {
    /// One like the original's.
    Same,
    /// A virtual one.
    Virtual,
}
