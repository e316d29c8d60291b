//! A document as a tree of nodes with their places.
//!
//! Nodes live in one vector and name each other by number, so a document is one allocation that neither building nor
//! dropping walks recursively, however deep a hostile text nests.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::Error;
use crate::event::{Event, EventKind, Parser};
use crate::mark::{Mark, Span};
use crate::scan::{Comment, ScalarStyle};

/// Deepest nesting that is read, aliases followed.
pub const MAX_DEPTH: usize = 500;

/// Most nodes that are read of one text, and most values that its aliases may make of them; a node takes 100 bytes.
pub const MAX_NODES: usize = 1 << 20;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A scalar: a value's text.
    Scalar(ScalarStyle),
    /// A sequence.
    Sequence(CollectionStyle),
    /// A mapping.
    Mapping(CollectionStyle),
    /// `*name`: another node once more.
    Alias,
}

/// How a collection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CollectionStyle {
    /// By indentation.
    Block,
    /// In brackets or braces.
    Flow,
}

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Data<'a> {
    kind: Kind,
    implicit: bool,
    span: Span,
    anchor: Option<&'a str>,
    tag: Option<Box<str>>,
    /// A scalar's value, an alias's name.
    text: Cow<'a, str>,
    /// The first child; for an alias its target.
    first: u32,
    next: u32,
    len: u32,
}

/// One document of a text, with every node's place.
#[derive(Debug)]
pub struct Document<'a> {
    source: &'a str,
    nodes: Vec<Data<'a>>,
    span: Span,
    explicit: bool,
    comments: Vec<Comment>,
}

/// A node of a [`Document`]; cheap to copy.
#[derive(Clone, Copy)]
pub struct Node<'d> {
    document: &'d Document<'d>,
    id: u32,
}

/// One step of a path into a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'p> {
    /// The entry of a mapping with this key.
    Key(&'p str),
    /// The item of a sequence at this place, from 0.
    Index(usize),
}

/// Parses every document of a text; text without a document gives none.
///
/// ```
/// let documents = landfall_yaml::parse("a: 1\n---\nb: [x]\n")?;
/// assert_eq!(documents.len(), 2);
/// let b = documents[1].root().get("b").expect("b is a key of the second document");
/// assert_eq!((b.span().start.line(), b.span().start.column()), (3, 4));
/// # Ok::<(), landfall_yaml::Error>(())
/// ```
///
/// # Errors
/// The first error in go-yaml's order, nesting deeper than [`MAX_DEPTH`], or more than [`MAX_NODES`].
pub fn parse(text: &str) -> Result<Vec<Document<'_>>, Error> {
    let mut parser = Parser::new(text)?;
    let mut documents: Vec<Document<'_>> = Vec::new();
    let mut left = MAX_NODES;
    while let Some(document) = compose(text, &mut parser, left)? {
        left -= document.nodes.len();
        documents.push(document);
    }
    Ok(documents)
}

/// Parses the first document and looks no further, as `yaml.Unmarshal` does.
///
/// # Errors
/// As [`parse`], but what follows the first document is not read.
pub fn parse_first(text: &str) -> Result<Option<Document<'_>>, Error> {
    compose(text, &mut Parser::new(text)?, MAX_NODES)
}

struct Open {
    id: u32,
    last: u32,
}

fn compose<'a>(source: &'a str, parser: &mut Parser<'a>, most: usize) -> Result<Option<Document<'a>>, Error> {
    let event = parser.next()?;
    let explicit = match event.kind {
        EventKind::DocumentStart { explicit } => explicit,
        _ => return Ok(None),
    };
    let mut span = event.span;
    let first = parser.next()?;
    let nodes = Composer::new(most).node(first, parser)?;
    let event = parser.next()?;
    if !matches!(event.kind, EventKind::DocumentEnd { .. }) {
        return Err(out_of_place(&event));
    }
    span.end = event.span.end;
    Ok(Some(Document { source, nodes, span, explicit, comments: parser.take_comments() }))
}

fn out_of_place(event: &Event<'_>) -> Error {
    Error::content("attempted to parse unknown event", event.span.start)
}

/// Makes the nodes of a document, or of a part of one that stands for itself.
pub(crate) struct Composer<'a> {
    nodes: Vec<Data<'a>>,
    anchors: HashMap<&'a str, u32>,
    open: Vec<Open>,
    most: usize,
}

impl<'a> Composer<'a> {
    fn new(most: usize) -> Self {
        Composer { nodes: Vec::new(), anchors: HashMap::new(), open: Vec::new(), most }
    }

    /// A part of a text as a document of its own; `None` where it has anchors or aliases, which could reach outside.
    pub(crate) fn part(
        source: &'a str,
        first: Event<'a>,
        parser: &mut Parser<'a>,
    ) -> Result<Option<Document<'a>>, Error> {
        let span = first.span;
        let mut composer = Composer::new(MAX_NODES);
        let nodes = composer.node(first, parser)?;
        // Nobody asks for comments here, and there may be as many as there are lines.
        parser.take_comments();
        if nodes.iter().any(|node| node.anchor.is_some() || node.kind == Kind::Alias) {
            return Ok(None);
        }
        Ok(Some(Document { source, nodes, span, explicit: false, comments: Vec::new() }))
    }

    /// The nodes from this event on to the one that ends what it began.
    fn node(&mut self, first: Event<'a>, parser: &mut Parser<'a>) -> Result<Vec<Data<'a>>, Error> {
        let mut next = Some(first);
        loop {
            let event = match next.take() {
                Some(event) => event,
                None => parser.next()?,
            };
            self.take(event, parser)?;
            if self.open.is_empty() {
                return Ok(std::mem::take(&mut self.nodes));
            }
        }
    }

    fn take(&mut self, event: Event<'a>, parser: &Parser<'a>) -> Result<(), Error> {
        let nodes = &mut self.nodes;
        let id = nodes.len() as u32;
        if nodes.len() >= self.most || parser.comments() > MAX_NODES {
            return Err(Error::content(format!("exceeded max size of {MAX_NODES} values"), event.span.start));
        }
        let mut data = Data {
            kind: Kind::Alias,
            implicit: true,
            span: event.span,
            anchor: event.anchor,
            tag: event.tag,
            text: Cow::Borrowed(""),
            first: NONE,
            next: NONE,
            len: 0,
        };
        let mut opens = false;
        match event.kind {
            EventKind::Scalar { value, style, implicit } => {
                data.kind = Kind::Scalar(style);
                data.text = value;
                data.implicit = implicit;
            }
            EventKind::Alias(name) => {
                data.text = Cow::Borrowed(name);
                data.first = *self
                    .anchors
                    .get(name)
                    .ok_or_else(|| Error::content(format!("unknown anchor '{name}' referenced"), event.span.start))?;
            }
            EventKind::SequenceStart { flow } => {
                data.kind = Kind::Sequence(style(flow));
                opens = true;
            }
            EventKind::MappingStart { flow } => {
                data.kind = Kind::Mapping(style(flow));
                opens = true;
            }
            EventKind::SequenceEnd | EventKind::MappingEnd => {
                let closed = self.open.pop().expect("the grammar closes only what it opened");
                let end = match nodes[closed.id as usize].kind {
                    Kind::Sequence(CollectionStyle::Flow) | Kind::Mapping(CollectionStyle::Flow) => event.span.end,
                    _ => block_end(nodes, &closed),
                };
                nodes[closed.id as usize].span.end = end;
                return Ok(());
            }
            EventKind::DocumentEnd { .. } | EventKind::DocumentStart { .. } | EventKind::StreamEnd => {
                return Err(Error::content("attempted to parse unknown event", event.span.start));
            }
        }
        if let Some(name) = data.anchor {
            self.anchors.insert(name, id);
        }
        nodes.push(data);
        if let Some(parent) = self.open.last_mut() {
            let before = std::mem::replace(&mut parent.last, id);
            let parent = parent.id as usize;
            match before {
                NONE => nodes[parent].first = id,
                before => nodes[before as usize].next = id,
            }
            nodes[parent].len += 1;
        }
        if opens {
            if self.open.len() >= MAX_DEPTH {
                return Err(Error::content(format!("exceeded max depth of {MAX_DEPTH}"), event.span.start));
            }
            self.open.push(Open { id, last: NONE });
        }
        Ok(())
    }
}

/// Where a block collection really ends: with its last child, not with the blank lines after it.
fn block_end(nodes: &[Data<'_>], closed: &Open) -> Mark {
    match closed.last {
        NONE => nodes[closed.id as usize].span.end,
        last => nodes[last as usize].span.end.max(nodes[closed.id as usize].span.start),
    }
}

fn style(flow: bool) -> CollectionStyle {
    if flow { CollectionStyle::Flow } else { CollectionStyle::Block }
}

impl<'a> Document<'a> {
    /// The text that was parsed, with all its documents.
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// How many nodes it has.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// From the document's first token (`---` if it has one) to its end.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Whether the document begins with `---` or a directive.
    pub fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// Comments, in the order of the text; those between two documents belong to the first.
    pub fn comments(&self) -> &[Comment] {
        &self.comments
    }

    /// The comment lines that stand directly above `line` (counted from 1), without a blank line between, as one
    /// text without `#`; the values file's own documentation of a key.
    pub fn comment_above(&self, line: usize) -> Option<String> {
        let mut want = line;
        let mut lines = Vec::new();
        let before = self.comments.partition_point(|comment| comment.span.start.line() < line);
        for comment in self.comments[..before].iter().rev() {
            if !comment.own_line || comment.span.start.line() + 1 != want {
                break;
            }
            want -= 1;
            lines.push(comment.span.text(self.source).trim_start_matches('#').trim());
        }
        lines.reverse();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// All nodes, each before its children.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.nodes.len() as u32).map(|id| Node { document: self, id })
    }

    /// The root node.
    pub fn root(&self) -> Node<'_> {
        Node { document: self, id: 0 }
    }

    /// The node at a path, aliases followed; merge keys are not.
    pub fn at(&self, path: &[Step<'_>]) -> Option<Node<'_>> {
        path.iter().try_fold(self.root(), |node, step| match *step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.target().items().nth(index),
        })
    }
}

impl<'d> Node<'d> {
    fn data(&self) -> &'d Data<'d> {
        &self.document.nodes[self.id as usize]
    }

    /// What the node is.
    pub fn kind(&self) -> Kind {
        self.data().kind
    }

    /// Where the node stands, with its anchor and tag; a block scalar and a block collection end with their last line
    /// that is not blank.
    pub fn span(&self) -> Span {
        self.data().span
    }

    /// The tag in its long form, `tag:yaml.org,2002:str` for `!!str`.
    pub fn tag(&self) -> Option<&'d str> {
        self.data().tag.as_deref()
    }

    /// The name that an alias can use, without `&`.
    pub fn anchor(&self) -> Option<&'d str> {
        self.data().anchor
    }

    /// A scalar's text, after escapes and folding; `None` for the other kinds.
    pub fn text(&self) -> Option<&'d str> {
        match self.data().kind {
            Kind::Scalar(_) => Some(&self.data().text),
            _ => None,
        }
    }

    /// An alias's name.
    pub fn alias(&self) -> Option<&'d str> {
        (self.data().kind == Kind::Alias).then(|| &*self.data().text)
    }

    /// The node that is meant: an alias's target, else the node itself.
    pub fn target(self) -> Node<'d> {
        match self.data().kind {
            Kind::Alias => Node { id: self.data().first, ..self },
            _ => self,
        }
    }

    /// A sequence's items; nothing for other kinds.
    pub fn items(&self) -> impl Iterator<Item = Node<'d>> + use<'d> {
        let first = if matches!(self.kind(), Kind::Sequence(_)) { self.data().first } else { NONE };
        Siblings { document: self.document, id: first }
    }

    /// A mapping's keys and values in the order of the text; nothing for other kinds.
    pub fn entries(&self) -> impl Iterator<Item = (Node<'d>, Node<'d>)> + use<'d> {
        let first = if matches!(self.kind(), Kind::Mapping(_)) { self.data().first } else { NONE };
        let mut siblings = Siblings { document: self.document, id: first };
        std::iter::from_fn(move || Some((siblings.next()?, siblings.next()?)))
    }

    /// The entry with this key, the last if it occurs twice; aliases followed, merge keys not.
    pub fn get_entry(&self, key: &str) -> Option<(Node<'d>, Node<'d>)> {
        self.target().entries().filter(|(name, _)| name.is_key(key)).last()
    }

    /// The value under this key, as [`Node::get_entry`] finds it.
    pub fn get(&self, key: &str) -> Option<Node<'d>> {
        self.get_entry(key).map(|(_, value)| value)
    }

    /// How many items or entries the node has.
    pub fn count(&self) -> usize {
        match self.kind() {
            Kind::Sequence(_) => self.data().len as usize,
            Kind::Mapping(_) => self.data().len as usize / 2,
            _ => 0,
        }
    }

    /// Whether the node, as a key, stands for the string `key`.
    pub(crate) fn is_key(&self, key: &str) -> bool {
        let node = self.target();
        match node.text() {
            Some(text) if text == key => true,
            Some(_) => crate::construct::key_text(node).is_some_and(|text| text == key),
            None => false,
        }
    }

    /// Whether the scalar's type follows from its text.
    pub(crate) fn is_implicit(&self) -> bool {
        self.data().implicit
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let data = self.data();
        write!(f, "{:?} {:?} at {}", data.kind, data.text, data.span.start)
    }
}

struct Siblings<'d> {
    document: &'d Document<'d>,
    id: u32,
}

impl<'d> Iterator for Siblings<'d> {
    type Item = Node<'d>;

    fn next(&mut self) -> Option<Node<'d>> {
        if self.id == NONE {
            return None;
        }
        let node = Node { document: self.document, id: self.id };
        self.id = node.data().next;
        Some(node)
    }
}
