use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity, Spot};

use crate::rule::Rule;
use crate::subject::{DesiredUnit, SettingFault, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF285",
    title: "a chart works with its other settings, too",
    severity: Severity::Warning,
    why: "What stands behind a switch that is off is rendered by nobody until somebody needs it: a template that is not \
          defined, an indentation that is off by two or a volume that is not there then refuses the whole release.",
    advice: "Render the chart with the setting that is named, and mend the template's line.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    subject.units.iter().flat_map(of_unit).collect()
}

/// One finding a fault, with the first setting that shows it: those after it turn more at once.
fn of_unit(unit: &DesiredUnit) -> Vec<Finding> {
    let mut told: BTreeMap<(&str, String), (&str, &SettingFault)> = BTreeMap::new();
    for other in &unit.other_settings {
        for fault in &other.faults {
            // What has no object is told apart by its file: two templates may break alike.
            let file = || fault.place.as_ref().map(|place| place.file.to_string());
            let object = fault.spot.as_ref().map(Spot::name).or_else(file).unwrap_or_default();
            told.entry((&fault.words, object)).or_insert((&other.setting, fault));
        }
    }
    told.into_values()
        .map(|(setting, fault)| {
            let finding = RULE
                .finding(format!("with `{setting}`: {}", fault.words))
                .keyed(fault.words.clone())
                .weighing(if fault.wants_more { Severity::Info } else { Severity::Warning })
                .because(match fault.wants_more {
                    true => "the setting asks for others, and nothing says so",
                    false => "whoever sets it is refused, or gets something else",
                });
            finding.at(match (&fault.spot, &fault.place) {
                // The delivery has another line there, or none.
                (Some(spot), place) => Spot { template: place.clone(), ..spot.clone() },
                (None, Some(place)) => Spot { unit: Some(unit.name.clone()), ..Spot::file(place.clone()) },
                (None, None) => Spot { unit: Some(unit.name.clone()), ..Spot::default() },
            })
        })
        .collect()
}
