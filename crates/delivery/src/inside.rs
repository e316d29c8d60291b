//! Checks inside of the cluster: a command in a container, a line in a log, a rollout.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use landfall_cluster::{Cluster, Error, Executed, JobWait, ListOptions, LogOptions, Readiness, readiness};
use landfall_object::{Gvk, Object, SIMULATED};
use landfall_project::{ExecCheck, ROLLED_OUT};

use crate::checks::Bounds;
use crate::checks::verdict::Verdict;

/// Lines of a log that are searched, from its end.
const LINES: u32 = 2_000;
/// The longest one command may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What checks look into: a cluster, and those of its namespaces that they may see.
#[derive(Clone, Copy)]
pub(crate) struct Inside<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) bounds: &'a Bounds<'a>,
}

impl Inside<'_> {
    /// Whether objects of a namespace may be looked at.
    pub(crate) fn may_see(&self, namespace: Option<&str>) -> bool {
        namespace.is_some_and(|namespace| self.bounds.permit(namespace))
    }
}

/// What is said of a namespace that is none of the checks'.
pub(crate) fn out_of_bounds(namespace: &str) -> String {
    format!("namespace {namespace} is not one that the Application's project may deliver to")
}

/// A workload as a check names it.
struct Named<'n> {
    namespace: Option<&'n str>,
    kind: Option<String>,
    name: &'n str,
}

impl<'n> Named<'n> {
    fn parse(text: &'n str) -> Self {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [namespace, kind, name] => Named { namespace: Some(namespace), kind: Some(kind.to_lowercase()), name },
            [kind, name] => Named { namespace: None, kind: Some(kind.to_lowercase()), name },
            _ => Named { namespace: None, kind: None, name: text },
        }
    }

    fn is(&self, kind: &str, name: &str) -> bool {
        let kind = kind.to_lowercase();
        let of_kind = self.kind.as_deref().is_none_or(|wanted| wanted.trim_end_matches('s') == kind);
        of_kind && self.name == name
    }
}

/// What became of a command.
pub(crate) struct Ended {
    /// The namespace of the pod that it ran in.
    pub(crate) namespace: String,
    /// What it ended with and has written.
    pub(crate) of: Executed,
    /// Whether its pod is simulated.
    pub(crate) simulated: bool,
}

/// Runs the command in the first ready pod of the workload; else the verdict on one that did not run to its end.
pub(crate) async fn run(inside: &Inside<'_>, check: &ExecCheck) -> Result<Ended, (Verdict, bool)> {
    let failed = |reason: String| Err((Verdict::Failed { reason }, false));
    let pods = match pods(inside, &Named::parse(&check.workload)).await {
        Ok(pods) => pods,
        Err(reason) => return failed(reason),
    };
    let is_ready = |pod: &&Object| readiness(pod, JobWait::Ignore).is_ready();
    let Some(pod) = pods.iter().find(is_ready).or(pods.first()) else {
        return failed(format!("{} has no pods", check.workload));
    };
    let simulated = pod.annotation(SIMULATED).is_some();
    let namespace = pod.namespace().unwrap_or_default();
    let run = inside.cluster.exec(namespace, pod.name(), check.container.as_deref(), &check.argv);
    let ended = match tokio::time::timeout(PATIENCE, run).await {
        Ok(Ok(ended)) => ended,
        // A cluster within this process has no connection that a command could be run over.
        Ok(Err(error)) if simulated && is_without_stream(&error) => {
            let reason = format!("commands in {} need a served cluster", check.workload);
            return Err((Verdict::NotSimulated { reason }, true));
        }
        Ok(Err(error)) => return failed(words(&error)),
        Err(_) => return failed(format!("`{}` did not end within {} s", check.argv.join(" "), PATIENCE.as_secs())),
    };
    if ended.undeclared {
        return Err((Verdict::NotSimulated { reason: ended.stderr.trim().trim_start_matches("~ ").to_owned() }, true));
    }
    Ok(Ended { namespace: namespace.to_owned(), of: ended, simulated })
}

/// Runs the command, which must end with 0, and print a text where one is said.
pub(crate) async fn exec(inside: &Inside<'_>, check: &ExecCheck, contains: Option<&str>) -> (Verdict, bool) {
    let Ended { of: ended, simulated, .. } = match run(inside, check).await {
        Ok(ended) => ended,
        Err(verdict) => return verdict,
    };
    let verdict = if ended.exit != 0 {
        let said = format!("{}{}", ended.stderr, ended.stdout);
        Verdict::Failed { reason: format!("it ended with {}{}", ended.exit, excerpt(&said)) }
    } else {
        match contains.filter(|text| !ended.stdout.contains(text)) {
            Some(text) => Verdict::Failed { reason: format!("it does not print {text:?}{}", excerpt(&ended.stdout)) },
            None => Verdict::Passed,
        }
    };
    (verdict, simulated)
}

/// Looks for a line in the logs of the workload's pods.
pub(crate) async fn logs(inside: &Inside<'_>, workload: &str, contains: &str) -> (Verdict, bool) {
    let pods = match pods(inside, &Named::parse(workload)).await {
        Ok(pods) => pods,
        Err(reason) => return (Verdict::Failed { reason }, false),
    };
    let simulated = pods.iter().any(|pod| pod.annotation(SIMULATED).is_some());
    let mut last = format!("{workload} has no pods");
    let mut undeclared = None;
    for pod in &pods {
        for container in pod.list_at("/spec/containers") {
            let name = container["name"].as_str();
            let options =
                LogOptions { container: name.map(str::to_owned), tail_lines: Some(LINES), ..LogOptions::default() };
            let text = match inside.cluster.logs(pod.namespace().unwrap_or_default(), pod.name(), &options).await {
                Ok(text) => text,
                Err(error) => {
                    last = words(&error);
                    continue;
                }
            };
            let said = if pod.annotation(SIMULATED).is_some() { declared(&text) } else { text.clone() };
            if !said.is_empty() && said.contains(contains) {
                return (Verdict::Passed, simulated);
            }
            if said.is_empty() && !text.is_empty() {
                undeclared.get_or_insert(format!(
                    "container {} of pod {} is simulated and declares no log",
                    name.unwrap_or("?"),
                    pod.name()
                ));
            }
            last = format!("no line of its log contains {contains:?}");
        }
    }
    match undeclared {
        // Perhaps it would have said so.
        Some(reason) => (Verdict::NotSimulated { reason }, true),
        None => (Verdict::Failed { reason: last }, simulated),
    }
}

/// What the pods of a workload have written into their logs so far.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// By pod and container: each line with its time.
    lines: BTreeMap<(String, String), Vec<(Timestamp, String)>>,
    /// Whether one of them is simulated.
    pub(crate) simulated: bool,
}

impl Written {
    /// Whether a line contains a text that is newer than all that was there before in its container.
    pub(crate) fn has_since(&self, before: &Written, text: &str) -> bool {
        self.lines.iter().any(|(container, lines)| {
            let newest = before.lines.get(container).and_then(|lines| lines.iter().map(|(at, _)| *at).max());
            lines.iter().any(|(at, line)| newest.is_none_or(|newest| *at > newest) && line.contains(text))
        })
    }

    /// Takes a container's log, each line with its time in front.
    fn take(&mut self, pod: &str, container: &str, text: &str) {
        let line = |line: &str| {
            let (at, line) = line.split_once(' ')?;
            Some((at.parse::<Timestamp>().ok()?, line.to_owned()))
        };
        let lines = text.lines().filter_map(line).collect();
        self.lines.insert((pod.to_owned(), container.to_owned()), lines);
    }
}

/// Reads what the pods of a workload have written into their logs so far.
pub(crate) async fn written(inside: &Inside<'_>, workload: &str) -> Result<Written, String> {
    let mut written = Written::default();
    for pod in pods(inside, &Named::parse(workload)).await? {
        written.simulated |= pod.annotation(SIMULATED).is_some();
        for container in pod.list_at("/spec/containers") {
            let name = container["name"].as_str().unwrap_or_default();
            let options = LogOptions {
                container: Some(name.to_owned()),
                tail_lines: Some(LINES),
                timestamps: true,
                ..LogOptions::default()
            };
            // One that has not started yet has written nothing.
            let text = inside.cluster.logs(pod.namespace().unwrap_or_default(), pod.name(), &options).await;
            written.take(pod.name(), name, &text.unwrap_or_default());
        }
    }
    Ok(written)
}

/// The declared lines of a simulated container's log, without what the cluster says of it.
fn declared(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("~ ")).collect();
    lines.join("\n")
}

/// Whether the workload is rolled out and available, with at least one pod: one without any serves nobody.
pub(crate) async fn rollout(inside: &Inside<'_>, workload: &str) -> (Verdict, bool) {
    let named = Named::parse(workload);
    let options = ListOptions { namespace: named.namespace.map(str::to_owned), ..ListOptions::default() };
    for kind in ROLLED_OUT {
        let found = match inside.cluster.list(&Gvk::new("apps", "v1", kind), &options).await {
            Ok(found) => found,
            Err(error) => return (Verdict::Failed { reason: words(&error) }, false),
        };
        let is_it = |object: &&Object| named.is(kind, object.name()) && inside.may_see(object.namespace());
        let Some(object) = found.iter().find(is_it) else { continue };
        let its = Named { namespace: object.namespace(), kind: Some(kind.to_lowercase()), name: object.name() };
        let pods = self::pods(inside, &its).await;
        let simulated = pods.iter().flatten().any(|pod| pod.annotation(SIMULATED).is_some());
        let verdict = match (readiness(object, JobWait::Ignore), pods) {
            (Readiness::NotYet(reason) | Readiness::Failed(reason), _) => Verdict::Failed { reason },
            (Readiness::Ready, Err(reason)) => Verdict::Failed { reason },
            (Readiness::Ready, Ok(_)) => Verdict::Passed,
        };
        return (verdict, simulated);
    }
    let out = named.namespace.filter(|it| !inside.may_see(Some(it))).map(out_of_bounds);
    (
        Verdict::Failed {
            reason: out.unwrap_or_else(|| format!("there is no {} {workload}", ROLLED_OUT.join(" or "))),
        },
        false,
    )
}

/// The pods of a workload, those that are to go left out.
async fn pods(inside: &Inside<'_>, named: &Named<'_>) -> Result<Vec<Object>, String> {
    let options = ListOptions { namespace: named.namespace.map(str::to_owned), ..ListOptions::default() };
    let options = &options;
    let list = |gvk: Gvk| async move { inside.cluster.list(&gvk, options).await.map_err(|error| words(&error)) };
    let mut pods = list(Gvk::new("", "v1", "Pod")).await?;
    let sets = list(Gvk::new("apps", "v1", "ReplicaSet")).await?;
    pods.retain(|pod| {
        if pod.deletion_timestamp().is_some() || !inside.may_see(pod.namespace()) {
            return false;
        }
        if named.is("Pod", pod.name()) {
            return true;
        }
        let Some(owner) = pod.controller() else { return false };
        let set = sets.iter().find(|set| set.uid() == Some(owner.uid.as_str()));
        let above = set.and_then(Object::controller).unwrap_or(owner);
        named.is(&above.kind, &above.name)
    });
    if pods.is_empty() {
        if let Some(namespace) = named.namespace.filter(|it| !inside.may_see(Some(it))) {
            return Err(out_of_bounds(namespace));
        }
        return Err(format!("{} has no pods", named.name));
    }
    Ok(pods)
}

fn is_without_stream(error: &Error) -> bool {
    matches!(error.code(), Some(400)) || matches!(error, Error::Unreachable { .. })
}

/// An error with its causes, in one line.
pub(crate) fn words(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

pub(crate) fn excerpt(text: &str) -> String {
    // Before it is cut: the beginning of a value that is known would not be known any more.
    let text = &*landfall_diag::without_known(text);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if line.is_empty() { String::new() } else { format!("; it says: {}", line.chars().take(120).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_named_with_as_much_as_is_needed() {
        let named = Named::parse("shop/StatefulSets/db");
        assert_eq!(named.namespace, Some("shop"));
        assert!(named.is("StatefulSet", "db") && !named.is("Deployment", "db"));
        assert!(Named::parse("db").is("Deployment", "db") && !Named::parse("db").is("Deployment", "db-2"));
    }

    #[test]
    fn only_a_line_that_is_newer_than_the_request_was_left_by_it() {
        let of = |text: &str| {
            let mut written = Written::default();
            written.take("web-1", "app", text);
            written
        };
        let before = of("2026-01-01T00:00:01.5Z asked\n2026-01-01T00:00:02Z ready\n");
        assert!(!before.has_since(&before, "asked"), "it was there before");
        let after = of("2026-01-01T00:00:01.5Z asked\n2026-01-01T00:00:02Z ready\n2026-01-01T00:00:03Z asked\n");
        assert!(after.has_since(&before, "asked") && !after.has_since(&before, "ready"));
        assert!(before.has_since(&Written::default(), "asked"), "the pod is new");
    }

    #[test]
    fn what_the_cluster_says_of_a_simulated_container_is_no_line_of_its_log() {
        assert_eq!(declared("~ container app is simulated\nready to serve\n~ ended\n"), "ready to serve");
        assert_eq!(declared("~ container app is simulated: no process runs\n"), "");
    }
}
