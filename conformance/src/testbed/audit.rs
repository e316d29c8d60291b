//! What clients asked of a real API server, by its own audit log.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// An API server's audit log, written before each answer.
pub(crate) struct Audit {
    policy: PathBuf,
    log: PathBuf,
}

/// A request that was logged.
pub(crate) struct Request {
    /// `get`, `patch`.
    pub(crate) verb: String,
    /// The path with its query.
    pub(crate) uri: String,
}

impl Audit {
    /// A log in a directory; of a write it has the object that was answered.
    pub(crate) fn within(home: &Path) -> anyhow::Result<Self> {
        let (policy, log) = (home.join("audit.yaml"), home.join("audit.log"));
        fs::write(
            &policy,
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n\
             - {level: RequestResponse, verbs: [create, update, patch, delete]}\n- {level: Metadata}\n",
        )?;
        Ok(Audit { policy, log })
    }

    /// What the API server is started with.
    pub(crate) fn flags(&self) -> Vec<String> {
        vec![
            format!("--audit-policy-file={}", self.policy.display()),
            format!("--audit-log-path={}", self.log.display()),
            "--audit-log-mode=blocking".to_owned(),
        ]
    }

    /// The administrator's requests so far, without those of this program and of the played nodes.
    pub(crate) fn requests(&self) -> anyhow::Result<Vec<Request>> {
        let text = |event: &Value, pointer: &str| {
            event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let events = fs::read_to_string(&self.log)?;
        Ok(events
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|event| text(event, "/user/username") == "admin")
            .filter(|event| {
                let agent = text(event, "/userAgent");
                !agent.starts_with("conformance") && !agent.starts_with("kwok")
            })
            .map(|event| Request { verb: text(&event, "/verb"), uri: text(&event, "/requestURI") })
            .collect())
    }
}

impl Request {
    /// Whether nothing can have changed by it, whatever its answer was.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}
