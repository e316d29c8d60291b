use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::pods::{ContainerRole, PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF199",
    title: "what is scaled by its use says what it asks for, and by what number",
    severity: Severity::Warning,
    why: "An autoscaler that goes by a share of the requested CPU or memory needs a request in every container of the pod. \
          Where one has none it says `missing request`, and the number of pods stays as it is, whatever the load.",
    advice: "Give each container a request of that resource, sidecars too, or scale by `AverageValue`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for scaler in subject.of_kind("autoscaling", "HorizontalPodAutoscaler") {
        findings.extend(measured_otherwise(scaler));
        let target = scaler.object.at("/spec/scaleTargetRef").unwrap_or(&Value::Null);
        let (kind, name) = (target["kind"].as_str().unwrap_or_default(), target["name"].as_str().unwrap_or_default());
        let Some(found) = subject.desired("apps", kind, scaler.object.namespace(), name) else { continue };
        let Some(template) = pod_template(&found.object) else { continue };
        // A LimitRange of the namespace fills in what is not said.
        if subject.after("", "LimitRange").any(|it| it.object().namespace() == found.object.namespace()) {
            continue;
        }
        for (field, resource, container) in measured(&scaler.object) {
            if let Some(container) = container
                && !template.containers().iter().any(|it| it.name == container)
            {
                findings.push(of_no_container(scaler, &field, container, &template));
                continue;
            }
            let Some(lacking) = lacking(&template, resource, container) else { continue };
            findings.push(told(scaler, &field, resource, &lacking, kind, name));
        }
    }
    findings
}

/// A target whose type is a share and whose number is an amount, or the other way round: the number counts, not the type.
fn measured_otherwise(scaler: &Desired) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, metric) in scaler.object.list_at("/spec/metrics").iter().enumerate() {
        for part in ["resource", "containerResource"] {
            let target = &metric[part]["target"];
            let says = |field: &str| !target[field].is_null();
            let (is, field) = match target["type"].as_str() {
                Some("Utilization") if says("averageValue") && !says("averageUtilization") => {
                    ("averageValue", "an amount")
                }
                Some("AverageValue") if says("averageUtilization") && !says("averageValue") => {
                    ("averageUtilization", "a share")
                }
                _ => continue,
            };
            let kind = target["type"].as_str().unwrap_or_default();
            findings.push(
                RULE.finding(format!(
                    "HorizontalPodAutoscaler `{}` is of type {kind} and says {is}",
                    scaler.object.name()
                ))
                .because(format!("the number counts, and it is taken for {field}"))
                .help("write `averageUtilization` for a share of the request, `averageValue` for an amount")
                .at(scaler.spot_at(&format!("spec.metrics[{at}].{part}.target.{is}"))),
            );
        }
    }
    findings
}

/// An autoscaler that goes by a container which the pods do not have.
fn of_no_container(scaler: &Desired, field: &str, container: &str, template: &PodTemplate<'_>) -> Finding {
    let own = scaler.object.name();
    let names: Vec<&str> = template.containers().iter().map(|it| it.name).collect();
    let finding = RULE
        .finding(format!(
            "HorizontalPodAutoscaler `{own}` goes by the container `{container}`, which its pods do not have"
        ))
        .because("nothing is measured, and nothing is scaled")
        .at(scaler.spot_at(&format!("{field}.container")));
    match landfall_diag::nearest(container, names.iter().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!("the pods have {}", names.join(", "))),
    }
}

fn told(scaler: &Desired, field: &str, resource: &str, lacking: &str, kind: &str, name: &str) -> Finding {
    let own = scaler.object.name();
    RULE.finding(format!(
        "HorizontalPodAutoscaler `{own}` goes by {resource}, of which container `{lacking}` of {kind} `{name}` requests none"
    ))
    .because("the share in use cannot be told, and nothing is scaled")
    .at(scaler.spot_at(field))
}

/// The resources that an autoscaler measures as a share of the request, with their fields, and of which container alone.
fn measured(scaler: &landfall_object::Object) -> Vec<(String, &str, Option<&str>)> {
    let mut found = Vec::new();
    if scaler.i64_at("/spec/targetCPUUtilizationPercentage").is_some() {
        found.push(("spec.targetCPUUtilizationPercentage".to_owned(), "cpu", None));
    }
    for (at, metric) in scaler.list_at("/spec/metrics").iter().enumerate() {
        for (part, container) in
            [("resource", None), ("containerResource", metric["containerResource"]["container"].as_str())]
        {
            let of = &metric[part];
            let is_share = of["target"]["type"] == "Utilization" || !of["targetAverageUtilization"].is_null();
            if let Some(resource) = of["name"].as_str().filter(|_| is_share) {
                found.push((format!("spec.metrics[{at}].{part}"), resource, container));
            }
        }
    }
    found
}

/// The first container without a request of a resource; a limit stands for it.
fn lacking(template: &PodTemplate<'_>, resource: &str, only: Option<&str>) -> Option<String> {
    // The pod's own resources stand for those of its containers.
    if !template.spec["resources"].is_null() {
        return None;
    }
    let containers = template.containers().into_iter().filter(|it| it.role != ContainerRole::Init);
    let mut wanted = containers.filter(|it| only.is_none_or(|only| only == it.name));
    let asks = |list: &str, of: &Value| !of["resources"][list][resource].is_null();
    wanted.find(|it| !asks("requests", it.value) && !asks("limits", it.value)).map(|it| it.name.to_owned())
}
