use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF375",
    title: "an operator's resources find each other by their names",
    severity: Severity::Warning,
    why: "A user that names its project, or a database its cluster, by a name that nothing has waits for it for ever. The API stores it \
          as it is: what is referred to is the operator's business, and it says so in the status alone.",
    advice: "Let one template make both names.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all: Vec<&Desired> =
        subject.objects().filter(|it| it.role == Role::Manifest && is_operators(it.object.group())).collect();
    for desired in &all {
        let mut asked = Vec::new();
        gather(desired.object.value(), "", &mut asked);
        for (field, word, name) in asked {
            let is_of_kind = |it: &&&Desired| {
                it.object.group() == desired.object.group()
                    && it.object.namespace() == desired.object.namespace()
                    && it.object.kind().to_ascii_lowercase().ends_with(&word)
            };
            let mut beside = all.iter().filter(is_of_kind).map(|it| it.object.name());
            let known: Vec<&str> = beside.by_ref().collect();
            if known.contains(&name.as_str()) {
                continue;
            }
            // One of another name may be meant that is there already.
            let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
            let alike = known.iter().copied().find(|it| letters(it) == letters(&name));
            let Some(meant) = alike.or_else(|| landfall_diag::slip(&name, known.iter().copied())) else { continue };
            let kind = desired.object.kind();
            findings.push(
                RULE.finding(format!(
                    "{kind} `{}` names `{name}` in `{field}`, which is not delivered",
                    desired.object.name()
                ))
                .because(format!("`{meant}` is, and is written nearly so"))
                .help(format!("did you mean `{meant}`?"))
                .at(desired.spot_at(&format!("{field}.name"))),
            );
        }
    }
    findings
}

fn is_operators(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}

/// References of the form `projectRef: {name: …}`: the field, the kind that it is called after, and the name.
fn gather(value: &Value, path: &str, asked: &mut Vec<(String, String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| *key != "metadata") {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let word = key.strip_suffix("Ref").map(str::to_ascii_lowercase).filter(|word| word.len() > 3);
                let is_here = value.get("namespace").is_none() && value.get("kind").is_none();
                match (word, value["name"].as_str().filter(|name| is_here && !name.is_empty())) {
                    (Some(word), Some(name)) => asked.push((path, word, name.to_owned())),
                    _ => gather(value, &path, asked),
                }
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                gather(value, &format!("{path}[{at}]"), asked);
            }
        }
        _ => {}
    }
}
