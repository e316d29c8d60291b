//! A real control plane on loopback: etcd, kube-apiserver and, as wanted, controller-manager, scheduler and kwok as the kubelet.
//!
//! A testbed is a folder (certificates, kubeconfigs, logs, pid files, etcd's data) and six ports. [`Testbed::start`] starts what is not running and
//! waits until the API server is ready; [`Testbed::stop`] ends it. [`Running`] stops on drop, for suites.

mod audit;
mod certificates;
pub(crate) mod command;
pub(crate) mod kubeconfig;
mod process;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) use audit::{Audit, Request};

use crate::http::Endpoint;
use crate::peers;

/// A token of a member of `system:masters`; the second is the one that kubectl's own suite brings.
const TOKEN: &str = "testbed-admin-token";
const TOKENS: &str = "testbed-admin-token,admin,admin,\"system:masters\"\nadmin-token,admin,admin,\"system:masters\"\n";

/// One process of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Component {
    Etcd,
    ApiServer,
    ControllerManager,
    Scheduler,
    Kwok,
}

impl Component {
    /// In the order of starting; they stop in the reverse one.
    pub(crate) const ALL: [Self; 5] =
        [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::Scheduler, Self::Kwok];

    pub(crate) fn binary(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        }
    }
}

/// What a testbed runs and where it listens. Kept in its folder, so that `stop` and `status` know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// etcd's peer port, etcd, the API server, controller-manager, scheduler, kwok.
    pub(crate) ports: [u16; 6],
    pub(crate) components: Vec<Component>,
    /// Range of cluster IPs; kubectl's own suite expects `10.0.0.0/24`.
    pub(crate) service_range: String,
    /// `Node,RBAC` or `AlwaysAllow`.
    pub(crate) authorization: String,
    /// Further flags of the API server.
    pub(crate) api_server_flags: Vec<String>,
}

impl Layout {
    /// A whole control plane on six ports around `port`, the API server's.
    pub(crate) fn around(port: u16) -> Self {
        Self::on([port - 2, port - 1, port, port + 1, port + 2, port + 3])
    }

    /// A whole control plane on ports that are free now.
    pub(crate) fn on_free_ports() -> anyhow::Result<Self> {
        let listeners: Vec<TcpListener> =
            (0..6).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<Result<_, _>>().context("no free port")?;
        let mut ports = [0; 6];
        for (port, listener) in ports.iter_mut().zip(&listeners) {
            *port = listener.local_addr().context("a listener without an address")?.port();
        }
        Ok(Self::on(ports))
    }

    fn on(ports: [u16; 6]) -> Self {
        Self {
            ports,
            components: Component::ALL.to_vec(),
            service_range: "10.96.0.0/16".to_owned(),
            authorization: "Node,RBAC".to_owned(),
            api_server_flags: Vec::new(),
        }
    }

    /// The same with these components only.
    pub(crate) fn with(mut self, components: &[Component]) -> Self {
        self.components = components.to_vec();
        self
    }

    fn has(&self, component: Component) -> bool {
        self.components.contains(&component)
    }

    fn api_server_port(&self) -> u16 {
        self.ports[2]
    }
}

/// A control plane in a folder.
#[derive(Debug, Clone)]
pub(crate) struct Testbed {
    folder: PathBuf,
    layout: Layout,
}

impl Testbed {
    /// A testbed that is not started yet.
    pub(crate) fn new(folder: impl Into<PathBuf>, layout: Layout) -> Self {
        Self { folder: folder.into(), layout }
    }

    /// The testbed of a folder in which one was started.
    pub(crate) fn of_folder(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("layout.json");
        let text = fs::read(&path).with_context(|| format!("no testbed was started in {}", folder.display()))?;
        Ok(Self::new(folder, serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?))
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    pub(crate) fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let ca = fs::read_to_string(self.folder.join("ca.crt")).context("the testbed has no CA yet")?;
        Ok(Endpoint { url: self.url(), ca, token: TOKEN.to_owned() })
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.layout.api_server_port())
    }

    /// Starts what is not running and waits until the API server answers `ok` and, with a controller-manager, until pods can be created.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        self.prepare()?;
        for component in Component::ALL {
            if component == Component::Kwok && self.layout.has(component) {
                self.create_node()?;
            }
            if !self.layout.has(component) || process::alive(&self.folder, component.binary()) {
                continue;
            }
            let mut command = Command::new(peers::binary(component.binary())?);
            command.args(self.flags(component)?);
            process::spawn(&self.folder, component.binary(), command)?;
            if component == Component::ApiServer {
                self.wait("the API server to be ready", "/readyz")?;
            }
        }
        if self.layout.has(Component::ControllerManager) {
            self.wait("the default service account", "/api/v1/namespaces/default/serviceaccounts/default")?;
        }
        Ok(())
    }

    /// Stops every process, the last started first.
    pub(crate) fn stop(&self) {
        for component in Component::ALL.iter().rev() {
            process::stop(&self.folder, component.binary());
        }
    }

    /// Name, pid and resident memory in bytes of what runs.
    pub(crate) fn status(&self) -> Vec<process::Running> {
        Component::ALL.iter().filter_map(|component| process::running(&self.folder, component.binary())).collect()
    }

    fn prepare(&self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot create {}", self.folder.display()))?;
        fs::write(self.folder.join("layout.json"), serde_json::to_vec_pretty(&self.layout)?)?;
        fs::write(self.folder.join("tokens.csv"), TOKENS)?;
        if !self.folder.join("ca.crt").exists() {
            certificates::write(&self.folder)?;
        }
        let ca = fs::read(self.folder.join("ca.crt"))?;
        for (file, user) in [("kubeconfig", "admin"), ("kcm.conf", "kcm"), ("scheduler.conf", "scheduler")] {
            let certificate = fs::read(self.folder.join(format!("{user}.crt")))?;
            let key = fs::read(self.folder.join(format!("{user}.key")))?;
            let text = kubeconfig::with_certificate(&self.url(), &ca, user, &certificate, &key);
            fs::write(self.folder.join(file), text)?;
        }
        Ok(())
    }

    fn flags(&self, component: Component) -> anyhow::Result<Vec<String>> {
        let [peer, etcd, api, controllers, scheduler, kwok] = self.layout.ports;
        let at = |name: &str| self.folder.join(name).display().to_string();
        let flag = |name: &str, value: &str| format!("--{name}={value}");
        let own = |config: &str, port: u16| {
            vec![
                flag("kubeconfig", &at(config)),
                flag("authentication-kubeconfig", &at(config)),
                flag("authorization-kubeconfig", &at(config)),
                flag("bind-address", "127.0.0.1"),
                flag("secure-port", &port.to_string()),
                flag("leader-elect", "false"),
            ]
        };
        Ok(match component {
            Component::Etcd => {
                let (client, peer) = (format!("http://127.0.0.1:{etcd}"), format!("http://127.0.0.1:{peer}"));
                vec![
                    flag("data-dir", &at("etcd")),
                    flag("listen-client-urls", &client),
                    flag("advertise-client-urls", &client),
                    flag("listen-peer-urls", &peer),
                    flag("initial-advertise-peer-urls", &peer),
                    flag("initial-cluster", &format!("default={peer}")),
                    flag("log-level", "warn"),
                    // Nothing here outlives a run, so nothing needs to reach the disk.
                    "--unsafe-no-fsync".to_owned(),
                ]
            }
            Component::ApiServer => {
                let mut flags = vec![
                    flag("etcd-servers", &format!("http://127.0.0.1:{etcd}")),
                    flag("secure-port", &api.to_string()),
                    flag("bind-address", "127.0.0.1"),
                    flag("advertise-address", "127.0.0.1"),
                    flag("endpoint-reconciler-type", "none"),
                    flag("service-cluster-ip-range", &self.layout.service_range),
                    flag("authorization-mode", &self.layout.authorization),
                    flag("allow-privileged", "true"),
                    flag("tls-cert-file", &at("apiserver.crt")),
                    flag("tls-private-key-file", &at("apiserver.key")),
                    flag("client-ca-file", &at("ca.crt")),
                    flag("token-auth-file", &at("tokens.csv")),
                    flag("service-account-key-file", &at("sa.pub")),
                    flag("service-account-signing-key-file", &at("sa.key")),
                    flag("service-account-issuer", "https://kubernetes.default.svc"),
                ];
                flags.extend(self.layout.api_server_flags.iter().cloned());
                flags
            }
            Component::ControllerManager => {
                let mut flags = own("kcm.conf", controllers);
                flags.extend([
                    flag("use-service-account-credentials", "true"),
                    flag("service-account-private-key-file", &at("sa.key")),
                    flag("root-ca-file", &at("ca.crt")),
                    flag("cluster-signing-cert-file", &at("ca.crt")),
                    flag("cluster-signing-key-file", &at("ca.key")),
                ]);
                flags
            }
            Component::Scheduler => own("scheduler.conf", scheduler),
            Component::Kwok => vec![
                flag("config", &peers::cache()?.bin().join("kwok-stages.yaml").display().to_string()),
                flag("kubeconfig", &at("kubeconfig")),
                flag("manage-all-nodes", "true"),
                // Without one, pods in their node's network get no address at all.
                flag("node-ip", "10.250.0.1"),
                flag("node-lease-duration-seconds", "0"),
                flag("server-address", &format!("127.0.0.1:{kwok}")),
            ],
        })
    }

    /// Asks until the path answers with success; fails when the API server ended or three minutes have passed, which a busy machine may need.
    fn wait(&self, what: &str, path: &str) -> anyhow::Result<()> {
        let endpoint = self.endpoint()?;
        let deadline = Instant::now() + Duration::from_secs(180);
        let runtime = runtime()?;
        let client = endpoint.client()?;
        let mut missed = 0;
        loop {
            let request = client.get(format!("{}{path}", endpoint.url)).bearer_auth(TOKEN);
            let answer = runtime.block_on(async { request.send().await });
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            // On a busy machine a new process has no command line for a moment.
            missed = if process::alive(&self.folder, Component::ApiServer.binary()) { 0 } else { missed + 1 };
            if missed > 20 {
                bail!(
                    "the API server ended; its log says:\n{}",
                    process::log_tail(&self.folder, Component::ApiServer.binary())
                );
            }
            if Instant::now() > deadline {
                bail!("gave up after 180 s of waiting for {what}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The one node of the testbed, which kwok keeps ready.
    fn create_node(&self) -> anyhow::Result<()> {
        let room = json!({"cpu": "64", "memory": "256Gi", "pods": "2000", "ephemeral-storage": "500Gi"});
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {
                "name": "node-0",
                "annotations": {"kwok.x-k8s.io/node": "fake"},
                "labels": {"kubernetes.io/hostname": "node-0", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
            },
            "status": {"capacity": room, "allocatable": room},
        });
        let endpoint = self.endpoint()?;
        let request = endpoint.client()?.post(format!("{}/api/v1/nodes", endpoint.url)).bearer_auth(TOKEN).json(&node);
        let answer = runtime()?.block_on(async { request.send().await }).context("cannot create the node")?;
        if !answer.status().is_success() && answer.status() != reqwest::StatusCode::CONFLICT {
            bail!("the node was refused: {}", answer.status());
        }
        Ok(())
    }
}

/// A runtime for a few requests from code that is not asynchronous.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("cannot start a runtime")
}

/// A testbed in a folder of its own that ends with its value.
#[derive(Debug)]
pub(crate) struct Running {
    testbed: Testbed,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts one on free ports.
    pub(crate) fn start(layout: Layout) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("landfall-testbed-").tempdir()?;
        let running = Self { testbed: Testbed::new(folder.path(), layout), _folder: folder };
        running.testbed.start()?;
        Ok(running)
    }

    pub(crate) fn testbed(&self) -> &Testbed {
        &self.testbed
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.testbed.stop();
    }
}
