//! What the grounds of suites are made of: files with their folders, programs, and repositories by an author.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// A file, and the folders that it lies in.
pub(crate) fn file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::create_dir_all(path.parent().context("a file lies somewhere")?)?;
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// A program: a script of the shell.
pub(crate) fn program(path: &Path, script: &str) -> anyhow::Result<()> {
    file(path, format!("#!/bin/sh\n{script}\n").as_bytes())?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// Who makes commits; git knows nothing of the machine's user.
pub(crate) struct Author<'a> {
    pub(crate) name: &'a str,
    /// Where git looks for settings of its user.
    pub(crate) home: &'a Path,
}

impl Author<'_> {
    /// What git gives in a directory, byte by byte, when it reads something.
    pub(crate) fn git(&self, directory: &Path, words: &[impl AsRef<str>], input: &[u8]) -> anyhow::Result<Vec<u8>> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let mut child = Command::new("/usr/bin/git")
            .args(["-c", &format!("user.name={}", self.name)])
            .args(["-c", &format!("user.email={}@example.com", self.name)])
            .args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"])
            .args(&words)
            .current_dir(directory)
            .env_clear()
            .env("HOME", self.home)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("git reads")?.write_all(input)?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "git {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }
}
