//! What clients of a served API may keep open, and how long they are waited for; beside each limit, who keeps within it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use landfall_drydock::{ServeLimits, Served};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::api::{Api, MAPS, map};
use crate::served::{Connection, ask_with, connect, shake_hands};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(60);

/// What a test waits for comes long before the limits that hold where it sets none.
async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("in time")
}

async fn served(api: &Api, limits: ServeLimits) -> Served {
    api.0.serve_within(LOOPBACK, limits).await.expect("served")
}

/// What is left to read until the server ends the connection, however it does.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // Who is cut off may be told so, or not.
    let _ = in_time(stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until the answer holds this text.
async fn until(stream: &mut Connection, text: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(text) {
        let count = in_time(stream.read(&mut buffer)).await.expect("an answer");
        assert!(count > 0, "the server ended the connection after {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    seen
}

fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n")
}

/// A body without end, and how much of it was taken.
fn endless() -> (StreamBody<impl futures::Stream<Item = Result<Frame<Bytes>, Infallible>>>, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::default());
    let counted = taken.clone();
    let frames = futures::stream::repeat_with(move || {
        let chunk = Bytes::from_static(&[b' '; 16 * 1024]);
        counted.fetch_add(chunk.len(), Ordering::Relaxed);
        Ok(Frame::data(chunk))
    });
    (StreamBody::new(frames), taken)
}

#[tokio::test]
async fn the_body_of_who_may_not_is_not_taken_in() {
    let api = Api::open().await;
    for (name, value, code) in [("impersonate-user", "jane", 403), ("authorization", "Bearer no", 401)] {
        let (body, taken) = endless();
        let request = Request::builder().method(Method::POST).uri(MAPS).header(name, value);
        let request = request.header("content-type", "application/json").body(body).expect("a request");
        let response = api.0.service().oneshot(request).await.expect("an answer");
        assert_eq!(response.status().as_u16(), code);
        response.into_body().collect().await.expect("whole");
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken <= 320 * 1024, "{taken} bytes were read of somebody who may not write");
    }
    api.post(MAPS, map("a")).await.expect(201);
}

#[tokio::test]
async fn who_may_not_is_told_before_the_body_is_there() {
    let api = Api::open().await;
    let served = served(&api, ServeLimits::default()).await;
    let head = format!("POST {MAPS} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 3000000");
    let answer = ask_with(&api, served.address, &head, None, b"{").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_refused_at_the_real_servers_limit() {
    let api = Api::open().await;
    let (body, taken) = endless();
    let request = Request::builder().method(Method::POST).uri(MAPS).header("content-type", "application/json");
    let response = api.0.service().oneshot(request.body(body).expect("a request")).await.expect("an answer");
    assert_eq!(response.status().as_u16(), 413);
    assert!(taken.load(Ordering::Relaxed) < 80 * 1024 * 1024);
}

#[tokio::test]
async fn a_handshake_that_never_comes_ends() {
    let api = Api::open().await;
    let served = served(&api, ServeLimits { handshake: SHORT, ..ServeLimits::default() }).await;
    let mut silent = TcpStream::connect(served.address).await.expect("connects");
    assert_eq!(rest(&mut silent).await, "");
    let mut half = TcpStream::connect(served.address).await.expect("connects");
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.expect("sent");
    assert_eq!(rest(&mut half).await, "");
    let mut whole = connect(&api, served.address, None, b"http/1.1").await;
    whole.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
    assert!(until(&mut whole, "gitVersion").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_head_that_is_sent_by_half_ends() {
    let api = Api::open().await;
    let served = served(&api, ServeLimits { head: SHORT, ..ServeLimits::default() }).await;
    let mut half = connect(&api, served.address, None, b"http/1.1").await;
    half.write_all(b"GET /version HTTP/1.1\r\nHost: x\r\nX-Half").await.expect("sent");
    let told = rest(&mut half).await;
    assert!(!told.contains("gitVersion"), "{told}");
    // Also where the client speaks HTTP/2 and says nothing more than that.
    let mut second = connect(&api, served.address, None, b"h2").await;
    second.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
    rest(&mut second).await;
    let mut preface = connect(&api, served.address, None, b"h2").await;
    preface.write_all(b"PRI * HT").await.expect("sent");
    rest(&mut preface).await;
    let mut whole = connect(&api, served.address, None, b"http/1.1").await;
    whole.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
    assert!(until(&mut whole, "gitVersion").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_without_requests_ends_and_a_watch_goes_on() {
    let api = Api::open().await;
    let served = served(&api, ServeLimits { idle: SHORT, ..ServeLimits::default() }).await;
    let mut watch = connect(&api, served.address, None, b"http/1.1").await;
    let path = format!("{MAPS}?watch=true&resourceVersion=0");
    watch.write_all(get(&path, &served.token).as_bytes()).await.expect("sent");
    until(&mut watch, "\r\n\r\n").await;
    let mut idle = connect(&api, served.address, None, b"http/1.1").await;
    for _ in 0..3 {
        idle.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
        until(&mut idle, "gitVersion").await;
    }
    rest(&mut idle).await;
    api.post(MAPS, map("later")).await.expect(201);
    until(&mut watch, "\"later\"").await;
}

#[tokio::test]
async fn whom_nobody_knows_does_not_stay() {
    let api = Api::open().await;
    let served = served(&api, ServeLimits::default()).await;
    let mut stranger = connect(&api, served.address, None, b"http/1.1").await;
    stranger.write_all(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    assert!(rest(&mut stranger).await.contains("gitVersion"));
    let mut known = connect(&api, served.address, None, b"http/1.1").await;
    for _ in 0..3 {
        known.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
        until(&mut known, "gitVersion").await;
    }
    // A probe without credentials on it takes nothing away from it.
    known.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    until(&mut known, "ok").await;
    known.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
    until(&mut known, "gitVersion").await;
}

#[tokio::test]
async fn of_too_many_strangers_the_oldest_gives_way() {
    let api = Api::open().await;
    let served = served(&api, ServeLimits { strangers: 2, ..ServeLimits::default() }).await;
    let mut known = connect(&api, served.address, None, b"http/1.1").await;
    known.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
    until(&mut known, "gitVersion").await;
    let mut oldest = TcpStream::connect(served.address).await.expect("connects");
    let _second = TcpStream::connect(served.address).await.expect("connects");
    let third = TcpStream::connect(served.address).await.expect("connects");
    assert_eq!(rest(&mut oldest).await, "");
    let mut third = shake_hands(&api, third, None, b"http/1.1").await.expect("a handshake");
    for stream in [&mut third, &mut known] {
        stream.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
        until(stream, "gitVersion").await;
    }
}

#[tokio::test]
async fn watches_of_one_user_are_counted() {
    let api = Api::open().await;
    let served = served(&api, ServeLimits { streams: 2, ..ServeLimits::default() }).await;
    let path = format!("{MAPS}?watch=true&resourceVersion=0");
    let mut watches = Vec::new();
    for _ in 0..2 {
        let mut watch = connect(&api, served.address, None, b"http/1.1").await;
        watch.write_all(get(&path, &served.token).as_bytes()).await.expect("sent");
        assert!(until(&mut watch, "\r\n\r\n").await.starts_with("HTTP/1.1 200"));
        watches.push(watch);
    }
    // Acting as another does not help, nor is it another's fault.
    let mut third = connect(&api, served.address, None, b"http/1.1").await;
    let head = get(&path, &served.token)
        .replace("Host: x", "Host: x\r\nImpersonate-User: x\r\nImpersonate-Group: system:masters");
    for head in [get(&path, &served.token), head] {
        third.write_all(head.as_bytes()).await.expect("sent");
        let told = until(&mut third, "\"code\":429").await;
        assert!(told.starts_with("HTTP/1.1 429"), "{told}");
        assert!(told.contains("retry-after: 1"), "{told}");
        let sentence = "user \\\"landfall-admin\\\" has 2 watches and other streams open, and may have no more at once; close some and ask again";
        assert!(told.contains(sentence), "{told}");
    }
    let identity = api.0.client_certificate("jane", &["system:masters"]).expect("a certificate");
    let mut janes = connect(&api, served.address, Some(identity), b"http/1.1").await;
    janes.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.expect("sent");
    assert!(until(&mut janes, "\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    // One is closed: the server sees it at the latest when it has something to say.
    drop(watches.pop());
    let mut answered = String::new();
    for number in 0..100 {
        api.post(MAPS, map(&format!("m{number}"))).await.expect(201);
        third.write_all(get(&path, &served.token).as_bytes()).await.expect("sent");
        answered = until(&mut third, "\r\n\r\n").await;
        if answered.starts_with("HTTP/1.1 200") {
            return;
        }
        until_end_of(&mut third, &answered).await;
    }
    panic!("no watch became free: {answered}");
}

/// Reads the rest of a refusal of which this much was read.
async fn until_end_of(stream: &mut Connection, seen: &str) {
    if !seen.contains("\"code\":429") {
        until(stream, "\"code\":429").await;
    }
}

#[tokio::test]
async fn connections_of_one_user_are_counted() {
    let api = Api::open().await;
    let served = served(&api, ServeLimits { connections: 1, ..ServeLimits::default() }).await;
    let mut first = connect(&api, served.address, None, b"http/1.1").await;
    first.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
    until(&mut first, "gitVersion").await;
    let mut second = connect(&api, served.address, None, b"http/1.1").await;
    second.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
    let told = rest(&mut second).await;
    assert!(told.starts_with("HTTP/1.1 429") && told.contains("has 1 connections open"), "{told}");
    first.write_all(get("/version", &served.token).as_bytes()).await.expect("sent");
    until(&mut first, "gitVersion").await;
}
