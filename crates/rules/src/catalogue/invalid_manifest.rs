mod clash;
mod left_out;
mod meant;
mod misfit;
mod pods_within;
mod published;
mod sources;
mod texts_only;
mod twice;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use landfall_diag::{Finding, Severity};
use landfall_object::lifecycle::{self, Removed, Successor};
use landfall_object::schema::{DecodeError, Schemas};
use landfall_object::{Gvk, Object, SIMULATED};
use serde_json::Value;

use self::clash::clash;
use self::left_out::left_out;
use self::meant::meant;
use self::pods_within::pods_within;
use self::sources::lost_sources;
use self::texts_only::texts_only;
use self::twice::twice;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF138",
    title: "manifests are what their kinds allow, in a version that is served",
    severity: Severity::Error,
    why: "A text where a number belongs, or an API version that the cluster no longer has, refuses the whole release. A key \
          that is written twice or misspelt is dropped in silence: what was meant is not there.",
    advice: "Write the field as its kind declares it, and use the API version that is served.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut schemas = Schemas::builtin();
    // Only those that something is of: a definition is big, and what is made of it bigger.
    let used: BTreeSet<(&str, &str)> = subject.objects().map(|it| (it.object.group(), it.object.kind())).collect();
    let is_used = |definition: &&Object| {
        let text = |pointer: &str| definition.str_at(pointer).unwrap_or_default();
        // One that was taken for granted says nothing.
        definition.annotation(SIMULATED).is_none() && used.contains(&(text("/spec/group"), text("/spec/names/kind")))
    };
    let delivered = subject.of_kind("apiextensions.k8s.io", "CustomResourceDefinition").map(|it| &it.object);
    let there = subject.before.of_kind("apiextensions.k8s.io", "CustomResourceDefinition");
    for definition in delivered.filter(is_used) {
        // One that cannot be read is the API's to refuse.
        let _ = schemas.join(definition);
    }
    for definition in there.filter(is_used) {
        schemas.take(subject.before.kinds_of(definition));
    }
    let minors: BTreeMap<&str, Option<u32>> =
        subject.units.iter().map(|unit| (unit.name.as_str(), minor(subject.version_for(&unit.name)))).collect();
    let mut findings = Vec::new();
    for desired in subject.objects() {
        let gvk = desired.object.gvk();
        let minor = minors.get(desired.unit.as_str()).copied().flatten();
        match minor.and_then(|minor| lifecycle::removed(&gvk, minor)) {
            Some(gone) => {
                findings.push(removed(&gvk, &gone).at(desired.spot_at("apiVersion")));
                // What is wrong with it besides is wrong in the version that it has to be of, too.
                if let Successor::ApiVersion(next) = &gone.successor {
                    findings.extend(shape(&schemas, desired, &Gvk::from_api_version(next, &gvk.kind)));
                }
            }
            None => findings.extend(shape(&schemas, desired, &gvk)),
        }
        findings.extend(lost_sources(desired));
        findings.extend(clash(desired));
        findings.extend(texts_only(desired));
        findings.extend(pods_within(desired));
    }
    for unit in subject.units {
        findings.extend(twice(unit));
        let minor = minors.get(unit.name.as_str()).copied().flatten();
        findings.extend(minor.into_iter().flat_map(|minor| left_out(unit, minor)));
    }
    findings
}

fn removed(gvk: &Gvk, gone: &Removed) -> Finding {
    let finding = RULE
        .finding(format!(
            "{} of {} is no longer served: it went with Kubernetes 1.{}",
            gvk.kind,
            gvk.api_version(),
            gone.since
        ))
        .because("the API does not know the kind, and the whole release is refused");
    match &gone.successor {
        Successor::ApiVersion(next) => finding.help(format!("use {next}")),
        Successor::Words(words) => finding.help(format!("use {words}")),
        Successor::Unsaid => finding,
    }
}

/// What the schema of a kind objects to: the object's own, or its successor's.
fn shape(schemas: &Schemas, desired: &Desired, gvk: &Gvk) -> Vec<Finding> {
    if schemas.kind(gvk).is_none() {
        let mut findings = published::judged(desired, gvk).unwrap_or_else(|| assumed(desired, gvk));
        findings.extend(metadata(desired, gvk));
        return findings;
    }
    if let Some(finding) = refused(schemas, desired, gvk) {
        return vec![finding];
    }
    let unknown = schemas.decode(gvk, desired.object.value()).map(|decoded| decoded.findings).unwrap_or_default();
    let is_own = *gvk == desired.object.gvk();
    let mut findings = Vec::new();
    for text in unknown {
        let Some(field) = text.strip_prefix("unknown field ").map(|field| field.trim_matches('"')) else { continue };
        if !is_own && had(&desired.object.gvk(), field) {
            continue;
        }
        let meant = schemas.kind(gvk).and_then(|root| meant(root, desired.object.value(), field));
        let finding = dropped(desired, gvk, field, "", meant);
        // A version that is gone had other fields.
        findings.push(if is_own { finding } else { finding.weighing(Severity::Warning) });
    }
    findings
}

/// Fields that definitions of `v1beta1` had, and those of `v1` have elsewhere: whoever writes the version anew moves them.
const OF_OLD_DEFINITIONS: &[&str] =
    &["spec.additionalPrinterColumns", "spec.subresources", "spec.validation", "spec.version"];

/// Whether a version that is gone had a field: that the version is gone says enough of it.
fn had(gvk: &Gvk, field: &str) -> bool {
    let is_definition = gvk.kind == "CustomResourceDefinition" && gvk.api_version() == "apiextensions.k8s.io/v1beta1";
    is_definition && OF_OLD_DEFINITIONS.contains(&field)
}

/// A field that a kind does not have: an error where it shows what was meant.
fn dropped(desired: &Desired, gvk: &Gvk, field: &str, by_whom: &str, meant: Option<String>) -> Finding {
    let finding = RULE
        .finding(format!("{} has no field `{field}`", gvk.kind))
        .because(format!("the API drops it without a word, and what was meant does not happen{by_whom}"))
        .at(desired.spot_at(field));
    match meant {
        Some(meant) => finding.help(meant),
        None => finding.weighing(Severity::Warning).help("correct its name or its place"),
    }
}

/// What every object may say of itself, whatever its kind.
///
/// ORIGIN: <https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#objectmeta-v1-meta>
const OF_METADATA: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Fields of an object's metadata that no kind has, of a kind whose other fields may not be known here.
fn metadata(desired: &Desired, gvk: &Gvk) -> Vec<Finding> {
    let fields = desired.object.at("/metadata").and_then(serde_json::Value::as_object).into_iter().flatten();
    let unknown = fields.map(|(name, _)| name.as_str()).filter(|name| !OF_METADATA.contains(name));
    unknown
        .map(|name| {
            let near = landfall_diag::nearest(name, OF_METADATA.iter().copied());
            let meant = near.map(|near| format!("did you mean `metadata.{near}`?"));
            dropped(desired, gvk, &format!("metadata.{name}"), "", meant)
        })
        .collect()
}

/// What our own words of a simulated operator's kind object to: they may be older or newer than the operator, and only wrong
/// types are certain.
fn assumed(desired: &Desired, gvk: &Gvk) -> Vec<Finding> {
    let kind = (gvk.group.clone(), gvk.kind.clone());
    let mut read = ASSUMED.lock().unwrap_or_else(PoisonError::into_inner);
    let schemas = read.entry(kind).or_insert_with(|| {
        let definition = landfall_object::operators::definition(&gvk.group, &gvk.kind)?;
        let definition = Object::from_value(definition).ok()?;
        let mut schemas = Schemas::builtin();
        schemas.join(&definition).ok().map(|_| Arc::new(schemas))
    });
    let schemas = schemas.clone();
    drop(read);
    schemas.and_then(|schemas| refused(&schemas, desired, gvk)).into_iter().collect()
}

/// The kinds of simulated operators, each read once: what is made of a definition is big.
static ASSUMED: LazyLock<Mutex<AssumedKinds>> = LazyLock::new(Mutex::default);
type AssumedKinds = BTreeMap<(String, String), Option<Arc<Schemas>>>;

fn refused(schemas: &Schemas, desired: &Desired, gvk: &Gvk) -> Option<Finding> {
    let text = match schemas.decode(gvk, desired.object.value()) {
        Err(DecodeError::Type(text)) => text,
        _ => return None,
    };
    let (kind, name) = (desired.object.kind(), desired.object.name());
    let field = misfit::field(desired.object.value(), &text);
    let finding = RULE.finding(format!("{kind} `{name}` does not fit its kind: {text}"));
    let finding = match field.as_deref().and_then(|field| variable_at(desired.object.value(), field)) {
        Some(variable) => finding
            .because(format!("the API refuses it for its variable `{variable}`, and the delivery stops there"))
            .help("a variable is a text: print its value with `quote`"),
        None => finding.because("the API refuses it, and the delivery stops there"),
    };
    Some(match field {
        Some(field) => finding.at(desired.spot_at(&field)),
        None => finding.at(desired.spot()),
    })
}

/// The name of the variable whose value stands at a field.
fn variable_at<'v>(object: &'v Value, field: &str) -> Option<&'v str> {
    let entry = field.strip_suffix("].value").filter(|it| it.contains(".env["))?;
    let steps = entry.replace(']', "").replace(['[', '.'], "/");
    object.pointer(&format!("/{steps}/name"))?.as_str()
}

pub(super) fn minor(version: &str) -> Option<u32> {
    let digits: String = version.split('.').nth(1)?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_definitions_had_fields_that_new_ones_have_elsewhere() {
        let of = |version: &str| Gvk::new("apiextensions.k8s.io", version, "CustomResourceDefinition");
        assert!(had(&of("v1beta1"), "spec.validation") && had(&of("v1beta1"), "spec.version"));
        assert!(!had(&of("v1beta1"), "spec.validaton") && !had(&of("v1"), "spec.validation"));
        assert!(!had(&Gvk::new("policy", "v1beta1", "PodSecurityPolicy"), "spec.version"));
    }
}
