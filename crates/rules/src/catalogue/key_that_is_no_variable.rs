use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::references::provides;
use landfall_project::Secrets;
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF120",
    title: "keys that become variables are names of variables",
    severity: Severity::Warning,
    why: "`envFrom` turns every key into a variable. Before Kubernetes 1.32 keys with `.` or `-` are dropped without a \
          word; since then they are set, but no shell can read them.",
    advice: "Mount such a key as a file, or name it with letters, digits and `_` only.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let dropped = minor(&subject.cluster.version).is_some_and(|minor| minor < 32);
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            for (index, name, _) in container.env() {
                if name.contains(char::is_whitespace) {
                    findings.push(
                        RULE.finding(format!("`{name}` is no name of a variable: it holds a space"))
                            .because("the program asks for the name without it, and finds nothing")
                            .help(format!("write `{}`", name.split_whitespace().collect::<String>()))
                            .at(desired.spot_at(&format!("{}.env[{index}].name", container.path))),
                    );
                }
            }
            for (index, source) in container.value["envFrom"].as_array().into_iter().flatten().enumerate() {
                let prefix = source["prefix"].as_str().unwrap_or_default();
                for (field, kind) in [("secretRef", "Secret"), ("configMapRef", "ConfigMap")] {
                    let Some(name) = source[field]["name"].as_str() else { continue };
                    let keys = keys(subject, kind, desired.object.namespace(), name);
                    for key in keys.into_iter().filter(|key| !is_variable(&format!("{prefix}{key}"))) {
                        let because = match dropped {
                            true => "this version of Kubernetes drops it, so the program does not get it",
                            false => "no shell can read a variable of that name",
                        };
                        findings.push(
                            RULE.finding(format!("key `{key}` of {kind} `{name}` is no name of a variable"))
                                .weighing(if dropped { Severity::Error } else { Severity::Warning })
                                .because(because)
                                .at(desired.spot_at(&format!("{}.envFrom[{index}].{field}", container.path))),
                        );
                    }
                }
            }
        }
    }
    findings
}

/// The keys that an object will have, as far as they are known.
fn keys(subject: &Subject<'_>, kind: &str, namespace: Option<&str>, name: &str) -> BTreeSet<String> {
    if let Some(found) = subject.find("", kind, namespace, name) {
        let maps = ["/data", "/stringData"].into_iter().filter_map(|field| found.object().at(field));
        return maps.filter_map(Value::as_object).flat_map(|map| map.keys().cloned()).collect();
    }
    let provided = subject.objects().flat_map(|desired| provides(&desired.object));
    let provided = provided
        .filter(|it| it.kind == kind && it.namespace.as_deref() == namespace && it.name == name)
        .flat_map(|it| it.keys.unwrap_or_default());
    // What is made beside the release is nowhere in it: its keys are known by what is declared.
    let declared = subject.environment.into_iter().flat_map(|(_, it)| &it.secrets).flat_map(Secrets::all);
    let declared = declared
        .filter(|(_, it)| kind == "Secret" && it.target == name)
        .filter(|(_, it)| it.namespace.as_deref().is_none_or(|of| namespace == Some(of)))
        .flat_map(|(_, it)| it.keys.keys().map(ToString::to_string));
    provided.chain(declared).collect()
}

fn is_variable(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    first && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn minor(version: &str) -> Option<u32> {
    let digits: String = version.split('.').nth(1)?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
