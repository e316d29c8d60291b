use std::fmt;
use std::sync::Arc;

use crate::func::FuncError;

/// A text that is not a template; `Display` writes Go's words: `template: NAME:LINE: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The name under which the text was parsed.
    pub name: String,
    /// Line from 1.
    pub line: u32,
    /// Go's words without the place.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template: {}:{}: {}", self.name, self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// A template that failed in execution; `Display` writes Go's words with all frames on one line:
/// `template: NAME:LINE:COL: executing "NAME" at <EXPR>: …`.
#[derive(Debug, Clone)]
pub struct ExecError {
    /// Where and in what, when execution had begun.
    pub frame: Option<Frame>,
    /// What went wrong there.
    pub cause: Cause,
}

/// The place of an execution error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The name of the text that holds the place (a file's path under Helm).
    pub file: String,
    /// Line from 1.
    pub line: u32,
    /// Bytes in front of the place on its line, from 0, as Go counts.
    pub column: u32,
    /// The name of the template that was executing: the file's or a `define`'s.
    pub template: String,
    /// The expression, written anew from the parse tree as Go does.
    pub expression: String,
}

/// What went wrong at a place.
#[derive(Debug, Clone)]
pub enum Cause {
    /// Go's words.
    Message(String),
    /// A field of nil, or of something that has none of that name; Go's words.
    Field(String),
    /// A template that nobody defines.
    NoTemplate {
        /// Its name, in Go's quotes.
        name: Box<str>,
        /// The set that it is not in, in Go's quotes.
        set: Box<str>,
    },
    /// A function failed: `error calling NAME: …`.
    Call {
        /// The function's or method's name.
        name: String,
        /// Its error, which may hold another template's.
        error: Box<FuncError>,
    },
    /// One of the caller's [`Limits`](crate::Limits) was reached.
    Limit(Limit),
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// More steps than allowed.
    Steps(u64),
    /// More bytes of output than allowed.
    OutputBytes(u64),
    /// More memory in values than allowed.
    HeldBytes(u64),
    /// Templates nested deeper than allowed.
    Depth(u32),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Steps(limit) => write!(f, "execution took more than {limit} steps"),
            Limit::OutputBytes(limit) => write!(f, "output is larger than {limit} bytes"),
            Limit::HeldBytes(limit) => write!(f, "values take more than {limit} bytes of memory"),
            // Go's own words for its own limit.
            Limit::Depth(limit) => write!(f, "exceeded maximum template depth ({limit})"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.write_until_inner(f)? {
            Some(inner) => inner.fmt(f),
            None => Ok(()),
        }
    }
}

impl Cause {
    /// Writes the words up to those of the template inside, if there is one.
    fn write_until_inner(&self, f: &mut fmt::Formatter<'_>) -> Result<Option<&ExecError>, fmt::Error> {
        match self {
            Cause::Message(message) | Cause::Field(message) => f.write_str(message)?,
            Cause::NoTemplate { name, set } => {
                write!(f, "template: no template {name} associated with template {set}")?
            }
            Cause::Limit(limit) => write!(f, "{limit}")?,
            Cause::Call { name, error } => {
                write!(f, "error calling {name}: ")?;
                if let FuncError::Exec { prefix, error } = &**error {
                    f.write_str(prefix)?;
                    return Ok(Some(error));
                }
                write!(f, "{error}")?;
            }
        }
        Ok(None)
    }
}

/// Goes from frame to frame in a loop: chains of a thousand must not use a thousand stack frames.
impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut next = Some(self);
        while let Some(here) = next {
            if let Some(Frame { file, line, column, template, expression }) = &here.frame {
                let template = crate::format::quote(template.as_bytes());
                write!(f, "template: {file}:{line}:{column}: executing {template} at <{expression}>: ")?;
            }
            next = here.cause.write_until_inner(f)?;
        }
        Ok(())
    }
}

/// As for display: a long chain is taken apart in a loop.
impl Drop for ExecError {
    fn drop(&mut self) {
        let mut next = self.take_inner();
        while let Some(mut inner) = next {
            next = inner.take_inner();
        }
    }
}

impl std::error::Error for ExecError {}

impl ExecError {
    /// An error of these words, at no place.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        ExecError { frame: None, cause: Cause::Message(message.into()) }
    }

    /// There is no template of that name in the set of that name; at no place.
    pub(crate) fn no_template(name: &[u8], set: &[u8]) -> Self {
        let (name, set) = (crate::format::quote(name), crate::format::quote(set));
        ExecError { frame: None, cause: Cause::NoTemplate { name: name.into(), set: set.into() } }
    }

    /// The frames from the outermost (the file that was rendered) to the innermost (where it went wrong).
    pub fn frames(&self) -> Vec<&Frame> {
        let mut frames = Vec::new();
        let mut error = Some(self);
        while let Some(here) = error {
            frames.extend(&here.frame);
            error = here.inner();
        }
        frames
    }

    /// The error of the template inside, when this one only passes it on.
    pub fn inner(&self) -> Option<&ExecError> {
        match &self.cause {
            Cause::Call { error, .. } => match &**error {
                FuncError::Exec { error, .. } => Some(error),
                _ => None,
            },
            _ => None,
        }
    }

    /// The error inside, if nobody else holds it.
    fn take_inner(&mut self) -> Option<ExecError> {
        let Cause::Call { error, .. } = &mut self.cause else { return None };
        if !matches!(**error, FuncError::Exec { .. }) {
            return None;
        }
        match std::mem::replace(&mut **error, FuncError::Message(String::new())) {
            FuncError::Exec { error, .. } => Arc::into_inner(error),
            _ => None,
        }
    }

    /// The innermost error.
    pub fn root(&self) -> &ExecError {
        let mut here = self;
        while let Some(inner) = here.inner() {
            here = inner;
        }
        here
    }

    /// Whether a function refused to go on because templates include each other in a circle.
    pub fn is_circle(&self) -> bool {
        matches!(&self.root().cause, Cause::Call { error, .. } if matches!(**error, FuncError::Circle(_)))
    }

    /// The message of `fail` or `required`, when that is what stopped the template.
    pub fn failure(&self) -> Option<&str> {
        match &self.root().cause {
            Cause::Call { error, .. } => match &**error {
                FuncError::Fail(message) => Some(message),
                _ => None,
            },
            _ => None,
        }
    }
}
