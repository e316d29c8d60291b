//! What has to come before what: the plan's phases, waves, waits and hooks, owners before what they own, and readiness after
//! what it depends on. Each edge is looked at on both sides.

use std::collections::BTreeMap;

use serde_json::Value;

use super::recorder::{items, text};
use super::scene::{Life, Scene, of_life};

/// A moment in an object's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Created,
    Ready,
}

/// One moment before another.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    /// What it comes from.
    pub(super) from: &'static str,
    pub(super) first: (String, Moment),
    pub(super) then: (String, Moment),
}

impl Edge {
    /// Whether it holds on a side; nothing where one of the moments is not known there.
    pub(super) fn holds(&self, scene: &Scene) -> Option<bool> {
        let at = |(key, moment): &(String, Moment)| {
            let life = scene.lives.get(key)?;
            match moment {
                Moment::Created => life.created,
                Moment::Ready => life.ready,
            }
        };
        Some(at(&self.first)? < at(&self.then)?)
    }

    /// For people: `Job shop/migrate ready before Deployment shop/web created`.
    pub(super) fn told(&self) -> String {
        let side = |(key, moment): &(String, Moment)| {
            format!("{key} {}", if *moment == Moment::Ready { "ready" } else { "created" })
        };
        format!("{} before {} ({})", side(&self.first), side(&self.then), self.from)
    }
}

/// All edges of a delivery.
pub(super) fn edges(plan: &Value, scene: &Scene) -> Vec<Edge> {
    let mut edges = planned(plan);
    for (key, life) in &scene.lives {
        let edge = |from, first: (String, Moment), then: Moment| Edge { from, first, then: (key.clone(), then) };
        if let Some(owner) = &life.owner {
            edges.push(edge("owner", (owner.clone(), Moment::Created), Moment::Created));
            if is_readiness_of_owner(life) {
                let first = (key.clone(), Moment::Ready);
                edges.push(Edge { from: "readiness", first, then: (owner.clone(), Moment::Ready) });
            }
        }
        let namespace = text(&life.object, "/metadata/namespace");
        if !namespace.is_empty() {
            edges.push(edge("namespace", (format!("Namespace {namespace}"), Moment::Created), Moment::Created));
        }
        if life.object["kind"] == "Pod" {
            edges.extend(needs(&life.object).into_iter().map(|first| edge("reference", first, Moment::Ready)));
        }
    }
    edges
}

/// Whether an object's readiness is part of its owner's.
fn is_readiness_of_owner(life: &Life) -> bool {
    matches!(text(&life.object, "/kind"), "Pod" | "ReplicaSet")
}

/// What a pod cannot start without.
fn needs(pod: &Value) -> Vec<(String, Moment)> {
    let namespace = text(pod, "/metadata/namespace");
    let mut needs = Vec::new();
    let mut need = |kind: &str, name: &str, moment: Moment| {
        if !name.is_empty() {
            needs.push((format!("{kind} {namespace}/{name}"), moment));
        }
    };
    need("ServiceAccount", text(pod, "/spec/serviceAccountName"), Moment::Created);
    for volume in items(&pod["spec"]["volumes"]) {
        need("PersistentVolumeClaim", text(volume, "/persistentVolumeClaim/claimName"), Moment::Ready);
        if volume["secret"]["optional"] != true {
            need("Secret", text(volume, "/secret/secretName"), Moment::Created);
        }
        if volume["configMap"]["optional"] != true {
            need("ConfigMap", text(volume, "/configMap/name"), Moment::Created);
        }
    }
    for container in ["initContainers", "containers"].into_iter().flat_map(|field| items(&pod["spec"][field])) {
        let whole = items(&container["envFrom"]);
        let single = items(&container["env"]).map(|variable| &variable["valueFrom"]);
        for source in whole.chain(single) {
            for (field, kind) in [
                ("secretRef", "Secret"),
                ("secretKeyRef", "Secret"),
                ("configMapRef", "ConfigMap"),
                ("configMapKeyRef", "ConfigMap"),
            ] {
                if source[field]["optional"] != true {
                    need(kind, text(&source[field], "/name"), Moment::Created);
                }
            }
        }
    }
    needs
}

/// The edges of a plan: what one wave makes comes before what the next one makes, what is waited for is ready before, and
/// each hook has come to its end before anything else is done.
fn planned(plan: &Value) -> Vec<Edge> {
    let mut edges = Vec::new();
    // What must have happened before the next wave, and what the last waves have made.
    let mut behind: Vec<(String, Moment, &'static str)> = Vec::new();
    // A hook of several phases is made anew in each of them.
    let mut hooks: BTreeMap<String, usize> = BTreeMap::new();
    let phases = items(&plan["units"]).flat_map(|unit| items(&unit["plan"]["phases"]));
    for wave in phases.filter(|phase| phase["runs"] != "onfailure").flat_map(|phase| items(&phase["waves"])) {
        let mut made: Vec<(String, Moment, &'static str)> = Vec::new();
        for step in items(&wave["steps"]) {
            let key = key(&step["key"]);
            // A namespace that an earlier release brings is there when the plan of a later one comes to it.
            if behind.iter().chain(&made).any(|(other, moment, _)| *other == key && *moment == Moment::Created) {
                continue;
            }
            match text(step, "/action") {
                "create" => made.push((key, Moment::Created, "wave")),
                "hook" => {
                    // Hooks run one after another, within a wave too.
                    behind.append(&mut made);
                    let number = hooks.entry(key.clone()).or_default();
                    *number += 1;
                    let key = of_life(&key, *number);
                    edges.extend(after(&behind, &key));
                    behind.push((key, Moment::Ready, "hook"));
                    continue;
                }
                "wait" => {
                    behind.append(&mut made);
                    for key in waited(step) {
                        behind.push((key, Moment::Ready, "wait"));
                    }
                    continue;
                }
                _ => continue,
            }
            let made_now = made.last().map(|(key, _, _)| key.clone()).unwrap_or_default();
            edges.extend(after(&behind, &made_now));
        }
        behind.append(&mut made);
    }
    edges
}

fn after(behind: &[(String, Moment, &'static str)], key: &str) -> Vec<Edge> {
    behind
        .iter()
        .filter(|(first, _, _)| first != key)
        .map(|(first, moment, from)| Edge {
            from,
            first: (first.clone(), *moment),
            then: (key.to_owned(), Moment::Created),
        })
        .collect()
}

/// The objects that a step waits for: those of its task, else its own.
fn waited(step: &Value) -> Vec<String> {
    fn find(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) if map.contains_key("gvk") && map.contains_key("name") => found.push(key(value)),
            Value::Object(map) => map.values().for_each(|value| find(value, found)),
            Value::Array(list) => list.iter().for_each(|value| find(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    find(&step["task"], &mut found);
    if found.is_empty() { vec![key(&step["key"])] } else { found }
}

fn key(value: &Value) -> String {
    let group = match text(value, "/gvk/group") {
        "" => String::new(),
        group => format!("{group}/"),
    };
    let namespace = match text(value, "/namespace") {
        "" => String::new(),
        namespace => format!("{namespace}/"),
    };
    format!("{group}{} {namespace}{}", text(value, "/gvk/kind"), text(value, "/name"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::recorder::{Sighting, What};
    use super::*;

    /// An account that is a hook of two phases, each with a job behind it, as a cluster shows them.
    fn twice_made() -> (Value, Vec<Sighting>) {
        let step = |kind: &str, group: &str, name: &str| {
            json!({"action": "hook", "key": {"gvk": {"group": group, "version": "v1", "kind": kind},
                "namespace": "shop", "name": name}})
        };
        let phase =
            |job: &str| json!({"waves": [{"steps": [step("ServiceAccount", "", "setup"), step("Job", "batch", job)]}]});
        let plan = json!({"units": [{"plan": {"phases": [phase("create"), phase("patch")]}}]});
        let object = |api: &str, kind: &str, name: &str, uid: &str| json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "shop", "uid": uid}});
        let account = |uid| object("v1", "ServiceAccount", "setup", uid);
        let seen = [
            (1, What::Created, account("a")),
            (2, What::Created, object("batch/v1", "Job", "create", "j")),
            (3, What::Deleted, account("a")),
            (4, What::Created, account("b")),
            (5, What::Created, object("batch/v1", "Job", "patch", "k")),
        ];
        let sightings = seen.map(|(version, what, object)| Sighting { version, what, object });
        (plan, sightings.to_vec())
    }

    #[test]
    fn a_hook_that_is_made_anew_in_a_later_phase_has_a_life_in_each() {
        let (plan, sightings) = twice_made();
        let scene = Scene::of(&sightings, &[]);
        let account: Vec<(String, Option<bool>)> = planned(&plan)
            .iter()
            .filter(|edge| edge.first.0.starts_with("ServiceAccount"))
            .map(|edge| (edge.told(), edge.holds(&scene)))
            .collect();
        let told = |text: &str| (text.to_owned(), Some(true));
        assert_eq!(
            account,
            [
                told("ServiceAccount shop/setup ready before batch/Job shop/create created (hook)"),
                told("ServiceAccount shop/setup ready before ServiceAccount shop/setup (life 2) created (hook)"),
                told("ServiceAccount shop/setup ready before batch/Job shop/patch created (hook)"),
                told("ServiceAccount shop/setup (life 2) ready before batch/Job shop/patch created (hook)"),
            ]
        );
    }
}
