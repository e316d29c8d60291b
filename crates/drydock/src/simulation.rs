//! What the containers of the embedded cluster answer: exactly what the project declares under `simulate:`.
//!
//! ```yaml
//! simulate:
//!   api-gateway:                  # a container, a workload, or workload/container
//!     http: [{path: /health, json: {status: ok}}, {method: POST, path: /graphql, body: '{"data":{}}'}]
//!     logs: ["listening on {{ .port }}"]
//!     exec: [{argv: [node, --version], stdout: v22.0.0}]
//!     start: 2s                   # until it answers
//!     runs: 5s                    # how long a container that ends takes
//!     exit: 1                     # with which code it ends
//!     load: {cpu: 800m}           # what all its pods together use: the autoscaler's metrics
//! ```

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;
use landfall_object::Quantity;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::controllers::fields::{controller_of, label, list, name, namespace, text};

/// Scripts of containers by the name they are declared under.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Simulation {
    /// Container, workload, or `workload/container` to what it does.
    pub containers: BTreeMap<String, Script>,
}

/// What one container does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// Answers to HTTP requests; the longest path that fits wins.
    pub http: Vec<DeclaredHttp>,
    /// Lines written at the start, with `{{ .port }}` and the like filled in.
    pub logs: Vec<String>,
    /// Answers to commands run in the container.
    pub exec: Vec<DeclaredExec>,
    /// Time from the start until it answers.
    #[serde(deserialize_with = "duration")]
    pub start: Option<SignedDuration>,
    /// Time a container that ends takes.
    #[serde(deserialize_with = "duration")]
    pub runs: Option<SignedDuration>,
    /// The code with which a container that ends ends.
    pub exit: Option<i64>,
    /// What all pods of the workload together use, by resource, as the autoscaler measures it.
    #[serde(deserialize_with = "load")]
    pub load: BTreeMap<String, Quantity>,
}

/// The answer to an HTTP request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredHttp {
    /// The path; a trailing `*` takes in all that begins so.
    pub path: String,
    /// The method; without one, GET and HEAD.
    #[serde(default)]
    pub method: Option<String>,
    /// Only on this container port.
    #[serde(default)]
    pub port: Option<u16>,
    /// The status code.
    #[serde(default = "ok", deserialize_with = "status")]
    pub status: u16,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body; `{{ .env.NAME }}` and the like are filled in as in `logs`.
    #[serde(default)]
    pub json: Option<Value>,
    /// A body as text; filled in as `json` is.
    #[serde(default)]
    pub body: Option<String>,
    /// Lines that the request leaves in the container's log, filled in as those at the start.
    #[serde(default)]
    pub logs: Vec<String>,
}

/// The answer to a command.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeclaredExec {
    /// The command with its arguments; a last `*` takes in any further ones.
    pub argv: Vec<String>,
    /// What it writes to standard output.
    pub stdout: String,
    /// What it writes to standard error.
    pub stderr: String,
    /// The exit code.
    pub exit: i64,
}

/// A `simulate:` section that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("simulate: {0}")]
pub struct SimulationError(String);

fn ok() -> u16 {
    200
}

/// A status code that HTTP knows; 200 for none.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let written = Option::<u16>::deserialize(deserializer)?.unwrap_or_else(ok);
    if (100..=599).contains(&written) {
        Ok(written)
    } else {
        Err(D::Error::custom(format!("{written} is no HTTP status")))
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SignedDuration>, D::Error> {
    let Some(written) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    parse_written(&written).map(Some).ok_or_else(|| D::Error::custom(BadDuration(&written)))
}

fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Quantity>, D::Error> {
    let written = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
    let read = |(resource, amount): (String, Value)| match Quantity::from_json(&amount) {
        Ok(quantity) if quantity.signum() >= 0 => Ok((resource, quantity)),
        _ => Err(D::Error::custom(format!("{amount} is no amount of {resource} such as 500m or 256Mi"))),
    };
    written.into_iter().map(read).collect()
}

struct BadDuration<'a>(&'a str);

impl fmt::Display for BadDuration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a duration such as 500ms, 2s or 1m30s", self.0)
    }
}

/// Units of Go's durations, with their seconds; a unit that begins as another stands before it.
const GO: &[(&str, f64)] = &[("ms", 0.001), ("us", 0.000_001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
/// The same with those that landfall.yaml has besides.
const WRITTEN: &[(&str, f64)] =
    &[("ms", 0.001), ("us", 0.000_001), ("w", 604_800.0), ("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];

/// Reads a Go duration: `500ms`, `2s`, `1m30s`.
pub(crate) fn parse_duration(written: &str) -> Option<SignedDuration> {
    in_units(written, GO)
}

/// Reads a duration as landfall.yaml has it: Go's, days as `2d`, weeks as `2w`, and a bare number as seconds.
fn parse_written(written: &str) -> Option<SignedDuration> {
    match written.trim().parse::<u32>() {
        Ok(seconds) => Some(SignedDuration::from_secs(seconds.into())),
        Err(_) => in_units(written, WRITTEN),
    }
}

fn in_units(written: &str, units: &[(&str, f64)]) -> Option<SignedDuration> {
    let mut rest = written.trim();
    let mut total = SignedDuration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, seconds) = units.iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        total = total.checked_add(SignedDuration::try_from_secs_f64(number * seconds).ok()?)?;
    }
    Some(total)
}

impl Simulation {
    /// Reads the section's value, container by container.
    pub fn parse(section: &Value) -> Result<Self, SimulationError> {
        let Some(entries) = section.as_object() else {
            return if section.is_null() {
                Ok(Self::default())
            } else {
                Err(SimulationError("must map containers to what they do".to_owned()))
            };
        };
        let mut containers = BTreeMap::new();
        for (name, script) in entries {
            let script = Script::deserialize(script).map_err(|error| SimulationError(format!("{name}: {error}")))?;
            containers.insert(name.clone(), script);
        }
        Ok(Self { containers })
    }

    /// The script of a pod's container: declared for it in its workload, for it, or for its workload.
    pub fn script(&self, pod: &Value, container: &str) -> Option<&Script> {
        if self.containers.is_empty() {
            return None;
        }
        let workload = workload(pod);
        self.containers.get(&format!("{workload}/{container}")).or_else(|| self.containers.get(container)).or_else(
            || {
                let fits = self.containers.iter().filter(|(key, _)| is_part_of_name(key, &workload));
                fits.max_by_key(|(key, _)| key.len()).map(|(_, script)| script)
            },
        )
    }
}

impl Simulation {
    /// What the workload of a pod uses of a resource in thousandths, all its pods together; of one container only, if
    /// one is named. `None` when nothing is declared.
    pub(crate) fn load(&self, pod: &Value, container: &str, resource: &str) -> Option<i64> {
        let mut counted: Vec<&Script> = Vec::new();
        let containers = list(pod, "/spec/containers").iter().map(|c| text(c, "/name"));
        for script in containers.filter(|c| container.is_empty() || *c == container).filter_map(|c| self.script(pod, c))
        {
            // One that is declared for the whole workload counts once.
            if !counted.iter().any(|known| std::ptr::eq(*known, script)) {
                counted.push(script);
            }
        }
        let mut loads = counted.iter().filter_map(|script| script.load.get(resource)).peekable();
        loads.peek()?;
        Some(loads.fold(0, |sum, load| sum.saturating_add(load.millis())))
    }
}

impl Script {
    /// The answer to a request, if one is declared.
    pub fn answer(&self, method: &str, path: &str, port: Option<u16>) -> Option<&DeclaredHttp> {
        let path = path.split(['?', '#']).next().unwrap_or(path);
        let fits = self.http.iter().filter(|answer| {
            let method_fits = match &answer.method {
                Some(wanted) => wanted.eq_ignore_ascii_case(method),
                None => matches!(method, "GET" | "HEAD"),
            };
            let path_fits = match answer.path.strip_suffix('*') {
                Some(beginning) => path.starts_with(beginning),
                None => path == answer.path,
            };
            let port_fits = answer.port.is_none_or(|wanted| port.is_none_or(|port| port == wanted));
            method_fits && path_fits && port_fits
        });
        // The longest path wins, an exact one before all; of equals the first.
        let rank = |answer: &DeclaredHttp| (!answer.path.ends_with('*'), answer.path.len());
        fits.fold(None, |best: Option<&DeclaredHttp>, next| match best {
            Some(best) if rank(best) >= rank(next) => Some(best),
            _ => Some(next),
        })
    }

    /// The answer to a command, if one is declared.
    pub fn run(&self, argv: &[&str]) -> Option<&DeclaredExec> {
        self.exec.iter().find(|answer| match answer.argv.split_last() {
            Some((last, beginning)) if last == "*" => {
                argv.len() >= beginning.len() && beginning.iter().zip(argv).all(|(a, b)| a == b)
            }
            _ => answer.argv.iter().map(String::as_str).eq(argv.iter().copied()),
        })
    }
}

impl DeclaredHttp {
    /// The body as it is declared, before anything is filled in.
    pub fn text(&self) -> String {
        match (&self.json, &self.body) {
            (Some(json), _) => json.to_string(),
            (None, Some(body)) => body.clone(),
            (None, None) => String::new(),
        }
    }

    /// The content type: declared, JSON, or plain text.
    pub fn content_type(&self) -> &str {
        let declared = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        match (declared, &self.json) {
            (Some((_, value)), _) => value,
            (None, Some(_)) => "application/json",
            (None, None) => "text/plain; charset=utf-8",
        }
    }
}

/// The name of what the pod belongs to: deployment, stateful set, daemon set, job, or the pod itself.
pub(crate) fn workload(pod: &Value) -> String {
    let Some(owner) = controller_of(pod) else { return name(pod).to_owned() };
    let owner_name = text(owner, "/name");
    let hash = label(pod, "pod-template-hash").map(|hash| format!("-{hash}"));
    match hash {
        Some(hash) if text(owner, "/kind") == "ReplicaSet" => {
            owner_name.strip_suffix(hash.as_str()).unwrap_or(owner_name).to_owned()
        }
        _ => owner_name.to_owned(),
    }
}

/// Whether `part` is the name or a run of whole words in it: `migrate` in `shop-migrate-3`.
pub(crate) fn is_part_of_name(part: &str, name: &str) -> bool {
    !part.is_empty() && format!("-{name}-").contains(&format!("-{part}-"))
}

/// Fills `{{ .port }}`, `{{ .pod }}`, `{{ .namespace }}`, `{{ .container }}`, `{{ .image }}`, `{{ .ip }}`, `{{ .node }}`
/// and the container's written variables (`{{ .env.NAME }}`) into a line; anything else in braces stays as it is.
pub(crate) fn fill(line: &str, pod: &Value, container: &str) -> String {
    let spec = ["/spec/containers", "/spec/initContainers"]
        .into_iter()
        .flat_map(|kind| list(pod, kind))
        .find(|c| text(c, "/name") == container);
    let mut filled = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((expression, tail)) = after.split_once("}}") else { break };
        filled.push_str(before);
        match expression.trim() {
            ".port" => {
                let port = spec.and_then(|c| c.pointer("/ports/0/containerPort")).and_then(Value::as_u64);
                filled.push_str(&port.map_or_else(|| "?".to_owned(), |p| p.to_string()));
            }
            ".pod" => filled.push_str(name(pod)),
            ".namespace" => filled.push_str(namespace(pod)),
            ".container" => filled.push_str(container),
            ".image" => filled.push_str(spec.map_or("", |c| text(c, "/image"))),
            ".ip" => filled.push_str(text(pod, "/status/podIP")),
            ".node" => filled.push_str(text(pod, "/spec/nodeName")),
            other => match other.strip_prefix(".env.").and_then(|variable| written_variable(spec, variable)) {
                Some(value) => filled.push_str(value),
                None => {
                    filled.push_str("{{ ");
                    filled.push_str(other);
                    filled.push_str(" }}");
                }
            },
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

/// The value of an environment variable that the manifest writes out; one from a Secret is not told.
fn written_variable<'a>(container: Option<&'a Value>, variable: &str) -> Option<&'a str> {
    list(container?, "/env").iter().find(|env| text(env, "/name") == variable)?.get("value")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared() -> Simulation {
        Simulation::parse(&json!({
            "api": {
                "http": [
                    {"path": "/health", "json": {"status": "ok"}},
                    {"method": "POST", "path": "/graphql", "body": "{}"},
                    {"path": "/files/*", "status": 204},
                ],
                "exec": [{"argv": ["node", "--version"], "stdout": "v22.0.0\n"}, {"argv": ["sh", "-c", "*"], "exit": 3}],
                "start": "2s",
            },
        }))
        .expect("a valid section")
    }

    #[test]
    fn only_declared_requests_are_answered() {
        let simulation = declared();
        let script = &simulation.containers["api"];
        assert_eq!(
            script.answer("GET", "/health?x=1", None).map(DeclaredHttp::text).as_deref(),
            Some(r#"{"status":"ok"}"#)
        );
        assert!(script.answer("GET", "/graphql", None).is_none());
        assert!(script.answer("POST", "/graphql", None).is_some());
        assert_eq!(script.answer("GET", "/files/a/b", None).map(|a| a.status), Some(204));
        assert!(script.answer("GET", "/", None).is_none());
        assert_eq!(script.run(&["sh", "-c", "exit 3"]).map(|a| a.exit), Some(3));
        assert!(script.run(&["ls"]).is_none());
    }

    #[test]
    fn a_script_is_found_by_container_or_workload() {
        let simulation = declared();
        let pod = json!({"metadata": {"name": "shop-api-7-x", "labels": {"pod-template-hash": "7"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "shop-api-7", "controller": true}]}});
        assert_eq!(workload(&pod), "shop-api");
        assert!(simulation.script(&pod, "main").is_some());
        assert!(simulation.script(&json!({"metadata": {"name": "other"}}), "api").is_some());
        assert!(simulation.script(&json!({"metadata": {"name": "apix"}}), "main").is_none());
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(parse_duration("1m30s"), Some(SignedDuration::from_secs(90)));
        assert_eq!(parse_duration("500ms"), Some(SignedDuration::from_millis(500)));
        assert_eq!(parse_duration("2"), None);
        assert_eq!(parse_duration(""), None);
    }

    #[test]
    fn a_mistake_names_container_and_field() {
        let error = Simulation::parse(&json!({"web": {"htp": []}})).expect_err("unknown field");
        assert!(error.to_string().starts_with("simulate: web: unknown field `htp`"), "{error}");
        let error = Simulation::parse(&json!({"web": {"start": "soon"}})).expect_err("no duration");
        assert!(error.to_string().contains("`soon` is not a duration"), "{error}");
    }

    #[test]
    fn log_lines_are_filled_in() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}});
        assert_eq!(fill("{{ .pod }} on {{.port}} {{ .x }} {{", &pod, "c"), "p on 80 {{ .x }} {{");
    }

    #[test]
    fn a_written_variable_is_filled_in_and_a_secret_one_is_not() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "env": [
            {"name": "VERSION", "value": "1.2.3"},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]}});
        assert_eq!(fill("{{ .env.VERSION }} {{ .env.PASSWORD }}", &pod, "c"), "1.2.3 {{ .env.PASSWORD }}");
    }
}
