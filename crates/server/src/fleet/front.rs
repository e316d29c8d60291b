//! A request for the fleet: which route, who may, and what is answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use landfall_diag::{Diagnostic, code};
use tokio::sync::broadcast::error::RecvError;

use super::Control;
use super::answers::{Answer, json, legacy, not_done, refused, too_large, typed};
use super::doorway::Peer;
use super::legacy::{Legacy, unknown};
use super::routes::{Asked, Device, Door, Pieces, find};
use crate::api::problem;
use crate::gate::Gate;

/// Largest body of a check-in or registration, of a wish, and of a task's results, in bytes.
const LARGEST: usize = 64 * 1024;
const LARGEST_WISH: usize = 12 * 1024 * 1024;
const LARGEST_RESULTS: usize = 16 * 1024 * 1024;
/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(30);
/// How often who listens hears that nothing has happened.
const BEAT: Duration = Duration::from_secs(15);

impl Control {
    /// Answers a request on a path of the fleet.
    pub(crate) async fn answer(self: &Arc<Self>, gate: &Arc<Gate>, path: &str, request: Request<Incoming>) -> Answer {
        let is_head = request.method() == Method::HEAD;
        let method = if is_head { "GET" } else { request.method().as_str() };
        let (route, pieces) = match find(method, path) {
            Ok(found) => found,
            Err(_) if path.starts_with("/internal/") => return unknown(request.method().as_str(), path),
            Err(true) => return refused(405, "bad_request", "this path does not take that method"),
            Err(false) => return refused(404, "not_found", "there is nothing there"),
        };
        match route.door {
            Door::Existing(which) => {
                let enrolls = which == Legacy::Register;
                self.limited(
                    enrolls,
                    request,
                    |status, text| limited(legacy(status, text)),
                    |request| self.existing(which, request),
                )
                .await
            }
            Door::Device(device) => {
                let enrolls = device == Device::Enroll;
                self.limited(
                    enrolls,
                    request,
                    |status, text| refused(status, "busy", text),
                    |request| self.device(device, (path, &pieces, is_head), request),
                )
                .await
            }
            Door::Operator(need, asked) => {
                let Some(pieces) = pieces.decoded() else {
                    return refused(404, "not_found", "there is nothing there: a piece of the path is not readable");
                };
                match gate.admit(request.method(), request.headers(), need).await {
                    Ok(actor) if asked == Asked::Stream => self.stream(gate, actor),
                    Ok(_) if asked == Asked::Download => {
                        if self.releases.size_of(&pieces.name).is_none() {
                            let text = format!("there is no artifact {}", pieces.name);
                            return not_done(&Diagnostic::error(code::NO_SUCH_EDGE, text));
                        }
                        self.answer_bytes(&pieces.name, request.headers(), is_head, 0).await
                    }
                    Ok(actor) if asked == Asked::Upload => {
                        let (action, target) = ("edge.artifact.upload", pieces.name.clone());
                        let taken = self.take_artifact(&pieces.name, request.into_body());
                        match self.audited(&actor.name, action, &target, serde_json::Value::Null, taken).await {
                            Ok(size) => {
                                json(StatusCode::CREATED, &serde_json::json!({"sha256": target, "sizeBytes": size}))
                            }
                            Err(diagnostic) => not_done(&diagnostic),
                        }
                    }
                    Ok(actor) => {
                        let (head, body) = request.into_parts();
                        let Some(body) = read(body, LARGEST_WISH).await else {
                            return refused(413, "too_large", "the body is too large, or comes too slowly");
                        };
                        let query = head.uri.query().unwrap_or_default();
                        self.operator(&actor.name, asked, &pieces, (query, &body)).await
                    }
                    Err(refused) => {
                        let mut answer = json(refused.status, &problem(std::slice::from_ref(&*refused.diagnostic)));
                        if refused.status == StatusCode::UNAUTHORIZED {
                            // A browser asks its user only where there is a page.
                            let asks = if asked == Asked::Page { "Basic realm=\"landfall\"" } else { "Bearer" };
                            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(asks));
                        }
                        answer
                    }
                }
            }
        }
    }

    /// Answers a device, unless it brings one wrong token or credential after the other. Who enrolls is not looked at then; who is
    /// known is answered as ever.
    async fn limited<F: Future<Output = Answer>>(
        &self,
        enrolls: bool,
        request: Request<Incoming>,
        refuse: impl Fn(u16, &'static str) -> Answer,
        answer: impl FnOnce(Request<Incoming>) -> F,
    ) -> Answer {
        const LIMITED: &str = "too many wrong tokens and credentials came from your address; come again later";
        let who = self.doorway.who(request.extensions().get::<Peer>().copied(), request.headers());
        let is_shut = || self.doorway.is_shut(who, self.now());
        let refused = || {
            self.numbers.count("landfall_edge_limited_total", "");
            refuse(429, LIMITED)
        };
        if enrolls && is_shut() {
            return refused();
        }
        let answer = answer(request).await;
        let is_wrong =
            answer.status() == StatusCode::UNAUTHORIZED || (enrolls && answer.status() == StatusCode::CONFLICT);
        if !is_wrong {
            return answer;
        }
        if is_shut() {
            return refused();
        }
        self.doorway.wrong(who, self.now());
        answer
    }

    async fn existing(&self, which: Legacy, request: Request<Incoming>) -> Answer {
        if self.ledger.is_full() {
            return legacy(503, "too much waits to be written; try again");
        }
        let largest = if which == Legacy::Task { LARGEST_RESULTS } else { LARGEST };
        let (head, body) = request.into_parts();
        match read(body, largest).await {
            Some(body) => self.legacy(which, &head.headers, &body).await,
            None => too_large(),
        }
    }

    async fn device(
        self: &Arc<Self>,
        device: Device,
        (path, pieces, is_head): (&str, &Pieces, bool),
        request: Request<Incoming>,
    ) -> Answer {
        let (head, body) = request.into_parts();
        let known = || self.releases.known();
        match device {
            Device::Enroll | Device::CheckIn => {
                if self.ledger.is_full() {
                    return refused(503, "busy", "too much waits to be written; come again");
                }
                let Some(body) = read(body, LARGEST).await else {
                    return refused(413, "too_large", "the body is too large, or comes too slowly");
                };
                match device {
                    Device::Enroll => self.answer_enroll(&body).await,
                    _ => self.answer_check_in(&head.headers, &body).await,
                }
            }
            Device::Root => {
                let version: Option<usize> = pieces.name.parse().ok();
                let root = version.and_then(|version| known().roots.get(version.checked_sub(1)?).cloned());
                metadata(root)
            }
            Device::Timestamp => metadata(known().timestamp),
            Device::Targets => metadata(known().targets),
            Device::Artifact => self.answer_artifact(path, head.uri.query(), &head.headers, is_head).await,
        }
    }

    /// Tells changes of campaigns as they happen.
    fn stream(self: &Arc<Self>, gate: &Arc<Gate>, actor: crate::actor::Actor) -> Answer {
        let listener = self.campaigns.listen();
        let all: Vec<serde_json::Value> = self.campaigns.all().iter().map(|slot| slot.told()).collect();
        let first = format!("event: ready\ndata: {}\n\n", serde_json::json!({"campaigns": all}));
        let state = (listener, Some(first), Arc::clone(gate), actor);
        let events = futures::stream::unfold(state, |(mut listener, first, gate, actor)| async move {
            let text = match first {
                Some(first) => first,
                None => tokio::select! {
                    told = listener.recv() => match told {
                        Ok(told) => format!("event: campaign\ndata: {told}\n\n"),
                        // How all stand has to be asked anew.
                        Err(RecvError::Lagged(_)) => "event: reset\ndata: {}\n\n".to_owned(),
                        Err(RecvError::Closed) => return None,
                    },
                    () = tokio::time::sleep(BEAT) => {
                        if !gate.is_still_good(&actor).await {
                            return None;
                        }
                        ": nothing new\n\n".to_owned()
                    }
                },
            };
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), (listener, None, gate, actor)))
        });
        let mut answer = Response::new(StreamBody::new(events).boxed_unsync());
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        answer
    }
}

/// A refusal after which one waits.
fn limited(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    answer
}

fn metadata(document: Option<String>) -> Answer {
    match document {
        Some(text) => typed(StatusCode::OK, "application/json; charset=utf-8", text),
        None => refused(404, "not_found", "there is no such metadata"),
    }
}

/// A body, if it is no larger and does not come too slowly.
async fn read(body: Incoming, largest: usize) -> Option<Bytes> {
    let read = tokio::time::timeout(BODY, Limited::new(body, largest).collect()).await;
    Some(read.ok()?.ok()?.to_bytes())
}
