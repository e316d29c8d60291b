//! What runs of what is declared: each image that a workload is to run, against the pods that there are.
//!
//! ```text
//! declared workload ─► the live one: another image in its template?       ─► something else runs
//!                  └─► its pods, or what ran to its end: a Job, a hook     ─► it runs · begins to run · has not run yet
//! ```
//!
//! A check says something of what ran while it was made, and of nothing that is only written down somewhere.

use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use landfall_cluster::ListOptions;
use landfall_diag::{Diagnose, Diagnostic};
use landfall_object::health::assess;
use landfall_object::{Gvk, HealthStatus, Object};
use landfall_release::{HookRecord, Record};
use serde_json::Value;

use crate::rendering::render_offline;
use crate::running::image_parts;
use crate::session::Session;
use crate::status::belongs;
use crate::unit::{Door, Unit};

/// Where pods' specs stand in what has one.
const POD_SPECS: [&str; 3] = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec", "/spec"];
/// The lists of containers in a pod's spec, with those of what became of them.
const CONTAINERS: [(&str, &str); 2] =
    [("containers", "/status/containerStatuses"), ("initContainers", "/status/initContainerStatuses")];
/// The annotation by which Helm's hooks are known.
const HELM_HOOK: &str = "helm.sh/hook";

/// An image that a workload is to run as it is declared, and what is seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The namespace and name of the unit.
    pub unit: (String, String),
    /// The workload: `Deployment/web`.
    pub workload: String,
    /// The image as it is declared.
    pub image: String,
    /// What is seen.
    pub seen: Seen,
}

/// What is seen of an image where it is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It runs there and nothing else does, or has run to its end.
    Runs {
        /// Since when without anything else in between.
        run: Run,
        /// The digest that its node has pulled, where that is said.
        digest: Option<String>,
        /// Why the workload is not well; nothing where it is.
        fault: Option<String>,
    },
    /// It is to run there, and not all that runs is it yet.
    Begins(String),
    /// Nothing has run there yet: a CronJob that has not fired, a hook whose turn it was not, no pods that are wanted.
    Waits(String),
    /// Something else runs there, or nothing at all.
    Not(String),
}

/// A time in which a workload ran an image and no other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// The identity of the workload; nothing of what runs to its end.
    pub uid: String,
    /// The last revision of it that did not run the image, or of which that is not known; 0 where all did.
    pub after: u64,
    /// Its revision now.
    pub at: u64,
}

impl Sighting {
    /// What held from one look to a later one: what ran at the one and not at the other is what begins to run, whatever it is.
    pub fn held(before: &[Sighting], after: Vec<Sighting>) -> Vec<Sighting> {
        let same = |one: &Sighting, other: &Sighting| {
            (&one.unit, &one.workload, &one.image) == (&other.unit, &other.workload, &other.image)
        };
        let has_held = |one: &Sighting| {
            let mut all = before.iter().filter(|other| same(one, other));
            all.any(|other| match (&one.seen, &other.seen) {
                (Seen::Runs { run, .. }, Seen::Runs { run: earlier, .. }) => {
                    run.uid == earlier.uid && run.after <= earlier.at
                }
                (Seen::Runs { .. }, _) => false,
                _ => true,
            })
        };
        let held = |mut one: Sighting| {
            if matches!(one.seen, Seen::Runs { .. }) && !has_held(&one) {
                one.seen = Seen::Begins(format!("{} has begun to run it while it was looked at", one.workload));
            }
            one
        };
        after.into_iter().map(held).collect()
    }

    /// What is declared where nothing is delivered at all.
    ///
    /// # Errors
    /// A unit does not render.
    pub fn nowhere(units: &[Unit], why: &str) -> Result<Vec<Sighting>, Vec<Diagnostic>> {
        let mut sightings = Vec::new();
        for unit in units {
            let rendered = render_offline(unit)?;
            for (object, spec) in rendered.all_objects().filter_map(|it| Some((it, pod_spec(it)?))) {
                sightings.extend(declared(spec).map(|it| Sighting {
                    unit: (unit.namespace.clone(), unit.name.clone()),
                    workload: format!("{}/{}", object.kind(), object.name()),
                    image: it.image.to_owned(),
                    seen: Seen::Not(why.to_owned()),
                }));
            }
        }
        Ok(sightings)
    }
}

/// What lives around a workload: of each kind that tells what it runs.
#[derive(Default)]
struct Living(BTreeMap<(String, &'static str), Vec<Object>>);

/// What lives around one of them.
struct Around<'l> {
    pods: &'l [Object],
    sets: &'l [Object],
    /// The earlier templates of StatefulSets and DaemonSets.
    revisions: &'l [Object],
    jobs: &'l [Object],
}

/// A container as it is declared.
struct Declared<'a> {
    list: &'static str,
    statuses: &'static str,
    name: &'a str,
    image: &'a str,
}

impl Session {
    /// What is seen of every image of what units declare.
    ///
    /// # Errors
    /// A unit does not render, or the cluster cannot be asked.
    #[boxed]
    pub async fn sightings(&self, units: &[Unit]) -> Result<Vec<Sighting>, Vec<Diagnostic>> {
        // Who delivers Applications alone need not be allowed to see records.
        let records = match units.iter().any(|unit| matches!(unit.door, Door::Release)) {
            true => self.installed().await?,
            false => Vec::new(),
        };
        let mut living = Living::default();
        let mut sightings = Vec::new();
        for unit in units {
            let rendered = render_offline(unit)?;
            let record = records.iter().find(|it| it.namespace == unit.namespace && it.name == unit.name);
            for object in rendered.all_objects() {
                let Some(spec) = pod_spec(object) else { continue };
                let workload = format!("{}/{}", object.kind(), object.name());
                let mut add = |image: &str, seen: Seen| {
                    sightings.push(Sighting {
                        unit: (unit.namespace.clone(), unit.name.clone()),
                        workload: workload.clone(),
                        image: image.to_owned(),
                        seen,
                    });
                };
                if matches!(unit.door, Door::Release) && object.annotation(HELM_HOOK).is_some() {
                    declared(spec).for_each(|it| add(it.image, of_hook(object, &it, record)));
                    continue;
                }
                let placed = self.cluster.place(object.clone(), &unit.namespace).await.unwrap_or(object.clone());
                let key = placed.key();
                let live = self.cluster.get(&key).await.map_err(|error| vec![error.diagnose()])?;
                let Some(live) = live else {
                    declared(spec).for_each(|it| add(it.image, absent(object, &workload)));
                    continue;
                };
                let namespace = key.namespace.clone().unwrap_or_default();
                self.look_around(&mut living, &namespace, &live).await?;
                let around = living.around(&namespace);
                declared(spec).for_each(|it| add(it.image, of_live(&live, &it, &around)));
            }
        }
        Ok(sightings)
    }

    /// Reads what tells what a workload runs, and nothing that an account may not see without need.
    async fn look_around(
        &self,
        living: &mut Living,
        namespace: &str,
        workload: &Object,
    ) -> Result<(), Vec<Diagnostic>> {
        let kinds = match workload.kind() {
            "Pod" => &[][..],
            "Job" => &[("", "Pod")],
            "CronJob" => &[("", "Pod"), ("batch", "Job")],
            "StatefulSet" | "DaemonSet" => &[("", "Pod"), ("apps", "ControllerRevision")],
            _ => &[("", "Pod"), ("apps", "ReplicaSet")],
        };
        for (group, kind) in kinds {
            let place = (namespace.to_owned(), *kind);
            if living.0.contains_key(&place) {
                continue;
            }
            let options = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
            let found = self.cluster.list(&Gvk::new(*group, "v1", *kind), &options).await;
            living.0.insert(place, found.map_err(|error| vec![error.diagnose()])?);
        }
        Ok(())
    }
}

impl Living {
    fn around(&self, namespace: &str) -> Around<'_> {
        let all = |kind: &'static str| self.0.get(&(namespace.to_owned(), kind)).map(Vec::as_slice).unwrap_or_default();
        Around { pods: all("Pod"), sets: all("ReplicaSet"), revisions: all("ControllerRevision"), jobs: all("Job") }
    }
}

/// The spec of the pods that an object has; nothing where it has none.
fn pod_spec(object: &Object) -> Option<&Value> {
    POD_SPECS.iter().filter_map(|path| object.at(path)).find(|spec| spec["containers"].is_array())
}

fn declared(spec: &Value) -> impl Iterator<Item = Declared<'_>> {
    CONTAINERS.iter().flat_map(move |(list, statuses)| {
        let containers = spec[list].as_array().into_iter().flatten();
        containers.filter_map(move |one| {
            let (name, image) = (one["name"].as_str()?, one["image"].as_str()?);
            Some(Declared { list, statuses, name, image })
        })
    })
}

impl Declared<'_> {
    /// The image that a pod's spec has in its place.
    fn in_spec<'s>(&self, spec: &'s Value) -> Option<&'s str> {
        let containers = spec[self.list].as_array()?;
        containers.iter().find(|one| one["name"] == self.name)?["image"].as_str()
    }

    fn in_object<'o>(&self, object: &'o Object) -> Option<&'o str> {
        self.in_spec(pod_spec(object)?)
    }

    /// Whether a pod runs it: also where something on the way into the cluster has put a mirror in front of its name.
    fn is_run_by(&self, pod: &Object) -> bool {
        let last = |text: &str| text.rsplit('/').next().map(str::to_owned);
        self.in_object(pod).is_some_and(|image| image == self.image || last(image) == last(self.image))
    }

    /// The digest that a pod's node says of it, where it is one of the image's own repository.
    fn pulled(&self, pod: &Object) -> Option<String> {
        let statuses = pod.list_at(self.statuses);
        let id = statuses.iter().find(|one| one["name"] == self.name)?["imageID"].as_str()?;
        let (repository, digest) = id.rsplit_once('@')?;
        (bare(repository) == bare(image_parts(self.image).0)).then(|| digest.to_owned())
    }
}

/// A repository without what container runtimes put in front of names.
fn bare(repository: &str) -> &str {
    let named = repository.rsplit("://").next().unwrap_or(repository);
    let named = named.strip_prefix("docker.io/").unwrap_or(named);
    named.strip_prefix("library/").unwrap_or(named)
}

/// What is seen of something that is declared and is not there.
fn absent(object: &Object, workload: &str) -> Seen {
    let policies = object.annotation("argocd.argoproj.io/hook-delete-policy").unwrap_or_default();
    match object.annotation("argocd.argoproj.io/hook") {
        Some(_) if policies.contains("HookSucceeded") => Seen::Waits(format!(
            "the hook {workload} is deleted once it has succeeded, so that nobody sees what it ran"
        )),
        Some(_) => Seen::Waits(format!("the hook {workload} has not run")),
        None => Seen::Not(format!("{workload} is not there")),
    }
}

/// What a release's record says of a hook.
fn of_hook(object: &Object, declared: &Declared<'_>, record: Option<&Record>) -> Seen {
    let named = format!("{}/{}", object.kind(), object.name());
    let Some(record) = record else { return Seen::Not(format!("{named} is not there")) };
    let of_it = |hook: &&HookRecord| hook.kind == object.kind() && hook.name == object.name();
    let Some(hook) = record.hooks.iter().find(of_it) else {
        return Seen::Not(format!("revision {} has no hook {named}", record.version));
    };
    let text = landfall_yaml::to_json(&hook.manifest).ok().and_then(|value| Object::from_value(value).ok());
    match text.as_ref().and_then(|object| declared.in_object(object)) {
        Some(image) if image == declared.image => {}
        Some(image) => return Seen::Not(format!("the hook {named} has {image}")),
        None => return Seen::Not(format!("the hook {named} has no container {}", declared.name)),
    }
    let fault = match hook.last_run.phase.as_str() {
        "Succeeded" => None,
        "Failed" => Some(format!("the hook {named} has failed")),
        "Running" => return Seen::Begins(format!("the hook {named} runs")),
        _ => {
            let (events, revision) = (hook.events.join(", "), record.version);
            return Seen::Waits(format!("the hook {named} ({events}) has not run at revision {revision}"));
        }
    };
    Seen::Runs { run: Run::default(), digest: None, fault }
}

/// What is seen of an image in a workload that is there.
fn of_live(live: &Object, declared: &Declared<'_>, around: &Around<'_>) -> Seen {
    let named = format!("{}/{}", live.kind(), live.name());
    match declared.in_object(live) {
        Some(image) if image == declared.image => {}
        Some(image) => return Seen::Not(format!("{named} runs {image}")),
        None => return Seen::Not(format!("{named} has no container {}", declared.name)),
    }
    match (live.group(), live.kind()) {
        ("batch", "CronJob") => {
            let is_of_it = |job: &&Object| job.owner_references().iter().any(|it| Some(it.uid.as_str()) == live.uid());
            let runs_it = |job: &&Object| declared.in_object(job) == Some(declared.image);
            let fired = around.jobs.iter().filter(is_of_it).filter(runs_it);
            // One that still runs is not well yet, and has not failed either: the one before it tells.
            let at = |job: &&Object| {
                (has_ended(job), job.str_at("/metadata/creationTimestamp").unwrap_or_default().to_owned())
            };
            match fired.max_by_key(at) {
                Some(job) => of_job(job, declared, around),
                None => Seen::Waits(format!(
                    "{named} has not fired with it yet; once by hand: kubectl -n {} create job --from=cronjob/{} NAME",
                    live.namespace().unwrap_or_default(),
                    live.name()
                )),
            }
        }
        ("batch", "Job") => of_job(live, declared, around),
        ("", "Pod") => of_pods(live, &[live], declared, Run { uid: uid(live), ..Run::default() }),
        _ => {
            let pods: Vec<&Object> = around.pods.iter().filter(|pod| belongs(pod, live, around.sets)).collect();
            of_pods(live, &pods, declared, run_of(live, declared, around))
        }
    }
}

fn uid(object: &Object) -> String {
    object.uid().unwrap_or_default().to_owned()
}

/// Why an object is not well.
fn fault(object: &Object) -> Option<String> {
    let health = assess(object).filter(|health| health.status != HealthStatus::Healthy)?;
    Some(format!("{}/{} is {:?}: {}", object.kind(), object.name(), health.status, health.message))
}

/// Whether a Job has come to its end, well or not.
fn has_ended(job: &Object) -> bool {
    let conditions = job.list_at("/status/conditions");
    conditions.iter().any(|it| matches!(it["type"].as_str(), Some("Complete" | "Failed")) && it["status"] == "True")
}

/// A Job whose template has the image: what it runs it has run.
fn of_job(job: &Object, declared: &Declared<'_>, around: &Around<'_>) -> Seen {
    if !has_ended(job) {
        return Seen::Waits(format!("Job/{} has not ended yet", job.name()));
    }
    let pods = around.pods.iter().filter(|pod| belongs(pod, job, &[]));
    let digest = pods.filter_map(|pod| declared.pulled(pod)).next();
    Seen::Runs { run: Run::default(), digest, fault: fault(job) }
}

/// What pods of a workload run whose template has the image.
fn of_pods(live: &Object, pods: &[&Object], declared: &Declared<'_>, run: Run) -> Seen {
    let named = format!("{}/{}", live.kind(), live.name());
    let has_ended = |pod: &Object| matches!(pod.str_at("/status/phase"), Some("Failed" | "Succeeded"));
    let stays = |pod: &&&Object| pod.at("/metadata/deletionTimestamp").is_none() && !has_ended(pod);
    let pods: Vec<&Object> = pods.iter().filter(stays).copied().collect();
    let ill = fault(live);
    if pods.is_empty() {
        return match ill {
            Some(fault) => Seen::Begins(fault),
            None => Seen::Waits(format!("{named} has no pods")),
        };
    }
    if let Some(other) = pods.iter().find(|pod| !declared.is_run_by(pod)) {
        let runs = declared.in_object(other).unwrap_or("nothing of that name");
        return Seen::Begins(ill.unwrap_or_else(|| format!("the pod {} of {named} runs {runs}", other.name())));
    }
    let mut digests: Vec<String> = pods.iter().filter_map(|pod| declared.pulled(pod)).collect();
    digests.sort();
    digests.dedup();
    match digests.len() {
        0 | 1 => Seen::Runs { run, digest: digests.pop(), fault: ill },
        _ => Seen::Begins(format!("the pods of {named} run different images of one tag: {}", digests.join(", "))),
    }
}

/// How long a workload has run an image without another, by the revisions that its controller keeps.
fn run_of(live: &Object, declared: &Declared<'_>, around: &Around<'_>) -> Run {
    let is_of_it = |one: &&Object| one.controller().is_some_and(|owner| Some(owner.uid.as_str()) == live.uid());
    let mut runs_it: BTreeMap<u64, bool> = BTreeMap::new();
    for set in around.sets.iter().filter(is_of_it) {
        let is_it = declared.in_object(set) == Some(declared.image);
        let annotation = |name: &str| set.annotation(name).unwrap_or_default();
        let own = annotation("deployment.kubernetes.io/revision").parse::<u64>();
        let before = annotation("deployment.kubernetes.io/revision-history").split(',').map(str::parse::<u64>);
        runs_it.extend(before.chain([own]).flatten().map(|number| (number, is_it)));
    }
    for revision in around.revisions.iter().filter(is_of_it) {
        let spec = revision.at("/data/spec/template/spec");
        let is_it = spec.and_then(|spec| declared.in_spec(spec)) == Some(declared.image);
        runs_it.extend(revision.at("/revision").and_then(Value::as_u64).map(|number| (number, is_it)));
    }
    let at = runs_it.keys().next_back().copied().unwrap_or_default();
    // What is not kept any more may have been anything.
    let after = (1..=at).rev().find(|number| runs_it.get(number) != Some(&true)).unwrap_or_default();
    Run { uid: uid(live), after, at }
}
