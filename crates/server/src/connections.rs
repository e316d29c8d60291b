//! Who repositories are asked as and how other clusters are reached: Argo CD's labelled Secrets, watched. Of them only what
//! is needed to ask is kept, in memory alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::http::HeaderValue;
use futures::StreamExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use landfall_apps::{AUTHORITIES, Application, Claims, ClusterConnection, Connection, KNOWN_HOSTS, connection, trust};
use landfall_cluster::{Change, Cluster, Interest, ListOptions};
use landfall_object::{Gvk, Object};
use landfall_secrets::sops::SopsKeys;
use landfall_source::{Accounts, Trust};
use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc::Sender;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::happened::Happened;
use crate::sops_identities::{SopsIdentities, SopsSecret};

/// The namespace whose Secrets are believed.
const NAMESPACE: &str = "argocd";
/// How long a cluster may take to answer a connection: one that is gone is told soon.
const CONNECTING: Duration = Duration::from_secs(5);
/// Comparisons at once, with one cluster: each waits a tenth of a second for the API server, and less long for a processor.
const COMPARING: usize = 16;
/// Of them, while syncs are under way: what a comparison reads is given to the sync that follows if it follows soon, and is read again
/// where the syncs fall behind.
const COMPARING_BESIDE: usize = 4;
/// Syncs at once, to one cluster.
const SYNCING: usize = 16;
/// How long it holds which kinds a cluster serves: a push that touches many Applications asks that of each, several times. Whoever
/// brings a kind and then an Application of it takes longer.
pub(crate) const KINDS: Duration = Duration::from_millis(250);

/// The addresses and names of the cluster that an Application lives in itself.
const HERE: [&str; 3] = ["https://kubernetes.default.svc", "in-cluster", ""];

/// A cluster that is delivered to. Each has places of its own, so that one that does not answer keeps nobody else waiting.
pub(crate) struct Destination {
    /// Its address; empty for the cluster that Applications live in.
    pub(crate) server: Arc<str>,
    /// The cluster; or why nothing leads to it.
    pub(crate) cluster: Result<Cluster, String>,
    /// Ends what listens to it.
    pub(crate) stop: CancellationToken,
    /// Places for comparisons.
    pub(crate) comparing: Comparing,
    /// Places for syncs.
    pub(crate) syncing: Arc<Semaphore>,
    /// What its objects say of whose they are.
    pub(crate) claims: Claims,
    declared: Option<ClusterConnection>,
    /// The same cluster as others reach it, by their names: each learns what is served there for itself.
    acting: Mutex<BTreeMap<String, Cluster>>,
}

/// Places for comparisons with a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Comparing {
    all: Arc<Semaphore>,
    beside_syncs: Arc<Semaphore>,
    syncing: Arc<Semaphore>,
}

/// A place for a comparison, as long as it is held.
pub(crate) type Place<'a> = (SemaphorePermit<'a>, Option<SemaphorePermit<'a>>);

impl Comparing {
    fn beside(syncing: &Arc<Semaphore>) -> Self {
        let places = |many| Arc::new(Semaphore::new(many));
        Comparing { all: places(COMPARING), beside_syncs: places(COMPARING_BESIDE), syncing: Arc::clone(syncing) }
    }

    /// Waits for a place; nothing where nobody gives any out any more.
    pub(crate) async fn place(&self) -> Option<Place<'_>> {
        let place = self.all.acquire().await.ok()?;
        let is_beside = self.syncing.available_permits() < SYNCING;
        let beside = if is_beside { Some(self.beside_syncs.acquire().await.ok()?) } else { None };
        Some((place, beside))
    }
}

impl Destination {
    fn new(cluster: Result<Cluster, String>, declared: Option<ClusterConnection>, stop: CancellationToken) -> Self {
        let syncing = Arc::new(Semaphore::new(SYNCING));
        Destination {
            server: declared.as_ref().map(|it| it.server.as_str()).unwrap_or_default().into(),
            cluster,
            stop,
            comparing: Comparing::beside(&syncing),
            syncing,
            claims: Claims::default(),
            declared,
            acting: Mutex::default(),
        }
    }

    /// The cluster as a user reaches it: what that one must not do is refused there.
    ///
    /// # Errors
    /// Nothing leads to the cluster, or that is no name of a user.
    pub(crate) fn acting_as(&self, user: &str) -> Result<Cluster, String> {
        if let Some(known) = self.acting.lock().get(user) {
            return Ok(known.clone());
        }
        let client = as_user(self.cluster.clone()?.client().clone(), user)?;
        let cluster = Cluster::new(client).remembering(KINDS);
        let cluster = match &self.declared {
            Some(declared) => cluster.named(&called(declared)),
            None => cluster,
        };
        self.acting.lock().insert(user.to_owned(), cluster.clone());
        Ok(cluster)
    }

    /// Whether it is the cluster that Applications live in.
    pub(crate) fn is_home(&self) -> bool {
        self.declared.is_none()
    }
}

/// A client whose requests are made as a user: what that one must not do is refused.
///
/// # Errors
/// That is no name of a user.
pub(crate) fn as_user(client: kube::Client, user: &str) -> Result<kube::Client, String> {
    let named = HeaderValue::from_str(user).map_err(|_| format!("`{user}` is no name of a user"))?;
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |mut request: ::http::Request<kube::client::Body>| {
        let client = client.clone();
        request.headers_mut().insert("impersonate-user", named.clone());
        async move { client.send(request).await }
    });
    Ok(kube::Client::new(service, namespace))
}

/// All that is known of them.
pub(crate) struct Connections {
    home: Arc<Destination>,
    accounts: RwLock<Accounts>,
    sops: RwLock<SopsIdentities>,
    elsewhere: RwLock<Vec<Arc<Destination>>>,
    /// What Secrets call the cluster that Applications live in.
    home_names: RwLock<BTreeSet<String>>,
    /// Whether Secrets could be read at all: where they could not, a cluster that is not known may be there.
    reads_secrets: AtomicBool,
    stop: CancellationToken,
}

/// The address of the cluster that an Application delivers to, or its name: what was filled in of both is one cluster.
fn place(application: &Application) -> &str {
    let wanted = &application.destination;
    match wanted.server.trim_end_matches('/') {
        "" => &wanted.name,
        server => server,
    }
}

/// What the Secrets and ConfigMaps say, by their names.
#[derive(Default)]
struct Declared {
    secrets: BTreeMap<String, Connection>,
    /// Whether Secrets could be read at all.
    has_secrets: bool,
    trust: BTreeMap<String, Trust>,
    sops: BTreeMap<String, SopsSecret>,
}

impl Connections {
    /// Only the cluster that Applications live in, and nobody's login.
    pub(crate) fn new(home: Cluster, stop: &CancellationToken) -> Self {
        Connections {
            home: Arc::new(Destination::new(Ok(home), None, stop.child_token())),
            accounts: RwLock::default(),
            sops: RwLock::default(),
            elsewhere: RwLock::default(),
            home_names: RwLock::default(),
            reads_secrets: AtomicBool::new(false),
            stop: stop.clone(),
        }
    }

    /// Who repositories are asked as for the Applications of a project.
    pub(crate) fn accounts(&self, project: &str) -> Accounts {
        self.accounts.read().of_project(project)
    }

    /// What opens the files of a project that SOPS has encrypted; `own` is what the server was started with.
    pub(crate) fn sops(&self, project: &str, own: &SopsKeys) -> SopsKeys {
        self.sops.read().of_project(project, own)
    }

    /// The cluster that Applications live in.
    pub(crate) fn home(&self) -> Arc<Destination> {
        Arc::clone(&self.home)
    }

    /// Where an Application delivers to.
    ///
    /// # Errors
    /// No Secret leads there for its project, or several do, each elsewhere.
    pub(crate) fn destination(&self, application: &Application) -> Result<Arc<Destination>, String> {
        let place = place(application);
        let Some(found) = self.cluster_of(application)? else {
            return Err(format!(
                "destination {place} is no cluster that a Secret leads to (label argocd.argoproj.io/secret-type: cluster, in the namespace {NAMESPACE})"
            ));
        };
        let scope = found.declared.as_ref().and_then(|known| known.project.as_deref());
        if scope.is_some_and(|project| project != application.project) {
            return Err(format!("destination {place} is for another project than {}", application.project));
        }
        Ok(found)
    }

    /// Where an Application delivers to, when that is a cluster that no Secret leads to; only where Secrets could be read.
    pub(crate) fn lost(&self, application: &Application) -> Option<String> {
        let is_lost = self.reads_secrets.load(Ordering::Relaxed) && matches!(self.cluster_of(application), Ok(None));
        is_lost.then(|| place(application).to_owned())
    }

    /// The cluster of an Application; an error where its name is that of several, as Argo CD has it (util/db/cluster.go): which of
    /// them is meant is for nobody to guess.
    fn cluster_of(&self, application: &Application) -> Result<Option<Arc<Destination>>, String> {
        let wanted = place(application);
        if HERE.contains(&wanted) {
            return Ok(Some(self.home()));
        }
        let has_address = application.destination.server.contains(wanted);
        let elsewhere = self.elsewhere.read();
        let is_it = |known: &ClusterConnection| wanted == if has_address { &known.server } else { &known.name };
        let mut all = elsewhere.iter().filter(|one| one.declared.as_ref().is_some_and(is_it));
        let found = all.next().map(Arc::clone);
        if has_address {
            return Ok(found);
        }
        let home = self.home_names.read().contains(wanted).then(|| self.home());
        let others = all.filter(|one| found.as_ref().is_some_and(|found| found.server != one.server));
        let servers: BTreeSet<&str> = found.iter().chain(others).map(|one| &*one.server).collect();
        let servers: Vec<&str> = home.iter().map(|_| HERE[0]).chain(servers).collect();
        if servers.len() > 1 {
            return Err(format!(
                "there are {} clusters with the same name {wanted}: {}; spec.destination.server says which",
                servers.len(),
                servers.join(", ")
            ));
        }
        Ok(found.or(home))
    }

    /// The same Application, with both the address and the name of where it delivers to: projects speak of either.
    pub(crate) fn completed(&self, mut application: Application) -> Application {
        let Ok(found) = self.destination(&application) else { return application };
        match &found.declared {
            Some(known) => {
                application.destination.server.clone_from(&known.server);
                application.destination.name.clone_from(&known.name);
            }
            // By a name of its own.
            None if !HERE.contains(&place(&application)) => HERE[0].clone_into(&mut application.destination.server),
            None => {}
        }
        application
    }

    /// Reads what there is, and then watches it until it is told to stop: what has changed is told on. A cluster that does
    /// not let its Secrets be read is worked with without them.
    pub(crate) async fn keep(self: Arc<Self>, told: Sender<Happened>) -> impl Future<Output = ()> + Send {
        let cluster = self.home.cluster.clone();
        let mut declared = Declared::default();
        if let Ok(cluster) = &cluster {
            for gvk in [Gvk::new("", "v1", "Secret"), Gvk::new("", "v1", "ConfigMap")] {
                let options = ListOptions { namespace: Some(NAMESPACE.to_owned()), ..ListOptions::default() };
                match cluster.list(&gvk, &options).await {
                    Ok(objects) => {
                        declared.has_secrets |= gvk.kind == "Secret";
                        objects.iter().for_each(|object| declared.take(object));
                    }
                    Err(error) => tracing::warn!("{} of {NAMESPACE} cannot be read: {error}", gvk.kind),
                }
            }
        }
        self.know(&declared).await;
        async move {
            let Ok(cluster) = cluster else { return };
            let interest = |kind: &str, name: Option<&str>| Interest {
                gvk: Gvk::new("", "v1", kind),
                namespace: Some(NAMESPACE.to_owned()),
                name: name.map(str::to_owned),
            };
            let interests = vec![
                interest("Secret", None),
                interest("ConfigMap", Some(KNOWN_HOSTS)),
                interest("ConfigMap", Some(AUTHORITIES)),
            ];
            let mut changes = cluster.observe(interests);
            loop {
                let change = tokio::select! {
                    () = self.stop.cancelled() => return,
                    change = changes.next() => change,
                };
                match change {
                    Some(Ok(Change::Listed(interest, objects))) => {
                        declared.forget(&interest);
                        declared.has_secrets |= interest.gvk.kind == "Secret";
                        objects.iter().for_each(|object| declared.take(object));
                    }
                    Some(Ok(Change::Applied(object))) => declared.take(&object),
                    Some(Ok(Change::Deleted(object))) => declared.lose(&object),
                    Some(Ok(Change::Interrupted(_))) => continue,
                    Some(Err(error)) => {
                        tracing::warn!("logins and clusters are not kept up to date: {error}");
                        continue;
                    }
                    None => return,
                }
                if let Some(moved) = self.know(&declared).await
                    && told.send(Happened::Connected(moved)).await.is_err()
                {
                    return;
                }
            }
        }
    }

    /// Takes over what is declared; the clusters that are reached otherwise now, where anything is otherwise at all.
    async fn know(&self, declared: &Declared) -> Option<Vec<Arc<str>>> {
        let mut accounts = Vec::new();
        let mut clusters: Vec<&ClusterConnection> = Vec::new();
        let mut home_names = BTreeSet::new();
        for connection in declared.secrets.values() {
            match connection {
                Connection::Account(account, _) => accounts.push((**account).clone()),
                // How this server reaches it is known already; it may have a name of its own.
                Connection::Cluster(cluster) if HERE.contains(&cluster.server.as_str()) => {
                    home_names.insert(cluster.name.clone());
                }
                Connection::Cluster(cluster) => clusters.push(cluster),
            }
        }
        let mut trust = Trust::default();
        for one in declared.trust.values() {
            trust.known_hosts.push_str(&one.known_hosts);
            trust.authorities.extend(one.authorities.clone());
        }
        let accounts = Accounts::new(accounts, trust);
        let before = self.elsewhere.read().clone();
        let is_same = |known: &Arc<Destination>, cluster: &ClusterConnection| known.declared.as_ref() == Some(cluster);
        let mut after: Vec<Arc<Destination>> = Vec::new();
        let mut moved: Vec<Arc<str>> = Vec::new();
        for cluster in clusters {
            if let Some(known) = before.iter().find(|known| is_same(known, cluster)) {
                after.push(Arc::clone(known));
                continue;
            }
            let client = client(cluster).await;
            if let Err(why) = &client {
                tracing::warn!("cluster {} cannot be reached: {why}", cluster.name);
            }
            let reached = client.map(|client| Cluster::new(client).remembering(KINDS).named(&called(cluster)));
            let reached = reached.map_err(|why| format!("cluster {}: {why}", cluster.name));
            let destination = Destination::new(reached, Some(cluster.clone()), self.stop.child_token());
            moved.push(Arc::clone(&destination.server));
            after.push(Arc::new(destination));
        }
        for gone in before.iter().filter(|gone| !after.iter().any(|kept| Arc::ptr_eq(kept, gone))) {
            gone.stop.cancel();
            moved.push(Arc::clone(&gone.server));
        }
        let is_called_otherwise = *self.home_names.read() != home_names;
        *self.home_names.write() = home_names;
        *self.elsewhere.write() = after;
        self.reads_secrets.store(declared.has_secrets, Ordering::Relaxed);
        let identities = SopsIdentities::new(declared.sops.values());
        let is_opened_otherwise = *self.sops.read() != identities;
        *self.sops.write() = identities;
        let mut known = self.accounts.write();
        if moved.is_empty() && *known == accounts && !is_opened_otherwise && !is_called_otherwise {
            return None;
        }
        *known = accounts;
        moved.sort();
        moved.dedup();
        Some(moved)
    }
}

impl Declared {
    fn take(&mut self, object: &Object) {
        let name = object.name().to_owned();
        if object.kind() == "ConfigMap" {
            if [KNOWN_HOSTS, AUTHORITIES].contains(&name.as_str()) {
                self.trust.insert(name, trust([object]));
            }
            return;
        }
        match SopsSecret::of(object) {
            Some(Ok(read)) => drop(self.sops.insert(name.clone(), read)),
            unread => {
                if let Some(Err(why)) = unread {
                    tracing::warn!("{why}");
                }
                self.sops.remove(&name);
            }
        }
        match connection(object) {
            Some(Ok(read)) => {
                if let Connection::Account(account, left) = &read
                    && !left.is_empty()
                    && self.secrets.get(&name) != Some(&read)
                {
                    tracing::warn!("{}: {} is not acted on", account.name, left.join(", "));
                }
                self.secrets.insert(name, read);
            }
            Some(Err(why)) => {
                tracing::warn!("{why}");
                self.secrets.remove(&name);
            }
            None => drop(self.secrets.remove(&name)),
        }
    }

    fn lose(&mut self, object: &Object) {
        match object.kind() {
            "ConfigMap" => drop(self.trust.remove(object.name())),
            _ => {
                self.secrets.remove(object.name());
                self.sops.remove(object.name());
            }
        }
    }

    /// Forgets what a list is about to name anew.
    fn forget(&mut self, interest: &Interest) {
        match &interest.name {
            Some(name) => drop(self.trust.remove(name)),
            None => {
                self.secrets.clear();
                self.sops.clear();
            }
        }
    }
}

/// What people call a cluster.
fn called(cluster: &ClusterConnection) -> String {
    match cluster.name.as_str() {
        "" => cluster.server.clone(),
        name => format!("{name} ({})", cluster.server),
    }
}

/// A client of a cluster, by what its Secret says and nothing else.
async fn client(cluster: &ClusterConnection) -> Result<kube::Client, String> {
    let kubeconfig = cluster.kubeconfig()?;
    // Words about what cannot be read may quote it.
    let unreadable = |what: &str| format!("{what} of its Secret cannot be read");
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig.clone()).map_err(|_| unreadable("config"))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|_| unreadable("server or config"))?;
    config.connect_timeout = Some(CONNECTING);
    landfall_cluster::client(config).map_err(|_| unreadable("certificates or key"))
}

#[cfg(test)]
mod tests {
    use landfall_apps::SECRET_TYPE;
    use serde_json::json;

    use super::*;

    fn application(destination: serde_json::Value, project: &str) -> Application {
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
            "spec": {"project": project, "source": {"repoURL": "https://git.example.com/a", "path": "x"}, "destination": destination},
        });
        Application::parse(&Object::from_value(object).expect("a map")).expect("an application")
    }

    fn secret(name: &str, kind: &str, fields: &[(&str, &str)]) -> Object {
        use base64::Engine as _;
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let data: serde_json::Map<String, serde_json::Value> =
            fields.iter().map(|(field, text)| ((*field).to_owned(), encode(text).into())).collect();
        let metadata = json!({"name": name, "namespace": NAMESPACE, "labels": {SECRET_TYPE: kind}});
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
        Object::from_value(object).expect("a map")
    }

    fn connections() -> Connections {
        let uri: ::http::Uri = "http://127.0.0.1:9".parse().expect("an address");
        let client = kube::Client::try_from(kube::Config::new(uri)).expect("a client");
        Connections::new(Cluster::new(client), &CancellationToken::new())
    }

    #[tokio::test]
    async fn a_destination_is_found_by_address_or_name_and_only_for_its_project() {
        let connections = connections();
        let mut declared = Declared::default();
        declared.take(&secret("a", "cluster", &[("name", "edge"), ("server", "https://edge.example.com")]));
        let own = [("name", "own"), ("server", "https://own.example.com"), ("project", "team")];
        declared.take(&secret("b", "cluster", &own));
        let moved = connections.know(&declared).await.expect("something is new");
        assert_eq!(moved.len(), 2);
        assert_eq!(connections.know(&declared).await, None, "nothing is");
        let place = |destination, project: &str| {
            let found = connections.destination(&application(destination, project));
            found.map(|found| found.server.to_string())
        };
        assert_eq!(place(json!({}), "default").as_deref(), Ok(""));
        assert_eq!(place(json!({"server": "https://kubernetes.default.svc/"}), "default").as_deref(), Ok(""));
        assert_eq!(place(json!({"name": "edge"}), "default").as_deref(), Ok("https://edge.example.com"));
        assert_eq!(
            place(json!({"server": "https://edge.example.com/"}), "default").as_deref(),
            Ok("https://edge.example.com")
        );
        assert_eq!(place(json!({"name": "own"}), "team").as_deref(), Ok("https://own.example.com"));
        assert!(place(json!({"name": "own"}), "default").expect_err("another project").contains("another project"));
        assert!(place(json!({"name": "nowhere"}), "default").expect_err("unknown").contains("no cluster"));
        let lost = |destination| connections.lost(&application(destination, "default"));
        assert_eq!(lost(json!({"name": "nowhere"})), None, "Secrets were not read yet");
        declared.has_secrets = true;
        assert_eq!(connections.know(&declared).await, None);
        assert_eq!(lost(json!({"name": "nowhere"})).as_deref(), Some("nowhere"));
        assert_eq!(lost(json!({"server": "https://own.example.com"})), None, "it is there, for another project");
        assert_eq!(lost(json!({"name": "in-cluster"})), None);
        let both = connections.completed(application(json!({"name": "edge"}), "default")).destination;
        assert_eq!((both.server.as_str(), both.name.as_str()), ("https://edge.example.com", "edge"));
        let before = connections.destination(&application(json!({"name": "edge"}), "default")).expect("there");
        declared.lose(&secret("a", "cluster", &[]));
        assert_eq!(connections.know(&declared).await, Some(vec!["https://edge.example.com".into()]));
        assert!(before.stop.is_cancelled(), "nobody listens to it any more");
    }

    #[tokio::test]
    async fn a_name_of_two_clusters_leads_nowhere_and_the_own_cluster_may_have_one() {
        let connections = connections();
        let mut declared = Declared::default();
        declared.take(&secret("b", "cluster", &[("name", "edge"), ("server", "https://edge.example.com")]));
        declared.take(&secret("h", "cluster", &[("name", "home"), ("server", "https://kubernetes.default.svc")]));
        assert!(connections.know(&declared).await.is_some());
        let place = |destination| {
            let found = connections.destination(&application(destination, "default"));
            found.map(|found| found.server.to_string())
        };
        assert_eq!(place(json!({"name": "home"})).as_deref(), Ok(""));
        let home = connections.completed(application(json!({"name": "home"}), "default")).destination;
        assert_eq!((home.server.as_str(), home.name.as_str()), ("https://kubernetes.default.svc", "home"));
        // The first one by its Secret's name is not simply taken.
        declared.take(&secret("a", "cluster", &[("name", "edge"), ("server", "https://other.example.com")]));
        assert!(connections.know(&declared).await.is_some());
        let two = place(json!({"name": "edge"})).expect_err("which?");
        assert!(
            two.starts_with("there are 2 clusters with the same name edge: https://edge.example.com, https://other"),
            "{two}"
        );
        assert_eq!(place(json!({"server": "https://edge.example.com"})).as_deref(), Ok("https://edge.example.com"));
        declared.has_secrets = true;
        declared.take(&secret("i", "cluster", &[("name", "edge"), ("server", "https://kubernetes.default.svc")]));
        assert!(connections.know(&declared).await.is_some(), "the own cluster is called otherwise");
        assert!(place(json!({"name": "edge"})).expect_err("which?").starts_with("there are 3 clusters"));
        assert_eq!(connections.lost(&application(json!({"name": "edge"}), "default")), None);
    }

    #[tokio::test]
    async fn a_login_is_known_until_its_secret_goes() {
        let connections = connections();
        let mut declared = Declared::default();
        let fields = [("url", "https://git.example.com"), ("password", "p")];
        declared.take(&secret("a", "repo-creds", &fields));
        assert_eq!(connections.know(&declared).await, Some(Vec::new()));
        assert_eq!(connections.accounts("x").of("https://git.example.com/a").name, "Secret a");
        declared.take(&secret("a", "something", &fields));
        assert!(connections.know(&declared).await.is_some());
        assert_eq!(connections.accounts("x").of("https://git.example.com/a").name, "");
    }
}
