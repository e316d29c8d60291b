use super::Exec;
use super::invoke::Arguments;
use super::walk::boxed_zero;
use crate::call::CallCtx;
use crate::error::Cause;
use crate::format;
use crate::func::Flow;
use crate::parse::tree::{At, Id, Run, Span, Unit};
use crate::set::MissingKey;
use crate::value::{Data, Map, Origin, Value};

impl CallCtx<'_> {
    /// Follows `.X.Y.Z` from a receiver; the last may be a method, which gets the arguments.
    #[expect(clippy::too_many_arguments, reason = "the receiver, the place and the call, as in Go's evalFieldChain")]
    pub(super) fn path(
        &mut self,
        unit: &Unit,
        dot: &Value,
        receiver: &Value,
        path: Run,
        operand: Id,
        arguments: &[Id],
        last: Option<Value>,
    ) -> Exec<Value> {
        let names = unit.path(path);
        let Some((end, before)) = names.split_last() else { return Ok(receiver.clone()) };
        if self.reads_only(arguments, last.as_ref())
            && let Some(value) = follow(receiver, unit, names)
        {
            return Ok(value);
        }
        let mut inner;
        let mut receiver = receiver;
        for name in before {
            inner = self.field(unit, dot, name.of(&unit.text), operand, &[], None, receiver)?;
            receiver = &inner;
        }
        self.field(unit, dot, end.of(&unit.text), operand, arguments, last, receiver)
    }

    /// Whether a path without a method in it is nothing but a look into maps.
    pub(super) fn reads_only(&self, arguments: &[Id], last: Option<&Value>) -> bool {
        self.trace.is_none() && arguments.is_empty() && last.is_none()
    }

    #[expect(clippy::too_many_arguments, reason = "the receiver, the place and the call, as in Go's evalField")]
    fn field(
        &mut self,
        unit: &Unit,
        dot: &Value,
        name: &[u8],
        operand: Id,
        arguments: &[Id],
        last: Option<Value>,
        receiver: &Value,
    ) -> Exec<Value> {
        let has_arguments = !arguments.is_empty() || last.is_some();
        let shown = || String::from_utf8_lossy(name);
        match receiver.data() {
            Data::Nil if receiver.boxed => {
                self.fail_with(Cause::Field(format!("nil pointer evaluating interface {{}}.{}", shown())))
            }
            Data::Nil if self.set.missing_key() == MissingKey::Error => {
                self.fail(format!("nil data; no entry for key {}", format::quote(name)))
            }
            Data::Nil => Ok(Value::nil()),
            Data::Map(map) => {
                if let Some(defined) = map.name()
                    && let Ok(text) = std::str::from_utf8(name)
                    && let Some(method) = (defined.method)(map, text)
                {
                    return self.invoke(unit, dot, &method, text, At::Operand(operand), arguments, last);
                }
                if has_arguments {
                    return self.fail(format!("{} is not a method but has arguments", shown()));
                }
                self.entry(map, name, receiver.origin())
            }
            Data::Host(host) => {
                let text = shown();
                if let Some(signature) = host.method(&text) {
                    let host = std::sync::Arc::clone(host);
                    let mut checked = Arguments::new();
                    self.arguments(unit, dot, signature, &text, arguments, last, &mut checked)?;
                    let result = host.call(&text, &checked, self);
                    return self.called(result, &text, At::Operand(operand), &checked, Flow::Computes);
                }
                if let Some(below) = host.underlying() {
                    if let Data::Map(map) = below.data() {
                        if has_arguments {
                            return self.fail(format!("{} is not a method but has arguments", shown()));
                        }
                        return self.entry(map, name, receiver.origin());
                    }
                } else if let Some(value) = host.field(&text) {
                    if has_arguments {
                        return self.fail(format!("{text} has arguments but cannot be invoked as function"));
                    }
                    return Ok(value);
                }
                if host.fields().iter().chain(&host.unexported()).any(|(known, _)| **known == *text) {
                    let words = format!("{text} is an unexported field of struct type {}", receiver.static_type_name());
                    return self.fail(words);
                }
                self.no_field(name, receiver)
            }
            _ => self.no_field(name, receiver),
        }
    }

    fn entry(&mut self, map: &Map, name: &[u8], collection: Origin) -> Exec<Value> {
        if let Some(value) = map.get(name) {
            let value = self.element(map, name, collection, value);
            return Ok(value.into_boxed(map.element()));
        }
        match self.set.missing_key() {
            MissingKey::Invalid => Ok(self.absent(map, name, collection, Value::nil())),
            MissingKey::Zero => Ok(self.absent(map, name, collection, boxed_zero(map.element()))),
            MissingKey::Error => self.fail(format!("map has no entry for key {}", format::quote(name))),
        }
    }

    fn no_field(&self, name: &[u8], receiver: &Value) -> Exec<Value> {
        let name = String::from_utf8_lossy(name);
        self.fail_with(Cause::Field(format!("can't evaluate field {name} in type {}", receiver.static_type_name())))
    }
}

/// Longer paths are walked step by step, so that they need no depth of stack.
const FOLLOWED: usize = 16;

/// Follows names through maps without keeping what lies between, which others count, too; `None` where something else
/// than an entry stands in the way.
pub(super) fn follow(receiver: &Value, unit: &Unit, names: &[Span]) -> Option<Value> {
    if names.len() > FOLLOWED {
        return None;
    }
    let (name, rest) = names.split_first()?;
    let name = name.of(&unit.text);
    let map = match receiver.data() {
        Data::Map(map) => map,
        Data::Host(host) => {
            let name = std::str::from_utf8(name).ok()?;
            if host.method(name).is_some() || host.underlying().is_some() {
                return None;
            }
            let value = host.field(name)?;
            return if rest.is_empty() { Some(value) } else { follow(&value, unit, rest) };
        }
        _ => return None,
    };
    if let Some(defined) = map.name()
        && (defined.method)(map, std::str::from_utf8(name).ok()?).is_some()
    {
        return None;
    }
    map.look(name, |value| match rest {
        [] => Some(value.clone().into_boxed(map.element())),
        rest => follow(value, unit, rest),
    })?
}
