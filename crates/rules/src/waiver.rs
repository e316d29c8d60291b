//! Waivers: findings that a project accepts for a while.

use jiff::civil::Date;
use landfall_diag::{Finding, Spot, Waived};
use landfall_project::{ProjectFile, Waiver};
use landfall_yaml::Step;

use crate::catalogue::RULES;
use crate::place::DOCTOR_RULES;

/// A waiver that did not do what its author may think.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct IdleWaiver {
    /// The rule.
    pub rule: String,
    /// Why nothing was waived by it: it has expired, or nothing was found.
    pub why: String,
    /// Where it is declared.
    pub place: landfall_diag::Place,
}

/// Marks the findings that the project's waivers accept; gives the waivers that accepted none.
///
/// A waiver accepts a finding when it names every object in which it shows. After its last day it accepts nothing.
pub(crate) fn apply(
    findings: &mut [Finding],
    project: &ProjectFile,
    environment: Option<&str>,
    today: Date,
) -> Vec<IdleWaiver> {
    let mut idle = Vec::new();
    for (index, waiver) in project.system.waivers.iter().enumerate() {
        if waiver.environment.as_deref().is_some_and(|wanted| Some(wanted) != environment) {
            continue;
        }
        let place = project.place(&[Step::Key("waivers"), Step::Index(index)]);
        let matching: Vec<&mut Finding> = findings.iter_mut().filter(|finding| accepts(waiver, finding)).collect();
        // A day that the calendar does not have lies behind us: a waiver in doubt does not accept.
        let expired = waiver.until.parse::<Date>().map_or(true, |until| until < today);
        let why = match (expired, matching.is_empty()) {
            _ if !is_rule(&waiver.rule) => match landfall_diag::nearest(&waiver.rule, rules()) {
                Some(near) => format!("there is no rule `{}`; did you mean `{near}`?", waiver.rule),
                None => format!("there is no rule `{}`", waiver.rule),
            },
            (true, false) => format!("it ended on {}", waiver.until),
            (_, true) => "nothing was found that it would accept".to_owned(),
            (false, false) => {
                for finding in matching {
                    finding.waived = Some(Waived {
                        reason: waiver.reason.clone(),
                        until: waiver.until.to_string(),
                        place: place.clone(),
                    });
                }
                continue;
            }
        };
        idle.push(IdleWaiver { rule: waiver.rule.to_string(), why, place });
    }
    idle
}

/// The ids of all rules, those of `doctor` among them.
fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().chain(DOCTOR_RULES).map(|rule| rule.id)
}

fn is_rule(id: &str) -> bool {
    rules().any(|known| known == id)
}

fn accepts(waiver: &Waiver, finding: &Finding) -> bool {
    if waiver.rule != finding.rule {
        return false;
    }
    match &waiver.object {
        None => true,
        Some(pattern) => !finding.spots.is_empty() && finding.spots.iter().all(|spot| names(pattern, spot)),
    }
}

/// Whether `Kind/name`, with `*` for either, names the object of a spot.
fn names(pattern: &str, spot: &Spot) -> bool {
    let Some(key) = &spot.object else { return spot.file.as_ref().is_some_and(|place| place.file == pattern) };
    let (kind, name) = pattern.split_once('/').unwrap_or(("*", pattern));
    let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    };
    fits(&kind.to_lowercase(), &key.gvk.kind.to_lowercase()) && fits(name, &key.name)
}

#[cfg(test)]
mod tests {
    use landfall_object::{Gvk, ObjectKey};

    use super::*;
    use crate::catalogue::rule;

    fn finding(names: &[&str]) -> Finding {
        let key = |name: &&str| ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), *name);
        let known = rule("LF103").expect("known");
        names.iter().fold(known.finding("m"), |finding, name| finding.at(Spot::object(None, key(name))))
    }

    fn project(waivers: &str) -> ProjectFile {
        let text = format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments: {{prod: {{}}}}\nwaivers:\n{waivers}"
        );
        landfall_project::parse("landfall.yaml", &text).expect("a project file")
    }

    fn today() -> Date {
        jiff::civil::date(2026, 11, 20)
    }

    #[test]
    fn a_waiver_accepts_what_it_names_until_its_last_day() {
        let project = project("  - {rule: LF103, object: deployment/cache, reason: moved soon, until: 2026-11-20}\n");
        let mut findings = [finding(&["cache"]), finding(&["cache", "web"])];
        assert_eq!(apply(&mut findings, &project, Some("prod"), today()), []);
        assert_eq!(findings[0].waived.as_ref().map(|waived| waived.place.line), Some(6));
        assert_eq!(findings[1].waived, None, "an object that it does not name keeps the finding");
    }

    #[test]
    fn an_expired_or_needless_waiver_is_told() {
        let project = project(
            "  - {rule: LF103, reason: a, until: 2026-11-19}\n  - {rule: LF999, reason: b, until: 2027-01-01}\n  - {rule: LF103, environment: prod, reason: c, until: 2026-02-28}\n",
        );
        let mut findings = [finding(&["cache"])];
        let idle = apply(&mut findings, &project, None, today());
        assert_eq!(findings[0].waived, None);
        let told: Vec<&str> = idle.iter().map(|it| it.why.as_str()).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0], "it ended on 2026-11-19");
        assert!(told[1].starts_with("there is no rule `LF999`"), "{told:?}");
    }
}
