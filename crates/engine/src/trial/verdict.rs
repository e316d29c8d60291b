//! What a server's answer to a dry run says of the object, and what only of the moment.

use std::collections::BTreeSet;

use landfall_object::{Object, ObjectKey};

use super::tried::{is_tried, object_of};
use super::{MadeNamespace, Objection};
use crate::desired::{Method, Task};
use crate::plan::{Action, Plan};

/// What is known of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server would take it.
    Accepted,
    /// The definition that comes with the plans allows it.
    AcceptedByDefinition,
    /// It would be refused.
    Refused { objection: Objection, fields: Vec<(String, String)> },
    /// Nothing is known, and why.
    Untried(String),
}

/// What plans bring, change and take away: a refusal that rests on it may not stand when the step's turn comes.
pub(super) struct Surroundings {
    /// Objects that are created or changed.
    written: BTreeSet<ObjectKey>,
    /// Names of webhooks whose configuration is written.
    webhooks: BTreeSet<String>,
    /// Namespaces in which something that counts against a quota goes, or the quota itself is written.
    unsettled: BTreeSet<String>,
    /// Namespaces that were made for the trial.
    fresh: BTreeSet<String>,
}

impl Surroundings {
    pub(super) fn of(plans: &[&Plan], made: &[MadeNamespace]) -> Self {
        let mut here = Surroundings {
            written: BTreeSet::new(),
            webhooks: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            fresh: made.iter().map(|made| made.key.name.clone()).collect(),
        };
        for step in plans.iter().flat_map(|plan| plan.steps()) {
            let namespace = step.key.namespace.clone();
            if step.action == Action::Delete
                || matches!(&step.task, Task::Apply { method: Method::Recreate { .. }, .. })
            {
                here.unsettled.extend(namespace.clone());
            }
            let Some(object) = object_of(step).filter(|_| is_tried(step)) else { continue };
            if matches!(object.kind(), "ResourceQuota" | "LimitRange") {
                here.unsettled.extend(namespace);
            }
            let named = object.list_at("/webhooks").iter().filter_map(|webhook| webhook["name"].as_str());
            here.webhooks.extend(named.map(str::to_owned));
            here.written.insert(step.key.clone());
        }
        here
    }

    /// What a refusal means.
    pub(super) fn judge(&self, object: Option<&Object>, error: &landfall_cluster::Error) -> Verdict {
        let said = error.to_string();
        if let Some(reason) = self.passes(object, error, &said) {
            return Verdict::Untried(reason);
        }
        let fields = match error {
            landfall_cluster::Error::Api { status, .. } => status
                .details
                .iter()
                .flat_map(|details| &details.causes)
                .filter(|cause| !cause.field.is_empty())
                .map(|cause| (cause.field.clone(), cause.message.clone()))
                .collect(),
            _ => Vec::new(),
        };
        Verdict::Refused { objection: Objection::Said(said), fields }
    }

    /// Why a refusal may not stand when it is the object's turn.
    fn passes(&self, object: Option<&Object>, error: &landfall_cluster::Error, said: &str) -> Option<String> {
        if let landfall_cluster::Error::NoMatch { gvk, .. } = error {
            return Some(format!("{} is not served yet", gvk.api_version()));
        }
        if matches!(error.code(), Some(429 | 503 | 504)) {
            return Some(format!("the server is busy: {said}"));
        }
        if error.is_already_exists() || (error.is_conflict() && !crate::act::is_apply_conflict(error)) {
            return Some(format!("somebody else writes it: {said}"));
        }
        // k8s.io/apiserver, admission/plugin/webhook: what has side effects and does not say so is never called.
        if said.contains("does not support dry run") {
            return Some(said.to_owned());
        }
        if let Some(service) = called_service(said).filter(|service| self.is_written("Service", service)) {
            return Some(format!("the webhook of Service {} is only to come", service.1));
        }
        let webhook = quoted(said, "admission webhook ").or_else(|| quoted(said, "calling webhook "));
        if let Some(name) = webhook.filter(|name| self.webhooks.contains(*name)) {
            return Some(format!("the webhook {name} changes with this delivery: {said}"));
        }
        let object = object?;
        let namespace = object.namespace().unwrap_or_default();
        if said.contains("exceeded quota") && self.unsettled.contains(namespace) {
            return Some(format!("what counts against the quota changes with this delivery: {said}"));
        }
        let of_namespace =
            |kind: &str, name: &str| self.is_written(kind, &(Some(namespace.to_owned()), name.to_owned()));
        if let Some(name) = quoted(said, "namespaces ")
            && error.is_not_found()
            && self.is_written("Namespace", &(None, name.to_owned()))
        {
            return Some(format!("the namespace {name} is only to come"));
        }
        match object.kind() {
            "Pod" => {
                let account = quoted(said, "serviceaccount ").or_else(|| quoted(said, "serviceaccounts "));
                if let Some(name) = account
                    && (of_namespace("ServiceAccount", name) || (name == "default" && self.fresh.contains(namespace)))
                {
                    return Some(format!("ServiceAccount/{name} is only to come"));
                }
                for (path, kind) in
                    [("/spec/priorityClassName", "PriorityClass"), ("/spec/runtimeClassName", "RuntimeClass")]
                {
                    let name = object.str_at(path).unwrap_or_default();
                    if said.contains(kind) && self.is_written(kind, &(None, name.to_owned())) {
                        return Some(format!("{kind}/{name} is only to come"));
                    }
                }
                None
            }
            // A server that is asked to bind a role looks it up, unless who asks may bind any.
            "RoleBinding" | "ClusterRoleBinding" if matches!(error.code(), Some(403 | 404)) => {
                let kind = object.str_at("/roleRef/kind").unwrap_or_default();
                let name = object.str_at("/roleRef/name").unwrap_or_default();
                let place = (kind == "Role").then(|| namespace.to_owned());
                let comes = self.is_written(kind, &(place, name.to_owned()));
                comes.then(|| format!("{kind}/{name} is only to come"))
            }
            _ => None,
        }
    }

    fn is_written(&self, kind: &str, (namespace, name): &(Option<String>, String)) -> bool {
        self.written.iter().any(|key| key.gvk.kind == kind && key.name == *name && key.namespace == *namespace)
    }
}

/// What stands in quotes behind some words.
fn quoted<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.strip_prefix('"')?.split('"').next()
}

/// The Service that a failed call went to, namespace and name (`Post "https://NAME.NAMESPACE.svc:443/…"`).
fn called_service(said: &str) -> Option<(Option<String>, String)> {
    if !said.contains("webhook") {
        return None;
    }
    let address = said[said.find("https://")? + "https://".len()..].split(['/', ':', '?', '"']).next()?;
    let mut parts = address.split('.');
    let (name, namespace) = (parts.next()?, parts.next()?);
    (parts.next() == Some("svc")).then(|| (Some(namespace.to_owned()), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_of_a_failed_call_is_read_from_the_servers_words() {
        let said = "Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: Post \"https://hooks.ops.svc:443/validate?timeout=10s\": dial tcp 10.0.0.1:443: connect: connection refused";
        assert_eq!(called_service(said), Some((Some("ops".to_owned()), "hooks".to_owned())));
        assert_eq!(quoted(said, "calling webhook "), Some("w.example.com"));
        assert_eq!(called_service("Post \"https://hooks.ops.svc:443/\""), None);
    }
}
