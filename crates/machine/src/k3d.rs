//! Clusters on this machine, made of containers by k3d.

use std::path::PathBuf;

use async_recursion::async_recursion as boxed;
use landfall_diag::{Diagnostic, code};
use landfall_source::{Order, Refusal};
use serde::Deserialize;

use crate::ports::{holder, is_busy};

/// k3d makes hosts of these names, and leaves room for its own endings.
const LONGEST_NAME: usize = 32;

/// The program, the kubeconfig it writes contexts into, and the ports that it gives clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K3d {
    /// The kubeconfig, where it is not the usual one.
    pub kubeconfig: Option<PathBuf>,
    /// The port of this machine that leads to port 80 of a cluster's load balancer.
    pub http: u16,
    /// The one that leads to port 443.
    pub https: u16,
}

impl Default for K3d {
    /// As the web expects them: 80 and 443.
    fn default() -> Self {
        K3d { kubeconfig: None, http: 80, https: 443 }
    }
}

/// What came of a wish for a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It is new.
    Created,
    /// It was there, and did not run.
    Started,
    /// It was there and ran.
    AlreadyThere,
}

/// A cluster as `k3d cluster list` tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Listed {
    name: String,
    #[serde(rename = "serversCount")]
    servers: u32,
    #[serde(rename = "serversRunning")]
    running: u32,
    nodes: Option<Vec<Node>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Node {
    name: String,
    role: String,
}

impl Listed {
    /// The nodes that run containers.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &str> {
        self.nodes
            .iter()
            .flatten()
            .filter(|node| matches!(node.role.as_str(), "server" | "agent"))
            .map(|node| node.name.as_str())
    }
}

impl K3d {
    /// The cluster that a kubeconfig's context of k3d's making leads to.
    pub fn cluster_of(context: &str) -> Option<&str> {
        context.strip_prefix("k3d-").filter(|name| !name.is_empty())
    }

    /// The context that leads to a cluster.
    pub fn context_of(name: &str) -> String {
        format!("k3d-{name}")
    }

    /// Whether the program is installed.
    #[boxed]
    pub async fn is_installed(&self) -> bool {
        Order::new("k3d", ["version"]).said().await.is_ok()
    }

    /// Makes a cluster with ports 80 and 443 at its load balancer and one agent, and its context; one that is there is
    /// kept, and started when it does not run.
    ///
    /// # Errors
    /// A name that is none, a port that somebody has, or what k3d says.
    #[boxed]
    pub async fn create(&self, name: &str) -> Result<Made, Diagnostic> {
        check_name(name)?;
        if let Some(found) = self.find(name).await? {
            if found.running >= found.servers {
                return Ok(Made::AlreadyThere);
            }
            let start = self.order(["cluster", "start", name, "--wait"]);
            start
                .said()
                .await
                .map_err(|refusal| refused(&refusal, format!("the cluster `{name}` is there and cannot be started")))?;
            return Ok(Made::Started);
        }
        free_ports([self.http, self.https]).await?;
        let create = self.order_to_create(name);
        create.said().await.map_err(|refusal| refused(&refusal, format!("the cluster `{name}` cannot be created")))?;
        Ok(Made::Created)
    }

    fn order_to_create(&self, name: &str) -> Order {
        let mut arguments: Vec<String> = ["cluster", "create", name].map(str::to_owned).to_vec();
        for (port, inside) in [(self.http, 80), (self.https, 443)] {
            arguments.extend(["--port".to_owned(), format!("{port}:{inside}@loadbalancer")]);
        }
        arguments.extend(["--agents", "1", "--wait", "--timeout", "5m0s"].map(str::to_owned));
        self.order(arguments)
    }

    /// An order to the program, which reads and writes this kubeconfig.
    fn order<A: Into<std::ffi::OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Order {
        let order = Order::new("k3d", arguments);
        match &self.kubeconfig {
            Some(file) => order.with_variable("KUBECONFIG", file),
            None => order,
        }
    }

    /// Deletes a cluster with all in it, and its context; false when there is none.
    ///
    /// # Errors
    /// A name that is none, or what k3d says.
    #[boxed]
    pub async fn delete(&self, name: &str) -> Result<bool, Diagnostic> {
        check_name(name)?;
        if self.find(name).await?.is_none() {
            return Ok(false);
        }
        let delete = self.order(["cluster", "delete", name]);
        delete.said().await.map_err(|refusal| refused(&refusal, format!("the cluster `{name}` cannot be deleted")))?;
        Ok(true)
    }

    /// A cluster by name.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Listed>, Diagnostic> {
        let list = Order::new("k3d", ["cluster", "list", "--output", "json"]);
        let said =
            list.said().await.map_err(|refusal| refused(&refusal, "the clusters of this machine cannot be listed"))?;
        let clusters: Option<Vec<Listed>> = match said.trim() {
            "" => None,
            text => serde_json::from_str(text).map_err(|error| {
                Diagnostic::error(code::BAD_K3D_LIST, "k3d's list of clusters cannot be read").note(error.to_string())
            })?,
        };
        Ok(clusters.into_iter().flatten().find(|cluster| cluster.name == name))
    }
}

fn refused(refusal: &Refusal, message: impl Into<String>) -> Diagnostic {
    if refusal.is_missing {
        return Diagnostic::error(code::NO_K3D, "k3d is not installed")
            .note(refusal.words.clone())
            .help("install it from k3d.io");
    }
    refusal.told(code::K3D_FAILED, message).note("nothing was changed by us")
}

/// A name that k3d takes and that cannot be taken for a flag.
fn check_name(name: &str) -> Result<(), Diagnostic> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty()
        || name.len() > LONGEST_NAME
        || !name.chars().all(fits)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        return Err(Diagnostic::error(code::BAD_CLUSTER_NAME, format!("`{name}` cannot be a cluster's name"))
            .help(format!("lower-case letters, digits and dashes in between, {LONGEST_NAME} at most")));
    }
    Ok(())
}

/// Refuses when somebody has a port that the load balancer needs, and says who.
async fn free_ports(ports: [u16; 2]) -> Result<(), Diagnostic> {
    for port in ports {
        if !is_busy(port) {
            continue;
        }
        let mut diagnostic = Diagnostic::error(code::PORT_BUSY, format!("port {port} of this machine is busy"));
        diagnostic = match holder_of(port).await {
            Some(who) => diagnostic.note(format!("{who} has it")),
            None => diagnostic.note("this system does not tell who has it"),
        };
        return Err(diagnostic
            .note("nothing was changed")
            .help("end what has it, or give the cluster others: LANDFALL_HTTP_PORT and LANDFALL_HTTPS_PORT"));
    }
    Ok(())
}

/// Who has a port: the container that publishes it, else the program that listens.
async fn holder_of(port: u16) -> Option<String> {
    let publish = format!("publish={port}");
    let containers = Order::new("docker", ["ps", "--filter", publish.as_str(), "--format", "{{.Names}}"]).said().await;
    let names: Vec<String> = containers.unwrap_or_default().lines().map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !name.is_empty()) {
        Some(name) => Some(format!("the container `{name}`")),
        None => holder(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lp_026_a_cluster_has_the_webs_ports_at_its_load_balancer_and_one_agent() {
        assert_eq!(
            K3d::default().order_to_create("shop").shown(),
            "k3d cluster create shop --port 80:80@loadbalancer --port 443:443@loadbalancer --agents 1 --wait --timeout 5m0s"
        );
    }

    #[test]
    fn names_that_could_be_flags_are_refused() {
        for name in ["", "-f", "a b", "Shop", "a-", &"x".repeat(33)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["shop", "shop-local", "a1"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_context_of_k3d_names_its_cluster() {
        assert_eq!(K3d::cluster_of("k3d-shop-local"), Some("shop-local"));
        assert_eq!(K3d::cluster_of("k3d-"), None);
        assert_eq!(K3d::cluster_of("kind-shop"), None);
        assert_eq!(K3d::context_of("shop"), "k3d-shop");
    }
}
