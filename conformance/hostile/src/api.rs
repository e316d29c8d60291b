//! Requests to the embedded cluster's API: paths, queries and bodies, one after the other on a cluster of their own.

use std::cell::RefCell;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use landfall_drydock::{Cluster, Drive, ForkClock, Options, Randomness};
use tower::ServiceExt as _;

thread_local! {
    static BASE: RefCell<Option<(tokio::runtime::Runtime, Cluster)>> = const { RefCell::new(None) };
}

/// Requests cut at lines that say `%%`: a line `METHOD PATH CONTENT-TYPE`, then the body.
pub(crate) fn api(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    BASE.with_borrow_mut(|base| {
        let (runtime, cluster) = base.get_or_insert_with(open);
        runtime.block_on(async {
            let cluster = cluster.fork(ForkClock::Virtual);
            for request in crate::parts(text).take(8) {
                send(&cluster, request).await;
                cluster.settle();
            }
            cluster.stop();
        });
    });
}

fn open() -> (tokio::runtime::Runtime, Cluster) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let cluster = runtime.block_on(async {
        let options = Options { drive: Drive::ByHand, randomness: Randomness::from_seed(1), ..Options::default() };
        Cluster::open(options).await.expect("a cluster in memory opens")
    });
    (runtime, cluster)
}

async fn send(cluster: &Cluster, text: &str) {
    let (head, body) = text.split_once('\n').unwrap_or((text, ""));
    let mut words = head.split(' ');
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default();
    // A watch or a followed log has no end.
    if path.contains("watch") || path.contains("follow") {
        return;
    }
    let mut request = Request::builder().method(method).uri(path).header("accept", "application/json");
    if let Some(kind) = words.next().filter(|kind| !kind.is_empty()) {
        request = request.header("content-type", kind);
    }
    let Ok(request) = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))) else { return };
    let Ok(answer) = cluster.service().oneshot(request).await;
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let body = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if kind == "application/json" {
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok(), "{method} {path}: the answer is no JSON");
    }
}
