use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::references::provides;
use landfall_project::Secrets;
use serde_json::Value;

use crate::pods::{Container, EnvFrom};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

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
            findings.extend(dotted(subject, desired, &container));
            for EnvFrom { at, kind, field, name, prefix, .. } in container.env_from() {
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
                            .at(desired.spot_at(&format!("{}.envFrom[{at}].{field}", container.path))),
                    );
                }
            }
        }
    }
    findings
}

/// How variables begin that programs read as settings, dots and all.
// ORIGIN: names of settings of Elasticsearch 8 and OpenSearch 2 (nodes take them as variables), Spring Boot 3, Camunda 8 with
// Zeebe, Quarkus 3, Micronaut 4, SonarQube 10; their reference pages list them.
const SETTINGS: &[&str] = &[
    "node",
    "cluster",
    "discovery",
    "network",
    "xpack",
    "plugins",
    "bootstrap",
    "path",
    "http",
    "transport",
    "indices",
    "ingest",
    "action",
    "search",
    "logger",
    "logging",
    "spring",
    "server",
    "management",
    "zeebe",
    "camunda",
    "quarkus",
    "micronaut",
    "sonar",
];

/// Images of programs that read variables with dots in their names.
const READERS: &[&str] = &["elasticsearch", "opensearch", "kibana", "logstash"];

/// The one variable of a container with a dot in its name, where the program is not known to read such: of several it does.
fn dotted(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>) -> Option<Finding> {
    let is_dotted = |name: &str| name.contains('.') && !name.contains(char::is_whitespace);
    let mut dotted = container.env().filter(|(_, name, _)| is_dotted(name));
    let (index, name, _) = dotted.next().filter(|_| dotted.next().is_none())?;
    let is_setting =
        name.split('.').next().is_some_and(|first| SETTINGS.contains(&first.to_ascii_lowercase().as_str()));
    let field = format!("{}.env[{index}].name", container.path);
    if is_setting || READERS.iter().any(|it| container.image().contains(it)) || is_given(subject, desired, &field) {
        return None;
    }
    Some(
        RULE.finding(format!("`{name}` is no name of a variable that a shell can read"))
            .weighing(Severity::Info)
            .because("a script cannot ask for it, and most programs read none with a dot")
            .help("write the name with letters, digits and `_` only, as the program knows it")
            .at(desired.spot_at(&field)),
    )
}

/// Whether a field comes from the values: whoever gives them knows the program.
fn is_given(subject: &Subject<'_>, desired: &Desired, field: &str) -> bool {
    let origin = subject.unit(&desired.unit).and_then(|unit| unit.rendered.origin(&desired.key(), field));
    origin.is_some_and(|it| !it.sources.is_empty() || !it.data.is_empty() || !it.keys.is_empty())
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
