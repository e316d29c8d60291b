//! Pods and events of a namespace, in lines.

use std::collections::HashMap;

use landfall_cluster::{Cluster, EventLine, ListOptions};
use landfall_object::{Gvk, Object, SIMULATED};

use crate::summary::PodLine;

/// Events kept in a failure's report.
const LAST_EVENTS: usize = 40;

/// The pods of a namespace.
pub(crate) async fn pods(cluster: &Cluster, namespace: &str) -> Result<Vec<PodLine>, landfall_cluster::Error> {
    let options = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
    let pods = cluster.list(&Gvk::new("", "v1", "Pod"), &options).await?;
    Ok(pods.iter().map(line).collect())
}

/// The last events of a namespace, oldest first.
pub(crate) async fn events(cluster: &Cluster, namespace: &str) -> Result<Vec<EventLine>, landfall_cluster::Error> {
    let options = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
    let events = cluster.list(&Gvk::new("", "v1", "Event"), &options).await?;
    let mut lines: Vec<EventLine> = events
        .iter()
        .map(|event| {
            let mut line = EventLine::of(event);
            let (kind, name) = (
                event.str_at("/involvedObject/kind").unwrap_or_default(),
                event.str_at("/involvedObject/name").unwrap_or_default(),
            );
            line.message = format!("{kind}/{name}: {}", line.message);
            line
        })
        .collect();
    lines.sort_by(|a, b| a.at.cmp(&b.at));
    let mut lines = combined(lines);
    let from = lines.len().saturating_sub(LAST_EVENTS);
    Ok(lines.split_off(from))
}

/// Events that say the same of one object, but for names in quotes, as the newest of them with their number: ten pods that are
/// refused for one reason are one line.
fn combined(lines: Vec<EventLine>) -> Vec<EventLine> {
    let said = |line: &EventLine| {
        let unquoted: String = line.message.split('"').step_by(2).collect();
        (line.reason.clone(), unquoted.replace("(combined from similar events): ", ""))
    };
    let mut counts: HashMap<(String, String), i64> = HashMap::new();
    for line in &lines {
        *counts.entry(said(line)).or_default() += line.count.max(1);
    }
    let mut newest: Vec<EventLine> = Vec::new();
    for mut line in lines.into_iter().rev() {
        if let Some(count) = counts.remove(&said(&line)) {
            line.count = count;
            newest.push(line);
        }
    }
    newest.reverse();
    newest
}

/// A pod as `kubectl get pods` shows it.
pub(crate) fn line(pod: &Object) -> PodLine {
    let containers = pod.list_at("/spec/containers").len();
    let statuses = pod.list_at("/status/containerStatuses");
    let inits = pod.list_at("/status/initContainerStatuses");
    let ready = statuses.iter().filter(|status| status["ready"] == true).count();
    let restarts = statuses.iter().filter_map(|status| status["restartCount"].as_i64()).sum();
    let mut status = pod.str_at("/status/reason").or(pod.str_at("/status/phase")).unwrap_or("Unknown").to_owned();
    for container in inits.iter().chain(statuses) {
        if let Some(reason) = container["state"]["waiting"]["reason"].as_str() {
            status = reason.to_owned();
        } else if let Some(reason) = container["state"]["terminated"]["reason"].as_str()
            && status != "Succeeded"
            && !inits.contains(container)
        {
            status = reason.to_owned();
        }
    }
    if status == "Succeeded" {
        status = "Completed".to_owned();
    }
    if pod.deletion_timestamp().is_some() {
        status = "Terminating".to_owned();
    }
    PodLine {
        name: pod.name().to_owned(),
        namespace: pod.namespace().unwrap_or_default().to_owned(),
        ready: format!("{ready}/{containers}"),
        status,
        restarts,
        node: pod.str_at("/spec/nodeName").unwrap_or("-").to_owned(),
        simulated: pod.annotation(SIMULATED).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_ten_pods_in_one_way_is_one_line() {
        let event = |at: &str, message: &str| EventLine {
            at: at.into(),
            kind: "Warning".into(),
            reason: "FailedCreate".into(),
            message: message.into(),
            count: 1,
        };
        let lines = vec![
            event("1", "ReplicaSet/web: Error creating: pods \"web-a\" is forbidden: no room"),
            event("2", "ReplicaSet/web: Error creating: pods \"web-b\" is forbidden: no room"),
            event("3", "ReplicaSet/web: Error creating: pods \"web-c\" is forbidden: no right"),
            event(
                "4",
                "ReplicaSet/web: (combined from similar events): Error creating: pods \"web-d\" is forbidden: no room",
            ),
        ];
        let told: Vec<(String, i64)> = combined(lines).into_iter().map(|line| (line.at, line.count)).collect();
        assert_eq!(told, [("3".to_owned(), 1), ("4".to_owned(), 3)]);
    }
}
