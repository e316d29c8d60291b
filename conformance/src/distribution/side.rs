//! One side: its tools, its folders, its server, and how a line of a script ends there.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::left::{Symbols, files, unaddressed};
use super::shelf::{Certificates, Shelf};
use crate::limited;

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A credential helper as Docker calls it: what it is told it keeps in files of its home, without the line's end that
/// Helm 4 writes and Helm 3 does not.
const HELPER: &str = r#"#!/bin/sh
echo "$1" >> "$HOME/helper-calls"
case "$1" in
store) printf %s "$(cat)" > "$HOME/helper-kept" ;;
erase) cat > /dev/null; rm -f "$HOME/helper-kept" ;;
get) cat > /dev/null
  if [ -f "$HOME/helper-kept" ]; then cat "$HOME/helper-kept"
  else echo "credentials not found in native keychain"; exit 1; fi ;;
esac
"#;

/// A program that speaks as Helm.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    pub(super) program: PathBuf,
    /// Words in front of the verb.
    pub(super) words: &'static [&'static str],
    /// Variables for it.
    pub(super) variables: &'static [(&'static str, &'static str)],
}

/// What is compared of a line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// All.
    All,
    /// All but what is written to standard error.
    NotErrors,
    /// The exit code and what it leaves.
    CodeOnly,
}

/// How a line ended, with addresses and times taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// What lies in the folders and on the server afterwards: name and content.
    pub(super) left: Vec<(String, String)>,
}

/// A place where scripts run.
pub(super) struct Side {
    tools: [Tool; 2],
    root: PathBuf,
    shelf: Arc<Shelf>,
    symbols: Symbols,
    pushed: Option<Instant>,
}

/// A manifest names the second of its push: two pushes of one archive within a second have one digest, and else two.
const A_SECOND: Duration = Duration::from_millis(1_050);

impl Side {
    /// Folders, a server and the charts of the suite.
    pub(super) fn make(
        root: PathBuf,
        tools: [Tool; 2],
        certificates: &Certificates,
        material: &[&Path],
    ) -> anyhow::Result<Self> {
        for folder in ["work", "home", "bin"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let helper = root.join("bin/docker-credential-shelf");
        fs::write(&helper, HELPER)?;
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755))?;
        let shelf = Shelf::open(certificates)?;
        let symbols = Symbols::new(&root, shelf.ports);
        let side = Side { tools, root, shelf, symbols, pushed: None };
        for folder in material {
            side.copy(folder, &side.root.join("work"))?;
        }
        Ok(side)
    }

    /// Copies a folder; `{http}` and its like in texts become this side's addresses.
    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let into = to.join(entry.file_name());
            if entry.path().is_dir() {
                self.copy(&entry.path(), &into)?;
                continue;
            }
            match String::from_utf8(fs::read(entry.path())?) {
                Ok(text) => fs::write(into, self.addressed(&text))?,
                Err(bytes) => fs::write(into, bytes.into_bytes())?,
            }
        }
        Ok(())
    }

    fn addressed(&self, text: &str) -> String {
        let ports = self.shelf.ports;
        text.replace("{http}", &format!("http://127.0.0.1:{}", ports.plain))
            .replace("{elsewhere}", &format!("http://localhost:{}", ports.plain))
            .replace("{https}", &format!("https://127.0.0.1:{}", ports.tls))
            .replace("{mutual}", &format!("https://127.0.0.1:{}", ports.mutual))
            .replace("{proxy}", &format!("http://127.0.0.1:{}", ports.proxy))
            .replace("{registry}", &format!("127.0.0.1:{}", ports.plain))
            .replace("{secure}", &format!("127.0.0.1:{}", ports.tls))
            .replace("{both}", &format!("127.0.0.1:{}", ports.mutual))
    }

    /// Runs a line: `a …`, `b …`, `sh …`, `put FILE AS`, `asked`.
    pub(super) fn step(&mut self, line: &str) -> anyhow::Result<Ended> {
        let line = self.addressed(line);
        let (who, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let mut ended = Ended { code: Some(0), stdout: String::new(), stderr: String::new(), left: Vec::new() };
        match who {
            "put" => {
                let (file, name) = rest.split_once(' ').context("put FILE AS")?;
                self.shelf.put(name, fs::read(self.root.join("work").join(file)).with_context(|| line.clone())?);
                return Ok(ended);
            }
            "asked" => {
                ended.stdout = self.symbols.taken_out(&self.shelf.asked());
                return Ok(ended);
            }
            "a" | "b" => {
                let tool = &self.tools[usize::from(who == "b")];
                // The shell reads the line, so that it may redirect; "$@" is the program.
                let (variables, verb) = rest.split_once(" -- ").unwrap_or(("", rest));
                let script = format!("{variables} \"$@\" {verb}");
                let pushes = verb.starts_with("push ");
                if let Some(before) = self.pushed.filter(|_| pushes) {
                    std::thread::sleep(A_SECOND.saturating_sub(before.elapsed()));
                }
                let mut words = vec![tool.program.display().to_string()];
                words.extend(tool.words.iter().map(|word| (*word).to_owned()));
                self.run(&script, &words, tool.variables, &mut ended)?;
                if pushes {
                    self.pushed = Some(Instant::now());
                }
            }
            "sh" => self.run(rest, &[], &[], &mut ended)?,
            _ => anyhow::bail!("{line}: a line begins with a, b, sh, put or asked"),
        }
        for folder in ["work", "home"] {
            for (name, content) in files(&self.root.join(folder))? {
                // A repository's name is a digest of its address, and each side has its own.
                let name = unaddressed(&format!("{folder}/{name}"));
                ended.left.push((name, self.symbols.taken_out(&content)));
            }
        }
        for (name, manifest) in self.shelf.manifests() {
            ended.left.push((format!("registry/{name}"), self.symbols.taken_out(&manifest)));
        }
        Ok(ended)
    }

    fn run(
        &mut self,
        script: &str,
        words: &[String],
        variables: &[(&str, &str)],
        ended: &mut Ended,
    ) -> anyhow::Result<()> {
        let (out, err) = (tempfile::NamedTempFile::new()?, tempfile::NamedTempFile::new()?);
        let mut child = Command::new("sh")
            .args(["-c", script, "sh"])
            .args(words)
            .current_dir(self.root.join("work"))
            .env_clear()
            .env("HOME", self.root.join("home"))
            .env("PATH", format!("{}:/usr/bin:/bin", self.root.join("bin").display()))
            .env("TZ", "UTC")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(out.reopen()?)
            .stderr(err.reopen()?)
            .spawn()?;
        ended.code = limited::wait(&mut child, LIMIT)?;
        let text = |file: &Path| anyhow::Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned());
        ended.stdout = self.symbols.taken_out(&text(out.path())?);
        ended.stderr = self.symbols.taken_out(&text(err.path())?);
        Ok(())
    }
}
