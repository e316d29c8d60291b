//! Manifests that a template prints with the installation alone: the first upgrade deletes them.

use landfall_diag::{Finding, Severity};

use super::RULE;
use crate::subject::{Desired, DesiredUnit, Door, Role, Subject};
use crate::texts::{Text, delivered_texts, ifs, words};
use crate::written::{Written, written};

/// What is true with the installation alone.
const FIRST: &str = ".Release.IsInstall";

/// Kinds that run once and are done.
const PASSING: &[&str] = &["Job", "Pod"];

pub(super) fn of_first_day(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for at in data_of_first_day(&text.text) {
            let place = text.place(at);
            let file = place.file.clone();
            let spot = spot(place);
            let unit = spot.unit.as_deref().and_then(|name| subject.unit(name));
            if !unit.is_some_and(|unit| matches!(unit.door, Door::Release)) {
                continue;
            }
            findings.push(
                RULE.finding(format!(
                    "data is printed behind `{FIRST}`, and its object always: the first upgrade takes it out"
                ))
                .weighing(Severity::Warning)
                .keyed(format!("{file} data"))
                .because("an upgrade renders the object without it, and Helm removes what a release no longer has")
                .help("print it each time, and keep what is there by `lookup`")
                .at(spot),
            );
        }
        for (made, at) in made_once(&text.text) {
            let place = text.place(at);
            let file = place.file.clone();
            let spot = spot(place);
            let Some(unit) = spot.unit.as_deref().and_then(|name| subject.unit(name)) else { continue };
            // Argo CD renders each time as if it were the first.
            if !matches!(unit.door, Door::Release) || is_kept(unit, &text, made.kind) {
                continue;
            }
            let called = if made.name.is_empty() { String::new() } else { format!(" `{}`", made.name) };
            findings.push(
                RULE.finding(format!(
                    "{}{called} is printed behind `{FIRST}`: the first upgrade deletes it",
                    made.kind
                ))
                .weighing(Severity::Warning)
                .keyed(format!("{file} {}{called}", made.kind))
                .because("an upgrade renders nothing in its place, and Helm deletes what a release no longer has")
                .help("print it each time, or keep it with the annotation `helm.sh/resource-policy: keep`")
                .at(spot),
            );
        }
    }
    findings
}

/// The objects that a text prints with the installation alone, and where that is asked for.
fn made_once(text: &str) -> Vec<(Written<'_>, usize)> {
    // What is printed otherwise with upgrades is there all the time.
    if !text.contains(FIRST) || text.contains(".Release.IsUpgrade") || text.contains("not .Release.IsInstall") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for asked in ifs(text).into_iter().filter(|it| is_first_alone(it.asks)) {
        let body = &text[asked.body.clone()];
        let is_whole = body.lines().any(|line| line.starts_with("apiVersion:"));
        let is_alone = !text[asked.body.end..asked.end].contains("else");
        let is_kept = body.contains("helm.sh/hook") || body.contains("helm.sh/resource-policy");
        if is_whole && is_alone && !is_kept {
            found.extend(written(body).into_iter().filter(|it| !PASSING.contains(&it.kind)).map(|it| (it, asked.at)));
        }
    }
    found
}

/// Where a text prints keys of a ConfigMap or Secret with the installation alone, and the object around them each time.
fn data_of_first_day(text: &str) -> Vec<usize> {
    const DATA: [&str; 3] = ["data:", "stringData:", "binaryData:"];
    let is_other = [".Release.IsUpgrade", "not .Release.IsInstall", "lookup "].iter().any(|it| text.contains(it));
    if !text.contains(FIRST) || is_other {
        return Vec::new();
    }
    let is_data = |line: &str| DATA.contains(&line.trim_end());
    let mut found = Vec::new();
    for asked in ifs(text).into_iter().filter(|it| is_first_alone(it.asks)) {
        let body = &text[asked.body.clone()];
        if body.lines().any(|line| line.starts_with("apiVersion:")) || text[asked.body.end..asked.end].contains("else")
        {
            continue;
        }
        let from = text[..asked.at].rfind("\n---").map_or(0, |at| at + 1);
        let head = &text[from..asked.at];
        let kind = head.lines().rev().find_map(|line| line.strip_prefix("kind:")).map(str::trim);
        if !matches!(kind, Some("ConfigMap" | "Secret")) || head.contains("helm.sh/hook") {
            continue;
        }
        let is_key = |line: &str| line.starts_with(|it: char| it.is_ascii_alphabetic());
        let is_within = head.lines().rev().find(|line| is_key(line)).is_some_and(is_data);
        let has_keys = body.lines().any(|line| line.starts_with(' ') && line.contains(": "));
        if body.lines().any(is_data) || (is_within && has_keys) {
            found.push(asked.at);
        }
    }
    found
}

/// Whether a condition holds with no upgrade, whatever else is set.
fn is_first_alone(asks: &str) -> bool {
    let words = words(asks);
    let is_first = |word: &str| word.trim_start_matches('$') == FIRST;
    match words.as_slice() {
        [word] => is_first(word),
        ["and", rest @ ..] => {
            rest.iter().any(|word| is_first(word)) && !rest.iter().any(|word| ["or", "not", "eq", "ne"].contains(word))
        }
        _ => false,
    }
}

/// Whether an object of a template is a hook or stays when its release has it no more, as it is rendered.
fn is_kept(unit: &DesiredUnit, text: &Text<'_>, kind: &str) -> bool {
    let is_of_text = |desired: &&Desired| {
        let path = unit.template_of(desired).and_then(|path| path.split_once('/'));
        desired.object.kind() == kind && path.is_some_and(|(_, path)| text.path.ends_with(path))
    };
    let stays = |desired: &Desired| {
        desired.role != Role::Manifest || desired.object.annotation("helm.sh/resource-policy") == Some("keep")
    };
    unit.objects.iter().filter(is_of_text).any(stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_the_first_day_is_told_where_its_object_stays() {
        let of = |body: &str| {
            data_of_first_day(&format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n{body}")).len()
        };
        assert_eq!(of("{{- if .Release.IsInstall }}\ndata:\n  a: b\n{{- end }}\n"), 1);
        assert_eq!(of("data:\n  x: y\n  {{- if .Release.IsInstall }}\n  a: b\n  {{- end }}\n"), 1);
        for well in [
            "data:\n  {{- if .Release.IsInstall }}\n  a: b\n  {{- else }}\n  a: c\n  {{- end }}\n",
            "data:\n  a: b\n",
            "data:\n  {{- if .Release.IsInstall }}\n  a: b\n  {{- end }}\n{{/* lookup */}}\n",
        ] {
            assert_eq!(of(well), 0, "{well}");
        }
    }

    #[test]
    fn a_manifest_behind_the_installation_is_told() {
        let kinds =
            |text: &str| -> Vec<String> { made_once(text).into_iter().map(|(it, _)| it.kind.to_owned()).collect() };
        let of = |asks: &str, kind: &str| {
            format!("{{{{- if {asks} }}}}\napiVersion: v1\nkind: {kind}\nmetadata: {{name: a}}\n{{{{- end }}}}\n")
        };
        assert_eq!(kinds(&of(".Release.IsInstall", "Secret")), ["Secret"]);
        assert_eq!(kinds(&of("and .Values.on $.Release.IsInstall", "ConfigMap")), ["ConfigMap"]);
        for (asks, kind) in [
            (".Release.IsInstall", "Job"),
            ("or .Release.IsInstall .Values.again", "Secret"),
            ("and (or .Release.IsInstall .Values.again) .Values.on", "Secret"),
            (".Values.on", "Secret"),
            ("not .Release.IsInstall", "Secret"),
        ] {
            assert_eq!(kinds(&of(asks, kind)), Vec::<String>::new(), "{asks} {kind}");
        }
        let otherwise = of(".Release.IsInstall", "Secret").replace("{{- end }}", "{{- else }}\na: b\n{{- end }}");
        assert_eq!(kinds(&otherwise), Vec::<String>::new());
    }
}
