use std::collections::BTreeSet;

use landfall_chart::{Chart, Values};
use landfall_diag::{Finding, Severity, Spot};

use super::value_that_prints_nothing::value_at;
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::texts::{Text, actions, gather, ifs, own_charts, plain, words};
use crate::written::lines;

pub(super) static RULE: Rule = Rule {
    id: "LF420",
    title: "whether a program uses a server is not whether its chart brings it along",
    severity: Severity::Info,
    why: "A dependency is switched off where its server is run by somebody else, and the values have a table for the address of that \
          one. A program that is told by the dependency's switch whether to use the server is told not to, just there.",
    advice: "Print whether there is a server: the one that the chart brings along, or the other one.",
    check,
};

/// What a key has in it that says where a server is.
const HOSTS: &[&str] = &["host", "url", "uri", "address", "endpoint", "server"];

/// What a name has in it that asks for the server of the chart itself.
const INSIDE: &[&str] = &["internal", "embedded", "bundled", "builtin", "subchart", "local", "deploy", "external"];

/// A chart that is brought along or left out, in whose place another server may stand.
struct Part {
    /// The table of its values: `cache`.
    name: String,
    /// What switches it: `cache.enabled`.
    condition: String,
    /// The table of the other server: `externalCache`.
    outside: String,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    subject.units.iter().flat_map(of_unit).collect()
}

fn of_unit(unit: &DesiredUnit) -> Vec<Finding> {
    let charts = unit.rendered.charts.iter().flat_map(|rendered| own_charts(&rendered.processed));
    charts.flat_map(|chart| of_chart(unit, chart)).collect()
}

fn of_chart(unit: &DesiredUnit, chart: &Chart) -> Vec<Finding> {
    let parts = parts(chart);
    let mut findings = Vec::new();
    if parts.is_empty() {
        return findings;
    }
    let mut texts = Vec::new();
    gather(chart, &mut texts);
    for part in parts.iter().filter(|it| is_asked_for_its_host(&texts, &it.outside)) {
        for text in &texts {
            for (at, name) in told(&text.text, part) {
                let Part { name: own, condition, outside } = part;
                let place = text.place(at);
                findings.push(
                    RULE.finding(format!(
                        "`{name}` is `{condition}`, which says whether the chart brings `{own}` along"
                    ))
                    .keyed(format!("{} {name}", place.file))
                    .because(format!(
                        "where `{outside}` names a server in its place, the program is told that there is none"
                    ))
                    .help(format!("print whether `{condition}` is set or `{outside}` names a server"))
                    .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
                );
            }
        }
    }
    findings
}

/// The dependencies of a chart that have a switch, where the values have a table for another server in their place.
fn parts(chart: &Chart) -> Vec<Part> {
    let conditions: BTreeSet<&str> = chart.declared().flat_map(|it| it.condition.split(',')).map(str::trim).collect();
    let all = conditions.into_iter().filter_map(|condition| {
        let (name, _) = condition.split_once('.')?;
        let outside = outside(&chart.values, name)?;
        Some(Part { name: name.to_owned(), condition: condition.to_owned(), outside })
    });
    all.collect()
}

/// The table of a server that stands in the place of a part: `externalCache`, `external.cache`, `cache.external`.
fn outside(values: &Values, name: &str) -> Option<String> {
    let wanted = format!("external{}", name.to_ascii_lowercase());
    let keys = values.keys();
    let mut top = keys.iter().map(|key| key.to_string_lossy().into_owned());
    let beside = top.find(|key| key.to_ascii_lowercase() == wanted);
    let mut all = beside.into_iter().chain([format!("external.{name}"), format!("{name}.external")]);
    all.find(|path| value_at(values, path).is_some_and(|it| it.as_map().is_some()))
}

/// Whether a text reads from a table where its server is.
fn is_asked_for_its_host(texts: &[Text<'_>], table: &str) -> bool {
    let is_host = |word: &&str| {
        let path = word.trim_start_matches('$').strip_prefix(".Values.");
        let key = path.and_then(|path| path.strip_prefix(table)?.strip_prefix('.'));
        let key = key.map(str::to_ascii_lowercase).unwrap_or_default();
        HOSTS.iter().any(|host| key.contains(host))
    };
    texts.iter().any(|text| {
        let mut all = actions(&text.text).filter(|it| !it.is_comment());
        all.any(|action| words(action.inner).iter().any(is_host))
    })
}

/// The settings of a program that are a part's switch and nothing else: where, and how they are called.
fn told<'t>(text: &'t str, part: &Part) -> Vec<(usize, &'t str)> {
    let own = plain(&part.name);
    let ifs = ifs(text);
    let mut found: Vec<(usize, &str)> = Vec::new();
    for (at, name, path) in switches(text).into_iter().filter(|(_, _, path)| *path == part.condition) {
        let said = plain(name);
        let is_of_it = said.contains(&own) && !INSIDE.iter().any(|word| said.replace(&own, "").contains(word));
        // Where either server is asked for around it, somebody has thought of both.
        let mut around = ifs.iter().filter(|it| it.at < at && at < it.end);
        let is_decided = around.any(|it| it.asks.contains(path) || it.asks.contains(&part.outside));
        let is_once = text.matches(name).count() == 1;
        if is_of_it && !is_decided && is_once {
            found.push((at, name));
        }
    }
    found
}

/// The lines of a text in which a value stands as a switch: where, how the switch is called, and the value's path.
fn switches(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    let mut above = "";
    for (at, line) in lines(text) {
        if let Some((name, path)) = switch(line, above).filter(|(name, _)| plain(name).ends_with("enabled")) {
            found.push((at, name, path));
        }
        above = line;
    }
    found
}

/// The name of what a line sets to a value, be it a variable that the line above names, with the value's path.
fn switch<'t>(line: &'t str, above: &'t str) -> Option<(&'t str, &'t str)> {
    let (key, value) = line.trim_start().trim_start_matches("- ").split_once(':')?;
    let name = match key {
        "value" => above.trim_start().trim_start_matches("- ").strip_prefix("name:")?,
        key => key,
    };
    let inner = value.trim().trim_matches(['"', '\'']).strip_prefix("{{")?.strip_suffix("}}")?;
    let mut stages = inner.trim_matches(['-', ' ']).split('|').map(str::trim);
    let path = stages.next()?.trim_start_matches('$').strip_prefix(".Values.")?;
    let is_path = path.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | '_'));
    let is_whole = stages.all(|stage| matches!(stage, "quote" | "squote" | "toString"));
    (is_path && is_whole).then_some((name.trim().trim_matches(['"', '\'']), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<&str> {
        let part = Part {
            name: "cache".to_owned(),
            condition: "cache.enabled".to_owned(),
            outside: "externalCache".to_owned(),
        };
        told(text, &part).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn a_setting_is_told_that_is_the_switch_of_a_part_and_nothing_else() {
        let text = "env:\n  - name: CACHE_ENABLED\n    value: {{ .Values.cache.enabled | quote }}\n";
        assert_eq!(of(text), ["CACHE_ENABLED"]);
        assert_eq!(of("data:\n  cacheEnabled: \"{{ $.Values.cache.enabled }}\"\n"), ["cacheEnabled"]);
        for other in [
            text.replace(".Values.cache.enabled", "or .Values.cache.enabled .Values.externalCache.enabled"),
            text.replace(".Values.cache.enabled", ".Values.cache.cluster.enabled"),
            text.replace("CACHE_ENABLED", "CACHE_INTERNAL_ENABLED"),
            text.replace("CACHE_ENABLED", "METRICS_ENABLED"),
            text.replace("CACHE_ENABLED", "CACHE_HOST"),
            format!("{{{{ if .Values.cache.enabled }}}}\n{text}{{{{ end }}}}\n"),
            format!("{text}{text}"),
        ] {
            assert_eq!(of(&other), [""; 0], "{other}");
        }
    }

    #[test]
    fn another_server_has_a_table_of_its_own() {
        let of = |json: serde_json::Value| {
            let values = landfall_chart::values_from_json(json.as_object().expect("a map"));
            outside(&values, "cache")
        };
        assert_eq!(of(serde_json::json!({"externalCache": {"host": ""}})).as_deref(), Some("externalCache"));
        assert_eq!(of(serde_json::json!({"external": {"cache": {}}})).as_deref(), Some("external.cache"));
        assert_eq!(of(serde_json::json!({"cache": {"external": {}}})).as_deref(), Some("cache.external"));
        assert_eq!(of(serde_json::json!({"cache": {"external": true}, "externalCache": "a"})), None);
    }

    #[test]
    fn a_table_is_read_for_its_host() {
        let is_asked = |text: &str| {
            let text = Text { path: "templates/x.yaml".to_owned(), text: text.into() };
            is_asked_for_its_host(&[text], "externalCache")
        };
        assert!(is_asked("{{ tpl .Values.externalCache.hostname $ }}"));
        assert!(is_asked("{{ default \"a\" (.Values.externalCache.auth.url) }}"));
        assert!(!is_asked("{{ .Values.externalCache.port }}{{ .Values.externalCaches.host }}"));
    }
}
