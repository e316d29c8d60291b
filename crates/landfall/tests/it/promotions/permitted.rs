//! Who may write into a server's book of several systems: roles and tokens of one of them, and what each is refused.

use serde_json::{Value, json};

use super::super::sandbox::{Ran, ran};
use super::super::serving::{Server, application, serve};
use super::{COMMITTED, Place, TOKEN, place};

const POLICY: &str = "p, role:promoter, promotions, create, production/*, allow\np, role:pipe, promotions, witness, test/*, allow\np, role:hold, promotions, hold, test/*, allow\np, role:deaf, applications, get, */*, allow\n";

/// A place whose environments Applications deliver, each of a project of its own, and a server that has looked at them.
fn served() -> (Place, Server) {
    let place = place(COMMITTED);
    let url = place.town.url("acme/shop.git");
    for (environment, namespace, file) in [("test", "shop-test", "test"), ("production", "shop", "production")] {
        place.shop.write(
            &format!("{environment}/web.yaml"),
            &format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web-{environment}, namespace: argocd}}\nspec:\n  project: team-{environment}\n  destination: {{server: https://kubernetes.default.svc, namespace: {namespace}}}\n  source: {{repoURL: '{url}', path: chart, helm: {{releaseName: web, valueFiles: [../{file}.yaml]}}, targetRevision: HEAD}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}\n---\napiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: team-{environment}, namespace: argocd}}\nspec:\n  sourceRepos: ['{url}']\n  destinations: [{{server: '*', namespace: {namespace}}}]\n  clusterResourceWhitelist: [{{group: '', kind: Namespace}}]\n"),
        );
        let releases =
            format!("releases: [{{name: web, chart: chart, namespace: {namespace}, values: [{file}.yaml]}}]");
        place.shop.edit("landfall.yaml", &releases, &format!("applications: {environment}/*.yaml"));
    }
    let checks = "    checks: [{name: web rolls out, rollout: shop-test/Deployment/web, timeout: 3s}]\n";
    place.shop.edit("landfall.yaml", checks, "");
    place.shop.write("policy.csv", POLICY);
    place.push("by Applications");
    let repository = format!("{url}={}", place.bare.display());
    let words = ["test", "production", "--repo", &repository, "--policy", "policy.csv"];
    let server = serve(&place.shop, &words, &[]);
    let cluster = server.cluster();
    for name in ["web-test", "web-production"] {
        server.until(&cluster, &application(name), |it| it.at("/status/summary/images").is_some());
    }
    (place, server)
}

impl Place {
    fn token(&self, words: &[&str]) -> String {
        let words = [&["token", "create", "x", "-o", "name"], words].concat();
        self.shop.run(&words).exits(0).stdout.trim().to_owned()
    }

    fn promote_by(&self, server: &Server, token: &str, more: &[&str]) -> Ran {
        let (url, remote) = (format!("http://{}", server.address), self.town.url("acme/shop.git"));
        let words = ["promote", "--to", "production", "--forge", "gitea", "--yes", "--recorded"];
        let words = [&words[..], &["--server", &url, "--remote", &remote], more].concat();
        let mut command = self.shop.command(&words);
        command.env("USER", "ada").env("LANDFALL_FORGE_TOKEN", TOKEN).env("LANDFALL_FORGE_HOST", self.town.host());
        command.env("LANDFALL_TOKEN", token);
        ran(command.output().expect("the binary runs"))
    }
}

fn post(server: &Server, token: &str, path: &str, body: &Value) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    server.ask("POST", &format!("/api/v1/{path}"), &headers, &body.to_string())
}

#[test]
fn the_role_that_is_documented_promotes_and_nothing_is_written_for_what_its_system_does_not_run() {
    let (place, server) = served();
    let host = place.town.host();
    let (promoter, pipe) = (place.token(&["--role", "role:promoter"]), place.token(&["--role", "role:pipe"]));
    let of_test = place.token(&["--project", "team-test", "--scope", "sync"]);
    let of_other = place.token(&["--project", "team-other", "--scope", "sync"]);
    let holder = place.token(&["--role", "role:hold"]);
    let digest = format!("sha256:{}", "a".repeat(64));
    let line =
        |image: &str, tag: &str| json!([{"image": format!("{host}/acme/{image}"), "tag": tag, "digest": digest}]);
    // Its own system's images a pipeline writes down, and whoever promotes; others' nobody does who is not for all.
    for token in [&pipe, &promoter, &of_test] {
        let (status, told) = post(&server, token, "ledger", &line("web", "0.9.0-alpha.1.1"));
        assert_eq!(status, 202, "{told}");
        let (status, told) = post(&server, token, "ledger", &line("other", "9.9.9"));
        assert!(status == 403 && told.contains("may not write down tags of"), "{status} {told}");
        assert!(told.contains("in an environment of a system here that runs that image"), "{told}");
    }
    let (status, told) = post(&server, &of_other, "ledger", &line("web", "9.9.9"));
    assert_eq!(status, 403, "{told}");
    // Of what nothing runs yet a pipeline writes down what its registry says, and no registry is asked that is nobody's here.
    let first = place.town.publish("acme/fresh", "1.0.0", "7d1f0c5");
    let fresh = |image: String| json!([{"image": image, "tag": "1.0.0", "digest": first}]);
    let (status, told) = post(&server, &pipe, "ledger", &line("fresh", "1.0.0"));
    assert!(status == 403 && told.contains("is another image in its registry"), "{status} {told}");
    let (status, told) = post(&server, &pipe, "ledger", &fresh("127.0.0.1:9/acme/fresh".to_owned()));
    assert!(status == 403 && told.contains("which is not asked"), "{status} {told}");
    let (status, told) = post(&server, &pipe, "ledger", &fresh(format!("{host}/acme/fresh")));
    assert_eq!(status, 202, "{told}");
    let many: Vec<Value> = (0..21).map(|at| line("fresh", &format!("1.0.{at}"))[0].clone()).collect();
    assert_eq!(post(&server, &pipe, "ledger", &Value::from(many)).0, 403);
    // Nor does one hold what is another's.
    let hold = |system: &str| json!({"tag": "0.5.0", "reason": "loses orders", "system": system});
    for (token, system, expected) in [
        (&of_other, "acme/shop shop", 403),
        (&of_other, "", 403),
        (&of_test, "acme/other other", 403),
        (&holder, "", 403),
        (&holder, "acme/other other", 403),
        (&of_test, "acme/shop shop", 202),
        (&holder, "acme/shop shop", 202),
    ] {
        let (status, told) = post(&server, token, "holds", &hold(system));
        assert_eq!(status, expected, "{system} {told}");
    }
    let release = json!({"tag": "0.5.0", "release": true, "system": "acme/shop shop"});
    assert_eq!(post(&server, &holder, "holds", &release).0, 202);
    // What the pipeline saw is enough for who may promote, and for that one alone.
    let tested = place.town.digest("acme/web", "0.5.0-alpha.1.1").expect("published");
    let refused = place.promote_by(&server, &promoter, &["--dry-run"]).exits(5);
    refused.says("LF0974");
    let runs =
        json!({"digest": tested, "environment": "test", "what": "health", "passed": true, "system": "acme/shop shop"});
    let (status, told) = post(&server, &pipe, "evidence", &json!([runs]));
    assert_eq!(status, 202, "{told}");
    let deaf = place.token(&["--role", "role:deaf"]);
    let refused = place.promote_by(&server, &deaf, &["--dry-run"]).exits(5).says("LF0745");
    assert!(refused.all().contains("p, ROLE, promotions, create, ENVIRONMENT/*, allow"), "{}", refused.all());
    place.promote_by(&server, &pipe, &["--dry-run"]).exits(0);
    place.promote_by(&server, &pipe, &[]).exits(5).says("LF0745").says("promotions, create");
    // Refused before anything is given.
    assert_eq!(place.town.digest("acme/web", "0.5.0"), None);
    place.promote_by(&server, &promoter, &["--dry-run"]).exits(0);
    place.promote_by(&server, &promoter, &[]).exits(0);
    assert!(place.main("production.yaml").contains("web:0.5.0'"));
    // What was never begun is not live, nor proposed.
    for state in ["live", "proposed", "written", "failed"] {
        let note = json!({"id": "p", "from": "test", "to": "production", "tag": "9.9.9", "state": state, "said": "so"});
        let (status, told) = post(&server, &promoter, "promotions", &note);
        assert!(status == 409 && told.contains("is not known here"), "{state} {status} {told}");
    }
}
