use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::call::CallCtx;
use crate::error::{ExecError, ParseError};
use crate::value::{Type, Value};

/// The parameters of a function, in Go's types; arity and type errors are made from it in Go's words.
///
/// What a function returns needs no type: templates look at the value itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Types of the fixed parameters.
    pub params: &'static [Type],
    /// Type of each further argument of a variadic function.
    pub rest: Option<Type>,
}

impl Signature {
    /// A function of exactly these parameters.
    pub const fn fixed(params: &'static [Type]) -> Self {
        Signature { params, rest: None }
    }

    /// A function of these parameters and any number of further arguments of one type.
    pub const fn variadic(params: &'static [Type], rest: Type) -> Self {
        Signature { params, rest: Some(rest) }
    }
}

type Call = dyn Fn(&mut CallCtx<'_>, &[Value]) -> Result<Value, FuncError> + Send + Sync;

/// A function that templates can call.
///
/// The arguments it gets have been checked: there are as many as the [`Signature`] wants and each fits its parameter's
/// type exactly (a `Type::Int` parameter holds `Data::Int`, a `Type::Any` one anything, [`Data::Nil`](crate::Data::Nil)
/// for nil). Go's rules decide what fits, so a `float64` of a values file is refused by an `int` parameter before the
/// function runs, in Go's words.
///
/// ```
/// use landfall_gotemplate::{Func, Type, Value};
///
/// let upper = Func::new(&[Type::String], |_, args| Ok(Value::from(args.str(0).to_ascii_uppercase())));
/// # let _ = upper;
/// ```
#[derive(Clone)]
pub struct Func {
    pub(crate) signature: Signature,
    pub(crate) kind: FuncKind,
    pub(crate) flow: Flow,
}

/// What becomes of the origins of a function's arguments; only a traced execution asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// The result is made of all arguments, as that of `printf` is.
    #[default]
    Computes,
    /// Whether the argument is true decides about the result: `not`, `empty`.
    Negates,
    /// The arguments decide about the result, of collections only that they are there: `hasKey`, `until`.
    Tests,
    /// The arguments decide about the result, with all that is in them: `eq`, `has`.
    Compares,
    /// Whether the first argument is in the list that is the second decides about the result: `has`.
    Finds,
    /// The result is in a collection among the arguments; the others say where: `index`, `get`.
    Selects,
    /// The result is the first argument if the second is empty, else the second: `default`.
    StandsIn,
    /// The result is the first argument that is not empty: `coalesce`.
    First,
    /// The third argument decides which of the first two is the result: `ternary`.
    Ternary,
    /// The result holds the arguments, or what is in them: `list`, `append`, `pick`.
    Collects,
    /// The arguments decide about what of them the result holds: `without`, `uniq`.
    Filters,
    /// The result holds values under keys, which come in pairs: `dict`.
    Pairs,
    /// The second argument is put into or taken out of the map that is the first: `set`, `unset`.
    Puts,
    /// The other maps are put into the first: `merge`.
    Merges,
    /// The result knows its own origin; the first argument decided about it: `include`, `tpl`.
    Executes,
    /// The result knows its own origin: `toYaml`, `fromYaml`.
    Knows,
}

#[derive(Clone)]
pub(crate) enum FuncKind {
    Call(Arc<Call>),
    /// The builtins that do not evaluate all of their arguments.
    And,
    Or,
    CallValue,
}

/// Checked arguments of a call.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a>(pub &'a [Value]);

impl<'a> Args<'a> {
    /// The argument at that place; nil where there is none.
    pub fn any(&self, index: usize) -> &'a Value {
        static NIL: Value = Value::nil();
        self.0.get(index).unwrap_or(&NIL)
    }

    /// The bytes of a `string` (or `[]byte`) argument; empty for anything else.
    pub fn bytes(&self, index: usize) -> &'a [u8] {
        match self.any(index).data() {
            crate::Data::Str(text) | crate::Data::Bytes(text) => text.as_bytes(),
            _ => &[],
        }
    }

    /// A `string` argument as text, with U+FFFD for what is not UTF-8.
    pub fn str(&self, index: usize) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.bytes(index))
    }

    /// An integer argument of any kind; 0 for anything else.
    pub fn int(&self, index: usize) -> i64 {
        self.any(index).as_i64().unwrap_or(0)
    }

    /// A `bool` argument; false for anything else.
    pub fn bool(&self, index: usize) -> bool {
        self.any(index).as_bool().unwrap_or(false)
    }

    /// A `float64` argument; 0 for anything else.
    pub fn float(&self, index: usize) -> f64 {
        self.any(index).as_f64().unwrap_or(0.0)
    }

    /// A map argument; an empty map for anything else.
    pub fn map(&self, index: usize) -> crate::Map {
        self.any(index).as_map().cloned().unwrap_or_default()
    }

    /// All arguments from that place on.
    pub fn rest(&self, from: usize) -> &'a [Value] {
        self.0.get(from..).unwrap_or(&[])
    }

    /// Number of arguments.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Func {
    /// A function of exactly these parameters.
    pub fn new<F>(params: &'static [Type], call: F) -> Self
    where
        F: Fn(&mut CallCtx<'_>, Args<'_>) -> Result<Value, FuncError> + Send + Sync + 'static,
    {
        Func::with(Signature::fixed(params), call)
    }

    /// A function of these parameters and any number of further arguments of type `rest`.
    pub fn variadic<F>(params: &'static [Type], rest: Type, call: F) -> Self
    where
        F: Fn(&mut CallCtx<'_>, Args<'_>) -> Result<Value, FuncError> + Send + Sync + 'static,
    {
        Func::with(Signature::variadic(params, rest), call)
    }

    /// A function of that signature.
    pub fn with<F>(signature: Signature, call: F) -> Self
    where
        F: Fn(&mut CallCtx<'_>, Args<'_>) -> Result<Value, FuncError> + Send + Sync + 'static,
    {
        let kind = FuncKind::Call(Arc::new(move |ctx, args| call(ctx, Args(args))));
        Func { signature, kind, flow: Flow::Computes }
    }

    /// The same function, with another flow of origins than [`Flow::Computes`].
    #[must_use]
    pub fn flowing(mut self, flow: Flow) -> Self {
        self.flow = flow;
        self
    }

    /// Its parameters.
    pub fn signature(&self) -> Signature {
        self.signature
    }
}

impl fmt::Debug for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Func").field("signature", &self.signature).finish_non_exhaustive()
    }
}

/// The functions of a set by number, Go's builtins included.
#[derive(Debug)]
pub(crate) struct Functions(IndexMap<Box<str>, Func, FxBuildHasher>);

impl Functions {
    pub(crate) fn new(builtins: FuncMap, funcs: FuncMap) -> Self {
        let mut all = funcs.funcs;
        for (name, func) in builtins.funcs {
            all.entry(name).or_insert(func);
        }
        Functions(all)
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.0.get_index_of(name).map(|number| number as u32)
    }

    /// A function and its name.
    pub(crate) fn get(&self, number: u32) -> (&str, &Func) {
        let (name, func) = self.0.get_index(number as usize).expect("a number that was given out here");
        (name, func)
    }
}

/// Functions by name. A name that is there twice keeps the later function; names of Go's builtins may be overridden.
#[derive(Debug, Clone, Default)]
pub struct FuncMap {
    funcs: IndexMap<Box<str>, Func, FxBuildHasher>,
}

impl FuncMap {
    /// No functions (Go's builtins are always there).
    pub fn new() -> Self {
        FuncMap::default()
    }

    /// None yet, and room for so many.
    pub fn with_room(functions: usize) -> Self {
        FuncMap { funcs: IndexMap::with_capacity_and_hasher(functions, FxBuildHasher) }
    }

    /// Adds a function.
    pub fn insert(&mut self, name: &str, func: Func) {
        self.funcs.insert(name.into(), func);
    }

    /// Says what becomes of origins in functions that are there already.
    pub fn flow(&mut self, flow: Flow, names: &[&str]) {
        for name in names {
            if let Some(func) = self.funcs.get_mut(*name) {
                func.flow = flow;
            }
        }
    }

    /// Takes a function out (a builtin of that name shows again).
    pub fn remove(&mut self, name: &str) -> Option<Func> {
        self.funcs.swap_remove(name)
    }

    /// Adds all functions of another map.
    pub fn extend(&mut self, other: FuncMap) {
        self.funcs.extend(other.funcs);
    }

    /// The function of that name.
    pub fn get(&self, name: &str) -> Option<&Func> {
        self.funcs.get(name)
    }

    /// All names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.funcs.keys().map(|name| &**name)
    }
}

/// Why a function failed. The executor puts `error calling NAME: ` in front and the place around it.
#[derive(Debug, Clone)]
pub enum FuncError {
    /// The function's own words.
    Message(String),
    /// The template asked to stop: `fail` and `required`. Helm shows the message alone, with the outermost place.
    Fail(String),
    /// Templates include each other in a circle, or themselves; the function's own words.
    Circle(String),
    /// Another template failed in execution; `prefix` is what the function says before it (may be empty).
    Exec {
        /// Words in front of the error's own, such as ``error during tpl function execution for "…": ``.
        prefix: String,
        /// The error inside; shared, because chains of a thousand are copied.
        error: Arc<ExecError>,
    },
    /// A text given to the function did not parse.
    Parse {
        /// Words in front of the error's own, such as ``cannot parse template "…": ``.
        prefix: String,
        /// The error inside.
        error: Box<ParseError>,
    },
}

impl FuncError {
    /// An error of these words.
    pub fn new(message: impl Into<String>) -> Self {
        FuncError::Message(message.into())
    }

    /// The same error with words in front.
    #[must_use]
    pub fn prefixed(self, words: &str) -> Self {
        match self {
            FuncError::Message(message) => FuncError::Message(format!("{words}{message}")),
            FuncError::Fail(message) => FuncError::Fail(message),
            FuncError::Circle(message) => FuncError::Circle(format!("{words}{message}")),
            FuncError::Exec { prefix, error } => FuncError::Exec { prefix: format!("{words}{prefix}"), error },
            FuncError::Parse { prefix, error } => FuncError::Parse { prefix: format!("{words}{prefix}"), error },
        }
    }
}

impl fmt::Display for FuncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FuncError::Message(message) | FuncError::Fail(message) | FuncError::Circle(message) => f.write_str(message),
            FuncError::Exec { prefix, error } => write!(f, "{prefix}{error}"),
            FuncError::Parse { prefix, error } => write!(f, "{prefix}{error}"),
        }
    }
}

impl std::error::Error for FuncError {}

impl From<ExecError> for FuncError {
    fn from(error: ExecError) -> Self {
        FuncError::Exec { prefix: String::new(), error: Arc::new(error) }
    }
}

impl From<ParseError> for FuncError {
    fn from(error: ParseError) -> Self {
        FuncError::Parse { prefix: String::new(), error: Box::new(error) }
    }
}
