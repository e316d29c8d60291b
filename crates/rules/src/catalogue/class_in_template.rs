use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF147",
    title: "what differs from cluster to cluster is a value, not a word in a template",
    severity: Severity::Info,
    why: "A class or an issuer that a template spells out fits one cluster. On the next one the claim is never bound, the \
          Ingress never taken up, and no value can change it.",
    advice: "Read it from the values, with what stands there now as the default.",
    check,
};

/// Fields that name something of the cluster: group, kind, field as a pointer and as a path.
const FIELDS: &[(&str, &str, &str, &str)] = &[
    ("networking.k8s.io", "Ingress", "/spec/ingressClassName", "spec.ingressClassName"),
    ("", "PersistentVolumeClaim", "/spec/storageClassName", "spec.storageClassName"),
    ("cert-manager.io", "Certificate", "/spec/issuerRef/name", "spec.issuerRef.name"),
    ("gateway.networking.k8s.io", "Gateway", "/spec/gatewayClassName", "spec.gatewayClassName"),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects() {
        let object = &desired.object;
        for (_, kind, pointer, path) in
            FIELDS.iter().filter(|(group, kind, _, _)| *group == object.group() && *kind == object.kind())
        {
            let Some(word) = object.str_at(pointer).filter(|word| !word.is_empty()) else { continue };
            // What the same delivery brings along is there wherever it goes.
            let brought = subject.objects().any(|it| it.object.name() == word && it.object.kind() != object.kind());
            let origin = subject.unit(&desired.unit).and_then(|unit| unit.rendered.origin(&desired.key(), path));
            let Some(origin) = origin.filter(|origin| !brought && origin.sources.is_empty()) else { continue };
            // Without a line of a template it was made at run time, from what is not known.
            if origin.template.is_none() {
                continue;
            }
            findings.push(
                RULE.finding(format!("{kind} `{}` spells out `{word}`", object.name()))
                    .keyed(format!("{kind} {path} {word}"))
                    .because("no value can make it fit another cluster")
                    .at(desired.spot_at(path)),
            );
        }
    }
    findings
}
