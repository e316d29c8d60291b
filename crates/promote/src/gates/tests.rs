use std::sync::LazyLock;

use super::*;

fn at(hour: i64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    begin + SignedDuration::from_hours(hour)
}

fn seen(hour: i64, what: &str, passed: bool) -> Evidence {
    Evidence {
        digest: "sha256:aaaa".to_owned(),
        environment: "test".to_owned(),
        at: at(hour),
        what: what.to_owned(),
        passed,
        detail: if passed { String::new() } else { "503".to_owned() },
        made_as: String::new(),
    }
}

fn image() -> TestedImage {
    TestedImage {
        repository: "ghcr.io/acme/web".to_owned(),
        tag: "0.5.0-alpha.1.1".to_owned(),
        digest: "sha256:aaaa".to_owned(),
    }
}

static IMAGES: LazyLock<[TestedImage; 1]> = LazyLock::new(|| [image()]);
static CHECKS: LazyLock<[DeclaredCheck; 1]> =
    LazyLock::new(|| [DeclaredCheck { name: "home".to_owned(), made_as: "a1".to_owned() }]);

/// All that is refused, in words.
fn said<'a>(gates: &'a Gates, evidence: &'a [Evidence], change: impl FnOnce(&mut Asked<'a>)) -> Vec<String> {
    let mut asked = Asked {
        gates,
        from: "test",
        images: IMAGES.as_slice(),
        checks: CHECKS.as_slice(),
        evidence,
        waiting: &[],
        signatures: &[],
        attestations: &[],
        open: &[],
        holds: &[],
        names: &[],
        now: at(30),
    };
    change(&mut asked);
    judge(&asked).into_iter().filter_map(|one| one.refusal).map(|why| why.to_string()).collect()
}

fn well() -> Vec<Evidence> {
    vec![seen(0, HEALTH, true), seen(0, "check home", true)]
}

#[test]
fn se_38_se_86_what_ran_well_and_passed_its_checks_may_go_and_nothing_else() {
    let usual = Gates::default();
    assert_eq!(said(&usual, &well(), |_| {}), [""; 0]);
    let only = |evidence: &[Evidence], words: &str| {
        let refusals = said(&usual, evidence, |_| {});
        assert!(refusals.len() == 1 && refusals[0].contains(words), "{words}: {refusals:?}");
    };
    only(&[], "never seen running in test");
    only(&[seen(0, HEALTH, false), seen(0, "check home", true)], "is not well");
    only(&[seen(0, HEALTH, true), seen(1, "check home", false)], "has failed");
    only(&[seen(0, HEALTH, true)], "was never made");
    let mut later = well();
    later.push(seen(2, "check home", false));
    only(&later, "the check `home` of test has failed");
    // Another digest's evidence is none of this one's.
    let other: Vec<Evidence> = well().into_iter().map(|one| Evidence { digest: "sha256:b".into(), ..one }).collect();
    only(&other, "never seen running");
}

#[test]
fn se_94_what_is_held_back_does_not_go_whatever_it_has_proved() {
    let holds = |tag: &str| [Held { tag: tag.to_owned(), by: "ada".to_owned(), reason: "loses data".to_owned() }];
    let own = holds("0.5.0-alpha.1.1");
    let refusals = said(&Gates::default(), &well(), |asked| asked.holds = &own);
    assert_eq!(refusals, ["0.5.0-alpha.1.1 is held back by ada: loses data"]);
    // Also by the name that it is released under, and with a `v`.
    let names = ["0.5.0".to_owned()];
    for tag in ["v0.5.0-alpha.1.1", "0.5.0", "v0.5.0"] {
        let held = holds(tag);
        let refusals = said(&Gates::default(), &well(), |asked| (asked.holds, asked.names) = (&held, &names));
        assert_eq!(refusals, [format!("{tag} is held back by ada: loses data")]);
    }
}

#[test]
fn a_check_that_passed_is_told_once_for_all_images_and_one_that_failed_for_each() {
    let images = [image(), TestedImage { repository: "b/c".to_owned(), ..image() }];
    let (checks, evidence) = (CHECKS.as_slice(), well());
    let gates = |evidence: &[Evidence]| {
        let asked = Asked {
            gates: &Gates::default(),
            from: "test",
            images: &images,
            checks,
            evidence,
            waiting: &[],
            signatures: &[],
            attestations: &[],
            open: &[],
            holds: &[],
            names: &[],
            now: at(1),
        };
        judge(&asked).into_iter().filter(|one| one.gate == "check home").count()
    };
    assert_eq!(gates(&evidence), 1);
    let failed = [seen(0, HEALTH, true), seen(0, "check home", false)];
    assert_eq!(gates(&failed), 2);
}

#[test]
fn soak_is_the_time_since_the_last_failure() {
    let gates = Gates { soak: Some("24h".parse().expect("a span")), ..Gates::default() };
    assert_eq!(said(&gates, &well(), |_| {}), [""; 0]);
    let refusals = said(&gates, &well(), |asked| asked.now = at(23));
    assert!(refusals.len() == 1 && refusals[0].contains("for 23h, and 24h are wanted"), "{refusals:?}");
    let mut broken = well();
    broken.extend([seen(10, "check home", false), seen(11, "check home", true)]);
    assert_eq!(said(&gates, &broken, |_| {}).len(), 1, "nineteen hours since");
    assert_eq!(said(&gates, &broken, |asked| asked.now = at(35)).len(), 0);
    // A clock that went back is no time that anything ran.
    assert_eq!(said(&gates, &well(), |asked| asked.now = at(-50)).len(), 1);
}

#[test]
fn lp_124_each_gate_that_is_declared_refuses_with_its_own_sentence() {
    let gates = Gates {
        checks: Some(vec!["home".to_owned(), "nowhere".to_owned()]),
        reports: Some(ReportLevel::Error),
        signature: Some("keys/cosign.pub".parse().expect("a path")),
        attestations: vec!["https://slsa.dev/provenance/v1".to_owned()],
        data_ready: true,
        ..Gates::default()
    };
    let open = ["backup".to_owned()];
    let refusals = said(&gates, &well(), |asked| asked.open = &open);
    let distinct: BTreeSet<&String> = refusals.iter().collect();
    assert_eq!((refusals.len(), distinct.len()), (5, 5), "{refusals:#?}");
    for words in ["declares none of that name", "no report", "is not signed", "nobody attests", "not ready"] {
        assert!(refusals.iter().any(|one| one.contains(words)), "{words}: {refusals:#?}");
    }
    for (found, words) in [(Vouched::ByAnother, "not with the key"), (Vouched::OtherDigest, "another digest")] {
        let signatures = [("ghcr.io/acme/web".to_owned(), found)];
        let refusals = said(&gates, &well(), |asked| asked.signatures = &signatures);
        assert!(refusals.iter().any(|one| one.contains(words)), "{words}: {refusals:#?}");
    }
    // All of it well.
    let gates = Gates { checks: None, ..gates };
    let mut evidence = well();
    evidence.push(seen(1, "report scanner", true));
    let signatures = [("ghcr.io/acme/web".to_owned(), Vouched::Yes)];
    let attested = [("ghcr.io/acme/web".to_owned(), "https://slsa.dev/provenance/v1".to_owned())];
    let refusals = said(&gates, &evidence, |asked| {
        asked.signatures = &signatures;
        asked.attestations = &attested;
    });
    assert_eq!(refusals, [""; 0]);
}

#[test]
fn what_is_open_is_told_and_refuses_only_where_that_is_declared() {
    let open = ["restore".to_owned()];
    assert_eq!(said(&Gates::default(), &well(), |asked| asked.open = &open), [""; 0]);
    let (images, checks, evidence) = ([image()], CHECKS.as_slice(), well());
    let asked = Asked {
        gates: &Gates::default(),
        from: "test",
        images: &images,
        checks,
        evidence: &evidence,
        waiting: &[],
        signatures: &[],
        attestations: &[],
        open: &open,
        holds: &[],
        names: &[],
        now: at(1),
    };
    assert!(judge(&asked).iter().any(|one| one.gate == "data-ready" && one.said.contains("restore open")));
}

#[test]
fn a_report_counts_by_its_findings_and_one_that_is_none_counts_as_none() {
    let sarif = |results: &str| {
        format!(
            r#"{{"version": "2.1.0", "runs": [{{"tool": {{"driver": {{"name": "scan`ner", "rules": [{{"id": "r1", "defaultConfiguration": {{"level": "error"}}}}]}}}}, "results": [{results}]}}]}}"#
        )
    };
    let count = |results: &str, level| report_findings(&sarif(results), level).expect("read")[0].1;
    assert_eq!(count("", ReportLevel::Note), 0);
    assert_eq!(report_findings(&sarif(""), ReportLevel::Note).expect("read")[0].0, "scanner");
    let all = r#"{"ruleId": "r1"}, {"level": "warning"}, {"level": "note"}, {"level": "none"}, {}"#;
    assert_eq!(
        (count(all, ReportLevel::Error), count(all, ReportLevel::Warning), count(all, ReportLevel::Note)),
        (1, 3, 4)
    );
    let left = r#"{"level": "error", "suppressions": [{"kind": "inSource"}]}, {"level": "error", "kind": "pass"}"#;
    assert_eq!(count(left, ReportLevel::Note), 0);
    for none in ["", "{}", "[]", r#"{"runs": []}"#, r#"{"runs": [{"tool": {}}]}"#] {
        assert!(report_findings(none, ReportLevel::Error).is_err(), "{none}");
    }
    let failed = r#"{"runs": [{"tool": {"driver": {"name": "x"}}, "results": [], "invocations": [{"executionSuccessful": false}]}]}"#;
    assert!(report_findings(failed, ReportLevel::Error).expect_err("half").contains("did not come to its end"));
}

#[test]
fn what_does_not_run_any_more_or_was_checked_otherwise_is_refused_and_a_turn_that_is_waited_for_is_told() {
    let usual = Gates::default();
    let only = |evidence: &[Evidence], words: &str| {
        let refusals = said(&usual, evidence, |_| {});
        assert!(refusals.len() == 1 && refusals[0].contains(words), "{words}: {refusals:?}");
    };
    let mut gone = well();
    gone.push(Evidence { detail: "Deployment/web runs web:0.9".to_owned(), ..seen(2, "runs a/web", false) });
    only(&gone, "does not run in test any more: Deployment/web runs web:0.9");
    let made = |hour: i64, made_as: &str, passed: bool| Evidence {
        made_as: made_as.to_owned(),
        ..seen(hour, "check home", passed)
    };
    only(&[seen(0, HEALTH, true), made(0, "b2", true)], "as it is not declared on the branch");
    assert_eq!(said(&usual, &[seen(0, HEALTH, true), made(0, "a1", true)], |_| {}), [""; 0]);
    // What somebody's own check finds later changes nothing.
    assert_eq!(said(&usual, &[seen(0, HEALTH, true), made(0, "a1", true), made(1, "b2", false)], |_| {}), [""; 0]);
    only(&[seen(0, HEALTH, true), made(0, "a1", false), made(1, "b2", true)], "has failed");
    let waiting = [("sha256:aaaa".to_owned(), "CronJob/jobs has not fired with it yet".to_owned())];
    let told = said(&usual, &[], |asked| asked.waiting = &waiting);
    assert!(told[0].contains("never seen running in test (CronJob/jobs has not fired with it yet)"), "{told:?}");
}

#[test]
fn a_report_counts_for_the_level_that_it_was_counted_from() {
    let strict = Gates { reports: Some(ReportLevel::Warning), ..Gates::default() };
    let counted = |level: &str| Evidence { made_as: level.to_owned(), ..seen(0, "report scanner", true) };
    let mut all = well();
    all.push(counted("error"));
    let told = said(&strict, &all, |_| {});
    assert!(told.len() == 1 && told[0].contains("no report (SARIF) was handed in"), "{told:?}");
    all.push(counted("warning"));
    assert_eq!(said(&strict, &all, |_| {}), [""; 0]);
}
