//! Metrics as Prometheus reads them, under Argo CD's names where it has one: dashboards depend on them.

use std::fmt::Write as _;

use crate::board::Told;

/// A metric: its name, its type, what it says.
const METRICS: [(&str, &str, &str); 10] = [
    ("argocd_app_info", "gauge", "An Application: where it comes from and goes to, and how it stands."),
    ("argocd_app_sync_total", "counter", "Syncs that ended, by Application and phase."),
    ("argocd_app_reconcile", "summary", "Comparisons of Applications with what is live, in seconds."),
    ("argocd_cluster_events_total", "counter", "Events of watches that were taken in."),
    ("argocd_cluster_api_resources", "gauge", "Kinds that are watched."),
    ("argocd_cluster_api_resource_objects", "gauge", "Objects of Applications that are known."),
    ("argocd_git_request_total", "counter", "How often repositories elsewhere were asked, by what for."),
    ("landfall_stands_back", "gauge", "Whether another controller keeps the Applications, so that this one looks on."),
    ("landfall_shard_held", "gauge", "Shards of Applications that this replica keeps, by their numbers."),
    ("landfall_webhook_total", "counter", "Requests of forges, by what became of them."),
];

/// The text that is scraped.
pub(crate) fn text(told: &Told) -> String {
    let mut out = String::new();
    for (name, kind, help) in METRICS {
        // Writing into a text cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        let _ = lines(told, name, &mut out);
    }
    out
}

fn lines(told: &Told, name: &str, out: &mut String) -> std::fmt::Result {
    match name {
        "argocd_app_info" => {
            for ((namespace, application), line) in &told.applications {
                let labels = [
                    ("namespace", namespace.as_str()),
                    ("name", application),
                    ("project", &line.project),
                    ("dest_namespace", &line.destination),
                    ("repo", &line.repository),
                    ("sync_status", &line.sync),
                    ("health_status", &line.health),
                    ("operation", if line.operation.is_some() { "sync" } else { "" }),
                ];
                writeln!(out, "{name}{{{}}} 1", written(&labels))?;
            }
        }
        "argocd_app_sync_total" => {
            for ((namespace, application, phase), count) in &told.syncs {
                let labels = [("namespace", namespace.as_str()), ("name", application), ("phase", phase)];
                writeln!(out, "{name}{{{}}} {count}", written(&labels))?;
            }
        }
        "argocd_app_reconcile" => {
            let (count, seconds) = told.compared;
            writeln!(out, "{name}_count {count}\n{name}_sum {seconds:.6}")?;
        }
        "landfall_stands_back" => writeln!(out, "{name} {}", u8::from(told.elsewhere.is_some()))?,
        "landfall_shard_held" => {
            for shard in &told.shards {
                writeln!(out, "{name}{{shard=\"{shard}\"}} 1")?;
            }
        }
        "argocd_cluster_events_total" => writeln!(out, "{name} {}", told.events)?,
        "argocd_cluster_api_resources" => writeln!(out, "{name} {}", told.live.0)?,
        "argocd_cluster_api_resource_objects" => writeln!(out, "{name} {}", told.live.1)?,
        "argocd_git_request_total" => {
            let (fetches, listings) = told.asked;
            writeln!(out, "{name}{{request_type=\"fetch\"}} {fetches}")?;
            writeln!(out, "{name}{{request_type=\"ls-remote\"}} {listings}")?;
        }
        "landfall_webhook_total" => {
            for (outcome, count) in &told.webhooks {
                writeln!(out, "{name}{{outcome=\"{outcome}\"}} {count}")?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn written(labels: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Line;

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
            assert!(line.starts_with('#') || line.starts_with("argocd_") || line.starts_with("landfall_"), "{line}");
        }
    }
}
