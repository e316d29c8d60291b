use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::api::{Api, MAPS, map};

#[tokio::test]
async fn pages_show_one_state_though_it_changes() {
    let api = Api::open().await;
    for name in ["a", "b", "c", "d"] {
        api.post(MAPS, map(name)).await.expect(201);
    }
    let first = api.get(&format!("{MAPS}?limit=2")).await.expect(200);
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    api.delete(&format!("{MAPS}/c")).await.expect(200);
    api.post(MAPS, map("cc")).await.expect(201);
    let token = first["metadata"]["continue"].as_str().expect("more to come");
    let second = api.get(&format!("{MAPS}?limit=2&continue={token}")).await.expect(200);
    let names: Vec<_> =
        second["items"].as_array().expect("items").iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(names, ["c", "d"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn selectors_narrow_lists() {
    let api = Api::open().await;
    let mut labelled = map("a");
    labelled["metadata"]["labels"] = json!({"app": "web"});
    api.post(MAPS, labelled).await.expect(201);
    api.post(MAPS, map("b")).await.expect(201);
    let count =
        async |query: &str| api.get(&format!("{MAPS}?{query}")).await.expect(200)["items"].as_array().map(Vec::len);
    assert_eq!(count("labelSelector=app%3Dweb").await, Some(1));
    assert_eq!(count("labelSelector=!app").await, Some(1));
    assert_eq!(count("fieldSelector=metadata.name%3Db").await, Some(1));
    api.get(&format!("{MAPS}?fieldSelector=foo%3D1"))
        .await
        .refused(400, "\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
}

#[tokio::test]
async fn tables_and_metadata_are_negotiated() {
    let api = Api::open().await;
    api.post(MAPS, map("a")).await.expect(201);
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let table = api.send(Method::GET, MAPS, &table, Bytes::new()).await.expect(200);
    assert_eq!(table["rows"][0]["cells"], json!(["a", 1, "0s"]));
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let partial = [("accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")];
    let partial = api.send(Method::GET, MAPS, &partial, Bytes::new()).await.expect(200);
    assert_eq!(partial["kind"], "PartialObjectMetadataList");
    assert!(partial["items"][0].get("data").is_none());
}

#[tokio::test]
async fn discovery_is_served_in_both_forms() {
    let api = Api::open().await;
    let groups = api.get("/apis").await.expect(200);
    assert_eq!(groups["groups"][1]["name"], "apps");
    let accept = [("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json")];
    let aggregated = api.send(Method::GET, "/apis", &accept, Bytes::new()).await.expect(200);
    assert_eq!(aggregated["kind"], "APIGroupDiscoveryList");
    // Who takes nothing else gets it, too, where there is any.
    let alone = [("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")];
    for path in ["/api", "/apis"] {
        let aggregated = api.send(Method::GET, path, &alone, Bytes::new()).await.expect(200);
        assert_eq!(aggregated["kind"], "APIGroupDiscoveryList");
    }
    assert_eq!(api.send(Method::GET, "/apis/apps/v1", &alone, Bytes::new()).await.code, 406);
    let index = api.get("/openapi/v3").await.expect(200);
    let apps = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().expect("listed").to_owned();
    let document = api.get(&apps).await.expect(200);
    assert!(document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"].is_object());
    assert_eq!(api.get("/readyz").await.text, "ok");
}

/// Who cannot be understood deletes nothing: a collection is gone at once.
#[tokio::test]
async fn a_collection_is_deleted_as_far_as_a_list_would_show_it_and_by_no_request_that_is_malformed() {
    let api = Api::open().await;
    let count = async || api.get(MAPS).await.expect(200)["items"].as_array().map_or(0, Vec::len);
    for name in ["a", "b", "c"] {
        api.post(MAPS, map(name)).await.expect(201);
    }
    let all = count().await;
    for query in ["limit=abc", "continue=xyz", "gracePeriodSeconds=abc", "resourceVersion=x"] {
        assert_eq!(api.delete(&format!("{MAPS}?{query}")).await.code, 400, "{query}");
    }
    for body in [
        r#"{"kind":"Foo","apiVersion":"v1"}"#,
        "[]",
        r#"{"preconditions":"x"}"#,
        r#"{"kind":"DeleteOptions","apiVersion":"meta.k8s.io/v1","gracePeriodSeconds":"5"}"#,
    ] {
        let json = [("content-type", "application/json")];
        for path in [MAPS, &format!("{MAPS}/a")] {
            let answer = api.send(Method::DELETE, path, &json, Bytes::from(body)).await;
            assert_eq!(answer.code, 400, "{path} {body}");
        }
    }
    assert_eq!(count().await, all, "nothing has gone");
    let gone = api.delete(&format!("{MAPS}?limit=1")).await.expect(200);
    assert_eq!(gone["items"].as_array().map(Vec::len), Some(1));
    assert!(gone["metadata"]["continue"].is_string(), "{gone}");
    assert_eq!(count().await, all - 1);
    let named = Bytes::from(r#"{"kind":"DeleteOptions","apiVersion":"meta.k8s.io/v1"}"#);
    api.send(Method::DELETE, MAPS, &[("content-type", "application/json")], named).await.expect(200);
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn old_paths_below_watch_are_watches() {
    let api = Api::open().await;
    api.post(MAPS, map("a")).await.expect(201);
    api.post(MAPS, map("b")).await.expect(201);
    let events = async |path: &str| {
        let answer = api.get(&format!("/api/v1/watch{path}?timeoutSeconds=1&resourceVersion=0")).await;
        assert_eq!(answer.code, 200, "{}", answer.text);
        let read = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).expect("an event");
            (event["type"] == "ADDED").then(|| event["object"]["metadata"]["name"].as_str().unwrap_or("").to_owned())
        };
        answer.text.lines().filter_map(read).filter(|name| name.len() == 1).collect::<Vec<_>>()
    };
    assert_eq!(events("/namespaces/default/configmaps").await, ["a", "b"]);
    assert_eq!(events("/configmaps").await, ["a", "b"]);
    assert_eq!(events("/namespaces/default/configmaps/b").await, ["b"]);
}

/// Clients that have no namespace write its place empty.
#[tokio::test]
async fn an_empty_place_in_a_path_is_no_other_path() {
    let api = Api::open().await;
    api.post(MAPS, map("a")).await.expect(201);
    let all = api.get("/api/v1/namespaces//configmaps").await.expect(200);
    assert!(all["items"].as_array().is_some_and(|items| items.iter().any(|it| it["metadata"]["name"] == "a")));
    assert_eq!(api.get("/api//v1/configmaps").await.code, 404);
    assert_eq!(api.get("/api/v1/configmaps/").await.code, 200);
}

#[tokio::test]
async fn slices_of_devices_are_found_by_node_and_driver() {
    let api = Api::open().await;
    for field in ["spec.nodeName=a", "spec.driver=b"] {
        let path = format!("/apis/resource.k8s.io/v1/resourceslices?fieldSelector={field}");
        assert_eq!(api.get(&path).await.expect(200)["items"], json!([]));
    }
}
