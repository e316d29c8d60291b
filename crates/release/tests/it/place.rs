use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use landfall_cluster::Cluster;
use landfall_engine::{Clock, Conductor, Event, NoProbe, Probe, WallClock};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_release::{Delivered, Error, Prepared, Releases};
use landfall_store::{Location, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A namespace of its own on a cluster, with a journal of its own.
pub(crate) struct Place {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    embedded: Option<landfall_drydock::Cluster>,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::on(cluster(&[]).await).await
    }

    /// One where this goes wrong; `None` where nothing can be made to.
    pub(crate) async fn with_faults(faults: &[&str]) -> Option<Self> {
        match std::env::var("LANDFALL_TEST_KUBECONFIG") {
            Ok(_) => None,
            Err(_) => Some(Self::on(cluster(faults).await).await),
        }
    }

    async fn on((cluster, clock, embedded): (Cluster, Arc<dyn Clock>, Option<landfall_drydock::Cluster>)) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("it-{}-{number}", std::process::id());
        let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, &*namespace);
        cluster.create(&Object::new(&key), &Default::default()).await.expect("a namespace");
        let store = Store::open(Location::Memory).await.expect("a store");
        Place { cluster, namespace, store, clock, embedded }
    }

    pub(crate) fn releases(&self) -> Releases {
        Releases::new(self.cluster.clone(), &*self.namespace, Arc::clone(&self.clock))
    }

    pub(crate) async fn run(&self, prepared: &Prepared) -> Result<Delivered, Error> {
        self.run_with(prepared, Arc::new(NoProbe)).await.0
    }

    pub(crate) fn conductor(&self, probe: Arc<dyn Probe>) -> (Conductor, mpsc::Receiver<Event>) {
        let (events, told) = mpsc::channel(1000);
        let conductor = Conductor {
            cluster: self.cluster.clone(),
            store: self.store.clone(),
            events,
            clock: Arc::clone(&self.clock),
            probe,
            health: Default::default(),
            stop: CancellationToken::new(),
            new_id: Arc::new(|| format!("op-{:06}", NEXT.fetch_add(1, Ordering::Relaxed))),
        };
        (conductor, told)
    }

    pub(crate) async fn run_with(
        &self,
        prepared: &Prepared,
        probe: Arc<dyn Probe>,
    ) -> (Result<Delivered, Error>, Vec<Event>) {
        let (conductor, mut told) = self.conductor(probe);
        let result = conductor.run(&self.releases(), prepared).await;
        drop(conductor);
        let mut events = Vec::new();
        while let Some(event) = told.recv().await {
            events.push(event);
        }
        (result, events)
    }

    pub(crate) async fn get(&self, api_version: &str, kind: &str, name: &str) -> Option<Object> {
        let key = ObjectKey::new(Gvk::from_api_version(api_version, kind), Some(&self.namespace), name);
        self.cluster.get(&key).await.expect("reads")
    }

    /// Runs stock helm on the same cluster. The test fails where no helm has been built: it would show nothing.
    pub(crate) async fn helm(&self, arguments: &[&str]) -> String {
        let helm = oracles::built("helm").unwrap_or_else(|why| panic!("{why}"));
        let directory = tempfile::tempdir().expect("a directory");
        let mut served = None;
        let kubeconfig = match &self.embedded {
            None => std::env::var("LANDFALL_TEST_KUBECONFIG").expect("was set before"),
            Some(embedded) => {
                let address = ([127, 0, 0, 1], 0).into();
                let serving = served.insert(embedded.serve(address).await.expect("is served"));
                let path = directory.path().join("kubeconfig");
                std::fs::write(&path, serving.kubeconfig()).expect("writes");
                path.display().to_string()
            }
        };
        let output = tokio::process::Command::new(helm)
            .args(arguments)
            .args(["--namespace", &self.namespace, "--kubeconfig", &kubeconfig])
            .env("HOME", directory.path())
            .output()
            .await
            .expect("helm runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "helm {arguments:?}: {text}");
        text
    }
}

/// The embedded cluster's clock, for the engine.
struct EmbeddedClock(landfall_drydock::Cluster);

impl Clock for EmbeddedClock {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn sleep(&self, duration: std::time::Duration) -> futures::future::BoxFuture<'static, ()> {
        let cluster = self.0.clone();
        let until = cluster.now().saturating_add(duration).unwrap_or(jiff::Timestamp::MAX);
        Box::pin(async move { cluster.sleep_until(until).await })
    }

    fn hold(&self) -> Box<dyn Send> {
        Box::new(self.0.hold())
    }
}

/// The cluster to test on, its clock, and the embedded one when it is that.
async fn cluster(faults: &[&str]) -> (Cluster, Arc<dyn Clock>, Option<landfall_drydock::Cluster>) {
    if let Ok(path) = std::env::var("LANDFALL_TEST_KUBECONFIG") {
        let config = kube::config::Kubeconfig::read_from(path).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await.expect("a configuration");
        return (Cluster::new(kube::Client::try_from(config).expect("a client")), Arc::new(WallClock), None);
    }
    let play = landfall_drydock::Play {
        faults: faults.iter().map(|fault| fault.parse().expect("a fault")).collect(),
        ..Default::default()
    };
    let options = landfall_drydock::Options {
        clock: landfall_drydock::Clock::virtual_clock(),
        control_plane: landfall_drydock::ControlPlane { play, ..Default::default() },
        ..Default::default()
    };
    let embedded = landfall_drydock::Cluster::open(options).await.expect("opens");
    (Cluster::new(embedded.client()), Arc::new(EmbeddedClock(embedded.clone())), Some(embedded))
}
