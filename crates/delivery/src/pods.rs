//! Pods and events of a namespace, in lines.

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
    let from = lines.len().saturating_sub(LAST_EVENTS);
    Ok(lines.split_off(from))
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
