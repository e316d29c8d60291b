use landfall_diag::{Finding, Severity, Spot};

use crate::documents::{facts_blocks, facts_table};
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF159",
    title: "documents say what is delivered",
    severity: Severity::Warning,
    why: "A guide says two replicas and eight secrets, the chart has one and nine. Whoever follows the guide in the night \
          when it matters does the wrong thing, and nobody noticed when it became wrong.",
    advice: "Let the table be written from the render: `landfall doctor docs --fix docs`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(files) = subject.files else { return Vec::new() };
    let mine = subject.environment.map(|(name, _)| name);
    let blocks = facts_blocks(files);
    let about = blocks.iter().filter(|block| block.environment.is_none() || block.environment.as_deref() == mine);
    let mut table = None;
    let mut findings = Vec::new();
    for block in about {
        let table = table.get_or_insert_with(|| facts_table(subject.units));
        let (says, is): (Vec<&str>, Vec<&str>) = (block.body.trim().lines().collect(), table.trim().lines().collect());
        if says == is {
            continue;
        }
        let file = &block.place.file;
        let wrong = says.iter().position(|line| !is.contains(line) && !line.trim().is_empty());
        let missing = is.iter().find(|line| !says.contains(line));
        let message = match (wrong, missing) {
            (Some(wrong), Some(missing)) => format!("`{file}` says `{}`, and it is `{missing}`", says[wrong]),
            (Some(wrong), None) => format!("`{file}` says `{}`, and nothing of it is delivered", says[wrong]),
            (None, Some(missing)) => format!("`{file}` leaves out `{missing}`"),
            (None, None) => format!("`{file}` has its facts in another order"),
        };
        let line = block.place.line + wrong.map_or(0, |at| u32::try_from(at).unwrap_or(0) + 1);
        findings.push(
            RULE.finding(message)
                .keyed(format!("{file}:{}", block.place.line))
                .because("whoever follows the document does the wrong thing")
                .at(Spot::file(landfall_diag::Place::line(file, line))),
        );
    }
    findings
}
