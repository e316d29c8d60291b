use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use crate::decoded::texts;
use crate::rule::Rule;
use crate::scripts::words;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF399",
    title: "a collector's pipelines name what is configured, and each processor once",
    severity: Severity::Warning,
    why: "OpenTelemetry's collector looks its settings through before it begins: a pipeline that names a receiver, a \
          processor or an exporter which is not configured, or one processor twice, is refused, and nothing is collected.",
    advice: "Name the part as it is configured, configure it, or take it out of the pipeline.",
    check,
};

/// The lists of a pipeline, which are the names of sections, too, and what one of their items is.
const LISTS: &[(&str, &str)] = &[("receivers", "receiver"), ("processors", "processor"), ("exporters", "exporter")];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects() {
        for (field, settings) in settings_of(subject, desired) {
            findings.extend(told(desired, &field, &settings));
        }
    }
    findings
}

/// The collectors' settings that an object holds, each with its field.
fn settings_of(subject: &Subject<'_>, desired: &Desired) -> Vec<(String, Value)> {
    let object = &desired.object;
    match (object.group(), object.kind()) {
        ("", "ConfigMap") => {
            let all = texts(object).into_iter().filter_map(|(_, text, field)| Some((field, read(&text)?)));
            let found: Vec<(String, Value)> = all.collect();
            if found.is_empty() || is_put_together(subject, object) { Vec::new() } else { found }
        }
        ("opentelemetry.io", "OpenTelemetryCollector") => {
            let config = object.at("/spec/config").filter(|_| !takes_more(object));
            let settings = config.and_then(|it| it.as_str().map_or_else(|| whole(it.clone()), read));
            settings.map(|it| ("spec.config".to_owned(), it)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// A text as a collector's settings, where it is that.
fn read(text: &str) -> Option<Value> {
    if !["pipelines", "receivers", "exporters"].iter().all(|word| text.contains(word)) {
        return None;
    }
    whole(landfall_yaml::to_json(text).ok()?)
}

/// Settings that are whole: a part of others may name what those have.
fn whole(settings: Value) -> Option<Value> {
    let has_pipelines = settings["service"]["pipelines"].is_object();
    let is_whole = has_pipelines && settings["receivers"].is_object() && settings["exporters"].is_object();
    is_whole.then_some(settings)
}

/// Whether an operator's collector is given more settings than stand in it.
fn takes_more(object: &Object) -> bool {
    let args = object.at("/spec/args").and_then(Value::as_object);
    args.is_some_and(|args| args.keys().any(|key| key.starts_with("config") || key.starts_with("set")))
}

/// Whether a program that is given a ConfigMap puts its settings together of several files, or is told more of them.
fn is_put_together(subject: &Subject<'_>, map: &Object) -> bool {
    let given = subject
        .pods()
        .filter(|(it, template)| it.object.namespace() == map.namespace() && template.has_config_map(map.name()));
    given.flat_map(|(_, template)| template.containers()).any(|container| {
        let told = words(&container);
        let mut options = told.iter().flat_map(|(_, word)| word.split_whitespace()).filter(|it| it.starts_with('-'));
        let files = options.clone().filter(|it| it.trim_start_matches('-').starts_with("config")).count();
        files > 1 || options.any(|it| it.starts_with("--set"))
    })
}

fn told(desired: &Desired, field: &str, settings: &Value) -> Vec<Finding> {
    let (kind, name) = (desired.object.kind(), desired.object.name());
    let at = || desired.spot_at(field);
    let mut findings = Vec::new();
    for (pipeline, processor) in named_twice(settings) {
        findings.push(
            RULE.finding(format!("pipeline `{pipeline}` of {kind} `{name}` names the processor `{processor}` twice"))
                .keyed(format!("{name} {field} {pipeline} {processor}"))
                .because("the collector refuses its settings and does not start")
                .help("name it once, where it is to work")
                .at(at()),
        );
    }
    let mut seen = BTreeSet::new();
    for Missing { by, what, section, item } in missing(settings) {
        // Told once, however many pipelines name it.
        if !seen.insert((section, item)) {
            continue;
        }
        let finding = RULE
            .finding(format!("{by} of {kind} `{name}` names the {what} `{item}`, which `{section}` has not"))
            .keyed(format!("{name} {field} {section} {item}"))
            .because("the collector refuses its settings and does not start")
            .at(at());
        let known = settings[section].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        findings.push(match landfall_diag::nearest(item, known) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding,
        });
    }
    findings
}

/// Something that is named and not configured.
#[derive(Debug, PartialEq, Eq)]
struct Missing<'s> {
    /// Who names it: "pipeline `logs`".
    by: String,
    /// What it is: an exporter.
    what: &'static str,
    /// Where it would stand.
    section: &'static str,
    item: &'s str,
}

/// What pipelines, and the service itself, name of what is not configured.
fn missing(settings: &Value) -> Vec<Missing<'_>> {
    let service = &settings["service"];
    let mut found = Vec::new();
    for (pipeline, lists) in service["pipelines"].as_object().into_iter().flatten() {
        for &(section, what) in LISTS {
            let lacking = items(&lists[section]).filter(|item| lacks(settings, section, item));
            // A connector is the exporter of one pipeline and the receiver of the next.
            let lacking = lacking.filter(|item| section == "processors" || !may_be_connector(settings, item));
            found.extend(lacking.map(|item| Missing { by: format!("pipeline `{pipeline}`"), what, section, item }));
        }
    }
    let lacking = items(&service["extensions"]).filter(|item| lacks(settings, "extensions", item));
    let of_service = |item| Missing { by: "the service".to_owned(), what: "extension", section: "extensions", item };
    found.extend(lacking.map(of_service));
    found
}

/// The processors that a pipeline names twice, each with the pipeline.
fn named_twice(settings: &Value) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (pipeline, lists) in settings["service"]["pipelines"].as_object().into_iter().flatten() {
        let mut seen = BTreeSet::new();
        let again: BTreeSet<&str> = items(&lists["processors"]).filter(|item| !seen.insert(*item)).collect();
        found.extend(again.into_iter().map(|item| (pipeline.as_str(), item)));
    }
    found
}

/// The names of a list; what a variable stands for is not known.
fn items(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).filter(|item| !item.contains('$'))
}

/// Whether a section that is there does not have a name; one that a variable stands for may have it.
fn lacks(settings: &Value, section: &str, item: &str) -> bool {
    let is_seen = |name: &String| !name.contains('$');
    settings[section].as_object().is_some_and(|known| !known.contains_key(item) && known.keys().all(is_seen))
}

/// Whether a name is a connector's, or could be one.
fn may_be_connector(settings: &Value, item: &str) -> bool {
    match &settings["connectors"] {
        Value::Null => false,
        Value::Object(known) => known.contains_key(item) || known.keys().any(|name| name.contains('$')),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(text: &str) -> Vec<String> {
        let Some(settings) = read(text) else { return Vec::new() };
        let twice: Vec<_> = named_twice(&settings).into_iter().map(|(by, item)| format!("{by} {item} twice")).collect();
        let missing = missing(&settings).into_iter().map(|it| format!("{} {} {}", it.by, it.what, it.item));
        twice.into_iter().chain(missing).collect()
    }

    const SETTINGS: &str = "\
receivers: {otlp: {}}
processors: {batch: {}}
exporters: {otlp: {}}
connectors: {count: {}}
extensions: {health_check: {}}
service:
  extensions: [health_check]
  pipelines:
    logs: {receivers: [otlp], processors: [batch], exporters: [otlp, count]}
    metrics: {receivers: [count], exporters: [otlp]}
";

    #[test]
    fn what_is_named_and_not_configured_is_told() {
        for (from, to, told) in [
            ("[otlp, count]", "[otlp/x]", "pipeline `logs` exporter otlp/x"),
            ("[count]", "[jaeger]", "pipeline `metrics` receiver jaeger"),
            ("[batch]", "[batch, memory_limiter]", "pipeline `logs` processor memory_limiter"),
            ("[batch]", "[batch, batch]", "logs batch twice"),
            ("[health_check]", "[pprof]", "the service extension pprof"),
        ] {
            assert_eq!(told_of(&SETTINGS.replace(from, to)), [told], "{to}");
        }
    }

    #[test]
    fn what_may_be_configured_elsewhere_is_not() {
        assert_eq!(told_of(SETTINGS), [""; 0]);
        for (from, to) in [
            ("[otlp, count]", "[\"${env:EXPORTER}\"]"),
            ("exporters: {otlp: {}}", "exporters: ${file:/etc/exporters.yaml}"),
            ("extensions: {health_check: {}}\n", ""),
            ("processors: {batch: {}}\n", ""),
            ("connectors: {count: {}}", "connectors: ${file:/etc/connectors.yaml}"),
            ("receivers: {otlp: {}}\n", ""),
            ("processors: {batch: {}}", "processors:"),
        ] {
            assert_eq!(told_of(&SETTINGS.replace(from, to)), [""; 0], "{to}");
        }
    }
}
