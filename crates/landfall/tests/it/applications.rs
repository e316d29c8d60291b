//! Argo Applications through `up`: what they come from, what they may do, and what counts as a difference.

use super::sandbox::{Ran, Sandbox, small_chart};

const REPOSITORY: &str = "https://git.example.com/shop.git";
const STAND_IN: &str = "https://git.example.com/shop.git=.";

/// An Application of the namespace `shop`; `spec` holds everything but project and destination.
fn application(sandbox: &Sandbox, name: &str, project: &str, spec: &str) {
    sandbox.write(
        &format!("apps/{name}.yaml"),
        &format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: {project}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n{spec}\n"
        ),
    );
}

fn up(sandbox: &Sandbox, more: &[&str]) -> Ran {
    sandbox.run(&[&["up", "apps", "--repo", STAND_IN], more].concat())
}

fn live(sandbox: &Sandbox, kind: &str, name: &str) -> Option<String> {
    let state = super::inspection::end_state(&sandbox.root().join(".landfall"), "shop");
    state.into_iter().find(|line| line.starts_with(&format!("{kind} {name} ")))
}

#[test]
fn several_sources_make_one_application_and_values_come_from_the_source_that_is_referred_to() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    sandbox.write("config/web.yaml", "settings: {color: green}\n");
    sandbox.write("extra/one.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {a: b}\n");
    application(
        &sandbox,
        "web",
        "default",
        &format!(
            "  sources:\n  - {{repoURL: \"{REPOSITORY}\", path: charts/web, helm: {{valueFiles: [$values/config/web.yaml]}}}}\n  - {{repoURL: \"{REPOSITORY}\", ref: values}}\n  - {{repoURL: \"{REPOSITORY}\", path: extra}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}"
        ),
    );
    sandbox.commit("first");
    up(&sandbox, &[]).exits(0);
    assert!(live(&sandbox, "ConfigMap", "web").is_some_and(|line| line.contains("green")));
    assert!(live(&sandbox, "ConfigMap", "extra").is_some());
    up(&sandbox, &[]).exits(0).says("no changes");
}

#[test]
fn a_directory_is_read_as_its_application_says() {
    let sandbox = Sandbox::empty();
    let config = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    for (path, name) in [("top", "top"), ("deep/in", "in"), ("deep/skip-me", "skipped"), ("notes", "notes")] {
        sandbox.write(&format!("plain/{path}.yaml"), &config(name));
    }
    sandbox.write("plain/readme.md", "not a manifest");
    let spec = |directory: &str| {
        format!(
            "  source: {{repoURL: \"{REPOSITORY}\", path: plain, directory: {directory}}}\n  syncPolicy: {{automated: {{prune: true}}, syncOptions: [CreateNamespace=true]}}"
        )
    };
    application(&sandbox, "plain", "default", &spec("{recurse: true, exclude: '{**/skip-*,notes.yaml}'}"));
    sandbox.commit("first");
    up(&sandbox, &[]).exits(0);
    let there = |name: &str| live(&sandbox, "ConfigMap", name).is_some();
    assert_eq!(["top", "in", "skipped", "notes"].map(there), [true, true, false, false]);
    application(&sandbox, "plain", "default", &spec("{include: notes.yaml}"));
    up(&sandbox, &[]).exits(0);
    assert_eq!(["top", "in", "skipped", "notes"].map(there), [false, false, false, true]);
}

#[test]
fn what_is_not_delivered_yet_is_refused_by_its_name_and_holds_nobody() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    sandbox.write("kustomized/kustomization.yaml", "resources: []\n");
    sandbox.write("jsonnet/a.jsonnet", "{}");
    let simple =
        |rest: &str| format!("  source: {{repoURL: {rest}}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}");
    application(
        &sandbox,
        "chart",
        "default",
        &simple("\"https://charts.example.com\", chart: redis, targetRevision: 1.0.0"),
    );
    application(&sandbox, "registry", "default", &simple("\"oci://registry.example.com/charts/redis\", path: x"));
    application(&sandbox, "kustomized", "default", &simple(&format!("\"{REPOSITORY}\", path: kustomized")));
    application(&sandbox, "jsonnet", "default", &simple(&format!("\"{REPOSITORY}\", path: jsonnet")));
    application(&sandbox, "foreign", "default", &simple("\"https://git.example.com/other.git\", path: x"));
    application(
        &sandbox,
        "lost",
        "default",
        &simple(&format!("\"{REPOSITORY}\", path: charts/web, helm: {{valueFiles: [$nowhere/x.yaml]}}")),
    );
    application(&sandbox, "web", "default", &simple(&format!("\"{REPOSITORY}\", path: charts/web")));
    sandbox.commit("first");
    up(&sandbox, &[])
        .exits(2)
        .says("takes the chart redis from the repository https://charts.example.com")
        .says("comes from the registry oci://registry.example.com/charts/redis")
        .says("`kustomized` is built by Kustomize")
        .says("`jsonnet/a.jsonnet` is Jsonnet")
        .says("--repo https://git.example.com/other.git=DIR")
        .says("no source has the `ref` nowhere");
    assert!(live(&sandbox, "Deployment", "web").is_some());
}

#[test]
fn a_project_bounds_sources_destinations_and_kinds_in_argos_words() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    let project = |bounds: &str| {
        sandbox.write(
            "apps/project.yaml",
            &format!("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: team, namespace: argocd}}\nspec: {bounds}\n"),
        );
    };
    let source = format!(
        "  source: {{repoURL: \"{REPOSITORY}\", path: charts/web}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}"
    );
    application(&sandbox, "web", "team", &source);
    project(
        "{sourceRepos: ['https://git.example.com/others/*'], destinations: [{server: '*', namespace: elsewhere}], namespaceResourceBlacklist: [{group: apps, kind: Deployment}]}",
    );
    sandbox.commit("first");
    up(&sandbox, &[])
        .exits(5)
        .says("application repo https://git.example.com/shop.git is not permitted in project 'team'")
        .says("do not match any of the allowed destinations in project 'team'")
        .says("Resource apps:Deployment is not permitted in project team.");
    assert!(live(&sandbox, "ConfigMap", "web").is_none());
    project("{sourceRepos: ['*'], destinations: [{server: 'https://kubernetes.default.svc', namespace: 'sh*'}]}");
    up(&sandbox, &[]).exits(0);
    assert!(live(&sandbox, "Deployment", "web").is_some());
}

#[test]
fn an_ignored_difference_is_no_reason_to_sync() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    let spec = |ignored: &str| {
        format!(
            "  source: {{repoURL: \"{REPOSITORY}\", path: charts/web}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}\n{ignored}"
        )
    };
    application(&sandbox, "web", "default", &spec(""));
    sandbox.commit("first");
    up(&sandbox, &[]).exits(0);
    let ignored = "  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]";
    application(&sandbox, "web", "default", &spec(ignored));
    up(&sandbox, &["--set", "replicas=2"]).exits(0).says("no changes");
    // Another difference is one, and takes the ignored field along, as in Argo CD.
    up(&sandbox, &["--set", "replicas=2,settings.color=red"]).exits(0);
    assert!(live(&sandbox, "Deployment", "web").is_some_and(|line| line.contains("\"replicas\":2")));
    let respected =
        ignored.replace("  ignore", "  syncPolicy: {syncOptions: [RespectIgnoreDifferences=true]}\n  ignore");
    let text = spec(&respected).replacen("  syncPolicy: {syncOptions: [CreateNamespace=true]}\n", "", 1);
    application(&sandbox, "web", "default", &text);
    up(&sandbox, &["--set", "replicas=3,settings.color=blue"]).exits(0);
    assert!(live(&sandbox, "Deployment", "web").is_some_and(|line| line.contains("\"replicas\":2")));
}
