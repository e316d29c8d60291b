use landfall_chart::{Rendered, values_to_json};
use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::{Map, Value};

use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF270",
    title: "a pod may go, and not all of them at once",
    severity: Severity::Warning,
    why: "A disruption budget that keeps every pod lets no node be drained: an upgrade of the cluster waits until somebody \
          deletes the pod by hand. A rollout that may take away all pods at once is an outage at each delivery.",
    advice: "Leave one pod to be taken: `maxUnavailable: 1`, or `minAvailable` below the replicas.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for budget in subject.of_kind("policy", "PodDisruptionBudget") {
        findings.extend(kept(subject, budget));
    }
    for deployment in subject.of_kind("apps", "Deployment").filter(|it| it.role == Role::Manifest) {
        findings.extend(all_at_once(subject, deployment));
    }
    findings.extend(subject.pods().filter_map(|(desired, template)| spread_by_nothing(subject, desired, &template)));
    findings
}

/// Several pods whose anti-affinity a template has left empty: nothing keeps them from one node.
fn spread_by_nothing(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let is_empty = template.spec["affinity"]["podAntiAffinity"].as_object().is_some_and(Map::is_empty);
    let object = &desired.object;
    let is_kept = matches!(object.kind(), "Deployment" | "StatefulSet") && least(subject, object) > 1;
    let unit = subject.unit(&desired.unit)?;
    let mut parts = unit.rendered.charts.iter().flat_map(|it| it.processed.with_parts());
    let lacks_one = parts.any(|part| part.without.dependencies.iter().any(|it| it.enabled));
    // Who writes an empty one means it; and what prints it may be in a chart that is not at hand.
    if !is_empty || !is_kept || lacks_one || unit.rendered.charts.iter().any(gives_an_empty_one) {
        return None;
    }
    let (kind, name) = (object.kind(), object.name());
    Some(
        RULE.finding(format!("`podAntiAffinity` of {kind} `{name}` is empty, and there are several pods"))
            .because(
                "the template prints the key and nothing below it: all of them may run on one node, and go with it",
            )
            .help("print what spreads the pods where no affinity is set, too, or leave the key out")
            .at(desired.spot_at(&format!("{}.affinity.podAntiAffinity", template.path))),
    )
}

/// Whether values themselves have an anti-affinity that is empty.
fn gives_an_empty_one(rendered: &Rendered) -> bool {
    fn holds(value: &Value) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(key, value)| {
                (key == "podAntiAffinity" && value.as_object().is_some_and(Map::is_empty)) || holds(value)
            }),
            Value::Array(list) => list.iter().any(holds),
            _ => false,
        }
    }
    let own = rendered.processed.raw_file("values.yaml").and_then(|file| landfall_yaml::to_json(&file.text()).ok());
    own.as_ref().is_some_and(holds) || holds(&values_to_json(&rendered.user_values))
}

/// A budget that lets no pod go.
fn kept(subject: &Subject<'_>, budget: &Desired) -> Option<Finding> {
    let object = &budget.object;
    let selector = object.at("/spec/selector")?;
    let mut chosen = subject.pods().filter(|(desired, template)| {
        desired.object.namespace() == object.namespace()
            && matches!(desired.object.kind(), "Deployment" | "StatefulSet" | "ReplicaSet")
            && template.is_selected_by(selector)
    });
    let (owner, _): (&Desired, PodTemplate<'_>) = chosen.next()?;
    // Of several workloads the sum counts, which scalers change.
    let is_alone = chosen.next().is_none();
    let replicas = least(subject, &owner.object);
    let (field, keeps, alone) = match (object.at("/spec/minAvailable"), object.at("/spec/maxUnavailable")) {
        (Some(least), _) if !least.is_null() => {
            ("minAvailable", is_alone && replicas > 0 && share(least, replicas, Round::Up)? >= replicas, replicas == 1)
        }
        (_, Some(most)) if !most.is_null() => {
            ("maxUnavailable", share(most, 100, Round::Up)? == 0, is_alone && replicas == 1)
        }
        _ => return None,
    };
    if !keeps {
        return None;
    }
    let (kind, name) = (owner.object.kind(), owner.object.name());
    let all = match replicas {
        1 => "the only pod".to_owned(),
        count => format!("each of the {count} pods"),
    };
    Some(
        RULE.finding(format!("PodDisruptionBudget `{}` keeps {all} of {kind} `{name}`", object.name()))
            // Of a single pod the one or the other is to be had; who asks for a budget may mean it.
            .weighing(if alone { Severity::Info } else { RULE.severity })
            .because("no node that runs one can be drained")
            .at(budget.spot_at(&format!("spec.{field}"))),
    )
}

/// A rollout that may take all pods away before the first new one is ready.
fn all_at_once(subject: &Subject<'_>, deployment: &Desired) -> Option<Finding> {
    let object = &deployment.object;
    let most = object.at("/spec/strategy/rollingUpdate/maxUnavailable").filter(|it| !it.is_null())?;
    let replicas = least(subject, object);
    // One pod is away in between whatever is said, unless another comes first.
    if replicas < 2 || share(most, replicas, Round::Down)? < replicas {
        return None;
    }
    Some(
        RULE.finding(format!("the rollout of Deployment `{}` may take all {replicas} pods at once", object.name()))
            .because("until the first new one is ready nobody answers")
            .help("leave some: `maxUnavailable: 25%` is the default")
            .at(deployment.spot_at("spec.strategy.rollingUpdate.maxUnavailable")),
    )
}

/// How many pods there are at least.
fn least(subject: &Subject<'_>, owner: &Object) -> i64 {
    let scaler = subject.of_kind("autoscaling", "HorizontalPodAutoscaler").find(|it| {
        let target = it.object.at("/spec/scaleTargetRef");
        target.is_some_and(|target| target["kind"] == owner.kind() && target["name"] == owner.name())
            && it.object.namespace() == owner.namespace()
    });
    match scaler {
        Some(scaler) => scaler.object.i64_at("/spec/minReplicas").unwrap_or(1),
        None => owner.i64_at("/spec/replicas").unwrap_or(1),
    }
}

/// How parts of a pod are counted.
#[derive(Clone, Copy)]
enum Round {
    Up,
    Down,
}

/// A number of pods, or a share of them.
fn share(value: &Value, of: i64, round: Round) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let text = value.as_str()?;
    match text.strip_suffix('%') {
        Some(percent) => {
            let part = percent.trim().parse::<i64>().ok()?.checked_mul(of)?;
            Some(match round {
                Round::Up => part.checked_add(99)? / 100,
                Round::Down => part / 100,
            })
        }
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shares_are_counted_as_the_controllers_do() {
        assert_eq!(share(&json!("50%"), 3, Round::Up), Some(2));
        assert_eq!(share(&json!("50%"), 3, Round::Down), Some(1));
        assert_eq!(share(&json!("100%"), 2, Round::Up), Some(2));
        assert_eq!(share(&json!(1), 2, Round::Up), Some(1));
        assert_eq!(share(&json!("all"), 2, Round::Up), None);
    }
}
