use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity, Spot};

use crate::rule::Rule;
use crate::subject::Door;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF102",
    title: "nothing is looked up where there is no cluster to look in",
    severity: Severity::Error,
    why: "Argo CD renders without a cluster: `lookup` finds nothing there, and the branch for a first installation is \
          taken with each sync. What was to be kept, such as a password, is made anew.",
    advice: "Keep the value outside the chart (a sealed secret, an existing Secret), and refer to it by name.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units.iter().filter(|unit| matches!(unit.door, Door::Application(_))) {
        let asked: BTreeSet<&(String, String)> = unit.lookups.iter().collect();
        for (kind, name) in asked {
            // What holds values is looked up to keep them; anything else mostly to find out what there is.
            let keeps = matches!(kind.as_str(), "Secret" | "ConfigMap");
            let what = if name.is_empty() { format!("every {kind}") } else { format!("{kind} `{name}`") };
            let severity = if keeps { Severity::Error } else { Severity::Warning };
            let rendered = unit.objects.iter().find(|it| it.object.kind() == kind && it.object.name() == name);
            let spot = rendered.map_or_else(
                || Spot { unit: Some(unit.name.clone()), ..Spot::default() },
                crate::subject::Desired::spot,
            );
            let finding = RULE
                .finding(format!("the templates look {what} up, and there is no cluster to look in"))
                .weighing(severity)
                .because("an Application is rendered without a cluster, so each sync is a first installation to them")
                .at(spot);
            findings.push(finding);
        }
    }
    findings
}
