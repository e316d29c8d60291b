use std::any::Any;

use crate::error::ExecError;
use crate::func::FuncError;
use crate::set::Set;
use crate::value::{Str, Value};

/// What a function can reach while a template executes: other templates, and the caller's own context.
///
/// The `user` context is whatever the caller of [`Set::execute`] passed: clock, random numbers, options, counters.
/// Functions of a library agree with the callers on its type:
///
/// ```
/// use landfall_gotemplate::{Func, FuncError, Value};
///
/// struct Clock { unix_seconds: i64 }
///
/// let now = Func::new(&[], |ctx, _| {
///     let clock = ctx.user::<Clock>().ok_or_else(|| FuncError::new("no clock"))?;
///     Ok(Value::int64(clock.unix_seconds))
/// });
/// # let _ = now;
/// ```
pub struct CallCtx<'a> {
    pub(crate) set: &'a Set,
    pub(crate) user: &'a mut (dyn Any + Send),
}

impl CallCtx<'_> {
    /// The caller's context, if it is of that type.
    pub fn user<T: Any>(&mut self) -> Option<&mut T> {
        self.user.downcast_mut()
    }

    /// Executes the template of that name on `data` and gives its text: what `include` is made of.
    ///
    /// Definitions of a surrounding [`execute_text`](Self::execute_text) are seen.
    ///
    /// # Errors
    /// `template: no template "NAME" associated with template "gotpl"` (the set's own name), or the error inside.
    pub fn execute(&mut self, name: &Str, data: &Value) -> Result<Value, ExecError> {
        let _ = (name, data, self.set);
        Err(ExecError::new("not built yet"))
    }

    /// How many executions of the template of that name by [`execute`](Self::execute) have begun and not ended: Helm's
    /// `include` refuses when it is above 1000.
    pub fn active(&self, name: &Str) -> u32 {
        let _ = name;
        0
    }

    /// Parses a text with the same functions and executes it on `data`: what `tpl` is made of. What it defines is
    /// known only inside. Parsed texts are kept, so that the same text is parsed once.
    ///
    /// # Errors
    /// [`FuncError::Parse`] or [`FuncError::Exec`], both without a prefix, so that the caller can put its own words in
    /// front.
    pub fn execute_text(&mut self, name: &str, text: &Str, data: &Value) -> Result<Value, FuncError> {
        let _ = (name, text, data);
        Err(FuncError::new("not built yet"))
    }
}
