mod names;

use landfall_diag::{Finding, Severity};

use self::names::{Name, Slip, wrong_names};
use super::unreadable_contents::is_filled_in_later;
use super::value_printed_raw::visit;
use crate::decoded::{text_of, texts};
use crate::pods::{Container, pod_template};
use crate::rule::Rule;
use crate::scripts::{commands_of, given_script};
use crate::shell::commands;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF389",
    title: "SQL that a chart writes can be read by its database",
    severity: Severity::Warning,
    why: "A query in a ConfigMap is text to the API. With a quote too many the database refuses it, and the metrics \
          it was for are missing; a name in single quotes is no name, and one with a hyphen has to stand in double \
          quotes: the script that sets the database up ends there, and the program finds no user to log in as.",
    advice: "Close what is opened, and let `psql` quote names and texts itself: `:\"name\"`, `:'text'`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects() {
        let object = &desired.object;
        if object.group().is_empty() && matches!(object.kind(), "ConfigMap" | "Secret") {
            for (key, text, field) in texts(object) {
                findings.extend(queries(desired, key, &text, &field));
                let names = wrong_names(&commands_of(key, &text), |name| value_of(subject, desired, name));
                findings.extend(names.iter().map(|it| told(it, &format!("`{key}`")).at(desired.spot_at(&field))));
            }
        }
        for container in pod_template(object).iter().flat_map(|it| it.containers()) {
            let Some((field, _, text)) = given_script(&container) else { continue };
            let names = wrong_names(&commands(text), |name| variable(subject, desired, &container, name));
            let script = format!("the script of container `{}`", container.name);
            let at = || desired.spot_at(&format!("{}.{field}", container.path));
            findings.extend(names.iter().map(|it| told(it, &script).at(at())));
        }
    }
    findings
}

fn told(name: &Name, script: &str) -> Finding {
    let Name { variable, statement, slip } = name;
    let finding = match slip {
        Slip::Quoted => RULE
            .finding(format!("{script} hands `{variable}` to `{statement}` in single quotes"))
            .because("what stands in single quotes is a text and no name, so the statement is refused"),
        Slip::Bare { from, sign } => RULE
            .finding(format!(
                "{script} hands `{variable}` to `{statement}` without quotes, and `{from}` holds `{sign}`"
            ))
            .because("a name with such a sign has to stand in double quotes, so the statement is refused"),
    };
    finding.help(format!("give `psql` the plain name, and write `:\"{variable}\"`"))
}

/// What a variable holds in the pods that a ConfigMap or Secret is mounted into.
fn value_of(subject: &Subject<'_>, source: &Desired, name: &str) -> Option<String> {
    subject.pods().find_map(|(desired, template)| {
        let is_of = |volume: &serde_json::Value| {
            let field = if source.object.kind() == "ConfigMap" { "/configMap/name" } else { "/secret/secretName" };
            volume.pointer(field).is_some_and(|it| it == source.object.name())
        };
        if desired.object.namespace() != source.object.namespace() || !template.volumes().iter().any(is_of) {
            return None;
        }
        template.containers().iter().find_map(|it| variable(subject, desired, it, name))
    })
}

/// What a variable of a container holds, where that is written or delivered.
fn variable(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>, name: &str) -> Option<String> {
    let (_, _, variable) = container.env().find(|(_, known, _)| *known == name)?;
    if let Some(value) = variable["value"].as_str() {
        return (!value.contains("$(")).then(|| value.to_owned());
    }
    let (kind, reference) = [("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")]
        .map(|(kind, field)| (kind, &variable["valueFrom"][field]))
        .into_iter()
        .find(|(_, it)| it.is_object())?;
    let source = subject.desired("", kind, desired.object.namespace(), reference["name"].as_str()?)?;
    text_of(&source.object, reference["key"].as_str()?)
}

/// Keys of a document whose text is a query.
const KEYS: &[&str] = &["query", "sql"];

/// Queries of a file that leave something open: the file itself, or what a document has as `query`.
fn queries(desired: &Desired, key: &str, text: &str, field: &str) -> Vec<Finding> {
    let object = &desired.object;
    let of = format!("`{key}` of {} `{}`", object.kind(), object.name());
    let finding = |words: String, why: String| {
        RULE.finding(words)
            .because(format!("{why}, so the database refuses it"))
            .help("close what is opened, and take away what is closed twice")
            .at(desired.spot_at(field))
    };
    if key.ends_with(".sql") {
        let why = left_open(text);
        return why.map(|why| finding(format!("{of} cannot be read as SQL"), why)).into_iter().collect();
    }
    // Dashboards are read by others, who know more of them.
    if key.ends_with(".json") || !text.to_ascii_uppercase().contains("SELECT") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for document in landfall_yaml::to_json_all(text).unwrap_or_default() {
        visit(&document, String::new(), &mut |path, query| {
            let is_query = path.rsplit('.').next().is_some_and(|last| KEYS.contains(&last)) && is_sql(query);
            let why = if is_query { left_open(query) } else { None };
            found.extend(why.map(|why| finding(format!("the query `{path}` in {of} cannot be read"), why)));
        });
    }
    found
}

/// Whether a text begins as a query does.
fn is_sql(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    matches!(&*first, "SELECT" | "WITH" | "INSERT" | "UPDATE" | "DELETE")
}

/// What a text of SQL opens and does not close, or closes and did not open.
fn left_open(text: &str) -> Option<String> {
    // Dialects differ in what these mean.
    let is_unsure = is_filled_in_later(text)
        || ["\\'", "\\\"", "\\\\'", "FROM stdin", "DELIMITER"].iter().any(|it| text.contains(it))
        || text.lines().any(|line| line.trim_start().starts_with(['#', '\\']));
    if is_unsure {
        return None;
    }
    let (mut rest, mut depth) = (text, 0_i32);
    while let Some(letter) = rest.chars().next() {
        let skipped = match letter {
            '\'' | '"' | '`' => match rest[1..].find(letter) {
                Some(end) => end + 2,
                None => return Some(format!("a quote ({letter}) is not closed")),
            },
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '$' => in_dollars(rest).unwrap_or(1),
            '(' | ')' => {
                depth += if letter == '(' { 1 } else { -1 };
                1
            }
            letter => letter.len_utf8(),
        };
        if depth < 0 {
            return Some("`)` closes what was not opened".to_owned());
        }
        rest = &rest[skipped..];
    }
    (depth > 0).then(|| "a bracket is not closed".to_owned())
}

/// The length of a text between dollars: `$$ … $$`, `$tag$ … $tag$`.
fn in_dollars(text: &str) -> Option<usize> {
    let length = text[1..].find('$')? + 2;
    let mark = &text[..length];
    let is_mark = mark[1..length - 1].bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    let end = text[length..].find(mark).filter(|_| is_mark)?;
    Some(length + end + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sql_opens_is_closed() {
        for (text, is_open) in [
            ("SELECT count(*) AS replicas\"", true),
            ("SELECT (1 + (2) AS a", true),
            ("SELECT 'it", true),
            ("SELECT 1) FROM a", true),
            ("SELECT 'it''s', \"a\" FROM b -- don't\nWHERE c = '(' /* ( */", false),
            ("DO $$ BEGIN PERFORM 'x(' ; END $$; SELECT $1", false),
            ("DO $a$ it's ( $a$", false),
            ("SELECT 'it\\'s'", false),
            ("SELECT '${NAME}", false),
            ("SELECT E'ä' AS ö", false),
        ] {
            assert_eq!(left_open(text).is_some(), is_open, "{text}");
        }
    }
}
