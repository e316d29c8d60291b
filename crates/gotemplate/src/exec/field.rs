use super::Exec;
use super::invoke::Arguments;
use super::walk::boxed_zero;
use crate::call::CallCtx;
use crate::format;
use crate::func::Flow;
use crate::parse::tree::{At, Id, Run, Unit};
use crate::set::MissingKey;
use crate::value::{Data, Map, Origin, Str, Value};

impl CallCtx<'_> {
    /// Follows `.X.Y.Z` from a receiver; the last may be a method, which gets the arguments.
    #[expect(clippy::too_many_arguments, reason = "the receiver, the place and the call, as in Go's evalFieldChain")]
    pub(super) fn path(
        &mut self,
        unit: &Unit,
        dot: &Value,
        mut receiver: Value,
        path: Run,
        operand: Id,
        arguments: &[Id],
        last: Option<Value>,
    ) -> Exec<Value> {
        let names = unit.path(path);
        let Some((end, before)) = names.split_last() else { return Ok(receiver) };
        for name in before {
            receiver = self.field(unit, dot, name, operand, &[], None, &receiver)?;
        }
        self.field(unit, dot, end, operand, arguments, last, &receiver)
    }

    #[expect(clippy::too_many_arguments, reason = "the receiver, the place and the call, as in Go's evalField")]
    fn field(
        &mut self,
        unit: &Unit,
        dot: &Value,
        name: &Str,
        operand: Id,
        arguments: &[Id],
        last: Option<Value>,
        receiver: &Value,
    ) -> Exec<Value> {
        let has_arguments = !arguments.is_empty() || last.is_some();
        match receiver.data() {
            Data::Nil if receiver.boxed => self.fail(format!("nil pointer evaluating interface {{}}.{name}")),
            Data::Nil if self.set.missing_key() == MissingKey::Error => {
                self.fail(format!("nil data; no entry for key {}", format::quote(name)))
            }
            Data::Nil => Ok(Value::nil()),
            Data::Map(map) => {
                if let Some(defined) = map.name()
                    && let Some(text) = name.to_str()
                    && let Some(method) = (defined.method)(map, text)
                {
                    return self.invoke(unit, dot, &method, text, At::Operand(operand), arguments, last);
                }
                if has_arguments {
                    return self.fail(format!("{name} is not a method but has arguments"));
                }
                self.entry(map, name, receiver.origin())
            }
            Data::Host(host) => {
                let text = name.to_string_lossy();
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
                            return self.fail(format!("{name} is not a method but has arguments"));
                        }
                        return self.entry(map, name, receiver.origin());
                    }
                } else if let Some(value) = host.field(&text) {
                    if has_arguments {
                        return self.fail(format!("{name} has arguments but cannot be invoked as function"));
                    }
                    return Ok(value);
                }
                if host.fields().iter().any(|(known, _)| **known == *text) {
                    let words = format!("{name} is an unexported field of struct type {}", receiver.static_type_name());
                    return self.fail(words);
                }
                self.no_field(name, receiver)
            }
            _ => self.no_field(name, receiver),
        }
    }

    fn entry(&mut self, map: &Map, name: &Str, collection: Origin) -> Exec<Value> {
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

    fn no_field(&self, name: &Str, receiver: &Value) -> Exec<Value> {
        self.fail(format!("can't evaluate field {name} in type {}", receiver.static_type_name()))
    }
}
