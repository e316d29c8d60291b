use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::references;

use crate::decoded::texts;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF113",
    title: "nothing that holds data is deleted by leaving it out",
    severity: Severity::Error,
    why: "What a revision no longer renders is deleted on the cluster. For a claim, a database or a whole namespace that \
          means the data, and no later revision brings it back.",
    advice: "Keep the object (`helm.sh/resource-policy: keep`, `argocd.argoproj.io/sync-options: Prune=false`), or \
             delete it by hand when its data is saved.",
    check,
};

/// Kinds whose deletion takes data with it, and what goes.
const PROTECTED: &[(&str, &str, &str)] = &[
    ("", "PersistentVolumeClaim", "the volume and all that is on it"),
    ("", "PersistentVolume", "the volume and all that is on it"),
    ("", "Namespace", "everything in the namespace"),
    ("", "Secret", "the only copy of values that were drawn when it was first delivered"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", "every resource of this kind in the whole cluster"),
    ("k8s.mariadb.com", "MariaDB", "the database server with its volumes"),
    ("k8s.mariadb.com", "Database", "the database, unless its cleanupPolicy is Skip"),
    ("k8s.mariadb.com", "User", "the account, unless its cleanupPolicy is Skip"),
    ("postgresql.cnpg.io", "Cluster", "the database server with its volumes"),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let units = subject.base.into_iter().flatten();
    let before = units.flat_map(|unit| unit.objects.iter().map(move |old| (unit, old)));
    for (unit, old) in before.filter(|(_, old)| old.role == Role::Manifest && !is_kept(old)) {
        let object = &old.object;
        let protected = PROTECTED.iter().find(|(group, kind, _)| *group == object.group() && *kind == object.kind());
        let Some((_, _, lost)) = protected.filter(|_| !unit.can_make_again(old)) else { continue };
        let skipped = object.str_at("/spec/cleanupPolicy") == Some("Skip");
        if skipped || subject.desired(object.group(), object.kind(), object.namespace(), object.name()).is_some() {
            continue;
        }
        let finding = RULE
            .finding(format!("{} `{}` would be deleted", object.kind(), object.name()))
            .because(format!("the base revision rendered it and this one does not; with it goes {lost}"))
            .at(old.spot());
        // Nothing is read with a certificate: where nobody is told of it any more, another one does.
        let spare = is_certificate(object) && !is_referred_to(subject, object);
        findings.push(if spare { finding.weighing(Severity::Info) } else { finding });
    }
    findings
}

/// Whether a Secret holds a certificate with its key, and nothing else.
fn is_certificate(object: &Object) -> bool {
    let texts = texts(object);
    object.kind() == "Secret"
        && texts.iter().all(|(_, text, _)| text.trim_start().starts_with("-----BEGIN "))
        && texts.iter().any(|(_, text, _)| text.contains("-----BEGIN CERTIFICATE-----"))
}

/// Whether anything that is delivered refers to it.
fn is_referred_to(subject: &Subject<'_>, object: &Object) -> bool {
    let mut all = subject.objects().flat_map(|desired| references(&desired.object));
    all.any(|it| it.kind == object.kind() && it.name == object.name() && it.namespace.as_deref() == object.namespace())
}

fn is_kept(old: &Desired) -> bool {
    let option = |wanted: &str| {
        let options = old.object.annotation("argocd.argoproj.io/sync-options").unwrap_or_default();
        options.split(',').any(|option| option.trim() == wanted)
    };
    old.object.annotation("helm.sh/resource-policy") == Some("keep") || option("Prune=false") || option("Prune=confirm")
}
