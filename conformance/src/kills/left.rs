//! What a course leaves: objects, how often each hook was made, revisions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::place::Place;

/// What of the revisions must be as if nobody had killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revisions {
    /// All of them, and how often each hook was made.
    Equal,
    /// The newest; beside it none is open. Given again, a verb makes another one.
    Newest,
}

/// Lines, sorted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left(Vec<String>);

impl Left {
    pub(super) fn of(place: &Place, landfall: &Path, revisions: Revisions) -> anyhow::Result<Self> {
        place.run(landfall, &["cluster", "snapshot", "seen.json"])?.ended_well()?;
        let snapshot: Value = serde_json::from_str(&place.read("seen.json")?).context("the snapshot")?;
        let objects = snapshot["objects"].as_array().context("a snapshot has objects")?;
        let of_shop: Vec<&Value> = objects.iter().filter(|object| object["metadata"]["namespace"] == "shop").collect();
        let mut lines: Vec<String> = of_shop.iter().filter_map(|object| line(object)).collect();
        lines.extend(records(&of_shop, revisions));
        if revisions == Revisions::Equal {
            lines.extend(made(&of_shop));
        }
        lines.sort();
        Ok(Left(lines))
    }

    /// In what another one differs.
    pub(super) fn differences(&self, other: &Left) -> Vec<String> {
        let lacks = |of: &Left, from: &Left, word: &str| -> Vec<String> {
            from.0.iter().filter(|line| !of.0.contains(line)).map(|line| format!("{word} {line}")).collect()
        };
        let mut found = lacks(other, self, "lacks");
        found.extend(lacks(self, other, "has"));
        if found.is_empty() && self.0.len() != other.0.len() {
            found.push(format!("{} lines, not {}", other.0.len(), self.0.len()));
        }
        found
    }
}

/// How often each Job was made: events tell it of those that are gone, too.
fn made(objects: &[&Value]) -> Vec<String> {
    let mut made: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for object in objects.iter().filter(|object| object["kind"] == "Event") {
        let about = &object["involvedObject"];
        if about["kind"] == "Job"
            && let (Some(name), Some(uid)) = (about["name"].as_str(), about["uid"].as_str())
        {
            made.entry(name).or_default().insert(uid);
        }
    }
    made.into_iter().map(|(job, uids)| format!("Job {job} was made {} times", uids.len())).collect()
}

/// The records of releases by revision and status.
fn records(objects: &[&Value], revisions: Revisions) -> Vec<String> {
    let mut records: Vec<(u64, &str)> = objects
        .iter()
        .filter(|object| object["type"] == "helm.sh/release.v1")
        .filter_map(|object| {
            let labels = &object["metadata"]["labels"];
            Some((labels["version"].as_str()?.parse().ok()?, labels["status"].as_str()?))
        })
        .collect();
    records.sort_unstable();
    match revisions {
        Revisions::Equal => records.iter().map(|(number, status)| format!("revision {number} {status}")).collect(),
        Revisions::Newest => {
            let newest = records.last().map(|(_, status)| format!("the newest revision is {status}"));
            let open = records.iter().filter(|(_, status)| status.starts_with("pending") || *status == "uninstalling");
            newest
                .into_iter()
                .chain(open.map(|(number, status)| format!("revision {number} is open: {status}")))
                .collect()
        }
    }
}

/// An object in one line; nothing for what is another one each time.
fn line(object: &Value) -> Option<String> {
    let metadata = &object["metadata"];
    let (kind, name) = (object["kind"].as_str()?, metadata["name"].as_str()?);
    let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
    let what = match kind {
        "ConfigMap" if name == "kube-root-ca.crt" => return None,
        "ConfigMap" => object["data"].to_string(),
        "Service" => format!("{} {}", object["spec"]["selector"], object["spec"]["ports"]),
        "Deployment" => format!("{} ready of {}", object["status"]["readyReplicas"], object["spec"]),
        "ReplicaSet" => {
            // Its name holds the hash of its template.
            let (image, wanted) =
                (&object["spec"]["template"]["spec"]["containers"][0]["image"], &object["spec"]["replicas"]);
            return Some(format!("ReplicaSet of {image}: {wanted}"));
        }
        "Job" => {
            let image = &object["spec"]["template"]["spec"]["containers"][0]["image"];
            return Some(format!("Job {name} {image} succeeded {} {annotations}", object["status"]["succeeded"]));
        }
        "Pod" => {
            let of = labels["app"].as_str().or(labels["job-name"].as_str()).unwrap_or_default();
            let image = &object["spec"]["containers"][0]["image"];
            return Some(format!("Pod of {of} {image}: {}", object["status"]["phase"]));
        }
        _ => return None,
    };
    Some(format!("{kind} {name} {labels} {annotations} {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(version: &str, status: &str) -> Value {
        json!({"kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": "x", "labels": {"version": version, "status": status}}})
    }

    #[test]
    fn a_revision_that_is_left_open_is_seen_both_ways() {
        let (first, second) = (record("9", "pending-upgrade"), record("10", "deployed"));
        let objects = [&second, &first];
        assert_eq!(records(&objects, Revisions::Equal), ["revision 9 pending-upgrade", "revision 10 deployed"]);
        assert_eq!(
            records(&objects, Revisions::Newest),
            ["the newest revision is deployed", "revision 9 is open: pending-upgrade"]
        );
    }

    #[test]
    fn what_is_lacking_and_what_is_more_is_told() {
        let left = |lines: &[&str]| Left(lines.iter().map(|line| (*line).to_owned()).collect());
        assert_eq!(left(&["a", "b"]).differences(&left(&["b", "c"])), ["lacks a", "has c"]);
        assert_eq!(left(&["a", "a"]).differences(&left(&["a"])), ["1 lines, not 2"]);
        assert!(left(&["a"]).differences(&left(&["a"])).is_empty());
    }
}
