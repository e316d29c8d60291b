//! How old the evidence of `docs/evidence` is, and which of it a later change has made stale.
#![allow(clippy::print_stdout, reason = "this is the command's own output")]

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

/// What a suite covers: a change there makes its evidence stale.
struct Covered {
    suite: &'static str,
    paths: &'static [&'static str],
}

const RENDERING: &[&str] =
    &["crates/yaml", "crates/gotemplate", "crates/sprig", "crates/object", "crates/project", "crates/chart"];
const CLUSTER: &[&str] = &["crates/yaml", "crates/object", "crates/store", "crates/apiserver", "crates/drydock"];
const DELIVERY: &[&str] = &[
    "crates/gotemplate",
    "crates/sprig",
    "crates/object",
    "crates/chart",
    "crates/apiserver",
    "crates/drydock",
    "crates/cluster",
    "crates/engine",
    "crates/release",
    "crates/machine",
    "crates/delivery",
];

/// All that a value passes on its way from a template into a cluster.
const STORING: &[&str] = &[
    "crates/yaml",
    "crates/gotemplate",
    "crates/sprig",
    "crates/object",
    "crates/chart",
    "crates/source",
    "crates/cluster",
    "crates/engine",
    "crates/release",
    "crates/apps",
    "crates/machine",
    "crates/delivery",
    "crates/helm",
];

const COVERED: &[Covered] = &[
    Covered { suite: "parity", paths: RENDERING },
    Covered { suite: "parity-v4", paths: RENDERING },
    Covered { suite: "explain", paths: RENDERING },
    Covered { suite: "releases", paths: DELIVERY },
    Covered { suite: "objects", paths: STORING },
    Covered { suite: "distribution", paths: &["crates/chart", "crates/source", "crates/helm"] },
    Covered { suite: "differential", paths: CLUSTER },
    Covered { suite: "admission", paths: CLUSTER },
    Covered { suite: "kubectl", paths: CLUSTER },
    Covered { suite: "kubectl-suite", paths: CLUSTER },
    Covered { suite: "traces", paths: CLUSTER },
    Covered { suite: "trials", paths: DELIVERY },
    Covered { suite: "fidelity", paths: DELIVERY },
    Covered { suite: "addons", paths: DELIVERY },
    Covered {
        suite: "doors",
        paths: &[
            "crates/store",
            "crates/apiserver",
            "crates/drydock",
            "crates/cluster",
            "crates/engine",
            "crates/release",
            "crates/machine",
            "crates/delivery",
            "crates/host",
            "crates/landfall",
        ],
    },
    // Whatever reads what a stranger wrote: nearly everything.
    Covered { suite: "attack", paths: &["crates"] },
    Covered {
        suite: "alarms",
        paths: &[
            "crates/gotemplate",
            "crates/sprig",
            "crates/object",
            "crates/chart",
            "crates/apiserver",
            "crates/drydock",
            "crates/rehearse",
            "crates/rules",
        ],
    },
    Covered {
        suite: "fuzz",
        paths: &[
            "crates/yaml",
            "crates/gotemplate",
            "crates/sprig",
            "crates/object",
            "crates/project",
            "crates/chart",
            "crates/release",
            "conformance/hostile/src",
        ],
    },
];

/// The part of an evidence file that is looked at.
#[derive(Deserialize)]
struct Evidence {
    suite: String,
    /// What was checked out; `+` behind it says that files differed.
    commit: String,
}

/// Prints a line for each suite that can leave evidence.
pub(crate) fn run(root: &Path) -> Result<Vec<String>, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    for covered in COVERED {
        println!("evidence {:<14} {}", covered.suite, standing(root, covered, now)?);
    }
    Ok(Vec::new())
}

/// Of which commit it is, how old that is, and whether it still says something.
fn standing(root: &Path, covered: &Covered, now: u64) -> Result<String, String> {
    let path = root.join(format!("docs/evidence/{}.json", covered.suite));
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok("none".to_owned()) };
    let evidence: Evidence = serde_json::from_str(&text).map_err(|cause| format!("{}: {cause}", path.display()))?;
    if evidence.suite != covered.suite {
        return Err(format!("{} is of the suite {}", path.display(), evidence.suite));
    }
    let commit = evidence.commit.trim_end_matches('+');
    let mut said = commit.get(..7).unwrap_or(commit).to_owned();
    let Some(made) = git(root, &["show", "-s", "--format=%ct", commit]) else {
        return Ok(format!("{said} STALE: that commit is not here"));
    };
    let days = now.saturating_sub(made.parse().unwrap_or(now)) / 86_400;
    said.push_str(&format!(" {days} days"));
    let mut stale = Vec::new();
    for changed in covered.paths {
        // Tests and documents of a crate change nothing that was measured.
        let sources = if changed.matches('/').count() == 1 { format!("{changed}/src") } else { (*changed).to_owned() };
        if git(root, &["diff", "--name-only", commit, "HEAD", "--", &sources]).is_none_or(|names| !names.is_empty()) {
            stale.push(*changed);
        }
    }
    if evidence.commit.ends_with('+') {
        stale.push("its checkout was not clean");
    }
    if !stale.is_empty() {
        said.push_str(&format!(" STALE: {}", stale.join(", ")));
    }
    Ok(said)
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

    #[test]
    fn what_suites_cover_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        for covered in COVERED {
            for path in covered.paths {
                assert!(root.join(path).is_dir(), "{}: {path}", covered.suite);
            }
        }
    }

    #[test]
    fn a_change_behind_the_evidence_makes_it_stale() {
        let root = std::env::temp_dir().join(format!("landfall-evidence-{}", std::process::id()));
        fs::create_dir_all(root.join("crates/yaml/src")).expect("a folder");
        fs::create_dir_all(root.join("docs/evidence")).expect("a folder");
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"];
            let arguments: Vec<&str> = identity.iter().chain(arguments).copied().collect();
            super::git(&root, &arguments).expect("git")
        };
        git(&["init", "--quiet"]);
        fs::write(root.join("crates/yaml/src/lib.rs"), "one").expect("a file");
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", "one"]);
        let commit = git(&["rev-parse", "HEAD"]);
        let covered = Covered { suite: "parity", paths: &["crates/yaml"] };
        let standing = || standing(&root, &covered, 0).expect("readable");
        assert_eq!(standing(), "none");
        let write = |commit: &str| {
            let text = format!("{{\"suite\":\"parity\",\"commit\":\"{commit}\"}}");
            fs::write(root.join("docs/evidence/parity.json"), text).expect("a file");
        };
        write(&commit);
        assert_eq!(standing(), format!("{} 0 days", &commit[..7]));
        write(&format!("{commit}+"));
        assert_eq!(standing(), format!("{} 0 days STALE: its checkout was not clean", &commit[..7]));
        write(&commit);
        fs::write(root.join("crates/yaml/src/lib.rs"), "two").expect("a file");
        git(&["commit", "--quiet", "-am", "two"]);
        assert_eq!(standing(), format!("{} 0 days STALE: crates/yaml", &commit[..7]));
        write("0000000000000000000000000000000000000000");
        assert_eq!(standing(), "0000000 STALE: that commit is not here");
        fs::remove_dir_all(&root).expect("removed");
    }
}
