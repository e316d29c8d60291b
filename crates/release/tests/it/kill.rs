//! Kills at every named point: abort, resume, same end state (proof 9).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_engine::{Error as EngineError, Killed, Probe, Recovery};
use landfall_object::Object;
use landfall_release::{DeployOptions, Error, InstallOptions, Prepared, UninstallOptions, UpgradeOptions};

use crate::charts::{content, deployment, job_hook, web};
use crate::deliver::waiting;
use crate::place::Place;

/// Records the points of a run, or ends it at one of them.
struct Points {
    seen: Mutex<Vec<String>>,
    kill_at: Option<usize>,
}

impl Points {
    fn new(kill_at: Option<usize>) -> Arc<Self> {
        Arc::new(Points { seen: Mutex::default(), kill_at })
    }
}

impl Probe for Points {
    fn reach(&self, point: std::fmt::Arguments<'_>) -> Result<(), Killed> {
        let mut seen = self.seen.lock().expect("nobody panics in here");
        seen.push(point.to_string());
        if Some(seen.len() - 1) == self.kill_at { Err(Killed(point.to_string())) } else { Ok(()) }
    }
}

/// What is left when all is over, without what differs from run to run.
async fn end_state(place: &Place) -> Vec<String> {
    let mut state = Vec::new();
    for (api_version, kind) in [("v1", "ConfigMap"), ("apps/v1", "Deployment"), ("batch/v1", "Job")] {
        let gvk = landfall_object::Gvk::from_api_version(api_version, kind);
        let options = landfall_cluster::ListOptions { namespace: Some(place.namespace.clone()), ..Default::default() };
        for object in place.cluster.list(&gvk, &options).await.expect("lists") {
            if object.name() != "kube-root-ca.crt" && object.deletion_timestamp().is_none() {
                state.push(format!("{kind} {} {}", object.name(), declared(&object)));
            }
        }
    }
    for record in place.releases().history("web").await.expect("reads") {
        let hooks: Vec<&str> = record.hooks.iter().map(|hook| hook.last_run.phase.as_str()).collect();
        state.push(format!("v{} {} {} {hooks:?}", record.version, record.info.status, record.info.description));
    }
    state
}

fn declared(object: &Object) -> String {
    let image = object.str_at("/spec/template/spec/containers/0/image").unwrap_or_default();
    let data = object.at("/data").map(ToString::to_string).unwrap_or_default();
    format!("{image}{data} generation {:?}", object.generation())
}

async fn prepare(place: &Place, which: &str) -> Prepared {
    let releases = place.releases();
    let mut first = web("shop/web:1");
    first.hooks.push(job_hook(
        "seed",
        &["pre-install", "pre-upgrade"],
        "",
        &["before-hook-creation", "hook-succeeded"],
    ));
    first.hooks.push(job_hook("check", &["post-upgrade"], "", &[]));
    if which == "install" {
        let options = InstallOptions { deploy: waiting(), ..InstallOptions::default() };
        return releases.prepare_install("web", first, &options).await.expect("prepares");
    }
    let options = InstallOptions { deploy: waiting(), ..InstallOptions::default() };
    let prepared = releases.prepare_install("web", first.clone(), &options).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    if which == "uninstall" {
        let options = UninstallOptions { wait: true, ..UninstallOptions::default() };
        return releases.prepare_uninstall("web", &options).await.expect("prepares");
    }
    let mut next = content(format!("---\n# Source: web/templates/web.yaml\n{}", deployment("shop/web:2")));
    next.hooks = first.hooks;
    if which != "upgrade" {
        next.hooks[0] = job_hook("seed", &["pre-upgrade"], "      nodeSelector: {no: such-node}\n", &["hook-failed"]);
    }
    let options = UpgradeOptions { deploy: DeployOptions { atomic: which == "undone upgrade", ..waiting() } };
    releases.prepare_upgrade("web", next, &options).await.expect("prepares")
}

async fn every_kill_of(which: &str) {
    let place = Place::new().await;
    let prepared = prepare(&place, which).await;
    let record = Points::new(None);
    place.run_with(&prepared, Arc::clone(&record) as Arc<dyn Probe>).await.0.expect("runs");
    let wanted = end_state(&place).await;
    let points = record.seen.lock().expect("nobody panics in here").clone();
    assert!(points.len() > 10, "{points:?}");
    for (index, point) in points.iter().enumerate() {
        let place = Place::new().await;
        let prepared = prepare(&place, which).await;
        let (killed, _) = place.run_with(&prepared, Points::new(Some(index))).await;
        let killed = killed.expect_err("is killed");
        assert!(matches!(killed, Error::Engine(EngineError::Killed(_))), "{point}: {killed}");
        let (conductor, mut told) = place.conductor(Arc::new(landfall_engine::NoProbe));
        let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
        let recovery = conductor.recover(&place.releases(), "web", Duration::from_secs(900)).await.expect("recovers");
        match recovery {
            Recovery::Resumed(_) => {}
            // Before the operation was written down nothing had been done, after its end nothing was left to do.
            Recovery::Clean if point == "before operation" => {
                conductor.run(&place.releases(), &prepared).await.expect("runs");
            }
            Recovery::Clean if point == "after end" => {}
            other => panic!("{point}: {other:?}"),
        }
        assert_eq!(end_state(&place).await, wanted, "killed at {point}");
        drop(conductor);
        drain.await.expect("ends");
    }
}

#[tokio::test]
async fn an_install_killed_anywhere_is_resumed_to_the_same_end() {
    every_kill_of("install").await;
}

#[tokio::test]
async fn an_upgrade_killed_anywhere_is_resumed_to_the_same_end() {
    every_kill_of("upgrade").await;
}

#[tokio::test]
async fn a_failing_upgrade_killed_anywhere_is_resumed_to_the_same_end() {
    every_kill_of("failing upgrade").await;
}

#[tokio::test]
async fn a_failing_upgrade_that_is_undone_is_so_wherever_it_is_killed() {
    every_kill_of("undone upgrade").await;
}

#[tokio::test]
async fn an_uninstall_killed_anywhere_is_resumed_to_the_same_end() {
    every_kill_of("uninstall").await;
}

/// Ends a run as soon as a hook's object has been made and written down.
struct HookMade;

impl Probe for HookMade {
    fn reach(&self, point: std::fmt::Arguments<'_>) -> Result<(), Killed> {
        let point = point.to_string();
        if point.starts_with("after outcome") && point.ends_with(".made") { Err(Killed(point)) } else { Ok(()) }
    }
}

/// With `ttlSecondsAfterFinished: 0` a hook's Job may be gone before its wait begins to watch: a busy machine, or a
/// process that was killed in between. What its events tell counts.
#[tokio::test]
async fn a_hook_that_ended_and_went_while_nobody_watched_has_succeeded() {
    let place = Place::new().await;
    let mut first = web("shop/web:1");
    let mut brief = job_hook("certgen", &["pre-install"], "", &[]);
    brief.manifest =
        brief.manifest.replace("spec:\n  backoffLimit", "spec:\n  ttlSecondsAfterFinished: 0\n  backoffLimit");
    first.hooks.push(brief);
    let options = InstallOptions { deploy: waiting(), ..InstallOptions::default() };
    let prepared = place.releases().prepare_install("web", first, &options).await.expect("prepares");
    let (killed, _) = place.run_with(&prepared, Arc::new(HookMade)).await;
    assert!(matches!(killed.expect_err("is killed"), Error::Engine(EngineError::Killed(_))));
    let gone = async {
        while place.get("batch/v1", "Job", "certgen").await.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("the Job ends and goes");
    let (conductor, mut told) = place.conductor(Arc::new(landfall_engine::NoProbe));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let recovery = conductor.recover(&place.releases(), "web", Duration::from_secs(900)).await.expect("recovers");
    let Recovery::Resumed(delivered) = recovery else { panic!("is resumed: {recovery:?}") };
    assert_eq!(delivered.report.failure, None);
    assert_eq!(delivered.record.hooks[0].last_run.phase, "Succeeded");
    drop(conductor);
    drain.await.expect("ends");
}
