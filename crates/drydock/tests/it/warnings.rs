//! What the API says beside its answer and why it refuses: the words of a real server, recorded (`tests/cases/warnings/ORIGIN`).

use http::Method;
use serde_json::{Value, json};

use crate::api::Api;

const SCRIPTS: &str = include_str!("../cases/warnings/scripts.json");
const GOLDEN: &str = include_str!("../cases/warnings/golden.json");

/// What admission and strategies fill in below the spec, of those that are compared here.
const FILLED_IN: [&str; 7] = [
    "overhead",
    "nodeSelector",
    "tolerations",
    "priority",
    "podCIDRs",
    "terminationGracePeriodSeconds",
    "preemptionPolicy",
];

#[tokio::test]
async fn warnings_and_refusals_are_those_of_the_real_server_word_for_word() {
    let list = |text| serde_json::from_str::<Vec<Value>>(text).expect("a recording is JSON");
    let (scripts, golden) = (list(SCRIPTS), list(GOLDEN));
    assert_eq!(scripts.len(), golden.len(), "record the scripts again");
    let api = Api::open().await;
    let account = json!({"metadata": {"name": "default"}});
    api.post("/api/v1/namespaces/default/serviceaccounts", account).await.expect(201);
    let (mut warned, mut differ) = (0, Vec::new());
    for (script, golden) in scripts.iter().zip(&golden) {
        let steps = script["steps"].as_array().expect("steps").iter();
        for (step, wanted) in steps.zip(golden["answers"].as_array().expect("answers")) {
            let method = step["method"].as_str().expect("a method").parse::<Method>().expect("a method");
            let headers = [("content-type", step["type"].as_str().unwrap_or("application/json"))];
            let body = step["body"].to_string().into();
            let answer = api.send(method, step["path"].as_str().expect("a path"), &headers, body).await;
            let words = wanted["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let (mut words, mut ours): (Vec<&str>, _) = (words.collect(), answer.warnings);
            // The real server walks through selectors of nodes and formats of definitions in another order each time.
            let is_unordered = |text: &&str| text.contains("nodeSelector[") || text.contains("unrecognized format");
            if words.iter().any(is_unordered) {
                words.sort_unstable();
                ours.sort_unstable();
            }
            warned += usize::from(!words.is_empty());
            let same = |path: &str| wanted["body"].pointer(path) == answer.body.pointer(path);
            let is_so = match answer.code {
                400.. => same("/message"),
                _ => FILLED_IN.iter().all(|field| same(&format!("/spec/{field}"))),
            };
            if wanted["code"] != answer.code || words != ours || !is_so {
                let code = &wanted["code"];
                let (theirs, body) = (&wanted["body"], &answer.body);
                differ.push(format!(
                    "{}: {code} {words:#?} {theirs}\n  ours: {} {ours:#?} {body}",
                    script["name"], answer.code
                ));
            }
        }
    }
    assert!(differ.is_empty(), "{} of {}:\n{}", differ.len(), scripts.len(), differ.join("\n"));
    assert!(warned >= 29, "the recording has lost its warnings: {warned}");
}
