//! The embedded cluster, served on loopback for the suites.

pub(crate) mod command;

use std::net::Ipv4Addr;

use anyhow::Context;
use landfall_drydock::{Authorization, Cluster, Drive, NodeSpec, Options, Served, Switch};
use tokio::runtime::Runtime;

use crate::http::Endpoint;
use crate::testbed;

/// What stands beside the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All controllers, scheduler and kubelet.
    Whole,
    /// A controller-manager, and neither scheduler nor kubelet nor node.
    ControllersOnly,
    /// Nothing: a kube-apiserver without a controller-manager.
    ApiOnly,
    /// What kubectl's own shell suite expects.
    ShellSuite,
}

/// The administrator's token in kubectl's own suite.
const SUITE_TOKEN: &str = "admin-token";

/// The admission plug-ins that kubectl's own suite turns off.
const OFF_FOR_THE_SUITE: [&str; 4] =
    ["ServiceAccount", "DefaultStorageClass", "DefaultTolerationSeconds", "StorageObjectInUseProtection"];

impl Shape {
    pub(crate) fn options(self) -> Options {
        let mut options = Options::default();
        match self {
            Self::Whole => {}
            Self::ControllersOnly => {
                options.control_plane.nodes = Vec::new();
                options.control_plane.kubelet = Switch::Off;
                options.control_plane.scheduler = Switch::Off;
            }
            // Nobody steps the controllers.
            Self::ApiOnly => options.drive = Drive::ByHand,
            Self::ShellSuite => {
                options.token = Some(SUITE_TOKEN.to_owned());
                options.settings.service_network = [10, 0];
                options.settings.authorization = Authorization::AlwaysAllow;
                options.settings.disabled_admission = OFF_FOR_THE_SUITE.map(str::to_owned).to_vec();
                let node = NodeSpec { name: "127.0.0.1".to_owned(), memory: "1Gi".to_owned(), ..NodeSpec::default() };
                options.control_plane.nodes = vec![node];
                options.control_plane.kubelet = Switch::Off;
                options.control_plane.scheduler = Switch::Off;
            }
        }
        options
    }
}

/// A cluster in memory; it ends with its value.
pub(crate) struct Embedded {
    endpoint: Endpoint,
    kubeconfig: String,
    served: Option<Served>,
    cluster: Option<Cluster>,
    runtime: Option<Runtime>,
}

impl Embedded {
    /// Opens one and serves it; port 0 takes a free one.
    pub(crate) fn start(shape: Shape, port: u16) -> anyhow::Result<Self> {
        Self::open(shape.options(), port)
    }

    /// The same with options of its own.
    pub(crate) fn open(options: Options, port: u16) -> anyhow::Result<Self> {
        let runtime = testbed::runtime()?;
        let (cluster, served) = runtime.block_on(async {
            let cluster = Cluster::open(options).await.context("the embedded cluster did not open")?;
            let address = (Ipv4Addr::LOCALHOST, port).into();
            let served = cluster.serve(address).await.context("the embedded cluster is not served")?;
            anyhow::Ok((cluster, served))
        })?;
        Ok(Self {
            endpoint: Endpoint {
                url: format!("https://{}", served.address),
                ca: served.authority.clone(),
                token: served.token.clone(),
            },
            kubeconfig: served.kubeconfig(),
            served: Some(served),
            cluster: Some(cluster),
            runtime: Some(runtime),
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A connection to it in this process, past the server.
    pub(crate) fn connection(&self) -> anyhow::Result<landfall_cluster::Cluster> {
        let cluster = self.cluster.as_ref().context("the cluster has ended")?;
        let _within = self.runtime.as_ref().map(Runtime::enter);
        Ok(landfall_cluster::Cluster::new(cluster.client()))
    }

    pub(crate) fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// Who asked it for what, as JSON.
    pub(crate) fn audit(&self) -> serde_json::Result<String> {
        serde_json::to_string(&self.cluster.as_ref().map(Cluster::audit).unwrap_or_default())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.served.take());
        drop(self.cluster.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
