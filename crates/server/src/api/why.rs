//! Why an Application stands as it does: from it to the object, to the pod, to the event that says it.

use landfall_apps::Pin;
use landfall_cluster::{Cluster, Evidence};
use landfall_object::{Gvk, Object, ObjectKey};

use super::desk::{Answer, Desk};
use super::shapes::{Cause, CauseStep, Detail, Name, ObjectLine, ResourceLine, Why};
use crate::actor::{Actor, Permission};

/// Objects that are looked into; of more it is only said that they are there.
const LOOKED_INTO: usize = 10;
/// The condition of an Application whose set errs.
pub(super) const SET_WARNING: &str = "ApplicationSetWarning";
/// Lines of a log that are told.
const LOG_LINES: usize = 5;

impl Desk {
    pub(super) async fn explain(&self, actor: &Actor, name: &Name) -> Answer<Why> {
        let object = self.object(actor, name).await?;
        let detail = self.detail(&object).await;
        let mut causes = conditions(&detail, name);
        causes.extend(operation(&detail, name));
        let ill: Vec<&ResourceLine> = detail.resources.iter().filter(|it| is_ill(it)).collect();
        for resource in ill.iter().take(LOOKED_INTO) {
            causes.push(self.of_object(actor, name, &object, resource).await);
        }
        if ill.len() > LOOKED_INTO {
            let says = format!("{} more of its objects are not healthy", ill.len() - LOOKED_INTO);
            causes.push(Cause { steps: vec![step("application", name, says)], advice: vec![again("get", name)] });
        }
        causes.extend(differences(&detail, name));
        if let Err(bad) = Pin::of(&object) {
            let advice = vec![format!("{} --release", again("pin", name))];
            causes.insert(0, Cause { steps: vec![step("application", name, bad.to_string())], advice });
        }
        Ok(Why { application: name.clone(), sync: detail.line.sync, health: detail.line.health, causes })
    }

    /// The way from an Application to what is wrong with one of its objects.
    async fn of_object(&self, actor: &Actor, name: &Name, application: &Object, resource: &ResourceLine) -> Cause {
        let health = resource.health.as_deref().unwrap_or("Unknown");
        let first = step("application", name, format!("{} is {health}", resource.object));
        let says = resource.message.clone().unwrap_or_else(|| format!("it is {health}"));
        let mut cause = Cause { steps: vec![first], advice: Vec::new() };
        let cluster = match self.destination_of(application) {
            Ok(cluster) => cluster,
            Err(why) => {
                cause.steps.extend(why.iter().map(|why| step("cluster", &resource.object, why.message.to_string())));
                return cause;
            }
        };
        let Some(live) = Self::live(&cluster, application, &resource.object).await else {
            cause.steps.push(step("object", &resource.object, "it is not there".to_owned()));
            cause.advice.push(again("sync", name));
            return cause;
        };
        cause.steps.push(step("object", &resource.object, says.clone()));
        let mut evidence = cluster.evidence(&live, "", &says).await;
        let project = application.str_at("/spec/project").unwrap_or("default");
        if !actor.may(Permission::LOGS, (project, &name.namespace, &name.name)) {
            evidence.log.clear();
        }
        seen(&mut cause, name, resource, &evidence);
        cause.advice.extend(evidence.hint(&live));
        if cause.advice.is_empty() {
            cause.advice.push(again("events", name));
        }
        cause
    }

    /// A live object of an Application: its version stands in the Application's status.
    async fn live(cluster: &Cluster, application: &Object, object: &ObjectLine) -> Option<Object> {
        let entries = application.list_at("/status/resources");
        let entry = entries.iter().find(|it| {
            let is = |field: &str, text: &str| it[field].as_str().unwrap_or_default() == text;
            is("kind", &object.kind) && is("name", &object.name) && is("group", &object.group)
        });
        let version = entry.and_then(|it| it["version"].as_str()).unwrap_or("v1");
        let gvk = Gvk::new(&*object.group, version, &*object.kind);
        let key = ObjectKey::new(gvk, object.namespace.as_deref(), &*object.name);
        cluster.get(&key).await.ok().flatten()
    }
}

fn step(level: &str, name: &impl ToString, says: String) -> CauseStep {
    CauseStep { level: level.to_owned(), name: name.to_string(), says }
}

fn again(verb: &str, name: &Name) -> String {
    ["landfall", "app", verb, &name.to_string()].join(" ")
}

fn is_ill(resource: &ResourceLine) -> bool {
    resource.health.as_deref().is_some_and(|health| !matches!(health, "Healthy" | "Suspended"))
}

/// What the Application itself says is wrong.
fn conditions(detail: &Detail, name: &Name) -> Vec<Cause> {
    let cause = |kind: &str, message: &str| {
        let advice = match kind {
            "ComparisonError" => vec![format!("{} --hard", again("refresh", name)), again("diff", name)],
            "SyncError" => vec![again("diff", name), again("sync", name)],
            "SmokeError" => vec![format!("{} --hook checks", again("logs", name)), again("rollback", name)],
            SET_WARNING => {
                let set = detail.generated_by.as_deref().unwrap_or_default();
                vec![format!("kubectl -n {} get applicationset {set} -o yaml", name.namespace)]
            }
            "InvalidSpecError" => vec![format!("kubectl -n {} edit application {}", name.namespace, name.name)],
            _ => vec![again("get", name)],
        };
        Cause { steps: vec![step("application", name, format!("{kind}: {message}"))], advice }
    };
    detail.conditions.iter().map(|it| cause(&it.kind, &it.message)).collect()
}

/// What the last operation says, where it did not end well.
fn operation(detail: &Detail, name: &Name) -> Option<Cause> {
    let operation = detail.last_operation.as_ref()?;
    let revisions = operation.revisions.join(", ");
    let (says, advice) = match operation.phase.as_str() {
        "Failed" | "Error" => {
            let logs = hook_of(&operation.message, detail).map(|hook| format!("{} --hook {hook}", again("logs", name)));
            let advice = logs.into_iter().chain([again("diff", name), again("sync", name)]).collect();
            (format!("the sync to {revisions} has failed"), advice)
        }
        "Running" if operation.retries > 0 => (
            format!("the sync to {revisions} is tried again, {} times so far", operation.retries),
            vec![again("terminate", name)],
        ),
        "Running" | "Terminating" => (
            format!("a sync to {revisions} is under way"),
            vec![format!("{} --operation", again("wait", name)), again("terminate", name)],
        ),
        _ => return None,
    };
    let steps = vec![step("application", name, says), step("operation", &operation.phase, operation.message.clone())];
    Some(Cause { steps, advice })
}

/// The hook that an operation's message is about, `Job.batch shop/smoke: …`, by which its log is asked for: what runs and is none of
/// the Application's objects.
fn hook_of<'m>(message: &'m str, detail: &Detail) -> Option<&'m str> {
    let (kind, rest) = message.split_once(' ')?;
    let kind = kind.split('.').next().filter(|kind| matches!(*kind, "Job" | "Pod"))?;
    let (object, _) = rest.split_once(": ")?;
    let name = object.rsplit('/').next()?;
    let is_own = detail.resources.iter().any(|it| it.object.kind == kind && it.object.name == name);
    (!is_own).then_some(name)
}

/// That objects differ, and why that stays so.
fn differences(detail: &Detail, name: &Name) -> Option<Cause> {
    let differing: Vec<&ResourceLine> = detail.resources.iter().filter(|it| it.sync == "OutOfSync").collect();
    if detail.line.sync != "OutOfSync" || detail.under_way {
        return None;
    }
    let pruned = differing.iter().filter(|it| it.requires_pruning).count();
    let mut says = match differing.as_slice() {
        [] => "it differs from its source".to_owned(),
        [one] => format!("{} differs from its source", one.object),
        [one, ..] => format!("{} and {} more differ from its source", one.object, differing.len() - 1),
    };
    let mut advice = vec![again("diff", name)];
    if !detail.line.automated {
        says.push_str(", and it does not sync by itself");
        advice.push(again("sync", name));
    } else if pruned == differing.len() && pruned > 0 && !detail.automation.iter().any(|it| it == "prune") {
        says.push_str(": the source no longer names what is there, and it does not prune by itself");
        advice.push(format!("{} --prune", again("sync", name)));
    } else if !detail.automation.iter().any(|it| it == "self-heal") {
        says.push_str(": what was delivered was changed since, and it does not heal by itself");
        advice.push(again("sync", name));
    }
    Some(Cause { steps: vec![step("application", name, says)], advice })
}

/// Goes on from an object to its pod, its event and its log.
fn seen(cause: &mut Cause, name: &Name, resource: &ResourceLine, evidence: &Evidence) {
    if let (Some(pod), Some(says)) = (&evidence.pod, evidence.in_pod()) {
        let says = says.strip_prefix(pod.as_str()).unwrap_or(&says).trim_start_matches([',', ':', ' ']).to_owned();
        cause.steps.push(step("pod", pod, says));
    }
    if let Some(event) = evidence.events.iter().rev().find(|event| event.kind == "Warning") {
        let times = if event.count > 1 { format!(" (×{})", event.count) } else { String::new() };
        cause.steps.push(step("event", &event.reason, format!("{}{times}", event.message)));
    }
    if !evidence.log.is_empty() {
        let from = evidence.log.len().saturating_sub(LOG_LINES);
        let which = if evidence.previous { "before its last restart" } else { "its last lines" };
        cause.steps.push(step("log", &which, evidence.log[from..].join("\n")));
    }
    let object = resource.object.to_string().to_lowercase();
    let container = evidence.container.as_deref().unwrap_or_default();
    match evidence.reason.as_str() {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => {
            cause.advice.push(format!(
                "the image of container {container} cannot be pulled: mend its name or tag in the values"
            ));
            cause.advice.push(again("diff", name));
        }
        "CrashLoopBackOff" | "RunContainerError" | "CreateContainerConfigError" | "CreateContainerError" => {
            let previous = if evidence.previous { " --previous" } else { "" };
            cause.advice.push(format!("{} {object}{previous}", again("logs", name)));
        }
        "Unschedulable" => cause.advice.push("kubectl describe nodes".to_owned()),
        _ => {}
    }
    if evidence.reason == "ImagePullBackOff" || evidence.reason == "CrashLoopBackOff" {
        cause.advice.push(again("rollback", name));
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes::{ConditionLine, Line, OperationLine};
    use super::*;

    fn name() -> Name {
        Name { namespace: "argocd".to_owned(), name: "shop".to_owned() }
    }

    fn differing(automation: &[&str], requires_pruning: bool) -> Detail {
        let object = ObjectLine { kind: "Service".to_owned(), name: "web".to_owned(), ..ObjectLine::default() };
        let resource =
            ResourceLine { object, sync: "OutOfSync".to_owned(), requires_pruning, ..ResourceLine::default() };
        let line = Line { sync: "OutOfSync".to_owned(), automated: !automation.is_empty(), ..Line::default() };
        let automation = automation.iter().map(|it| (*it).to_owned()).collect();
        Detail { line, automation, resources: vec![resource], ..Detail::default() }
    }

    #[test]
    fn a_difference_that_stays_says_why_it_stays() {
        let says = |detail: &Detail| differences(detail, &name()).expect("it differs").steps[0].says.clone();
        assert!(says(&differing(&[], false)).ends_with("it does not sync by itself"));
        assert!(says(&differing(&["self-heal"], true)).ends_with("it does not prune by itself"));
        assert!(says(&differing(&["prune"], false)).ends_with("it does not heal by itself"));
        let cause = differences(&differing(&["self-heal"], true), &name()).expect("it differs");
        assert_eq!(cause.advice, ["landfall app diff argocd/shop", "landfall app sync argocd/shop --prune"]);
    }

    #[test]
    fn what_the_application_says_comes_with_what_to_type() {
        let condition =
            ConditionLine { kind: "ComparisonError".to_owned(), message: "no chart".to_owned(), since: None };
        let last =
            OperationLine { phase: "Failed".to_owned(), revisions: vec!["abc".to_owned()], ..OperationLine::default() };
        let detail = Detail { conditions: vec![condition], last_operation: Some(last), ..Detail::default() };
        let cause = &conditions(&detail, &name())[0];
        assert_eq!(cause.steps[0].says, "ComparisonError: no chart");
        assert_eq!(cause.advice[0], "landfall app refresh argocd/shop --hard");
        assert_eq!(operation(&detail, &name()).expect("it failed").steps[0].says, "the sync to abc has failed");
        assert_eq!(differences(&detail, &name()), None);
    }

    #[test]
    fn a_set_that_errs_is_told_with_the_command_that_shows_it() {
        let condition =
            ConditionLine { kind: SET_WARNING.to_owned(), message: "teams: no answer".to_owned(), since: None };
        let detail =
            Detail { conditions: vec![condition], generated_by: Some("teams".to_owned()), ..Detail::default() };
        let cause = &conditions(&detail, &name())[0];
        assert_eq!(cause.steps[0].says, "ApplicationSetWarning: teams: no answer");
        assert_eq!(cause.advice, ["kubectl -n argocd get applicationset teams -o yaml"]);
    }

    #[test]
    fn a_failed_operation_leads_to_the_log_of_the_hook_that_it_names() {
        let of = |message: &str| hook_of(message, &Detail::default()).map(str::to_owned);
        assert_eq!(of("Job.batch shop/smoke: it failed"), Some("smoke".to_owned()));
        assert_eq!(of("Deployment.apps shop/web: it failed"), None);
        assert_eq!(of("it does not render"), None);
        let object = ObjectLine { kind: "Job".to_owned(), name: "own".to_owned(), ..ObjectLine::default() };
        let resource = ResourceLine { object, ..ResourceLine::default() };
        assert_eq!(
            hook_of("Job.batch shop/own: it failed", &Detail { resources: vec![resource], ..Detail::default() }),
            None
        );
    }

    #[test]
    fn the_way_goes_on_to_the_pod_the_event_and_the_log() {
        let resource = ResourceLine {
            object: ObjectLine { kind: "Deployment".to_owned(), name: "web".to_owned(), ..ObjectLine::default() },
            ..ResourceLine::default()
        };
        let key = ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "web");
        let event = |kind: &str, reason: &str| landfall_cluster::EventLine {
            at: String::new(),
            kind: kind.to_owned(),
            reason: reason.to_owned(),
            message: "said".to_owned(),
            count: 3,
        };
        let evidence = Evidence {
            object: key,
            pod: Some("web-1".to_owned()),
            container: Some("app".to_owned()),
            reason: "CrashLoopBackOff".to_owned(),
            message: "back-off".to_owned(),
            image: None,
            events: vec![event("Warning", "BackOff"), event("Normal", "Pulled")],
            log: vec!["one".to_owned(), "two".to_owned()],
            previous: true,
        };
        let mut cause = Cause::default();
        seen(&mut cause, &name(), &resource, &evidence);
        let levels: Vec<&str> = cause.steps.iter().map(|it| it.level.as_str()).collect();
        assert_eq!(levels, ["pod", "event", "log"]);
        assert_eq!(cause.steps[0].says, "container app: CrashLoopBackOff: back-off");
        assert_eq!(cause.steps[1].says, "said (×3)");
        assert_eq!(
            cause.advice,
            ["landfall app logs argocd/shop deployment/web --previous", "landfall app rollback argocd/shop"]
        );
    }
}
