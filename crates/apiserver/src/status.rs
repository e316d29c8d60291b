//! What the API answers when it refuses: `metav1.Status` with the real server's words.
//!
//! Texts follow apimachinery `pkg/api/errors/errors.go` and `pkg/util/validation/field/errors.go`; scripts grep them.

pub use landfall_object::FieldError;
use serde_json::{Map, Value, json};

use crate::unwritable::Unwritable;

/// A refusal: everything a `metav1.Status` of status `Failure` carries.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
    /// The machine-readable reason, e.g. `NotFound`; empty where the real server gives none.
    pub reason: &'static str,
    /// The sentence for people.
    pub message: String,
    /// What it is about.
    pub details: Option<Box<Details>>,
    /// A fresh `continue` token, on 410 of a paged list only.
    pub continue_token: Option<String>,
}

/// `metav1.StatusDetails`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// The object's name.
    pub name: String,
    /// The API group.
    pub group: String,
    /// The resource's plural or the kind, as the reason demands.
    pub kind: String,
    /// The object's UID.
    pub uid: String,
    /// One entry for each single fault.
    pub causes: Vec<Cause>,
    /// Seconds after which trying again makes sense; 0 for not said.
    pub retry_after_seconds: u32,
}

/// `metav1.StatusCause`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cause {
    /// Machine-readable, e.g. `FieldValueRequired`.
    pub reason: String,
    /// For people.
    pub message: String,
    /// The field's path.
    pub field: String,
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, continue_token: None }
    }

    fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        self.details = Some(Box::new(Details {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
            ..Details::default()
        }));
        self
    }

    /// 404: the object does not exist.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", qualified(resource, group)))
            .about(group, resource, name)
    }

    /// 404: nothing is served under this path.
    pub fn no_such_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").about("", "", "")
    }

    /// 409: there is one of that name already.
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", qualified(resource, group)))
            .about(group, resource, name)
    }

    /// 409: a generated name was taken each time.
    pub fn generate_name_conflict(group: &str, resource: &str, name: &str) -> Self {
        let mut status = Self::new(
            409,
            "AlreadyExists",
            format!(
                "{} \"{name}\" already exists, the server was not able to generate a unique name for the object",
                qualified(resource, group)
            ),
        )
        .about(group, resource, name);
        if let Some(details) = &mut status.details {
            details.retry_after_seconds = 1;
        }
        status
    }

    /// 409: the write rests on something that is no longer so.
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", qualified(resource, group)),
        )
        .about(group, resource, name)
    }

    /// 409: the object has changed since it was read.
    pub fn modified(group: &str, resource: &str, name: &str) -> Self {
        Self::conflict(
            group,
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 409 of server-side apply, one cause for each field.
    pub fn apply_conflict(message: impl Into<String>, causes: Vec<Cause>) -> Self {
        let mut status = Self::new(409, "Conflict", message);
        status.details = Some(Box::new(Details { causes, ..Details::default() }));
        status
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 507: what was asked for cannot be kept; the same request may be made again once it can.
    pub fn insufficient_storage(why: &Unwritable) -> Self {
        let status = Self::new(507, "InsufficientStorage", why.to_string());
        match why {
            Unwritable::Full { directory } => {
                status.with_cause(landfall_diag::DISK_FULL_CAUSE, &directory.display().to_string(), "")
            }
            Unwritable::Otherwise(_) => status,
        }
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403: an object is refused, with the reason.
    pub fn forbidden(group: &str, resource: &str, name: &str, why: impl std::fmt::Display) -> Self {
        let message = match (resource.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (false, true) => format!("{} is forbidden: {why}", qualified(resource, group)),
            (false, false) => format!("{} \"{name}\" is forbidden: {why}", qualified(resource, group)),
        };
        Self::new(403, "Forbidden", message).about(group, resource, name)
    }

    /// 404 for a method on a path that knows others only.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .about("", "", "")
    }

    /// 405 of what must not be made while its definition is on its way out.
    pub fn terminating() -> Self {
        Self::new(405, "MethodNotAllowed", "create not allowed while custom resource definition is terminating")
    }

    /// 405 of a resource that has the path but not the verb.
    pub fn method_not_supported(group: &str, resource: &str, verb: &str) -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            format!("{verb} is not supported on resources of kind \"{}\"", qualified(resource, group)),
        )
        .about(group, resource, "")
    }

    /// 406: none of the content types the client accepts can be given.
    pub fn not_acceptable() -> Self {
        let mut status = Self::new(
            406,
            "NotAcceptable",
            "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        );
        status.details = Some(Box::default());
        status
    }

    /// 406: objects of this kind have fewer forms than others.
    pub fn no_such_form() -> Self {
        Self::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )
    }

    /// 410: that part of history is gone.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 413.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// 415.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 422: the object's content is wrong; `kind` is the Kind, not the resource.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: Vec<FieldError>) -> Self {
        let mut seen = Vec::new();
        for error in &errors {
            let line = error.to_string();
            if !seen.contains(&line) {
                seen.push(line);
            }
        }
        let list = match seen.len() {
            1 => seen.remove(0),
            _ => format!("[{}]", seen.join(", ")),
        };
        let mut status = Self::new(422, "Invalid", format!("{} \"{name}\" is invalid: {list}", qualified(kind, group)))
            .about(group, kind, name);
        if let Some(details) = &mut status.details {
            details.causes = errors
                .into_iter()
                .map(|error| Cause {
                    reason: error.reason.cause().to_owned(),
                    message: error.message(),
                    field: if error.field.is_empty() { "<nil>".to_owned() } else { error.field },
                })
                .collect();
        }
        status
    }

    /// 422 without anything more to say: a JSON patch that does not apply.
    pub fn unprocessable() -> Self {
        Self::new(422, "Invalid", "the server rejected our request due to an error in our request").about("", "", "")
    }

    /// 429: try again later, e.g. an eviction that a budget forbids.
    pub fn too_many_requests(message: impl Into<String>, causes: Vec<Cause>) -> Self {
        let mut status = Self::new(429, "TooManyRequests", message);
        status.details = Some(Box::new(Details { causes, ..Details::default() }));
        status
    }

    /// 429: somebody has too much open at once.
    pub fn too_many_open(message: impl Into<String>) -> Self {
        let mut status = Self::new(429, "TooManyRequests", message);
        status.details = Some(Box::new(Details { retry_after_seconds: 1, ..Details::default() }));
        status
    }

    /// 500 with the reason `InternalError`.
    pub fn internal(why: impl std::fmt::Display) -> Self {
        let mut status = Self::new(500, "InternalError", format!("Internal error occurred: {why}"));
        status.details = Some(Box::new(Details {
            causes: vec![Cause { message: why.to_string(), ..Cause::default() }],
            ..Details::default()
        }));
        status
    }

    /// 500 without a reason: how the real server shows a plain Go error.
    pub fn plain_error(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 501: what the embedded cluster does not do.
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(501, "NotImplemented", message)
    }

    /// 503.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 504: the request was not there whole in time.
    pub fn took_too_long() -> Self {
        Self::new(504, "Timeout", "Timeout: request did not complete within the allotted timeout").about("", "", "")
    }

    /// 504: the resource version asked for lies in the future.
    pub fn too_large_resource_version(asked: u64, current: u64) -> Self {
        let mut status =
            Self::new(504, "Timeout", format!("Timeout: Too large resource version: {asked}, current: {current}"));
        status.details = Some(Box::new(Details {
            causes: vec![Cause {
                reason: "ResourceVersionTooLarge".to_owned(),
                message: "Too large resource version".to_owned(),
                ..Cause::default()
            }],
            retry_after_seconds: 1,
            ..Details::default()
        }));
        status
    }

    /// Adds a cause.
    #[must_use]
    pub fn with_cause(mut self, reason: &str, message: &str, field: &str) -> Self {
        self.details.get_or_insert_default().causes.push(Cause {
            reason: reason.to_owned(),
            message: message.to_owned(),
            field: field.to_owned(),
        });
        self
    }

    /// Sets the UID that the details carry.
    #[must_use]
    pub fn with_uid(mut self, uid: &str) -> Self {
        self.details.get_or_insert_default().uid = uid.to_owned();
        self
    }

    /// True for 404.
    pub fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// True for 409 of reason `Conflict`.
    pub fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }

    /// True for 409 of reason `AlreadyExists`.
    pub fn is_already_exists(&self) -> bool {
        self.reason == "AlreadyExists"
    }

    /// The `metav1.Status` object.
    pub fn to_value(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(token) = &self.continue_token {
            metadata.insert("continue".to_owned(), json!(token));
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = details.to_value();
        }
        status
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut out = Map::new();
        for (key, text) in [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)] {
            if !text.is_empty() {
                out.insert(key.to_owned(), json!(text));
            }
        }
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(|cause| {
                let mut out = Map::new();
                for (key, text) in [("reason", &cause.reason), ("message", &cause.message), ("field", &cause.field)] {
                    if !text.is_empty() {
                        out.insert(key.to_owned(), json!(text));
                    }
                }
                Value::Object(out)
            });
            out.insert("causes".to_owned(), causes.collect());
        }
        if self.retry_after_seconds > 0 {
            out.insert("retryAfterSeconds".to_owned(), json!(self.retry_after_seconds));
        }
        Value::Object(out)
    }
}

/// `plural.group`, or the bare plural for the core group.
pub(crate) fn qualified(resource: &str, group: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_real_servers() {
        assert_eq!(Status::not_found("", "configmaps", "nope").message, "configmaps \"nope\" not found");
        let invalid = Status::invalid(
            "apps",
            "Deployment",
            "d",
            vec![
                FieldError::invalid(
                    "spec.template.metadata.labels",
                    json!({"a": "c"}),
                    "`selector` does not match template `labels`",
                ),
                FieldError::required("spec.template.spec.containers[0].image", ""),
            ],
        );
        assert_eq!(
            invalid.message,
            "Deployment.apps \"d\" is invalid: [spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: \
             `selector` does not match template `labels`, spec.template.spec.containers[0].image: Required value]"
        );
        assert_eq!(invalid.to_value()["details"]["causes"][1]["reason"], "FieldValueRequired");
    }
}
