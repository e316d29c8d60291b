//! What goes wrong on the cluster: said at once with pod, container and reason, and over as soon as its cause is.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::addresses::get;
use super::inspection::objects;
use super::sandbox::{Ran, Sandbox, ran, small_chart};

fn workload(sandbox: &Sandbox, name: &str) -> Value {
    let status = sandbox.run(&["status", "-o", "json"]).json();
    let workloads = status["data"]["units"][0]["workloads"].as_array().expect("workloads").clone();
    workloads.into_iter().find(|workload| workload["name"] == name).expect("there")
}

/// `up` of the application alone, and how long it took.
fn up(sandbox: &Sandbox, more: &[&str]) -> (Ran, Duration) {
    let started = Instant::now();
    let ran = sandbox.run(&[&["up", "--skip", "observability"], more].concat());
    (ran, started.elapsed())
}

#[test]
fn ez_046_a_failing_migration_aborts_the_upgrade_before_any_pod_rolls() {
    let sandbox = Sandbox::luckyplans();
    up(&sandbox, &[]).0.exits(0);
    let before = workload(&sandbox, "api-gateway");
    let (failed, _) = up(&sandbox, &["--fault", "job/prisma-migrate=fail", "--set", "apiGateway.image.tag=v2"]);
    failed.exits(4).says("hook Job").says("prisma-migrate").says("exit").says("log");
    let after = workload(&sandbox, "api-gateway");
    assert_eq!(before["hash"], after["hash"]);
    assert_eq!(before["images"], after["images"]);
    assert_eq!(after["ready"], "1/1");
    // Without the fault the same command goes through.
    up(&sandbox, &["--set", "apiGateway.image.tag=v2"]).0.exits(0);
    assert_ne!(before["hash"], workload(&sandbox, "api-gateway")["hash"]);
}

#[test]
fn lp_023_an_image_that_cannot_be_pulled_is_named_with_pod_container_and_reason() {
    let sandbox = Sandbox::luckyplans();
    let (failed, took) = up(&sandbox, &["--fault", "deployment/web=imagepull"]);
    failed
        .exits(4)
        .says("Deployment")
        .says("pod web-")
        .says("container web")
        .says("ImagePull")
        .says("luckyplans/web:latest")
        .says("last events:")
        .says("landfall logs");
    assert!(took < Duration::from_secs(30), "{took:?}");
    up(&sandbox, &[]).0.exits(0);
}

#[test]
fn a_crash_loop_is_named_with_its_exit_code_and_log_and_leaves_no_back_off() {
    let sandbox = Sandbox::luckyplans();
    let (failed, took) = up(&sandbox, &["--fault", "deployment/web=crashloop"]);
    failed
        .exits(4)
        .says("container web")
        .says("CrashLoopBackOff")
        .says("exit code 1")
        .says("log before the last restart");
    assert!(took < Duration::from_secs(25), "{took:?}");
    let (_, took) = up(&sandbox, &[]);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(workload(&sandbox, "web")["ready"], "1/1");
}

#[test]
fn lp_022_a_rollout_that_does_not_end_is_given_up_with_pods_and_events() {
    let sandbox = Sandbox::luckyplans();
    up(&sandbox, &[]).0.exits(0);
    sandbox
        .run(&["up", "web", "--fault", "deployment/web=unready", "--timeout", "3s"])
        .exits(4)
        .says("timed out after 3 s waiting for")
        .says("pods of luckyplans:")
        .says("web-")
        .says("last events:");
}

#[test]
fn lp_022_helms_variable_bounds_the_rollout_too() {
    let sandbox = Sandbox::luckyplans();
    up(&sandbox, &[]).0.exits(0);
    let mut command = sandbox.command(&["up", "web", "--fault", "deployment/web=unready"]);
    command.env("HELM_TIMEOUT", "2s");
    ran(command.output().expect("the binary runs")).exits(4).says("timed out after 2 s waiting for");
}

#[test]
fn ez_046_whoever_asks_while_the_migration_fails_is_answered_by_the_old_pods() {
    let sandbox = Sandbox::example("ezscale-website").interactive();
    sandbox.edit(
        "landfall.yaml",
        "logs: [\"Nothing to migrate.\"]",
        "logs: [\"Nothing to migrate.\"]\n        runs: 1s",
    );
    let first = sandbox.run(&["up", "-o", "json"]).exits(0).json();
    let ingress = first["data"]["ingress"]["http"].as_str().expect("an ingress address").to_owned();
    let failing = ["up", "--fault", "job/ezscale-website-migrate=fail", "--set", "image.tag=v2"];
    let mut command = sandbox.command(&failing);
    let mut failing = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut answers = Vec::new();
    while failing.try_wait().expect("it can be asked").is_none() {
        answers.push(get(&ingress, "ezscale.test", "/up", "GET", ""));
    }
    ran(failing.wait_with_output().expect("it has ended")).exits(4).says("hook Job").says("ezscale-website-migrate");
    assert!(answers.len() > 20, "{} requests while it failed", answers.len());
    for answer in &answers {
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("Application up"), "{answer}");
    }
    sandbox.run(&["cluster", "stop"]).exits(0);
    let deployments = objects(&sandbox.root().join(".landfall"), "apps/v1", "Deployment", "ezscale");
    assert_eq!(deployments.len(), 3);
    for deployment in deployments {
        assert_eq!(deployment.generation(), Some(1), "{} was not touched", deployment.name());
    }
}

/// A chart whose migration runs before an upgrade and before a way back.
fn migrated() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write(
        "shop/templates/migrate.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: \"pre-upgrade,pre-rollback\"}\nspec:\n  backoffLimit: 0\n  template:\n    spec: {restartPolicy: Never, containers: [{name: migrate, image: \"example/app:1\"}]}\n",
    );
    sandbox
}

#[test]
fn what_has_become_of_a_failure_that_was_to_be_undone_is_told_as_it_is() {
    let sandbox = migrated();
    let back = "the last good revision was put back";
    let install = sandbox.run(&["up", "shop", "--atomic", "--fault", "deployment/shop=crashloop"]).exits(4);
    assert!(!install.all().contains(back), "{}", install.all());
    install.says("it was uninstalled again");
    sandbox.run(&["up", "shop"]).exits(0);
    let set = ["up", "shop", "--atomic", "--set", "image=example/app:2.0.0", "--fault"];
    let undone = sandbox.run(&[&set[..], &["deployment/shop=crashloop"]].concat()).exits(4);
    let failed = sandbox.run(&[&set[..], &["job/migrate=fail"]].concat()).exits(4);
    assert!(!failed.all().contains(back), "{}", failed.all());
    failed.says("putting the last good revision back failed, too");
    undone.says("failed");
}

#[test]
fn a_slow_start_is_waited_for() {
    let sandbox = Sandbox::luckyplans();
    let (slow, took) = up(&sandbox, &["--fault", "deployment/web=slow:2s"]);
    slow.exits(0);
    assert!(took >= Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_claim_without_a_volume_is_named_when_time_is_up() {
    let sandbox = Sandbox::luckyplans();
    let (failed, _) = up(&sandbox, &["--fault", "pvc/postgresql-data=unbound", "--timeout", "3s"]);
    failed.exits(4).says("postgresql").says("PersistentVolumeClaim");
}

#[test]
fn a_fault_that_cannot_be_read_is_refused_with_those_that_can() {
    let sandbox = Sandbox::luckyplans();
    up(&sandbox, &["--fault", "deployment/web=crashlop"]).0.exits(2).says("did you mean `crashloop`?");
}

#[test]
fn lp_056_status_says_which_variable_a_crashed_container_wants_and_where_it_can_come_from() {
    let sandbox = Sandbox::empty();
    sandbox.write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n");
    sandbox.write("shop/templates/all.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {TOKEN: not-a-real-one}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: gateway}\nspec:\n  selector: {matchLabels: {app: gateway}}\n  template:\n    metadata: {labels: {app: gateway}}\n    spec: {containers: [{name: gateway, image: registry.example.com/gateway:1.0.0, envFrom: [{secretRef: {name: keys}}]}]}\n");
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: shop, chart: shop, namespace: shop}]\n    simulate: {gateway: {logs: [\"Error: Missing required environment variable: WORKER_CREDENTIAL_PEPPER\"]}}\n");
    sandbox.commit("Begin");
    sandbox.run(&["up", "--fault", "deployment/gateway=crashloop"]).exits(4);
    let status = sandbox.run(&["status"]).exits(4);
    for text in [
        "gateway wants the variable WORKER_CREDENTIAL_PEPPER",
        "kubectl -n shop edit secret keys",
        "kubectl -n shop rollout restart deployment/gateway",
    ] {
        assert!(status.stdout.contains(text), "{text} in {}", status.all());
    }
}

/// Helm 3.22.0 prints this chart, and does not install it: `invalid Yaml document separator: apiVersion: v1`.
#[test]
fn a_document_that_is_glued_to_its_separator_is_printed_and_not_delivered() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/templates/glued.yaml",
        "---\n\n{{- if .Values.off }}\n{{- end }}\n---apiVersion: v1\nkind: ConfigMap\nmetadata: {name: glued}\n",
    );
    sandbox.run(&["template", "web"]).exits(0).says("---apiVersion: v1");
    for verb in [&["rehearse", "web", "--from", "empty"][..], &["up", "web", "--once"], &["plan", "web"]] {
        let ran = sandbox.run(verb);
        assert!(ran.code != 0 && ran.code != 101, "{verb:?}: {}", ran.all());
        ran.says("web/templates/glued.yaml").says("apiVersion: v1");
    }
}
