//! The parser; `text/template/parse/parse.go`, with variables resolved to slots on the way.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::lex::{Item, Keywords, Kind, Lexer};
use super::number;
use super::tree::{Branch, Command, Id, Node, Operand, OperandKind, Pipe, Run, Span, Template, Unit, Variable, run};
use crate::error::ParseError;
use crate::format;
use crate::func::Functions;
use crate::stack::Stack;
use crate::value::{Str, Value};

/// Go's limit for parentheses in parentheses.
const MAX_PAREN_DEPTH: u32 = 10_000;
/// Ours for control structures in each other, more than the largest file that Helm reads (5 MiB) has room for; Go has none and runs out
/// of memory.
const MAX_CONTROL_DEPTH: u32 = 420_000;

/// Most operands in one text, of which every action has one at least; Go has no limit.
pub const MAX_TEXT_PIECES: usize = 200_000;

type Parsed<T> = Result<T, Box<ParseError>>;

/// How long what has been parsed is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// For a while, among many: it takes no more room than it needs.
    Long,
    /// For one execution.
    Short,
}

/// Parses a text: the template of its own name comes last, what it defines before.
pub(crate) fn parse(name: &str, text: &Str, functions: &Functions, stay: Stay) -> Result<Vec<Template>, ParseError> {
    if u32::try_from(text.len()).is_err() {
        return Err(ParseError { name: name.to_owned(), line: 1, message: "text is larger than 4 GiB".to_owned() });
    }
    let keywords = Keywords {
        break_allowed: functions.find("break").is_none(),
        continue_allowed: functions.find("continue").is_none(),
    };
    let mut parser = Parser {
        source: text,
        functions,
        lexer: Lexer::new(text, keywords),
        unit: Unit::with_room_for(name, text.len()),
        tree: Tree::new(Str::from(name)),
        finished: Vec::new(),
        places: FxHashMap::default(),
        stack: Stack::from_here(),
        control_depth: 0,
    };
    parser.top_level().map_err(|error| *error)?;
    let Parser { mut unit, finished, .. } = parser;
    unit.text = text.clone();
    if stay == Stay::Long {
        unit.shrink();
    }
    let unit = Arc::new(unit);
    Ok(finished
        .into_iter()
        .map(|tree| Template {
            name: tree.name,
            unit: Arc::clone(&unit),
            body: tree.body,
            slots: tree.slots,
            empty: tree.empty,
        })
        .collect())
}

/// A template that has been read to its end.
struct Finished {
    name: Str,
    body: Run,
    slots: usize,
    empty: bool,
}

/// What belongs to one template while it is read: Go's `Tree`.
struct Tree<'t> {
    name: Str,
    /// The last items read, the newest first; up to three are given back.
    tokens: [Item; 3],
    given_back: usize,
    /// Variables that may be named, as Go's parser sees them.
    known: Vec<&'t [u8]>,
    /// Variables that are there when this point is executed, as Go's executor sees them; their index is their slot.
    scope: Vec<&'t [u8]>,
    slots: usize,
    action_line: u32,
    range_depth: u32,
    paren_depth: u32,
}

impl<'t> Tree<'t> {
    fn new(name: Str) -> Self {
        let nothing = || Item { kind: Kind::Eof, start: 0, end: 0, line: 0 };
        Tree {
            name,
            tokens: [nothing(), nothing(), nothing()],
            given_back: 0,
            known: vec![b"$"],
            scope: vec![b"$"],
            slots: 1,
            action_line: 0,
            range_depth: 0,
            paren_depth: 0,
        }
    }

    fn declare(&mut self, name: &'t [u8]) -> u32 {
        self.scope.push(name);
        self.slots = self.slots.max(self.scope.len());
        self.scope.len() as u32 - 1
    }

    fn slot(&self, name: &[u8]) -> Option<u32> {
        self.scope.iter().rposition(|known| *known == name).map(|slot| slot as u32)
    }
}

struct Parser<'t> {
    source: &'t [u8],
    functions: &'t Functions,
    lexer: Lexer<'t>,
    unit: Unit,
    tree: Tree<'t>,
    finished: Vec<Finished>,
    /// Where each name is among the finished: a text may define a hundred thousand.
    places: FxHashMap<Str, usize>,
    stack: Stack,
    control_depth: u32,
}

/// Where a list of nodes ended.
enum Ending {
    End,
    /// At an `else`; an `if` or `with` may be waiting behind it.
    Else,
}

/// A node, or the end of a list.
enum Step {
    Node(Node),
    Ending(Ending),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Control {
    If,
    With,
    Range,
}

impl Control {
    fn context(self) -> &'static str {
        match self {
            Control::If => "if",
            Control::With => "with",
            Control::Range => "range",
        }
    }
}

impl<'t> Parser<'t> {
    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        let line = self.tree.tokens[0].line;
        Err(Box::new(ParseError { name: self.unit.name.as_ref().to_owned(), line, message: message.into() }))
    }

    fn unexpected<T>(&self, item: &Item, context: &str) -> Parsed<T> {
        let shown = item.describe(self.source, self.lexer.problem());
        if item.kind != Kind::Error {
            return self.fail(format!("unexpected {shown} in {context}"));
        }
        let mut extra = String::new();
        if self.tree.action_line != 0 && self.tree.action_line != item.line {
            let action = if shown.ends_with(" action") { "" } else { " in action" };
            extra = format!("{action} started at {}:{}", self.unit.name, self.tree.action_line);
        }
        self.fail(format!("{shown}{extra}"))
    }

    fn next(&mut self) -> Item {
        if self.tree.given_back > 0 {
            self.tree.given_back -= 1;
        } else {
            self.tree.tokens[0] = self.lexer.next_item();
        }
        self.tree.tokens[self.tree.given_back]
    }

    fn back(&mut self) {
        self.tree.given_back += 1;
    }

    fn back2(&mut self, first: Item) {
        self.tree.tokens[1] = first;
        self.tree.given_back = 2;
    }

    fn back3(&mut self, first: Item, second: Item) {
        self.tree.tokens[1] = second;
        self.tree.tokens[2] = first;
        self.tree.given_back = 3;
    }

    fn peek(&mut self) -> Item {
        let item = self.next();
        self.back();
        item
    }

    fn next_non_space(&mut self) -> Item {
        loop {
            let item = self.next();
            if item.kind != Kind::Space {
                return item;
            }
        }
    }

    fn peek_non_space(&mut self) -> Item {
        let item = self.next_non_space();
        self.back();
        item
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Item> {
        let item = self.next_non_space();
        if item.kind == kind { Ok(item) } else { self.unexpected(&item, context) }
    }

    fn unquoted(&self, item: &Item) -> Parsed<Str> {
        match format::quote::unquote(item.text(self.source)) {
            Some(text) => Ok(Str::new(&text)),
            None => self.fail("invalid syntax"),
        }
    }

    /// Continues on a larger stack where this one is used up.
    fn deep<T: Send>(&mut self, work: impl FnOnce(&mut Self) -> Parsed<T> + Send) -> Parsed<T> {
        if !self.stack.is_used_up() {
            return work(self);
        }
        let outer = self.stack;
        let result = outer.grow(|stack| {
            self.stack = stack;
            let result = work(self);
            self.stack = outer;
            result
        });
        result.unwrap_or_else(|| self.fail("max expression depth exceeded"))
    }

    /// A whole text: nodes, and definitions between them.
    fn top_level(&mut self) -> Parsed<()> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let delim = self.next();
                if self.next_non_space().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.back2(delim);
            }
            match self.text_or_action()? {
                Step::Node(node) => nodes.push(node),
                Step::Ending(ending) => return self.fail(format!("unexpected {}", written(&ending))),
            }
        }
        let (body, empty) = self.list(nodes);
        self.finish(body, empty)
    }

    /// Stores a list of nodes.
    fn list(&mut self, nodes: Vec<Node>) -> (Run, bool) {
        let empty = nodes.iter().all(|node| match node {
            Node::Text { start, end } => std::str::from_utf8(&self.source[*start as usize..*end as usize])
                .is_ok_and(|text| text.trim().is_empty()),
            _ => false,
        });
        (run(&mut self.unit.nodes, nodes), empty)
    }

    /// Keeps the template that has been read, unless there is one of its name with a body already.
    fn finish(&mut self, body: Run, empty: bool) -> Parsed<()> {
        let finished = Finished { name: self.tree.name.clone(), body, slots: self.tree.slots, empty };
        match self.places.get(&finished.name).and_then(|place| self.finished.get_mut(*place)) {
            None => {
                self.places.insert(finished.name.clone(), self.finished.len());
                self.finished.push(finished);
            }
            Some(other) if other.empty => *other = finished,
            Some(_) if !empty => {
                let name = format::quote(&self.tree.name);
                return self.fail(format!("template: multiple definition of template {name}"));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Reads a template's body up to its end in a tree of its own.
    fn inner_template(
        &mut self,
        inner: Tree<'t>,
        context: &str,
        name: impl FnOnce(&mut Self) -> Parsed<()>,
    ) -> Parsed<()> {
        let outer = std::mem::replace(&mut self.tree, inner);
        name(self)?;
        let (nodes, ending) = self.item_list()?;
        if let Ending::Else = ending {
            return self.fail(format!("unexpected {{{{else}}}} in {context}"));
        }
        let (body, empty) = self.list(nodes);
        self.finish(body, empty)?;
        self.tree = outer;
        Ok(())
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        self.inner_template(Tree::new(Str::from("definition")), CONTEXT, |parser| {
            let item = parser.next_non_space();
            if !matches!(item.kind, Kind::String | Kind::RawString) {
                return parser.unexpected(&item, CONTEXT);
            }
            parser.tree.name = parser.unquoted(&item)?;
            parser.expect(Kind::RightDelim, CONTEXT).map(drop)
        })
    }

    fn item_list(&mut self) -> Parsed<(Vec<Node>, Ending)> {
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Step::Node(node) => nodes.push(node),
                Step::Ending(ending) => return Ok((nodes, ending)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Step> {
        let item = self.next_non_space();
        match item.kind {
            Kind::Text => Ok(Step::Node(Node::Text { start: item.start as u32, end: item.end as u32 })),
            Kind::LeftDelim => {
                self.tree.action_line = item.line;
                let step = self.action();
                self.tree.action_line = 0;
                step
            }
            _ => self.unexpected(&item, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Step> {
        let item = self.next_non_space();
        let pos = item.start as u32;
        match item.kind {
            Kind::Block => self.block().map(Step::Node),
            Kind::Break => {
                self.jump("{{break}}")?;
                Ok(Step::Node(Node::Break { pos }))
            }
            Kind::Continue => {
                self.jump("{{continue}}")?;
                Ok(Step::Node(Node::Continue { pos }))
            }
            Kind::Else => {
                let next = self.peek_non_space();
                if !matches!(next.kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                Ok(Step::Ending(Ending::Else))
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                Ok(Step::Ending(Ending::End))
            }
            Kind::If => self.control(Control::If).map(Step::Node),
            Kind::Range => self.control(Control::Range).map(Step::Node),
            Kind::With => self.control(Control::With).map(Step::Node),
            Kind::Template => self.template().map(Step::Node),
            _ => {
                self.back();
                let pos = self.peek().start as u32;
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                Ok(Step::Node(Node::Action { pos, pipe }))
            }
        }
    }

    fn jump(&mut self, word: &str) -> Parsed<()> {
        let item = self.next_non_space();
        if item.kind != Kind::RightDelim {
            return self.unexpected(&item, word);
        }
        if self.tree.range_depth == 0 {
            return self.fail(format!("{word} outside {{{{range}}}}"));
        }
        Ok(())
    }

    /// `if`, `with` or `range` with all that belongs to it, on a larger stack where needed.
    fn control(&mut self, control: Control) -> Parsed<Node> {
        if self.control_depth >= MAX_CONTROL_DEPTH {
            return self.fail("control structures are nested too deeply");
        }
        self.control_depth += 1;
        let node = self.deep(move |parser| parser.control_here(control));
        self.control_depth -= 1;
        node
    }

    fn control_here(&mut self, control: Control) -> Parsed<Node> {
        let known = self.tree.known.len();
        let scope = self.tree.scope.len();
        let pipe = self.pipeline(control.context(), Kind::RightDelim)?;
        let inner_scope = self.tree.scope.len();
        if control == Control::Range {
            self.tree.range_depth += 1;
        }
        let (nodes, ending) = self.item_list()?;
        if control == Control::Range {
            self.tree.range_depth -= 1;
        }
        // A loop's own jumps are its own; those behind its `else` belong to the loop around it.
        let mut jumps = control != Control::Range && nodes.iter().any(Node::jumps);
        let body = self.list(nodes).0;
        let mut otherwise = None;
        if let Ending::Else = ending {
            // What the first list declared is not there in the second, though the parser lets it be named.
            self.tree.scope.truncate(inner_scope);
            let waiting = self.peek().kind;
            let chained = match (control, waiting) {
                (Control::If, Kind::If) => Some(Control::If),
                (Control::With, Kind::With) => Some(Control::With),
                _ => None,
            };
            if let Some(chained) = chained {
                self.next();
                let node = self.control(chained)?;
                jumps |= node.jumps();
                otherwise = Some(self.list(vec![node]).0);
            } else {
                let (nodes, ending) = self.item_list()?;
                if let Ending::Else = ending {
                    return self.fail("expected end; found {{else}}");
                }
                jumps |= nodes.iter().any(Node::jumps);
                otherwise = Some(self.list(nodes).0);
            }
        }
        self.tree.known.truncate(known);
        self.tree.scope.truncate(scope);
        let pos = self.unit.pipes[pipe as usize].pos;
        let branch = Branch { pos, pipe, body, otherwise, jumps };
        Ok(match control {
            Control::If => Node::If(branch),
            Control::With => Node::With(branch),
            Control::Range => Node::Range(branch),
        })
    }

    fn template_name(&mut self, item: &Item, context: &str) -> Parsed<Str> {
        if !matches!(item.kind, Kind::String | Kind::RawString) {
            return self.unexpected(item, context);
        }
        self.unquoted(item)
    }

    fn block(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let item = self.next_non_space();
        let name = self.template_name(&item, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        let inner = Tree::new(name.clone());
        if self.control_depth >= MAX_CONTROL_DEPTH {
            return self.fail("control structures are nested too deeply");
        }
        self.control_depth += 1;
        self.deep(move |parser| parser.inner_template(inner, CONTEXT, |_| Ok(())))?;
        self.control_depth -= 1;
        Ok(Node::Template { pos: item.start as u32, name, pipe: Some(pipe) })
    }

    fn template(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let item = self.next_non_space();
        let name = self.template_name(&item, CONTEXT)?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelim {
            self.back();
            pipe = Some(self.pipeline(CONTEXT, Kind::RightDelim)?);
        }
        Ok(Node::Template { pos: item.start as u32, name, pipe })
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Id> {
        let pos = self.peek_non_space().start as u32;
        let mut declared: SmallVec<[Item; 2]> = SmallVec::new();
        let mut assigns = false;
        loop {
            let item = self.peek_non_space();
            if item.kind != Kind::Variable {
                break;
            }
            self.next();
            let after = self.peek();
            let next = self.peek_non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    assigns = next.kind == Kind::Assign;
                    self.next_non_space();
                    self.tree.known.push(item.text(self.source));
                    declared.push(item);
                }
                Kind::Char if next.text(self.source) == b"," => {
                    self.next_non_space();
                    self.tree.known.push(item.text(self.source));
                    declared.push(item);
                    if context == "range" && declared.len() < 2 {
                        match self.peek_non_space().kind {
                            Kind::Variable | Kind::RightDelim | Kind::RightParen => continue,
                            _ => return self.fail("range can only initialize variables"),
                        }
                    }
                    return self.fail(format!("too many declarations in {context}"));
                }
                _ if after.kind == Kind::Space => self.back3(item, after),
                _ => self.back2(item),
            }
            break;
        }
        let mut commands: SmallVec<[Command; 6]> = SmallVec::new();
        loop {
            let item = self.next_non_space();
            match item.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back();
                    commands.push(self.command()?);
                }
                _ => return self.unexpected(&item, context),
            }
        }
        if commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (at, command) in commands.iter().enumerate().skip(1) {
            let first = self.unit.operands_of(command)[0];
            if matches!(
                self.unit.operands[first as usize].kind,
                OperandKind::Bool(_)
                    | OperandKind::Dot
                    | OperandKind::Nil
                    | OperandKind::Number { .. }
                    | OperandKind::Str { .. }
            ) {
                return self.fail(format!("non executable command in pipeline stage {}", at + 1));
            }
        }
        let (tree, source) = (&mut self.tree, self.source);
        let variables = declared.into_iter().map(|item| {
            let name = item.text(source);
            let slot = if assigns { tree.slot(name) } else { Some(tree.declare(name)) };
            Variable { name: Span::new(item.start, item.end), slot }
        });
        let declared = run(&mut self.unit.variables, variables);
        let commands = run(&mut self.unit.commands, commands);
        self.unit.pipes.push(Pipe { pos, assigns, declared, commands });
        Ok(self.unit.pipes.len() as Id - 1)
    }

    fn command(&mut self) -> Parsed<Command> {
        let pos = self.peek_non_space().start as u32;
        let mut operands: SmallVec<[Id; 6]> = SmallVec::new();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                operands.push(operand);
            }
            if self.unit.operands.len() > MAX_TEXT_PIECES {
                return self.fail(format!("text has more than {MAX_TEXT_PIECES} operands"));
            }
            let item = self.next();
            match item.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.back(),
                Kind::Pipe => {}
                _ => return self.unexpected(&item, "operand"),
            }
            break;
        }
        if operands.is_empty() {
            return self.fail("empty command");
        }
        let operands = run(&mut self.unit.operand_ids, operands);
        Ok(Command { pos, operands })
    }

    fn store(&mut self, pos: usize, kind: OperandKind) -> Id {
        self.unit.operands.push(Operand { pos: pos as u32, kind });
        self.unit.operands.len() as Id - 1
    }

    /// A term, perhaps with fields behind it.
    fn operand(&mut self) -> Parsed<Option<Id>> {
        let Some(term) = self.term()? else { return Ok(None) };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(term));
        }
        // The names of a field or variable are the last in the table; those behind it follow them.
        let path = match &self.unit.operands[term as usize].kind {
            OperandKind::Field { path } | OperandKind::Variable { path, .. } => *path,
            _ => run(&mut self.unit.names, []),
        };
        while self.peek().kind == Kind::Field {
            let item = self.next();
            self.unit.names.push(Span::new(item.start + 1, item.end));
        }
        let path = path.up_to(self.unit.names.len());
        let kind = match self.unit.operands[term as usize].kind {
            OperandKind::Bool(_)
            | OperandKind::Str { .. }
            | OperandKind::Number { .. }
            | OperandKind::Nil
            | OperandKind::Dot => {
                let shown = self.unit_text(term);
                return self.fail(format!("unexpected . after term {}", format::quote(&shown)));
            }
            OperandKind::Field { .. } => OperandKind::Field { path },
            OperandKind::Variable { slot, .. } => OperandKind::Variable { slot, path },
            _ => return Ok(Some(self.store(first.start, OperandKind::Chain { inner: term, path }))),
        };
        // Go gives the whole operand the place of its second field.
        self.unit.operands[term as usize] = Operand { pos: first.start as u32, kind };
        Ok(Some(term))
    }

    /// A literal as it is written.
    fn unit_text(&self, operand: Id) -> Vec<u8> {
        match &self.unit.operands[operand as usize].kind {
            OperandKind::Number { start, end, .. } | OperandKind::Str { start, end, .. } => {
                self.source[*start as usize..*end as usize].to_vec()
            }
            OperandKind::Bool(true) => b"true".to_vec(),
            OperandKind::Bool(false) => b"false".to_vec(),
            OperandKind::Nil => b"nil".to_vec(),
            _ => b".".to_vec(),
        }
    }

    fn term(&mut self) -> Parsed<Option<Id>> {
        let item = self.next_non_space();
        let (start, end) = (item.start as u32, item.end as u32);
        let text = item.text(self.source);
        let kind = match item.kind {
            Kind::Identifier => {
                let name = String::from_utf8_lossy(text);
                let Some(function) = self.functions.find(&name) else {
                    return self.fail(format!("function {} not defined", format::quote(text)));
                };
                let name = run(&mut self.unit.names, [Span::new(item.start, item.end)]).of().start as Id;
                OperandKind::Function { function, name }
            }
            Kind::Dot => OperandKind::Dot,
            Kind::Nil => OperandKind::Nil,
            Kind::Variable => {
                if !self.tree.known.contains(&text) {
                    return self.fail(format!("undefined variable {}", format::quote(text)));
                }
                let slot = self.tree.slot(text);
                let path = run(&mut self.unit.names, [Span::new(item.start, item.end)]);
                OperandKind::Variable { slot, path }
            }
            Kind::Field => {
                OperandKind::Field { path: run(&mut self.unit.names, [Span::new(item.start + 1, item.end)]) }
            }
            Kind::Bool => OperandKind::Bool(text == b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let number = match number::parse(text, item.kind == Kind::Complex) {
                    Ok(number) => number,
                    Err(message) => return self.fail(message),
                };
                self.unit.numbers.push(number);
                OperandKind::Number { number: self.unit.numbers.len() as Id - 1, start, end }
            }
            Kind::LeftParen => {
                if self.tree.paren_depth >= MAX_PAREN_DEPTH {
                    return self.fail("max expression depth exceeded");
                }
                self.tree.paren_depth += 1;
                let pipe = self.deep(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                self.tree.paren_depth -= 1;
                let pos = self.unit.pipes[pipe as usize].pos as usize;
                return Ok(Some(self.store(pos, OperandKind::Pipe(pipe))));
            }
            Kind::String | Kind::RawString => {
                let value = Value::str(self.unquoted(&item)?);
                self.unit.literals.push(value);
                OperandKind::Str { literal: self.unit.literals.len() as Id - 1, start, end }
            }
            _ => {
                self.back();
                return Ok(None);
            }
        };
        Ok(Some(self.store(item.start, kind)))
    }
}

fn written(ending: &Ending) -> &'static str {
    match ending {
        Ending::End => "{{end}}",
        Ending::Else => "{{else}}",
    }
}
