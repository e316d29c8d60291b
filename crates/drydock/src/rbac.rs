//! Who may do what: evaluation of Roles and bindings (`plugin/pkg/auth/authorizer/rbac`).

use serde_json::Value;

use crate::status::{Status, qualified};
use crate::world::{Authorization, User, World};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Attributes {
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) namespace: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) name: String,
    /// Set instead of all that for paths such as `/version`.
    pub(crate) path: Option<String>,
}

impl Attributes {
    pub(crate) fn resource(verb: &str, group: &str, namespace: &str, resource: &str, name: &str) -> Self {
        Self {
            verb: verb.to_owned(),
            group: group.to_owned(),
            namespace: namespace.to_owned(),
            resource: resource.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn path(verb: &str, path: &str) -> Self {
        Self { verb: verb.to_owned(), path: Some(path.to_owned()), ..Self::default() }
    }

    fn full_resource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

/// 403 in the real server's words when the user may not.
pub(crate) fn authorize(world: &World, user: &User, asked: &Attributes) -> Result<(), Status> {
    if allowed(world, user, asked) { Ok(()) } else { Err(refusal(user, asked)) }
}

/// True when the user may.
pub(crate) fn allowed(world: &World, user: &User, asked: &Attributes) -> bool {
    reason(world, user, asked).is_some()
}

/// Why the user may, in the real server's words; `None` when not. Empty for those who may everything.
pub(crate) fn reason(world: &World, user: &User, asked: &Attributes) -> Option<String> {
    if user.groups.iter().any(|group| group == "system:masters")
        || world.settings().authorization == Authorization::AlwaysAllow
    {
        return Some(String::new());
    }
    let mut found = None;
    visit(world, user, &asked.namespace, &mut |rule, binding, subject| {
        if rule_allows(rule, asked) {
            found = Some(explain(binding, subject));
        }
        found.is_none()
    });
    found
}

fn explain(binding: &Value, subject: &Value) -> String {
    let name = text(&binding["metadata"]["name"]);
    let binding_name = match text(&binding["metadata"]["namespace"]) {
        "" => format!("ClusterRoleBinding \"{name}\""),
        namespace => format!("RoleBinding \"{name}/{namespace}\""),
    };
    let role = &binding["roleRef"];
    let who = match (text(&subject["kind"]), text(&subject["namespace"])) {
        ("ServiceAccount", namespace) => format!("ServiceAccount \"{}/{namespace}\"", text(&subject["name"])),
        (kind, _) => format!("{kind} \"{}\"", text(&subject["name"])),
    };
    format!("RBAC: allowed by {binding_name} of {} \"{}\" to {who}", text(&role["kind"]), text(&role["name"]))
}

/// Shows all rules that hold for a user in a namespace, until `show` says stop.
pub(crate) fn visit_rules(world: &World, user: &User, namespace: &str, show: &mut dyn FnMut(&Value) -> bool) {
    visit(world, user, namespace, &mut |rule, _, _| show(rule));
}

/// Shows rule, binding and subject; stops when `show` gives false.
fn visit(world: &World, user: &User, namespace: &str, show: &mut dyn FnMut(&Value, &Value, &Value) -> bool) {
    let mut rules_of = |binding: &Value, subject: &Value, namespace: &str| -> bool {
        let name = text(&binding["roleRef"]["name"]);
        if binding["roleRef"]["kind"] == "ClusterRole" {
            cluster_rules(world, name).iter().all(|rule| show(rule, binding, subject))
        } else {
            let role = world.find("roles.rbac.authorization.k8s.io", namespace, name);
            let rules = role.iter().flat_map(|role| role["rules"].as_array().into_iter().flatten());
            rules.into_iter().all(|rule| show(rule, binding, subject))
        }
    };
    for binding in world.list("clusterrolebindings.rbac.authorization.k8s.io", None) {
        if let Some(subject) = bound(binding, user, "")
            && !rules_of(binding, subject, "")
        {
            return;
        }
    }
    if namespace.is_empty() {
        return;
    }
    for binding in world.list("rolebindings.rbac.authorization.k8s.io", Some(namespace)) {
        if let Some(subject) = bound(binding, user, namespace)
            && !rules_of(binding, subject, namespace)
        {
            return;
        }
    }
}

/// A cluster role's rules, with those of the roles it aggregates.
fn cluster_rules(world: &World, name: &str) -> Vec<Value> {
    const ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
    let Some(role) = world.find(ROLES, "", name) else { return Vec::new() };
    let mut rules: Vec<Value> = role["rules"].as_array().cloned().unwrap_or_default();
    let mut add = |other: &Value| {
        for rule in other["rules"].as_array().into_iter().flatten() {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    };
    for selector in role["aggregationRule"]["clusterRoleSelectors"].as_array().into_iter().flatten() {
        let selector = crate::selector::LabelSelector::from_value(selector);
        for other in world.select(ROLES, None, &selector) {
            add(&other);
        }
    }
    // The user-facing defaults take in what is labelled for them.
    if matches!(name, "admin" | "edit" | "view") {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{name}");
        for other in world.list(ROLES, None) {
            if other.name() != name && other.label(&label) == Some("true") {
                add(other);
            }
        }
    }
    rules
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The subject of a binding that the user is, if any.
fn bound<'a>(binding: &'a Value, user: &User, namespace: &str) -> Option<&'a Value> {
    binding["subjects"].as_array().into_iter().flatten().find(|subject| match text(&subject["kind"]) {
        "User" => text(&subject["name"]) == user.name,
        "Group" => user.groups.iter().any(|group| *group == text(&subject["name"])),
        "ServiceAccount" => {
            let given = text(&subject["namespace"]);
            let namespace = if given.is_empty() { namespace } else { given };
            user.name
                .strip_prefix("system:serviceaccount:")
                .and_then(|rest| rest.split_once(':'))
                .is_some_and(|(ns, name)| ns == namespace && name == text(&subject["name"]))
        }
        _ => false,
    })
}

fn rule_allows(rule: &Value, asked: &Attributes) -> bool {
    let has = |field: &str, word: &str| {
        rule[field].as_array().into_iter().flatten().any(|known| known == "*" || known.as_str() == Some(word))
    };
    if !has("verbs", &asked.verb) {
        return false;
    }
    if let Some(path) = &asked.path {
        return rule["nonResourceURLs"].as_array().into_iter().flatten().filter_map(Value::as_str).any(|known| {
            known == "*" || known == path || known.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
        });
    }
    let names = rule["resourceNames"].as_array().map_or(&[][..], Vec::as_slice);
    let resource = asked.full_resource();
    let any_subresource = format!("*/{}", asked.subresource);
    has("apiGroups", &asked.group)
        && (has("resources", &resource) || (!asked.subresource.is_empty() && has("resources", &any_subresource)))
        && (names.is_empty() || names.iter().any(|name| name.as_str() == Some(&asked.name)))
}

fn refusal(user: &User, asked: &Attributes) -> Status {
    if let Some(path) = &asked.path {
        let why = format!("User \"{}\" cannot {} path \"{path}\"", user.name, asked.verb);
        return Status { message: format!("forbidden: {why}"), ..Status::forbidden("", "", "", "") };
    }
    let scope = if asked.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", asked.namespace)
    };
    let why = format!(
        "User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
        user.name,
        asked.verb,
        asked.full_resource(),
        asked.group
    );
    let name = if asked.name.is_empty() { String::new() } else { format!(" \"{}\"", asked.name) };
    let message = format!("{}{name} is forbidden: {why}", qualified(&asked.resource, &asked.group));
    Status { message, ..Status::forbidden(&asked.group, &asked.resource, &asked.name, "") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_allow_what_they_name() {
        let rule = json!({"apiGroups": ["apps"], "resources": ["deployments", "*/scale"], "verbs": ["get"]});
        let mut asked = Attributes::resource("get", "apps", "ns", "deployments", "web");
        assert!(rule_allows(&rule, &asked));
        asked.subresource = "scale".to_owned();
        assert!(rule_allows(&rule, &asked));
        asked.subresource = "status".to_owned();
        assert!(!rule_allows(&rule, &asked));
        asked.verb = "delete".to_owned();
        assert!(!rule_allows(&rule, &asked));
        assert_eq!(
            refusal(
                &User { name: "system:anonymous".to_owned(), ..User::default() },
                &Attributes::resource("list", "", "", "namespaces", "")
            )
            .message,
            "namespaces is forbidden: User \"system:anonymous\" cannot list resource \"namespaces\" in API group \"\" at the cluster scope"
        );
    }
}
