use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::builtins;
use crate::call::CallCtx;
use crate::error::{ExecError, ParseError};
use crate::func::{FuncMap, Functions};
use crate::limits::{Limits, Purse};
use crate::parse::tree::Template;
use crate::parse::{self, Stay};
use crate::trace::{Recording, Trace};
use crate::value::{Str, Value};

/// Bytes of texts given to `tpl` that a set keeps parsed.
const KEPT_TEXT: usize = 32 << 20;

/// Nodes and operands of texts given to `tpl` that a set keeps.
const KEPT_PIECES: usize = 400_000;

/// Most nodes and operands in all texts of a set together; one takes some 100 bytes.
pub const MAX_SET_PIECES: usize = 1_000_000;

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
pub struct Set {
    name: Str,
    functions: Functions,
    missing_key: MissingKey,
    templates: FxHashMap<Str, Arc<Template>>,
    deferred: FxHashMap<Str, Deferred>,
    kept: Mutex<Kept>,
    /// Nodes and operands of all that was parsed to stay.
    pieces: AtomicUsize,
    /// What executions have used, where they are limited together.
    purse: Option<Purse>,
}

/// A text that is parsed when its template is executed, and once more when another template asks for it.
struct Deferred {
    text: Str,
    /// For the others; nothing where the text cannot be parsed.
    parsed: OnceLock<Option<Arc<Template>>>,
}

/// The templates of a text, not yet in a set; to be added to the set that parsed it.
#[derive(Debug)]
pub struct Parsed(Vec<Template>);

/// Texts parsed during executions.
#[derive(Default)]
struct Kept {
    texts: FxHashMap<Str, Arc<Vec<Arc<Template>>>>,
    bytes: usize,
    pieces: usize,
}

impl Set {
    /// An empty set. `name` is what Go calls the root template; Helm's is `gotpl`, and error texts show it.
    pub fn new(name: &str, funcs: FuncMap, missing_key: MissingKey) -> Self {
        Set {
            name: Str::from(name),
            functions: Functions::new(builtins::all(), funcs),
            missing_key,
            templates: FxHashMap::default(),
            deferred: FxHashMap::default(),
            kept: Mutex::default(),
            pieces: AtomicUsize::new(0),
            purse: None,
        }
    }

    /// Lets all executions from here on use so many steps and bytes of output together as each was allowed before.
    pub fn limit_together(&mut self) {
        self.purse = Some(Purse::default());
    }

    /// Forgets what executions have used together: all is done again.
    pub fn begin_again(&self) {
        if let Some(purse) = &self.purse {
            purse.refill();
        }
    }

    /// The steps that executions have used together, since [`begin_again`](Self::begin_again); 0 where they are not limited together.
    pub fn steps(&self) -> u64 {
        self.purse.as_ref().map_or(0, Purse::steps)
    }

    /// Counts bytes that come of an execution beside its output; whether there were so many left.
    pub fn charge(&self, bytes: u64, limits: Limits) -> bool {
        self.purse.as_ref().is_none_or(|purse| purse.charge(bytes, limits.output_bytes))
    }

    /// Counts what an execution has written; gives what all executions have that are limited together.
    pub fn printed(&self, bytes: u64) -> u64 {
        self.purse.as_ref().map_or(bytes, |purse| purse.print(bytes))
    }

    pub(crate) fn purse(&self) -> Option<&Purse> {
        self.purse.as_ref()
    }

    /// Parses a text under a name, with all it defines. A later definition replaces an earlier one of the same name,
    /// unless it holds nothing but space and comments.
    ///
    /// # Errors
    /// Go's parse error; nothing of the text is kept then.
    pub fn parse(&mut self, name: &str, text: &[u8]) -> Result<(), ParseError> {
        let parsed = self.parsed_text(name, &Str::new(text))?;
        self.add(parsed);
        Ok(())
    }

    /// Parses a text without adding it, so that several can be parsed side by side.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parsed_text(&self, name: &str, text: &Str) -> Result<Parsed, ParseError> {
        let parsed = parse::parse(name, text, &self.functions, Stay::Long)?;
        if !self.has_room_for(&parsed) {
            let message = format!("templates have more than {MAX_SET_PIECES} nodes together");
            return Err(ParseError { name: name.to_owned(), line: 1, message });
        }
        Ok(Parsed(parsed))
    }

    /// Counts what a text was parsed to; whether there is room for it.
    fn has_room_for(&self, parsed: &[Template]) -> bool {
        let pieces = parsed.first().map_or(0, |template| template.unit.pieces());
        self.pieces.fetch_add(pieces, Ordering::Relaxed) + pieces <= MAX_SET_PIECES
    }

    /// Whether a text defines nothing but the template of its own name.
    pub fn is_alone(text: &[u8]) -> bool {
        [&b"define"[..], b"block"].iter().all(|word| memchr::memmem::find(text, word).is_none())
    }

    /// Adds a text that [is alone](Self::is_alone), under a name that there is not yet, without parsing it: that is
    /// done when its template is executed, and let go of after that.
    ///
    /// Where the text cannot be parsed, the execution fails; [`parsed_text`](Self::parsed_text) says why.
    pub fn defer(&mut self, name: &str, text: Str) {
        self.deferred.insert(Str::from(name), Deferred { text, parsed: OnceLock::new() });
    }

    /// Takes all templates out.
    pub fn clear(&mut self) {
        self.templates.clear();
        self.deferred.clear();
        self.pieces.store(0, Ordering::Relaxed);
    }

    /// Adds what [`parsed_text`](Self::parsed_text) gave, as [`parse`](Self::parse) would have.
    pub fn add(&mut self, parsed: Parsed) {
        for template in parsed.0 {
            if !template.empty || !self.templates.contains_key(&template.name) {
                self.templates.insert(template.name.clone(), Arc::new(template));
            }
        }
    }

    /// Whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.templates.contains_key(name.as_bytes()) || self.deferred.contains_key(name.as_bytes())
    }

    /// The names of all templates, in no order.
    pub fn names(&self) -> impl Iterator<Item = &Str> {
        self.templates.keys().chain(self.deferred.keys())
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
        self.run(name, data, user, limits, None).0
    }

    /// As [`execute`](Self::execute), and tells for each piece of the output which template wrote it, where the values in
    /// it came from and what decided about it.
    ///
    /// Executions that share values share the recording, too: what one writes into a map, the next one knows.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn execute_traced(
        &self,
        name: &str,
        data: &Value,
        user: &mut (dyn Any + Send),
        limits: Limits,
        recording: &mut Recording,
    ) -> Result<(Vec<u8>, Trace), ExecError> {
        let (bytes, trace) = self.run(name, data, user, limits, Some(Box::new(std::mem::take(recording))));
        if let Some(trace) = trace {
            *recording = *trace;
        }
        match bytes {
            Ok(bytes) => Ok((bytes, recording.finish())),
            Err(error) => {
                recording.reset();
                Err(error)
            }
        }
    }

    fn run(
        &self,
        name: &str,
        data: &Value,
        user: &mut (dyn Any + Send),
        limits: Limits,
        trace: Option<Box<Recording>>,
    ) -> (Result<Vec<u8>, ExecError>, Option<Box<Recording>>) {
        let Some(template) = self.to_execute(name) else {
            return (Err(ExecError::no_template(name.as_bytes(), &self.name)), trace);
        };
        let mut ctx = CallCtx::new(self, user, limits, Arc::clone(&template), trace);
        let result = ctx.enter(&template, &data.clone().unboxed());
        ctx.settle();
        (result.map(|()| ctx.out).map_err(|error| *error), ctx.trace)
    }

    pub(crate) fn name(&self) -> &Str {
        &self.name
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    pub(crate) fn missing_key(&self) -> MissingKey {
        self.missing_key
    }

    /// A template as others see it.
    pub(crate) fn template(&self, name: &[u8]) -> Option<&Arc<Template>> {
        self.templates.get(name).or_else(|| {
            let (name, deferred) = self.deferred.get_key_value(name)?;
            deferred.parsed.get_or_init(|| self.parse_alone(name, deferred, Stay::Long)).as_ref()
        })
    }

    /// A template that is executed by itself.
    fn to_execute(&self, name: &str) -> Option<Arc<Template>> {
        if let Some(template) = self.templates.get(name.as_bytes()) {
            return Some(Arc::clone(template));
        }
        let (name, deferred) = self.deferred.get_key_value(name.as_bytes())?;
        match deferred.parsed.get() {
            Some(parsed) => parsed.clone(),
            None => self.parse_alone(name, deferred, Stay::Short),
        }
    }

    fn parse_alone(&self, name: &Str, deferred: &Deferred, stay: Stay) -> Option<Arc<Template>> {
        let mut parsed = parse::parse(name.to_str()?, &deferred.text, &self.functions, stay).ok()?;
        if stay == Stay::Long && !self.has_room_for(&parsed) {
            return None;
        }
        parsed.pop().map(Arc::new)
    }

    /// A text parsed before under that name.
    pub(crate) fn parsed(&self, name: &str, text: &Str) -> Option<Arc<Vec<Arc<Template>>>> {
        let kept = self.kept.lock();
        let templates = kept.texts.get(text)?;
        templates.iter().all(|template| &*template.unit.name == name).then(|| Arc::clone(templates))
    }

    pub(crate) fn keep_parsed(&self, text: &Str, templates: &Arc<Vec<Arc<Template>>>) {
        let mut kept = self.kept.lock();
        let pieces = templates.first().map_or(0, |template| template.unit.pieces());
        if kept.bytes + text.len() <= KEPT_TEXT && kept.pieces + pieces <= KEPT_PIECES {
            kept.bytes += text.len();
            kept.pieces += pieces;
            kept.texts.insert(text.clone(), Arc::clone(templates));
        }
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set")
            .field("name", &self.name)
            .field("templates", &self.templates.len())
            .finish_non_exhaustive()
    }
}
