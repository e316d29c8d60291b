//! `landfall init` writes a first landfall.yaml for what lies in a directory, and never writes over one.

use super::sandbox::{Sandbox, small_chart};

#[test]
fn a_directory_with_charts_gets_a_file_that_delivers_them() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    small_chart(&sandbox, "charts/api", "api");
    sandbox.write("charts/api/charts/inner/Chart.yaml", "apiVersion: v2\nname: inner\nversion: 0.1.0\n");
    sandbox.write("charts/web/values.prod.yaml", "replicas: 2\n");
    sandbox.write("charts/web/values.local.yaml", "replicas: 1\n");
    sandbox.commit("Begin");
    let dry = sandbox.run(&["init", "--dry-run"]).exits(0);
    assert!(!sandbox.root().join("landfall.yaml").exists());
    let told = sandbox.run(&["init"]).exits(0).says("local: api in api, web in web").says("prod: ");
    told.says("landfall plan").says("landfall up").lacks("inner");
    let written = sandbox.read("landfall.yaml");
    assert_eq!(written, dry.stdout);
    assert!(
        written.contains("{name: web, chart: charts/web, namespace: web, values: [values.prod.yaml]}"),
        "{written}"
    );
    sandbox.run(&["up", "--once"]).exits(0).says("web → embedded/web").says("api → embedded/api");
    sandbox.run(&["plan", "--env", "prod"]).exits(0).says("web → embedded/web");
    // Never written over, nor through a link.
    sandbox.run(&["init"]).exits(2).says("LF0897").says("nothing was written");
    sandbox.run(&["init", "--dry-run"]).exits(2);
    assert_eq!(sandbox.read("landfall.yaml"), written);
    #[cfg(unix)]
    {
        std::fs::remove_file(sandbox.root().join("landfall.yaml")).expect("removed");
        std::os::unix::fs::symlink("../elsewhere.yaml", sandbox.root().join("landfall.yaml")).expect("linked");
        sandbox.run(&["init"]).exits(2).says("LF0897");
        assert!(!sandbox.root().join("../elsewhere.yaml").exists());
    }
}

#[test]
fn applications_stand_in_the_environment_that_they_speak_of() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "helm/web", "web");
    sandbox.write("helm/web/values.prod.yaml", "replicas: 2\n");
    let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec:\n  project: default\n  source: {repoURL: 'https://git.example.com/shop.git', path: helm/web, targetRevision: main, helm: {valueFiles: [values.yaml, values.prod.yaml]}}\n  destination: {server: 'https://kubernetes.default.svc', namespace: shop}\n";
    sandbox.write("argocd/apps/web.yaml", application);
    sandbox.commit("Begin");
    sandbox.run(&["init"]).exits(0).says("prod: Applications of argocd/apps/*.yaml").says("local: web in shop");
    sandbox.run(&["plan", "--repo", "https://git.example.com/shop.git=."]).exits(0).says("web → embedded/shop");
    sandbox.run(&["plan", "--env", "prod", "--repo", "https://git.example.com/shop.git=."]).exits(0);
    let document = sandbox.run(&["init", "helm", "--dry-run", "-o", "json"]).exits(0).json();
    assert_eq!(document["schema"], "landfall.dev/v1/Beginning");
    assert_eq!(document["data"]["charts"][0]["directory"], "web");
}

#[test]
fn a_chart_itself_is_a_system_of_one_and_nothing_is_none() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "my shop", "web");
    sandbox.run(&["init"]).exits(0);
    sandbox.run(&["plan"]).exits(0).says("web → embedded/web");
    sandbox.run(&["-C", "my shop", "init"]).exits(0).says("my-shop");
    sandbox.run(&["-C", "my shop", "plan"]).exits(0).says("web → embedded/web");
    sandbox.write("empty/README", "x");
    sandbox.run(&["init", "empty"]).exits(2).says("LF0823").says("landfall create NAME");
    sandbox.run(&["init", "nowhere"]).exits(2).says("there is no directory `nowhere`");
    assert!(!sandbox.root().join("empty/landfall.yaml").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        small_chart(&sandbox, "closed/web", "web");
        let closed = sandbox.root().join("closed");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).expect("closed");
        let told = sandbox.run(&["init", "closed"]);
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).expect("opened");
        // Whoever is root may write all the same.
        assert!(told.code == 0 || told.all().contains("LF0898"), "{}", told.all());
    }
}
