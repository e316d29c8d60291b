use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Address, HostName, Namespace, ObjectName};

/// What is true of a place as its owners wrote it down; `landfall doctor facts` holds it against the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    /// The Kubernetes distribution, as its version says it: `k3s`, `rke2`, `gke`, `eks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub distribution: Option<String>,
    /// The address under which the cluster is reached from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The class of the routes' controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress_class: Option<ObjectName>,
    /// The class that volumes come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<ObjectName>,
    /// The mail address that the certificate authority writes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub acme_email: Option<String>,
    /// Namespaces that are there before anything is delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<Namespace>,
    /// Host names that are routed, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostName>,
    /// The account on the machine that automation logs in with; it must not be able to change production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub ssh_user: Option<String>,
}

/// Which parts of a system may be seen from outside, and which may not be here at all.
///
/// A component is named as its workload is, without what the release puts in front.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Components {
    /// Components that no route, node port or load balancer may lead to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub internal: Vec<ObjectName>,
    /// Components that may not be delivered here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<ObjectName>,
}

/// The connections that a server takes, and how many each of its clients may open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connections {
    /// The server as people call it.
    #[schemars(length(min = 1))]
    pub to: String,
    /// How many connections it takes; read from the server's own object (`spec.maxUserConnections` of a `User`) when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How many connections one pod of a workload may open, by the workload's name.
    #[schemars(extend("propertyNames" = ObjectName::shape()))]
    pub per_pod: BTreeMap<String, u64>,
}

/// How far something that customers rely on has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Maturity {
    /// It is not there, and nobody claims that it is.
    Open,
    /// It is there and was tried.
    Done,
}
