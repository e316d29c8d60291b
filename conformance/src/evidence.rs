//! What a suite leaves behind in `docs/evidence/`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde::Serialize;

/// One run of one suite. `planned` is counted from the oracle's run alone, and is `passed + failed`.
#[derive(Debug, Serialize)]
pub(crate) struct Evidence {
    pub(crate) suite: &'static str,
    pub(crate) commit: String,
    /// On which API it ran.
    pub(crate) cluster: Cluster,
    pub(crate) oracle: String,
    pub(crate) planned: usize,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// How many cases ended in which way.
    pub(crate) verdicts: BTreeMap<&'static str, usize>,
    /// Each case's id with the digest of what it was made of and how it ended.
    pub(crate) cases: Vec<CaseEvidence>,
}

/// On which API a suite runs. A page that says more than its evidence fails `cargo xtask evidence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Cluster {
    /// On none.
    #[serde(rename = "none")]
    Nothing,
    #[serde(rename = "embedded")]
    Embedded,
    /// A real control plane.
    #[serde(rename = "kube-apiserver")]
    Real,
    /// Each case on both.
    #[serde(rename = "embedded, kube-apiserver")]
    Both,
}

impl Cluster {
    /// The one that was asked for.
    pub(crate) fn controlled(control: bool) -> Self {
        if control { Cluster::Real } else { Cluster::Embedded }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One case.
#[derive(Debug, Serialize)]
pub(crate) struct CaseEvidence {
    pub(crate) id: String,
    pub(crate) hash: String,
    pub(crate) verdict: &'static str,
}

impl CaseEvidence {
    /// A case that passed, or had faults; `text` is what it was made of.
    pub(crate) fn judged(id: String, text: &str, passed: bool) -> Self {
        CaseEvidence { id, hash: crate::hash(text), verdict: if passed { "passed" } else { "failed" } }
    }

    fn is_failed(&self) -> bool {
        matches!(self.verdict, "failed" | "differs")
    }
}

impl Evidence {
    /// A whole run of this checkout in which no case was skipped.
    pub(crate) fn of(suite: &'static str, cluster: Cluster, oracle: String, cases: Vec<CaseEvidence>) -> Self {
        let failed = cases.iter().filter(|case| case.is_failed()).count();
        let mut verdicts = BTreeMap::new();
        for case in &cases {
            *verdicts.entry(case.verdict).or_default() += 1;
        }
        let (planned, passed) = (cases.len(), cases.len() - failed);
        let commit = commit(crate::root());
        Evidence { suite, commit, cluster, oracle, planned, passed, failed, skipped: 0, verdicts, cases }
    }

    /// Writes `docs/evidence/SUITE.json` below the repository's root.
    pub(crate) fn write(&self, root: &Path) -> io::Result<()> {
        write(root, self.suite, self)
    }
}

/// Writes `docs/evidence/SUITE.json` below the repository's root, whatever the suite tells there.
pub(crate) fn write(root: &Path, suite: &str, evidence: &impl Serialize) -> io::Result<()> {
    let directory = root.join("docs/evidence");
    fs::create_dir_all(&directory)?;
    let mut text = serde_json::to_string_pretty(evidence)?;
    text.push('\n');
    fs::write(directory.join(format!("{suite}.json")), text)
}

/// The commit that was checked out when this program first asked, with `+` when files differed from it, or when something
/// else is checked out by now: then nobody knows what was run.
pub(crate) fn commit(root: &Path) -> String {
    static BEGAN: OnceLock<String> = OnceLock::new();
    let now = checked_out(root);
    told(BEGAN.get_or_init(|| now.clone()), &now)
}

fn told(began: &str, now: &str) -> String {
    if began == now || began.ends_with('+') { began.to_owned() } else { format!("{began}+") }
}

/// What is checked out; what suites themselves write is not looked at.
fn checked_out(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let mut commit = git(&["rev-parse", "HEAD"]).unwrap_or_default();
    if git(&["status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/evidence"])
        .is_some_and(|status| !status.is_empty())
    {
        commit.push('+');
    }
    commit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_that_changes_while_a_suite_runs_is_not_clean() {
        assert_eq!(told("a", "a"), "a");
        assert_eq!(told("a", "b"), "a+");
        assert_eq!(told("a", "a+"), "a+");
        assert_eq!(told("a+", "a"), "a+");
    }

    #[test]
    fn evidence_names_the_cluster_in_words_that_pages_are_held_against() {
        let clusters = [Cluster::Nothing, Cluster::Embedded, Cluster::Real, Cluster::Both];
        let words = clusters.map(|cluster| cluster.to_string());
        assert_eq!(words, ["none", "embedded", "kube-apiserver", "embedded, kube-apiserver"]);
        let evidence = Evidence::of("releases-control", Cluster::Real, "helm".to_owned(), Vec::new());
        assert_eq!(serde_json::to_value(evidence).expect("is written")["cluster"], "kube-apiserver");
    }
}
