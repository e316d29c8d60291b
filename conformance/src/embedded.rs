//! The embedded cluster, served on loopback for the suites.

pub(crate) mod command;

use std::net::Ipv4Addr;

use anyhow::Context;
use landfall_drydock::{Cluster, Drive, Options, Served};
use tokio::runtime::Runtime;

use crate::http::Endpoint;
use crate::testbed;

/// Which controllers run beside the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controllers {
    /// All of them, with scheduler and kubelet.
    All,
    /// None: the API alone, as a kube-apiserver without a controller-manager.
    None,
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
    pub(crate) fn start(controllers: Controllers, port: u16) -> anyhow::Result<Self> {
        let runtime = testbed::runtime()?;
        let mut options = Options::default();
        if controllers == Controllers::None {
            // Nobody steps them.
            options.drive = Drive::ByHand;
        }
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

    pub(crate) fn kubeconfig(&self) -> &str {
        &self.kubeconfig
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
