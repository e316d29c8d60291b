//! The oracle for charts: a real `helm`, run in an environment of its own, its answers kept by what they depend on.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use landfall_chart::Dialect;
use sha2::{Digest as _, Sha256};

/// The Kubernetes version that every case is rendered for.
pub(crate) const KUBE_VERSION: &str = "1.33.0";

/// What a renderer did with a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It printed manifests.
    Rendered(Vec<u8>),
    /// It refused, in these words (without `Error: `).
    Refused(String),
    /// It ended without an answer: out of memory, stack or time, in these words. Only an oracle may.
    Died(String),
}

/// What one run of an oracle may take: a random template can ask Go for more than any machine has.
const LIMITS: &str = "ulimit -v 4000000; ulimit -S -t 10; exec \"$0\" \"$@\"";
/// The longest that one run may take, in seconds of the wall's clock.
const LONGEST: &str = "300";

/// A helm binary.
#[derive(Debug)]
pub(crate) struct Helm {
    program: PathBuf,
    home: PathBuf,
    answers: PathBuf,
    /// Which Helm it is.
    pub(crate) dialect: Dialect,
    /// What `helm version --short` says.
    pub(crate) version: String,
    identity: Vec<u8>,
}

/// The directory of everything that is kept between runs: `$LANDFALL_CACHE` or `~/.cache/landfall`.
pub(crate) fn cache() -> PathBuf {
    std::env::var_os("LANDFALL_CACHE").map_or_else(
        || {
            let home = std::env::var_os("HOME").unwrap_or_default();
            Path::new(&home).join(".cache/landfall")
        },
        PathBuf::from,
    )
}

impl Helm {
    /// The helm of a dialect that `conformance/oracles` built.
    pub(crate) fn find(dialect: Dialect) -> io::Result<Self> {
        let program = cache().join(match dialect {
            Dialect::V3 => "bin/helm",
            Dialect::V4 => "bin/helm4",
        });
        let home = cache().join("conformance/home");
        let answers = cache().join("conformance/helm");
        fs::create_dir_all(&home)?;
        fs::create_dir_all(&answers)?;
        let mut helm = Helm { program, home, answers, dialect, version: String::new(), identity: Vec::new() };
        let version = helm.command(&helm.program).args(["version", "--short"]).output().map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{}: {error}; build it with conformance/oracles", helm.program.display()),
            )
        })?;
        helm.version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        let metadata = fs::metadata(&helm.program)?;
        helm.identity = format!("{} {}", helm.version, metadata.len()).into_bytes();
        Ok(helm)
    }

    /// The binary.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// `helm create`, at that place.
    pub(crate) fn create(&self, at: &Path) -> io::Result<bool> {
        Ok(self.command(&self.program).arg("create").arg(at).output()?.status.success())
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", &self.home).env("HELM_NAMESPACE", "default").env("TZ", "UTC");
        command.env("KUBECONFIG", self.home.join("none"));
        command
    }

    /// `helm template release-name CHART …`; `content` is the digest of all files that the answer depends on, and
    /// `attempt` tells two runs of the same case apart.
    pub(crate) fn template(&self, chart: &Path, flags: &[String], content: &str, attempt: u8) -> io::Result<Outcome> {
        let mut hash = Sha256::new();
        for part in
            [&self.identity, content.as_bytes(), flags.join("\0").as_bytes(), &[attempt], KUBE_VERSION.as_bytes()]
        {
            hash.update(part);
            hash.update([0]);
        }
        let kept = self.answers.join(hex(&hash.finalize()));
        if let Ok(answer) = fs::read(&kept) {
            return Ok(match answer.split_first() {
                Some((b'+', output)) => Outcome::Rendered(output.to_vec()),
                Some((b'!', words)) => Outcome::Died(String::from_utf8_lossy(words).into_owned()),
                Some((_, words)) => Outcome::Refused(String::from_utf8_lossy(words).into_owned()),
                None => Outcome::Refused(String::new()),
            });
        }
        let output = self
            .command("timeout")
            .args(["-k", "1", LONGEST, "sh", "-c", LIMITS])
            .arg(&self.program)
            .args(["template", "release-name"])
            .arg(chart)
            .args(["--namespace", "default", "--kube-version", KUBE_VERSION])
            .args(flags)
            .output()?;
        let outcome = if output.status.success() {
            Outcome::Rendered(output.stdout)
        } else if let Some(words) = last_words(&output) {
            Outcome::Died(words)
        } else {
            Outcome::Refused(error_words(&output.stderr))
        };
        let answer = match &outcome {
            Outcome::Rendered(output) => [b"+", output.as_slice()].concat(),
            Outcome::Refused(words) => [b"-", words.as_bytes()].concat(),
            Outcome::Died(words) => [b"!", words.as_bytes()].concat(),
        };
        let partial = kept.with_extension(format!("{}", std::process::id()));
        fs::write(&partial, answer)?;
        fs::rename(&partial, &kept)?;
        Ok(outcome)
    }
}

/// How a Go program says that it was ended rather than that it ends; `None` where it ended by itself.
fn last_words(output: &Output) -> Option<String> {
    if output.status.code().is_none_or(|code| code == 124 || code == 137) {
        return Some("killed".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let said = |line: &&str| line.starts_with("fatal error: ") || line.starts_with("SIGXCPU: ");
    text.lines().find(said).map(str::to_owned)
}

/// What stands behind `Error: ` on stderr, warnings left out.
fn error_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let words = match text.find("Error: ") {
        Some(at) => &text[at + "Error: ".len()..],
        None => &text,
    };
    words.trim_end().to_owned()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads `--dialect`.
pub(crate) fn dialect(word: &str) -> Result<Dialect, String> {
    match word {
        "v3" => Ok(Dialect::V3),
        "v4" => Ok(Dialect::V4),
        _ => Err("it is v3 or v4".to_owned()),
    }
}
