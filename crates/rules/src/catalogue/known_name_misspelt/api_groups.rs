//! API groups that a template asks the cluster for by a name that is nearly one that it knows.

use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Spot};
use landfall_object::schema::Schemas;

use super::RULE;
use crate::subject::Subject;
use crate::texts::{Text, own_texts};

/// So many groups of a chart that are not known are compared with those that are.
const MOST_GROUPS: usize = 100;

/// How a template asks whether something is served.
const ASKS: &str = ".APIVersions.Has \"";

/// The groups that conditions ask for and that are a slip away from one that the chart prints objects of, or that every cluster has.
pub(super) fn api_groups(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in &unit.rendered.charts {
            let texts = own_texts(rendered);
            if !texts.iter().any(|text| text.text.contains(ASKS)) {
                continue;
            }
            let known = known(&texts);
            let mut meant: BTreeMap<&str, Option<&str>> = BTreeMap::new();
            for text in &texts {
                for (at, group) in asked(&text.text).filter(|(_, group)| !known.contains(*group)) {
                    if meant.len() == MOST_GROUPS && !meant.contains_key(group) {
                        continue;
                    }
                    let slip = || landfall_diag::slip(group, known.iter().map(String::as_str));
                    let Some(meant) = *meant.entry(group).or_insert_with(slip) else { continue };
                    findings.push(
                        RULE.finding(format!("a condition asks whether the group `{group}` is served"))
                            .keyed(format!("{} {group}", text.path))
                            .because("no cluster has it, so what depends on it is never printed")
                            .help(format!("did you mean `{meant}`?"))
                            .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(at)) }),
                    );
                }
            }
        }
    }
    findings
}

/// The groups that conditions of a text ask for, with their places.
fn asked(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices(ASKS).filter_map(|(at, _)| {
        let (group, version) = text[at + ASKS.len()..].split('"').next()?.split_once('/')?;
        (group.contains('.') && version.starts_with('v')).then_some((at, group))
    })
}

/// The groups that every cluster has, and those that templates print objects of.
fn known(texts: &[Text<'_>]) -> BTreeSet<String> {
    let schemas = Schemas::builtin();
    let built_in = schemas.group_versions().iter().map(|it| it.group.as_str());
    let printed = texts.iter().flat_map(|text| text.text.lines()).filter_map(|line| {
        let version = line.trim_start().strip_prefix("apiVersion:")?;
        Some(version.trim().trim_matches(['"', '\'']).split_once('/')?.0)
    });
    built_in.chain(printed).filter(|it| it.contains('.')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_asked_for_with_a_version() {
        let groups = |text: &'static str| asked(text).map(|(_, group)| group).collect::<Vec<_>>();
        assert_eq!(groups("{{ if .Capabilities.APIVersions.Has \"a.b.c/v1/K\" }}"), ["a.b.c"]);
        assert_eq!(groups("{{ if (.Capabilities.APIVersions.Has \"a.b/v1\") }}"), ["a.b"]);
        assert!(groups("{{ if .Capabilities.APIVersions.Has \"apps/v1\" }}").is_empty());
        assert!(groups("{{ if .Capabilities.APIVersions.Has .x }}").is_empty());
    }
}
