mod of_another;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::account;
use serde_json::Value;

use self::of_another::of_another;

use super::unseen_settings::find;
use crate::pods::{PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF284",
    title: "a pod keeps the account by which it has its rights",
    severity: Severity::Warning,
    why: "A program asks the API as its pod's account, with a token that is mounted into the pod. Under another account, or \
          without the token, it is refused whatever it asks for, while role and binding stand there as before.",
    advice: "Name the account that the binding names in `serviceAccountName`, and let its token be mounted.",
    check,
};

const RBAC: &str = "rbac.authorization.k8s.io";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        let object = &desired.object;
        let before = subject
            .base
            .and_then(|base| find(base, object.group(), object.kind(), object.namespace(), object.name()))
            .and_then(pod_template);
        if let Some(finding) = before.and_then(|before| under_another(subject, desired, &template, &before)) {
            findings.push(finding);
        } else {
            findings.extend(without_token(subject, desired, &template));
        }
    }
    findings.extend(of_another(subject, &RULE));
    findings
}

/// A pod whose account was given rights that are still there, and whose new one is given none.
fn under_another(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    before: &PodTemplate<'_>,
) -> Option<Finding> {
    let (old, new) = (account(before.spec), account(template.spec));
    let namespace = desired.object.namespace();
    if old == new || binding(subject, namespace, new).is_some() {
        return None;
    }
    let binding = binding(subject, namespace, old)?;
    let (kind, name) = (binding.object.kind(), binding.object.name());
    let field = if template.spec["serviceAccountName"].is_null() { "" } else { ".serviceAccountName" };
    let at = format!("{}{field}", template.path);
    Some(
        RULE.finding(format!(
            "{} `{}` runs under ServiceAccount `{new}` in place of `{old}`, which has its rights",
            desired.object.kind(),
            desired.object.name()
        ))
        .because(format!("{kind} `{name}` is for `{old}` still, and nothing gives `{new}` any rights"))
        .at(desired.spot_at(&at))
        .at(binding.spot_at("subjects")),
    )
}

/// A pod into which no token is mounted, while its account is there for its rights and for nobody else.
fn without_token(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let (object, own) = (&desired.object, account(template.spec));
    let namespace = object.namespace();
    let delivered = subject.desired("", "ServiceAccount", namespace, own)?;
    let said = template.spec.get("automountServiceAccountToken").filter(|it| !it.is_null());
    let off = said.or_else(|| delivered.object.at("/automountServiceAccountToken"));
    if off != Some(&Value::Bool(false)) || mounts_one_by_itself(template) {
        return None;
    }
    let binding = binding(subject, namespace, own)?;
    let by_account = said.is_none();
    // Another pod of the account may be the one that asks.
    let shared = subject.pods().any(|(other, pod)| {
        other.key() != desired.key()
            && other.object.namespace() == namespace
            && account(pod.spec) == own
            && pod.spec["automountServiceAccountToken"] != false
            && (!by_account || pod.spec["automountServiceAccountToken"] == true)
    });
    if shared {
        return None;
    }
    let because =
        format!("{} `{}` gives `{own}` rights that nobody can use", binding.object.kind(), binding.object.name());
    let spot = match by_account {
        false => desired.spot_at(&format!("{}.automountServiceAccountToken", template.path)),
        true => delivered.spot_at("automountServiceAccountToken"),
    };
    Some(
        RULE.finding(format!("{} `{}` has no token of its ServiceAccount `{own}`", object.kind(), object.name()))
            .because(because)
            .help("leave `automountServiceAccountToken: false` out, or take the binding away")
            .at(spot),
    )
}

/// Whether a volume brings a token, or a Secret that may hold one.
fn mounts_one_by_itself(template: &PodTemplate<'_>) -> bool {
    template.volumes().iter().any(|volume| {
        let sources = volume.pointer("/projected/sources").and_then(Value::as_array).into_iter().flatten();
        let named = volume.pointer("/secret/secretName").and_then(Value::as_str).unwrap_or_default();
        sources.into_iter().any(|source| source.get("serviceAccountToken").is_some())
            || ["token", "kubeconfig", "kube-config"].iter().any(|word| named.contains(word))
    })
}

/// A binding that gives an account rights that are asked for over the API.
fn binding<'a>(subject: &Subject<'a>, namespace: Option<&str>, account: &str) -> Option<&'a Desired> {
    let for_it = |binding: &Object| {
        binding.list_at("/subjects").iter().any(|it| {
            it["kind"] == "ServiceAccount"
                && it["name"] == account
                && it["namespace"].as_str().or(binding.namespace()) == namespace
        })
    };
    ["RoleBinding", "ClusterRoleBinding"]
        .into_iter()
        .flat_map(|kind| subject.of_kind(RBAC, kind))
        .find(|it| it.role == Role::Manifest && for_it(&it.object) && !is_only_for_use(subject, &it.object))
}

/// Whether a role gives nothing but the use of a policy, which is asked for in the pod's name and not by it.
fn is_only_for_use(subject: &Subject<'_>, binding: &Object) -> bool {
    let (Some(kind), Some(name)) = (binding.str_at("/roleRef/kind"), binding.str_at("/roleRef/name")) else {
        return false;
    };
    let namespace = if kind == "Role" { binding.namespace() } else { None };
    let Some(role) = subject.desired(RBAC, kind, namespace, name) else { return name.starts_with("system:openshift:") };
    let rules = role.object.list_at("/rules");
    let is_use = |rule: &Value| {
        rule["verbs"].as_array().is_some_and(|verbs| !verbs.is_empty() && verbs.iter().all(|verb| verb == "use"))
    };
    rules.iter().all(is_use)
}
