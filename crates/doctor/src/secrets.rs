//! Secrets in files of a repository: known by their shape, told without their value.

use landfall_diag::{Finding, Place, Severity, Spot};
use landfall_rules::place::SECRET;
use landfall_source::SourceTree;

use crate::{Area, Observation};

/// The largest file that is read.
const MOST: usize = 2 * 1024 * 1024;
/// The fewest bits that a letter of a made-up value holds.
const BITS: f64 = 3.5;

/// Beginnings of tokens, how many letters follow at least, and whose they are.
const TOKENS: &[(&str, usize, &str)] = &[
    ("ghp_", 36, "a token of GitHub"),
    ("gho_", 36, "a token of GitHub"),
    ("ghs_", 36, "a token of GitHub"),
    ("ghu_", 36, "a token of GitHub"),
    ("github_pat_", 40, "a token of GitHub"),
    ("glpat-", 20, "a token of GitLab"),
    ("xoxb-", 20, "a token of Slack"),
    ("xoxp-", 20, "a token of Slack"),
    ("AKIA", 16, "an access key of AWS"),
    ("ASIA", 16, "an access key of AWS"),
    ("AIza", 35, "an API key of Google"),
    ("sk_live_", 20, "a live key of Stripe"),
    ("rk_live_", 20, "a live key of Stripe"),
    ("dckr_pat_", 20, "a token of Docker Hub"),
    ("npm_", 36, "a token of npm"),
    ("hvs.", 24, "a token of Vault"),
    ("age-secret-key-1", 40, "a private key of age"),
];

/// The secrets in a repository's files: those that git tracks, and those it would take.
pub fn secrets_in(files: &SourceTree) -> Vec<Observation> {
    let paths = match files.glob("**/*") {
        Ok(paths) => paths,
        Err(error) => return vec![Observation::not_checked(Area::Secrets, "the files", error.to_string())],
    };
    let mut seen = Vec::new();
    let mut read = 0_usize;
    // Git's own files, and our state: neither is ever pushed.
    let pushed = |path: &&String| !path.split('/').any(|part| matches!(part, ".git" | ".landfall"));
    for path in paths.iter().filter(pushed) {
        let bytes = match files.read(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue,
            Err(error) => {
                seen.push(Observation::not_checked(Area::Secrets, path.as_str(), error.to_string()));
                continue;
            }
        };
        read += 1;
        if bytes.len() > MOST {
            seen.push(Observation::not_checked(Area::Secrets, path.as_str(), "it is too large to be read"));
            continue;
        }
        // Keys are kept in text; what is none is not looked into.
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        for (line, what) in in_text(path, text) {
            let place = Place::line(path, line);
            let observation = Observation::wrong(
                Area::Secrets,
                &SECRET,
                Severity::Error,
                format!("{path}:{line}"),
                format!("holds {what}"),
                "whoever has ever cloned the repository has it",
            );
            seen.push(with_place(observation, place));
        }
    }
    if seen.is_empty() {
        seen.push(Observation::fine(Area::Secrets, "the files", format!("{read} read, no secret in them")));
    }
    seen
}

fn with_place(mut observation: Observation, place: Place) -> Observation {
    if let Some(finding) = observation.finding.take() {
        let finding: Finding = *finding;
        observation.finding = Some(Box::new(finding.at(Spot::file(place))));
    }
    observation.help("revoke it, make a new one, and keep the file out of git")
}

/// The lines of a text that hold a secret, and what it is.
fn in_text(path: &str, text: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_environment =
        name == ".env" || name.starts_with(".env.") && !name.ends_with("example") && !name.ends_with("sample");
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        if is_key_frame(line) && has_body(line, &lines[index + 1..]) {
            found.push((number, "a private key".to_owned()));
        } else if let Some(whose) = token(line) {
            found.push((number, whose.to_owned()));
        } else if is_environment && let Some(variable) = assigned(line) {
            found.push((number, format!("the value of `{variable}`")));
        }
    }
    found
}

/// Whether a text holds a private key that is not encrypted.
pub(crate) fn holds_private_key(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let mut framed = lines.iter().enumerate().filter(|(_, line)| is_key_frame(line));
    framed.any(|(index, line)| has_body(line, &lines[index + 1..]))
}

fn is_key_frame(line: &str) -> bool {
    line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") && !line.contains("ENCRYPTED")
}

/// Whether something that can be a key follows its frame: in the next lines, or behind it in the same one.
fn has_body(line: &str, after: &[&str]) -> bool {
    let is_body = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
    let behind = line.split_once("PRIVATE KEY-----").map_or("", |(_, behind)| behind);
    let mut letters = behind.split("-----END").next().unwrap_or_default().chars().filter(|it| is_body(*it)).count();
    for line in after.iter().take(80) {
        let line = line.trim().trim_matches(['"', '\'', ',']);
        if line.contains("-----END") {
            break;
        }
        if line.chars().all(is_body) {
            letters += line.len();
        }
    }
    letters >= 64
}

/// Whose token stands in a line.
fn token(line: &str) -> Option<&'static str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    TOKENS.iter().find_map(|(beginning, least, whose)| {
        line.match_indices(beginning).find_map(|(at, _)| {
            let before = line[..at].chars().next_back();
            let rest = &line[at + beginning.len()..];
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            let stands_alone = before.is_none_or(|letter| !is_part(letter));
            (stands_alone && length >= *least && is_made_up(&rest[..length])).then_some(*whose)
        })
    })
}

/// The variable to which a line of a file of variables gives a secret.
fn assigned(line: &str) -> Option<&str> {
    let (name, value) = line.trim().trim_start_matches("export ").split_once('=')?;
    let value = value.trim().trim_matches(['"', '\'']);
    let is_secret = landfall_rules::is_credential(name) && !landfall_rules::is_placeholder(value);
    (is_secret && value.len() >= 12 && !value.starts_with("${") && is_made_up(value)).then_some(name)
}

/// Whether a text was drawn by chance rather than written: it repeats itself little.
fn is_made_up(text: &str) -> bool {
    let mut counts = std::collections::BTreeMap::new();
    for letter in text.chars() {
        *counts.entry(letter).or_insert(0_u32) += 1;
    }
    let total = f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX));
    let bits: f64 = counts.values().map(|count| f64::from(*count) / total).map(|part| -part * part.log2()).sum();
    // Short texts cannot hold more than the logarithm of their length.
    bits >= BITS.min(total.log2() * 0.8)
}

#[cfg(test)]
mod tests {
    use landfall_chart::Tree;

    use super::*;
    use crate::State;

    fn look(files: &[(&str, &str)]) -> Vec<String> {
        let tree: Tree = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let seen = secrets_in(&SourceTree::from_tree("memory", tree));
        seen.into_iter().filter(|it| it.state == State::Wrong).map(|it| format!("{} {}", it.what, it.seen)).collect()
    }

    fn key() -> String {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(3);
        format!("-----BEGIN {} KEY-----\n{body}-----END {} KEY-----\n", "PRIVATE", "PRIVATE")
    }

    #[test]
    fn se_003_a_planted_key_is_found_in_whatever_file() {
        for path in ["id.pem", "deploy/ssh-private", "notes.txt"] {
            assert_eq!(look(&[(path, &key())]), [format!("{path}:1 holds a private key")]);
        }
        let inline = format!("key: \"{}\"\n", key().replace('\n', "\\n"));
        assert_eq!(look(&[("values.yaml", &inline)]).len(), 1);
        assert!(look(&[(".landfall/token", &key()), ("apps/.landfall/token", &key())]).is_empty());
        assert!(look(&[("ca.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")]).is_empty());
        assert!(look(&[("README.md", "It begins with -----BEGIN PRIVATE KEY----- and goes on.\n")]).is_empty());
    }

    #[test]
    fn tokens_are_known_by_their_shape_and_never_printed() {
        let token = format!("ghp_{}", "aZ3kQ9xT7vB1nM5cR8wY2pL6sD4fG0hJ2kE1");
        let found = look(&[("ci.yaml", &format!("env:\n  TOKEN: {token}\n"))]);
        assert_eq!(found, ["ci.yaml:2 holds a token of GitHub"]);
        assert!(!found[0].contains(&token));
        assert!(look(&[("docs.md", "use ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n")]).is_empty());
        assert!(look(&[("a.txt", "highp_aZ3kQ9xT7vB1nM5cR8wY2pL6sD4fG0hJ2kE1\n")]).is_empty());
    }

    #[test]
    fn values_of_environment_files_are_secrets_unless_they_stand_for_one() {
        let found = look(&[(".env", "API_KEY=f83kdl20Aq9dkeLs01\nLEVEL=info\nPASSWORD=changeme\n")]);
        assert_eq!(found, [".env:1 holds the value of `API_KEY`"]);
        assert!(look(&[(".env.example", "API_KEY=f83kdl20Aq9dkeLs01\n")]).is_empty());
    }
}
