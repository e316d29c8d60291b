use std::any::Any;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::budget::Made;
use crate::error::{Cause, ExecError, Frame, Limit};
use crate::exec::Exec;
use crate::func::FuncError;
use crate::limits::Limits;
use crate::parse::tree::{At, Template};
use crate::parse::{self, Stay};
use crate::set::{MissingKey, Set};
use crate::stack::Stack;
use crate::trace::Recording;
use crate::value::{Origin, Str, Value};

/// Texts executed within each other: each keeps what it was parsed to, and a text that calls itself has no end.
const MAX_TEXTS: usize = 10_000;
/// Bytes of a text that are parsed in one step.
const BYTES_PARSED: u64 = 8;

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
    pub(crate) limits: Limits,
    /// Steps and bytes taken so far.
    pub(crate) steps: u64,
    pub(crate) bytes: u64,
    /// Steps and bytes that may be taken before it is asked for more.
    pub(crate) granted: u64,
    pub(crate) granted_bytes: u64,
    pub(crate) made: Made,
    pub(crate) depth: u32,
    /// Variables of all templates being executed; those of the current one begin at `base`.
    pub(crate) variables: Vec<Value>,
    pub(crate) base: usize,
    pub(crate) at: At,
    pub(crate) template: Arc<Template>,
    pub(crate) out: Vec<u8>,
    spare: Vec<Vec<u8>>,
    /// Definitions of texts being executed by `execute_text`, the innermost last.
    overlays: Vec<Arc<Vec<Arc<Template>>>>,
    active: FxHashMap<Str, u32>,
    pub(crate) stack: Stack,
    pub(crate) trace: Option<Box<Recording>>,
}

impl<'a> CallCtx<'a> {
    pub(crate) fn new(
        set: &'a Set,
        user: &'a mut (dyn Any + Send),
        limits: Limits,
        template: Arc<Template>,
        trace: Option<Box<Recording>>,
    ) -> Self {
        CallCtx {
            set,
            user,
            limits,
            steps: 0,
            bytes: 0,
            granted: if set.purse().is_some() { 0 } else { limits.steps },
            granted_bytes: if set.purse().is_some() { 0 } else { limits.output_bytes },
            made: Made::default(),
            depth: 0,
            variables: Vec::with_capacity(16),
            base: 0,
            at: At::Nothing,
            template,
            out: Vec::with_capacity(4096),
            spare: Vec::new(),
            overlays: Vec::new(),
            active: FxHashMap::default(),
            stack: Stack::from_here(),
            trace,
        }
    }
}

impl CallCtx<'_> {
    /// The caller's context, if it is of that type.
    pub fn user<T: Any>(&mut self) -> Option<&mut T> {
        self.user.downcast_mut()
    }

    /// What a missing map key gives in this execution.
    pub fn missing_key(&self) -> MissingKey {
        self.set.missing_key()
    }

    /// Executes the template of that name on `data` and gives its text: what `include` is made of.
    ///
    /// Definitions of a surrounding [`execute_text`](Self::execute_text) are seen.
    ///
    /// # Errors
    /// `template: no template "NAME" associated with template "gotpl"` (the set's own name), or the error inside.
    pub fn execute(&mut self, name: &Str, data: &Value) -> Result<Value, ExecError> {
        let Some(template) = self.find(name) else {
            return Err(ExecError::no_template(name, self.set.name()));
        };
        *self.active.entry(name.clone()).or_default() += 1;
        let result = self.nested(&template, data);
        if let Some(count) = self.active.get_mut(name) {
            *count -= 1;
        }
        result.map_err(|error| *error)
    }

    /// How many executions of the template of that name by [`execute`](Self::execute) have begun and not ended: Helm's
    /// `include` refuses when it is above 1000.
    pub fn active(&self, name: &Str) -> u32 {
        self.active.get(name).copied().unwrap_or(0)
    }

    /// Parses a text with the same functions and executes it on `data`: what `tpl` is made of. What it defines is
    /// known only inside. Parsed texts are kept, so that the same text is parsed once. `origin` is the text's.
    ///
    /// # Errors
    /// [`FuncError::Parse`] or [`FuncError::Exec`], both without a prefix, so that the caller can put its own words in
    /// front.
    pub fn execute_text(&mut self, name: &str, text: &Str, origin: Origin, data: &Value) -> Result<Value, FuncError> {
        if !text.windows(2).any(|pair| pair == b"{{") {
            return Ok(Value::from(text.clone()).with_origin(origin));
        }
        let templates = match self.set.parsed(name, text) {
            Some(templates) => templates,
            None => {
                self.work(text.len() as u64 / BYTES_PARSED)?;
                let parsed = parse::parse(name, text, self.set.functions(), Stay::Long)?;
                let templates = Arc::new(parsed.into_iter().map(Arc::new).collect::<Vec<_>>());
                self.set.keep_parsed(text, &templates);
                templates
            }
        };
        let Some(main) = templates.iter().rfind(|template| template.name.as_bytes() == name.as_bytes()).cloned() else {
            return Err(FuncError::new("text has no template"));
        };
        if self.overlays.len() >= MAX_TEXTS {
            return Err(ExecError { frame: None, cause: Cause::Limit(Limit::Depth(MAX_TEXTS as u32)) }.into());
        }
        self.overlays.push(templates);
        if let Some(trace) = &mut self.trace {
            let unit = &self.template.unit;
            trace.begin_text(&main.unit, origin, unit, unit.position(self.at) as u32);
        }
        let result = self.nested(&main, data);
        if let Some(trace) = &mut self.trace {
            trace.end_text();
        }
        self.overlays.pop();
        Ok(result.map_err(|error| *error)?)
    }

    /// The template of that name as seen from here.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Arc<Template>> {
        let below = |depth: usize| -> Option<&Arc<Template>> {
            // A definition without a body hides nothing.
            let mut empty = None;
            for overlay in self.overlays[..depth].iter().rev() {
                if let Some(template) = overlay.iter().find(|template| template.name.as_bytes() == name) {
                    if !template.empty {
                        return Some(template);
                    }
                    empty = Some(template);
                }
            }
            self.set.template(name).or(empty)
        };
        below(self.overlays.len()).cloned()
    }

    /// Executes a template into a text of its own.
    fn nested(&mut self, template: &Arc<Template>, data: &Value) -> Exec<Value> {
        let buffer = self.spare.pop().unwrap_or_default();
        let outer = std::mem::replace(&mut self.out, buffer);
        let outer_spans = self.trace.as_mut().map(|trace| trace.begin());
        let at = self.at;
        let result = self.enter(template, &data.clone().unboxed());
        self.at = at;
        let mut buffer = std::mem::replace(&mut self.out, outer);
        let text = Str::new(&buffer);
        buffer.clear();
        if buffer.capacity() <= 1 << 20 && self.spare.len() < 16 {
            self.spare.push(buffer);
        }
        let mut value = Value::from(text.clone());
        if let Some((trace, spans)) = self.trace.as_mut().zip(outer_spans) {
            value = value.with_origin(trace.end(spans, text));
        }
        result.map(|()| value)
    }

    /// An error at the current place.
    #[cold]
    pub(crate) fn fail<T>(&self, message: impl Into<String>) -> Exec<T> {
        self.fail_with(Cause::Message(message.into()))
    }

    /// An error at the current place.
    #[cold]
    pub(crate) fn fail_with<T>(&self, cause: Cause) -> Exec<T> {
        let unit = &self.template.unit;
        let (line, column) = unit.line_and_column(unit.position(self.at));
        Err(Box::new(ExecError {
            frame: Some(Frame {
                file: unit.name.as_ref().to_owned(),
                line,
                column,
                template: self.template.name.to_string_lossy().into_owned(),
                expression: unit.expression(self.at),
            }),
            cause,
        }))
    }
}
