use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity, Spot};
use landfall_object::Object;
use landfall_object::once_keys;
use landfall_project::{Generate, SecretKey};
use landfall_yaml::Step;

use crate::decoded::as_stored;
use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF114",
    title: "a key that was generated once never changes",
    severity: Severity::Error,
    why: "Some keys are part of the data: what was encrypted or signed with the old one can never be read again with another. \
          No restart and no rollback brings back what was lost in between.",
    advice: "Put the old value back. Such a key is replaced by hand, once its data has been moved.",
    check,
};

/// A Secret as it was, on the cluster or in the base revision, or the sealed form of one.
struct Was<'a> {
    object: &'a Object,
    /// Whether values can be told apart: sealed ones differ each time that they are sealed.
    sealed: bool,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let declared = subject.environment.and_then(|(_, environment)| environment.secrets.as_ref());
    let once = |name: &str, key: &str| {
        declared
            .filter(|secrets| secrets.target == name)
            .and_then(|secrets| secrets.keys.get(key))
            .filter(|key| matches!(key.generate, Some(Generate::Once(_))))
    };
    let mut findings = Vec::new();
    for was in before(subject) {
        let object = was.object;
        let marked: BTreeSet<String> = once_keys(object).into_iter().collect();
        let keys = keys_of(object).into_iter().filter(|key| marked.contains(key) || once(object.name(), key).is_some());
        for key in keys {
            let Some(what) = what_becomes(subject, &was, &key) else { continue };
            let declaration = once(object.name(), &key);
            let mut finding = RULE
                .finding(format!("`{key}` of {} `{}` {}", object.kind(), object.name(), what.text))
                .keyed(format!("{} {key}", object.name()))
                .weighing(what.severity)
                .because(blast(declaration))
                .at(what.spot);
            if let (Some(_), Some(file), Some((environment, _))) = (declaration, subject.project, subject.environment) {
                let steps = ["environments", environment, "secrets", "keys", &key].map(Step::Key);
                finding = finding.at(Spot::file(file.place(&steps)));
            }
            findings.push(finding);
        }
    }
    findings
}

/// What breaks with the key.
fn blast(declared: Option<&SecretKey>) -> String {
    let named: Vec<&str> =
        declared.and_then(|key| key.invalidates.as_ref()).into_iter().flat_map(|it| it.iter()).collect();
    match named.as_slice() {
        [] => "what was made with the old value can never be read again".to_owned(),
        named => format!("lost with the old value: {}", named.join(", ")),
    }
}

/// What happens to a key.
struct Fate {
    text: &'static str,
    severity: Severity,
    spot: Spot,
}

fn what_becomes(subject: &Subject<'_>, was: &Was<'_>, key: &str) -> Option<Fate> {
    let old = was.object;
    let same_name = |kind: &str, group: &str| subject.desired(group, kind, old.namespace(), old.name());
    let Some(desired) = same_name(old.kind(), old.group()) else {
        // From chart to sealing controller and back: the other one holds the key now, and is another rule's matter.
        let other = if was.sealed { same_name("Secret", "") } else { same_name("SealedSecret", "bitnami.com") };
        let leaves = other.is_none() && !was.sealed && subject.goes(old);
        // What protects itself is kept by whoever delivers.
        let (text, severity) = match once_keys(old).iter().any(|protected| protected == key) {
            true => ("is generated once, and leaves the chart: it stays on the cluster", Severity::Warning),
            false => ("is generated once, and this deletes it", Severity::Error),
        };
        let spot = Spot::object(None, old.key()).field(format!("data[{key}]"));
        return leaves.then_some(Fate { text, severity, spot });
    };
    let fate =
        |text, severity, field: &str| Some(Fate { text, severity, spot: desired.spot_at(&format!("{field}[{key}]")) });
    if was.sealed {
        let value = |object: &Object| object.at("/spec/encryptedData").and_then(|data| data.get(key)).cloned();
        return match value(&desired.object) {
            None => fate("is generated once, and this takes it out", Severity::Error, "spec.encryptedData"),
            // The same value sealed again is another text: nobody here can tell.
            now if now != value(old) => {
                fate("is generated once, and is sealed anew", Severity::Warning, "spec.encryptedData")
            }
            _ => None,
        };
    }
    let (now, before) = (as_stored(desired.object.clone()), as_stored(old.clone()));
    let field = match desired.object.at("/stringData").and_then(|data| data.get(key)) {
        Some(_) => "stringData",
        None => "data",
    };
    match subject.cluster.fingerprints.have_same(&now, &before, key) {
        None => fate("is generated once, and this takes it out", Severity::Error, "data"),
        Some(false) => fate("is generated once, and this changes it", Severity::Error, field),
        Some(true) => None,
    }
}

/// Secrets as they were: on the cluster, else as the base revision delivers them.
fn before<'a>(subject: &Subject<'a>) -> Vec<Was<'a>> {
    let live = subject.before.of_kind("", "Secret").map(|object| Was { object, sealed: false });
    let mut all: Vec<Was<'a>> = live.collect();
    let delivered = subject.base.into_iter().flatten().flat_map(|unit| &unit.objects);
    for desired in delivered.filter(|desired| desired.role == Role::Manifest) {
        let object = &desired.object;
        let sealed = match (object.group(), object.kind()) {
            ("", "Secret") => false,
            ("bitnami.com", "SealedSecret") => true,
            _ => continue,
        };
        let known = all
            .iter()
            .any(|was| !sealed && was.object.name() == object.name() && was.object.namespace() == object.namespace());
        if !known {
            all.push(Was { object, sealed });
        }
    }
    // What a sealing controller made of a SealedSecret says less than that one does.
    let sealed: Vec<(Option<&str>, &str)> =
        all.iter().filter(|was| was.sealed).map(|was| (was.object.namespace(), was.object.name())).collect();
    all.retain(|was| was.sealed || !sealed.contains(&(was.object.namespace(), was.object.name())));
    all
}

fn keys_of(object: &Object) -> BTreeSet<String> {
    let maps =
        ["/data", "/stringData", "/spec/encryptedData"].into_iter().filter_map(|field| object.at(field)?.as_object());
    maps.flat_map(|map| map.keys().cloned()).collect()
}
