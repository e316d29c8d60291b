use landfall_diag::{Finding, Severity};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::unreadable_contents::is_filled_in_later;
use crate::operated::is_of_an_operator;
use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF280",
    title: "JSON that is written into a field, an annotation, a variable or a script is JSON",
    severity: Severity::Warning,
    why: "A policy of a cloud, a dashboard, a rule of a gateway: kinds of operators, annotations and variables carry JSON as \
          plain text, which the API stores whatever stands in it. A comma too many is found out by who reads it: the \
          policy is never made, and nothing in the release looks wrong.",
    advice: "Correct the text; where it is made of values, let `toJson` write it.",
    check,
};

/// More slips than this are another language.
const MOST_SLIPS: usize = 8;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects() {
        for (field, text) in written(desired) {
            if let Some(place) = slip(text) {
                findings.push(told(desired, &field, place));
            }
        }
        for (field, script) in scripts(desired) {
            if let Some(place) = in_script(script) {
                findings.push(told(desired, &field, place));
            }
        }
    }
    findings
}

fn told(desired: &Desired, field: &str, (line, column): (usize, usize)) -> Finding {
    let object = &desired.object;
    RULE.finding(format!("`{field}` of {} `{}` is no JSON: line {line}, column {column}", object.kind(), object.name()))
        .because("it is JSON but for a slip, and who reads it as such refuses it")
        .at(desired.spot_at(field))
}

/// The texts that a shell may read: of commands, and in kinds that are not Kubernetes' own.
fn scripts(desired: &Desired) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    for container in pod_template(&desired.object).iter().flat_map(|it| it.containers()) {
        for list in ["command", "args"] {
            collect(&container.value[list], &mut format!("{}.{list}", container.path), &mut found);
        }
    }
    if is_of_an_operator(desired.object.group()) {
        collect(&desired.object.value()["spec"], &mut "spec".to_owned(), &mut found);
    }
    found.retain(|(_, text)| text.contains("'{") || text.contains("'["));
    found
}

/// Where JSON that a script hands on between single quotes has its first slip.
fn in_script(script: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(open) = script[from..].find('\'').map(|at| from + at) {
        let close = open + 1 + script[open + 1..].find('\'')?;
        from = close + 1;
        let is_word = script[..open].ends_with(|it: char| it.is_whitespace() || it == '=')
            && !script[close + 1..].starts_with(|it: char| !it.is_whitespace() && !";)|&".contains(it));
        let json = without_marks(&script[open + 1..close]);
        // What a shell puts together, or another one fills in, is not read.
        if !is_word || !is_meant_as_json(&json) {
            continue;
        }
        if let Some((line, column)) = slip(&json) {
            let before = &script[..=open];
            let lines = before.matches('\n').count();
            let ahead = if line == 1 { before.rsplit('\n').next().map_or(0, |it| it.chars().count()) } else { 0 };
            return Some((lines + line, ahead + column));
        }
    }
    None
}

/// A text whose `{{…}}` within quotes are letters: an operator puts its parameters there, and what they are decides nothing.
fn without_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let Some(end) = rest[start..].find("}}").map(|at| start + at + 2) else { break };
        out.push_str(&rest[..start]);
        let is_quoted = out.rsplit('\n').next().unwrap_or_default().matches('"').count() % 2 == 1;
        let mark = &rest[start..end];
        match is_quoted && !mark.contains('\n') {
            true => out.extend(mark.bytes().map(|_| 'x')),
            false => out.push_str(mark),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The texts that the API takes as they are: in kinds that are not Kubernetes' own, in annotations and in variables.
fn written(desired: &Desired) -> Vec<(String, &str)> {
    let object = &desired.object;
    let mut found = Vec::new();
    for (key, value) in object.annotations().into_iter().flatten() {
        found.extend(value.as_str().map(|text| (format!("metadata.annotations[{key}]"), text)));
    }
    if is_of_an_operator(desired.object.group()) {
        let is_body = |(key, _): &(&String, &Value)| !matches!(key.as_str(), "metadata" | "status");
        for (key, value) in object.value().as_object().into_iter().flatten().filter(is_body) {
            collect(value, &mut key.clone(), &mut found);
        }
    }
    for container in pod_template(object).iter().flat_map(|it| it.containers()) {
        found.extend(
            container.value["env"]
                .as_array()
                .into_iter()
                .flatten()
                .enumerate()
                .filter_map(|(at, it)| Some((format!("{}.env[{at}].value", container.path), it["value"].as_str()?))),
        );
    }
    found.retain(|(_, text)| is_meant_as_json(text));
    found
}

/// The texts of a value, with their fields.
fn collect<'v>(value: &'v Value, path: &mut String, found: &mut Vec<(String, &'v str)>) {
    let whole = path.len();
    match value {
        Value::String(text) => found.push((path.clone(), text)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push_str(&format!("[{at}]"));
                collect(item, path, found);
                path.truncate(whole);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                path.push_str(&format!(".{key}"));
                collect(item, path, found);
                path.truncate(whole);
            }
        }
        _ => {}
    }
}

/// Whether a text begins and ends as an object whose keys are quoted, or a list of such.
fn is_meant_as_json(text: &str) -> bool {
    let text = text.trim();
    let begins = |text: &str| {
        text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"')) && text.contains(':')
    };
    let is_list = text.strip_prefix('[').is_some_and(|rest| begins(rest.trim_start())) && text.ends_with(']');
    (is_list || (begins(text) && text.ends_with('}')))
        && !is_filled_in_later(text)
        && !text.lines().any(|line| line.trim_start().starts_with(['/', '#', '*']))
}

/// Where a text that is JSON but for a few slips has the first of them: a comma too many, one too few, a value that is missing, a
/// bracket too many. Other languages that write objects alike are not mended by that.
fn slip(text: &str) -> Option<(usize, usize)> {
    let mut mended = text.to_owned();
    let mut first = None;
    let mut slips = 0;
    loop {
        let error = match serde_json::from_str::<IgnoredAny>(&mended) {
            Ok(_) => return first,
            Err(error) => error,
        };
        let here = (error.line(), error.column());
        first = first.or(Some(here));
        slips += 1;
        if slips > MOST_SLIPS {
            return None;
        }
        let at = offset(&mended, here)?;
        mended = mend(&mended, at, here)?;
    }
}

/// The text with what is wrong at a place put right, where that lets a reader come further.
fn mend(text: &str, at: usize, here: (usize, usize)) -> Option<String> {
    let (before, after) = (text.get(..at)?, text.get(at..)?);
    let without = |side: &str| side.trim_end().strip_suffix(',').map(str::to_owned);
    let candidates = [
        without(before).filter(|_| after.starts_with(['}', ']'])).map(|before| format!("{before}{after}")),
        after.starts_with(['"', '{', '[']).then(|| format!("{before},{after}")),
        after.starts_with([',', '}', ']']).then(|| format!("{before}null{after}")),
        after.strip_prefix([',', '}', ']']).map(|after| format!("{before}{after}")),
        closed_later(before, after),
    ];
    candidates.into_iter().flatten().find(|text| match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => true,
        Err(error) => (error.line(), error.column()) > here,
    })
}

/// The text in which an object that was closed in front of one of its keys is closed behind it: `[{"a": 1}, "b": 2]`.
fn closed_later(before: &str, after: &str) -> Option<String> {
    let key = before.trim_end().strip_suffix('"').filter(|_| after.starts_with(':'))?.rfind('"')?;
    let ahead = before[..key].trim_end().strip_suffix(',')?.trim_end().strip_suffix('}')?;
    let (rest, behind) = after.split_at(end_of_list(after)?);
    Some(format!("{ahead}, {}{rest}}}{behind}", &before[key..]))
}

/// The byte of the bracket that ends the list in which a text begins.
fn end_of_list(text: &str) -> Option<usize> {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'[' | b'{' => depth += 1,
            b']' if depth == 0 => return Some(at),
            b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// The byte at which a line and a column, both from one, stand.
fn offset(text: &str, (line, column): (usize, usize)) -> Option<usize> {
    let begins: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let at = begins + column.checked_sub(1)?;
    text.is_char_boundary(at).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_but_for_a_slip_is_told_by_its_first_place() {
        assert_eq!(slip("{\n  \"a\": [1],\n}"), Some((3, 1)));
        assert_eq!(slip("{\"a\": [{\"b\": 1},]\n \"c\": 2}"), Some((1, 17)));
        assert_eq!(slip("{\"a\": , \"b\": 1}"), Some((1, 7)));
        assert_eq!(slip("{\"a\": {\"b\": 1}}}"), Some((1, 16)));
        assert_eq!(slip("{\"a\": \"é\",\n}"), Some((2, 1)));
        assert_eq!(slip("[{\"a\": \"x\"}, \"b\": [5]]"), Some((1, 17)));
        assert_eq!(slip("{\"a\": 1}"), None);
    }

    #[test]
    fn json_in_a_script_is_read_between_its_quotes() {
        let script = "set -e\ncurl -X POST --json '{\n  \"a\": \"{{inputs.a}}\"\n  \"b\": 1\n}' https://a.example\n";
        assert_eq!(in_script(script), Some((4, 3)));
        assert_eq!(in_script("curl -d '{\"a\": 1,}' https://a.example"), Some((1, 18)));
        for fine in [
            "curl --json '{\"a\": \"{{inputs.a}}\"}' x",
            "curl -d '{\"a\": \"'\"$A\"'\",}' x",
            "jq '{\"a\": .b}' x",
            "jq -n --arg x 1 '{\"a\": $x}'",
            "awk '{ print \"a:\" }' x",
            "kubectl get pod -o jsonpath='{\"a:\"}{.spec}'",
            "curl -d '{\"a\": {{inputs.a}},}' x",
            "echo it's '{\"a\": 1,}'",
        ] {
            assert_eq!(in_script(fine), None, "{fine}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_another_language() {
        for text in [
            "{\"a\": object.metadata.name}",
            "{\"http.requests\", job=\"web\"}",
            "{\"a\": 1 + x}",
            "{\"name\": string(self.port)}",
        ] {
            assert_eq!(slip(text), None, "{text}");
        }
        assert!(is_meant_as_json("[\n  {\"a\": 1},\n]"));
        assert!(!is_meant_as_json("{job=\"web\"}") && !is_meant_as_json("[0-9]: \"x\"]"));
        assert!(!is_meant_as_json("{\"a\": {{ value }}}") && !is_meant_as_json("{\n  // of the web\n  \"a\": 1,\n}"));
    }
}
