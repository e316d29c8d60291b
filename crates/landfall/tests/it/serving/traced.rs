//! What is logged where everything is, and what would be left of a process that dies: no value, no login, no token.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::{Gvk, ObjectKey};

use super::super::sandbox::{Ran, Sandbox, ran, small_chart};
use super::super::secret_life::sealing;
use super::super::shelf::TOKEN;
use super::{AUTOMATED, Forge, SHOP, Server, application, is_synced};

const CANARY: &str = "canary-of-traces-5e1f";
/// Everything, of everybody.
const TRACE: (&str, &str) = ("LANDFALL_LOG", "trace");

/// Runs with a log of everything.
fn traced(sandbox: &Sandbox, words: &[&str], input: &str) -> Ran {
    let mut command = sandbox.command(words);
    command.env(TRACE.0, TRACE.1).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    ran(child.wait_with_output().expect("it ends"))
}

/// Fails where one of the texts is in a log, plain or in base64 at any place of three, or where it is no log of everything.
#[track_caller]
fn without(log: &str, texts: &[&str]) {
    assert!(log.contains("TRACE"), "nothing was logged\n{log}");
    for text in texts {
        assert!(!log.contains(text), "{text}\n{log}");
        for skipped in 0..3 {
            let bytes = [&b"xyz"[..skipped], text.as_bytes()].concat();
            let encoded = STANDARD.encode(bytes);
            // What the bytes before and behind it have no part in.
            let inner = &encoded[skipped + usize::from(skipped > 0)..encoded.len() - 4];
            assert!(inner.len() < 8 || !log.contains(inner), "{text} as {inner}\n{log}");
        }
    }
}

#[test]
fn what_is_in_a_log_is_found_in_base64_too() {
    let finds = |log: String| std::panic::catch_unwind(|| without(&log, &[CANARY])).is_err();
    assert!(!finds("TRACE nothing".to_owned()) && finds("nothing".to_owned()));
    assert!(finds(format!("TRACE {CANARY}")));
    for before in ["", "u", "u:", "u:p"] {
        assert!(finds(format!("TRACE {}", STANDARD.encode(format!("{before}{CANARY} and more")))), "{before}");
    }
}

fn log_of(forge: &Forge) -> String {
    String::from_utf8_lossy(&std::fs::read(forge.sandbox.root().join("../serve.log")).expect("a log")).into_owned()
}

/// A14: sealing, opening, delivering and comparing, in a process of its own, at another cluster over TLS, and in a server.
#[test]
fn no_plaintext_in_any_sink() {
    let (cluster, kubeconfig) = sealing("k3d-traced");
    let sandbox = Sandbox::empty();
    sandbox.write("../kubeconfig", &kubeconfig);
    let token = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("token: ")).expect("a token").to_owned();
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: keys, namespace: shop}}\nstringData: {{TOKEN: {CANARY}}}\n"
    );
    sandbox.write("secret.yaml", &secret);
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/templates/keys.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: plain}\nstringData: {TOKEN: {{ .Values.token }}}\n",
    );
    let there = ["--kubeconfig", "../kubeconfig", "--context", "k3d-traced"];
    let set = format!("token={CANARY}");
    let mut logs = String::new();
    let mut run = |words: &[&str], input: &str| {
        let ran = traced(&sandbox, words, input).exits(0);
        without(&ran.stderr, &[CANARY, &token]);
        logs.push_str(&ran.stderr);
        ran
    };
    for place in [&there[..], &[]] {
        run(&[&["up", "./web", "-n", "shop", "--yes", "--set", &set], place].concat(), "");
        run(&[&["plan", "./web", "-n", "shop", "--set", &set], place].concat(), "");
        let sealed = run(&[&["secrets", "seal", "-o", "yaml"], place].concat(), &secret);
        sandbox.write("web/templates/sealed.yaml", sealed.stdout.trim_start_matches("---\n"));
        run(&[&["secrets", "seal", "--raw", "--name", "keys", "-n", "shop"], place].concat(), CANARY);
        // The controller opens it: the embedded one in this process, the other in its server.
        run(&[&["up", "./web", "-n", "shop", "--yes", "--set", &set], place].concat(), "");
        run(&[&["secrets", "seal", "--validate"], place].concat(), &sealed.stdout);
        let passphrase = format!("{CANARY}-{}", place.len());
        sandbox.write("passphrase", &passphrase);
        let file = format!("keys-{}.age", place.len());
        run(&[&["secrets", "backup", &file, "--passphrase-file", "passphrase"], place].concat(), "");
        if place.is_empty() {
            run(&["secrets", "drill", &file, "--passphrase-file", "passphrase"], "");
        }
        std::fs::remove_file(sandbox.root().join("web/templates/sealed.yaml")).expect("removed");
    }
    // It is a log of everything: what asks, what speaks TLS, what keeps the store.
    for target in ["kube_client", "rustls::", "sqlx::"] {
        assert!(logs.contains(target), "{target} says nothing");
    }
    drop(cluster);

    let forge = Forge::shop(AUTOMATED);
    forge.sandbox.write(
        "chart/templates/keys.yaml",
        &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{TOKEN: {CANARY}}}\n"),
    );
    forge.sandbox.commit("with a Secret");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[TRACE]);
    let live = server.cluster();
    server.until(&live, &application("shop"), |it| is_synced(it, &revision));
    let keys = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("shop"), "keys");
    assert_eq!(server.get(&live, &keys).expect("there").str_at("/data/TOKEN"), Some(&*STANDARD.encode(CANARY)));
    let (name, own) = server.own_token();
    let (status, _) = server.ask("GET", "/api/v1/applications/argocd/shop", &[(name, &own)], "");
    assert_eq!(status, 200);
    without(&log_of(&forge), &[CANARY, own.trim_start_matches("Bearer ")]);
}

/// A15: neither the login nor the token that a registry gives for it, of a command and of a server.
#[test]
fn no_registry_token_in_logs() {
    let forge = Forge::shop(AUTOMATED);
    let shelf = super::super::charts::repository(&forge.sandbox);
    let registry = format!("{}/charts", shelf.host());
    let helm = |words: &[&str]| forge.sandbox.run(&[&["helm"], words].concat()).exits(0);
    helm(&["registry", "login", &shelf.host(), "-u", "u", "-p", "p", "--plain-http"]);
    helm(&["push", "shelf/web-0.1.0.tgz", &format!("oci://{registry}"), "--plain-http"]);
    forge.sandbox.write(
        "apps/registered.yaml",
        &format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: registered, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"{registry}\", chart: web, targetRevision: 0.*}}\n  destination: {{name: in-cluster, namespace: registered}}\n  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}\n"),
    );
    forge.sandbox.commit("a chart of a registry");
    forge.push();
    // `u:p`, as it is sent.
    let secrets = [TOKEN, "dTpw"];
    let given = |from: usize| shelf.seen()[from..].iter().any(|line| line.contains(TOKEN));
    let before = shelf.seen().len();
    let repository = format!("{SHOP}=.");
    let up = traced(&forge.sandbox, &["up", "apps", "--repo", &repository, "--yes"], "").exits(0);
    assert!(given(before), "{:?}", shelf.seen());
    without(&up.stderr, &secrets);
    let before = shelf.seen().len();
    let server = forge.serve(&["apps"], SHOP, &[TRACE]);
    server.until(&server.cluster(), &application("registered"), |it| is_synced(it, "0.1.0"));
    assert!(given(before), "{:?}", shelf.seen());
    without(&log_of(&forge), &secrets);
}

/// A14: the kernel writes no core of what holds secrets, whatever the shell permits.
#[test]
fn no_core_is_written_of_what_holds_secrets() {
    let sandbox = Sandbox::empty();
    sandbox.write("cert.pem", &super::super::sealing::certificate());
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_landfall"), sandbox.root().join("kubeseal")).expect("linked");
    let binary = env!("CARGO_BIN_EXE_landfall");
    for words in [
        // They wait for what is to be read.
        format!("{binary} secrets seal --cert cert.pem"),
        "./kubeseal --cert cert.pem".to_owned(),
        format!("{binary} helm template web - -f -"),
    ] {
        let script = format!("ulimit -S -c unlimited 2>/dev/null || ulimit -S -c $(ulimit -H -c); exec {words}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(sandbox.root()).env_clear().env("HOME", sandbox.root());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh runs");
        leaves_no_core(child, &words);
    }
    let forge = Forge::shop("{}");
    let Server { child, .. } = &forge.serve(&["apps"], SHOP, &[]);
    assert!(limit(child.id()).is_some_and(|most| most <= 1), "serve");
}

/// Bytes of a core that a process may leave; nothing where there is no limit.
fn limit(process: u32) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).expect("it runs");
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    line.split_whitespace().nth(4).expect("the soft one").parse().ok()
}

#[track_caller]
fn leaves_no_core(mut child: Child, words: &str) {
    // The shell becomes the binary, whose first deed it is.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while limit(child.id()).is_none_or(|most| most > 1) {
        assert!(std::time::Instant::now() < deadline, "{words}: a core may be written");
        assert_eq!(child.try_wait().expect("asked"), None, "{words} has ended");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    drop(child.stdin.take());
    let _ended = child.wait();
}
