//! Parsed templates: flat tables in place of a tree of boxes, so that nothing nests deeper than an index.

use std::ops::Range;
use std::sync::Arc;

use super::number::Number;
use crate::format;
use crate::stack::Stack;
use crate::value::{Str, Value};

/// A place in one of a unit's tables.
pub(crate) type Id = u32;

/// A run of entries in one of a unit's tables.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Run {
    start: u32,
    end: u32,
}

impl Run {
    pub(crate) fn of(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// From its beginning to a later end.
    pub(crate) fn up_to(self, end: usize) -> Run {
        Run { start: self.start, end: end as u32 }
    }

    /// Without the first entry.
    pub(crate) fn tail(self) -> Run {
        Run { start: (self.start + 1).min(self.end), end: self.end }
    }
}

/// A stretch of a unit's text: a name as it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Span { start: start as u32, end: end as u32 }
    }

    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// Appends to a table and tells where.
pub(crate) fn run<T>(table: &mut Vec<T>, entries: impl IntoIterator<Item = T>) -> Run {
    let start = table.len() as u32;
    table.extend(entries);
    Run { start, end: table.len() as u32 }
}

/// All templates of one parsed text.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    /// The name under which the text was parsed.
    pub(crate) name: Arc<str>,
    pub(crate) text: Str,
    pub(crate) nodes: Vec<Node>,
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) commands: Vec<Command>,
    pub(crate) operand_ids: Vec<Id>,
    pub(crate) operands: Vec<Operand>,
    pub(crate) names: Vec<Span>,
    pub(crate) numbers: Vec<Number>,
    /// What strings stand for.
    pub(crate) literals: Vec<Value>,
}

/// A template: a list of nodes of its unit.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub(crate) name: Str,
    pub(crate) unit: Arc<Unit>,
    pub(crate) body: Run,
    /// Most variables alive at once, `$` included.
    pub(crate) slots: usize,
    /// Nothing but space and comments.
    pub(crate) empty: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Text { start: u32, end: u32 },
    Action { pos: u32, pipe: Id },
    Break { pos: u32 },
    Continue { pos: u32 },
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { pos: u32, name: Str, pipe: Option<Id> },
}

impl Node {
    /// Whether it may end the turn of a loop that it stands in.
    pub(crate) fn jumps(&self) -> bool {
        match self {
            Node::Break { .. } | Node::Continue { .. } => true,
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => branch.jumps,
            Node::Text { .. } | Node::Action { .. } | Node::Template { .. } => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) pos: u32,
    pub(crate) pipe: Id,
    pub(crate) body: Run,
    pub(crate) otherwise: Option<Run>,
    /// Whether a `break` or `continue` in it belongs to a loop around it.
    pub(crate) jumps: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Pipe {
    pub(crate) pos: u32,
    pub(crate) assigns: bool,
    pub(crate) declared: Run,
    pub(crate) commands: Run,
}

/// A variable that a pipeline declares or assigns.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) name: Span,
    /// Where its value lives; `None`: not declared here, which is an error when it is reached.
    pub(crate) slot: Option<u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) pos: u32,
    pub(crate) operands: Run,
}

#[derive(Debug, Clone)]
pub(crate) struct Operand {
    pub(crate) pos: u32,
    pub(crate) kind: OperandKind,
}

#[derive(Debug, Clone)]
pub(crate) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    /// A number and its text.
    Number {
        number: Id,
        start: u32,
        end: u32,
    },
    /// A string and its text.
    Str {
        literal: Id,
        start: u32,
        end: u32,
    },
    /// `.A.B`
    Field {
        path: Run,
    },
    /// `$x.A.B`; the first name is the variable's with its `$`.
    Variable {
        slot: Option<u32>,
        path: Run,
    },
    /// A function, by its number in the set.
    Function {
        function: Id,
        name: Id,
    },
    /// `(…).A.B` or `f.A`
    Chain {
        inner: Id,
        path: Run,
    },
    /// `(…)`
    Pipe(Id),
}

/// What is being executed, for error texts (Go's `state.at`).
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    Nothing,
    Node(Id),
    Pipe(Id),
    Command(Id),
    Operand(Id),
}

impl Unit {
    /// Tables for a text of that many bytes, with room for what templates usually hold.
    pub(crate) fn with_room_for(name: &str, bytes: usize) -> Self {
        let bytes = bytes.min(1 << 16);
        Unit {
            name: Arc::from(name),
            text: Str::default(),
            nodes: Vec::with_capacity(bytes / 40 + 2),
            pipes: Vec::with_capacity(bytes / 60 + 1),
            variables: Vec::new(),
            commands: Vec::with_capacity(bytes / 50 + 1),
            operand_ids: Vec::with_capacity(bytes / 25 + 1),
            operands: Vec::with_capacity(bytes / 25 + 1),
            names: Vec::with_capacity(bytes / 25 + 1),
            numbers: Vec::new(),
            literals: Vec::with_capacity(bytes / 80 + 1),
        }
    }

    /// How many nodes and operands there are.
    pub(crate) fn pieces(&self) -> usize {
        self.nodes.len() + self.operands.len()
    }

    /// Gives back what the tables have taken in advance: a chart's templates are many and stay for long.
    pub(crate) fn shrink(&mut self) {
        fn exact<T>(table: &mut Vec<T>) {
            let mut copy = Vec::with_capacity(table.len());
            copy.append(table);
            *table = copy;
        }
        exact(&mut self.nodes);
        exact(&mut self.pipes);
        exact(&mut self.variables);
        exact(&mut self.commands);
        exact(&mut self.operand_ids);
        exact(&mut self.operands);
        exact(&mut self.names);
        exact(&mut self.numbers);
        exact(&mut self.literals);
    }

    /// A name of the table.
    pub(crate) fn name_at(&self, name: Id) -> &[u8] {
        self.names[name as usize].of(&self.text)
    }

    /// The names of a path.
    pub(crate) fn path(&self, path: Run) -> &[Span] {
        &self.names[path.of()]
    }

    pub(crate) fn operands_of(&self, command: &Command) -> &[Id] {
        &self.operand_ids[command.operands.of()]
    }

    /// The byte where it begins.
    pub(crate) fn position(&self, at: At) -> usize {
        (match at {
            At::Nothing => 0,
            At::Node(id) => match &self.nodes[id as usize] {
                Node::Text { start, .. } => *start,
                Node::Action { pos, .. }
                | Node::Break { pos }
                | Node::Continue { pos }
                | Node::Template { pos, .. } => *pos,
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => branch.pos,
            },
            At::Pipe(id) => self.pipes[id as usize].pos,
            At::Command(id) => self.commands[id as usize].pos,
            At::Operand(id) => self.operands[id as usize].pos,
        }) as usize
    }

    /// Line from 1 and bytes in front of the place on its line.
    pub(crate) fn line_and_column(&self, position: usize) -> (u32, u32) {
        let before = &self.text[..position.min(self.text.len())];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        (line as u32, column as u32)
    }

    /// The expression written anew from the parse tree.
    pub(crate) fn expression(&self, at: At) -> String {
        let mut writer = Writer { unit: self, out: Vec::new(), stack: Stack::from_here() };
        match at {
            At::Nothing => {}
            At::Node(id) => writer.node(id),
            At::Pipe(id) => writer.pipe(id),
            At::Command(id) => writer.command(id),
            At::Operand(id) => writer.operand(id),
        }
        String::from_utf8(writer.out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

struct Writer<'u> {
    unit: &'u Unit,
    out: Vec<u8>,
    stack: Stack,
}

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn node(&mut self, id: Id) {
        match &self.unit.nodes[id as usize] {
            Node::Text { start, end } => {
                self.out.extend_from_slice(&self.unit.text[*start as usize..*end as usize]);
            }
            Node::Action { pipe, .. } => {
                self.put("{{");
                self.pipe(*pipe);
                self.put("}}");
            }
            Node::Break { .. } => self.put("{{break}}"),
            Node::Continue { .. } => self.put("{{continue}}"),
            Node::If(branch) => self.branch("if", branch),
            Node::With(branch) => self.branch("with", branch),
            Node::Range(branch) => self.branch("range", branch),
            Node::Template { name, pipe, .. } => {
                let name = format::quote(name);
                self.put("{{template ");
                self.put(&name);
                if let Some(pipe) = pipe {
                    self.put(" ");
                    self.pipe(*pipe);
                }
                self.put("}}");
            }
        }
    }

    /// Bodies are left out: no error is ever reported at a whole branch.
    fn branch(&mut self, word: &str, branch: &Branch) {
        self.put("{{");
        self.put(word);
        self.put(" ");
        self.pipe(branch.pipe);
        self.put("}}");
    }

    fn pipe(&mut self, id: Id) {
        if self.stack.is_used_up() {
            let grown = self.stack.grow(|stack| {
                let before = std::mem::replace(&mut self.stack, stack);
                self.pipe(id);
                self.stack = before;
            });
            if grown.is_none() {
                self.put("…");
            }
            return;
        }
        let pipe = &self.unit.pipes[id as usize];
        for (at, variable) in self.unit.variables[pipe.declared.of()].iter().enumerate() {
            if at > 0 {
                self.put(", ");
            }
            self.out.extend_from_slice(variable.name.of(&self.unit.text));
        }
        if !pipe.declared.is_empty() {
            self.put(if pipe.assigns { " = " } else { " := " });
        }
        for (at, command) in pipe.commands.of().enumerate() {
            if at > 0 {
                self.put(" | ");
            }
            self.command(command as Id);
        }
    }

    fn command(&mut self, id: Id) {
        let command = &self.unit.commands[id as usize];
        for (at, operand) in self.unit.operands_of(command).iter().enumerate() {
            if at > 0 {
                self.put(" ");
            }
            if let OperandKind::Pipe(pipe) = self.unit.operands[*operand as usize].kind {
                self.put("(");
                self.pipe(pipe);
                self.put(")");
            } else {
                self.operand(*operand);
            }
        }
    }

    fn path(&mut self, path: Run) {
        for name in self.unit.path(path) {
            self.put(".");
            self.out.extend_from_slice(name.of(&self.unit.text));
        }
    }

    fn operand(&mut self, id: Id) {
        match &self.unit.operands[id as usize].kind {
            OperandKind::Dot => self.put("."),
            OperandKind::Nil => self.put("nil"),
            OperandKind::Bool(truth) => self.put(if *truth { "true" } else { "false" }),
            OperandKind::Number { start, end, .. } | OperandKind::Str { start, end, .. } => {
                self.out.extend_from_slice(&self.unit.text[*start as usize..*end as usize]);
            }
            OperandKind::Field { path } => self.path(*path),
            OperandKind::Variable { path, .. } => {
                for (at, name) in self.unit.path(*path).iter().enumerate() {
                    if at > 0 {
                        self.put(".");
                    }
                    self.out.extend_from_slice(name.of(&self.unit.text));
                }
            }
            OperandKind::Function { name, .. } => self.out.extend_from_slice(self.unit.name_at(*name)),
            OperandKind::Chain { inner, path } => {
                if let OperandKind::Pipe(pipe) = self.unit.operands[*inner as usize].kind {
                    self.put("(");
                    self.pipe(pipe);
                    self.put(")");
                } else {
                    self.operand(*inner);
                }
                self.path(*path);
            }
            OperandKind::Pipe(pipe) => self.pipe(*pipe),
        }
    }
}
