//! Lists: resource versions, pages, selectors.

use std::ops::Bound;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Call;
use super::accept::{Encoding, Form};
use super::answer::Answer;
use super::target::Target;
use super::view::{self, Include};
use crate::plane::Plane;
use crate::resource::{Registry, Resource};
use crate::selector::{FieldSelector, LabelSelector};
use crate::status::{FieldError, Status};
use crate::world::{Objects, Stored};
use crate::{convert, table};

/// Which objects a list or watch is about.
#[derive(Clone)]
pub(crate) struct Selection {
    namespace: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
    name: Option<String>,
}

impl Selection {
    pub(crate) fn of(call: &Call, target: &Target<'_>) -> Result<Self, Status> {
        let labels = match call.query.get("labelSelector") {
            "" => LabelSelector::everything(),
            text => LabelSelector::parse(text)?,
        };
        let fields = match call.query.get("fieldSelector") {
            "" => FieldSelector::everything(),
            text => FieldSelector::parse(text, target.resource)?,
        };
        let namespace = &target.path.namespace;
        Ok(Self {
            namespace: (!namespace.is_empty() && target.resource.is_namespaced()).then(|| namespace.clone()),
            labels,
            fields,
            name: (!target.path.name.is_empty()).then(|| target.path.name.clone()),
        })
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// True when no selector narrows the list.
    fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything() && self.name.is_none()
    }

    /// True when the object's namespace, labels and fields fit.
    pub(crate) fn matches(&self, object: &Stored) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| object.namespace() == namespace)
            && self.name.as_deref().is_none_or(|name| object.name() == name)
            && self.labels.matches(&object["metadata"]["labels"])
            && self.fields.matches(object.value())
    }
}

/// What a list shows of a collection: all of it, or a page.
pub(crate) struct Page {
    /// The objects.
    pub(crate) objects: Vec<Arc<Stored>>,
    /// Its version, and what is left.
    pub(crate) metadata: Value,
    /// What was served then, and when that was.
    pub(crate) registry: Arc<Registry>,
    pub(crate) now: jiff::Timestamp,
}

pub(crate) fn list(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let Page { objects, metadata, registry, now } = page(plane, call, target)?;
    let answer = answer(&registry, target.resource, &objects, metadata, call, now)?;
    Ok(answer.warn(&view::deprecation(target)))
}

/// What is asked for with selectors, versions, limits and continue tokens.
///
/// # Errors
/// One of them is malformed, or asks for what is not there.
pub(crate) fn page(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Page, Status> {
    let query = &call.query;
    let selection = Selection::of(call, target)?;
    let asked = query.get("resourceVersion");
    let matching = query.get("resourceVersionMatch");
    let token = query.get("continue");
    check_options(asked, matching, token, query.has("sendInitialEvents"))?;
    let limit =
        query.whole("limit")?.filter(|limit| *limit > 0).map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));

    let world = plane.world.lock();
    let current = world.version();
    let mut start = None;
    let version = if token.is_empty() {
        let number = parse_version(asked)?;
        if number > current {
            return Err(Status::too_large_resource_version(number, current));
        }
        if matching == "Exact" || (!asked.is_empty() && asked != "0" && matching.is_empty() && limit.is_some()) {
            number
        } else {
            current
        }
    } else {
        if !asked.is_empty() && asked != "0" {
            return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
        }
        let (version, key) = decode_token(token)?;
        start = Some(key);
        if version == 0 { current } else { version }
    };
    let exact = version != current;
    let objects: Arc<Objects> = if exact {
        match world.objects_at(&target.resource.id, version) {
            Ok(objects) => objects,
            Err(_) if token.is_empty() => {
                return Err(Status::expired("The resourceVersion for the provided list is too old."));
            }
            Err(_) => {
                let mut status = Status::expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
                );
                status.continue_token = start.map(|key| encode_token(0, &key));
                return Err(status);
            }
        }
    } else {
        world.objects(&target.resource.id)
    };
    let (registry, now) = (world.registry().clone(), world.now());
    drop(world);

    let from = match (&start, &selection.namespace) {
        (Some(key), _) => Bound::Included(key.clone()),
        (None, Some(namespace)) => Bound::Included(Box::from(format!("{namespace}/"))),
        (None, None) => Bound::Unbounded,
    };
    let to = match &selection.namespace {
        Some(namespace) => Bound::Excluded(Box::from(format!("{namespace}0"))),
        None => Bound::Unbounded,
    };
    let in_range = match (&from, &to) {
        (Bound::Included(from), Bound::Excluded(to)) => from < to,
        _ => true,
    };
    let mut chosen: Vec<Arc<Stored>> = Vec::new();
    let mut next = None;
    let mut remaining = 0usize;
    if in_range {
        for (key, object) in objects.range::<Box<str>, _>((from, to)) {
            if limit.is_some_and(|limit| chosen.len() >= limit) {
                if !selection.is_everything() {
                    if selection.matches(object) {
                        next = Some(key.clone());
                        break;
                    }
                    continue;
                }
                if next.is_none() {
                    next = Some(key.clone());
                }
                remaining += 1;
            } else if selection.matches(object) {
                chosen.push(object.clone());
            }
        }
    }
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if target.resource.custom.is_some() && next.is_none() && call.accept.form == Form::Whole {
        metadata["continue"] = json!("");
    }
    if let Some(next) = next {
        metadata["continue"] = json!(encode_token(version, &next));
        if selection.is_everything() {
            metadata["remainingItemCount"] = json!(remaining);
        }
    }
    Ok(Page { objects: chosen, metadata, registry, now })
}

fn check_options(asked: &str, matching: &str, token: &str, initial_events: bool) -> Result<(), Status> {
    let mut errors = Vec::new();
    if !matching.is_empty() {
        if asked.is_empty() {
            errors.push(FieldError::forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        if !token.is_empty() {
            errors.push(FieldError::forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided",
            ));
        }
        if !matches!(matching, "Exact" | "NotOlderThan") {
            errors.push(FieldError::not_supported("resourceVersionMatch", matching, &["Exact", "NotOlderThan", ""]));
        }
        if matching == "Exact" && asked == "0" {
            errors.push(FieldError::forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
    }
    if initial_events {
        errors.push(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", "ListOptions", "", errors)) }
}

/// A resource version where the mistake is handed on without a code of its own: reading and watching.
pub(crate) fn parse_plain_version(text: &str) -> Result<u64, Status> {
    parse_version(text).map_err(|status| {
        Status::plain_error(status.message.trim_start_matches("invalid resource version: ").to_owned())
    })
}

/// A resource version; empty counts as 0.
pub(crate) fn parse_version(text: &str) -> Result<u64, Status> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        Status::bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
        ))
    })
}

/// Go's decoder overlooks bits after the last whole byte.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

fn encode_token(version: u64, start: &str) -> String {
    let version = if version == 0 { -1 } else { i64::try_from(version).unwrap_or(-1) };
    URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": version, "start": start}).to_string())
}

fn decode_token(token: &str) -> Result<(u64, Box<str>), Status> {
    let bad = |why: &str| Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
    let bytes = LENIENT.decode(token.trim_end_matches('=')).map_err(|error| bad(&error.to_string()))?;
    landfall_sprig::from_json(&bytes).map_err(|error| bad(&error))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| bad(&error.to_string()))?;
    let known = value["v"].as_str().unwrap_or_default();
    if known != "meta.k8s.io/v1" {
        return Err(bad(&format!("server does not recognize this encoded version {known}")));
    }
    let start = value["start"].as_str().unwrap_or_default();
    if start.is_empty() {
        return Err(bad("encoded start key empty (version meta.k8s.io/v1)"));
    }
    if start.split('/').any(|part| part == "..") {
        return Err(bad(start));
    }
    let version = value["rv"].as_i64().unwrap_or(0);
    Ok((u64::try_from(version).unwrap_or(0), start.into()))
}

/// A list in the form negotiated.
pub(crate) fn answer(
    registry: &Registry,
    resource: &Resource,
    objects: &[Arc<Stored>],
    metadata: Value,
    call: &Call,
    now: jiff::Timestamp,
) -> Result<Answer, Status> {
    let shape = view::same_shape(registry, resource);
    if call.accept.form == Form::Whole && call.accept.encoding == Encoding::Json && shape {
        return Ok(Answer::bytes(200, "application/json", whole(resource, objects, &metadata)));
    }
    let values: Vec<_> =
        objects.iter().map(|object| convert::from_storage(registry, resource, object.value())).collect();
    let value = match call.accept.form {
        Form::Whole => json!({
            "kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(), "metadata": metadata,
            "items": values.iter().map(|object| item(resource, object)).collect::<Vec<_>>(),
        }),
        Form::Metadata => json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "items": values.iter().map(|object| view::metadata(object)).collect::<Vec<_>>(),
        }),
        Form::Table => {
            let mut table = table::of(resource, values.iter().map(|object| &**object), now);
            view::attach(&mut table, values.iter().map(|object| &**object), Include::of(call)?);
            table["metadata"] = metadata;
            table
        }
    };
    Ok(Answer::value(200, &value, call.accept.encoding))
}

/// Items of built-in lists carry no kind of their own.
fn item(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    if resource.custom.is_none()
        && let Some(map) = object.as_object_mut()
    {
        map.remove("kind");
        map.remove("apiVersion");
    }
    object
}

fn whole(resource: &Resource, objects: &[Arc<Stored>], metadata: &Value) -> Bytes {
    let size: usize = objects.iter().map(|object| object.rest().len() + 96).sum();
    let mut out = Vec::with_capacity(size + 256);
    let version = resource.api_version();
    out.extend_from_slice(
        format!(
            "{{\"kind\":\"{}List\",\"apiVersion\":\"{version}\",\"metadata\":{metadata},\"items\":[",
            resource.kind
        )
        .as_bytes(),
    );
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if resource.custom.is_some() {
            object.write_json(&version, &mut out);
        } else {
            out.push(b'{');
            out.extend_from_slice(object.rest());
        }
    }
    out.extend_from_slice(b"]}\n");
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continue_tokens_come_back() {
        let token = encode_token(229, "ns/a");
        assert_eq!(decode_token(&token).expect("valid"), (229, "ns/a".into()));
        assert_eq!(decode_token("!").expect_err("refused").code, 400);
    }
}
