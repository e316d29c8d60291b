use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use landfall_drydock::Body;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::api::{Api, MAPS, map};

struct Watch {
    body: Body,
    pending: Vec<Value>,
}

impl Watch {
    async fn open(api: &Api, query: &str) -> Self {
        let request =
            Request::get(format!("{MAPS}?watch=true&{query}")).body(Full::new(Bytes::new())).expect("a request");
        let response = api.0.service().oneshot(request).await.expect("answers");
        assert_eq!(response.status(), 200);
        Self { body: response.into_body(), pending: Vec::new() }
    }

    async fn next(&mut self) -> Value {
        while self.pending.is_empty() {
            let frame = self.body.frame().await.expect("the watch goes on").expect("a frame");
            let bytes = frame.into_data().expect("data");
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            self.pending = lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect();
        }
        self.pending.remove(0)
    }

    async fn expect(&mut self, kind: &str, name: &str) -> Value {
        let event = self.next().await;
        assert_eq!((&event["type"], &event["object"]["metadata"]["name"]), (&json!(kind), &json!(name)), "{event}");
        event
    }
}

#[tokio::test]
async fn a_watch_shows_what_is_and_what_comes() {
    let api = Api::open().await;
    api.post(MAPS, map("a")).await.expect(201);
    let mut watch = Watch::open(&api, "").await;
    watch.expect("ADDED", "a").await;
    api.post(MAPS, map("b")).await.expect(201);
    watch.expect("ADDED", "b").await;
    api.patch("merge-patch+json", &format!("{MAPS}/b"), json!({"data": {"x": "y"}})).await.expect(200);
    watch.expect("MODIFIED", "b").await;
    api.delete(&format!("{MAPS}/b")).await.expect(200);
    watch.expect("DELETED", "b").await;
}

#[tokio::test]
async fn a_streaming_list_ends_with_its_bookmark() {
    let api = Api::open().await;
    api.post(MAPS, map("a")).await.expect(201);
    let query = "allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let mut watch = Watch::open(&api, query).await;
    watch.expect("ADDED", "a").await;
    let bookmark = watch.next().await;
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn what_leaves_the_selection_is_deleted_from_it() {
    let api = Api::open().await;
    let mut labelled = map("a");
    labelled["metadata"]["labels"] = json!({"app": "web"});
    api.post(MAPS, labelled).await.expect(201);
    let mut watch = Watch::open(&api, "labelSelector=app%3Dweb").await;
    watch.expect("ADDED", "a").await;
    let patched = api
        .patch("merge-patch+json", &format!("{MAPS}/a"), json!({"metadata": {"labels": {"app": "api"}}}))
        .await
        .expect(200);
    let event = watch.expect("DELETED", "a").await;
    assert_eq!(event["object"]["metadata"]["labels"]["app"], "web");
    assert_eq!(event["object"]["metadata"]["resourceVersion"], patched["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn a_watch_resumes_from_a_version() {
    let api = Api::open().await;
    let a = api.post(MAPS, map("a")).await.expect(201);
    api.post(MAPS, map("b")).await.expect(201);
    let version = a["metadata"]["resourceVersion"].as_str().expect("a version");
    let mut watch = Watch::open(&api, &format!("resourceVersion={version}")).await;
    watch.expect("ADDED", "b").await;
}
