//! Reading request bodies: JSON, YAML, protobuf; typed, with strict findings.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use landfall_object::Gvk;
use landfall_object::schema::{DecodeError, Schemas};
use serde_json::{Value, json};

use super::query::Query;
use crate::resource::Resource;
use crate::status::Status;

/// What a body may weigh (`MaxRequestBodyBytes`).
pub(crate) const LIMIT: usize = 3 * 1024 * 1024;

/// How much of a body that is too large is still read and forgotten, in bytes: who is cut off while sending never sees
/// the answer.
const DRAINED: usize = 64 * 1024 * 1024;
/// The same where nobody who may has asked: what Go's server reads of it.
const DRAINED_OF_STRANGERS: usize = 256 * 1024;
/// How long a refused body is read on.
const DRAINING: Duration = Duration::from_secs(1);
/// How long a body may take: the real server's `--request-timeout`.
const SENDING: Duration = Duration::from_secs(60);

/// A body that has not been read yet.
pub(crate) struct Unread(UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>);

impl Unread {
    pub(crate) fn new<B>(content: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self(content.map_err(Into::into).boxed_unsync())
    }

    /// Reads it whole; one that is too large is read on and forgotten.
    pub(crate) async fn read(mut self) -> Result<Bytes, Status> {
        tokio::time::timeout(SENDING, self.collect()).await.unwrap_or_else(|_| Err(Status::took_too_long()))
    }

    async fn collect(&mut self) -> Result<Bytes, Status> {
        let mut body = BytesMut::new();
        while let Some(frame) = self.0.frame().await {
            let frame = frame.map_err(|error| Status::bad_request(format!("the body could not be read: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if body.len() + data.len() > LIMIT {
                drop(body);
                self.drain(DRAINED).await;
                return Err(Status::too_large(format!("Request entity too large: limit is {LIMIT}")));
            }
            body.extend_from_slice(&data);
        }
        Ok(body.freeze())
    }

    /// Reads a little of what a refused request sends, and keeps nothing of it: otherwise the refusal would not arrive.
    pub(crate) async fn forget(mut self) {
        let _ = tokio::time::timeout(DRAINING, self.drain(DRAINED_OF_STRANGERS)).await;
    }

    async fn drain(&mut self, most: usize) {
        let mut forgotten = 0;
        while forgotten <= most
            && let Some(Ok(frame)) = self.0.frame().await
        {
            forgotten += frame.data_ref().map_or(0, Bytes::len).max(1);
        }
    }
}

/// What is done about unknown and duplicate fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl FieldValidation {
    pub(crate) fn of(query: &Query, options_kind: &str) -> Result<Self, Status> {
        match query.get("fieldValidation") {
            "Ignore" => Ok(Self::Ignore),
            "" | "Warn" => Ok(Self::Warn),
            "Strict" => Ok(Self::Strict),
            other => {
                let error = crate::status::FieldError::not_supported(
                    "fieldValidation",
                    other,
                    &["", "Ignore", "Strict", "Warn"],
                );
                Err(Status::invalid("meta.k8s.io", options_kind, "", vec![error]))
            }
        }
    }

    /// Turns findings into warnings or a refusal.
    pub(crate) fn judge(
        self,
        findings: Vec<String>,
        refuse: impl FnOnce(&str) -> Status,
    ) -> Result<Vec<String>, Status> {
        match self {
            _ if findings.is_empty() => Ok(Vec::new()),
            Self::Ignore => Ok(Vec::new()),
            Self::Warn => Ok(findings),
            Self::Strict => Err(refuse(&format!("strict decoding error: {}", findings.join(", ")))),
        }
    }
}

/// The media type without parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads an object of a kind; gives it with warnings.
pub(crate) fn object(
    schemas: &Schemas,
    resource: &Resource,
    headers: &HeaderMap,
    bytes: &[u8],
    validation: FieldValidation,
) -> Result<(Value, Vec<String>), Status> {
    let gvk = Gvk::new(&*resource.group, &*resource.version, &*resource.kind);
    if resource.custom.is_some() {
        let text = as_json(headers, bytes)?;
        return custom_object(schemas, resource, &text, validation);
    }
    typed(schemas, &gvk, headers, bytes, validation)
}

/// Reads a body of a built-in kind.
pub(crate) fn typed(
    schemas: &Schemas,
    gvk: &Gvk,
    headers: &HeaderMap,
    bytes: &[u8],
    validation: FieldValidation,
) -> Result<(Value, Vec<String>), Status> {
    if media_type(headers) == "application/vnd.kubernetes.protobuf" {
        let (found, decoded) = schemas.decode_protobuf(bytes).map_err(|error| match error {
            DecodeError::UnknownKind(kind) => Status::unsupported_media_type(format!(
                "the body is a protobuf message of kind {} in {}, for which the embedded cluster knows no fields",
                kind.kind,
                kind.api_version()
            )),
            error => Status::bad_request(error.to_string()),
        })?;
        // Every group has the same options; typed clients write them in the group of what they delete.
        let same_group = found.group == gvk.group || gvk.kind == "DeleteOptions";
        if found.kind != gvk.kind || !same_group {
            return Err(wrong_kind(&found, gvk));
        }
        let mut value = decoded.value;
        value["kind"] = json!(gvk.kind);
        value["apiVersion"] = json!(gvk.api_version());
        return Ok((value, Vec::new()));
    }
    let text = as_json(headers, bytes)?;
    let refuse = |why: &str| {
        Status::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: {why}",
            gvk.kind, gvk.version, gvk.kind
        ))
    };
    check_kind(schemas, &text, gvk)?;
    let decoded = schemas.decode_json(gvk, &text).map_err(|error| refuse(&error.to_string()))?;
    let warnings = validation.judge(decoded.findings, refuse)?;
    let mut value = decoded.value;
    if !value.is_object() {
        return Err(Status::bad_request("the body of the request was empty or not an object"));
    }
    value["kind"] = json!(gvk.kind);
    value["apiVersion"] = json!(gvk.api_version());
    Ok((value, warnings))
}

/// JSON as it is, YAML turned into it.
pub(crate) fn as_json(headers: &HeaderMap, bytes: &[u8]) -> Result<Vec<u8>, Status> {
    match media_type(headers).as_str() {
        "" | "application/json" | "application/x-www-form-urlencoded" | "*/*" => Ok(bytes.to_vec()),
        "application/yaml" => yaml_to_json(bytes),
        _ => Err(Status::unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

/// YAML, or JSON that calls itself YAML.
pub(crate) fn yaml_to_json(bytes: &[u8]) -> Result<Vec<u8>, Status> {
    if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
        return Ok(bytes.to_vec());
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))?;
    let value = crate::yaml_text::to_json(text)
        .map_err(|error| Status::bad_request(format!("error decoding YAML: error converting YAML to JSON: {error}")))?;
    serde_json::to_vec(&value).map_err(Status::internal)
}

fn check_kind(schemas: &Schemas, text: &[u8], expected: &Gvk) -> Result<(), Status> {
    #[derive(serde::Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct TypeMeta {
        kind: Option<String>,
        api_version: Option<String>,
    }
    let meta = match serde_json::from_slice::<TypeMeta>(text) {
        // A list without items would be read as one that says nothing.
        Ok(meta) if text.trim_ascii_start().starts_with(b"{") => meta,
        Err(error) if error.is_eof() || error.is_syntax() => {
            let why = if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
            return Err(Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {why} ({})",
                expected.kind,
                summary(text)
            )));
        }
        Ok(_) | Err(_) if !text.trim_ascii_start().starts_with(b"{") => {
            let found = match text.trim_ascii_start().first() {
                Some(b'[') => "array",
                Some(b'"') => "string",
                Some(b't' | b'f') => "bool",
                Some(b'n') => return Ok(()),
                _ => "number",
            };
            return Err(Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: \
                 json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; \
                 Kind string \"json:\\\"kind,omitempty\\\"\" }} ({})",
                expected.kind,
                summary(text)
            )));
        }
        Ok(_) | Err(_) => return Ok(()),
    };
    let (kind, version) = (meta.kind.unwrap_or_default(), meta.api_version.unwrap_or_default());
    if !kind.is_empty() && kind != expected.kind {
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        return Err(wrong_kind(&Gvk::new(group, version, &*kind), expected));
    }
    if !version.is_empty() && version != expected.api_version() {
        let found = Gvk::from_api_version(&version, &*expected.kind);
        if schemas.kind(&found).is_none() {
            return Err(Status::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {}: no kind \"{}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\"",
                expected.kind, found.version, expected.kind, expected.kind
            )));
        }
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            expected.api_version()
        )));
    }
    Ok(())
}

/// The beginning of a body, for messages: text for what looks like an object, else hexadecimal.
fn summary(text: &[u8]) -> String {
    const LENGTH: usize = 30;
    let more = if text.len() > LENGTH { " ..." } else { "" };
    let start = &text[..text.len().min(LENGTH)];
    match text.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(start)),
        Some(_) => format!("{}{more}", start.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// Whether a value says that it is of a kind, or nothing of it; else why it cannot be read as one.
pub(crate) fn check_same_kind(schemas: &Schemas, value: &Value, expected: &Gvk) -> Result<(), String> {
    let text = |field: &str| value[field].as_str().filter(|text| !text.is_empty());
    let found = Gvk::from_api_version(
        text("apiVersion").unwrap_or(&expected.api_version()),
        text("kind").unwrap_or(&expected.kind),
    );
    if found == *expected {
        return Ok(());
    }
    if schemas.kind(&found).is_none() {
        return Err(format!(
            "no kind \"{}\" is registered for version \"{}\" in scheme \"pkg/runtime/scheme.go:111\"",
            found.kind,
            found.api_version()
        ));
    }
    Err(unconvertible(&found, expected))
}

fn wrong_kind(found: &Gvk, expected: &Gvk) -> Status {
    Status::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: {}",
        found.kind,
        found.version,
        expected.kind,
        unconvertible(found, expected)
    ))
}

fn unconvertible(found: &Gvk, expected: &Gvk) -> String {
    let package = |gvk: &Gvk| {
        if gvk.group.is_empty() {
            "core".to_owned()
        } else {
            gvk.group.split('.').next().unwrap_or_default().to_owned()
        }
    };
    format!(
        "converting ({}.{}) to ({}.{}): unknown conversion",
        found.version,
        found.kind,
        package(expected),
        expected.kind
    )
}

fn custom_object(
    schemas: &Schemas,
    resource: &Resource,
    text: &[u8],
    validation: FieldValidation,
) -> Result<(Value, Vec<String>), Status> {
    #[derive(serde::Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct Head {
        kind: String,
        api_version: String,
        metadata: HeadMetadata,
    }
    #[derive(serde::Deserialize, Default)]
    #[serde(default)]
    struct HeadMetadata {
        name: String,
    }
    let head: Head = serde_json::from_slice(text).unwrap_or_default();
    if head.kind.is_empty() {
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{}' ({})",
            resource.kind,
            String::from_utf8_lossy(text).trim_end(),
            summary(text)
        )));
    }
    if head.kind != resource.kind {
        let error = crate::status::FieldError::invalid("kind", &*head.kind, format!("must be {}", resource.kind));
        return Err(Status::invalid(&resource.group, &head.kind, &head.metadata.name, vec![error]));
    }
    if head.api_version != resource.api_version() {
        return Err(Status::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            head.api_version,
            resource.api_version()
        )));
    }
    let refuse = |why: &str| {
        Status::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: {why}",
            resource.kind, resource.version, resource.kind
        ))
    };
    let gvk = Gvk::new(&*resource.group, &*resource.version, &*resource.kind);
    let decoded = schemas.decode_json(&gvk, text).map_err(|error| refuse(&error.to_string()))?;
    let warnings = validation.judge(decoded.findings, refuse)?;
    let mut value = decoded.value;
    value["kind"] = json!(resource.kind);
    value["apiVersion"] = json!(resource.api_version());
    Ok((value, warnings))
}
