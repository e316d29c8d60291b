use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, ContainerName, HeaderName, HttpMethod, RoutePath, Span};

/// What the containers of one workload do on the embedded cluster.
///
/// Containers are not run there; they answer what is declared here and say that they are simulated otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Simulated {
    /// The container meant, when the workload has several; the first one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerName>,
    /// Answers to HTTP requests, the longest path wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpAnswer>,
    /// Lines written to the log at the start; templates with `.port`, `.pod`, `.container`, `.image`, `.namespace`, and
    /// `.env.NAME` for a variable that the manifest writes out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    /// Answers to commands run inside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<ExecAnswer>,
    /// How long the container takes to start, as `2s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Span>,
    /// How long a container that ends takes, as `5s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Span>,
    /// What it exits with when it is a job's; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 255))]
    pub exit: Option<i32>,
    /// What all pods of the workload together use, by resource, as `{cpu: 800m}`: the autoscaler's metrics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub load: BTreeMap<String, Amount>,
}

/// One declared answer to an HTTP request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpAnswer {
    /// The path answered; a trailing `*` answers all that begin so.
    pub path: RoutePath,
    /// The method answered; `GET` (and `HEAD`) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// The port answered; every port when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The answer's status; 200 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// The answer's headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = HeaderName::shape()))]
    pub headers: BTreeMap<String, String>,
    /// The answer's body as text; a template as in `logs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The answer's body as JSON; its texts are templates as in `logs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// Lines that the request leaves in the container's log, as long as the cluster's process lives; templates as in `logs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
}

/// One declared answer to a command run in the container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecAnswer {
    /// The command and its arguments, compared word by word.
    #[schemars(length(min = 1))]
    pub argv: Vec<String>,
    /// What it prints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// What it prints to standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// What it exits with; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 255))]
    pub exit: Option<i32>,
}
