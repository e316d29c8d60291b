use super::sandbox::{Sandbox, small_chart};

#[test]
fn a_bare_chart_is_delivered_under_its_own_name() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/with space", "web");
    let up =
        sandbox.run(&["up", "charts/with space", "-n", "shop", "--set", "replicas=2", "-o", "json"]).exits(0).json();
    let unit = &up["data"]["units"][0];
    assert_eq!(unit["name"], "web");
    assert_eq!(unit["namespace"], "shop");
}

#[test]
fn an_archive_is_delivered() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let status = std::process::Command::new("tar")
        .args(["czf", "web.tgz", "web"])
        .current_dir(sandbox.root())
        .status()
        .expect("tar runs");
    assert!(status.success());
    sandbox.run(&["up", "web.tgz"]).exits(0).says("web");
}

#[test]
fn a_git_address_with_a_revision_is_delivered() {
    let origin = Sandbox::empty();
    small_chart(&origin, ".", "web");
    origin.commit("first");
    let sandbox = Sandbox::empty();
    let address = format!("file://{}#main", origin.root().display());
    let up = sandbox.run(&["up", &address, "-o", "json"]).exits(0).json();
    assert_eq!(up["data"]["revision"].as_str().map(str::len), Some(40), "{up:#}");
}

#[test]
fn applications_are_delivered_from_the_own_repository() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    sandbox.write(
        "apps/web.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec:\n  project: default\n  source: {repoURL: \"https://git.example.com/shop.git\", path: charts/web, targetRevision: HEAD}\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n  syncPolicy: {syncOptions: [CreateNamespace=true]}\n",
    );
    sandbox.commit("first");
    sandbox.run(&["up", "apps", "--repo", "https://git.example.com/shop.git=."]).exits(0).says("web");
}

#[test]
fn a_failing_application_does_not_hold_the_other() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/good", "good");
    small_chart(&sandbox, "charts/bad", "bad");
    sandbox.write("charts/bad/templates/oops.yaml", "{{ fail \"no\" }}");
    for name in ["bad", "good"] {
        sandbox.write(
            &format!("apps/{name}.yaml"),
            &format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"https://git.example.com/shop.git\", path: charts/{name}}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: {name}}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}\n"),
        );
    }
    let up = sandbox.run(&["up", "apps", "--repo", "https://git.example.com/shop.git=.", "-o", "json"]).exits(1);
    let up = up.json();
    let outcome = |name: &str| {
        up["data"]["units"].as_array().expect("units").iter().find(|unit| unit["name"] == name).expect("there")["outcome"].clone()
    };
    assert_eq!(outcome("good"), "delivered", "{up:#}");
    assert_eq!(outcome("bad"), "failed");
}

#[test]
fn a_dirty_tree_is_delivered_and_named_so() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.commit("first");
    sandbox.write("web/values.yaml", "replicas: 1\nimage: example/app:1.0.1\nsettings: {color: red}\n");
    let up = sandbox.run(&["up", "web", "-o", "json"]).exits(0).json();
    assert!(up["data"]["revision"].as_str().is_some_and(|revision| revision.contains("+dirty.")), "{up:#}");
    let up = sandbox.run(&["up", "web", "--ref", "HEAD", "-o", "json"]).exits(0).json();
    assert!(up["data"]["revision"].as_str().is_some_and(|revision| !revision.contains('+')), "{up:#}");
}

/// `landfall create x && landfall up x`, and what the summary then suggests, all typed in the same directory.
#[test]
fn what_up_suggests_for_a_chart_works_where_up_was_typed() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    // What lies beside the chart is none of the business of commands that only look.
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", sandbox.root().join("outside")).expect("linked");
    sandbox.run(&["up", "web"]).exits(0);
    assert!(sandbox.root().join(".landfall/cluster.db").exists());
    sandbox.run(&["status"]).exits(0).says("web in default");
    sandbox.run(&["logs", "web"]).exits(0).says("simulated");
    sandbox.run(&["history", "web"]).exits(0).says("default/web");
    sandbox.run(&["down", "--yes"]).exits(0).says("default/web").says("gone");
    assert!(!sandbox.root().join(".landfall").exists());
}

#[test]
fn an_error_of_a_chart_names_its_file_as_seen_from_the_working_directory() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    sandbox.write("charts/web/templates/bad.yaml", "{{ fail \"no\" }}");
    sandbox.run(&["up", "charts/web"]).exits(1).says("charts/web/templates/bad.yaml:1");
    sandbox.write("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- {name: redis, version: 1.x.x, repository: \"https://charts.example.com\"}\n");
    sandbox.run(&["up", "charts/web"]).exits(1).says("landfall dependency build charts/web");
}

#[test]
fn a_chart_may_bring_the_ingress_class_that_the_embedded_cluster_brings_along() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "router", "router");
    let class = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: traefik}\nspec: {controller: traefik.io/ingress-controller}\n";
    sandbox.write("router/templates/class.yaml", class);
    sandbox.run(&["up", "router", "--once"]).exits(0).says("IngressClass/traefik");
}

/// A repository whose system lies in a directory of it, with values outside that.
fn system_below(directory: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, &format!("{directory}/charts/web"), "web");
    sandbox.write(&format!("{directory}/values/test.yaml"), "replicas: 2\n");
    sandbox.write(
        &format!("{directory}/landfall.yaml"),
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  test: {releases: [{name: web, chart: charts/web, values: [values/test.yaml]}]}\n",
    );
    sandbox.write("README.md", "Not delivered.\n");
    sandbox.commit("first");
    sandbox
}

#[test]
fn files_are_named_as_seen_from_where_the_command_works() {
    let sandbox = system_below("infra");
    let asked = ["explain", "deployment/web", "spec.replicas", "--env", "test"];
    sandbox.run(&[&["-C", "infra"], &asked[..]].concat()).exits(0).says("values/test.yaml:1").lacks("infra/");
    sandbox.run(&[&["-C", "infra/charts"], &asked[..]].concat()).exits(0).says("../values/test.yaml:1").lacks("infra");
    sandbox
        .run(&["explain", "infra", "deployment/web", "spec.replicas", "--env", "test"])
        .exits(0)
        .says("infra/values/test.yaml:1");
    // Who wrote the line is found whatever the file is called.
    sandbox.run(&[&["-C", "infra"], &asked[..], &["--blame"]].concat()).exits(0).says("first");
}

#[test]
fn an_environment_that_another_file_declares_is_found_by_its_command() {
    let sandbox = system_below("services/shop");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: all\nenvironments:\n  local: {releases: [{name: web, chart: services/shop/charts/web}]}\n",
    );
    sandbox
        .run(&["images", "list", "--env", "test"])
        .exits(2)
        .says("`services/shop/landfall.yaml` declares it")
        .says("`landfall -C services/shop images list --env test`");
    sandbox.run(&["images", "list", "--env", "nowhere"]).exits(2).lacks("declares it");
    // A commit is no directory to work in.
    sandbox.commit("second");
    let address = format!("file://{}", sandbox.root().display());
    Sandbox::empty()
        .run(&["plan", &address, "--env", "test"])
        .exits(2)
        .says("`services/shop/landfall.yaml` declares it")
        .lacks("-C services/shop");
}
