//! What a container answers to logs, commands and requests: what is declared, and that it is simulated.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use jiff::Timestamp;
use landfall_apiserver::{
    Backend, Containers, ExecOutcome, HttpAnswer, Life, LogLine, PortRequest, ServiceRequest, Stored, World,
};
use landfall_object::ports::container_port;
use parking_lot::Mutex;
use serde_json::Value;

use super::status::container_status;
use crate::behaviour::Behaviour;
use crate::controllers::fields::{instant, list, text};
use crate::diary::later;
use crate::ingress::{answer_of, ready_pods};
use crate::operators::sealed_secrets;
use crate::simulation::fill;

/// The beginning of a command, for marks and messages.
pub(super) fn short(argv: &[&str]) -> String {
    landfall_diag::shortened(&argv.join(" "), 40).replace(", ", " ")
}

impl Containers for Behaviour {
    fn logs(&self, pod: &Value, container: &str, life: Life, now: Timestamp) -> Vec<LogLine> {
        let Some(status) = pod.get("status").and_then(|s| container_status(s, container)) else { return Vec::new() };
        let state = match life {
            Life::Previous => status.get("lastState"),
            Life::Current if status.pointer("/state/waiting").is_some() => status.get("lastState"),
            Life::Current => status.get("state"),
        };
        let Some(state) = state else { return Vec::new() };
        let Some(started) = instant(state, "/running/startedAt").or_else(|| instant(state, "/terminated/startedAt"))
        else {
            return Vec::new();
        };
        let line = |at: Timestamp, text: String| LogLine { at, text };
        let mut lines = vec![line(
            started,
            format!("~ container {container} is simulated: no process runs, it answers only what is declared"),
        )];
        let play = self.play();
        let script = play.script(pod, container);
        for declared in script.map_or(&[][..], |s| &s.logs) {
            lines.push(line(started, fill(declared, pod, container)));
        }
        let ended = state.get("terminated").and_then(|ended| instant(ended, "/finishedAt"));
        lines.extend(self.diary().read(pod, container, (started, ended)));
        if let Some(ended) = state.get("terminated") {
            let at = instant(ended, "/finishedAt").unwrap_or(started).min(now);
            let code = ended["exitCode"].as_i64().unwrap_or(0);
            let faults: Vec<String> = play
                .faults
                .iter()
                .filter(|f| play.faults_of(pod).any(|e| e == f.effect))
                .map(ToString::to_string)
                .collect();
            let because = match (code, faults.as_slice()) {
                (0, _) | (_, []) => String::new(),
                (_, faults) => format!(" (fault {})", faults.join(", ")),
            };
            lines.push(line(at, format!("~ container {container} ended with exit code {code}{because}")));
        }
        lines
    }

    fn exec(&self, pod: &Value, container: &str, argv: &[String]) -> Option<ExecOutcome> {
        let play = self.play();
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let answer = play.script(pod, container)?.run(&argv)?;
        Some(ExecOutcome {
            stdout: answer.stdout.clone(),
            stderr: answer.stderr.clone(),
            code: i32::try_from(answer.exit).unwrap_or(1),
        })
    }

    fn http(&self, pod: &Value, port: u16, request: &PortRequest<'_>) -> Option<HttpAnswer> {
        let play = self.play();
        let container = container_of_port(pod, port)?;
        let name = text(container, "/name");
        let answer = play.script(pod, name)?.answer(request.method, request.path, Some(port))?;
        if !answer.logs.is_empty() {
            let status = pod.get("status").and_then(|status| container_status(status, name));
            let started = status.and_then(|status| instant(status, "/state/running/startedAt"));
            let at = started.map_or(request.now, |started| later(request.now, started));
            let lines = answer.logs.iter().map(|line| LogLine { at, text: fill(line, pod, name) });
            self.diary().write(pod, name, lines);
        }
        let mut headers: Vec<(String, String)> = answer
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        headers.push(("content-type".to_owned(), answer.content_type().to_owned()));
        let body = fill(&answer.text(), pod, name).into_bytes();
        Some(HttpAnswer { status: answer.status, headers, body })
    }

    fn stands_behind(&self, world: &Mutex<World>, request: &ServiceRequest<'_>) -> Option<HttpAnswer> {
        let is_off = self.play().operators_off.contains(sealed_secrets::TWIN.name);
        if is_off { None } else { sealed_secrets::answer(world, request) }
    }

    fn stands_for(&self, world: &World, namespace: &str, name: &str, agent: &str) -> Option<Value> {
        let is_off = self.play().operators_off.contains(sealed_secrets::TWIN.name);
        if is_off { None } else { sealed_secrets::service_for(world, namespace, name, agent) }
    }

    fn ready(&self, world: &World, service: &Stored, port: &Value) -> Vec<Backend> {
        ready_pods(world, service, port)
    }

    fn pass(&self, backend: &Backend, request: &PortRequest<'_>) -> Response<Full<Bytes>> {
        answer_of(self, backend, request)
    }
}

/// The container that has the port, or the first one: ports need not be written down.
pub(crate) fn container_of_port(pod: &Value, port: u16) -> Option<&Value> {
    let containers = list(pod, "/spec/containers");
    let has = |container: &&Value| {
        list(container, "/ports").iter().any(|p| container_port(container, &p["containerPort"]) == Ok(port))
    };
    containers.iter().find(has).or_else(|| containers.first())
}
