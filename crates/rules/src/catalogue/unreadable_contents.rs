mod written;

use std::borrow::Cow;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::unseen_settings::find;
use crate::decoded::{text_of, texts};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF188",
    title: "files of ConfigMaps and Secrets can be read as what they are called",
    severity: Severity::Error,
    why: "A ConfigMap takes any text. A comma too many in a JSON file, or an indentation that a template got wrong, \
          is found out by the program that reads it, when it starts: with every pod of the rollout. A file of \
          passwords in which one stands in the clear is read, and lets nobody in.",
    advice: "Correct the text; where it is made of values, let `toJson` or `toYaml` write it.",
    check,
};

/// A kind of file that is known by its ending, and what reads it; what is wrong is told without the file's words.
type Reader = fn(&str) -> Result<(), String>;

const READERS: &[(&str, &str, Reader)] = &[
    (".json", "JSON", json),
    (".yaml", "YAML", yaml),
    (".yml", "YAML", yaml),
    (".toml", "TOML", toml),
    (".ini", "file of sections", written::sections),
    (".conf", "configuration of nginx", written::nginx),
    (".xml", "XML", written::xml),
    ("htpasswd", PASSWORDS, written::passwords),
];

/// What who checks logins reads: `.htpasswd`.
const PASSWORDS: &str = "file of passwords";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects() {
        let object = &desired.object;
        if !object.group().is_empty() || !matches!(object.kind(), "ConfigMap" | "Secret") {
            continue;
        }
        findings.extend(cut_off(desired));
        for (key, text, field) in texts(object) {
            if is_written_twice(&text) {
                findings.push(written_twice(desired, key, &field));
                continue;
            }
            let Some((_, format, read)) = READERS.iter().find(|(ending, _, _)| key.ends_with(ending)) else { continue };
            let text = with_variables(&text);
            if text.trim().is_empty() || (is_filled_in_later(&text) && !was_read(subject, desired, key, *read)) {
                continue;
            }
            let Err(why) = read(&text) else { continue };
            let words = format!("`{key}` of {} `{}` is no {format}: {why}", object.kind(), object.name());
            let mut finding = RULE.finding(words).at(desired.spot_at(&field));
            // Some programs take a comma behind the last item, and whose file always had one is one of them.
            let is_taken_by_some = *format == "JSON" && json(&without_last_commas(&text)).is_ok();
            finding = match is_taken_by_some && !was_read(subject, desired, key, *read) {
                true => finding.weighing(Severity::Warning).because("many a program that reads it does not start"),
                false if *format == PASSWORDS => {
                    let finding = finding.weighing(Severity::Warning).because("no password fits, so nobody is let in");
                    finding.help("let `htpasswd` write the line: `{{ htpasswd .Values.user .Values.password }}`")
                }
                false => finding.because("the program that reads it does not start"),
            };
            findings.push(finding);
        }
    }
    findings
}

/// Whether a text is a text of YAML once more: it begins with a block's mark, and all that follows is indented below it.
fn is_written_twice(text: &str) -> bool {
    let Some((mark, below)) = text.split_once('\n') else { return false };
    let is_mark = mark
        .trim_end()
        .strip_prefix(['|', '>'])
        .is_some_and(|rest| rest.len() < 3 && rest.bytes().all(|it| it.is_ascii_digit() || it == b'-' || it == b'+'));
    let mut lines = below.lines().filter(|line| !line.trim().is_empty()).peekable();
    is_mark && lines.peek().is_some() && lines.all(|line| line.starts_with(' '))
}

/// A text that was written as YAML into a block that was one already.
fn written_twice(desired: &Desired, key: &str, field: &str) -> Finding {
    let object = &desired.object;
    let is_read = READERS.iter().any(|(ending, ..)| key.ends_with(ending));
    let severity = if is_read { RULE.severity } else { Severity::Warning };
    RULE.finding(format!("`{key}` of {} `{}` is written as YAML once more", object.kind(), object.name()))
        .weighing(severity)
        .because(
            "it begins with the mark of a block, so the program that reads it gets one text, or the mark as a line",
        )
        .help("print a text as it is, with `nindent` below the key's `|`; `toYaml` is for what is no text")
        .at(desired.spot_at(field))
}

/// Keys that end in a dot: how the file's name ends is missing, and with it what it is found by.
fn cut_off(desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    let mut findings = Vec::new();
    for field in ["data", "stringData", "binaryData"] {
        let Some(map) = object.at(&format!("/{field}")).and_then(Value::as_object) else { continue };
        for key in map.keys().filter(|key| is_cut_off(key)) {
            let is_of_tls = object.kind() == "Secret" && key == "tls.";
            let help = match is_of_tls && map.contains_key("tls.crt") && !map.contains_key("tls.key") {
                true => "did you mean `tls.key`?",
                false => "write behind the dot what the file is",
            };
            findings.push(
                RULE.finding(format!("key `{key}` of {} `{}` ends in a dot", object.kind(), object.name()))
                    .weighing(Severity::Warning)
                    .because("whoever asks for the file by its whole name does not find it")
                    .help(help)
                    .at(desired.spot_at(&format!("{field}[{key}]"))),
            );
        }
    }
    findings
}

/// Whether a key is a name with a dot behind it, and nothing behind that.
fn is_cut_off(key: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
    key.strip_suffix('.').is_some_and(is_name)
}

/// Whether the base's text could be read as it is, marks and all: then what cannot be read now is the change's.
fn was_read(subject: &Subject<'_>, desired: &Desired, key: &str, read: Reader) -> bool {
    let object = &desired.object;
    let old =
        subject.base.and_then(|base| find(base, object.group(), object.kind(), object.namespace(), object.name()));
    old.and_then(|old| text_of(old, key))
        .is_some_and(|text| !text.trim().is_empty() && read(&with_variables(&text)).is_ok())
}

/// Whether somebody else's marks stand in a text, to be replaced before it is read.
pub(super) fn is_filled_in_later(text: &str) -> bool {
    ["{{", "{%", "<%", "${", "$(", "@@", "%(", "__", "<<"].iter().any(|mark| text.contains(mark))
}

/// A text with a number in the place of each `${variable}` that stands for a value: what it will be does not decide whether the
/// text around it can be read. What stands where a key would, or spans lines, is left, and with it all that follows.
fn with_variables(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find("${") else { return Cow::Borrowed(text) };
    let (mut out, mut rest) = (text[..first].to_owned(), &text[first..]);
    while let Some(from) = rest.find("${") {
        out.push_str(&rest[..from]);
        rest = &rest[from..];
        let Some(end) = rest.find(['}', '\n']).filter(|end| rest[*end..].starts_with('}') && is_value(&out)) else {
            break;
        };
        out.push('1');
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether what stands before a variable in its line leaves it a value, or a part of one: there is a key already.
fn is_value(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.contains([':', '=', '-', '"'])
}

fn json(text: &str) -> Result<(), String> {
    // Lines of JSON, and files with comments, are called so, too.
    if text.lines().any(|line| line.trim_start().starts_with(['/', '#', '*'])) {
        return Ok(());
    }
    let is_inner = |inner: String| serde_json::from_str::<Value>(&inner).is_ok_and(|it| is_structure(&it));
    if serde_json::from_str::<String>(text).is_ok_and(is_inner) {
        return Err("it is a text that holds JSON, written as JSON once more".to_owned());
    }
    let documents = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    for document in documents {
        document.map_err(|error| format!("line {}, column {}: {}", error.line(), error.column(), category(&error)))?;
    }
    Ok(())
}

/// JSON without the commas that nothing follows.
fn without_last_commas(text: &str) -> String {
    let (mut out, mut is_text, mut is_escaped) = (String::with_capacity(text.len()), false, false);
    for (at, letter) in text.char_indices() {
        let ends = || text[at + 1..].trim_start().starts_with([']', '}']);
        if letter == ',' && !is_text && ends() {
            continue;
        }
        is_text ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        out.push(letter);
    }
    out
}

fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        _ => "what stands there does not belong there",
    }
}

/// Whether a value has others in it.
fn is_structure(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

/// Whether a file of YAML is one quoted text, which holds a map or a list.
fn is_quoted_yaml(text: &str) -> bool {
    let is_quoted = text.trim_start().starts_with(['"', '\'']);
    let documents = if is_quoted { landfall_yaml::to_json_all(text).unwrap_or_default() } else { Vec::new() };
    let [Value::String(inner)] = documents.as_slice() else { return false };
    landfall_yaml::to_json(inner).is_ok_and(|it| is_structure(&it))
}

fn yaml(text: &str) -> Result<(), String> {
    yaml_is_read(text)?;
    if is_quoted_yaml(text) {
        return Err("it is a text that holds YAML, written as a text once more".to_owned());
    }
    // Most files have none, and are not read once more for it.
    let documents =
        if text.contains(" //") { landfall_yaml::to_json_all(text).unwrap_or_default() } else { Vec::new() };
    match documents.iter().find_map(commented_otherwise) {
        Some(path) => Err(format!("`//` begins no comment, so `{path}` is a text")),
        None => Ok(()),
    }
}

/// The path of a number or a truth that another language's comment makes a text of.
fn commented_otherwise(value: &Value) -> Option<String> {
    let is_plain = |text: &str| {
        let before = text.split_once(" //").map(|(before, _)| before.trim_end());
        before.is_some_and(|it| matches!(it, "true" | "false") || it.parse::<f64>().is_ok())
    };
    let below = |step: String, value: &Value| match value {
        Value::String(text) => is_plain(text).then_some(step),
        value => commented_otherwise(value).map(|rest| format!("{step}.{rest}")),
    };
    match value {
        Value::Object(map) => map.iter().find_map(|(key, value)| below(key.clone(), value)),
        Value::Array(list) => list.iter().enumerate().find_map(|(at, value)| below(at.to_string(), value)),
        _ => None,
    }
}

fn yaml_is_read(text: &str) -> Result<(), String> {
    landfall_yaml::parse(text).map(drop).map_err(|error| {
        let words = error.to_string();
        // The line is told, and nothing of what stands there.
        let line =
            words.split("line ").nth(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        match line.filter(|line| !line.is_empty()) {
            Some(line) => format!("line {line} cannot be read"),
            None => "it cannot be read".to_owned(),
        }
    })
}

fn toml(text: &str) -> Result<(), String> {
    toml::from_str::<toml::Table>(text).map(drop).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        match before {
            Some(before) => format!("line {}: {}", before.matches('\n').count() + 1, error.message()),
            None => error.message().to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_behind_the_last_item_is_taken_out_and_one_in_a_text_stays() {
        assert_eq!(without_last_commas(r#"{"a,]": "\",}", "b": [1, 2, ], }"#), r#"{"a,]": "\",}", "b": [1, 2 ] }"#);
        assert_eq!(without_last_commas(r#"{"a": "\\", "b": [,1]}"#), r#"{"a": "\\", "b": [,1]}"#);
    }

    #[test]
    fn a_text_is_written_twice_where_it_begins_with_a_mark_and_is_indented() {
        for text in ["|\n  a: 1\n", "|-\n  a: 1\n\n  b: 2", ">2+\n  a\n", "| \n a\n"] {
            assert!(is_written_twice(text), "{text}");
        }
        for fine in ["", "|", "|\n", "|\na: 1\n", "a: |\n  b\n", "| a | b |\n  c\n", "  |\n  a\n", "|---\n  a\n"] {
            assert!(!is_written_twice(fine), "{fine}");
        }
    }

    #[test]
    fn a_comment_of_another_language_makes_a_text_of_a_number() {
        let told = yaml("a:\n  size: 10 // of pages\n").expect_err("a text");
        assert!(told.contains("`a.size`"), "{told}");
        for fine in ["size: 10 # // of pages\n", "url: https://example.com // x\n", "run: |\n  size: 10 // of pages\n"]
        {
            assert_eq!(yaml(fine), Ok(()), "{fine}");
        }
    }

    #[test]
    fn a_text_that_holds_a_file_is_none_itself() {
        for text in ["\"[]\"", "\"{\\\"a\\\": 1}\"\n"] {
            assert!(json(text).expect_err("a text").contains("written as JSON once more"), "{text}");
        }
        for fine in ["[]", "\"a\"", "\"1\"", "[\"[]\"]"] {
            assert_eq!(json(fine), Ok(()), "{fine}");
        }
        assert!(yaml("\"a:\\n  b: 1\\n\"\n").expect_err("a text").contains("once more"));
        for fine in ["\"a\": 1\n", "\"a\"\n", "- \"a: 1\"\n", "\"a: b\": c\n"] {
            assert_eq!(yaml(fine), Ok(()), "{fine}");
        }
    }

    #[test]
    fn a_key_is_cut_off_where_nothing_is_behind_its_dot() {
        assert!(is_cut_off("tls.") && is_cut_off("my-app_1."));
        for whole in ["tls.key", "tls", ".htpasswd", ".", "..", "a.b."] {
            assert!(!is_cut_off(whole), "{whole}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line() {
        assert_eq!(
            json("{\n  \"a\": 1,\n}"),
            Err("line 3, column 1: what stands there does not belong there".to_owned())
        );
        assert!(json("{\"a\": 1}\n{\"a\": 2}\n").is_ok());
        assert!(json("// of the web\n{\"a\": 1,}").is_ok());
        assert!(yaml("a: 1\n---\nb: [2]\n").is_ok());
        assert!(yaml("a:\n  - b\n c: 1\n").expect_err("it is none").contains("line"));
        assert!(toml("[a]\nb = 1\n").is_ok());
        assert!(toml("[a]\nb = \n").expect_err("it is none").starts_with("line 2"));
    }

    #[test]
    fn a_text_that_is_filled_in_later_is_not_read_now() {
        assert!(is_filled_in_later("{\"password\": ${PASSWORD}}"));
        assert!(!is_filled_in_later("{\"price\": \"$1\"}"));
    }

    #[test]
    fn a_variable_is_read_as_a_value_where_one_may_stand() {
        assert_eq!(with_variables("a: ${B}/c\n- ${D:-e}\n"), "a: 1/c\n- 1\n");
        for text in ["${A}: b\n", "a: ${B\n}\n", "${A}\n"] {
            assert_eq!(with_variables(text), text);
        }
    }
}
