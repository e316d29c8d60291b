//! From a definition to served resources.

use std::sync::Arc;

use landfall_object::Gvk;
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::resource::{CustomResource, Resource, ScalePaths, Scope, Subresource};
use crate::world::{Actor, ObjectRef, Part, Stored, World};

impl World {
    /// Serves what a definition declares, in place of what it declared before.
    pub(crate) fn serve_definition(&mut self, before: Option<&Stored>, after: Option<&Stored>) {
        let mut registry = (**self.registry()).clone();
        if let Some(before) = before {
            let spec = &before["spec"];
            registry.remove(
                spec["group"].as_str().unwrap_or_default(),
                spec["names"]["plural"].as_str().unwrap_or_default(),
            );
        }
        let mut schemas = (**self.schemas()).clone();
        if let Some(before) = before {
            schemas.leave(before.object());
        }
        if let Some(after) = after
            && let Err(error) = schemas.join(after.object())
        {
            tracing::warn!("a definition without a usable schema is served: {error}");
        }
        for resource in after.map(|after| resources(after.value())).unwrap_or_default() {
            for rule in schemas.rules_not_understood(&Gvk::new(&*resource.group, &*resource.version, &*resource.kind)) {
                tracing::warn!("a rule of {} is not checked: {rule}", resource.id);
            }
            registry.insert(resource);
        }
        self.replace_registry(registry, schemas);
    }
}

/// One resource for each served version, and for the version that stores.
fn resources(definition: &Value) -> Vec<Resource> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (group, plural, kind) = (text(&spec["group"]), text(&names["plural"]), text(&names["kind"]));
    let id: Arc<str> = Arc::from(format!("{plural}.{group}"));
    let versions: Vec<&Value> = spec["versions"].as_array().into_iter().flatten().collect();
    let storage = versions.iter().find(|version| version["storage"] == true).map(|version| text(&version["name"]));
    let storage_version = storage.unwrap_or_default();
    versions
        .iter()
        .filter(|version| version["served"] == true || version["storage"] == true)
        .map(|version| {
            let name = text(&version["name"]);
            let schema = version["schema"]["openAPIV3Schema"].clone();
            let own = |subresource: &str| Subresource {
                name: subresource.to_owned(),
                group: String::new(),
                version: String::new(),
                kind: kind.clone(),
                verbs: vec!["get".into(), "patch".into(), "update".into()],
            };
            let scale = version["subresources"].get("scale").map(|scale| ScalePaths {
                spec_replicas: text(&scale["specReplicasPath"]),
                status_replicas: text(&scale["statusReplicasPath"]),
                label_selector: scale["labelSelectorPath"].as_str().map(str::to_owned),
            });
            let mut subresources = Vec::new();
            if version["subresources"].get("status").is_some() {
                subresources.push(own("status"));
            }
            if scale.is_some() {
                subresources.push(Subresource {
                    group: "autoscaling".into(),
                    version: "v1".into(),
                    kind: "Scale".into(),
                    ..own("scale")
                });
            }
            let deprecation = (version["deprecated"] == true).then(|| {
                version["deprecationWarning"]
                    .as_str()
                    .map_or_else(|| format!("{group}/{name} {kind} is deprecated"), str::to_owned)
            });
            let preserve_unknown = spec["preserveUnknownFields"] == true
                || schema["x-kubernetes-preserve-unknown-fields"] == true
                || schema.is_null();
            let selectable = version["selectableFields"].as_array().into_iter().flatten();
            Resource {
                group: group.clone(),
                version: name,
                plural: plural.clone(),
                kind: kind.clone(),
                scope: if spec["scope"] == "Cluster" { Scope::Cluster } else { Scope::Namespaced },
                singular: names["singular"].as_str().map_or_else(|| kind.to_lowercase(), str::to_owned),
                short_names: list(&names["shortNames"]),
                categories: list(&names["categories"]),
                verbs: ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
                    .map(str::to_owned)
                    .to_vec(),
                subresources,
                tracks_generation: true,
                creates_on_update: false,
                requires_version: true,
                id: id.clone(),
                custom: Some(Arc::new(CustomResource {
                    crd: text(&definition["metadata"]["name"]),
                    schema,
                    preserve_unknown,
                    columns: version["additionalPrinterColumns"].as_array().cloned().unwrap_or_default(),
                    selectable_fields: selectable
                        .filter_map(|field| field["jsonPath"].as_str())
                        .map(str::to_owned)
                        .collect(),
                    scale,
                    storage_version: storage_version.clone(),
                    deprecation,
                    served: version["served"] == true,
                })),
            }
        })
        .collect()
}

/// A definition begins with nothing accepted; see [`World::accept_definition`].
pub(crate) fn prepare(definition: &mut Value) {
    let stored: Vec<Value> = versions_that_store(definition);
    definition["status"] =
        json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": stored});
}

/// Says that a definition is on its way out, and its objects before it.
pub(crate) fn terminate(definition: &mut Value, now: &str) {
    let condition = json!({
        "type": "Terminating", "status": "True", "reason": "InstanceDeletionPending", "lastTransitionTime": now,
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    });
    match definition["status"]["conditions"].as_array_mut() {
        Some(conditions) => conditions.push(condition),
        None => definition["status"]["conditions"] = json!([condition]),
    }
}

/// Says that objects of a definition that is on its way out have finalizers.
pub(crate) fn wait_for_instances(definition: &mut Value, now: &str) {
    let conditions = definition["status"]["conditions"].as_array_mut();
    if let Some(condition) = conditions.into_iter().flatten().find(|it| it["type"] == "Terminating") {
        condition["reason"] = json!("InstanceDeletionInProgress");
        condition["message"] = json!("CustomResource deletion is in progress");
        condition["lastTransitionTime"] = json!(now);
    }
}

/// Whether a definition is on its way out.
pub(crate) fn is_terminating(definition: &Value) -> bool {
    let conditions = definition["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == "Terminating" && it["status"] == "True")
}

/// Remembers the versions that objects were ever stored in.
pub(crate) fn prepare_update(definition: &mut Value, live: &Value) {
    let mut stored: Vec<Value> = live["status"]["storedVersions"].as_array().cloned().unwrap_or_default();
    for version in versions_that_store(definition) {
        if !stored.contains(&version) {
            stored.push(version);
        }
    }
    definition["status"]["storedVersions"] = Value::Array(stored);
}

fn versions_that_store(definition: &Value) -> Vec<Value> {
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    versions.filter(|version| version["storage"] == true).map(|version| version["name"].clone()).collect()
}

impl World {
    /// Accepts a definition's names and establishes it: the second write, right after the first.
    pub(crate) fn accept_definition(&mut self, definition: &ObjectRef) {
        let now = json!(rfc3339(self.now()));
        let accepted = self.modify(&Actor::system("kube-apiserver"), definition, Part::Status, |definition| {
            definition["status"]["acceptedNames"] = definition["spec"]["names"].clone();
            definition["status"]["conditions"] = json!([
                {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found", "lastTransitionTime": now},
                {"type": "Established", "status": "True", "reason": "InitialNamesAccepted", "message": "the initial names have been accepted", "lastTransitionTime": now},
            ]);
        });
        if let Err(status) = accepted {
            tracing::warn!("a definition could not be established: {status}");
        }
    }
}
