//! What branches decide, for a traced execution: about what is printed in them, and about what would have been.

use std::ops::Range;

use crate::call::CallCtx;
use crate::parse::tree::{Branch, Id, Node, OperandKind, Run, Unit};
use crate::trace::PieceKind;
use crate::value::{Data, Map, Origin, Str, Value};

/// A branch that is being executed.
pub(super) struct Decision {
    /// What decided before.
    outer: Origin,
    /// Where the output was.
    at: usize,
    /// The number of pieces there were.
    pieces: usize,
}

/// Functions that write into the map that is their first argument.
const WRITERS: [&str; 6] = ["set", "unset", "merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite"];

impl CallCtx<'_> {
    /// Begins a branch that a value has chosen by being true or not; `None` when nobody wants to know.
    pub(super) fn decide(&mut self, value: &Value) -> Option<Decision> {
        let by = self.trace.as_mut()?.truth(value);
        self.begin(by)
    }

    /// Begins a loop over what is in a value.
    pub(super) fn decide_loop(&mut self, value: &Value) -> Option<Decision> {
        let by = self.trace.as_mut()?.shallow(value);
        self.begin(by)
    }

    fn begin(&mut self, by: Origin) -> Option<Decision> {
        let trace = self.trace.as_mut()?;
        let outer = trace.decide(by);
        Some(Decision { outer, at: self.out.len(), pieces: trace.pieces() })
    }

    /// Ends a branch; `left` is the one that was not taken.
    pub(super) fn decided(&mut self, unit: &Unit, branch: &Branch, decision: Decision, left: Option<Run>) {
        self.say_nothing(unit, branch, &decision, left);
        // What follows a `break` depends on what decided about it, up to the loop's end.
        if let Some(trace) = self.trace.as_mut().filter(|_| !branch.jumps) {
            trace.set_control(decision.outer);
        }
    }

    /// Ends a loop.
    pub(super) fn looped(&mut self, unit: &Unit, branch: &Branch, decision: Decision) {
        self.say_nothing(unit, branch, &decision, Some(branch.body));
        if let Some(trace) = &mut self.trace {
            trace.set_control(decision.outer);
        }
    }

    /// Leaves a piece without bytes where nothing was printed and something could have been.
    fn say_nothing(&mut self, unit: &Unit, branch: &Branch, decision: &Decision, left: Option<Run>) {
        let printed = self.out.get(decision.at..).unwrap_or(&[]);
        if !printed.trim_ascii().is_empty() {
            return;
        }
        let Some(kind) = left.and_then(|left| first_print(unit, left, 0)) else { return };
        if let Some(trace) = &mut self.trace {
            trace.nothing(&self.template.unit, branch.pos, (decision.pieces, decision.at), kind);
        }
    }

    /// Marks the variables and maps that a branch would have written to; `dot` is `None` where it is not known.
    pub(super) fn left_out(&mut self, unit: &Unit, dot: Option<&Value>, left: Option<Run>) {
        // Branches in branches wait here: they may be nested deeper than the stack is.
        let mut work: Vec<(Range<usize>, Option<&Value>)> = left.map(|left| (left.of(), dot)).into_iter().collect();
        while let Some((nodes, dot)) = work.last_mut() {
            let dot = *dot;
            let Some(id) = nodes.next() else {
                work.pop();
                continue;
            };
            let (branch, inside) = match &unit.nodes[id] {
                Node::Text { .. } | Node::Break { .. } | Node::Continue { .. } | Node::Template { .. } => continue,
                Node::Action { pipe, .. } => {
                    self.left_pipe(unit, dot, *pipe);
                    continue;
                }
                Node::If(branch) => (branch, dot),
                Node::With(branch) | Node::Range(branch) => (branch, None),
            };
            self.left_pipe(unit, dot, branch.pipe);
            work.extend(branch.otherwise.map(|otherwise| (otherwise.of(), dot)));
            work.push((branch.body.of(), inside));
        }
    }

    fn left_pipe(&mut self, unit: &Unit, dot: Option<&Value>, id: Id) {
        let pipe = &unit.pipes[id as usize];
        if pipe.assigns {
            for variable in &unit.variables[pipe.declared.of()] {
                let slot = variable.slot.map(|slot| self.base + slot as usize);
                if let Some(value) = slot.and_then(|slot| self.variables.get_mut(slot))
                    && let Some(trace) = &mut self.trace
                {
                    let control = trace.control();
                    let origin = trace.with_control(value.origin(), control);
                    *value = std::mem::take(value).with_origin(origin);
                }
            }
        }
        for command in pipe.commands.of() {
            let operands = unit.operands_of(&unit.commands[command]);
            let writes = match unit.operands.get(operands[0] as usize).map(|operand| &operand.kind) {
                Some(OperandKind::Function { name, .. }) => {
                    std::str::from_utf8(unit.name_at(*name)).ok().filter(|name| WRITERS.contains(name))
                }
                _ => None,
            };
            if let Some(name) = writes
                && let Some(map) = operands.get(1).and_then(|operand| self.peek(unit, dot, *operand))
                && let Some(trace) = &mut self.trace
            {
                let control = trace.control();
                let key = if name.starts_with('m') { None } else { operands.get(2) };
                trace.touch(&map, key.and_then(|key| word(unit, *key)).as_ref(), control);
            }
            for operand in operands {
                if let OperandKind::Pipe(inner) = unit.operands[*operand as usize].kind {
                    self.left_pipe(unit, dot, inner);
                }
            }
        }
    }

    /// The map that an operand leads to, when that can be told without calling anything.
    fn peek(&self, unit: &Unit, dot: Option<&Value>, operand: Id) -> Option<Map> {
        let (start, path) = match &unit.operands[operand as usize].kind {
            OperandKind::Dot => (dot?.clone(), Default::default()),
            OperandKind::Field { path } => (dot?.clone(), *path),
            OperandKind::Variable { slot, path } => {
                (self.variables.get(self.base + (*slot)? as usize)?.clone(), path.tail())
            }
            _ => return None,
        };
        let mut here = start;
        for name in unit.path(path) {
            here = here.as_map()?.get(name.of(&unit.text))?;
        }
        match here.into_data() {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// A string operand.
fn word(unit: &Unit, operand: Id) -> Option<Str> {
    match unit.operands[operand as usize].kind {
        OperandKind::Str { literal, .. } => unit.literals[literal as usize].as_str().cloned(),
        _ => None,
    }
}

/// Deepest look for what a branch prints first.
const DEEPEST: usize = 32;

/// How what a branch prints would begin; `None` when it prints nothing.
fn first_print(unit: &Unit, body: Run, depth: usize) -> Option<PieceKind> {
    for id in body.of() {
        match &unit.nodes[id] {
            Node::Text { start, end } => {
                let text = &unit.text[*start as usize..*end as usize];
                let space = &text[..text.len() - text.trim_ascii_start().len()];
                if space.contains(&b'\n') {
                    return Some(PieceKind::NoLine);
                }
                if space.len() < text.len() {
                    return Some(PieceKind::NoValue);
                }
            }
            Node::Action { pipe, .. } => {
                let pipe = &unit.pipes[*pipe as usize];
                if !pipe.declared.is_empty() {
                    continue;
                }
                let last = pipe.commands.of().last().map(|command| unit.operands_of(&unit.commands[command])[0]);
                let own_line = last.is_some_and(|first| match &unit.operands[first as usize].kind {
                    OperandKind::Function { name, .. } => unit.name_at(*name) == b"nindent",
                    _ => false,
                });
                return Some(if own_line { PieceKind::NoLine } else { PieceKind::NoValue });
            }
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                if depth >= DEEPEST {
                    return Some(PieceKind::NoValue);
                }
                let otherwise = branch.otherwise.and_then(|otherwise| first_print(unit, otherwise, depth + 1));
                let body = first_print(unit, branch.body, depth + 1);
                match (body, otherwise) {
                    (None, None) => {}
                    (Some(PieceKind::NoValue), _) | (_, Some(PieceKind::NoValue)) => return Some(PieceKind::NoValue),
                    _ => return Some(PieceKind::NoLine),
                }
            }
            Node::Template { .. } => return Some(PieceKind::NoValue),
            Node::Break { .. } | Node::Continue { .. } => return None,
        }
    }
    None
}
