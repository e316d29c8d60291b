//! Other programs: what they are called with, and what they say when they fail.

use std::collections::BTreeMap;
use std::path::PathBuf;

use landfall_diag::Diagnostic;
use tokio::process::Command;

/// Lines of a failed program that are shown.
const LAST_LINES: usize = 20;

/// A program, its arguments, and variables that hold what must not stand in arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) program: &'static str,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
}

/// Why a program did not do what it was told.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What it said last, or why it could not be started.
    pub(crate) words: String,
    /// Whether there is no such program.
    pub(crate) is_missing: bool,
}

impl Order {
    pub(crate) fn new<A: Into<String>>(program: &'static str, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Order { program, arguments, variables: BTreeMap::new() }
    }

    /// Which kubeconfig the program reads and writes, where it is not its usual one.
    pub(crate) fn with_kubeconfig(mut self, file: Option<&PathBuf>) -> Self {
        if let Some(file) = file {
            self.variables.insert("KUBECONFIG".to_owned(), file.display().to_string());
        }
        self
    }

    /// As it would be typed.
    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.program, self.arguments.join(" "))
    }

    /// Runs it; gives its standard output. It ends with whoever waits for it.
    pub(crate) async fn run(&self) -> Result<String, Refusal> {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).envs(&self.variables).stdin(std::process::Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(|error| Refusal {
            words: format!("{}: {error}", self.program),
            is_missing: error.kind() == std::io::ErrorKind::NotFound,
        })?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let text = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        Err(Refusal { words: format!("{}\n({})", last.join("\n"), output.status), is_missing: false })
    }
}

impl Refusal {
    /// The refusal as a person reads it.
    pub(crate) fn told(&self, code: u16, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).note(self.words.clone())
    }
}
