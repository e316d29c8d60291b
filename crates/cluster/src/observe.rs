use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use kube::core::WatchEvent;
use landfall_object::{Gvk, Object};
use serde_json::Value;

use crate::discovery::Resource;
use crate::{Cluster, Error, ListOptions};

/// Objects somebody wants to keep an eye on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interest {
    /// Of which kind.
    pub gvk: Gvk,
    /// In which namespace; in all when absent.
    pub namespace: Option<String>,
    /// Of which name; all when absent.
    pub name: Option<String>,
}

/// What has become of the observed objects: of lists `T` is kept of each.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<T = Object> {
    /// All objects of an interest, at the beginning and again whenever a watch could not be resumed; what was known
    /// of the interest and is not among them is gone.
    Listed(Interest, Vec<T>),
    /// An object is new or has changed.
    Applied(Object),
    /// An object is gone; its last state.
    Deleted(Object),
    /// The connection broke; it is being tried again.
    Interrupted(String),
}

/// How long the server keeps a watch open; below the client's own read timeout of 295 s.
const WATCH_SECONDS: u32 = 280;

/// A watch that has told nothing for so long is opened anew where it stands: servers send a bookmark each minute, and a
/// connection can be dead without either side being told.
const SILENCE: Duration = Duration::from_secs(75);

impl Cluster {
    /// Lists and then watches, as one stream that goes on until dropped.
    ///
    /// Broken connections and expired watches are resumed; a refusal that would only repeat itself (forbidden, kind
    /// not served) comes as an error and ends that interest.
    pub fn observe(
        &self,
        interests: Vec<Interest>,
    ) -> impl Stream<Item = Result<Change, Error>> + Send + Unpin + use<> {
        self.observe_as(interests, Some)
    }

    /// The same; of what is listed only that is kept, page by page, which `kept` makes of each object: a list of all that a cluster
    /// has of a kind is never held whole.
    pub fn observe_as<T, F>(
        &self,
        interests: Vec<Interest>,
        kept: F,
    ) -> impl Stream<Item = Result<Change<T>, Error>> + Send + Unpin + use<T, F>
    where
        T: Send + 'static,
        F: Fn(Object) -> Option<T> + Send + Sync + 'static,
    {
        let kept: Kept<T> = Arc::new(kept);
        let each = interests.into_iter().map(|interest| self.observe_one(interest, Arc::clone(&kept)));
        stream::select_all(each.collect::<Vec<_>>())
    }

    fn observe_one<T: Send + 'static>(
        &self,
        interest: Interest,
        kept: Kept<T>,
    ) -> BoxStream<'static, Result<Change<T>, Error>> {
        let watch = Watch { cluster: self.clone(), interest, kept, resource: None, failures: 0 };
        stream::unfold((watch, State::List), |(mut watch, state)| async move {
            let (item, next) = watch.step(state).await?;
            Some((item, (watch, next)))
        })
        .boxed()
    }
}

/// What is kept of an object of a list.
type Kept<T> = Arc<dyn Fn(Object) -> Option<T> + Send + Sync>;

struct Watch<T> {
    cluster: Cluster,
    interest: Interest,
    kept: Kept<T>,
    resource: Option<Resource>,
    failures: u32,
}

enum State {
    /// List, then watch.
    List,
    /// Open a watch at this resource version.
    Open(String),
    /// Read an open watch.
    Read(String, BoxStream<'static, Result<WatchEvent<Value>, kube::Error>>),
    /// Nothing more comes.
    End,
}

impl<T> Watch<T> {
    /// Goes on until there is something to tell.
    async fn step(&mut self, mut state: State) -> Option<(Result<Change<T>, Error>, State)> {
        loop {
            state = match state {
                State::List => match self.list().await {
                    Ok((objects, version)) => {
                        self.failures = 0;
                        let change = Change::Listed(self.interest.clone(), objects);
                        return Some((Ok(change), State::Open(version)));
                    }
                    Err(error) => return Some(self.failed(error, State::List).await),
                },
                State::Open(version) => match self.open(&version).await {
                    Ok(events) => State::Read(version, events),
                    Err(error) if error.is_expired() => State::List,
                    Err(error) => return Some(self.failed(error, State::Open(version)).await),
                },
                State::Read(version, mut events) => match tokio::time::timeout(SILENCE, events.next()).await {
                    Err(_silent) => State::Open(version),
                    Ok(Some(Ok(WatchEvent::Added(value) | WatchEvent::Modified(value)))) => {
                        match Object::from_value(value) {
                            Ok(object) => {
                                self.failures = 0;
                                let version = object.resource_version().unwrap_or(&version).to_owned();
                                return Some((Ok(Change::Applied(object)), State::Read(version, events)));
                            }
                            Err(_) => State::List,
                        }
                    }
                    Ok(Some(Ok(WatchEvent::Deleted(value)))) => match Object::from_value(value) {
                        Ok(object) => {
                            let version = object.resource_version().unwrap_or(&version).to_owned();
                            return Some((Ok(Change::Deleted(object)), State::Read(version, events)));
                        }
                        Err(_) => State::List,
                    },
                    Ok(Some(Ok(WatchEvent::Bookmark(bookmark)))) => {
                        State::Read(bookmark.metadata.resource_version, events)
                    }
                    // 410 Gone, or the server gave up: begin again from a list.
                    Ok(Some(Ok(WatchEvent::Error(_)))) => State::List,
                    Ok(Some(Err(error))) => {
                        let error = Error::from_kube(&self.action(), error);
                        if error.is_expired() {
                            State::List
                        } else {
                            return Some(self.failed(error, State::Open(version)).await);
                        }
                    }
                    // The server ends each watch after its time.
                    Ok(None) => {
                        self.failures += 1;
                        self.pause_if_failing().await;
                        State::Open(version)
                    }
                },
                State::End => return None,
            }
        }
    }

    fn action(&self) -> String {
        format!("watch {}", self.interest.gvk.kind)
    }

    /// Tells of a failure and says how to go on: not at all when it would only repeat itself.
    async fn failed(&mut self, error: Error, again: State) -> (Result<Change<T>, Error>, State) {
        let passing = error.is_unreachable() || matches!(error.code(), Some(429 | 500..=599));
        if !passing {
            return (Err(error), State::End);
        }
        self.failures += 1;
        self.pause_if_failing().await;
        let text =
            std::error::Error::source(&error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        (Ok(Change::Interrupted(text)), again)
    }

    /// The first repetition comes at once; then half a second more each time, at most five.
    async fn pause_if_failing(&self) {
        if self.failures > 1 {
            tokio::time::sleep(Duration::from_millis(500 * u64::from(self.failures.min(10)))).await;
        }
    }

    fn options(&self) -> ListOptions {
        ListOptions {
            namespace: self.interest.namespace.clone(),
            field_selector: self.interest.name.as_ref().map(|name| format!("metadata.name={name}")),
            ..ListOptions::default()
        }
    }

    async fn list(&mut self) -> Result<(Vec<T>, String), Error> {
        let resource = match &self.resource {
            Some(resource) => resource.clone(),
            None => self.cluster.resource(&self.interest.gvk).await?,
        };
        let answer = self.cluster.list_resource_as(&resource, &self.options(), &*self.kept).await?;
        self.resource = Some(resource);
        Ok(answer)
    }

    fn query(&self, version: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("watch", "true");
        query.append_pair("allowWatchBookmarks", "true");
        query.append_pair("resourceVersion", version);
        query.append_pair("timeoutSeconds", &WATCH_SECONDS.to_string());
        if let Some(selector) = self.options().field_selector {
            query.append_pair("fieldSelector", &selector);
        }
        query.finish()
    }

    async fn open(&self, version: &str) -> Result<BoxStream<'static, Result<WatchEvent<Value>, kube::Error>>, Error> {
        let resource = self.resource.as_ref().expect("a watch is opened after its list");
        let path = format!("{}?{}", resource.collection(self.interest.namespace.as_deref()), self.query(version));
        let action = self.action();
        let request = http::Request::get(path)
            .header("accept", "application/json")
            .body(Vec::new())
            .map_err(|error| Error::Malformed { action: action.clone(), reason: error.to_string() })?;
        let events = self.cluster.answered(&action, self.cluster.client.request_events::<Value>(request)).await?;
        Ok(StreamExt::boxed(events))
    }
}
