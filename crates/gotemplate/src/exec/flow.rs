//! Where values go in a traced execution: into functions and out of them, out of collections, into variables.

use std::ops::Range;

use super::invoke::Arguments;
use crate::call::CallCtx;
use crate::func::Flow;
use crate::trace::Beside;
use crate::value::{Data, List, Map, Origin, Str, Value};

impl CallCtx<'_> {
    /// Prepares the arguments of a call.
    pub(super) fn flow_in(&mut self, flow: Flow, arguments: &mut Arguments) {
        let Some(trace) = &mut self.trace else { return };
        if matches!(
            flow,
            Flow::Computes | Flow::Negates | Flow::Tests | Flow::Compares | Flow::Finds | Flow::Executes | Flow::Knows
        ) {
            return;
        }
        for argument in arguments.iter_mut() {
            if argument.origin() == Origin::NONE {
                if !matches!(argument.data(), Data::Map(_) | Data::List(_)) {
                    *argument = std::mem::take(argument).with_origin(Origin::MADE);
                }
                continue;
            }
            // What is in the list goes on without it.
            if let Data::List(list) = argument.data()
                && argument.origin().0 >= Origin::DERIVED.0
                && !list.is_nil()
                && list.values().iter().any(|value| value.origin() == Origin::NONE)
            {
                let collection = argument.origin();
                let values = list.values().iter().map(|value| {
                    let origin = trace.element(collection, value.origin());
                    value.clone().with_origin(origin)
                });
                let list = List::of(list.element(), values.collect());
                *argument = Value::from(list).with_origin(collection);
            }
        }
        match flow {
            Flow::Pairs => {
                for pair in arguments.chunks_mut(2) {
                    if let [key, value] = pair {
                        let key = trace.deep(key);
                        let origin = trace.with_control(value.origin(), key);
                        *value = std::mem::take(value).with_origin(origin);
                    }
                }
            }
            Flow::Puts => {
                let (Some(map), Some(key)) = (arguments[0].as_map().cloned(), arguments.get(1).cloned()) else {
                    return;
                };
                let control = trace.control();
                let control = trace.with_control(control, key.origin());
                if let Some(value) = arguments.get_mut(2) {
                    let origin = trace.with_control(value.origin(), control);
                    *value = std::mem::take(value).with_origin(origin);
                }
                trace.touch(&map, key.as_str(), control);
            }
            Flow::Merges => {
                let Some(map) = arguments.first().and_then(Value::as_map).cloned() else { return };
                let mut control = trace.control();
                for from in &arguments[1..] {
                    let origin = trace.shallow(from);
                    if origin.0 >= Origin::DERIVED.0 {
                        control = trace.with_control(control, origin);
                    }
                }
                trace.touch(&map, None, control);
            }
            _ => {}
        }
    }

    /// Gives what a call gave its origin.
    pub(super) fn flow_out(&mut self, flow: Flow, name: &str, value: Value, arguments: &[Value]) -> Value {
        let Some(trace) = &mut self.trace else { return value };
        let own = value.origin();
        // Yes or no is not made of anything: it is decided.
        let flow = match (flow, value.data()) {
            (Flow::Computes, Data::Bool(_)) if own == Origin::NONE => Flow::Compares,
            _ => flow,
        };
        let origin = match flow {
            Flow::Computes | Flow::Knows if own == Origin::NONE => {
                let of = arguments.iter().map(|argument| trace.deep(argument)).collect();
                trace.made_by(name, of)
            }
            Flow::Knows => own,
            // A value that was handed on; the others said so.
            Flow::Computes => {
                let others = arguments.iter().map(Value::origin).filter(|origin| *origin != own);
                others.fold(own, |all, other| trace.with_control(all, other))
            }
            Flow::Negates => arguments.iter().fold(Origin::NONE, |all, argument| {
                let of = trace.truth(argument);
                trace.with_control(all, of)
            }),
            Flow::Finds => match (arguments, found(&value, arguments)) {
                ([wanted, list], Some(items)) => {
                    let (wanted, list) = (trace.deep(wanted), list.origin());
                    let origin = trace.with_control(Origin::NONE, wanted);
                    let origin = trace.with_control(origin, list);
                    items.into_iter().fold(origin, |all, item| trace.with_control(all, item.origin()))
                }
                _ => arguments.iter().fold(Origin::NONE, |all, argument| {
                    let of = trace.deep(argument);
                    trace.with_control(all, of)
                }),
            },
            Flow::Tests | Flow::Compares => arguments.iter().fold(Origin::NONE, |all, argument| {
                let of = if flow == Flow::Tests { trace.shallow(argument) } else { trace.deep(argument) };
                trace.with_control(all, of)
            }),
            Flow::Selects => {
                let is_collection = |value: &&Value| matches!(value.data(), Data::List(_) | Data::Map(_));
                let collection = arguments.iter().find(is_collection);
                let mut origin = own;
                if let Some(collection) = collection {
                    let whole = trace.shallow(collection);
                    origin = match collection.data() {
                        Data::Map(_) => trace.element(whole, origin),
                        // Which item the last one is, for one, all of them decide.
                        _ if origin == Origin::NONE => whole,
                        _ if whole.0 >= Origin::DERIVED.0 => trace.with_control(origin, whole),
                        _ => origin,
                    };
                }
                let others = arguments.iter().filter(|value| !is_collection(value)).map(Value::origin);
                others.filter(|other| *other != own).fold(origin, |all, other| trace.with_control(all, other))
            }
            Flow::StandsIn => match arguments {
                [_, given, ..] if !given.truth() => {
                    let given = trace.shallow(given);
                    trace.with_control(own, given)
                }
                _ => own,
            },
            Flow::First => {
                let mut origin = own;
                for passed in arguments.iter().take_while(|argument| !argument.truth()) {
                    let passed = trace.shallow(passed);
                    origin = trace.with_control(origin, passed);
                }
                origin
            }
            Flow::Ternary => match arguments.get(2) {
                Some(choice) => {
                    let choice = trace.truth(choice);
                    trace.with_control(own, choice)
                }
                None => own,
            },
            Flow::Collects | Flow::Pairs | Flow::Puts | Flow::Merges => {
                let mut origin = own;
                for argument in arguments.iter().filter(|argument| argument.origin() != own) {
                    if !matches!(argument.data(), Data::List(_) | Data::Map(_)) || flow == Flow::Pairs {
                        continue;
                    }
                    let whole = trace.shallow(argument);
                    if whole.0 < Origin::DERIVED.0 {
                        continue;
                    }
                    if let Data::Map(_) = value.data() {
                        let around = trace.without_members(whole);
                        origin = trace.with_control(origin, around);
                        let members = trace.members(whole);
                        origin = trace.both(origin, members);
                    } else {
                        origin = trace.with_control(origin, whole);
                    }
                }
                origin
            }
            Flow::Filters => arguments.iter().fold(own, |all, argument| {
                let of = trace.deep(argument);
                trace.with_control(all, of)
            }),
            Flow::Executes => match arguments.first() {
                // The lines of a text that is executed know their own; where nothing comes of it, all of it has decided that.
                Some(what)
                    if name == "tpl"
                        && value.as_str().is_some_and(|it| !it.is_empty())
                        && trace.is_written(what.origin()) =>
                {
                    own
                }
                Some(what) => trace.with_control(own, what.origin()),
                None => own,
            },
        };
        value.with_origin(origin)
    }

    /// A value that others decided about.
    pub(super) fn decided_value(&mut self, value: Value, by: Origin) -> Value {
        match &mut self.trace {
            Some(trace) if by != Origin::NONE => {
                let origin = trace.with_control(value.origin(), by);
                value.with_origin(origin)
            }
            _ => value,
        }
    }

    /// The value that `and` or `or` gives; those before it were evaluated and passed over. Of the operands of `and` that is a
    /// false one, of those of `or` a true one, all others may be what they like, as long as nobody asks for more than
    /// yes or no.
    pub(super) fn chosen(&mut self, value: Value, passed: Origin, stops_at: bool) -> Value {
        let is_enough = value.truth() == stops_at;
        let Some(trace) = self.trace.as_mut().filter(|_| passed != Origin::NONE) else { return value };
        let passed = if is_enough { trace.passed(passed) } else { trace.decided_by(passed) };
        let origin = trace.both(value.origin(), passed);
        value.with_origin(origin)
    }

    /// A value that is assigned: what decides here decides about it wherever it is used.
    pub(super) fn assigned(&mut self, value: Value) -> Value {
        match self.trace.as_ref().map(|trace| trace.control()) {
            Some(control) => self.decided_value(value, control),
            None => value,
        }
    }

    /// An entry of a map.
    pub(super) fn element(&mut self, map: &Map, key: &[u8], collection: Origin, value: Value) -> Value {
        let Some(trace) = &mut self.trace else { return value };
        let touched = trace.touched(map, Some(key));
        let origin = trace.element(collection, value.origin());
        let origin = trace.with_control(origin, touched);
        value.with_origin(origin)
    }

    /// What a map gives for a key that it has not.
    pub(super) fn absent(&mut self, map: &Map, key: &[u8], collection: Origin, value: Value) -> Value {
        let Some(trace) = &mut self.trace else { return value };
        let mut origin = trace.touched(map, Some(key));
        if collection.0 >= Origin::DERIVED.0 {
            origin = trace.with_control(origin, collection);
        }
        value.with_origin(origin)
    }

    /// An item of a list.
    pub(super) fn item(&mut self, list: &Value, item: Value) -> Value {
        let Some(trace) = &mut self.trace else { return item };
        let origin = trace.element(list.origin(), item.origin());
        item.with_origin(origin)
    }

    /// The key of an entry as a value.
    pub(super) fn key_of(&mut self, key: Str, entry: &Value) -> Value {
        let value = Value::from(key);
        match &mut self.trace {
            Some(trace) => value.with_origin(trace.key_of(entry.origin())),
            None => value,
        }
    }
}

/// The words of a list that were found in it; `None` where others may have decided, too.
fn found<'a>(is_there: &Value, arguments: &'a [Value]) -> Option<Vec<&'a Value>> {
    let [wanted, list] = arguments else { return None };
    let (Data::Bool(true), Some(word), Data::List(list)) = (is_there.data(), wanted.as_str(), list.data()) else {
        return None;
    };
    Some(list.values().iter().filter(|item| item.as_str() == Some(word)).collect())
}

/// For functions that know more about their result than their [`Flow`] says.
impl CallCtx<'_> {
    /// Whether anybody asks where values come from; if not, all origins are [`Origin::NONE`].
    pub fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// The origin of the key of an entry.
    pub fn key_origin(&mut self, entry: &Value) -> Origin {
        self.trace.as_mut().map_or(Origin::NONE, |trace| trace.key_of(entry.origin()))
    }

    /// The origin of a text that a function has written out of a value: `parts` says which bytes are made of what.
    pub fn written_origin(&mut self, text: &Str, parts: &[(Range<usize>, Origin)], value: &Value) -> Origin {
        let pos = self.template.unit.position(self.at);
        let Some(trace) = &mut self.trace else { return Origin::NONE };
        let around = trace.without_members(value.origin());
        let decided = if around.0 >= Origin::DERIVED.0 { around } else { Origin::NONE };
        let place = trace.place_of(&self.template.unit, pos as u32);
        trace.written(text.clone(), parts, decided, place)
    }

    /// The origin of a map's entry as that of a text written out of it.
    pub fn entry_origin(&mut self, map: &Map, key: &Str, collection: Origin, entry: &Value) -> Origin {
        self.element(map, key, collection, entry.clone()).origin()
    }

    /// The origin of an item of a list.
    pub fn item_origin(&mut self, list: &Value, item: &Value) -> Origin {
        self.item(list, item.clone()).origin()
    }

    /// The origin of a collection itself: what decided about it and about which members it has.
    pub fn collection_origin(&mut self, collection: &Value) -> Origin {
        self.trace.as_mut().map_or(Origin::NONE, |trace| trace.shallow(collection))
    }

    /// The origin of a collection whose members were chosen so.
    pub fn members_origin(&mut self, chosen: Origin) -> Origin {
        self.trace.as_mut().map_or(Origin::NONE, |trace| trace.members(chosen))
    }

    /// The value with something that decided about it.
    pub fn decided_origin(&mut self, value: Value, by: Origin) -> Value {
        self.decided_value(value, by)
    }

    /// What decided, and something more that did.
    pub fn also_decided(&mut self, so_far: Origin, by: Origin) -> Origin {
        self.trace.as_mut().map_or(Origin::NONE, |trace| trace.with_control(so_far, by))
    }

    /// The origin of a text as the very text that it is, where functions have indented or trimmed what was written.
    pub fn written_again(&mut self, text: &Str, origin: Origin) -> Origin {
        self.trace.as_mut().map_or(Origin::NONE, |trace| trace.as_written(text, origin, (0, 0)))
    }

    /// The origin of a stretch of a text of that origin.
    pub fn stretch_origin(&mut self, text: &[u8], origin: Origin, bytes: Range<usize>, beside: &Beside) -> Origin {
        self.trace.as_mut().map_or(Origin::NONE, |trace| trace.stretch(text, origin, bytes, beside))
    }

    /// What decided about the parts of a stretch of a text of that origin.
    pub fn decisions_in(&mut self, text: &[u8], origin: Origin, bytes: Range<usize>) -> Origin {
        self.trace.as_mut().map_or(Origin::NONE, |trace| trace.decisions(text, origin, bytes))
    }
}
