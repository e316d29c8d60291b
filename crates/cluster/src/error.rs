use std::path::Path;

use kube::core::Status;
use kube::core::response::StatusCause;
use landfall_diag::{DISK_FULL_CAUSE, Diagnose, Diagnostic, code, disk_full, is_mutant, without_known};
use landfall_object::{Gvk, Object, ObjectKey, mask};

/// What a cluster could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server answered with a refusal; its words are kept.
    #[error("{}", status.message)]
    Api {
        /// What was tried, for example `patch Deployment.apps shop/web`.
        action: String,
        /// The server's answer.
        status: Box<Status>,
    },
    /// The cluster serves no such kind. The words are the Kubernetes client library's, as `helm` prints them.
    #[error(
        "resource mapping not found for name: {name:?} namespace: {namespace:?} from \"\": no matches for kind {:?} in version {:?}\nensure CRDs are installed first",
        gvk.kind, gvk.api_version()
    )]
    NoMatch {
        /// The kind asked for.
        gvk: Box<Gvk>,
        /// The object's name.
        name: String,
        /// The object's namespace as written in the manifest.
        namespace: String,
    },
    /// The cluster could not be reached, or the connection broke.
    #[error("cannot reach the cluster to {action}")]
    Unreachable {
        /// What was tried.
        action: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The cluster took a request and does not answer.
    #[error("the cluster did not answer within {} s to {action}", within.as_secs())]
    Silent {
        /// What was tried.
        action: String,
        /// How long was waited.
        within: std::time::Duration,
    },
    /// The cluster's answer was not what the protocol promises.
    #[error("the cluster's answer to {action} cannot be read: {reason}")]
    Malformed {
        /// What was tried.
        action: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// A name cannot stand in a URL.
    #[error("{key} cannot be addressed: {reason}")]
    Unaddressable {
        /// The object.
        key: Box<ObjectKey>,
        /// Why.
        reason: &'static str,
    },
}

impl Error {
    /// The HTTP status code of a refusal.
    pub fn code(&self) -> Option<u16> {
        match self {
            Error::Api { status, .. } => Some(status.code),
            _ => None,
        }
    }

    /// The machine-readable reason of a refusal (`NotFound`, `Conflict`, `Invalid`); empty for other errors.
    pub fn reason(&self) -> &str {
        match self {
            Error::Api { status, .. } => &status.reason,
            _ => "",
        }
    }

    /// Whether the object or resource is not there.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether the object exists already.
    pub fn is_already_exists(&self) -> bool {
        self.reason() == "AlreadyExists"
    }

    /// Whether somebody else wrote in between.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409) && !self.is_already_exists()
    }

    /// Whether a watch or a list has to start again, because what it resumed from is forgotten.
    pub fn is_expired(&self) -> bool {
        self.code() == Some(410)
    }

    /// Whether the cluster did not answer at all.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Error::Unreachable { .. } | Error::Silent { .. })
    }

    /// Whether the server answered that it cannot now, whatever it is asked: it has too much to do, or a fault of its own.
    pub fn is_overloaded(&self) -> bool {
        self.code().is_some_and(|code| code == 429 || (500..600).contains(&code))
    }

    /// What is told of the embedded cluster's disk that is full, where that is why it refused.
    pub fn full_disk(&self) -> Option<Diagnostic> {
        let full = self.causes().find(|cause| cause.reason == DISK_FULL_CAUSE)?;
        Some(disk_full(Path::new(&full.message)))
    }

    /// Whether an object was refused because a value of it is too long (field.ErrorTypeTooLong).
    pub fn is_too_long(&self) -> bool {
        self.causes().any(|cause| cause.reason == "FieldValueTooLong")
    }

    /// The first field that an object was refused for (`spec.template.spec.containers[0].image`).
    pub fn refused_field(&self) -> Option<&str> {
        self.causes().map(|cause| cause.field.as_str()).find(|field| !field.is_empty())
    }

    fn causes(&self) -> impl Iterator<Item = &StatusCause> {
        let details = match self {
            Error::Api { status, .. } => status.details.as_ref(),
            _ => None,
        };
        details.into_iter().flat_map(|details| &details.causes)
    }

    /// Whether the cluster took a request and did not answer for as long as one may take.
    pub fn is_silence(&self) -> bool {
        matches!(self, Error::Silent { .. })
    }

    /// The refusal to write an object, without the values of a Secret in the server's words, nor those that were opened.
    pub(crate) fn without_values(mut self, key: &ObjectKey, sent: &serde_json::Value) -> Self {
        if let Error::Api { status, .. } = &mut self
            && landfall_diag::knows_any()
        {
            status.message = without_known(&status.message).into_owned();
            for cause in status.details.iter_mut().flat_map(|details| &mut details.causes) {
                cause.message = without_known(&cause.message).into_owned();
            }
        }
        if let Error::Api { status, .. } = &mut self
            && mask::is_secret(&Object::new(key))
            && !is_mutant("servers-words")
        {
            status.message = mask::words_of_server(sent, &status.message);
            for cause in status.details.iter_mut().flat_map(|details| &mut details.causes) {
                cause.message = mask::words_of_server(sent, &cause.message);
            }
        }
        self
    }

    pub(crate) fn from_kube(action: &str, error: kube::Error) -> Error {
        match error {
            kube::Error::Api(status) => Error::Api { action: action.to_owned(), status },
            kube::Error::SerdeError(error) => Error::Malformed { action: action.to_owned(), reason: error.to_string() },
            kube::Error::FromUtf8(error) => Error::Malformed { action: action.to_owned(), reason: error.to_string() },
            other => Error::Unreachable { action: action.to_owned(), source: Box::new(other) },
        }
    }
}

impl Diagnose for Error {
    fn diagnose(&self) -> Diagnostic {
        match self {
            Error::Api { action, status } => {
                if let Some(full) = self.full_disk() {
                    return full.note(format!("the cluster could not {action}"));
                }
                let code = match status.code {
                    401 => code::UNAUTHENTICATED,
                    403 => code::FORBIDDEN,
                    404 => code::NOT_FOUND,
                    409 => code::CONFLICT,
                    422 => code::INVALID,
                    _ => code::API_REFUSED,
                };
                let mut diagnostic =
                    Diagnostic::error(code, format!("the cluster refused to {action}")).note(status.message.clone());
                for cause in status.details.iter().flat_map(|details| &details.causes) {
                    if !cause.field.is_empty() && !status.message.contains(&cause.field) {
                        diagnostic = diagnostic.note(format!("{}: {}", cause.field, cause.message));
                    }
                }
                match status.code {
                    401 => diagnostic.help("log in again, or check the kubeconfig's user"),
                    403 => diagnostic.help("ask for the permission, or use another context"),
                    _ => diagnostic,
                }
            }
            Error::NoMatch { gvk, name, .. } => Diagnostic::error(
                code::UNKNOWN_KIND,
                format!("the cluster does not know the kind {} ({}), which {name} is of", gvk.kind, gvk.api_version()),
            )
            .note(self.to_string())
            .help("install the CRDs first, or correct apiVersion and kind"),
            Error::Unreachable { source, .. } => {
                let mut diagnostic = Diagnostic::error(code::UNREACHABLE, self.to_string()).note(source.to_string());
                let mut cause = std::error::Error::source(source);
                while let Some(error) = cause {
                    diagnostic = diagnostic.note(error.to_string());
                    cause = error.source();
                }
                diagnostic.help("check that the cluster is running and the context is right")
            }
            Error::Silent { .. } => Diagnostic::error(code::UNREACHABLE, self.to_string())
                .help("check that the cluster is well and not overloaded, and type the same again"),
            Error::Malformed { .. } | Error::Unaddressable { .. } => {
                Diagnostic::error(code::MALFORMED_ANSWER, self.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(status: serde_json::Value) -> Error {
        let status = serde_json::from_value(status).expect("a status");
        Error::Api { action: "create ConfigMap shop/web".into(), status }
    }

    #[test]
    fn a_full_disk_is_known_by_its_cause_and_not_by_words() {
        let words = landfall_diag::disk_full_words(Path::new("/srv/a b"));
        let causes = json!([{"reason": DISK_FULL_CAUSE, "message": "/srv/a b", "field": ""}]);
        let status = json!({"code": 507, "reason": "InsufficientStorage", "message": words});
        let mut full = status.clone();
        full["details"] = json!({"causes": causes});
        let told = refused(full).diagnose();
        assert_eq!(told, disk_full(Path::new("/srv/a b")).note("the cluster could not create ConfigMap shop/web"));
        assert_eq!(refused(status).diagnose().code, code::API_REFUSED, "somebody may only say so");
    }

    #[test]
    fn what_is_too_long_is_known_by_its_cause() {
        let cause = |reason: &str| json!([{"reason": reason, "message": "Too long", "field": "data"}]);
        let status = |reason| json!({"code": 422, "message": "invalid", "details": {"causes": cause(reason)}});
        assert!(refused(status("FieldValueTooLong")).is_too_long());
        assert!(!refused(status("FieldValueInvalid")).is_too_long());
    }
}
