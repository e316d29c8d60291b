use smallvec::SmallVec;

use super::Exec;
use crate::call::CallCtx;
use crate::error::Cause;
use crate::func::{Flow, Func, FuncError, FuncKind, Signature};
use crate::parse::tree::{At, Id, Unit};
use crate::value::{Origin, Type, Value};

/// Arguments of a call; few calls have more.
pub(super) type Arguments = SmallVec<[Value; 4]>;

impl CallCtx<'_> {
    pub(super) fn function(
        &mut self,
        unit: &Unit,
        dot: &Value,
        function: u32,
        at: At,
        arguments: &[Id],
        last: Option<Value>,
    ) -> Exec<Value> {
        let set = self.set;
        let (name, func) = set.functions().get(function);
        self.invoke(unit, dot, func, name, at, arguments, last)
    }

    #[expect(clippy::too_many_arguments, reason = "the function, the place and the call, as in Go's evalCall")]
    pub(super) fn invoke(
        &mut self,
        unit: &Unit,
        dot: &Value,
        func: &Func,
        name: &str,
        at: At,
        operands: &[Id],
        last: Option<Value>,
    ) -> Exec<Value> {
        match &func.kind {
            FuncKind::Call(call) => {
                let mut arguments = Arguments::new();
                self.arguments(unit, dot, func.signature, name, operands, last, &mut arguments)?;
                if self.trace.is_some() {
                    self.flow_in(func.flow, &mut arguments);
                }
                let result = match self.before(func.flow, &arguments) {
                    Ok(()) => call(self, &arguments),
                    Err(error) => Err(error),
                };
                self.called(result, name, at, &arguments, func.flow)
            }
            FuncKind::And | FuncKind::Or => {
                let given = operands.len() + usize::from(last.is_some());
                if given == 0 {
                    return self.fail(format!("wrong number of args for {name}: want at least 1 got 0"));
                }
                let stops_at = matches!(func.kind, FuncKind::Or);
                let mut decided = Origin::NONE;
                for (index, operand) in operands.iter().enumerate() {
                    let value = self.argument(unit, dot, *operand, Type::Reflect)?;
                    let is_last = index + 1 == operands.len() && last.is_none();
                    if is_last || value.truth() == stops_at {
                        return Ok(self.chosen(value, decided, stops_at));
                    }
                    if let Some(trace) = &mut self.trace {
                        let origin = trace.truth(&value);
                        decided = trace.with_control(decided, origin);
                    }
                }
                Ok(self.chosen(last.unwrap_or_default(), decided, stops_at))
            }
            FuncKind::CallValue => {
                let callee = match (operands.first(), &last) {
                    (Some(operand), _) => unit.expression(At::Operand(*operand)),
                    (None, Some(last)) => String::from_utf8_lossy(&crate::format::display(last)).into_owned(),
                    (None, None) => String::new(),
                };
                let mut arguments = Arguments::new();
                self.arguments(unit, dot, func.signature, name, operands, last, &mut arguments)?;
                // No value that a template can get hold of is a function.
                let message = match arguments.first() {
                    Some(value) if !value.is_nil() => format!("non-function {callee} of type {}", value.type_name()),
                    _ => "call of nil".to_owned(),
                };
                self.called(Err(FuncError::new(message)), name, at, &arguments, func.flow)
            }
        }
    }

    /// Evaluates and checks the arguments of a call.
    #[expect(clippy::too_many_arguments, reason = "the function, the place and the call, as in Go's evalCall")]
    pub(super) fn arguments(
        &mut self,
        unit: &Unit,
        dot: &Value,
        signature: Signature,
        name: &str,
        operands: &[Id],
        last: Option<Value>,
        arguments: &mut Arguments,
    ) -> Exec<()> {
        let Signature { params, rest } = signature;
        let given = operands.len() + usize::from(last.is_some());
        if rest.is_some() {
            if given < params.len() {
                let (want, got) = (params.len(), operands.len());
                return self.fail(format!("wrong number of args for {name}: want at least {want} got {got}"));
            }
        } else if given != params.len() {
            return self.fail(format!("wrong number of args for {name}: want {} got {given}", params.len()));
        }
        let wanted = |index: usize| params.get(index).copied().or(rest).unwrap_or(Type::Any);
        arguments.reserve(given);
        for (index, operand) in operands.iter().enumerate() {
            let argument = self.argument(unit, dot, *operand, wanted(index))?;
            arguments.push(argument);
        }
        if let Some(last) = last {
            let argument = self.fitting(last, wanted(operands.len()))?;
            arguments.push(argument);
        }
        Ok(())
    }

    /// What a call gave, with the place of its error or the origin of its arguments.
    pub(super) fn called(
        &mut self,
        result: Result<Value, FuncError>,
        name: &str,
        at: At,
        arguments: &[Value],
        flow: Flow,
    ) -> Exec<Value> {
        let value = match result {
            Ok(value) => value.unboxed(),
            Err(error) => {
                self.at = at;
                return self.fail_with(Cause::Call { name: name.to_owned(), error: Box::new(error) });
            }
        };
        self.after(flow, &value)?;
        if self.trace.is_some() {
            return Ok(self.flow_out(flow, name, value, arguments));
        }
        Ok(value)
    }
}
