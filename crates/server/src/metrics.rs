//! Metrics as Prometheus reads them, under Argo CD's names where it has one: dashboards depend on them.

use std::fmt::Write as _;

use crate::api::Line;
use crate::board::Told;

/// A metric: its name, its type, what it says.
const METRICS: [(&str, &str, &str); 12] = [
    ("argocd_app_info", "gauge", "An Application: where it comes from and goes to, and how it stands."),
    ("argocd_app_sync_total", "counter", "Syncs that ended, by Application and phase."),
    ("argocd_app_reconcile", "summary", "Comparisons of Applications with what is live, in seconds."),
    (
        "landfall_app_unchanged_total",
        "counter",
        "Commits that had nothing else for an Application, which was not compared for them.",
    ),
    ("argocd_cluster_events_total", "counter", "Events of watches that were taken in."),
    ("argocd_cluster_api_resources", "gauge", "Kinds that are watched."),
    ("argocd_cluster_api_resource_objects", "gauge", "Objects of Applications that are known."),
    ("argocd_git_request_total", "counter", "How often repositories elsewhere were asked, by what for."),
    ("landfall_stands_back", "gauge", "Whether another controller keeps the Applications, so that this one looks on."),
    ("landfall_shard_held", "gauge", "Shards of Applications that this replica keeps, by their numbers."),
    ("landfall_webhook_total", "counter", "Requests of forges, by what became of them."),
    ("process_resident_memory_bytes", "gauge", "How much of the server's process is in memory."),
];

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Measure {
    /// Things.
    Whole(u64),
    /// Seconds.
    Seconds(f64),
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// What follows the metric's name: `_sum`, `_count`, or nothing.
    pub(crate) suffix: &'static str,
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Measure,
}

/// A metric with its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    /// Prometheus' type.
    pub(crate) kind: &'static str,
    pub(crate) help: &'static str,
    pub(crate) points: Vec<Point>,
}

/// All of them.
pub(crate) fn all(told: &Told) -> Vec<Metric> {
    METRICS.map(|(name, kind, help)| Metric { name, kind, help, points: points(told, name) }).into()
}

/// The text that is scraped.
pub(crate) fn text(told: &Told) -> String {
    let mut out = String::new();
    for Metric { name, kind, help, points } in all(told) {
        // Writing into a text cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for Point { suffix, labels, value } in points {
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", written(&labels)) };
            let _ = match value {
                Measure::Whole(count) => writeln!(out, "{name}{suffix}{labels} {count}"),
                Measure::Seconds(seconds) => writeln!(out, "{name}{suffix}{labels} {seconds:.6}"),
            };
        }
    }
    out
}

fn points(told: &Told, name: &str) -> Vec<Point> {
    let labelled =
        |labels: Vec<(&'static str, String)>, count: u64| Point { suffix: "", labels, value: Measure::Whole(count) };
    let alone = |count: u64| vec![labelled(Vec::new(), count)];
    let of_size = |count: usize| alone(u64::try_from(count).unwrap_or(u64::MAX));
    match name {
        "argocd_app_info" => {
            let of = |((namespace, application), line): (&(String, String), &Line)| {
                let labels = vec![
                    ("namespace", namespace.clone()),
                    ("name", application.clone()),
                    ("project", line.project.clone()),
                    ("dest_namespace", line.destination.clone()),
                    ("repo", line.repository.clone()),
                    ("sync_status", line.sync.clone()),
                    ("health_status", line.health.clone()),
                    ("operation", if line.operation.is_some() { "sync" } else { "" }.to_owned()),
                ];
                labelled(labels, 1)
            };
            told.applications.iter().map(of).collect()
        }
        "argocd_app_sync_total" => {
            let of = |((namespace, application, phase), count): (&(String, String, &'static str), &u64)| {
                let labels = [("namespace", namespace.as_str()), ("name", application.as_str()), ("phase", *phase)];
                labelled(labels.map(|(key, text)| (key, text.to_owned())).into(), *count)
            };
            told.syncs.iter().map(of).collect()
        }
        "argocd_app_reconcile" => {
            let (count, seconds) = told.compared;
            let point = |suffix, value| Point { suffix, labels: Vec::new(), value };
            vec![point("_count", Measure::Whole(count)), point("_sum", Measure::Seconds(seconds))]
        }
        "landfall_app_unchanged_total" => alone(told.alike),
        "landfall_stands_back" => alone(u64::from(told.elsewhere.is_some())),
        "landfall_shard_held" => {
            told.shards.iter().map(|shard| labelled(vec![("shard", shard.to_string())], 1)).collect()
        }
        "argocd_cluster_events_total" => alone(told.events),
        "argocd_cluster_api_resources" => of_size(told.live.0),
        "argocd_cluster_api_resource_objects" => of_size(told.live.1),
        "argocd_git_request_total" => {
            let (fetches, listings) = told.asked;
            let of = |(what, count): (&str, u64)| labelled(vec![("request_type", what.to_owned())], count);
            [("fetch", fetches), ("ls-remote", listings)].map(of).into()
        }
        "landfall_webhook_total" => {
            let of =
                |(outcome, count): (&&'static str, &u64)| labelled(vec![("outcome", (*outcome).to_owned())], *count);
            told.webhooks.iter().map(of).collect()
        }
        "process_resident_memory_bytes" => resident().into_iter().flat_map(alone).collect(),
        _ => Vec::new(),
    }
}

/// How much of this process is in memory, where the system says so in Linux' way.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn written(labels: &[(&'static str, String)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line_or_its_quotes() {
        let mut told = Told::default();
        let line = Line { repository: "https://x/\"\n# evil 1\\".to_owned(), ..Line::default() };
        told.applications.insert(("argocd".to_owned(), "shop".to_owned()), line);
        told.syncs.insert(("argocd".to_owned(), "shop".to_owned(), "Succeeded"), 3);
        let text = text(&told);
        assert!(text.contains(r#"repo="https://x/\"\n# evil 1\\","#), "{text}");
        assert!(text.contains("argocd_app_sync_total{namespace=\"argocd\",name=\"shop\",phase=\"Succeeded\"} 3\n"));
        for line in text.lines() {
            assert!(["#", "argocd_", "landfall_", "process_"].iter().any(|it| line.starts_with(it)), "{line}");
        }
    }
}
