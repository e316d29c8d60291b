use std::sync::Arc;

use super::Exec;
use crate::call::CallCtx;
use crate::error::{Cause, Limit};
use crate::format;
use crate::parse::tree::{At, Branch, Id, Node, Run, Template, Unit};
use crate::value::{Data, Type, Value};

/// Steps that beginning and ending a template takes beside those in it.
const ENTERED: u64 = 10;

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
}

impl CallCtx<'_> {
    /// Executes a template with its own variables, into the current output.
    pub(crate) fn enter(&mut self, template: &Arc<Template>, dot: &Value) -> Exec<()> {
        if self.depth >= self.limits.depth {
            return self.fail_with(Cause::Limit(Limit::Depth(self.limits.depth)));
        }
        self.steps += ENTERED;
        self.depth += 1;
        let base = std::mem::replace(&mut self.base, self.variables.len());
        let outer = std::mem::replace(&mut self.template, Arc::clone(template));
        self.variables.push(dot.clone());
        self.variables.resize(self.base + template.slots, Value::nil());
        let result = self.walk(&template.unit, dot, template.body);
        self.variables.truncate(self.base);
        self.base = base;
        self.template = outer;
        self.depth -= 1;
        result.map(drop)
    }

    /// Executes a list of nodes.
    fn walk(&mut self, unit: &Unit, dot: &Value, body: Run) -> Exec<Flow> {
        if self.stack.is_used_up() {
            let outer = self.stack;
            let result = outer.grow(|stack| {
                self.stack = stack;
                let result = self.walk(unit, dot, body);
                self.stack = outer;
                result
            });
            return match result {
                Some(result) => result,
                None => self.fail_with(Cause::Limit(Limit::Depth(self.limits.depth))),
            };
        }
        for id in body.of() {
            self.step(1)?;
            let pending = self.made.pending;
            let flow = match &unit.nodes[id] {
                Node::Text { start, end } => {
                    self.write(&unit.text[*start as usize..*end as usize])?;
                    if let Some(trace) = &mut self.trace {
                        trace.text(
                            &self.template.unit,
                            *start,
                            self.out.len() - (*end - *start) as usize,
                            self.out.len(),
                        );
                    }
                    Flow::Next
                }
                Node::Action { pos, pipe } => {
                    let value = self.pipeline(unit, dot, *pipe)?;
                    if unit.pipes[*pipe as usize].declared.is_empty() {
                        self.print(*pos, &value)?;
                    }
                    Flow::Next
                }
                Node::Break { .. } => Flow::Break,
                Node::Continue { .. } => Flow::Continue,
                Node::If(branch) => {
                    let value = self.pipeline(unit, dot, branch.pipe)?;
                    self.either(unit, dot, branch, &value, dot)?
                }
                Node::With(branch) => {
                    let value = self.pipeline(unit, dot, branch.pipe)?;
                    self.either(unit, dot, branch, &value, &value)?
                }
                Node::Range(branch) => self.range(unit, dot, id as Id, branch)?,
                Node::Template { name, pipe, .. } => {
                    self.at = At::Node(id as Id);
                    let Some(template) = self.find(name) else {
                        return self.fail(format!("template {} not defined", format::quote(name)));
                    };
                    let dot = match pipe {
                        Some(pipe) => self.pipeline(unit, dot, *pipe)?,
                        None => Value::nil(),
                    };
                    let at = self.at;
                    self.enter(&template, &dot)?;
                    self.at = at;
                    Flow::Next
                }
            };
            self.made.pending = pending;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// One of two branches; `inside` is what the dot is in the first.
    fn either(&mut self, unit: &Unit, dot: &Value, branch: &Branch, value: &Value, inside: &Value) -> Exec<Flow> {
        let body = Some(branch.body);
        let (taken, left, dot_there) =
            if value.truth() { (body, branch.otherwise, inside) } else { (branch.otherwise, body, dot) };
        let decision = self.decide(value);
        if decision.is_some() {
            self.left_out(unit, Some(dot), left);
        }
        let flow = match taken {
            Some(taken) => self.walk(unit, dot_there, taken)?,
            None => Flow::Next,
        };
        if let Some(decision) = decision {
            self.decided(unit, branch, decision, left);
        }
        Ok(flow)
    }

    fn range(&mut self, unit: &Unit, dot: &Value, id: Id, branch: &Branch) -> Exec<Flow> {
        self.at = At::Node(id);
        let mut value = self.pipeline(unit, dot, branch.pipe)?;
        if let Data::Host(host) = value.data()
            && let Some(below) = host.underlying()
        {
            value = below.with_origin(value.origin());
        }
        let decision = self.decide_loop(&value);
        let mut ran = false;
        let declared = unit.pipes[branch.pipe as usize].declared.len();
        match value.data() {
            Data::Nil => {}
            Data::List(list) => {
                for (index, element) in list.values().iter().enumerate() {
                    ran = true;
                    let element = self.item(&value, element.clone()).into_boxed(list.element());
                    if !self.turn(unit, branch, Value::int(index as i64), element)? {
                        break;
                    }
                }
            }
            Data::Bytes(bytes) => {
                for (index, byte) in bytes.iter().enumerate() {
                    ran = true;
                    if !self.turn(unit, branch, Value::int(index as i64), Value::from(Data::Uint8(*byte)))? {
                        break;
                    }
                }
            }
            Data::Map(map) => {
                for (key, element) in map.entries() {
                    ran = true;
                    let element = self.element(map, &key, value.origin(), element).into_boxed(map.element());
                    let key = self.key_of(key, &element);
                    if !self.turn(unit, branch, key, element)? {
                        break;
                    }
                }
            }
            Data::Int(_) | Data::Int32(_) | Data::Int64(_) | Data::Uint(_) | Data::Uint8(_) | Data::Uint64(_) => {
                if declared > 1 {
                    let shown = String::from_utf8_lossy(&format::display(&value)).into_owned();
                    return self.fail(format!("can't use {shown} to iterate over more than one variable"));
                }
                let end = value.as_i64().unwrap_or(i64::MAX);
                for number in 0..end {
                    ran = true;
                    let number = Value::from(match value.data() {
                        Data::Int32(_) => Data::Int32(number as i32),
                        Data::Int64(_) => Data::Int64(number),
                        Data::Uint(_) => Data::Uint(number as u64),
                        Data::Uint8(_) => Data::Uint8(number as u8),
                        Data::Uint64(_) => Data::Uint64(number as u64),
                        _ => Data::Int(number),
                    });
                    if !self.turn(unit, branch, Value::nil(), number)? {
                        break;
                    }
                }
            }
            _ => {
                let shown = String::from_utf8_lossy(&format::display(&value)).into_owned();
                return self.fail(format!("range can't iterate over {shown}"));
            }
        }
        if decision.is_some() && !ran {
            self.left_out(unit, None, Some(branch.body));
        }
        let flow = match branch.otherwise {
            Some(otherwise) if !ran => self.walk(unit, dot, otherwise)?,
            _ => Flow::Next,
        };
        if let Some(decision) = decision {
            self.looped(unit, branch, decision);
        }
        Ok(flow)
    }

    /// One turn of a loop; whether there should be another.
    fn turn(&mut self, unit: &Unit, branch: &Branch, index: Value, element: Value) -> Exec<bool> {
        self.step(1)?;
        match &unit.variables[unit.pipes[branch.pipe as usize].declared.of()] {
            [] => {}
            [only] => self.assign(unit, only, element.clone())?,
            [first, second, ..] => {
                self.assign(unit, first, index)?;
                self.assign(unit, second, element.clone())?;
            }
        }
        Ok(self.walk(unit, &element, branch.body)? != Flow::Break)
    }

    fn write(&mut self, bytes: &[u8]) -> Exec<()> {
        self.out.extend_from_slice(bytes);
        self.wrote(bytes.len())
    }

    pub(crate) fn wrote(&mut self, count: usize) -> Exec<()> {
        self.bytes += count as u64;
        if self.bytes > self.granted_bytes && !self.grant_bytes() {
            return self.fail_with(Cause::Limit(Limit::OutputBytes(self.limits.output_bytes)));
        }
        Ok(())
    }

    fn print(&mut self, pos: u32, value: &Value) -> Exec<()> {
        if let Err(error) = format::check_depth(std::slice::from_ref(value)) {
            return self.fail(error.to_string());
        }
        let before = self.out.len();
        match value.data() {
            Data::Str(text) => self.out.extend_from_slice(text),
            Data::Nil => self.out.extend_from_slice(b"<no value>"),
            Data::Host(host) => match host.printed() {
                Some(text) => self.out.extend_from_slice(&text),
                None => format::append_display(&mut self.out, value),
            },
            _ => format::append_display(&mut self.out, value),
        }
        let end = self.out.len();
        if let Some(trace) = &mut self.trace {
            trace.value(&self.template.unit, pos, value, &self.out, before);
        }
        if end - before > crate::budget::MAX_TEXT {
            return self.fail_with(Cause::Limit(Limit::OutputBytes(crate::budget::MAX_TEXT as u64)));
        }
        // A text is copied, anything else is written out.
        if !matches!(value.data(), Data::Str(_)) {
            self.step(crate::budget::steps_of_writing(end - before))?;
        }
        self.wrote(end - before)
    }
}

/// The value in a slot's type: only for zero values of missing keys.
pub(super) fn boxed_zero(element: Type) -> Value {
    element.zero().into_boxed(element)
}
