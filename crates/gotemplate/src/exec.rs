//! The executor; `text/template/exec.go` over the flat tables of a parsed text.

mod argument;
mod decide;
mod field;
mod flow;
mod invoke;
mod pipeline;
mod walk;

use crate::error::ExecError;

/// An execution step: most end well, so the error is kept small.
pub(crate) type Exec<T> = Result<T, Box<ExecError>>;
