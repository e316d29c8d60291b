//! The Kubernetes HTTP API over the world.

mod accept;
mod answer;
mod arrival;
mod body;
mod collection;
mod create;
mod delete;
mod dispatch;
mod door;
mod duplicates;
mod eviction;
mod get;
mod groups;
mod health;
mod identity;
mod impersonation;
mod list;
mod logs;
mod patch;
mod path;
mod pod_parts;
mod proxy;
mod query;
mod reviews;
mod scale;
mod service;
mod streams;
mod target;
mod token;
mod update;
mod view;
mod watch;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};

pub use crate::lines::Body;
pub(crate) use identity::PeerCertificate;
pub(crate) use impersonation::LastModes;
pub use service::Service;

use crate::lines::Line;
use crate::places::Place;
use crate::remarks::Remarks;
use crate::status::Status;
use crate::world::{Actor, User};

/// One request, authenticated; its body is read once it is authorized.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: query::Query,
    /// The query as it was sent.
    pub(crate) raw_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// As whom it is carried out.
    pub(crate) user: User,
    /// Who made it, whomever it is carried out as: what it keeps open is theirs.
    pub(crate) asker: String,
    /// The connection that it came on; none from this process.
    pub(crate) line: Option<Arc<Line>>,
    pub(crate) accept: accept::Accept,
    /// What is told beside the answer, whatever it is.
    pub(crate) remarks: Remarks,
}

impl Call {
    /// A place for an answer that stays open; 429 when its user has too many.
    fn stream(&self) -> Result<Option<Place>, Status> {
        self.line.as_ref().map(|line| line.stream(&self.asker)).transpose()
    }

    /// The client's name up to the first slash: the default field manager.
    fn agent(&self) -> &str {
        let agent =
            self.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        agent.split('/').next().unwrap_or_default()
    }

    /// Who writes, with the field manager asked for.
    fn actor(&self) -> Actor {
        let given = self.query.get("fieldManager");
        let manager = if given.is_empty() {
            let agent: String = self.agent().chars().filter(|c| !c.is_control()).take(128).collect();
            if agent.is_empty() { "unknown".to_owned() } else { agent }
        } else {
            given.to_owned()
        };
        Actor { user: self.user.clone(), manager }
    }

    /// Refuses a field manager that is too long or unprintable.
    fn check_manager(&self, options_kind: &str) -> Result<(), Status> {
        let manager = self.query.get("fieldManager");
        let mut errors = Vec::new();
        if manager.len() > 128 {
            errors.push(crate::status::FieldError::too_long("fieldManager", 128));
        }
        if let Some((index, _)) = manager.char_indices().find(|(_, c)| c.is_control()) {
            errors.push(crate::status::FieldError::invalid(
                "fieldManager",
                manager,
                format!("should only contain printable characters (bad character at {index})"),
            ));
        }
        if errors.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", options_kind, "", errors)) }
    }
}

/// What the documents outside the handlers answer with.
pub(crate) mod openapi_parts {
    pub(crate) use super::Call;
    pub(crate) use super::answer::Answer;
    pub(crate) use super::groups::with_etag;
}
