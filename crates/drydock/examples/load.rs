//! Measures the embedded cluster in process: `load [OBJECTS [STATE.db]]`.
//!
//! Prints the time until it is ready, durable creates a second with 16 clients, the time of a list, memory, and the time of
//! a fork of 2,000 objects in which one is changed.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program for people at a terminal")]

use std::error::Error;
use std::time::Instant;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use landfall_drydock::{Clock, Cluster, Drive, ForkClock, Options, Service, Storage};
use landfall_object::Object;
use serde_json::json;
use tower::ServiceExt as _;

async fn ask(service: Service, method: &str, path: &str, body: String) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let response = service.oneshot(request.body(Full::new(Bytes::from(body)))?).await?;
    let code = response.status();
    let length = response.into_body().collect().await?.to_bytes().len();
    if code.is_success() { Ok(length) } else { Err(format!("{method} {path}: {code}").into()) }
}

/// Resident memory in MiB, where the system tells.
fn memory() -> f64 {
    let pages: Option<f64> = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1).and_then(|pages| pages.parse().ok()));
    pages.unwrap_or(0.0) * 4096.0 / 1048576.0
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let objects: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let storage = arguments.next().map_or(Storage::Memory, |path| Storage::Sqlite(path.into()));
    let start = Instant::now();
    let cluster = Cluster::open(Options { storage: storage.clone(), ..Options::default() }).await?;
    eprintln!("ready in {:?}, {:.1} MiB", start.elapsed(), memory());
    let maps = "/api/v1/namespaces/default/configmaps";
    let payload = "x".repeat(512);
    let start = Instant::now();
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let (cluster, payload) = (cluster.clone(), payload.clone());
            tokio::spawn(async move {
                for number in 0..objects / 16 {
                    let object = json!({
                        "apiVersion": "v1", "kind": "ConfigMap",
                        "metadata": {"name": format!("m-{client}-{number}-{}", std::process::id())}, "data": {"payload": payload},
                    });
                    ask(cluster.service(), "POST", maps, object.to_string()).await?;
                }
                Ok::<_, Box<dyn Error + Send + Sync>>(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    let elapsed = start.elapsed();
    eprintln!("{objects} creates in {elapsed:?}: {:.0}/s, {:.1} MiB", objects as f64 / elapsed.as_secs_f64(), memory());
    for _ in 0..2 {
        let start = Instant::now();
        let bytes = ask(cluster.service(), "GET", maps, String::new()).await?;
        eprintln!("list of {bytes} bytes in {:?}", start.elapsed());
    }
    drop(cluster);
    let start = Instant::now();
    let reopened = Cluster::open(Options { storage, ..Options::default() }).await?;
    eprintln!(
        "opened again in {:?} with {} maps",
        start.elapsed(),
        reopened.with_world(|world| world.count("configmaps"))
    );
    fork().await
}

async fn fork() -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = Options { clock: Clock::virtual_clock(), drive: Drive::ByHand, ..Options::default() };
    let cluster = Cluster::open(options).await?;
    let object = |kind: &str, name: String| {
        Object::from_value(json!({"apiVersion": "v1", "kind": kind,
            "metadata": {"name": name, "namespace": "default", "uid": name}}))
    };
    let kind = |index: usize| if index.is_multiple_of(2) { "ConfigMap" } else { "ServiceAccount" };
    let objects: Result<Vec<Object>, _> = (0..2_000).map(|index| object(kind(index), format!("o{index}"))).collect();
    cluster.import(objects?);
    cluster.settle();
    let mut times = Vec::new();
    for _ in 0..21 {
        let start = Instant::now();
        let fork = cluster.fork(ForkClock::Virtual);
        fork.settle();
        fork.import(vec![object("ConfigMap", "changed".to_owned())?]);
        fork.settle();
        times.push(start.elapsed());
    }
    times.sort();
    eprintln!("fork of 2,000 objects, one changed: {:?}", times[times.len() / 2]);
    Ok(())
}
