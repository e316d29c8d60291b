//! How old the evidence of `docs/evidence` is, which of it a later change has made stale, and which document claims more
//! than it says.
//!
//! ```text
//! docs/evidence/SUITE.json ─► its commit: in the history? clean? ─► what has changed since: rooms, harness ─► STALE
//!          │                                  fuzz.json: one commit, hours, minutes a target ─► SHORT
//!          └─► README.md, docs/*.md: a real cluster, a figure, a commit that no file holds ─► finding
//! ```
//!
//! A document's claim is a finding always; evidence that is missing, stale or short is one with `--strict`, which is what
//! a piece of work ends with.
#![allow(clippy::print_stdout, reason = "this is the command's own output")]

mod claims;
mod covered;
mod fuzzed;

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use covered::{COVERED, Covered};

/// How many paths are named of those that have changed.
const SHOWN: usize = 6;

/// Prints a line for each suite that can leave evidence.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<Vec<String>, String> {
    let mut is_strict = false;
    for argument in arguments {
        match argument.as_str() {
            "--strict" => is_strict = true,
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut findings = Vec::new();
    for covered in COVERED {
        let standing = Standing::of(root, covered, now)?;
        println!("evidence {:<16} {}", covered.suite, standing.said());
        if is_strict && !standing.is_fresh() {
            findings.push(format!("docs/evidence/{}.json: {}", covered.suite, standing.said()));
        }
    }
    findings.extend(claims::check(root)?);
    Ok(findings)
}

/// How a suite's evidence stands.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    /// Of which commit it is, and how old that is; nothing when there is none.
    made: Option<String>,
    /// Why it says nothing about this commit.
    stale: Vec<String>,
    /// Why it is not enough.
    short: Vec<String>,
}

impl Standing {
    fn of(root: &Path, covered: &Covered, now: u64) -> Result<Self, String> {
        let name = format!("docs/evidence/{}.json", covered.suite);
        let mut standing = Standing { made: None, stale: Vec::new(), short: Vec::new() };
        let Ok(text) = std::fs::read_to_string(root.join(&name)) else { return Ok(standing) };
        let evidence: Value = serde_json::from_str(&text).map_err(|cause| format!("{name}: {cause}"))?;
        let named = |field: &str| evidence[field].as_str().unwrap_or_default();
        if !named("suite").is_empty() && named("suite") != covered.suite {
            return Err(format!("{name} is of the suite {}", named("suite")));
        }
        let stale = &mut standing.stale;
        for field in covered.says {
            if named(field).is_empty() {
                stale.push(format!("it names no {field}"));
            }
        }
        let commit = named("commit").trim_end_matches('+');
        standing.made = Some(commit.get(..7).unwrap_or(commit).to_owned());
        if commit.is_empty() {
            return Ok(standing);
        }
        let Some(made) = git(root, &["show", "-s", "--format=%ct", commit]) else {
            stale.push("that commit is not here".to_owned());
            return Ok(standing);
        };
        let days = now.saturating_sub(made.parse().unwrap_or(now)) / 86_400;
        standing.made = Some(format!("{} {days} days", commit.get(..7).unwrap_or(commit)));
        if git(root, &["merge-base", "--is-ancestor", commit, "HEAD"]).is_none() {
            stale.push("that commit is not in the history".to_owned());
        }
        let paths = covered.paths(root)?;
        let mut changed: Vec<&String> = Vec::new();
        let mut words = vec!["diff", "--name-only", commit, "HEAD", "--"];
        words.extend(paths.iter().map(String::as_str));
        let files = git(root, &words).ok_or_else(|| format!("git diff {commit} refuses"))?;
        for path in &paths {
            let below = format!("{path}/");
            if files.lines().any(|file| file == path || file.starts_with(&below)) {
                changed.push(path);
            }
        }
        let more = changed.len().saturating_sub(SHOWN);
        stale.extend(changed.into_iter().take(SHOWN).map(|path| path.trim_end_matches("/src").to_owned()));
        if more > 0 {
            stale.push(format!("{more} more"));
        }
        if named("commit").ends_with('+') {
            stale.push("its checkout was not clean".to_owned());
        }
        if covered.suite == "fuzz" {
            standing.short = fuzzed::short(&evidence, &fuzzed::targets(root)?);
        }
        Ok(standing)
    }

    fn is_fresh(&self) -> bool {
        self.made.is_some() && self.stale.is_empty() && self.short.is_empty()
    }

    fn said(&self) -> String {
        let Some(made) = &self.made else { return "none".to_owned() };
        let mut said = made.clone();
        for (word, why) in [("STALE", &self.stale), ("SHORT", &self.short)] {
            if !why.is_empty() {
                said.push_str(&format!(" {word}: {}", why.join(", ")));
            }
        }
        said
    }
}

/// What git says, without the last line's end; nothing when it refuses.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A repository with a room, the room that it uses, and a harness.
    struct Repository(std::path::PathBuf);

    impl Repository {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("landfall-evidence-{name}-{}", std::process::id()));
            let repository = Repository(root);
            repository.write("crates/chart/Cargo.toml", "[dependencies]\nlandfall-yaml.workspace = true\n");
            repository.write("crates/yaml/Cargo.toml", "[dependencies]\n");
            for path in ["crates/chart/src/lib.rs", "crates/yaml/src/lib.rs", "conformance/src/parity/cases.rs"] {
                repository.write(path, "one");
            }
            repository.write("conformance/src/parity.rs", "use crate::helm::Helm;");
            repository.write("conformance/src/helm.rs", "one");
            repository.git(&["init", "--quiet"]);
            repository.commit("one");
            repository
        }

        fn write(&self, path: &str, text: &str) {
            let file = self.0.join(path);
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, text).expect("written");
        }

        fn git(&self, arguments: &[&str]) -> String {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"];
            let arguments: Vec<&str> = identity.iter().chain(arguments).copied().collect();
            git(&self.0, &arguments).expect("git")
        }

        fn commit(&self, message: &str) -> String {
            self.git(&["add", "."]);
            self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
            self.git(&["rev-parse", "HEAD"])
        }

        fn evidence(&self, commit: &str) {
            let text = format!("{{\"suite\":\"parity\",\"commit\":\"{commit}\",\"cluster\":\"none\"}}");
            self.write("docs/evidence/parity.json", &text);
        }

        fn said(&self) -> String {
            let covered = Covered {
                suite: "parity",
                rooms: &["chart"],
                modules: &["parity"],
                paths: &[],
                says: &["commit", "cluster"],
            };
            Standing::of(&self.0, &covered, 0).expect("readable").said()
        }
    }

    impl Drop for Repository {
        fn drop(&mut self) {
            let _removed = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_change_of_a_room_behind_the_evidence_makes_it_stale_and_so_does_one_that_the_room_uses() {
        let repository = Repository::new("rooms");
        let commit = repository.git(&["rev-parse", "HEAD"]);
        assert_eq!(repository.said(), "none");
        repository.evidence(&commit);
        assert_eq!(repository.said(), format!("{} 0 days", &commit[..7]));
        repository.evidence(&format!("{commit}+"));
        assert_eq!(repository.said(), format!("{} 0 days STALE: its checkout was not clean", &commit[..7]));
        repository.evidence(&commit);
        repository.write("crates/yaml/src/lib.rs", "two");
        repository.commit("two");
        assert_eq!(repository.said(), format!("{} 0 days STALE: crates/yaml", &commit[..7]));
        repository.evidence("0000000000000000000000000000000000000000");
        assert_eq!(repository.said(), "0000000 STALE: that commit is not here");
        repository.write("docs/evidence/parity.json", "{\"suite\":\"parity\"}");
        assert_eq!(repository.said(), " STALE: it names no commit, it names no cluster");
    }

    #[test]
    fn a_change_of_the_harness_makes_its_evidence_stale_and_so_does_what_the_harness_uses() {
        let repository = Repository::new("harness");
        let commit = repository.git(&["rev-parse", "HEAD"]);
        repository.evidence(&commit);
        repository.write("conformance/src/parity/cases.rs", "two");
        repository.write("conformance/src/helm.rs", "two");
        repository.write("conformance/src/other.rs", "two");
        repository.commit("two");
        let stale = "conformance/src/helm.rs, conformance/src/parity";
        assert_eq!(repository.said(), format!("{} 0 days STALE: {stale}", &commit[..7]));
    }

    #[test]
    fn a_commit_of_another_history_is_stale() {
        let repository = Repository::new("history");
        repository.git(&["checkout", "--quiet", "-b", "beside"]);
        let commit = repository.commit("beside");
        repository.git(&["checkout", "--quiet", "-"]);
        repository.git(&["checkout", "--quiet", "HEAD~0"]);
        repository.git(&["checkout", "--quiet", "--orphan", "other"]);
        repository.commit("other");
        repository.evidence(&commit);
        assert_eq!(repository.said(), format!("{} 0 days STALE: that commit is not in the history", &commit[..7]));
    }
}
