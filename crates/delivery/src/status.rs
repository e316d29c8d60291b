use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use landfall_cluster::ListOptions;
use landfall_diag::{Diagnose, Diagnostic};
use landfall_object::{Gvk, HealthStatus, Object, ObjectKey};
use landfall_release::{ListFilter, Record, manifest_objects};
use serde::Serialize;

use crate::content::is_workload;
use crate::life::{Stale, all_stale};
use crate::pods;
use crate::session::Session;
use crate::summary::PodLine;
use crate::trial::left_behind;
use crate::up::SEALING_KEYS;

/// What runs, and how it fares.
#[derive(Debug, Clone, Serialize)]
pub struct SystemStatus {
    /// The cluster's version.
    pub version: String,
    /// The releases.
    pub units: Vec<UnitStatus>,
    /// Whether all is well.
    pub healthy: bool,
    /// Workloads whose pods run with a secret's value from before its change, once [`Session::with_amiss`] has looked.
    pub stale: Vec<Stale>,
    /// Namespaces that were made for a delivery which was refused, and stay because something is in them; likewise.
    pub left: Vec<String>,
}

/// A release and its objects.
#[derive(Debug, Clone, Serialize)]
pub struct UnitStatus {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its revision.
    pub revision: i64,
    /// Helm's word: `deployed`, `failed`.
    pub status: String,
    /// When it was delivered, RFC 3339.
    pub updated: String,
    /// `luckyplans-0.3.0`
    pub chart: String,
    /// The version of what it installs.
    pub app_version: String,
    /// The workloads.
    pub workloads: Vec<WorkloadStatus>,
    /// The pods of its namespace that belong to its workloads.
    pub pods: Vec<PodLine>,
    /// The Services with their ports.
    pub services: Vec<String>,
    /// The Ingress rules as `host/path → service:port`.
    pub routes: Vec<String>,
    /// Objects that are missing or not healthy, with the reason.
    pub problems: Vec<Problem>,
}

/// A workload in one line.
#[derive(Debug, Clone, Serialize)]
pub struct WorkloadStatus {
    /// `Deployment`
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Ready of wanted, as `2/2`.
    pub ready: String,
    /// Argo CD's word.
    pub health: HealthStatus,
    /// Why it is so.
    pub message: String,
    /// Its containers' images.
    pub images: Vec<String>,
    /// The pod-template hash of its newest ReplicaSet or revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether its containers are simulated.
    pub simulated: bool,
}

/// An object that is not as it should be.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// Which.
    pub object: ObjectKey,
    /// `Missing`, `Degraded`, `Progressing`.
    pub health: HealthStatus,
    /// Why.
    pub message: String,
    /// What to do, where the log of a crashed container says what it lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The namespace that an Application delivers to.
fn namespace_of(keys: &[ObjectKey]) -> String {
    keys.iter().find_map(|key| key.namespace.clone()).unwrap_or_default()
}

impl SystemStatus {
    /// The same of a part of the units.
    #[must_use]
    pub fn only(mut self, is_meant: impl Fn(&UnitStatus) -> bool) -> Self {
        self.units.retain(is_meant);
        let units = &self.units;
        let is_shown = |one: &Stale| units.iter().any(|unit| one.workload.namespace.as_ref() == Some(&unit.namespace));
        self.stale.retain(is_shown);
        self.healthy = self.units.iter().all(UnitStatus::is_healthy);
        self
    }
}

impl UnitStatus {
    fn is_healthy(&self) -> bool {
        matches!(self.status.as_str(), "deployed" | "synced") && self.problems.is_empty()
    }
}

impl Session {
    /// What runs of the given releases (namespace and name), or of all when none are given.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    #[boxed]
    pub async fn status(&self, wanted: &[(String, String)]) -> Result<SystemStatus, Vec<Diagnostic>> {
        let version = self.cluster.version().await.map_err(|error| vec![error.diagnose()])?;
        let mut units = Vec::new();
        for record in self.installed().await? {
            let known = wanted.iter().any(|(namespace, name)| *namespace == record.namespace && *name == record.name);
            if wanted.is_empty() || known {
                units.push(self.unit_status(&record).await?);
            }
        }
        for (name, keys) in self.delivered_applications().await? {
            if wanted.is_empty() || wanted.iter().any(|(_, wanted)| *wanted == name) {
                units.push(self.application_status(name, &keys).await?);
            }
        }
        units.sort_by_key(|unit: &UnitStatus| {
            wanted.iter().position(|(namespace, name)| *namespace == unit.namespace && *name == unit.name)
        });
        let healthy = units.iter().all(UnitStatus::is_healthy);
        Ok(SystemStatus { version: version.git_version, units, healthy, stale: Vec::new(), left: Vec::new() })
    }

    /// The same with what is amiss beside what runs: who runs with a value from before, and which namespaces a refused delivery has left.
    /// Where one may not ask, what runs is told without it.
    #[boxed]
    pub async fn with_amiss(&self, mut status: SystemStatus) -> SystemStatus {
        let units = &status.units;
        status.stale = all_stale(&self.cluster, SEALING_KEYS).await.unwrap_or_default();
        status.stale.retain(|one| units.iter().any(|unit| one.workload.namespace.as_ref() == Some(&unit.namespace)));
        status.left = left_behind(&self.cluster).await;
        status.left.retain(|name| !units.iter().any(|unit| unit.namespace == *name));
        status
    }

    /// The namespaces and names of what is delivered: the releases, and then the Applications.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    #[boxed]
    pub async fn delivered(&self) -> Result<Vec<(String, String)>, Vec<Diagnostic>> {
        let records = self.installed().await?.into_iter().map(|record| (record.namespace, record.name));
        let applications = self.delivered_applications().await?;
        let applications = applications.into_iter().map(|(name, keys)| (namespace_of(&keys), name));
        Ok(records.chain(applications).collect())
    }

    pub(crate) async fn installed(&self) -> Result<Vec<Record>, Vec<Diagnostic>> {
        let records = self.releases("default").list_everywhere(ListFilter::All).await;
        let mut records = records.map_err(|error| vec![error.diagnose()])?;
        records.retain(|record| record.info.status != landfall_release::Status::Uninstalled);
        Ok(records)
    }

    async fn unit_status(&self, record: &Record) -> Result<UnitStatus, Vec<Diagnostic>> {
        let mut unit = UnitStatus {
            name: record.name.clone(),
            namespace: record.namespace.clone(),
            revision: record.version,
            status: self.standing(record).await?,
            updated: record.info.last_deployed.map(|at| at.to_string()).unwrap_or_default(),
            chart: format!(
                "{}-{}",
                record.chart["metadata"]["name"].as_str().unwrap_or("?"),
                record.chart["metadata"]["version"].as_str().unwrap_or("?")
            ),
            app_version: record.chart["metadata"]["appVersion"].as_str().unwrap_or_default().to_owned(),
            workloads: Vec::new(),
            pods: Vec::new(),
            services: Vec::new(),
            routes: Vec::new(),
            problems: Vec::new(),
        };
        let objects = manifest_objects(&record.manifest).map_err(|error| vec![error.diagnose()])?;
        let mut keys = Vec::new();
        for manifest in objects {
            let placed = self.cluster.place(manifest.object.clone(), &record.namespace).await;
            keys.push(placed.unwrap_or(manifest.object).key());
        }
        self.describe(&mut unit, &keys).await?;
        Ok(unit)
    }

    async fn application_status(&self, name: String, keys: &[ObjectKey]) -> Result<UnitStatus, Vec<Diagnostic>> {
        let mut unit = UnitStatus {
            name,
            namespace: namespace_of(keys),
            revision: 0,
            status: "synced".to_owned(),
            updated: String::new(),
            chart: "Application".to_owned(),
            app_version: String::new(),
            workloads: Vec::new(),
            pods: Vec::new(),
            services: Vec::new(),
            routes: Vec::new(),
            problems: Vec::new(),
        };
        self.describe(&mut unit, keys).await?;
        Ok(unit)
    }

    /// Adds to a unit's status what its live objects say.
    async fn describe(&self, unit: &mut UnitStatus, keys: &[ObjectKey]) -> Result<(), Vec<Diagnostic>> {
        let told = |error: landfall_cluster::Error| vec![error.diagnose()];
        let live: BTreeMap<ObjectKey, Object> =
            self.cluster.get_all(keys).await.map_err(told)?.into_iter().map(|object| (object.key(), object)).collect();
        let sets = self.replica_sets(&unit.namespace).await?;
        let all_pods = self.pod_objects(&unit.namespace).await?;
        for key in keys {
            let Some(object) = live.get(key) else {
                unit.problems.push(Problem {
                    object: key.clone(),
                    health: HealthStatus::Missing,
                    message: "it is not there".to_owned(),
                    hint: None,
                });
                continue;
            };
            let health = self.health.assess(object);
            if let Some(health) = &health
                && !matches!(health.status, HealthStatus::Healthy | HealthStatus::Suspended)
            {
                let hint = match is_workload(object) {
                    true => self.cluster.evidence(object, "", &health.message).await.hint(object),
                    false => None,
                };
                unit.problems.push(Problem {
                    object: key.clone(),
                    health: health.status,
                    message: health.message.clone(),
                    hint,
                });
            }
            if is_workload(object) {
                let owned: Vec<&Object> = all_pods.iter().filter(|pod| belongs(pod, object, &sets)).collect();
                unit.workloads.push(workload(object, health, &owned, &sets));
                unit.pods.extend(owned.iter().map(|pod| pods::line(pod)));
            }
            match object.kind() {
                "Service" => unit.services.push(service_line(object)),
                "Ingress" => unit.routes.extend(route_lines(object)),
                _ => {}
            }
        }
        Ok(())
    }

    async fn replica_sets(&self, namespace: &str) -> Result<Vec<Object>, Vec<Diagnostic>> {
        self.all_of(Gvk::new("apps", "v1", "ReplicaSet"), namespace).await
    }

    async fn pod_objects(&self, namespace: &str) -> Result<Vec<Object>, Vec<Diagnostic>> {
        self.all_of(Gvk::new("", "v1", "Pod"), namespace).await
    }

    async fn all_of(&self, gvk: Gvk, namespace: &str) -> Result<Vec<Object>, Vec<Diagnostic>> {
        let options = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
        self.cluster.list(&gvk, &options).await.map_err(|error| vec![error.diagnose()])
    }
}

pub(crate) fn belongs(pod: &Object, workload: &Object, sets: &[Object]) -> bool {
    let Some(owner) = pod.controller() else { return false };
    if Some(owner.uid.as_str()) == workload.uid() {
        return true;
    }
    sets.iter().any(|set| {
        set.uid() == Some(owner.uid.as_str())
            && set.controller().is_some_and(|owner| Some(owner.uid.as_str()) == workload.uid())
    })
}

fn workload(
    object: &Object,
    health: Option<landfall_object::Health>,
    pods: &[&Object],
    sets: &[Object],
) -> WorkloadStatus {
    let (ready, wanted) = match object.kind() {
        "DaemonSet" => (
            object.i64_at("/status/numberReady").unwrap_or(0),
            object.i64_at("/status/desiredNumberScheduled").unwrap_or(0),
        ),
        _ => (object.i64_at("/status/readyReplicas").unwrap_or(0), object.i64_at("/spec/replicas").unwrap_or(1)),
    };
    let newest = sets
        .iter()
        .filter(|set| set.controller().is_some_and(|owner| Some(owner.uid.as_str()) == object.uid()))
        .max_by_key(|set| {
            set.annotation("deployment.kubernetes.io/revision").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
        });
    let hash = newest
        .and_then(|set| set.label("pod-template-hash"))
        .or(object.str_at("/status/updateRevision"))
        .map(str::to_owned);
    let images = object
        .list_at("/spec/template/spec/containers")
        .iter()
        .filter_map(|container| container["image"].as_str().map(str::to_owned))
        .collect();
    let health =
        health.unwrap_or_else(|| landfall_object::Health::new(HealthStatus::Unknown, "it says nothing of its health"));
    WorkloadStatus {
        kind: object.kind().to_owned(),
        name: object.name().to_owned(),
        ready: format!("{ready}/{wanted}"),
        health: health.status,
        message: health.message,
        images,
        hash,
        simulated: pods.iter().any(|pod| pod.annotation(landfall_object::SIMULATED).is_some()),
    }
}

fn service_line(service: &Object) -> String {
    let ports: Vec<String> = service
        .list_at("/spec/ports")
        .iter()
        .filter_map(|port| port["port"].as_u64())
        .map(|port| port.to_string())
        .collect();
    format!("{} {}", service.name(), ports.join(","))
}

fn route_lines(ingress: &Object) -> Vec<String> {
    let mut lines = Vec::new();
    for rule in ingress.list_at("/spec/rules") {
        let host = rule["host"].as_str().unwrap_or("*");
        for path in rule["http"]["paths"].as_array().into_iter().flatten() {
            let service = &path["backend"]["service"];
            let port = service["port"]["number"]
                .as_u64()
                .map(|port| port.to_string())
                .or(service["port"]["name"].as_str().map(str::to_owned))
                .unwrap_or_default();
            lines.push(format!(
                "{host}{} → {}:{port}",
                path["path"].as_str().unwrap_or("/"),
                service["name"].as_str().unwrap_or("?")
            ));
        }
    }
    lines
}
