//! What an execution has used of its [`Limits`](crate::Limits) beside nodes and output: work inside of functions, and
//! memory in values.
//!
//! What is made is counted as it is made. It is mostly let go of again, so now and then all that variables hold is gone
//! through and measured; what the actions that are under way have made so far comes on top, because they may hold it.

use rustc_hash::FxHashSet;

use crate::call::CallCtx;
use crate::error::{Cause, ExecError, Limit};
use crate::exec::Exec;
use crate::func::{Flow, FuncError};
use crate::value::{Data, List, Map, Value};

/// Longest text that one function makes, in bytes.
pub const MAX_TEXT: usize = 64 << 20;

/// Memory of a value in a list.
const VALUE: usize = size_of::<Value>();
/// Memory of an entry of a map: its key, its value, and what is free between.
const ENTRY: usize = 2 * VALUE;
/// Memory of a list or map beside what is in it.
const COLLECTION: usize = 3 * VALUE;
/// Elements that are copied in one step.
const COPIED: usize = 4;
/// Bytes of arguments that are read in one step.
const READ: usize = 64;
/// Bytes that a value is written out in in one step.
const WRITTEN: usize = 8;
/// Texts up to this length are held in place or are hardly worth counting apart.
const SHORT: usize = 22;
/// Longer texts are looked up in the list of those that were counted.
const LONG: usize = 256;

/// Bytes of values that were made.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Since variables were last measured.
    since: u64,
    /// By the actions that are under way.
    pub(crate) pending: u64,
}

/// The steps that it takes to write a value out in so many bytes.
pub(crate) fn steps_of_writing(bytes: usize) -> u64 {
    (bytes / WRITTEN) as u64
}

fn limit(limit: Limit) -> FuncError {
    ExecError { frame: None, cause: Cause::Limit(limit) }.into()
}

impl CallCtx<'_> {
    /// Counts bytes that a function is about to make against [`Limits::output_bytes`](crate::Limits::output_bytes); for
    /// functions whose result can be much larger than their arguments, such as `repeat`.
    ///
    /// # Errors
    /// The limit's words, when it is reached.
    pub fn charge(&mut self, bytes: u64) -> Result<(), FuncError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.granted_bytes && !self.grant_bytes() {
            return Err(limit(Limit::OutputBytes(self.limits.output_bytes)));
        }
        Ok(())
    }

    /// Counts steps of a function's own against [`Limits::steps`](crate::Limits::steps): one for what takes as long as
    /// walking a node, some 20 ns.
    ///
    /// # Errors
    /// The limit's words, when it is reached.
    pub fn work(&mut self, steps: u64) -> Result<(), FuncError> {
        if self.spend(steps) { Ok(()) } else { Err(limit(Limit::Steps(self.limits.steps))) }
    }

    /// Counts as work that a value which is no text is written out in so many bytes.
    ///
    /// # Errors
    /// The limit's words, when it is reached.
    pub fn write_out(&mut self, bytes: usize) -> Result<(), FuncError> {
        self.work(steps_of_writing(bytes))
    }

    /// As [`CallCtx::work`], of an action of a template.
    #[inline]
    pub(crate) fn step(&mut self, steps: u64) -> Exec<()> {
        if self.spend(steps) { Ok(()) } else { self.fail_with(Cause::Limit(Limit::Steps(self.limits.steps))) }
    }

    /// Takes steps; whether there were so many left.
    #[inline]
    fn spend(&mut self, steps: u64) -> bool {
        self.steps = self.steps.saturating_add(steps);
        self.steps <= self.granted || self.grant()
    }

    /// Takes further steps out of what all executions have together; whether there were any.
    #[cold]
    pub(crate) fn grant(&mut self) -> bool {
        let needed = self.steps - self.granted;
        let taken = self.set.purse().and_then(|purse| purse.take_steps(needed, self.limits.steps));
        self.granted += taken.unwrap_or_default();
        taken.is_some()
    }

    /// As [`CallCtx::grant`], for bytes of output.
    #[cold]
    pub(crate) fn grant_bytes(&mut self) -> bool {
        let needed = self.bytes - self.granted_bytes;
        let taken = self.set.purse().and_then(|purse| purse.take_bytes(needed, self.limits.output_bytes));
        self.granted_bytes += taken.unwrap_or_default();
        taken.is_some()
    }

    /// Gives back what was taken and not used.
    pub(crate) fn settle(&self) {
        if let Some(purse) = self.set.purse() {
            let (steps, bytes) =
                (self.granted.saturating_sub(self.steps), self.granted_bytes.saturating_sub(self.bytes));
            purse.give_back(steps, bytes);
        }
    }

    /// Counts values of lists that a function is about to make, and bytes in their texts, as work and against
    /// [`Limits::held_bytes`](crate::Limits::held_bytes). An entry of a map counts as two or three values, a collection
    /// within another as three.
    ///
    /// # Errors
    /// The limit's words, when it is reached.
    pub fn make(&mut self, values: usize, bytes: usize) -> Result<(), FuncError> {
        self.work((values / COPIED) as u64)?;
        self.made((values as u64).saturating_mul(VALUE as u64).saturating_add(bytes as u64))
    }

    fn made(&mut self, bytes: u64) -> Result<(), FuncError> {
        self.made.since = self.made.since.saturating_add(bytes);
        self.made.pending = self.made.pending.saturating_add(bytes);
        let most = self.limits.held_bytes;
        if self.made.since <= most / 4 {
            return Ok(());
        }
        if bytes > most {
            return Err(limit(Limit::HeldBytes(most)));
        }
        self.measure()
    }

    /// Goes through all that variables hold.
    fn measure(&mut self) -> Result<(), FuncError> {
        let most = self.limits.held_bytes;
        let mut held = Held { bytes: self.made.pending, seen: FxHashSet::default(), open: Vec::new() };
        self.variables.iter().for_each(|value| held.value(value));
        let mut values = 0;
        while let Some(next) = held.open.pop() {
            values += match next {
                Open::List(list) => held.list(&list),
                Open::Map(map) => held.map(&map),
            };
            if held.bytes > most {
                return Err(limit(Limit::HeldBytes(most)));
            }
        }
        self.made.since = 0;
        self.work((values / COPIED) as u64)
    }

    /// Counts a call by its arguments, before it is made.
    pub(crate) fn before(&mut self, flow: Flow, arguments: &[Value]) -> Result<(), FuncError> {
        let (mut texts, mut items) = (0, 0);
        for argument in arguments {
            match argument.data() {
                Data::Str(text) | Data::Bytes(text) => texts += text.len(),
                Data::List(list) => items += list.len(),
                Data::Map(map) => items += map.len(),
                _ => {}
            }
        }
        match flow {
            Flow::Computes | Flow::Knows | Flow::Executes => self.work(1 + (texts / READ + items / COPIED) as u64),
            Flow::Collects | Flow::Filters => {
                self.work(1)?;
                self.make(items + arguments.len(), 0)
            }
            Flow::Pairs => self.make(arguments.len() + 2, 0).and_then(|()| self.work(1)),
            Flow::Puts => self.make(3, 0).and_then(|()| self.work(1)),
            Flow::Compares | Flow::Finds => self.work(1 + (items / COPIED) as u64),
            _ => self.work(1),
        }
    }

    /// Counts what a call has made and nobody has counted yet.
    pub(crate) fn after(&mut self, flow: Flow, value: &Value) -> Exec<()> {
        let made = match (flow, value.data()) {
            (Flow::Computes | Flow::Knows | Flow::Executes, Data::Str(text) | Data::Bytes(text)) => {
                if text.len() <= SHORT {
                    return Ok(());
                }
                if text.len() > MAX_TEXT {
                    return self.fail_with(Cause::Limit(Limit::OutputBytes(MAX_TEXT as u64)));
                }
                text.len()
            }
            (Flow::Computes | Flow::Knows | Flow::Tests, Data::List(list)) => list.len() * VALUE,
            (Flow::Computes | Flow::Knows, Data::Map(map)) => map.len() * ENTRY,
            _ => return Ok(()),
        };
        match self.made(made as u64) {
            Ok(()) => Ok(()),
            Err(FuncError::Exec { error, .. }) => self.fail_with(error.cause.clone()),
            Err(error) => self.fail(error.to_string()),
        }
    }
}

/// Values that are being measured.
struct Held {
    bytes: u64,
    /// Addresses of what has been counted.
    seen: FxHashSet<usize>,
    open: Vec<Open>,
}

enum Open {
    List(List),
    Map(Map),
}

impl Held {
    fn value(&mut self, value: &Value) {
        match value.data() {
            Data::List(list) if !list.is_empty() && self.seen.insert(list.address()) => {
                self.open.push(Open::List(list.clone()));
            }
            Data::Map(map) if self.seen.insert(map.address()) => self.open.push(Open::Map(map.clone())),
            Data::Str(text) | Data::Bytes(text)
                if text.len() > SHORT && (text.len() <= LONG || self.seen.insert(text.as_ptr().addr())) =>
            {
                self.bytes += text.len() as u64;
            }
            _ => {}
        }
    }

    fn list(&mut self, list: &List) -> usize {
        self.bytes += (list.len() * VALUE + COLLECTION) as u64;
        list.values().iter().for_each(|value| self.value(value));
        list.len()
    }

    fn map(&mut self, map: &Map) -> usize {
        let mut entries = 0;
        self.bytes += COLLECTION as u64;
        map.for_each(|key, value| {
            entries += 1;
            self.bytes += (ENTRY + key.len()) as u64;
            self.value(value);
        });
        entries
    }
}
