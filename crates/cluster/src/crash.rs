//! What the last words of a crashed program ask for.

use landfall_object::Object;

use crate::Evidence;

/// Words in front of a variable's name, in lower case.
const BEFORE: &[&str] = &[
    "missing required environment variable",
    "missing required env var",
    "missing environment variable",
    "missing env var",
    "required environment variable",
    "required env var",
    "environment variable",
    "env var",
];
/// Words behind a variable's name.
const BEHIND: &[&str] =
    &["is not set", "not set", "is required", "must be set", "is missing", "is undefined", "required key"];

impl Evidence {
    /// The variable that the container says it lacks.
    pub fn missing_variable(&self) -> Option<&str> {
        self.log.iter().rev().find_map(|line| variable_in(line))
    }

    /// What to do about what the log says: which variable is missing, and where the container could get it from.
    ///
    /// `owner` is the workload with the pod template.
    pub fn hint(&self, owner: &Object) -> Option<String> {
        let name = self.missing_variable()?;
        let container = self.container.as_deref().unwrap_or("the container");
        let namespace = owner.namespace().unwrap_or("default");
        let restart =
            format!("kubectl -n {namespace} rollout restart {}/{}", owner.kind().to_lowercase(), owner.name());
        let taken = owner.list_at("/spec/template/spec/containers").iter().find(|it| it["name"] == container);
        let secret = taken
            .and_then(|it| it["envFrom"].as_array())
            .into_iter()
            .flatten()
            .find_map(|source| source.pointer("/secretRef/name")?.as_str());
        Some(match secret {
            Some(secret) => format!(
                "{container} wants the variable {name}: add it to Secret {secret}, which it reads as a whole (kubectl -n {namespace} edit secret {secret}), then {restart}"
            ),
            None => format!("{container} wants the variable {name}: add it to the container's env, and deliver again"),
        })
    }
}

/// The variable that a line says is missing.
fn variable_in(line: &str) -> Option<&str> {
    let lower = line.to_ascii_lowercase();
    let said_before = BEFORE.iter().filter_map(|words| Some((lower.find(words)? + words.len(), *words))).min();
    if let Some((at, words)) = said_before
        && let Some(name) = words_of(&line[at..]).next()
        && is_variable(name)
        && (words.contains("missing") || words.contains("required") || says_missing(&lower))
    {
        return Some(name);
    }
    // `DATABASE_URL is required`, `DATABASE_URL: must be set`
    let at = BEHIND.iter().filter_map(|words| lower.find(words)).min()?;
    words_of(&line[..at]).last().filter(|name| is_variable(name))
}

fn says_missing(lower: &str) -> bool {
    ["missing", "required", "not set", "must be set", "undefined", "not found"].iter().any(|word| lower.contains(word))
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).filter(|word| !word.is_empty())
}

/// `WORKER_CREDENTIAL_PEPPER`, not a word that happens to be written large.
fn is_variable(word: &str) -> bool {
    word.len() > 3
        && word.contains('_')
        && word.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::variable_in;

    #[test]
    fn the_variable_that_a_program_misses_is_read_from_its_last_words() {
        for line in [
            "Error: Missing required environment variable: WORKER_PEPPER",
            "config: environment variable WORKER_PEPPER must be set",
            "panic: WORKER_PEPPER is required",
            "KeyError: required env var 'WORKER_PEPPER'",
            "2026-01-01T00:00:00Z WORKER_PEPPER is not set",
        ] {
            assert_eq!(variable_in(line), Some("WORKER_PEPPER"), "{line}");
        }
        for line in
            ["listening on 3000", "environment variable LOG_LEVEL is info", "ERROR is not set", "GET /x is required"]
        {
            assert_eq!(variable_in(line), None, "{line}");
        }
    }
}
