//! Checks against what is outside of the cluster: certificates, versions, redirects, and lines in logs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::sandbox::{Ran, Sandbox, ran, small_chart};

/// An authority that the binary is told to trust.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(rcgen::DnType::CommonName, "An authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// Serves HTTPS on loopback with a certificate for `localhost` that is good until a year.
    fn serve(&self, until: i32) -> u16 {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        params.not_after = rcgen::date_time_ymd(until, 1, 2);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        serve(certificate.der().clone(), &key)
    }
}

/// Serves HTTPS on loopback with a certificate that signs itself.
fn serve_self_signed() -> u16 {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    serve(made.cert.der().clone(), &made.signing_key)
}

fn serve(certificate: rustls::pki_types::CertificateDer<'static>, key: &KeyPair) -> u16 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .expect("a certificate");
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // Lives as long as the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            // Who does not trust it hangs up.
            std::thread::spawn(move || answer(stream, config));
        }
    });
    port
}

fn answer(stream: TcpStream, config: Arc<rustls::ServerConfig>) -> Option<()> {
    let mut stream = rustls::StreamOwned::new(rustls::ServerConnection::new(config).ok()?, stream);
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let (method, rest) = head.split_once(' ')?;
    let (status, more, body) = match rest.split_once(' ')?.0 {
        "/version" => ("200 OK", "Content-Type: application/json\r\n", r#"{"version":"1.0.0"}"#),
        "/old" => ("301 Moved Permanently", "Location: /login\r\n", ""),
        "/" => ("200 OK", "", "welcome"),
        _ => ("404 Not Found", "", "nothing"),
    };
    let said = if method == "HEAD" { "" } else { body };
    let head = format!("HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n{said}", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

fn system(sandbox: &Sandbox, port: u16) {
    let file = format!(
        r#"apiVersion: landfall.dev/v1
kind: System
name: shop
environments:
  local:
    releases: [{{name: shop, chart: shop, namespace: shop}}]
    simulate: {{shop: {{logs: [ready to serve]}}}}
    checks:
      - {{name: home, http: "https://localhost:{port}/", contains: welcome, timeout: 1ms}}
      - {{name: moved, http: "https://localhost:{port}/old", redirect: "https://localhost:{port}/login", timeout: 1ms}}
      - {{name: version, http: "https://localhost:{port}/version", version: {{image: app}}, timeout: 1ms}}
      - {{name: log, logs: shop, contains: ready to serve, timeout: 1ms}}
"#
    );
    sandbox.write("landfall.yaml", &file);
}

#[test]
fn lp_114_se_075_the_same_checks_pass_and_fail_from_outside_and_say_why() {
    let (sandbox, authority) = (Sandbox::empty().interactive(), Authority::new());
    sandbox.write("../trusted.pem", &authority.pem);
    small_chart(&sandbox, "shop", "shop");
    let trusted = sandbox.root().join("../trusted.pem");
    let smoke = |words: &[&str]| -> Ran {
        let words = [&["smoke", "--external", "--tls-timeout", "1ms"], words].concat();
        ran(sandbox.command(&words).env("SSL_CERT_FILE", &trusted).output().expect("the binary runs"))
    };
    let good = authority.serve(2090);
    system(&sandbox, good);
    // No cluster is needed for what does not look into one.
    smoke(&["--only", "home,moved"]).exits(0).says("certificate of localhost").says("3 checks: 3 passed");
    smoke(&["--only", "log"]).exits(6).says("landfall up");
    sandbox.run(&["up", "--yes"]).exits(4);
    let all = smoke(&["-o", "json"]).exits(0).json();
    let verdicts: Vec<&str> =
        all["data"]["checks"].as_array().into_iter().flatten().filter_map(|it| it["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["passed"; 5], "{all:#}");
    // The same file where the outside is wrong in one thing each.
    smoke(&["--expect-tag", "9.9.9"])
        .exits(4)
        .says("it tells the version \"1.0.0\", wanted \"9.9.9\"")
        .says("5 checks: 1 failed, 3 passed, 1 passed ~");
    sandbox.edit("shop/values.yaml", "app:1.0.0", "app:1.0.1");
    smoke(&["--only", "version"]).exits(4).says("it tells the version \"1.0.0\", wanted \"1.0.1\"");
    sandbox.edit("landfall.yaml", "contains: ready to serve", "contains: never said");
    smoke(&["--only", "log"]).exits(4).says("no line of its log contains \"never said\"");
    sandbox.edit("landfall.yaml", "/login\"", "/elsewhere\"");
    let elsewhere = format!("it sends on to https://localhost:{good}/login, wanted https://localhost:{good}/elsewhere");
    smoke(&["--only", "moved"]).exits(4).says(&elsewhere);
    system(&sandbox, authority.serve(2020));
    let expired = smoke(&["--only", "home"]).exits(4).says("has expired: it was good until 2020-01-02T00:00:00Z");
    assert!(expired.all().contains("2 checks: 2 failed"), "who is not trusted is not asked: {}", expired.all());
    system(&sandbox, serve_self_signed());
    smoke(&["--only", "home"]).exits(4).says("is self-signed, and nobody trusts it");
    system(&sandbox, Authority::new().serve(2090));
    smoke(&["--only", "home"]).exits(4).says("whom this machine does not trust");
}

#[test]
fn a_tag_that_no_check_asks_for_is_refused() {
    let sandbox = Sandbox::empty();
    system(&sandbox, 1);
    sandbox.run(&["smoke", "--only", "log", "--expect-tag", "1.0.0"]).exits(2).says("no check asks for a version");
    sandbox.edit("landfall.yaml", "logs: shop, contains: ready to serve", "rollout: shop, version: {image: app}");
    sandbox.run(&["smoke"]).exits(2).says("says what an answer must be, and asks no address");
}
