use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::{Finding, Severity, Spot};
use landfall_object::Object;
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF118",
    title: "sealed values can be opened where they are delivered",
    severity: Severity::Error,
    why: "A sealed value is bound to the namespace and name it was sealed for, and to the key of one cluster. Copied from \
          one environment into another it is delivered without an error, and the Secret never appears.",
    advice: "Seal the value again for this environment, name and namespace.",
    check,
};

/// The fewest bytes of a sealed value: the length, a session key of RSA with 2,048 bits, an authentication tag.
const LEAST: usize = 2 + 256 + 16;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let sealed = || subject.of_kind("bitnami.com", "SealedSecret");
    let mut findings = Vec::new();
    let mut seen: BTreeMap<&str, (&Desired, &str)> = BTreeMap::new();
    for desired in sealed() {
        let (object, called) = (&desired.object, name(&desired.object));
        for (key, text) in encrypted(object) {
            let field = format!("spec.encryptedData[{key}]");
            let spot = || desired.spot_at(&field);
            if let Some(why) = malformed(text) {
                findings.push(
                    RULE.finding(format!("`{key}` of {called} is not a sealed value: {why}"))
                        .keyed(format!("{called} malformed"))
                        .weighing(Severity::Warning)
                        .because("the controller refuses the whole SealedSecret")
                        .at(spot()),
                );
                continue;
            }
            // What was sealed for one place opens in no other; a copy of a value is a copy of its binding.
            match seen.get(text) {
                Some((first, other)) if binding(&first.object) != binding(object) || *other != key => {
                    findings.push(
                        RULE.finding(format!(
                            "`{key}` of {called} is the very value of `{other}` of {}",
                            name(&first.object)
                        ))
                        .because("it was sealed for one of the two, and the other cannot be opened")
                        .at(spot())
                        .at(first.spot_at(&format!("spec.encryptedData[{other}]"))),
                    );
                }
                Some(_) => {}
                None => drop(seen.insert(text, (desired, key))),
            }
        }
        findings.extend(refused(subject, desired));
        findings.extend(copied(subject, desired));
    }
    findings
}

/// What the cluster's own controller has said of the same sealed values.
fn refused(subject: &Subject<'_>, desired: &Desired) -> Option<Finding> {
    let object = &desired.object;
    let live = subject.before.of(&desired.key())?;
    // A new text is a new question.
    if live.at("/spec/encryptedData") != object.at("/spec/encryptedData") {
        return None;
    }
    let condition = live
        .list_at("/status/conditions")
        .iter()
        .find(|condition| condition["type"] == "Synced" && condition["status"] == "False")?;
    let said = condition["message"].as_str().unwrap_or("no reason given");
    Some(
        RULE.finding(format!("{} cannot be opened on this cluster: {said}", name(object)))
            .because("the Secret that it makes is missing or old")
            .at(desired.spot()),
    )
}

/// Values that the cluster has sealed for another place.
fn copied(subject: &Subject<'_>, desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    let mut findings = Vec::new();
    for other in subject.before.of_kind("bitnami.com", "SealedSecret") {
        if other.key().without_version() == desired.key().without_version() || binding(other) == binding(object) {
            continue;
        }
        let theirs: BTreeMap<&str, &str> = encrypted(other).map(|(key, text)| (text, key)).collect();
        for (key, text) in encrypted(object).filter(|(_, text)| malformed(text).is_none()) {
            let Some(at) = theirs.get(text) else { continue };
            findings.push(
                RULE.finding(format!("`{key}` of {} is the very value of `{at}` of {}", name(object), name(other)))
                    .because("it was sealed for one of the two, and the other cannot be opened")
                    .at(desired.spot_at(&format!("spec.encryptedData[{key}]")))
                    .at(Spot::object(None, other.key())),
            );
        }
    }
    findings
}

/// For whom a SealedSecret's values can be opened: by its scope, for its name, its namespace, or the whole cluster.
fn binding(object: &Object) -> (Option<&str>, Option<&str>) {
    let is = |name: &str| {
        let below = object.str_at(&format!("/spec/template/metadata/annotations/{}", name.replace('/', "~1")));
        object.annotation(name).or(below) == Some("true")
    };
    if is("sealedsecrets.bitnami.com/cluster-wide") {
        (None, None)
    } else if is("sealedsecrets.bitnami.com/namespace-wide") {
        (object.namespace(), None)
    } else {
        (object.namespace(), Some(object.name()))
    }
}

fn encrypted(object: &Object) -> impl Iterator<Item = (&str, &str)> {
    let map = object.at("/spec/encryptedData").and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// Why a text cannot be a sealed value, whatever the key.
fn malformed(text: &str) -> Option<String> {
    let Ok(bytes) = STANDARD.decode(text.trim()) else { return Some("it is not base64".to_owned()) };
    let [high, low, ..] = bytes.as_slice() else { return Some("it is empty".to_owned()) };
    let session = usize::from(u16::from_be_bytes([*high, *low]));
    if bytes.len() < LEAST || session < 256 || bytes.len() < 2 + session + 16 {
        return Some(format!("its {} bytes hold no session key", bytes.len()));
    }
    None
}

fn name(object: &Object) -> String {
    let namespace = object.namespace().map(|namespace| format!(" ({namespace})")).unwrap_or_default();
    format!("SealedSecret `{}`{namespace}", object.name())
}
