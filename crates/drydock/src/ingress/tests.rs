//! The ingress over a served cluster, on loopback.

use std::net::{Ipv4Addr, SocketAddr};

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use landfall_apiserver::{Actor, Clock, Randomness};
use serde_json::{Value, json};

use super::{IngressOptions, IngressServer, NOT_SIMULATED_HEADER, SIMULATED_HEADER};
use crate::behaviour::Play;
use crate::cluster::{Cluster, Drive, Options};
use crate::controllers::ControlPlane;

async fn stand() -> (Cluster, IngressServer) {
    let play = Play::parse(&json!({"simulation": {
        "api": {"http": [{"path": "/graphql", "method": "POST", "json": {"data": 1}}, {"path": "/health", "body": "ok"}]},
    }, "faults": ["deployment/slow=unready"]}))
    .expect("a play");
    let cluster = Cluster::open(Options {
        clock: Clock::virtual_clock(),
        randomness: Randomness::from_seed(1),
        drive: Drive::ByHand,
        control_plane: ControlPlane { play, ..ControlPlane::default() },
        ..Options::default()
    })
    .await
    .expect("an open cluster");
    cluster.settle();
    let actor = Actor::system("test");
    cluster.with_world(|world| {
        let mut create = |id: &str, object: Value| {
            world.create(&actor, id, object).expect("a valid object");
        };
        for definition in landfall_object::operators::definitions("traefik.io") {
            create("customresourcedefinitions.apiextensions.k8s.io", definition);
        }
        for name in ["web", "api", "slow"] {
            let labels = json!({"app": name});
            create("services", json!({"metadata": {"name": name, "namespace": "default"}, "spec": {
                "selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}));
            create("deployments.apps", json!({"metadata": {"name": name, "namespace": "default"}, "spec": {
                "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                    {"name": name, "image": "app:1", "ports": [{"containerPort": 8080}]}]}}}}));
        }
        let path = |path: &str, kind: &str, service: &str| {
            json!({"path": path, "pathType": kind, "backend": {"service": {"name": service, "port": {"number": 80}}}})
        };
        create("ingresses.networking.k8s.io", json!({"metadata": {"name": "all", "namespace": "default"}, "spec": {"rules": [
            {"http": {"paths": [path("/", "Prefix", "web"), path("/graphql", "Prefix", "api"),
                path("/slow", "Prefix", "slow"), path("/gone", "Prefix", "nope")]}},
            {"host": "api.example.com", "http": {"paths": [path("/health", "Exact", "api")]}},
        ]}}));
    });
    cluster.settle();
    let options = IngressOptions::on(vec![0], vec![0]);
    let ingress = cluster.serve_ingress(&options).await.expect("free ports");
    (cluster, ingress)
}

async fn ask(ingress: &IngressServer, method: Method, host: &str, path: &str) -> (StatusCode, HeaderMap, String) {
    ask_at(ingress.http, method, host, path).await
}

async fn ask_at(address: SocketAddr, method: Method, host: &str, path: &str) -> (StatusCode, HeaderMap, String) {
    let stream = tokio::net::TcpStream::connect(address).await.expect("listening");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", host)
        .body(Empty::<bytes::Bytes>::new())
        .expect("a request");
    let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn lp_002_the_longest_path_wins_and_only_declared_requests_are_answered() {
    let (_cluster, ingress) = stand().await;
    let (status, headers, body) = ask(&ingress, Method::POST, "localhost", "/graphql").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"data":1}"#));
    assert!(headers[SIMULATED_HEADER].to_str().is_ok_and(|who| who.starts_with("default/api-")));
    let (status, _, body) = ask(&ingress, Method::GET, "localhost", "/other").await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
    assert!(body.starts_with("simulated: container web of pod default/web-"), "{body}");
}

#[tokio::test]
async fn ports_beside_lead_to_the_same_rules_and_taken_ones_are_left_alone() {
    let (cluster, first) = stand().await;
    let free = || {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.local_addr().expect("bound").port()
    };
    let port = free();
    let beside = (vec![first.http.port(), port], vec![first.https.port()]);
    let options = IngressOptions { beside, ..IngressOptions::on(vec![0], vec![0]) };
    let second = cluster.serve_ingress(&options).await.expect("free ports");
    assert!(second.http.port() != port && second.http.port() != first.http.port());
    for http in [second.http.port(), port] {
        let address = (Ipv4Addr::LOCALHOST, http).into();
        let (status, _, body) = ask_at(address, Method::POST, "localhost:1", "/graphql").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"data":1}"#), "port {http}");
    }
}

#[tokio::test]
async fn hosts_come_before_paths_and_nobody_ready_is_said() {
    let (_cluster, ingress) = stand().await;
    let (status, _, body) = ask(&ingress, Method::GET, "API.example.com:8080", "/health").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "ok"));
    let (status, _, body) = ask(&ingress, Method::GET, "localhost", "/slow").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("none of the 1 pods of service default/slow is ready"), "{body}");
    let (status, _, body) = ask(&ingress, Method::GET, "localhost", "/gone").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("service default/nope does not exist"), "{body}");
}

#[tokio::test]
async fn middlewares_redirect_and_rewrite() {
    let (cluster, ingress) = stand().await;
    let actor = Actor::system("test");
    cluster.with_world(|world| {
        let mut create = |id: &str, object: Value| {
            world.create(&actor, id, object).expect("a valid object");
        };
        create(
            "middlewares.traefik.io",
            json!({"metadata": {"name": "https", "namespace": "default"}, "spec": {
            "redirectScheme": {"scheme": "https", "permanent": true}}}),
        );
        create(
            "middlewares.traefik.io",
            json!({"metadata": {"name": "strip", "namespace": "default"}, "spec": {
            "stripPrefix": {"prefixes": ["/v1"]}}}),
        );
        create(
            "ingressroutes.traefik.io",
            json!({"metadata": {"name": "secure", "namespace": "default"}, "spec": {
            "entryPoints": ["web"], "routes": [{"match": "Host(`s.example.com`)", "kind": "Rule",
                "middlewares": [{"name": "https"}], "services": [{"name": "web", "port": 80}]}]}}),
        );
        create(
            "ingressroutes.traefik.io",
            json!({"metadata": {"name": "v1", "namespace": "default"}, "spec": {
            "routes": [{"match": "Host(`v.example.com`) && PathPrefix(`/v1`)", "kind": "Rule",
                "middlewares": [{"name": "strip"}], "services": [{"name": "api", "port": "http"}]}]}}),
        );
    });
    let (status, headers, _) = ask(&ingress, Method::GET, "s.example.com", "/a?b").await;
    assert_eq!(status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(headers["location"], format!("https://s.example.com:{}/a?b", ingress.https.port()).as_str());
    let (status, _, body) = ask(&ingress, Method::GET, "v.example.com", "/v1/health").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "ok"));
}

#[tokio::test]
async fn who_is_let_in_by_what_is_not_simulated_is_named_in_the_answer() {
    let (cluster, ingress) = stand().await;
    let actor = Actor::system("test");
    let guards = [
        ("basic", json!({"basicAuth": {"secret": "users"}}), "basicAuth"),
        ("forward", json!({"forwardAuth": {"address": "http://sso/auth"}}), "forwardAuth"),
        ("inside", json!({"ipAllowList": {"sourceRange": ["10.0.0.0/8"]}}), "ipAllowList"),
        ("inside2", json!({"ipWhiteList": {"sourceRange": ["10.0.0.0/8"]}}), "ipWhiteList"),
        ("warp", json!({"plugin": {"cloudflarewarp": {}}}), "plugin"),
        ("slow", json!({"rateLimit": {"average": 1}}), "rateLimit"),
        ("strip", json!({"stripPrefixRegex": {"regex": ["("]}}), "stripPrefixRegex"),
        ("hosts", json!({"headers": {"allowedHosts": ["other.example.com"]}}), "headers.allowedHosts"),
        ("chained", json!({"chain": {"middlewares": [{"name": "basic"}]}}), "basicAuth"),
        ("small", json!({"compress": {}}), ""),
        ("again", json!({"retry": {"attempts": 2}}), ""),
        ("strict", json!({"headers": {"stsSeconds": 60}}), ""),
    ];
    cluster.with_world(|world| {
        let mut create = |id: &str, object: Value| {
            world.create(&actor, id, object).expect("a valid object");
        };
        let mut route = |name: &str, rule: String, middlewares: Value, service: Value| {
            create(
                "ingressroutes.traefik.io",
                json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"routes": [
                    {"match": rule, "kind": "Rule", "middlewares": middlewares, "services": [service]}]}}),
            );
        };
        let api = || json!({"name": "api", "port": 80});
        for (name, _, _) in &guards {
            route(name, format!("Host(`{name}.example.com`)"), json!([{"name": name}]), api());
        }
        route("from", "Host(`from.example.com`) && ClientIP(`10.0.0.0/8`)".to_owned(), json!([]), api());
        let weighted = json!({"kind": "TraefikService", "name": "weighted"});
        route("weighted", "Host(`weighted.example.com`)".to_owned(), json!([]), weighted);
        for (name, spec, _) in &guards {
            create("middlewares.traefik.io", json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec}));
        }
        create(
            "ingresses.networking.k8s.io",
            json!({"metadata": {"name": "sso", "namespace": "default",
                "annotations": {"nginx.ingress.kubernetes.io/auth-url": "https://sso.example.com",
                    "nginx.ingress.kubernetes.io/proxy-body-size": "8m"}}, "spec": {"rules": [
                {"host": "sso.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix",
                    "backend": {"service": {"name": "api", "port": {"number": 80}}}}]}}]}}),
        );
    });
    let mut asked: Vec<(&str, &str)> = guards.iter().map(|(name, _, wanted)| (*name, *wanted)).collect();
    asked.extend([
        ("from", "ClientIP"),
        ("weighted", "TraefikService weighted"),
        ("sso", "annotation nginx.ingress.kubernetes.io/auth-url"),
    ]);
    for (name, wanted) in asked {
        let (_, headers, body) = ask(&ingress, Method::GET, &format!("{name}.example.com"), "/health").await;
        let told = headers.get(NOT_SIMULATED_HEADER).and_then(|value| value.to_str().ok());
        match wanted {
            "" => assert_eq!((told, body.as_str()), (None, "ok"), "{name}"),
            wanted => assert!(told.is_some_and(|told| told.contains(wanted)), "{name}: {told:?}"),
        }
    }
}

#[tokio::test]
async fn a_service_that_stands_for_a_name_outside_is_not_simulated() {
    let (cluster, ingress) = stand().await;
    cluster.with_world(|world| {
        let actor = Actor::system("test");
        let mut service =
            json!({"metadata": {"name": "nope", "namespace": "default"}, "spec": {"type": "ExternalName"}});
        service["spec"]["externalName"] = "shop.example.org".into();
        world.create(&actor, "services", service).expect("a valid Service");
    });
    let (status, headers, _) = ask(&ingress, Method::GET, "localhost", "/gone").await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
    assert!(headers[NOT_SIMULATED_HEADER].to_str().is_ok_and(|which| which.starts_with("shop.example.org")));
}

#[tokio::test]
async fn without_a_rule_nothing_is_found() {
    let (cluster, ingress) = stand().await;
    let reference = landfall_apiserver::ObjectRef {
        resource: "ingresses.networking.k8s.io".into(),
        namespace: "default".into(),
        name: "all".into(),
    };
    cluster.with_world(|world| world.delete(&Actor::system("test"), &reference, &Default::default())).expect("deleted");
    let (status, headers, body) = ask(&ingress, Method::GET, "localhost", "/").await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, "404 page not found\n"));
    assert_eq!(headers[SIMULATED_HEADER], "none");
}
