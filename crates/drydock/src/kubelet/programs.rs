//! What others make while they run: programs that create Secrets and ConfigMaps, as far as their rights and their command
//! lines tell, and operators that are not simulated. It is a marked placeholder, so that the pods that wait for it go on.

use landfall_object::operators::definition as known_definition;
use landfall_object::references::{Lack, Need, programs, provides, references};
use landfall_object::{ASSUMED, Object, SIMULATED, Simulated};
use serde_json::{Value, json};

use super::Work;
use super::references::has_key;
use crate::controllers::fields::{child, list, namespace, text};
use crate::controllers::kind::{CONFIG_MAP, Kind, SECRET};
use crate::controllers::writers::is_written_by_others;
use crate::operators::standing::Operators;

/// What stands in for every value, in base64.
const PLACEHOLDER: &str = "fnNpbXVsYXRlZA==";

/// Where rights are written down.
const RIGHTS: &[&str] = &[
    "roles.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
];

/// As many programs are remembered.
const MOST_PROGRAMS: usize = 256;

impl Work<'_, '_> {
    /// Remembers the pod once it runs, if it may create Secrets or ConfigMaps.
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
        let known = &mut self.memory.programs;
        known.extend(found);
        // Each run of a job is one more; the oldest are the ones that run no more.
        known.drain(..known.len().saturating_sub(MOST_PROGRAMS));
    }

    /// Makes what the pod waits for and somebody who is not simulated would make: a program that runs, or ran, or the
    /// operator of a custom resource that is there.
    pub(super) fn take_what_others_make(&mut self) {
        let is_waiting = |status: &Value| status.pointer("/state/waiting").is_some();
        let statuses =
            || list(&self.status, "/containerStatuses").iter().chain(list(&self.status, "/initContainerStatuses"));
        if !text(&self.status, "/podIP").is_empty() && !statuses().any(is_waiting) {
            return;
        }
        let Ok(pod) = Object::from_value(self.pod.clone()) else { return };
        let within = namespace(self.pod).to_owned();
        for wanted in references(&pod) {
            let kind = match (wanted.group.as_str(), wanted.kind.as_str()) {
                ("", "Secret") => SECRET,
                ("", "ConfigMap") => CONFIG_MAP,
                _ => continue,
            };
            let there = self.desk.get(&kind, &within, &wanted.name);
            let lacks = |found: &Value| wanted.key.as_ref().is_some_and(|key| !has_key(found, key));
            if wanted.need != Need::Start || there.as_ref().is_some_and(|found| !lacks(found)) {
                continue;
            }
            let mut makers = self.memory.programs.iter();
            let lack = if there.is_some() { Lack::Key } else { Lack::Object };
            let maker = makers.find(|it| it.makes(kind.kind, Some(&within), &wanted.name, lack, &pod).is_some());
            let program = maker.map(|maker| Simulated::MadeBy(maker.owner.name.clone()));
            let is_new = there.is_none();
            let by = program.or_else(|| self.operated(&kind, &within, &wanted.name)).map(|by| by.to_string());
            let taken = || self.play.takes_as_there(kind.kind, &within, &wanted.name, wanted.key.as_deref());
            let Some(by) = by.or_else(|| taken().then(|| ASSUMED.to_owned())) else { continue };
            let mut made = there.map_or_else(
                || {
                    json!({"apiVersion": "v1", "kind": kind.kind,
                        "metadata": {"name": wanted.name, "namespace": within}})
                },
                |found| found.value().clone(),
            );
            // What is there with a key that is taken as there is somebody's own otherwise.
            if is_new || by != ASSUMED {
                child(child(&mut made, "metadata"), "annotations")[SIMULATED] = by.into();
            }
            if let Some(key) = &wanted.key {
                child(&mut made, "data")[key] = PLACEHOLDER.into();
            }
            let written = if is_new { self.desk.create(&kind, made) } else { self.desk.update(&kind, made) };
            if let Err(refusal) = written {
                tracing::debug!(name = %wanted.name, %refusal, pod = text(self.pod, "/metadata/name"), "not made");
            }
        }
    }

    /// For which custom resource an operator that is not simulated makes an object, if there is one. Where such an operator
    /// acts, which the statuses show that it writes, it is left to make it itself.
    fn operated(&mut self, kind: &Kind, within: &str, wanted: &str) -> Option<Simulated> {
        let operators = self.memory.operators;
        let world = self.desk.world();
        let acts = |collection: &str| {
            operators == Operators::UntilReal
                && world.list(collection, None).any(|custom| is_written_by_others(custom, "f:status", ""))
        };
        let definitions = world.list("customresourcedefinitions.apiextensions.k8s.io", None);
        // What the simulated operators make, they make themselves, or do not.
        let mut unknown = definitions.filter(|definition| {
            known_definition(text(definition, "/spec/group"), text(definition, "/spec/names/kind")).is_none()
        });
        unknown.find_map(|definition| {
            let collection = format!("{}.{}", text(definition, "/spec/names/plural"), text(definition, "/spec/group"));
            if acts(&collection) {
                return None;
            }
            world.list(&collection, None).map(|stored| stored.object()).find_map(|custom| {
                let makes = provides(custom).into_iter().any(|made| {
                    made.kind == kind.kind && made.name == wanted && made.namespace.as_deref() == Some(within)
                });
                makes.then(|| Simulated::MadeFor(format!("{} {}", custom.kind(), custom.name())))
            })
        })
    }
}
