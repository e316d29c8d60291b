//! Argo Applications through `up`: what they come from, what they may do, and what counts as a difference.

use serde_json::json;

use super::sandbox::{Ran, Sandbox, ran, small_chart};

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
fn patterns_of_values_files_are_all_files_that_they_fit_in_the_order_of_a_walk() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    for (file, color) in [("a", "red"), ("z", "blue"), ("below/b", "green"), ("last", "white")] {
        sandbox.write(&format!("config/envs/{file}.yaml"), &format!("settings: {{color: {color}}}\n"));
    }
    sandbox.write("outside.yaml", "settings: {color: black}\n");
    let colored = |files: &str| {
        let source = format!(
            "  sources:\n  - {{repoURL: \"{REPOSITORY}\", path: charts/web, helm: {{{files}}}}}\n  - {{repoURL: \"{REPOSITORY}\", ref: values}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}"
        );
        application(&sandbox, "web", "default", &source);
        sandbox.commit("next");
        let ran = up(&sandbox, &[]);
        let line = live(&sandbox, "ConfigMap", "web").unwrap_or_default();
        (ran, ["red", "blue", "green", "white", "black"].into_iter().find(|color| line.contains(color)))
    };
    assert_eq!(colored("valueFiles: ['$values/config/envs/[az].yaml']").1, Some("blue"));
    // A directory's own files come before those below it.
    assert_eq!(colored("valueFiles: ['../../config/envs/**/*.yaml']").1, Some("green"));
    assert_eq!(colored("valueFiles: ['/config/**/*.yaml', $values/config/envs/a.yaml]").1, Some("red"), "by itself");
    assert_eq!(colored("valueFiles: ['/config/envs/la?t.yaml'], ignoreMissingValueFiles: true").1, Some("white"));
    let (ran, _) = colored("valueFiles: ['$values/config/*.yaml']");
    ran.exits(2).says("no values file fits `$values/config/*.yaml`");
    let (ran, _) = colored("valueFiles: ['../../../*/outside.yaml'], ignoreMissingValueFiles: true");
    assert_ne!(ran.code, 0, "{}", ran.all());
    colored("valueFiles: ['/config/*.yaml', '/outside.yaml'], ignoreMissingValueFiles: true").0.exits(0);
}

#[test]
fn what_was_not_delivered_is_waited_for_by_no_check() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    let source = format!(
        "  source: {{repoURL: \"{REPOSITORY}\", path: charts/web}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}"
    );
    application(&sandbox, "web", "team", &source);
    application(&sandbox, "free", "default", &source);
    sandbox.write(
        "apps/project.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: team, namespace: argocd}\nspec: {sourceRepos: [], destinations: [{server: '*', namespace: '*'}]}\n",
    );
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    cluster: embedded\n    applications: apps/*.yaml\n    checks:\n      - {name: site, http: \"http://shop.test/\"}\n",
    );
    sandbox.commit("first");
    let up = sandbox.run(&["up", "--repo", STAND_IN, "-o", "json"]).exits(5).says("is not permitted in project 'team'");
    let site = up.json()["data"]["checks"][0].clone();
    assert_eq!((&site["name"], &site["tries"]), (&json!("site"), &json!(1)), "{site}");
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
    // Argo CD itself wrote settings for Jsonnet there; without its files they say nothing.
    application(&sandbox, "plain", "default", &spec("{include: notes.yaml, jsonnet: {libs: [lib]}}"));
    up(&sandbox, &[]).exits(0);
    assert_eq!(["top", "in", "skipped", "notes"].map(there), [false, false, false, true]);
}

#[test]
fn what_is_not_delivered_yet_is_refused_by_its_name_and_holds_nobody() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    sandbox.write("kustomized/kustomization.yaml", "resources: [nowhere.yaml]\n");
    sandbox.write("jsonnet/a.jsonnet", "{}");
    let simple =
        |rest: &str| format!("  source: {{repoURL: {rest}}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}");
    application(&sandbox, "kustomized", "default", &simple(&format!("\"{REPOSITORY}\", path: kustomized")));
    application(&sandbox, "jsonnet", "default", &simple(&format!("\"{REPOSITORY}\", path: jsonnet")));
    let hydrated = "  sourceHydrator: {drySource: {path: web}, syncSource: {targetBranch: env, path: web}}\n";
    let plain = simple(&format!("\"{REPOSITORY}\", path: charts/web"));
    application(&sandbox, "hydrated", "default", &format!("{hydrated}{plain}"));
    application(&sandbox, "foreign", "default", &simple("\"https://git.example.com/other.git\", path: x"));
    application(
        &sandbox,
        "lost",
        "default",
        &simple(&format!("\"{REPOSITORY}\", path: charts/web, helm: {{valueFiles: [$nowhere/x.yaml]}}")),
    );
    application(&sandbox, "web", "default", &plain);
    sandbox.commit("first");
    up(&sandbox, &[])
        .exits(2)
        .says("spec.sourceHydrator: no branch is filled")
        .says("Application kustomized: ")
        .says("`jsonnet/a.jsonnet` is Jsonnet")
        .says("--repo https://git.example.com/other.git=DIR")
        .says("no source has the `ref` nowhere");
    assert!(live(&sandbox, "Deployment", "web").is_some());
}

#[test]
fn se_092_a_project_bounds_sources_destinations_and_kinds_in_argos_words() {
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
fn down_leaves_what_the_project_does_not_let_its_application_have_any_more() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    let project = |bounds: &str| {
        sandbox.write(
            "apps/project.yaml",
            &format!("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: team, namespace: argocd}}\nspec: {{sourceRepos: ['*'], destinations: [{{server: '*', namespace: shop}}]{bounds}}}\n"),
        );
    };
    let source = format!(
        "  source: {{repoURL: \"{REPOSITORY}\", path: charts/web}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}"
    );
    application(&sandbox, "web", "team", &source);
    project("");
    sandbox.commit("first");
    up(&sandbox, &[]).exits(0);
    project(", namespaceResourceBlacklist: [{group: apps, kind: Deployment}]");
    sandbox
        .run(&["down", "apps", "--repo", STAND_IN, "--yes", "--keep-data"])
        .exits(0)
        .says("Deployment.apps shop/web is outside the bounds of project team and stays");
    assert!(live(&sandbox, "Deployment", "web").is_some(), "it was taken along");
    assert!(live(&sandbox, "ConfigMap", "web").is_none(), "it stayed");
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

/// A chart of one ConfigMap that has its chart's name and its settings.
fn settings_chart(sandbox: &Sandbox, path: &str, name: &str) {
    sandbox.write(&format!("{path}/Chart.yaml"), &format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n"));
    sandbox.write(&format!("{path}/values.yaml"), "settings: {color: blue}\n");
    sandbox.write(
        &format!("{path}/templates/settings.yaml"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\ndata: {{ toJson .Values.settings }}\n",
    );
}

/// A repository on loopback with the chart `web` in two versions.
fn repository(sandbox: &Sandbox) -> std::sync::Arc<super::shelf::Shelf> {
    let shelf = super::shelf::Shelf::open();
    settings_chart(sandbox, "elsewhere/web", "web");
    sandbox.write("elsewhere/web/values-green.yaml", "settings: {color: green}\n");
    let mut index = "apiVersion: v1\nentries:\n  web:\n".to_owned();
    for version in ["1.2.3", "2.0.0-rc.1"] {
        sandbox.run(&["package", "elsewhere/web", "--version", version, "-d", "packed"]).exits(0);
        let name = format!("web-{version}.tgz");
        shelf.put(&name, &std::fs::read(sandbox.root().join("packed").join(&name)).expect("packed"));
        index.push_str(&format!("  - {{apiVersion: v2, name: web, version: {version}, urls: [{name}]}}\n"));
    }
    shelf.put("index.yaml", index.as_bytes());
    std::fs::remove_dir_all(sandbox.root().join("elsewhere")).expect("there");
    shelf
}

#[test]
fn an_application_takes_its_chart_from_a_repository_and_the_second_time_without_network() {
    let sandbox = Sandbox::empty();
    let shelf = repository(&sandbox);
    let spec = |version: &str| {
        format!(
            "  source: {{repoURL: \"{}\", chart: web, targetRevision: {version}, helm: {{valueFiles: [values-green.yaml]}}}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}",
            shelf.url()
        )
    };
    application(&sandbox, "web", "default", &spec("1.*"));
    up(&sandbox, &[]).exits(0);
    assert!(live(&sandbox, "ConfigMap", "web").is_some_and(|line| line.contains("green")));
    application(&sandbox, "web", "default", &spec("1.2.3"));
    up(&sandbox, &[]).exits(0).says("no changes");
    let asked = shelf.seen().len();
    up(&sandbox, &[]).exits(0).says("no changes");
    assert_eq!(shelf.seen().len(), asked, "{:?}", shelf.seen());
    // A version with numbers left out is a range, which may mean another one tomorrow.
    application(&sandbox, "web", "default", &spec("\"1\""));
    up(&sandbox, &[]).exits(0).says("no changes");
    let asked = shelf.seen().len();
    up(&sandbox, &[]).exits(0).says("no changes");
    assert!(shelf.seen().len() > asked, "{:?}", shelf.seen());
    application(&sandbox, "web", "default", &spec("3.x"));
    up(&sandbox, &[]).exits(1).says("chart \"web\" version \"3.x\" not found").says("apps/web.yaml");
    // Nothing listens on this port.
    let lost = "  source: {repoURL: \"http://127.0.0.1:1\", chart: web, targetRevision: 1.0.0}";
    application(&sandbox, "web", "default", lost);
    up(&sandbox, &[]).exits(6).says("127.0.0.1:1 does not answer").says("connection refused");
    application(&sandbox, "web", "default", &lost.replace("http://", "oci://"));
    up(&sandbox, &[]).exits(6).says("127.0.0.1:1 does not answer").says("Application web takes it from there");
}

#[test]
fn what_a_chart_needs_and_lacks_is_built_as_argo_cd_builds_it() {
    let sandbox = Sandbox::empty();
    let shelf = repository(&sandbox);
    sandbox.write(
        "charts/parent/Chart.yaml",
        &format!(
            "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n- {{name: web, version: ~1.2, repository: \"{}\"}}\n- {{name: near, version: 0.1.0, repository: \"file://../near\"}}\n",
            shelf.url()
        ),
    );
    sandbox.write("charts/parent/values.yaml", "web: {settings: {color: red}}\n");
    settings_chart(&sandbox, "charts/near", "near");
    let spec = format!(
        "  source: {{repoURL: \"{REPOSITORY}\", path: charts/parent}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}"
    );
    application(&sandbox, "parent", "default", &spec);
    sandbox.commit("first");
    up(&sandbox, &[]).exits(0);
    assert!(live(&sandbox, "ConfigMap", "web").is_some_and(|line| line.contains("red")));
    assert!(live(&sandbox, "ConfigMap", "near").is_some());
}

#[test]
fn helms_list_of_repositories_is_no_matter_of_what_takes_nothing_from_one() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("repositories.yaml", "{ this is no list");
    let mut command = sandbox.command(&["plan", "web"]);
    command.env("HELM_REPOSITORY_CONFIG", sandbox.root().join("repositories.yaml"));
    ran(command.output().expect("runs")).exits(0);
}

#[test]
fn the_repository_that_stands_in_for_itself_is_rehearsed_at_both_revisions() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    application(
        &sandbox,
        "web",
        "default",
        &format!(
            "  source: {{repoURL: \"{REPOSITORY}\", path: charts/web}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}"
        ),
    );
    sandbox.edit("charts/web/values.yaml", "blue", "green");
    sandbox.commit("first");
    sandbox.edit("charts/web/values.yaml", "green", "white");
    sandbox.commit("second");
    sandbox.edit("charts/web/values.yaml", "white", "never");
    let rehearsed = sandbox.run(&["rehearse", "apps", "HEAD~1..HEAD", "--repo", STAND_IN]).exits(0);
    let rehearsed = rehearsed.says("~ ConfigMap/web").says("green → white");
    assert!(!rehearsed.all().contains("never"), "{}", rehearsed.all());
}

#[test]
fn what_only_looks_keeps_fetched_charts_in_a_directory_of_ours() {
    let sandbox = Sandbox::empty();
    let shelf = repository(&sandbox);
    let spec = format!("  source: {{repoURL: \"{}\", chart: web, targetRevision: 1.2.3}}", shelf.url());
    application(&sandbox, "web", "default", &spec);
    let plan = || sandbox.run(&["plan", "apps"]).exits(0).says("ConfigMap");
    plan();
    assert!(sandbox.root().join(".landfall/made-here.json").exists());
    let asked = shelf.seen().len();
    let again = plan();
    assert!(!again.all().contains("LF0618"), "{}", again.all());
    assert_eq!(shelf.seen().len(), asked, "{:?}", shelf.seen());
}

/// A program in place of Kustomize: it says what it was given.
const KUSTOMIZE: &str = r#"#!/bin/sh
[ "$1" = build ] || exit 3
[ -f "$2/../base/web.yaml" ] || exit 4
prefixed="$(/bin/grep -c 'namePrefix: p-' "$2/kustomization.yaml")"
git --version >/dev/null 2>&1 && exit 5
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: built}\ndata: {prefixed: "%s"}\n' "$prefixed"
"#;

#[test]
fn the_users_kustomize_builds_a_copy_of_the_files_and_finds_no_other_program_there() {
    let sandbox = Sandbox::empty();
    sandbox.write("base/kustomization.yaml", "resources: [web.yaml]\n");
    sandbox.write("base/web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n");
    sandbox.write("env/kustomization.yaml", "resources: [../base]\n");
    sandbox.write("far/kustomization.yaml", "resources: ['https://git.example.com/base?ref=v1']\n");
    let source = |path: &str| {
        format!(
            "  source: {{repoURL: \"{REPOSITORY}\", path: {path}, kustomize: {{namePrefix: p-}}}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}"
        )
    };
    application(&sandbox, "env", "default", &source("env"));
    application(&sandbox, "far", "default", &source("far"));
    sandbox.commit("first");
    let programs = sandbox.root().join("../programs");
    std::fs::create_dir(&programs).expect("made");
    let program = programs.join("kustomize");
    std::fs::write(&program, KUSTOMIZE).expect("written");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
    let mut up = sandbox.command(&["up", "apps", "--repo", STAND_IN]);
    let ran = super::sandbox::ran(up.env("PATH", path).output().expect("the binary runs"));
    ran.says("names `https://git.example.com/base?ref=v1`, which is not in the repository");
    assert!(live(&sandbox, "ConfigMap", "built").is_some_and(|line| line.contains("prefixed")));
    assert_eq!(
        sandbox.read("env/kustomization.yaml"),
        "resources: [../base]\n",
        "what is delivered from stays as it is"
    );
}
