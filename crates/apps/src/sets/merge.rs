//! `merge`: one generator's parameters, with what others say of those that have the same keys.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::generators::{Run, Stop};
use super::params::{Param, Params, put_over};

pub(crate) fn params(run: &mut Run<'_>, spec: &Value, depth: usize) -> Result<Vec<Params>, Stop> {
    let generators = spec.get("generators").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if generators.len() < 2 {
        return Err(Stop::Failed("found less than two generators, Merge requires two or more".to_owned()));
    }
    let mut keys: Vec<&str> =
        spec.get("mergeKeys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Err(Stop::Failed("no merge keys were specified, Merge requires at least one".to_owned()));
    }
    let (mut sets, mut unanswered) = (Vec::new(), false);
    for (index, generator) in generators.iter().enumerate() {
        match run.nested(generator, &Params::new(), depth) {
            Ok(params) => sets.push(keyed(&keys, params)?),
            Err(Stop::Unanswered) => unanswered = true,
            Err(stop) => {
                let which = format!("error getting params from generator {} of {}", index + 1, generators.len());
                return Err(stop.while_(&which));
            }
        }
    }
    if unanswered {
        return Err(Stop::Unanswered);
    }
    let mut sets = sets.into_iter();
    let mut base = sets.next().unwrap_or_default();
    for over in sets {
        let over: BTreeMap<&str, &Params> = over.iter().map(|(key, params)| (key.as_str(), params)).collect();
        for (key, params) in &mut base {
            let Some(over) = over.get(key.as_str()) else { continue };
            if run.templates.is_go() {
                put_over(params, over);
            } else {
                params.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
    }
    Ok(base.into_iter().map(|(_, params)| params).collect())
}

/// Parameters by the values that they have under the keys, no two by the same.
fn keyed(keys: &[&str], params: Vec<Params>) -> Result<Vec<(String, Params)>, String> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for one in params {
        let named = keys.iter().map(|key| ((*key).to_owned(), one.get(*key).map_or(Value::Null, Param::json)));
        let key = named.collect::<Value>().to_string();
        if !seen.insert(key.clone()) {
            return Err(format!(
                "the parameters from a generator were not unique by the given mergeKeys, Merge requires all param sets to be unique. Duplicate key was {key}"
            ));
        }
        found.push((key, one));
    }
    Ok(found)
}
