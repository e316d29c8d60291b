use super::sandbox::Sandbox;

#[test]
fn ez_046_a_failing_migration_aborts_the_upgrade_before_any_pod_rolls() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0);
    let before = sandbox.run(&["status", "-o", "json"]).json();
    let failed = sandbox.run(&["up", "--fault", "job/prisma-migrate=fail", "--set", "apiGateway.image.tag=v2"]);
    failed.exits(4).says("prisma-migrate");
    let after = sandbox.run(&["status", "-o", "json"]).json();
    let generation = |status: &serde_json::Value| {
        status["data"]["units"][0]["workloads"]
            .as_array()
            .expect("workloads")
            .iter()
            .find(|workload| workload["name"] == "api-gateway")
            .expect("there")["hash"]
            .clone()
    };
    assert_eq!(generation(&before), generation(&after));
}

#[test]
fn lp_023_an_image_that_cannot_be_pulled_is_named_with_pod_container_and_reason() {
    let sandbox = Sandbox::luckyplans();
    sandbox
        .run(&["up", "--fault", "deployment/web=imagepull"])
        .exits(4)
        .says("container web")
        .says("ImagePull")
        .says("luckyplans/web:latest")
        .says("landfall logs");
}

#[test]
fn lp_022_a_rollout_that_does_not_end_is_given_up_with_what_it_waited_for() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0);
    sandbox.run(&["up", "web", "--fault", "deployment/web=unready", "--timeout", "3s"]).exits(4).says("web");
}

#[test]
fn two_ups_at_once_end_in_one_state() {
    let sandbox = Sandbox::luckyplans().interactive();
    let start = || {
        let mut command = sandbox.command(&["up", "-o", "json"]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().expect("started")
    };
    let (first, second) = (start(), start());
    let first = super::sandbox::ran(first.wait_with_output().expect("ended"));
    let second = super::sandbox::ran(second.wait_with_output().expect("ended"));
    assert_eq!(first.code, 0, "{}", first.all());
    assert_eq!(second.code, 0, "{}", second.all());
    let revisions = sandbox.run(&["history", "-o", "json"]).exits(0).json();
    assert!(revisions["data"].as_array().is_some_and(|rows| !rows.is_empty()));
}
