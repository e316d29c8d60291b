use landfall_diag::{Finding, Severity};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::unreadable_contents::is_filled_in_later;
use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF280",
    title: "JSON that is written into a field, an annotation or a variable is JSON",
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
            if let Some((line, column)) = slip(text) {
                let object = &desired.object;
                findings.push(
                    RULE.finding(format!(
                        "`{field}` of {} `{}` is no JSON: line {line}, column {column}",
                        object.kind(),
                        object.name()
                    ))
                    .because("it is JSON but for a slip, and who reads it as such refuses it")
                    .at(desired.spot_at(&field)),
                );
            }
        }
    }
    findings
}

/// The texts that the API takes as they are: in kinds that are not Kubernetes' own, in annotations and in variables.
fn written(desired: &Desired) -> Vec<(String, &str)> {
    let object = &desired.object;
    let mut found = Vec::new();
    for (key, value) in object.annotations().into_iter().flatten() {
        found.extend(value.as_str().map(|text| (format!("metadata.annotations[{key}]"), text)));
    }
    if object.group().contains('.') && !object.group().ends_with(".k8s.io") {
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
    ];
    candidates.into_iter().flatten().find(|text| match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => true,
        Err(error) => (error.line(), error.column()) > here,
    })
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
        assert_eq!(slip("{\"a\": 1}"), None);
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
