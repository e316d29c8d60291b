//! Serves a cluster as kubectl's own shell suite wants it: `suite PORT KUBECONFIG`.
//!
//! Everything is allowed; no kubelet, no scheduler, one node `127.0.0.1`, services in 10.0.0.0, and the admission plug-ins off that
//! `hack/make-rules/test-cmd.sh` turns off; the admin's token is the suite's.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program for people at a terminal")]

use std::error::Error;
use std::net::SocketAddr;

use landfall_drydock::{Authorization, Cluster, ControlPlane, NodeSpec, Options, Settings, Switch};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().unwrap_or_else(|| "0".to_owned()).parse()?;
    let kubeconfig = arguments.next();
    let disabled =
        ["ServiceAccount", "DefaultStorageClass", "DefaultTolerationSeconds", "StorageObjectInUseProtection"];
    let settings = Settings {
        service_network: [10, 0],
        authorization: Authorization::AlwaysAllow,
        disabled_admission: disabled.map(str::to_owned).to_vec(),
        ..Settings::default()
    };
    let node = NodeSpec { name: "127.0.0.1".to_owned(), memory: "1Gi".to_owned(), ..NodeSpec::default() };
    let plane =
        ControlPlane { nodes: vec![node], kubelet: Switch::Off, scheduler: Switch::Off, ..ControlPlane::default() };
    let options =
        Options { settings, control_plane: plane, token: Some("admin-token".to_owned()), ..Options::default() };
    let cluster = Cluster::open(options).await?;
    let served = cluster.serve(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    if let Some(path) = kubeconfig {
        std::fs::write(path, served.kubeconfig())?;
    }
    eprintln!("https://{}", served.address);
    tokio::signal::ctrl_c().await?;
    Ok(())
}
