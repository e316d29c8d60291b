use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::provides;

use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF148",
    title: "a Secret that an operator takes over is not deleted on the way",
    severity: Severity::Error,
    why: "A chart that renders a Secret today and a SealedSecret of the same name tomorrow has the Secret deleted when the \
          new revision no longer renders it; and the controller refuses to write over one that it does not manage. In \
          between pods do not start, and which of the two comes last is chance.",
    advice: "First mark the Secret that is there with `sealedsecrets.bitnami.com/managed: \"true\"` and keep it \
             (`helm.sh/resource-policy: keep`, `argocd.argoproj.io/sync-options: Prune=false`); leave it out of the chart \
             one revision later.",
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
            let Some(old) = rendered_before(subject, desired, namespace, &made.name) else { continue };
            let managed = old.annotation("sealedsecrets.bitnami.com/managed") == Some("true")
                || old.annotation("sealedsecrets.bitnami.com/patch") == Some("true");
            let sealed = desired.object.kind() == "SealedSecret";
            if is_kept(old) && (managed || !sealed) {
                continue;
            }
            let (kind, name) = (desired.object.kind(), desired.object.name());
            let because = if managed || !sealed {
                "the Secret is deleted with the revision that no longer renders it, and pods that start then wait for the new one"
            } else {
                "the Secret is deleted with this revision, or the controller refuses it because it is not its own"
            };
            findings.push(
                RULE.finding(format!(
                    "Secret `{}` was rendered by the chart and is handed over to {kind} `{name}`",
                    made.name
                ))
                .weighing(if sealed { Severity::Error } else { Severity::Warning })
                .because(because)
                .at(desired.spot()),
            );
        }
    }
    findings
}

/// The Secret as the unit's last revision rendered it.
fn rendered_before<'a>(
    subject: &Subject<'a>,
    desired: &Desired,
    namespace: Option<&str>,
    name: &str,
) -> Option<&'a Object> {
    let is_it = |object: &Object| {
        object.group().is_empty()
            && object.kind() == "Secret"
            && object.namespace() == namespace
            && object.name() == name
    };
    let based = subject.base.into_iter().flatten().flat_map(|unit| &unit.objects);
    let old = based.filter(|it| it.role == Role::Manifest).map(|it| &it.object).find(|object| is_it(object));
    old.or_else(|| {
        let live = subject.before.get("", "Secret", namespace, name)?;
        let ours = live.annotation("meta.helm.sh/release-name") == Some(desired.unit.as_str());
        (ours && live.controller().is_none()).then_some(live)
    })
}

fn is_kept(old: &Object) -> bool {
    let options = old.annotation("argocd.argoproj.io/sync-options").unwrap_or_default();
    old.annotation("helm.sh/resource-policy") == Some("keep")
        || options.split(',').any(|option| option.trim() == "Prune=false")
}
