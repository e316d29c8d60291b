//! Rows in which the cluster's API refuses, is silent, or repeats itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use landfall_object::{Gvk, ObjectKey};
use serde_json::{Value, json};

use super::between::{Asked, Verdict};
use super::scene::{AUTOMATED, Scene, config_map, deployment, hook};
use super::{Ground, Row, row, slow};

pub(super) const ROWS: &[Row] = &[
    row("api_429_retry_after", "the wait that is asked for is kept, and all is delivered", too_many_requests),
    row("api_500_503_burst", "three seconds of failures delay, and nothing is done twice", burst),
    row("api_timeout_after_commit", "what was done although its answer was lost is not done twice", lost_answers),
    row("api_unreachable", "a cluster that cannot be reached for a while costs nothing but the while", unreachable),
    row(
        "watch_410_http",
        "a watch that is refused as too old is begun anew; nothing is deleted or synced",
        watch_refused,
    ),
    row("watch_410_event", "the same, where the watch itself says so", watch_expired),
    row("watch_duplicate_events", "what is told twice is done once", told_twice),
    row("list_continue_expired", "a list whose next page is too old is read again from its beginning", pages_expire),
    slow(
        "watch_silent_stall",
        "a watch that tells nothing although its connection stays is noticed within 90 s",
        silence,
    ),
    row("conflict_409_storm", "somebody who writes all the time delays, and loses nothing", conflicts),
    row(
        "discovery_partial_apiservice_down",
        "a group of the API that is down keeps nobody else waiting",
        partial_discovery,
    ),
];

pub(super) fn settings() -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("shop"), "settings")
}

pub(super) fn app() -> ObjectKey {
    ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "app")
}

/// A scene in which `shop`, with a hook on either side, is synced.
pub(super) fn synced(ground: &Ground) -> anyhow::Result<Scene> {
    let mut scene = ground.scene()?;
    let revision = write_shop(&scene)?;
    scene.start()?;
    scene.until_synced("shop", &revision)?;
    Ok(scene)
}

/// Writes and declares `shop`; the commit.
pub(super) fn write_shop(scene: &Scene) -> anyhow::Result<String> {
    scene.declare("shop", AUTOMATED)?;
    scene.write("shop/prepare.yaml", &hook("prepare", "PreSync", ""))?;
    scene.write("shop/report.yaml", &hook("report", "PostSync", ""))?;
    scene.write("shop/settings.yaml", &config_map("settings", "one"))?;
    scene.write("shop/app.yaml", &deployment("app", "one"))?;
    scene.push()
}

/// Pushes the next version of it.
pub(super) fn push_two(scene: &Scene) -> anyhow::Result<String> {
    scene.write("shop/settings.yaml", &config_map("settings", "two"))?;
    scene.write("shop/app.yaml", &deployment("app", "two"))?;
    scene.push()
}

/// How often the hook of a name was made so far.
pub(super) fn times_made(scene: &Scene, name: &str) -> anyhow::Result<usize> {
    let mut uids = std::collections::BTreeSet::new();
    for event in scene.list(&Gvk::new("", "v1", "Event"), "shop")? {
        if event.str_at("/involvedObject/kind") == Some("Job") && event.str_at("/involvedObject/name") == Some(name) {
            uids.insert(event.str_at("/involvedObject/uid").unwrap_or_default().to_owned());
        }
    }
    Ok(uids.len())
}

fn too_many_requests(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let refused: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let (noted, mut count) = (Arc::clone(&refused), 0_u32);
    scene.between.asked();
    scene.between.misbehave(move |asked| {
        if asked.is_watch() {
            return None;
        }
        count += 1;
        // A delivery asks some hundred times, one after the other: of every fourth a second is lost.
        if !count.is_multiple_of(4) {
            return None;
        }
        noted.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
        Some(Verdict::Answer(429, &[("retry-after", "1")]))
    });
    let second = push_two(&scene)?;
    scene.until_synced("shop", &second)?;
    scene.between.behave();
    let (asked, refused) = (scene.between.asked(), refused.lock().unwrap_or_else(PoisonError::into_inner).clone());
    ensure!(refused.len() > 3, "hardly anything was refused");
    let mut writes = 0;
    for one in refused.iter().filter(|one| one.writes()) {
        let again = asked.iter().find(|it| it.at > one.at && it.method == one.method && it.path == one.path);
        let soon = again.map(|again| again.at.duration_since(one.at));
        ensure!(soon.is_none_or(|soon| soon > Duration::from_millis(900)), "{} again after {soon:?}", one.path);
        writes += 1;
    }
    ensure!(writes > 0, "no write was refused");
    ensure!(times_made(&scene, "prepare")? == 2, "the hook was made {} times", times_made(&scene, "prepare")?);
    scene.crowd_is_well()
}

fn burst(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let (began, mut count) = (Instant::now(), 0_u32);
    scene.between.misbehave(move |_| {
        count += 1;
        let code = if count.is_multiple_of(2) { 503 } else { 500 };
        (began.elapsed() < Duration::from_secs(3)).then_some(Verdict::Answer(code, &[]))
    });
    let second = push_two(&scene)?;
    scene.until_synced("shop", &second)?;
    let made = times_made(&scene, "report")?;
    ensure!(made == 2, "the hook was made {made} times");
    scene.crowd_is_well()
}

fn lost_answers(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let lost: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&lost);
    scene.between.misbehave(move |asked| {
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.writes() || !asked.is_in("shop") || noted.len() >= 4 {
            return None;
        }
        noted.push(format!("{} {}", asked.method, asked.path));
        Some(Verdict::Lost)
    });
    let second = push_two(&scene)?;
    scene.until_synced("shop", &second)?;
    let lost = lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(lost.len() == 4, "only these answers were lost: {lost:?}");
    for hook in ["prepare", "report"] {
        let made = times_made(&scene, hook)?;
        ensure!(made == 2, "{hook} was made {made} times; lost: {lost:?}");
    }
    scene.crowd_is_well()
}

fn unreachable(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = synced(ground)?;
    scene.between.close(true);
    let second = push_two(&scene)?;
    std::thread::sleep(Duration::from_secs(4));
    ensure!(scene.lives(), "the server has ended:\n{}", scene.log());
    scene.between.close(false);
    scene.until_synced("shop", &second)?;
    // Its watches are back: what a hand does is seen.
    scene.patch(&settings(), json!({"data": {"value": "by hand"}}))?;
    scene.until_object(&settings(), "is put right", |it| it.str_at("/data/value") == Some("two"))?;
    scene.crowd_is_well()
}

/// After watches were refused: nothing was deleted or synced, and what a hand does is seen.
fn unmoved(scene: &Scene) -> anyhow::Result<()> {
    let uid = |key: &ObjectKey| anyhow::Ok(scene.get(key)?.and_then(|it| it.uid().map(str::to_owned)));
    let (before, deletes) = (uid(&app())?, scene.between.asked());
    let deletes = deletes.iter().filter(|asked| asked.writes() && asked.is_in("shop")).count();
    ensure!(deletes == 0, "{deletes} writes into `shop`");
    scene.patch(&settings(), json!({"data": {"value": "by hand"}}))?;
    scene.until_object(&settings(), "is put right", |it| it.str_at("/data/value") == Some("one"))?;
    ensure!(uid(&app())? == before, "the Deployment is another one");
    let application = scene.until("shop", "is there", |_| true)?;
    ensure!(application.list_at("/status/history").len() == 1, "it was delivered again");
    scene.crowd_is_well()
}

fn refused_once(verdict: fn() -> Verdict) -> impl FnMut(&Asked) -> Option<Verdict> + Send + 'static {
    let mut seen = std::collections::BTreeSet::new();
    move |asked| {
        let kind = asked.path.split('?').next().unwrap_or_default().to_owned();
        (asked.is_watch() && seen.insert(kind)).then(verdict)
    }
}

fn watch_refused(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    scene.between.misbehave(refused_once(|| Verdict::Answer(410, &[])));
    scene.between.asked();
    scene.between.cut();
    std::thread::sleep(Duration::from_secs(2));
    unmoved(&scene)
}

fn watch_expired(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    scene.between.misbehave(refused_once(|| Verdict::Expired));
    scene.between.asked();
    scene.between.cut();
    std::thread::sleep(Duration::from_secs(2));
    unmoved(&scene)
}

fn told_twice(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    let first = write_shop(&scene)?;
    scene.between.misbehave(|asked| asked.is_watch().then_some(Verdict::Twice));
    scene.start()?;
    scene.until_synced("shop", &first)?;
    let second = push_two(&scene)?;
    let synced = scene.until_synced("shop", &second)?;
    ensure!(synced.list_at("/status/history").len() == 2, "it was delivered more often than twice");
    let made = times_made(&scene, "prepare")?;
    ensure!(made == 2, "the hook was made {made} times");
    scene.crowd_is_well()
}

fn pages_expire(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    // More than a page of the kind that is watched.
    scene.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "many"}}))?;
    for number in 0..600 {
        let metadata = json!({"name": format!("map-{number}"), "namespace": "many"});
        scene.create(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))?;
    }
    let first = write_shop(&scene)?;
    let (refused, count) = (Arc::new(Mutex::new(0)), 3);
    let noted = Arc::clone(&refused);
    scene.between.misbehave(move |asked| {
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.path.contains("continue=") || *noted >= count {
            return None;
        }
        *noted += 1;
        Some(Verdict::Answer(410, &[]))
    });
    scene.start()?;
    scene.until_synced("shop", &first)?;
    scene.patch(&settings(), json!({"data": {"value": "by hand"}}))?;
    scene.until_object(&settings(), "is put right", |it| it.str_at("/data/value") == Some("one"))?;
    let refused = *refused.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(refused > 0, "no second page was asked for");
    scene.crowd_is_well()
}

fn silence(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    std::thread::sleep(Duration::from_secs(1));
    scene.between.fall_silent();
    let began = Instant::now();
    scene.patch(&settings(), json!({"data": {"value": "by hand"}}))?;
    loop {
        let live = scene.get(&settings())?;
        if live.is_some_and(|it| it.str_at("/data/value") == Some("one")) {
            break;
        }
        ensure!(began.elapsed() < Duration::from_secs(95), "a hand's change was not seen for {:?}", began.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
    scene.crowd_is_well()
}

fn conflicts(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let second = push_two(&scene)?;
    let application = super::scene::key_of("shop");
    let mut written = 0;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        written += 1;
        let patch = json!({"metadata": {"annotations": {"somebody-else": written.to_string()}}});
        scene.patch(&application, patch.clone())?;
        scene.patch(&app(), patch)?;
    }
    let synced = scene.until_synced("shop", &second)?;
    ensure!(synced.annotation("somebody-else") == Some(&*written.to_string()), "somebody's write is lost");
    let live = scene.get(&app())?;
    let kept = live.is_some_and(|it| it.annotation("somebody-else") == Some(&*written.to_string()));
    ensure!(kept, "somebody's write into the Deployment is lost");
    scene.crowd_is_well()
}

fn partial_discovery(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    let first = write_shop(&scene)?;
    // A group that is listed, and that nobody answers for.
    scene.between.misbehave(|asked| {
        if asked.path == "/apis" {
            return Some(Verdict::Changed(add_group));
        }
        asked.path.starts_with("/apis/metrics.k8s.io").then_some(Verdict::Answer(503, &[]))
    });
    scene.start()?;
    scene.until_synced("shop", &first)?;
    let second = push_two(&scene)?;
    scene.until_synced("shop", &second)?;
    scene.crowd_is_well()
}

fn add_group(list: &mut Value) {
    let version = json!({"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"});
    if let Some(groups) = list["groups"].as_array_mut() {
        groups.push(json!({"name": "metrics.k8s.io", "versions": [version], "preferredVersion": version}));
    }
}
