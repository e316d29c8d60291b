//! What can be wrong with a text, in go-yaml's own words.

use std::borrow::Cow;

use landfall_diag::{Diagnose, Diagnostic, code};

use crate::mark::Mark;

/// Why a text could not be read, a value not written, or an edit not made.
///
/// `Display` gives the words that `sigs.k8s.io/yaml` (go-yaml v2) uses, with the line number that it prints;
/// [`Error::mark`] gives the real place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not YAML.
    #[error("yaml: {}{problem}", line_words(*.line))]
    Syntax {
        /// go-yaml's words.
        problem: Cow<'static, str>,
        /// The line that go-yaml names; not always the line of `at`.
        line: Option<usize>,
        /// Where scanning stopped.
        at: Mark,
    },
    /// The text is YAML, but an anchor, tag, merge or key in it has no meaning.
    #[error("yaml: {problem}")]
    Content {
        /// go-yaml's words.
        problem: String,
        /// The node meant.
        at: Mark,
    },
    /// Keys that occur twice in one mapping; only strict reading minds.
    #[error("yaml: unmarshal errors:{}", duplicate_words(.0))]
    Duplicates(Vec<Duplicate>),
    /// The value has no JSON form.
    #[error("{problem}")]
    Json {
        /// The words of `encoding/json` or of `sigs.k8s.io/yaml`.
        problem: String,
        /// The node meant; absent when a value was to be written.
        at: Option<Mark>,
    },
    /// Something other than a comment stands behind the `---` between two documents of a stream.
    #[error("invalid Yaml document separator: {behind}")]
    Separator {
        /// What stands there.
        behind: String,
        /// The separator.
        at: Mark,
    },
    /// The value's text has no end, or one that is too far away.
    #[error("exceeded max size of {most} bytes")]
    TooLong {
        /// Bytes that are written at most.
        most: usize,
    },
    /// A place to edit could not be found, or editing there is not safe.
    #[error("cannot edit {path}: {problem}")]
    Edit {
        /// The path that was asked for, as `a.b[0]`.
        path: String,
        /// Why not.
        problem: &'static str,
        /// The node that stands in the way.
        at: Option<Mark>,
    },
}

/// A key that is already set in its mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The key, in Go's `%#v` form.
    pub key: String,
    /// Where the later value stands.
    pub at: Mark,
}

impl Error {
    /// go-yaml's words without its name in front of them; `None` for what is said without that name.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Syntax { problem, line, .. } => Some(format!("{}{problem}", line_words(*line))),
            Self::Content { problem, .. } => Some(problem.clone()),
            Self::Duplicates(list) => Some(format!("unmarshal errors:{}", duplicate_words(list))),
            Self::Json { .. } | Self::Separator { .. } | Self::TooLong { .. } | Self::Edit { .. } => None,
        }
    }

    /// The place that the error is about, if it is about a text.
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Self::Syntax { at, .. } | Self::Content { at, .. } | Self::Separator { at, .. } => Some(*at),
            Self::Duplicates(list) => list.first().map(|duplicate| duplicate.at),
            Self::Json { at, .. } | Self::Edit { at, .. } => *at,
            Self::TooLong { .. } => None,
        }
    }

    pub(crate) fn content(problem: impl Into<String>, at: Mark) -> Self {
        Self::Content { problem: problem.into(), at }
    }
}

fn line_words(line: Option<usize>) -> String {
    line.map(|line| format!("line {line}: ")).unwrap_or_default()
}

fn duplicate_words(list: &[Duplicate]) -> String {
    list.iter().map(|d| format!("\n  line {}: key {} already set in map", d.at.line(), d.key)).collect()
}

impl Diagnose for Error {
    fn diagnose(&self) -> Diagnostic {
        let code = match self {
            Self::Syntax { .. } | Self::Separator { .. } => code::YAML_SYNTAX,
            Self::Content { .. } => code::YAML_CONTENT,
            Self::Duplicates(_) => code::YAML_KEY_TWICE,
            Self::Json { .. } => code::YAML_NOT_JSON,
            Self::TooLong { .. } => code::YAML_TOO_LONG,
            Self::Edit { .. } => code::YAML_EDIT,
        };
        Diagnostic::error(code, self.to_string())
    }
}
