//! What a metric proposes, from the load that is declared (`replica_calculator.go`).

use landfall_object::{Quantity, QuantityFormat};
use serde_json::{Value, json};

use crate::controllers::desk::Found;
use crate::controllers::fields::{deleting, int, list, name, text};
use crate::controllers::pods::is_ready;
use crate::simulation::Simulation;

/// A change smaller than this part of the target is none.
const TOLERANCE: f64 = 0.1;
/// Why there are no resource metrics, in the words of a cluster without a metrics server.
const NO_METRICS: &str = "unable to fetch metrics from resource metrics API: the server could not find the requested \
                          resource (get pods.metrics.k8s.io)";

/// What all metrics together propose.
pub(super) struct Proposal {
    pub(super) scaled: Scaled,
    pub(super) statuses: Value,
}

/// What one metric proposes.
pub(super) struct Scaled {
    pub(super) replicas: i64,
    /// What it is called in events.
    pub(super) metric: String,
    pub(super) status: Value,
}

/// Why a metric proposes nothing.
pub(super) struct Refusal {
    pub(super) reason: &'static str,
    pub(super) why: String,
    pub(super) summary: String,
}

/// What the controller calls a metric when it could not be computed: `cpu resource`, `pods`.
pub(super) fn noun(spec: &Value) -> String {
    let named = |pointer: &str, noun: &str| format!("{} {noun}", text(spec, pointer));
    match text(spec, "/type") {
        "Resource" => named("/resource/name", "resource"),
        "ContainerResource" => named("/containerResource/container", "container"),
        "External" => named("/external/metric/name", "external"),
        other => other.to_ascii_lowercase(),
    }
}

impl Refusal {
    fn new(reason: &'static str, why: String) -> Self {
        Self { reason, why, summary: String::new() }
    }

    pub(super) fn none_declared() -> Self {
        let why = "no metrics are given".to_owned();
        Self { reason: "InvalidMetricSourceType", summary: why.clone(), why }
    }
}

/// One pod's use and request of a resource, in thousandths.
struct Measured {
    usage: i64,
    request: i64,
}

/// What one metric of the autoscaler proposes.
pub(super) fn propose(simulation: &Simulation, spec: &Value, pods: &[Found], current: i64) -> Result<Scaled, Refusal> {
    let (source, reason, words) = match text(spec, "/type") {
        "Resource" => ("resource", "FailedGetResourceMetric", "resource utilization"),
        "ContainerResource" => {
            ("containerResource", "FailedGetContainerResourceMetric", "container resource utilization")
        }
        other => return Err(no_such_api(other, spec)),
    };
    let metric = &spec[source];
    let (resource, container) = (text(metric, "/name"), text(metric, "/container"));
    let utilization = int(metric, "/target/averageUtilization");
    let value = metric.pointer("/target/averageValue").and_then(|v| Quantity::from_json(v).ok()).map(|q| q.millis());
    let failed = |why: String| {
        let what = if value.is_some() { "usage" } else { "utilization" };
        Refusal::new(reason, format!("failed to get {resource} {what}: {why}"))
    };
    if pods.is_empty() {
        return Err(failed("no pods returned by selector while calculating replica count".to_owned()));
    }
    let Some(load) = simulation.load(&pods[0], container, resource) else {
        return Err(failed(format!("unable to get metrics for resource {resource}: {NO_METRICS}")));
    };
    let (ready, unready): (Vec<&Found>, Vec<&Found>) =
        pods.iter().filter(|pod| !deleting(pod)).partition(|pod| is_ready(pod));
    if ready.is_empty() {
        let why = "did not receive metrics for targeted pods (pods might be unready)";
        return Err(failed(why.to_owned()));
    }
    let count = i64::try_from(ready.len()).unwrap_or(i64::MAX);
    let request = |pod: &Value| if value.is_some() { Ok(0) } else { request_of(pod, container, resource) };
    let mut measured = Vec::new();
    for pod in &ready {
        measured.push(Measured { usage: load / count, request: request(pod).map_err(&failed)? });
    }
    let target = value.or(utilization).unwrap_or(0);
    if target <= 0 {
        let why = "invalid resource metric source: neither an average utilization target nor an average value \
                   (usage) target was set";
        return Err(Refusal::new(reason, why.to_owned()));
    }
    let ratio_of = |measured: &[Measured]| {
        let usage: i64 = measured.iter().map(|m| m.usage).sum();
        let average = usage / i64::try_from(measured.len()).unwrap_or(1).max(1);
        if value.is_some() {
            return (average as f64 / target as f64, 0, average);
        }
        let requested: i64 = measured.iter().map(|m| m.request).sum::<i64>().max(1);
        let percent = usage.saturating_mul(100) / requested;
        (percent as f64 / target as f64, percent, average)
    };
    let (ratio, percent, average) = ratio_of(&measured);
    let mut replicas = if within(ratio) { current } else { ceiling(ratio, measured.len()) };
    if ratio > 1.0 && !unready.is_empty() {
        // Pods on their way count as idle, so that they are not asked for twice.
        for pod in &unready {
            measured.push(Measured { usage: 0, request: request(pod).map_err(&failed)? });
        }
        let (again, _, _) = ratio_of(&measured);
        let asked = ceiling(again, measured.len());
        replicas = if within(again) || again < 1.0 || asked < current { current } else { asked };
    }
    let shown = quantity(resource, average);
    let (metric_name, shown) = if value.is_some() {
        (format!("{resource} resource"), json!({"averageValue": shown}))
    } else {
        let shown = json!({"averageUtilization": percent, "averageValue": shown});
        (format!("{resource} {words} (percentage of request)"), shown)
    };
    let mut status = json!({"type": text(spec, "/type"), source: {"name": resource, "current": shown}});
    if !container.is_empty() {
        status[source]["container"] = container.into();
    }
    Ok(Scaled { replicas, metric: metric_name, status })
}

fn within(ratio: f64) -> bool {
    (ratio - 1.0).abs() <= TOLERANCE
}

/// Pods for a ratio of use to target; never more than a cluster could name.
fn ceiling(ratio: f64, pods: usize) -> i64 {
    (ratio * pods as f64).ceil().clamp(0.0, f64::from(i32::MAX)) as i64
}

fn quantity(resource: &str, millis: i64) -> String {
    if resource == "memory" {
        Quantity::from_units(millis / 1000, QuantityFormat::BinarySi).to_string()
    } else {
        Quantity::from_millis(millis).to_string()
    }
}

/// What a pod's containers ask for of a resource, in thousandths.
fn request_of(pod: &Value, container: &str, resource: &str) -> Result<i64, String> {
    let mut sum = 0_i64;
    let mut found = container.is_empty();
    for one in list(pod, "/spec/containers").iter().filter(|c| container.is_empty() || text(c, "/name") == container) {
        found = true;
        let requested = one.pointer("/resources/requests").and_then(|requests| requests.get(resource));
        let Some(amount) = requested.and_then(|amount| Quantity::from_json(amount).ok()) else {
            let (owner, pod) = (text(one, "/name"), name(pod));
            return Err(format!("missing request for {resource} in container {owner} of Pod {pod}"));
        };
        sum = sum.saturating_add(amount.millis());
    }
    if found { Ok(sum) } else { Err(format!("container {container} not found in Pod {}", name(pod))) }
}

/// Metrics of applications and of the outside need an adapter that no cluster brings.
fn no_such_api(kind: &str, spec: &Value) -> Refusal {
    let named = |source: &str| text(spec, &format!("/{source}/metric/name")).to_owned();
    match kind {
        "Pods" => Refusal::new(
            "FailedGetPodsMetric",
            format!(
                "unable to get metric {}: unable to fetch metrics from custom metrics API: no custom metrics API \
                 (custom.metrics.k8s.io) registered",
                named("pods")
            ),
        ),
        "Object" => {
            let (of, which) = (text(spec, "/object/describedObject/kind"), text(spec, "/object/describedObject/name"));
            Refusal::new(
                "FailedGetObjectMetric",
                format!(
                    "unable to get metric {}: {of} on {which}: unable to fetch metrics from custom metrics API: no \
                     custom metrics API (custom.metrics.k8s.io) registered",
                    named("object")
                ),
            )
        }
        "External" => Refusal::new(
            "FailedGetExternalMetric",
            format!(
                "unable to get external metric {}: unable to fetch metrics from external metrics API: the server could \
                 not find the requested resource (get {0}.external.metrics.k8s.io)",
                named("external")
            ),
        ),
        other => Refusal::new("InvalidMetricSourceType", format!("unknown metric source type \"{other}\"")),
    }
}
