//! Who may do what: evaluation of Roles and bindings (`plugin/pkg/auth/authorizer/rbac`).

mod escalation;
mod rule;

use serde_json::Value;

use crate::status::{Status, qualified};
use crate::world::{Authorization, User, World};

pub(crate) use escalation::confirm as confirm_no_escalation;
use rule::Rule;

const GROUP: &str = "rbac.authorization.k8s.io";
const ROLES: &str = "roles.rbac.authorization.k8s.io";
const CLUSTER_ROLES: &str = "clusterroles.rbac.authorization.k8s.io";

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
    match decide(world, user, asked) {
        Decision::Allowed(_) => Ok(()),
        Decision::NoOpinion(why) => Err(refusal(user, asked, &why)),
    }
}

/// True when the user may.
pub(crate) fn allowed(world: &World, user: &User, asked: &Attributes) -> bool {
    matches!(decide(world, user, asked), Decision::Allowed(_))
}

/// Whether a user may, and why or why not.
pub(crate) enum Decision {
    /// He may; why, in the real server's words, which is empty for those who may everything.
    Allowed(String),
    /// Nothing allows it; what went wrong while that was looked for, empty for nothing.
    NoOpinion(String),
}

/// True for members of the group that may everything.
fn is_master(user: &User) -> bool {
    user.groups.iter().any(|group| group == "system:masters")
}

/// Whether the user may, and why, in the real server's words.
pub(crate) fn decide(world: &World, user: &User, asked: &Attributes) -> Decision {
    if is_master(user) || world.settings().authorization == Authorization::AlwaysAllow {
        return Decision::Allowed(String::new());
    }
    let mut found = None;
    let missing = visit(world, user, &asked.namespace, &mut |rule, binding, subject| {
        if rule_allows(rule, asked) {
            found = Some(explain(binding, subject));
        }
        found.is_none()
    });
    match found {
        Some(why) => Decision::Allowed(why),
        None if missing.is_empty() => Decision::NoOpinion(String::new()),
        None => Decision::NoOpinion(format!("RBAC: {}", told(&missing, MissingRole::singular))),
    }
}

/// A role that a binding refers to and that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MissingRole {
    kind: RoleKind,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RoleKind {
    Role,
    ClusterRole,
}

impl MissingRole {
    /// As caches of objects call it.
    fn singular(&self) -> &'static str {
        match self.kind {
            RoleKind::Role => "role",
            RoleKind::ClusterRole => "clusterrole",
        }
    }
}

/// Several errors in one text (`utilerrors.NewAggregate`).
fn told<'w>(missing: &[MissingRole], word: impl Fn(&MissingRole) -> &'w str) -> String {
    let mut texts: Vec<String> = Vec::new();
    for role in missing {
        let text = format!("{}.{GROUP} \"{}\" not found", word(role), role.name);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        _ => format!("[{}]", texts.join(", ")),
    }
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

/// All rules that hold for a user in a namespace, and the roles that are missing for more.
fn rules_for(world: &World, user: &User, namespace: &str) -> (Vec<Rule>, Vec<MissingRole>) {
    let mut rules = Vec::new();
    let missing = visit(world, user, namespace, &mut |rule, _, _| {
        rules.push(Rule::of(rule));
        true
    });
    (rules, missing)
}

/// Shows rule, binding and subject; stops when `show` gives false. Gives the roles that were not there.
fn visit(
    world: &World,
    user: &User,
    namespace: &str,
    show: &mut dyn FnMut(&Value, &Value, &Value) -> bool,
) -> Vec<MissingRole> {
    let mut missing = Vec::new();
    let mut rules_of = |binding: &Value, subject: &Value, namespace: &str| -> bool {
        match referred_rules(world, &binding["roleRef"], namespace) {
            Ok(rules) => rules.iter().all(|rule| show(rule, binding, subject)),
            Err(role) => {
                missing.push(role);
                true
            }
        }
    };
    for binding in world.list("clusterrolebindings.rbac.authorization.k8s.io", None) {
        if let Some(subject) = bound(binding, user, "")
            && !rules_of(binding, subject, "")
        {
            return missing;
        }
    }
    if namespace.is_empty() {
        return missing;
    }
    for binding in world.list("rolebindings.rbac.authorization.k8s.io", Some(namespace)) {
        if let Some(subject) = bound(binding, user, namespace)
            && !rules_of(binding, subject, namespace)
        {
            return missing;
        }
    }
    missing
}

/// The rules of the role that a binding in this namespace refers to.
fn referred_rules(world: &World, refers: &Value, namespace: &str) -> Result<Vec<Value>, MissingRole> {
    let name = text(&refers["name"]);
    let missing = |kind| MissingRole { kind, name: name.to_owned() };
    if refers["kind"] == "ClusterRole" {
        world.find(CLUSTER_ROLES, "", name).ok_or_else(|| missing(RoleKind::ClusterRole))?;
        let mut rules = Vec::new();
        cluster_rules(world, name, &mut Vec::new(), &mut rules);
        return Ok(rules);
    }
    let role = world.find(ROLES, namespace, name).ok_or_else(|| missing(RoleKind::Role))?;
    Ok(role["rules"].as_array().cloned().unwrap_or_default())
}

/// A cluster role's rules, with those of the roles that it aggregates, and that those do.
fn cluster_rules(world: &World, name: &str, seen: &mut Vec<String>, rules: &mut Vec<Value>) {
    if seen.iter().any(|known| known == name) {
        return;
    }
    seen.push(name.to_owned());
    let Some(role) = world.find(CLUSTER_ROLES, "", name) else { return };
    for rule in role["rules"].as_array().into_iter().flatten() {
        if !rules.contains(rule) {
            rules.push(rule.clone());
        }
    }
    for selector in role["aggregationRule"]["clusterRoleSelectors"].as_array().into_iter().flatten() {
        let selector = crate::selector::LabelSelector::from_value(selector);
        for other in world.select(CLUSTER_ROLES, None, &selector) {
            cluster_rules(world, other.name(), seen, rules);
        }
    }
    // The user-facing defaults take in what is labelled for them.
    if matches!(name, "admin" | "edit" | "view") {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{name}");
        for other in world.list(CLUSTER_ROLES, None) {
            if other.label(&label) == Some("true") {
                cluster_rules(world, other.name(), seen, rules);
            }
        }
    }
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
            !namespace.is_empty()
                && user
                    .name
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

/// The real server's words for a request that nothing allows; `why` is what went wrong while that was looked for
/// (`responsewriters.ForbiddenStatusError`).
pub(crate) fn refusal(user: &User, asked: &Attributes, why: &str) -> Status {
    let because = |what: String| {
        let what = what.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if why.is_empty() { what } else { format!("{what}: {why}") }
    };
    if let Some(path) = &asked.path {
        let what = because(format!("User \"{}\" cannot {} path \"{path}\"", user.name, asked.verb));
        return Status { message: format!("forbidden: {what}"), ..Status::forbidden("", "", "", "") };
    }
    let scope = if asked.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", asked.namespace)
    };
    let what = because(format!(
        "User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
        user.name,
        asked.verb,
        asked.full_resource(),
        asked.group
    ));
    let name = if asked.name.is_empty() { String::new() } else { format!(" \"{}\"", asked.name) };
    let message = format!("{}{name} is forbidden: {what}", qualified(&asked.resource, &asked.group));
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
                &Attributes::resource("list", "", "", "namespaces", ""),
                ""
            )
            .message,
            "namespaces is forbidden: User \"system:anonymous\" cannot list resource \"namespaces\" in API group \"\" at the cluster scope"
        );
    }
}
