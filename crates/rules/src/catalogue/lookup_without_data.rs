use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity, Spot};

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF169",
    title: "what is looked up may be without data",
    severity: Severity::Info,
    why: "A Secret that was made empty, or whose last key was taken out, has no `data` at all. A template that reads a key \
          of it then ends in a nil pointer, and no delivery passes until somebody mends the Secret by hand.",
    advice: "Ask for the data too: `{{ if and $secret $secret.data }}`, or read it with `dig` and a default.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let raw: BTreeSet<&(String, String)> = unit.lookups.iter().filter(|(_, name)| name.contains("{{")).collect();
        findings.extend(raw.into_iter().map(|(kind, name)| {
            RULE.finding(format!("the templates look up a {kind} called `{name}`, as it stands"))
                .weighing(Severity::Warning)
                .because("nothing is called so, and nothing is ever found: what was to be kept is made anew with each upgrade")
                .help("within an action no other begins: put the name together with `printf`")
                .at(Spot { unit: Some(unit.name.clone()), ..Spot::default() })
        }));
        for stumble in &unit.stumbles {
            let what = format!("{} `{}`", stumble.kind, stumble.name);
            let rendered = unit.objects.iter().find(|it| {
                it.object.group().is_empty() && it.object.kind() == stumble.kind && it.object.name() == stumble.name
            });
            let named = Spot { unit: Some(unit.name.clone()), ..Spot::default() };
            let mut finding = RULE
                .finding(format!("the templates stop where {what} is there without data"))
                .because(stumble.words.clone())
                .at(rendered.map_or(named, Desired::spot));
            finding.spots.extend(stumble.place.clone().map(Spot::file));
            findings.push(finding);
        }
    }
    findings
}
