//! What is known of an operation beside its plan, and stands in the journal.

use std::collections::BTreeMap;

use landfall_chart::Dialect;
use landfall_engine::{Live, MadeNamespace, Plan};
use serde::{Deserialize, Serialize};

use crate::options::{Apply, DeployOptions, Force, HookRuns, Remainder, Wait};
use crate::{Record, Status};

/// What kind of operation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verb {
    Install,
    Upgrade,
    Rollback,
    Uninstall,
    Test,
}

impl Verb {
    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verb::Install => "install",
            Verb::Upgrade => "upgrade",
            Verb::Rollback => "rollback",
            Verb::Uninstall => "uninstall",
            Verb::Test => "test",
        }
    }

    /// What Helm says that it cannot go on with (`Unable to continue with update`).
    pub(crate) fn continued(self) -> &'static str {
        match self {
            Verb::Upgrade => "update",
            other => other.word(),
        }
    }
}

/// All that has to be known to keep an operation's records, also by a process that resumes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    pub(crate) verb: Verb,
    /// The record that the operation writes.
    pub(crate) record: Record,
    /// Its labels, which a record does not carry.
    pub(crate) labels: BTreeMap<String, String>,
    /// The revision that the operation starts from.
    pub(crate) from: Option<i64>,
    pub(crate) description: Option<String>,
    pub(crate) create_namespace: bool,
    pub(crate) keep_history: bool,
    pub(crate) max_history: usize,
    pub(crate) atomic: bool,
    pub(crate) cleanup_on_fail: bool,
    pub(crate) timeout_seconds: u64,
    /// How a failure is undone: as the operation itself was to be done.
    #[serde(default)]
    pub(crate) no_hooks: bool,
    #[serde(default)]
    pub(crate) wait_for_jobs: bool,
    #[serde(default)]
    pub(crate) force_replace: bool,
    #[serde(default)]
    pub(crate) apply: Apply,
    #[serde(default)]
    pub(crate) helm_4: bool,
    #[serde(default)]
    pub(crate) remainder: Remainder,
}

impl Course {
    /// The course of an operation that writes a record, from that revision.
    pub(crate) fn of(verb: Verb, record: &Record, from: Option<i64>, deploy: &DeployOptions) -> Self {
        Course {
            verb,
            record: record.clone(),
            labels: record.labels.clone(),
            from,
            description: deploy.description.clone(),
            create_namespace: false,
            keep_history: false,
            max_history: deploy.max_history,
            atomic: deploy.atomic,
            cleanup_on_fail: deploy.cleanup_on_fail,
            timeout_seconds: deploy.timeout.as_secs(),
            no_hooks: deploy.hooks == HookRuns::Skip,
            wait_for_jobs: deploy.wait == Wait::ReadyAndJobs,
            force_replace: deploy.force == Force::Replace,
            apply: deploy.apply,
            helm_4: deploy.dialect == Dialect::V4,
            remainder: deploy.remainder,
        }
    }
}

/// An operation ready to be shown and carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What will be done.
    pub plan: Plan,
    /// The record that will be written.
    pub record: Record,
    /// The deployed record that it follows.
    pub current: Option<Record>,
    /// The live objects that the plan was made from.
    pub live: Live,
    pub(crate) course: Course,
}

impl Prepared {
    /// Takes the namespaces that were made for its trial as what the plan saw.
    pub fn adopt(&mut self, made: &[MadeNamespace]) {
        self.plan.adopt(made);
    }

    /// Whether `up` has nothing to do: chart, values, manifest and hooks are those of the deployed revision, and no
    /// live object would change.
    pub fn is_noop(&self) -> bool {
        let deployed = self.current.as_ref().filter(|current| current.info.status == Status::Deployed);
        deployed.is_some_and(|current| current.delivers_the_same(&self.record)) && self.plan.changes_nothing()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What stood in a journal before an operation said how it is to be undone.
    #[test]
    fn a_course_of_an_older_version_is_read() {
        let old = json!({
            "verb": "upgrade",
            "record": {"name": "web", "namespace": "shop", "version": 4, "info": {"status": "pending-upgrade"}},
            "labels": {"team": "a"}, "from": 3, "description": null, "create_namespace": false, "keep_history": false,
            "max_history": 10, "atomic": true, "cleanup_on_fail": false, "timeout_seconds": 300,
        });
        let course: Course = serde_json::from_value(old).expect("is read");
        assert_eq!((course.verb, course.from, course.record.version), (Verb::Upgrade, Some(3), 4));
        assert_eq!((course.no_hooks, course.remainder), (false, Remainder::LeftAlone));
        let written = serde_json::to_value(&course).expect("is written");
        assert_eq!(written["verb"], "upgrade");
        assert_eq!(serde_json::from_value::<Course>(written).expect("is read again"), course);
    }
}
