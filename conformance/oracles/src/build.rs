//! One run of `go build`.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::oracle::{Beside, Oracle, With};
use crate::toolchain::Go;

/// What every build is given beside its link flags; part of the cache's key.
pub(crate) const FLAGS: &str = "CGO_ENABLED=0 build -trimpath -buildvcs=false -p=2";

/// Why an oracle could not be built.
#[derive(Debug)]
pub enum BuildError {
    /// A file of the cache or of the modules could not be handled.
    File {
        /// What was tried: read, create, rename.
        act: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
    /// There is no `go`, or it could not be run.
    NoGo(io::Error),
    /// `go` ended with an error.
    Go {
        /// Its arguments.
        arguments: String,
        /// The end of what it printed.
        output: String,
    },
}

impl BuildError {
    pub(crate) fn file(act: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::File { act, path: path.to_owned(), cause }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { act, path, cause } => write!(f, "cannot {act} {}: {cause}", path.display()),
            Self::NoGo(cause) => {
                write!(f, "cannot run go: {cause}\n  install Go (any version from 1.19 on) and try again")
            }
            Self::Go { arguments, output } => write!(f, "go {arguments} failed:\n{output}"),
        }
    }
}

impl std::error::Error for BuildError {}

/// Builds `oracle` into the file `out`.
pub(crate) fn binary(go: &Go, oracle: &Oracle, module: &Path, out: &Path) -> Result<(), BuildError> {
    let link_flags = oracle.link_flags();
    let out = out.to_str().unwrap_or_default();
    let tags = match oracle.with {
        With::Go => "",
        With::C(tags) => tags,
    };
    let arguments = [
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-p=2",
        "-tags",
        tags,
        "-ldflags",
        &link_flags,
        "-o",
        out,
        oracle.package,
    ];
    run_with(go, module, &arguments, oracle.with).map(drop)
}

/// Puts files that a module publishes together into the file `out`.
pub(crate) fn together(go: &Go, beside: &Beside, module: &Path, out: &Path) -> Result<(), BuildError> {
    let folder = PathBuf::from(run(go, module, &["list", "-m", "-f", "{{.Dir}}", beside.module])?.trim());
    let mut text = String::new();
    for file in beside.files {
        let file = folder.join(file);
        let part = fs::read_to_string(&file).map_err(|cause| BuildError::file("read", &file, cause))?;
        text.push_str("---\n");
        text.push_str(&part);
        if !part.ends_with('\n') {
            text.push('\n');
        }
    }
    fs::write(out, text).map_err(|cause| BuildError::file("write", out, cause))
}

/// Runs `go` in a module's folder and gives what it printed.
pub(crate) fn run(go: &Go, folder: &Path, arguments: &[&str]) -> Result<String, BuildError> {
    run_with(go, folder, arguments, With::Go)
}

fn run_with(go: &Go, folder: &Path, arguments: &[&str], with: With) -> Result<String, BuildError> {
    let output = Command::new(&go.program)
        .args(arguments)
        .current_dir(folder)
        .envs(go.environment.iter().map(|(name, value)| (name, value)))
        .env("CGO_ENABLED", if with == With::Go { "0" } else { "1" })
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .output()
        .map_err(BuildError::NoGo)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = printed.lines().filter(|line| !line.starts_with("go: downloading")).collect();
    let tail = lines[lines.len().saturating_sub(20)..].join("\n");
    Err(BuildError::Go { arguments: arguments.join(" "), output: tail })
}
