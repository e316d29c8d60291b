mod calls;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use self::calls::{Call, calls};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF267",
    title: "scripts that call kubectl may do what they ask for",
    severity: Severity::Warning,
    why: "A script that calls kubectl asks with the rights of its pod's account. What no role of that account allows is refused \
          when the script runs: in the middle of an installation, with a Secret that is not made and pods that wait for it.",
    advice: "Give the account's role the verb, or take the call away.",
    check,
};

const GROUP: &str = "rbac.authorization.k8s.io";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let Some(account) = template.spec["serviceAccountName"].as_str().filter(|it| !it.is_empty()) else { continue };
        let namespace = desired.object.namespace();
        // What somebody else's account may do is not known here.
        if subject.desired("", "ServiceAccount", namespace, account).is_none() {
            continue;
        }
        let Some(rules) = rules_of(subject, namespace, account) else { continue };
        for container in template.containers() {
            let words = ["command", "args"]
                .into_iter()
                .flat_map(|part| container.value[part].as_array().into_iter().flatten().filter_map(Value::as_str));
            for (at, script) in words.enumerate() {
                for call in calls(script, namespace.unwrap_or_default()) {
                    let Some(verb) = call.lacking(&rules) else { continue };
                    let (kind, name) = (desired.object.kind(), desired.object.name());
                    let length = container.value["command"].as_array().map_or(0, Vec::len);
                    let field = if at < length {
                        format!("{}.command[{at}]", container.path)
                    } else {
                        format!("{}.args[{}]", container.path, at - length)
                    };
                    findings.push(
                        lacks(&call, verb, account, &rules)
                            .keyed(format!("{kind} {name} {verb} {}", call.resource))
                            .at(desired.spot_at(&field)),
                    );
                }
            }
        }
    }
    findings.dedup_by(|one, other| one.message == other.message && one.key == other.key);
    findings
}

fn lacks(call: &Call, verb: &str, account: &str, rules: &[Value]) -> Finding {
    let finding = RULE
        .finding(format!(
            "the script calls `kubectl {}`, and ServiceAccount `{account}` may not {verb} {}",
            call.said, call.resource
        ))
        .because("the call is refused when the script runs");
    // Where no role is delivered for it, somebody may bind one by hand.
    if rules.is_empty() { finding.weighing(Severity::Info) } else { finding }
}

/// The rules of all roles that are bound to an account; none where one of them is not delivered.
fn rules_of(subject: &Subject<'_>, namespace: Option<&str>, account: &str) -> Option<Vec<Value>> {
    let mut rules = Vec::new();
    for kind in ["RoleBinding", "ClusterRoleBinding"] {
        for binding in
            subject.of_kind(GROUP, kind).filter(|it| it.role != Role::Definition && binds(it, namespace, account))
        {
            let (role, name) = (binding.object.str_at("/roleRef/kind")?, binding.object.str_at("/roleRef/name")?);
            let of = (role == "Role").then(|| binding.object.namespace()).flatten();
            let role = subject.desired(GROUP, role, of, name)?;
            // What other roles add to it is not in it.
            if role.object.at("/aggregationRule").is_some() {
                return None;
            }
            rules.extend(role.object.list_at("/rules").iter().cloned());
        }
    }
    Some(rules)
}

fn binds(binding: &Desired, namespace: Option<&str>, account: &str) -> bool {
    let own = binding.object.namespace();
    // A group of accounts is one of them, too.
    binding.object.list_at("/subjects").iter().any(|it| match it["kind"].as_str() {
        Some("ServiceAccount") => {
            let of = it["namespace"].as_str().filter(|of| !of.is_empty()).or(own);
            it["name"] == account && (of.is_none() || namespace.is_none() || of == namespace)
        }
        Some("Group") => it["name"].as_str().is_some_and(|name| name.starts_with("system:serviceaccounts")),
        _ => false,
    })
}
