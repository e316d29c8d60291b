//! Rows about neighbours: who shares an object, who scales, who makes noise, whose cluster is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use base64::Engine as _;
use landfall_object::{Gvk, ObjectKey};
use serde_json::json;

use super::api::{app, push_two, settings, synced, write_shop};
use super::scene::{AUTOMATED, REPOSITORY, Scene, application, config_map, key_of};
use super::{Ground, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("two_apps_one_object", "two Applications that want one object do not fight over it, and it is said", shared),
    row("controller_vs_hpa", "a field that git does not name stays as somebody else has set it", scaled),
    row("drift_put_right", "what a hand changes is put right, ever more slowly where it comes back", drift),
    row("tenant_noise", "an object that changes all the time delays nobody else by more than two seconds", noise),
    row(
        "cluster_removed_with_finalizers",
        "an Application whose cluster is gone can be deleted, and delays nobody",
        cluster_gone,
    ),
    row("status_too_large", "an Application of 1,500 objects is delivered, and its status is written", large),
];

fn shared(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    let mut other = application("other", REPOSITORY, "main", AUTOMATED);
    other["spec"]["destination"]["namespace"] = "shop".into();
    scene.declare_as("other", &other)?;
    scene.write("other/settings.yaml", &config_map("settings", "of the other one"))?;
    write_shop(&scene)?;
    scene.start()?;
    scene.until("shop", "or the other one tells of it", |_| {
        ["shop", "other"].iter().any(|name| {
            let application = scene.get(&key_of(name)).ok().flatten();
            application.is_some_and(|it| {
                it.list_at("/status/conditions").iter().any(|it| it["type"] == "SharedResourceWarning")
            })
        })
    })?;
    scene.between.asked();
    std::thread::sleep(Duration::from_secs(20));
    let writes = scene.between.asked();
    let writes = writes.iter().filter(|it| it.writes() && it.path.contains("/shop/configmaps/settings")).count();
    ensure!(writes <= 6, "{writes} writes within 20 s");
    scene.crowd_is_well()
}

fn scaled(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    write_shop(&scene)?;
    let text = super::scene::deployment("app", "one").replace("  replicas: 1\n", "");
    scene.write("shop/app.yaml", &text)?;
    let first = scene.push()?;
    scene.start()?;
    scene.until_synced("shop", &first)?;
    scene.patch(&app(), json!({"spec": {"replicas": 4}}))?;
    std::thread::sleep(Duration::from_secs(4));
    let live = scene.until_object(&app(), "is there", |_| true)?;
    ensure!(live.i64_at("/spec/replicas") == Some(4), "scaled back to {:?}", live.i64_at("/spec/replicas"));
    let application = scene.until("shop", "is there", |_| true)?;
    ensure!(application.str_at("/status/sync/status") == Some("Synced"), "it is called OutOfSync");
    scene.crowd_is_well()
}

fn drift(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let mut took = Vec::new();
    for number in 0..3 {
        scene.patch(&settings(), json!({"data": {"value": format!("by hand {number}")}}))?;
        let began = Instant::now();
        scene.until_object(&settings(), "is put right", |it| it.str_at("/data/value") == Some("one"))?;
        took.push(began.elapsed());
    }
    ensure!(took[0] < Duration::from_secs(3), "the first time it took {:?}", took[0]);
    ensure!(took[2] > Duration::from_secs(3), "it is fought over: {took:?}");
    scene.crowd_is_well()
}

fn noise(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let loud = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("crowd-0"), "settings");
    let stop = AtomicBool::new(false);
    let mut slowest = Duration::ZERO;
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                // It may be put right in between.
                let _written = scene.patch(&loud, json!({"data": {"noise": number.to_string()}}));
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let mut pushed = || -> anyhow::Result<()> {
            for number in 0..5 {
                scene.write("shop/settings.yaml", &config_map("settings", &format!("value {number}")))?;
                let revision = scene.push()?;
                let began = Instant::now();
                scene.until_object(&settings(), "is as the commit says", |it| {
                    it.str_at("/data/value") == Some(&*format!("value {number}"))
                })?;
                slowest = slowest.max(began.elapsed());
                scene.until_synced("shop", &revision)?;
            }
            Ok(())
        };
        let outcome = pushed();
        stop.store(true, Ordering::Relaxed);
        outcome
    });
    outcome?;
    ensure!(slowest < Duration::from_secs(2), "the slowest push took {slowest:?}");
    scene.crowd_is_well()
}

fn cluster_gone(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    let first = write_shop(&scene)?;
    scene.start()?;
    scene.until_synced("shop", &first)?;
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    scene.create(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "far", "namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": "cluster"}},
        "data": {"name": encoded("far"), "server": encoded("https://127.0.0.1:9"), "config": encoded("{}")},
    }))?;
    let mut far = application("far", REPOSITORY, "main", AUTOMATED);
    far["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    far["spec"]["destination"] = json!({"server": "https://127.0.0.1:9", "namespace": "far"});
    far["spec"]["source"]["path"] = "shop".into();
    scene.create(far)?;
    scene.until("far", "says that its cluster does not answer", |it| !it.list_at("/status/conditions").is_empty())?;
    let second = push_two(&scene)?;
    scene.until_synced("shop", &second)?;
    scene.delete(&ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("argocd"), "far"))?;
    scene.delete(&key_of("far"))?;
    scene.until_gone(&key_of("far"))?;
    scene.crowd_is_well()
}

fn large(ground: &Ground) -> anyhow::Result<()> {
    let mut scene: Scene = ground.scene()?;
    scene.declare("shop", AUTOMATED)?;
    let names = (0..1500).map(|number| format!("an-object-with-a-name-that-is-not-all-that-short-{number}"));
    let all: Vec<String> = names.map(|name| config_map(&name, "one")).collect();
    scene.write("shop/all.yaml", &all.join("---\n"))?;
    let first = scene.push()?;
    scene.start()?;
    let synced = scene.until_synced("shop", &first)?;
    let told = synced.list_at("/status/resources").len();
    ensure!(told == 1500 || told == 0, "{told} of 1,500 objects are told of");
    let left = scene.list(&Gvk::new("", "v1", "ConfigMap"), "shop")?.len();
    ensure!(left >= 1500, "{left} objects are there");
    scene.crowd_is_well()
}
