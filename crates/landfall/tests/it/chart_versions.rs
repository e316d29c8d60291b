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

/// With a lock that `helm dependency update` has made, and no archives.
fn locked() -> Place {
    let place = place();
    place.there.run(&["helm", "repo", "add", "shelf", &place.url]).exits(0);
    place.there.run(&["helm", "dependency", "update", "app"]).exits(0);
    std::fs::remove_dir_all(place.there.root().join("app/charts")).expect("removed");
    let lock = place.there.read("app/Chart.lock");
    place.there.write("app/Chart.lock", &format!("# kept\n{lock}"));
    // Its repository has a newer one already, and Chart.yaml named the one before.
    assert!(lock.contains("version: 0.1.0"), "{lock}");
    place.there.commit("locked");
    place.there.git(&["push", "-q", "origin", "HEAD:main"]);
    place
}

#[test]
fn a_charts_lock_follows_in_the_same_commit_and_fits() {
    let place = locked();
    let before = place.main("app/Chart.lock");
    place.scan(&["--push"]).exits(0).says("is on main of");
    let changed = git(&place.bare, &["show", "--format=", "--name-only", "main"]);
    assert_eq!(changed.split_whitespace().collect::<Vec<_>>(), ["app/Chart.lock", "app/Chart.yaml", "gitops/web.yaml"]);
    let after = place.main("app/Chart.lock");
    assert!(after.starts_with("# kept\ndependencies:\n- name: web\n"), "{after}");
    assert!(after.contains("version: 0.2.0\n"), "{after}");
    let line = |text: &str, key: &str| text.lines().find(|it| it.starts_with(key)).map(str::to_owned).expect("there");
    assert_ne!(line(&before, "digest:"), line(&after, "digest:"));
    assert_ne!(line(&before, "generated:"), line(&after, "generated:"));
    place.there.git(&["pull", "-q", "--ff-only", "origin", "main"]);
    place.there.run(&["helm", "dependency", "build", "app"]).exits(0);
    // What lies packed beside it would stay what it is.
    place.there.edit("app/Chart.yaml", "\"0.2.0\"", "\"0.1.0\"");
    place.scan(&[]).exits(0).says("app/charts/web-0.2.0.tgz holds it");
}

#[test]
#[ignore = "asks helm"]
fn oracle_helm_builds_from_the_lock_that_was_written() {
    let helm = oracles::built("helm").unwrap_or_else(|why| panic!("{why}"));
    let place = locked();
    place.scan(&["--push"]).exits(0);
    place.there.git(&["pull", "-q", "--ff-only", "origin", "main"]);
    let home = place.there.root().join("../helm");
    let built = |words: &[&str]| {
        let mut command = std::process::Command::new(&helm);
        command.args(words).current_dir(place.there.root());
        command.env("HELM_CONFIG_HOME", &home).env("HELM_CACHE_HOME", &home).env("HELM_DATA_HOME", &home);
        let ended = command.output().expect("helm runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    built(&["repo", "add", "shelf", &place.url]);
    built(&["dependency", "build", "app"]);
    assert!(place.there.root().join("app/charts/web-0.2.0.tgz").exists());
}

#[test]
fn what_moves_by_itself_or_is_locked_is_told_and_left_alone() {
    let place = place();
    place.there.write("app/Chart.lock", "dependencies: []\n");
    place.there.edit("gitops/web.yaml", "targetRevision: 0.1.0", "targetRevision: 0.x");
    let told = place.scan(&["--push"]).exits(0);
    told.says("app/Chart.lock says it, too, and it was not made for what Chart.yaml says")
        .says("`0.x` is no one version");
    assert_eq!(git(&place.bare, &["rev-list", "--count", "main"]).trim(), "1");
    place.there.edit("landfall.yaml", "semver: 0.x", "numerical: asc");
    place.scan(&[]).exits(2).says("charts have versions");
    assert!(place.url.starts_with("http://"));
}
