//! Argo CD's own processes, as its manifests run them: Redis, the repository server and the application controller, beside the API
//! server on one machine.
//!
//! Its API server, its page, its controllers of sets and of news are not started, to its advantage; what a webhook would do there is
//! done by whoever pushes: the Applications are marked for a refresh.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::peers;

/// Its processes; they end with the value.
pub(super) struct ArgoCd(Vec<Child>);

impl ArgoCd {
    /// Starts them in a folder; done once each of them listens.
    pub(super) fn start(folder: &Path, kubeconfig: &Path) -> anyhow::Result<Self> {
        let program = peers::binary("argo-cd")?;
        let listeners: Vec<TcpListener> = (0..5).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let ports: Vec<u16> =
            listeners.iter().map(|it| Ok(it.local_addr()?.port())).collect::<std::io::Result<Vec<_>>>()?;
        drop(listeners);
        let [redis, repository, repository_metrics, metrics, _] = ports[..] else { bail!("no free ports") };
        let mut started = Self(Vec::new());
        let within = Instant::now() + Duration::from_secs(60);
        let address = format!("127.0.0.1:{redis}");

        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &redis.to_string(), "--save", "", "--appendonly", "no"]);
        started.0.push(spawned(command, folder, "redis").context("redis-server (Debian's package of that name)")?);
        started.listens(redis, within)?;

        let mut command = Command::new(&program);
        command.args([
            "argocd-repo-server",
            "--disable-tls",
            "--client-ca-path",
            "",
            "--address",
            "127.0.0.1",
            "--metrics-address",
            "127.0.0.1",
        ]);
        command.args(["--port", &repository.to_string(), "--metrics-port", &repository_metrics.to_string()]);
        command.args(["--redis", &address]);
        started.0.push(spawned(command, folder, "repo-server")?);

        let mut command = Command::new(&program);
        command.args(["argocd-application-controller", "--repo-server-plaintext", "--namespace", "argocd"]);
        command.args(["--repo-server", &format!("127.0.0.1:{repository}"), "--redis", &address]);
        command.args(["--metrics-port", &metrics.to_string(), "--kubeconfig"]).arg(kubeconfig);
        // It would look for the account of a pod to reach the cluster that it runs in.
        command.env("ARGOCD_FAKE_IN_CLUSTER", "true").env("KUBECONFIG", kubeconfig);
        started.0.push(spawned(command, folder, "application-controller")?);
        started.listens(repository, within)?;
        started.listens(metrics, within)?;
        Ok(started)
    }

    /// Waits until something listens on a port, as long as all of them run.
    fn listens(&mut self, port: u16, deadline: Instant) -> anyhow::Result<()> {
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            for child in &mut self.0 {
                if let Some(status) = child.try_wait()? {
                    bail!("a process of Argo CD ended with {status}");
                }
            }
            if Instant::now() > deadline {
                bail!("nothing listens on port {port} after 60 s");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    pub(super) fn processes(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(Child::id)
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        for mut child in self.0.drain(..) {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for ArgoCd {
    fn drop(&mut self) {
        let _ended = self.kill();
    }
}

fn spawned(mut command: Command, folder: &Path, name: &str) -> anyhow::Result<Child> {
    let log = fs::File::create(folder.join(name))?;
    let (temporary, programs) = (folder.join("temporary"), folder.join("programs"));
    fs::create_dir_all(&temporary)?;
    fs::create_dir_all(&programs)?;
    // Its image has a script of that name, which is asked about each commit, verified or not.
    let wrapper = programs.join("git-verify-wrapper.sh");
    fs::write(&wrapper, "#!/bin/sh\ngit verify-commit \"$1\" 2>&1\nexit 0\n")?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    let path = std::env::var("PATH").unwrap_or_default();
    command.current_dir(folder).env("PATH", format!("{}:{path}", programs.display()));
    command.env("TMPDIR", temporary).env("ARGOCD_GPG_ENABLED", "false").env("HOME", folder);
    Ok(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
}

/// What its manifests bring before anything of it runs: its kinds as it publishes them, its settings, and the project `default`.
pub(super) fn definitions() -> anyhow::Result<Vec<Value>> {
    let program = peers::binary("argo-cd")?;
    let file = program.with_file_name("argo-cd-definitions.yaml");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Ok(landfall_yaml::to_json_all(&text)?)
}

/// Its settings, by the path that they are created at.
pub(super) fn settings() -> Vec<(&'static str, Value)> {
    let metadata = |name: &str| json!({"name": name, "labels": {"app.kubernetes.io/part-of": "argocd"}});
    let map = |name: &str| {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name)});
        ("/api/v1/namespaces/argocd/configmaps", map)
    };
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata("argocd-secret"),
        "stringData": {"server.secretkey": "of a measurement, and of nothing else"},
    });
    let everything = json!([{"group": "*", "kind": "*"}]);
    let project = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "default"},
        "spec": {
            "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": everything,
        },
    });
    let mut all: Vec<_> =
        ["argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm", "argocd-tls-certs-cm", "argocd-ssh-known-hosts-cm"]
            .map(map)
            .into();
    all.push(("/api/v1/namespaces/argocd/secrets", secret));
    all.push(("/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects", project));
    all
}
