use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use super::judge::{Findings, Request, judged};
use super::replica::Replica;
use super::wire::Wire;
use super::{APPLICATIONS, Fault, LOST, REPLICAS, SHARDS};
use crate::database::server::Server;
use crate::embedded::{Embedded, Shape};
use crate::http::Endpoint;
use crate::peers;
use crate::testbed::kubeconfig::with_token;
use crate::testbed::{self, Component, Layout, Running};
use crate::workshop::Author;

/// The address of the repository, as the Applications name it.
const REPOSITORY: &str = "https://git.example/fleet.git";
/// Where the leases stand.
const HOME: &str = "landfall";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/landfall/leases";
const APPS: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications";

/// An API server.
enum Api {
    Embedded(Box<Embedded>),
    Original(#[allow(dead_code, reason = "it ends with its value")] Running, PathBuf),
}

/// All that there is.
pub(super) struct World {
    landfall: PathBuf,
    // Before what they talk to.
    replicas: Vec<Replica>,
    api: Api,
    endpoint: Endpoint,
    database: Server,
    runtime: Runtime,
    client: reqwest::Client,
    folder: tempfile::TempDir,
    /// What the embedded cluster's log has said so far: it forgets what is old.
    heard: Vec<Value>,
    /// The commit of each round, from 0.
    commits: Vec<String>,
}

impl World {
    pub(super) fn start(landfall: Option<&Path>, control: bool) -> anyhow::Result<Self> {
        let landfall = peers::landfall(landfall)?;
        let folder = tempfile::Builder::new().prefix("landfall-standby-").tempdir()?;
        let runtime = testbed::runtime()?;
        let database = Server::start()?;
        database.asked("postgres", "CREATE DATABASE fleet")?;
        let (api, endpoint) = if control {
            let audit = testbed::Audit::within(folder.path())?;
            let mut layout = Layout::on_free_ports()?.with(&[Component::Etcd, Component::ApiServer]);
            layout.api_server_flags = audit.flags();
            let running = Running::start(layout)?;
            let endpoint = running.testbed().endpoint()?;
            (Api::Original(running, folder.path().join("audit.log")), endpoint)
        } else {
            let embedded = Embedded::start(Shape::ApiOnly, 0)?;
            let endpoint = embedded.endpoint().clone();
            (Api::Embedded(Box::new(embedded)), endpoint)
        };
        let client = endpoint.client()?;
        let replicas = Vec::new();
        let mut world = World {
            landfall,
            replicas,
            api,
            endpoint,
            database,
            runtime,
            client,
            folder,
            heard: Vec::new(),
            commits: Vec::new(),
        };
        world.git(&["init", "--quiet", "--initial-branch=main", "."])?;
        for namespace in [HOME, "argocd"] {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            world.asked("POST", "/api/v1/namespaces", Some(&body))?;
        }
        for number in 1..=REPLICAS {
            let replica = world.replica(number)?;
            world.replicas.push(replica);
        }
        for number in 0..REPLICAS {
            world.begin(number)?;
        }
        Ok(world)
    }

    pub(super) fn place(&self) -> &'static str {
        match self.api {
            Api::Embedded(_) => "the embedded cluster",
            Api::Original(..) => "a real API server",
        }
    }

    pub(super) fn oracle(&self) -> anyhow::Result<String> {
        Ok(format!("PostgreSQL {}", self.database.version()?))
    }

    /// A replica with an identity of its own, by which the audit log knows it.
    fn replica(&self, number: usize) -> anyhow::Result<Replica> {
        let name = format!("replica-{number}");
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
        self.asked("POST", &format!("/api/v1/namespaces/{HOME}/serviceaccounts"), Some(&account))?;
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": HOME}],
        });
        self.asked("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", Some(&binding))?;
        let wish = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 36000}});
        let path = format!("/api/v1/namespaces/{HOME}/serviceaccounts/{name}/token");
        let token = self.asked("POST", &path, Some(&wish))?;
        let token = token.pointer("/status/token").and_then(Value::as_str).context("no token was issued")?;
        let port = self.endpoint.url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).context("a port")?;
        let cluster = Wire::lay(self.runtime.handle(), port)?;
        let database = Wire::lay(self.runtime.handle(), self.database.port())?;
        let replica = Replica::new(name, self.folder.path().join(format!("replica-{number}")), cluster, database)?;
        let url = format!("https://127.0.0.1:{}", replica.cluster.port);
        fs::write(replica.kubeconfig(), with_token(&url, self.endpoint.ca.as_bytes(), &replica.name, token))?;
        Ok(replica)
    }

    fn begin(&mut self, number: usize) -> anyhow::Result<()> {
        let repository = format!("{REPOSITORY}={}", self.repository()?.display());
        let replica = &mut self.replicas[number];
        let address = self.database.address_at(replica.database.port, "fleet");
        replica.start(&self.landfall, (&address, &repository), SHARDS)
    }

    fn repository(&self) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join("repository");
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let said = Author { name: "suite", home: self.folder.path() }.git(&self.repository()?, arguments, b"")?;
        Ok(String::from_utf8(said)?.trim().to_owned())
    }

    /// Asks every replica for its fleet's page and as an edge: that they share a database and so have no edges, they say themselves.
    pub(super) fn nobody_serves_edges(&self) -> anyhow::Result<()> {
        for replica in &self.replicas {
            for path in ["/edges", "/edge/v1/clock"] {
                let asked = self.client.get(format!("{}{path}", replica.address()?));
                let (status, text) = self.runtime.block_on(async {
                    let answer = asked.send().await?;
                    anyhow::Ok((answer.status().as_u16(), answer.text().await?))
                })?;
                let says_why = text.contains("serve --only fleet");
                ensure!(status == 503 && says_why, "{} answers {path} with {status}: {text}", replica.name);
            }
        }
        Ok(())
    }

    fn asked(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        self.endpoint.asked((&self.runtime, &self.client), method, path, body)
    }

    /// A commit that changes what every Application delivers; each sync of it runs a hook that leaves a trace.
    pub(super) fn commit(&mut self, round: usize) -> anyhow::Result<()> {
        for number in applications() {
            let directory = self.repository()?.join(format!("app-{number}"));
            fs::create_dir_all(&directory)?;
            let objects: String = (0..4)
                .map(|part| {
                    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: part-{part}}}\ndata: {{round: \"{round}\"}}\n---\n")
                })
                .collect();
            let hook = format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: ran-\n  annotations: {{argocd.argoproj.io/hook: PreSync}}\n\
                 data: {{round: \"{round}\"}}\n"
            );
            fs::write(directory.join("all.yaml"), format!("{objects}{hook}"))?;
        }
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", &format!("Round {round}")])?;
        self.commits.push(self.git(&["rev-parse", "HEAD"])?);
        Ok(())
    }

    pub(super) fn create_applications(&self) -> anyhow::Result<()> {
        for number in applications() {
            let name = format!("app-{number}");
            let application = json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name},
                "spec": {
                    "project": "default",
                    "source": {"repoURL": REPOSITORY, "path": name, "targetRevision": "main"},
                    "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
                    "syncPolicy": {"automated": {"prune": true, "selfHeal": true}, "syncOptions": ["CreateNamespace=true"]},
                },
            });
            self.asked("POST", APPS, Some(&application))?;
        }
        Ok(())
    }

    /// Waits until every Application says that it is synced, and what it delivers is that round's.
    pub(super) fn all_synced(&mut self, round: usize, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let behind = self.behind(round)?;
            self.hear()?;
            if behind.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("not synced to round {round} after {} s: {}", within.as_secs(), behind.join("; "));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn behind(&self, round: usize) -> anyhow::Result<Vec<String>> {
        let listed = self.asked("GET", APPS, None)?;
        let commit = &self.commits[round];
        let mut behind = Vec::new();
        for application in listed["items"].as_array().into_iter().flatten() {
            let name = application["metadata"]["name"].as_str().unwrap_or_default();
            let status = &application["status"];
            let (sync, phase) = (status["sync"]["status"].as_str(), status["operationState"]["phase"].as_str());
            // Of which commit that is said: what it delivers is there before.
            let (compared, synced) = (&status["sync"]["revision"], &status["operationState"]["syncResult"]["revision"]);
            let is_said = compared == commit && synced == commit;
            let path = format!("/api/v1/namespaces/{name}/configmaps/part-3");
            let live = self.asked("GET", &path, None).unwrap_or_default();
            let is_there = live["data"]["round"].as_str() == Some(&round.to_string());
            if sync != Some("Synced") || phase != Some("Succeeded") || !is_said || !is_there {
                let why = status["operationState"]["message"].as_str().unwrap_or_default();
                behind.push(format!(
                    "{name}: {sync:?} with {compared}, {phase:?} of {synced} {why} {}",
                    status["conditions"]
                ));
            }
        }
        Ok(behind)
    }

    /// Who holds which shard.
    pub(super) fn holders(&self) -> anyhow::Result<Vec<(u32, String)>> {
        let listed = self.asked("GET", LEASES, None)?;
        let holders = listed["items"].as_array().into_iter().flatten().filter_map(|lease| {
            let shard = lease["metadata"]["name"].as_str()?.strip_prefix("landfall-shard-")?.parse().ok()?;
            Some((shard, lease["spec"]["holderIdentity"].as_str()?.to_owned()))
        });
        let holders: Vec<(u32, String)> = holders.collect();
        ensure!(!holders.is_empty(), "nobody holds a shard");
        Ok(holders)
    }

    /// Who holds which shard, once each has a holder: a database that was away longer than a shard is kept without it leaves none for a
    /// moment, and what was synced before that says nothing of it.
    pub(super) fn all_held(&mut self) -> anyhow::Result<Vec<(u32, String)>> {
        let deadline = Instant::now() + LOST;
        loop {
            let holders = self.holders().unwrap_or_default();
            if holders.len() == SHARDS as usize {
                return Ok(holders);
            }
            ensure!(Instant::now() < deadline, "{} of {SHARDS} shards have a holder", holders.len());
            self.hear()?;
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The number of the replica that calls itself so, from 0.
    pub(super) fn replica_of(holder: &str) -> anyhow::Result<usize> {
        let number = holder.strip_prefix("replica-").and_then(|rest| rest.split('-').next()?.parse::<usize>().ok());
        number.map(|number| number - 1).with_context(|| format!("{holder} is no replica of ours"))
    }

    /// Waits until others hold these shards; how long that took.
    pub(super) fn taken_over(&mut self, lost: &[u32], holder: &str, since: Instant) -> anyhow::Result<Duration> {
        let deadline = since + Duration::from_secs(60);
        while Instant::now() < deadline {
            let holders = self.holders().unwrap_or_default();
            let others = |shard: &u32| holders.iter().any(|(number, by)| number == shard && by != holder);
            if lost.iter().all(others) {
                return Ok(since.elapsed());
            }
            self.hear()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("shards {lost:?} of {holder} were not taken over within 60 s")
    }

    pub(super) fn strike(&mut self, number: usize, fault: Fault) -> anyhow::Result<()> {
        let replica = &mut self.replicas[number];
        match fault {
            Fault::Killed => {
                replica.signal("-KILL")?;
                replica.reap()
            }
            Fault::Terminated => replica.signal("-TERM"),
            Fault::Stopped => replica.signal("-STOP"),
            Fault::CutFromCluster | Fault::CutFromDatabase | Fault::CutOff => {
                if fault != Fault::CutFromDatabase {
                    replica.cluster.cut();
                }
                if fault != Fault::CutFromCluster {
                    replica.database.cut();
                }
                Ok(())
            }
            Fault::DatabaseDies => {
                self.database.end();
                Ok(())
            }
            Fault::DatabaseLost => self.lose_database(),
        }
    }

    /// Has the database lose all that is in it. Of two that wait for each other PostgreSQL refuses one, and it may be this one.
    fn lose_database(&self) -> anyhow::Result<()> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.database.asked("fleet", "DROP SCHEMA public CASCADE; CREATE SCHEMA public") {
                Err(error) if tries < 20 && error.to_string().contains("deadlock detected") => {}
                lost => return lost.map(drop),
            }
        }
    }

    pub(super) fn mend(&mut self, number: usize, fault: Fault) -> anyhow::Result<()> {
        let replica = &mut self.replicas[number];
        match fault {
            Fault::Killed | Fault::Terminated => {
                replica.reap()?;
                self.begin(number)
            }
            Fault::Stopped => replica.signal("-CONT"),
            Fault::CutFromCluster | Fault::CutFromDatabase | Fault::CutOff => {
                replica.cluster.mend();
                replica.database.mend();
                Ok(())
            }
            Fault::DatabaseDies => self.database.begin(),
            Fault::DatabaseLost => Ok(()),
        }
    }

    /// As a replica that keeps no shard: a write for an Application whose shard another one keeps. It is one that does not run, as those
    /// that do hand shards to each other until each has its share.
    pub(super) fn write_past_the_holder(&self) -> anyhow::Result<()> {
        let idle = self.replica(REPLICAS + 1)?;
        let done = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(idle.kubeconfig())
            .args(["annotate", "configmap", "part-0", "--namespace", "app-17", "late=yes"])
            .output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    pub(super) fn tell_logs(&self) {
        for replica in &self.replicas {
            println!("--- {}\n{}", replica.name, replica.log());
        }
    }

    /// Keeps what the embedded cluster's log has said since it was heard last.
    fn hear(&mut self) -> anyhow::Result<()> {
        let Api::Embedded(embedded) = &self.api else { return Ok(()) };
        let told: Vec<Value> = serde_json::from_str(&embedded.audit()?)?;
        let known = self.heard.last().and_then(|last| told.iter().rposition(|entry| entry == last));
        ensure!(known.is_some() || self.heard.is_empty(), "the log has forgotten what was not heard yet");
        self.heard.extend(told.into_iter().skip(known.map_or(0, |known| known + 1)));
        Ok(())
    }

    /// What the replicas have written, as the API server says, in its order.
    pub(super) fn judged(&mut self) -> anyhow::Result<Findings> {
        self.hear()?;
        let text = |entry: &Value, pointer: &str| {
            entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let requests: Vec<Request> = match &self.api {
            Api::Embedded(_) => {
                let is_done = |entry: &&Value| entry["code"].as_u64().is_some_and(|code| code < 300);
                let done = self.heard.iter().filter(is_done).filter(|entry| entry["dryRun"] != json!(true));
                let request = |entry: &Value| Request {
                    user: text(entry, "/user"),
                    verb: text(entry, "/verb"),
                    path: text(entry, "/path"),
                    version: entry["resourceVersion"].as_u64(),
                };
                done.map(request).collect()
            }
            Api::Original(_, log) => {
                let lines = fs::read_to_string(log)?;
                let entries = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let done = entries.filter(|entry| {
                    entry["stage"] == "ResponseComplete"
                        && entry["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300)
                });
                let request = |entry: Value| Request {
                    user: text(&entry, "/user/username"),
                    verb: text(&entry, "/verb"),
                    path: text(&entry, "/requestURI"),
                    version: text(&entry, "/responseObject/metadata/resourceVersion").parse().ok(),
                };
                done.map(request).collect()
            }
        };
        let ours = requests.into_iter().filter(|request| {
            let writes = matches!(request.verb.as_str(), "create" | "update" | "patch" | "delete");
            writes
                && request.user.starts_with("system:serviceaccount:landfall:replica-")
                && !request.path.contains("dryRun=")
        });
        let ours: Vec<Request> = ours
            .map(|request| {
                let path = request.path.split('?').next().unwrap_or_default().to_owned();
                Request { path, ..request }
            })
            .collect();
        Ok(judged(&ours, |path| {
            let named =
                path.split('/').find(|part| part.strip_prefix("app-").is_some_and(|it| it.parse::<u32>().is_ok()))?;
            Some(shard_of(named))
        }))
    }

    /// Syncs that have not left one trace of their hook, and one line of history.
    pub(super) fn carried_out_otherwise_than_once(&self, rounds: usize) -> anyhow::Result<Vec<String>> {
        let mut faults = Vec::new();
        for number in applications() {
            let listed = self.asked("GET", &format!("/api/v1/namespaces/app-{number}/configmaps"), None)?;
            let listed = listed["items"].as_array().cloned().unwrap_or_default();
            for round in 0..=rounds {
                let ran = listed.iter().filter(|it| {
                    let is_hook = it["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("ran-"));
                    is_hook && it["data"]["round"].as_str() == Some(&round.to_string())
                });
                let ran = ran.count();
                if ran != 1 {
                    faults.push(format!("app-{number} ran the hook of round {round} {ran} times"));
                }
            }
            let application = self.asked("GET", &format!("{APPS}/app-{number}"), None)?;
            let history = application["status"]["history"].as_array().cloned().unwrap_or_default();
            let last = history.last().and_then(|it| it["id"].as_u64());
            if last != Some(rounds as u64) {
                let round = |it: &Value| self.commits.iter().position(|commit| it["revision"] == json!(commit));
                let told: Vec<Option<usize>> = history.iter().map(round).collect();
                faults.push(format!(
                    "app-{number} has delivered {last:?} + 1 times in its history, not {}: of the rounds {told:?}",
                    rounds + 1
                ));
            }
        }
        Ok(faults)
    }
}

/// The numbers of the Applications: of these each shard has as many.
fn applications() -> std::ops::Range<usize> {
    17..17 + APPLICATIONS
}

/// Where an Application is placed, as the page of the server says: of all shards the one for which the first eight bytes of
/// SHA-256 over its number, a zero byte and the Application's name are the greatest number.
fn shard_of(name: &str) -> u32 {
    let weight = |shard: &u32| {
        let digest = Sha256::digest([shard.to_string().as_bytes(), b"\0argocd/", name.as_bytes()].concat());
        u64::from_be_bytes(digest[..8].try_into().expect("a digest has more than eight bytes"))
    };
    (0..SHARDS).max_by_key(weight).unwrap_or_default()
}
