//! `landfall serve` with repositories and clusters that Argo CD's Secrets lead to.

use base64::Engine as _;
use serde_json::{Map, Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::git_server::{GitServer, LOGIN};
use super::*;

/// A directory of bare repositories, below the sandbox's own.
fn forge(sandbox: &Sandbox) -> PathBuf {
    let root = sandbox.root().join("../forge");
    std::fs::create_dir_all(&root).expect("made");
    root
}

/// Pushes a sandbox's commits to a bare repository, and says which is the newest.
fn push(from: &Sandbox, bare: &Path) -> String {
    if !bare.exists() {
        from.git(&["init", "-q", "--bare", bare.to_str().expect("text")]);
        from.git(&["--git-dir", bare.to_str().expect("text"), "symbolic-ref", "HEAD", "refs/heads/main"]);
    }
    from.git(&["push", "-q", bare.to_str().expect("text"), "HEAD:refs/heads/main"]);
    let mut head = std::process::Command::new("git");
    let head = head.args(["rev-parse", "HEAD"]).current_dir(from.root()).output().expect("git runs");
    String::from_utf8(head.stdout).expect("text").trim().to_owned()
}

fn encoded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn secret(name: &str, kind: &str, fields: &[(&str, &str)]) -> Value {
    let data: Map<String, Value> =
        fields.iter().map(|(field, text)| ((*field).to_owned(), encoded(text).into())).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": kind}},
        "data": data,
    })
}

fn config_map(name: &str, key: &str, text: &str) -> Value {
    let metadata = json!({"name": name, "namespace": "argocd"});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: text}})
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

impl Server {
    fn create(&self, cluster: &Cluster, object: Value) {
        let object = Object::from_value(object).expect("an object");
        self.runtime.block_on(cluster.create(&object, &WriteOptions::default())).expect("created");
    }

    fn refresh(&self, cluster: &Cluster, name: &str) {
        let patch = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}});
        self.patch(cluster, &application(name), patch);
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.state.join("../../serve.log")).expect("read")
    }
}

/// The condition's sentence, where there is one of that kind.
fn condition<'o>(application: &'o Object, kind: &str) -> Option<&'o str> {
    let all = application.list_at("/status/conditions");
    all.iter().find(|one| one["type"] == kind)?["message"].as_str()
}

fn errs(application: &Object, words: &str) -> bool {
    condition(application, "ComparisonError").is_some_and(|said| said.contains(words))
}

/// An Application of one source.
fn one(name: &str, source: &str, destination: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n  source: {source}\n  destination: {destination}\n  syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true]}}\n"
    )
}

const HERE: &str = "{server: \"https://kubernetes.default.svc\", namespace: shop}";

#[test]
fn sens_two_projects_and_repositories_one_private_production_by_hand() {
    let (product, infra, home) =
        (Sandbox::example("sens-platform/product"), Sandbox::example("sens-platform/infra"), Sandbox::empty());
    let root = forge(&home);
    std::fs::create_dir(root.join("private")).expect("made");
    let chart = push(&product, &root.join("product.git"));
    let first = push(&infra, &root.join("private/infra.git"));
    let server = GitServer::open(&root);
    for environment in ["test", "production"] {
        for file in ["application", "project"] {
            let text = infra.read(&format!("argocd/sens-{environment}/{file}.yaml"));
            let text = text
                .replace("https://git.example.com/sens/sens-platform-infra.git", &server.url("private/infra.git"))
                .replace("https://git.example.com/sens/sens-platform.git", &server.url("product.git"))
                .replace("7d1f0c5e9b8a4c6d2e3f1a0b9c8d7e6f5a4b3c2d", &chart)
                .replace("1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e", &chart);
            home.write(&format!("apps/{environment}-{file}.yaml"), &text);
        }
    }
    let served = serve(&home, &["apps"], &[]);
    let (cluster, own) = (served.cluster(), served.own_token());
    let [test, production] = ["sens-platform-test", "sens-platform-production"].map(application);
    // Nobody knows the authority yet, and then nobody has a login.
    served.until(&cluster, &test, |it| errs(it, "certificate"));
    for name in ["sens-test", "sens-production"] {
        served.create(&cluster, namespace(name));
        for (secret, key) in [(format!("{name}-timescaledb-auth"), "postgres-password"), ("ghcr-pull".into(), "x")] {
            let metadata = json!({"name": secret, "namespace": name});
            let data = json!({key: encoded("a password of a test")});
            served.create(&cluster, json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}));
        }
    }
    served.create(&cluster, config_map("argocd-tls-certs-cm", "127.0.0.1", &server.authority));
    served.until(&cluster, &test, |it| errs(it, "asks for a login, and no account has one"));
    let wrong =
        secret("infra", "repo-creds", &[("url", &server.url("private")), ("username", "x"), ("password", "no")]);
    served.create(&cluster, wrong);
    served.until(&cluster, &test, |it| errs(it, "does not take the login of Secret infra"));
    let right = json!({"data": {"username": encoded(LOGIN.0), "password": encoded(LOGIN.1)}});
    let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("argocd"), "infra");
    served.patch(&cluster, &key, right);
    let at = |it: &Object, values: &str| {
        it.str_at("/status/sync/status") == Some("Synced")
            && it.at("/status/sync/revisions") == Some(&json!([chart, values]))
    };
    let synced = served.until(&cluster, &test, |it| at(it, &first));
    assert_eq!(synced.at("/status/history/0/revisions"), Some(&json!([chart, first])));
    // Production waits for a person, and is delivered to its own namespace when one asks.
    let waits = served.until(&cluster, &production, |it| it.str_at("/status/sync/status") == Some("OutOfSync"));
    assert_eq!(waits.at("/status/operationState"), None);
    served.patch(&cluster, &production, json!({"operation": {"initiatedBy": {"username": "sebastian"}, "sync": {}}}));
    let done = served.until(&cluster, &production, |it| at(it, &first));
    assert_eq!(done.str_at("/status/history/0/initiatedBy/username"), Some("sebastian"));
    let (_, metrics) = served.ask("GET", "/metrics", &[(own.0, &own.1)], "");
    assert!(
        metrics.contains("argocd_git_request_total{request_type=\"fetch\"} 2\n"),
        "each repository once: {metrics}"
    );
    // A push to the private one that nobody tells of: only what is new is fetched, and test follows while production waits.
    infra.edit("environments/test/values.yaml", "0.5.0-alpha.123.1", "0.5.0-alpha.124.1");
    infra.commit("the next one");
    let second = push(&infra, &root.join("private/infra.git"));
    served.until(&cluster, &test, |it| at(it, &second));
    let (_, metrics) = served.ask("GET", "/metrics", &[(own.0, &own.1)], "");
    assert!(metrics.contains("argocd_git_request_total{request_type=\"fetch\"} 3\n"), "{metrics}");
    let production = served.get(&cluster, &production).expect("there");
    assert_eq!(production.list_at("/status/history").len(), 1, "nobody has asked for it");
    // The login goes where it belongs, and is written nowhere.
    let seen = server.seen();
    assert!(seen.iter().any(|(path, login)| path.starts_with("/private/") && !login.is_empty()), "{seen:?}");
    for (path, login) in seen {
        assert!(login.is_empty() || path.starts_with("/private/"), "{path} was told a login");
    }
    let told = format!("{}{metrics}{:#}", served.log(), production.value());
    for canary in [LOGIN.1, &encoded(LOGIN.1), &encoded(&format!("{}:{}", LOGIN.0, LOGIN.1))] {
        assert!(!told.contains(canary), "{told}");
        let found = std::process::Command::new("grep").args(["-rl", canary]).arg(served.state.join("cache")).output();
        assert!(found.expect("grep runs").stdout.is_empty(), "a file has it");
    }
}

#[test]
fn a_login_goes_to_no_server_that_its_own_one_sends_on_to() {
    let home = Sandbox::empty();
    small_chart(&home, "chart", "web");
    home.commit("first");
    let root = forge(&home);
    std::fs::create_dir(root.join("private")).expect("made");
    push(&home, &root.join("private/shop.git"));
    for behind_tls in [true, false] {
        let [own, other] = [(); 2].map(|()| if behind_tls { GitServer::open(&root) } else { GitServer::plain(&root) });
        own.moves_to(&other);
        let source = format!("{{repoURL: \"{}\", path: chart}}", own.url("moved/private/shop.git"));
        let direct = format!("{{repoURL: \"{}\", path: chart}}", own.url("private/shop.git"));
        home.write("apps/shop.yaml", &one("shop", &source, HERE));
        home.write("apps/direct.yaml", &one("direct", &direct, "{name: in-cluster, namespace: direct}"));
        let served = serve(&home, &["apps"], &[]);
        let cluster = served.cluster();
        let creds = [("url", &*own.url("")), ("username", LOGIN.0), ("password", LOGIN.1), ("insecure", "true")];
        let _there = served.get(&cluster, &application("shop"));
        let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("argocd"), "own");
        if served.get(&cluster, &key).is_none() {
            served.create(&cluster, secret("own", "repo-creds", &creds));
        } else {
            let data = secret("own", "repo-creds", &creds)["data"].clone();
            served.patch(&cluster, &key, json!({"data": data}));
        }
        served.until(&cluster, &application("direct"), |it| it.str_at("/status/sync/status") == Some("Synced"));
        served.until(&cluster, &application("shop"), |it| errs(it, "sends elsewhere, where the login of Secret own"));
        // What stands there may be what the server before had found: its own login is asked for once this one has looked.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !own.seen().iter().any(|(_, login)| !login.is_empty()) {
            assert!(std::time::Instant::now() < deadline, "{:?}", own.seen());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        for (path, login) in other.seen() {
            assert_eq!(login, "", "{path}");
        }
        assert_eq!(served.terminate().0, Some(0));
    }
}

/// A program in place of ssh: it keeps what it is told, and serves the repository itself.
const SSH: &str = r#"#!/bin/sh
printf '%s\n' "$*" >> "$0.told"
while [ $# -gt 0 ]; do
    case "$1" in
    -i)
        cat "$2" >> "$0.key"
        cat "$(dirname "$2")/known_hosts" >> "$0.hosts"
        stat -c '%a' "$2" "$(dirname "$2")/known_hosts" >> "$0.modes"
        ;;
    git-upload-pack*) eval "exec $*" ;;
    esac
    shift
done
"#;

#[test]
fn ssh_gets_the_key_of_the_secret_the_pinned_hosts_and_nothing_of_the_users() {
    let home = Sandbox::empty();
    small_chart(&home, "chart", "web");
    home.commit("first");
    let root = forge(&home);
    let revision = push(&home, &root.join("shop.git"));
    let repository = root.join("shop.git").canonicalize().expect("there");
    let address = format!("ssh://git@git.example.com{}", repository.display());
    home.write("apps/shop.yaml", &one("shop", &format!("{{repoURL: \"{address}\", path: chart}}"), HERE));
    let programs = home.root().join("../programs");
    std::fs::create_dir(&programs).expect("made");
    let ssh = programs.join("ssh");
    std::fs::write(&ssh, SSH).expect("written");
    std::fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let timeout = programs.join("timeout");
    std::fs::write(&timeout, "#!/bin/sh\necho $1 >> \"$0.told\"\nshift\nexec \"$@\"\n").expect("written");
    std::fs::set_permissions(&timeout, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
    let served = serve(&home, &["apps"], &[("PATH", &path), ("GIT_SSH_COMMAND", "false"), ("SSH_AUTH_SOCK", "/none")]);
    let cluster = served.cluster();
    served.until(&cluster, &application("shop"), |it| errs(it, "there is no account with a key for it"));
    let hosts = "git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n";
    served.create(&cluster, config_map("argocd-ssh-known-hosts-cm", "ssh_known_hosts", hosts));
    let fields = [("url", "ssh://git@git.example.com"), ("sshPrivateKey", "the key of a test")];
    served.create(&cluster, secret("shop", "repo-creds", &fields));
    served.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let kept = |name: &str| std::fs::read_to_string(programs.join(format!("ssh.{name}"))).expect("kept");
    assert!(kept("key").starts_with("the key of a test\n"));
    assert!(kept("hosts").starts_with(hosts));
    assert!(kept("modes").lines().all(|mode| mode == "600"), "{}", kept("modes"));
    let told = kept("told");
    for word in ["-F none", "IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "StrictHostKeyChecking=yes"] {
        assert!(told.lines().all(|line| line.contains(word)), "{word}: {told}");
    }
    assert!(!told.contains("the key of a test"));
    let limits = std::fs::read_to_string(programs.join("timeout.told")).expect("it was asked to see to it");
    assert!(limits.lines().all(|limit| limit == "600"), "{limits}");
    let mut left = std::process::Command::new("grep");
    left.args(["-rl", "the key of a test"]).arg(served.state.join("cache"));
    assert!(left.output().expect("grep runs").stdout.is_empty(), "the key is gone when it is not used");
}

/// Another embedded cluster, and the fields of a Secret that lead to it.
fn another() -> (Sandbox, Vec<(&'static str, String)>) {
    let sandbox = Sandbox::empty().interactive();
    sandbox.run(&["cluster", "start"]).exits(0);
    let text = sandbox.run(&["cluster", "kubeconfig"]).exits(0).stdout;
    let kubeconfig = landfall_yaml::to_json(&text).expect("YAML");
    let of = |pointer: &str| kubeconfig.pointer(pointer).and_then(Value::as_str).expect("there").to_owned();
    let config = json!({
        "bearerToken": of("/users/0/user/token"),
        "tlsClientConfig": {"caData": of("/clusters/0/cluster/certificate-authority-data")},
    });
    let fields =
        vec![("name", "edge".to_owned()), ("server", of("/clusters/0/cluster/server")), ("config", config.to_string())];
    (sandbox, fields)
}

fn connected(served: &Server, sandbox: &Sandbox) -> Cluster {
    let _ring = rustls_provider();
    let path = sandbox.root().join(".landfall/kubeconfig");
    served.runtime.block_on(async {
        let config = kube::config::Kubeconfig::read_from(path).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await.expect("read");
        Cluster::new(kube::Client::try_from(config).expect("a client"))
    })
}

#[test]
fn one_server_drives_two_clusters_and_a_dead_one_is_nobody_elses_matter() {
    let forge = Forge::shop(AUTOMATED);
    let (edge, fields) = another();
    // It takes the connection, and never says a word.
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead_address = format!("https://{}", dead.local_addr().expect("bound"));
    let source = format!("{{repoURL: \"{SHOP}\", targetRevision: main, path: chart}}");
    forge.sandbox.write("apps/edge.yaml", &one("edge", &source, "{name: edge, namespace: shop}"));
    for number in 0..6 {
        let destination = format!("{{server: \"{dead_address}\", namespace: shop}}");
        forge.sandbox.write(&format!("apps/dead{number}.yaml"), &one(&format!("dead{number}"), &source, &destination));
    }
    let first = forge.push();
    let served = forge.serve(&["apps"], SHOP, &[]);
    let cluster = served.cluster();
    served.until(&cluster, &application("edge"), |it| {
        condition(it, "InvalidSpecError").is_some_and(|said| said.contains("is no cluster that a Secret leads to"))
    });
    let fields: Vec<(&str, &str)> = fields.iter().map(|(field, text)| (*field, text.as_str())).collect();
    served.create(&cluster, secret("edge", "cluster", &fields));
    served.create(&cluster, secret("dead", "cluster", &[("name", "dead"), ("server", &dead_address)]));
    served.until(&cluster, &application("edge"), |it| is_synced(it, &first));
    served.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    let there = connected(&served, &edge);
    let deployment = ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "edge");
    assert!(served.get(&there, &deployment).is_some(), "it was delivered there");
    assert!(served.get(&cluster, &deployment).is_none(), "and not here");
    let theirs = served.runtime.block_on(there.get(&application("edge")));
    assert!(!matches!(theirs, Ok(Some(_))), "whose Application lives here alone");
    // What changes there is seen there, and put right.
    served.patch(&there, &deployment, json!({"spec": {"replicas": 5}}));
    served.until(&there, &deployment, |it| it.i64_at("/spec/replicas") == Some(1));
    let unreachable = served.until(&cluster, &application("dead0"), |it| condition(it, "ComparisonError").is_some());
    assert_eq!(unreachable.str_at("/status/sync/status"), Some("Unknown"));
    let named = format!("at dead ({dead_address})");
    let why = condition(&unreachable, "ComparisonError").unwrap_or_default();
    assert!(why.contains(&named), "{why}");
    let began = Instant::now();
    forge.sandbox.run(&["app", "diff", "dead0"]).exits(6).says(&named);
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    // The other cluster goes away: nothing of it is deleted, and ours follows the next push at once.
    edge.run(&["cluster", "stop"]).exits(0);
    let second = forge.change("chart/values.yaml", "replicas: 1", "replicas: 2");
    let began = Instant::now();
    served.until(&cluster, &application("shop"), |it| is_synced(it, &second));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let cut = served.until(&cluster, &application("edge"), |it| condition(it, "ComparisonError").is_some());
    assert_eq!(cut.list_at("/status/history").len(), 1);
    // What it delivered is to go with it as long as a Secret leads there; after that it is let go alone, and that is told.
    let finalizers = json!(["resources-finalizer.argocd.argoproj.io"]);
    served.patch(&cluster, &application("edge"), json!({"metadata": {"finalizers": finalizers}}));
    served.delete(&cluster, &application("edge"));
    served.until(&cluster, &application("edge"), |it| condition(it, "DeletionError").is_some());
    served.delete(&cluster, &ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("argocd"), "edge"));
    served.until_gone(&cluster, &application("edge"));
    let told = "argocd/edge is deleted, and what it delivered to edge stays there: no Secret leads";
    let (token, deadline) = (served.own_token(), Instant::now() + Duration::from_secs(10));
    while !served.ask("GET", "/api/v1/audit", &[(token.0, &token.1)], "").1.contains(told) {
        assert!(Instant::now() < deadline, "it is not in the audit log");
        std::thread::sleep(Duration::from_millis(20));
    }
    edge.run(&["cluster", "start"]).exits(0);
    assert!(served.get(&connected(&served, &edge), &deployment).is_some(), "nothing was pruned");
    drop(dead);
}

#[test]
fn charts_of_repositories_and_registries_are_fetched_as_the_secrets_say_and_ranges_are_followed() {
    let forge = Forge::shop("{}");
    let shelf = super::super::charts::repository(&forge.sandbox);
    let (private, registry) = (format!("{}/private", shelf.url()), format!("{}/charts", shelf.host()));
    // Whoever pushes has a login of his own, which the server does not read.
    let helm = |words: &[&str]| {
        let mut command = forge.sandbox.command(&[&["helm"], words].concat());
        let output = command.env("HELM_REGISTRY_CONFIG", forge.sandbox.root().join("../registry.json")).output();
        super::super::sandbox::ran(output.expect("the binary runs")).exits(0);
    };
    helm(&["registry", "login", &shelf.host(), "-u", "u", "-p", "p", "--plain-http"]);
    for version in ["0.1.0", "0.2.0"] {
        helm(&["push", &format!("shelf/web-{version}.tgz"), &format!("oci://{registry}"), "--plain-http"]);
    }
    forge.sandbox.write("extra.yaml", "replicas: 3\n");
    let automated = "syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true]}";
    for (name, sources) in [
        (
            "indexed",
            format!(
                "[{{repoURL: \"{private}\", chart: web, targetRevision: 0.*, helm: {{valueFiles: [$values/extra.yaml]}}}}, {{repoURL: \"{SHOP}\", targetRevision: main, ref: values}}]"
            ),
        ),
        ("registered", format!("[{{repoURL: \"{registry}\", chart: web, targetRevision: '>=0.1.0 <0.2.0'}}]")),
    ] {
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n  sources: {sources}\n  destination: {{name: in-cluster, namespace: {name}}}\n  {automated}\n"
        );
        forge.sandbox.write(&format!("apps/{name}.yaml"), &text);
    }
    forge.sandbox.commit("charts");
    let values = forge.push();
    let served = forge.serve(&["apps"], SHOP, &[]);
    let cluster = served.cluster();
    served.until(&cluster, &application("indexed"), |it| errs(it, "401"));
    served.until(&cluster, &application("registered"), |it| condition(it, "ComparisonError").is_some());
    let login = [("type", "helm"), ("username", "u"), ("password", "p")];
    served.create(&cluster, secret("indexed", "repository", &[&login[..], &[("url", &private)]].concat()));
    let plain = [("url", &*registry), ("enableOCI", "true"), ("insecureOCIForceHttp", "true")];
    served.create(&cluster, secret("registered", "repository", &[&login[..], &plain[..]].concat()));
    let at = |it: &Object, version: &str| {
        it.str_at("/status/sync/status") == Some("Synced")
            && it.at("/status/sync/revisions") == Some(&json!([version, values]))
    };
    served.until(&cluster, &application("indexed"), |it| at(it, "0.2.0"));
    let deployment = ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("indexed"), "indexed");
    served.until(&cluster, &deployment, |it| it.i64_at("/spec/replicas") == Some(3));
    served.until(&cluster, &application("registered"), |it| is_synced(it, "0.1.0"));
    // A newer one of the range.
    small_chart(&forge.sandbox, "made/web", "web");
    forge.sandbox.edit("made/web/Chart.yaml", "0.1.0", "0.3.0");
    helm(&["package", "made/web", "-d", "shelf"]);
    helm(&["repo", "index", "shelf"]);
    for name in ["index.yaml", "web-0.3.0.tgz"] {
        let bytes = std::fs::read(forge.sandbox.root().join("shelf").join(name)).expect("there");
        shelf.put(&format!("private/{name}"), &bytes);
    }
    served.refresh(&cluster, "indexed");
    served.until(&cluster, &application("indexed"), |it| at(it, "0.3.0"));
    assert!(!served.log().contains("dTpw"), "{}", served.log());
}

/// What a chart names is named by whoever wrote it: the server asks there as anybody could, and not what it alone reaches. A
/// repository that somebody has declared is asked wherever it is.
#[test]
fn a_chart_names_no_address_that_is_not_public_but_one_that_is_declared() {
    let forge = Forge::shop("{}");
    let shelf = super::super::charts::repository(&forge.sandbox);
    let port = shelf.host().rsplit(':').next().expect("a port").to_owned();
    let elsewhere = format!(
        "apiVersion: v1\nentries:\n  web:\n  - {{apiVersion: v2, name: web, version: 0.1.0, urls: [\"http://127.0.0.3:{port}/web-0.1.0.tgz\"]}}\n"
    );
    shelf.put("leads/index.yaml", elsewhere.as_bytes());
    let chart = |name: &str, repository: &str| {
        let text = format!(
            "apiVersion: v2\nname: {name}\nversion: 0.1.0\ndependencies:\n- {{name: web, version: 0.1.0, repository: \"{repository}\"}}\n"
        );
        match repository {
            "" => small_chart(&forge.sandbox, &format!("charts/{name}"), name),
            _ => forge.sandbox.write(&format!("charts/{name}/Chart.yaml"), &text),
        }
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: charts/{name}}}\n  destination: {{name: in-cluster, namespace: {name}}}\n  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}\n"
        );
        forge.sandbox.write(&format!("apps/{name}.yaml"), &text);
    };
    let inside = [
        ("metadata", "http://169.254.169.254/latest".to_owned(), "169.254.169.254"),
        ("otherwise", format!("http://0x7f000002:{port}"), "127.0.0.2"),
        ("registry", format!("oci://127.0.0.2:{port}/charts"), "127.0.0.2"),
        ("redirected", format!("{}/redirect/127.0.0.2:{port}", shelf.url()), "127.0.0.2"),
        ("led", format!("{}/leads", shelf.url()), "127.0.0.3"),
    ];
    for (name, repository, _) in &inside {
        chart(name, repository);
    }
    chart("schema", "");
    let schema = format!(r#"{{"properties": {{"replicas": {{"$ref": "http://127.0.0.2:{port}/numbers.json"}}}}}}"#);
    forge.sandbox.write("charts/schema/values.schema.json", &schema);
    chart("permitted", &shelf.url());
    forge.sandbox.commit("charts of strangers");
    let revision = forge.push();
    let served = forge.serve(&["apps"], SHOP, &[("LANDFALL_CHECK_NETWORKS", "127.0.0.1")]);
    let cluster = served.cluster();
    let refused = |it: &Object, address: &str| {
        condition(it, "ComparisonError").is_some_and(|it| it.contains(&format!("{address} is no public address")))
    };
    for (name, _, address) in &inside {
        served.until(&cluster, &application(name), |it| refused(it, address));
    }
    served.until(&cluster, &application("schema"), |it| refused(it, "127.0.0.2"));
    served.until(&cluster, &application("permitted"), |it| is_synced(it, &revision));
    drop(served);

    // Nothing is permitted now, and what was fetched lies in no cache of this server's.
    std::fs::remove_dir_all(forge.sandbox.root().join(".landfall/cache")).expect("a cache");
    let before = shelf.seen().len();
    chart("permitted", &shelf.url().replace("127.0.0.1", "localhost"));
    forge.sandbox.commit("by its name");
    let revision = forge.push();
    let served = forge.serve(&["apps"], SHOP, &[("LANDFALL_CHECK_NETWORKS", "192.0.2.0/24")]);
    let cluster = served.cluster();
    let told = served.until(&cluster, &application("permitted"), |it| {
        condition(it, "ComparisonError").is_some_and(|it| it.contains("is no public address"))
    });
    let told = condition(&told, "ComparisonError").expect("told").to_owned();
    assert!(told.contains("localhost leads to") && told.contains("declared"), "{told}");
    assert_eq!(shelf.seen().len(), before, "{:?}", shelf.seen());
    let url = shelf.url().replace("127.0.0.1", "localhost");
    served.create(&cluster, secret("permitted", "repository", &[("type", "helm"), ("url", &url)]));
    served.refresh(&cluster, "permitted");
    served.until(&cluster, &application("permitted"), |it| is_synced(it, &revision));
}

/// `repo add` of what is given on standard input.
fn add(home: &Sandbox, words: &[&str], given: &str) -> super::super::sandbox::Ran {
    use std::io::Write as _;
    let mut command = home.command(&[&["repo", "add"], words].concat());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().expect("the binary runs");
    let mut input = child.stdin.take().expect("piped");
    // Who refuses an argument reads nothing.
    let _not_read = input.write_all(given.as_bytes());
    drop(input);
    super::super::sandbox::ran(child.wait_with_output().expect("it ends"))
}

#[test]
fn lp_037_a_forge_token_is_tried_and_given_to_the_server_which_takes_luckyplans_application_unchanged() {
    let home = Sandbox::luckyplans();
    let manifest = "infrastructure/argocd/apps/luckyplans-prod.yaml";
    let unchanged = home.read(manifest);
    let shop = Sandbox::empty();
    super::small_chart(&shop, "chart", "web");
    shop.commit("first");
    let root = forge(&home);
    std::fs::create_dir(root.join("private")).expect("made");
    let (luckyplans, revision) =
        (push(&home, &root.join("luckyplans.git")), push(&shop, &root.join("private/shop.git")));
    let server = GitServer::open(&root);
    let address = server.url("private/shop.git");
    let source = format!("{{repoURL: \"{address}\", targetRevision: main, path: chart}}");
    home.write("apps/shop.yaml", &one("shop", &source, HERE));
    let stand_in = format!("{LUCKYPLANS}={}", root.join("luckyplans.git").display());
    let served = serve(&home, &[manifest, "apps", "--repo", &stand_in], &[]);
    let cluster = served.cluster();
    served.create(&cluster, config_map("argocd-tls-certs-cm", "127.0.0.1", &server.authority));
    served.until(&cluster, &application("shop"), |it| errs(it, "asks for a login, and no account has one"));

    // One that the forge does not take is said to be that, and nothing is written; neither is one that everybody could read.
    let user = ["--username", LOGIN.0, "--token-stdin"];
    let words = [&[address.as_str()], &user[..]].concat();
    let wrong = add(&home, &words, "t0ken-of-another\n");
    let wrong = wrong.exits(6).says("does not take the login of user deploy").says("nothing was changed");
    assert!(!wrong.all().contains("t0ken-of-another"), "{}", wrong.all());
    add(&home, &[&address, "--token", LOGIN.1], "").exits(2);
    add(&home, &[&address.replace("//", &format!("//deploy:{}@", LOGIN.1)), "--token-stdin"], LOGIN.1).exits(2);
    add(&home, &words, "").exits(2).says("holds no token");
    add(&home, &[&server.url("private/none.git"), user[0], user[1], user[2]], LOGIN.1).exits(6);
    let list = ["repo", "list", "--credentials", "-o", "json"];
    assert_eq!(home.run(&list).exits(0).json()["data"], json!([]));
    add(&home, &[&words[..], &["--dry-run"]].concat(), LOGIN.1).exits(0).says("nothing was changed");
    assert_eq!(home.run(&list).exits(0).json()["data"], json!([]));

    // The right one is in the form that Argo CD reads, and counts at once.
    let added = add(&home, &[&words[..], &["-o", "json"]].concat(), &format!("{}\n", LOGIN.1)).exits(0);
    let data = added.json()["data"].clone();
    assert_eq!((&data["outcome"], &data["head"], &data["tried"]), (&json!("created"), &json!(revision), &json!(true)));
    let name = data["secret"].as_str().expect("a name");
    let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("argocd"), name);
    let secret = served.get(&cluster, &key).expect("written");
    assert_eq!(secret.label("argocd.argoproj.io/secret-type"), Some("repository"));
    let fields = [("type", "git"), ("url", &address), ("username", LOGIN.0), ("password", LOGIN.1)];
    let fields: Map<String, Value> =
        fields.iter().map(|(field, text)| ((*field).to_owned(), encoded(text).into())).collect();
    assert_eq!(secret.at("/data"), Some(&Value::Object(fields)));
    served.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    served.until(&cluster, &application("luckyplans-prod"), |it| is_synced(it, &luckyplans));
    assert_eq!(home.read(manifest), unchanged);

    // Typed again it changes nothing; of a project alone it is another one; what is told never holds it.
    home.write("token", &format!("{}\n", LOGIN.1));
    let again = ["repo", "add", &address, "--username", LOGIN.0, "--token-file", "token"];
    home.run(&again).exits(0).says("unchanged");
    home.run(&[&again[..], &["--project", "other"]].concat()).exits(0).says("for the project other");
    let prefix = server.url("private");
    let team = ["repo", "add", &prefix, "--prefix", "--try", &address, "--username", LOGIN.0, "--token-file", "token"];
    home.run(&team).exits(0).says("repo-creds");
    let listed = home.run(&list).exits(0);
    let mut kinds: Vec<String> = listed.json()["data"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|it| format!("{} {}", it["kind"], it["project"]))
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["\"repo-creds\" null", "\"repository\" \"other\"", "\"repository\" null"]);
    for secret in [LOGIN.1, &encoded(LOGIN.1)] {
        assert!(!format!("{}{}{}", listed.all(), added.all(), served.log()).contains(secret));
    }

    // One that a hand wrote stays its owner's; what is taken away is asked for again.
    let hands = secret_of_a_hand(&server.url("private/mine.git"));
    served.create(&cluster, hands);
    let mine = server.url("private/mine.git");
    home.run(&["repo", "add", &mine, "--no-try", "--token-file", "token"])
        .exits(5)
        .says("Secret mine")
        .says("not Landfall's own");
    home.run(&["repo", "remove", &prefix, "--prefix", "--yes"]).exits(0).says("is gone");
    home.run(&["repo", "remove", &address, "--dry-run"]).exits(0).says("would go");
    home.run(&["repo", "remove", &address, "--yes"]).exits(0).says(name);
    assert!(served.get(&cluster, &key).is_none());
    home.run(&["repo", "remove", &address, "--yes"]).exits(2).says("has no login of its own");
}

fn secret_of_a_hand(address: &str) -> Value {
    secret("mine", "repository", &[("url", address), ("username", "x"), ("password", "y")])
}
