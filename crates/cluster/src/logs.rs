use async_recursion::async_recursion as boxed;
use futures::AsyncBufRead;

use crate::discovery::is_path_part;
use crate::{Cluster, Error};

/// Which part of a container's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container; may be absent when the pod has only one.
    pub container: Option<String>,
    /// Of the container that ran before the last restart.
    pub previous: bool,
    /// Only so many lines from the end.
    pub tail_lines: Option<u32>,
    /// Only the last so many seconds.
    pub since_seconds: Option<u32>,
    /// Each line with its time in front.
    pub timestamps: bool,
}

impl Cluster {
    /// A container's log up to now.
    ///
    /// # Errors
    /// What the server refuses with: the container is not known or has not started.
    #[boxed]
    pub async fn logs(&self, namespace: &str, pod: &str, options: &LogOptions) -> Result<String, Error> {
        let action = format!("read the log of pod {namespace}/{pod}");
        let request = log_request(&action, namespace, pod, options, false)?;
        self.answered(&action, self.client.request_text(request)).await
    }

    /// A container's log as it is written, until the container ends.
    ///
    /// # Errors
    /// As [`Cluster::logs`].
    pub async fn follow_logs(
        &self,
        namespace: &str,
        pod: &str,
        options: &LogOptions,
    ) -> Result<impl AsyncBufRead + use<>, Error> {
        let action = format!("follow the log of pod {namespace}/{pod}");
        let request = log_request(&action, namespace, pod, options, true)?;
        self.answered(&action, self.client.request_stream(request)).await
    }
}

fn log_request(
    action: &str,
    namespace: &str,
    pod: &str,
    options: &LogOptions,
    follow: bool,
) -> Result<http::Request<Vec<u8>>, Error> {
    let malformed = |reason: String| Error::Malformed { action: action.to_owned(), reason };
    if !is_path_part(namespace) || !is_path_part(pod) {
        return Err(malformed("the name cannot stand in a URL".into()));
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(container) = &options.container {
        query.append_pair("container", container);
    }
    for (name, set) in [("previous", options.previous), ("timestamps", options.timestamps), ("follow", follow)] {
        if set {
            query.append_pair(name, "true");
        }
    }
    if let Some(lines) = options.tail_lines {
        query.append_pair("tailLines", &lines.to_string());
    }
    if let Some(seconds) = options.since_seconds {
        query.append_pair("sinceSeconds", &seconds.to_string());
    }
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?{}", query.finish());
    http::Request::get(path).body(Vec::new()).map_err(|error| malformed(error.to_string()))
}
