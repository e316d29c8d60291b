use bytes::Bytes;
use http::Method;
use jiff::SignedDuration;
use landfall_drydock::{Cluster, ControlPlane, Options, Play, Simulation};
use serde_json::json;

use crate::api::{Api, options};

const PODS: &str = "/api/v1/namespaces/default/pods";
const SERVICES: &str = "/api/v1/namespaces/default/services";

/// A cluster with a ready pod `web` behind a service of that name, whose container declares one answer.
async fn open() -> Api {
    let simulation = json!({"web": {"http": [{"path": "/health", "json": {"status": "ok"}}]}});
    let simulation = Simulation::parse(&simulation).expect("a valid simulation");
    let control_plane = ControlPlane { play: Play { simulation, ..Play::default() }, ..ControlPlane::default() };
    let api = Api(Cluster::open(Options { control_plane, ..options() }).await.expect("opens"));
    api.0.settle();
    let ports = json!([{"name": "http", "containerPort": 3000}]);
    let spec = json!({"containers": [{"name": "web", "image": "web:1", "ports": ports}]});
    api.post(PODS, json!({"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec})).await.expect(201);
    let ports = json!([{"name": "http", "port": 80, "targetPort": "http"}]);
    let spec = json!({"selector": {"app": "web"}, "ports": ports});
    api.post(SERVICES, json!({"metadata": {"name": "web"}, "spec": spec})).await.expect(201);
    let deadline = api.0.now() + SignedDuration::from_secs(60);
    let ready = |world: &landfall_drydock::World| {
        let pod = world.find("pods", "default", "web");
        pod.is_some_and(|pod| pod["status"]["containerStatuses"][0]["ready"] == true)
    };
    assert!(api.0.advance_until(deadline, ready));
    api
}

#[tokio::test]
async fn what_is_declared_is_answered_through_the_proxy() {
    let api = open().await;
    for place in [
        format!("{SERVICES}/web:http/proxy/health"),
        format!("{SERVICES}/http:web:80/proxy/health?deep=1"),
        format!("{PODS}/web/proxy/health"),
        format!("{PODS}/web:3000/proxy/health"),
    ] {
        let answer = api.get(&place).await;
        assert_eq!((answer.code, answer.body), (200, json!({"status": "ok"})), "{place}");
    }
    let silent = api.send(Method::POST, &format!("{SERVICES}/web:http/proxy/orders"), &[], Bytes::new()).await;
    assert_eq!(silent.code, 501);
    assert!(silent.text.contains("declare the answer in landfall.yaml"), "{}", silent.text);
    assert_eq!(api.get(&format!("{PODS}/web/proxy")).await.code, 301);
}

#[tokio::test]
async fn a_proxy_that_finds_nobody_says_so_in_the_real_servers_words() {
    let api = open().await;
    let refused = [
        ("nope:http", 404, "services \"nope\" not found"),
        ("web:81", 503, "no service port 81 found for service \"web\""),
        ("web", 503, "no endpoints available for service \"web\""),
        ("ftp:web:21", 400, "invalid service request \"ftp:web:21\""),
    ];
    for (id, code, message) in refused {
        api.get(&format!("{SERVICES}/{id}/proxy/")).await.refused(code, message);
    }
}
