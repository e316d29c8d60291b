//! Deleting: preconditions, grace, finalizers, propagation (apiserver `pkg/registry/rest/delete.go`,
//! `pkg/registry/generic/registry/store.go`).

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::commit::DEFINITIONS;
use super::{Actor, Change, Effect, ObjectRef, Stored, World};
use crate::admission::{self, Operation, Review};
use crate::clock::rfc3339;
use crate::remarks::Remarks;
use crate::resource::Resource;
use crate::status::Status;

/// `metav1.DeleteOptions`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeleteOptions {
    /// Seconds until the end; `None` for the object's own.
    pub grace_seconds: Option<i64>,
    /// What happens to dependents; `None` for the resource's default.
    pub propagation: Option<Propagation>,
    /// Only this object, not one of the same name that came after.
    pub uid: Option<String>,
    /// Only this version.
    pub version: Option<String>,
    /// Whether the deletion is kept.
    pub effect: Effect,
}

/// What happens to dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They stay.
    Orphan,
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
}

/// What holds a definition until its objects have gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// What a deletion left.
pub(crate) enum Deleted {
    /// The object is gone.
    Gone(Arc<Stored>),
    /// It waits for grace or finalizers.
    Going(Arc<Stored>),
}

impl World {
    /// Deletes an object, or marks it when finalizers or grace hold it.
    pub fn delete(
        &mut self,
        actor: &Actor,
        object: &ObjectRef,
        options: &DeleteOptions,
    ) -> Result<Arc<Stored>, Status> {
        let resource = self.resource(&object.resource)?;
        match self.delete_as(actor, &resource, &object.namespace, &object.name, options)? {
            Deleted::Gone(object) | Deleted::Going(object) => Ok(object),
        }
    }

    pub(crate) fn delete_as(
        &mut self,
        actor: &Actor,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        let Some(live) = self.find(&resource.id, namespace, name) else {
            return Err(Status::not_found(&resource.group, &resource.plural, name));
        };
        check_preconditions(resource, &live, options)?;
        let stores = self.registry.stored(&resource.id).cloned().unwrap_or_else(|| resource.clone());
        let mut unchanged = live.value().clone();
        let review = Review {
            user: &actor.user,
            operation: Operation::Delete,
            resource: &stores,
            subresource: "",
            namespace,
            object: &mut unchanged,
            old: Some(live.value()),
            remarks: &Remarks::default(),
        };
        admission::validate(self, &review)?;
        let reference =
            ObjectRef { resource: resource.id.clone(), namespace: namespace.to_owned(), name: name.to_owned() };
        if &*resource.id == "namespaces" {
            return Ok(self.delete_namespace(reference, &live, options));
        }

        if &*resource.id == DEFINITIONS && !live.is_deleting() {
            return Ok(self.delete_definition(reference, &live, options.effect));
        }
        let mut object = live.value().clone();
        set_propagation_finalizers(&mut object, options.propagation);
        let grace = if &*resource.id == "pods" { pod_grace(&live, options.grace_seconds) } else { 0 };
        let held = object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
        if live.is_deleting() {
            let before = live["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
            if grace < before && &*resource.id == "pods" {
                set_deletion(self, &mut object, grace);
                if grace == 0 && !held {
                    return Ok(Deleted::Gone(self.commit(reference, Change::Deleted, object, options.effect)));
                }
            } else if &*resource.id == "pods" && before > 0 {
                return Ok(Deleted::Going(live));
            }
            if !held && grace == 0 {
                return Ok(Deleted::Gone(self.commit(reference, Change::Deleted, object, options.effect)));
            }
            if &object == live.value() {
                return Ok(Deleted::Going(live));
            }
            return Ok(Deleted::Going(self.commit(reference, Change::Modified, object, options.effect)));
        }
        let is_gone = grace == 0 && !held;
        // What may take its time says when its time was up, though it was given none (`rest.BeforeDelete`).
        if !is_gone || &*resource.id == "pods" {
            set_deletion(self, &mut object, grace);
            if object["metadata"]["generation"].as_i64().is_some_and(|generation| generation > 0) {
                object["metadata"]["generation"] = json!(live.generation() + 1);
            }
        }
        if is_gone {
            return Ok(Deleted::Gone(self.commit(reference, Change::Deleted, object, options.effect)));
        }
        Ok(Deleted::Going(self.commit(reference, Change::Modified, object, options.effect)))
    }

    /// A definition is marked; then its objects go, each when its finalizers let it, and then itself.
    fn delete_definition(&mut self, reference: ObjectRef, live: &Arc<Stored>, effect: Effect) -> Deleted {
        let mut object = live.value().clone();
        object["metadata"]["deletionTimestamp"] = json!(rfc3339(self.now()));
        let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        if !finalizers.iter().any(|known| known == CLEANUP) {
            finalizers.push(json!(CLEANUP));
        }
        object["metadata"]["finalizers"] = json!(finalizers);
        crate::crd::terminate(&mut object, &rfc3339(self.now()));
        let marked = self.commit(reference.clone(), Change::Modified, object, effect);
        if effect == Effect::DryRun {
            return Deleted::Going(marked);
        }
        self.delete_instances(live.name());
        if self.list(live.name(), None).next().is_some() {
            let mut object = marked.value().clone();
            crate::crd::wait_for_instances(&mut object, &rfc3339(self.now()));
            self.commit(reference, Change::Modified, object, effect);
        } else {
            self.finish_definition(live.name());
        }
        Deleted::Going(marked)
    }

    /// Custom objects go with their definition, as if somebody had deleted each.
    fn delete_instances(&mut self, resource: &str) {
        let resource: Arc<str> = Arc::from(resource);
        let there: Vec<Arc<Stored>> = self.list(&resource, None).cloned().collect();
        for object in there {
            let reference = ObjectRef {
                resource: resource.clone(),
                namespace: object.namespace().to_owned(),
                name: object.name().to_owned(),
            };
            let mut value = object.value().clone();
            let is_held = value["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
            if !is_held {
                self.commit(reference, Change::Deleted, value, Effect::Commit);
            } else if !object.is_deleting() {
                set_deletion(self, &mut value, 0);
                value["metadata"]["generation"] = json!(object.generation() + 1);
                self.commit(reference, Change::Modified, value, Effect::Commit);
            }
        }
    }

    /// A definition that is on its way out goes when the last of its objects has gone.
    pub(super) fn finish_definition(&mut self, resource: &str) {
        let Some(live) = self.find(DEFINITIONS, "", resource).filter(|live| live.is_deleting()) else { return };
        let mut finalizers = live["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        let is_waiting = finalizers.iter().any(|known| known == CLEANUP);
        if !is_waiting || self.list(resource, None).next().is_some() {
            return;
        }
        finalizers.retain(|known| known != CLEANUP);
        let mut object = live.value().clone();
        let change = if finalizers.is_empty() { Change::Deleted } else { Change::Modified };
        set_finalizers(&mut object, finalizers);
        let reference = ObjectRef { resource: DEFINITIONS.into(), namespace: String::new(), name: resource.to_owned() };
        self.commit(reference, change, object, Effect::Commit);
    }

    /// A namespace is only marked; it goes when its content and its own finalizers are gone.
    fn delete_namespace(&mut self, reference: ObjectRef, live: &Arc<Stored>, options: &DeleteOptions) -> Deleted {
        let mut object = live.value().clone();
        set_propagation_finalizers(&mut object, options.propagation);
        if !live.is_deleting() {
            object["metadata"]["deletionTimestamp"] = json!(rfc3339(self.now()));
            object["status"]["phase"] = json!("Terminating");
        }
        let empty = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
        if empty(&object["spec"]["finalizers"]) && empty(&object["metadata"]["finalizers"]) {
            return Deleted::Gone(self.commit(reference, Change::Deleted, object, options.effect));
        }
        if &object == live.value() {
            return Deleted::Going(live.clone());
        }
        Deleted::Going(self.commit(reference, Change::Modified, object, options.effect))
    }
}

fn set_deletion(world: &World, object: &mut Value, grace: i64) {
    let at = world.now().checked_add(SignedDuration::from_secs(grace)).unwrap_or_else(|_| world.now());
    object["metadata"]["deletionTimestamp"] = json!(rfc3339(at));
    object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
}

/// Seconds a pod gets: the option or its own, none where nothing runs.
fn pod_grace(pod: &Value, asked: Option<i64>) -> i64 {
    let grace = asked.or_else(|| pod["spec"]["terminationGracePeriodSeconds"].as_i64()).unwrap_or(30);
    let unbound = pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty();
    let over = matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
    match grace {
        _ if unbound || over => 0,
        negative if negative < 0 => 1,
        grace => grace,
    }
}

fn check_preconditions(resource: &Resource, live: &Stored, options: &DeleteOptions) -> Result<(), Status> {
    let name = live.name();
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != live.uid()) {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            live.uid()
        );
        return Err(Status::conflict(&resource.group, &resource.kind, name, &why));
    }
    if let Some(version) = options.version.as_deref().filter(|version| *version != live.version().to_string()) {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might have been modified",
            live.version()
        );
        return Err(Status::conflict(&resource.group, &resource.kind, name, &why));
    }
    Ok(())
}

/// Propagation is remembered as a finalizer that the garbage collector takes away.
fn set_propagation_finalizers(object: &mut Value, propagation: Option<Propagation>) {
    let mut finalizers: Vec<Value> = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let before = finalizers.clone();
    let keep = match propagation {
        None => return,
        Some(Propagation::Background) => None,
        Some(Propagation::Orphan) => Some("orphan"),
        Some(Propagation::Foreground) => Some("foregroundDeletion"),
    };
    finalizers.retain(|known| known != "orphan" && known != "foregroundDeletion");
    if let Some(keep) = keep {
        finalizers.push(json!(keep));
    }
    if finalizers == before {
        return;
    }
    set_finalizers(object, finalizers);
}

/// Writes an object's finalizers; where there are none, it says nothing of them.
fn set_finalizers(object: &mut Value, finalizers: Vec<Value>) {
    if !finalizers.is_empty() {
        object["metadata"]["finalizers"] = Value::Array(finalizers);
    } else if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("finalizers");
    }
}
