//! A trace a sync, as OpenTelemetry's collectors take them: OTLP over HTTP, in JSON.
//!
//! ```text
//! sync argocd/shop          the whole of it: Application, revisions, attempt, who asked, how it ended
//!   ├─ render and plan      up to the first step
//!   └─ create apps/v1 …     each step of the engine, with what it has led to
//! ```
//!
//! Metrics go the same way, as they are scraped, every minute (`OTEL_METRIC_EXPORT_INTERVAL`).
//!
//! Where to is said by OpenTelemetry's own variables. A collector that does not answer costs nobody anything: what it did not take is
//! lost, and said once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use landfall_engine::{Clock, Event};
use landfall_source::{Access, Network, Redirects};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::board::Board;
use crate::metrics::{self, Measure, Metric};
use crate::news;

/// Where a collector takes everything; traces below it.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Where one takes traces, and where metrics.
const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const METRICS: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
/// How often metrics are sent, in milliseconds, and how often where nobody says it.
const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
const MINUTE: Duration = Duration::from_secs(60);
/// How long a collector has to take a trace.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most steps that a trace tells of.
const MOST: usize = 2_000;

/// Where traces and metrics go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collector {
    address: Option<Arc<str>>,
    metrics: Option<(Arc<str>, Duration)>,
    has_failed: Arc<AtomicBool>,
}

impl Collector {
    /// The one that variables name, if any.
    ///
    /// # Errors
    /// Which variable cannot be read, and why.
    pub(crate) fn read<'e>(variable: impl Fn(&str) -> Option<&'e str>) -> Result<Self, (&'static str, &'static str)> {
        let given = |name: &str| variable(name).map(str::trim).filter(|text| !text.is_empty());
        let of = |own: &'static str, path: &str| -> Result<Option<Arc<str>>, (&'static str, &'static str)> {
            let (name, address) = match (given(own), given(ENDPOINT)) {
                (Some(address), _) => (own, address.to_owned()),
                (None, Some(address)) => (ENDPOINT, format!("{}/v1/{path}", address.trim_end_matches('/'))),
                (None, None) => return Ok(None),
            };
            let is_http = address.starts_with("http://") || address.starts_with("https://");
            if is_http { Ok(Some(address.into())) } else { Err((name, "it must be an http:// or https:// address")) }
        };
        let every = match given(INTERVAL).map(str::parse) {
            None => MINUTE,
            Some(Ok(milliseconds @ 1..)) => Duration::from_millis(milliseconds),
            Some(_) => return Err((INTERVAL, "it must be a number of milliseconds")),
        };
        let metrics = of(METRICS, "metrics")?.map(|address| (address, every));
        Ok(Collector { address: of(TRACES, "traces")?, metrics, has_failed: Arc::default() })
    }

    /// Hands a trace over, beside everything else.
    pub(crate) fn take(&self, network: &Network, trace: &Trace) {
        let Some(address) = self.address.clone() else { return };
        let (own, network, body) = (self.clone(), network.clone(), trace.written());
        tokio::spawn(async move { own.send(&network, &address, &body).await });
    }

    /// Hands metrics over as often as is wanted, until the server ends.
    pub(crate) async fn take_metrics(self, network: Network, board: Arc<Board>, clock: Arc<dyn Clock>) {
        let Some((address, every)) = self.metrics.clone() else { return };
        let began = clock.now();
        loop {
            tokio::time::sleep(every).await;
            let body = measured(&metrics::all(&board.read()), began, clock.now());
            self.send(&network, &address, &body).await;
        }
    }

    async fn send(&self, network: &Network, address: &str, body: &Value) {
        let access = Access { redirects: Redirects::Stop, timeout: Some(PATIENCE), ..Access::default() };
        let headers = [("content-type", "application/json")];
        match news::ask(network, access, address, &headers, body).await {
            Ok(()) => self.has_failed.store(false, Ordering::Relaxed),
            Err(why) if !self.has_failed.swap(true, Ordering::Relaxed) => {
                tracing::warn!("the collector has not taken it: {why}; nothing more is said of that until it does");
            }
            Err(_) => {}
        }
    }
}

/// A step that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    name: String,
    began: Timestamp,
    ended: Timestamp,
    /// What it has led to.
    result: String,
}

/// Steps as they begin and end.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    open: BTreeMap<String, (String, Timestamp)>,
    done: Vec<Step>,
}

impl Steps {
    /// Takes note of what the engine does.
    pub(crate) fn note(&mut self, event: &Event, now: Timestamp) {
        let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
        match event {
            Event::StepStarted { id, action, key } => {
                let action = word(serde_json::to_value(action).unwrap_or_default());
                self.open.insert(id.clone(), (format!("{action} {key}"), now));
            }
            Event::StepDone { id, result, .. } => {
                let Some((name, began)) = self.open.remove(id).filter(|_| self.done.len() < MOST) else { return };
                let result = word(serde_json::to_value(result).unwrap_or_default());
                self.done.push(Step { name, began, ended: now, result });
            }
            _ => {}
        }
    }

    /// Those that have ended, and those that end with the sync.
    pub(crate) fn ended(mut self, now: Timestamp) -> Vec<Step> {
        let open = std::mem::take(&mut self.open).into_values();
        self.done.extend(open.map(|(name, began)| Step { name, began, ended: now, result: "open".to_owned() }));
        self.done
    }
}

/// A sync, as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    /// `NAMESPACE/NAME`.
    pub(crate) application: String,
    /// What is said of it, by OpenTelemetry's manner of naming.
    pub(crate) attributes: Vec<(&'static str, String)>,
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
    /// Why it failed, if it did.
    pub(crate) failure: Option<String>,
    pub(crate) steps: Vec<Step>,
}

impl Trace {
    /// What it is known by, in logs, too.
    pub(crate) fn id(&self) -> String {
        hex(&self.seed(), 16)
    }

    fn seed(&self) -> String {
        format!("{} {}", self.application, self.began.as_nanosecond())
    }

    /// As a collector reads it.
    fn written(&self) -> Value {
        let seed = self.seed();
        let (trace, root) = (self.id(), hex(&format!("{seed} root"), 8));
        let status = match &self.failure {
            Some(why) => json!({"code": 2, "message": why}),
            None => json!({"code": 1}),
        };
        let own = json!({
            "traceId": trace, "spanId": root, "kind": 1, "name": format!("sync {}", self.application),
            "startTimeUnixNano": nanoseconds(self.began), "endTimeUnixNano": nanoseconds(self.ended),
            "attributes": self.attributes.iter().map(|(key, value)| attribute(key, value)).collect::<Vec<_>>(),
            "status": status,
        });
        let child = |number: usize, name: &str, (began, ended): (Timestamp, Timestamp), result: &str| {
            let code = if result == "failed" { 2 } else { 1 };
            json!({
                "traceId": trace, "spanId": hex(&format!("{seed} {number}"), 8), "parentSpanId": root, "kind": 1,
                "name": name, "startTimeUnixNano": nanoseconds(began), "endTimeUnixNano": nanoseconds(ended),
                "attributes": [attribute("landfall.step.result", result)], "status": {"code": code},
            })
        };
        let first = self.steps.iter().map(|step| step.began).min().unwrap_or(self.ended);
        let mut spans = vec![own, child(0, "render and plan", (self.began, first), "done")];
        for (number, step) in self.steps.iter().enumerate() {
            spans.push(child(number + 1, &step.name, (step.began, step.ended), &step.result));
        }
        json!({"resourceSpans": [{"resource": resource(), "scopeSpans": [{"scope": scope(), "spans": spans}]}]})
    }
}

/// Metrics as a collector reads them.
fn measured(all: &[Metric], began: Timestamp, now: Timestamp) -> Value {
    let one = |metric: &Metric, suffix: &str| {
        let points = metric.points.iter().filter(|point| point.suffix == suffix).map(|point| {
            let labels = point.labels.iter().map(|(key, text)| attribute(key, text)).collect::<Vec<_>>();
            let mut written =
                json!({"attributes": labels, "startTimeUnixNano": nanoseconds(began), "timeUnixNano": nanoseconds(now)});
            match point.value {
                Measure::Whole(count) => written["asInt"] = count.to_string().into(),
                Measure::Seconds(seconds) => written["asDouble"] = seconds.into(),
            }
            written
        });
        let points = points.collect::<Vec<_>>();
        let mut written = json!({"name": format!("{}{suffix}", metric.name), "description": metric.help});
        match metric.kind {
            "gauge" => written["gauge"] = json!({"dataPoints": points}),
            // All since the start of the process.
            _ => written["sum"] = json!({"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": true}),
        }
        written
    };
    let mut written = Vec::new();
    for metric in all {
        let suffixes: BTreeSet<&str> = metric.points.iter().map(|point| point.suffix).collect();
        written.extend(suffixes.into_iter().map(|suffix| one(metric, suffix)));
    }
    json!({"resourceMetrics": [{"resource": resource(), "scopeMetrics": [{"scope": scope(), "metrics": written}]}]})
}

fn resource() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({"attributes": [attribute("service.name", "landfall"), attribute("service.version", version)]})
}

fn scope() -> Value {
    json!({"name": "landfall", "version": env!("CARGO_PKG_VERSION")})
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// A moment as OTLP's JSON has it: a number of 64 bits, as text.
fn nanoseconds(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}

/// So many bytes that follow from a text, in hexadecimal.
fn hex(text: &str, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use landfall_engine::{Action, StepResult};
    use landfall_object::{Gvk, ObjectKey};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn a_sync_is_one_trace_with_a_span_for_each_step_below_its_own() {
        let key = ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "web");
        let mut steps = Steps::default();
        for (id, began) in [("a", 11), ("b", 12)] {
            let event = Event::StepStarted { id: id.to_owned(), action: Action::Create, key: key.clone() };
            steps.note(&event, at(began));
        }
        steps.note(&Event::StepDone { id: "a".to_owned(), key, result: StepResult::Created }, at(13));
        let trace = Trace {
            application: "argocd/shop".to_owned(),
            attributes: vec![("landfall.revision", "abc".to_owned())],
            began: at(10),
            ended: at(14),
            failure: Some("it broke".to_owned()),
            steps: steps.ended(at(14)),
        };
        let written = trace.written();
        let spans = written["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans").clone();
        let names: Vec<&str> = spans.iter().filter_map(|span| span["name"].as_str()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert_eq!(names[..2], ["sync argocd/shop", "render and plan"]);
        assert!(names[2].starts_with("create ") && names[2].contains("web"), "{names:?}");
        let root = &spans[0];
        assert_eq!(root["traceId"].as_str().map(str::len), Some(32));
        assert_eq!(root["spanId"].as_str().map(str::len), Some(16));
        assert_eq!(root["status"], json!({"code": 2, "message": "it broke"}));
        assert!(
            spans[1..].iter().all(|span| span["parentSpanId"] == root["spanId"] && span["traceId"] == root["traceId"])
        );
        assert_eq!(spans[1]["endTimeUnixNano"], "11000000000");
        assert_eq!(spans[2]["attributes"][0]["value"]["stringValue"], "created");
        assert_eq!(spans[3]["attributes"][0]["value"]["stringValue"], "open");
    }

    #[test]
    fn the_collector_is_named_as_opentelemetry_names_it() {
        let of = |pairs: &'static [(&'static str, &'static str)]| {
            let found = Collector::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, text)| *text));
            found.map(|collector| collector.address.as_deref().map(str::to_owned)).map_err(|(variable, _)| variable)
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[(ENDPOINT, "http://collector:4318/")]), Ok(Some("http://collector:4318/v1/traces".to_owned())));
        let both = of(&[(ENDPOINT, "http://a"), (TRACES, "https://b/traces")]);
        assert_eq!(both, Ok(Some("https://b/traces".to_owned())));
        assert_eq!(of(&[(ENDPOINT, "collector:4317")]), Err(ENDPOINT));
        assert_eq!(of(&[(ENDPOINT, "http://a"), (METRICS, "b")]), Err(METRICS));
        assert_eq!(of(&[(ENDPOINT, "http://a"), (INTERVAL, "soon")]), Err(INTERVAL));
    }
}
