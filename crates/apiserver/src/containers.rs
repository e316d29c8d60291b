//! What simulated containers answer to logs, exec, attach and port-forward.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use parking_lot::Mutex;
use serde_json::Value;

use crate::world::{Stored, World};

/// One line of a container's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// When it was written.
    pub at: jiff::Timestamp,
    /// The line without its end.
    pub text: String,
}

/// What a command in a container did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecOutcome {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Its exit code.
    pub code: i32,
}

/// What an HTTP request to a container's port got back.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An HTTP request to a service, through the API server.
#[derive(Clone, Copy, Debug)]
pub struct ServiceRequest<'a> {
    /// The service's namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The method.
    pub method: &'a str,
    /// The path and the query.
    pub path: &'a str,
    /// The client's name: its `User-Agent` up to the first slash.
    pub agent: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// An HTTP request to a port of a pod.
#[derive(Clone, Copy, Debug)]
pub struct PortRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path and the query.
    pub path: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// When it was made.
    pub now: jiff::Timestamp,
}

/// A port of a pod, where an answer comes from.
pub struct Backend {
    /// The pod.
    pub pod: Arc<Stored>,
    /// The port on the pod.
    pub port: u16,
}

/// What containers answer: what the project declares, and otherwise that they are simulated.
pub trait Containers: Send + Sync {
    /// The lines a container has written up to now, oldest first; of its previous life with `Life::Previous`.
    fn logs(&self, pod: &Value, container: &str, life: Life, now: jiff::Timestamp) -> Vec<LogLine>;

    /// What a command answers; `None` when nothing is declared for it.
    fn exec(&self, pod: &Value, container: &str, argv: &[String]) -> Option<ExecOutcome>;

    /// What a port answers to an HTTP request; `None` when nothing is declared for it.
    fn http(&self, pod: &Value, port: u16, request: &PortRequest<'_>) -> Option<HttpAnswer>;

    /// The pods behind a service that are ready, each with the number that the service's port has on it.
    fn ready(&self, world: &World, service: &Stored, port: &Value) -> Vec<Backend>;

    /// What a service answers behind which the cluster itself stands, as a simulated operator does; `None` where pods answer.
    fn stands_behind(&self, _world: &Mutex<World>, _request: &ServiceRequest<'_>) -> Option<HttpAnswer> {
        None
    }

    /// A service that is not there and that this client is shown all the same, since the cluster itself stands behind it. Whoever
    /// would make one of that name must not be shown it: Helm and `kubectl apply` look before they write.
    fn stands_for(&self, _world: &World, _namespace: &str, _name: &str, _agent: &str) -> Option<Value> {
        None
    }

    /// The whole answer to an HTTP request that was passed on to a port, also where nothing is declared for it.
    fn pass(&self, backend: &Backend, request: &PortRequest<'_>) -> Response<Full<Bytes>>;
}

/// Which of a container's lives is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// The one that runs, or ran last.
    Current,
    /// The one before.
    Previous,
}

/// Containers of which nothing is declared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Undeclared;

impl Undeclared {
    /// As the trait object that [`crate::Opening`] takes.
    pub fn shared() -> Arc<dyn Containers> {
        Arc::new(Self)
    }
}

impl Containers for Undeclared {
    fn logs(&self, pod: &Value, container: &str, _life: Life, now: jiff::Timestamp) -> Vec<LogLine> {
        let started = pod["status"]["containerStatuses"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|status| status["name"] == container)
            .and_then(|status| status["state"]["running"]["startedAt"].as_str())
            .and_then(|text| text.parse().ok())
            .unwrap_or(now);
        vec![LogLine {
            at: started,
            text: format!("~ container {container} is simulated; it writes no log of its own"),
        }]
    }

    fn exec(&self, _pod: &Value, _container: &str, _argv: &[String]) -> Option<ExecOutcome> {
        None
    }

    fn http(&self, _pod: &Value, _port: u16, _request: &PortRequest<'_>) -> Option<HttpAnswer> {
        None
    }

    fn ready(&self, _world: &World, _service: &Stored, _port: &Value) -> Vec<Backend> {
        Vec::new()
    }

    fn pass(&self, _backend: &Backend, _request: &PortRequest<'_>) -> Response<Full<Bytes>> {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = http::StatusCode::NOT_IMPLEMENTED;
        answer
    }
}
