//! The domain of a cluster spelt out in a chart that has a value for it.

use landfall_chart::{Rendered, values_to_json};
use landfall_diag::{Finding, Severity, Spot};

use super::RULE;
use crate::operated::walk;
use crate::subject::DesiredUnit;
use crate::texts::{Text, actions, gather};
use crate::written::lines;

/// What charts call the domain of a cluster.
const NAMES: &[&str] = &["clusterDomain", "dnsDomain", "kubeDomain", "clusterDNSDomain", "kubernetesDomain"];

/// The domain that a cluster has where nobody says otherwise.
const SPELT: &str = ".svc.cluster.local";

/// So many lines around one may name the same host by its value: certificates hold both.
const AROUND: usize = 3;

pub(super) fn spelt_out(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let mut texts = Vec::new();
    gather(&rendered.processed, &mut texts);
    let mut findings = Vec::new();
    for path in domains(rendered) {
        let part = part_of(rendered, &path);
        let is_read = texts.iter().any(|text| reads(&text.text, &path));
        for text in &texts {
            let Some(at) = spelt(text, part).filter(|_| is_read || part.is_some()) else { continue };
            let place = text.place(at);
            findings.push(
                RULE.finding(format!("`svc.cluster.local` is spelt out, and `{path}` is the value for it"))
                    .weighing(Severity::Info)
                    .keyed(format!("{path} {}", place.file))
                    .because("in a cluster of another domain the value is set, and this address leads nowhere")
                    .help(format!("print `.Values.{path}` in the place of `cluster.local`"))
                    .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// The values of a chart that are a cluster's domain.
fn domains(rendered: &Rendered) -> Vec<String> {
    let mut found = Vec::new();
    walk(&values_to_json(&rendered.values), "", &mut |path, key, value| {
        let is_one = NAMES.contains(&key) && value.as_str().is_some_and(|it| !it.is_empty());
        if is_one && !path.contains('[') {
            found.push(path.to_owned());
        }
        is_one
    });
    found
}

/// The chart below that a value is for: a value of its own needs nobody here to read it.
fn part_of<'p>(rendered: &Rendered, path: &'p str) -> Option<&'p str> {
    let (first, _) = path.split_once('.')?;
    let mut declared = rendered.processed.declared();
    declared.any(|it| it.alias == first || (it.alias.is_empty() && it.name == first)).then_some(first)
}

fn reads(text: &str, path: &str) -> bool {
    let whole = format!(".Values.{path}");
    let is_end = |rest: &str| !rest.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
    text.match_indices(&whole).any(|(at, _)| is_end(&text[at + whole.len()..]))
}

/// Where a template first spells the domain out behind an action or a name, in a line that speaks of a part where one is asked for.
fn spelt(text: &Text<'_>, part: Option<&str>) -> Option<usize> {
    let comments: Vec<_> = actions(&text.text).filter(|it| it.is_comment()).map(|it| it.start..it.end).collect();
    let all: Vec<(usize, &str)> = lines(&text.text).collect();
    let found = all.iter().enumerate().find(|(index, (at, line))| {
        let Some(spelt) = line.find(SPELT) else { return false };
        let around = &all[index.saturating_sub(AROUND)..(index + AROUND + 1).min(all.len())];
        let has_value = around.iter().any(|(_, line)| NAMES.iter().any(|name| line.contains(name)));
        let is_of_part = part.is_none_or(|part| line.to_ascii_lowercase().contains(&part.to_ascii_lowercase()));
        let is_comment = line.trim_start().starts_with('#') || comments.iter().any(|it| it.contains(&(at + spelt)));
        is_an_address(line, spelt) && is_of_part && !has_value && !is_comment
    });
    found.map(|(_, (at, _))| *at)
}

/// Whether a name or an action stands in front of the domain, and nothing lists it for what goes past a proxy.
fn is_an_address(line: &str, spelt: usize) -> bool {
    let low = line.to_ascii_lowercase();
    let is_behind = line[..spelt].ends_with(|it: char| it.is_ascii_alphanumeric() || it == '}');
    // A longer domain is another one.
    let rest = line[spelt + SPELT.len()..].trim_start_matches('.');
    let ends = !rest.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '-');
    is_behind && ends && !low.contains("no_proxy") && !low.contains("noproxy")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn at(text: &str, part: Option<&str>) -> Option<usize> {
        spelt(&Text { path: "a".to_owned(), text: Cow::Borrowed(text) }, part)
    }

    #[test]
    fn a_domain_is_spelt_out_behind_a_name() {
        let line = "- {{ .Release.Name }}-etcd.{{ .Release.Namespace }}.svc.cluster.local:2379\n";
        assert_eq!(at(line, None), Some(0));
        assert_eq!(at(line, Some("etcd")), Some(0));
        assert_eq!(at(line, Some("kafka")), None);
        for text in [
            format!("# {line}"),
            format!("{{{{/* {} */}}}}", line.replace("{{", "").replace("}}", "")),
            format!("{line}- a.svc.{{{{ .Values.clusterDomain }}}}\n"),
            "NO_PROXY: a.svc.cluster.local\n".to_owned(),
            "no: .svc.cluster.local\n".to_owned(),
            "a: b.svc.cluster.locale\n".to_owned(),
        ] {
            assert_eq!(at(&text, None), None, "{text}");
        }
    }

    #[test]
    fn a_value_is_read_by_its_whole_path() {
        assert!(reads("{{ $.Values.clusterDomain }}", "clusterDomain"));
        assert!(!reads("{{ .Values.clusterDomains }}", "clusterDomain"));
    }
}
