//! What the suites cover: a change there makes their evidence stale.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use crate::rust_source::without_literals;

/// What a suite covers.
pub(super) struct Covered {
    pub(super) suite: &'static str,
    /// The doors that it goes through; what these rooms use is covered, too.
    pub(super) rooms: &'static [&'static str],
    /// Its modules in `conformance/src`; what these use of the others is covered, too.
    pub(super) modules: &'static [&'static str],
    /// What it reads besides.
    pub(super) paths: &'static [&'static str],
    /// What its file must say.
    pub(super) says: &'static [&'static str],
}

/// What every file says.
const SAYS: &[&str] = &["commit", "oracle", "cluster"];
/// What those say that hold nothing against a cluster.
const SAYS_NO_CLUSTER: &[&str] = &["commit", "oracle"];
/// What those say that are held against facts.
const SAYS_COMMIT: &[&str] = &["commit"];

/// What people have said to findings.
const JUDGED: &[&str] = &["conformance/alarms.toml", "conformance/looked.toml"];
const BINARY: &str = "crates/landfall/src";

const fn covered(
    suite: &'static str,
    rooms: &'static [&'static str],
    modules: &'static [&'static str],
    paths: &'static [&'static str],
) -> Covered {
    Covered { suite, rooms, modules, paths, says: SAYS }
}

pub(super) const COVERED: &[Covered] = &[
    covered("parity", &["chart", "source"], &["parity"], &["conformance/exclusions.toml"]),
    covered("parity-v4", &["chart", "source"], &["parity"], &["conformance/exclusions.toml"]),
    Covered { says: SAYS_COMMIT, ..covered("explain", &["chart", "source"], &["explain"], &[]) },
    covered("releases", &["helm"], &["releases"], &["conformance/releases"]),
    covered("releases-control", &["helm"], &["releases"], &["conformance/releases"]),
    covered("objects", &["helm"], &["objects"], &[BINARY, "conformance/releases/charts"]),
    covered("objects-control", &["helm"], &["objects"], &[BINARY, "conformance/releases/charts"]),
    covered("distribution", &["helm"], &["distribution"], &["conformance/distribution"]),
    covered("differential", &["drydock"], &["differential"], &["conformance/differential"]),
    covered("admission", &["drydock"], &["admission"], &[]),
    covered("kubectl", &["drydock"], &["commands"], &["conformance/kubectl"]),
    covered("kubectl-control", &[], &["commands"], &["conformance/kubectl"]),
    covered("kubectl-suite", &["drydock"], &["groups"], &["conformance/kubectl-suite.toml"]),
    covered("controllers", &["drydock"], &["controllers"], &["conformance/controllers"]),
    covered("controllers-control", &[], &["controllers"], &["conformance/controllers"]),
    covered("traces", &["drydock"], &["traces"], &[]),
    covered("trials", &["helm"], &["trials"], &[BINARY]),
    covered("fidelity", &["helm", "rehearse"], &["fidelity"], &[BINARY, "conformance/fidelity.toml"]),
    covered("addons", &["helm"], &["addons"], &[BINARY]),
    covered("doors", &["helm"], &["doors"], &[BINARY]),
    covered("kills", &["helm"], &["kills"], &[BINARY]),
    covered("days", &["landfall"], &["days"], &["conformance/days", "examples"]),
    covered("days-control", &["landfall"], &["days"], &["conformance/days", "examples"]),
    Covered {
        says: SAYS_NO_CLUSTER,
        ..covered("edges", &["agent", "server"], &["edges"], &["conformance/edge", "conformance/edges"])
    },
    covered("gitops", &["landfall"], &["gitops"], &[]),
    covered("gitea", &["landfall"], &["gitea"], &["conformance/oracles/gitea"]),
    covered("gitea-control", &["landfall"], &["gitea"], &["conformance/oracles/gitea"]),
    covered("day-of-sens", &["landfall"], &["day_of_sens"], &[]),
    covered("once", &["server"], &["once"], &[]),
    covered("once-paths", &["server"], &["once"], &[BINARY, "conformance/once"]),
    covered("once-paths-control", &["server"], &["once"], &[BINARY, "conformance/once"]),
    Covered { says: SAYS_NO_CLUSTER, ..covered("edits", &["secrets"], &["edits"], &[]) },
    covered("standby", &["landfall"], &["standby", "database"], &[]),
    covered("standby-control", &["landfall"], &["standby", "database"], &[]),
    covered("mutations", &["rehearse"], &["mutations"], &["crates/rehearse/tests"]),
    // Whatever reads what a stranger wrote, or could tell a secret: nearly everything.
    covered("attack", &["landfall"], &["attack"], &[]),
    covered("canary", &["landfall"], &["canary"], &[]),
    Covered { says: SAYS_COMMIT, ..covered("alarms", &["rehearse"], &["alarms"], JUDGED) },
    Covered { says: SAYS_COMMIT, ..covered("upgrades", &["rehearse"], &["alarms"], JUDGED) },
    Covered { says: SAYS_COMMIT, ..covered("commits", &["rehearse"], &["alarms"], &["conformance/commits.toml"]) },
    Covered { says: SAYS_COMMIT, ..covered("told", &["rehearse"], &["alarms"], &["conformance/told"]) },
    covered("checkers", &["rehearse"], &["alarms"], &["conformance/commits.toml", "crates/rehearse/tests/fixtures"]),
    Covered { says: SAYS_COMMIT, ..covered("applications", &["apps"], &["applications"], &[]) },
    Covered {
        says: SAYS_COMMIT,
        // The corpus grows with what is found; what was found before is played in each run of the tests.
        ..covered(
            "fuzz",
            &["chart", "drydock", "project", "release", "secrets", "source", "terminal"],
            &["fuzz"],
            &["conformance/hostile/src", "fuzz"],
        )
    },
    Covered { says: SAYS_NO_CLUSTER, ..covered("bench", &["helm", "rehearse"], &[], &[BINARY, "bench/src"]) },
];

/// What carries the suites and judges nothing: how they are called, how many work, where the file lies.
const CARRIES: &[&str] = &["main", "suite", "full", "evidence", "sample", "workers"];
/// What names faults for people and decides nothing that a suite compares; every room uses it.
const FREE: &str = "diag";

/// The part of a manifest that is looked at.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    dependencies: toml::Table,
}

impl Covered {
    /// All paths that it covers, sorted. Tests and documents of a crate change nothing that was measured.
    pub(super) fn paths(&self, root: &Path) -> Result<Vec<String>, String> {
        let mut paths: BTreeSet<String> = self.paths.iter().map(|path| (*path).to_owned()).collect();
        paths.extend(rooms(root, self.rooms)?.into_iter().map(|room| format!("crates/{room}/src")));
        for module in modules(root, self.modules)? {
            for path in [format!("conformance/src/{module}.rs"), format!("conformance/src/{module}")] {
                if root.join(&path).exists() {
                    paths.insert(path);
                }
            }
        }
        Ok(paths.into_iter().collect())
    }
}

/// Rooms and all that they use.
fn rooms(root: &Path, doors: &[&str]) -> Result<BTreeSet<String>, String> {
    closure(doors, |room| {
        let path = format!("crates/{room}/Cargo.toml");
        let text = std::fs::read_to_string(root.join(&path)).map_err(|cause| format!("cannot read {path}: {cause}"))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|cause| format!("{path}: {cause}"))?;
        let names = manifest.dependencies.keys().filter_map(|name| name.strip_prefix("landfall-"));
        Ok(names.filter(|name| *name != FREE).map(str::to_owned).collect())
    })
}

/// Modules of `conformance/src` and all that they use.
fn modules(root: &Path, first: &[&str]) -> Result<BTreeSet<String>, String> {
    let folder = root.join("conformance/src");
    let is_module = |name: &String| folder.join(format!("{name}.rs")).is_file() && !CARRIES.contains(&name.as_str());
    closure(first, |module| {
        let mut files = vec![folder.join(format!("{module}.rs"))];
        let mut folders = vec![folder.join(module)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
            }
        }
        let mut used = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|cause| format!("{}: {cause}", file.display()))?;
            used.extend(of_this_crate(&without_literals(&text)).into_iter().filter(is_module));
        }
        Ok(used)
    })
}

/// What is reached from some names by what each of them uses.
fn closure(first: &[&str], used: impl Fn(&str) -> Result<Vec<String>, String>) -> Result<BTreeSet<String>, String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = first.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = open.pop() {
        if !reached.contains(&name) {
            open.extend(used(&name)?);
            reached.insert(name);
        }
    }
    Ok(reached)
}

/// The names right behind `crate::`, and those of `crate::{…}`.
fn of_this_crate(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for after in code.split("crate::").skip(1) {
        let Some(list) = after.strip_prefix('{') else {
            found.push(word(after));
            continue;
        };
        let (mut depth, mut is_first) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => is_first = true,
                c if is_first && !c.is_whitespace() => {
                    found.push(word(&list[at..]));
                    is_first = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
    }

    #[test]
    fn what_suites_cover_exists() {
        for covered in COVERED {
            for path in covered.paths(root()).expect("readable") {
                assert!(root().join(&path).exists(), "{}: {path}", covered.suite);
            }
            for module in covered.modules {
                assert!(root().join(format!("conformance/src/{module}.rs")).is_file(), "{}: {module}", covered.suite);
            }
        }
    }

    #[test]
    fn releases_cover_all_that_a_value_passes_and_the_harness_with_what_starts_the_clusters() {
        for suite in ["releases", "releases-control"] {
            let covered = COVERED.iter().find(|covered| covered.suite == suite).expect("is covered");
            let paths = covered.paths(root()).expect("readable");
            for room in ["helm", "store", "yaml", "engine", "delivery", "release", "gotemplate"] {
                assert!(paths.contains(&format!("crates/{room}/src")), "{suite} without {room}: {paths:?}");
            }
            for module in ["releases", "testbed", "embedded.rs", "peers.rs"] {
                assert!(paths.contains(&format!("conformance/src/{module}")), "{suite} without {module}: {paths:?}");
            }
            assert!(!paths.iter().any(|path| path.contains("suite.rs")), "{paths:?}");
        }
    }

    #[test]
    fn every_suite_that_is_run_whole_and_every_file_of_evidence_is_covered() {
        let known: BTreeSet<&str> = COVERED.iter().map(|covered| covered.suite).collect();
        assert_eq!(known.len(), COVERED.len());
        let files = std::fs::read_dir(root().join("docs/evidence")).expect("evidence");
        for file in files {
            let name = file.expect("an entry").file_name().to_string_lossy().replace(".json", "");
            assert!(known.contains(name.as_str()), "docs/evidence/{name}.json is of no suite that is covered");
        }
        for file in crate::tree::text_files(root()).expect("files") {
            for after in file.text.split("Whole::of(\"").skip(1).filter(|_| file.path.starts_with("conformance/src")) {
                let name = after.split('"').next().expect("a name");
                assert!(known.contains(name), "{}: the suite {name} is not covered", file.path);
            }
        }
    }

    #[test]
    fn names_behind_crate_are_found_in_lists_too() {
        let code = "use crate::helm::{Helm, cache}; use crate::{parity, peers::{binary}, root}; crate::hash(1)";
        assert_eq!(of_this_crate(code), ["helm", "parity", "peers", "root", "hash"]);
    }
}
