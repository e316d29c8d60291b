use landfall_diag::{Finding, Severity, Spot};
use landfall_object::Object;

use crate::rule::Rule;
use crate::subject::Door;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF154",
    title: "what a comparison ignores, the sync leaves alone",
    severity: Severity::Warning,
    why: "`ignoreDifferences` only hides a difference: Argo CD shows the Application as in sync, and each sync still writes \
          the ignored field as git has it, over whoever it was left to.",
    advice: "Add `RespectIgnoreDifferences=true` to spec.syncPolicy.syncOptions, and ignore the field alone.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        if let Door::Application(object) = &unit.door {
            findings.extend(application(object, None));
        }
    }
    for desired in subject.of_kind("argoproj.io", "Application") {
        findings.extend(application(&desired.object, Some(&desired.unit)));
    }
    findings
}

fn application(object: &Object, unit: Option<&str>) -> Vec<Finding> {
    let ignored = object.list_at("/spec/ignoreDifferences");
    let spot = |field: &str| Spot::object(unit, object.key()).field(field);
    let name = object.name();
    let mut findings = Vec::new();
    let options = object.list_at("/spec/syncPolicy/syncOptions");
    if !ignored.is_empty() && !options.iter().any(|option| option == "RespectIgnoreDifferences=true") {
        findings.push(
            RULE.finding(format!("Application `{name}` ignores differences, and its syncs write them all the same"))
                .because(
                    "Argo CD writes the ignored fields as git has them with every sync; Landfall leaves them alone",
                )
                .at(spot("spec.ignoreDifferences")),
        );
    }
    for (at, entry) in ignored.iter().enumerate() {
        let pointers = entry["jsonPointers"].as_array().into_iter().flatten().filter_map(|it| it.as_str());
        for pointer in pointers.filter(|pointer| matches!(*pointer, "/metadata" | "/spec" | "")) {
            findings.push(
                RULE.finding(format!("Application `{name}` ignores all of `{pointer}`"))
                    .because("a changed label or owner is hidden with it")
                    .help("name the field that another writes, as `/metadata/annotations/example.com~1checksum`")
                    .at(spot(&format!("spec.ignoreDifferences[{at}].jsonPointers"))),
            );
        }
    }
    findings
}
