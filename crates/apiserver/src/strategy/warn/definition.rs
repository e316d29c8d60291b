//! What is told of definitions of kinds: formats that nothing holds values against
//! (`apiextensions-apiserver/pkg/apiserver/schema/formats.go`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::remarks::Remarks;

/// The formats of texts that values are held against.
const TEXTS: [&str; 25] = [
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "date-time",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8s-long-name",
    "k8s-short-name",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
];
/// More of them, of which a number is part of the name.
const NUMBERED: [&str; 2] = ["uuid4", "uuid5"];
/// Schemas below a schema that are named, listed, and one alone.
const NAMED: [&str; 4] = ["properties", "patternProperties", "definitions", "dependencies"];
const LISTED: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const SINGLE: [&str; 4] = ["items", "additionalProperties", "additionalItems", "not"];

/// Warns of formats that are unknown, and were not there before.
pub(super) fn warn(definition: &Value, live: Option<&Value>, remarks: &Remarks) {
    let known = live.map(unknown).unwrap_or_default();
    for format in unknown(definition).difference(&known) {
        remarks.warn(format!("unrecognized format {format:?}"));
    }
}

fn unknown(definition: &Value) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for version in definition["spec"]["versions"].as_array().into_iter().flatten() {
        look(&version["schema"]["openAPIV3Schema"], &mut found);
    }
    found
}

fn look<'s>(schema: &'s Value, found: &mut BTreeSet<&'s str>) {
    if let Some(format) = schema["format"].as_str().filter(|format| !format.is_empty())
        && !is_known(schema["type"].as_str().unwrap_or_default(), format)
    {
        found.insert(format);
    }
    let named = NAMED.iter().filter_map(|field| schema[field].as_object()).flat_map(serde_json::Map::values);
    let listed = LISTED.iter().filter_map(|field| schema[field].as_array()).flatten();
    let single = SINGLE.iter().map(|field| &schema[field]);
    for below in named.chain(listed).chain(single).filter(|below| below.is_object()) {
        look(below, found);
    }
}

fn is_known(kind: &str, format: &str) -> bool {
    match kind {
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        "string" => TEXTS.contains(&format) || NUMBERED.contains(&format),
        _ => false,
    }
}
