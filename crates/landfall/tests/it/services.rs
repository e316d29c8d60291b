use super::inspection::objects;
use super::sandbox::Sandbox;

/// The pod-template hash of each Deployment's newest ReplicaSet, by Deployment.
fn hashes(sandbox: &Sandbox) -> std::collections::BTreeMap<String, String> {
    let status = sandbox.run(&["status", "-o", "json"]).json();
    let mut found = std::collections::BTreeMap::new();
    for unit in status["data"]["units"].as_array().expect("units") {
        for workload in unit["workloads"].as_array().expect("workloads") {
            if let Some(hash) = workload["hash"].as_str() {
                found.insert(workload["name"].as_str().expect("a name").to_owned(), hash.to_owned());
            }
        }
    }
    found
}

#[test]
fn lp_015_one_named_service_is_rolled_and_no_other() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0);
    let before = hashes(&sandbox);
    sandbox.run(&["up", "web"]).exits(0);
    let after = hashes(&sandbox);
    let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["web"]);
}

#[test]
fn lp_016_several_named_services_are_rolled_and_no_other() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0);
    let before = hashes(&sandbox);
    sandbox.run(&["up", "api-gateway", "web"]).exits(0);
    let after = hashes(&sandbox);
    let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["api-gateway", "web"]);
}

#[test]
fn lp_015_a_new_tag_for_one_service_changes_only_that_service() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0);
    let before = hashes(&sandbox);
    sandbox.run(&["up", "web", "--set", "web.image.tag=dev2"]).exits(0);
    let after = hashes(&sandbox);
    let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["web"]);
}

#[test]
fn lp_017_an_unknown_service_is_refused_with_the_list_and_nothing_is_changed() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up", "api-gatway"]).exits(2).says("did you mean `api-gateway`?").says("service-core");
    assert!(!sandbox.root().join(".landfall/cluster.db").exists());
}

#[test]
fn lp_019_no_build_and_service_names_exclude_each_other() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up", "--no-build", "web"]).exits(2);
    sandbox.run(&["up", "--helm-only", "web"]).exits(2);
}

#[test]
fn lp_018_no_build_delivers_a_changed_value_without_a_build() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0).says("build web: simulated");
    let up = sandbox.run(&["up", "--no-build", "--set", "config.logLevel=warn", "-o", "json"]).exits(0);
    assert!(!up.stderr.contains("build web"), "{}", up.all());
    assert_eq!(up.json()["data"]["units"][0]["revision"], 2);
}

#[test]
fn lp_021_the_migration_among_the_services_has_ended_before_the_first_pod_rolls() {
    let sandbox = Sandbox::luckyplans();
    // Long enough to be told apart by times in whole seconds.
    sandbox.edit(
        "landfall.yaml",
        "logs: [\"applied 0 migrations\"]",
        "logs: [\"applied 0 migrations\"]\n        runs: 2s",
    );
    sandbox.run(&["up", "--skip", "observability"]).exits(0);
    let state = sandbox.root().join(".landfall");
    let time = |object: &landfall_object::Object, pointer: &str| -> jiff::Timestamp {
        object.str_at(pointer).expect("a time").parse().expect("RFC 3339")
    };
    let migration = || {
        let jobs = objects(&state, "batch/v1", "Job", "luckyplans");
        jobs.into_iter().find(|job| job.name() == "prisma-migrate").expect("the Job is kept")
    };
    let pods = || objects(&state, "v1", "Pod", "luckyplans");
    let (first, before) = (migration(), pods());
    sandbox.run(&["up", "prisma-migrate", "web", "api-gateway", "--skip", "observability"]).exits(0);
    let second = migration();
    assert_ne!(first.uid(), second.uid(), "the hook has run again");
    let ended = time(&second, "/status/completionTime");
    assert!(ended.duration_since(time(&second, "/status/startTime")).as_secs() >= 2, "{second:?}");
    let new: Vec<_> = pods().into_iter().filter(|pod| before.iter().all(|old| old.uid() != pod.uid())).collect();
    for service in ["web-", "api-gateway-"] {
        let rolled = new.iter().filter(|pod| pod.name().starts_with(service)).collect::<Vec<_>>();
        assert!(!rolled.is_empty(), "{service}: {new:?}");
        for pod in rolled {
            let made = time(pod, "/metadata/creationTimestamp");
            assert!(made >= ended, "{} was made at {made}, before the migration ended at {ended}", pod.name());
        }
    }
}
