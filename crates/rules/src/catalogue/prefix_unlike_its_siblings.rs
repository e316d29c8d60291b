use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};

use crate::pods::Container;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF265",
    title: "variables of one family are written alike",
    severity: Severity::Warning,
    why: "Programs know their variables by what they begin with. One that begins a slip of the hand away from all the others of \
          its container is read by nobody: the program takes its default, and nothing says so.",
    advice: "Write the variable as the others beside it are written.",
    check,
};

/// So many others have to begin alike.
const FAMILY: usize = 2;
/// A shorter word is a slip away from too many others.
const SHORTEST: usize = 5;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = subject.objects().filter_map(said_twice_in_data).collect();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let mut families: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
            for (at, name, _) in container.env() {
                if let Some((first, _)) = name.split_once('_').filter(|(first, _)| first.len() >= SHORTEST) {
                    families.entry(first).or_default().push((at, name));
                }
            }
            findings.extend(in_another_case(desired, &container));
            findings.extend(said_twice(desired, &container));
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

/// The first variable in which the same words stand twice, one time after the other (`OIDC_DISPLAY_NAME_DISPLAY_NAME`): what it
/// begins with ends in what follows already.
fn said_twice(desired: &Desired, container: &Container<'_>) -> Option<Finding> {
    container.env().find_map(|(at, name, _)| {
        let words = repeated(name)?;
        let finding = RULE
            .finding(format!("variable `{name}` says `{words}` twice"))
            .because("the program knows it by the words once, and does not read this one")
            .help(format!("leave one `{words}` out"));
        Some(finding.at(desired.spot_at(&format!("{}.env[{at}].name", container.path))))
    })
}

/// The same, of a ConfigMap or Secret of variables.
fn said_twice_in_data(desired: &Desired) -> Option<Finding> {
    if !matches!(desired.object.kind(), "ConfigMap" | "Secret") || !desired.object.group().is_empty() {
        return None;
    }
    ["data", "stringData"].into_iter().find_map(|part| {
        let data = desired.object.at(&format!("/{part}"))?.as_object()?;
        let is_variable =
            |name: &&String| name.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_');
        let (name, words) = data.keys().filter(is_variable).find_map(|name| Some((name, repeated(name)?)))?;
        let finding = RULE
            .finding(format!("variable `{name}` says `{words}` twice"))
            .because("the program knows it by the words once, and does not read this one")
            .help(format!("leave one `{words}` out"));
        Some(finding.at(desired.spot_at(&format!("{part}.{name}"))))
    })
}

/// The words that a name has twice, one time after the other: two at least, one alone is often a part of a part called alike.
fn repeated(name: &str) -> Option<String> {
    let words: Vec<&str> = name.split('_').filter(|it| !it.is_empty()).collect();
    (2..=words.len() / 2).find_map(|many| {
        let at = (0..=words.len() - 2 * many).find(|at| words[*at..at + many] == words[at + many..at + 2 * many])?;
        let said = &words[at..at + many];
        // `A_B_A_B` of single letters or numbers counts something.
        said.iter().all(|it| it.len() > 1 && it.bytes().any(|it| it.is_ascii_alphabetic())).then(|| said.join("_"))
    })
}

/// So many others have to be in capitals.
const CAPITALS: usize = 5;

/// Beginnings behind which a program reads keys of its own, in whatever case they are.
///
/// ORIGIN: <https://github.com/apache/pulsar/blob/master/docker/pulsar/scripts/apply-config-from-env.py>,
/// <https://github.com/apache/bookkeeper/blob/master/docker/scripts/common.sh>
const KEYS_OF_ITS_OWN: &[&str] = &["PULSAR_PREFIX_", "BK_", "BOOKIE_"];

/// A variable that is in capitals but for a word that is not (`FORCE_gameMode`), among others that are in capitals throughout. It
/// may be meant: it is an info.
fn in_another_case(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let (mixed, others): (Vec<_>, Vec<_>) = container
        .env()
        .map(|(at, name, _)| (at, name))
        .partition(|(_, name)| name.contains(|it: char| it.is_ascii_lowercase()));
    let [(at, name)] = mixed[..] else { return Vec::new() };
    let is_meant = KEYS_OF_ITS_OWN.iter().any(|it| name.starts_with(it)) || name.contains("__");
    if others.len() < CAPITALS || is_meant || !is_half_in_capitals(name) {
        return Vec::new();
    }
    let finding = RULE
        .finding(format!("variable `{name}` is in capitals but for a part, unlike all the others beside it"))
        .weighing(Severity::Info)
        .because("a variable in another case is another variable, which the program does not read")
        .help(format!("did you mean `{}`?", name.to_ascii_uppercase()))
        .at(desired.spot_at(&format!("{}.env[{at}].name", container.path)));
    vec![finding]
}

/// Whether one word of a variable is in capitals and another one in camel case.
fn is_half_in_capitals(name: &str) -> bool {
    let is_upper = |word: &str| word.len() > 1 && word.bytes().all(|it| it.is_ascii_uppercase());
    let is_camel = |word: &str| {
        word.starts_with(|it: char| it.is_ascii_lowercase()) && word.contains(|it: char| it.is_ascii_uppercase())
    };
    let words = || name.split('_');
    words().any(is_upper) && words().any(is_camel) && words().all(|word| is_upper(word) || is_camel(word))
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
    fn a_name_is_half_in_capitals_where_a_word_of_it_is_in_camel_case() {
        assert!(is_half_in_capitals("FORCE_gameMode"));
        for name in ["FORCE_GAMEMODE", "npm_config_userAgent", "gameMode", "NEO4J_server_memory", "LOG_level"] {
            assert!(!is_half_in_capitals(name), "{name}");
        }
    }

    #[test]
    fn words_that_stand_twice_are_found() {
        let of = |name: &str| repeated(name);
        assert_eq!(of("OIDC_DISPLAY__NAME_DISPLAY__NAME").as_deref(), Some("DISPLAY_NAME"));
        for well in ["KEYCLOAK_KEYCLOAK_URL", "A_B_A_B", "DISPLAY_NAME", "POOL_1_POOL_2", "X_1_2_1_2"] {
            assert_eq!(of(well), None, "{well}");
        }
    }

    #[test]
    fn a_plural_is_no_slip_and_neither_is_another_word() {
        assert_eq!(slip("ARIFLOW", &["AIRFLOW"]), Some("AIRFLOW"));
        assert_eq!(slip("POSTRGES", &["POSTGRES"]), Some("POSTGRES"));
        for (word, known) in [("QUEUES", "QUEUE"), ("REDIS2", "REDIS"), ("MYSQL", "PGSQL"), ("BATCH", "WATCH")] {
            assert_eq!(slip(word, &[known]), None, "{word}");
        }
    }
}
