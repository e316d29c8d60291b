//! One conductor for many operations, as a server has it.

use std::sync::Arc;
use std::time::Duration;

use landfall_engine::{NoProbe, Recovery};
use landfall_release::{DeployOptions, InstallOptions, Prepared, Releases, Status, UpgradeOptions};
use tokio_util::sync::CancellationToken;

use crate::charts::web;
use crate::deliver::waiting;
use crate::place::Place;

#[tokio::test]
async fn operations_on_several_releases_run_at_once_on_one_conductor() {
    let place = Place::new().await;
    let (conductor, mut told) = place.conductor(Arc::new(NoProbe));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let mut running = Vec::new();
    for name in ["one", "two", "three"] {
        let (conductor, releases) = (conductor.clone(), place.releases());
        let mut content = web("shop/web:1");
        content.manifest = content.manifest.replace("name: web", &format!("name: {name}"));
        running.push(tokio::spawn(async move {
            let options = InstallOptions::default();
            let prepared = releases.prepare_install(name, content, &options).await.expect("prepares");
            conductor.run(&releases, &prepared).await.expect("runs")
        }));
    }
    for task in running {
        let delivered = task.await.expect("no panic");
        assert_eq!(delivered.report.failure, None);
        assert_eq!(delivered.record.info.status, Status::Deployed);
    }
    drop(conductor);
    drain.await.expect("ends");
}

#[tokio::test]
async fn an_operation_whose_future_is_dropped_is_gone_on_with() {
    let place = Place::new().await;
    let (conductor, mut told) = place.conductor(Arc::new(NoProbe));
    let options = InstallOptions::default();
    let prepared = place.releases().prepare_install("web", web("shop/web:1"), &options).await.expect("prepares");
    {
        let releases = place.releases();
        let run = conductor.run(&releases, &prepared);
        tokio::select! {
            biased;
            ended = run => panic!("it ended before it was dropped: {ended:?}"),
            first = told.recv() => assert!(first.is_some(), "it has begun"),
        }
    }
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let recovery = conductor.recover(&place.releases(), "web", Duration::from_secs(900)).await.expect("recovers");
    let Recovery::Resumed(delivered) = recovery else { panic!("is resumed: {recovery:?}") };
    assert!(delivered.report.resumed && delivered.succeeded(), "{delivered:?}");
    drop(conductor);
    drain.await.expect("ends");
}

#[tokio::test]
async fn what_is_given_up_is_marked_as_failed_and_not_gone_on_with() {
    let place = Place::new().await;
    let (conductor, mut told) = place.conductor(Arc::new(NoProbe));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let options = InstallOptions::default();
    let releases = place.releases();
    let prepared = releases.prepare_install("web", web("shop/web:1"), &options).await.expect("prepares");
    conductor.stop.cancel();
    conductor.run(&releases, &prepared).await.expect_err("is interrupted");
    conductor.give_up(&releases, &prepared, CancellationToken::new()).await.expect("is given up");
    let record = releases.last("web").await.expect("is recorded");
    assert_eq!(record.info.status, Status::Failed);
    assert_eq!(record.info.description, "Release \"web\" failed: context canceled");
    let recovery = conductor.recover(&releases, "web", Duration::ZERO).await.expect("looks");
    assert_eq!(recovery, Recovery::Clean);
    drop(conductor);
    drain.await.expect("ends");
}

/// A release `web`, and an upgrade of it that is undone when it fails.
async fn atomic_upgrade(place: &Place) -> (Releases, Prepared) {
    let releases = place.releases();
    let options = InstallOptions { deploy: waiting(), ..InstallOptions::default() };
    let first = releases.prepare_install("web", web("shop/web:1"), &options).await.expect("prepares");
    assert_eq!(place.run(&first).await.expect("runs").report.failure, None);
    let options = UpgradeOptions { deploy: DeployOptions { atomic: true, ..waiting() } };
    let upgrade = releases.prepare_upgrade("web", web("shop/web:2"), &options).await.expect("prepares");
    (releases, upgrade)
}

async fn statuses(releases: &Releases) -> Vec<Status> {
    releases.history("web").await.expect("reads").iter().map(|record| record.info.status).collect()
}

#[tokio::test]
async fn what_is_given_up_is_undone_although_it_was_told_to_stop() {
    let place = Place::new().await;
    let (releases, upgrade) = atomic_upgrade(&place).await;
    let (conductor, mut told) = place.conductor(Arc::new(NoProbe));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    conductor.stop.cancel();
    conductor.run(&releases, &upgrade).await.expect_err("is interrupted");
    let undone = conductor.give_up(&releases, &upgrade, CancellationToken::new()).await.expect("is given up");
    assert!(undone.is_some_and(|undone| undone.succeeded()));
    assert_eq!(statuses(&releases).await, [Status::Superseded, Status::Failed, Status::Deployed]);
    let recovery = conductor.recover(&releases, "web", Duration::ZERO).await.expect("looks");
    assert_eq!(recovery, Recovery::Clean);
    drop(conductor);
    drain.await.expect("ends");
}

#[tokio::test]
async fn an_undoing_that_is_told_to_stop_as_well_is_gone_on_with() {
    let place = Place::new().await;
    let (releases, upgrade) = atomic_upgrade(&place).await;
    let (conductor, mut told) = place.conductor(Arc::new(NoProbe));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    conductor.stop.cancel();
    conductor.run(&releases, &upgrade).await.expect_err("is interrupted");
    let again = CancellationToken::new();
    again.cancel();
    conductor.give_up(&releases, &upgrade, again).await.expect_err("is interrupted, too");
    assert_eq!(statuses(&releases).await, [Status::Deployed, Status::Failed, Status::PendingRollback]);
    drop(conductor);
    drain.await.expect("ends");
    let (conductor, mut told) = place.conductor(Arc::new(NoProbe));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let recovery = conductor.recover(&releases, "web", Duration::ZERO).await.expect("recovers");
    assert!(matches!(recovery, Recovery::Resumed(delivered) if delivered.succeeded()));
    assert_eq!(statuses(&releases).await, [Status::Superseded, Status::Failed, Status::Deployed]);
    drop(conductor);
    drain.await.expect("ends");
}
