use landfall_diag::{Finding, Severity};
use landfall_object::Object;

use super::value_printed_raw::visit;
use crate::pods::{image_parts, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF356",
    title: "the Service of a StatefulSet is headless, and gives the nodes of a cluster their names in time",
    severity: Severity::Info,
    why: "The pods of a StatefulSet get names of their own (`db-0.db`) from the Service in `serviceName`, and only where it is headless. \
          Behind one with an address the names do not resolve: replicas do not find each other, and nothing says why. A pod that is not \
          ready has no name either, unless `publishNotReadyAddresses` is set: nodes that wait for each other never are.",
    advice: "Set `clusterIP: None` on the Service that `serviceName` names, and keep another one for who calls any of the pods. Set \
             `publishNotReadyAddresses: true` where the pods meet by it.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for set in subject.of_kind("apps", "StatefulSet").filter(|it| it.role == Role::Manifest) {
        let Some(name) = set.object.str_at("/spec/serviceName").filter(|it| !it.is_empty()) else {
            findings.push(
                RULE.finding(format!("StatefulSet `{}` has no `spec.serviceName`", set.object.name()))
                    .because("its pods get no names of their own")
                    .help("name its headless Service there")
                    .at(set.spot_at("spec")),
            );
            continue;
        };
        let Some(service) = subject.desired("", "Service", set.object.namespace(), name) else { continue };
        let kind = service.object.str_at("/spec/type").unwrap_or("ClusterIP");
        if service.object.str_at("/spec/clusterIP") == Some("None") {
            findings.extend(named_when_ready(set, service).or_else(|| published_by_another(subject, set, service)));
            continue;
        }
        if kind == "ExternalName" {
            continue;
        }
        // `db-0.db`, or the same with a number that a script puts in.
        let asked = format!(".{name}");
        let asks = subject
            .objects()
            .filter(|it| it.unit == set.unit)
            .find(|it| says(&it.object, |text| by_name_of_a_pod(text, set.object.name(), &asked)));
        let finding =
            RULE.finding(format!("Service `{name}` of StatefulSet `{}` is not headless", set.object.name())).at(
                service.spot_at(if service.object.at("/spec/clusterIP").is_some() { "spec.clusterIP" } else { "spec" }),
            );
        findings.push(match asks {
            Some(asking) => finding.weighing(Severity::Warning).because(format!(
                "{} `{}` asks for `{}-0.{name}`, which does not resolve",
                asking.object.kind(),
                asking.object.name(),
                set.object.name()
            )),
            None => finding.because("the names of the single pods do not resolve"),
        });
    }
    findings
}

/// Servers whose nodes look for each other, and for themselves, by the names of their pods before any of them is ready: their makers'
/// own manifests publish those names.
///
/// ORIGIN: <https://github.com/rabbitmq/cluster-operator/blob/main/internal/resource/headless_service.go>,
/// <https://etcd.io/docs/v3.5/op-guide/kubernetes/>,
/// <https://github.com/cockroachdb/cockroach/blob/master/cloud/kubernetes/cockroachdb-statefulset.yaml>,
/// <https://github.com/hashicorp/consul-k8s/blob/main/charts/consul/templates/server-service.yaml>
const MEETING: &[&str] = &["rabbitmq", "etcd", "cockroach", "consul"];

/// The Service of a cluster whose nodes have to find each other, and which gives them their names only when they are ready.
fn named_when_ready(set: &Desired, service: &Desired) -> Option<Finding> {
    let template = pod_template(&set.object)?;
    let is_many = set.object.i64_at("/spec/replicas").is_some_and(|it| it > 1);
    let is_late = |it: &serde_json::Value| !it["readinessProbe"].is_null() || !it["startupProbe"].is_null();
    let meets = |image: &str| MEETING.contains(&image_parts(image).1.rsplit('/').next().unwrap_or_default());
    let is_meeting = template.containers().iter().any(|it| meets(it.image()) && is_late(it.value));
    let publishes = service.object.bool_at("/spec/publishNotReadyAddresses") == Some(true)
        || service.object.annotation("service.alpha.kubernetes.io/tolerate-unready-endpoints") == Some("true");
    if !is_many || !is_meeting || publishes {
        return None;
    }
    let (name, set_name) = (service.object.name(), set.object.name());
    // One after the other, each finds those that are ready already.
    let at_once = set.object.str_at("/spec/podManagementPolicy") == Some("Parallel");
    let finding = RULE
        .finding(format!(
            "headless Service `{name}` lacks `publishNotReadyAddresses`, and the nodes of `{set_name}` meet by it"
        ))
        .weighing(if at_once { Severity::Warning } else { Severity::Info })
        .because("a node has no name there until it is ready, and is not ready until it has found the others")
        .help("set `publishNotReadyAddresses: true`")
        .at(service.spot_at("spec"));
    Some(finding)
}

/// A Service with an address that publishes pods that are not ready, where the one that gives the same pods their names does not: who
/// calls it gets pods that do not answer, and those that look for each other find nobody.
fn published_by_another(subject: &Subject<'_>, set: &Desired, service: &Desired) -> Option<Finding> {
    let publishes = |it: &Desired| it.object.bool_at("/spec/publishNotReadyAddresses") == Some(true);
    if publishes(service) {
        return None;
    }
    let template = pod_template(&set.object)?;
    let is_before_them = |it: &&Desired| {
        let selector = &it.object.value()["spec"]["selector"];
        it.unit == set.unit
            && it.object.namespace() == set.object.namespace()
            && it.object.str_at("/spec/clusterIP") != Some("None")
            && selector.is_object()
            && template.is_selected_by(selector)
    };
    let other = subject.of_kind("", "Service").filter(is_before_them).find(|it| publishes(it))?;
    let (name, other_name) = (service.object.name(), other.object.name());
    Some(
        RULE.finding(format!(
            "`publishNotReadyAddresses` is set on Service `{other_name}`, and not on the headless `{name}` of the same pods"
        ))
        .weighing(Severity::Warning)
        .because("who calls the one gets pods that are not ready, and pods that look for each other by the other find none until they are")
        .help(format!("set it on `{name}`"))
        .at(other.spot_at("spec.publishNotReadyAddresses"))
        .at(service.spot_at("spec")),
    )
}

/// Whether a text names a pod of a set below its Service.
fn by_name_of_a_pod(text: &str, set: &str, asked: &str) -> bool {
    text.match_indices(asked).any(|(at, _)| {
        let ahead =
            text[..at].rsplit(|it: char| it.is_whitespace() || "/@,;\"'=".contains(it)).next().unwrap_or_default();
        let ends = !text[at + asked.len()..].starts_with(|it: char| it.is_ascii_alphanumeric() || it == '-');
        ends && ahead.strip_prefix(set).is_some_and(|rest| rest.starts_with('-'))
    })
}

fn says(object: &Object, is: impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    visit(object.value(), String::new(), &mut |_, text| found |= is(text));
    found
}
