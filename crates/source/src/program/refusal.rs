use async_recursion::async_recursion as boxed;
use landfall_diag::{Code, Diagnostic};

use super::{Order, ProgramError};

/// Lines of a failed program that are shown.
const LAST_LINES: usize = 20;

/// Why a program did not do what it was told.
#[derive(Debug)]
pub struct Refusal {
    /// What it said last, or why it could not be started.
    pub words: String,
    /// Whether there is no such program.
    pub is_missing: bool,
}

impl Order {
    /// Runs it as [`Order::run`] does and gives what it wrote to its standard output.
    ///
    /// # Errors
    /// When it cannot be run or ends with anything but success; with the last lines of what it wrote.
    #[boxed]
    pub async fn said(&self) -> Result<String, Refusal> {
        let ended = self.run().await.map_err(|error| Refusal {
            words: error.to_string(),
            is_missing: matches!(error, ProgramError::Missing(_)),
        })?;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        if ended.is_success() {
            return Ok(said);
        }
        let text = format!("{said}{}", String::from_utf8_lossy(&ended.stderr));
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        Err(Refusal { words: format!("{}\n({})", last.join("\n"), ended.status), is_missing: false })
    }
}

impl Refusal {
    /// The refusal as a person reads it.
    pub fn told(&self, code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).note(self.words.clone())
    }
}
