use landfall_diag::{Finding, Severity, Spot};
use landfall_object::lifecycle::{self, Successor};
use landfall_object::schema::{DecodeError, Schemas};
use landfall_object::{Gvk, Object};
use landfall_yaml::Error;

use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Subject};

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
    for definition in subject.of_kind("apiextensions.k8s.io", "CustomResourceDefinition") {
        // One that cannot be read is the API's to refuse.
        let _ = schemas.join(&definition.object);
    }
    for definition in subject.before.of_kind("apiextensions.k8s.io", "CustomResourceDefinition") {
        let _ = schemas.join(definition);
    }
    let minor = minor(&subject.cluster.version);
    let mut findings = Vec::new();
    for desired in subject.objects() {
        match removed(&desired.object.gvk(), minor) {
            Some(finding) => findings.push(finding.at(desired.spot_at("apiVersion"))),
            None => findings.extend(shape(&mut schemas, desired)),
        }
    }
    for unit in subject.units {
        findings.extend(twice(unit));
    }
    findings
}

fn removed(gvk: &Gvk, minor: Option<u32>) -> Option<Finding> {
    let gone = lifecycle::removed(gvk, minor?)?;
    let finding = RULE
        .finding(format!(
            "{} of {} is no longer served: it went with Kubernetes 1.{}",
            gvk.kind,
            gvk.api_version(),
            gone.since
        ))
        .because("the API does not know the kind, and the whole release is refused");
    Some(match gone.successor {
        Successor::ApiVersion(next) => finding.help(format!("use {next}")),
        Successor::Words(words) => finding.help(format!("use {words}")),
        Successor::Unsaid => finding,
    })
}

/// What the kind's schema objects to.
fn shape(schemas: &mut Schemas, desired: &Desired) -> Vec<Finding> {
    let gvk = desired.object.gvk();
    let mut known = schemas.kind(&gvk).is_some();
    if !known && let Some(definition) = landfall_object::operators::definition(&gvk.group, &gvk.kind) {
        let joined = Object::from_value(definition).is_ok_and(|definition| schemas.join(&definition).is_ok());
        known = joined && schemas.kind(&gvk).is_some();
        // Our own table of an operator's kind may be older or newer than the operator: only wrong types are certain.
        if known {
            return refused(schemas, desired, &gvk).into_iter().collect();
        }
    }
    if !known {
        return Vec::new();
    }
    if let Some(finding) = refused(schemas, desired, &gvk) {
        return vec![finding];
    }
    let unknown = schemas.decode(&gvk, desired.object.value()).map(|decoded| decoded.findings).unwrap_or_default();
    let mut findings = Vec::new();
    for text in unknown {
        let Some(field) = text.strip_prefix("unknown field ").map(|field| field.trim_matches('"')) else { continue };
        findings.push(
            RULE.finding(format!("{} has no field `{field}`", gvk.kind))
                .weighing(Severity::Warning)
                .because("the API drops it without a word, and what was meant does not happen")
                .help("correct its name or its place")
                .at(desired.spot_at(field)),
        );
    }
    findings
}

fn refused(schemas: &Schemas, desired: &Desired, gvk: &Gvk) -> Option<Finding> {
    let text = match schemas.decode(gvk, desired.object.value()) {
        Err(DecodeError::Type(text)) => text,
        _ => return None,
    };
    let (kind, name) = (desired.object.kind(), desired.object.name());
    Some(
        RULE.finding(format!("{kind} `{name}` does not fit its kind: {text}"))
            .because("the API refuses it, and the delivery stops there")
            .at(desired.spot()),
    )
}

/// Keys that are written twice in one mapping.
fn twice(unit: &DesiredUnit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for chart in &unit.rendered.charts {
        let manifests = chart.manifests.iter().chain(chart.hooks.iter().map(|hook| &hook.manifest));
        // Strict reading counts a key that a mapping has beside a merge as written twice; it only overrides.
        for manifest in manifests.filter(|manifest| !manifest.text.contains("<<:")) {
            let Err(Error::Duplicates(duplicates)) = landfall_yaml::to_json_strict(&manifest.text) else { continue };
            let Ok(object) = Object::from_value(manifest.object()) else { continue };
            // The unit places what has no namespace of its own.
            let placed = unit.objects.iter().find(|it| {
                it.object.kind() == object.kind()
                    && it.object.name() == object.name()
                    && it.object.group() == object.group()
            });
            let spot = placed.map_or_else(|| Spot::object(Some(&unit.name), object.key()), Desired::spot);
            for duplicate in duplicates {
                let key = duplicate.key.trim_matches('"');
                findings.push(
                    RULE.finding(format!(
                        "{} `{}` has the key `{key}` twice in one place",
                        object.kind(),
                        object.name()
                    ))
                    .weighing(Severity::Warning)
                    .because("the later one counts, and strict readers refuse the whole file")
                    .help(format!(
                        "remove one of the two; the second is at line {} of the rendered manifest",
                        duplicate.at.line()
                    ))
                    .at(spot.clone()),
                );
            }
        }
    }
    findings
}

fn minor(version: &str) -> Option<u32> {
    let digits: String = version.split('.').nth(1)?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
