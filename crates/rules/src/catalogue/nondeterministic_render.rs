use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::{Chart, HookEvent};
use landfall_diag::{Finding, Place, Severity};
use landfall_object::ObjectKey;
use serde_json::Value;

use crate::examine::keyed;
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Door, Role, Subject};
use crate::synced::is_synced;

pub(super) static RULE: Rule = Rule {
    id: "LF101",
    title: "the same input renders the same manifests",
    severity: Severity::Error,
    why: "A password that is drawn anew with each rendering replaces the one the database was made with; a time or a \
          random name makes every delivery a change. Under GitOps nothing ever stays in sync.",
    advice: "Keep the value outside the chart (a sealed secret, an existing Secret), or read the live one with `lookup` first.",
    check,
};

/// Functions whose result is another one each time.
const RESTLESS: &[&str] = &[
    "randAlphaNum",
    "randAlpha",
    "randNumeric",
    "randAscii",
    "randBytes",
    "randInt",
    "uuidv4",
    "shuffle",
    "genPrivateKey",
    "genCAWithKey",
    "genCA",
    "genSelfSignedCertWithKey",
    "genSelfSignedCert",
    "genSignedCertWithKey",
    "genSignedCert",
    "bcrypt",
    "htpasswd",
    "encryptAES",
    "now",
    "ago",
    "date",
];

/// What differs between two renderings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Drawn {
    /// A word that somebody logs in with, or that something was encrypted with.
    Secret,
    /// A certificate with its key: whoever trusts it is told in the same delivery.
    Certificate,
    /// A hash of what stays the same.
    Hash,
    /// A time, an id, a name.
    Mark,
}

/// One field that differs.
struct Difference<'a> {
    desired: &'a Desired,
    path: String,
    drawn: Drawn,
    call: Option<Call>,
}

/// Where a template calls what draws.
struct Call {
    function: Option<&'static str>,
    place: Place,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let Some(again) = &unit.again else { continue };
        let (first, second) = (keyed(&unit.rendered), keyed(again));
        let mut differences = Vec::new();
        // Asked only where it matters: it reads the repository.
        let synced = LazyCell::new(|| is_synced(subject, unit));
        // Two of one name are compared each with its own.
        let mut seen: BTreeMap<ObjectKey, usize> = BTreeMap::new();
        for desired in unit.objects.iter().filter(|it| it.role != Role::Definition) {
            let key = desired.key();
            let at = *seen.entry(key.clone()).and_modify(|at| *at += 1).or_insert(0);
            if is_made_once(desired, || *synced) || !first.contains_key(&key) {
                continue;
            }
            let mut paths = BTreeMap::new();
            match second.get(&key).and_then(|others| others.get(at).or(others.first())) {
                Some(other) => differing(desired.object.value(), other.value(), String::new(), &mut paths),
                None => drop(paths.insert("metadata.name".to_owned(), String::new())),
            }
            differences.extend(paths.into_iter().map(|(path, text)| difference(unit, desired, path, &text)));
        }
        // What stands for a template of a chart that is not at hand has no place, and draws where that one may keep.
        if unit.chart.as_ref().is_some_and(Chart::does_without) && differences.iter().any(|it| it.call.is_none()) {
            differences.retain(|it| it.call.is_some() && !follows(it));
        }
        findings.extend(causes(unit, &differences));
        findings.extend(read_back(subject, unit));
    }
    findings
}

/// Whether no later delivery makes it anew. Tests run and are gone, whatever they are called; what is a hook of an
/// installation alone stays as it is, but under Argo CD, which runs it with each sync.
fn is_made_once(desired: &Desired, synced: impl Fn() -> bool) -> bool {
    use HookEvent::{PostRollback, PostUpgrade, PreRollback, PreUpgrade, Test};
    let Role::Hook { events, .. } = &desired.role else { return false };
    let again = |event: &HookEvent| matches!(event, PreUpgrade | PostUpgrade | PreRollback | PostRollback);
    events.iter().all(|event| *event == Test || (!again(event) && !synced()))
}

fn difference<'a>(unit: &DesiredUnit, desired: &'a Desired, path: String, text: &str) -> Difference<'a> {
    let call = unit.rendered.origin(&desired.key(), &path).and_then(|origin| origin.template).map(|place| {
        // What was drawn may have been kept in a variable: the call is on this line or above it in the same file.
        let text = unit.chart.as_ref().and_then(|chart| template_text(chart, &place.file)).unwrap_or_default();
        let above = text.lines().enumerate().take(place.line as usize);
        let call = above.filter_map(|(at, line)| Some((at + 1, RESTLESS.iter().find(|it| calls(line, it))?))).last();
        match call {
            Some((line, function)) => {
                let line = u32::try_from(line).unwrap_or(place.line);
                Call { function: Some(*function), place: Place { line, ..place } }
            }
            None => Call { function: None, place },
        }
    });
    let function = call.as_ref().and_then(|call| call.function);
    let is_secret = desired.object.group().is_empty() && desired.object.kind() == "Secret";
    let in_secret = is_secret && ["data", "stringData"].iter().any(|field| path.starts_with(field));
    let is_pem = |text: &str| text.contains("-----BEGIN ") || text.starts_with("LS0tLS1CRUdJTi");
    let drawn = match function {
        _ if is_pem(text) => Drawn::Certificate,
        // Of these functions, those that make certificates and keys begin so.
        Some(function) if function.starts_with("gen") => Drawn::Certificate,
        Some("htpasswd" | "bcrypt") => Drawn::Hash,
        Some("now" | "ago" | "date") => Drawn::Mark,
        _ if in_secret || path.contains(".env[") => Drawn::Secret,
        _ => Drawn::Mark,
    };
    Difference { desired, path, drawn, call }
}

/// Whether it is a checksum of what differs: that is no cause of its own.
fn follows(difference: &Difference<'_>) -> bool {
    difference.path.contains("annotations[") && difference.path.contains("checksum")
}

fn object_of(difference: &Difference<'_>) -> String {
    format!("{}/{}", difference.desired.object.kind(), difference.desired.object.name())
}

/// One finding for each thing that is drawn, however many fields it shows in.
fn causes(unit: &DesiredUnit, differences: &[Difference<'_>]) -> Vec<Finding> {
    let mut grouped: BTreeMap<(Drawn, String), Vec<&Difference<'_>>> = BTreeMap::new();
    for difference in differences {
        if follows(difference) && !differences.iter().all(follows) {
            continue;
        }
        let cause = match (&difference.call, difference.drawn) {
            // An authority, what it signs, and who is told of it.
            (_, Drawn::Certificate) => String::new(),
            (Some(call), _) => format!("{}:{}", call.place.file, call.place.line),
            (None, _) => object_of(difference),
        };
        grouped.entry((difference.drawn, cause)).or_default().push(difference);
    }
    let finding = |((drawn, cause), group): ((Drawn, String), Vec<&Difference<'_>>)| {
        let called = group.iter().find_map(|it| it.call.as_ref().filter(|call| call.function.is_some()));
        let called = called.or(group[0].call.as_ref());
        let at = called.map(|call| format!("{}:{}", call.place.file, call.place.line));
        let message = match (called.and_then(|call| call.function), &at) {
            (Some(function), Some(at)) => format!("`{function}` in {at} gives another value with each rendering"),
            (None, Some(at)) if drawn == Drawn::Certificate => {
                format!("the certificate that {at} prints is another one with each rendering")
            }
            (_, Some(at)) => format!("what {at} prints is another value with each rendering"),
            _ => format!("{} is another one with each rendering", object_of(group[0])),
        };
        let synced = matches!(unit.door, Door::Application(_));
        let because = match drawn {
            _ if synced => "Argo CD renders without a cluster, so each sync would replace the value",
            Drawn::Secret => "each upgrade replaces the value, also where something was made with the first one",
            Drawn::Certificate => "each upgrade replaces the certificate, and callers fail until all have the new one",
            Drawn::Hash => "each upgrade changes the object, though what is hashed stays the same",
            Drawn::Mark => "each upgrade is a change, also when nothing has changed",
        };
        let severity = if synced || drawn == Drawn::Secret { Severity::Error } else { Severity::Warning };
        // What is written above the line moves it, and changes nothing of it.
        let line = group[0]
            .call
            .as_ref()
            .filter(|_| !cause.is_empty())
            .and_then(|call| Some(format!("{} {}", call.place.file, call.place.source.as_deref()?.trim())));
        let key = format!("{drawn:?} {}", line.unwrap_or(cause));
        let finding = RULE.finding(message).keyed(key).weighing(severity).because(because);
        group.into_iter().fold(finding, |finding, it| finding.at(it.desired.spot_at(&it.path)))
    };
    grouped.into_iter().map(finding).collect()
}

/// What stays the same only because a template reads it back from the cluster: Argo CD has none when it renders.
fn read_back(subject: &Subject<'_>, unit: &DesiredUnit) -> Option<Finding> {
    let back: Vec<&Desired> = unit.objects.iter().filter(|it| unit.read_back.contains(&it.key())).collect();
    let first = back.first().filter(|_| is_synced(subject, unit))?;
    let name = format!("{} `{}`", first.object.kind(), first.object.name());
    let more = if back.len() > 1 { format!(" and {} more", back.len() - 1) } else { String::new() };
    let finding = RULE.finding(format!("{name}{more} stays the same only where `lookup` finds it on the cluster"))
        .keyed("read back")
        .because("an Application of this repository delivers the chart, and Argo CD renders without a cluster: each sync replaces it")
        .help("keep the value outside the chart: a sealed secret, or an existing Secret");
    Some(back.into_iter().fold(finding, |finding, desired| finding.at(desired.spot())))
}

/// The text of a template by the name that places give it: the chart's own location in front.
fn template_text(chart: &Chart, file: &str) -> Option<String> {
    let rest = file.strip_prefix(&chart.location).map_or(file, |rest| rest.trim_start_matches('/'));
    let own = chart.templates.iter().find(|template| template.name == rest);
    if let Some(template) = own {
        return Some(template.text().into_owned());
    }
    // A dependency's templates lie below `charts/NAME/`.
    let (name, inner) = rest.strip_prefix("charts/")?.split_once('/')?;
    let mut dependencies = chart.dependencies.iter();
    let dependency = dependencies.find(|dependency| dependency.name() == name)?;
    let template = dependency.templates.iter().find(|template| template.name == inner);
    template.map(|template| template.text().into_owned()).or_else(|| template_text(dependency, inner))
}

/// Whether a template's line calls a function, as a whole word.
fn calls(line: &str, function: &str) -> bool {
    line.match_indices(function).any(|(at, _)| {
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.' || c == '$');
        !word(line[..at].chars().next_back()) && !word(line[at + function.len()..].chars().next())
    })
}

/// The paths of leaves in which two values differ, with the text that the first one has there.
fn differing(one: &Value, other: &Value, path: String, found: &mut BTreeMap<String, String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let below = match (path.is_empty(), key.contains(['.', '/'])) {
                    (_, true) => format!("{path}[{key}]"),
                    (true, false) => key.clone(),
                    (false, false) => format!("{path}.{key}"),
                };
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differing(a, b, below, found),
                    (one, _) => drop(found.insert(below, text(one.unwrap_or(&Value::Null)))),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differing(a, b, format!("{path}[{index}]"), found);
            }
        }
        (a, b) if a == b => {}
        (a, _) => drop(found.insert(path, text(a))),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
