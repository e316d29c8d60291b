use async_recursion::async_recursion as boxed;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{Api, AttachParams};
use landfall_object::UNDECLARED;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::discovery::is_path_part;
use crate::{Cluster, Error};

/// Most bytes that are kept of each stream.
const MOST: u64 = 1024 * 1024;

/// What a command in a container has said, and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Executed {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// What it exited with.
    pub exit: i32,
    /// Whether nothing ran: the container is simulated, and nobody declares what the command answers.
    pub undeclared: bool,
}

impl Cluster {
    /// Runs a command in a container of a pod and waits for its end; the caller bounds the time.
    ///
    /// # Errors
    /// What the server refuses with, and connections that cannot be turned into a stream.
    #[boxed]
    pub async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        argv: &[String],
    ) -> Result<Executed, Error> {
        let action = format!("run a command in pod {namespace}/{pod}");
        let malformed = |reason: String| Error::Malformed { action: action.clone(), reason };
        if !is_path_part(namespace) || !is_path_part(pod) {
            return Err(malformed("the name cannot stand in a URL".into()));
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let params = AttachParams {
            container: container.map(str::to_owned),
            stdin: false,
            stdout: true,
            stderr: true,
            ..AttachParams::default()
        };
        let mut process =
            pods.exec(pod, argv.iter(), &params).await.map_err(|error| Error::from_kube(&action, error))?;
        let (stdout, stderr, status) = (process.stdout(), process.stderr(), process.take_status());
        let (stdout, stderr) = tokio::join!(read(stdout), read(stderr));
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let exit = exit_of(status.as_ref()).ok_or_else(|| malformed("it did not say how the command ended".into()))?;
        Ok(Executed {
            stdout,
            stderr,
            exit,
            undeclared: causes(status.as_ref()).any(|(reason, _)| reason == UNDECLARED),
        })
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // A stream that breaks has said what it said.
        let _read = stream.take(MOST).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The exit code that a status tells (kubernetes: `remotecommand`'s v4 protocol).
fn exit_of(status: Option<&Status>) -> Option<i32> {
    let status = status?;
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    causes(Some(status)).find(|(reason, _)| *reason == "ExitCode")?.1.parse().ok()
}

/// Reasons and messages of what a status tells of.
fn causes(status: Option<&Status>) -> impl Iterator<Item = (&str, &str)> {
    let causes = status.and_then(|status| status.details.as_ref()?.causes.as_ref()).into_iter().flatten();
    causes.map(|cause| (cause.reason.as_deref().unwrap_or_default(), cause.message.as_deref().unwrap_or_default()))
}
