//! The operations of resources as OpenAPI lists them, under the names and with the media types that clients look for
//! (`apiserver/pkg/endpoints/installer.go`; custom kinds: `apiextensions-apiserver/pkg/controller/openapi/builder`).

use serde_json::{Map, Value, json};

use super::discovery::{Resource, Subresource};
use crate::Gvk;

/// A parameter of the query with its type.
type Parameter = (&'static str, &'static str);
/// A code of an answer with what HTTP calls it.
type Code = (&'static str, &'static str);

const LIST: &[Parameter] = &[
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("shardSelector", "string"),
    ("timeoutSeconds", "integer"),
];
const WATCH: &[Parameter] = &[("allowWatchBookmarks", "boolean"), ("watch", "boolean")];
const CHANGE: &[Parameter] = &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];
const FORCE: &[Parameter] = &[("force", "boolean")];
const DELETE: &[Parameter] = &[
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
];
const READ: &[Parameter] = &[("resourceVersion", "string")];
const PRETTY: &[Parameter] = &[("pretty", "string")];
const COMMAND: &[Parameter] = &[("command", "string")];
const STREAMS: &[Parameter] =
    &[("container", "string"), ("stderr", "boolean"), ("stdin", "boolean"), ("stdout", "boolean"), ("tty", "boolean")];
const PORTS: &[Parameter] = &[("ports", "integer")];
const PROXIED: &[Parameter] = &[("path", "string")];
const LOG: &[Parameter] = &[
    ("container", "string"),
    ("follow", "boolean"),
    ("insecureSkipTLSVerifyBackend", "boolean"),
    ("limitBytes", "integer"),
    ("previous", "boolean"),
    ("sinceSeconds", "integer"),
    ("stream", "string"),
    ("tailLines", "integer"),
    ("timestamps", "boolean"),
];

const OK: Code = ("200", "OK");
const CREATED: Code = ("201", "Created");
const ACCEPTED: Code = ("202", "Accepted");

/// Kinds of which a deletion answers with the object, by plural and group (`ReturnDeletedObject` in `pkg/registry/*/storage`).
const RETURNED: [&str; 16] = [
    "pods",
    "services",
    "serviceaccounts",
    "persistentvolumes",
    "persistentvolumeclaims",
    "podtemplates",
    "resourcequotas",
    "storageclasses.storage.k8s.io",
    "csidrivers.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
    "volumeattributesclasses.storage.k8s.io",
    "deviceclasses.resource.k8s.io",
    "resourceclaims.resource.k8s.io",
    "resourceclaimtemplates.resource.k8s.io",
    "resourceslices.resource.k8s.io",
];

/// Whether a deletion answers with the object that is gone, by the resource's qualified name: `pods`, `storageclasses.storage.k8s.io`.
pub fn returns_deleted(resource: &str) -> bool {
    RETURNED.contains(&resource)
}

/// Whose operations they are: those of custom kinds are fewer, and say less.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinds {
    BuiltIn,
    Custom,
}

/// Writes down the operations of one group version.
pub(super) struct Installer<'a> {
    pub(super) kinds: Kinds,
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    /// What the document calls the schema of a kind.
    pub(super) schema: &'a dyn Fn(&Gvk) -> String,
}

/// One operation of a path.
struct Operation {
    method: &'static str,
    /// What is done, and to what: `read`, `NamespacedPodStatus`.
    name: (&'static str, String),
    action: &'static str,
    kind: Gvk,
    parameters: Vec<Parameter>,
    body: Option<Value>,
    codes: Vec<Code>,
    content: Value,
}

impl Installer<'_> {
    fn base(&self) -> String {
        match self.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        }
    }

    /// `AppsV1`, or `apps_v1` for a tag.
    fn prefix(&self) -> (String, String) {
        let group = if self.group.is_empty() { "core" } else { self.group.trim_end_matches(".k8s.io") };
        let id = format!("{}{}", identifier(group, First::Upper), identifier(self.version, First::Upper));
        (id, format!("{}_{}", identifier(group, First::AsIs), identifier(self.version, First::AsIs)))
    }

    /// The path that lists what the group version serves.
    pub(super) fn root(&self, paths: &mut Map<String, Value>) {
        let (prefix, tag) = self.prefix();
        let schema = reference("io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList");
        let get = json!({
            "operationId": format!("get{prefix}APIResources"), "tags": [tag],
            "responses": responses(&[OK], &content(self.media(), &schema)),
        });
        paths.insert(format!("{}/", self.base()), json!({"get": get}));
    }

    /// The paths of a resource, of its subresources, and of its watches.
    pub(super) fn resource(&self, resource: &Resource, list: &str, paths: &mut Map<String, Value>) {
        let has = |verb: &str| resource.verbs.iter().any(|known| known == verb);
        let (base, name, kind) = (self.base(), &resource.name, &resource.kind);
        let own = Gvk::new(self.group, self.version, &**kind);
        let listed = Gvk::new(self.group, self.version, list);
        let (within, namespaced) =
            if resource.namespaced { ("/namespaces/{namespace}", "Namespaced") } else { ("", "") };
        let of = |rest: &str| format!("{namespaced}{kind}{rest}");
        let collection = format!("{base}{within}/{name}");
        let mut on_collection = Vec::new();
        if has("list") {
            on_collection.push(self.listing(("list", of("")), "list", &own, &listed));
        }
        if has("create") {
            on_collection.push(self.change("create", of(""), &own, &own));
        }
        if has("deletecollection") {
            on_collection.push(self.clear(format!("Collection{namespaced}{kind}"), &own));
        }
        self.insert(&collection, on_collection, paths);
        let on_item =
            ["get", "update", "patch", "delete"].into_iter().filter(|verb| has(verb)).map(|verb| match verb {
                "delete" => self.delete(of(""), &own, resource),
                verb => self.change(verb, of(""), &own, &own),
            });
        self.insert(&format!("{collection}/{{name}}"), on_item.collect(), paths);
        for subresource in &resource.subresources {
            self.subresource(&format!("{collection}/{{name}}"), &of(""), &own, subresource, paths);
        }
        if resource.namespaced && has("list") {
            let all = self.listing(("list", format!("{kind}ForAllNamespaces")), "list", &own, &listed);
            self.insert(&format!("{base}/{name}"), vec![all], paths);
        }
        if self.kinds == Kinds::BuiltIn && has("watch") {
            let events = Gvk::new("", "v1", "WatchEvent");
            let watch = |name: String, action| vec![self.listing(("watch", name), action, &own, &events)];
            let watched = format!("{base}/watch{within}/{name}");
            self.insert(&watched, watch(of("List"), "watchlist"), paths);
            self.insert(&format!("{watched}/{{name}}"), watch(of(""), "watch"), paths);
            if resource.namespaced {
                let all = watch(format!("{kind}ListForAllNamespaces"), "watchlist");
                self.insert(&format!("{base}/watch/{name}"), all, paths);
            }
        }
    }

    fn subresource(&self, item: &str, of: &str, own: &Gvk, subresource: &Subresource, paths: &mut Map<String, Value>) {
        let (path, name) = (format!("{item}/{}", subresource.name), &*subresource.name);
        let said = identifier(name, First::Upper);
        let connected = match name {
            "exec" | "attach" | "portforward" => &["get", "post"][..],
            "proxy" => &["get", "head", "post", "put", "patch", "delete", "options"],
            _ => {
                // A definition's scale is told under the kind that is scaled.
                let kind = if self.kinds == Kinds::Custom { own } else { &subresource.gvk };
                let operations = subresource.verbs.iter().map(|verb| match name {
                    "log" => self.log(format!("{of}{said}"), kind),
                    _ => self.change(verb, format!("{of}{said}"), kind, &subresource.gvk),
                });
                return self.insert(&path, operations.collect(), paths);
            }
        };
        let parameters = match name {
            "exec" => [COMMAND, STREAMS].concat(),
            "attach" => STREAMS.to_vec(),
            "portforward" => PORTS.to_vec(),
            _ => PROXIED.to_vec(),
        };
        let connect = |rest: &'static str| {
            let (said, parameters) = (&said, &parameters);
            connected.iter().map(move |method| Operation {
                method,
                name: ("connect", format!("{}{of}{said}{rest}", identifier(method, First::Upper))),
                action: "connect",
                kind: subresource.gvk.clone(),
                parameters: parameters.clone(),
                body: None,
                codes: vec![OK],
                content: content(&["*/*"], &json!({"type": "string"})),
            })
        };
        self.insert(&path, connect("").collect(), paths);
        if name == "proxy" {
            self.insert(&format!("{path}/{{path}}"), connect("WithPath").collect(), paths);
        }
    }

    fn listing(&self, name: (&'static str, String), action: &'static str, kind: &Gvk, answer: &Gvk) -> Operation {
        let media: &[&str] = match self.kinds {
            Kinds::BuiltIn => &[
                "application/json",
                "application/json;stream=watch",
                "application/vnd.kubernetes.protobuf",
                "application/vnd.kubernetes.protobuf;stream=watch",
                "application/yaml",
            ],
            Kinds::Custom => self.media(),
        };
        Operation {
            method: "get",
            name,
            action,
            kind: kind.clone(),
            parameters: [LIST, WATCH, PRETTY].concat(),
            body: None,
            codes: vec![OK],
            content: content(media, &reference(&(self.schema)(answer))),
        }
    }

    /// Reads, makes, replaces or patches one object; `shape` is what goes to and fro.
    fn change(&self, verb: &str, name: String, kind: &Gvk, shape: &Gvk) -> Operation {
        let schema = reference(&(self.schema)(shape));
        let sent: &[&str] = if self.kinds == Kinds::BuiltIn { &["*/*"] } else { self.media() };
        let body = || Some(json!({"content": content(sent, &schema), "required": true}));
        let is_custom = self.kinds == Kinds::Custom;
        let (method, said, action, parameters, body, codes): (_, _, _, &[&[Parameter]], _, &[Code]) = match verb {
            "update" => ("put", "replace", "put", &[CHANGE], body(), &[OK, CREATED]),
            "patch" => {
                let patch = reference("io.k8s.apimachinery.pkg.apis.meta.v1.Patch");
                let body = json!({"content": content(self.patches(), &patch), "required": true});
                let codes: &[Code] = if is_custom { &[OK] } else { &[OK, CREATED] };
                ("patch", "patch", "patch", &[CHANGE, FORCE], Some(body), codes)
            }
            "create" => ("post", "create", "post", &[CHANGE], body(), &[OK, CREATED, ACCEPTED]),
            _ => ("get", "read", "get", if is_custom { &[READ] } else { &[] }, None, &[OK]),
        };
        Operation {
            method,
            name: (said, name),
            action,
            kind: kind.clone(),
            parameters: [parameters.concat(), PRETTY.to_vec()].concat(),
            body,
            codes: codes.to_vec(),
            content: content(self.media(), &schema),
        }
    }

    fn delete(&self, name: String, kind: &Gvk, resource: &Resource) -> Operation {
        let qualified = [&*resource.name, self.group].join(".");
        let is_returned = self.kinds == Kinds::BuiltIn && returns_deleted(qualified.trim_end_matches('.'));
        let schema = if is_returned { reference(&(self.schema)(kind)) } else { status() };
        Operation {
            method: "delete",
            name: ("delete", name),
            action: "delete",
            kind: kind.clone(),
            parameters: [DELETE, PRETTY].concat(),
            body: Some(self.how_to_delete()),
            codes: vec![OK, ACCEPTED],
            content: content(self.media(), &schema),
        }
    }

    fn clear(&self, name: String, kind: &Gvk) -> Operation {
        let (parameters, body) = match self.kinds {
            Kinds::BuiltIn => ([LIST, DELETE, PRETTY].concat(), Some(self.how_to_delete())),
            Kinds::Custom => ([LIST, WATCH, PRETTY].concat(), None),
        };
        Operation {
            method: "delete",
            name: ("delete", name),
            action: "deletecollection",
            kind: kind.clone(),
            parameters,
            body,
            codes: vec![OK],
            content: content(self.media(), &status()),
        }
    }

    fn log(&self, name: String, kind: &Gvk) -> Operation {
        let media: Vec<&str> = self.media().iter().copied().chain(["text/plain"]).collect();
        Operation {
            method: "get",
            name: ("read", name),
            action: "get",
            kind: kind.clone(),
            parameters: [LOG, PRETTY].concat(),
            body: None,
            codes: vec![OK],
            content: content(&media, &json!({"type": "string"})),
        }
    }

    fn how_to_delete(&self) -> Value {
        let schema = reference("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
        let sent: &[&str] = if self.kinds == Kinds::BuiltIn { &["*/*"] } else { self.media() };
        json!({"content": content(sent, &schema)})
    }

    /// The media types of an object. CBOR is spoken nowhere here.
    fn media(&self) -> &'static [&'static str] {
        match self.kinds {
            Kinds::BuiltIn => &["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"],
            Kinds::Custom => &["application/json", "application/yaml"],
        }
    }

    /// The kinds of patches that are taken: clients choose theirs by this.
    fn patches(&self) -> &'static [&'static str] {
        let all = &[
            "application/apply-patch+yaml",
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
        ];
        if self.kinds == Kinds::BuiltIn { all } else { &all[..3] }
    }

    /// Adds a path. What all its operations take stands beside them.
    fn insert(&self, path: &str, operations: Vec<Operation>, paths: &mut Map<String, Value>) {
        let Some(first) = operations.first() else { return };
        let shared: Vec<Parameter> = first.parameters.clone();
        let is_shared = |it: &Parameter| operations.iter().all(|other| other.parameters.contains(it));
        let mut beside: Vec<Value> = shared.into_iter().filter(is_shared).map(query).collect();
        let placed = path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'));
        beside.extend(placed.map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}})
        }));
        let (prefix, tag) = self.prefix();
        let mut all = Map::new();
        for operation in &operations {
            let own = operation.parameters.iter().filter(|it| !is_shared(it)).copied().map(query).collect();
            all.insert(operation.method.to_owned(), operation.value(&prefix, &tag, own));
        }
        if !beside.is_empty() {
            all.insert("parameters".to_owned(), by_name(beside));
        }
        paths.insert(path.to_owned(), Value::Object(all));
    }
}

impl Operation {
    fn value(&self, prefix: &str, tag: &str, parameters: Vec<Value>) -> Value {
        let Gvk { group, version, kind } = &self.kind;
        let mut value = json!({
            "operationId": format!("{}{prefix}{}", self.name.0, self.name.1),
            "tags": [tag],
            "responses": responses(&self.codes, &self.content),
            "x-kubernetes-action": self.action,
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
        });
        if !parameters.is_empty() {
            value["parameters"] = by_name(parameters);
        }
        if let Some(body) = &self.body {
            value["requestBody"] = body.clone();
        }
        value
    }
}

fn by_name(mut parameters: Vec<Value>) -> Value {
    parameters.sort_by(|a, b| (a["name"].as_str(), a["in"].as_str()).cmp(&(b["name"].as_str(), b["in"].as_str())));
    parameters.into()
}

fn query((name, ty): Parameter) -> Value {
    json!({"name": name, "in": "query", "schema": {"type": ty, "uniqueItems": true}})
}

fn responses(codes: &[Code], content: &Value) -> Value {
    let answered = codes.iter().map(|(code, said)| (*code, json!({"description": said, "content": content})));
    answered.chain([("401", json!({"description": "Unauthorized"}))]).collect()
}

fn content(media: &[&str], schema: &Value) -> Value {
    media.iter().map(|media| (*media, json!({"schema": schema}))).collect()
}

fn status() -> Value {
    reference("io.k8s.apimachinery.pkg.apis.meta.v1.Status")
}

/// Refers to a schema of the document.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What becomes of an identifier's first letter.
#[derive(Clone, Copy, PartialEq)]
enum First {
    Upper,
    AsIs,
}

/// As `ToValidOperationID` (`apiserver/pkg/endpoints/openapi`): letters and digits, each word but the first with a capital.
fn identifier(text: &str, first: First) -> String {
    let mut out = String::new();
    let mut raise = first == First::Upper;
    for (at, letter) in text.char_indices() {
        if letter.is_alphabetic() || letter == '_' || at > 0 && letter.is_numeric() {
            if raise {
                out.extend(letter.to_uppercase())
            } else {
                out.push(letter)
            }
            raise = false;
        } else {
            raise = true;
        }
    }
    out
}
