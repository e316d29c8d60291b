//! Answers, before and on the wire.

use std::io::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use landfall_object::schema::Schemas;
use serde::Serialize;
use serde_json::Value;

use super::accept::Encoding;
use crate::lines::Body;
use crate::status::Status;

/// From this size on answers are compressed for those who take it (the real server's limit).
const COMPRESS_FROM: usize = 128 * 1024;

/// An answer that is complete.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
}

impl Answer {
    /// A JSON value under a code.
    pub(crate) fn json(code: u16, value: &Value) -> Self {
        Self::bytes(code, "application/json", to_bytes(value))
    }

    /// A value in the encoding negotiated.
    pub(crate) fn value(code: u16, value: &Value, encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => Self::json(code, value),
            Encoding::Yaml => Self::bytes(code, "application/yaml", Bytes::from(crate::yaml_text::emit(value))),
            Encoding::Protobuf => match Schemas::builtin().encode_protobuf(value) {
                Some(body) => Self::bytes(code, "application/vnd.kubernetes.protobuf", Bytes::from(body)),
                None => {
                    let status = Status::not_acceptable();
                    Self::json(status.code, &status.to_value())
                }
            },
        }
    }

    /// Plain text.
    pub(crate) fn text(code: u16, text: impl Into<String>) -> Self {
        let mut answer = Self::bytes(code, "text/plain; charset=utf-8", Bytes::from(text.into()));
        answer.headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        answer
    }

    /// Bytes as they are.
    pub(crate) fn bytes(code: u16, content_type: &'static str, body: Bytes) -> Self {
        Self {
            code: StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            content_type,
            body,
            headers: HeaderMap::new(),
        }
    }

    /// A refusal.
    pub(crate) fn refusal(status: &Status, encoding: Encoding) -> Self {
        let mut answer = Self::value(status.code, &status.to_value(), encoding);
        let retry = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        if retry > 0
            && let Ok(value) = HeaderValue::from_str(&retry.to_string())
        {
            answer.headers.insert(header::RETRY_AFTER, value);
        }
        answer
    }

    /// Adds `Warning` headers.
    #[must_use]
    pub(crate) fn warn(mut self, warnings: &[String]) -> Self {
        for warning in warnings {
            let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"").replace(['\r', '\n'], " ");
            if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
                self.headers.append(header::WARNING, value);
            }
        }
        self
    }

    /// The same with its JSON indented.
    fn indented(mut self) -> Self {
        if self.content_type == "application/json"
            && let Ok(value) = serde_json::from_slice::<Value>(&self.body)
            && let Ok(text) = serde_json::to_vec_pretty(&value)
        {
            self.body = Bytes::from(text);
        }
        self
    }

    /// The answer on the wire; compressed when it is large and the client takes gzip.
    pub(crate) fn into_response(self, asked: &HeaderMap) -> Response<Body> {
        let answer = if reads_by_eye(asked) { self.indented() } else { self };
        let takes_gzip = asked
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|word| word.trim().starts_with("gzip")));
        let compressed = (takes_gzip && answer.body.len() >= COMPRESS_FROM).then(|| gzip(&answer.body)).flatten();
        let zipped = compressed.is_some();
        let mut response = Response::new(full(compressed.unwrap_or(answer.body)));
        *response.status_mut() = answer.code;
        *response.headers_mut() = answer.headers;
        let headers = response.headers_mut();
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(answer.content_type));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
        if zipped {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        response
    }
}

/// True for the agents for which the real server indents what it answers.
fn reads_by_eye(asked: &HeaderMap) -> bool {
    let agent = asked.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["curl/", "Wget/", "Mozilla/"].iter().any(|known| agent.starts_with(known))
}

/// A whole body.
pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A value as the API writes it: one line.
pub(crate) fn to_bytes(value: &impl Serialize) -> Bytes {
    let mut out = serde_json::to_vec(value).unwrap_or_default();
    out.push(b'\n');
    Bytes::from(out)
}

fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
