//! Days of an operator: scaled and rolled back by commits, told apart, traced, explained.

use std::io::Write as _;
use std::time::{Duration, Instant};

use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};

use super::git_server::GitServer;
use super::told::{http, listen, until};
use super::{AUTOMATED, Forge, LUCKYPLANS, SHOP, Server, application, is_synced, serve, web};
use crate::it::sandbox::{Sandbox, small_chart};

/// The shop with the values of an environment of its own, delivered by its Application.
fn prod() -> Forge {
    let forge = Forge::shop(AUTOMATED);
    forge.sandbox.write("chart/prod.yaml", "replicas: 1 # measured\nimage: 'example/app:1.0.0'\n");
    forge.sandbox.edit("apps/shop.yaml", "path: chart}", "path: chart, helm: {valueFiles: [prod.yaml]}}");
    let declared = "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod: {cluster: embedded, applications: apps/*.yaml}\n";
    forge.sandbox.write("landfall.yaml", declared);
    forge.sandbox.commit("production");
    forge.push();
    forge
}

/// Runs a verb that writes to the branch, and brings its commit here.
fn written(forge: &Forge, words: &[&str]) -> String {
    let here = format!("{SHOP}=.");
    let words = [words, &["--env", "prod", "--repo", &here, "--yes", "-o", "json"]].concat();
    let done = forge.sandbox.run(&words).exits(0).json();
    let written = &done["data"]["written"];
    assert_eq!(written["result"], "pushed", "{done:#}");
    forge.sandbox.git(&["pull", "-q", "origin", "main"]);
    written["commit"].as_str().expect("a commit").to_owned()
}

fn image(object: &Object) -> Option<&str> {
    object.str_at("/spec/template/spec/containers/0/image")
}

#[test]
fn lp_058_replicas_are_scaled_by_a_commit_alone_that_the_server_delivers() {
    let forge = prod();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let first = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    let before = forge.sandbox.read("chart/prod.yaml");
    let commit = written(&forge, &["scale", "shop=2"]);
    assert_eq!(forge.sandbox.read("chart/prod.yaml"), before.replace("replicas: 1 ", "replicas: 2 "));
    server.until(&cluster, &application("shop"), |it| is_synced(it, &commit));
    let scaled = server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(2));
    // Nobody but who delivers has written them.
    let owners: Vec<&str> = scaled
        .list_at("/metadata/managedFields")
        .iter()
        .filter(|it| it.pointer("/fieldsV1/f:spec/f:replicas").is_some())
        .filter_map(|it| it["manager"].as_str())
        .collect();
    assert_eq!(owners, ["argocd-controller"], "{:#}", scaled.value());
}

#[test]
fn lp_064_a_rollback_is_a_commit_with_the_tags_before_and_the_workloads_run_the_earlier_images() {
    let forge = prod();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let here = format!("{SHOP}=.");
    let back =
        |more: &[&str]| forge.sandbox.run(&[&["rollback", "--env", "prod", "--repo", &here, "--yes"], more].concat());
    let first = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    let earlier = image(&server.get(&cluster, &web()).expect("delivered")).map(str::to_owned);
    let tagged = written(&forge, &["images", "set", "1.1.0", "--push", "--unchecked"]);
    server.until(&cluster, &application("shop"), |it| is_synced(it, &tagged));
    server.until(&cluster, &web(), |it| image(it) == Some("example/app:1.1.0"));
    // What was done since in the same file stays.
    written(&forge, &["scale", "shop=2"]);
    back(&["--dry-run"]).exits(0).says("chart/prod.yaml:2  image: 1.1.0 -> 1.0.0");
    assert_ne!(forge.sandbox.read("chart/prod.yaml").find("1.1.0"), None);
    let commit = written(&forge, &["rollback"]);
    let told = super::super::scales::git(&forge.bare, &["log", "-1", "--format=%H%n%B", "main"]);
    for text in
        [&commit, "Roll back prod to 1.0.0", &format!("This reverts commit {tagged}."), "Landfall-Cause: rollback"]
    {
        assert!(told.contains(text), "{text} in {told}");
    }
    assert_eq!(forge.sandbox.read("chart/prod.yaml"), "replicas: 2 # measured\nimage: 'example/app:1.0.0'\n");
    server.until(&cluster, &application("shop"), |it| is_synced(it, &commit));
    server.until(&cluster, &web(), |it| {
        image(it).map(str::to_owned) == earlier && it.i64_at("/spec/replicas") == Some(2)
    });
    // A second one would go forward again; where to has to be said.
    back(&[]).exits(1).says("was gone back to already").says("--to TAG");
    back(&["--to", "latest"]).exits(5).says("LF0962").says("nothing was written");
    written(&forge, &["rollback", "--to", "0.9.0", "--unchecked"]);
    server.until(&cluster, &web(), |it| image(it) == Some("example/app:0.9.0"));
    // What somebody has written since is not known here: nothing is written.
    let other = forge.sandbox.read("chart/prod.yaml").replace("0.9.0", "1.2.0");
    forge.sandbox.write("chart/prod.yaml", &other);
    forge.sandbox.commit("run 1.2.0");
    forge.push();
    forge.sandbox.git(&["reset", "-q", "--hard", "HEAD~1"]);
    back(&["--to", "1.0.0", "--unchecked"]).exits(1).says("says 1.2.0 there by now").says("git pull");
}

#[test]
fn lp_060_observability_is_an_application_of_its_own_and_neither_holds_the_other_up() {
    let forge = Forge::of(Sandbox::luckyplans());
    let first = forge.push();
    let server = forge.serve(&["infrastructure/argocd/apps"], LUCKYPLANS, &[]);
    let cluster = server.cluster();
    let [shop, watching] = ["luckyplans-prod", "observability-prod"].map(application);
    for key in [&shop, &watching] {
        let synced = server.until(&cluster, key, |it| is_synced(it, &first));
        assert_eq!(synced.str_at("/spec/project"), Some("default"));
    }
    let components = ["otel-collector", "prometheus", "grafana", "loki", "tempo", "promtail", "redis-exporter"];
    let told = server.get(&cluster, &watching).expect("there").value().to_string();
    for name in components {
        assert!(told.contains(&format!("\"name\":\"{name}\"")), "{name}: {told}");
    }
    // Observability cannot be rendered any more: LuckyPlans is delivered all the same, and the other way round.
    let chart = "infrastructure/helm/observability/templates/namespace.yaml";
    forge.sandbox.write(chart, &format!("{{{{ fail \"not today\" }}}}\n{}", forge.sandbox.read(chart)));
    let second = forge.change("infrastructure/helm/luckyplans/values.prod.yaml", "replicas: 2", "replicas: 3");
    server.until(&cluster, &shop, |it| is_synced(it, &second));
    let broken = server.until(&cluster, &watching, |it| it.str_at("/status/sync/status") == Some("Unknown"));
    assert!(broken.value().to_string().contains("not today"), "{:#}", broken.value());
}

/// What a collector was sent below a path.
fn sent(said: &[String], path: &str) -> Vec<Value> {
    let of_path = said.iter().filter(|text| text.starts_with(&format!("POST {path} ")));
    of_path.filter_map(|text| serde_json::from_str(text.splitn(3, '|').nth(2)?).ok()).collect()
}

#[test]
fn lp_062_a_sync_is_a_trace_whose_id_stands_in_the_log_and_metrics_go_the_same_way() {
    let forge = Forge::shop(AUTOMATED);
    let (port, said) = listen(http, 0);
    let collector = format!("http://127.0.0.1:{port}");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.as_str()), ("OTEL_METRIC_EXPORT_INTERVAL", "100")];
    let server = forge.serve(&["apps"], SHOP, &variables);
    let first = forge.push();
    server.until(&server.cluster(), &application("shop"), |it| is_synced(it, &first));
    let traces = sent(&until(&said, "sync argocd/shop"), "/v1/traces");
    let spans = traces[0]["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans");
    let root = spans.iter().find(|span| span["name"] == "sync argocd/shop").expect("its own");
    let id = root["traceId"].as_str().expect("an id");
    assert!(
        spans.iter().any(|span| span["name"].as_str().is_some_and(|name| name.contains("Deployment"))),
        "{spans:#?}"
    );
    let log = forge.sandbox.root().join("../serve.log");
    let line = || {
        let log = std::fs::read_to_string(&log).expect("read");
        log.lines().find(|line| line.contains(id)).map(str::to_owned)
    };
    forge.sandbox.until("the trace is in the log", || line().is_some());
    let line = line().expect("there");
    assert!(line.contains("sync of argocd/shop") && line.contains(&first) && line.contains("succeeded"), "{line}");
    let metrics = sent(&until(&said, "argocd_app_sync_total\",\"sum\":{\"aggregationTemporality\""), "/v1/metrics");
    let mut all =
        metrics.iter().flat_map(|it| it["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array()).flatten();
    let synced = all.rfind(|it| it["name"] == "argocd_app_sync_total").expect("told");
    let point = &synced["sum"]["dataPoints"][0];
    assert!(point["asInt"].as_str().and_then(|it| it.parse::<u64>().ok()) >= Some(1), "{synced:#}");
    assert!(point["attributes"].to_string().contains("\"shop\""), "{synced:#}");
}

#[test]
fn lp_103_a_push_is_synced_by_its_webhook_and_no_poll_is_waited_for() {
    let (origin, home) = (Sandbox::empty(), Sandbox::empty());
    small_chart(&origin, "chart", "web");
    origin.commit("first");
    origin.git(&["branch", "-q", "-M", "main"]);
    let root = home.root().join("../git");
    std::fs::create_dir(&root).expect("made");
    let bare = root.join("shop.git");
    origin.git(&["init", "-q", "--bare", bare.to_str().expect("text")]);
    origin.git(&["push", "-q", bare.to_str().expect("text"), "main"]);
    let forge = GitServer::plain(&root);
    let url = forge.url("shop.git");
    home.write(
        "apps/shop.yaml",
        &format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"{url}\", targetRevision: main, path: chart}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n  syncPolicy: {AUTOMATED}\n"
        ),
    );
    let server: Server = serve(&home, &["apps"], &[("LANDFALL_WEBHOOK_SECRET", "it")]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    let mut times = Vec::new();
    for number in 2..5 {
        origin.edit("chart/values.yaml", &format!("replicas: {}", number - 1), &format!("replicas: {number}"));
        origin.commit("more");
        origin.git(&["push", "-q", bare.to_str().expect("text"), "main"]);
        let began = Instant::now();
        let push = json!({"ref": "refs/heads/main", "repository": {"clone_url": url}}).to_string();
        let headers = [("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", "it")];
        assert_eq!(server.ask("POST", "/api/webhook", &headers, &push).0, 200);
        server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(number));
        times.push(began.elapsed());
    }
    writeln!(std::io::stderr(), "pushed and delivered in {times:?}").expect("written");
    // A repository elsewhere is polled every 15 s: three that were waited for would have taken longer.
    let poll = Duration::from_secs(15);
    assert!(times.iter().any(|took| *took < poll / 3), "{times:?}");
    assert!(times.iter().sum::<Duration>() < poll * 2, "{times:?}");
}

#[test]
fn lp_112_a_smoke_test_after_a_sync_is_a_hook_whose_failure_and_log_are_told() {
    let forge = Forge::shop("{automated: {}, retry: {limit: 0}, syncOptions: [CreateNamespace=true]}");
    let smoke = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: smoke-test, annotations: {argocd.argoproj.io/hook: PostSync}}\nspec:\n  backoffLimit: 0\n  template: {spec: {restartPolicy: Never, containers: [{name: smoke, image: \"example/curl:1\"}]}}\n";
    forge.sandbox.write("chart/templates/smoke.yaml", smoke);
    forge.sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    applications: apps/*.yaml\n    simulate:\n      smoke-test: {exit: 1, logs: ['FAIL health']}\n      shop: {http: [{path: /health, json: {status: broken}}]}\n",
    );
    forge.sandbox.commit("a smoke test");
    forge.push();
    let server = forge.serve(&["."], SHOP, &[]);
    let cluster = server.cluster();
    let failed =
        server.until(&cluster, &application("shop"), |it| it.str_at("/status/operationState/phase") == Some("Failed"));
    let message = failed.str_at("/status/operationState/message").expect("told");
    assert!(message.contains("Job.batch shop/smoke-test") && message.contains("backoff limit"), "{message}");
    // What it was to check is delivered before it runs.
    assert!(server.get(&cluster, &web()).is_some());
    forge.sandbox.run(&["app", "logs", "shop", "--hook", "smoke-test"]).exits(0).says("FAIL health");
    forge.sandbox.run(&["app", "explain", "shop"]).exits(0).says("landfall app logs argocd/shop --hook smoke-test");
}

#[test]
fn lp_117_what_progresses_for_ever_is_led_back_to_the_pod_and_its_reason() {
    let forge = Forge::shop(AUTOMATED);
    let key = "          env: [{name: K, valueFrom: {secretKeyRef: {name: keys, key: token}}}]\n";
    let all = forge.sandbox.read("chart/templates/all.yaml");
    let first = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    forge.sandbox.write("chart/templates/all.yaml", &format!("{all}{key}"));
    forge.sandbox.commit("wants a secret that nobody brings");
    forge.push();
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/health/status") == Some("Progressing"));
    let pods = ObjectKey::new(Gvk::new("", "v1", "Pod"), Some("shop"), "");
    let blocked = || {
        let options = landfall_cluster::ListOptions { namespace: Some("shop".to_owned()), ..Default::default() };
        let pods = server.runtime.block_on(cluster.list(&pods.gvk, &options)).expect("listed");
        pods.into_iter().find(|it| it.value().to_string().contains("CreateContainerConfigError"))
    };
    forge.sandbox.until("a pod is blocked", || blocked().is_some());
    let name = blocked().expect("there").name().to_owned();
    let why = forge.sandbox.run(&["app", "explain", "shop"]).exits(0);
    for text in ["Progressing", &name, "CreateContainerConfigError", "secret \"keys\" not found"] {
        assert!(why.stdout.contains(text), "{text}: {}", why.all());
    }
}

#[test]
fn lp_122_local_is_delivered_by_hand_and_production_by_itself_after_a_merge() {
    let forge = Forge::of(Sandbox::luckyplans());
    let listed = forge.sandbox.run(&["env", "list", "-o", "json"]).exits(0).json();
    let of = |name: &str| {
        let all = listed["data"].as_array().or_else(|| listed["data"]["environments"].as_array()).expect("a list");
        all.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{listed:#}")).clone()
    };
    // Local: releases from here, no Application, nobody approves. Production: Applications, by themselves.
    assert!(of("local").to_string().contains("luckyplans"), "{listed:#}");
    Sandbox::luckyplans().run(&["up", "--env", "local"]).exits(0);
    assert_eq!(of("prod")["sync"], "auto", "{listed:#}");
    let first = forge.push();
    let server = forge.serve(&["infrastructure/argocd/apps/luckyplans-prod.yaml"], LUCKYPLANS, &[]);
    let cluster = server.cluster();
    let key = application("luckyplans-prod");
    server.until(&cluster, &key, |it| is_synced(it, &first));
    forge.sandbox.git(&["switch", "-q", "-c", "change"]);
    forge.sandbox.edit("infrastructure/helm/luckyplans/values.prod.yaml", "replicas: 2", "replicas: 3");
    forge.sandbox.commit("more replicas");
    forge.sandbox.git(&["push", "-q", "origin", "change"]);
    // What is not merged is not delivered; what is, with nobody's word.
    forge.sandbox.run(&["app", "refresh", "luckyplans-prod"]).exits(0);
    forge.sandbox.git(&["switch", "-q", "main"]);
    forge.sandbox.git(&["merge", "-q", "--no-ff", "-m", "merged", "change"]);
    let merged = forge.push();
    let synced = server.until(&cluster, &key, |it| is_synced(it, &merged));
    assert_eq!(synced.list_at("/status/history").len(), 2, "{:#}", synced.value());
    assert_eq!(synced.at("/status/operationState/operation/initiatedBy"), Some(&json!({"automated": true})));
}

#[test]
fn lp_123_one_process_serves_luckyplans_without_helpers_and_says_how_much_of_it_is_in_memory() {
    let forge = Forge::of(Sandbox::luckyplans());
    let first = forge.push();
    let server = forge.serve(&["infrastructure/argocd/apps"], LUCKYPLANS, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("luckyplans-prod"), |it| is_synced(it, &first));
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.child.id())).expect("it runs");
    let children: String =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok()).collect();
    assert_eq!(children.trim(), "", "neither Dex nor Redis nor a repository server runs beside it");
    let (name, token) = server.own_token();
    let (_, metrics) = server.ask("GET", "/metrics", &[(name, &token)], "");
    let told = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    let told: u64 = told.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{metrics}"));
    let megabytes = told / 1_000_000;
    writeln!(std::io::stderr(), "{megabytes} MB are in memory, unoptimised, the cluster among them").expect("written");
    // The limit of 64 MB is the release build's (docs/benchmarks.md); this one is not optimised.
    assert!((1_000_000..400_000_000).contains(&told), "{told}");
}
