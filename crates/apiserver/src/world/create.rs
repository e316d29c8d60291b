//! Creating, in the real server's order: defaults, managed fields, admission, preparation, validation, quota, write.

use std::sync::Arc;

use serde_json::{Value, json};

use super::commit::DEFINITIONS;
use super::tracking::Tracking;
use super::{Actor, Change, Effect, ObjectRef, Part, Stored, World};
use crate::admission::{self, Operation, Review};
use crate::clock::rfc3339;
use crate::remarks::Remarks;
use crate::resource::Resource;
use crate::status::Status;
use crate::{convert, defaulting, managers, rbac, strategy, validate};

/// A create request.
pub(crate) struct Create<'a> {
    pub(crate) actor: &'a Actor,
    /// In the version the request names.
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) namespace: &'a str,
    /// The name in the request's path; empty for a POST, which has none.
    pub(crate) asked: &'a str,
    pub(crate) object: Value,
    pub(crate) effect: Effect,
    /// How the fields written are recorded.
    pub(crate) tracking: Tracking,
    /// Takes what the writer is told beside the answer, also when the write is refused.
    pub(crate) remarks: &'a Remarks,
}

impl World {
    /// Creates an object of a storage id such as `deployments.apps` in the namespace that it names.
    pub fn create(&mut self, actor: &Actor, resource: &str, object: Value) -> Result<Arc<Stored>, Status> {
        let resource = self.resource(resource)?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        self.create_as(Create {
            actor,
            resource: &resource,
            namespace: &namespace,
            asked: "",
            object,
            effect: Effect::Commit,
            tracking: Tracking::Update,
            remarks: &Remarks::default(),
        })
    }

    pub(crate) fn create_as(&mut self, request: Create<'_>) -> Result<Arc<Stored>, Status> {
        let Create { actor, resource, namespace, asked, mut object, effect, tracking, remarks } = request;
        if !object.is_object() {
            return Err(Status::bad_request("the body of the request must be an object"));
        }
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        object["kind"] = json!(resource.kind);
        object["apiVersion"] = json!(resource.api_version());
        settle_namespace(resource, namespace, &mut object)?;
        let definition = resource.custom.is_some().then(|| self.find(DEFINITIONS, "", &resource.id)).flatten();
        if definition.is_some_and(|definition| crate::crd::is_terminating(definition.value())) {
            return Err(Status::terminating());
        }
        if object["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty() && version != "0") {
            return Err(Status::plain_error("resourceVersion should not be set on objects to be created"));
        }
        let generate = needs_name(&object);
        strategy::drop_null_creation_timestamp(&mut object);
        defaulting::apply(self, &mut object);
        if matches!(tracking, Tracking::Update) {
            managers::record_update(self, resource, None, &mut object, &actor.manager, "");
        }
        convert::to_storage(self.registry(), resource, &mut object);
        let stores = self.registry.stored(&resource.id).cloned().unwrap_or_else(|| resource.clone());
        let mut review = Review {
            user: &actor.user,
            operation: Operation::Create,
            resource: &stores,
            subresource: "",
            namespace,
            object: &mut object,
            old: None,
            remarks,
        };
        admission::mutate(self, &mut review)?;
        rbac::confirm_no_escalation(self, &review, asked)?;
        if generate {
            self.generate_name(&mut object);
        }

        let now = rfc3339(self.now());
        let uid = self.random.uuid();
        let metadata = &mut object["metadata"];
        if let Some(metadata) = metadata.as_object_mut() {
            for field in
                ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion", "generation"]
            {
                metadata.remove(field);
            }
        }
        metadata["uid"] = json!(uid);
        metadata["creationTimestamp"] = json!(now);
        // A driver's is counted from its first change on (`csidriver/strategy.go`).
        if stores.tracks_generation && &*stores.id != "csidrivers.storage.k8s.io" {
            metadata["generation"] = json!(1);
        }
        strategy::prepare_create(self, &stores, &mut object)?;
        strategy::take_over(&stores, &mut object, remarks);
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let errors = validate::create(self, resource, &stores, &object);
        if !errors.is_empty() {
            return Err(Status::invalid(&stores.group, &stores.kind, &name, errors));
        }
        strategy::warn(&stores, Part::Main, &object, None, remarks);
        let review = Review {
            user: &actor.user,
            operation: Operation::Create,
            resource: &stores,
            subresource: "",
            namespace,
            object: &mut object,
            old: None,
            remarks,
        };
        admission::validate(self, &review)?;
        if let Some(existing) = self.find(&resource.id, namespace, &name) {
            if generate {
                return Err(Status::generate_name_conflict(&resource.group, &resource.plural, &name));
            }
            let status = Status::already_exists(&resource.group, &resource.plural, &name);
            return Err(if existing.is_deleting() {
                Status { message: format!("object is being deleted: {}", status.message), ..status }
            } else {
                status
            });
        }
        defaulting::apply_stored(self, &stores, &mut object);
        let reference = ObjectRef { resource: resource.id.clone(), namespace: namespace.to_owned(), name };
        let definition = (&*reference.resource == DEFINITIONS && effect == Effect::Commit).then(|| reference.clone());
        let stored = self.commit(reference, Change::Added, object, effect);
        if let Some(definition) = definition {
            self.accept_definition(&definition);
        }
        Ok(stored)
    }

    /// Sets a free name: the base cut to 58 bytes and five letters.
    fn generate_name(&mut self, object: &mut Value) {
        let mut base = object["metadata"]["generateName"].as_str().unwrap_or_default().to_owned();
        while base.len() > 58 {
            base.pop();
        }
        let name = format!("{base}{}", self.random.suffix(5));
        object["metadata"]["name"] = json!(name);
    }
}

/// Whether an object leaves it to the server to find a name (`registry/generic/registry/store.go`, `needsNameGeneration`).
pub(crate) fn needs_name(object: &Value) -> bool {
    let given = |field: &str| object["metadata"][field].as_str().is_some_and(|text| !text.is_empty());
    !given("name") && given("generateName")
}

/// The body's namespace must be the path's, or be absent; an object of the cluster loses what it says
/// (`rest.EnsureObjectNamespaceMatchesRequestNamespace`).
pub(crate) fn settle_namespace(resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Status> {
    let given = object["metadata"]["namespace"].as_str().unwrap_or_default();
    if !resource.is_namespaced() {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        return Ok(());
    }
    if !given.is_empty() && given != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if namespace.is_empty() {
        return Err(Status::bad_request("an empty namespace may not be set during creation"));
    }
    object["metadata"]["namespace"] = json!(namespace);
    Ok(())
}
