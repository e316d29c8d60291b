//! Changing what is there: PUT, every kind of PATCH and the controllers' read-modify-write take this path.

use std::sync::Arc;

use serde_json::{Value, json};

use super::create::settle_namespace;
use super::part::Part;
use super::tracking::Tracking;
use super::{Actor, Change, Effect, ObjectRef, Stored, World};
use crate::admission::{self, Operation, Review};
use crate::remarks::Remarks;
use crate::resource::Resource;
use crate::status::{FieldError, Status};
use crate::{convert, defaulting, managers, rbac, strategy, validate};

/// A change of one object.
pub(crate) struct Update<'a> {
    pub(crate) actor: &'a Actor,
    /// In the version the request names.
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) part: Part,
    pub(crate) effect: Effect,
    pub(crate) tracking: Tracking,
    /// Whether a body without a resource version is refused where the resource asks for one (PUT).
    pub(crate) version_rule: VersionRule,
    /// Takes what the writer is told beside the answer, also when the write is refused.
    pub(crate) remarks: &'a Remarks,
}

/// What an absent resource version in the new object means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionRule {
    /// Overwrite where the resource allows that (PUT).
    AsResourceSays,
    /// Overwrite (PATCH, controllers).
    Unconditional,
}

impl World {
    /// Replaces the main part of an object; a resource version in it must be the present one.
    pub fn update(&mut self, actor: &Actor, resource: &str, object: Value) -> Result<Arc<Stored>, Status> {
        self.replace(actor, resource, object, Part::Main)
    }

    /// Replaces the status of an object; a resource version in it must be the present one.
    pub fn update_status(&mut self, actor: &Actor, resource: &str, object: Value) -> Result<Arc<Stored>, Status> {
        self.replace(actor, resource, object, Part::Status)
    }

    fn replace(&mut self, actor: &Actor, resource: &str, object: Value, part: Part) -> Result<Arc<Stored>, Status> {
        let resource = self.resource(resource)?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let update = Update {
            actor,
            resource: &resource,
            namespace: &namespace,
            name: &name,
            part,
            effect: Effect::Commit,
            tracking: Tracking::Update,
            version_rule: VersionRule::Unconditional,
            remarks: &Remarks::default(),
        };
        self.update_as(update, |_, _| Ok(object))
    }

    /// Reads, changes and writes back one part of an object; nothing is written when nothing changed.
    pub fn modify(
        &mut self,
        actor: &Actor,
        object: &ObjectRef,
        part: Part,
        change: impl FnOnce(&mut Value),
    ) -> Result<Arc<Stored>, Status> {
        let resource = self.resource(&object.resource)?;
        let update = Update {
            actor,
            resource: &resource,
            namespace: &object.namespace,
            name: &object.name,
            part,
            effect: Effect::Commit,
            // A binding leaves no trace in managed fields, as on the real server.
            tracking: if part == Part::Binding { Tracking::Done } else { Tracking::Update },
            version_rule: VersionRule::Unconditional,
            remarks: &Remarks::default(),
        };
        self.update_as(update, |_, live| {
            let mut object = live.clone();
            change(&mut object);
            Ok(object)
        })
    }

    /// Carries out an update; `make` gets the live object in the request's version and gives the new one.
    pub(crate) fn update_as(
        &mut self,
        request: Update<'_>,
        make: impl FnOnce(&mut Self, &Value) -> Result<Value, Status>,
    ) -> Result<Arc<Stored>, Status> {
        let Update { actor, resource, namespace, name, part, effect, tracking, version_rule, remarks } = request;
        let Some(live) = self.find(&resource.id, namespace, name) else {
            return Err(Status::not_found(&resource.group, &resource.plural, name));
        };
        let live_shown = convert::from_storage(self.registry(), resource, live.value());
        let mut object = make(self, &live_shown)?;
        if !object.is_object() || !object["metadata"].is_object() {
            return Err(Status::bad_request("the body of the request must be an object with metadata"));
        }
        settle_namespace(resource, namespace, &mut object)?;
        self.check_identity(resource, &live, &mut object, version_rule)?;
        strategy::drop_null_creation_timestamp(&mut object);
        object["kind"] = json!(resource.kind);
        object["apiVersion"] = json!(resource.api_version());
        defaulting::apply(self, &mut object);
        strategy::protect(resource, part, &mut object, &live_shown);
        if matches!(tracking, Tracking::Update) {
            managers::record_update(self, resource, Some(&live_shown), &mut object, &actor.manager, part.subresource());
        }
        convert::to_storage(self.registry(), resource, &mut object);
        let stores = self.registry.stored(&resource.id).cloned().unwrap_or_else(|| resource.clone());
        let mut review = Review {
            user: &actor.user,
            operation: Operation::Update,
            resource: &stores,
            subresource: part.subresource(),
            namespace,
            object: &mut object,
            old: Some(live.value()),
            remarks,
        };
        admission::mutate(self, &mut review)?;
        rbac::confirm_no_escalation(self, &review, name)?;
        keep_system_fields(&mut object, &live);
        strategy::prepare_update(self, &stores, part, &mut object, live.value())?;
        strategy::bump_generation(&stores, part, &mut object, live.value());
        let errors = validate::update(self, &stores, part, &object, live.value());
        if !errors.is_empty() {
            return Err(Status::invalid(&resource.group, &resource.kind, name, errors));
        }
        strategy::warn(&stores, part, &object, Some(live.value()), remarks);
        let review = Review {
            user: &actor.user,
            operation: Operation::Update,
            resource: &stores,
            subresource: part.subresource(),
            namespace,
            object: &mut object,
            old: Some(live.value()),
            remarks,
        };
        admission::validate(self, &review)?;
        defaulting::apply_stored(self, &stores, &mut object);
        let reference =
            ObjectRef { resource: resource.id.clone(), namespace: namespace.to_owned(), name: name.to_owned() };
        if strategy::is_finished(&stores, &object) {
            // The answer is the update that let it go, under the version it had; watches see it as it was stored last.
            self.commit(reference, Change::Deleted, live.value().clone(), effect);
            return Ok(Arc::new(Stored::new(object, live.version())));
        }
        if &object == live.value() {
            return Ok(live);
        }
        Ok(self.commit(reference, Change::Modified, object, effect))
    }

    fn check_identity(
        &self,
        resource: &Resource,
        live: &Stored,
        object: &mut Value,
        rule: VersionRule,
    ) -> Result<(), Status> {
        let name = live.name();
        let given = object["metadata"]["name"].as_str().unwrap_or_default();
        if given.is_empty() {
            object["metadata"]["name"] = json!(name);
        } else if given != name {
            return Err(Status::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        if !uid.is_empty() && uid != live.uid() {
            let place =
                if live.namespace().is_empty() { name.to_owned() } else { format!("{}/{name}", live.namespace()) };
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: /registry/{}/{place}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                resource.plural,
                live.uid()
            );
            return Err(Status::conflict(&resource.group, &resource.plural, name, &why));
        }
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if version.is_empty() || version == "0" {
            if rule == VersionRule::AsResourceSays && resource.requires_version {
                let error = FieldError::invalid("metadata.resourceVersion", 0, "must be specified for an update");
                return Err(Status::invalid(&resource.group, &resource.plural, name, vec![error]));
            }
        } else if version.parse::<u64>().ok() != Some(live.version()) {
            if version.parse::<u64>().is_err() {
                let error = FieldError::invalid("metadata.resourceVersion", version, "must be an unsigned integer");
                return Err(Status::invalid(&resource.group, &resource.kind, name, vec![error]));
            }
            return Err(Status::modified(&resource.group, &resource.plural, name));
        }
        Ok(())
    }
}

/// What only the server sets stays as it is, whatever the new object says.
fn keep_system_fields(object: &mut Value, live: &Stored) {
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    metadata.remove("selfLink");
    for field in
        ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"]
    {
        match &live["metadata"][field] {
            Value::Null => metadata.remove(field),
            value => metadata.insert(field.to_owned(), value.clone()),
        };
    }
    if !metadata.contains_key("generateName")
        && let Some(base) = live["metadata"].get("generateName")
    {
        metadata.insert("generateName".to_owned(), base.clone());
    }
}
