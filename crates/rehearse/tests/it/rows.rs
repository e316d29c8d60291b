//! Rows of the requirements, each by the fixture that holds its fault and its mended form.

use landfall_rehearse::{Finding, rule};

use crate::fixture::Fixture;

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
