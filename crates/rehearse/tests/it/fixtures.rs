use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Severity};
use landfall_rules::{RULES, Rule, rule};

use crate::fixture::{Fixture, Scene};
use crate::mutation::{MUTATIONS, whole_words};
use crate::place;

/// What is wrong with what a rule found in a faulty scene; nothing when it is as the fixture says.
fn wrong(fixture: &Fixture, found: &Found, rule: &Rule, names: &BTreeMap<String, String>) -> Option<String> {
    let findings = match found {
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

/// What a rule has found in a scene, or why it could not look.
type Found = Result<Vec<Finding>, String>;

/// Findings in a scene whose fault is mended.
fn left_over(scene: &Scene, rule: &Rule) -> Option<String> {
    match scene.examine(rule) {
        Ok(findings) if findings.is_empty() => None,
        Ok(findings) => Some(findings.iter().map(|it| format!("{} {}\n", it.severity.word(), it.message)).collect()),
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

/// What came of one fixture.
#[derive(Default)]
struct Checked {
    failures: Vec<String>,
    /// The mutations that made other scenes of it, faulty and mended each.
    applied: Vec<&'static str>,
}

/// How many mutations each fixture has to take.
const FLOOR: usize = 5;

/// How many of them a fixture takes that is delivered each time, unless all are asked for: a delivery takes a moment.
const DELIVERED: usize = 6;

fn check(fixture: &Fixture, whole: bool) -> Checked {
    let name = &fixture.name;
    let mut checked = Checked::default();
    let Some(rule) = rule(&fixture.rule) else {
        checked.failures.push(format!("{name}: there is no rule {}", fixture.rule));
        return checked;
    };
    let none = BTreeMap::new();
    let failures = &mut checked.failures;
    let mut fail = |what: &str, why: Option<String>| failures.extend(why.map(|why| format!("{name}: {what}: {why}")));
    let (faulty, fixed) = (fixture.faulty_scene(), fixture.fixed_scene());
    let itself = faulty.examine(rule);
    fail("faulty", wrong(fixture, &itself, rule, &none));
    let found = itself.unwrap_or_default();
    fail("fixed", left_over(&fixed, rule));
    let silenced = rule.silenced();
    if wrong(fixture, &faulty.examine(&silenced), &silenced, &none).is_none() {
        fail("silenced", Some("the fixture passes without the rule's check".to_owned()));
    }
    let at: Vec<String> = found.iter().map(place::told).collect();
    if at != fixture.at && std::env::var_os("LANDFALL_BLESS").is_some() {
        fixture.bless(&at);
    } else if at != fixture.at {
        fail("at", Some(format!("wanted {:#?}, found {at:#?}", fixture.at)));
    }
    for known in fixture.skip.keys() {
        if !MUTATIONS.iter().any(|mutation| mutation.name == known) {
            fail("skip", Some(format!("there is no mutation `{known}`")));
        }
    }
    let mut made: Vec<Scene> = Vec::new();
    // A fault that lies in a name is not renamed, in whatever way.
    let is_skipped = |name: &str| {
        fixture.skip.contains_key(name) || (name.starts_with("renamed") && fixture.skip.contains_key("renamed"))
    };
    for mutation in MUTATIONS.iter().filter(|mutation| !is_skipped(mutation.name)) {
        if fixture.rehearsed && !whole && made.len() == DELIVERED {
            break;
        }
        let Some((scene, names)) = mutation.applied(fixture, &faulty) else { continue };
        // Two that come to the same are one.
        if made.iter().any(|it| !it.differs_from(&scene)) {
            continue;
        }
        let mutated = scene.examine(rule);
        fail(mutation.name, wrong(fixture, &mutated, rule, &names));
        fail(mutation.name, misplaced(&found, &mutated, &scene));
        if let Some((scene, _)) = mutation.applied(fixture, &fixed) {
            fail(&format!("{}, fixed", mutation.name), left_over(&scene, rule));
        }
        made.push(scene);
        checked.applied.push(mutation.name);
    }
    if checked.applied.len() < FLOOR {
        fail(
            "mutations",
            Some(format!("takes {} of at least {FLOOR}: {}", checked.applied.len(), checked.applied.join(", "))),
        );
    }
    checked
}

/// A finding of a mutated scene that says less of its place than the fault itself does.
fn misplaced(found: &[Finding], mutated: &Found, scene: &Scene) -> Option<String> {
    let itself = found.first()?;
    mutated.iter().flatten().find_map(|finding| place::lost(finding, itself, scene))
}

#[test]
fn every_fixture_is_found_however_it_is_written_and_silent_when_mended() {
    let only = std::env::var("FIXTURE").unwrap_or_default();
    let whole = std::env::var("MUTATIONS").is_ok_and(|which| which == "all");
    let fixtures: Vec<Fixture> = Fixture::all().into_iter().filter(|it| it.name.contains(&only)).collect();
    let checked: Vec<Checked> = std::thread::scope(|scope| {
        let halves: Vec<_> = fixtures
            .chunks(fixtures.len().div_ceil(2).max(1))
            .map(|half| scope.spawn(move || half.iter().map(|fixture| check(fixture, whole)).collect::<Vec<_>>()))
            .collect();
        halves.into_iter().flat_map(|half| half.join().expect("no panic")).collect()
    });
    let counts = || fixtures.iter().zip(&checked).map(|(fixture, it)| (it.applied.len(), fixture.name.as_str()));
    let fewest = counts().min().unwrap_or_default();
    let line = format!(
        "mutations: {} applied to {} fixtures; fewest {} (at least {FLOOR}), of {}\n",
        counts().map(|(count, _)| count).sum::<usize>(),
        fixtures.len(),
        fewest.0,
        fewest.1
    );
    // Not by `print!`, whose text tests keep for themselves: the number stands in every run's output.
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("an output");
    if whole {
        for (count, name) in counts() {
            std::io::Write::write_all(&mut std::io::stdout(), format!("mutated {name} {count}\n").as_bytes())
                .expect("an output");
        }
    }
    let failures: Vec<String> = checked.into_iter().flat_map(|it| it.failures).collect();
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
