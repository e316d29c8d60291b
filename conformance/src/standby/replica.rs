use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::wire::Wire;

/// A replica of the server: a process, and the wires by which it reaches cluster and database.
pub(super) struct Replica {
    pub(super) name: String,
    pub(super) cluster: Wire,
    pub(super) database: Wire,
    home: PathBuf,
    child: Option<Child>,
}

impl Replica {
    /// One that is not started; its files lie in a directory of its own.
    pub(super) fn new(name: String, home: PathBuf, cluster: Wire, database: Wire) -> anyhow::Result<Self> {
        fs::create_dir_all(&home)?;
        Ok(Replica { name, cluster, database, home, child: None })
    }

    /// Where its kubeconfig is to lie.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.home.join("kubeconfig")
    }

    /// Starts it and waits until it answers.
    pub(super) fn start(
        &mut self,
        landfall: &Path,
        (database, repository): (&str, &str),
        shards: u32,
    ) -> anyhow::Result<()> {
        let (said, log) = (self.home.join("said"), self.home.join("log"));
        let child = Command::new(landfall)
            .arg("--state")
            .arg(self.home.join("state"))
            .args(["serve", "--yes", "--context", "testbed", "--listen", "127.0.0.1:0", "--sealing", "off"])
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(["--shards", &shards.to_string(), "--repo", repository])
            .current_dir(&self.home)
            .env("LANDFALL_DATABASE", database)
            .env("HOSTNAME", &self.name)
            .env("CI", "true")
            .env("LANDFALL_LOG", "landfall_server=info")
            .stdin(Stdio::null())
            .stdout(fs::File::create(&said)?)
            .stderr(fs::OpenOptions::new().create(true).append(true).open(&log)?)
            .spawn()?;
        let child = self.child.insert(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if fs::read_to_string(&said)?.contains("ready http://") {
                return Ok(());
            }
            if let Some(status) = child.try_wait()? {
                bail!("{} ended with {status}: {}", self.name, self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("{} is not ready after 60 s: {}", self.name, self.log())
    }

    /// Where it says that it is ready.
    pub(super) fn address(&self) -> anyhow::Result<String> {
        let said = fs::read_to_string(self.home.join("said"))?;
        let address = said.lines().find_map(|line| line.strip_prefix("ready "));
        Ok(address.with_context(|| format!("{} is not ready: {said}", self.name))?.trim().to_owned())
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let Some(child) = &self.child else { bail!("{} does not run", self.name) };
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status()?;
        ensure!(sent.success(), "{signal} could not be sent to {}", self.name);
        Ok(())
    }

    /// Waits until it has ended, and forgets it.
    pub(super) fn reap(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }

    /// The last lines of its log.
    pub(super) fn log(&self) -> String {
        let text = fs::read_to_string(self.home.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}
