//! A live cluster is read, never written to.

use std::sync::{Arc, Mutex};

use landfall_cluster::Cluster;
use landfall_drydock::{Clock, Drive, Options};
use landfall_object::Object;
use landfall_rehearse::Snapshot;
use serde_json::json;
use tower::ServiceExt as _;

/// The requests that came through, as `GET /api/v1/pods`.
type Seen = Arc<Mutex<Vec<String>>>;

fn recorded(drydock: &landfall_drydock::Cluster, seen: &Seen) -> Cluster {
    let seen = Arc::clone(seen);
    let service = drydock.service().map_request(move |request: http::Request<kube::client::Body>| {
        seen.lock().expect("not poisoned").push(format!("{} {}", request.method(), request.uri().path()));
        request
    });
    Cluster::new(kube::Client::new(service, "default"))
}

#[tokio::test]
async fn reading_a_live_cluster_makes_only_gets_and_keeps_no_secret() {
    let options = Options { clock: Clock::virtual_clock(), drive: Drive::ByHand, ..Options::default() };
    let drydock = landfall_drydock::Cluster::open(options).await.expect("opens");
    let direct = Cluster::new(drydock.client());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "default"},
        "stringData": {"PASSWORD": "hunter2"}});
    direct.create(&Object::from_value(secret).expect("a map"), &Default::default()).await.expect("created");
    let seen = Seen::default();
    let snapshot =
        Snapshot::read(&recorded(&drydock, &seen), "live", jiff::Timestamp::UNIX_EPOCH).await.expect("it is read");
    let seen = seen.lock().expect("not poisoned");
    assert!(seen.len() > 20, "{seen:?}");
    assert!(seen.iter().all(|request| request.starts_with("GET ")), "{seen:?}");
    let text = serde_json::to_string(&snapshot).expect("JSON");
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "the value is not kept");
    assert!(text.contains("PASSWORD"), "the key's name is");
    let again = Snapshot::parse("x.json", &text).expect("it is read back");
    assert_eq!(again.objects.len(), snapshot.objects.len());
}
