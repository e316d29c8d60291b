mod letters;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::command_that_is_no_program::COMMANDS;
use crate::pods::Container;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF363",
    title: "an argument is one word, taken letter by letter",
    severity: Severity::Warning,
    why: "No shell stands between a manifest and its program: quotes are not taken away, and a line with two options is one \
          argument with a blank in it. The program looks for a file whose name begins with a quote, or knows no such option. \
          Nor is `$NAME` filled in: Kubernetes does that for `$(NAME)`, and in commands and arguments alone. An entry that a \
          template leaves empty is null: Helm's own check refuses it, and the API makes an empty argument of it.",
    advice: "Write each option as an entry of its own, without quotes inside of it.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            findings.extend(letters::left_alone(subject, desired, &container));
            findings.extend(ended_by_a_line_break(desired, &container));
            for (field, words) in lists(&container) {
                for (at, word) in words.iter().enumerate() {
                    let told = match word {
                        Value::Null => Some(("is null".to_owned(), EMPTY, RULE.severity)),
                        Value::String(text) if !is_for_a_shell(&container, field, words) => {
                            wrong(text).or_else(|| without_blank(text))
                        }
                        Value::String(text) => without_blank(text),
                        _ => None,
                    };
                    let Some((message, because, severity)) = told else { continue };
                    let name = container.name;
                    findings.push(
                        RULE.finding(format!("an argument of container `{name}` {message}"))
                            .keyed(format!("{name} {field} {at}"))
                            .weighing(severity)
                            .because(because)
                            .at(desired.spot_at(&format!("{}.{field}[{at}]", container.path))),
                    );
                }
            }
        }
    }
    findings
}

/// What a variable's name ends with whose value programs take letter by letter.
const LITERAL: &[&str] = &["URL", "HOST", "ADDR", "PASSWORD", "USER", "PATH", "OPTS", "OPTIONS"];

/// Variables of one line with a line break at its end, as `value: >` leaves it there.
fn ended_by_a_line_break(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, name, variable) in container.env() {
        let line = variable["value"].as_str().and_then(|text| text.strip_suffix('\n'));
        if line.is_none_or(|line| line.trim().is_empty() || line.contains('\n')) {
            continue;
        }
        let is_literal = LITERAL.iter().any(|end| name.to_ascii_uppercase().ends_with(end));
        findings.push(
            RULE.finding(format!("variable `{name}` of container `{}` ends with a line break", container.name))
                .weighing(if is_literal { Severity::Warning } else { Severity::Info })
                .because("a block (`>`, `|`) keeps the last one, and the program gets it as a part of the value")
                .help("write `>-`")
                .at(desired.spot_at(&format!("{}.env[{at}].value", container.path))),
        );
    }
    findings
}

const EMPTY: &str =
    "Helm's own check refuses it as an unknown type, and where it is not asked the program gets an empty argument";

/// The lists of words that containers are given.
fn lists<'c>(container: &Container<'c>) -> Vec<(&'static str, &'c [Value])> {
    let fields = COMMANDS.iter().chain(&[("args", "/args")]);
    let list = |pointer: &str| container.value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice);
    fields.filter_map(|(field, pointer)| Some((*field, list(pointer)?))).collect()
}

/// Whether a shell reads the words of a list: what is a script then, and what an argument, is not told apart here.
fn is_for_a_shell(container: &Container<'_>, field: &str, words: &[Value]) -> bool {
    let command = container.value["command"].as_array().map(Vec::as_slice).unwrap_or_default();
    let all = words.iter().chain(if field == "args" { command } else { &[] });
    all.filter_map(Value::as_str).any(|word| {
        let program = word.rsplit('/').next().unwrap_or_default();
        matches!(
            program,
            "sh" | "bash"
                | "ash"
                | "dash"
                | "zsh"
                | "cmd.exe"
                | "powershell"
                | "powershell.exe"
                | "pwsh"
                | "su"
                | "eval"
        ) || word.ends_with(".sh")
            || word.contains('\n')
    })
}

/// Two options between which the blank is missing, in an argument or in a script: `--a=/b.json--port=1`.
fn without_blank(text: &str) -> Option<(String, &'static str, Severity)> {
    text.split_ascii_whitespace().find_map(|word| {
        let (first, value) = option(word).filter(|_| word.starts_with("--"))?;
        let (at, second) = value.match_indices("--").find_map(|(at, _)| Some((at, option(&value[at..])?.0)))?;
        let (before, behind) = (&value[..at], &value[at + second.len()..]);
        // What has signs of its own in front is an address, a pattern or a line for somebody else.
        let is_plain = before.ends_with(|it: char| it.is_ascii_alphanumeric())
            && before.bytes().all(|it| it.is_ascii_alphanumeric() || b"/._-,:".contains(&it))
            && !before.contains("://");
        (is_plain && behind.starts_with('='))
            .then(|| (format!("is `{first}` and `{second}` in one, without a blank"), RUN_TOGETHER, Severity::Warning))
    })
}

const RUN_TOGETHER: &str =
    "the second option is a part of the first one's value: the one is wrong, and the other is not given";

const IN_ONE: &str = "the program gets both as one word, and knows no such option or takes the second for a part of the first one's value";

/// What is wrong with an argument, what comes of it, and how much that weighs.
fn wrong(text: &str) -> Option<(String, &'static str, Severity)> {
    // `--- -a`: what was to be the next item of the list stands behind the end of the options.
    let dashes = &text[..text.len() - text.trim_start_matches('-').len()];
    let behind = text[dashes.len()..].strip_prefix(' ').map(str::trim_start);
    if let Some((second, _)) = behind.filter(|_| !dashes.is_empty()).and_then(self::option) {
        return Some((format!("is `{dashes}` and `{second}` in one"), IN_ONE, Severity::Warning));
    }
    let (option, value) = option(text)?;
    if let Some(quoted) = within_quotes(value) {
        // What is more than a word may be a text that the program reads itself.
        let is_word =
            !quoted.is_empty() && !quoted.contains(|it: char| it.is_whitespace() || "{}[]()=,'\"`".contains(it));
        let severity = if is_word { Severity::Warning } else { Severity::Info };
        return Some((
            format!("puts the value of `{option}` in quotes"),
            "the quotes are part of what the program gets",
            severity,
        ));
    }
    // `--a --b`: what stands behind the first is no value of it.
    let is_bare = text.as_bytes().get(option.len()) == Some(&b' ');
    if let Some((second, _)) = self::option(value).filter(|_| is_bare && value.starts_with("--")) {
        return Some((format!("is `{option}` and `{second}` in one"), IN_ONE, Severity::Warning));
    }
    // `--opts=-x --y`, `--opts "…`: the value is a line of options itself.
    let (first, rest) = value.split_once(' ').map_or((value, ""), |(first, rest)| (first, rest.trim_start()));
    let is_plain = !first.starts_with(['-', '"', '\'']) && !first.contains(['"', '\'', ' ']);
    let second = self::option(rest).filter(|_| is_plain && rest.starts_with("--"))?.0;
    Some((format!("is `{option}` and `{second}` in one"), IN_ONE, Severity::Warning))
}

/// An option and what stands behind it: `--name=value`, or `--name rest`.
fn option(text: &str) -> Option<(&str, &str)> {
    let name = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    let length = name.find(|it: char| !(it.is_ascii_alphanumeric() || "-_.".contains(it))).unwrap_or(name.len());
    let end = text.len() - name.len() + length;
    let (option, rest) = text.split_at(end);
    let is_option = name.starts_with(|it: char| it.is_ascii_alphabetic());
    let value = rest.strip_prefix('=').or_else(|| rest.strip_prefix(' ')).unwrap_or(rest);
    (is_option && (rest.is_empty() || rest.starts_with(['=', ' ']))).then_some((option, value))
}

/// What stands between the quotes of a value that is nothing else.
fn within_quotes(value: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_one_word_without_quotes() {
        let weighs = |text: &str| wrong(text).map(|(_, _, severity)| severity);
        for text in ["--path=\"/var/run\"", "-name='a'", "--a=true --b=false", "--a --b", "--config /etc/x --v=2"] {
            assert_eq!(weighs(text), Some(Severity::Warning), "{text}");
        }
        assert_eq!(weighs("--labels=\"a=b,c=d\""), Some(Severity::Info));
        for text in [
            "--path=/var/run",
            "--extra=--a --b",
            "--format=%{a} -- %{b}",
            "--java-opts=\"-Xmx1g --add-opens x\" y",
            "--name",
            "-c",
            "--query=select '--x'",
            "a --b",
            "--json={\"a\": \"--b\"}",
        ] {
            assert_eq!(weighs(text), None, "{text}");
        }
    }

    #[test]
    fn two_options_have_a_blank_between_them() {
        let told = without_blank("exec /run --log --a.b=/c/d.json,/e.json--port-of=0.0.0.0 --f=1").map(|it| it.0);
        assert_eq!(told.as_deref(), Some("is `--a.b` and `--port-of` in one, without a blank"));
        for fine in [
            "--a=/b.json --port=1",
            "--url=https://a.example.com/b--c=d",
            "--a--b=c",
            "--opts=\"-x--y=z\"",
            "--a=b--c",
            "--a=--b=c",
            "--a=$B--c=d",
            "a=b--c=d",
        ] {
            assert!(without_blank(fine).is_none(), "{fine}");
        }
    }
}
