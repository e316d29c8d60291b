use async_recursion::async_recursion as boxed;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::Portforwarder;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use crate::discovery::is_path_part;
use crate::{Cluster, Error};

/// An open connection to a port of a pod.
pub struct PodPort {
    action: String,
    stream: DuplexStream,
    refusal: Option<BoxFuture<'static, Option<String>>>,
    forwarder: Portforwarder,
}

impl Cluster {
    /// Connects to a port of a pod, through the API server.
    ///
    /// # Errors
    /// When the server refuses: the pod is not there, has no node, or nobody may.
    #[boxed]
    pub async fn open_port(&self, namespace: &str, pod: &str, port: u16) -> Result<PodPort, Error> {
        let action = format!("connect to port {port} of pod {namespace}/{pod}");
        if !is_path_part(namespace) || !is_path_part(pod) {
            return Err(Error::Malformed { action, reason: "the name cannot stand in a URL".to_owned() });
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let mut forwarder = pods.portforward(pod, &[port]).await.map_err(|error| Error::from_kube(&action, error))?;
        let refusal = forwarder.take_error(port).map(|refusal| Box::pin(refusal) as BoxFuture<'static, _>);
        let stream = forwarder.take_stream(port);
        let nothing = || Error::Malformed { action: action.clone(), reason: "it has no stream".to_owned() };
        Ok(PodPort { stream: stream.ok_or_else(nothing)?, refusal, forwarder, action })
    }
}

impl PodPort {
    /// Carries bytes both ways until both sides have ended, or one has broken off.
    ///
    /// # Errors
    /// What the pod's node says when nobody listens on the port or the connection cannot go on.
    pub async fn carry(mut self, other: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), Error> {
        let refusal = self.refusal.take();
        let refused = async move {
            match refusal {
                Some(refusal) => match refusal.await {
                    Some(words) => words,
                    // Nothing is wrong; the other branch knows when it is over.
                    None => futures::future::pending().await,
                },
                None => futures::future::pending().await,
            }
        };
        tokio::select! {
            words = refused => {
                Err(Error::Malformed { action: self.action.clone(), reason: words.trim().to_owned() })
            }
            // Either end may break off at any time; that is how connections end.
            _carried = tokio::io::copy_bidirectional(other, &mut self.stream) => Ok(()),
        }
    }
}

impl Drop for PodPort {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl std::fmt::Debug for PodPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PodPort").field("action", &self.action).finish_non_exhaustive()
    }
}
