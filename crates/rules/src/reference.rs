//! The generated reference of all rules: `docs/rules.md`.

use std::fmt::Write;

use crate::catalogue::RULES;
use crate::place::DOCTOR_RULES;
use crate::rule::Rule;

/// The reference of all rules as Markdown.
pub fn reference() -> String {
    let mut text = String::from(
        "# Rules\n\n\
         What `landfall rehearse`, `preview` and `doctor` check. Generated from the rules themselves \
         (`crates/rules/src/catalogue`); `landfall explain RULE` prints one.\n\n\
         A finding at level *error* makes the command end with 1. A finding can be accepted for a while in \
         `landfall.yaml`:\n\n\
         ```yaml\nwaivers:\n  - {rule: LF117, object: Deployment/cache, reason: mirrored next week, until: 2027-03-31}\n```\n\n\
         | rule | level | what must be so |\n|---|---|---|\n",
    );
    for rule in all() {
        let _ = writeln!(
            text,
            "| [{}](#{}) | {} | {} |",
            rule.id,
            rule.id.to_lowercase(),
            rule.severity.word(),
            rule.title
        );
    }
    for rule in all() {
        let _ = write!(
            text,
            "\n## {}\n\n**{}** ({})\n\n{}\n\n{}\n",
            rule.id,
            rule.title,
            rule.severity.word(),
            rule.why,
            rule.advice
        );
    }
    text
}

/// All rules by id, those of `doctor` among them.
fn all() -> Vec<&'static Rule> {
    let mut all: Vec<&Rule> = RULES.iter().chain(DOCTOR_RULES).copied().collect();
    all.sort_by_key(|rule| rule.id);
    all
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_reference_is_the_generated_one() {
        let generated = super::reference();
        if std::env::var_os("LANDFALL_BLESS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");
            std::fs::write(path, &generated).expect("written");
            return;
        }
        let committed = include_str!("../../../docs/rules.md");
        assert!(committed == generated, "docs/rules.md is old: run this test once with LANDFALL_BLESS=1");
    }
}
