use http::Method;
use serde_json::json;

use crate::api::{Api, DEPLOYMENTS, MAPS, deployment, map};

#[tokio::test]
async fn refusals_have_the_real_servers_words() {
    let api = Api::open().await;
    api.post(MAPS, map("a")).await.expect(201);
    api.post(MAPS, map("a")).await.refused(409, "configmaps \"a\" already exists");
    api.post("/api/v1/namespaces/nope/configmaps", map("a")).await.refused(404, "namespaces \"nope\" not found");
    let mut other = map("b");
    other["metadata"]["namespace"] = json!("elsewhere");
    api.post(MAPS, other)
        .await
        .refused(400, "the namespace of the provided object does not match the namespace sent on the request");
    api.post(&format!("{MAPS}/a"), map("a"))
        .await
        .refused(405, "the server does not allow this method on the requested resource");
    let current = api.0.with_world(|world| world.version());
    api.get(&format!("{MAPS}?resourceVersion=99999999"))
        .await
        .refused(504, &format!("Timeout: Too large resource version: 99999999, current: {current}"));
}

#[tokio::test]
async fn unknown_and_duplicate_fields_warn_or_refuse() {
    let api = Api::open().await;
    let text =
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","foo":1},"data":{"x":"1","x":"2"},"zip":1}"#;
    let headers = [("content-type", "application/json")];
    let strict = format!("{MAPS}?fieldValidation=Strict");
    api.send(Method::POST, &strict, &headers, text.into()).await.refused(
        400,
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"metadata.foo\", duplicate field \"data.x\", unknown field \"zip\"",
    );
    let warned = api.send(Method::POST, MAPS, &headers, text.into()).await;
    assert_eq!(warned.warnings[0], "299 - \"unknown field \\\"metadata.foo\\\"\"");
    assert_eq!(warned.warnings.len(), 3);
    warned.expect(201);
}

#[tokio::test]
async fn a_wrong_type_is_named_as_go_names_it() {
    let api = Api::open().await;
    let mut wrong = deployment("d");
    wrong["spec"]["replicas"] = json!("two");
    api.post(DEPLOYMENTS, wrong).await.refused(
        400,
        "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    );
}

#[tokio::test]
async fn hostile_bodies_are_refused() {
    let api = Api::open().await;
    let headers = [("content-type", "application/json")];
    for body in ["", "[]", "null", "{", "\"x\"", "{\"metadata\":[]}"] {
        let answer = api.send(Method::POST, MAPS, &headers, body.into()).await;
        assert!((400..500).contains(&answer.code), "{body}: {} {}", answer.code, answer.text);
    }
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let answer = api.send(Method::POST, MAPS, &headers, deep.into()).await;
    assert_eq!(answer.code, 400);
    let large = "x".repeat(4 * 1024 * 1024);
    let answer = api.send(Method::POST, MAPS, &headers, large.into()).await;
    assert_eq!(answer.code, 413);
    let protobuf = [("content-type", "application/vnd.kubernetes.protobuf")];
    let answer = api.send(Method::POST, MAPS, &protobuf, vec![0x6b, 0x38, 0x73, 0, 0xff, 0xff].into()).await;
    assert_eq!(answer.code, 400);
}

#[tokio::test]
async fn a_terminating_namespace_takes_nothing_new() {
    let api = Api::open().await;
    api.post("/api/v1/namespaces", json!({"metadata": {"name": "t1"}})).await.expect(201);
    let going = api.delete("/api/v1/namespaces/t1").await.expect(200);
    assert_eq!(going["status"]["phase"], "Terminating");
    let answer = api.post("/api/v1/namespaces/t1/configmaps", map("x")).await;
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    answer.refused(
        403,
        "configmaps \"x\" is forbidden: unable to create new content in namespace t1 because it is being terminated",
    );
}

#[tokio::test]
async fn quotas_count() {
    let api = Api::open().await;
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "1"}}});
    api.post("/api/v1/namespaces/default/resourcequotas", quota).await.expect(201);
    api.post(MAPS, map("a")).await.expect(201);
    api.post(MAPS, map("b")).await.refused(
        403,
        "configmaps \"b\" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1",
    );
}
