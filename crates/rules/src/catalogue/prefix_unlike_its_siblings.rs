use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF265",
    title: "variables of one family begin alike",
    severity: Severity::Warning,
    why: "Programs know their variables by what they begin with. One that begins a slip of the hand away from all the others of \
          its container is read by nobody: the program takes its default, and nothing says so.",
    advice: "Write the variable's first word as the others have it.",
    check,
};

/// So many others have to begin alike.
const FAMILY: usize = 2;
/// A shorter word is a slip away from too many others.
const SHORTEST: usize = 5;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let mut families: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
            for (at, name, _) in container.env() {
                if let Some((first, _)) = name.split_once('_').filter(|(first, _)| first.len() >= SHORTEST) {
                    families.entry(first).or_default().push((at, name));
                }
            }
            let known: Vec<&str> =
                families.iter().filter(|(_, all)| all.len() >= FAMILY).map(|(first, _)| *first).collect();
            for (first, alone) in families.iter().filter(|(_, all)| all.len() == 1) {
                let Some(meant) = slip(first, &known) else { continue };
                for (at, name) in alone {
                    let rest = &name[first.len()..];
                    findings.push(
                        RULE.finding(format!("variable `{name}` begins unlike the {meant}_… beside it"))
                            .because(format!(
                                "{} variables of container `{}` begin with `{meant}`",
                                families[meant].len(),
                                container.name
                            ))
                            .help(format!("did you mean `{meant}{rest}`?"))
                            .at(desired.spot_at(&format!("{}.env[{at}].name", container.path))),
                    );
                }
            }
        }
    }
    findings
}

/// The word of which another one is a slip: two letters in the wrong order, or one lost or doubled in its midst. A word with one
/// more at its end is a plural, or a number; one with another letter in a place is mostly another word (`BATCH`, `WATCH`).
fn slip<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let others = known.iter().copied().filter(|other| {
        let is_longer = word.starts_with(other) || other.starts_with(word);
        let has_others = word.len() == other.len() && sorted(word) != sorted(other);
        *other != word && !is_longer && !has_others && word.len().min(other.len()) >= SHORTEST
    });
    landfall_diag::slip(word, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plural_is_no_slip_and_neither_is_another_word() {
        assert_eq!(slip("ARIFLOW", &["AIRFLOW"]), Some("AIRFLOW"));
        assert_eq!(slip("POSTRGES", &["POSTGRES"]), Some("POSTGRES"));
        for (word, known) in [("QUEUES", "QUEUE"), ("REDIS2", "REDIS"), ("MYSQL", "PGSQL"), ("BATCH", "WATCH")] {
            assert_eq!(slip(word, &[known]), None, "{word}");
        }
    }
}
