//! One container from waiting to running to ended, and again.

use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::rfc3339;
use landfall_object::Assumption;
use landfall_object::ports::{Asker, UnknownPort};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::probe::{ProbeKind, Standing};
use super::status::{is_kept_unready, is_meant_to_end, is_sidecar};
use super::{Edge, Work, hooks, status};
use crate::controllers::desk::EventType;
use crate::controllers::fields::{count, instant, int, list, namespace, text, truth};
use crate::fault::Effect;

/// How long a container runs that crashes. Nothing: a real kubelet looks at its containers once a second, and one that
/// dies at its start is dead before it is ever told to be ready.
const CRASH_AFTER: SignedDuration = SignedDuration::ZERO;

/// What becomes of a container that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    after: SignedDuration,
    code: i64,
    reason: &'static str,
}

/// Where a container's status stands in the pod's.
#[derive(Clone, Copy)]
struct Place {
    statuses: &'static str,
    index: usize,
}

impl Work<'_, '_> {
    /// Takes init containers on, one after the other; whether all have done their part.
    pub(super) fn run_init_containers(&mut self) -> bool {
        let containers = list(self.pod, "/spec/initContainers");
        for (index, container) in containers.iter().enumerate() {
            let place = Place { statuses: "initContainerStatuses", index };
            self.step(container, place);
            let now = self.at(place);
            let done = if is_sidecar(container) {
                truth(&now, "/started")
            } else {
                int(&now, "/state/terminated/exitCode") == Some(0)
            };
            if !done {
                return false;
            }
        }
        true
    }

    /// Takes the main containers on.
    pub(super) fn run_containers(&mut self) {
        for (index, container) in list(self.pod, "/spec/containers").iter().enumerate() {
            self.step(container, Place { statuses: "containerStatuses", index });
        }
    }

    fn at(&self, place: Place) -> Value {
        self.status.get(place.statuses).and_then(|s| s.get(place.index)).cloned().unwrap_or_default()
    }

    /// Takes one container one step further.
    fn step(&mut self, container: &Value, place: Place) {
        let before = self.at(place);
        if !before.is_object() {
            return;
        }
        let after = if before.pointer("/state/running").is_some() {
            self.step_running(container, before, place)
        } else if before.pointer("/state/terminated").is_some() {
            self.step_ended(container, before, place)
        } else {
            self.step_waiting(container, before)
        };
        self.status[place.statuses][place.index] = after;
    }

    fn step_waiting(&mut self, container: &Value, mut status: Value) -> Value {
        let name = text(container, "/name");
        if let Some(end) = instant(&status, "/lastState/terminated/finishedAt")
            && let end = self.exactly(name, Edge::End, end)
            && let Some(at) = self.restart_at(&status, end).filter(|at| *at > self.desk.now())
        {
            self.again(Some(at));
            return status;
        }
        let image = match self.pull(container) {
            Ok(image) => image,
            Err(waiting) => {
                status["state"] = json!({"waiting": waiting});
                return status;
            }
        };
        let path = format!("spec.containers{{{name}}}");
        if let Some(problem) = self.environment_problem(container) {
            if self.is_news(&path, &problem) {
                self.desk.event_at(self.pod, &path, EventType::Warning, "Failed", &format!("Error: {problem}"));
            }
            status["state"] = json!({"waiting": {"reason": "CreateContainerConfigError", "message": problem}});
            return status;
        }
        let restarts = count(&status, "/restartCount") + i64::from(status.pointer("/lastState/terminated").is_some());
        let id = identity(&[text(self.pod, "/metadata/uid"), name, &restarts.to_string()]);
        self.desk.event_at(self.pod, &path, EventType::Normal, "Created", &format!("Created container: {name}"));
        self.desk.event_at(self.pod, &path, EventType::Normal, "Started", &format!("Started container {name}"));
        let full = image.canonical();
        status["imageID"] = image
            .digest
            .as_ref()
            .map_or_else(|| format!("simulated@sha256:{}", identity(&[&full])), |_| full.clone())
            .into();
        status["image"] = full.into();
        status["containerID"] = format!("simulated://{id}").into();
        status["restartCount"] = restarts.into();
        status["started"] = container.get("startupProbe").is_none().into();
        status["ready"] = false.into();
        status["state"] = json!({"running": {"startedAt": rfc3339(self.desk.now())}});
        self.keep_instant(name, Edge::Start);
        match hooks::lost(container, Asker::PostStart) {
            Some(unknown) => self.killed_after_start(container, status, &unknown),
            None => status,
        }
    }

    /// Ends a container whose `postStart` hook cannot be carried out (`kuberuntime_container.go`).
    fn killed_after_start(&mut self, container: &Value, status: Value, why: &UnknownPort) -> Value {
        let name = text(container, "/name");
        let path = format!("spec.containers{{{name}}}");
        self.desk.event_at(self.pod, &path, EventType::Warning, "FailedPostStartHook", "PostStartHook failed");
        self.desk.event_at(self.pod, &path, EventType::Normal, "Killing", "FailedPostStartHook");
        let mut status = self.ended(container, status, 137, "Error");
        status["state"]["terminated"]["message"] = format!(
            "HTTP lifecycle hook ({}) for Container {name:?} in Pod \"{}\" failed - error: {why}",
            text(container, "/lifecycle/postStart/httpGet/path"),
            self.told_pod(),
        )
        .into();
        status
    }

    fn step_running(&mut self, container: &Value, mut status: Value, place: Place) -> Value {
        let started_at = instant(&status, "/state/running/startedAt").unwrap_or(self.desk.now());
        let started_at = self.exactly(text(container, "/name"), Edge::Start, started_at);
        if let Some(end) = self.end_of(container, place) {
            let at = started_at.checked_add(end.after).unwrap_or(started_at);
            if at <= self.desk.now() {
                return self.ended(container, status, end.code, end.reason);
            }
            self.again(Some(at));
        }
        if place.statuses == "initContainerStatuses" && !is_sidecar(container) {
            return status;
        }
        if !truth(&status, "/started") {
            match self.probe(container, &status, ProbeKind::Startup) {
                Standing::Open => return status,
                Standing::Failed => return self.killed(container, status, "startup"),
                Standing::Absent | Standing::Passed => status["started"] = true.into(),
            }
        }
        if self.probe(container, &status, ProbeKind::Liveness) == Standing::Failed {
            return self.killed(container, status, "liveness");
        }
        let ready = match self.probe(container, &status, ProbeKind::Readiness) {
            Standing::Absent => !is_kept_unready(self.play, self.pod),
            Standing::Passed => true,
            Standing::Failed => false,
            // A ready container stays so until its probe has failed often enough.
            Standing::Open => truth(&status, "/ready"),
        };
        status["ready"] = ready.into();
        status
    }

    fn step_ended(&mut self, container: &Value, mut status: Value, place: Place) -> Value {
        let code = int(&status, "/state/terminated/exitCode").unwrap_or(0);
        let init = place.statuses == "initContainerStatuses";
        let again = match text(self.pod, "/spec/restartPolicy") {
            _ if is_sidecar(container) && init => true,
            "Never" => false,
            "OnFailure" => code != 0,
            _ => !(init && code == 0),
        };
        if !again {
            return status;
        }
        let Some(end) = instant(&status, "/state/terminated/finishedAt") else { return status };
        let name = text(container, "/name");
        let restart = self.restart_at(&status, self.exactly(name, Edge::End, end));
        status["lastState"] = json!({"terminated": status["state"]["terminated"]});
        let wait = self.back_off(&status);
        if wait == SignedDuration::ZERO || restart.is_none_or(|at| at <= self.desk.now()) {
            status["state"] = json!({"waiting": {"reason": "ContainerCreating"}});
            return self.step_waiting(container, status);
        }
        let pod = self.told_pod();
        let path = format!("spec.containers{{{name}}}");
        let message = format!("Back-off restarting failed container {name} in pod {pod}");
        self.desk.event_at(self.pod, &path, EventType::Warning, "BackOff", &message);
        let shown = show_duration(wait);
        status["state"] = json!({"waiting": {
            "reason": "CrashLoopBackOff",
            "message": format!("back-off {shown} restarting failed container={name} pod={pod}"),
        }});
        self.again(restart);
        status
    }

    /// The pod as the kubelet's messages name it (`format.Pod`).
    fn told_pod(&self) -> String {
        let uid = text(self.pod, "/metadata/uid");
        format!("{}_{}({uid})", text(self.pod, "/metadata/name"), namespace(self.pod))
    }

    /// The wait before the next start: none for the first, then 10 s, doubling, at most 5 minutes.
    fn back_off(&self, status: &Value) -> SignedDuration {
        match count(status, "/restartCount") {
            0 => SignedDuration::ZERO,
            restarts => {
                let doublings = u32::try_from(restarts - 1).unwrap_or(5).min(5);
                SignedDuration::from_secs((10_i64 << doublings).min(300))
            }
        }
    }

    fn restart_at(&self, status: &Value, end: Timestamp) -> Option<Timestamp> {
        if self.play.since.is_some_and(|since| end < since) {
            return Some(end);
        }
        end.checked_add(self.back_off(status)).ok()
    }

    fn killed(&mut self, container: &Value, status: Value, probe: &str) -> Value {
        let name = text(container, "/name");
        let path = format!("spec.containers{{{name}}}");
        let message = format!("Container {name} failed {probe} probe, will be restarted");
        self.desk.event_at(self.pod, &path, EventType::Normal, "Killing", &message);
        self.ended(container, status, 137, "Error")
    }

    fn ended(&mut self, container: &Value, mut status: Value, code: i64, reason: &str) -> Value {
        let started = status["state"]["running"]["startedAt"].clone();
        self.keep_instant(text(container, "/name"), Edge::End);
        let mut terminated = json!({
            "exitCode": code,
            "reason": reason,
            "startedAt": started,
            "finishedAt": rfc3339(self.desk.now()),
            "containerID": status["containerID"],
        });
        if code != 0 {
            terminated["message"] =
                format!("simulated: container {} ended with {code}", text(container, "/name")).into();
        }
        status["state"] = json!({"terminated": terminated});
        status["ready"] = false.into();
        status["started"] = false.into();
        // The status now says "ended"; the next look decides whether it starts again.
        self.again(Some(self.desk.now()));
        status
    }

    /// When and how the container ends: as declared, as a fault has it, or at once and well where ending is its purpose.
    fn end_of(&mut self, container: &Value, place: Place) -> Option<End> {
        let init = place.statuses == "initContainerStatuses";
        let meant = (init && !is_sidecar(container)) || (!init && is_meant_to_end(self.pod));
        let name = text(container, "/name");
        let script = self.play.script(self.pod, name);
        let takes = script.and_then(|s| s.runs).unwrap_or(SignedDuration::ZERO);
        let main = !init;
        for effect in self.play.faults_of(self.pod) {
            match effect {
                Effect::CrashLoop if main => {
                    let code = script.and_then(|s| s.exit).filter(|c| *c != 0).unwrap_or(1);
                    return Some(End { after: CRASH_AFTER, code, reason: "Error" });
                }
                Effect::OutOfMemory if main => {
                    return Some(End { after: CRASH_AFTER, code: 137, reason: "OOMKilled" });
                }
                Effect::Fail(code) if main && meant => return Some(End { after: takes, code, reason: "Error" }),
                Effect::Hang if main && meant => return None,
                Effect::Slow(time) if main && meant => return Some(End { after: time, code: 0, reason: "Completed" }),
                _ => {}
            }
        }
        let declared = script.and_then(|s| s.exit);
        if !meant && declared.is_none() {
            return None;
        }
        let code = declared.unwrap_or_else(|| {
            self.assumed.insert(Assumption::Exit(name.to_owned()));
            0
        });
        Some(End { after: takes, code, reason: if code == 0 { "Completed" } else { "Error" } })
    }

    /// Whether a container of the pod runs.
    pub(super) fn running(&self) -> Vec<String> {
        ["/containerStatuses", "/initContainerStatuses"]
            .into_iter()
            .flat_map(|kind| list(&self.status, kind))
            .filter(|s| s.pointer("/state/running").is_some())
            .map(|s| text(s, "/name").to_owned())
            .collect()
    }

    /// Ends all containers that run with this code.
    pub(super) fn end_all(&mut self, code: i64, reason: &str) {
        for (statuses, containers) in
            [("containerStatuses", "/spec/containers"), ("initContainerStatuses", "/spec/initContainers")]
        {
            for (index, container) in list(self.pod, containers).iter().enumerate() {
                let place = Place { statuses, index };
                let before = self.at(place);
                if before.pointer("/state/running").is_some() {
                    self.status[statuses][index] = self.ended(container, before, code, reason);
                }
            }
        }
        self.again = None;
        status::summarise(self);
    }
}

/// `10s`, `1m20s`, `5m0s` as Go prints durations.
fn show_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

/// A made-up identifier that is the same in every run.
fn identity(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        let shown: Vec<String> =
            [10, 80, 160, 300].map(|s| show_duration(SignedDuration::from_secs(s))).into_iter().collect();
        assert_eq!(shown, ["10s", "1m20s", "2m40s", "5m0s"]);
    }
}
