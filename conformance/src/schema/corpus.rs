//! The published corpus of `k8s.io/api` (every kind with every field filled, as JSON and protobuf) against our decoder.

use std::path::PathBuf;

use landfall_object::Gvk;
use landfall_object::schema::Schemas;
use serde_json::Value;

fn corpus() -> Option<PathBuf> {
    let cache = std::env::var_os("GOMODCACHE").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join("go/pkg/mod")))?;
    let directory = cache.join("k8s.io/api@v0.36.3/testdata/HEAD");
    directory.is_dir().then_some(directory)
}

#[test]
fn protobuf_and_json_of_the_published_corpus_decode_to_the_same_value() {
    let Some(directory) = corpus() else {
        #[allow(clippy::print_stderr, reason = "a skipped suite says so")]
        {
            eprintln!("skipped: no corpus (go mod download k8s.io/api@v0.36.3)");
        }
        return;
    };
    let schemas = Schemas::builtin();
    let (mut compared, mut failures) = (0, Vec::new());
    let mut files: Vec<_> = std::fs::read_dir(directory).expect("the corpus lists").filter_map(Result::ok).collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files {
        let path = file.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let json: Value = serde_json::from_slice(&std::fs::read(&path).expect("readable")).expect("the corpus is JSON");
        let text = |field: &str| json[field].as_str().unwrap_or_default().to_owned();
        let gvk = Gvk::from_api_version(&text("apiVersion"), text("kind"));
        if schemas.kind(&gvk).is_none() {
            continue;
        }
        let from_json = schemas.decode(&gvk, &json);
        let from_protobuf = schemas.decode_protobuf(&std::fs::read(path.with_extension("pb")).expect("readable"));
        compared += 1;
        match (from_json, from_protobuf) {
            (Ok(expected), Ok((_, found))) => {
                if !expected.findings.is_empty() {
                    failures.push(format!("{gvk}: {:?}", expected.findings));
                } else if expected.value != json {
                    failures.push(format!("{gvk}: JSON: {}", first_difference("", &expected.value, &json)));
                } else if expected.value != found.value {
                    failures.push(format!("{gvk}: protobuf: {}", first_difference("", &found.value, &json)));
                }
            }
            (json, protobuf) => failures.push(format!("{gvk}: {:?} {:?}", json.err(), protobuf.err())),
        }
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(compared >= 68, "only {compared} kinds were compared");
}

fn first_difference(path: &str, ours: &Value, theirs: &Value) -> String {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys()) {
                if a.get(key) != b.get(key) {
                    let null = Value::Null;
                    return first_difference(
                        &format!("{path}.{key}"),
                        a.get(key).unwrap_or(&null),
                        b.get(key).unwrap_or(&null),
                    );
                }
            }
            String::new()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .find(|(a, b)| a != b)
            .map_or_else(String::new, |(a, b)| first_difference(&format!("{path}[]"), a, b)),
        _ => format!("{path}: ours {ours}, corpus {theirs}"),
    }
}
