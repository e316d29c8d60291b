//! Charts that lie elsewhere: repositories, dependencies, registries.

use std::sync::Arc;

use super::sandbox::{Sandbox, ran, small_chart};
use super::shelf::Shelf;

/// A repository with three versions of `web`.
pub(crate) fn repository(sandbox: &Sandbox) -> Arc<Shelf> {
    let shelf = Shelf::open();
    for version in ["0.1.0", "0.2.0", "1.0.0-rc.1"] {
        small_chart(sandbox, "made/web", "web");
        sandbox.edit("made/web/Chart.yaml", "0.1.0", version);
        sandbox.run(&["helm", "package", "made/web", "-d", "shelf"]).exits(0);
    }
    sandbox.run(&["helm", "repo", "index", "shelf"]).exits(0);
    for entry in std::fs::read_dir(sandbox.root().join("shelf")).expect("there") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("named").to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).expect("read");
        shelf.put(&name, &bytes);
        shelf.put(&format!("private/{name}"), &bytes);
    }
    shelf
}

#[test]
fn a_repository_is_added_searched_and_pulled_from() {
    let sandbox = Sandbox::empty();
    let shelf = repository(&sandbox);
    let said = sandbox.run(&["helm", "repo", "add", "r", &shelf.url()]).exits(0);
    assert_eq!(said.stdout, "\"r\" has been added to your repositories\n");
    sandbox
        .run(&["helm", "repo", "add", "r", &shelf.url()])
        .exits(0)
        .says("already exists with the same configuration");
    sandbox.run(&["helm", "repo", "add", "r", "http://127.0.0.1:1"]).exits(1).says("please specify a different name");
    sandbox.run(&["helm", "repo", "update"]).exits(0).says("Successfully got an update from the \"r\"");
    let found = sandbox.run(&["helm", "search", "repo", "web", "-o", "json"]).exits(0).json();
    assert_eq!(found[0]["version"], "0.2.0");
    let found = sandbox.run(&["helm", "search", "repo", "-l", "--devel", "-o", "json"]).exits(0).json();
    assert_eq!(found.as_array().map(Vec::len), Some(3));
    sandbox.run(&["helm", "pull", "r/web", "--version", "~0.1", "--untar", "--untardir", "un"]).exits(0);
    assert!(sandbox.read("un/web/Chart.yaml").contains("version: 0.1.0"));
    sandbox.run(&["helm", "pull", "r/web", "--devel"]).exits(0);
    assert!(sandbox.root().join("web-1.0.0-rc.1.tgz").exists());
    let shown = sandbox.run(&["helm", "show", "chart", "web", "--repo", &shelf.url(), "--version", "0.2.0"]).exits(0);
    assert!(shown.stdout.contains("version: 0.2.0"), "{}", shown.all());
    sandbox.run(&["template", "x", "r/web"]).exits(0).says("kind: ConfigMap");
    sandbox.run(&["helm", "pull", "r/web", "--version", "9"]).exits(1).says("no chart version found for web-9");
    sandbox.run(&["helm", "repo", "remove", "r"]).exits(0);
    sandbox.run(&["helm", "pull", "r/web"]).exits(1).says("repo r not found");
}

#[test]
fn dependencies_are_chosen_fetched_and_locked() {
    let sandbox = Sandbox::empty();
    let shelf = repository(&sandbox);
    small_chart(&sandbox, "near", "near");
    small_chart(&sandbox, "app", "app");
    let declared = format!(
        "apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n- {{name: web, version: '>=0.1', repository: '{}'}}\n- {{name: near, version: '*', repository: 'file://../near'}}\n",
        shelf.url()
    );
    sandbox.write("app/Chart.yaml", &declared);
    sandbox.run(&["helm", "dependency", "update", "app"]).exits(0).says("Saving 2 charts");
    let lock = sandbox.read("app/Chart.lock");
    assert!(lock.contains("version: 0.2.0") && lock.contains("digest: sha256:"), "{lock}");
    assert!(sandbox.root().join("app/charts/web-0.2.0.tgz").exists());
    assert!(sandbox.root().join("app/charts/near-0.1.0.tgz").exists());
    sandbox.run(&["helm", "dependency", "update", "app"]).exits(0);
    assert_eq!(sandbox.read("app/Chart.lock"), lock, "nothing changed, nothing is written");
    sandbox.run(&["helm", "dependency", "build", "app"]).exits(1).says("no repository definition for");
    sandbox.run(&["helm", "repo", "add", "r", &shelf.url()]).exits(0);
    std::fs::remove_file(sandbox.root().join("app/charts/web-0.2.0.tgz")).expect("removed");
    sandbox.run(&["helm", "dependency", "build", "app"]).exits(0).says("Downloading web from repo");
    assert!(sandbox.root().join("app/charts/web-0.2.0.tgz").exists());
    sandbox.edit("app/Chart.yaml", ">=0.1", "~0.1");
    sandbox.run(&["helm", "dependency", "build", "app"]).exits(1).says("is out of sync with the dependencies file");
    sandbox.run(&["helm", "dependency", "update", "app"]).exits(0);
    assert!(sandbox.root().join("app/charts/web-0.1.0.tgz").exists());
    assert!(!sandbox.root().join("app/charts/web-0.2.0.tgz").exists(), "what nothing asks for goes");
    sandbox.edit("app/Chart.yaml", "~0.1", "7");
    sandbox.run(&["helm", "dependency", "update", "app"]).exits(1).says("can't get a valid version for 1 subchart(s)");
}

#[test]
fn an_archive_that_is_not_what_the_index_says_is_refused() {
    let sandbox = Sandbox::empty();
    let shelf = repository(&sandbox);
    sandbox.run(&["helm", "repo", "add", "r", &shelf.url()]).exits(0);
    let other = std::fs::read(sandbox.root().join("shelf/web-0.1.0.tgz")).expect("there");
    shelf.put("web-0.2.0.tgz", &other);
    sandbox.run(&["helm", "pull", "r/web"]).exits(1).says("digest mismatch");
    assert!(!sandbox.root().join("web-0.2.0.tgz").exists());
}

#[test]
fn credentials_stay_with_the_server_they_were_given_for() {
    let sandbox = Sandbox::empty();
    let shelf = repository(&sandbox);
    let other = Shelf::open();
    let archive = std::fs::read(sandbox.root().join("shelf/web-0.2.0.tgz")).expect("there");
    other.put("web-0.2.0.tgz", &archive);
    let private = format!("{}/private", shelf.url());
    sandbox.run(&["helm", "repo", "add", "p", &private]).exits(1).says("401 Unauthorized");
    sandbox.run(&["helm", "repo", "add", "p", &private, "--username", "u", "--password", "p"]).exits(0);
    sandbox.run(&["helm", "pull", "p/web", "--untar"]).exits(0);
    // An index that names another server, and a server that sends on to another.
    let index =
        sandbox.read("shelf/index.yaml").replace("- web-0.2.0.tgz", &format!("- {}/web-0.2.0.tgz", other.url()));
    shelf.put("private/index.yaml", index.as_bytes());
    sandbox.run(&["helm", "repo", "update"]).exits(0);
    sandbox.run(&["helm", "pull", "p/web"]).exits(0);
    let sent = format!("{}/redirect/{}/web-0.2.0.tgz", shelf.url(), other.host());
    sandbox.run(&["helm", "pull", &sent, "--username", "u", "--password", "p"]).exits(0);
    let seen = other.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.iter().all(|line| !line.contains("Basic")), "{seen:?}");
    assert!(shelf.seen().iter().any(|line| line.contains("/redirect/") && line.contains("Basic")));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let sandbox = Sandbox::empty();
    let said = sandbox.run(&["helm", "repo", "add", "r", "http://127.0.0.1:1"]).exits(1);
    assert_eq!(
        said.stderr,
        "Error: looks like \"http://127.0.0.1:1\" is not a valid chart repository or cannot be reached: Get \"http://127.0.0.1:1/index.yaml\": dial tcp 127.0.0.1:1: connect: connection refused\n"
    );
    let shelf = Shelf::open();
    shelf.put("index.yaml", b"<html>hello</html>");
    sandbox.run(&["repo", "add", "r", &shelf.url()]).exits(1).says("cannot unmarshal string");
}

#[test]
fn a_chart_goes_to_a_registry_and_comes_back() {
    let sandbox = Sandbox::empty();
    let shelf = repository(&sandbox);
    let remote = format!("oci://{}/charts", shelf.host());
    let chart = format!("{remote}/web");
    let push =
        |version: &str| sandbox.run(&["helm", "push", &format!("shelf/web-{version}.tgz"), &remote, "--plain-http"]);
    push("0.1.0").exits(1).says("response status code 401: Unauthorized");
    let host = shelf.host();
    let login =
        |password: &str| sandbox.run(&["helm", "registry", "login", &host, "-u", "u", "-p", password, "--plain-http"]);
    login("wrong").exits(1).says("authenticating to");
    login("p").exits(0).says("Login Succeeded");
    for version in ["0.1.0", "0.2.0", "1.0.0-rc.1"] {
        push(version).exits(0).says(&format!("Pushed: {host}/charts/web:{version}\nDigest: sha256:"));
    }
    let manifest = shelf.manifest("charts/web", "0.2.0");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.cncf.helm.config.v1+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.cncf.helm.chart.content.v1.tar+gzip");
    assert_eq!(manifest["annotations"]["org.opencontainers.image.title"], "web");
    sandbox.run(&["helm", "pull", &chart, "--plain-http"]).exits(0).says("Pulled:");
    let bytes = |path: &str| std::fs::read(sandbox.root().join(path)).expect("there");
    assert_eq!(bytes("web-0.2.0.tgz"), bytes("shelf/web-0.2.0.tgz"), "the newest that is stable");
    // Without --plain-http too, as Helm 3 finds out by itself.
    sandbox.run(&["helm", "template", "x", &chart, "--version", "~0.1"]).exits(0).says("kind: ConfigMap");
    small_chart(&sandbox, "app", "app");
    sandbox.write(
        "app/Chart.yaml",
        &format!("apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n- {{name: web, version: ^0.1, repository: '{remote}'}}\n"),
    );
    sandbox.run(&["helm", "dependency", "update", "app", "--plain-http"]).exits(0);
    assert!(sandbox.root().join("app/charts/web-0.1.0.tgz").exists());
    sandbox.run(&["helm", "pull", &chart, "--version", "5.0.0", "--plain-http"]).exits(1).says("not found");
    shelf.tamper();
    sandbox.run(&["helm", "pull", &chart, "--version", "0.1.0", "--plain-http"]).exits(1).says("digest mismatch");
    sandbox.run(&["helm", "registry", "logout", &host]).exits(0);
    sandbox.run(&["helm", "pull", &chart, "--plain-http"]).exits(1).says("response status code 401: Unauthorized");
}

#[test]
fn a_schema_may_refer_to_documents_elsewhere() {
    let sandbox = Sandbox::empty();
    let shelf = Shelf::open();
    shelf.put("ports.json", br##"{"definitions": {"port": {"$ref": "numbers.json#/whole"}}}"##);
    shelf.put("numbers.json", br#"{"whole": {"type": "integer"}}"#);
    small_chart(&sandbox, "web", "web");
    let schema = |file: &str| {
        let reference = format!("{}/{file}#/definitions/port", shelf.url());
        let schema = format!(r#"{{"properties": {{"replicas": {{"$ref": "{reference}"}}}}}}"#);
        sandbox.write("web/values.schema.json", &schema);
    };
    schema("ports.json");
    sandbox.run(&["template", "web"]).exits(0);
    sandbox.run(&["plan", "web"]).exits(0);
    sandbox.run(&["lint", "web"]).exits(0);
    sandbox.run(&["template", "web", "--set", "replicas=many"]).exits(1).says("got string, want integer");
    schema("none.json");
    let address = format!("{}/none.json", shelf.url());
    let words = format!("failing loading \"{address}\": HTTP request to {address} returned status 404 (Not Found)");
    sandbox.run(&["helm", "template", "web"]).exits(1).says(&words);
    sandbox.run(&["template", "web", "--skip-schema-validation"]).exits(0);
}

#[test]
fn what_helm_refuses_by_its_form_is_refused_in_its_words() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("file", "");
    for (line, words) in [
        (
            "template r web --labels a",
            "invalid argument \"a\" for \"-l, --labels\" flag: a must be formatted as key=value",
        ),
        (
            "template r web --qps x",
            "invalid argument \"x\" for \"--qps\" flag: strconv.ParseFloat: parsing \"x\": invalid syntax",
        ),
        (
            "lint web --burst-limit x",
            "invalid argument \"x\" for \"--burst-limit\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        ("dependency list web x", "\"helm dependency list\" accepts at most 1 argument"),
        ("dependency up web x", "\"helm dependency update\" accepts at most 1 argument"),
        ("repo list x", "\"helm repo list\" accepts no arguments"),
        ("repo add a notaurl", "could not find protocol handler for: "),
        ("push web-0.1.0.tgz y", "scheme prefix missing from remote (e.g. \"oci://\")"),
        ("package file", "Chart.yaml file is missing"),
        ("package web -d /proc/nope", "failed to save: mkdir /proc/nope: no such file or directory"),
        ("version --client", "unknown flag: --client"),
        ("template r web --dry-run=server", "cluster reachability check failed: kubernetes cluster unreachable: "),
        (
            "template r web --repo http://127.0.0.1:1",
            "looks like \"http://127.0.0.1:1\" is not a valid chart repository",
        ),
    ] {
        let mut command = sandbox.command(&std::iter::once("helm").chain(line.split(' ')).collect::<Vec<_>>());
        if words.contains("--client") || words.contains("127.0.0.1:1") || words.contains("kubernetes cluster") {
            command.env("LANDFALL_HELM_DIALECT", "v4");
        }
        let said = ran(command.output().expect("the binary runs")).exits(1);
        assert!(said.stderr.contains(&format!("Error: {words}")), "{line}: {}", said.all());
    }
}

#[test]
fn links_in_a_chart_and_what_lint_lets_pass_are_told_as_helm_tells_them() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("notes.txt", "elsewhere\n");
    std::os::unix::fs::symlink("../notes.txt", sandbox.root().join("web/linked.txt")).expect("a link");
    let root = sandbox.root().display();
    let told = format!(
        "walk.go:75: found symbolic link in path: {root}/web/linked.txt resolves to {root}/notes.txt. Contents of linked file included and used\n"
    );
    assert_eq!(sandbox.run(&["helm", "template", "./web/../web"]).exits(0).stderr, told);
    // Lint loads a chart twice, and its log ends a line only where the text does not.
    sandbox.write("web/templates/a.yaml", "{{ fail \"a\\n\" }}{{ required \"b\" nil }}{{ index \"\" 1 }}\n");
    let said = sandbox.run(&["helm", "lint", "web"]).exits(1);
    let log = "engine.go:227: [INFO] Fail: a\nengine.go:206: [INFO] Missing required value: b\n";
    assert_eq!(said.stderr, format!("{told}{log}{told}Error: 1 chart(s) linted, 1 chart(s) failed\n"));
}

#[test]
fn helm_4_tries_an_installation_without_a_cluster_and_says_what_it_will_drop() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    // Port 1 is nobody's.
    let nowhere = ["--kube-apiserver", "http://127.0.0.1:1"];
    let helm = |args: &[&str]| sandbox.run(&[&["helm"], args, &["--helm-dialect", "v4"], &nowhere].concat());
    let tried = helm(&["install", "web", "./shop", "--dry-run=client", "--debug"]).exits(0);
    for text in ["STATUS: pending-install", "USER-SUPPLIED VALUES:\n{}\n", "# Source: shop/templates/all.yaml"] {
        assert!(tried.stdout.contains(text), "{text:?}\n{}", tried.all());
    }
    let unreachable = "kubernetes cluster unreachable: Get \"http://127.0.0.1:1/version\"";
    let refused = helm(&["install", "web", "./shop", "--atomic", "--wait=true"]).exits(1);
    let told: Vec<&str> = refused.stderr.lines().collect();
    assert_eq!(told[0], "Flag --atomic has been deprecated, use --rollback-on-failure instead");
    assert!(told[1].starts_with("level=WARN msg=\"--wait=true is deprecated (boolean value)"), "{}", told[1]);
    assert!(told[2].starts_with("level=ERROR msg=\"cluster reachability check failed: kubernetes"), "{}", told[2]);
    assert!(
        told[3].starts_with(&format!("Error: INSTALLATION FAILED: cluster reachability check failed: {unreachable}"))
    );
    helm(&["upgrade", "web", "./shop"]).exits(1).says(&format!("Error: UPGRADE FAILED: {unreachable}"));
    helm(&["upgrade", "web", "./shop", "-i"]).exits(1).says(&format!("Error: {unreachable}"));
    helm(&["template", "./shop", "--wait=now"]).exits(1).says("invalid wait input \"now\"");
    let three =
        sandbox.run(&[&["helm", "install", "web", "./shop", "--dry-run=client"][..], &nowhere].concat()).exits(1);
    three.says("Error: INSTALLATION FAILED: Kubernetes cluster unreachable");
}
