mod listed;
mod unread;

use landfall_chart::values_to_json;
use landfall_diag::{Finding, Severity, Spot};
use serde_json::Value;

use self::listed::listed;
use self::unread::unread;
use super::value_that_prints_nothing::value_at;
use crate::decoded::texts;
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Role, Subject};
use crate::texts::{actions, words};

pub(super) static RULE: Rule = Rule {
    id: "LF177",
    title: "no value is printed as the template engine prints it to itself",
    severity: Severity::Error,
    why: "A table, a list or nothing at all that is printed where a text is wanted comes out in Go's own words: `map[a:b]`, \
          `<nil>`, `%!s(int=1)`. No program reads them; the field is full, so nothing else says that it is wrong. Nor does \
          anything where a quote that closes nothing has become a part of the value.",
    advice: "Print tables and lists with `toJson` or `toYaml`, leave a field out where its value is nothing (`with`), and give \
             `printf` the verb of the value's type (`%v`, `%d`).",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = subject.units.iter().flat_map(carried_out).collect();
    for desired in subject.objects().filter(|it| it.role != Role::Definition && !is_definition(it.object.kind())) {
        let (mut raw, mut quoted, mut actions, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        // What is kept for others may well be a chart's template.
        let is_kept = matches!(desired.object.kind(), "ConfigMap" | "Secret");
        let skipped = ["/metadata/managedFields", "/status"];
        // Of what stands there in base64 no more is told than what the engine itself has said.
        for (_, text, field) in texts(&desired.object).iter().filter(|(_, _, field)| is_secret(desired, field)) {
            raw.extend(said_by_printf(text).map(|words| (field.clone(), words, text.lines().count() > 1)));
        }
        visit(desired.object.value(), String::new(), &mut |path, text| {
            if skipped.iter().any(|it| path.starts_with(&it[1..].replace('/', "."))) {
                return;
            }
            // Of a password nobody knows what it ends with.
            if has_lone_quote(text) && desired.object.kind() != "Secret" {
                quoted.push((path.to_owned(), text.to_owned()));
            }
            if let Some(action) = action(text).filter(|_| !is_kept) {
                actions.push((path.to_owned(), action.to_owned()));
            }
            // Before it is cut: the beginning of a value that is known would not be known any more.
            let shown = landfall_diag::without_known(text);
            if let Some((format, words)) = unread(path, &shown) {
                errors.push((path.to_owned(), format, words.to_owned(), text.trim().contains('\n')));
            } else if let Some(words) = raw_words(&shown).or_else(|| table_among_words(path, &shown)) {
                raw.push((path.to_owned(), words.to_owned(), text.lines().count() > 1));
            }
        });
        for (path, text) in quoted {
            let (kind, name) = (desired.object.kind(), desired.object.name());
            findings.push(
                RULE.finding(format!("`{path}` of {kind} `{name}` is `{text}`: its quote was never opened"))
                    .weighing(Severity::Warning)
                    .because("a quote stands behind the action in the template, and none in front of it")
                    .help("put the value in quotes, or print it with `quote`")
                    .at(desired.spot_at(&path)),
            );
        }
        for (path, action) in actions {
            let (kind, name) = (desired.object.kind(), desired.object.name());
            findings.push(
                RULE.finding(format!(
                    "`{path}` of {kind} `{name}` holds `{action}`, an action that no template has carried out"
                ))
                .weighing(Severity::Warning)
                .because("values are printed as they are: an action that stands in one is a text")
                .help("print the value with `tpl`, or write what the action would give")
                .at(desired.spot_at(&path)),
            );
        }
        for (path, format, words, within) in errors {
            let (kind, name) = (desired.object.kind(), desired.object.name());
            findings.push(
                RULE.finding(format!(
                    "what was read for `{path}` of {kind} `{name}` is no table of {format}: `{words}`"
                ))
                // A text of many lines may speak of such errors.
                .weighing(if within { Severity::Warning } else { RULE.severity })
                .because(format!(
                    "`from{}` does not stop at an error, which is printed in place of what was meant",
                    titled(format)
                ))
                .help("correct the text that is read, most often how its lines are indented")
                .at(desired.spot_at(&path)),
            );
        }
        for (path, words, within) in raw {
            // A text of many lines may speak of such words.
            let severity = if within { Severity::Warning } else { RULE.severity };
            findings.push(
                RULE.finding(format!(
                    "`{path}` of {} `{}` holds `{words}`, which a template printed without `toYaml` or a value",
                    desired.object.kind(),
                    desired.object.name()
                ))
                .weighing(severity)
                .because("whoever reads the field gets words of the template engine in place of a value")
                .at(desired.spot_at(&path)),
            );
        }
    }
    findings.extend(subject.units.iter().flat_map(listed));
    findings
}

/// The name of a format as it stands in the functions that read it: `Yaml`.
fn titled(format: &str) -> String {
    let (first, rest) = format.split_at(1);
    format!("{first}{}", rest.to_ascii_lowercase())
}

/// Values that hold an action of somebody else's templates (`{{ print .Subject }}`), which a chart has given to
/// `tpl`: of what it asks for Helm has nothing, and nothing is what the program gets.
fn carried_out(unit: &DesiredUnit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rendered in &unit.rendered.charts {
        visit(&values_to_json(&rendered.values), String::new(), &mut |path, text| {
            let Some((action, asked)) = action_of_others(text).filter(|(action, _)| is_lost(unit, text, action)) else {
                return;
            };
            let origin = value_at(&rendered.values, path).map(|value| value.origin());
            let source = origin.and_then(|it| rendered.provenance.as_ref()?.source(it));
            let spot = source.and_then(|it| it.place().cloned()).map_or_else(Spot::default, Spot::file);
            findings.push(
                RULE.finding(format!("`{path}` holds `{action}`, which Helm's `tpl` has carried out"))
                    .weighing(Severity::Warning)
                    .because(format!("`{asked}` is nothing to Helm, and the program that was to read it gets nothing"))
                    .help("print the settings with `toYaml` alone, or give them to `tpl` only where that is asked for")
                    .keyed(path)
                    .at(Spot { unit: Some(unit.name.clone()), ..spot }),
            );
        });
    }
    findings
}

/// What every template of Helm's may ask for.
const OWN: &[&str] = &["Values", "Release", "Chart", "Capabilities", "Files", "Template", "Subcharts"];

/// The first action of a text that asks for something that Helm does not have, and what that is.
fn action_of_others(text: &str) -> Option<(&str, &str)> {
    let found = actions(text).next().filter(|it| !it.is_comment() && !it.inner.contains('$'))?;
    let mut asked = words(found.inner).into_iter().filter(|it| it.len() > 1 && it.starts_with('.'));
    let first = asked.next()?;
    let is_own = |path: &str| path[1..].split('.').next().is_some_and(|root| OWN.contains(&root));
    let is_theirs = first[1..].starts_with(|it: char| it.is_ascii_alphabetic()) && !is_own(first) && !asked.any(is_own);
    is_theirs.then_some((&text[found.start..found.end], first))
}

/// Whether a text is printed without its action nowhere but with nothing in the action's place.
fn is_lost(unit: &DesiredUnit, text: &str, action: &str) -> bool {
    let (printed, left_out) = (text.replace(action, "<nil>"), text.replace(action, ""));
    let holds = |wanted: &str| {
        let mut is_there = false;
        for desired in &unit.objects {
            visit(desired.object.value(), String::new(), &mut |_, text| is_there |= text.contains(wanted));
        }
        is_there
    };
    // A short rest may stand anywhere.
    let is_printed = holds(&printed) || (left_out.trim().len() > 8 && holds(&left_out));
    is_printed && !holds(action)
}

/// An action of Helm's templates in a text of one line: what it asks for only a chart has.
fn action(text: &str) -> Option<&str> {
    let start = text.find("{{")?;
    let end = start + text[start..].find("}}")? + 2;
    let inner = text[start + 2..end - 2].trim_matches(['-', ' ']);
    const ASKED: &[&str] =
        &[".Values.", ".Release.", ".Chart.", "$.Values.", "$.Release.", "include \"", "template \""];
    let is_action = !text.trim().contains('\n') && ASKED.iter().any(|it| inner.starts_with(it));
    is_action.then(|| short(&text[start..end]))
}

/// Whether a word ends with a quote and has no other.
fn has_lone_quote(text: &str) -> bool {
    text.strip_suffix('"').is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|letter| letter.is_ascii_alphanumeric() || "./:_-@".contains(letter))
    })
}

fn is_definition(kind: &str) -> bool {
    kind == "CustomResourceDefinition"
}

/// Every text of a value, with its path as spots have it.
pub(super) fn visit<'v>(value: &'v Value, path: String, see: &mut impl FnMut(&str, &'v str)) {
    match value {
        Value::String(text) => see(&path, text),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                visit(item, format!("{path}[{at}]"), see);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                let below = match (path.is_empty(), key.contains(['.', '/', ':'])) {
                    (true, _) => key.clone(),
                    (false, true) => format!("{path}[{key}]"),
                    (false, false) => format!("{path}.{key}"),
                };
                visit(item, below, see);
            }
        }
        _ => {}
    }
}

/// Whether a field is one of a Secret's that stands there in base64.
fn is_secret(desired: &Desired, field: &str) -> bool {
    desired.object.kind() == "Secret" && field.starts_with("data[")
}

/// What `printf` has left in a value that nobody is to see: its verb, and what it says of nothing.
fn said_by_printf(text: &str) -> Option<String> {
    let words = misprinted(text)?;
    let (verb, said) = words.split_once('(')?;
    let said = said.split('=').next().unwrap_or_default().trim_end_matches(')');
    Some(format!("{verb}({said})"))
}

/// A longer one among the words of a command is none.
const LONGEST_TABLE: usize = 1_000;

/// A table as Go prints it among the words of a command: `--site=map[name:a]`.
fn table_among_words<'t>(path: &str, text: &'t str) -> Option<&'t str> {
    if !path.contains(".command[") && !path.contains(".args[") {
        return None;
    }
    text.match_indices("map[").find_map(|(at, _)| {
        let is_edge = text[..at].chars().next_back().is_none_or(|it| it.is_whitespace() || "=\"',:".contains(it));
        let is_key_or_end = |it: &u8| it.is_ascii_alphanumeric() || b"._-/:]".contains(it);
        if !is_edge || !text.as_bytes().get(at + "map[".len()).is_some_and(is_key_or_end) {
            return None;
        }
        let end = at + text[at..].bytes().take(LONGEST_TABLE).position(|it| it == b']')? + 1;
        (is_raw(&text[at..end]) && end - at > "map[]".len()).then(|| short(&text[at..end]))
    })
}

/// The words of the engine in a text: the whole of it, or the value of a setting in one of its lines.
fn raw_words(text: &str) -> Option<&str> {
    let trimmed = text.trim();
    if is_raw(trimmed) {
        return Some(short(trimmed));
    }
    if let Some(words) = misprinted(trimmed) {
        return Some(words);
    }
    if !text.contains('\n') {
        return None;
    }
    text.lines().find_map(|line| {
        let line = line.trim();
        if line.starts_with(['#', '/', ';', '*', '-']) {
            return None;
        }
        let (_, value) = line.split_once(": ").or_else(|| line.split_once('='))?;
        let value = value.trim().trim_matches(['"', '\'', ',']);
        is_raw(value).then(|| short(value))
    })
}

fn short(words: &str) -> &str {
    match words.char_indices().nth(40) {
        Some((at, _)) => &words[..at],
        None => words,
    }
}

/// Whether a text is a whole value as Go prints it.
fn is_raw(text: &str) -> bool {
    let is_table = text
        .strip_prefix("map[")
        .and_then(|rest| rest.strip_suffix(']'))
        // A type of Go has no colon: `map[string]string`.
        .is_some_and(|inner| inner.is_empty() || inner.split_once(':').is_some_and(|(key, _)| is_key(key)));
    let is_list = text.strip_prefix("[map[").is_some_and(|rest| rest.ends_with("]]") && rest.contains(':'));
    text == "<nil>" || is_table || is_list
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
}

/// What `printf` leaves where a verb does not fit its value: `%!s(int=1)`, `%!d(string=a)`, `%!s(<nil>)`, `%!s(MISSING)`.
fn misprinted(text: &str) -> Option<&str> {
    let start = text.find("%!")?;
    let rest = &text[start + 2..];
    let mut letters = rest.chars();
    let verb = letters.next().filter(char::is_ascii_alphabetic)?;
    let inner = letters.as_str().strip_prefix('(')?;
    let end = inner.find(')')?;
    let said = &inner[..end];
    let fits = said == "<nil>" || said == "MISSING" || said.split_once('=').is_some_and(|(kind, _)| is_key(kind));
    fits.then(|| short(&text[start..start + 2 + verb.len_utf8() + 1 + end + 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_of_others_ask_for_what_helm_has_not() {
        assert_eq!(action_of_others("u-{{ print .Subject }}"), Some(("{{ print .Subject }}", ".Subject")));
        for text in [
            "{{ .Values.a }}",
            "{{ $labels.pod }}",
            "{{ include \"a\" . }}",
            "a",
            "{{ .x | default .Values.y }}",
            "{{ .5 }}",
        ] {
            assert_eq!(action_of_others(text), None, "{text}");
        }
    }

    #[test]
    fn actions_of_charts_are_told_from_those_of_others() {
        assert_eq!(action("{{ .Release.Name }}-db"), Some("{{ .Release.Name }}"));
        assert_eq!(action("a-{{- include \"x\" . }}"), Some("{{- include \"x\" . }}"));
        for text in
            ["{{ $labels.pod }}", "{{ .status }}", "{{workflow.name}}", "a {{ .Values", "{{ .Values.a }}\n{{ end }}"]
        {
            assert_eq!(action(text), None, "{text}");
        }
    }

    #[test]
    fn of_a_secret_only_what_printf_itself_says_is_told() {
        let told = |text: &str| said_by_printf(text);
        assert_eq!(told("%!t(<nil>)").as_deref(), Some("%!t(<nil>)"));
        assert_eq!(told("a-%!d(string=hunter2)").as_deref(), Some("%!d(string)"));
        assert_eq!(told("hunter2"), None);
    }

    #[test]
    fn a_table_among_the_words_of_a_command_is_told() {
        let told = |path: &str, text: &'static str| table_among_words(path, text);
        let path = "spec.containers[0].args[0]";
        assert_eq!(told(path, "bench --site=map[name:a] backup"), Some("map[name:a]"));
        assert_eq!(told(path, "drop map[name:a b:c]\nx"), Some("map[name:a b:c]"));
        for text in ["a := map[string]string{}", "bitmap[a:b]", "x map[]", "map[a"] {
            assert_eq!(told(path, text), None, "{text}");
        }
        assert_eq!(told("data.script", "--site=map[name:a]"), None);
    }

    #[test]
    fn words_of_the_engine_are_told_from_words_about_them() {
        for (text, words) in [
            ("map[]", "map[]"),
            ("map[cpu:1 memory:2Gi]", "map[cpu:1 memory:2Gi]"),
            ("<nil>", "<nil>"),
            ("[map[name:a] map[name:b]]", "[map[name:a] map[name:b]]"),
            ("extra-%!s(int=0)", "%!s(int=0)"),
            ("a: 1\nlimits: map[cpu:1]\n", "map[cpu:1]"),
            ("key=<nil>\n", "<nil>"),
            ("x = \"<nil>\"\ny = 1\n", "<nil>"),
        ] {
            assert_eq!(raw_words(text), Some(words), "{text}");
        }
        for text in [
            "map[string]string",
            "map[string]interface{}",
            "returns <nil> when empty",
            "100%! (really)",
            "if err != <nil> {",
            "# limits: map[cpu:1]\na: 2\n",
            "labels: {map: [a]}\nb: c\n",
            "%!",
        ] {
            assert_eq!(raw_words(text), None, "{text}");
        }
    }
}
