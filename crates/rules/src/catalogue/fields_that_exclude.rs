use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use crate::operated::{is_of_an_operator, walk};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF382",
    title: "of two fields that exclude each other one is given",
    severity: Severity::Warning,
    why: "An operator hands parts of its resource on to objects of Kubernetes' own. The resource is taken as it is, and what is made of it \
          is refused: a budget with `minAvailable` and `maxUnavailable`, a variable with `value` and `valueFrom`. It says so in a log alone. \
          A headless Service has no address, and what counts for an address does nothing there.",
    advice: "Give one of the two, and print each only where it is set.",
    check,
};

/// Fields of which an object of the API's own takes one.
///
/// ORIGIN: <https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/>, `PodDisruptionBudgetSpec` and `EnvVar`
const EXCLUDING: &[(&str, &str, Within)] =
    &[("minAvailable", "maxUnavailable", Within::Budget), ("value", "valueFrom", Within::Variable)];

/// Where two fields exclude each other.
#[derive(Clone, Copy)]
enum Within {
    Budget,
    Variable,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = subject.objects().filter(|it| it.role != Role::Definition && is_of_an_operator(it.object.group()));
    for desired in own {
        for (path, one, other) in both(desired.object.value()) {
            let (kind, name) = (desired.object.kind(), desired.object.name());
            findings.push(
                RULE.finding(format!("`{path}` of {kind} `{name}` has both `{one}` and `{other}`"))
                    .keyed(format!("{kind} {one}"))
                    .because("they exclude each other in what the operator makes of it, and the API refuses that")
                    .at(desired.spot_at(&format!("{path}.{one}"))),
            );
        }
    }
    findings.extend(without_address(subject));
    findings
}

/// Fields of a Service that count for its address alone; the families of addresses and affinity count for a headless one, too.
///
/// ORIGIN: <https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/>, `ServiceSpec`
const OF_AN_ADDRESS: &[&str] =
    &["internalTrafficPolicy", "externalTrafficPolicy", "loadBalancerIP", "loadBalancerSourceRanges"];

/// What a headless Service is given and the one beside it lacks, for which it would count.
fn without_address(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let services: Vec<&Desired> = subject.of_kind("", "Service").filter(|it| it.role == Role::Manifest).collect();
    for headless in services.iter().filter(|it| is_headless(&it.object)) {
        for field in OF_AN_ADDRESS {
            let given = |object: &Object| object.at(&format!("/spec/{field}")).cloned().filter(is_given);
            // `Cluster` is what each Service has.
            let Some(value) = given(&headless.object).filter(|it| *it != "Cluster") else { continue };
            let others = || services.iter().filter(|it| is_beside(headless, it) && counts_for(&it.object, field));
            let Some(other) = others().next().filter(|_| others().all(|it| given(&it.object).is_none())) else {
                continue;
            };
            let name = headless.object.name();
            let said = value.as_str().map_or_else(|| (*field).to_owned(), |text| format!("{field}: {text}"));
            findings.push(
                RULE.finding(format!(
                    "Service `{name}` is headless and has `{said}`, which Service `{}` lacks",
                    other.object.name()
                ))
                .weighing(Severity::Info)
                .keyed(format!("Service {name} {field}"))
                .because("it counts for an address of the cluster, and a headless Service has none")
                .help("print it into the Service that has an address")
                .at(headless.spot_at(&format!("spec.{field}"))),
            );
        }
    }
    findings
}

fn is_headless(service: &Object) -> bool {
    service.str_at("/spec/clusterIP") == Some("None")
}

/// Whether a Service with an address leads to the same pods as a headless one of the same release.
fn is_beside(headless: &Desired, other: &Desired) -> bool {
    let selector =
        |it: &Desired| it.object.at("/spec/selector").and_then(Value::as_object).filter(|it| !it.is_empty()).cloned();
    !is_headless(&other.object)
        && headless.unit == other.unit
        && headless.object.namespace() == other.object.namespace()
        && selector(headless).is_some_and(|own| selector(other) == Some(own))
}

/// Whether a field does anything for a Service of its type.
fn counts_for(service: &Object, field: &str) -> bool {
    let kind = service.str_at("/spec/type").unwrap_or("ClusterIP");
    match field {
        "internalTrafficPolicy" => kind != "ExternalName",
        "externalTrafficPolicy" => matches!(kind, "NodePort" | "LoadBalancer"),
        _ => kind == "LoadBalancer",
    }
}

/// The places of a resource with two fields that exclude each other, and the two.
fn both(resource: &Value) -> Vec<(String, &'static str, &'static str)> {
    let mut found = Vec::new();
    walk(resource, "", &mut |path, key, value| {
        for (one, other, within) in EXCLUDING {
            let is_both = |it: &Value| is_given(&it[*one]) && is_given(&it[*other]);
            match within {
                Within::Budget if is_budget(key) && is_on(value) && is_both(value) => {
                    found.push((path.to_owned(), *one, *other));
                }
                Within::Variable if key == "env" => {
                    let all = value.as_array().into_iter().flatten().enumerate();
                    let twice = all.filter(|(_, it)| it["name"].is_string() && is_both(it));
                    found.extend(twice.map(|(at, _)| (format!("{path}[{at}]"), *one, *other)));
                }
                _ => {}
            }
        }
        false
    });
    found
}

/// Whether a key is that of a disruption budget: `pdb`, `podDisruptionBudget`.
fn is_budget(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key == "pdb" || key.contains("disruptionbudget")
}

/// Whether a part is not switched off.
fn is_on(part: &Value) -> bool {
    part["enabled"] != false && part["create"] != false
}

fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_are_seen_where_they_exclude_each_other_and_nowhere_else() {
        let places = |value: Value| both(&value).into_iter().map(|(path, ..)| path).collect::<Vec<_>>();
        let budget = json!({"minAvailable": 1, "maxUnavailable": 1});
        assert_eq!(places(json!({"spec": {"leader": {"pdb": budget}}})), ["spec.leader.pdb"]);
        assert_eq!(places(json!({"spec": {"rollout": budget}})), [] as [&str; 0]);
        assert_eq!(places(json!({"spec": {"pdb": {"minAvailable": 1, "maxUnavailable": ""}}})), [] as [&str; 0]);
        let off = json!({"enabled": false, "minAvailable": 1, "maxUnavailable": 1});
        assert_eq!(places(json!({"spec": {"pdb": off}})), [] as [&str; 0]);
        let from = json!({"secretKeyRef": {"name": "a", "key": "b"}});
        let env =
            json!([{"name": "A", "value": "", "valueFrom": from}, {"name": "B", "value": "1", "valueFrom": from}]);
        assert_eq!(places(json!({"spec": {"env": env}})), ["spec.env[1]"]);
    }
}
