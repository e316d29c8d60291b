use std::cell::OnceCell;
use std::collections::BTreeSet;

use landfall_chart::values_to_json;
use landfall_diag::{Finding, Severity};

use super::value_printed_raw::visit;
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF424",
    title: "an image is of one registry",
    severity: Severity::Warning,
    why: "A repository that has its registry in it, behind a registry that is set for all images, makes an address that nobody has: \
          `registry.example.com/quay.io/acme/web`. The image cannot be pulled, unless that registry happens to be a mirror with such paths.",
    advice: "Write the registry into the key of its own, and the repository without it.",
    check,
};

/// Registries that everybody pulls from.
const REGISTRIES: &[&str] = &[
    "docker.io",
    "quay.io",
    "ghcr.io",
    "gcr.io",
    "k8s.gcr.io",
    "registry.k8s.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "docker.elastic.co",
    "registry.gitlab.com",
    "nvcr.io",
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    subject.units.iter().flat_map(of_unit).collect()
}

fn of_unit(unit: &DesiredUnit) -> Vec<Finding> {
    let mut findings = Vec::new();
    let repositories = OnceCell::new();
    for desired in &unit.objects {
        visit(desired.object.value(), String::new(), &mut |path, text| {
            let Some((front, repository)) = text.split_once('/').filter(|_| path.ends_with(".image")) else { return };
            let Some((own, _)) = repository.split_once('/') else { return };
            if !front.contains(['.', ':']) || !REGISTRIES.contains(&own) {
                return;
            }
            // A mirror's address that stands in the values as a whole is meant.
            let bare = repository.split(['@', ':']).next().unwrap_or(repository);
            if !repositories.get_or_init(|| self::repositories(unit)).contains(bare) {
                return;
            }
            let (kind, name) = (desired.object.kind(), desired.object.name());
            findings.push(
                RULE.finding(format!("an image of {kind} `{name}` is of `{front}` and of `{own}` in one: `{text}`"))
                    .keyed(format!("{own} {bare}"))
                    .because(format!(
                        "`{bare}` is the repository in the values, and the registry `{front}` is put in front of it"
                    ))
                    .help(format!("write `{own}` as its registry"))
                    .at(desired.spot_at(path)),
            );
        });
    }
    findings
}

/// The texts of the values that begin with a registry.
fn repositories(unit: &DesiredUnit) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rendered in &unit.rendered.charts {
        visit(&values_to_json(&rendered.values), String::new(), &mut |_, text| {
            if text.split_once('/').is_some_and(|(own, _)| REGISTRIES.contains(&own)) {
                found.insert(text.to_owned());
            }
        });
    }
    found
}
