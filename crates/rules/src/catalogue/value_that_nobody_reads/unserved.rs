//! Values that are read for what the cluster has to serve, and does not.

use std::collections::BTreeSet;

use landfall_chart::{Chart, Rendered};
use landfall_object::Gvk;

use super::super::branch_never_taken::mentions;
use crate::texts::{ifs, own_texts, words};

/// What stands in front of a version or a kind that a template asks the cluster for.
const ASKS: &str = ".Capabilities.APIVersions.Has \"";

/// The version or the kind behind which a template reads a value, where the cluster does not serve it: `autoscaling.k8s.io/v1`.
pub(super) fn behind_unserved(rendered: &Rendered, kinds: &BTreeSet<Gvk>, path: &[String]) -> Option<String> {
    own_texts(rendered).iter().find_map(|text| {
        let mut asked = asked_around(&text.text, path).into_iter();
        let is_missing = |version: &&str| !is_served(version, kinds) && !is_defined(&rendered.processed, version);
        asked.find(is_missing).map(str::to_owned)
    })
}

/// Whether a chart brings definitions of the group of a version: they are there before it is rendered.
fn is_defined(chart: &Chart, version: &str) -> bool {
    let group = version.split('/').next().unwrap_or_default();
    chart.crds().iter().any(|crd| crd.documents().iter().any(|it| it["spec"]["group"] == group))
}

/// What a template asks the cluster for around what it reads of a path.
fn asked_around<'t>(text: &'t str, path: &[String]) -> Vec<&'t str> {
    if !text.contains(ASKS) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for own in ifs(text) {
        // What may hold without the cluster is no hindrance.
        let is_needed = !words(own.asks).iter().any(|it| matches!(*it, "not" | "or"));
        let whole = &text[own.at..own.body.end];
        let reads = || (1..=path.len()).any(|length| mentions(whole, &path[..length].join(".")));
        if is_needed && own.asks.contains(ASKS) && reads() {
            found.extend(own.asks.split(ASKS).skip(1).filter_map(|rest| rest.split('"').next()));
        }
    }
    found
}

/// Whether a cluster serves a version (`batch/v1`) or a kind of it (`batch/v1/Job`).
fn is_served(asked: &str, kinds: &BTreeSet<Gvk>) -> bool {
    kinds.iter().any(|it| {
        let version = it.api_version();
        asked
            .strip_prefix(version.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('/') == Some(it.kind.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_the_cluster_around_a_value_is_told() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        let text = concat!(
            "{{- if and (.Capabilities.APIVersions.Has \"scaling.example.com/v1\") (.Values.web.scaler.enabled) }}\n",
            "mode: {{ .Values.web.scaler.mode }}\nmost: {{ toYaml .Values.web.scaler.most }}\n{{- end }}\n",
            "{{- if not (.Capabilities.APIVersions.Has \"other.example.com/v1\") }}{{ .Values.web.other }}{{- end }}\n",
        );
        for read in ["web.scaler.enabled", "web.scaler.mode", "web.scaler.most.cpu"] {
            assert_eq!(asked_around(text, &path(read)), ["scaling.example.com/v1"], "{read}");
        }
        for other in ["web.scaler.least", "web.other"] {
            assert_eq!(asked_around(text, &path(other)), Vec::<&str>::new(), "{other}");
        }
    }

    #[test]
    fn a_version_is_served_with_any_of_its_kinds() {
        let kinds = BTreeSet::from([Gvk::new("batch", "v1", "Job"), Gvk::new("", "v1", "Pod")]);
        for asked in ["batch/v1", "batch/v1/Job", "v1", "v1/Pod"] {
            assert!(is_served(asked, &kinds), "{asked}");
        }
        for asked in ["batch/v1beta1", "batch/v1/CronJob", "scaling.example.com/v1"] {
            assert!(!is_served(asked, &kinds), "{asked}");
        }
    }
}
