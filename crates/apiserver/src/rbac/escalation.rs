//! Nobody grants what they do not hold: what stands between a write of a role or binding and the store
//! (`pkg/registry/rbac/*/policybased/storage.go`, `pkg/registry/rbac/validation/rule.go`).
//!
//! ```text
//! role       needs `escalate` on it, or every right that it names; with an aggregation rule, every right there is
//! binding    needs `bind` on the role that it refers to, or every right of that role
//! ```

use serde_json::{Value, json};

use super::rule::{self, Rule, compacted};
use super::{Attributes, GROUP, allowed, is_master, referred_rules, rules_for};
use crate::admission::Review;
use crate::status::Status;
use crate::world::World;

/// Into how many single rights (group, resource, name, verb) the rules of one write may fall; of more it is not found out
/// whether their writer holds them.
const MOST_RIGHTS: usize = 100_000;

/// How many lines of rights that are lacking are told.
const MOST_LINES: usize = 1000;

/// Refuses what would grant more than its writer holds; `asked` is the name in the request's path.
pub(crate) fn confirm(world: &World, review: &Review<'_>, asked: &str) -> Result<(), Status> {
    let resource = review.resource;
    if resource.group != GROUP || !review.subresource.is_empty() || is_master(review.user) {
        return Ok(());
    }
    match resource.plural.as_str() {
        "roles" | "clusterroles" => role(world, review, asked),
        "rolebindings" | "clusterrolebindings" => binding(world, review),
        _ => Ok(()),
    }
}

fn role(world: &World, review: &Review<'_>, asked: &str) -> Result<(), Status> {
    let plural = review.resource.plural.as_str();
    let escalate = Attributes::resource("escalate", GROUP, review.namespace, plural, asked);
    if allowed(world, review.user, &escalate) || only_for_collection(review) {
        return Ok(());
    }
    let aggregates = |role: &Value| {
        let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array();
        selectors.is_some_and(|selectors| !selectors.is_empty())
    };
    holds(world, review, &rule::all_of(&review.object["rules"])).map_err(|why| review.forbid(why))?;
    if aggregates(review.object) || review.old.is_some_and(aggregates) {
        holds(world, review, &everything())
            .map_err(|_| review.forbid("must have cluster-admin privileges to use the aggregationRule"))?;
    }
    Ok(())
}

fn binding(world: &World, review: &Review<'_>) -> Result<(), Status> {
    if only_for_collection(review) {
        return Ok(());
    }
    let refers = &review.object["roleRef"];
    let text = |field: &str| refers[field].as_str().unwrap_or_default();
    let plural = match text("kind") {
        "ClusterRole" => "clusterroles",
        "Role" => "roles",
        other => return Err(Status::plain_error(format!("unsupported role reference kind: {other:?}"))),
    };
    let bind = Attributes::resource("bind", text("apiGroup"), review.namespace, plural, text("name"));
    if allowed(world, review.user, &bind) {
        return Ok(());
    }
    let rules = referred_rules(world, refers, review.namespace)
        // The store names what is missing after the resource that the request names.
        .map_err(|missing| Status::not_found(GROUP, &review.resource.plural, &missing.name))?;
    let rules: Vec<Rule> = rules.iter().map(Rule::of).collect();
    holds(world, review, &rules).map_err(|why| review.forbid(why))
}

/// Whether the writer holds all of these rights where the object is; else which not, in the real server's words.
fn holds(world: &World, review: &Review<'_>, wanted: &[Rule]) -> Result<(), String> {
    let rights: usize = wanted.iter().fold(0, |sum, rule| sum.saturating_add(rule.rights()));
    if rights > MOST_RIGHTS {
        return Err(format!(
            "its rules spell out {rights} rights, and at most {MOST_RIGHTS} are compared with those held"
        ));
    }
    let user = review.user;
    let (held, missing_roles) = rules_for(world, user, review.namespace);
    let missing: Vec<Rule> = wanted
        .iter()
        .flat_map(Rule::single_rights)
        .filter(|right| !held.iter().any(|rule| rule.covers(right)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = compacted(missing).iter().map(Rule::to_string).collect();
    lines.sort_unstable();
    lines.dedup();
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("and {more} more"));
    }
    let groups = user.groups.iter().map(|group| format!("{group:?}")).collect::<Vec<_>>().join(" ");
    // The store names what is missing after the resource that the request names.
    let resolution = match super::told(&missing_roles, |_| &review.resource.plural) {
        text if text.is_empty() => text,
        text => format!("; resolution errors: {text}"),
    };
    Err(format!(
        "user {:?} (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{}{resolution}",
        user.name,
        lines.join("\n")
    ))
}

fn everything() -> Vec<Rule> {
    vec![
        Rule::of(&json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})),
        Rule::of(&json!({"verbs": ["*"], "nonResourceURLs": ["*"]})),
    ]
}

/// Whether an update only lets the object be collected: its owners, finalizers and managed fields change, and nothing
/// else (`pkg/registry/rbac/helpers.go`, `IsOnlyMutatingGCFields`).
fn only_for_collection(review: &Review<'_>) -> bool {
    let Some(old) = review.old else { return false };
    let rest = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for field in ["ownerReferences", "finalizers", "selfLink", "managedFields"] {
                metadata.remove(field);
            }
        }
        drop_empty(&mut object);
        object
    };
    rest(review.object) == rest(old)
}

/// An empty list or map and an absent one are the same.
fn drop_empty(value: &mut Value) {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(list) => list.iter_mut().for_each(drop_empty),
        Value::Object(map) => {
            map.values_mut().for_each(drop_empty);
            map.retain(|_, value| !is_empty(value));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_list_is_an_empty_one() {
        let mut value = json!({"a": [], "b": {"c": null}, "d": [{"e": {}}], "f": 0});
        drop_empty(&mut value);
        assert_eq!(value, json!({"d": [{}], "f": 0}));
    }
}
