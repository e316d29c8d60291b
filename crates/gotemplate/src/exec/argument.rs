use super::Exec;
use crate::call::CallCtx;
use crate::parse::tree::{At, Id, OperandKind, Unit};
use crate::value::{Data, Type, Value};

impl CallCtx<'_> {
    /// An operand as an argument for a parameter of that type.
    pub(super) fn argument(&mut self, unit: &Unit, dot: &Value, operand: Id, wanted: Type) -> Exec<Value> {
        self.at = At::Operand(operand);
        let value = match &unit.operands[operand as usize].kind {
            OperandKind::Nil => {
                if wanted.can_be_nil() {
                    return Ok(wanted.zero());
                }
                return self.fail(format!("cannot assign nil to {wanted}"));
            }
            OperandKind::Bool(_) | OperandKind::Number { .. } | OperandKind::Str { .. } => {
                return self.literal(unit, operand, wanted);
            }
            _ => self.untyped(unit, dot, operand)?,
        };
        self.fitting(value, wanted)
    }

    /// An operand where no type is wanted; literals keep their own.
    pub(super) fn untyped(&mut self, unit: &Unit, dot: &Value, operand: Id) -> Exec<Value> {
        self.at = At::Operand(operand);
        match &unit.operands[operand as usize].kind {
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => Ok(Value::nil()),
            OperandKind::Bool(truth) => Ok(Value::from(*truth)),
            OperandKind::Number { number, .. } => self.ideal(unit, operand, *number),
            OperandKind::Str { literal, .. } => Ok(unit.literals[*literal as usize].clone()),
            OperandKind::Field { path } => self.path(unit, dot, dot, *path, operand, &[], None),
            OperandKind::Variable { .. } => self.variable(unit, dot, operand, &[], None),
            OperandKind::Function { function, .. } => {
                self.function(unit, dot, *function, At::Operand(operand), &[], None)
            }
            OperandKind::Chain { .. } => self.chain(unit, dot, operand, &[], None),
            OperandKind::Pipe(pipe) => self.pipeline(unit, dot, *pipe),
        }
    }

    fn literal(&mut self, unit: &Unit, operand: Id, wanted: Type) -> Exec<Value> {
        let kind = &unit.operands[operand as usize].kind;
        let number = match kind {
            OperandKind::Number { number, .. } => Some(&unit.numbers[*number as usize]),
            _ => None,
        };
        let int = number.and_then(|number| number.int);
        let uint = number.and_then(|number| number.uint);
        let (value, expected) = match wanted {
            Type::Any | Type::Reflect => {
                return match kind {
                    OperandKind::Number { number, .. } => self.ideal(unit, operand, *number),
                    OperandKind::Str { literal, .. } => Ok(unit.literals[*literal as usize].clone()),
                    OperandKind::Bool(truth) => Ok(Value::from(*truth)),
                    _ => Ok(Value::nil()),
                };
            }
            Type::String => match kind {
                OperandKind::Str { literal, .. } => return Ok(unit.literals[*literal as usize].clone()),
                _ => (None, "string"),
            },
            Type::Bool => match kind {
                OperandKind::Bool(truth) => return Ok(Value::from(*truth)),
                _ => (None, "bool"),
            },
            Type::Int => (int.map(Data::Int), "integer"),
            Type::Int32 => (int.map(|int| Data::Int32(int as i32)), "integer"),
            Type::Int64 => (int.map(Data::Int64), "integer"),
            Type::Uint => (uint.map(Data::Uint), "unsigned integer"),
            Type::Uint8 => (uint.map(|uint| Data::Uint8(uint as u8)), "unsigned integer"),
            Type::Uint64 => (uint.map(Data::Uint64), "unsigned integer"),
            Type::Float64 => (number.and_then(|number| number.float).map(Data::Float), "float"),
            Type::Complex128 => {
                (number.and_then(|number| number.complex).map(|parts| Data::Complex(Box::new(parts))), "complex")
            }
            Type::Bytes | Type::List(_) | Type::Map(_) | Type::Host(_) => {
                let shown = unit.expression(At::Operand(operand));
                return self.fail(format!("can't handle {shown} for arg of type {wanted}"));
            }
        };
        match value {
            Some(value) => Ok(Value::from(value)),
            None => self.fail(format!("expected {expected}; found {}", unit.expression(At::Operand(operand)))),
        }
    }

    /// The value, if Go would let it be assigned to the type (upstream `validateType`).
    pub(super) fn fitting(&self, value: Value, wanted: Type) -> Exec<Value> {
        if value.is_nil() && !value.boxed {
            if wanted.can_be_nil() {
                return Ok(wanted.zero().with_origin(value.origin()));
            }
            return self.fail(format!("invalid value; expected {wanted}"));
        }
        match wanted {
            Type::Reflect => return Ok(value),
            Type::Any => {
                let copied = match value.data() {
                    Data::Host(host) => host.copied().map(|copy| copy.with_origin(value.origin())),
                    _ => None,
                };
                return Ok(copied.unwrap_or_else(|| value.unboxed()));
            }
            _ => {}
        }
        if value.is_nil() {
            return self.fail(format!("wrong type for value; expected {wanted}; got interface {{}}"));
        }
        let value = value.unboxed();
        if !wanted.accepts(&value) {
            return self.fail(format!("wrong type for value; expected {wanted}; got {}", value.type_name()));
        }
        match value.data() {
            // A defined map or slice type becomes the plain one below it.
            Data::Map(map) if map.name().is_some() => Ok(Value::from(map.named(None)).with_origin(value.origin())),
            Data::Host(host) if !matches!(wanted, Type::Host(_)) => {
                Ok(host.underlying().unwrap_or_default().with_origin(value.origin()))
            }
            _ => Ok(value),
        }
    }
}
