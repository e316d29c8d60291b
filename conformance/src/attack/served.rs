//! A server that runs, and somebody who may write into its cluster, or into its book of promotions: past the bounds of a project,
//! past the owners of a protected one, into a repository of others.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::Pair;
use super::api::Api;
use super::ground::Ground;
use super::scene::{Scene, Where};
use super::server::Answer;
use super::shop::chart;
use crate::testbed;

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = projects();
    all.extend(statuses());
    all
}

/// What is said of an Application whose chart has arrived.
const DELIVERED: &str = "ConfigMap shop/web is there";
/// What another project's Application wants production to say.
const TAKEN: &str = "taken-over";
/// How long an Application is looked at.
const PATIENCE: Duration = Duration::from_secs(8);
const APPLICATION: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/web";
const SHOP: &str = "https://git.example.com/shop.git";

/// A server of one Application, of a project that is called so.
fn served(project: &str, policy: &str, talk: fn(&Ground) -> anyhow::Result<String>) -> Scene {
    let scene = chart(Scene::new(&["serve"])).file(
        "apps/web.yaml",
        format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web, namespace: argocd}}\nspec:\n  project: {project}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n  source: {{repoURL: \"{SHOP}\", path: web, targetRevision: HEAD}}\n  syncPolicy: {{{policy}syncOptions: [CreateNamespace=true]}}\n"),
    );
    Scene { talk: Some(talk), ..scene }
}

/// A project that lets everything through.
fn project(scene: Scene, name: &str, annotations: &str) -> Scene {
    let text = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: {name}, namespace: argocd, annotations: {{{annotations}}}}}\nspec:\n  sourceRepos: [\"*\"]\n  destinations: [{{server: \"*\", namespace: \"*\"}}]\n  clusterResourceWhitelist: [{{group: \"*\", kind: \"*\"}}]\n"
    );
    scene.file(&format!("apps/{name}.yaml"), text)
}

fn started(scene: Scene) -> Scene {
    scene.commit("first").make(|ground| {
        ground.serve(&["serve", "apps", "--listen", "127.0.0.1:0", "--repo", "https://git.example.com/shop.git=."])
    })
}

/// Looks at an Application until its chart has arrived, or a condition of it says that it will not.
fn watched(api: &Api, held: &str) -> anyhow::Result<String> {
    let began = Instant::now();
    loop {
        let (found, _) = api.admin(Method::GET, "/api/v1/namespaces/shop/configmaps/web", &Value::Null)?;
        if found == 200 {
            return Ok(DELIVERED.to_owned());
        }
        let (_, application) = api.admin(Method::GET, APPLICATION, &Value::Null)?;
        let conditions = application["status"]["conditions"].as_array().into_iter().flatten();
        let mut said = conditions.filter(|it| it["type"] == held).filter_map(|it| it["message"].as_str());
        if let Some(said) = said.next() {
            return Ok(said.to_owned());
        }
        ensure!(began.elapsed() < PATIENCE, "nothing came of it: {}", application["status"]);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Projects that are not there, and protected ones that somebody takes an Application out of.
fn projects() -> Vec<Pair> {
    const AUTOMATED: &str = "automated: {}, ";
    fn compared(ground: &Ground) -> anyhow::Result<String> {
        watched(&Api::of(ground)?, "InvalidSpecError")
    }
    fn patched(ground: &Ground) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let began = Instant::now();
        while api.admin(Method::GET, APPLICATION, &Value::Null)?.1["status"]["sync"]["status"] != "OutOfSync" {
            ensure!(began.elapsed() < PATIENCE, "it was never compared");
            std::thread::sleep(Duration::from_millis(50));
        }
        let patch = json!([
            {"op": "replace", "path": "/spec/project", "value": "default"},
            {"op": "add", "path": "/spec/syncPolicy/automated", "value": {}},
        ]);
        let (status, answer) = api.admin(Method::PATCH, APPLICATION, &patch)?;
        ensure!(status == 200, "it cannot be patched: {status} {answer}");
        watched(&api, "SideDoorWarning")
    }
    fn rivalled(ground: &Ground) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        ensure!(watched(&api, "ComparisonError")? == DELIVERED, "production is not there");
        let rival = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "rival", "namespace": "argocd"},
            "spec": {
                "project": "default", "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                "source": {
                    "repoURL": SHOP, "path": "web", "targetRevision": "HEAD",
                    "helm": {"releaseName": "web", "parameters": [{"name": "greeting", "value": TAKEN}]},
                },
                "syncPolicy": {"automated": {}, "retry": {"limit": 0}},
            },
        });
        let (all, one) = ("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications", "/rival");
        let (status, answer) = api.admin(Method::POST, all, &rival)?;
        ensure!(status == 201, "it cannot be made: {status} {answer}");
        let began = Instant::now();
        loop {
            let (_, config) = api.admin(Method::GET, "/api/v1/namespaces/shop/configmaps/web", &Value::Null)?;
            if config["data"].to_string().contains(TAKEN) {
                return Ok(format!("{TAKEN} by another project"));
            }
            let (_, application) = api.admin(Method::GET, &format!("{all}{one}"), &Value::Null)?;
            let state = &application["status"]["operationState"];
            if let (Some("Failed" | "Error"), Some(said)) = (state["phase"].as_str(), state["message"].as_str()) {
                return Ok(said.to_owned());
            }
            ensure!(began.elapsed() < PATIENCE, "nothing came of it: {}", application["status"]);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let guarded = |annotations: &str| started(project(served("prod", "", patched), "prod", annotations));
    let shared = |annotations: &str| started(project(served("prod", AUTOMATED, rivalled), "prod", annotations));
    vec![
        (
            "projects that are not there",
            "of an automated Application",
            started(served("team", AUTOMATED, compared))
                .well(&["project team which does not exist"])
                .hides(&[DELIVERED]),
            started(project(served("team", AUTOMATED, compared), "team", "")).well(&[DELIVERED]),
        ),
        (
            "protected projects",
            "left by a patch",
            guarded("landfall.dev/protected: \"true\"")
                .well(&["it belongs to project prod, and names default"])
                .hides(&[DELIVERED]),
            guarded("").well(&[DELIVERED]),
        ),
        (
            "protected projects",
            "taken over by another project",
            shared("landfall.dev/protected: \"true\"").well(&["whose project prod is protected"]).hides(&[TAKEN]),
            shared("").well(&[TAKEN]),
        ),
    ]
}

/// A promotion that somebody writes down, and that is withdrawn: its commit is turned red.
fn statuses() -> Vec<Pair> {
    const COMMIT: &str = "7d1f0c5e9b8a4c6d2e3f1a0b9c8d7e6f5a4b3c2d";
    fn withdrawn(ground: &Ground, repository: &str) -> anyhow::Result<String> {
        let serving: Value = serde_json::from_slice(&fs::read(ground.path(".landfall/serve.json"))?)?;
        let text = |key: &str| serving[key].as_str().with_context(|| format!("no {key}"));
        let (address, token) = (text("address")?, text("token")?);
        let digest = format!("sha256:{}", "a".repeat(64));
        let forge = json!({"kind": "gitea", "api": ground.told("http://@OTHER@/api/v1"), "repository": repository});
        let promotion = json!({
            "id": "one", "from": "test", "to": "production", "tag": "0.5.0", "state": "proposed", "said": "so",
            "detail": {"forge": forge, "commit": COMMIT, "images": [{"digest": digest}]},
        });
        let failed = json!([{"digest": digest, "environment": "test", "what": "check home", "passed": false}]);
        crate::http::install_crypto();
        let client = reqwest::Client::new();
        let mut told = String::new();
        for (path, body) in [("promotions", promotion), ("evidence", failed)] {
            let request = client.post(format!("http://{address}/api/v1/{path}")).bearer_auth(token);
            let request = request.header("Content-Type", "application/json").body(body.to_string());
            let status = testbed::runtime()?.block_on(request.send())?.status();
            told.push_str(&format!("{path} answered {}\n", status.as_u16()));
        }
        Ok(told)
    }
    let scene = |talk: fn(&Ground) -> anyhow::Result<String>| {
        let scene = chart(Scene::new(&["serve"])).commit("first");
        let scene = scene.answer(Where::Other, "/api/v1/repos/", Answer { status: 201, ..Answer::new("{}") });
        let scene = scene.variable("LANDFALL_FORGE_TOKEN", "a-forges-own").variable("LANDFALL_FORGE_KIND", "gitea");
        let scene = scene.variable("LANDFALL_FORGE_HOST", "http://@OTHER@").make(|ground| {
            ground.serve(&["serve", "--listen", "127.0.0.1:0", "--repo", "http://@OTHER@/acme/shop.git=."])
        });
        Scene { talk: Some(talk), ..scene }.well(&["evidence answered 202"])
    };
    vec![(
        "statuses for a forge",
        "in a repository of others",
        scene(|ground| withdrawn(ground, "acme/other")).withholds(&["/repos/acme/other/", "a-forges-own"]),
        scene(|ground| withdrawn(ground, "acme/shop")).asks(&["POST /api/v1/repos/acme/shop/statuses/"]),
    )]
}
