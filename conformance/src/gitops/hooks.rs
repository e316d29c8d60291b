//! Rows about hooks, kinds and what admission says.

use std::time::{Duration, Instant};

use anyhow::ensure;
use hyper::Method;
use landfall_object::{Gvk, ObjectKey};
use serde_json::json;

use super::api::{app, push_two, settings, synced, times_made, write_shop};
use super::between::Verdict;
use super::scene::{AUTOMATED, config_map, deployment, hook};
use super::{Ground, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("hook_deleted_externally", "a hook that somebody deletes while it runs ends its sync within 30 s", deleted),
    row("hook_ttl_after_finished", "a hook that removes itself once it has ended has ended", removes_itself),
    row("hook_finalizer_leak", "behind a sync no hook is held by a finalizer of ours", no_finalizer),
    row(
        "partial_hooks",
        "of three hooks before a sync two fail: nothing is delivered, what is for a failure runs once",
        partial,
    ),
    row("immutable_422", "what cannot be changed is refused before anything of the commit is touched", immutable),
    row("crd_and_cr_same_wave", "a kind and an object of it in one sync", definition),
    row(
        "namespace_terminating",
        "a namespace that goes is told of, and delivered into again when it is gone",
        terminating,
    ),
    row(
        "webhook_admission_timeout",
        "an admission webhook that does not answer is named, and nothing is left half done",
        webhook,
    ),
    row("operation_terminated", "a sync that is ended from outside ends, and does not begin again by itself", ended),
    row(
        "terminated_while_gone_on_with",
        "a sync that is ended while the next process goes on with it ends, and does not begin again by itself",
        ended_by_the_next,
    ),
    row("deleted_midway", "an Application that is deleted while it syncs takes along what it delivered", removed),
];

/// What an API server says where an admission webhook that must agree takes no connection.
const UNANSWERED: &str = "failed calling webhook \"nobody.example.com\": failed to call webhook: Post \"https://127.0.0.1:9/validate?timeout=1s\": dial tcp 127.0.0.1:9: connect: connection refused";

/// One attempt, told at once.
const ONCE: &str = "{automated: {prune: true, selfHeal: true}, retry: {limit: 0}, syncOptions: [CreateNamespace=true]}";

fn job(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("batch", "v1", "Job"), Some("shop"), name)
}

fn is_over(object: &landfall_object::Object) -> bool {
    matches!(object.str_at("/status/operationState/phase"), Some("Failed" | "Error" | "Succeeded"))
}

fn deleted(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.with_faults(&["job/prepare=hang"])?;
    write_shop(&scene)?;
    scene.declare("shop", ONCE)?;
    scene.start()?;
    scene.until_object(&job("prepare"), "is made", |_| true)?;
    std::thread::sleep(Duration::from_millis(500));
    scene.delete(&job("prepare"))?;
    let began = Instant::now();
    let over = scene.until("shop", "ends", is_over)?;
    ensure!(began.elapsed() < Duration::from_secs(30), "it ended after {:?}", began.elapsed());
    ensure!(over.str_at("/status/operationState/phase") != Some("Succeeded"), "it succeeded without its hook");
    ensure!(scene.get(&settings())?.is_none(), "it was delivered without its hook");
    scene.crowd_is_well()
}

fn removes_itself(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    scene.declare("shop", AUTOMATED)?;
    let text =
        hook("prepare", "PreSync", "").replace("backoffLimit: 0", "backoffLimit: 0\n  ttlSecondsAfterFinished: 0");
    scene.write("shop/prepare.yaml", &text)?;
    scene.write("shop/settings.yaml", &config_map("settings", "one"))?;
    let first = scene.push()?;
    let began = Instant::now();
    scene.start()?;
    let synced = scene.until_synced("shop", &first)?;
    ensure!(synced.str_at("/status/operationState/phase") == Some("Succeeded"), "{:?}", synced.status());
    ensure!(began.elapsed() < Duration::from_secs(60), "it took {:?}", began.elapsed());
    scene.until_gone(&job("prepare"))?;
    scene.crowd_is_well()
}

fn no_finalizer(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    scene.declare("shop", AUTOMATED)?;
    let text = hook("prepare", "PreSync", "").replace("BeforeHookCreation", "HookSucceeded");
    scene.write("shop/prepare.yaml", &text)?;
    scene.write("shop/report.yaml", &hook("report", "PostSync", ""))?;
    scene.write("shop/settings.yaml", &config_map("settings", "one"))?;
    let first = scene.push()?;
    scene.start()?;
    scene.until_synced("shop", &first)?;
    scene.until_gone(&job("prepare"))?;
    for one in scene.list(&Gvk::new("batch", "v1", "Job"), "shop")? {
        ensure!(
            one.finalizers().next().is_none(),
            "{} is held by {:?}",
            one.name(),
            one.finalizers().collect::<Vec<_>>()
        );
    }
    scene.crowd_is_well()
}

fn partial(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.with_faults(&["job/second=fail", "job/third=fail"])?;
    scene.declare("shop", ONCE)?;
    for name in ["first", "second", "third"] {
        scene.write(&format!("shop/{name}.yaml"), &hook(name, "PreSync", ""))?;
    }
    scene.write("shop/alarm.yaml", &hook("alarm", "SyncFail", ""))?;
    scene.write("shop/settings.yaml", &config_map("settings", "one"))?;
    scene.push()?;
    scene.start()?;
    let over = scene.until("shop", "ends", is_over)?;
    ensure!(over.str_at("/status/operationState/phase") != Some("Succeeded"), "it succeeded");
    ensure!(scene.get(&settings())?.is_none(), "it was delivered all the same");
    let message = over.str_at("/status/operationState/message").unwrap_or_default();
    ensure!(message.contains("second") || message.contains("third"), "the message names no hook: {message}");
    let began = Instant::now();
    while times_made(&scene, "alarm")? == 0 {
        ensure!(began.elapsed() < Duration::from_secs(20), "the hook for a failure was never made");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(1));
    let made = times_made(&scene, "alarm")?;
    ensure!(made == 1, "the hook for a failure was made {made} times");
    scene.crowd_is_well()
}

fn immutable(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    scene.between.asked();
    let text = deployment("app", "two").replace("matchLabels: {app: app}", "matchLabels: {app: other}");
    scene.write("shop/app.yaml", &text.replace("labels: {app: app}", "labels: {app: other}"))?;
    scene.write("shop/settings.yaml", &config_map("settings", "two"))?;
    scene.push()?;
    let told = scene.until("shop", "tells that it is refused", |it| {
        it.str_at("/status/operationState/message").is_some_and(|text| text.contains("immutable"))
    })?;
    let message = told.str_at("/status/operationState/message").unwrap_or_default();
    ensure!(message.contains("app"), "the message does not name the object: {message}");
    let live = scene.until_object(&settings(), "is there", |_| true)?;
    ensure!(live.str_at("/data/value") == Some("one"), "a part of the commit was delivered");
    // And the commit that mends it is delivered.
    let mended = push_two(&scene)?;
    scene.until_synced("shop", &mended)?;
    scene.crowd_is_well()
}

fn definition(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    scene.declare("shop", AUTOMATED)?;
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
    });
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}, "size": 1});
    scene.write("shop/all.yaml", &format!("{widget}\n---\n{definition}\n"))?;
    let first = scene.push()?;
    scene.start()?;
    scene.until_synced("shop", &first)?;
    let key = ObjectKey::new(Gvk::new("example.com", "v1", "Widget"), Some("shop"), "one");
    ensure!(scene.get(&key)?.is_some(), "the object of the new kind is not there");
    scene.crowd_is_well()
}

fn terminating(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    // Something in it holds it.
    let metadata = json!({"name": "held", "namespace": "shop", "finalizers": ["example.com/holds"]});
    scene.create(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))?;
    let namespace = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, "shop");
    scene.delete(&namespace)?;
    scene.until("shop", "tells that the namespace goes", |it| {
        let says = |text: &str| text.contains("terminat") || text.contains("being deleted");
        it.str_at("/status/operationState/message").is_some_and(says)
            || it.list_at("/status/conditions").iter().any(|it| it["message"].as_str().is_some_and(says))
    })?;
    let held = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("shop"), "held");
    scene.patch(&held, json!({"metadata": {"finalizers": null}}))?;
    let began = Instant::now();
    loop {
        // As a person does who is told that it has failed.
        scene.refresh("shop")?;
        let wish = json!({"operation": {"initiatedBy": {"username": "anna"}, "sync": {"prune": true}}});
        let is_idle = scene.until("shop", "is there", |_| true)?.at("/operation").is_none_or(|it| it.is_null());
        if is_idle {
            scene.patch(&super::scene::key_of("shop"), wish)?;
        }
        std::thread::sleep(Duration::from_millis(500));
        if scene.get(&settings())?.is_some_and(|it| it.deletion_timestamp().is_none()) {
            break;
        }
        ensure!(began.elapsed() < Duration::from_secs(60), "it is never delivered again:\n{}", scene.log());
    }
    scene.crowd_is_well()
}

fn webhook(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    // The embedded cluster calls no webhook: between it and the server is said what an API server says of one.
    scene.between.misbehave(|asked| {
        let is_called = [Method::POST, Method::PUT, Method::PATCH].contains(&asked.method);
        (is_called && asked.path.contains("/namespaces/shop/configmaps")).then_some(Verdict::Failing(UNANSWERED))
    });
    let second = push_two(&scene)?;
    scene.until("shop", "names the webhook", |it| {
        it.str_at("/status/operationState/message").is_some_and(|text| text.contains("nobody.example.com"))
    })?;
    let live = scene.until_object(&app(), "is there", |_| true)?;
    let image = live.str_at("/spec/template/spec/containers/0/image");
    ensure!(image == Some("example/app:one"), "a part of the commit was delivered: {image:?}");
    scene.between.behave();
    // It is tried again by itself: five times, as where nothing is said.
    scene.until_synced("shop", &second)?;
    scene.crowd_is_well()
}

fn ended(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.with_faults(&["job/prepare=hang"])?;
    write_shop(&scene)?;
    scene.start()?;
    scene.until_object(&job("prepare"), "is made", |_| true)?;
    scene.until("shop", "runs", |it| it.str_at("/status/operationState/phase") == Some("Running"))?;
    scene.patch(&super::scene::key_of("shop"), json!({"status": {"operationState": {"phase": "Terminating"}}}))?;
    scene.until("shop", "ends", is_over)?;
    std::thread::sleep(Duration::from_secs(3));
    let stays = scene.until("shop", "is there", |_| true)?;
    ensure!(is_over(&stays), "it has begun again: {:?}", stays.status());
    ensure!(scene.get(&settings())?.is_none(), "it was delivered all the same");
    scene.crowd_is_well()
}

fn ended_by_the_next(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.with_faults(&["job/prepare=hang"])?;
    write_shop(&scene)?;
    scene.start()?;
    scene.until_object(&job("prepare"), "is made", |_| true)?;
    scene.until("shop", "runs", |it| it.str_at("/status/operationState/phase") == Some("Running"))?;
    scene.kill();
    scene.start()?;
    // Who has taken the wish for a look off the Application has seen that, and goes on with what is open there.
    scene.refresh("shop")?;
    let refresh = "/metadata/annotations/argocd.argoproj.io~1refresh";
    scene.until("shop", "is seen", |it| it.str_at(refresh).is_none())?;
    scene.patch(&super::scene::key_of("shop"), json!({"status": {"operationState": {"phase": "Terminating"}}}))?;
    let over = scene.until("shop", "ends", is_over)?;
    let (phase, message) = (over.str_at("/status/operationState/phase"), over.str_at("/status/operationState/message"));
    ensure!((phase, message) == (Some("Failed"), Some("Operation terminated")), "{phase:?}: {message:?}");
    std::thread::sleep(Duration::from_secs(3));
    let stays = scene.until("shop", "is there", |_| true)?;
    ensure!(is_over(&stays), "it has begun again: {:?}", stays.status());
    ensure!(scene.get(&settings())?.is_none(), "it was delivered all the same");
    scene.crowd_is_well()
}

fn removed(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.with_faults(&["job/report=slow:4s"])?;
    let mut declared = super::scene::application("shop", super::scene::REPOSITORY, "main", AUTOMATED);
    declared["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    write_shop(&scene)?;
    scene.declare_as("shop", &declared)?;
    scene.start()?;
    scene.until_object(&app(), "is made", |_| true)?;
    scene.delete(&super::scene::key_of("shop"))?;
    scene.until_gone(&super::scene::key_of("shop"))?;
    scene.until_gone(&app())?;
    scene.until_gone(&settings())?;
    scene.crowd_is_well()
}
