//! Rows of the requirements, each by the fixture that holds its fault and its mended form.

use landfall_diag::Finding;
use landfall_doctor::{Sight, State, prerequisites};
use landfall_object::Object;
use landfall_rules::{ClusterFacts, Inventory, Known, Subject, rule};
use serde_json::{Value, json};

use crate::fixture::{Files, Fixture, Scene};

/// What a fixture's rule finds in its faulty form; the mended one has to be silent.
fn found(name: &str) -> Vec<Finding> {
    let fixtures = Fixture::all();
    let fixture = fixtures.iter().find(|fixture| fixture.name == name).expect("a fixture of that name");
    let rule = rule(&fixture.rule).expect("a rule");
    let left = fixture.fixed_scene().examine(rule).expect("it renders");
    assert!(left.is_empty(), "{name}: {left:?}");
    fixture.faulty_scene().examine(rule).expect("it renders")
}

#[track_caller]
fn fails_with(name: &str, text: &str) {
    let findings = found(name);
    let fitting = findings.iter().filter(|finding| finding.fails() && finding.message.contains(text));
    assert_eq!(fitting.count(), 1, "{name}: {findings:?}");
}

#[test]
fn lp_011_the_same_host_and_path_twice_is_an_error_and_different_paths_are_fine() {
    fails_with("LF139-two-ingresses", "is routed by Ingress");
}

#[test]
fn lp_047_a_development_default_in_a_protected_environment_is_an_error() {
    fails_with("LF116-the-chart-default", "");
    fails_with("LF116-placeholder", "");
}

#[test]
fn lp_048_a_plain_secret_in_a_protected_environment_is_an_error() {
    fails_with("LF115-plain-text", "stands in git as plain text");
    fails_with("LF115-values-file", "stands in git as plain text");
}

#[test]
fn lp_049_a_rotation_is_told_of_before_its_day_and_an_error_behind_it() {
    let soon = found("LF119-rotation-due-soon");
    assert!(soon.len() == 1 && !soon[0].fails() && soon[0].message.contains("`SESSION_KEY` is due soon"), "{soon:?}");
    fails_with("LF119-rotation-overdue", "`SESSION_KEY` is overdue: it was written 91 days ago");
}

#[test]
fn lp_051_plain_http_in_a_protected_environment_is_an_error() {
    fails_with("LF125-no-tls", "without TLS");
}

#[test]
fn lp_052_a_moving_tag_in_a_protected_environment_is_an_error() {
    fails_with("trap_t06_moving_tag_in_a_protected_environment", "which moves");
}

#[test]
fn lp_053_rights_that_were_not_there_before_are_told() {
    let findings = found("LF124-relaxed");
    assert!(findings[0].message.contains("which it was not before"), "{findings:?}");
}

#[test]
fn lp_055_a_public_console_without_a_password_is_an_error() {
    fails_with("LF125-empty-password", "is empty");
}

#[test]
fn lp_095_a_changed_build_argument_with_the_same_image_asks_for_a_rebuild() {
    let findings = found("LF128-argument");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].help.contains("rebuild `web`"), "{findings:?}");
}

#[test]
fn ez_041_a_port_that_the_service_lacks_is_named() {
    let findings = found("LF106-host-beside-port");
    assert!(findings[0].message.contains("which it does not have"), "{findings:?}");
}

#[test]
fn ez_064_replicas_times_pool_is_held_against_the_servers_limit() {
    let findings = found("LF142-autoscaler");
    assert!(findings[0].message.contains("takes 50 connections, and up to 80 may be opened"), "{findings:?}");
}

#[test]
fn ez_075_an_object_of_another_release_is_not_adopted() {
    let findings = found("LF131-owned-by-another-release");
    assert!(findings.iter().any(|finding| finding.fails()), "{findings:?}");
}

#[test]
fn ez_010_a_middleware_of_another_namespace_names_the_switch_that_allows_it() {
    let findings = found("LF132-middleware-of-another-namespace");
    let all: String = findings.iter().map(|it| format!("{} {} {}\n", it.message, it.cause, it.help)).collect();
    assert!(all.contains("allowCrossNamespace"), "{all}");
}

#[test]
fn ez_033_a_key_that_was_generated_once_may_not_change() {
    fails_with("LF114-generated-once", "`APP_KEY` of Secret `accounts` is generated once, and this changes it");
    fails_with("LF114-marked-on-the-cluster", "this takes it out");
}

#[test]
fn ez_034_the_blast_radius_of_a_key_stands_beside_the_refusal() {
    let findings = found("LF114-generated-once");
    assert_eq!(findings[0].cause, "lost with the old value: sessions, second factors");
}

#[test]
fn a_host_that_stayed_behind_is_named_with_every_place() {
    let findings = found("trap_t20_host_of_the_last_layout");
    assert_eq!(findings[0].spots.len(), 2, "{findings:?}");
}

/// What doctor sees of the cluster's database servers, for a Database that refers to one.
fn servers(live: Vec<Value>) -> Vec<(State, String)> {
    let files: Files = [
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("templates/database.yaml", "apiVersion: k8s.mariadb.com/v1alpha1\nkind: Database\nmetadata: {name: billing}\nspec: {mariaDbRef: {name: mariadb}}\n"),
    ]
    .iter()
    .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
    .collect();
    let live: Inventory = live.into_iter().filter_map(|value| Object::from_value(value).ok()).collect();
    let scene = Scene { files, ..Fixture::all()[0].faulty_scene() };
    let units = scene.units(&scene.files, &live).expect("it renders");
    let cluster = ClusterFacts { known: Known::Live, ..ClusterFacts::assumed() };
    let subject = Subject {
        units: &units,
        base: None,
        before: &live,
        cluster: &cluster,
        trials: &[],
        files: None,
        project: None,
        environment: None,
        today: jiff::civil::date(2026, 11, 20),
    };
    let sight = Sight { name: "place", version: "v1.36.3", objects: &live, unread: &[] };
    let seen = prerequisites(&subject, &sight).into_iter().filter(|it| it.what.contains("MariaDB"));
    seen.map(|it| (it.state, format!("{}: {}", it.what, it.seen))).collect()
}

#[test]
fn ez_008_a_database_server_that_is_not_ready_is_named_with_its_reason() {
    let server = |status: &str| {
        json!({"apiVersion": "k8s.mariadb.com/v1alpha1", "kind": "MariaDB",
            "metadata": {"name": "mariadb", "namespace": "shop"},
            "status": {"conditions": [{"type": "Ready", "status": status, "message": "no primary"}]}})
    };
    let (state, text) = servers(vec![server("False")]).remove(0);
    assert_eq!((state, text.as_str()), (State::Wrong, "MariaDB shop/mariadb: is not ready: no primary"));
    assert_eq!(servers(vec![server("True")]).remove(0).0, State::Fine);
}
