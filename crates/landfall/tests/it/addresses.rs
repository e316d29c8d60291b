use std::io::{Read, Write};
use std::net::TcpStream;

use super::sandbox::Sandbox;

pub(crate) fn get(address: &str, host: &str, path: &str, method: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the ingress listens");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn lp_002_paths_reach_their_service_and_the_longest_prefix_wins() {
    let sandbox = Sandbox::luckyplans().interactive();
    let up = sandbox.run(&["up", "--skip", "observability", "-o", "json"]).exits(0).json();
    let ingress = up["data"]["ingress"]["http"].as_str().expect("an ingress address").to_owned();
    let ask = |path: &str| get(&ingress, "localhost", path, "GET", "");
    assert!(ask("/").contains("<title>LuckyPlans</title>"));
    assert!(ask("/graphql").contains("<title>GraphQL</title>"));
    assert!(ask("/auth/login").contains("location: /login"), "{}", ask("/auth/login"));
    // Nothing is declared for it: it says who would have answered.
    assert!(ask("/uploads/a.png").contains("api-gateway"), "{}", ask("/uploads/a.png"));
    assert!(ask("/authors").contains("web"), "{}", ask("/authors"));
}

#[test]
fn lp_013_every_printed_address_answers_and_the_longest_path_wins() {
    let sandbox = Sandbox::luckyplans().interactive();
    let up = sandbox.run(&["up", "-o", "json"]).exits(0).json();
    let ingress = up["data"]["ingress"]["http"].as_str().expect("an ingress address").to_owned();
    let graphql = get(&ingress, "localhost", "/graphql", "POST", "{\"query\":\"{ health }\"}");
    assert!(graphql.contains("API Gateway is running"), "{graphql}");
    assert!(get(&ingress, "localhost", "/login", "GET", "").contains("Log in"));
    // Exactly these are printed, for programs and for people alike, and each answers what is printed of it.
    let wanted = [
        ("web", "localhost", "/"),
        ("login", "localhost", "/login"),
        ("docs", "localhost", "/docs"),
        ("gateway", "localhost", "/health"),
        ("graphql", "localhost", "/graphql"),
        ("grafana", "grafana.localhost", "/api/health"),
        ("grafana", "grafana.localhost", "/"),
        ("prometheus", "prometheus.localhost", "/"),
    ];
    let port = ingress.rsplit_once(':').map(|(_, port)| port).filter(|port| *port != "80");
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let urls: Vec<(String, String)> =
        wanted.iter().map(|(name, host, path)| ((*name).to_owned(), format!("http://{host}{port}{path}"))).collect();
    let addresses = up["data"]["addresses"].as_array().expect("addresses");
    let text = |address: &serde_json::Value, field: &str| address[field].as_str().unwrap_or_default().to_owned();
    let told: Vec<(String, String)> =
        addresses.iter().map(|address| (text(address, "name"), text(address, "url"))).collect();
    assert_eq!(told, urls);
    for (address, (_, host, path)) in addresses.iter().zip(wanted) {
        let status = address["status"].as_u64().expect("a status");
        assert!((200..400).contains(&status) && address["simulated"] == true, "{address}");
        let answer = get(&ingress, host, path, "GET", "");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{address}: {answer}");
    }
    let printed = sandbox.run(&["up"]).exits(0);
    let shown: Vec<(String, String)> = printed
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("~ ")?.split_once(" http"))
        .map(|(name, rest)| (name.trim().to_owned(), format!("http{rest}")))
        .collect();
    assert_eq!(shown, urls, "{}", printed.all());
    let running = sandbox.run(&["cluster", "status", "-o", "json"]).exits(0).json();
    let server = running["data"]["endpoint"]["server"].as_str().expect("an address").replace("https://", "");
    assert!(TcpStream::connect(&server).is_ok(), "the API listens");
    sandbox.run(&["down", "--yes"]).exits(0);
    // The ingress's usual port may be another test's by now; the API's was the system's choice.
    assert!(TcpStream::connect(&server).is_err(), "the port is free");
    assert!(!sandbox.root().join(".landfall").exists());
}
