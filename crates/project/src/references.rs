//! What a schema cannot say: names are unique, names that refer to environments exist, a check asks one thing.
//!
//! The content is read loosely: what does not fit its type is told by the schema's check, beside this one.

use landfall_diag::{Code, Diagnostic, Place, code, nearest};
use landfall_yaml::{Document, Step};
use serde_json::Value;

use crate::ROLLED_OUT;
use crate::parse::place_of;

/// Finds what contradicts itself.
pub(crate) fn check(file: &str, document: &Document<'_>, content: &Value, findings: &mut Vec<Diagnostic>) {
    let look = Look { file, document };
    for (name, environment) in content["environments"].as_object().into_iter().flatten() {
        look.releases(name, environment, findings);
        look.checks(name, environment, findings);
    }
    let environments: Vec<&str> =
        content["environments"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    look.promotion(content, &environments, findings);
    look.waivers(content, &environments, findings);
}

struct Look<'a> {
    file: &'a str,
    document: &'a Document<'a>,
}

impl Look<'_> {
    fn place(&self, steps: &[Step<'_>]) -> Place {
        match self.document.at(steps) {
            Some(node) => place_of(self.file, self.document.source(), node.span()),
            None => Place::file(self.file),
        }
    }

    fn releases(&self, name: &str, environment: &Value, findings: &mut Vec<Diagnostic>) {
        let releases = list(&environment["releases"]);
        for (index, release) in releases.iter().enumerate() {
            let Some(called) = release["name"].as_str() else { continue };
            let same = |it: &&Value| it["name"] == release["name"] && it["namespace"] == release["namespace"];
            let Some(first) = releases[..index].iter().position(|it| same(&it)) else { continue };
            let steps = |index| {
                [
                    Step::Key("environments"),
                    Step::Key(name),
                    Step::Key("releases"),
                    Step::Index(index),
                    Step::Key("name"),
                ]
            };
            findings.push(
                Diagnostic::error(
                    code::RELEASE_TWICE,
                    format!("the release `{called}` stands twice in environment `{name}`"),
                )
                .primary(self.place(&steps(index)), "the second one")
                .label(self.place(&steps(first)), "the first one"),
            );
        }
    }

    fn checks(&self, name: &str, environment: &Value, findings: &mut Vec<Diagnostic>) {
        let releases: Vec<&str> =
            list(&environment["releases"]).iter().filter_map(|release| release["name"].as_str()).collect();
        for (index, check) in list(&environment["checks"]).iter().enumerate() {
            // What Applications are called stands in files of their own.
            if environment["applications"].is_null()
                && let Some(named) = check["release"].as_str().filter(|named| !releases.contains(named))
            {
                let steps = [Step::Key("environments"), Step::Key(name), Step::Key("checks"), Step::Index(index)];
                let at = self.place(&[&steps[..], &[Step::Key("release")]].concat());
                let message = format!("a check of the release `{named}`, which environment `{name}` does not have");
                findings.push(self.unknown(code::CHECK_OF_NOTHING, message, at, named, &releases));
            }
            let Some(check) = check.as_object() else { continue };
            if let Some(text) = check.get("rollout").and_then(Value::as_str)
                && let Some(kind) = kind_of(text).filter(|kind| !rolls_out(kind))
            {
                let steps = [Step::Key("environments"), Step::Key(name), Step::Key("checks"), Step::Index(index)];
                let at = self.place(&[&steps[..], &[Step::Key("rollout")]].concat());
                findings.push(
                    Diagnostic::error(code::CHECK_OF_NOTHING, format!("a {kind} does not roll out: `{text}`"))
                        .primary(at, "this one")
                        .help(format!("name a {}", ROLLED_OUT.join(", ")))
                        .help("what a Job has done is asked by `logs` or `exec`"),
                );
            }
            let has = |key: &str| check.get(key).is_some_and(|value| !value.is_null());
            let asked = ["http", "exec", "logs", "rollout"].into_iter().filter(|key| has(key)).count();
            let wrong = match asked {
                0 => "asks nothing",
                1 if has("logs") && !has("contains") => "reads a log and says no text it must contain",
                1 if !has("http") && ["status", "redirect", "version", "logged"].into_iter().any(has) => {
                    "says what an answer must be, and asks no address"
                }
                1 if has("prints") && !has("exec") => "says what a command must print, and runs none",
                1 if has("prints") && has("contains") => "says in two ways what a command must print",
                1 => continue,
                _ => "asks several things",
            };
            let at = [Step::Key("environments"), Step::Key(name), Step::Key("checks"), Step::Index(index)];
            let called = match check.get("name").and_then(Value::as_str) {
                Some(called) => format!("the check `{called}`"),
                None => format!("check {} of `{name}`", index + 1),
            };
            findings.push(
                Diagnostic::error(code::CHECK_OF_NOTHING, format!("{called} {wrong}"))
                    .primary(self.place(&at), "this one")
                    .help("give it one of `http`, `exec`, `logs` (with `contains`) and `rollout`"),
            );
        }
    }

    fn promotion(&self, content: &Value, environments: &[&str], findings: &mut Vec<Diagnostic>) {
        for (index, step) in list(&content["promotion"]).iter().enumerate() {
            for key in ["from", "to"] {
                let Some(named) = step[key].as_str().filter(|named| !environments.contains(named)) else { continue };
                let at = self.place(&[Step::Key("promotion"), Step::Index(index), Step::Key(key)]);
                let message = format!("promotion {key} `{named}`: there is no such environment");
                findings.push(self.unknown(code::UNDECLARED_ENVIRONMENT, message, at, named, environments));
            }
        }
    }

    fn waivers(&self, content: &Value, environments: &[&str], findings: &mut Vec<Diagnostic>) {
        for (index, waiver) in list(&content["waivers"]).iter().enumerate() {
            let named = waiver["environment"].as_str().filter(|named| !environments.contains(named));
            let Some(named) = named else { continue };
            let at = self.place(&[Step::Key("waivers"), Step::Index(index), Step::Key("environment")]);
            let message = format!("a waiver for `{named}`: there is no such environment");
            findings.push(self.unknown(code::UNDECLARED_ENVIRONMENT, message, at, named, environments));
        }
    }

    fn unknown(&self, code: Code, message: String, at: Place, named: &str, known: &[&str]) -> Diagnostic {
        let finding = Diagnostic::error(code, message).primary(at, "not declared");
        match nearest(named, known.iter().copied()) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding,
        }
    }
}

/// The kind in a workload's name, `KIND/NAME` or `NAMESPACE/KIND/NAME`.
fn kind_of(workload: &str) -> Option<&str> {
    let parts: Vec<&str> = workload.split('/').collect();
    // What is named with more parts is no workload at all, and told as that.
    match parts[..] {
        [kind, _] | [_, kind, _] => Some(kind),
        _ => None,
    }
}

/// Whether a kind, as people write it, is one that rolls out.
fn rolls_out(kind: &str) -> bool {
    let kind = kind.to_lowercase();
    ROLLED_OUT.iter().any(|known| known.to_lowercase() == kind.trim_end_matches('s'))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
