//! What a forge publishes of its API, as names and kinds (see `ORIGIN`): whether a request is one that it takes, and whether an
//! answer of ours is one that it gives.

use serde_json::Value;

/// A forge by what it publishes.
#[derive(Clone, Copy)]
pub(super) enum Published {
    GitHub,
    GitLab,
}

/// What is wrong with a request to a forge.
pub(super) fn request(forge: Published, method: &str, target: &str, body: &Value) -> Vec<String> {
    let Some(operation) = operation(forge, method, target) else {
        return vec![format!("{method} {target} is none of its own")];
    };
    let mut wrong = Vec::new();
    let known: Vec<&str> = operation["query"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    for name in query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty()) {
        if !known.contains(&name) {
            wrong.push(format!("{method} {target}: there is no parameter {name}"));
        }
    }
    match (&operation["body"], body) {
        (Value::Null, Value::Null) => {}
        (Value::Object(wanted), Value::Object(given)) => {
            for (name, value) in given {
                match wanted["fields"].get(name) {
                    Some(shape) => fits(value, shape, name, &mut wrong),
                    None => wrong.push(format!("{method} {target}: its body has no {name}")),
                }
            }
            let required = wanted["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            wrong.extend(required.filter(|name| !given.contains_key(*name)).map(|name| format!("{name} is required")));
        }
        _ => wrong.push(format!("{method} {target}: a body where there is none, or the other way")),
    }
    wrong
}

/// What is wrong with an answer to a request: a field that the forge does not send, or of another kind.
pub(super) fn answer(forge: Published, method: &str, target: &str, status: u16, body: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    match operation(forge, method, target).and_then(|it| it["answers"].get(status.to_string()).cloned()) {
        Some(shape) => fits(body, &shape, "answer", &mut wrong),
        None => wrong.push(format!("{method} {target} is not answered with {status}")),
    }
    wrong
}

fn operation(forge: Published, method: &str, target: &str) -> Option<Value> {
    let described = match forge {
        Published::GitHub => include_str!("github.json"),
        Published::GitLab => include_str!("gitlab.json"),
    };
    let described: Vec<Value> = serde_json::from_str(described).expect("JSON");
    let path: Vec<&str> = target.split('?').next().unwrap_or_default().split('/').collect();
    described.into_iter().find(|one| {
        let own: Vec<&str> = one["path"].as_str().expect("a path").split('/').collect();
        let is_place = |part: &str| part.starts_with('{');
        one["method"] == method
            && own.len() == path.len()
            && own.iter().zip(&path).all(|(own, given)| (is_place(own) && !given.is_empty()) || own == given)
    })
}

fn fits(value: &Value, shape: &Value, place: &str, wrong: &mut Vec<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds: Vec<&str> = shape["kinds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !kinds.is_empty() && !kinds.contains(&kind) {
        wrong.push(format!("{place} is of {kinds:?}, not of {kind}"));
    }
    if let Some(words) = shape.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        wrong.push(format!("{place} cannot be {value}"));
    }
    for (at, one) in value.as_array().into_iter().flatten().enumerate() {
        // Where it is not said of what a list is, it is one of what there may be one of.
        let inner = shape.get("items").or_else(|| shape.get("fields").map(|_| shape));
        if let Some(inner) = inner {
            fits(one, inner, &format!("{place}[{at}]"), wrong);
        }
    }
    let Some(fields) = shape.get("fields").and_then(Value::as_object) else { return };
    for (name, inner) in value.as_object().into_iter().flatten() {
        match fields.get(name) {
            Some(shape) => fits(inner, shape, &format!("{place}.{name}"), wrong),
            None => wrong.push(format!("{place} has no {name}")),
        }
    }
}

#[test]
fn what_is_no_request_or_answer_of_githubs_is_found() {
    let request = |method: &str, target: &str, body: &Value| request(Published::GitHub, method, target, body);
    let pulls = "/repos/acme/shop/pulls";
    let body = serde_json::json!({"head": "a", "base": "main"});
    assert_eq!(request("POST", pulls, &body), [""; 0]);
    assert_eq!(request("GET", "/repos/acme/shop/pulls?state=open", &Value::Null), [""; 0]);
    for (method, target, body, word) in [
        ("PUT", pulls, Value::Null, "none of its own"),
        ("GET", "/repos/acme/shop/pulls?limit=50", Value::Null, "no parameter limit"),
        ("POST", pulls, serde_json::json!({"head": "a", "base": "main", "source_branch": "x"}), "no source_branch"),
        ("POST", pulls, serde_json::json!({"head": 1, "base": "main"}), "not of integer"),
        ("POST", pulls, serde_json::json!({"head": "a"}), "base is required"),
        ("POST", "/repos/acme/shop/statuses/abc", serde_json::json!({"state": "failed"}), "cannot be"),
    ] {
        let found = request(method, target, &body);
        assert!(found.iter().any(|it| it.contains(word)), "{method} {target}: {found:?}");
    }
    let told = answer(
        Published::GitHub,
        "GET",
        "/repos/acme/shop/pulls/1",
        200,
        &serde_json::json!({"number": "1", "iid": 3, "head": {"name": "x"}}),
    );
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn what_is_no_request_or_answer_of_gitlabs_is_found() {
    let requests = "/api/v4/projects/acme%2Fshop/merge_requests";
    let body = serde_json::json!({"source_branch": "a", "target_branch": "main", "title": "t"});
    let request = |method: &str, target: &str, body: &Value| request(Published::GitLab, method, target, body);
    assert_eq!(request("POST", requests, &body), [""; 0]);
    for (method, target, body, word) in [
        ("PATCH", "/api/v4/projects/acme%2Fshop/merge_requests/3", Value::Null, "none of its own"),
        ("GET", "/api/v4/projects/acme/shop/merge_requests", Value::Null, "none of its own"),
        ("GET", "/api/v4/projects/acme%2Fshop/merge_requests?head=a", Value::Null, "no parameter head"),
        ("POST", requests, serde_json::json!({"head": "a"}), "no head"),
        ("POST", requests, serde_json::json!({"source_branch": "a", "title": "t"}), "target_branch is required"),
        ("POST", "/api/v4/projects/1/statuses/abc", serde_json::json!({"state": "failure"}), "cannot be"),
    ] {
        let found = request(method, target, &body);
        assert!(found.iter().any(|it| it.contains(word)), "{method} {target}: {found:?}");
    }
    let told = answer(
        Published::GitLab,
        "GET",
        requests,
        200,
        &serde_json::json!([{"iid": 1, "author": {"username": "a"}}, {"iid": "1", "number": 3, "author": {"login": "a"}}]),
    );
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(answer(Published::GitLab, "GET", requests, 201, &Value::Null).len(), 1);
}
