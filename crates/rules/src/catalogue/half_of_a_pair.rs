use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};

use crate::decoded::texts;
use crate::pods::{Container, ContainerRole};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF387",
    title: "who is let in by a name and a secret has both",
    severity: Severity::Warning,
    why: "`OIDC_CLIENT_ID` without `OIDC_CLIENT_SECRET`, while `FORGE_CLIENT_SECRET` is given and nothing else \
          of `FORGE_`, is one pair under two names: the program finds no secret for its client, and nobody can \
          log in.",
    advice: "Call both halves after the same provider, as the program reads them.",
    check,
};

const ID: &str = "_CLIENT_ID";
const SECRET: &str = "_CLIENT_SECRET";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
            let told = variables(subject, desired, container);
            findings.extend(told.and_then(|told| apart(desired, container, &told)));
        }
    }
    findings
}

/// The variables of a container and where each is set; none where a part of them is not known.
fn variables(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>) -> Option<BTreeMap<String, String>> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (at, from) in container.value["envFrom"].as_array().into_iter().flatten().enumerate() {
        let sources = [("ConfigMap", &from["configMapRef"]["name"]), ("Secret", &from["secretRef"]["name"])];
        let (kind, name) = sources.into_iter().find_map(|(kind, name)| Some((kind, name.as_str()?)))?;
        let source = subject.desired("", kind, desired.object.namespace(), name)?;
        let prefix = from["prefix"].as_str().unwrap_or_default();
        let keys = texts(&source.object).into_iter().map(|(key, _, _)| format!("{prefix}{key}"));
        found.extend(keys.map(|key| (key, format!("{}.envFrom[{at}]", container.path))));
    }
    let own = container.env().map(|(at, name, _)| (name.to_owned(), format!("{}.env[{at}].name", container.path)));
    found.extend(own);
    Some(found)
}

/// The one identity without a secret and the one secret without an identity, where the first has variables of its
/// name beside it and the second has none.
fn apart(desired: &Desired, container: &Container<'_>, told: &BTreeMap<String, String>) -> Option<Finding> {
    let alone = |half: &str, other: &str| {
        let mut names = told.keys().filter_map(|name| name.strip_suffix(half));
        let found = names.find(|front| !told.contains_key(&format!("{front}{other}")))?;
        let is_only = names.all(|front| told.contains_key(&format!("{front}{other}")));
        is_only.then_some(found)
    };
    let of_name = |front: &str| told.keys().filter(|name| name.starts_with(&format!("{front}_"))).count();
    let (id, secret) = (alone(ID, SECRET)?, alone(SECRET, ID)?);
    if of_name(id) < 2 || of_name(secret) != 1 {
        return None;
    }
    let field = told.get(&format!("{secret}{SECRET}"))?;
    Some(
        RULE.finding(format!(
            "container `{}` has `{id}{ID}` without a secret, and `{secret}{SECRET}` without an identity",
            container.name
        ))
        .because("most likely they belong together, and the program looks for both under one name")
        .help(format!("did you mean `{id}{SECRET}`?"))
        .at(desired.spot_at(field)),
    )
}

#[cfg(test)]
mod tests {
    use landfall_object::Object;
    use serde_json::json;

    use super::*;
    use crate::subject::Role;

    fn told(names: &[&str]) -> bool {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}});
        let object = Object::from_value(object).expect("a map");
        let desired = Desired { object, role: Role::Manifest, unit: String::new() };
        let value = json!({});
        let container = Container { name: "web", path: String::new(), role: ContainerRole::Main, value: &value };
        let told = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        apart(&desired, &container, &told).is_some()
    }

    #[test]
    fn two_halves_are_a_pair_where_the_secret_stands_alone() {
        assert!(told(&["OIDC_CLIENT_ID", "OIDC_URL", "GITEA_CLIENT_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"]));
        for names in [
            &["OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "GITEA_CLIENT_SECRET"][..],
            &["OIDC_CLIENT_ID", "GITEA_CLIENT_SECRET"],
            &["OIDC_CLIENT_ID", "OIDC_URL", "GITEA_CLIENT_SECRET", "GITEA_URL"],
            &["OIDC_CLIENT_ID", "OIDC_URL", "A_CLIENT_ID", "GITEA_CLIENT_SECRET"],
        ] {
            assert!(!told(names), "{names:?}");
        }
    }
}
