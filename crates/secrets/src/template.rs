//! `spec.template.data`: texts of Go's over the values that were opened.

use std::collections::BTreeMap;

use landfall_gotemplate::{Func, FuncError, FuncMap, Limits, Map, MissingKey, Set, Str, Type, Value};
use landfall_sprig::Context;

use crate::masked::Masked;

/// What Sprig has and the controller takes away, and what is Helm's and not Sprig's.
const ABSENT: [&str; 9] = [
    "getHostByName",
    "toYaml",
    "toYamlPretty",
    "fromYaml",
    "fromYamlArray",
    "fromJsonArray",
    "toToml",
    "fromToml",
    "mustToYaml",
];

/// What a stranger's text may use: some milliseconds, and no more than a Secret can hold.
const LIMITS: Limits = Limits { steps: 5_000_000, depth: 100, output_bytes: 1 << 20, held_bytes: 16 << 20 };

fn functions() -> FuncMap {
    let mut functions = landfall_sprig::funcs();
    for name in ABSENT {
        functions.remove(name);
    }
    functions.insert("fail", Func::new(&[Type::String], |_, words| Err(FuncError::new(words.str(0)))));
    functions
}

/// What a text becomes, with the values by their keys as its dot.
///
/// # Errors
/// Go's words, or those of a limit.
pub(crate) fn fill(
    name: &str,
    text: &str,
    values: &BTreeMap<String, Masked>,
    context: &Context,
) -> Result<Masked, String> {
    let mut set = Set::new(name, functions(), MissingKey::Invalid);
    set.parse(name, text.as_bytes()).map_err(|error| error.to_string())?;
    let entries = values.iter().map(|(key, value)| (Str::from(key.as_str()), Value::str(value.reveal())));
    let dot = Value::from(Map::of(Type::String, entries.collect()));
    let written = set.execute(name, &dot, &mut context.clone(), LIMITS).map_err(|error| error.to_string())?;
    Ok(Masked::new(written))
}
