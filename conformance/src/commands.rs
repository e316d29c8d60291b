//! Command lines, as people and scripts type them, against a served cluster: kubectl and helm as they are published.
//!
//! A file of steps under `conformance/kubectl` holds a command a step and, indented, what must be in its output. `! N $ …` must end with code N;
//! `~ $ …` runs only where containers are simulated (a bare control plane has no container to ask). Every file is run by [`run`] against the embedded
//! cluster, or with `--control` against the real control plane, which shows that the expectations are the peer's and not ours.

pub(crate) mod command;
mod steps;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;

pub(crate) use steps::{Step, load};

use crate::{limited, peers};

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Where commands run: a home and a folder of their own, the oracles first on the path.
pub(crate) struct Shell {
    folder: tempfile::TempDir,
    kubeconfig: PathBuf,
    path: String,
    variables: Vec<(&'static str, String)>,
    limit: Duration,
}

/// How one command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Standard output and error.
    pub(crate) output: String,
}

impl Shell {
    /// A shell that finds the files of `files` in its folder and speaks to the cluster of `kubeconfig`.
    pub(crate) fn new(files: &Path, kubeconfig: &str) -> anyhow::Result<Self> {
        for tool in ["kubectl", "helm"] {
            peers::binary(tool)?;
        }
        let folder = tempfile::Builder::new().prefix("landfall-commands-").tempdir()?;
        copy(files, folder.path())?;
        let config = folder.path().join(".kubeconfig");
        std::fs::write(&config, kubeconfig)?;
        // The files' own programs first, then the oracles.
        let rest = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{rest}", folder.path().display(), peers::cache()?.bin().display());
        Ok(Self { folder, kubeconfig: config, path, variables: Vec::new(), limit: LIMIT })
    }

    /// Where the commands run, which is their home, too.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable of the commands' environment.
    pub(crate) fn set(&mut self, variable: &'static str, value: String) {
        self.variables.push((variable, value));
    }

    /// Lets each command take so long.
    pub(crate) fn limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Runs one line; a command that takes too long is ended and has no code.
    pub(crate) fn run(&self, line: &str) -> anyhow::Result<Ended> {
        let log = self.folder.path().join(".output");
        let file = std::fs::File::create(&log)?;
        let mut child = Command::new("bash")
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", &self.path)
            .env("ROOT", crate::root())
            .envs(self.variables.iter().map(|(variable, value)| (*variable, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("cannot run bash")?;
        let code = limited::wait(&mut child, self.limit)?;
        Ok(Ended { code, output: String::from_utf8_lossy(&std::fs::read(&log)?).into_owned() })
    }
}

impl Step {
    /// What is wrong with how the command ended; nothing when all is well.
    pub(crate) fn judge(&self, ended: &Ended) -> Option<String> {
        if ended.code != Some(self.code) {
            let code = ended.code.map_or_else(|| "no code in time".to_owned(), |code| format!("code {code}"));
            return Some(format!("ended with {code}, wanted {}:\n{}", self.code, tail(&ended.output)));
        }
        let missing = self.wanted.iter().find(|wanted| !ended.output.contains(wanted.as_str()))?;
        Some(format!("does not say {missing:?}:\n{}", tail(&ended.output)))
    }
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(8)..].iter().map(|line| format!("    {line}\n")).collect()
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
