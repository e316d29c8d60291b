//! Pods of the table, and random ones that break several rules at once.

use serde_json::{Map, Value, json};

use super::table::{Base, Control, Meaning};
use crate::dice::Dice;

/// One pod.
pub(super) struct Case {
    pub(super) id: String,
    pub(super) pod: Value,
    /// The control that it was made for, and what its value means there.
    pub(super) of: Option<(usize, Meaning)>,
    /// Whether the server makes other fields of it before it judges.
    pub(super) rewritten: bool,
}

/// The lists of containers that a new pod may have.
const LISTS: [&str; 2] = ["containers", "initContainers"];

/// Every value of every field of the table in a pod of its own.
pub(super) fn of_table(controls: &[Control]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, control) in controls.iter().enumerate() {
        for field in control.fields.iter().flat_map(|field| expanded(field)) {
            let allowed = control.allowed.iter().map(|value| (Some(value), Meaning::Allowed));
            let forbidden = control.forbidden.iter().map(|value| (Some(value), Meaning::Forbidden));
            let absent = control.absent.map(|meaning| (None, meaning));
            for (number, (value, meaning)) in allowed.chain(forbidden).chain(absent).enumerate() {
                let mut pod = base(control.base);
                for (field, value) in &control.with {
                    expanded(field).iter().for_each(|field| set(&mut pod, field, value));
                }
                control.without.iter().for_each(|field| remove(&mut pod, field));
                match value {
                    Some(value) => {
                        let parent = field.rsplit_once('.').map_or("", |(parent, _)| parent);
                        for (key, value) in &control.beside {
                            set(&mut pod, &format!("{parent}.{key}"), value);
                        }
                        set(&mut pod, &field, value);
                    }
                    None => remove(&mut pod, &field),
                }
                let id = format!("{}/{field}/{number}", control.name);
                cases.push(Case { id, pod: named(pod), of: Some((index, meaning)), rewritten: control.rewritten });
            }
        }
    }
    cases
}

/// Pods of two to five values of the table, in one to three containers.
pub(super) fn random(controls: &[Control], count: usize, seed: u64) -> Vec<Case> {
    let mut dice = Dice::new(seed);
    let plain: Vec<&Control> = controls.iter().filter(|it| !it.rewritten && it.base == Base::Linux).collect();
    let mut cases = Vec::new();
    for number in 0..count {
        let mut pod = base(Base::Linux);
        for further in 0..dice.below(3) {
            let mut container = pod["spec"]["containers"][0].clone();
            container["name"] = json!(format!("further-{further}"));
            if dice.below(2) == 0 {
                container["securityContext"] = json!({});
            }
            if let Some(containers) = pod["spec"]["containers"].as_array_mut() {
                containers.push(container);
            }
        }
        for _ in 0..2 + dice.below(4) {
            let control = plain[dice.below(plain.len())];
            let values: Vec<&Value> = control.forbidden.iter().chain(&control.allowed).collect();
            if values.is_empty() {
                continue;
            }
            let fields: Vec<String> = control.fields.iter().flat_map(|field| expanded(field)).collect();
            let field = &fields[dice.below(fields.len())];
            let parent = field.rsplit_once('.').map_or("", |(parent, _)| parent);
            for (key, value) in &control.beside {
                set(&mut pod, &format!("{parent}.{key}"), value);
            }
            for (field, value) in &control.with {
                expanded(field).iter().for_each(|field| set(&mut pod, field, value));
            }
            set(&mut pod, field, values[dice.below(values.len())]);
        }
        cases.push(Case { id: format!("random/{number}"), pod: named(pod), of: None, rewritten: false });
    }
    cases
}

/// A pod that meets the newest restricted level.
pub(super) fn base(base: Base) -> Value {
    let container = |name: &str| match base {
        Base::Linux => json!({
            "name": name, "image": "registry.example.com/i:1",
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        }),
        Base::Windows => json!({"name": name, "image": "registry.example.com/i:1"}),
    };
    let mut spec = json!({"initContainers": [container("first")], "containers": [container("main")]});
    spec["securityContext"] = match base {
        Base::Linux => json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}),
        Base::Windows => json!({"runAsNonRoot": true}),
    };
    if base == Base::Windows {
        spec["os"] = json!({"name": "windows"});
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": spec})
}

fn named(mut pod: Value) -> Value {
    pod["metadata"]["name"] = json!("p");
    pod
}

/// The field in each of the lists that `[*]` stands for.
fn expanded(field: &str) -> Vec<String> {
    if !field.contains("[*]") {
        return vec![field.to_owned()];
    }
    LISTS.iter().map(|list| field.replace("[*]", list)).collect()
}

/// Sets a field; a list on the way means each of its items.
fn set(at: &mut Value, field: &str, value: &Value) {
    each(at, field, &mut |parent, key| drop(parent.insert(key.to_owned(), value.clone())));
}

fn remove(at: &mut Value, field: &str) {
    each(at, field, &mut |parent, key| drop(parent.remove(key)));
}

fn each(at: &mut Value, field: &str, act: &mut dyn FnMut(&mut Map<String, Value>, &str)) {
    if let Value::Array(items) = at {
        return items.iter_mut().for_each(|item| each(item, field, act));
    }
    if !at.is_object() {
        *at = json!({});
    }
    let Some(map) = at.as_object_mut() else { return };
    match field.split_once('.') {
        Some((key, rest)) => each(map.entry(key).or_insert_with(|| json!({})), rest, act),
        None => act(map, field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_set_in_each_container_of_a_list() {
        let mut pod = base(Base::Linux);
        set(&mut pod, "spec.containers.securityContext.privileged", &json!(true));
        assert_eq!(pod["spec"]["containers"][0]["securityContext"]["privileged"], true);
        assert!(pod["spec"]["initContainers"][0]["securityContext"].get("privileged").is_none());
        remove(&mut pod, "spec.securityContext.runAsNonRoot");
        assert_eq!(pod["spec"]["securityContext"], json!({"seccompProfile": {"type": "RuntimeDefault"}}));
    }

    #[test]
    fn every_control_has_a_case_for_every_value() {
        let controls = super::super::table::load().expect("it is well formed");
        let cases = of_table(&controls);
        for (index, control) in controls.iter().enumerate() {
            let own = cases.iter().filter(|case| case.of.is_some_and(|(of, _)| of == index)).count();
            let values = control.allowed.len() + control.forbidden.len() + usize::from(control.absent.is_some());
            assert!(own >= values * control.fields.len() && own > 0, "{}", control.name);
        }
    }
}
