//! One rule of a role: which rights it names, and which it covers
//! (`k8s.io/component-helpers/auth/rbac/validation/policy_comparator.go`).

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

/// `rbac.authorization.k8s.io/v1 PolicyRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    groups: Vec<String>,
    resources: Vec<String>,
    paths: Vec<String>,
    names: Vec<String>,
    verbs: Vec<String>,
}

/// The rules in a role's list of them.
pub(super) fn all_of(rules: &Value) -> Vec<Rule> {
    rules.as_array().into_iter().flatten().map(Rule::of).collect()
}

impl Rule {
    pub(super) fn of(rule: &Value) -> Self {
        let list = |field: &str| {
            let texts = rule[field].as_array().into_iter().flatten().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        };
        Self {
            groups: list("apiGroups"),
            resources: list("resources"),
            paths: list("nonResourceURLs"),
            names: list("resourceNames"),
            verbs: list("verbs"),
        }
    }

    /// How many single rights this is.
    pub(super) fn rights(&self) -> usize {
        let of_resources = [self.groups.len(), self.resources.len(), self.names.len().max(1)]
            .into_iter()
            .fold(1, usize::saturating_mul);
        of_resources.saturating_add(self.paths.len()).saturating_mul(self.verbs.len())
    }

    /// One rule for each group, resource, name and verb, and for each path and verb.
    pub(super) fn single_rights(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let mut rights = Vec::new();
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let right =
                        Self { groups: one(group), resources: one(resource), verbs: one(verb), ..Self::default() };
                    if self.names.is_empty() {
                        rights.push(right);
                        continue;
                    }
                    rights.extend(self.names.iter().map(|name| Self { names: one(name), ..right.clone() }));
                }
            }
        }
        for path in &self.paths {
            rights.extend(self.verbs.iter().map(|verb| Self { paths: one(path), verbs: one(verb), ..Self::default() }));
        }
        rights
    }

    /// Whether whoever has this rule has that single right.
    pub(super) fn covers(&self, right: &Self) -> bool {
        let has_all = |ours: &[String], theirs: &[String]| theirs.iter().all(|text| ours.contains(text));
        let star_or_all =
            |ours: &[String], theirs: &[String]| ours.iter().any(|text| text == "*") || has_all(ours, theirs);
        let names = match right.names.is_empty() {
            true => self.names.is_empty(),
            false => self.names.is_empty() || has_all(&self.names, &right.names),
        };
        star_or_all(&self.verbs, &right.verbs)
            && star_or_all(&self.groups, &right.groups)
            && (self.resources.iter().any(|text| text == "*")
                || right.resources.iter().all(|text| self.covers_resource(text)))
            && right.paths.iter().all(|path| self.paths.iter().any(|ours| path_covers(ours, path)))
            && names
    }

    fn covers_resource(&self, resource: &str) -> bool {
        let has = |wanted: &str| self.resources.iter().any(|ours| ours == wanted);
        has(resource) || resource.split_once('/').is_some_and(|(_, part)| has(&format!("*/{part}")))
    }
}

fn path_covers(ours: &str, path: &str) -> bool {
    ours == path || (ours.ends_with('*') && path.starts_with(ours.trim_end_matches('*')))
}

/// The same rights with the verbs of one resource together (`CompactRules`).
pub(super) fn compacted(rights: Vec<Rule>) -> Vec<Rule> {
    let mut compacted: Vec<Rule> = Vec::new();
    let mut simple: HashMap<(String, String, Option<String>), usize> = HashMap::new();
    for right in rights {
        let key = match (right.groups.as_slice(), right.resources.as_slice(), right.names.as_slice()) {
            ([group], [resource], [] | [_]) if right.paths.is_empty() => {
                (group.clone(), resource.clone(), right.names.first().cloned())
            }
            _ => {
                compacted.push(right);
                continue;
            }
        };
        match simple.get(&key).and_then(|index| compacted.get_mut(*index)) {
            Some(known) => {
                let new: Vec<String> = right.verbs.into_iter().filter(|verb| !known.verbs.contains(verb)).collect();
                known.verbs.extend(new);
            }
            None => {
                simple.insert(key, compacted.len());
                compacted.push(right);
            }
        }
    }
    compacted
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.paths),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ];
        let shown = parts.into_iter().filter(|(_, texts)| !texts.is_empty()).map(|(name, texts)| {
            let texts = texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(" ");
            format!("{name}:[{texts}]")
        });
        write!(f, "{{{}}}", shown.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn covered(held: Value, wanted: Value) -> bool {
        let held = Rule::of(&held);
        Rule::of(&wanted).single_rights().iter().all(|right| held.covers(right))
    }

    #[test]
    fn a_rule_covers_what_it_names_and_no_more() {
        let held = json!({"apiGroups": ["apps"], "resources": ["deployments", "*/scale"], "verbs": ["get", "list"]});
        let wants =
            |resource: &str, verb: &str| json!({"apiGroups": ["apps"], "resources": [resource], "verbs": [verb]});
        assert!(covered(held.clone(), wants("deployments", "get")));
        assert!(covered(held.clone(), wants("statefulsets/scale", "list")));
        assert!(!covered(held.clone(), wants("deployments", "*")));
        assert!(!covered(held.clone(), wants("*", "get")));
        assert!(!covered(held.clone(), wants("deployments/status", "get")));
        assert!(!covered(held, json!({"apiGroups": [""], "resources": ["deployments"], "verbs": ["get"]})));
    }

    #[test]
    fn one_name_covers_neither_another_nor_all() {
        let of = |names: Value| json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": ["get"]});
        assert!(covered(of(json!(["a", "b"])), of(json!(["a"]))));
        assert!(!covered(of(json!(["a"])), of(json!(["b"]))));
        assert!(!covered(of(json!(["a"])), of(json!([]))));
        assert!(covered(of(json!([])), of(json!(["a"]))));
    }

    #[test]
    fn a_path_covers_those_behind_its_star() {
        let of = |path: &str| json!({"nonResourceURLs": [path], "verbs": ["get"]});
        assert!(covered(of("/healthz/*"), of("/healthz/etcd")));
        assert!(covered(of("*"), of("/metrics")));
        assert!(!covered(of("/healthz"), of("/healthz/etcd")));
        assert!(!covered(of("/healthz"), of("*")));
    }

    #[test]
    fn verbs_of_one_resource_are_told_together() {
        let rule = json!({"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "list"]});
        let lines: Vec<String> = compacted(Rule::of(&rule).single_rights()).iter().map(Rule::to_string).collect();
        assert_eq!(
            lines,
            [
                "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\" \"list\"]}",
                "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}",
            ]
        );
    }
}
