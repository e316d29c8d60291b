//! Who may do what: evaluation of Roles and bindings (`plugin/pkg/auth/authorizer/rbac`).

use serde_json::Value;

use crate::status::{Status, qualified};
use crate::world::{User, World};

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
    if user.groups.iter().any(|group| group == "system:masters") {
        return true;
    }
    let mut found = false;
    visit_rules(world, user, &asked.namespace, &mut |rule| {
        found = found || rule_allows(rule, asked);
        !found
    });
    found
}

/// Shows all rules that hold for a user in a namespace, until `visit` says stop.
pub(crate) fn visit_rules(world: &World, user: &User, namespace: &str, visit: &mut dyn FnMut(&Value) -> bool) {
    let mut rules_of = |binding: &Value, namespace: &str| -> bool {
        let role = match binding["roleRef"]["kind"].as_str() {
            Some("ClusterRole") => {
                world.find("clusterroles.rbac.authorization.k8s.io", "", text(&binding["roleRef"]["name"]))
            }
            _ => world.find("roles.rbac.authorization.k8s.io", namespace, text(&binding["roleRef"]["name"])),
        };
        role.iter().flat_map(|role| role["rules"].as_array().into_iter().flatten()).all(|rule| visit(rule))
    };
    for binding in world.list("clusterrolebindings.rbac.authorization.k8s.io", None) {
        if binds(binding, user, "") && !rules_of(binding, "") {
            return;
        }
    }
    if namespace.is_empty() {
        return;
    }
    for binding in world.list("rolebindings.rbac.authorization.k8s.io", Some(namespace)) {
        if binds(binding, user, namespace) && !rules_of(binding, namespace) {
            return;
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn binds(binding: &Value, user: &User, namespace: &str) -> bool {
    binding["subjects"].as_array().into_iter().flatten().any(|subject| match text(&subject["kind"]) {
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
