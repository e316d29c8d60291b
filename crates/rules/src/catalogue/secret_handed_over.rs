use landfall_diag::{Finding, Severity};
use landfall_object::references::provides;
use landfall_object::{ONCE_ANNOTATION, Object};

use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF148",
    title: "a Secret that an operator takes over is not deleted on the way",
    severity: Severity::Error,
    why: "A chart that renders a Secret today and a SealedSecret of the same name tomorrow has the Secret deleted by Helm and by \
          Argo CD when the new revision no longer renders it; and the controller refuses to write over one that it does not \
          manage. In between pods do not start, and which of the two comes last is chance. Landfall hands it over instead: it \
          marks the Secret, keeps it and its uid, and only tells of it; but not from one release or Application to another, and \
          not one with keys that are generated once.",
    advice: "Who delivers with something else first marks the Secret that is there with \
             `sealedsecrets.bitnami.com/managed: \"true\"` and keeps it (`helm.sh/resource-policy: keep`, \
             `argocd.argoproj.io/sync-options: Prune=false`), and leaves it out of the chart one revision later. A key that is \
             generated once stays a plain Secret, or is sealed with the value that it has.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects().filter(|it| !matches!(it.role, Role::Hook { .. })) {
        for made in provides(&desired.object).into_iter().filter(|made| made.kind == "Secret") {
            let namespace = made.namespace.as_deref();
            if subject.desired("", "Secret", namespace, &made.name).is_some() {
                continue;
            }
            let Some((old, unit)) = rendered_before(subject, desired, namespace, &made.name) else { continue };
            let managed = old.annotation("sealedsecrets.bitnami.com/managed") == Some("true")
                || old.annotation("sealedsecrets.bitnami.com/patch") == Some("true");
            let sealed = desired.object.kind() == "SealedSecret";
            if is_kept(old) && (managed || !sealed) {
                continue;
            }
            let (kind, name) = (desired.object.kind(), desired.object.name());
            let once = old.annotation(ONCE_ANNOTATION).unwrap_or_default();
            let (because, severity) = match sealed {
                true if !once.is_empty() => (
                    format!("{once} of it is generated once: what is sealed may be another value, and it is not handed over"),
                    Severity::Error,
                ),
                true if unit == desired.unit => (
                    "Landfall marks the Secret and keeps it, with its uid; Helm and Argo CD delete it with this revision".to_owned(),
                    Severity::Info,
                ),
                true => (
                    format!("`{unit}` deletes it as it no longer renders it, or the controller refuses it because it is not its own"),
                    Severity::Error,
                ),
                false => (
                    "the Secret is deleted with the revision that no longer renders it, and pods that start then wait for the new one"
                        .to_owned(),
                    Severity::Warning,
                ),
            };
            findings.push(
                RULE.finding(format!(
                    "Secret `{}` was rendered by the chart and is handed over to {kind} `{name}`",
                    made.name
                ))
                .weighing(severity)
                .because(because)
                .at(desired.spot()),
            );
        }
    }
    findings
}

/// The Secret as the last revision rendered it, and by which unit.
fn rendered_before<'a>(
    subject: &Subject<'a>,
    desired: &'a Desired,
    namespace: Option<&str>,
    name: &str,
) -> Option<(&'a Object, &'a str)> {
    let is_it = |object: &Object| {
        object.group().is_empty()
            && object.kind() == "Secret"
            && object.namespace() == namespace
            && object.name() == name
    };
    let based = subject.base.into_iter().flatten().flat_map(|unit| &unit.objects);
    let manifests = based.filter(|it| it.role == Role::Manifest);
    let old = manifests.map(|it| (&it.object, it.unit.as_str())).find(|(object, _)| is_it(object));
    old.or_else(|| {
        let live = subject.before.get("", "Secret", namespace, name)?;
        let ours = live.annotation("meta.helm.sh/release-name") == Some(desired.unit.as_str());
        (ours && live.controller().is_none()).then_some((live, desired.unit.as_str()))
    })
}

fn is_kept(old: &Object) -> bool {
    let options = old.annotation("argocd.argoproj.io/sync-options").unwrap_or_default();
    old.annotation("helm.sh/resource-policy") == Some("keep")
        || options.split(',').any(|option| option.trim() == "Prune=false")
}
