//! What controllers have written, without what has no meaning on another cluster.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::scenario::{Kind, NAME, Scenario};
use super::side::Side;

/// A look at one side.
pub(super) struct Snapshot {
    pub(super) value: Value,
    /// Whether the controllers have seen everything that is there.
    pub(super) settled: bool,
}

/// A pod with its place among the others.
pub(super) struct Ranked {
    /// Revision, ordinal or index: pods of the same rank are alike for their controller.
    pub(super) rank: String,
    /// Whether it is of the revision that is wanted.
    pub(super) newest: bool,
    pub(super) pod: Value,
}

impl Ranked {
    pub(super) fn name(&self) -> &str {
        self.pod["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub(super) fn phase(&self) -> &str {
        self.pod["status"]["phase"].as_str().unwrap_or("Pending")
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }

    pub(super) fn is_ready(&self) -> bool {
        let conditions = self.pod["status"]["conditions"].as_array().into_iter().flatten();
        !self.is_over()
            && conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    }
}

/// Everything of a scenario that is looked at.
pub(super) struct Scene {
    pub(super) object: Value,
    pub(super) pods: Vec<Ranked>,
    /// Replica sets or jobs.
    owned: Vec<Value>,
    revisions: Vec<Value>,
}

pub(super) async fn scene(side: &Side, scenario: &Scenario) -> anyhow::Result<Scene> {
    let list = async |collection: &str| side.list(&scenario.path(collection)).await;
    let object = side.get(&format!("{}/{NAME}", scenario.path(scenario.kind.collection()))).await.unwrap_or_default();
    let pods = list("/api/v1/{ns}/pods").await?;
    let owned = match scenario.kind {
        Kind::Deployment | Kind::Autoscaler => list("/apis/apps/v1/{ns}/replicasets").await?,
        Kind::CronJob => list("/apis/batch/v1/{ns}/jobs").await?,
        _ => Vec::new(),
    };
    let revisions = match scenario.kind {
        Kind::StatefulSet | Kind::DaemonSet => list("/apis/apps/v1/{ns}/controllerrevisions").await?,
        _ => Vec::new(),
    };
    let mut scene = Scene { object, pods: Vec::new(), owned, revisions };
    scene.pods = in_order(pods.into_iter().map(|pod| scene.ranked(pod)).collect());
    Ok(scene)
}

impl Scene {
    fn ranked(&self, pod: Value) -> Ranked {
        let label = |name: &str| pod["metadata"]["labels"][name].as_str().unwrap_or_default().to_owned();
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let hash = label("controller-revision-hash");
        if self.object["kind"] == "StatefulSet" {
            let number = self.revision_number(&hash, "/metadata/name");
            let ordinal = name.rsplit('-').next().unwrap_or_default();
            return Ranked { rank: format!("ordinal {ordinal:>3} revision {number}"), newest: true, pod };
        }
        if self.object["kind"] == "DaemonSet" {
            let number = self.revision_number(&hash, "/metadata/labels/controller-revision-hash");
            let newest = self.revisions.iter().filter_map(|revision| revision["revision"].as_i64()).max();
            // Which nodes come first is the order of a Go map.
            return Ranked { rank: format!("revision {number}"), newest: newest == Some(number), pod };
        }
        let owner = pod["metadata"]["ownerReferences"][0]["name"].as_str().unwrap_or_default();
        match self.owned.iter().find(|owned| owned["metadata"]["name"] == owner) {
            Some(set) if set["kind"] == "ReplicaSet" || set["spec"]["replicas"].is_number() => {
                let number = revision(set);
                Ranked { rank: format!("revision {number}"), newest: number == revision(&self.object), pod }
            }
            _ => {
                let index = pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"].clone();
                Ranked { rank: format!("index {index}"), newest: true, pod }
            }
        }
    }

    fn revision_number(&self, hash: &str, pointer: &str) -> i64 {
        let found = self.revisions.iter().find(|revision| revision.pointer(pointer).is_some_and(|found| found == hash));
        found.and_then(|revision| revision["revision"].as_i64()).unwrap_or(0)
    }

    /// Names that differ between clusters, with what stands for them, longest first.
    fn names(&self) -> Vec<(String, String)> {
        let mut names: Vec<(String, String)> = Vec::new();
        let name = |value: &Value| value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        for owned in self.owned.iter().filter(|owned| owned["spec"]["replicas"].is_number()) {
            names.push((name(owned), format!("<set of revision {}>", revision(owned))));
        }
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names
    }
}

fn revision(value: &Value) -> i64 {
    let text = value["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Pods by rank and state. Two of a daemon set that are alike in both are told apart by what else is on their nodes: beside an older one
/// that is ready, getting ready has the older one deleted, alone it has not.
fn in_order(mut pods: Vec<Ranked>) -> Vec<Ranked> {
    let shown = |pod: &Ranked| (pod.rank.clone(), pod.is_ready(), pod.phase().to_owned());
    let mut on_node: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for pod in &pods {
        on_node.entry(node_of(&pod.pod)).or_default().push(shown(pod));
    }
    on_node.values_mut().for_each(|shown| shown.sort());
    pods.sort_by_cached_key(|pod| (shown(pod), on_node[&node_of(&pod.pod)].clone()));
    pods
}

/// The node that a daemon set's pod is meant for.
fn node_of(pod: &Value) -> String {
    let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";
    pod.pointer(terms).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) async fn take(side: &Side, scenario: &Scenario, told: &[String]) -> anyhow::Result<Snapshot> {
    let scene = scene(side, scenario).await?;
    let mut value = json!({
        "status": status(&scene.object["status"]),
        "spec.replicas": scene.object["spec"]["replicas"],
        "pods": scene.pods.iter().map(|pod| {
            let going = if pod.pod["metadata"]["deletionTimestamp"].is_string() { " going" } else { "" };
            json!(format!("{} {}{}{going}", pod.rank, pod.phase(), if pod.is_ready() { " ready" } else { "" }))
        }).collect::<Vec<_>>(),
    });
    if scenario.kind == Kind::DaemonSet {
        let mut nodes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (pod, shown) in scene.pods.iter().zip(value["pods"].as_array().into_iter().flatten()) {
            nodes.entry(node_of(&pod.pod)).or_default().push(shown.clone());
        }
        let mut nodes: Vec<String> = nodes.into_values().map(|pods| Value::from(pods).to_string()).collect();
        nodes.sort();
        value["nodes"] = json!(nodes);
    }
    match scenario.kind {
        Kind::Deployment | Kind::Autoscaler => {
            let mut sets: Vec<(i64, Value)> = scene.owned.iter().map(|set| (revision(set), set_of(set))).collect();
            sets.sort_by_key(|(number, _)| *number);
            value["sets"] = sets.into_iter().map(|(number, set)| json!([number, set])).collect();
        }
        Kind::CronJob => {
            // The names hold the minute; it is the same on both sides, whatever the seed.
            value["jobs"] =
                scene.owned.iter().map(|job| json!([job["spec"]["completions"], status(&job["status"])])).collect();
        }
        Kind::StatefulSet | Kind::DaemonSet => {
            let mut numbers: Vec<i64> = scene.revisions.iter().filter_map(|r| r["revision"].as_i64()).collect();
            numbers.sort_unstable();
            value["revisions"] = json!(numbers);
        }
        Kind::Job => {}
    }
    if scenario.kind == Kind::Autoscaler {
        let path = scenario.path("/apis/autoscaling/v2/{ns}/horizontalpodautoscalers");
        let found = side.list(&path).await?;
        value["autoscaler"] = found.first().map_or(Value::Null, |found| status(&found["status"]));
    }
    let mut fresh = events(side, scenario, &scene).await?;
    for known in told {
        if let Some(at) = fresh.iter().position(|event| event == known) {
            fresh.remove(at);
        }
    }
    value["events"] = json!(fresh);
    Ok(Snapshot { settled: is_settled(&scene), value })
}

/// Whether what the controllers report is what is there.
fn is_settled(scene: &Scene) -> bool {
    let status = &scene.object["status"];
    let observed = status["observedGeneration"].as_i64();
    let kept_up = observed.is_none_or(|observed| Some(observed) == scene.object["metadata"]["generation"].as_i64());
    let ready = scene.pods.iter().filter(|pod| pod.is_ready() && !pod.pod["metadata"]["deletionTimestamp"].is_string());
    let field = match scene.object["kind"].as_str() {
        Some("DaemonSet") => return kept_up,
        Some("Job") => "ready",
        Some("CronJob") => return true,
        _ => "readyReplicas",
    };
    let over = status["completionTime"].is_string()
        || status["conditions"].as_array().into_iter().flatten().any(|condition| condition["type"] == "Failed");
    kept_up && (over || status[field].as_i64().unwrap_or(0) == ready.count() as i64)
}

/// Counts and conditions of a status.
fn status(status: &Value) -> Value {
    let mut shown = Map::new();
    for (name, value) in status.as_object().into_iter().flatten() {
        match value {
            Value::Number(_) if name == "observedGeneration" => {}
            Value::Number(_) => drop(shown.insert(name.clone(), value.clone())),
            Value::String(text) if name.ends_with("ndexes") => drop(shown.insert(name.clone(), json!(text))),
            _ => {}
        }
    }
    let mut conditions: Vec<String> = Vec::new();
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let text = |field: &str| condition[field].as_str().unwrap_or_default();
        conditions.push(format!("{}={} {}", text("type"), text("status"), text("reason")));
    }
    conditions.sort();
    shown.insert("conditions".to_owned(), json!(conditions));
    Value::Object(shown)
}

fn set_of(set: &Value) -> Value {
    let mut shown = status(&set["status"]);
    shown["wanted"] = set["spec"]["replicas"].clone();
    shown
}

/// What controllers told, with how often: `Deployment ScalingReplicaSet 1x: Scaled up …`.
async fn events(side: &Side, scenario: &Scenario, scene: &Scene) -> anyhow::Result<Vec<String>> {
    let names = scene.names();
    let mut counted: BTreeMap<String, i64> = BTreeMap::new();
    for event in side.list(&scenario.path("/api/v1/{ns}/events")).await? {
        let kind = event["involvedObject"]["kind"].as_str().unwrap_or_default();
        // What is said of pods and sets that are gone cannot be told apart; sets say how many pods they made.
        if kind == "Pod" {
            continue;
        }
        let mut text = event["message"].as_str().unwrap_or_default().to_owned();
        for (name, symbol) in &names {
            text = text.replace(name.as_str(), symbol);
        }
        let text = without_pod_names(&text);
        let line = format!("{kind} {}: {text}", event["reason"].as_str().unwrap_or_default());
        let count = event["count"].as_i64().unwrap_or(1).max(1);
        let told = counted.entry(line).or_default();
        // An autoscaler says the same again every fifteen seconds.
        *told = if scenario.kind == Kind::Autoscaler && kind == "HorizontalPodAutoscaler" { 1 } else { *told + count };
    }
    // One line for each time, so that what was told before can be taken off.
    Ok(counted.into_iter().flat_map(|(line, count)| std::iter::repeat_n(line, count.max(0) as usize)).collect())
}

/// Made-up name endings become `*`: `Created pod: w-x7d2k`, `Created job w-29384950`, and of a set that is gone by now, so
/// that it has no symbol, its hash too: `Created pod: w-79fb585f8c-x7d2k`.
fn without_pod_names(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let (word, mark) = word.strip_suffix([',', '"', '.']).map_or((word, ""), |rest| (rest, &word[rest.len()..]));
        let (mut start, mut endings) = (word, 0);
        while let Some((rest, end)) = start.rsplit_once('-') {
            if !(rest.ends_with('>') || rest.starts_with('w')) || !is_made_up(end) {
                break;
            }
            (start, endings) = (rest, endings + 1);
        }
        format!("{start}{}{mark}", "-*".repeat(endings))
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a part of a name is one that controllers draw or count: five letters of a pod, the minutes of a cron job, the
/// hash of a template.
fn is_made_up(part: &str) -> bool {
    matches!(part.len(), 5 | 8..=10) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_that_were_made_up_are_left_out() {
        assert_eq!(without_pod_names("Created pod: w-x7d2k"), "Created pod: w-*");
        assert_eq!(without_pod_names("Created job w-29384950, fine"), "Created job w-*, fine");
        assert_eq!(without_pod_names("Created pod: w-79fb585f8c-x7d2k"), "Created pod: w-*-*");
        assert_eq!(
            without_pod_names("Scaled down replica set w-79fb585f8c from 1 to 0"),
            "Scaled down replica set w-* from 1 to 0"
        );
        assert_eq!(
            without_pod_names("create Pod w-0 in StatefulSet w successful"),
            "create Pod w-0 in StatefulSet w successful"
        );
    }

    fn pod(node: &str, rank: &str, is_ready: bool) -> Ranked {
        let ready = if is_ready { "True" } else { "False" };
        let terms = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]);
        let pod = json!({
            "spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        });
        Ranked { rank: rank.to_owned(), newest: true, pod }
    }

    #[test]
    fn pods_that_are_alike_are_told_apart_by_their_nodes() {
        let alone = || pod("x", "revision 2", false);
        let beside = || vec![pod("y", "revision 1", true), pod("y", "revision 2", false)];
        let first_of = |pods: Vec<Ranked>| {
            let first = in_order(pods).into_iter().find(|pod| pod.rank == "revision 2");
            node_of(&first.expect("one of revision 2").pod)
        };
        let mut one_way = vec![alone()];
        one_way.extend(beside());
        let mut other_way = beside();
        other_way.push(alone());
        assert_eq!(first_of(one_way), first_of(other_way));
    }
}
