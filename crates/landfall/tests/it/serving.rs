//! `landfall serve` from outside: a repository is pushed to, objects are changed by hand, processes are killed.

mod sealing;
mod sets;
mod sops;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use landfall_cluster::{Cluster, Patch, WriteOptions};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};

use super::inspection::runtime;
use super::sandbox::{Sandbox, small_chart};

mod accounts;
mod answered;
mod argo_settings;
mod bounded;
mod checked;
mod claimed;
mod confirmed;
mod connected;
mod drawn;
mod folders;
mod git_server;
mod jobs;
mod looked;
mod migrated;
mod order;
mod parting;
mod paths;
mod pushes;
mod rivals;
mod rows;
mod told;
mod traced;
mod under_way;
mod unfinished;

pub(super) const SHOP: &str = "https://git.example.com/shop.git";
const LUCKYPLANS: &str = "https://git.example.com/luckyplans/luckyplans.git";

/// A system, and a bare repository that it is pushed to.
pub(super) struct Forge {
    pub(super) sandbox: Sandbox,
    pub(super) bare: PathBuf,
}

impl Forge {
    fn of(sandbox: Sandbox) -> Self {
        let bare = sandbox.root().join("../origin.git");
        sandbox.write(".gitignore", ".landfall\n");
        sandbox.commit("pushed first");
        sandbox.git(&["branch", "-q", "-M", "main"]);
        sandbox.git(&["init", "-q", "--bare", bare.to_str().expect("text")]);
        sandbox.git(&["remote", "add", "origin", bare.to_str().expect("text")]);
        let forge = Forge { sandbox, bare };
        forge.push();
        forge
    }

    /// A chart of its own, and an Application of it.
    pub(super) fn shop(policy: &str) -> Self {
        let sandbox = Sandbox::empty();
        small_chart(&sandbox, "chart", "web");
        sandbox.write(
            "apps/shop.yaml",
            &format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: chart}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n  syncPolicy: {policy}\n"
            ),
        );
        Forge::of(sandbox)
    }

    pub(super) fn push(&self) -> String {
        self.sandbox.git(&["push", "-q", "origin", "main"]);
        let mut head = std::process::Command::new("git");
        let head = head.args(["rev-parse", "HEAD"]).current_dir(self.sandbox.root()).output().expect("git runs");
        String::from_utf8(head.stdout).expect("text").trim().to_owned()
    }

    pub(super) fn change(&self, path: &str, from: &str, to: &str) -> String {
        self.sandbox.edit(path, from, to);
        self.sandbox.commit("changed");
        self.push()
    }

    pub(super) fn serve(&self, targets: &[&str], address: &str, variables: &[(&str, &str)]) -> Server {
        let repository = format!("{address}={}", self.bare.display());
        serve(&self.sandbox, &[targets, &["--repo", &repository]].concat(), variables)
    }
}

/// The server, once it is ready; what it says of its work goes into a file beside the system.
pub(super) fn serve(sandbox: &Sandbox, words: &[&str], variables: &[(&str, &str)]) -> Server {
    let words = [&["serve", "--listen", "127.0.0.1:0"], words].concat();
    let log = sandbox.root().join("../serve.log");
    let mut command = sandbox.command(&words);
    // What stands for the outside in tests listens on this machine.
    command.env("LANDFALL_CHECK_NETWORKS", "127.0.0.0/8,::1");
    command.envs(variables.iter().copied()).stdout(Stdio::piped());
    let mut child = command.stderr(std::fs::File::create(&log).expect("made")).spawn().expect("the binary runs");
    let mut said = BufReader::new(child.stdout.take().expect("piped"));
    let mut first = String::new();
    said.read_line(&mut first).expect("says something");
    let Some(address) = first.trim().strip_prefix("ready http://").map(str::to_owned) else {
        panic!("{first:?} is not ready: {}", std::fs::read_to_string(&log).expect("read"));
    };
    Server { child, address, said, runtime: runtime(), state: sandbox.root().join(".landfall") }
}

/// A server that runs.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
    said: BufReader<std::process::ChildStdout>,
    runtime: tokio::runtime::Runtime,
    state: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Server {
    /// The cluster, as everybody finds it who has the kubeconfig.
    pub(super) fn cluster(&self) -> Cluster {
        let _ring = rustls_provider();
        let path = self.state.join("kubeconfig");
        self.runtime.block_on(async {
            let config = kube::config::Kubeconfig::read_from(path).expect("a kubeconfig");
            let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await.expect("read");
            Cluster::new(kube::Client::try_from(config).expect("a client"))
        })
    }

    pub(super) fn get(&self, cluster: &Cluster, key: &ObjectKey) -> Option<Object> {
        self.runtime.block_on(cluster.get(key)).expect("it answers")
    }

    pub(super) fn patch(&self, cluster: &Cluster, key: &ObjectKey, patch: Value) {
        let options = WriteOptions { field_manager: Some("kubectl-edit".to_owned()), ..WriteOptions::default() };
        self.runtime.block_on(cluster.patch(key, &Patch::Merge(patch), &options)).expect("patched");
    }

    pub(super) fn delete(&self, cluster: &Cluster, key: &ObjectKey) {
        let options = landfall_cluster::DeleteOptions::default();
        self.runtime.block_on(cluster.delete(key, &options)).expect("deleted");
    }

    /// Waits until an object is gone; the test fails with it when it stays.
    #[track_caller]
    pub(super) fn until_gone(&self, cluster: &Cluster, key: &ObjectKey) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Some(found) = self.get(cluster, key) {
            assert!(Instant::now() < deadline, "it stays: {:#}", found.into_value());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until an object is as it is wanted; the test fails with it when that does not come.
    #[track_caller]
    pub(super) fn until(&self, cluster: &Cluster, key: &ObjectKey, so: impl Fn(&Object) -> bool) -> Object {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let found = self.get(cluster, key);
            if let Some(found) = found.as_ref().filter(|found| so(found)) {
                return found.clone();
            }
            assert!(
                Instant::now() < deadline,
                "it never came: {:#}",
                found.map(Object::into_value).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks over HTTP: the status, and what is said.
    pub(super) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let more: String = headers.iter().map(|(name, text)| format!("{name}: {text}\r\n")).collect();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// The header by which whoever runs it comes in.
    pub(super) fn own_token(&self) -> (&'static str, String) {
        let serving = std::fs::read_to_string(self.state.join("serve.json")).expect("it says where it is");
        let serving: Value = serde_json::from_str(&serving).expect("JSON");
        ("Authorization", format!("Bearer {}", serving["token"].as_str().expect("a token")))
    }

    /// Tells it to end, and says with which code and how soon it did.
    pub(super) fn terminate(mut self) -> (Option<i32>, Duration, String) {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        let ended = self.child.wait().expect("it ends");
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).expect("read");
        (ended.code(), began.elapsed(), rest)
    }
}

fn rustls_provider() -> bool {
    rustls::crypto::aws_lc_rs::default_provider().install_default().is_ok()
}

pub(super) fn application(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "Application"), Some("argocd"), name)
}

pub(super) fn web() -> ObjectKey {
    ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "shop")
}

pub(super) fn is_synced(application: &Object, revision: &str) -> bool {
    application.str_at("/status/sync/status") == Some("Synced")
        && application.str_at("/status/sync/revision") == Some(revision)
}

pub(super) const AUTOMATED: &str = "{automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true]}";

#[test]
fn lp_106_luckyplans_goes_from_a_push_to_synced_and_healthy_and_a_revert_takes_it_back() {
    let forge = Forge::of(Sandbox::luckyplans());
    let first = forge.push();
    let apps = "infrastructure/argocd/apps/luckyplans-prod.yaml";
    let server = forge.serve(&[apps], LUCKYPLANS, &[]);
    let cluster = server.cluster();
    let key = application("luckyplans-prod");
    let synced = server.until(&cluster, &key, |it| is_synced(it, &first));
    assert_eq!(synced.str_at("/status/operationState/phase"), Some("Succeeded"));
    assert_eq!(synced.at("/status/operationState/operation/initiatedBy"), Some(&json!({"automated": true})));
    assert_eq!(synced.list_at("/status/history").len(), 1);
    // What kubectl prints: names and columns come from the server.
    let table = server.runtime.block_on(cluster.table(&key)).expect("a table");
    let columns = |is_wide: bool| -> Vec<&str> {
        let all = table["columnDefinitions"].as_array().into_iter().flatten();
        all.filter(|it| (it["priority"] != 0) == is_wide).filter_map(|it| it["name"].as_str()).collect()
    };
    assert_eq!(columns(false), ["Name", "Sync Status", "Health Status", "Age"], "{table:#}");
    assert_eq!(columns(true), ["Revision", "Project"], "{table:#}");
    assert_eq!(table["rows"][0]["cells"][1], "Synced", "{table:#}");
    let second = forge.change("infrastructure/helm/luckyplans/values.prod.yaml", "replicas: 2", "replicas: 3");
    server.until(&cluster, &key, |it| is_synced(it, &second));
    forge.sandbox.git(&["revert", "--no-edit", "HEAD"]);
    let third = forge.push();
    let back = server.until(&cluster, &key, |it| is_synced(it, &third));
    assert_eq!(back.list_at("/status/history").len(), 3);
}

#[test]
fn lp_059_a_hands_scaling_is_put_right_an_event_names_who_wrote_it_and_one_kind_has_one_watch() {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| {
        it.str_at("/status/sync/status") == Some("Synced") && it.str_at("/status/health/status") == Some("Healthy")
    });
    server.patch(&cluster, &web(), json!({"spec": {"replicas": 5}}));
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(1));
    let healed = server.until(&cluster, &application("shop"), |it| {
        it.i64_at("/status/operationState/operation/sync/autoHealAttemptsCount") == Some(1)
            && it.str_at("/status/sync/status") == Some("Synced")
    });
    // A part of the objects: it was no delivery.
    assert_eq!(healed.list_at("/status/history").len(), 1);
    // Who it was is told at the Application, for kubectl, too.
    let deadline = Instant::now() + Duration::from_secs(60);
    let told = loop {
        let events = forge.sandbox.run(&["app", "events", "shop", "-o", "json"]).exits(0).json();
        let found = events["data"].as_array().into_iter().flatten().find(|it| it["reason"] == "DriftReverted").cloned();
        if let Some(found) = found {
            break found;
        }
        assert!(Instant::now() < deadline, "it is never told: {events:#}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let message = told["message"].as_str().expect("a message");
    assert!(message.contains("Deployment/shop spec.replicas, written by kubectl-edit"), "{message}");
    assert_eq!(told["object"]["kind"], "Application", "{told:#}");
    let at = |field: &str| healed.str_at(&format!("/status/operationState/{field}")).unwrap_or_default().to_owned();
    writeln!(std::io::stderr(), "put right from {} to {}", at("startedAt"), at("finishedAt")).expect("written");
    let (name, token) = server.own_token();
    let (_, metrics) = server.ask("GET", "/metrics", &[(name, &token)], "");
    assert!(metrics.contains("argocd_cluster_api_resources 3\n"), "{metrics}");
    assert!(metrics.contains("name=\"shop\""), "{metrics}");
}

#[test]
fn without_automation_it_says_that_it_differs_and_syncs_when_somebody_asks() {
    let forge = Forge::shop("{syncOptions: [CreateNamespace=true]}");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let differs = server.until(&cluster, &application("shop"), |it| {
        it.str_at("/status/sync/status") == Some("OutOfSync") && it.str_at("/status/health/status") == Some("Missing")
    });
    assert_eq!(differs.list_at("/status/resources").len(), 3);
    assert!(server.get(&cluster, &web()).is_none());
    let wish = json!({"operation": {"initiatedBy": {"username": "anna"}, "sync": {"revision": "main"}}});
    server.patch(&cluster, &application("shop"), wish);
    let synced = server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    assert_eq!(synced.at("/operation").filter(|it| !it.is_null()), None);
    assert_eq!(synced.str_at("/status/history/0/initiatedBy/username"), Some("anna"));
    assert_eq!(synced.str_at("/status/operationState/syncResult/revision"), Some(revision.as_str()));
}

#[test]
fn what_is_no_longer_named_is_pruned_and_a_deleted_application_takes_along_what_it_delivered() {
    let forge = Forge::shop(AUTOMATED);
    let finalizer = "name: shop, finalizers: [resources-finalizer.argocd.argoproj.io]";
    forge.change("apps/shop.yaml", "name: shop", finalizer);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    let service = ObjectKey::new(Gvk::new("", "v1", "Service"), Some("shop"), "shop");
    assert!(server.get(&cluster, &service).is_some());
    let text = forge.sandbox.read("chart/templates/all.yaml");
    let parts: Vec<&str> = text.split("---\n").filter(|part| !part.contains("kind: Service\n")).collect();
    assert_eq!(parts.len(), 2, "{text}");
    forge.sandbox.write("chart/templates/all.yaml", &parts.join("---\n"));
    forge.sandbox.commit("without a service");
    let revision = forge.push();
    let synced = server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    assert_eq!(synced.list_at("/status/resources").len(), 2);
    assert!(server.get(&cluster, &service).is_none());
    server.delete(&cluster, &application("shop"));
    server.until_gone(&cluster, &application("shop"));
    assert!(server.get(&cluster, &web()).is_none());
}

/// A shop that was delivered, with a commit that is not: its sync waits for its next try.
fn refused() -> (Forge, Server, Object) {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    // The server would refuse it: nothing of it is begun, and it is tried again.
    forge.change("chart/templates/all.yaml", "matchLabels: {app:", "matchLabels: {other:");
    let refused = server.until(&cluster, &application("shop"), |it| {
        it.i64_at("/status/operationState/retryCount") == Some(1)
            && it.str_at("/status/operationState/phase") == Some("Running")
    });
    (forge, server, refused)
}

#[test]
fn a_commit_that_cannot_be_delivered_leaves_all_as_it_is_and_the_next_one_mends_it() {
    let (forge, server, refused) = refused();
    let cluster = server.cluster();
    let message = refused.str_at("/status/operationState/message").expect("told");
    assert!(message.contains("Retrying attempt #1 at "), "{message}");
    // It cannot even be rendered: what is compared with is not known.
    forge.change("chart/templates/all.yaml", "{{ .Values.image }}", "{{ fail \"not today\" }}");
    let unknown = server.until(&cluster, &application("shop"), |it| {
        it.str_at("/status/sync/status") == Some("Unknown")
            && it.str_at("/status/conditions/0/type") == Some("ComparisonError")
    });
    let why = unknown.str_at("/status/conditions/0/message").expect("told");
    assert!(why.contains("not today"), "{why}");
    forge.sandbox.edit("chart/templates/all.yaml", "{{ fail \"not today\" }}", "example/app:2.0.0");
    let mended = forge.change("chart/templates/all.yaml", "matchLabels: {other:", "matchLabels: {app:");
    server.until(&cluster, &application("shop"), |it| {
        is_synced(it, &mended) && it.list_at("/status/conditions").is_empty()
    });
    let image = "/spec/template/spec/containers/0/image";
    server.until(&cluster, &web(), |it| it.str_at(image) == Some("example/app:2.0.0"));
}

/// The points at which a server writes that delivers the shop, in their order.
fn points() -> Vec<String> {
    let forge = Forge::shop(AUTOMATED);
    let revision = forge.push();
    let points = forge.sandbox.root().join("../points");
    let server = forge.serve(&["apps"], SHOP, &[("LANDFALL_TEST_PROBE", &format!("record:{}", points.display()))]);
    server.until(&server.cluster(), &application("shop"), |it| is_synced(it, &revision));
    std::fs::read_to_string(&points).expect("recorded").lines().map(str::to_owned).collect()
}

/// A shop whose server has killed itself at one of them, counted from 1, and what it was to deliver.
fn killed_at(point: usize) -> (Forge, String) {
    let forge = Forge::shop(AUTOMATED);
    let revision = forge.push();
    let mut server = forge.serve(&["apps"], SHOP, &[("LANDFALL_TEST_PROBE", &format!("kill:{point}"))]);
    let ended = server.child.wait().expect("it dies");
    assert_eq!(ended.code(), None, "it ended by itself before point {point}");
    drop(server);
    (forge, revision)
}

#[test]
fn a_server_that_is_killed_in_the_middle_is_gone_on_with_by_the_next_one() {
    let reached = points().len();
    for point in [reached * 2 / 5, reached * 3 / 5, reached * 4 / 5] {
        let (forge, revision) = killed_at(point);
        let server = forge.serve(&["apps"], SHOP, &[]);
        let cluster = server.cluster();
        let synced = server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
        assert_eq!(synced.list_at("/status/history").len(), 1, "{:#}", synced.value());
        let (code, took, _) = server.terminate();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(5), "{took:?}");
        let left = super::inspection::end_state(&forge.sandbox.root().join(".landfall"), "shop");
        assert!(!left.iter().any(|line| line.starts_with("still open")), "{left:?}");
    }
}

#[test]
fn what_is_wrong_is_one_sentence_and_changes_nothing() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "chart", "web");
    sandbox.write("apps/bad.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: bad}\nspec: {source: {repoURL: \"not an address\", path: x}, destination: {}}\n");
    sandbox.commit("first");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("bound").to_string();
    for (words, code, said) in [
        (&["serve", "nowhere", "--listen", "127.0.0.1:0"][..], 2, "there is no `nowhere`"),
        (&["serve", "chart", "--listen", "127.0.0.1:0"], 2, "declares no Application"),
        (&["serve", "apps", "--listen", "127.0.0.1:0"], 2, "cannot be `not an address`"),
        (&["serve", "--listen", &taken], 1, "cannot be listened on; nothing was changed"),
        (&["serve", "--listen", "127.0.0.1:0", "--repo", "https://x/y.git=/nowhere"], 1, "no git repository"),
        (&["serve", "--listen", "127.0.0.1:0", "--repo", "https://x/y.git"], 2, "is not URL=DIR"),
        (&["serve", "--listen", "here"], 2, "an address is wanted"),
    ] {
        let ran = sandbox.run(words);
        assert!(ran.stdout.is_empty(), "{}", ran.all());
        ran.exits(code).says(said);
        assert!(!sandbox.root().join(".landfall/cluster.db").exists(), "{words:?} has made a cluster");
    }
}

#[test]
fn an_account_that_may_too_little_is_told_so_before_anything_is_changed() {
    let forge = Forge::shop("{}");
    let server = forge.serve(&[], SHOP, &[]);
    let kubeconfig = forge.sandbox.read(".landfall/kubeconfig");
    let token = kubeconfig.lines().find(|line| line.trim().starts_with("token: ")).expect("a token");
    let indent = &token[..token.len() - token.trim_start().len()];
    forge.sandbox.write("nobody", &kubeconfig.replace(token, &format!("{token}\n{indent}as: nobody")));
    let place = ["--context", "landfall", "--kubeconfig", "nobody", "--state", "own", "--listen", "127.0.0.1:0"];
    let refused = forge.sandbox.run(&[&["serve", "apps", "--yes"][..], &place].concat()).exits(1);
    assert!(refused.stdout.is_empty());
    refused.says("this account may not list applications.argoproj.io").says("nothing was changed");
    forge.sandbox.run(&[&["serve", "apps"][..], &place].concat()).exits(2).says("needs a yes");
    assert!(server.get(&server.cluster(), &application("shop")).is_none());
}

/// A kubeconfig that is named is never passed over: without `--context` it is its current one, and who says otherwise is refused.
#[test]
fn a_kubeconfig_that_is_named_says_which_cluster_is_served() {
    let forge = Forge::shop("{}");
    let server = forge.serve(&[], SHOP, &[]);
    let place = ["--kubeconfig", ".landfall/kubeconfig", "--state", "own"];
    forge
        .sandbox
        .run(&[&["serve", "apps", "--listen", "127.0.0.1:0"][..], &place].concat())
        .exits(2)
        .says("of `landfall` in sync");
    let second = serve(&forge.sandbox, &[&["apps", "--yes"][..], &place].concat(), &[]);
    assert!(second.get(&server.cluster(), &application("shop")).is_some(), "it serves the cluster that was named");
    drop(second);
    // The same for what delivers, and for what looks.
    forge.sandbox.run(&[&["up", "chart", "-n", "named", "--yes"][..], &place].concat()).exits(0).says("landfall/");
    forge.sandbox.run(&[&["status"][..], &place].concat()).exits(0).says("cluster landfall");
    forge.sandbox.run(&["up", "chart", "--kubeconfig", "nowhere", "--state", "own"]).exits(6).says("nowhere");
    forge.sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    cluster: embedded\n    releases: [{name: web, chart: chart, namespace: shop}]\n");
    for words in [&["up", "--yes"][..], &["serve", "--yes"], &["status"], &["down", "--yes"]] {
        forge
            .sandbox
            .run(&[words, &place].concat())
            .exits(5)
            .says("lives on the embedded cluster, and --kubeconfig says")
            .says("leave --kubeconfig out");
    }
}

#[test]
fn probes_are_answered_and_a_webhook_needs_its_secret() {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps"], SHOP, &[("LANDFALL_WEBHOOK_SECRET", "old\nnew")]);
    assert_eq!(server.ask("GET", "/healthz", &[], "").0, 200);
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.ask("GET", "/readyz", &[], "").0 != 200 {
        assert!(Instant::now() < deadline, "it is never ready");
    }
    let (status, version) = server.ask("GET", "/version", &[], "");
    assert!(status == 200 && version.contains("\"name\":\"landfall\""), "{version}");
    let push = format!("{{\"ref\": \"refs/heads/main\", \"repository\": {{\"clone_url\": \"{SHOP}\"}}}}");
    let event = ("X-Gitlab-Event", "Push Hook");
    for (headers, expected) in [
        (vec![event], 401),
        (vec![event, ("X-Gitlab-Token", "older")], 401),
        (vec![event, ("X-Gitlab-Token", "old")], 200),
        (vec![event, ("X-Gitlab-Token", "new")], 200),
        (vec![("X-GitHub-Event", "ping"), ("X-Gitlab-Token", "new")], 200),
        (vec![("X-GitHub-Event", "issues"), ("X-Gitlab-Token", "new")], 202),
    ] {
        assert_eq!(server.ask("POST", "/api/webhook", &headers, &push).0, expected, "{headers:?}");
    }
    assert_eq!(server.ask("GET", "/api/webhook", &[], "").0, 405);
    assert_eq!(server.ask("GET", "/nothing", &[], "").0, 404);
    assert_eq!(server.ask("GET", "/metrics", &[], "").0, 401);
    let (name, token) = server.own_token();
    let (_, metrics) = server.ask("GET", "/metrics", &[(name, &token)], "");
    assert!(metrics.contains("landfall_webhook_total{outcome=\"refused\"} 2\n"), "{metrics}");
    let (code, took, _) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// Nobody knows whether a payload is signed before all of it is there: what strangers send and hold back fills no machine.
#[test]
fn large_payloads_of_webhooks_have_room_together_and_the_usual_ones_pass_by() {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps"], SHOP, &[("LANDFALL_WEBHOOK_SECRET", "old")]);
    let size = 24 << 20;
    let begun = || {
        let mut stream = TcpStream::connect(&server.address).expect("it listens");
        let head = format!(
            "POST /api/webhook HTTP/1.1\r\nHost: it\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: {size}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    };
    let _held = [begun(), begun()];
    std::thread::sleep(Duration::from_millis(500));
    let mut third = begun();
    third.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let mut answer = [0; 32];
    third.read_exact(&mut answer).expect("answered");
    assert!(answer.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer));
    let push = format!("{{\"ref\": \"refs/heads/main\", \"repository\": {{\"clone_url\": \"{SHOP}\"}}}}");
    let headers = [("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", "old")];
    assert_eq!(server.ask("POST", "/api/webhook", &headers, &push).0, 200);
}

#[test]
fn b2_b3_a_webhook_that_comes_again_or_names_another_host_changes_nothing_and_leads_nowhere() {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps"], SHOP, &[("LANDFALL_WEBHOOK_SECRET", "known")]);
    let cluster = server.cluster();
    let first = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    let headers = [("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", "known"), ("X-Gitlab-Event-UUID", "1")];
    let says = |address: &str| {
        let push = json!({"ref": "refs/heads/main", "repository": {"clone_url": address, "git_http_url": address}});
        server.ask("POST", "/api/webhook", &headers, &push.to_string()).0
    };
    // Somebody who listens: an address of a payload is looked for among those that are declared, and never asked.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.set_nonblocking(true).expect("set");
    let here = listener.local_addr().expect("an address");
    for address in [format!("http://{here}/shop.git"), format!("{SHOP}@{here}"), format!("git://{here}/acme/shop")] {
        assert!((200..300).contains(&says(&address)), "{address}");
    }
    for _ in 0..50 {
        assert_eq!(says(SHOP), 200);
    }
    // All of that has been acted on when what comes after it is.
    let next = forge.change("chart/values.yaml", "color: blue", "color: red");
    assert_eq!(says(SHOP), 200);
    let delivered = server.until(&cluster, &application("shop"), |it| is_synced(it, &next));
    assert_eq!(delivered.list_at("/status/history").len(), 2, "{:#}", delivered.into_value());
    assert_eq!(listener.accept().map(drop).map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock));
}
