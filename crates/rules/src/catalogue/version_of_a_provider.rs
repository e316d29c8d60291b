mod minor;

use std::collections::BTreeSet;

use landfall_chart::is_compatible;
use landfall_diag::{Finding, Place, Severity, Spot};

use self::minor::{MINOR, Misuse, misused};
use super::kubernetes_that_is_refused::kube_version_of;
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{actions, delivered_texts};

pub(super) static RULE: Rule = Rule {
    id: "LF354",
    title: "versions of Kubernetes are compared with those of providers, too",
    severity: Severity::Info,
    why: "GKE, EKS and others call their versions `v1.32.4-gke.1`: for `semverCompare` that is before 1.32.4, and a condition without \
          `-0` takes no such version at all. On their clusters a branch is left out that is taken here. EKS calls the minor version `21+`: \
          as a number it is 0, and no image bears it as a tag.",
    advice: "Write the bound with `-0`: `semverCompare \">=1.19-0\" .Capabilities.KubeVersion.Version`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // One a unit says it: a chart writes them all alike.
    let (mut told, mut told_of_minor) = (BTreeSet::new(), BTreeSet::new());
    for (text, spot) in delivered_texts(subject) {
        if let Some((at, misuse)) = misused(&text.text) {
            let place = text.place(at);
            let finding = of_minor(&place, misuse);
            let spot = spot(place);
            if told_of_minor.insert(spot.unit.clone()) {
                findings.push(finding.at(spot));
            }
        }
        let found = actions(&text.text)
            .filter(|it| !it.is_comment())
            .find_map(|action| Some((action.start, bound(action.inner)?)));
        let Some((at, bound)) = found else { continue };
        let place = text.place(at);
        let spot = spot(place.clone());
        if !told.insert(spot.unit.clone()) {
            continue;
        }
        findings.push(
            RULE.finding(format!(
                "`semverCompare` with `{bound}` takes no Kubernetes whose version has a part behind a dash"
            ))
            .keyed(place.file)
            .because(
                "a version such as `v1.32.4-gke.1` counts as one before 1.32.4, which a bound without `-0` never takes",
            )
            .help(format!("write `{bound}-0`"))
            .at(spot),
        );
    }
    findings.extend(refused(subject));
    findings
}

/// Charts whose `kubeVersion` takes the cluster's version and not the one that a provider makes of it.
fn refused(subject: &Subject<'_>) -> Vec<Finding> {
    let version = &subject.cluster.version;
    let mut findings = Vec::new();
    for unit in subject.units {
        for chart in unit.rendered.charts.iter().map(|it| &it.processed) {
            let wanted = &chart.metadata.kube_version;
            let of_a_provider = format!("{}-gke.1", version.split(['-', '+']).next().unwrap_or_default());
            if wanted.is_empty() || !is_compatible(wanted, version) || is_compatible(wanted, &of_a_provider) {
                continue;
            }
            let place = kube_version_of(chart);
            findings.push(
                RULE.finding(format!(
                    "`kubeVersion: {wanted}` takes no Kubernetes whose version has a part behind a dash"
                ))
                .keyed(format!("{} kubeVersion", place.file))
                .because(format!("{of_a_provider} counts as one before {version}: the whole chart is refused there"))
                .help("write `-0` behind each bound: `>=1.25.0-0`")
                .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// What is wrong with a minor version that is taken for a number.
fn of_minor(place: &Place, misuse: Misuse) -> Finding {
    let (done, because) = match misuse {
        Misuse::Counted => {
            ("taken for a number", "EKS calls it `21+`, of which Helm makes 0: every comparison goes wrong")
        }
        Misuse::Compared => ("compared as a text", "EKS calls it `21+`, which is neither `21` nor before it"),
        Misuse::Printed => {
            ("printed as it is", "EKS calls it `21+`: that is no tag of an image, no label and no version")
        }
    };
    RULE.finding(format!("`{MINOR}` is {done}, and not every provider's is a number"))
        .keyed(format!("{} minor", place.file))
        .because(because)
        .help(format!("write `regexReplaceAll \"\\\\D+\" .{MINOR} \"\"`, or compare with `semverCompare`"))
}

/// The bound that an action holds a version of Kubernetes against, where it takes no pre-release.
fn bound(inner: &str) -> Option<&str> {
    let (_, rest) = inner.split_once("semverCompare")?;
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|it| matches!(it, '"' | '`'))?;
    let (bound, rest) = rest[1..].split_once(quote)?;
    let is_of_cluster = ["KubeVersion", "kubeVersion"].iter().any(|word| rest.contains(word));
    // An upper bound leaves such a version out of what is old, which is where it belongs mostly.
    let version = bound.trim_start_matches(['>', '^', '~', '=', ' ']);
    let is_one = version.starts_with(|it: char| it.is_ascii_digit()) && !version.contains([' ', ',', '|', '-']);
    (is_of_cluster && is_one).then_some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_without_a_dash_takes_no_providers_version() {
        let of = |text: &str| bound(text).is_some();
        for text in [
            "if semverCompare \">=1.19\" .Capabilities.KubeVersion.Version",
            "if (semverCompare \">= 1.19.0\" .Capabilities.KubeVersion.GitVersion)",
            "- if semverCompare `^1.21` (include \"x.kubeVersion\" .)",
        ] {
            assert!(of(text), "{text}");
        }
        for text in [
            "if semverCompare \">=1.19-0\" .Capabilities.KubeVersion.Version",
            "if semverCompare \">=1.19 <1.30\" .Capabilities.KubeVersion.Version",
            "if semverCompare \"<1.19\" .Capabilities.KubeVersion.Version",
            "if semverCompare \">=2.0\" .Values.version",
            "if .Values.x",
        ] {
            assert!(!of(text), "{text}");
        }
    }
}
