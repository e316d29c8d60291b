//! A directory of manifests, a kustomization and a chart of Applications as targets.

use std::os::unix::fs::PermissionsExt as _;

use super::sandbox::{Ran, Sandbox, ran, small_chart};

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  \
                   template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: web, image: example/web:1.0.0}]\n";
const SETTINGS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: blue}\n";

#[test]
fn a_directory_of_manifests_is_planned_delivered_explained_and_taken_down() {
    let sandbox = Sandbox::empty();
    sandbox.write("guestbook/web.yaml", WEB);
    sandbox.write("guestbook/README.md", "# Guestbook\n");
    sandbox.write("guestbook/more/settings.yaml", SETTINGS);
    sandbox.write("guestbook/more/samples.yaml", &SETTINGS.replace("settings", "sample"));
    sandbox.commit("first");
    let target = ["guestbook", "-n", "shop", "--recurse", "--exclude", "**/samples.yaml"];
    let with = |verb: &'static str, more: &[&'static str]| {
        let arguments: Vec<&str> = std::iter::once(verb).chain(target).chain(more.iter().copied()).collect();
        sandbox.run(&arguments).exits(0)
    };
    with("plan", &[]).says("settings");
    with("rehearse", &[]);
    let up = with("up", &["-o", "json"]).json();
    let unit = &up["data"]["units"][0];
    assert_eq!((unit["name"].as_str(), unit["namespace"].as_str()), (Some("guestbook"), Some("shop")), "{up:#}");
    let explained = sandbox.run(&["explain", "guestbook", "deploy/web", "-n", "shop"]).exits(0);
    explained.says("guestbook/web.yaml");
    // What is taken out of the directory goes with the next delivery.
    std::fs::remove_file(sandbox.root().join("guestbook/more/settings.yaml")).expect("removed");
    with("up", &[]).says("settings");
    sandbox.run(&["up", "guestbook", "-n", "shop", "--set", "a=b"]).exits(2).says("take no values");
    with("down", &["--yes"]);
}

#[test]
fn one_file_of_manifests_is_delivered_and_none_beside_it() {
    let sandbox = Sandbox::empty();
    sandbox.write("deploy/web.yaml", WEB);
    sandbox.write("deploy/settings.yaml", SETTINGS);
    let up = sandbox.run(&["up", "deploy/web.yaml", "-n", "shop", "-o", "json"]).exits(0).json();
    assert_eq!(up["data"]["units"][0]["name"], "web", "{up:#}");
    let plan = sandbox.run(&["plan", "deploy/web.yaml", "-n", "shop"]).exits(0);
    assert!(!plan.stdout.contains("settings"), "{}", plan.stdout);
}

#[test]
fn a_directory_with_manifests_further_down_alone_says_how_to_take_them() {
    let sandbox = Sandbox::empty();
    sandbox.write("deploy/web/web.yaml", WEB);
    sandbox.run(&["plan", "deploy"]).exits(2).says("--recurse");
}

/// A search path with a `kustomize` that builds what lies in `base`.
fn with_kustomize(sandbox: &Sandbox) -> String {
    let programs = sandbox.root().join("../programs");
    std::fs::create_dir(&programs).expect("made");
    let program = programs.join("kustomize");
    let text = "#!/bin/sh\nwhile IFS= read -r line; do echo \"$line\"; done < \"$2/../base/web.yaml\"\n";
    std::fs::write(&program, text).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"))
}

#[test]
fn a_kustomization_is_built_by_the_users_own_program_and_fetches_nothing() {
    let sandbox = Sandbox::empty();
    sandbox.write("base/kustomization.yaml", "resources: [web.yaml]\n");
    sandbox.write("base/web.yaml", WEB);
    sandbox.write("prod/kustomization.yaml", "resources: [../base]\nnamePrefix: p-\n");
    sandbox.commit("first");
    let path = with_kustomize(&sandbox);
    let run = |arguments: &[&str]| -> Ran {
        let mut command = sandbox.command(arguments);
        ran(command.env("PATH", &path).output().expect("the binary runs"))
    };
    let up = run(&["up", "prod", "-n", "shop", "-o", "json"]).exits(0).json();
    assert_eq!(up["data"]["units"][0]["name"], "prod", "{up:#}");
    // What hits nothing is told, with its line.
    let images = "resources: [../base]\nimages:\n- {name: example/wep, newTag: \"2\"}\n";
    sandbox.write("prod/kustomization.yaml", images);
    let told = run(&["rehearse", "prod", "-n", "shop", "--from", "empty"]);
    assert!(told.stdout.contains("`example/wep`, which no manifest runs"), "{}", told.all());
    assert!(told.stdout.contains("prod/kustomization.yaml:3"), "{}", told.all());
    sandbox.write("prod/kustomization.yaml", "resources: [../base, 'https://git.example.com/a?ref=v1']\n");
    run(&["plan", "prod", "-n", "shop"]).says("which is not in the repository");
    // Kustomize finds fields in any case, and its plug-ins load files of their own.
    let plugin =
        "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: x}\nfiles: ['x=http://127.0.0.1:9/x']\n";
    sandbox.write("prod/gen.yaml", plugin);
    let between = plugin.lines().map(|line| format!("  {line}\n")).collect::<String>();
    for (text, said) in [
        (
            "Resources: ['http://127.0.0.1:9/x.yaml']\n".to_owned(),
            "`http://127.0.0.1:9/x.yaml`, which is not in the repository",
        ),
        ("Resources: [../../../../../../../../../../etc]\n".to_owned(), "which is not in the repository"),
        (
            "configMapGenerator: [{name: a, Files: ['x=http://127.0.0.1:9/x']}]\n".to_owned(),
            "which is not in the repository",
        ),
        ("generators: [gen.yaml]\n".to_owned(), "`http://127.0.0.1:9/x`, which is not in the repository"),
        (format!("generators:\n- |-\n{between}"), "`http://127.0.0.1:9/x`, which is not in the repository"),
        ("resources: [../base]\nsomething: {}\n".to_owned(), "says `something`, which is no field of it"),
    ] {
        sandbox.write("prod/kustomization.yaml", &text);
        for verb in ["plan", "rehearse", "up"] {
            run(&[verb, "prod", "-n", "shop"]).says(said);
        }
    }
}

#[test]
fn a_plug_in_of_somebody_elses_hides_nothing_but_what_it_would_make() {
    let sandbox = Sandbox::empty();
    sandbox.write("base/web.yaml", &WEB.replace("example/web", "example/web:latest"));
    sandbox.write("base/kustomization.yaml", "resources: [web.yaml]\n");
    sandbox.write("prod/kustomization.yaml", "resources: [../base]\ngenerators: [gen.yaml]\n");
    let plugin = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {name: secrets}\nfiles: [secret.enc.yaml]\n";
    sandbox.write("prod/gen.yaml", plugin);
    sandbox.commit("first");
    let path = with_kustomize(&sandbox);
    let run = |arguments: &[&str]| -> Ran {
        let mut command = sandbox.command(arguments);
        ran(command.env("PATH", &path).output().expect("the binary runs"))
    };
    let told = run(&["rehearse", "prod", "-n", "shop", "--from", "empty"]);
    assert!(told.stdout.contains("ksops secrets: "), "{}", told.all());
    assert!(told.stdout.contains("prod/gen.yaml names it"), "{}", told.all());
    assert!(!told.stdout.contains("cleanly"), "{}", told.all());
    // What delivers does without nothing.
    run(&["up", "prod", "-n", "shop"]).exits(1).says("no plug-in of Kustomize's own");
}

#[test]
fn a_chart_that_renders_applications_is_followed_into_them() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    sandbox.write("apps/Chart.yaml", "apiVersion: v2\nname: apps\nversion: 0.1.0\n");
    sandbox.write("apps/values.yaml", "namespace: front\n");
    sandbox.write(
        "apps/templates/web.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec:\n  project: default\n  source: {repoURL: \"https://git.example.com/shop.git\", path: charts/web}\n  destination: {server: \"https://kubernetes.default.svc\", namespace: {{ .Values.namespace }}}\n  syncPolicy: {syncOptions: [CreateNamespace=true]}\n",
    );
    let repository = "https://git.example.com/shop.git=.";
    sandbox.run(&["plan", "apps", "--repo", repository]).exits(0).says("front");
    let up = sandbox.run(&["up", "apps", "--repo", repository, "-o", "json"]).exits(0).json();
    let units = up["data"]["units"].as_array().expect("units");
    let web = units.iter().find(|unit| unit["name"] == "web").expect("the child");
    assert_eq!((web["namespace"].as_str(), web["outcome"].as_str()), (Some("front"), Some("delivered")), "{up:#}");
}

#[test]
fn a_dependency_that_lies_beside_its_chart_needs_no_building() {
    let sandbox = Sandbox::empty();
    sandbox.write("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 0.1.0\n");
    sandbox.write("charts/db/templates/settings.yaml", SETTINGS);
    small_chart(&sandbox, "charts/web", "web");
    let chart = "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- {name: db, version: \">=0.0.0-0\", repository: \"file://../db\"}\n";
    sandbox.write("charts/web/Chart.yaml", chart);
    sandbox.commit("first");
    sandbox.run(&["plan", "charts/web"]).exits(0).says("ConfigMap/settings");
}

#[test]
fn values_are_not_held_against_schemas_where_that_is_said() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("web/values.schema.json", r#"{"properties": {"replicas": {"type": "string"}}}"#);
    sandbox.run(&["plan", "web"]).exits(1);
    sandbox.run(&["plan", "web", "--skip-schema-validation"]).exits(0);
}
