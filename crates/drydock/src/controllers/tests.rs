//! The controllers over a world, in virtual time.

mod api_services;
mod autoscalers;
mod census;
mod cron_jobs;
mod deployments;
mod jobs;
mod mariadb;
mod memory;
mod operators;
mod plays;
mod pods;
mod sealing;
mod sets;
mod signing;
mod standing;
mod storage;
mod tokens;
mod waiting;

use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::{Actor, Clock, Credentials, DeleteOptions, ObjectRef, Randomness, Settings, Stored, World};
use serde_json::{Value, json};

use super::fields::{name, text};
use super::{ControlPlane, Controllers};
use crate::behaviour::{Behaviour, Play};
use crate::simulation::Simulation;

/// A world with its control plane, driven by hand.
struct Stage {
    world: World,
    controllers: Controllers,
    actor: Actor,
}

impl Stage {
    fn new(plane: ControlPlane) -> Self {
        let mut world = World::new(Clock::virtual_clock(), Randomness::from_seed(7), Settings::default());
        landfall_apiserver::prepare(&mut world).expect("a new world");
        crate::kubelet::register(&mut world, &plane.nodes).expect("nodes");
        let behaviour = Behaviour::new(plane.play.clone()).into();
        let credentials = Credentials::generate().expect("keys").into();
        let mut stage =
            Self { world, controllers: Controllers::new(plane, behaviour, credentials), actor: Actor::system("test") };
        stage.create("namespaces", json!({"metadata": {"name": "shop"}}));
        stage.rest();
        stage
    }

    fn with(simulation: Value, faults: &[&str]) -> Self {
        let play = Play {
            simulation: Simulation::parse(&simulation).expect("a valid simulation"),
            faults: faults.iter().map(|f| f.parse().expect("a valid fault")).collect(),
            ..Play::default()
        };
        Self::new(ControlPlane { play, ..ControlPlane::default() })
    }

    fn plain() -> Self {
        Self::new(ControlPlane::default())
    }

    fn create(&mut self, resource: &str, mut object: Value) -> std::sync::Arc<Stored> {
        let known = self.world.resource(resource).expect("a served resource");
        if known.is_namespaced() && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = "shop".into();
        }
        self.world.create(&self.actor, resource, object).expect("a valid object")
    }

    fn change(&mut self, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.find(resource, name).value().clone();
        change(&mut object);
        self.world.update(&self.actor, resource, object).expect("a valid change");
    }

    fn delete(&mut self, resource: &str, namespace: &str, name: &str) {
        let object = ObjectRef { resource: resource.into(), namespace: namespace.into(), name: name.into() };
        self.world.delete(&self.actor, &object, &DeleteOptions::default()).expect("deleted");
    }

    fn find(&self, resource: &str, name: &str) -> std::sync::Arc<Stored> {
        let namespaced = self.world.resource(resource).is_ok_and(|r| r.is_namespaced());
        let within = if namespaced { "shop" } else { "" };
        self.world.find(resource, within, name).unwrap_or_else(|| panic!("no {resource} {name}"))
    }

    fn list(&self, resource: &str) -> Vec<std::sync::Arc<Stored>> {
        self.world.list(resource, None).filter(|o| matches!(o.namespace(), "shop" | "")).cloned().collect()
    }

    /// Steps at the present instant until nothing is left to do.
    fn rest(&mut self) -> Option<Timestamp> {
        for _ in 0..10_000 {
            let now = self.world.now();
            let wake = self.controllers.advance(&mut self.world, now);
            if wake.is_none_or(|at| at > now) && self.controllers.seen == Some(self.world.version()) {
                return wake;
            }
        }
        panic!("the controllers do not come to rest");
    }

    /// Lets virtual time pass, stepping at each instant something waits for.
    fn pass(&mut self, seconds: i64) {
        let end = self.world.now() + SignedDuration::from_secs(seconds);
        loop {
            let wake = self.rest();
            let next = wake.filter(|at| *at <= end).unwrap_or(end);
            self.world.clock().as_virtual().expect("virtual").advance_to(next);
            if next == end {
                self.rest();
                return;
            }
        }
    }

    /// Events about an object, oldest first, as `reason message`.
    fn events(&self, about: &str) -> Vec<String> {
        let mut events: Vec<_> =
            self.list("events").into_iter().filter(|e| text(e, "/involvedObject/name") == about).collect();
        events.sort_by_key(|e| e.version());
        events.iter().map(|e| format!("{} {}", text(e, "/reason"), text(e, "/message"))).collect()
    }

    fn names(&self, resource: &str) -> Vec<String> {
        self.list(resource).iter().map(|o| name(o).to_owned()).collect()
    }
}

/// A deployment of one container.
fn deployment(name: &str, replicas: i64) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": "nginx:1", "ports": [{"containerPort": 80}]}]},
            },
        },
    })
}
