use super::sandbox::Sandbox;

#[test]
fn lp_014_one_command_delivers_both_releases_and_a_second_run_changes_nothing() {
    let sandbox = Sandbox::luckyplans();
    let first = sandbox.run(&["up", "-o", "json"]).exits(0).json();
    assert_eq!(first["ok"], true, "{first:#}");
    let units = first["data"]["units"].as_array().expect("units");
    assert_eq!(units.len(), 2);
    for unit in units {
        assert_eq!(unit["outcome"], "delivered", "{unit:#}");
        assert_eq!(unit["revision"], 1);
    }
    let again = sandbox.run(&["up", "-o", "json"]).exits(0).json();
    for unit in again["data"]["units"].as_array().expect("units") {
        assert_eq!(unit["outcome"], "unchanged", "{unit:#}");
        assert_eq!(unit["revision"], 1);
    }
    sandbox.run(&["status"]).exits(0).says("api-gateway").says("~");
}

#[test]
fn lp_004_two_releases_live_in_two_namespaces() {
    let sandbox = Sandbox::luckyplans().interactive();
    let up = sandbox.run(&["up", "-o", "json"]).exits(0).json();
    let places: Vec<String> = up["data"]["units"]
        .as_array()
        .expect("units")
        .iter()
        .map(|unit| format!("{}/{}", unit["namespace"].as_str().unwrap_or("?"), unit["name"].as_str().unwrap_or("?")))
        .collect();
    assert_eq!(places, ["luckyplans/luckyplans", "monitoring/observability"]);
    let list = sandbox.run(&["list", "-A", "-o", "json"]).exits(0).json();
    let listed: Vec<String> = list
        .as_array()
        .expect("releases")
        .iter()
        .map(|release| {
            format!("{}/{}", release["namespace"].as_str().unwrap_or("?"), release["name"].as_str().unwrap_or("?"))
        })
        .collect();
    assert_eq!(listed, places);
}

#[test]
fn lp_102_the_graphql_health_check_passes_and_says_that_it_is_simulated() {
    let sandbox = Sandbox::luckyplans();
    let up = sandbox.run(&["up", "-o", "json"]).exits(0).json();
    let checks = up["data"]["checks"].as_array().expect("checks");
    let graphql = checks.iter().find(|check| check["name"] == "graphql").expect("declared");
    assert_eq!(graphql["verdict"], "passed", "{graphql:#}");
    assert_eq!(graphql["simulated"], true);
}

#[test]
fn lp_020_observability_can_be_left_out() {
    let sandbox = Sandbox::luckyplans();
    for flag in [&["up", "--skip", "observability", "-o", "json"][..], &["up", "--no-observability", "-o", "json"]] {
        let up = sandbox.run(flag).exits(0).json();
        assert_eq!(up["data"]["units"].as_array().map(Vec::len), Some(1), "{up:#}");
        let checks: Vec<&str> =
            up["data"]["checks"].as_array().into_iter().flatten().filter_map(|check| check["name"].as_str()).collect();
        assert_eq!(checks, ["web", "login", "docs", "gateway", "graphql"], "what is left out is not asked");
        let namespaces = super::inspection::namespaces(&sandbox.root().join(".landfall"));
        assert!(!namespaces.contains(&"monitoring".to_owned()), "{namespaces:?}");
    }
    sandbox.run(&["status", "-o", "json"]).exits(0);
}

#[test]
fn lp_025_status_is_one_screen_with_releases_pods_services_and_ingress() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0);
    sandbox.run(&["status"]).exits(0).says("luckyplans").says("observability").says("postgresql").says("/graphql");
}

#[test]
fn a_failed_check_is_delivered_but_not_healthy() {
    let sandbox = Sandbox::luckyplans();
    sandbox.edit("landfall.yaml", "json: {status: ok}", "json: {status: broken}");
    sandbox.run(&["up"]).exits(4).says("gateway").says("does not contain");
}

#[test]
fn a_check_that_nothing_answers_is_not_simulated_and_not_passed() {
    let sandbox = Sandbox::luckyplans();
    sandbox.edit("landfall.yaml", "- {path: /health, json: {status: ok}}", "- {path: /healthz, json: {status: ok}}");
    let up = sandbox.run(&["up", "-o", "json"]).exits(4).json();
    assert_eq!((&up["ok"], &up["exit"]), (&false.into(), &4.into()));
    let checks = up["data"]["checks"].as_array().expect("checks");
    let gateway = checks.iter().find(|check| check["name"] == "gateway").expect("declared");
    assert_eq!(gateway["verdict"], "not-simulated", "{gateway:#}");
    sandbox.run(&["up"]).exits(4).says("1 check could not be made: gateway").says("--allow-unsimulated");
    let seen = sandbox.run(&["up", "--allow-unsimulated", "-o", "json"]).exits(0).json();
    assert_eq!(seen["ok"], true);
    let unmade = seen["data"]["checks"].as_array().into_iter().flatten().filter(|it| it["verdict"] != "passed").count();
    assert_eq!(unmade, 1, "accepted, and told as what it is: {seen:#}");
    sandbox.commit("As it is");
    sandbox
        .run(&["rehearse", "--from", "empty"])
        .exits(0)
        .says("would deliver, as far as it was simulated")
        .says("1 of 6 checks could not be made");
}

#[test]
fn the_plan_says_nothing_of_sections_that_other_commands_act_on() {
    let sandbox = Sandbox::luckyplans();
    let planned = sandbox.run(&["plan"]).exits(0);
    assert!(!planned.all().contains("not acted on"), "{}", planned.all());
}
