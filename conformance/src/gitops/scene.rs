//! A repository, a cluster, and `landfall serve` that keeps the one in step with the other.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use kube::config::{KubeConfigOptions, Kubeconfig};
use landfall_cluster::{Cluster, DeleteOptions, ListOptions, Patch, WriteOptions};
use landfall_drydock::{ControlPlane, Fault, Options, Play};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::between::Between;
use crate::embedded::Embedded;
use crate::http::Endpoint;
use crate::testbed::{Layout, Running};

/// The repository of what is delivered, as Applications name it.
pub(crate) const REPOSITORY: &str = "https://git.example.com/shop.git";
/// How long anything may take that is to come.
const PATIENCE: Duration = Duration::from_secs(90);
/// The policy of most Applications.
pub(crate) const AUTOMATED: &str = "{automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true]}";

/// All of it; everything ends with its value.
pub(crate) struct Scene {
    place: tempfile::TempDir,
    server: Option<Child>,
    pub(super) between: Between,
    pub(crate) cluster: Cluster,
    pub(crate) runtime: Runtime,
    stage: Stage,
    landfall: PathBuf,
    /// Where the server answers.
    pub(crate) address: String,
    crowd: usize,
}

/// The cluster; it ends with its value.
enum Stage {
    Embedded(Box<Embedded>),
    Real(Running),
}

impl Stage {
    fn endpoint(&self) -> anyhow::Result<Endpoint> {
        match self {
            Stage::Embedded(embedded) => Ok(embedded.endpoint().clone()),
            Stage::Real(running) => running.testbed().endpoint(),
        }
    }

    fn connection(&self, runtime: &Runtime) -> anyhow::Result<Cluster> {
        match self {
            Stage::Embedded(embedded) => embedded.connection(),
            Stage::Real(running) => {
                let kubeconfig = Kubeconfig::read_from(running.testbed().kubeconfig())?;
                let context = KubeConfigOptions::default();
                let config = runtime.block_on(kube::Config::from_custom_kubeconfig(kubeconfig, &context))?;
                let _within = runtime.enter();
                Ok(Cluster::new(kube::Client::try_from(config)?))
            }
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Scene {
    /// An empty repository beside an empty embedded cluster; no server runs yet.
    pub(crate) fn open(landfall: &Path) -> anyhow::Result<Self> {
        Self::with_faults(landfall, &[])
    }

    /// The same, on a cluster on which something goes wrong: `job/migrate=fail`.
    pub(crate) fn with_faults(landfall: &Path, faults: &[&str]) -> anyhow::Result<Self> {
        let faults = faults.iter().map(|fault| fault.parse()).collect::<Result<Vec<Fault>, _>>()?;
        let play = Play { faults, ..Play::default() };
        let control_plane = ControlPlane { play, ..ControlPlane::default() };
        let embedded = Embedded::open(Options { control_plane, ..Options::default() }, 0)?;
        Self::on(landfall, Stage::Embedded(Box::new(embedded)))
    }

    /// The same on a real control plane, on which kwok plays the kubelet, and this process provisioner and operators.
    pub(crate) fn on_real(landfall: &Path) -> anyhow::Result<Self> {
        crate::http::install_crypto();
        let scene = Self::on(landfall, Stage::Real(Running::start(Layout::on_free_ports()?)?))?;
        scene.runtime.block_on(crate::fidelity::play_the_rest(&scene.stage.endpoint()?))?;
        Ok(scene)
    }

    fn on(landfall: &Path, stage: Stage) -> anyhow::Result<Self> {
        let runtime = crate::testbed::runtime()?;
        let between = runtime.block_on(Between::open(&stage.endpoint()?))?;
        let place = tempfile::Builder::new().prefix("landfall-gitops-").tempdir()?;
        let cluster = stage.connection(&runtime)?;
        let scene = Scene {
            place,
            server: None,
            between,
            cluster,
            runtime,
            stage,
            landfall: landfall.to_owned(),
            address: String::new(),
            crowd: 0,
        };
        scene.git(&["init", "-q", "--bare", "-b", "main", "origin.git"], scene.place.path())?;
        fs::create_dir_all(scene.work())?;
        scene.git(&["init", "-q", "-b", "main"], &scene.work())?;
        scene.git(&["remote", "add", "origin", "../origin.git"], &scene.work())?;
        fs::create_dir_all(scene.place.path().join("apps"))?;
        fs::write(scene.place.path().join("kubeconfig"), scene.between.kubeconfig())?;
        Ok(scene)
    }

    fn work(&self) -> PathBuf {
        self.place.path().join("work")
    }

    /// The repository that is pushed to.
    pub(crate) fn bare(&self) -> PathBuf {
        self.place.path().join("origin.git")
    }

    /// The server's state.
    pub(crate) fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// A path beside everything else.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn git(&self, words: &[&str], at: &Path) -> anyhow::Result<String> {
        let mut command = Command::new("git");
        command.args(words).current_dir(at).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.place.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "suite").env(format!("GIT_{who}_EMAIL"), "suite@example.com");
        }
        let output = command.stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Writes a file of the repository.
    pub(crate) fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let file = self.work().join(path);
        fs::create_dir_all(file.parent().context("a file lies somewhere")?)?;
        Ok(fs::write(file, text)?)
    }

    /// Removes a file or folder of the repository.
    pub(crate) fn remove(&self, path: &str) -> anyhow::Result<()> {
        let path = self.work().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path)?
        } else {
            fs::remove_file(path)?
        }
        Ok(())
    }

    /// Commits and pushes all; the commit.
    pub(crate) fn push(&self) -> anyhow::Result<String> {
        self.git(&["add", "-A"], &self.work())?;
        self.git(&["commit", "-q", "--allow-empty", "-m", "changed"], &self.work())?;
        self.git(&["push", "-q", "--force", "origin", "HEAD:refs/heads/main"], &self.work())?;
        self.git(&["rev-parse", "HEAD"], &self.work())
    }

    /// Any command of git in the work tree.
    pub(crate) fn in_work(&self, words: &[&str]) -> anyhow::Result<String> {
        self.git(words, &self.work())
    }

    /// Declares an Application of a path, delivered to the namespace of its own name, and applies it at the server's start.
    pub(crate) fn declare(&self, name: &str, policy: &str) -> anyhow::Result<()> {
        self.declare_as(name, &application(name, REPOSITORY, "main", policy))
    }

    /// Declares anything that the server puts on the cluster at its start.
    pub(crate) fn declare_as(&self, file: &str, object: &Value) -> anyhow::Result<()> {
        Ok(fs::write(self.place.path().join(format!("apps/{file}.yaml")), object.to_string())?)
    }

    /// Applications beside those of the row: so many that are well, one that cannot be rendered, one whose object somebody
    /// changes again and again, one on a repository that does not answer.
    pub(crate) fn crowd(&mut self, count: usize) -> anyhow::Result<()> {
        for number in 0..count {
            self.write(&format!("crowd-{number}/map.yaml"), &config_map("settings", "one"))?;
            self.declare(&format!("crowd-{number}"), AUTOMATED)?;
        }
        self.write("crowd-broken/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: broken\n")?;
        self.declare("crowd-broken", AUTOMATED)?;
        let dead = application("crowd-dead", "http://127.0.0.1:9/dead.git", "main", AUTOMATED);
        self.declare_as("crowd-dead", &dead)?;
        self.crowd = count;
        Ok(())
    }

    /// Whether everybody beside the row is as before.
    pub(crate) fn crowd_is_well(&self) -> anyhow::Result<()> {
        for number in 0..self.crowd {
            let name = format!("crowd-{number}");
            self.until(&name, "is synced", |it| it.str_at("/status/sync/status") == Some("Synced"))?;
            let key = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(&name), "settings");
            ensure!(self.get(&key)?.is_some(), "what {name} delivered is gone");
        }
        Ok(())
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        self.start_with(&[])
    }

    /// The same with variables.
    pub(crate) fn start_with(&mut self, variables: &[(&str, &str)]) -> anyhow::Result<()> {
        self.kill();
        let log = fs::File::create(self.path("serve.log"))?;
        let out = self.path("serve.out");
        let mut command = Command::new(&self.landfall);
        command.args(["serve", "apps", "--yes", "--context", "gitops", "--kubeconfig", "kubeconfig"]);
        command.args(["--listen", "127.0.0.1:0", "--sealing", "off", "--repo"]);
        command.arg(format!("{REPOSITORY}={}", self.bare().display()));
        command.current_dir(self.place.path()).env_clear().env("HOME", self.place.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANDFALL_STATE", self.state());
        // What stands for the outside listens on this machine.
        command.env("LANDFALL_CHECK_NETWORKS", "127.0.0.0/8,::1");
        command.envs(variables.iter().copied()).stdin(Stdio::null());
        self.server = Some(command.stdout(fs::File::create(&out)?).stderr(log).spawn()?);
        let began = Instant::now();
        loop {
            let said = fs::read_to_string(&out).unwrap_or_default();
            if let Some(address) = said.lines().find_map(|line| line.strip_prefix("ready http://")) {
                self.address = address.to_owned();
                return Ok(());
            }
            if let Some(child) = &mut self.server
                && let Some(status) = child.try_wait()?
            {
                // One that is told to die may do so before it is ready.
                if status.signal() == Some(9) && !variables.is_empty() {
                    return Ok(());
                }
                bail!("the server ends with {status} before it is ready:\n{}", self.log());
            }
            ensure!(began.elapsed() < PATIENCE, "the server is never ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `kill -9`; nothing where no server runs.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.server.take() {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }

    /// Waits until the server has died of itself; whether it did within a time.
    pub(crate) fn dies_within(&mut self, limit: Duration) -> anyhow::Result<bool> {
        let child = self.server.as_mut().context("a server runs")?;
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Some(status) = child.try_wait()? {
                ensure!(status.signal() == Some(9), "it ended with {status} of itself:\n{}", self.log());
                self.server = None;
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(false)
    }

    /// Tells the server to end; how long that took.
    pub(crate) fn terminate(&mut self) -> anyhow::Result<Duration> {
        let mut child = self.server.take().context("a server runs")?;
        let began = Instant::now();
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
        let status = child.wait()?;
        ensure!(status.code() == Some(0), "told to end, it ended with {status}:\n{}", self.log());
        Ok(began.elapsed())
    }

    /// Whether the server still runs.
    pub(crate) fn lives(&mut self) -> bool {
        self.server.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// The last lines that the server has said.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.path("serve.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> anyhow::Result<Option<Object>> {
        Ok(self.runtime.block_on(self.cluster.get(key))?)
    }

    pub(crate) fn list(&self, kind: &Gvk, namespace: &str) -> anyhow::Result<Vec<Object>> {
        let options = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
        match self.runtime.block_on(self.cluster.list(kind, &options)) {
            Err(landfall_cluster::Error::NoMatch { .. }) => Ok(Vec::new()),
            other => Ok(other?),
        }
    }

    /// Writes as a person does.
    pub(crate) fn patch(&self, key: &ObjectKey, patch: Value) -> anyhow::Result<Object> {
        Ok(self.runtime.block_on(self.cluster.patch(key, &Patch::Merge(patch), &by_hand()))?)
    }

    pub(crate) fn create(&self, object: Value) -> anyhow::Result<Object> {
        let object = Object::from_value(object)?;
        Ok(self.runtime.block_on(self.cluster.create(&object, &by_hand()))?)
    }

    pub(crate) fn delete(&self, key: &ObjectKey) -> anyhow::Result<()> {
        self.runtime.block_on(self.cluster.delete(key, &DeleteOptions::default()))?;
        Ok(())
    }

    /// Waits until an Application is so.
    pub(crate) fn until(&self, name: &str, so: &str, is: impl Fn(&Object) -> bool) -> anyhow::Result<Object> {
        self.until_object(&key_of(name), so, is)
    }

    /// Waits until an object is so.
    pub(crate) fn until_object(
        &self,
        key: &ObjectKey,
        so: &str,
        is: impl Fn(&Object) -> bool,
    ) -> anyhow::Result<Object> {
        let began = Instant::now();
        loop {
            let found = self.get(key)?;
            if let Some(found) = found.as_ref().filter(|found| is(found)) {
                return Ok(found.clone());
            }
            if began.elapsed() > PATIENCE {
                let status = found.as_ref().map(|it| it.status().cloned().unwrap_or_else(|| it.value().clone()));
                bail!("{key} never {so}: {}\nthe server:\n{}", status.unwrap_or_default(), self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until an object is gone.
    pub(crate) fn until_gone(&self, key: &ObjectKey) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.get(key)?.is_some() {
            ensure!(began.elapsed() < PATIENCE, "{key} never goes:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits until an Application is synced to a commit, and its last operation is over.
    pub(crate) fn until_synced(&self, name: &str, revision: &str) -> anyhow::Result<Object> {
        self.until(name, &format!("comes to {revision}"), |it| {
            it.str_at("/status/sync/status") == Some("Synced")
                && it.str_at("/status/sync/revision") == Some(revision)
                && it.str_at("/status/operationState/phase") != Some("Running")
        })
    }

    /// Waits until a condition of an Application speaks of something.
    pub(crate) fn until_told(&self, name: &str, kind: &str, words: &str) -> anyhow::Result<Object> {
        self.until(name, &format!("tells {kind} of `{words}`"), |it| {
            it.list_at("/status/conditions").iter().any(|condition| {
                condition["type"] == kind && condition["message"].as_str().is_some_and(|it| it.contains(words))
            })
        })
    }

    /// Asks for a look now.
    pub(crate) fn refresh(&self, name: &str) -> anyhow::Result<()> {
        self.patch(&key_of(name), json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}))
            .map(drop)
    }
}

/// As a person writes.
fn by_hand() -> WriteOptions {
    WriteOptions { field_manager: Some("kubectl-edit".to_owned()), ..WriteOptions::default() }
}

pub(crate) fn key_of(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "Application"), Some("argocd"), name)
}

/// An Application of the path of its own name, delivered to the namespace of that name.
pub(crate) fn application(name: &str, repository: &str, revision: &str, policy: &str) -> Value {
    let policy = landfall_yaml::documents(policy).next().and_then(Result::ok).and_then(|it| it.to_json().ok());
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository, "targetRevision": revision, "path": name},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "syncPolicy": policy.unwrap_or_default(),
        },
    })
}

/// A ConfigMap of one key.
pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: \"{value}\"}}\n")
}

/// A Deployment of one pod.
pub(crate) fn deployment(name: &str, tag: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: run, image: \"example/{name}:{tag}\"}}]}}\n"
    )
}

/// A Job that is a hook.
pub(crate) fn hook(name: &str, phase: &str, more: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations: {{argocd.argoproj.io/hook: {phase}, argocd.argoproj.io/hook-delete-policy: BeforeHookCreation{more}}}\nspec:\n  backoffLimit: 0\n  template:\n    spec: {{restartPolicy: Never, containers: [{{name: run, image: \"example/{name}:one\"}}]}}\n"
    )
}
