//! `landfall doctor`: the place itself.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::Stdio;

use super::sandbox::{Ran, Sandbox, ran, small_chart};

/// A name server on loopback that knows one address for every name that ends so.
fn name_server(ending: &'static str, address: [u8; 4]) -> String {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
    let here = socket.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        let mut bytes = [0_u8; 512];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let question = &bytes[12..length];
            let end = question.iter().position(|byte| *byte == 0).unwrap_or(0);
            let (mut name, mut at) = (String::new(), 0);
            while at < end {
                let size = usize::from(question[at]);
                name = format!("{name}.{}", String::from_utf8_lossy(&question[at + 1..at + 1 + size]));
                at += size + 1;
            }
            let (known, is_four) = (name.ends_with(ending), question[end + 2] == 1);
            let mut reply = vec![
                bytes[0],
                bytes[1],
                0x81,
                if known { 0x80 } else { 0x83 },
                0,
                1,
                0,
                u8::from(known && is_four),
                0,
                0,
                0,
                0,
            ];
            reply.extend_from_slice(&question[..end + 5]);
            if known && is_four {
                reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
                reply.extend_from_slice(&address);
            }
            let _sent = socket.send_to(&reply, from);
        }
    });
    here
}

/// A registry on loopback: some repositories are there, some are closed.
fn registry() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let here = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut first = [0];
            // Who speaks TLS is told that nobody does here.
            if stream.peek(&mut first).is_ok() && first[0] == 0x16 {
                let _sent = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
                continue;
            }
            let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let status = match first.split(' ').nth(1).unwrap_or_default() {
                path if path.contains("/there/") => "200 OK\r\ndocker-content-digest: sha256:00",
                path if path.contains("/closed/") => "401 Unauthorized",
                _ => "404 Not Found",
            };
            let _sent = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    here
}

/// A served cluster that the kubeconfig calls as it is asked to.
pub(crate) fn served(context: &str) -> (Sandbox, String) {
    let served = Sandbox::empty().interactive();
    served.run(&["cluster", "start"]).exits(0);
    let kubeconfig = served.run(&["cluster", "kubeconfig"]).exits(0).stdout;
    let renamed = kubeconfig
        .replace("name: landfall", &format!("name: {context}"))
        .replace("context: landfall", &format!("context: {context}"));
    let renamed = renamed
        .replace("cluster: landfall", &format!("cluster: {context}"))
        .replace("user: landfall", &format!("user: {context}"));
    (served, renamed)
}

fn doctor(sandbox: &Sandbox, args: &[&str]) -> Ran {
    sandbox.run(&[&["doctor"], args].concat())
}

#[test]
fn lp_005_on_a_bare_machine_the_embedded_cluster_is_ready() {
    let sandbox = Sandbox::luckyplans();
    let mut command = sandbox.command(&["doctor"]);
    command.env("PATH", sandbox.root());
    let all = ran(command.output().expect("runs")).exits(0);
    all.says("embedded cluster: ready").says("k3d: missing").says("(optional)");
    let mut command = sandbox.command(&["doctor", "tools", "--env", "prod"]);
    command.env("PATH", sandbox.root());
    let missing = ran(command.output().expect("runs")).exits(1);
    let missing = missing.says("! docker: missing").says("! k3d: missing").says("· helm: missing; 3.0");
    for system in ["Linux: ", "macOS: ", "Windows: "] {
        assert!(missing.stdout.contains(system), "{}", missing.all());
    }
}

#[test]
fn an_area_that_is_not_known_is_a_slip() {
    let sandbox = Sandbox::luckyplans();
    doctor(&sandbox, &["dnss"]).exits(2).says("did you mean `dns`?");
    doctor(&sandbox, &["reach"]).exits(2).says("wants an address");
    doctor(&sandbox, &["--fix", "everything"]).exits(2).says("coredns");
}

#[test]
fn ez_003_ez_008_ez_056_each_prerequisite_that_is_missing_is_named_and_open_questions_are_answered() {
    let (served, kubeconfig) = served("k3s-us-prod");
    let sandbox = Sandbox::example("ezscale-website");
    sandbox.write("../kubeconfig", &kubeconfig);
    let look = || doctor(&sandbox, &["cluster", "--env", "us-prod", "--kubeconfig", "../kubeconfig"]);
    let bare = look().exits(1);
    for text in [
        "the kinds Database, Grant, User of k8s.mariadb.com",
        "MariaDB `mariadb`",
        "Middleware `cloudflarewarp`",
        "Middleware `http-to-https`",
        "ClusterIssuer `letsencrypt`",
        "Secret `gitea-registry`",
        "Secret `ezscale-website-secrets`",
    ] {
        assert!(bare.stdout.contains(text), "{text} in {}", bare.all());
    }
    // What its owners have made is there now.
    served.write("place/Chart.yaml", "apiVersion: v2\nname: place\nversion: 0.1.0\n");
    served.write("place/templates/all.yaml", &sandbox.read("cluster/us-prod.yaml"));
    served.run(&["up", "./place", "--no-wait"]).exits(0);
    let there = look();
    for text in ["MariaDB `mariadb`", "Middleware `", "ClusterIssuer `letsencrypt`", "Secret `"] {
        assert!(!there.stdout.contains(&format!("{text} is neither")), "{text} in {}", there.all());
    }
    let facts = doctor(&sandbox, &["facts", "--env", "us-prod", "--kubeconfig", "../kubeconfig"]).exits(0);
    for text in ["mariadb-maxscale:3306", "longhorn", "ezscale-website-prod"] {
        assert!(facts.stdout.contains(text), "{text} in {}", facts.all());
    }
}

#[test]
fn a_cluster_that_cannot_be_reached_is_never_green() {
    let sandbox = Sandbox::luckyplans();
    doctor(&sandbox, &["cluster", "--env", "prod"]).exits(1).says("cannot be reached").says("not checked");
}

#[test]
fn se_002_facts_are_held_against_the_cluster() {
    let (_served, kubeconfig) = served("place");
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("kubeconfig", &kubeconfig);
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod:\n    cluster: {context: place, protected: true}\n    releases: [{name: shop, chart: shop, namespace: shop}]\n    facts: {distribution: rke9, storageClass: tape, namespaces: [default, argocd]}\n    maturity: {backup: open, restore: done}\n");
    let seen = doctor(&sandbox, &["facts", "--kubeconfig", "kubeconfig"]).exits(1);
    for text in ["! distribution: rke9", "! storageClass: tape", "✓ namespace: default", "! namespace: argocd"] {
        assert!(seen.stdout.contains(text), "{text} in {}", seen.all());
    }
}

#[test]
fn se_083_what_is_not_ready_yet_is_listed() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    let file = |cluster: &str| {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod:\n    cluster: {cluster}\n    releases: [{{name: shop, chart: shop, namespace: shop}}]\n    maturity: {{high-availability: open, restore: done}}\n"
        )
    };
    sandbox.write("landfall.yaml", &file("embedded"));
    let seen = doctor(&sandbox, &["facts"]).exits(0).says("· high-availability: open").says("✓ restore: done");
    assert!(!seen.stdout.contains("data-ready"), "{}", seen.all());
}

#[test]
fn se_084_customers_data_stays_out_while_the_gate_is_open() {
    let (_served, kubeconfig) = served("place");
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("kubeconfig", &kubeconfig);
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod:\n    cluster: {context: place, protected: true}\n    releases: [{name: shop, chart: shop, namespace: shop}]\n    maturity: {backup: open}\n");
    doctor(&sandbox, &["facts", "--kubeconfig", "kubeconfig"])
        .exits(0)
        .says("data-ready gate of prod: open: backup")
        .says("warning[LF160]");
}

/// A system with a public name, whose pod answers `nslookup` with an address.
fn named(inside: &str) -> Sandbox {
    let sandbox = Sandbox::empty().interactive();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write(
        "shop/templates/route.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: shop}\nspec:\n  rules:\n    - host: shop.example.com\n      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}\n",
    );
    sandbox.write(
        "landfall.yaml",
        &format!("apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: shop, chart: shop, namespace: shop}}]\n    hosts: {{expect: 203.0.113.10}}\n    simulate:\n      shop:\n        exec: [{{argv: [nslookup, shop.example.com], stdout: \"{inside}\"}}]\n"),
    );
    sandbox.commit("Begin");
    sandbox
}

#[test]
fn se_068_ez_071_each_public_name_leads_to_the_place_or_is_a_finding() {
    let sandbox = named("");
    let (right, wrong) =
        (name_server(".example.com", [203, 0, 113, 10]), name_server(".example.com", [198, 51, 100, 7]));
    let none = name_server(".example.org", [203, 0, 113, 10]);
    doctor(&sandbox, &["dns", "--resolver", &right]).exits(0).says("✓ shop.example.com: leads to 203.0.113.10");
    doctor(&sandbox, &["dns", "--resolver", &wrong]).exits(1).says("wrong address").says("error[LF133]");
    doctor(&sandbox, &["dns", "--resolver", &wrong, "--expect", "198.51.100.7"]).exits(0);
    doctor(&sandbox, &["dns", "--resolver", &none]).exits(1).says("missing: there is no such name");
    let silent = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
    let silent = silent.local_addr().expect("an address").to_string();
    doctor(&sandbox, &["dns", "--resolver", &silent, "--timeout", "100ms"]).exits(1).says("not checked");
    let sarif = doctor(&sandbox, &["dns", "--resolver", &wrong, "-o", "sarif"]).exits(1).json();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "LF133");
    let json = doctor(&sandbox, &["dns", "--resolver", &right, "-o", "json"]).exits(0).json();
    assert_eq!(json["data"]["observations"][0]["state"], "fine");
}

#[test]
fn se_070_another_answer_inside_has_its_hint_and_its_remedy() {
    let sandbox = named("Name: shop.example.com\\nAddress: 10.9.9.9\\n");
    let outside = name_server(".example.com", [203, 0, 113, 10]);
    sandbox.run(&["up"]).exits(0);
    let args = ["dns", "--in-cluster", "--resolver", &outside];
    let seen = doctor(&sandbox, &args).exits(1);
    let seen =
        seen.says("✓ shop.example.com: leads to 203.0.113.10").says("differs: inside 10.9.9.9, outside 203.0.113.10");
    // A simulated container has asked nobody.
    let seen = seen.says("~ differs: inside 10.9.9.9").says("as it is declared for the simulated pod shop-");
    assert!(seen.stdout.contains("--fix coredns"), "{}", seen.all());
    // Without consent nothing is touched.
    doctor(&sandbox, &[&args[..], &["--fix", "coredns"]].concat()).exits(2).says("needs a yes");
    sandbox.write("dns/Chart.yaml", "apiVersion: v2\nname: dns\nversion: 0.1.0\n");
    sandbox.write("dns/templates/all.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: coredns, namespace: kube-system}\nspec:\n  selector: {matchLabels: {k8s-app: kube-dns}}\n  template:\n    metadata: {labels: {k8s-app: kube-dns}}\n    spec: {containers: [{name: coredns, image: \"coredns/coredns:1.12.0\"}]}\n");
    sandbox.run(&["install", "dns", "./dns", "-n", "kube-system", "--wait"]).exits(0);
    doctor(&sandbox, &[&args[..], &["--fix", "coredns", "--yes"]].concat())
        .says("CoreDNS: started again, and its pods are ready");
}

#[test]
fn se_070_a_certificate_becomes_ready_after_coredns_was_started_again_and_is_waited_for() {
    let sandbox = named("Name: shop.example.com\\nAddress: 10.9.9.9\\n");
    sandbox.write(
        "shop/templates/certificate.yaml",
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: shop}\nspec: {secretName: shop-tls, dnsNames: [shop.example.com], issuerRef: {name: ours, kind: Issuer}}\n",
    );
    let outside = name_server(".example.com", [203, 0, 113, 10]);
    sandbox.run(&["up"]).exits(0);
    sandbox.write("dns/Chart.yaml", "apiVersion: v2\nname: dns\nversion: 0.1.0\n");
    sandbox.write("dns/templates/all.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: coredns, namespace: kube-system}\nspec:\n  selector: {matchLabels: {k8s-app: kube-dns}}\n  template:\n    metadata: {labels: {k8s-app: kube-dns}}\n    spec: {containers: [{name: coredns, image: \"coredns/coredns:1.12.0\"}]}\n");
    sandbox.run(&["install", "dns", "./dns", "-n", "kube-system", "--wait"]).exits(0);
    sandbox.write("issuer/Chart.yaml", "apiVersion: v2\nname: issuer\nversion: 0.1.0\n");
    sandbox.write(
        "issuer/templates/all.yaml",
        "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: ours}\nspec: {selfSigned: {}}\n",
    );
    let args = ["doctor", "dns", "--in-cluster", "--resolver", &outside, "--fix", "coredns", "--yes"];
    let mut command = sandbox.command(&args);
    let mut fixing = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let told = BufReader::new(fixing.stderr.take().expect("a pipe"));
    let mut lines = told.lines().map_while(Result::ok);
    let waits = lines.find(|line| line.contains("waiting for what is not ready yet: Certificate shop/shop"));
    assert!(waits.is_some(), "it waits for nothing");
    sandbox.run(&["install", "issuer", "./issuer", "-n", "shop"]).exits(0);
    lines.for_each(drop);
    ran(fixing.wait_with_output().expect("it ends")).says("Certificate shop/shop: is ready");
}

#[test]
fn se_061_what_a_found_kubeconfig_may_do_in_production_is_asked_of_the_api() {
    let (served, kubeconfig) = served("elsewhere");
    small_chart(&served, "shop", "shop");
    served.run(&["install", "shop", "shop", "-n", "sens-production", "--create-namespace"]).exits(0);
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod:\n    cluster: {context: k3s-sens, protected: true}\n    releases: [{name: shop, chart: shop, namespace: sens-production}]\n");
    sandbox.write("machine/etc/passwd", "deploy-test:x:1001:1001::/accounts/deploy-test:/bin/sh\n");
    sandbox.write("machine/etc/group", "deploy-test:x:1001:\n");
    let look = |config: &str| {
        sandbox.write("machine/accounts/deploy-test/work/settings.yaml", config);
        doctor(&sandbox, &["host", "--user", "deploy-test", "--root", "machine"])
    };
    // Nothing in the file says production: neither the context's name, nor its server, nor its namespace.
    let alarm = look(&kubeconfig).exits(1).says("error[LF135]");
    let alarm = alarm.says("may change namespace sens-production, says the API: * *");
    assert!(alarm.stdout.contains("! /accounts/deploy-test/work/settings.yaml (context elsewhere)"), "{}", alarm.all());
    let token = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("token: ")).expect("a token").to_owned();
    assert!(!alarm.all().contains(&token), "the token is told to nobody");
    // Who is not known there may nothing, and is not called fine.
    look(&kubeconfig.replace(&token, "nobodys")).exits(1).says("? /accounts/deploy-test/work/settings.yaml");
    // What it names as a program is not run.
    let program = kubeconfig.replace(
        &format!("token: {token}"),
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [ran], interactiveMode: Never}",
    );
    look(&program).exits(1).says("a program would have to be run");
    assert!(!sandbox.root().join("ran").exists());
    served.run(&["uninstall", "shop", "-n", "sens-production"]).exits(0);
}

#[test]
fn lp_012_an_address_is_reached_refused_or_unknown_as_a_pod_sees_it() {
    let sandbox = named("");
    sandbox.run(&["up"]).exits(0);
    doctor(&sandbox, &["reach", "shop:80", "--from", "shop"])
        .exits(0)
        .says("reachable, from pod shop-")
        .says("simulated");
    doctor(&sandbox, &["reach", "shop:81", "--from", "shop"]).exits(1).says("refused");
    doctor(&sandbox, &["reach", "shup:80", "--from", "shop"]).exits(1).says("name unknown");
    doctor(&sandbox, &["reach", "localhost:80", "--from", "shop"]).says("not simulated").lacks("LF133");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    doctor(&sandbox, &["reach", &format!("host.k3d.internal:{port}")]).exits(0).says("reachable, from this machine");
    drop(listener);
    doctor(&sandbox, &["reach", &format!("host.k3d.internal:{port}")]).exits(1).says("refused");
}

#[test]
fn se_057_an_image_that_may_not_be_pulled_is_named() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    let host = registry();
    let system = |path: &str| {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: shop, chart: shop, namespace: shop, set: {{image: \"{host}/{path}/web:1.0.0\"}}}}]\n"
        )
    };
    sandbox.write("landfall.yaml", &system("there"));
    doctor(&sandbox, &["registry"]).exits(0).says("is there: sha256:00");
    sandbox.write("landfall.yaml", &system("closed"));
    doctor(&sandbox, &["registry"])
        .exits(1)
        .says(&format!("{host}/closed/web:1.0.0: may not be read"))
        .says("registry login");
    sandbox.write("landfall.yaml", &system("gone"));
    doctor(&sandbox, &["registry"]).exits(1).says("is not in its registry");
}

#[test]
fn se_006_a_key_in_the_tree_is_found_with_its_line_and_without_its_text() {
    let sandbox = Sandbox::luckyplans();
    doctor(&sandbox, &["secrets"]).exits(0).says("no secret in them");
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(3);
    sandbox.write("id.pem", &format!("-----BEGIN {0} KEY-----\n{body}-----END {0} KEY-----\n", "PRIVATE"));
    let found = doctor(&sandbox, &["secrets"]).exits(1).says("id.pem:1: holds a private key").says("error[LF162]");
    // So it is where nothing is declared.
    let bare = Sandbox::empty();
    bare.write("id.pem", &format!("-----BEGIN {0} KEY-----\n{body}-----END {0} KEY-----\n", "PRIVATE"));
    bare.commit("first");
    doctor(&bare, &["secrets"]).exits(1).says("id.pem:1: holds a private key").says("error[LF162]");
    assert!(!found.all().contains("MIIEvQ"), "{}", found.all());
}

#[test]
fn se_085_what_must_be_there_first_is_told_before_anything_is_applied() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.edit(
        "shop/templates/all.yaml",
        "      containers:\n",
        "      imagePullSecrets: [{name: ghcr-pull}]\n      containers:\n",
    );
    sandbox.edit(
        "shop/templates/all.yaml",
        "envFrom: [{configMapRef: {name: {{ .Release.Name }}}}]",
        "env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: shop-auth, key: postgres-password}}}]",
    );
    // Somebody else may bring them: a rehearsal takes them as there and says so, and `up` refuses.
    let seen = sandbox.run(&["rehearse", "./shop", "-n", "sens-test"]).exits(0);
    for text in ["2 warnings", "Secret `ghcr-pull`", "Secret `shop-auth`", "create it first in namespace sens-test"] {
        assert!(seen.stdout.contains(text), "{text} in {}", seen.all());
    }
    sandbox.run(&["up", "./shop", "-n", "sens-test"]).exits(5).says("shop-auth");
    let status = sandbox.run(&["status"]);
    assert!(!status.stdout.contains("sens-test"), "{}", status.all());
}

#[test]
fn facts_in_documents_are_held_against_the_render_and_written_anew_with_consent() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: shop, chart: shop, namespace: shop}]\n");
    sandbox.write("docs/guide.md", "# Guide\n\n<!-- landfall facts local -->\n| Deployment/shop | replicas | `2` |\n<!-- /landfall facts -->\n\nMore.\n");
    sandbox.commit("Begin");
    doctor(&sandbox, &["docs"]).exits(0).says("docs/guide.md:3: does not say what is delivered").says("warning[LF159]");
    doctor(&sandbox, &["docs", "--fix", "docs"]).exits(2).says("needs a yes");
    doctor(&sandbox, &["docs", "--fix", "docs", "--yes"]).exits(0).says("was written anew");
    let text = sandbox.read("docs/guide.md");
    assert!(text.contains("| Deployment/shop | replicas | `1` |") && !text.contains("`2`"), "{text}");
    assert!(
        text.starts_with("# Guide\n\n<!-- landfall facts local -->\n| object |") && text.ends_with("\n\nMore.\n"),
        "{text}"
    );
    doctor(&sandbox, &["docs"]).exits(0).says("docs/guide.md:3: says what is delivered");
}
