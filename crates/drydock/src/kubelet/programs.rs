//! Programs that create Secrets while they run, as far as their rights and their command lines tell: what they make is a
//! marked placeholder, so that the pods that wait for it go on.

use landfall_object::Object;
use landfall_object::references::{Need, programs, references};
use serde_json::{Value, json};

use super::references::has_key;
use super::{SIMULATED, Work};
use crate::controllers::fields::{child, list, namespace, text};
use crate::controllers::kind::SECRET;

/// What stands in for every value, in base64.
const PLACEHOLDER: &str = "fnNpbXVsYXRlZA==";

/// Where rights are written down.
const RIGHTS: &[&str] = &[
    "roles.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
];

impl Work<'_, '_> {
    /// Remembers the pod once it runs, if it may create Secrets.
    pub(super) fn remember_program(&mut self) {
        let statuses =
            list(&self.status, "/containerStatuses").iter().chain(list(&self.status, "/initContainerStatuses"));
        let mut states = statuses.filter_map(|status| status.get("state"));
        let runs = states.any(|state| state.get("running").is_some() || state.get("terminated").is_some());
        if !runs || !self.memory.asked.insert(self.uid()) {
            return;
        }
        let Ok(pod) = Object::from_value(self.pod.clone()) else { return };
        let within = namespace(self.pod);
        let found = {
            let world = self.desk.world();
            let rights = RIGHTS.iter().flat_map(|kind| world.list(kind, None)).map(|stored| stored.object());
            let texts = world.list("configmaps", Some(within)).map(|stored| stored.object());
            let around: Vec<&Object> = std::iter::once(&pod).chain(rights).chain(texts).collect();
            programs(around.iter().copied())
        };
        self.memory.programs.extend(found);
    }

    /// Makes the Secrets that the pod waits for and that a program which runs, or ran, makes.
    pub(super) fn take_what_programs_make(&mut self) {
        if self.memory.programs.is_empty() {
            return;
        }
        let Ok(pod) = Object::from_value(self.pod.clone()) else { return };
        let within = namespace(self.pod).to_owned();
        for wanted in references(&pod) {
            if wanted.kind != SECRET.kind || !wanted.group.is_empty() || wanted.need != Need::Start {
                continue;
            }
            let there = self.desk.get(&SECRET, &within, &wanted.name);
            let lacks = |secret: &Value| wanted.key.as_ref().is_some_and(|key| !has_key(secret, key));
            if there.as_ref().is_some_and(|secret| !lacks(secret)) {
                continue;
            }
            let mut makers = self.memory.programs.iter();
            let Some(maker) = makers.find(|it| it.makes(Some(&within), &wanted.name, &pod).is_some()) else { continue };
            let by = format!("made by {}", maker.owner.name);
            let is_new = there.is_none();
            let mut secret = there.map_or_else(
                || {
                    json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                        "metadata": {"name": wanted.name, "namespace": within}})
                },
                |secret| secret.value().clone(),
            );
            child(child(&mut secret, "metadata"), "annotations")[SIMULATED] = by.into();
            if let Some(key) = &wanted.key {
                child(&mut secret, "data")[key] = PLACEHOLDER.into();
            }
            let written = if is_new { self.desk.create(&SECRET, secret) } else { self.desk.update(&SECRET, secret) };
            if let Err(refusal) = written {
                tracing::debug!(secret = %wanted.name, %refusal, pod = text(self.pod, "/metadata/name"), "not made");
            }
        }
    }
}
