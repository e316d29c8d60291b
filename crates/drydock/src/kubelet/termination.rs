//! The end of a pod: its containers are stopped, then it is taken off the node.

use jiff::SignedDuration;
use landfall_apiserver::{DeleteOptions, Status};
use landfall_object::ports::Asker;

use super::{Work, hooks};
use crate::controllers::desk::{EventType, Outcome};
use crate::controllers::fields::{count, instant, int, list, name, namespace, text, uid};
use crate::controllers::kind::POD;
use crate::controllers::pods::is_terminated;

/// The exit code of a process that a TERM signal ends.
const TERMINATED: i64 = 143;

impl Work<'_, '_> {
    /// Takes a pod that is being deleted one step further.
    pub(super) fn terminate(mut self) -> Result<Outcome, Status> {
        let running = self.running();
        if !running.is_empty() {
            for container in &running {
                let path = format!("spec.containers{{{container}}}");
                let message = format!("Stopping container {container}");
                if self.is_news(&format!("stop {container}"), &message) {
                    self.desk.event_at(self.pod, &path, EventType::Normal, "Killing", &message);
                    let lists = ["/spec/containers", "/spec/initContainers"];
                    let mut known = lists.into_iter().flat_map(|kind| list(self.pod, kind));
                    let stopped = known.find(|it| text(it, "/name") == container);
                    if stopped.is_some_and(|it| hooks::lost(it, Asker::PreStop).is_some()) {
                        let message = "PreStopHook failed";
                        self.desk.event_at(self.pod, &path, EventType::Warning, "FailedPreStopHook", message);
                    }
                }
            }
            if let Some(at) = self.hooks_end().filter(|at| *at > self.desk.now()) {
                return Ok(Outcome::again_at(Some(at)));
            }
            self.end_all(TERMINATED, "Error");
            return self.write();
        }
        if !is_terminated(self.pod) && !text(&self.status, "/startTime").is_empty() {
            // Nothing ever ran: it ends as failed, as with a real kubelet.
            self.status["phase"] = "Failed".into();
        }
        if count(self.pod, "/metadata/deletionGracePeriodSeconds") == 0
            && !list(self.pod, "/metadata/finalizers").is_empty()
        {
            return Ok(Outcome::done());
        }
        let options =
            DeleteOptions { grace_seconds: Some(0), uid: Some(uid(self.pod).to_owned()), ..DeleteOptions::default() };
        let (namespace, name) = (namespace(self.pod).to_owned(), name(self.pod).to_owned());
        self.desk.delete_with(&POD, &namespace, &name, options)?;
        Ok(Outcome::done())
    }

    /// Ends a pod that has been there longer than its `activeDeadlineSeconds`; whether it has.
    pub(super) fn is_past_deadline(&mut self) -> bool {
        let Some(seconds) = int(self.pod, "/spec/activeDeadlineSeconds") else { return false };
        let start = instant(&self.status, "/startTime");
        let Some(end) = start.and_then(|at| at.checked_add(SignedDuration::from_secs(seconds)).ok()) else {
            return false;
        };
        if end > self.desk.now() {
            self.again(Some(end));
            return false;
        }
        self.end_all(TERMINATED, "Error");
        let message = "Pod was active on the node longer than the specified deadline";
        self.status["phase"] = "Failed".into();
        self.status["reason"] = "DeadlineExceeded".into();
        self.status["message"] = message.into();
        self.desk.event(self.pod, EventType::Normal, "DeadlineExceeded", message);
        true
    }

    /// When the longest `preStop` sleep is over, at most the grace the pod has.
    fn hooks_end(&self) -> Option<jiff::Timestamp> {
        let sleep = list(self.pod, "/spec/containers")
            .iter()
            .filter_map(|c| int(c, "/lifecycle/preStop/sleep/seconds"))
            .max()?;
        let grace = count(self.pod, "/metadata/deletionGracePeriodSeconds");
        let end = instant(self.pod, "/metadata/deletionTimestamp")?;
        let begun = end.checked_sub(SignedDuration::from_secs(grace)).ok()?;
        begun.checked_add(SignedDuration::from_secs(sleep.min(grace))).ok()
    }
}
