//! Watches: a cursor into the history, a selection, and a stream of lines.

mod socket;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::upgrade::OnUpgrade;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::Call;
use super::accept::{Accept, Form};
use super::answer::to_bytes;
use super::list::{Selection, parse_plain_version};
use super::target::Target;
use super::view::{self, Include};
use crate::lines::Body;
use crate::places::Place;
use crate::plane::Plane;
use crate::resource::{Registry, Resource};
use crate::status::{FieldError, Status};
use crate::watchers::Watcher;
use crate::world::{Change, Event, Stored};
use crate::{convert, table};

/// Bookmarks come about this often.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// Events handed on at once, so that one watcher does not keep the world to itself.
const BATCH: usize = 256;

struct Watch {
    plane: Arc<Plane>,
    resource: Arc<Resource>,
    selection: Selection,
    accept: Accept,
    include: Include,
    cursor: u64,
    queue: VecDeque<Bytes>,
    changed: Receiver<u64>,
    deadline: Instant,
    bookmarks: bool,
    next_bookmark: Instant,
    bookmarked: u64,
    /// Column definitions come with the first row only.
    columns_sent: bool,
    over: bool,
    /// How far the client has read, for virtual time.
    watcher: Watcher,
    /// The world's version up to which everything is in the queue.
    seen: u64,
    /// One of those that its user may have open.
    _place: Option<Place>,
}

pub(crate) fn open(
    plane: &Arc<Plane>,
    call: &Call,
    target: &Target<'_>,
    upgrade: Option<OnUpgrade>,
) -> Result<Response<Body>, Status> {
    let watch = begin(plane, call, target)?;
    if let Some(upgrade) = upgrade.filter(|_| socket::is_asked_for(call)) {
        return socket::open(call, watch, upgrade);
    }
    let frames = stream::unfold(watch, |mut watch| async move {
        let first = watch.next().await?;
        Some((Ok::<_, std::io::Error>(Frame::data(watch.join(first))), watch))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

/// A watch as it was asked for, with what it begins with.
fn begin(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Watch, Status> {
    if !target.resource.allows("watch") {
        return Err(Status::method_not_allowed());
    }
    let place = call.stream()?;
    let query = &call.query;
    let selection = Selection::of(call, target)?;
    let include = Include::of(call)?;
    let asked = query.get("resourceVersion");
    check_options(query.get("resourceVersionMatch"), query)?;
    let bookmarks = query.flag("allowWatchBookmarks");
    let world = plane.world.lock();
    let current = world.version();
    let from = parse_plain_version(asked)?;
    let seconds = query.whole("timeoutSeconds")?.filter(|seconds| *seconds > 0);
    if from > current && query.flag("sendInitialEvents") {
        return Err(Status::too_large_resource_version(from, current));
    }
    let changed = world.subscribe();
    let timeout = Duration::from_secs(u64::try_from(seconds.unwrap_or(45 * 60)).unwrap_or(45 * 60).min(24 * 3600));
    let initial = query.flag("sendInitialEvents");
    let now = Instant::now();
    let mut watch = Watch {
        plane: plane.clone(),
        resource: target.resource.clone(),
        selection,
        accept: call.accept,
        include,
        cursor: from,
        queue: VecDeque::new(),
        changed,
        deadline: now + timeout,
        bookmarks,
        next_bookmark: now
            + BOOKMARK_EVERY.min(timeout.saturating_sub(Duration::from_secs(2)).max(Duration::from_secs(1))),
        bookmarked: 0,
        columns_sent: false,
        over: false,
        watcher: plane.watchers.open(),
        seen: 0,
        _place: place,
    };
    let synthetic = initial || ((asked.is_empty() || asked == "0") && !query.has("sendInitialEvents"));
    if synthetic {
        let (registry, time) = (world.registry().clone(), world.now());
        let objects: Vec<Arc<Stored>> = world
            .list(&watch.resource.id, watch.selection.namespace())
            .filter(|object| watch.selection.matches(object))
            .cloned()
            .collect();
        drop(world);
        for object in &objects {
            let line = watch.line(&registry, "ADDED", object, None, time);
            watch.queue.push_back(line);
        }
        watch.cursor = current;
        if initial && bookmarks {
            let line = watch.bookmark(current, json!({"k8s.io/initial-events-end": "true"}));
            watch.queue.push_back(line);
        }
    } else {
        if query.has("sendInitialEvents") && (asked.is_empty() || asked == "0") {
            watch.cursor = current;
        }
        if let Err(status) = world.events_since(watch.cursor).map(|_| ()) {
            watch.refuse(&status);
        }
        drop(world);
    }
    Ok(watch)
}

fn check_options(matching: &str, query: &super::query::Query) -> Result<(), Status> {
    let mut errors = Vec::new();
    if query.has("sendInitialEvents") {
        if matching != "NotOlderThan" {
            errors.push(FieldError::forbidden(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        if !matching.is_empty() && matching != "NotOlderThan" {
            errors.push(FieldError::not_supported("resourceVersionMatch", matching, &["NotOlderThan"]));
        }
        if !query.get("continue").is_empty() {
            errors.push(FieldError::forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided",
            ));
        }
    } else if !query.get("continue").is_empty() {
        errors.push(FieldError::forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden when continue is provided",
        ));
    } else if !matching.is_empty() {
        errors.push(FieldError::forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ));
        if matching != "NotOlderThan" {
            errors.push(FieldError::not_supported("resourceVersionMatch", matching, &["NotOlderThan"]));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", "ListOptions", "", errors)) }
}

impl Watch {
    /// The next event; more may wait behind it. Nothing is lost where this is given up.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(first) = self.queue.pop_front() {
                self.watcher.works();
                return Some(first);
            }
            if self.over {
                return None;
            }
            self.changed.borrow_and_update();
            self.collect();
            if !self.queue.is_empty() || self.over {
                continue;
            }
            self.watcher.rests_at(self.seen);
            let wake = if self.bookmarks { self.deadline.min(self.next_bookmark) } else { self.deadline };
            tokio::select! {
                result = self.changed.changed() => if result.is_err() { return None },
                () = tokio::time::sleep_until(wake) => {
                    if Instant::now() >= self.deadline {
                        return None;
                    }
                    self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
                    if self.cursor != self.bookmarked {
                        self.bookmarked = self.cursor;
                        let line = self.bookmark(self.cursor, Value::Null);
                        self.queue.push_back(line);
                    }
                }
            }
        }
    }

    /// What waits is sent in one piece.
    fn join(&mut self, first: Bytes) -> Bytes {
        if self.queue.is_empty() {
            return first;
        }
        let mut out = Vec::with_capacity(first.len() + self.queue.iter().map(Bytes::len).sum::<usize>());
        out.extend_from_slice(&first);
        for line in self.queue.drain(..) {
            out.extend_from_slice(&line);
        }
        Bytes::from(out)
    }

    fn collect(&mut self) {
        let plane = self.plane.clone();
        let world = plane.world.lock();
        let (registry, now) = (world.registry().clone(), world.now());
        let mut events: Vec<Arc<Event>> = Vec::new();
        let mut seen = world.version();
        let failed = match world.events_since(self.cursor) {
            Ok(new) => {
                for event in new {
                    self.cursor = event.version;
                    if event.object_ref.resource == self.resource.id {
                        events.push(event.clone());
                        if events.len() >= BATCH {
                            seen = self.cursor;
                            break;
                        }
                    }
                }
                None
            }
            Err(status) => Some(status),
        };
        self.seen = seen;
        if let Some(status) = failed {
            drop(world);
            self.refuse(&status);
            return;
        }
        if self.resource.custom.is_some()
            && registry.served(&self.resource.group, &self.resource.version, &self.resource.plural).is_none()
        {
            // The definition is gone, and with it the watch.
            self.over = true;
        }
        drop(world);
        for event in events {
            let before = event.previous.as_ref().is_some_and(|object| self.selection.matches(object));
            let after = event.change != Change::Deleted && self.selection.matches(&event.object);
            let line = match (before, after) {
                (false, false) => {
                    // A deletion without a known state before: the last state says whether it was of interest.
                    if event.change == Change::Deleted
                        && event.previous.is_none()
                        && self.selection.matches(&event.object)
                    {
                        self.line(&registry, "DELETED", &event.object, None, now)
                    } else {
                        continue;
                    }
                }
                (false, true) => self.line(&registry, "ADDED", &event.object, None, now),
                (true, true) => self.line(&registry, event.change.as_str(), &event.object, None, now),
                (true, false) if event.change == Change::Deleted => {
                    self.line(&registry, "DELETED", &event.object, None, now)
                }
                (true, false) => match &event.previous {
                    Some(previous) => self.line(&registry, "DELETED", previous, Some(event.version), now),
                    None => continue,
                },
            };
            self.queue.push_back(line);
        }
    }

    fn line(
        &mut self,
        registry: &Registry,
        word: &str,
        object: &Stored,
        version: Option<u64>,
        now: jiff::Timestamp,
    ) -> Bytes {
        if self.accept.form == Form::Whole && version.is_none() && view::same_shape(registry, &self.resource) {
            let mut out = Vec::with_capacity(object.rest().len() + 128);
            out.extend_from_slice(format!("{{\"type\":\"{word}\",\"object\":").as_bytes());
            object.write_json(&self.resource.api_version(), &mut out);
            out.extend_from_slice(b"}\n");
            return Bytes::from(out);
        }
        let mut value = convert::from_storage(registry, &self.resource, object.value()).into_owned();
        if let Some(version) = version {
            value["metadata"]["resourceVersion"] = json!(version.to_string());
        }
        let shown = match self.accept.form {
            Form::Whole => value,
            Form::Metadata => view::metadata(&value),
            Form::Table => {
                let mut table = table::of(&self.resource, std::iter::once(&value), now);
                view::attach(&mut table, std::iter::once(&value), self.include);
                table["metadata"] = json!({"resourceVersion": value["metadata"]["resourceVersion"]});
                if self.columns_sent {
                    table["columnDefinitions"] = Value::Null;
                }
                self.columns_sent = true;
                table
            }
        };
        to_bytes(&json!({"type": word, "object": shown}))
    }

    fn bookmark(&mut self, version: u64, annotations: Value) -> Bytes {
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if !annotations.is_null() {
            metadata["annotations"] = annotations;
        }
        let object = match self.accept.form {
            Form::Whole => {
                json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata})
            }
            Form::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Form::Table => {
                let mut table = table::of(&self.resource, std::iter::empty(), jiff::Timestamp::UNIX_EPOCH);
                if self.columns_sent {
                    table["columnDefinitions"] = Value::Null;
                }
                self.columns_sent = true;
                table["rows"] = json!([{"cells": [], "object": {
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata.clone(),
                }}]);
                table["metadata"] = json!({"resourceVersion": version.to_string()});
                table
            }
        };
        to_bytes(&json!({"type": "BOOKMARK", "object": object}))
    }

    fn refuse(&mut self, status: &Status) {
        self.queue.push_back(to_bytes(&json!({"type": "ERROR", "object": status.to_value()})));
        self.over = true;
    }
}
