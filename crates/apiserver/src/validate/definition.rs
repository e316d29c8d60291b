//! CustomResourceDefinitions: names, versions, schemas, and what versions say beside them.

mod schema;
mod served;

use landfall_object::FieldError;

use super::at::{At, Errors};
use super::names;

pub(super) fn validate(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>) {
    let spec = object.get("spec");
    let (group, names_at, versions) = (spec.get("group"), spec.get("names"), spec.get("versions"));
    let name = object.dig("metadata.name");
    if old.is_none() && name.text() != format!("{}.{}", names_at.get("plural").text(), group.text()) {
        errors.invalid(&name, "must be spec.names.plural+\".\"+spec.group");
    }
    if group.is_empty() {
        errors.required(group.path.clone(), "");
    } else {
        errors.each(&group, names::dns_subdomain(group.text()));
        if !group.text().contains('.') {
            errors.invalid(&group, "should be a domain with at least one dot");
        }
    }
    errors.one_of(&spec.get("scope"), &["Cluster", "Namespaced"]);
    version_names(errors, &spec, &versions);
    resource_names(errors, &names_at);
    schemas(errors, &versions);
    // What was taken before these were checked may stay.
    let found = refused(object);
    if !found.0.is_empty() && old.is_none_or(|old| refused(old).0.is_empty()) {
        errors.0.extend(found.0);
    }
    if let Some(old) = old {
        identity(errors, object, old);
    }
    stored_versions(errors, &object.dig("status.storedVersions"), &versions);
}

/// What a definition's objects are found by does not change once they are served.
fn identity(errors: &mut Errors, object: &At<'_>, old: &At<'_>) {
    let established = old
        .dig("status.conditions")
        .items()
        .any(|condition| condition.get("type").text() == "Established" && condition.get("status").text() == "True");
    let for_ever: &[&str] = if established { &["spec.scope", "spec.names.kind"] } else { &[] };
    for field in for_ever.iter().chain(&["spec.group", "spec.names.plural"]) {
        errors.immutable(&object.dig(field), &old.dig(field));
    }
}

/// Versions that objects may be kept in have to stay defined.
fn stored_versions(errors: &mut Errors, stored: &At<'_>, versions: &At<'_>) {
    if stored.is_empty() {
        let detail = "must have at least one stored version";
        errors.push(FieldError::invalid(stored.path.clone(), stored.value.clone(), detail));
        return;
    }
    let is_stored = |name: &str| stored.items().any(|version| version.text() == name);
    for version in versions.items() {
        let name = version.get("name").text();
        if version.get("storage").flag() && !is_stored(name) {
            errors.invalid(stored, format!("must have the storage version {name}"));
        }
    }
    for version in stored.items() {
        let name = version.text();
        if !versions.items().any(|defined| defined.get("name").text() == name) {
            errors.invalid(&version, format!("missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"));
        }
    }
}

fn version_names(errors: &mut Errors, spec: &At<'_>, versions: &At<'_>) {
    let all: Vec<At<'_>> = versions.items().collect();
    let mut seen: Vec<&str> = Vec::new();
    let mut unique = true;
    for version in &all {
        let name = version.get("name");
        errors.each(&name, names::dns_1035_label(name.text()));
        unique &= !seen.contains(&name.text());
        seen.push(name.text());
    }
    let stored = all.iter().filter(|version| version.get("storage").flag()).count();
    let complain = |errors: &mut Errors, detail: &str| {
        let error = FieldError::invalid(versions.path.clone(), versions.value.clone(), detail);
        errors.push(error.shown_as(internal(&all)));
    };
    if !unique {
        complain(errors, "must contain unique version names");
    }
    if stored != 1 {
        complain(errors, "must have exactly one version marked as storage version");
    }
    // The first version is also the old top-level field.
    if let Some(first) = all.first() {
        for message in names::dns_1035_label(first.get("name").text()) {
            errors.push(FieldError::invalid(spec.child("version"), first.get("name").text(), message));
        }
    }
}

/// Versions as the server's internal structs print, schemas lifted out of them.
fn internal(versions: &[At<'_>]) -> String {
    let versions: Vec<String> = versions
        .iter()
        .map(|version| {
            format!(
                "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":null,\
                 \"Subresources\":null,\"AdditionalPrinterColumns\":null,\"SelectableFields\":null}}",
                version.get("name").value,
                version.get("served").flag(),
                version.get("storage").flag(),
                version.get("deprecated").flag(),
                version.get("deprecationWarning").value,
            )
        })
        .collect();
    format!("[{}]", versions.join(","))
}

fn resource_names(errors: &mut Errors, names_at: &At<'_>) {
    for field in ["plural", "singular", "kind", "listKind"] {
        let at = names_at.get(field);
        if at.is_empty() {
            errors.required(at.path, "");
        } else if field.ends_with("ind") {
            let messages = names::dns_1035_label(&at.text().to_lowercase());
            let mixed = "may have mixed case, but should otherwise match: ";
            errors.each(&at, messages.into_iter().map(|message| format!("{mixed}{message}")).collect());
        } else {
            errors.each(&at, names::dns_1035_label(at.text()));
        }
    }
    for field in ["shortNames", "categories"] {
        for at in names_at.get(field).items() {
            errors.each(&at, names::dns_1035_label(at.text()));
        }
    }
}

fn schemas(errors: &mut Errors, versions: &At<'_>) {
    for version in versions.items() {
        let at = version.dig("schema.openAPIV3Schema");
        if !at.is_set() {
            errors.required(at.path, "");
        }
    }
    for (at, _) in placed(versions, "schema.openAPIV3Schema", "spec.validation.openAPIV3Schema") {
        schema::structural(errors, &at);
    }
}

/// What each version says of a field, with the version; once and at the old top-level field where all say the same.
fn placed<'v>(versions: &At<'v>, field: &str, shared: &str) -> Vec<(At<'v>, At<'v>)> {
    let all: Vec<(At<'v>, At<'v>)> = versions.items().map(|version| (version.dig(field), version)).collect();
    let said = all.windows(2).all(|pair| pair[0].0.value == pair[1].0.value);
    let mut placed = all;
    if said {
        placed.truncate(1);
        placed.iter_mut().for_each(|(at, _)| *at = At::new(at.value, shared));
    }
    placed.retain(|(at, _)| at.is_set());
    placed
}

/// What a definition must not say although objects could be pruned by it.
fn refused(object: &At<'_>) -> Errors {
    let mut errors = Errors::default();
    let spec = object.get("spec");
    let versions = spec.get("versions");
    for (at, _) in placed(&versions, "schema.openAPIV3Schema", "spec.validation.openAPIV3Schema") {
        let mut unfit = Errors::default();
        schema::structural(&mut unfit, &at);
        if unfit.0.is_empty() {
            schema::rules(&mut errors, &at);
        }
    }
    for (at, _) in placed(&versions, "subresources", "spec.subresources") {
        served::subresources(&mut errors, &at);
    }
    for (at, _) in placed(&versions, "additionalPrinterColumns", "spec.additionalPrinterColumns") {
        served::columns(&mut errors, &at);
    }
    for (at, version) in placed(&versions, "selectableFields", "spec.selectableFields") {
        served::selectable(&mut errors, &at, version.dig("schema.openAPIV3Schema").value);
    }
    served::conversion(&mut errors, &spec.get("conversion"));
    let preserves = spec.get("preserveUnknownFields");
    if preserves.flag() {
        let detail =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.invalid(&preserves, detail);
    }
    errors
}
