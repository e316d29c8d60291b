//! `landfall images scan` for charts: which newer versions there are, and the lines that take them.

use super::charts::repository;
use super::sandbox::{Ran, Sandbox, small_chart};
use super::scales::git;

struct Place {
    there: Sandbox,
    bare: std::path::PathBuf,
    url: String,
}

/// An Application and a chart that take `web` from a repository of charts.
fn place() -> Place {
    let there = Sandbox::empty();
    let shelf = repository(&there);
    std::fs::remove_dir_all(there.root().join("made")).expect("removed");
    std::fs::remove_dir_all(there.root().join("shelf")).expect("removed");
    let url = shelf.url();
    small_chart(&there, "app", "app");
    let chart = there.read("app/Chart.yaml");
    there.write(
        "app/Chart.yaml",
        &format!("{chart}dependencies:\n  - {{name: web, version: \"0.1.0\", repository: '{url}'}} # ours\n"),
    );
    there.write(
        "gitops/web.yaml",
        &format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web, namespace: argocd}}\nspec:\n  project: default\n  destination: {{server: https://kubernetes.default.svc, namespace: shop}}\n  source: {{repoURL: '{url}', chart: web, targetRevision: 0.1.0}} # taken\n"),
    );
    there.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod:\n    cluster: embedded\n    applications: gitops/*.yaml\n    releases: [{name: app, chart: app, namespace: shop}]\n    images: {policy: semver, follow: [{chart: web, semver: 0.x}]}\n",
    );
    there.commit("first");
    let bare = there.root().join("../shop.git");
    there.git(&["clone", "-q", "--bare", ".", "../shop.git"]);
    there.git(&["remote", "add", "origin", "../shop.git"]);
    Place { there, bare, url }
}

impl Place {
    fn scan(&self, more: &[&str]) -> Ran {
        self.there.run(&[&["images", "scan", "--env", "prod"], more].concat())
    }

    fn main(&self, file: &str) -> String {
        git(&self.bare, &["show", &format!("main:{file}")])
    }
}

#[test]
fn newer_versions_of_charts_are_told_and_one_commit_a_chart_takes_them() {
    let place = place();
    let looked = place.scan(&["-o", "json"]).exits(0).json();
    let charts = looked["data"]["charts"].as_array().expect("a list");
    let shown: Vec<_> =
        charts.iter().map(|it| (&it["set_at"], &it["now"], &it["chosen"])).map(|it| format!("{it:?}")).collect();
    assert_eq!(charts.len(), 2, "{looked:#}");
    assert!(shown[0].contains("gitops/web.yaml:7") && shown[0].contains("0.2.0"), "{shown:?}");
    assert!(shown[1].contains("app/Chart.yaml:5") && shown[1].contains("0.2.0"), "{shown:?}");
    place.scan(&[]).exits(0).says("gitops/web.yaml:7");
    assert_eq!(git(&place.bare, &["rev-list", "--count", "main"]).trim(), "1");
    let before = (place.main("gitops/web.yaml"), place.main("app/Chart.yaml"));
    place.scan(&["--push"]).exits(0).says("is on main of");
    assert_eq!(git(&place.bare, &["rev-list", "--count", "main"]).trim(), "2", "one commit for the chart");
    assert_eq!(place.main("gitops/web.yaml"), before.0.replace("targetRevision: 0.1.0", "targetRevision: 0.2.0"));
    assert_eq!(place.main("app/Chart.yaml"), before.1.replace("\"0.1.0\"", "\"0.2.0\""));
    let told = git(&place.bare, &["log", "-1", "--format=%s%n%b", "main"]);
    assert!(told.starts_with("Take web 0.2.0 in prod\n") && told.contains("Landfall-Chart: web:0.2.0"), "{told}");
    place.scan(&["--push"]).exits(0).says("it is so already");
    // What was gone back from is not taken again, wherever this clone stands.
    place.there.git(&["pull", "-q", "--ff-only", "origin", "main"]);
    place.there.git(&["revert", "--no-edit", "HEAD"]);
    place.there.git(&["push", "-q", "origin", "HEAD:main"]);
    place.scan(&["--push"]).exits(0).says("went back from 0.2.0 to 0.1.0");
    assert_eq!(git(&place.bare, &["rev-list", "--count", "main"]).trim(), "3");
}

#[test]
fn what_moves_by_itself_or_is_locked_is_told_and_left_alone() {
    let place = place();
    place.there.write("app/Chart.lock", "dependencies: []\n");
    place.there.edit("gitops/web.yaml", "targetRevision: 0.1.0", "targetRevision: 0.x");
    let told = place.scan(&["--push"]).exits(0);
    told.says("app/Chart.lock says it, too").says("`0.x` is no one version");
    assert_eq!(git(&place.bare, &["rev-list", "--count", "main"]).trim(), "1");
    place.there.edit("landfall.yaml", "semver: 0.x", "numerical: asc");
    place.scan(&[]).exits(2).says("charts have versions");
    assert!(place.url.starts_with("http://"));
}
