use super::Exec;
use super::field::follow;
use crate::call::CallCtx;
use crate::error::{Cause, Limit};
use crate::parse::tree::{At, Id, OperandKind, Unit, Variable};
use crate::value::Value;

impl CallCtx<'_> {
    /// The value of a pipeline, out of its interface; variables are set on the way.
    pub(super) fn pipeline(&mut self, unit: &Unit, dot: &Value, id: Id) -> Exec<Value> {
        if self.stack.is_used_up() {
            let outer = self.stack;
            let result = outer.grow(|stack| {
                self.stack = stack;
                let result = self.pipeline(unit, dot, id);
                self.stack = outer;
                result
            });
            return match result {
                Some(result) => result,
                None => self.fail_with(Cause::Limit(Limit::Depth(self.limits.depth))),
            };
        }
        self.at = At::Pipe(id);
        let pipe = &unit.pipes[id as usize];
        let mut value = None;
        for command in pipe.commands.of() {
            value = Some(self.command(unit, dot, command as Id, value)?.unboxed());
        }
        let value = value.unwrap_or_default();
        for variable in &unit.variables[pipe.declared.of()] {
            let value = if pipe.assigns { self.assigned(value.clone()) } else { value.clone() };
            self.assign(unit, variable, value)?;
        }
        Ok(value)
    }

    pub(super) fn assign(&mut self, unit: &Unit, variable: &Variable, value: Value) -> Exec<()> {
        let slot = variable.slot.map(|slot| self.base + slot as usize);
        match slot.and_then(|slot| self.variables.get_mut(slot)) {
            Some(slot) => {
                *slot = value;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {}", String::from_utf8_lossy(variable.name.of(&unit.text)))),
        }
    }

    fn command(&mut self, unit: &Unit, dot: &Value, id: Id, last: Option<Value>) -> Exec<Value> {
        let command = &unit.commands[id as usize];
        let operands = unit.operands_of(command);
        let first = operands[0];
        let arguments = &operands[1..];
        match &unit.operands[first as usize].kind {
            OperandKind::Field { path } => {
                self.at = At::Operand(first);
                self.path(unit, dot, dot, *path, first, arguments, last)
            }
            OperandKind::Chain { .. } => self.chain(unit, dot, first, arguments, last),
            OperandKind::Function { function, .. } => {
                self.at = At::Operand(first);
                self.function(unit, dot, *function, At::Command(id), arguments, last)
            }
            OperandKind::Pipe(pipe) => {
                self.not_a_function(unit, first, arguments, last.as_ref())?;
                self.pipeline(unit, dot, *pipe)
            }
            OperandKind::Variable { .. } => self.variable(unit, dot, first, arguments, last),
            literal => {
                self.at = At::Operand(first);
                self.not_a_function(unit, first, arguments, last.as_ref())?;
                match literal {
                    OperandKind::Bool(truth) => Ok(Value::from(*truth)),
                    OperandKind::Dot => Ok(dot.clone()),
                    OperandKind::Nil => self.fail("nil is not a command"),
                    OperandKind::Number { number, .. } => self.ideal(unit, first, *number),
                    OperandKind::Str { literal, .. } => Ok(unit.literals[*literal as usize].clone()),
                    _ => self.fail("can't evaluate command"),
                }
            }
        }
    }

    /// A number where nothing says which type is wanted.
    pub(super) fn ideal(&mut self, unit: &Unit, operand: Id, number: Id) -> Exec<Value> {
        self.at = At::Operand(operand);
        match &unit.numbers[number as usize].ideal {
            Some(value) => Ok(value.clone()),
            None => self.fail(format!("{} overflows int", unit.expression(self.at))),
        }
    }

    fn not_a_function(&self, unit: &Unit, first: Id, arguments: &[Id], last: Option<&Value>) -> Exec<()> {
        if arguments.is_empty() && last.is_none() {
            return Ok(());
        }
        self.fail(format!("can't give argument to non-function {}", unit.expression(At::Operand(first))))
    }

    pub(super) fn variable(
        &mut self,
        unit: &Unit,
        dot: &Value,
        operand: Id,
        arguments: &[Id],
        last: Option<Value>,
    ) -> Exec<Value> {
        self.at = At::Operand(operand);
        let OperandKind::Variable { slot, path } = &unit.operands[operand as usize].kind else {
            return self.fail("internal error: not a variable");
        };
        let value = slot.and_then(|slot| self.variables.get(self.base + slot as usize));
        let Some(value) = value else {
            let name = unit.path(*path)[0].of(&unit.text);
            return self.fail(format!("undefined variable: {}", String::from_utf8_lossy(name)));
        };
        if path.len() == 1 {
            let value = value.clone();
            self.not_a_function(unit, operand, arguments, last.as_ref())?;
            return Ok(value);
        }
        let names = unit.path(path.tail());
        if self.reads_only(arguments, last.as_ref())
            && let Some(found) = follow(value, unit, names)
        {
            return Ok(found);
        }
        let value = value.clone();
        self.path(unit, dot, &value, path.tail(), operand, arguments, last)
    }

    pub(super) fn chain(
        &mut self,
        unit: &Unit,
        dot: &Value,
        operand: Id,
        arguments: &[Id],
        last: Option<Value>,
    ) -> Exec<Value> {
        self.at = At::Operand(operand);
        let OperandKind::Chain { inner, path } = unit.operands[operand as usize].kind else {
            return self.fail("internal error: not a chain");
        };
        if matches!(unit.operands[inner as usize].kind, OperandKind::Nil) {
            return self.fail(format!("indirection through explicit nil in {}", unit.expression(self.at)));
        }
        let receiver = self.untyped(unit, dot, inner)?;
        self.path(unit, dot, &receiver, path, operand, arguments, last)
    }
}
