use std::any::Any;

use crate::error::{ExecError, ParseError};
use crate::func::FuncMap;
use crate::limits::Limits;
use crate::trace::Trace;
use crate::value::Value;

/// What a missing map key gives (`Option("missingkey=…")`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingKey {
    /// No value at all (Go's `default` and `invalid`): fields of it are no value again.
    Invalid,
    /// The zero value of the element type: Helm's choice.
    #[default]
    Zero,
    /// An error: Helm's lint and `--strict`.
    Error,
}

/// Templates that can call each other; parsed once, executed many times, from many threads.
#[derive(Debug)]
pub struct Set {
    funcs: FuncMap,
}

impl Set {
    /// An empty set. `name` is what Go calls the root template; Helm's is `gotpl`, and error texts show it.
    pub fn new(name: &str, funcs: FuncMap, missing_key: MissingKey) -> Self {
        let _ = (name, missing_key);
        Set { funcs }
    }

    /// Parses a text under a name, with all it defines. A later definition replaces an earlier one of the same name,
    /// unless it holds nothing but space and comments.
    ///
    /// # Errors
    /// Go's parse error; nothing of the text is kept then.
    pub fn parse(&mut self, name: &str, text: &[u8]) -> Result<(), ParseError> {
        let _ = (name, text, &self.funcs);
        Ok(())
    }

    /// Whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Executes a template on `data` and gives what it writes.
    ///
    /// `user` is handed to functions by [`CallCtx::user`](crate::CallCtx::user).
    ///
    /// # Errors
    /// Go's execution error, or a limit reached.
    pub fn execute(
        &self,
        name: &str,
        data: &Value,
        user: &mut (dyn Any + Send),
        limits: Limits,
    ) -> Result<Vec<u8>, ExecError> {
        let _ = (name, data, user, limits);
        Err(ExecError::new("not built yet"))
    }

    /// As [`execute`](Self::execute), and tells for each piece of the output which template wrote it and where the
    /// values in it came from.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn execute_traced(
        &self,
        name: &str,
        data: &Value,
        user: &mut (dyn Any + Send),
        limits: Limits,
    ) -> Result<(Vec<u8>, Trace), ExecError> {
        self.execute(name, data, user, limits).map(|bytes| (bytes, Trace::default()))
    }
}
