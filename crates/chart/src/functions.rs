//! The functions that need to know what is being rendered: `include`, `tpl`, `required`, `fail`, `lookup`
//! (helm: `pkg/engine/engine.go`). `getHostByName` asks the function library's context.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use landfall_gotemplate::{Flow, Func, FuncError, FuncMap, Map, Origin, Str, Type, Value};

use crate::values::json;
use crate::warning::Warnings;

/// How often a template may be in execution through `include` at one time.
const MAX_NESTED_INCLUDES: u32 = 1000;

/// What `lookup` asks: a live object, or a list when the name is empty.
pub trait Lookup: Debug + Send + Sync {
    /// The object, a list object for an empty name, or `None` when it does not exist.
    ///
    /// # Errors
    /// Words for the template's error, such as that a kind is not known or the cluster cannot be reached.
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<serde_json::Value>, String>;
}

/// What those functions need while a chart renders.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) lookup: Option<Arc<dyn Lookup>>,
    /// Whether `required` and `fail` only say what they would stop for.
    pub(crate) lenient: bool,
    pub(crate) warnings: Mutex<Warnings>,
}

impl Surroundings {
    fn warn(&self, place: &'static str, text: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).add(place, text);
    }
}

/// The functions, bound to what is being rendered.
pub(crate) fn functions(surroundings: &Arc<Surroundings>) -> FuncMap {
    let mut map = FuncMap::new();
    map.insert(
        "include",
        Func::new(&[Type::String, Type::Any], |ctx, args| {
            let name = Str::new(args.bytes(0));
            if ctx.active(&name) > MAX_NESTED_INCLUDES {
                return Err(FuncError::Circle(format!(
                    "rendering template has a nested reference name: {}: unable to execute template",
                    name.to_string_lossy()
                )));
            }
            Ok(ctx.execute(&name, args.any(1))?)
        })
        .flowing(Flow::Executes),
    );
    map.insert(
        "tpl",
        Func::new(&[Type::String, Type::Any], |ctx, args| {
            let text = Str::new(args.bytes(0));
            let result = ctx.execute_text("gotpl", &text, args.any(0).origin(), args.any(1)).map_err(|error| {
                let quoted = landfall_gotemplate::format::quote(&text);
                match &error {
                    FuncError::Parse { .. } => error.prefixed(&format!("cannot parse template {quoted}: ")),
                    _ => error.prefixed(&format!("error during tpl function execution for {quoted}: ")),
                }
            })?;
            Ok(without_no_value(result))
        })
        .flowing(Flow::Executes),
    );
    let around = Arc::clone(surroundings);
    map.insert(
        "required",
        Func::new(&[Type::String, Type::Any], move |_, args| {
            let value = args.any(1);
            let missing = value.is_nil() || value.as_str().is_some_and(Str::is_empty);
            if !missing {
                return Ok(value.clone());
            }
            if around.lenient {
                let place = if value.is_nil() { "engine.go:206" } else { "engine.go:214" };
                around.warn(place, format!("[INFO] Missing required value: {}", args.str(0)));
                return Ok(Value::from(""));
            }
            Err(FuncError::Fail(args.str(0).into_owned()))
        }),
    );
    let around = Arc::clone(surroundings);
    map.insert(
        "fail",
        Func::new(&[Type::String], move |_, args| {
            if around.lenient {
                around.warn("engine.go:227", format!("[INFO] Fail: {}", args.str(0)));
                return Ok(Value::from(""));
            }
            Err(FuncError::Fail(args.str(0).into_owned()))
        }),
    );
    let around = Arc::clone(surroundings);
    map.insert(
        "lookup",
        Func::new(&[Type::String, Type::String, Type::String, Type::String], move |_, args| {
            let Some(lookup) = around.lookup.as_ref().filter(|_| !around.lenient) else {
                return Ok(Value::from(Map::new()));
            };
            match lookup.lookup(&args.str(0), &args.str(1), &args.str(2), &args.str(3)) {
                Ok(Some(object)) => Ok(json::to_live_value(&object)),
                Ok(None) => Ok(Value::from(Map::new())),
                Err(error) => Err(FuncError::new(error)),
            }
        })
        .flowing(Flow::Tests),
    );
    map
}

/// Helm takes Go's `<no value>` out of what `tpl` gives.
fn without_no_value(value: Value) -> Value {
    const MARK: &[u8] = b"<no value>";
    let Some(text) = value.as_str() else { return value };
    let mark = memchr::memmem::Finder::new(MARK);
    if mark.find(text).is_none() {
        return value;
    }
    let origin: Origin = value.origin();
    let mut out = Vec::with_capacity(text.len());
    let mut rest: &[u8] = text;
    while let Some(at) = mark.find(rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + MARK.len()..];
    }
    out.extend_from_slice(rest);
    Value::from(Str::from(out)).with_origin(origin)
}
