//! The operations of the published OpenAPI documents against those that are served.

use std::collections::BTreeMap;
use std::path::PathBuf;

use landfall_object::schema::Schemas;
use serde_json::Value;

fn documents() -> PathBuf {
    let cache = std::env::var_os("GOMODCACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a home directory")).join("go/pkg/mod");
    let modules = cache.unwrap_or_else(home);
    modules.join(format!("k8s.io/kubernetes@v{}/api/openapi-spec/v3", Schemas::builtin().kubernetes_version()))
}

/// Without prose, and without the media types of CBOR, which is not spoken.
fn plain(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| !(key.contains("cbor") || key == "description" && value.is_string()));
            map.values_mut().for_each(plain);
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}

fn operations(mut document: Value) -> BTreeMap<String, Value> {
    let Value::Object(paths) = document["paths"].take() else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (path, operations) in paths {
        for (method, mut operation) in operations.as_object().cloned().unwrap_or_default() {
            plain(&mut operation);
            found.insert(format!("{method} {path}"), operation);
        }
    }
    found
}

#[test]
#[ignore = "asks an oracle: `.ci/run` builds those and runs what begins with `oracle_`"]
fn oracle_operations_are_the_published_ones() {
    let schemas = Schemas::builtin();
    let mut compared = 0;
    let mut failures = Vec::new();
    for served in schemas.group_versions() {
        let (group, version) = (&served.group, &served.version);
        let name = if group.is_empty() { format!("api__{version}") } else { format!("apis__{group}__{version}") };
        let file = documents().join(format!("{name}_openapi.json"));
        let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let theirs = operations(serde_json::from_slice(&text).expect("a document"));
        let ours = operations(schemas.openapi_v3(group, version).expect("served"));
        compared += theirs.len();
        for key in theirs.keys().chain(ours.keys().filter(|key| !theirs.contains_key(*key))) {
            if theirs.get(key) != ours.get(key) {
                failures.push(format!("{key}\n  ours   {:?}\n  theirs {:?}", ours.get(key), theirs.get(key)));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures[0]);
    assert!(compared > 700, "only {compared} operations were compared");
}
