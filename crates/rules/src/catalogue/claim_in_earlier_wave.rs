use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::references;

use crate::rule::Rule;
use crate::subject::{Desired, Door, Subject};
use crate::synced::is_synced;

pub(super) static RULE: Rule = Rule {
    id: "LF109",
    title: "a claim is not in an earlier wave than its consumer",
    severity: Severity::Info,
    why: "Most classes bind a volume only when a pod wants it. Argo CD waits for a claim of an early wave to be bound before \
          it starts the wave with the pod: each waits for the other for ever. Landfall does not wait for such a claim; \
          Argo CD does.",
    advice: "Put the claim into its consumer's wave, or annotate it with `argocd.argoproj.io/ignore-healthcheck: \"true\"`.",
    check,
};

const CLAIM: &str = "PersistentVolumeClaim";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Asking means to read the repository's files: once a unit.
    let mut by_argo: BTreeMap<&str, bool> = BTreeMap::new();
    for claim in subject.of_kind("", CLAIM) {
        let object = &claim.object;
        if object.annotation("argocd.argoproj.io/ignore-healthcheck") == Some("true") || binds_at_once(subject, object)
        {
            continue;
        }
        let uses = |it: &&Desired| {
            let same = |name: &str| name == object.name();
            it.object.namespace() == object.namespace()
                && references(&it.object).iter().any(|reference| reference.kind == CLAIM && same(&reference.name))
        };
        let Some(first) = subject.objects().filter(uses).map(|it| wave(&it.object)).min() else { continue };
        if wave(object) >= first {
            continue;
        }
        let by_argo = *by_argo.entry(&claim.unit).or_insert_with(|| is_by_argo(subject, &claim.unit));
        findings.push(
            RULE.finding(format!(
                "claim `{}` is in wave {}, its first consumer in wave {first}",
                object.name(),
                wave(object)
            ))
            .weighing(if by_argo { Severity::Warning } else { Severity::Info })
            .because("under Argo CD the claim is never bound, so the consumer's wave never starts")
            .at(claim.spot_at("metadata.annotations[argocd.argoproj.io/sync-wave]")),
        );
    }
    findings
}

/// Whether an Application of the repository has Argo CD itself deliver the unit.
fn is_by_argo(subject: &Subject<'_>, unit: &str) -> bool {
    subject.unit(unit).is_some_and(|unit| matches!(unit.door, Door::Release) && is_synced(subject, unit))
}

/// Whether the claim's class binds a volume before any pod asks for it; a class that is not known may not.
fn binds_at_once(subject: &Subject<'_>, claim: &Object) -> bool {
    let class = match claim.str_at("/spec/storageClassName") {
        Some(name) => subject.find("storage.k8s.io", "StorageClass", None, name),
        None => subject
            .after("storage.k8s.io", "StorageClass")
            .find(|found| found.object().annotation("storageclass.kubernetes.io/is-default-class") == Some("true")),
    };
    class.is_some_and(|found| found.object().str_at("/volumeBindingMode") != Some("WaitForFirstConsumer"))
}

fn wave(object: &Object) -> i64 {
    object.annotation("argocd.argoproj.io/sync-wave").and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
