//! Logs of simulated containers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde_json::Value;

use super::Call;
use super::answer::Answer;
use super::query::Query;
use super::target::Target;
use crate::containers::{Life, LogLine};
use crate::lines::Body;
use crate::plane::Plane;
use crate::status::{FieldError, Status};

/// What is wrong with the options of a log (`ValidatePodLogOptions`).
fn wrong_options(query: &Query) -> Vec<FieldError> {
    let least = |field: &str, least: i64, detail: &str| {
        let number = query.number(field).filter(|number| *number < least)?;
        Some(FieldError::invalid(field, number, detail))
    };
    let both = query.number("sinceSeconds").is_some() && !query.get("sinceTime").is_empty();
    let since = if both {
        Some(FieldError::forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    } else {
        least("sinceSeconds", 1, "must be greater than 0")
    };
    let lines = least("tailLines", 0, "must be greater than or equal to 0");
    let bytes = least("limitBytes", 1, "must be greater than 0");
    [lines, bytes, since].into_iter().flatten().collect()
}

pub(crate) fn open(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Response<Body>, Status> {
    let path = target.path;
    let query = &call.query;
    let errors = wrong_options(query);
    if !errors.is_empty() {
        return Err(Status::invalid("", "PodLogOptions", &path.name, errors));
    }
    let (pod, now) = {
        let world = plane.world.lock();
        (world.get("pods", &path.namespace, &path.name)?, world.now())
    };
    let container = container(&pod, query.get("container"))?;
    if pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
        // The real server has nowhere to ask, and answers nothing.
        let mut response = Answer::text(204, "").into_response(&call.headers);
        response.headers_mut().remove(http::header::CONTENT_TYPE);
        return Ok(response);
    }
    let life = if query.flag("previous") { Life::Previous } else { Life::Current };
    check_state(&pod, &container, life)?;
    let since = match (query.number("sinceSeconds"), query.get("sinceTime")) {
        (Some(seconds), _) => now.checked_sub(jiff::SignedDuration::from_secs(seconds)).ok(),
        (None, "") => None,
        (None, text) => text.parse().ok(),
    };
    let mut lines = plane.containers.logs(&pod, &container, life, now);
    let mut seen = lines.len();
    if let Some(since) = since {
        lines.retain(|line| line.at >= since);
    }
    if let Some(tail) = query.number("tailLines").and_then(|tail| usize::try_from(tail).ok()) {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let stamps = query.flag("timestamps");
    let mut text = lines.iter().map(|line| shown(line, stamps)).collect::<String>();
    if let Some(limit) = query.number("limitBytes").and_then(|limit| usize::try_from(limit).ok()) {
        let mut end = limit.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    if !query.flag("follow") || life == Life::Previous {
        let mut answer = Answer::text(200, text);
        answer.content_type = "text/plain";
        return Ok(answer.into_response(&call.headers));
    }
    let place = call.stream()?;
    let (plane, pod) = (plane.clone(), pod.clone());
    let uid = pod.uid().to_owned();
    let mut changed = plane.world.lock().subscribe();
    let mut pending = Some(text);
    let frames = async_lines(move || {
        // It goes with the stream.
        let _ = &place;
        let text = match pending.take() {
            Some(text) => text,
            None => {
                let world = plane.world.lock();
                let current = world.find("pods", pod.namespace(), pod.name()).filter(|current| current.uid() == uid)?;
                let now = world.now();
                drop(world);
                let lines = plane.containers.logs(&current, &container, Life::Current, now);
                let new: String = lines.iter().skip(seen).map(|line| shown(line, stamps)).collect();
                seen = lines.len();
                if new.is_empty() && is_over(&current, &container) {
                    return None;
                }
                new
            }
        };
        changed.borrow_and_update();
        let mut changed = changed.clone();
        Some((text, async move {
            let _ = tokio::time::timeout(Duration::from_millis(500), changed.changed()).await;
        }))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// A stream of what `next` gives, with its pause between two pieces.
fn async_lines<P, F>(next: F) -> impl futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send
where
    F: FnMut() -> Option<(String, P)> + Send,
    P: Future<Output = ()> + Send,
{
    stream::unfold((next, None::<P>), |(mut next, mut pause)| async move {
        loop {
            if let Some(pause) = pause.take() {
                pause.await;
            }
            let (text, wait) = next()?;
            if text.is_empty() {
                pause = Some(wait);
                continue;
            }
            return Some((Ok(Frame::data(Bytes::from(text))), (next, Some(wait))));
        }
    })
}

fn shown(line: &LogLine, stamps: bool) -> String {
    if stamps {
        format!("{} {}\n", line.at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ"), line.text)
    } else {
        format!("{}\n", line.text)
    }
}

fn names<'a>(pod: &'a Value, field: &str) -> Vec<&'a str> {
    pod["spec"][field].as_array().into_iter().flatten().filter_map(|container| container["name"].as_str()).collect()
}

/// The container meant: the one named, the annotated default, or the only one.
pub(crate) fn container(pod: &Value, asked: &str) -> Result<String, Status> {
    let (containers, inits) = (names(pod, "containers"), names(pod, "initContainers"));
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    if !asked.is_empty() {
        let ephemeral = names(pod, "ephemeralContainers");
        return if containers.contains(&asked) || inits.contains(&asked) || ephemeral.contains(&asked) {
            Ok(asked.to_owned())
        } else {
            Err(Status::bad_request(format!("container {asked} is not valid for pod {name}")))
        };
    }
    let default =
        pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str().unwrap_or_default();
    match containers.as_slice() {
        [only] => Ok((*only).to_owned()),
        several if several.contains(&default) => Ok(default.to_owned()),
        several => {
            let inits = if inits.is_empty() {
                String::new()
            } else {
                format!(" or one of the init containers: [{}]", inits.join(" "))
            };
            Err(Status::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]{inits}",
                several.join(" ")
            )))
        }
    }
}

fn status<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        .into_iter()
        .flat_map(|field| pod["status"][field].as_array().into_iter().flatten())
        .find(|status| status["name"] == container)
}

fn is_over(pod: &Value, container: &str) -> bool {
    status(pod, container).is_some_and(|status| status["state"]["terminated"].is_object())
        || matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Refuses where the kubelet refuses, in its words.
fn check_state(pod: &Value, container: &str, life: Life) -> Result<(), Status> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    if pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
        return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
    }
    let Some(status) = status(pod, container) else {
        return Err(Status::bad_request(format!(
            "container \"{container}\" in pod \"{name}\" is waiting to start: ContainerCreating"
        )));
    };
    if life == Life::Previous {
        if !status["lastState"]["terminated"].is_object() {
            return Err(Status::bad_request(format!(
                "previous terminated container \"{container}\" in pod \"{name}\" not found"
            )));
        }
        return Ok(());
    }
    let waiting = &status["state"]["waiting"];
    if !waiting.is_object() || status["lastState"]["terminated"].is_object() {
        return Ok(());
    }
    let reason = waiting["reason"].as_str().unwrap_or("ContainerCreating");
    let why = match reason {
        "ErrImagePull" => "trying and failing to pull image".to_owned(),
        "ImagePullBackOff" => "trying and failing to pull image".to_owned(),
        reason => reason.to_owned(),
    };
    Err(Status::bad_request(format!("container \"{container}\" in pod \"{name}\" is waiting to start: {why}")))
}
