use serde::Serialize;

use crate::{Code, without_known, without_passwords};

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing needs to be done.
    Info,
    /// Probably wrong, but what was asked for can be done.
    Warning,
    /// What was asked for could not be done.
    Error,
    /// A policy or a guard said no; nothing was changed.
    Refused,
}

impl Severity {
    /// The word printed in front of the message.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Refused => "refused",
        }
    }
}

/// A text in which no value that was opened is seen, no address shows its password, and no error of the system its number.
fn safe(text: impl Into<String>) -> String {
    let text = without_numbers(text.into());
    let text = match without_known(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(safe) => safe,
    };
    match without_passwords(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(safe) => safe,
    }
}

/// A text without the numbers that Rust writes behind what the operating system says: ` (os error 17)`.
fn without_numbers(mut text: String) -> String {
    const MARK: &str = " (os error ";
    let mut from = 0;
    while let Some(at) = text[from..].find(MARK).map(|at| from + at) {
        let number = &text[at + MARK.len()..];
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && number[digits..].starts_with(')') {
            text.replace_range(at..at + MARK.len() + digits + 1, "");
        } else {
            from = at + MARK.len();
        }
    }
    text
}

/// A place in a text: lines and columns count from 1, columns in characters; 0 means "not known".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Place {
    /// The file's path as its owner would type it.
    pub file: String,
    /// First line, from 1; 0 when only the file is known.
    pub line: u32,
    /// First column, from 1; 0 when only the line is known.
    pub column: u32,
    /// Column behind the last character on the same line; 0 when not known.
    pub end_column: u32,
    /// The source line itself, without its line end, when it was at hand.
    pub source: Option<String>,
}

impl Place {
    /// A place of which only the file is known.
    pub fn file(file: impl Into<String>) -> Self {
        Place { file: file.into(), line: 0, column: 0, end_column: 0, source: None }
    }

    /// A line of a file.
    pub fn line(file: impl Into<String>, line: u32) -> Self {
        Place { line, ..Place::file(file) }
    }

    /// The same place with columns (from 1; `end_column` behind the last character, 0 when not known).
    #[must_use]
    pub fn columns(mut self, column: u32, end_column: u32) -> Self {
        self.column = column;
        self.end_column = end_column;
        self
    }

    /// The same place, addresses in it without their passwords.
    fn safe(self) -> Self {
        Place { file: safe(self.file), source: self.source.map(safe), ..self }
    }

    /// The same place with its source line taken from the file's whole text.
    #[must_use]
    pub fn source_from(mut self, text: &str) -> Self {
        if self.line > 0 {
            self.source = text.lines().nth(self.line as usize - 1).map(str::to_owned);
        }
        self
    }
}

/// A marked place with a few words on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Label {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is to be seen there.
    pub text: String,
    /// Whether this is the place to look at first: the user's own file.
    pub primary: bool,
}

/// One thing that went wrong (or is worth knowing), ready to be shown to a person or a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable code.
    pub code: Code,
    /// Weight.
    pub severity: Severity,
    /// What could not be done, in the user's words; one line.
    pub message: String,
    /// Places, the user's own file first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// Further facts; the peer's original words among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What to type or to edit.
    #[serde(rename = "help", skip_serializing_if = "Vec::is_empty")]
    pub helps: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic of the given weight.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Diagnostic { code, severity, message: safe(message), labels: Vec::new(), notes: Vec::new(), helps: Vec::new() }
    }

    /// What was asked for could not be done.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Diagnostic::new(Severity::Error, code, message)
    }

    /// Something is probably wrong.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Diagnostic::new(Severity::Warning, code, message)
    }

    /// A policy or a guard said no.
    pub fn refused(code: Code, message: impl Into<String>) -> Self {
        Diagnostic::new(Severity::Refused, code, message)
    }

    /// Adds the place to look at first.
    #[must_use]
    pub fn primary(mut self, place: Place, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: place.safe(), text: safe(text), primary: true });
        self
    }

    /// Adds a further place.
    #[must_use]
    pub fn label(mut self, place: Place, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: place.safe(), text: safe(text), primary: false });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(safe(note));
        self
    }

    /// Adds which there are of what was looked for, `releases: web, shop`; nothing where there are none.
    #[must_use]
    pub fn listing<S: AsRef<str>>(self, what: &str, names: impl IntoIterator<Item = S>) -> Self {
        let mut list = String::new();
        for name in names {
            list.push_str(if list.is_empty() { "" } else { ", " });
            list.push_str(name.as_ref());
        }
        if list.is_empty() { self } else { self.note(format!("{what}: {list}")) }
    }

    /// Adds that another name may be meant, where one is near enough ([`nearest`](crate::nearest)).
    #[must_use]
    pub fn did_you_mean(self, near: Option<impl std::fmt::Display>) -> Self {
        match near {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Adds something to type or to edit.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.helps.push(safe(help));
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]: {}", self.severity.word(), self.code, self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// An error that can be told to a person.
pub trait Diagnose {
    /// The error as a diagnostic.
    fn diagnose(&self) -> Diagnostic;
}

impl Diagnose for Diagnostic {
    fn diagnose(&self) -> Diagnostic {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operating_system_says_is_told_without_its_number() {
        for (said, told) in [
            ("File exists (os error 17)", "File exists"),
            ("a (os error 2) b (os error 13)", "a b"),
            ("(os error 2)", "(os error 2)"),
            ("x (os error y) (os error 5", "x (os error y) (os error 5"),
        ] {
            assert_eq!(safe(said), told);
        }
    }
}
