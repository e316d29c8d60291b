//! Rows in which the server, its state or its machine goes.

use std::fs::{self, OpenOptions};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hyper::Method;
use landfall_object::{Gvk, ObjectKey};
use serde_json::json;

use super::api::{push_two, settings, synced, times_made, write_shop};
use super::between::Verdict;
use super::edges::COURSES;
use super::scene::config_map;
use super::{Ground, Row, row};
use crate::dice::Dice;
use crate::doors::Disk;

pub(super) const ROWS: &[Row] = &[
    row("kill9_sqlite_torn_write", "a log whose end was cut anywhere is opened, and the sync is gone on with", torn),
    row(
        "kill9_and_no_answer",
        "the next process cannot reach the cluster at first: the sync is gone on with when it can, the hook after it included",
        no_answer,
    ),
    row(
        "kill9_and_answers_429_and_500",
        "the next process is told that the cluster cannot now: the sync is gone on with when it can",
        no_room_for_it,
    ),
    row("state_lost", "a server without its state delivers, and deletes nothing", lost),
    row(
        "kill9_again_and_again",
        "killed at twelve random moments between pushes, it ends at the last one",
        again_and_again,
    ),
    row("sigterm_midway", "told to end while a hook runs, it ends within 5 s, and the next one goes on", terminated),
    row(
        "disk_full",
        "without room nothing of the cluster is changed that is not in the journal; with room it goes on",
        full,
    ),
    row("stopped_for_a_while", "a process that stood still goes on where the world is now", stopped),
];

fn torn(ground: &Ground) -> anyhow::Result<()> {
    let mut dice = Dice::new(crate::sample::seed());
    for _ in 0..3 {
        let mut scene = ground.scene()?;
        let first = write_shop(&scene)?;
        // In the midst of the sync: its beginning lies in the log alone.
        scene.start_with(&[("LANDFALL_TEST_PROBE", &format!("kill:{}", 20 + dice.below(20)))])?;
        if !scene.dies_within(Duration::from_secs(60))? {
            scene.kill();
        }
        let logs = fs::read_dir(scene.state())?.filter_map(Result::ok).map(|entry| entry.path());
        let log = logs
            .filter(|path| path.to_string_lossy().ends_with("-wal"))
            .max_by_key(|path| path.metadata().map(|it| it.len()).unwrap_or_default());
        let log = log.context("the state has no log")?;
        let length = log.metadata()?.len();
        let cut = usize::try_from(length)?;
        OpenOptions::new().write(true).open(&log)?.set_len(dice.below(cut.max(1)) as u64)?;
        scene.start()?;
        scene.until_synced("shop", &first)?;
        scene.crowd_is_well()?;
    }
    Ok(())
}

fn no_answer(ground: &Ground) -> anyhow::Result<()> {
    gone_on_with_later(ground, || Verdict::Lost)
}

fn no_room_for_it(ground: &Ground) -> anyhow::Result<()> {
    gone_on_with_later(ground, || Verdict::Answer(429, &[("retry-after", "1")]))?;
    gone_on_with_later(ground, || Verdict::Failing("etcdserver: request timed out"))
}

/// Killed before its last hook, and its Application cannot be written to at first when the next process comes.
fn gone_on_with_later(ground: &Ground, verdict: fn() -> Verdict) -> anyhow::Result<()> {
    let course = &COURSES[0];
    let recorded = course.recorded(&ground.landfall)?;
    let (mut scene, revision) = course.killed_at(recorded.before_the_last_hook()?, &ground.landfall)?;
    let report = ObjectKey::new(Gvk::new("batch", "v1", "Job"), Some("shop"), "report");
    ensure!(scene.get(&settings())?.is_some() && scene.get(&report)?.is_none(), "it was killed somewhere else");
    scene.between.misbehave(move |asked| {
        let is_told =
            asked.method == Method::PATCH && asked.path.contains("/applications/shop?fieldManager=argocd-controller");
        is_told.then(verdict)
    });
    scene.start()?;
    std::thread::sleep(Duration::from_secs(5));
    ensure!(scene.get(&report)?.is_none(), "it was gone on with past the record of it");
    scene.between.behave();
    let synced = scene.until_synced("shop", &revision)?;
    scene.until_object(&report, "is made", |_| true)?;
    let history = synced.list_at("/status/history").len();
    ensure!(history == 1, "its history has {history} deliveries, not 1");
    Ok(())
}

fn lost(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = synced(ground)?;
    scene.terminate()?;
    fs::remove_dir_all(scene.state())?;
    let second = push_two(&scene)?;
    scene.start()?;
    let synced = scene.until_synced("shop", &second)?;
    ensure!(synced.list_at("/status/history").len() == 2, "its history is lost");
    scene.crowd_is_well()
}

fn again_and_again(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = synced(ground)?;
    let mut dice = Dice::new(crate::sample::seed() ^ 7);
    let mut last = String::new();
    for number in 0..12 {
        scene.write("shop/settings.yaml", &config_map("settings", &format!("value {number}")))?;
        last = scene.push()?;
        std::thread::sleep(Duration::from_millis(dice.below(900) as u64));
        scene.kill();
        scene.start()?;
    }
    scene.until_synced("shop", &last)?;
    let live = scene.until_object(&settings(), "is there", |_| true)?;
    ensure!(live.str_at("/data/value") == Some("value 11"), "it ends at {:?}", live.str_at("/data/value"));
    scene.crowd_is_well()
}

fn terminated(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.with_faults(&["job/prepare=slow:3s"])?;
    let first = write_shop(&scene)?;
    scene.start()?;
    scene.until("shop", "runs its hook", |it| {
        it.list_at("/status/operationState/syncResult/resources").iter().any(|it| it["hookType"] == "PreSync")
            || it.str_at("/status/operationState/phase") == Some("Running")
    })?;
    std::thread::sleep(Duration::from_millis(700));
    let took = scene.terminate()?;
    ensure!(took < Duration::from_secs(5), "it took {took:?}");
    scene.start()?;
    scene.until_synced("shop", &first)?;
    let made = times_made(&scene, "prepare")?;
    ensure!(made == 1, "the hook was made {made} times");
    scene.crowd_is_well()
}

fn full(ground: &Ground) -> anyhow::Result<()> {
    if !crate::doors::can_make_disks() {
        println!("disk_full: skipped: only root can make a small disk");
        return Ok(());
    }
    let mut scene = ground.scene()?;
    let first = write_shop(&scene)?;
    let disk = Disk::mount(&scene.state(), 64 * 1024 * 1024)?;
    scene.start()?;
    scene.until_synced("shop", &first)?;
    scene.crowd_is_well()?;
    // What is written first goes over what was written long ago, for which there is room: a log begun anew has none to spare.
    scene.terminate()?;
    scene.start()?;
    scene.until_synced("shop", &first)?;
    disk.fill();
    scene.between.asked();
    let second = push_two(&scene)?;
    std::thread::sleep(Duration::from_secs(3));
    let live = scene.until_object(&settings(), "is there", |_| true)?;
    ensure!(live.str_at("/data/value") == Some("one"), "it was delivered without a journal");
    let written = scene.between.asked();
    let written: Vec<&str> =
        written.iter().filter(|asked| asked.writes() && asked.is_in("shop")).map(|asked| &*asked.path).collect();
    ensure!(written.is_empty(), "written without a journal: {written:?}");
    disk.clear();
    if !scene.lives() {
        scene.start()?;
    }
    scene.refresh("shop")?;
    scene.until_synced("shop", &second)?;
    scene.crowd_is_well()?;
    scene.kill();
    drop(disk);
    Ok(())
}

fn stopped(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let signal = |word: &str| {
        let pid = scene.pid().unwrap_or_default().to_string();
        anyhow::Ok(Command::new("kill").args([word, &pid]).status()?)
    };
    signal("-STOP")?;
    let second = push_two(&scene)?;
    scene.patch(&settings(), json!({"data": {"value": "by hand"}}))?;
    std::thread::sleep(Duration::from_secs(5));
    signal("-CONT")?;
    scene.until_synced("shop", &second)?;
    scene.until_object(&settings(), "is as the commit says", |it| it.str_at("/data/value") == Some("two"))?;
    scene.crowd_is_well()
}
