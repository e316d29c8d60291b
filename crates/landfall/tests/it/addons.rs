//! Addons: from a repository and from a directory, onto whichever cluster a kubeconfig leads to.

use super::sandbox::Sandbox;
use super::shelf::Shelf;
use super::workshop::Workshop;

/// A chart in the shape of an addon's: a kind of its own behind a switch, and three Deployments.
fn addon_chart(sandbox: &Sandbox, path: &str, name: &str, version: &str) {
    sandbox.write(
        &format!("{path}/Chart.yaml"),
        &format!("apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: {version}\n"),
    );
    sandbox.write(&format!("{path}/values.yaml"), "crds: {enabled: false}\nreplicas: 1\n");
    sandbox.write(
        &format!("{path}/templates/crds.yaml"),
        "{{- if .Values.crds.enabled }}\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {kind: Widget, plural: widgets, singular: widget}\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n{{- end }}\n",
    );
    sandbox.write(
        &format!("{path}/templates/workloads.yaml"),
        "{{- range list \"\" \"-webhook\" \"-cainjector\" }}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ printf \"%s%s\" $.Release.Name . }}}\nspec:\n  replicas: {{ $.Values.replicas }}\n  selector: {matchLabels: {app: {{ printf \"%s%s\" $.Release.Name . }}}}\n  template:\n    metadata: {labels: {app: {{ printf \"%s%s\" $.Release.Name . }}}}\n    spec: {containers: [{name: c, image: \"example/c:1\"}]}\n{{- end }}\n",
    );
}

#[test]
fn lp_007_an_addon_is_installed_from_its_repository_waited_for_and_not_touched_again() {
    let shop = Workshop::new("real");
    let sandbox = &shop.sandbox;
    addon_chart(sandbox, "cm", "cert-manager", "v1.17.1");
    sandbox.run(&["package", "cm"]).exits(0);
    let shelf = Shelf::open();
    let archive = std::fs::read(sandbox.root().join("cert-manager-v1.17.1.tgz")).expect("packed");
    shelf.put("charts/cert-manager-v1.17.1.tgz", &archive);
    shelf.put(
        "charts/index.yaml",
        b"apiVersion: v1\nentries:\n  cert-manager:\n    - {apiVersion: v2, name: cert-manager, version: v1.17.1, urls: [cert-manager-v1.17.1.tgz]}\n",
    );
    let repository = format!("{}/charts", shelf.url());
    let addon =
        |words: &[&str]| sandbox.run(&[&["addon"], words, &["--kubeconfig", "kubeconfig", "--state", "own"]].concat());
    let install = || addon(&["install", "cert-manager", "--version", "v1.17.1", "--wait", "--repo", &repository]);
    addon(&["status", "cert-manager"]).exits(4).says("no addon is installed on real");
    let first = install().exits(0).says("cert-manager → real/cert-manager");
    for object in [
        "CustomResourceDefinition/widgets.example.com",
        "Deployment/cert-manager-webhook",
        "Deployment/cert-manager-cainjector",
    ] {
        assert!(first.stdout.contains(object), "{object}: {}", first.all());
    }
    let status = addon(&["status", "-o", "json"]).exits(0).json();
    let workloads = status["data"]["addons"][0]["workloads"].as_array().expect("workloads").clone();
    assert_eq!(workloads.iter().filter(|workload| workload["ready"] == "1/1").count(), 3, "{status}");
    let second = install().exits(0).says("no changes");
    assert!(second.stdout.contains("revision 1"), "{}", second.all());
    addon(&["list"]).exits(0).says("v1.17.1");
    // Helm sees a release like any other.
    sandbox
        .run(&["helm", "list", "-n", "cert-manager", "--kubeconfig", "kubeconfig", "--state", "own"])
        .exits(0)
        .says("cert-manager-v1.17.1");
    let refused = addon(&["install", "cert-manager", "--version", "v9.9.9", "--repo", &repository]);
    refused.exits(1).says("v9.9.9");
    addon(&["install", "cert-manger"]).exits(2).says("did you mean `cert-manager`?");
}

#[test]
fn lp_008_an_environment_has_the_addons_that_it_declares_and_no_others() {
    let sandbox = Sandbox::example("luckyplans");
    let local = sandbox.run(&["addon", "list", "--env", "local", "-o", "json"]).exits(0).json();
    let addons = local["data"]["addons"].as_array().expect("addons");
    assert!(addons.iter().all(|addon| addon["declared"].is_null()), "{local}");
    sandbox.run(&["addon", "install", "--env", "local"]).exits(0).says("environment `local` declares no addons");
    // Nothing of cert-manager's is rendered there, neither kinds nor what asks for them.
    let plan = sandbox.run(&["plan", "--env", "local", "-o", "json"]).exits(0).stdout;
    assert!(plan.contains("Deployment"), "it is a plan");
    assert!(!plan.contains("cert-manager"), "local asks for cert-manager");
}

#[test]
fn ez_012_an_operator_comes_in_one_line_with_its_kinds_before_it_into_a_namespace_of_its_own() {
    let shop = Workshop::new("real");
    let sandbox = &shop.sandbox;
    addon_chart(sandbox, "charts/mariadb-operator", "mariadb-operator", "26.6.0");
    addon_chart(sandbox, "charts/mariadb-operator-crds", "mariadb-operator-crds", "26.6.0");
    sandbox.write("charts/mariadb-operator-crds/values.yaml", "crds: {enabled: true}\nreplicas: 0\n");
    std::fs::remove_file(sandbox.root().join("charts/mariadb-operator-crds/templates/workloads.yaml"))
        .expect("removed");
    let install = |more: &[&str]| {
        let words = ["addon", "install", "mariadb-operator", "--kubeconfig", "kubeconfig", "--state", "own"];
        sandbox.run(&[&words, more].concat())
    };
    install(&["--chart", "charts/mariadb-operator", "--dry-run"]).exits(0).says("Deployment/mariadb-operator-webhook");
    let first = install(&["--chart", "charts/mariadb-operator"]).exits(0);
    let position = |text: &str| first.stdout.find(text).unwrap_or_else(|| panic!("{text}: {}", first.all()));
    assert!(
        position("mariadb-operator-crds → real/mariadb-operator")
            < position("mariadb-operator → real/mariadb-operator")
    );
    install(&["--chart", "charts/mariadb-operator"]).exits(0).says("no changes");
    // Values are the main chart's; another namespace would be a second one of it.
    install(&["--chart", "charts/mariadb-operator", "--set", "replicas=2"])
        .exits(0)
        .says("Deployment/mariadb-operator-webhook");
    install(&["--chart", "charts/mariadb-operator", "-n", "elsewhere"])
        .exits(1)
        .says("installed already, in namespace mariadb-operator");
    install(&["--chart", "chart"]).exits(2).says("is the chart web, not mariadb-operator");
}

#[test]
fn what_landfall_yaml_declares_is_installed_without_naming_it() {
    let shop = Workshop::new("real");
    let sandbox = &shop.sandbox;
    addon_chart(sandbox, "charts/sealed-secrets", "sealed-secrets", "2.17.3");
    sandbox.edit(
        "landfall.yaml",
        "    releases:",
        "    addons: [{name: sealed-secrets, chart: charts/sealed-secrets, namespace: vault}]\n    releases:",
    );
    let addon = |words: &[&str]| {
        sandbox.run(&[&["addon"], words, &["--env", "local", "--kubeconfig", "kubeconfig", "--state", "own"]].concat())
    };
    let up = || sandbox.run(&["up", "--no-build", "--kubeconfig", "kubeconfig", "--state", "own", "--yes"]).exits(0);
    up().says("declares the addon sealed-secrets").says("landfall addon install --env local");
    addon(&["install"]).exits(0).says("sealed-secrets → real/vault");
    assert!(!up().stderr.contains("declares the addon"), "it is there now");
    addon(&["install"]).exits(0).says("no changes");
    let listed = addon(&["list", "-o", "json"]).exits(0).json();
    let found =
        listed["data"]["addons"].as_array().expect("addons").iter().find(|addon| addon["name"] == "sealed-secrets");
    assert_eq!(found.expect("listed")["installed"]["namespace"], "vault");
}

#[test]
fn what_an_operator_makes_itself_once_it_runs_does_not_refuse_its_installation() {
    let shop = Workshop::new("real");
    let sandbox = &shop.sandbox;
    addon_chart(sandbox, "cm", "cert-manager", "v1.17.1");
    sandbox.edit(
        "cm/templates/workloads.yaml",
        "containers: [{name: c, image: \"example/c:1\"}]",
        "containers: [{name: c, image: \"example/c:1\"}], volumes: [{name: v, secret: {secretName: made-by-itself}}]",
    );
    let install = ["addon", "install", "cert-manager", "--chart", "cm", "--no-wait", "--kubeconfig", "kubeconfig"];
    sandbox.run(&[&install[..], &["--state", "own"]].concat()).exits(0).says("made-by-itself");
    // Anything else is refused for it, before it begins.
    sandbox.run(&["up", "./cm", "-n", "cm", "--once", "--state", "embedded"]).exits(5).says("made-by-itself");
}
