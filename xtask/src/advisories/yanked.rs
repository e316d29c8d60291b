//! Versions that their authors have withdrawn. A lock keeps them; whoever asks for exactly them without one is refused, and
//! so they are found: with a package that asks for every locked version and has no lock.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lock::{Lock, Locked};

/// Whether the registry may be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Asked,
    /// Only the index as it was last fetched.
    Offline,
}

/// After so many withdrawn versions no more are looked for: each costs a resolution.
const MOST: usize = 20;

pub(super) fn findings(lock: &Lock, network: Network) -> Result<Vec<String>, String> {
    let probe = Probe::new()?;
    let mut packages: Vec<&Locked> = lock.packages.iter().collect();
    let (mut findings, mut network) = (Vec::new(), network);
    while findings.len() < MOST {
        let told = match probe.resolve(&packages, network)? {
            Ok(()) => break,
            Err(told) => told,
        };
        let Some(found) = packages.iter().position(|package| told.contains(&refusal(package))) else {
            if network == Network::Asked {
                println!(
                    "note: the registry cannot be asked, so withdrawn versions are looked for in its index as it was last fetched"
                );
                network = Network::Offline;
                continue;
            }
            return Err(format!("cargo could not look for withdrawn versions:\n{told}"));
        };
        let package = packages.swap_remove(found);
        let (name, version) = (&package.name, &package.version);
        findings.push(format!("{name} {version} was withdrawn (yanked): cargo update -p {name}@{version}"));
    }
    Ok(findings)
}

/// How cargo begins to refuse a withdrawn version.
fn refusal(package: &Locked) -> String {
    format!("`{} = \"={}\"`\n  version {} is yanked", package.name, package.version, package.version)
}

/// A package in a folder of its own.
struct Probe {
    folder: PathBuf,
}

impl Probe {
    fn new() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("landfall-yanked-{}", std::process::id()));
        let source = folder.join("src");
        std::fs::create_dir_all(&source)
            .and_then(|()| std::fs::write(source.join("lib.rs"), ""))
            .map_err(|cause| format!("{}: {cause}", folder.display()))?;
        Ok(Self { folder })
    }

    /// What cargo says against these versions.
    fn resolve(&self, packages: &[&Locked], network: Network) -> Result<Result<(), String>, String> {
        let shown = |path: &Path, cause: std::io::Error| format!("{}: {cause}", path.display());
        let path = self.folder.join("Cargo.toml");
        std::fs::write(&path, manifest(packages)).map_err(|cause| shown(&path, cause))?;
        // There is none yet, or that of the attempt before.
        let _ = std::fs::remove_file(self.folder.join("Cargo.lock"));
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.arg("generate-lockfile").current_dir(&self.folder);
        if network == Network::Offline {
            cargo.arg("--offline");
        }
        let output = cargo.output().map_err(|cause| format!("cargo: {cause}"))?;
        Ok(if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // What stays behind is a few kilobytes in the system's folder for such.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn manifest(packages: &[&Locked]) -> String {
    let mut text =
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n[dependencies]\n"
            .to_owned();
    for (index, Locked { name, version, .. }) in packages.iter().enumerate() {
        // Writing into a text cannot fail.
        let _ =
            writeln!(text, "p{index} = {{ package = \"{name}\", version = \"={version}\", default-features = false }}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withdrawn_version_is_told_from_other_refusals() {
        let lock =
            Lock::parse("[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n").expect("a lock");
        let package = lock.packages.first().expect("one");
        let told =
            "error: failed to select a version for the requirement `a = \"=1.0.0\"`\n  version 1.0.0 is yanked\n";
        assert!(told.contains(&refusal(package)));
        assert!(
            !"error: failed to select a version for `a = \"=1.0.0\"`\n  no matching package"
                .contains(&refusal(package))
        );
        assert!(
            manifest(&[package]).contains("p0 = { package = \"a\", version = \"=1.0.0\", default-features = false }")
        );
    }
}
