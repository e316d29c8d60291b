//! What comes into the build from outside: bans and licences of `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// The part of `cargo metadata` that is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    workspace_root: String,
}

/// One package of the graph.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    id: String,
    pub(super) name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    manifest_path: String,
    pub(super) dependencies: Vec<Dependency>,
    #[serde(skip)]
    root: String,
}

/// One line of a manifest's dependencies.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    #[serde(default, deserialize_with = "kind")]
    pub(super) kind: DependencyKind,
    path: Option<String>,
}

/// Which table of the manifest a dependency stands in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum DependencyKind {
    #[default]
    Normal,
    Development,
    Build,
}

fn kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<DependencyKind, D::Error> {
    Ok(match Option::<String>::deserialize(deserializer)?.as_deref() {
        Some("dev") => DependencyKind::Development,
        Some("build") => DependencyKind::Build,
        _ => DependencyKind::Normal,
    })
}

impl Dependency {
    pub(super) fn is_local(&self) -> bool {
        self.path.is_some()
    }
}

impl Package {
    /// Whether the package lies in a folder of the workspace.
    pub(super) fn in_folder(&self, folder: &str) -> bool {
        Path::new(&self.manifest_path).starts_with(Path::new(&self.root).join(folder))
    }
}

impl Metadata {
    pub(super) fn load(root: &Path) -> Result<Self, String> {
        Self::parse(&cargo(root, &["metadata", "--format-version=1", "--locked"])?)
    }

    pub(super) fn parse(answer: &str) -> Result<Self, String> {
        let mut metadata: Self = serde_json::from_str(answer).map_err(|cause| format!("cargo metadata: {cause}"))?;
        for package in &mut metadata.packages {
            package.root.clone_from(&metadata.workspace_root);
        }
        Ok(metadata)
    }

    pub(super) fn workspace_packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|cause| format!("cannot run cargo: {cause}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo {} failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    String::from_utf8(output.stdout).map_err(|cause| format!("cargo {}: {cause}", arguments.join(" ")))
}

/// Name and version of every package that is compiled on some platform. `cargo metadata` also lists optional packages that only a weak feature
/// names and nobody turns on; `cargo tree` does not.
fn compiled(root: &Path) -> Result<BTreeSet<(String, String)>, String> {
    let listing = cargo(
        root,
        &["tree", "--locked", "--workspace", "--target=all", "--edges=all", "--prefix=none", "--format={p}"],
    )?;
    let package = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    Ok(listing.lines().filter_map(package).collect())
}

#[derive(Debug, Deserialize)]
struct DenyFile {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// The packages that `deny.toml` does not let in.
pub(super) fn check(root: &Path, metadata: &Metadata) -> Result<Vec<String>, String> {
    let path = root.join("deny.toml");
    let text = std::fs::read_to_string(&path).map_err(|cause| format!("cannot read deny.toml: {cause}"))?;
    let rules: DenyFile = toml::from_str(&text).map_err(|cause| format!("deny.toml: {cause}"))?;
    let banned: BTreeMap<&str, &str> =
        rules.bans.deny.iter().map(|ban| (ban.name.as_str(), ban.reason.as_str())).collect();
    let compiled = compiled(root)?;
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let name = &package.name;
        if !compiled.contains(&(name.clone(), package.version.clone())) {
            continue;
        }
        if let Some(reason) = banned.get(name.as_str()) {
            findings.push(format!("deny.toml: {name} {} is banned: {reason}", package.version));
        }
        if package.source.as_deref().is_some_and(|source| source.starts_with("git+")) {
            findings.push(format!("deny.toml: {name} {} comes from a git repository", package.version));
        }
        let excepted = rules.licenses.exceptions.iter().find(|exception| &exception.name == name);
        let permits = |licence: &str| {
            rules.licenses.allow.contains(licence)
                || excepted.is_some_and(|exception| exception.allow.contains(licence))
        };
        match &package.license {
            Some(expression) if satisfied(expression, &permits) => {}
            Some(expression) => {
                findings.push(format!(
                    "deny.toml: {name} {} is under {expression:?}, which is not allowed",
                    package.version
                ));
            }
            None => findings.push(format!("deny.toml: {name} {} names no licence", package.version)),
        }
    }
    Ok(findings)
}

/// Whether an SPDX expression can be met with permitted licences. `/` is the old spelling of OR.
fn satisfied(expression: &str, permits: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at, permits) && at == words.len()
}

fn either(words: &[&str], at: &mut usize, permits: &dyn Fn(&str) -> bool) -> bool {
    let mut met = both(words, at, permits);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at, permits);
    }
    met
}

fn both(words: &[&str], at: &mut usize, permits: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(words, at, permits);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, permits);
    }
    met
}

fn one(words: &[&str], at: &mut usize, permits: &dyn Fn(&str) -> bool) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = either(words, at, permits);
        *at += 1;
        return met;
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return permits(&format!("{word} WITH {exception}"));
    }
    permits(word)
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    #[test]
    fn licence_expressions_are_read() {
        let permits = |licence: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&licence);
        assert!(satisfied("MIT/GPL-3.0", &permits));
        assert!(satisfied("ISC AND (GPL-2.0 OR MIT)", &permits));
        assert!(satisfied("Apache-2.0 WITH LLVM-exception OR GPL-3.0", &permits));
        assert!(!satisfied("MIT AND GPL-3.0", &permits));
        assert!(!satisfied("Apache-2.0", &permits));
        assert!(!satisfied("MIT MIT", &permits));
    }
}
