//! What can never become ready is named at once, and what only takes time is waited for.

use std::time::Duration;

use landfall_engine::{Event, FailureKind};
use landfall_release::{DeployOptions, InstallOptions, Wait};

use crate::charts::{content, deployment, job_hook, web};
use crate::place::Place;

fn patient() -> InstallOptions {
    let deploy =
        DeployOptions { wait: Wait::ReadyAndJobs, timeout: Duration::from_secs(900), ..DeployOptions::default() };
    InstallOptions { deploy, ..InstallOptions::default() }
}

/// Installs under a fault and answers the failure, the events, and the time that it took on the cluster's clock.
async fn install(
    place: &Place,
    content: landfall_release::Content,
) -> (Option<landfall_engine::Failure>, Vec<Event>, i64) {
    let before = place.clock.now();
    let prepared = place.releases().prepare_install("web", content, &patient()).await.expect("prepares");
    let (result, events) = place.run_with(&prepared, std::sync::Arc::new(landfall_engine::NoProbe)).await;
    let took = place.clock.now().as_second() - before.as_second();
    (result.expect("runs").report.failure, events, took)
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_named_with_pod_container_and_reason_at_once() {
    let Some(place) = Place::with_faults(&["deployment/web=imagepull"]).await else { return };
    let (failure, _, took) = install(&place, web("shop/web:1")).await;
    let failure = failure.expect("fails");
    assert_eq!((failure.kind, failure.key.name.as_str()), (FailureKind::NeverReady, "web"));
    let evidence = &failure.evidence[0];
    assert!(evidence.pod.as_deref().is_some_and(|pod| pod.starts_with("web-")), "{evidence:?}");
    assert_eq!(evidence.container.as_deref(), Some("web"));
    assert_eq!(evidence.image.as_deref(), Some("shop/web:1"));
    assert_eq!(evidence.reason, "ImagePullBackOff");
    assert!(evidence.events.iter().any(|event| event.kind == "Warning"), "{evidence:?}");
    assert!(took < 120, "{took} s");
}

#[tokio::test]
async fn a_crash_loop_is_told_from_a_slow_start() {
    let Some(place) = Place::with_faults(&["deployment/web=crashloop"]).await else { return };
    let (failure, _, took) = install(&place, web("shop/web:1")).await;
    let failure = failure.expect("fails");
    assert_eq!(failure.evidence[0].reason, "CrashLoopBackOff");
    assert!(took < 300, "{took} s");

    let Some(place) = Place::with_faults(&["deployment/web=slow:300s"]).await else { return };
    let manifest = deployment("shop/web:1").replace(
        "        resources:",
        "        readinessProbe:\n          tcpSocket: {port: 80}\n          periodSeconds: 10\n        resources:",
    );
    let (failure, events, took) = install(&place, content(format!("---\n{manifest}"))).await;
    assert_eq!(failure, None);
    assert!((290..=340).contains(&took), "{took} s");
    assert!(events.iter().any(|event| matches!(event, Event::Waiting { .. })));
}

#[tokio::test]
async fn what_never_gets_ready_ends_with_its_deadline_and_says_what_was_waited_for() {
    let Some(place) = Place::with_faults(&["deployment/web=unready"]).await else { return };
    // The Deployment gives up after ten minutes by itself; the deadline is before that.
    let mut options = patient();
    options.deploy.timeout = Duration::from_secs(120);
    let before = place.clock.now();
    let prepared = place.releases().prepare_install("web", web("shop/web:1"), &options).await.expect("prepares");
    let failure = place.run(&prepared).await.expect("runs").report.failure.expect("fails");
    let took = place.clock.now().as_second() - before.as_second();
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure:?}");
    assert!(failure.message.starts_with("timed out after 120 s waiting for Deployment.apps "), "{}", failure.message);
    assert!(failure.evidence[0].pod.is_some(), "{failure:?}");
    assert!((119..=140).contains(&took), "{took} s");
}

#[tokio::test]
async fn lp_045_a_missing_key_is_named_when_it_slips_through_to_the_cluster() {
    let Some(place) = Place::with_faults(&[]).await else { return };
    let manifest = deployment("shop/web:1").replace(
        "        resources:",
        "        env:\n        - name: TOKEN\n          valueFrom: {secretKeyRef: {name: keys, key: TOKEN}}\n        resources:",
    );
    let secret = "---\n# Source: web/templates/s.yaml\napiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\nstringData:\n  OTHER: x\n";
    let content = content(format!("{secret}---\n# Source: web/templates/web.yaml\n{manifest}"));
    let (failure, _, took) = install(&place, content).await;
    let failure = failure.expect("fails");
    assert_eq!(failure.evidence[0].reason, "CreateContainerConfigError");
    assert!(failure.message.contains("couldn't find key TOKEN in Secret"), "{}", failure.message);
    assert!(took < 120, "{took} s");
}

#[tokio::test]
async fn a_failing_migration_shows_its_log_before_anything_else_happens() {
    let Some(place) = Place::with_faults(&["job/migrate=fail"]).await else { return };
    let mut first = web("shop/web:1");
    first.hooks.push(job_hook("migrate", &["pre-install"], "", &["hook-failed"]));
    let (failure, events, _) = install(&place, first).await;
    let failure = failure.expect("fails");
    assert_eq!((failure.kind, failure.key.name.as_str()), (FailureKind::Hook, "migrate"));
    assert_eq!(failure.evidence[0].reason, "BackoffLimitExceeded");
    assert!(failure.evidence[0].pod.is_some());
    assert!(!failure.evidence[0].log.is_empty(), "{:?}", failure.evidence);
    assert!(matches!(events.last(), Some(Event::Finished { failure: Some(_) })));
    assert!(place.get("apps/v1", "Deployment", "web").await.is_none());
    assert!(
        place.get("batch/v1", "Job", "migrate").await.is_none(),
        "its policy deletes it after the evidence is taken"
    );
}
