//! Probes: answered by what is declared, counted as the kubelet counts (`pkg/kubelet/prober`).

use jiff::{SignedDuration, Timestamp};
use landfall_object::Assumption;
use landfall_object::ports::container_port;
use serde_json::Value;

use super::{Edge, Work, answers};
use crate::controllers::desk::EventType;
use crate::controllers::fields::{count, instant, int, list, text};
use crate::fault::Effect;

/// The three probes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProbeKind {
    Startup,
    Readiness,
    Liveness,
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The declared answer passes.
    Pass,
    /// Nothing is declared for it; taken as passing.
    Assumed(String),
    /// It fails, with the probe's output.
    Fail(String),
    /// It cannot be made at all: what it found is thrown away, and it counts neither as a success nor as a failure.
    Errored(String),
}

/// How a probe has fared so far.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    next: Timestamp,
    successes: i64,
    failures: i64,
    /// Of this start of the container; another start begins anew.
    started_at: Timestamp,
}

/// What a probe says of its container at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No such probe.
    Absent,
    /// Not decided yet.
    Open,
    /// Enough successes in a row.
    Passed,
    /// Enough failures in a row.
    Failed,
}

impl ProbeKind {
    fn field(self) -> &'static str {
        match self {
            Self::Startup => "/startupProbe",
            Self::Readiness => "/readinessProbe",
            Self::Liveness => "/livenessProbe",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }
}

impl Work<'_, '_> {
    /// Runs a probe of a container that is up, if it is due, and says where it stands.
    pub(super) fn probe(&mut self, container: &Value, status: &Value, kind: ProbeKind) -> Standing {
        let Some(probe) = container.pointer(kind.field()) else { return Standing::Absent };
        let Some(started_at) = instant(status, "/state/running/startedAt") else { return Standing::Open };
        let started_at = self.exactly(text(container, "/name"), Edge::Start, started_at);
        let now = self.desk.now();
        let key = (self.uid(), text(container, "/name").to_owned(), kind);
        // An initial delay stands for a start that is not simulated: on the machine's clock nobody waits for it.
        let hurry = self.desk.is_real_time();
        let delay = if hurry { 0 } else { count(probe, "/initialDelaySeconds").max(0) };
        let first = started_at.checked_add(SignedDuration::from_secs(delay)).unwrap_or(now);
        let fresh = Progress { next: first.max(since_known(status, kind, now)), successes: 0, failures: 0, started_at };
        let mut progress = self.memory.probes.get(&key).cloned().unwrap_or_else(|| fresh.clone());
        if progress.started_at != started_at {
            progress = fresh;
        }
        let needed = int(probe, "/successThreshold").unwrap_or(1).max(1);
        let allowed = int(probe, "/failureThreshold").unwrap_or(3).max(1);
        let period = SignedDuration::from_secs(int(probe, "/periodSeconds").unwrap_or(10).max(1));
        let mut settled = false;
        if progress.next <= now {
            let answers_from = self.answers_from(container, started_at);
            let verdict = self.ask(container, probe, kind, answers_from);
            match verdict {
                Verdict::Pass => {
                    progress.failures = 0;
                    progress.successes += 1;
                    settled = progress.successes >= needed;
                }
                Verdict::Assumed(what) => {
                    self.assumed.insert(Assumption::Probe(what));
                    progress.failures = 0;
                    progress.successes += 1;
                    settled = progress.successes >= needed;
                }
                Verdict::Fail(output) => {
                    progress.successes = 0;
                    progress.failures += 1;
                    let path = format!("spec.containers{{{}}}", text(container, "/name"));
                    let message = format!("{} probe failed: {output}", kind.word());
                    self.desk.event_at(self.pod, &path, EventType::Warning, "Unhealthy", &message);
                    // What is declared does not change by itself, so nothing new is to be learnt by asking on.
                    settled = progress.failures >= allowed && answers_from <= now;
                }
                Verdict::Errored(why) => {
                    let path = format!("spec.containers{{{}}}", text(container, "/name"));
                    let message = format!("{} probe errored and resulted in unknown state: {why}", kind.word());
                    self.desk.event_at(self.pod, &path, EventType::Warning, "Unhealthy", &message);
                    settled = true;
                }
            }
            progress.next = now.checked_add(period).unwrap_or(Timestamp::MAX);
            let begins = self.answers_from(container, started_at);
            if hurry && begins > now {
                progress.next = progress.next.min(begins);
            }
        } else if progress.successes >= needed || progress.failures >= allowed {
            settled = true;
        }
        if !settled {
            self.again(Some(progress.next));
        }
        let standing = if progress.successes >= needed {
            Standing::Passed
        } else if progress.failures >= allowed {
            Standing::Failed
        } else {
            Standing::Open
        };
        self.memory.probes.insert(key, progress);
        standing
    }

    /// From when on the container answers at all.
    fn answers_from(&self, container: &Value, started_at: Timestamp) -> Timestamp {
        let declared = self.play.script(self.pod, text(container, "/name")).and_then(|s| s.start);
        let slow = self.play.faults_of(self.pod).find_map(|effect| match effect {
            Effect::Slow(time) => Some(time),
            _ => None,
        });
        let delay = slow.or(declared).unwrap_or(SignedDuration::ZERO);
        started_at.checked_add(delay).unwrap_or(started_at)
    }

    fn ask(&mut self, container: &Value, probe: &Value, kind: ProbeKind, answers_from: Timestamp) -> Verdict {
        let name = text(container, "/name");
        let ip = text(&self.status, "/podIP").to_owned();
        let asked = ["/httpGet/port", "/tcpSocket/port", "/grpc/port"].iter().find_map(|field| probe.pointer(field));
        let port = match asked.map(|port| container_port(container, port)).transpose() {
            Ok(port) => port,
            Err(unknown) => return Verdict::Errored(unknown.to_string()),
        };
        let shown = port.map_or_else(|| "?".to_owned(), |p| p.to_string());
        let path = Some(text(probe, "/httpGet/path")).filter(|p| !p.is_empty()).unwrap_or("/");
        if answers_from > self.desk.now() {
            return Verdict::Fail(match (probe.get("httpGet"), probe.get("exec")) {
                (Some(get), _) => {
                    let scheme = text(get, "/scheme").to_ascii_lowercase();
                    let scheme = if scheme.is_empty() { "http" } else { &scheme };
                    format!("Get \"{scheme}://{ip}:{shown}{path}\": dial tcp {ip}:{shown}: connect: connection refused")
                }
                (_, Some(_)) => "simulated: not started yet".to_owned(),
                _ => format!("dial tcp {ip}:{shown}: connect: connection refused"),
            });
        }
        if kind == ProbeKind::Readiness && super::status::is_kept_unready(self.play, self.pod) {
            return Verdict::Fail(if probe.get("httpGet").is_some() {
                "HTTP probe failed with statuscode: 503".to_owned()
            } else {
                "simulated fault: unready".to_owned()
            });
        }
        let script = self.play.script(self.pod, name);
        let word = kind.word().to_ascii_lowercase();
        if probe.get("httpGet").is_some() {
            return match script.and_then(|s| s.answer("GET", path, port)) {
                Some(answer) if (200..400).contains(&answer.status) => Verdict::Pass,
                Some(answer) => Verdict::Fail(format!("HTTP probe failed with statuscode: {}", answer.status)),
                None => Verdict::Assumed(format!("{name} {word} GET :{shown}{path}")),
            };
        }
        if let Some(exec) = probe.get("exec") {
            let argv: Vec<&str> = list(exec, "/command").iter().filter_map(Value::as_str).collect();
            return match script.and_then(|s| s.run(&argv)) {
                Some(answer) if answer.exit == 0 => Verdict::Pass,
                Some(answer) => Verdict::Fail(format!("{}{}", answer.stdout, answer.stderr)),
                None => Verdict::Assumed(format!("{name} {word} exec {}", answers::short(&argv))),
            };
        }
        let sort = if probe.get("grpc").is_some() { "grpc" } else { "tcp" };
        Verdict::Assumed(format!("{name} {word} {sort} :{shown}"))
    }
}

/// A container that was ready before this process knew of it is asked at once, not after its delay.
fn since_known(status: &Value, kind: ProbeKind, now: Timestamp) -> Timestamp {
    let known = kind == ProbeKind::Readiness && status.get("ready") == Some(&Value::Bool(true));
    if known { now } else { Timestamp::UNIX_EPOCH }
}
