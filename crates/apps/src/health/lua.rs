//! Scripts of health, each in a Lua of its own with nothing in it that reaches out, and with bounds on what it may take.
//!
//! What is there is what Argo CD gives to a script without `useOpenLibs` (util/lua/lua.go): the base functions, `table`, and of `os`
//! the time.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use landfall_engine::Clock;
use landfall_object::{Health, HealthStatus};
use mlua::{Error, Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, VmState};
use serde_json::Value;

/// What a script may take: steps of the interpreter, each item that a function of `table` goes over among them.
const STEPS: u64 = 200_000;
/// After how many of them it is looked whether it may go on.
const EACH: u32 = 100;
/// What a call of `unpack` counts for, which may put as many values on the stack as the interpreter lets it.
const UNPACKED: u64 = 500;
/// Bytes beside the object itself.
const MEMORY: usize = 4 << 20;
/// Bytes that an object may take as Lua's tables.
const OBJECT: usize = 64 << 20;
/// As Argo CD's own, in seconds.
const PATIENCE: i64 = 1;

/// What of Lua's base functions is there; the others load code, reach into those who call, or say when what is thrown away is cleared.
const BASE: [&str; 18] = [
    "_G",
    "_VERSION",
    "assert",
    "error",
    "getmetatable",
    "ipairs",
    "next",
    "pairs",
    "rawequal",
    "rawget",
    "rawset",
    "select",
    "setmetatable",
    "table",
    "tonumber",
    "tostring",
    "type",
    "unpack",
];

/// By what name the interpreter calls a script.
const CHUNK: &str = "script";

/// Why a script has said nothing that counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// In which line, where that is known.
    pub(super) line: Option<u32>,
    pub(super) message: String,
}

/// What is left to a script.
struct Bounds {
    steps: Cell<u64>,
    until: Timestamp,
    clock: Arc<dyn Clock>,
}

impl Bounds {
    /// Takes so many steps; an error when there are not as many left, from then on with each.
    fn take(&self, steps: u64) -> mlua::Result<()> {
        let left = self.steps.get().checked_sub(steps);
        self.steps.set(left.unwrap_or_default());
        match left {
            None => Err(Error::runtime(format!("it does not end within {STEPS} steps"))),
            Some(_) if self.clock.now() > self.until => {
                self.steps.set(0);
                Err(Error::runtime(format!("it does not end within {PATIENCE} s")))
            }
            Some(_) => Ok(()),
        }
    }

    fn are_over(&self) -> bool {
        self.steps.get() < u64::from(EACH)
    }
}

/// What a script says of an object; nothing where it returns nothing, or an empty table.
pub(super) fn run(script: &str, object: &Value, clock: &Arc<dyn Clock>) -> Result<Option<Health>, Fault> {
    said(script, object, clock).map_err(|error| fault(&error))
}

fn said(script: &str, object: &Value, clock: &Arc<dyn Clock>) -> mlua::Result<Option<Health>> {
    let now = clock.now();
    let until = now.checked_add(SignedDuration::from_secs(PATIENCE)).unwrap_or(Timestamp::MAX);
    let bounds = Rc::new(Bounds { steps: Cell::new(STEPS), until, clock: Arc::clone(clock) });
    let lua = Lua::new_with(StdLib::TABLE, LuaOptions::new())?;
    lua.set_memory_limit(OBJECT)?;
    furnish(&lua, &bounds)?;
    lua.globals().set("obj", value(&lua, object)?)?;
    lua.set_memory_limit(lua.used_memory().saturating_add(MEMORY))?;
    let script = lua.load(script).set_name(format!("={CHUNK}")).into_function()?;
    lua.set_hook(HookTriggers::new().every_nth_instruction(EACH), move |_, _| {
        bounds.take(u64::from(EACH)).map(|()| VmState::Continue)
    })?;
    let returned: MultiValue = script.call(())?;
    told(returned.into_iter().next_back().unwrap_or(mlua::Value::Nil))
}

/// Takes off what is not to be there, and puts there what is.
fn furnish(lua: &Lua, bounds: &Rc<Bounds>) -> mlua::Result<()> {
    let globals = lua.globals();
    let names: Vec<String> = globals.pairs::<String, mlua::Value>().filter_map(|pair| Some(pair.ok()?.0)).collect();
    for name in names.iter().filter(|name| !BASE.contains(&name.as_str())) {
        globals.raw_set(name.as_str(), mlua::Value::Nil)?;
    }
    // What goes over a whole table within one step of the interpreter is counted by its items.
    let table: Table = globals.raw_get("table")?;
    let functions: Vec<(String, Function)> = table.pairs().filter_map(Result::ok).collect();
    for (name, function) in functions {
        let (bounds, each) = (Rc::clone(bounds), if name == "sort" { 16 } else { 1 });
        let counted = lua.create_function(move |_, arguments: MultiValue| {
            if let Some(mlua::Value::Table(table)) = arguments.front() {
                let items = u64::try_from(table.raw_len()).unwrap_or(u64::MAX);
                bounds.take(items.saturating_mul(each))?;
            }
            function.call::<MultiValue>(arguments)
        })?;
        table.raw_set(name, counted)?;
    }
    let (unpack, counts): (Function, _) = (globals.raw_get("unpack")?, Rc::clone(bounds));
    let unpack = lua.create_function(move |_, arguments: MultiValue| {
        counts.take(UNPACKED)?;
        unpack.call::<MultiValue>(arguments)
    })?;
    globals.raw_set("unpack", unpack)?;
    // One that is out of bounds is not caught.
    let counts = Rc::clone(bounds);
    let pcall = lua.create_function(move |lua, (function, arguments): (Function, MultiValue)| {
        match function.call::<MultiValue>(arguments) {
            Ok(mut returned) => {
                returned.push_front(mlua::Value::Boolean(true));
                Ok(returned)
            }
            Err(error) if counts.are_over() || is_of_memory(&error) => Err(error),
            Err(error) => {
                let Fault { line, message } = fault(&error);
                let line = line.map(|line| format!("{CHUNK}:{line}: ")).unwrap_or_default();
                let message = mlua::Value::String(lua.create_string(format!("{line}{message}"))?);
                Ok(MultiValue::from_vec(vec![mlua::Value::Boolean(false), message]))
            }
        }
    })?;
    globals.raw_set("pcall", pcall)?;
    globals.raw_set("print", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    let os = lua.create_table()?;
    let clock = Arc::clone(&bounds.clock);
    os.raw_set("time", lua.create_function(move |_, of: Option<Table>| time(of, clock.now()))?)?;
    globals.raw_set("os", &os)?;
    let require = lua.create_function(move |_, name: String| match name.as_str() {
        "os" => Ok(os.clone()),
        _ => Err(Error::runtime(format!("module {name} is not there"))),
    })?;
    globals.raw_set("require", require)
}

/// Seconds since 1970 of now, or of a time as Lua writes it, in UTC.
fn time(of: Option<Table>, now: Timestamp) -> mlua::Result<f64> {
    let Some(of) = of else { return seconds(now) };
    let field = |name: &str, usual: i64| of.raw_get::<Option<f64>>(name).map(|it| it.map_or(usual, |it| it as i64));
    let number = |name: &str, usual: i64| field(name, usual).map(|it| it.clamp(-9999, 9999));
    let (year, month, day) = (number("year", -1)?, number("month", -1)?, number("day", -1)?);
    let (hour, minute, second) = (number("hour", 12)?, number("min", 0)?, number("sec", 0)?);
    let said = || {
        let date = Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()?;
        let time = Time::new(hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?, 0).ok()?;
        TimeZone::UTC.to_timestamp(DateTime::from_parts(date, time)).ok()
    };
    said().map_or_else(|| Err(Error::runtime("os.time: there is no such time")), seconds)
}

fn seconds(time: Timestamp) -> mlua::Result<f64> {
    Ok(time.as_duration().as_secs_f64().floor())
}

/// A value as Lua has it: what is null is not there.
fn value(lua: &Lua, json: &Value) -> mlua::Result<mlua::Value> {
    Ok(match json {
        Value::Null => mlua::Value::Nil,
        Value::Bool(flag) => mlua::Value::Boolean(*flag),
        Value::Number(number) => mlua::Value::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => mlua::Value::String(lua.create_string(text)?),
        Value::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.iter().enumerate() {
                table.raw_set(index + 1, value(lua, item)?)?;
            }
            mlua::Value::Table(table)
        }
        Value::Object(fields) => {
            let table = lua.create_table_with_capacity(0, fields.len())?;
            for (name, field) in fields {
                table.raw_set(name.as_str(), value(lua, field)?)?;
            }
            mlua::Value::Table(table)
        }
    })
}

/// What a returned value says (util/lua/lua.go, `ExecuteHealthLua`).
fn told(returned: mlua::Value) -> mlua::Result<Option<Health>> {
    let table = match returned {
        mlua::Value::Nil => return Ok(None),
        mlua::Value::Table(table) => table,
        other => {
            let told = format!("expect table output from Lua script, not {}", other.type_name());
            return Err(Error::runtime(told));
        }
    };
    if table.raw_len() > 0 || table.is_empty() {
        return Ok(None);
    }
    let (status, message): (mlua::Value, mlua::Value) = (table.raw_get("status")?, table.raw_get("message")?);
    let text = |value: &mlua::Value| match value {
        mlua::Value::Nil => Some(String::new()),
        mlua::Value::String(text) => Some(text.to_string_lossy()),
        _ => None,
    };
    let (Some(status), Some(message)) = (text(&status), text(&message)) else { return Ok(None) };
    Ok(Some(match HealthStatus::parse(&status) {
        Some(status) => Health::new(status, message),
        None => Health::new(HealthStatus::Unknown, "Lua returned an invalid health status"),
    }))
}

fn is_of_memory(error: &Error) -> bool {
    match error {
        Error::MemoryError(_) => true,
        Error::CallbackError { cause, .. } => is_of_memory(cause),
        _ => false,
    }
}

/// An error in the interpreter's own words, without the trace of its stack.
fn fault(error: &Error) -> Fault {
    let text = match error {
        Error::CallbackError { cause, .. } => return fault(cause),
        Error::SyntaxError { message, .. } => message.clone(),
        Error::RuntimeError(message) => message.clone(),
        Error::MemoryError(_) => format!("it takes more memory than {} MiB", MEMORY >> 20),
        other => other.to_string(),
    };
    let first = text.lines().next().unwrap_or_default();
    let placed = first.strip_prefix(CHUNK).and_then(|rest| rest.strip_prefix(':')?.split_once(": "));
    match placed.and_then(|(line, message)| Some((line.parse().ok()?, message))) {
        Some((line, message)) => Fault { line: Some(line), message: message.to_owned() },
        None => Fault { line: None, message: first.to_owned() },
    }
}
