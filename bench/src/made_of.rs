//! What was measured: which commit of ours, which helm.

use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha256};

/// The commit that is checked out, with `+` when files differ from it; figures and their page are not looked at.
pub(crate) fn commit(root: &Path) -> Result<String, String> {
    let git = |arguments: &[&str]| said(Command::new("git").arg("-C").arg(root).args(arguments));
    let mut commit = git(&["rev-parse", "HEAD"])?;
    let others = ["--", ".", ":!docs/evidence", ":!docs/benchmarks.md"];
    if !git(&[["status", "--porcelain", "--untracked-files=no"].as_slice(), &others].concat())?.is_empty() {
        commit.push('+');
    }
    Ok(commit)
}

/// What a helm says that it is, and its binary's digest.
pub(crate) fn oracle(helm: &Path) -> Result<String, String> {
    let version = said(Command::new(helm).args(["version", "--short"]))?;
    let bytes = std::fs::read(helm).map_err(|error| format!("{}: {error}", helm.display()))?;
    let digest: String = Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("helm {version} sha256:{digest}"))
}

fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", command.get_program().display(), String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_a_commit_and_a_helm_that_is_not_there_is_told() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert_eq!(commit(&root).expect("a repository").trim_end_matches('+').len(), 40);
        assert!(oracle(Path::new("nowhere/helm")).expect_err("is not there").contains("nowhere/helm"));
    }
}
