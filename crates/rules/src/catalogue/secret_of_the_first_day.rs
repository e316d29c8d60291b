mod manifest;

use std::collections::BTreeMap;

use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::{Need, references};

use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF380",
    title: "what pods do not start without is made with upgrades, too",
    severity: Severity::Info,
    why: "A hook of `pre-install` runs once in the life of a release. A Secret that is made by it alone is missing in every release that \
          comes from a version without it, and where somebody has deleted it: the new pods wait for it and never start. What a \
          template prints with the installation alone is gone with the first upgrade: Helm deletes what a release no longer has.",
    advice: "Write `helm.sh/hook: pre-install,pre-upgrade` and keep the value that is there (`lookup`), or make it an ordinary manifest.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for made in subject.objects().filter(|it| is_of_first_day(it) && !subject.is_borrowed(it)) {
        let Some(user) = user(subject, made) else { continue };
        let (kind, name) = (made.object.kind(), made.object.name());
        findings.push(
            RULE.finding(format!(
                "{kind} `{name}` is made by `pre-install` alone, and {} `{}` does not start without it",
                user.object.kind(),
                user.object.name()
            ))
            .because("a release of a version without it is upgraded and gets none")
            .at(made.spot_at("metadata.annotations[helm.sh/hook]")),
        );
    }
    findings.extend(rights(subject));
    findings.extend(manifest::of_first_day(subject));
    findings
}

/// Accounts that pods run under, and their rights, that are made with the first installation alone.
fn rights(subject: &Subject<'_>) -> Vec<Finding> {
    let is_made =
        |it: &&Desired| is_hook_of(it, &[HookEvent::PreInstall, HookEvent::PostInstall]) && !subject.is_borrowed(it);
    let made: Vec<&Desired> = subject.objects().filter(is_made).filter(|it| is_right(&it.object)).collect();
    if made.is_empty() {
        return Vec::new();
    }
    let mut users: BTreeMap<(&str, &str), &Desired> = BTreeMap::new();
    for (user, template) in subject.pods().filter(|(it, _)| it.role == Role::Manifest) {
        if let Some(account) = template.spec.get("serviceAccountName").and_then(|it| it.as_str()) {
            users.entry((user.object.namespace().unwrap_or_default(), account)).or_insert(user);
        }
    }
    let of_account = |namespace: &str, name: &str| users.get(&(namespace, name)).copied();
    let of_binding = |binding: &Object| {
        binding.list_at("/subjects").iter().filter(|it| it["kind"] == "ServiceAccount").find_map(|it| {
            let namespace = it["namespace"].as_str().or(binding.namespace()).unwrap_or_default();
            of_account(namespace, it["name"].as_str()?)
        })
    };
    let bindings = ["RoleBinding", "ClusterRoleBinding"].into_iter().flat_map(|kind| subject.of_kind(RBAC, kind));
    let bindings: Vec<&Object> = bindings.map(|it| &it.object).collect();
    let user_of = |object: &Object| match object.kind() {
        "ServiceAccount" => of_account(object.namespace().unwrap_or_default(), object.name()),
        "Role" | "ClusterRole" => bindings.iter().find_map(|binding| {
            let role = binding.at("/roleRef")?;
            let is_it = role["kind"] == object.kind() && role["name"] == object.name();
            let is_near = object.kind() == "ClusterRole" || binding.namespace() == object.namespace();
            of_binding(binding).filter(|_| is_it && is_near)
        }),
        _ => of_binding(object),
    };
    let of = |made: &&Desired| {
        let user = user_of(&made.object)?;
        let (kind, name) = (made.object.kind(), made.object.name());
        let finding = RULE.finding(format!(
            "{kind} `{name}` is made by hooks of the first installation alone, and {} `{}` runs with it",
            user.object.kind(),
            user.object.name()
        ));
        let policy = made.object.annotation("helm.sh/hook-delete-policy").unwrap_or_default();
        let is_made_room_for =
            policy.is_empty() || policy.contains("before-hook-creation") || policy.contains("succeeded");
        let because = match is_made_room_for {
            true => "no upgrade changes it or brings it back, and it stays when the release is gone".to_owned(),
            false => format!(
                "no upgrade changes it or brings it back, and with `{policy}` it stays when the release is gone: the next installation \
                 is refused, for it is there"
            ),
        };
        Some(finding.because(because).at(made.spot_at("metadata.annotations[helm.sh/hook]")))
    };
    made.iter().filter_map(of).collect()
}

const RBAC: &str = "rbac.authorization.k8s.io";

fn is_right(object: &Object) -> bool {
    let is_account = object.group().is_empty() && object.kind() == "ServiceAccount";
    is_account || object.group() == RBAC
}

/// Whether an object is a hook of these events and of no other.
fn is_hook_of(desired: &Desired, of: &[HookEvent]) -> bool {
    let Role::Hook { events, .. } = &desired.role else { return false };
    !events.is_empty() && events.iter().all(|it| of.contains(it))
}

/// Whether a Secret or ConfigMap is a hook of the first installation and of nothing else.
fn is_of_first_day(desired: &Desired) -> bool {
    desired.object.group().is_empty()
        && matches!(desired.object.kind(), "Secret" | "ConfigMap")
        && is_hook_of(desired, &[HookEvent::PreInstall])
}

/// A workload that lasts and does not start without an object.
fn user<'a>(subject: &Subject<'a>, made: &Desired) -> Option<&'a Desired> {
    let needs = |user: &Desired| {
        references(&user.object).iter().any(|it| {
            it.need == Need::Start
                && it.group.is_empty()
                && it.kind == made.object.kind()
                && it.name == made.object.name()
                && it.namespace.as_deref() == made.object.namespace()
        })
    };
    let lasting = subject.pods().map(|(desired, _)| desired).filter(|it| it.role == Role::Manifest);
    lasting.into_iter().find(|it| it.unit == made.unit && needs(it))
}
