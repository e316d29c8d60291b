mod called_by_pods;

use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::{Reference, references};
use serde_json::Value;

use self::called_by_pods::called_by_pods;
use super::secret_that_nobody_reads::has_word;
use crate::decoded::texts;
use crate::pods::pod_template;
use crate::rule::Rule;
use crate::scripts::words;
use crate::subject::{Desired, DesiredUnit, Role, Subject};
use crate::texts::{actions, own_texts};

pub(super) static RULE: Rule = Rule {
    id: "LF394",
    title: "what a release makes for its own pods is called after the release",
    severity: Severity::Info,
    why: "A ConfigMap, Secret, claim or account whose name stands in the template is the same object in each release of a \
          namespace. Where the pods that take it are called after their release, a second one is meant to stand beside the \
          first: Helm refuses it, and Argo CD lets the two write over each other.",
    advice: "Put the release's name in front of it, `{{ .Release.Name }}-…`, here and where the pods name it.",
    check,
};

/// What is made for the pods of the same release.
const KINDS: &[&str] = &["ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let workloads = unit.objects.iter().filter(|it| pod_template(&it.object).is_some());
        let workloads: Vec<_> = workloads.map(|it| (it, references(&it.object))).collect();
        let taken = unit
            .objects
            .iter()
            .filter(|it| it.object.group().is_empty() && KINDS.contains(&it.object.kind()))
            .filter_map(|it| Some((it, reader(subject, unit, &workloads, it)?)))
            .filter(|(it, _)| {
                is_made(subject, it) && is_of_this_release(unit, it) && !is_asked_for(subject, &it.object)
            });
        let fixed: Vec<(&Desired, &Desired)> = taken.chain(called_by_pods(subject, unit)).collect();
        if fixed.is_empty() || is_there_once(subject, unit) {
            continue;
        }
        for (desired, reader) in fixed {
            let (kind, name) = (desired.object.kind(), desired.object.name());
            let (owner, after) = (reader.object.kind(), reader.object.name());
            let does = if kind == "Service" { "calls" } else { "takes" };
            findings.push(
                RULE.finding(format!(
                    "{kind} `{name}` is called alike in each release, and {owner} `{after}`, which {does} it, after its own"
                ))
                .because("a second release in the namespace finds it there, and it is the first one's")
                .at(desired.spot_at("metadata.name")),
            );
        }
    }
    findings
}

/// Whether an object is made by a template of the unit's own, and not for a test.
pub(super) fn is_made(subject: &Subject<'_>, desired: &Desired) -> bool {
    let is_wanted = match &desired.role {
        Role::Manifest => true,
        Role::Hook { events, .. } => events.iter().any(|it| *it != HookEvent::Test),
        Role::Definition => false,
    };
    is_wanted && !subject.is_borrowed(desired)
}

/// Whether a template writes the name of an object as it is, once, and means the release's own namespace.
fn is_of_this_release(unit: &DesiredUnit, desired: &Desired) -> bool {
    let is_fixed = is_spelt_out(unit, desired, "name", desired.object.name());
    is_fixed && !is_shared(unit, desired) && !is_in_loop_of(unit, desired)
}

/// Whether an object is not the release's own: it is kept or looked up by its name, or meant for another namespace.
fn is_shared(unit: &DesiredUnit, desired: &Desired) -> bool {
    let (object, namespace) = (&desired.object, unit.namespace.as_str());
    let is_looked_up =
        unit.lookups.iter().any(|(kind, name)| kind == object.kind() && (name.is_empty() || name == object.name()));
    let is_kept = object.annotation("helm.sh/resource-policy") == Some("keep");
    let is_elsewhere = object.namespace() != Some(namespace) || is_spelt_out(unit, desired, "namespace", namespace);
    is_looked_up || is_kept || is_elsewhere
}

/// Whether a template writes a field of an object's metadata as it is, without any action.
fn is_spelt_out(unit: &DesiredUnit, desired: &Desired, field: &str, word: &str) -> bool {
    let origin = unit.rendered.origin(&desired.key(), &format!("metadata.{field}"));
    let own = origin.filter(|it| it.data.is_empty() && it.keys.is_empty() && it.built_in.is_empty());
    let line = own.and_then(|it| it.template).and_then(|place| place.source);
    line.is_some_and(|line| writes(&line, field, word))
}

/// Whether a line gives a field a word and nothing else: `name: web`, `metadata: {name: "web"}`.
fn writes(line: &str, field: &str, word: &str) -> bool {
    let plain = line.replace(['"', '\''], "");
    plain.match_indices(field).any(|(at, _)| {
        let is_key = !plain[..at].ends_with(|it: char| it.is_ascii_alphanumeric() || "-_./".contains(it));
        let value = plain[at + field.len()..].strip_prefix(':').map(str::trim_start);
        let behind = value.and_then(|it| it.strip_prefix(word));
        let is_all =
            |rest: &str| rest.is_empty() || rest.starts_with(|it: char| it.is_whitespace() || ",}".contains(it));
        is_key && behind.is_some_and(is_all)
    })
}

/// Whether an object is printed within a loop of its template.
fn is_in_loop_of(unit: &DesiredUnit, desired: &Desired) -> bool {
    let origin = unit.rendered.origin(&desired.key(), "metadata.name");
    let Some(place) = origin.and_then(|it| it.template) else { return false };
    let mut texts = unit.rendered.charts.iter().flat_map(own_texts);
    texts.any(|it| it.path == place.file && is_in_loop(&it.text, place.line))
}

/// Whether a line of a template, from 1, stands within a `range`.
fn is_in_loop(text: &str, line: u32) -> bool {
    let before = text.split_inclusive('\n').take(line.saturating_sub(1) as usize);
    let at: usize = before.map(str::len).sum();
    let mut open = Vec::new();
    for action in actions(text).take_while(|it| it.start < at) {
        match action.word().split('(').next().unwrap_or_default() {
            "range" => open.push(true),
            "if" | "with" | "define" | "block" => open.push(false),
            "end" => {
                open.pop();
            }
            _ => {}
        }
    }
    open.contains(&true)
}

/// The workload that takes an object by its name and is itself called after the release.
fn reader<'u>(
    subject: &Subject<'_>,
    unit: &DesiredUnit,
    workloads: &[(&'u Desired, Vec<Reference>)],
    desired: &Desired,
) -> Option<&'u Desired> {
    let (kind, name, namespace) = (desired.object.kind(), desired.object.name(), desired.object.namespace());
    let takes = |references: &[Reference]| {
        references.iter().any(|it| {
            let is_it = it.kind == kind && it.name == name && it.namespace.as_deref() == namespace;
            is_it && !it.path.contains("imagePullSecrets")
        })
    };
    let mut taking = workloads.iter().filter(|(_, references)| takes(references)).map(|(it, _)| *it);
    taking.find(|it| is_after_release(unit, it) && is_made(subject, it))
}

/// Whether the release's name is in an object's.
fn is_after_release(unit: &DesiredUnit, desired: &Desired) -> bool {
    let origin = unit.rendered.origin(&desired.key(), "metadata.name");
    origin.is_some_and(|it| it.built_in.contains(&".Release.Name"))
}

/// Whether most of a unit is called alike in each release: it is made to be there once.
fn is_there_once(subject: &Subject<'_>, unit: &DesiredUnit) -> bool {
    let made: Vec<&Desired> = unit.objects.iter().filter(|it| is_made(subject, it)).collect();
    let fixed = made.iter().filter(|it| is_spelt_out(unit, it, "name", it.object.name())).count();
    fixed * 2 > made.len()
}

/// Whether a program may ask for an object: a command, a variable or a setting says its name, a right is bound to it, or one is to
/// read all of its kind.
fn is_asked_for(subject: &Subject<'_>, object: &Object) -> bool {
    let name = object.name();
    let plural = format!("{}s", object.kind().to_ascii_lowercase());
    let in_settings = || subject.objects().any(|it| texts(&it.object).iter().any(|(_, text, _)| has_word(text, name)));
    let in_pods = || {
        let mut containers = subject.pods().flat_map(|(_, template)| template.containers());
        containers.any(|container| {
            let mut given = container.env().filter_map(|(_, _, variable)| variable["value"].as_str());
            words(&container).iter().any(|(_, word)| has_word(word, name)) || given.any(|text| has_word(text, name))
        })
    };
    let in_rights = || {
        let mut rules = subject.objects().flat_map(|it| it.object.list_at("/rules"));
        let says = |rule: &Value, field: &str, words: [&str; 2]| {
            rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).any(|it| words.contains(&it))
        };
        rules.any(|rule| match rule["resourceNames"].as_array().is_some_and(|it| !it.is_empty()) {
            true => says(rule, "resourceNames", [name, name]),
            false => says(rule, "resources", [plural.as_str(), "*"]) && says(rule, "apiGroups", ["", "*"]),
        })
    };
    in_rights() || in_pods() || in_settings()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_a_line_as_it_is() {
        for line in
            ["  name: web", "metadata: {name: \"web\", labels: {a: {{ .b }}}}", "{\"name\":\"web\"}", "name: web  # it"]
        {
            assert!(writes(line, "name", "web"), "{line}");
        }
        for line in
            ["name: web-{{ .a }}", "name: {{ .a }}", "name: web{{ .a }}", "app.io/name: web", "namespace: web", "web"]
        {
            assert!(!writes(line, "name", "web"), "{line}");
        }
    }

    #[test]
    fn a_loop_goes_as_far_as_its_end() {
        let text = "{{ range .a }}\n{{ if(.b) }}\nx\n{{ end }}\ny\n{{ end }}\nz\n{{ if .c }}\nw\n{{ end }}\n";
        assert_eq!([1, 3, 5, 7, 9].map(|line| is_in_loop(text, line)), [false, true, true, false, false]);
    }
}
