//! Variables that lose the place that they come from.

use landfall_diag::{Finding, Severity};

use super::RULE;
use crate::pods::pod_template;
use crate::subject::Desired;

/// Variables whose `valueFrom` is written and says nothing: the API drops it, and the program gets an empty text.
pub(super) fn lost_sources(desired: &Desired) -> Vec<Finding> {
    let Some(template) = pod_template(&desired.object) else { return Vec::new() };
    let mut findings = Vec::new();
    for container in template.containers() {
        for (at, variable) in container.value["env"].as_array().into_iter().flatten().enumerate() {
            let name = variable["name"].as_str().unwrap_or_default();
            // Who wants an empty text writes it.
            if variable.get("value").is_none_or(|it| it.is_null())
                && variable.get("valueFrom").is_none()
                && !name.is_empty()
            {
                findings.push(
                    RULE.finding(format!("the variable `{name}` has neither a value nor a place that it comes from"))
                        .of_family(format!("nothing in {} of {}", container.path, desired.object.name()))
                        .weighing(Severity::Warning)
                        .because("the program gets an empty text")
                        .help("see that its template prints the value, or write `value: \"\"` where it is to be empty")
                        .at(desired.spot_at(&format!("{}.env[{at}]", container.path))),
                );
                continue;
            }
            let is_lost = variable.get("valueFrom").is_some_and(|from| from.is_null());
            if !is_lost || variable.get("value").is_some_and(|value| !value.is_null()) {
                continue;
            }
            findings.push(
                RULE.finding(format!("the variable `{name}` comes from nowhere: its valueFrom is empty"))
                    .because("the API drops it without a word, and the program gets an empty text")
                    .help("indent what it comes from below `valueFrom`, or see that its template prints it")
                    .at(desired.spot_at(&format!("{}.env[{at}].valueFrom", container.path))),
            );
        }
    }
    findings
}
