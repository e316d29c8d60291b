//! A repository, an API server, and the server that is measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::argo_cd::{self, ArgoCd};
use super::seen::{Seen, until, watch};
use crate::embedded::{self, Embedded};
use crate::http::Endpoint;
use crate::peers;
use crate::testbed::kubeconfig::with_token;
use crate::testbed::{self, Audit, Component, Layout, Running};
use crate::workshop::Author;

/// The address that stands for the repository where it is read from its directory.
const REPOSITORY: &str = "https://git.example/fleet.git";
const APPS: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications";
/// What an Application delivers.
pub(super) const OBJECTS: usize = 20;

/// An API server that ends with its value.
enum Api {
    Embedded(#[allow(dead_code, reason = "it ends with its value")] Box<Embedded>),
    Original(#[allow(dead_code, reason = "it ends with its value")] Running),
}

/// What a process takes, in MB.
pub(super) struct Memory {
    pub(super) now: u64,
    /// What of that is its own, and no page of the program's file that others have, too.
    pub(super) own: u64,
    /// The most that it has taken.
    pub(super) peak: u64,
}

/// Who is measured.
enum Server {
    Landfall(Child),
    ArgoCd(ArgoCd),
}

impl Server {
    fn processes(&self) -> Vec<u32> {
        match self {
            Server::Landfall(child) => vec![child.id()],
            Server::ArgoCd(argo_cd) => argo_cd.processes().collect(),
        }
    }

    /// `kill -9`.
    fn kill(&mut self) -> anyhow::Result<()> {
        match self {
            Server::Landfall(child) => {
                child.kill()?;
                child.wait()?;
                Ok(())
            }
            Server::ArgoCd(argo_cd) => argo_cd.kill(),
        }
    }
}

/// What is measured, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) applications: usize,
    /// On the embedded cluster.
    pub(super) is_embedded: bool,
    /// An original API server logs what it is asked, which makes it slower.
    pub(super) is_counted: bool,
    /// Argo CD, in place of Landfall.
    pub(super) is_argo_cd: bool,
}

/// How long an API server keeps whoever makes the first object of a kind that has just been defined waiting (`justCreated` of
/// apiextensions-apiserver, with a little more): its own pause, and nobody's work.
const NEW_KIND: Duration = Duration::from_millis(2_200);

pub(super) struct Ground {
    landfall: PathBuf,
    // Before what it talks to.
    server: Option<Server>,
    api: Api,
    endpoint: Endpoint,
    runtime: Runtime,
    client: reqwest::Client,
    folder: tempfile::TempDir,
    shape: Shape,
    told: Option<Receiver<Seen>>,
    audit: Option<Audit>,
}

impl Ground {
    pub(super) fn lay(landfall: Option<&Path>, shape: Shape) -> anyhow::Result<Self> {
        let landfall = peers::landfall(landfall)?;
        let folder = tempfile::Builder::new().prefix("landfall-pace-").tempdir()?;
        let runtime = testbed::runtime()?;
        let audit = if shape.is_counted && !shape.is_embedded { Some(Audit::within(folder.path())?) } else { None };
        let (api, endpoint) = if shape.is_embedded {
            let embedded = Embedded::start(embedded::Shape::ApiOnly, 0)?;
            let endpoint = embedded.endpoint().clone();
            (Api::Embedded(Box::new(embedded)), endpoint)
        } else {
            let mut layout = Layout::on_free_ports()?.with(&[Component::Etcd, Component::ApiServer]);
            layout.api_server_flags = audit.as_ref().map(Audit::flags).unwrap_or_default();
            let running = Running::start(layout)?;
            let endpoint = running.testbed().endpoint()?;
            (Api::Original(running), endpoint)
        };
        let client = endpoint.client()?;
        let ground =
            Ground { landfall, server: None, api, endpoint, runtime, client, folder, shape, told: None, audit };
        fs::create_dir_all(ground.repository())?;
        ground.git(&["init", "--quiet", "--initial-branch=main", "."])?;
        for number in 0..shape.applications {
            ground.write(number, 0)?;
        }
        ground.git(&["add", "--all"])?;
        ground.git(&["commit", "--quiet", "--message", "All of it"])?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}});
        ground.asked("POST", "/api/v1/namespaces", Some(&namespace))?;
        let endpoint = &ground.endpoint;
        let kubeconfig = with_token(&endpoint.url, endpoint.ca.as_bytes(), "pace", &endpoint.token);
        fs::write(ground.kubeconfig(), kubeconfig)?;
        if shape.is_argo_cd {
            ground.bring_what_argo_cd_wants()?;
        }
        Ok(ground)
    }

    fn bring_what_argo_cd_wants(&self) -> anyhow::Result<()> {
        for definition in argo_cd::definitions()? {
            self.asked("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", Some(&definition))?;
        }
        let within = Instant::now() + Duration::from_secs(30);
        for (path, object) in argo_cd::settings() {
            // A kind is served a moment after it was defined.
            while let Err(error) = self.asked("POST", path, Some(&object)) {
                if Instant::now() > within {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    /// Lets the folder stay, with what everybody has logged there; where it is.
    pub(super) fn keep_folder(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// The address of the repository, as the Applications name it.
    fn address(&self) -> String {
        match self.shape.is_argo_cd {
            true => format!("file://{}", self.repository().display()),
            false => REPOSITORY.to_owned(),
        }
    }

    pub(super) fn place(&self) -> &'static str {
        match self.api {
            Api::Embedded(_) => "embedded",
            Api::Original(_) => "kube-apiserver",
        }
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let said = Author { name: "suite", home: self.folder.path() }.git(&self.repository(), arguments, b"")?;
        Ok(String::from_utf8(said)?.trim().to_owned())
    }

    /// What an Application delivers: one object that changes with each push, and nineteen that do not.
    fn write(&self, number: usize, push: usize) -> anyhow::Result<()> {
        let directory = self.repository().join(name(number));
        fs::create_dir_all(&directory)?;
        let mut text =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: part-0}}\ndata: {{push: \"{push}\"}}\n---\n");
        for part in 1..OBJECTS {
            text += &match part % 3 {
                0 => format!(
                    "apiVersion: v1\nkind: Service\nmetadata: {{name: part-{part}, labels: {{app: \"{number}\"}}}}\n\
                     spec: {{selector: {{app: \"{number}\"}}, clusterIP: None, ports: [{{name: http, port: 80}}]}}\n---\n"
                ),
                1 => format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: part-{part}}}\n---\n"),
                _ => format!(
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: part-{part}}}\ndata: {{settings: \"{}\"}}\n---\n",
                    "level=info ".repeat(40)
                ),
            };
        }
        Ok(fs::write(directory.join("all.yaml"), text)?)
    }

    fn asked(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        self.endpoint.asked((&self.runtime, &self.client), method, path, body)
    }

    /// Starts the server; how long it took until it says that it is ready, or listens.
    pub(super) fn start(&mut self) -> anyhow::Result<Duration> {
        if self.shape.is_argo_cd {
            let began = Instant::now();
            self.server = Some(Server::ArgoCd(ArgoCd::start(self.folder.path(), &self.kubeconfig())?));
            return Ok(began.elapsed());
        }
        let (said, log) = (self.folder.path().join("said"), self.folder.path().join("log"));
        let began = Instant::now();
        let mut child = Command::new(&self.landfall)
            .arg("--state")
            .arg(self.folder.path().join("state"))
            .args(["serve", "--yes", "--context", "testbed", "--listen", "127.0.0.1:0", "--sealing", "off"])
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(["--repo", &format!("{REPOSITORY}={}", self.repository().display())])
            .current_dir(self.folder.path())
            .env("CI", "true")
            .stdin(Stdio::null())
            .stdout(fs::File::create(&said)?)
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        while began.elapsed() < Duration::from_secs(60) {
            if fs::read_to_string(&said)?.contains("ready http://") {
                self.server = Some(Server::Landfall(child));
                return Ok(began.elapsed());
            }
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status}: {}", fs::read_to_string(&log)?);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill()?;
        bail!("the server is not ready after 60 s: {}", fs::read_to_string(&log)?)
    }

    /// What the server has asked so far, how often each: the verb and the path, names and numbers left out.
    pub(super) fn requests(&self) -> anyhow::Result<BTreeMap<String, usize>> {
        let mut counted = BTreeMap::new();
        for request in self.audit.iter().map(Audit::requests).collect::<anyhow::Result<Vec<_>>>()?.iter().flatten() {
            let (path, query) = request.uri.split_once('?').unwrap_or((&request.uri, ""));
            let path = path.replace(|c: char| c.is_ascii_digit(), "#");
            let tried = if query.contains("dryRun") { " tried" } else { "" };
            *counted.entry(format!("{} {path}{tried}", request.verb)).or_default() += 1;
        }
        Ok(counted)
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.server.take().context("no server runs")?.kill()
    }

    /// What the server takes, as the kernel counts it; of several processes the sum, and of their peaks, too.
    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        let server = self.server.as_ref().context("no server runs")?;
        let mut memory = Memory { now: 0, own: 0, peak: 0 };
        for process in server.processes() {
            let status = fs::read_to_string(format!("/proc/{process}/status"))?;
            let field = |name: &'static str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name)).context(name)?;
                Ok::<u64, anyhow::Error>(line.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?)
            };
            memory.now += field("VmRSS")? / 1024;
            memory.own += field("RssAnon")? / 1024;
            memory.peak += field("VmHWM")? / 1024;
        }
        Ok(memory)
    }

    fn told(&self) -> anyhow::Result<&Receiver<Seen>> {
        self.told.as_ref().context("nothing is watched")
    }

    /// Creates all Applications; how long it took from the first until all are synced.
    pub(super) fn create(&mut self, patience: Duration) -> anyhow::Result<Duration> {
        let head = self.git(&["rev-parse", "HEAD"])?;
        self.told = Some(watch(self.runtime.handle(), &self.client, &self.endpoint, APPS)?);
        // The kind was defined by whoever was started, a moment ago.
        std::thread::sleep(NEW_KIND);
        let began = Instant::now();
        let address = self.address();
        for number in 0..self.shape.applications {
            let name = name(number);
            let application = json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name},
                "spec": {
                    "project": "default",
                    "source": {"repoURL": address, "path": name, "targetRevision": "main"},
                    "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
                    "syncPolicy": {"automated": {"prune": true}, "syncOptions": ["CreateNamespace=true"]},
                },
            });
            self.asked("POST", APPS, Some(&application))?;
        }
        let everyone = (0..self.shape.applications).map(name).collect();
        let last = until(self.told()?, everyone, patience, |seen| is_synced(seen, &head))?;
        Ok(last.duration_since(began))
    }

    /// Changes what these deliver, and pushes it; how long it took from the moved branch until all of them are synced to it.
    pub(super) fn push(&self, numbers: &[usize], push: usize, patience: Duration) -> anyhow::Result<Duration> {
        for number in numbers {
            self.write(*number, push)?;
        }
        self.git(&["add", "--all"])?;
        let tree = self.git(&["write-tree"])?;
        let commit = self.git(&["commit-tree", &tree, "-p", "HEAD", "-m", &format!("Push {push}")])?;
        let began = Instant::now();
        self.git(&["update-ref", "refs/heads/main", &commit])?;
        if self.shape.is_argo_cd {
            // What its API server does when a webhook tells of a push.
            let mark = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}});
            for number in numbers {
                self.asked("PATCH", &format!("{APPS}/{}", name(*number)), Some(&mark))?;
            }
        }
        let pushed = numbers.iter().map(|number| name(*number)).collect();
        let last = until(self.told()?, pushed, patience, |seen| is_synced(seen, &commit))?;
        Ok(last.duration_since(began))
    }

    /// Changes one object of each Application, past everybody.
    pub(super) fn change_by_hand(&self) -> anyhow::Result<()> {
        for number in 0..self.shape.applications {
            let path = format!("/api/v1/namespaces/{}/configmaps/part-0", name(number));
            self.asked("PATCH", &path, Some(&json!({"data": {"push": "by hand"}})))?;
        }
        Ok(())
    }

    /// Starts the server again; how long until it is ready, and until every Application says that somebody has changed it.
    pub(super) fn start_until_all_are_out_of_sync(
        &mut self,
        patience: Duration,
    ) -> anyhow::Result<(Duration, Duration)> {
        let began = Instant::now();
        let ready = self.start()?;
        let everyone = (0..self.shape.applications).map(name).collect();
        let last = until(self.told()?, everyone, patience, |seen| seen.at > began && seen.status == "OutOfSync")?;
        Ok((ready, last.duration_since(began)))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ended = self.kill();
    }
}

fn name(number: usize) -> String {
    format!("app-{number}")
}

fn is_synced(seen: &Seen, commit: &str) -> bool {
    seen.status == "Synced" && seen.revision == commit && seen.synced.as_deref() == Some(commit)
}
