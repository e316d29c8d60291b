use landfall_diag::{Finding, Severity};
use landfall_object::Object;

use crate::operated::{is_of_an_operator, walk};
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
    // What others refer to may be a hook.
    let all: Vec<&Desired> =
        subject.objects().filter(|it| it.role != Role::Definition && is_of_an_operator(it.object.group())).collect();
    for desired in all.iter().filter(|it| it.role == Role::Manifest) {
        for (field, word, name) in asked(&desired.object) {
            let is_of_kind = |it: &&&Desired| {
                it.object.group() == desired.object.group()
                    && it.object.namespace() == desired.object.namespace()
                    && it.object.kind().to_ascii_lowercase().ends_with(&word)
            };
            let known: Vec<&str> = all.iter().filter(is_of_kind).map(|it| it.object.name()).collect();
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

/// References of the form `projectRef: {name: …}`: the field, the kind that it is called after, and the name.
fn asked(object: &Object) -> Vec<(String, String, String)> {
    let mut asked = Vec::new();
    walk(object.value(), "", &mut |path, key, value| {
        let word = key.strip_suffix("Ref").map(str::to_ascii_lowercase).filter(|word| word.len() > 3);
        let is_here = value.get("namespace").is_none() && value.get("kind").is_none();
        let Some((word, name)) = word.zip(value["name"].as_str().filter(|name| is_here && !name.is_empty())) else {
            return false;
        };
        asked.push((path.to_owned(), word, name.to_owned()));
        true
    });
    asked
}
