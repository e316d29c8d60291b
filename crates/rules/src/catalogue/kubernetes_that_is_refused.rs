use landfall_chart::{Chart, is_compatible};
use landfall_diag::{Finding, Place, Severity, Spot};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF340",
    title: "a chart takes the Kubernetes that it is delivered to",
    severity: Severity::Error,
    why: "`kubeVersion` in Chart.yaml is held against the cluster before anything is rendered: outside of it the whole release is \
          refused. An upper bound that nobody raises shuts a chart out of each newer Kubernetes, tested or not.",
    advice: "Raise or leave out the bound in `kubeVersion`, or say which Kubernetes is meant with `--kube-version`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        // Whoever renders for a version of their own is not refused.
        let Some(meant) = &unit.meant_for else { continue };
        for rendered in &unit.rendered.charts {
            let chart = &rendered.processed;
            let (wanted, found) = (&chart.metadata.kube_version, &subject.cluster.version);
            if wanted.is_empty() || is_compatible(wanted, found) {
                continue;
            }
            let place = kube_version_of(chart);
            findings.push(
                RULE.finding(format!(
                    "chart `{}` refuses Kubernetes {found}: it takes `{wanted}`",
                    chart.metadata.name
                ))
                .because(format!("nothing of it is delivered there; the rest was looked at as for {meant}"))
                .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// The line of Chart.yaml that says which Kubernetes a chart takes.
pub(super) fn kube_version_of(chart: &Chart) -> Place {
    let line = chart.raw_file("Chart.yaml").and_then(|file| {
        let text = file.text();
        let at = text.lines().position(|line| line.starts_with("kubeVersion"))?;
        let source = text.lines().nth(at).map(str::to_owned);
        Some(Place { source, ..Place::line(chart.path_of("Chart.yaml"), u32::try_from(at).ok()? + 1) })
    });
    line.unwrap_or_else(|| Place::file(chart.path_of("Chart.yaml")))
}
