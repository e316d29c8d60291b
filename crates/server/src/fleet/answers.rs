//! How requests are answered, and why they are not.

use std::convert::Infallible;

use ::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use landfall_diag::{Diagnostic, Ending, code};
use landfall_fleet::legacy::Refusal;
use landfall_fleet::protocol::Refused;
use serde::Serialize;

use crate::api::problem;

/// An answer.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Text of a kind.
pub(crate) fn typed(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()).boxed_unsync());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// JSON.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    typed(status, "application/json; charset=utf-8", serde_json::to_vec(value).unwrap_or_default())
}

/// A refusal as the existing agent's gateway words it.
pub(crate) fn legacy(status: u16, message: impl Into<String>) -> Answer {
    json(status_of(status), &Refusal::new(status, message))
}

/// A body is too large, as the parser before the existing agent's gateway says it: in another order than the gateway itself.
pub(crate) fn too_large() -> Answer {
    let text = r#"{"statusCode":413,"message":"request entity too large"}"#;
    typed(StatusCode::PAYLOAD_TOO_LARGE, "application/json; charset=utf-8", text)
}

/// A refusal towards our own agent.
pub(crate) fn refused(status: u16, code: &str, message: impl Into<String>) -> Answer {
    let mut answer = json(status_of(status), &Refused::new(code, message));
    if status == 503 || status == 429 {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    }
    answer
}

/// Why something is not done that an operator asked for.
pub(crate) fn not_done(diagnostic: &Diagnostic) -> Answer {
    let status = match diagnostic.code {
        code::NO_SUCH_EDGE => StatusCode::NOT_FOUND,
        code::BAD_REQUEST | code::BAD_ARGUMENTS => StatusCode::BAD_REQUEST,
        code::BAD_RELEASE => StatusCode::BAD_REQUEST,
        code::UNTRUSTED_METADATA => StatusCode::UNPROCESSABLE_ENTITY,
        code::FLEET_UNWRITTEN | code::UNAUDITED => StatusCode::SERVICE_UNAVAILABLE,
        code::UNKNOWN_TOKEN => StatusCode::UNAUTHORIZED,
        code::EDGE_CONFLICT => StatusCode::CONFLICT,
        other => match other.ending() {
            Ending::Refused => StatusCode::FORBIDDEN,
            Ending::Bug => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        },
    };
    json(status, &problem(std::slice::from_ref(diagnostic)))
}

/// It could not be written.
pub(crate) fn unwritten() -> Diagnostic {
    Diagnostic::error(code::FLEET_UNWRITTEN, "it cannot be written down, and so nothing was answered as done")
        .help("the server's log says why; free space on its disk, mostly, and do it again")
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
