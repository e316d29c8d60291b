use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::Severity;
use landfall_rules::{RULES, Rule, rule};

use crate::fixture::{Fixture, Scene};
use crate::mutation::{MUTATIONS, whole_words};

/// What is wrong with what a rule found in a faulty scene; nothing when it is as the fixture says.
fn wrong(fixture: &Fixture, scene: &Scene, rule: &Rule, names: &BTreeMap<String, String>) -> Option<String> {
    let findings = match scene.examine(rule) {
        Ok(findings) => findings,
        Err(error) => return Some(format!("cannot be read: {error}")),
    };
    let severity = fixture.severity.unwrap_or(rule.severity);
    let wanted = names.iter().fold(fixture.finds.clone(), |text, (from, to)| whole_words(&text, from, to));
    let fitting = findings.iter().filter(|finding| finding.severity == severity && finding.message.contains(&wanted));
    let told = || findings.iter().map(|it| format!("{} {}", it.severity.word(), it.message)).collect::<Vec<_>>();
    (fitting.count() == 0 || findings.len() != fixture.count)
        .then(|| format!("wanted {} × {} `{wanted}`, found {:#?}", fixture.count, severity.word(), told()))
}

/// Findings in a scene whose fault is mended.
fn left_over(scene: &Scene, rule: &Rule) -> Option<String> {
    match scene.examine(rule) {
        Ok(findings) if findings.is_empty() => None,
        Ok(findings) => Some(findings.iter().map(|it| format!("{} {}\n", it.severity.word(), it.message)).collect()),
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

fn check(fixture: &Fixture) -> Vec<String> {
    let name = &fixture.name;
    let Some(rule) = rule(&fixture.rule) else { return vec![format!("{name}: there is no rule {}", fixture.rule)] };
    let none = BTreeMap::new();
    let mut failures = Vec::new();
    let mut fail = |what: &str, why: Option<String>| failures.extend(why.map(|why| format!("{name}: {what}: {why}")));
    let (faulty, fixed) = (fixture.faulty_scene(), fixture.fixed_scene());
    fail("faulty", wrong(fixture, &faulty, rule, &none));
    fail("fixed", left_over(&fixed, rule));
    let silenced = rule.silenced();
    if wrong(fixture, &faulty, &silenced, &none).is_none() {
        fail("silenced", Some("the fixture passes without the rule's check".to_owned()));
    }
    for known in fixture.skip.keys() {
        if !MUTATIONS.iter().any(|mutation| mutation.name == known) {
            fail("skip", Some(format!("there is no mutation `{known}`")));
        }
    }
    let mutations = MUTATIONS.iter().filter(|mutation| !fixture.skip.contains_key(mutation.name));
    // A delivery takes a moment: one mutation of each sort has to do.
    let step = if fixture.rehearsed { 8 } else { 1 };
    for mutation in mutations.step_by(step) {
        if let Some((scene, names)) = (mutation.apply)(fixture, &faulty) {
            fail(mutation.name, wrong(fixture, &scene, rule, &names));
        }
        if let Some((scene, _)) = (mutation.apply)(fixture, &fixed) {
            fail(&format!("{}, fixed", mutation.name), left_over(&scene, rule));
        }
    }
    failures
}

#[test]
fn every_fixture_is_found_however_it_is_written_and_silent_when_mended() {
    let only = std::env::var("FIXTURE").unwrap_or_default();
    let fixtures: Vec<Fixture> = Fixture::all().into_iter().filter(|it| it.name.contains(&only)).collect();
    let failures: Vec<String> = std::thread::scope(|scope| {
        let halves: Vec<_> = fixtures
            .chunks(fixtures.len().div_ceil(2).max(1))
            .map(|half| scope.spawn(|| half.iter().flat_map(check).collect::<Vec<_>>()))
            .collect();
        halves.into_iter().flat_map(|half| half.join().expect("no panic")).collect()
    });
    assert!(
        failures.is_empty(),
        "{} of {} fixtures' checks fail:\n{}",
        failures.len(),
        fixtures.len(),
        failures.join("\n")
    );
}

#[test]
fn every_rule_has_a_fixture_named_by_its_id() {
    let fixtures = Fixture::all();
    let covered: BTreeSet<&str> = fixtures.iter().map(|fixture| fixture.rule.as_str()).collect();
    let bare: Vec<&str> = RULES.iter().map(|rule| rule.id).filter(|id| !covered.contains(id)).collect();
    assert!(bare.is_empty(), "rules without a fixture: {}", bare.join(", "));
    for fixture in &fixtures {
        let named = fixture.name.starts_with(&fixture.rule) || fixture.name.starts_with("trap_t");
        assert!(named, "{}: a fixture's name begins with its rule or its trap", fixture.name);
    }
}

#[test]
fn a_fixture_of_error_level_makes_the_rehearsal_fail() {
    for fixture in Fixture::all() {
        let Some(rule) = rule(&fixture.rule) else { continue };
        let findings = fixture.faulty_scene().examine(rule).expect("it renders");
        let severe = fixture.severity.unwrap_or(rule.severity) == Severity::Error;
        assert_eq!(findings.iter().any(|finding| finding.fails()), severe, "{}", fixture.name);
    }
}
