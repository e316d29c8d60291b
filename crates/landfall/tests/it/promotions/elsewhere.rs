//! A promotion that is asked for where the cluster is not that it comes from: the server that keeps it is asked how that stands.

use landfall_object::{Gvk, ObjectKey};
use serde_json::json;

use super::super::sandbox::{Ran, ran};
use super::super::serving::{application, serve};
use super::{COMMITTED, Place, TOKEN, place};

impl Place {
    /// Promotes from a clone on a machine that knows the server alone.
    fn promote_elsewhere(&self, (address, token): (&str, &str), more: &[&str]) -> Ran {
        let elsewhere = self.shop.root().parent().expect("a parent").join("elsewhere");
        if !elsewhere.exists() {
            self.shop.git(&["clone", "-q", &self.bare.display().to_string(), &elsewhere.display().to_string()]);
        }
        let directory = elsewhere.display().to_string();
        let url = format!("http://{address}");
        let remote = self.town.url("acme/shop.git");
        let words = ["promote", "--to", "production", "--forge", "gitea", "--yes", "--dry-run", "-C", &directory];
        let words = [&words[..], &["--server", &url, "--remote", &remote], more].concat();
        let mut command = self.shop.command(&words);
        command.env("USER", "ada").env("LANDFALL_FORGE_TOKEN", TOKEN).env("LANDFALL_FORGE_HOST", self.town.host());
        command.env("LANDFALL_TOKEN", token);
        ran(command.output().expect("the binary runs"))
    }
}

/// Nobody looked: what had been seen before an edit counted.
#[test]
fn who_promotes_from_elsewhere_is_told_what_the_server_finds_and_nothing_that_was_seen_before_counts() {
    let place = place(COMMITTED);
    let url = place.town.url("acme/shop.git");
    place.shop.write(
        "tested/web.yaml",
        &format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web, namespace: argocd}}\nspec:\n  project: default\n  destination: {{server: https://kubernetes.default.svc, namespace: shop-test}}\n  source: {{repoURL: '{url}', path: chart, helm: {{valueFiles: [../test.yaml]}}, targetRevision: HEAD}}\n  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}\n"),
    );
    let releases = "releases: [{name: web, chart: chart, namespace: shop-test, values: [test.yaml]}]";
    place.shop.edit("landfall.yaml", releases, "applications: tested/*.yaml");
    place.push("delivered by a server");
    let repository = format!("{url}={}", place.bare.display());
    let server = serve(&place.shop, &[".", "--env", "test", "--repo", &repository], &[]);
    let cluster = server.cluster();
    let is = |sync: &'static str| {
        move |it: &landfall_object::Object| {
            it.str_at("/status/sync/status") == Some(sync) && it.str_at("/status/health/status") == Some("Healthy")
        }
    };
    server.until(&cluster, &application("web"), is("Synced"));
    // From here it is looked at, and what is seen is written down.
    place.promote(&["--dry-run"]).exits(0);
    let issued = ["token", "create", "boss", "--scope", "read", "--scope", "sync", "-o", "name"];
    let token = place.shop.run(&issued).exits(0).stdout.trim().to_owned();
    let from_elsewhere = |more: &[&str]| place.promote_elsewhere((&server.address, &token), more);
    from_elsewhere(&[]).exits(0);
    // Somebody has another one run.
    let web = ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop-test"), "web");
    server.patch(&cluster, &web, json!({"spec": {"replicas": 2}}));
    server.until(&cluster, &application("web"), is("OutOfSync"));
    from_elsewhere(&[]).exits(5).says("LF0975").says("argocd/web of test is OutOfSync").says("app explain argocd/web");
    from_elsewhere(&["--recorded"]).exits(0);
}
