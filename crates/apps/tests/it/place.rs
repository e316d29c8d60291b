use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::BoxFuture;
use landfall_apps::{Application, Applications, HealthWait, Operation, PreparedSync, SyncRequest, Synced, Target};
use landfall_cluster::Cluster;
use landfall_engine::{Clock, Conductor, Event, NoProbe, WallClock};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_store::{Location, Store};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A namespace of its own on a cluster, with a journal of its own.
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) applications: Applications,
    pub(crate) conductor: Conductor,
    /// The commit that is delivered.
    pub(crate) revision: String,
    told: mpsc::Receiver<Event>,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let (cluster, clock) = cluster().await;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("apps-{}-{number}", std::process::id());
        let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, &*namespace);
        cluster.create(&Object::new(&key), &Default::default()).await.expect("a namespace");
        let store = Store::open(Location::Memory).await.expect("a store");
        let (events, told) = mpsc::channel(1000);
        let conductor = Conductor {
            cluster: cluster.clone(),
            store: store.clone(),
            events,
            clock: Arc::clone(&clock),
            probe: Arc::new(NoProbe),
            health: Default::default(),
            stop: CancellationToken::new(),
            new_id: Arc::new(|| format!("op-{:06}", NEXT.fetch_add(1, Ordering::Relaxed))),
        };
        let applications = Applications {
            home: cluster.clone(),
            cluster,
            store,
            clock,
            expected: Default::default(),
            semantics: Default::default(),
            excluded: Default::default(),
            health: Default::default(),
            pens: Default::default(),
            claims: Default::default(),
            barred: Default::default(),
            given_as_live: false,
        };
        let revision = "0123456789abcdef0123456789abcdef01234567".to_owned();
        Place { namespace, applications, conductor, revision, told }
    }

    /// An Application of this namespace with these sync options.
    pub(crate) fn application(&self, options: &[&str]) -> Application {
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": format!("shop-{}", self.namespace), "namespace": self.namespace},
            "spec": {
                "project": "default",
                "source": {"repoURL": "https://git.example.com/shop.git", "path": "deploy", "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": self.namespace},
                "syncPolicy": {"automated": {"prune": true}, "syncOptions": options},
            },
        });
        Application::parse(&Object::from_value(object).expect("a map")).expect("an application")
    }

    /// What is asked for where these objects are wanted.
    pub(crate) fn request(&self, objects: &[Value]) -> SyncRequest {
        let targets = objects
            .iter()
            .map(|value| Target {
                object: Object::from_value(value.clone()).expect("a map"),
                path: "deploy/x.yaml".into(),
            })
            .collect();
        SyncRequest {
            targets,
            revisions: vec![self.revision.clone()],
            prune: None,
            wait: HealthWait::Every,
            timeout: 60,
            operation: Operation::default(),
            attempt: 0,
            project: None,
        }
    }

    pub(crate) async fn prepare(&self, application: &Application, objects: &[Value]) -> PreparedSync {
        let request = self.request(objects);
        self.applications.prepare(application, request).await.expect("prepares")
    }

    pub(crate) async fn sync(&mut self, application: &Application, objects: &[Value]) -> (Synced, Vec<Event>) {
        let prepared = self.prepare(application, objects).await;
        let synced = self.conductor.run(&self.applications, &prepared).await.expect("runs");
        let mut events = Vec::new();
        while let Ok(event) = self.told.try_recv() {
            events.push(event);
        }
        (synced, events)
    }

    pub(crate) async fn get(&self, api_version: &str, kind: &str, name: &str) -> Option<Object> {
        let key = ObjectKey::new(Gvk::from_api_version(api_version, kind), Some(&self.namespace), name);
        self.applications.cluster.get(&key).await.expect("reads")
    }
}

/// The embedded cluster's clock, for the engine.
struct EmbeddedClock(landfall_drydock::Cluster);

impl Clock for EmbeddedClock {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        let cluster = self.0.clone();
        let until = cluster.now().saturating_add(duration).unwrap_or(jiff::Timestamp::MAX);
        Box::pin(async move { cluster.sleep_until(until).await })
    }

    fn hold(&self) -> Box<dyn Send> {
        Box::new(self.0.hold())
    }
}

/// The cluster to test on and its clock.
async fn cluster() -> (Cluster, Arc<dyn Clock>) {
    if let Ok(path) = std::env::var("LANDFALL_TEST_KUBECONFIG") {
        let config = kube::config::Kubeconfig::read_from(path).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await.expect("a configuration");
        return (Cluster::new(kube::Client::try_from(config).expect("a client")), Arc::new(WallClock));
    }
    let options = landfall_drydock::Options { clock: landfall_drydock::Clock::virtual_clock(), ..Default::default() };
    let embedded = landfall_drydock::Cluster::open(options).await.expect("opens");
    (Cluster::new(embedded.client()), Arc::new(EmbeddedClock(embedded)))
}

/// What a request says of itself: `GET /api/v1/namespaces/shop/configmaps/a`.
pub(crate) type Heard = Arc<std::sync::Mutex<Vec<String>>>;

/// The same cluster, with what was asked of it; `before` is given each request before it is sent.
pub(crate) fn heard(
    cluster: &Cluster,
    before: impl Fn(&str) -> BoxFuture<'static, ()> + Clone + Send + Sync + 'static,
) -> (Cluster, Heard) {
    let (inner, all) = (cluster.client().clone(), Heard::default());
    let told = Arc::clone(&all);
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (inner, before) = (inner.clone(), before.clone());
        let said = format!("{} {}", request.method(), request.uri());
        told.lock().expect("not poisoned").push(said.clone());
        async move {
            before(&said).await;
            inner.send(request).await
        }
    });
    (Cluster::new(kube::Client::new(service, "default")), all)
}
