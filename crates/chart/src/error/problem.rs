//! What is wrong with a text, and which text it is, each with Helm's words.

use std::borrow::Cow;
use std::fmt;

use landfall_object::mask;

use crate::decode::DecodeError;

/// What was being read; displays as Helm's words in front of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A file of the chart, by its name.
    Chart(&'static str),
    /// A values file that somebody gave, by its name.
    Given(String),
    /// A document of one of them (Helm 4).
    Document {
        /// The file.
        of: Box<Reading>,
        /// What was done with the document.
        step: DocumentStep,
    },
}

/// What Helm 4 does with a document of a values file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentStep {
    /// It is cut out.
    Cut,
    /// It is read.
    Read,
}

impl Reading {
    /// A document of this file.
    pub(crate) fn document(self, step: DocumentStep) -> Self {
        Reading::Document { of: Box::new(self), step }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reading::Chart(file) => write!(f, "cannot load {file}"),
            Reading::Given(name) => write!(f, "failed to parse {name}"),
            Reading::Document { of, step: DocumentStep::Cut } => write!(f, "{of}: error reading yaml document"),
            Reading::Document { of, step: DocumentStep::Read } => write!(f, "{of}: cannot unmarshal yaml document"),
        }
    }
}

/// What is wrong with a text; displays as Helm's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// In the words of go-yaml, which displays its name in front.
    Yaml(Box<str>),
    /// A value of the wrong type.
    Type(Box<DecodeError>),
    /// In other words.
    Words(Box<str>),
}

impl Problem {
    /// The words without the name of the library that saw it.
    pub fn reason(&self) -> Cow<'_, str> {
        match self {
            Problem::Yaml(words) | Problem::Words(words) => Cow::Borrowed(words),
            Problem::Type(error) => Cow::Owned(error.to_string()),
        }
    }

    /// The same without what a Secret in the text holds.
    pub(crate) fn about(self, text: &str) -> Self {
        match self {
            Problem::Yaml(words) => Problem::Yaml(mask::words_about(text, words.into()).into()),
            Problem::Words(words) => Problem::Words(mask::words_about(text, words.into()).into()),
            typed @ Problem::Type(_) => typed,
        }
    }
}

impl From<&landfall_yaml::Error> for Problem {
    fn from(error: &landfall_yaml::Error) -> Self {
        match error.problem() {
            Some(words) => Problem::Yaml(words.into()),
            None => Problem::Words(error.to_string().into()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Yaml(words) => write!(f, "yaml: {words}"),
            Problem::Type(error) => error.fmt(f),
            Problem::Words(words) => f.write_str(words),
        }
    }
}

/// A subchart's name that holds something other than a table in the values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("type mismatch on {name}: {found}")]
pub struct Mismatch {
    /// The subchart.
    pub name: String,
    /// The value, as Go prints it where a truth value is wanted.
    pub found: String,
}
