//! `metadata` of every kind, labels, annotations, selectors.

use landfall_object::FieldError;
use serde_json::{Map, Value};

use super::at::{At, Errors};
use super::names;

/// Finalizers that need no domain.
pub(crate) const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
const MOST_ANNOTATION_BYTES: usize = 256 * 1024;

/// The rule for a kind's names.
pub(super) fn name_rule(kind: &str) -> fn(&str) -> Vec<String> {
    match kind {
        "Namespace" => names::dns_label,
        "Service" => names::dns_label,
        // Its pods' host names are made of it.
        "StatefulSet" => names::dns_label,
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" => names::path_segment,
        // Their own rules say nothing of metadata, which leaves what holds for every path.
        "Event" | "PodDisruptionBudget" => names::path_segment,
        _ => names::dns_subdomain,
    }
}

pub(super) fn create(errors: &mut Errors, metadata: &At<'_>, kind: &str) {
    let rule = name_rule(kind);
    let generated = metadata.get("generateName");
    if !generated.text().is_empty() {
        // A trailing dash is fine: characters follow.
        let masked = generated.text().strip_suffix('-').map(|start| format!("{start}a"));
        let checked = masked.as_deref().unwrap_or(generated.text());
        errors.each(&generated, rule(checked));
    }
    let name = metadata.get("name");
    if name.text().is_empty() {
        errors.required(name.path, "name or generateName is required");
    } else {
        errors.each(&name, rule(name.text()));
    }
    nonnegative_generation(errors, metadata);
    common(errors, metadata);
}

pub(super) fn update(errors: &mut Errors, new: &At<'_>, old: &At<'_>) {
    if old.get("deletionTimestamp").is_set() {
        no_new_finalizers(errors, new, old);
    }
    let generation = new.get("generation");
    if generation.int().unwrap_or(0) < old.get("generation").int().unwrap_or(0) {
        errors.invalid(&generation, "must not be decremented");
    }
    for field in ["name", "namespace", "uid", "creationTimestamp"] {
        errors.immutable(&new.get(field), &old.get(field));
    }
    common(errors, new);
}

fn nonnegative_generation(errors: &mut Errors, metadata: &At<'_>) {
    errors.nonnegative(&metadata.get("generation"));
}

fn common(errors: &mut Errors, metadata: &At<'_>) {
    labels(errors, &metadata.get("labels"));
    annotations(errors, &metadata.get("annotations"));
    owners(errors, &metadata.get("ownerReferences"));
    finalizers(errors, &metadata.get("finalizers"));
}

fn no_new_finalizers(errors: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let (new, old) = (new.get("finalizers"), old.get("finalizers"));
    let known: Vec<&str> = old.items().map(|item| item.text()).collect();
    let added: Vec<String> = new
        .items()
        .map(|item| item.text())
        .filter(|name| !known.contains(name))
        .map(|name| format!("{name:?}"))
        .collect();
    if !added.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.join(", ")
        );
        errors.forbidden(new.path, detail);
    }
}

pub(super) fn labels(errors: &mut Errors, labels: &At<'_>) {
    for (key, value) in labels.value.as_object().into_iter().flatten() {
        for message in names::qualified_name(key) {
            errors.push(FieldError::invalid(labels.path.clone(), key.as_str(), message));
        }
        for message in names::label_value(value.as_str().unwrap_or_default()) {
            errors.push(FieldError::invalid(labels.path.clone(), value.clone(), message));
        }
    }
}

pub(super) fn annotations(errors: &mut Errors, annotations: &At<'_>) {
    let mut size = 0;
    for (key, value) in annotations.value.as_object().into_iter().flatten() {
        for message in names::qualified_name(&key.to_lowercase()) {
            errors.push(FieldError::invalid(annotations.path.clone(), key.as_str(), message));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MOST_ANNOTATION_BYTES {
        errors.push(FieldError::too_long(annotations.path.clone(), MOST_ANNOTATION_BYTES));
    }
}

fn owners(errors: &mut Errors, owners: &At<'_>) {
    let mut controller: Option<String> = None;
    for owner in owners.items() {
        // The server leaves the index out.
        let owner = At::new(owner.value, owners.path.clone());
        let version = owner.get("apiVersion");
        if version.text().is_empty() || version.text().ends_with('/') {
            errors.invalid(&version, "version must not be empty");
        }
        for field in ["kind", "name", "uid"] {
            let at = owner.get(field);
            if at.text().is_empty() {
                errors.push(FieldError::invalid(at.path.clone(), "", "must not be empty"));
            }
        }
        let order = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
        // Events own nothing (`BannedOwners`).
        if version.text() == "v1" && owner.get("kind").text() == "Event" {
            errors.invalid_ordered(&owner, &order, "/v1, Kind=Event is disallowed from being an owner");
        }
        if owner.get("controller").flag() {
            let current = format!("{}/{}", owner.get("kind").text(), owner.get("name").text());
            if let Some(first) = &controller {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {current}"
                );
                errors.invalid_ordered(owners, &order, detail);
            } else {
                controller = Some(current);
            }
        }
    }
}

fn finalizers(errors: &mut Errors, finalizers: &At<'_>) {
    let mut seen = Vec::new();
    for item in finalizers.items() {
        let name = item.text();
        for message in names::qualified_name(name) {
            errors.push(FieldError::invalid(finalizers.path.clone(), name, message));
        }
        seen.push(name);
    }
    if seen.contains(&"orphan") && seen.contains(&"foregroundDeletion") {
        errors.invalid(finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
    }
}

/// The rule of most built-in kinds (`apis/core/validation`): finalizers without a slash must be the known ones.
pub(super) fn known_finalizers(errors: &mut Errors, metadata: &At<'_>) {
    for item in metadata.get("finalizers").items() {
        let name = item.text();
        if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(item.path.clone(), name, detail));
        }
    }
}

/// A label selector.
pub(super) fn selector(errors: &mut Errors, selector: &At<'_>) {
    labels(errors, &selector.get("matchLabels"));
    for requirement in selector.get("matchExpressions").items() {
        let values = requirement.get("values");
        let operator = requirement.get("operator");
        match operator.text() {
            "In" | "NotIn" => {
                if values.is_empty() {
                    errors.required(values.path.clone(), "must be specified when `operator` is 'In' or 'NotIn'");
                }
            }
            "Exists" | "DoesNotExist" => {
                if !values.is_empty() {
                    let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                    errors.forbidden(values.path.clone(), detail);
                }
            }
            _ => errors.invalid(&operator, "not a valid selector operator"),
        }
        let key = requirement.get("key");
        errors.each(&key, names::qualified_name(key.text()));
        for value in values.items() {
            errors.each(&value, names::label_value(value.text()));
        }
    }
}

/// Whether a selector can be read at all.
pub(super) fn is_readable(selector: &At<'_>) -> bool {
    selector.get("matchExpressions").items().all(|requirement| {
        let empty = requirement.get("values").is_empty();
        match requirement.get("operator").text() {
            "In" | "NotIn" => !empty,
            "Exists" | "DoesNotExist" => empty,
            _ => false,
        }
    })
}

/// Whether labels meet a selector; a null selector meets nothing, an empty one everything.
pub(super) fn matches(selector: &At<'_>, labels: &At<'_>) -> bool {
    let empty = Map::new();
    let labels: &Map<String, Value> = labels.value.as_object().unwrap_or(&empty);
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    if !selector.is_set() {
        return false;
    }
    let wanted = selector.get("matchLabels");
    let equal = wanted.value.as_object().into_iter().flatten().all(|(key, value)| label(key) == value.as_str());
    equal
        && selector.get("matchExpressions").items().all(|requirement| {
            let found = label(requirement.get("key").text());
            let listed = |found: &str| requirement.get("values").items().any(|value| value.text() == found);
            match requirement.get("operator").text() {
                "In" => found.is_some_and(listed),
                "NotIn" => !found.is_some_and(listed),
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        })
}
