use async_recursion::async_recursion as boxed;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};

use crate::discovery::{Resource, Scope, is_path_part, path_part};
use crate::leave::changes;
use crate::{Cluster, Error};

/// Whether a write is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DryRun {
    /// It is.
    #[default]
    Off,
    /// The server does everything but store the result.
    Server,
}

/// What the server does with fields that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldValidation {
    /// The server's own default.
    #[default]
    Unset,
    /// Drops them silently.
    Ignore,
    /// Drops them and warns.
    Warn,
    /// Refuses the write.
    Strict,
}

/// What every write may carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// The field manager's name.
    pub field_manager: Option<String>,
    /// Whether it is carried out.
    pub dry_run: DryRun,
    /// What happens to unknown fields.
    pub field_validation: FieldValidation,
}

/// A change of part of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// RFC 6902 operations.
    Json(Value),
    /// RFC 7386.
    Merge(Value),
    /// Kubernetes' strategic merge patch.
    Strategic(Value),
    /// Server-side apply of these fields.
    Apply(Value),
    /// Server-side apply that takes over fields others own.
    ForceApply(Value),
}

/// What becomes of an object's dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// They are collected after it.
    #[default]
    Background,
    /// They are collected before it.
    Foreground,
    /// They stay.
    Orphan,
}

impl Propagation {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        }
    }
}

/// How an object is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What becomes of its dependents.
    pub propagation: Propagation,
    /// Only when it still has this uid.
    pub uid: Option<String>,
    /// Only when it still has this resource version.
    pub resource_version: Option<String>,
    /// Seconds of grace, when not the kind's own.
    pub grace_period_seconds: Option<u32>,
    /// Whether it is carried out.
    pub dry_run: DryRun,
}

/// What a deletion has led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Deleted {
    /// There was nothing.
    Absent,
    /// It is gone, or the server has promised so.
    Gone,
    /// It is still there until its finalizers and dependents are done.
    Terminating(Box<Object>),
}

/// Which objects of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// In one namespace; in all when absent.
    pub namespace: Option<String>,
    /// `owner=helm,name=web`.
    pub label_selector: Option<String>,
    /// `metadata.name=web`.
    pub field_selector: Option<String>,
}

/// A part of a list.
pub(crate) struct Page {
    pub(crate) objects: Vec<Object>,
    /// What the next part is asked for with; empty when this is the last.
    pub(crate) next: String,
    pub(crate) version: String,
}

impl Cluster {
    /// Reads an object; `None` when it is not there.
    ///
    /// # Errors
    /// [`Error::NoMatch`] when the kind is not served; what the server refuses with.
    #[boxed]
    pub async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        let path = match path_part(&key.name) {
            // No object that we make is called so, and a template may ask for it all the same.
            Some(name) if !is_path_part(&key.name) => self.path_named(key, &name).await?,
            _ => self.object_path(key, None).await?,
        };
        let action = format!("read {key}");
        match self.send(&action, http::Method::GET, &path, None, "application/json").await {
            Ok(body) => Ok(Some(object(&action, body)?)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An object as the server tabulates it for people: `columnDefinitions` and `rows`.
    ///
    /// # Errors
    /// As [`Cluster::get`], and when there is no such object.
    #[boxed]
    pub async fn table(&self, key: &ObjectKey) -> Result<Value, Error> {
        let path = format!("{}?includeObject=Object", self.object_path(key, None).await?);
        let action = format!("read {key}");
        let request = http::Request::get(path)
            .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
            .body(Vec::new())
            .map_err(|error| Error::Malformed { action: action.clone(), reason: error.to_string() })?;
        self.value(&action, request).await
    }

    /// Lists the objects of a kind, reading page by page.
    ///
    /// # Errors
    /// [`Error::NoMatch`] when the kind is not served; what the server refuses with.
    #[boxed]
    pub async fn list(&self, gvk: &Gvk, options: &ListOptions) -> Result<Vec<Object>, Error> {
        let resource = self.resource(gvk).await?;
        Ok(self.list_resource_as(&resource, options, &Some).await?.0)
    }

    /// What `kept` makes of the objects, page by page, and the resource version from which a watch goes on.
    pub(crate) async fn list_resource_as<T>(
        &self,
        resource: &Resource,
        options: &ListOptions,
        kept: &(dyn Fn(Object) -> Option<T> + Send + Sync),
    ) -> Result<(Vec<T>, String), Error> {
        let action = format!("list {}", resource.gvr.group_resource());
        let base = resource.collection(options.namespace.as_deref());
        let mut objects = Vec::new();
        let mut next = String::new();
        let mut pages = PAGES.into_iter();
        let mut page = pages.next().flatten();
        loop {
            let path = format!("{base}?{}", list_query(options, &next, page));
            let page_of_it = match self.page(&action, resource, &path).await {
                // What was read is of a version that the server no longer has: all of it is read again, in fewer pages.
                Err(error) if error.is_expired() && !next.is_empty() => {
                    page = pages.next().flatten();
                    objects.clear();
                    next.clear();
                    continue;
                }
                answer => answer?,
            };
            objects.extend(page_of_it.objects.into_iter().filter_map(kept));
            next = page_of_it.next;
            if next.is_empty() {
                return Ok((objects, page_of_it.version));
            }
        }
    }

    /// The first objects of a kind in a namespace, so many at most.
    pub(crate) async fn first_of(&self, resource: &Resource, namespace: &str, most: u32) -> Result<Page, Error> {
        let action = format!("list {}", resource.gvr.group_resource());
        let query = list_query(&ListOptions::default(), "", Some(most));
        self.page(&action, resource, &format!("{}?{query}", resource.collection(Some(namespace)))).await
    }

    async fn page(&self, action: &str, resource: &Resource, path: &str) -> Result<Page, Error> {
        let mut body = self.send(action, http::Method::GET, path, None, "application/json").await?;
        let text = |body: &Value, field: &str| body["metadata"][field].as_str().unwrap_or_default().to_owned();
        let mut page =
            Page { objects: Vec::new(), next: text(&body, "continue"), version: text(&body, "resourceVersion") };
        if let Some(Value::Array(items)) = body.get_mut("items").map(Value::take) {
            for mut item in items {
                // Items of a list carry no kind of their own.
                if let Some(map) = item.as_object_mut() {
                    map.entry("apiVersion").or_insert_with(|| resource.gvk.api_version().into());
                    map.entry("kind").or_insert_with(|| resource.gvk.kind.clone().into());
                }
                page.objects.push(object(action, item)?);
            }
        }
        Ok(page)
    }

    /// Creates an object.
    ///
    /// # Errors
    /// A refusal for which [`Error::is_already_exists`] holds when it is there.
    #[boxed]
    pub async fn create(&self, desired: &Object, options: &WriteOptions) -> Result<Object, Error> {
        let key = desired.key();
        let resource = self.resource_of(&key).await?;
        let namespace = self.namespace_for(&resource, &key)?;
        let path = format!("{}{}", resource.collection(namespace), write_query(options, false));
        self.write(&key, &format!("create {key}"), http::Method::POST, &path, desired.value(), "application/json").await
    }

    /// Replaces an object; its `metadata.resourceVersion`, when set, guards against lost updates.
    ///
    /// # Errors
    /// What the server refuses with.
    #[boxed]
    pub async fn replace(&self, desired: &Object, options: &WriteOptions) -> Result<Object, Error> {
        let key = desired.key();
        let path = format!("{}{}", self.object_path(&key, None).await?, write_query(options, false));
        self.write(&key, &format!("replace {key}"), http::Method::PUT, &path, desired.value(), "application/json").await
    }

    /// Patches an object.
    ///
    /// # Errors
    /// What the server refuses with; for an apply without force a conflict names the other managers.
    #[boxed]
    pub async fn patch(&self, key: &ObjectKey, patch: &Patch, options: &WriteOptions) -> Result<Object, Error> {
        self.patch_at(key, None, patch, options).await
    }

    /// Patches an object's `status`.
    ///
    /// # Errors
    /// As [`Cluster::patch`].
    #[boxed]
    pub async fn patch_status(&self, key: &ObjectKey, patch: &Patch, options: &WriteOptions) -> Result<Object, Error> {
        self.patch_at(key, Some("status"), patch, options).await
    }

    async fn patch_at(
        &self,
        key: &ObjectKey,
        subresource: Option<&str>,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Object, Error> {
        let (body, kind, force) = match patch {
            Patch::Json(body) => (body, "application/json-patch+json", false),
            Patch::Merge(body) => (body, "application/merge-patch+json", false),
            Patch::Strategic(body) => (body, "application/strategic-merge-patch+json", false),
            Patch::Apply(body) => (body, "application/apply-patch+yaml", false),
            Patch::ForceApply(body) => (body, "application/apply-patch+yaml", true),
        };
        let path = format!("{}{}", self.object_path(key, subresource).await?, write_query(options, force));
        self.write(key, &format!("patch {key}"), http::Method::PATCH, &path, body, kind).await
    }

    /// Server-side apply.
    ///
    /// # Errors
    /// As [`Cluster::patch`].
    #[boxed]
    pub async fn apply(&self, desired: &Object, manager: &str) -> Result<Object, Error> {
        let options = WriteOptions { field_manager: Some(manager.to_owned()), ..WriteOptions::default() };
        self.patch(&desired.key(), &Patch::Apply(desired.value().clone()), &options).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// A conflict when a precondition does not hold; what the server refuses with.
    #[boxed]
    pub async fn delete(&self, key: &ObjectKey, options: &DeleteOptions) -> Result<Deleted, Error> {
        let path = match self.object_path(key, None).await {
            Ok(path) => path,
            Err(Error::NoMatch { .. }) => return Ok(Deleted::Absent),
            Err(error) => return Err(error),
        };
        let mut body = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": options.propagation.word(),
        });
        if options.uid.is_some() || options.resource_version.is_some() {
            let mut preconditions = serde_json::Map::new();
            if let Some(uid) = &options.uid {
                preconditions.insert("uid".into(), uid.clone().into());
            }
            if let Some(version) = &options.resource_version {
                preconditions.insert("resourceVersion".into(), version.clone().into());
            }
            body["preconditions"] = Value::Object(preconditions);
        }
        if let Some(seconds) = options.grace_period_seconds {
            body["gracePeriodSeconds"] = seconds.into();
        }
        if options.dry_run == DryRun::Server {
            body["dryRun"] = json!(["All"]);
        }
        let action = format!("delete {key}");
        match self.send(&action, http::Method::DELETE, &path, Some(&body), "application/json").await {
            Ok(body) if body["kind"] == "Status" => Ok(Deleted::Gone),
            Ok(body) => {
                let object = object(&action, body)?;
                // A server answers with the object both when it is gone and when it is on its way out.
                let waits = object.deletion_timestamp().is_some()
                    && (object.finalizers().next().is_some()
                        || object.i64_at("/metadata/deletionGracePeriodSeconds") != Some(0));
                Ok(if waits { Deleted::Terminating(Box::new(object)) } else { Deleted::Gone })
            }
            Err(error) if error.is_not_found() => Ok(Deleted::Absent),
            Err(error) => Err(error),
        }
    }

    /// The events about an object, oldest first.
    ///
    /// # Errors
    /// What the server refuses with.
    #[boxed]
    pub async fn events_of(&self, object: &Object) -> Result<Vec<Object>, Error> {
        let mut selector = format!("involvedObject.name={},involvedObject.kind={}", object.name(), object.kind());
        if let Some(uid) = object.uid() {
            selector.push_str(&format!(",involvedObject.uid={uid}"));
        }
        let options = ListOptions {
            namespace: Some(object.namespace().unwrap_or("default").to_owned()),
            field_selector: Some(selector),
            ..ListOptions::default()
        };
        let mut events = self.list(&Gvk::new("", "v1", "Event"), &options).await?;
        events.sort_by_key(|event| event_time(event).to_owned());
        Ok(events)
    }

    async fn write(
        &self,
        key: &ObjectKey,
        action: &str,
        method: http::Method,
        path: &str,
        body: &Value,
        content_type: &str,
    ) -> Result<Object, Error> {
        let answer = self.send(action, method, path, Some(body), content_type).await;
        object(action, answer.map_err(|error| error.without_values(key, body))?)
    }

    pub(crate) async fn send(
        &self,
        action: &str,
        method: http::Method,
        path: &str,
        body: Option<&Value>,
        content_type: &str,
    ) -> Result<Value, Error> {
        let malformed = |reason: String| Error::Malformed { action: action.to_owned(), reason };
        let bytes = body.map(landfall_object::to_json);
        let mut request = http::Request::builder().method(method).uri(path).header("accept", "application/json");
        if bytes.is_some() {
            request = request.header("content-type", content_type);
        }
        let request = request.body(bytes.unwrap_or_default()).map_err(|error| malformed(error.to_string()))?;
        let written = self.recent.as_ref().filter(|_| changes(request.method(), request.uri())).cloned();
        written.iter().for_each(|recent| recent.clear());
        let answer = self.value(action, request).await;
        // Again: what was asked for meanwhile may be of before.
        written.iter().for_each(|recent| recent.clear());
        answer
    }

    /// What is answered to a request, as a value.
    async fn value(&self, action: &str, request: http::Request<Vec<u8>>) -> Result<Value, Error> {
        let answer = async {
            let text = self.client.request_text(request).await?;
            landfall_object::read_json(text.as_bytes()).map_err(kube::Error::SerdeError)
        };
        self.answered(action, answer).await
    }

    /// The path of an object.
    pub(crate) async fn object_path(&self, key: &ObjectKey, subresource: Option<&str>) -> Result<String, Error> {
        if !is_path_part(&key.name) {
            return Err(Error::Unaddressable { key: Box::new(key.clone()), reason: "its name cannot stand in a URL" });
        }
        let mut path = self.path_named(key, &key.name).await?;
        if let Some(subresource) = subresource {
            path.push('/');
            path.push_str(subresource);
        }
        Ok(path)
    }

    async fn path_named(&self, key: &ObjectKey, name: &str) -> Result<String, Error> {
        let resource = self.resource_of(key).await?;
        let namespace = self.namespace_for(&resource, key)?;
        Ok(format!("{}/{name}", resource.collection(namespace)))
    }

    fn namespace_for<'a>(&'a self, resource: &Resource, key: &'a ObjectKey) -> Result<Option<&'a str>, Error> {
        if resource.scope == Scope::Cluster {
            return Ok(None);
        }
        let namespace = key.namespace.as_deref().unwrap_or_else(|| self.default_namespace());
        if is_path_part(namespace) {
            Ok(Some(namespace))
        } else {
            Err(Error::Unaddressable { key: Box::new(key.clone()), reason: "its namespace cannot stand in a URL" })
        }
    }
}

/// When an event last happened: events.k8s.io and core events keep it in different fields.
pub(crate) fn event_time(event: &Object) -> &str {
    ["/lastTimestamp", "/series/lastObservedTime", "/eventTime", "/firstTimestamp", "/metadata/creationTimestamp"]
        .iter()
        .find_map(|pointer| event.str_at(pointer))
        .unwrap_or_default()
}

fn object(action: &str, body: Value) -> Result<Object, Error> {
    Object::from_value(body).map_err(|error| Error::Malformed { action: action.to_owned(), reason: error.to_string() })
}

/// How many objects a page of a list has at most; the next one counts each time that a list's version is gone before its end. At last
/// all are asked for at once.
const PAGES: [Option<u32>; 2] = [Some(500), Some(5000)];

fn list_query(options: &ListOptions, next: &str, page: Option<u32>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(selector) = &options.label_selector {
        query.append_pair("labelSelector", selector);
    }
    if let Some(selector) = &options.field_selector {
        query.append_pair("fieldSelector", selector);
    }
    if let Some(page) = page {
        query.append_pair("limit", &page.to_string());
    }
    if !next.is_empty() {
        query.append_pair("continue", next);
    }
    query.finish()
}

fn write_query(options: &WriteOptions, force: bool) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(manager) = &options.field_manager {
        query.append_pair("fieldManager", manager);
    }
    if options.dry_run == DryRun::Server {
        query.append_pair("dryRun", "All");
    }
    match options.field_validation {
        FieldValidation::Unset => {}
        FieldValidation::Ignore => drop(query.append_pair("fieldValidation", "Ignore")),
        FieldValidation::Warn => drop(query.append_pair("fieldValidation", "Warn")),
        FieldValidation::Strict => drop(query.append_pair("fieldValidation", "Strict")),
    }
    if force {
        query.append_pair("force", "true");
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}
