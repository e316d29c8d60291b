//! Local ports that lead to services of a served cluster.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use super::sandbox::{Sandbox, small_chart};

/// A running `landfall forward`; it ends with the test.
struct Forwarding {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Forwarding {
    fn start(sandbox: &Sandbox, words: &[&str]) -> Self {
        let mut command = sandbox.command(&[&["forward", "--state", "state"], words].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        Forwarding { child, out }
    }

    /// The next line: the local address, and what it leads to.
    fn line(&mut self) -> (String, String) {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("says where it listens");
        let (address, what) = line.trim().split_once(" → ").unwrap_or_else(|| panic!("{line:?}"));
        (address.trim_start_matches("http://").to_owned(), what.to_owned())
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The answer to a request over a connection of its own; empty when the connection is cut.
fn ask(address: &str, path: &str) -> String {
    let Ok(mut connection) = TcpStream::connect(address) else { return String::new() };
    connection.set_read_timeout(Some(Duration::from_secs(40))).expect("set");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    if connection.write_all(request.as_bytes()).is_ok() {
        let _cut = connection.read_to_end(&mut answer);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A served cluster with two services whose containers answer.
fn monitoring() -> Sandbox {
    let mut sandbox = Sandbox::empty();
    small_chart(&sandbox, "chart", "web");
    sandbox.edit("chart/templates/all.yaml", "kind: Service\nmetadata: {name: {{ .Release.Name }}}", "kind: Service\nmetadata: {name: {{ .Release.Name }}, labels: {app.kubernetes.io/name: {{ .Release.Name | trimPrefix \"mon-\" }}}}");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: mon\nenvironments:\n  local:\n    releases:\n      - {name: mon-grafana, chart: chart, namespace: monitoring}\n      - {name: mon-prometheus, chart: chart, namespace: monitoring}\n    simulate:\n      mon-grafana: {http: [{path: /login, body: this is grafana}]}\n      mon-prometheus: {http: [{path: /ready, body: this is prometheus}]}\n",
    );
    sandbox.stays("state");
    sandbox.run(&["up", "--state", "state"]).exits(0);
    sandbox
}

/// Replaces the pods of a release, as a rollout or a lost node would.
fn replace_pods(sandbox: &Sandbox, service: &str) {
    sandbox.run(&["up", service, "--state", "state"]).exits(0);
}

#[test]
fn lp_061_two_services_by_their_short_names_answer_and_stay_when_their_pods_are_replaced() {
    let sandbox = monitoring();
    let mut forward = Forwarding::start(&sandbox, &["grafana", "prometheus", ":http"]);
    let (grafana, what) = forward.line();
    assert!(what.starts_with("service/mon-grafana:80"), "{what}");
    let (prometheus, what) = forward.line();
    assert!(what.starts_with("service/mon-prometheus:80"), "{what}");
    assert!(ask(&grafana, "/login").contains("this is grafana"));
    assert!(ask(&prometheus, "/ready").contains("this is prometheus"));
    replace_pods(&sandbox, "mon-grafana");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ask(&grafana, "/login").contains("this is grafana") {
        assert!(Instant::now() < deadline, "it never comes back");
    }
    assert!(ask(&prometheus, "/ready").contains("this is prometheus"));
}

#[test]
fn a_wish_that_leads_nowhere_is_refused_with_what_there_is() {
    let sandbox = monitoring();
    let run = |words: &[&str]| sandbox.run(&[&["forward", "--state", "state"], words].concat());
    run(&["grafanna"]).exits(1).says("nothing called `grafanna` can be reached here").says("mon-grafana");
    run(&["grafana", "9:nowhere"]).exits(1).says("service/mon-grafana has no port `nowhere`").says("80 (http)");
    run(&["grafana", "18081:9999"]).exits(1).says("service/mon-grafana has no port `9999`").says("80 (http)");
    run(&["3000:3000"]).exits(2).says("name the service first");
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = held.local_addr().expect("bound").port();
    run(&["grafana", &format!("{port}:80")])
        .exits(1)
        .says(&format!("the local port {port}"))
        .says(&format!("(pid {})", std::process::id()));
    let nothing = Sandbox::empty();
    nothing.run(&["forward", "web"]).exits(6);
}

#[test]
fn lp_063_a_crashed_containers_last_log_is_shown_by_a_forward_and_by_logs() {
    let mut sandbox = Sandbox::empty();
    small_chart(&sandbox, "chart", "web");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: chart, namespace: shop}]\n    simulate:\n      web: {logs: [cannot reach the database]}\n",
    );
    sandbox.stays("state");
    sandbox.run(&["up", "--fault", "deployment/web=crashloop", "--no-wait", "--state", "state"]).exits(0);
    let mut forward = Forwarding::start(&sandbox, &["web"]);
    let (address, _) = forward.line();
    let mut err = BufReader::new(forward.child.stderr.take().expect("piped"));
    let (sender, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while err.read_line(&mut line).is_ok_and(|length| length > 0) && sender.send(std::mem::take(&mut line)).is_ok()
        {
        }
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut heard = String::new();
    while !heard.contains("cannot reach the database") {
        assert!(Instant::now() < deadline, "the log is not shown: {heard}");
        ask(&address, "/");
        heard.extend(said.try_iter());
    }
    assert!(heard.contains("a connection to service/web failed"), "{heard}");
    sandbox
        .run(&["logs", "web", "--previous", "-n", "shop", "--state", "state"])
        .exits(0)
        .says("cannot reach the database");
}
