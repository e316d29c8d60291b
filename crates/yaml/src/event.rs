//! Tokens to events, and with them the grammar of YAML 1.1 as go-yaml v2's `parserc.go` reads it.

use std::borrow::Cow;

use crate::error::Error;
use crate::mark::{Mark, Span};
use crate::scan::{Comment, ScalarStyle, Scanner, Token, TokenKind};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EventKind<'a> {
    DocumentStart {
        explicit: bool,
    },
    DocumentEnd {
        explicit: bool,
    },
    StreamEnd,
    Alias(&'a str),
    /// `implicit`: the value's type follows from its text.
    Scalar {
        value: Cow<'a, str>,
        style: ScalarStyle,
        implicit: bool,
    },
    SequenceStart {
        flow: bool,
    },
    SequenceEnd,
    MappingStart {
        flow: bool,
    },
    MappingEnd,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event<'a> {
    pub(crate) kind: EventKind<'a>,
    pub(crate) span: Span,
    pub(crate) anchor: Option<&'a str>,
    pub(crate) tag: Option<Box<str>>,
}

impl<'a> Event<'a> {
    fn new(kind: EventKind<'a>, span: Span) -> Self {
        Self { kind, span, anchor: None, tag: None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirstEntry,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingFirstKey,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirstEntry,
    FlowSequenceEntry,
    FlowSequenceEntryMappingKey,
    FlowSequenceEntryMappingValue,
    FlowSequenceEntryMappingEnd,
    FlowMappingFirstKey,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

/// Where a node may stand, which decides what may begin it.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Block,
    BlockOrIndentless,
    Flow,
}

pub(crate) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    marks: Vec<Mark>,
    tags: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Self, Error> {
        let mut scanner = Scanner::new(text)?;
        // STREAM-START says nothing that is not known.
        scanner.next()?;
        Ok(Self {
            scanner,
            state: State::ImplicitDocumentStart,
            states: Vec::new(),
            marks: Vec::new(),
            tags: Vec::new(),
        })
    }

    /// How many comments were met and not yet taken.
    pub(crate) fn comments(&self) -> usize {
        self.scanner.comments()
    }

    pub(crate) fn take_comments(&mut self) -> Vec<Comment> {
        self.scanner.take_comments()
    }

    pub(crate) fn next(&mut self) -> Result<Event<'a>, Error> {
        match self.state {
            State::ImplicitDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(Place::Block),
            State::BlockSequenceFirstEntry => {
                self.enter()?;
                self.block_sequence_entry()
            }
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingFirstKey => {
                self.enter()?;
                self.block_mapping_key()
            }
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceFirstEntry => {
                self.enter()?;
                self.flow_sequence_entry(true)
            }
            State::FlowSequenceEntry => self.flow_sequence_entry(false),
            State::FlowSequenceEntryMappingKey => self.flow_sequence_entry_mapping_key(),
            State::FlowSequenceEntryMappingValue => self.flow_sequence_entry_mapping_value(),
            State::FlowSequenceEntryMappingEnd => {
                let at = self.scanner.peek()?.span.start;
                self.state = State::FlowSequenceEntry;
                Ok(Event::new(EventKind::MappingEnd, Span::at(at)))
            }
            State::FlowMappingFirstKey => {
                self.enter()?;
                self.flow_mapping_key(true)
            }
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingEmptyValue => {
                let at = self.scanner.peek()?.span.start;
                Ok(self.empty(at, State::FlowMappingKey))
            }
            State::End => {
                let span = self.scanner.peek()?.span;
                Ok(Event::new(EventKind::StreamEnd, span))
            }
        }
    }

    // Documents

    fn document_start(&mut self, implicit: bool) -> Result<Event<'a>, Error> {
        if !implicit {
            while self.scanner.peek()?.kind == TokenKind::DocumentEnd {
                self.scanner.next()?;
            }
        }
        let token = self.scanner.peek()?;
        let span = token.span;
        if token.kind == TokenKind::StreamEnd {
            self.state = State::End;
            return Ok(Event::new(EventKind::StreamEnd, span));
        }
        let explicit = !implicit
            || matches!(
                token.kind,
                TokenKind::Version { .. } | TokenKind::TagDirective { .. } | TokenKind::DocumentStart
            );
        self.directives()?;
        self.states.push(State::DocumentEnd);
        if !explicit {
            self.state = State::BlockNode;
            return Ok(Event::new(EventKind::DocumentStart { explicit }, span));
        }
        let token = self.scanner.peek()?;
        if token.kind != TokenKind::DocumentStart {
            let at = token.span.start;
            return Err(error("did not find expected <document start>", None, at));
        }
        let end = token.span.end;
        self.scanner.next()?;
        self.state = State::DocumentContent;
        Ok(Event::new(EventKind::DocumentStart { explicit }, Span { start: span.start, end }))
    }

    fn directives(&mut self) -> Result<(), Error> {
        let mut versioned = false;
        loop {
            let token = self.scanner.peek()?;
            let at = token.span.start;
            match &token.kind {
                TokenKind::Version { .. } if versioned => {
                    return Err(error("found duplicate %YAML directive", None, at));
                }
                TokenKind::Version { major: 1, minor: 1 } => versioned = true,
                TokenKind::Version { .. } => return Err(error("found incompatible YAML document", None, at)),
                TokenKind::TagDirective { handle, .. } if self.tags.iter().any(|(known, _)| known == handle) => {
                    return Err(error("found duplicate %TAG directive", None, at));
                }
                TokenKind::TagDirective { .. } => {}
                _ => break,
            }
            if let TokenKind::TagDirective { handle, prefix } = self.scanner.next()?.kind {
                self.tags.push((handle, prefix));
            }
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tags.iter().any(|(known, _)| *known == handle) {
                self.tags.push((handle, Cow::Borrowed(prefix)));
            }
        }
        Ok(())
    }

    fn document_content(&mut self) -> Result<Event<'a>, Error> {
        let token = self.scanner.peek()?;
        let at = token.span.start;
        match token.kind {
            TokenKind::Version { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                let next = self.pop();
                Ok(self.empty(at, next))
            }
            _ => self.node(Place::Block),
        }
    }

    fn document_end(&mut self) -> Result<Event<'a>, Error> {
        let token = self.scanner.peek()?;
        let mut span = Span::at(token.span.start);
        let explicit = token.kind == TokenKind::DocumentEnd;
        if explicit {
            span = self.scanner.next()?.span;
        }
        self.tags.clear();
        self.state = State::DocumentStart;
        Ok(Event::new(EventKind::DocumentEnd { explicit }, span))
    }

    // Nodes

    fn node(&mut self, place: Place) -> Result<Event<'a>, Error> {
        let mut start = None;
        let mut end = Mark::default();
        let mut anchor = None;
        let mut tag: Option<(&'a str, Cow<'a, str>, Mark)> = None;
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                TokenKind::Alias(_) if start.is_none() => {
                    let Token { kind: TokenKind::Alias(name), span } = self.scanner.next()? else {
                        unreachable!("the token was just seen");
                    };
                    self.state = self.pop();
                    return Ok(Event::new(EventKind::Alias(name), span));
                }
                TokenKind::Anchor(name) if anchor.is_none() => {
                    start.get_or_insert(token.span.start);
                    end = token.span.end;
                    anchor = Some(name);
                    self.scanner.next()?;
                }
                TokenKind::Tag { .. } if tag.is_none() => {
                    let Token { kind: TokenKind::Tag { handle, suffix }, span } = self.scanner.next()? else {
                        unreachable!("the token was just seen");
                    };
                    start.get_or_insert(span.start);
                    end = span.end;
                    tag = Some((handle, suffix, span.start));
                }
                _ => break,
            }
        }
        let token = self.scanner.peek()?;
        let first = start.unwrap_or(token.span.start);
        let tag = match tag {
            None => None,
            Some((handle, suffix, at)) => self.resolve_tag(handle, suffix, first, at)?,
        };
        self.node_content(place, first, end, anchor, tag)
    }

    fn node_content(
        &mut self,
        place: Place,
        start: Mark,
        properties_end: Mark,
        anchor: Option<&'a str>,
        tag: Option<Box<str>>,
    ) -> Result<Event<'a>, Error> {
        let token = self.scanner.peek()?;
        let block = place != Place::Flow;
        let kind = match token.kind {
            TokenKind::BlockEntry if place == Place::BlockOrIndentless => {
                self.state = State::IndentlessSequenceEntry;
                EventKind::SequenceStart { flow: false }
            }
            TokenKind::Scalar { .. } => {
                let Token { kind: TokenKind::Scalar { value, style }, span } = self.scanner.next()? else {
                    unreachable!("the token was just seen");
                };
                let implicit = match tag.as_deref() {
                    None => style == ScalarStyle::Plain,
                    Some(tag) => tag == "!",
                };
                self.state = self.pop();
                let kind = EventKind::Scalar { value, style, implicit };
                return Ok(Event { kind, span: Span { start, end: span.end }, anchor, tag });
            }
            TokenKind::FlowSequenceStart => {
                self.state = State::FlowSequenceFirstEntry;
                EventKind::SequenceStart { flow: true }
            }
            TokenKind::FlowMappingStart => {
                self.state = State::FlowMappingFirstKey;
                EventKind::MappingStart { flow: true }
            }
            TokenKind::BlockSequenceStart if block => {
                self.state = State::BlockSequenceFirstEntry;
                EventKind::SequenceStart { flow: false }
            }
            TokenKind::BlockMappingStart if block => {
                self.state = State::BlockMappingFirstKey;
                EventKind::MappingStart { flow: false }
            }
            _ if anchor.is_some() || tag.is_some() => {
                self.state = self.pop();
                let implicit = tag.is_none();
                let kind = EventKind::Scalar { value: Cow::Borrowed(""), style: ScalarStyle::Plain, implicit };
                return Ok(Event { kind, span: Span { start, end: properties_end }, anchor, tag });
            }
            _ => {
                let at = token.span.start;
                return Err(error("did not find expected node content", Some(start), at));
            }
        };
        let end = token.span.end;
        Ok(Event { kind, span: Span { start, end }, anchor, tag })
    }

    fn resolve_tag(
        &self,
        handle: &str,
        suffix: Cow<'a, str>,
        start: Mark,
        at: Mark,
    ) -> Result<Option<Box<str>>, Error> {
        let tag = if handle.is_empty() {
            suffix.into_owned()
        } else {
            match self.tags.iter().find(|(known, _)| *known == handle) {
                Some((_, prefix)) => format!("{prefix}{suffix}"),
                None => return Err(error("found undefined tag handle", Some(start), at)),
            }
        };
        Ok((!tag.is_empty()).then(|| tag.into_boxed_str()))
    }

    // Block collections

    fn block_sequence_entry(&mut self) -> Result<Event<'a>, Error> {
        let token = self.scanner.peek()?;
        let span = token.span;
        match token.kind {
            TokenKind::BlockEntry => {
                self.scanner.next()?;
                match self.scanner.peek()?.kind {
                    TokenKind::BlockEntry | TokenKind::BlockEnd => Ok(self.empty(span.end, State::BlockSequenceEntry)),
                    _ => {
                        self.states.push(State::BlockSequenceEntry);
                        self.node(Place::Block)
                    }
                }
            }
            TokenKind::BlockEnd => self.leave(EventKind::SequenceEnd),
            _ => Err(error("did not find expected '-' indicator", self.marks.pop(), span.start)),
        }
    }

    fn indentless_sequence_entry(&mut self) -> Result<Event<'a>, Error> {
        let token = self.scanner.peek()?;
        let span = token.span;
        if token.kind != TokenKind::BlockEntry {
            self.state = self.pop();
            return Ok(Event::new(EventKind::SequenceEnd, Span::at(span.start)));
        }
        self.scanner.next()?;
        match self.scanner.peek()?.kind {
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                Ok(self.empty(span.end, State::IndentlessSequenceEntry))
            }
            _ => {
                self.states.push(State::IndentlessSequenceEntry);
                self.node(Place::Block)
            }
        }
    }

    fn block_mapping_key(&mut self) -> Result<Event<'a>, Error> {
        let token = self.scanner.peek()?;
        let span = token.span;
        match token.kind {
            TokenKind::Key => {
                self.scanner.next()?;
                self.block_mapping_part(span.end, State::BlockMappingValue)
            }
            TokenKind::BlockEnd => self.leave(EventKind::MappingEnd),
            _ => Err(error("did not find expected key", self.marks.pop(), span.start)),
        }
    }

    fn block_mapping_value(&mut self) -> Result<Event<'a>, Error> {
        let token = self.scanner.peek()?;
        let span = token.span;
        if token.kind == TokenKind::Value {
            self.scanner.next()?;
            return self.block_mapping_part(span.end, State::BlockMappingKey);
        }
        Ok(self.empty(span.start, State::BlockMappingKey))
    }

    /// A key after `?` or a value after `:`, possibly nothing.
    fn block_mapping_part(&mut self, end: Mark, then: State) -> Result<Event<'a>, Error> {
        match self.scanner.peek()?.kind {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => Ok(self.empty(end, then)),
            _ => {
                self.states.push(then);
                self.node(Place::BlockOrIndentless)
            }
        }
    }

    // Flow collections

    fn flow_sequence_entry(&mut self, first: bool) -> Result<Event<'a>, Error> {
        if self.scanner.peek()?.kind != TokenKind::FlowSequenceEnd {
            if !first {
                self.flow_entry("did not find expected ',' or ']'")?;
            }
            let token = self.scanner.peek()?;
            match token.kind {
                TokenKind::Key => {
                    let span = self.scanner.next()?.span;
                    self.state = State::FlowSequenceEntryMappingKey;
                    return Ok(Event::new(EventKind::MappingStart { flow: true }, span));
                }
                TokenKind::FlowSequenceEnd => {}
                _ => {
                    self.states.push(State::FlowSequenceEntry);
                    return self.node(Place::Flow);
                }
            }
        }
        self.leave(EventKind::SequenceEnd)
    }

    fn flow_sequence_entry_mapping_key(&mut self) -> Result<Event<'a>, Error> {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                // go-yaml passes the token here, so that `[? : a]` is an error.
                let end = self.scanner.next()?.span.end;
                Ok(self.empty(end, State::FlowSequenceEntryMappingValue))
            }
            _ => {
                self.states.push(State::FlowSequenceEntryMappingValue);
                self.node(Place::Flow)
            }
        }
    }

    fn flow_sequence_entry_mapping_value(&mut self) -> Result<Event<'a>, Error> {
        let token = self.scanner.peek()?;
        let at = token.span.start;
        if token.kind == TokenKind::Value {
            self.scanner.next()?;
            let token = self.scanner.peek()?;
            if !matches!(token.kind, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
                self.states.push(State::FlowSequenceEntryMappingEnd);
                return self.node(Place::Flow);
            }
        }
        Ok(self.empty(at, State::FlowSequenceEntryMappingEnd))
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result<Event<'a>, Error> {
        if self.scanner.peek()?.kind != TokenKind::FlowMappingEnd {
            if !first {
                self.flow_entry("did not find expected ',' or '}'")?;
            }
            match self.scanner.peek()?.kind {
                TokenKind::Key => {
                    self.scanner.next()?;
                    let token = self.scanner.peek()?;
                    let at = token.span.start;
                    return match token.kind {
                        TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => {
                            Ok(self.empty(at, State::FlowMappingValue))
                        }
                        _ => {
                            self.states.push(State::FlowMappingValue);
                            self.node(Place::Flow)
                        }
                    };
                }
                TokenKind::FlowMappingEnd => {}
                _ => {
                    self.states.push(State::FlowMappingEmptyValue);
                    return self.node(Place::Flow);
                }
            }
        }
        self.leave(EventKind::MappingEnd)
    }

    fn flow_mapping_value(&mut self) -> Result<Event<'a>, Error> {
        let mut at = self.scanner.peek()?.span.start;
        if self.scanner.peek()?.kind == TokenKind::Value {
            at = self.scanner.next()?.span.end;
            let token = self.scanner.peek()?;
            if !matches!(token.kind, TokenKind::FlowEntry | TokenKind::FlowMappingEnd) {
                self.states.push(State::FlowMappingKey);
                return self.node(Place::Flow);
            }
        }
        Ok(self.empty(at, State::FlowMappingKey))
    }

    fn flow_entry(&mut self, problem: &'static str) -> Result<(), Error> {
        let token = self.scanner.peek()?;
        let at = token.span.start;
        if token.kind != TokenKind::FlowEntry {
            return Err(error(problem, self.marks.pop(), at));
        }
        self.scanner.next()?;
        Ok(())
    }

    // Steps

    /// Passes the token that opens a collection and remembers where it stands.
    fn enter(&mut self) -> Result<(), Error> {
        let token = self.scanner.next()?;
        self.marks.push(token.span.start);
        Ok(())
    }

    /// Passes the token that closes a collection.
    fn leave(&mut self, kind: EventKind<'a>) -> Result<Event<'a>, Error> {
        let span = self.scanner.next()?.span;
        self.marks.pop();
        self.state = self.pop();
        Ok(Event::new(kind, span))
    }

    fn empty(&mut self, at: Mark, then: State) -> Event<'a> {
        self.state = then;
        let kind = EventKind::Scalar { value: Cow::Borrowed(""), style: ScalarStyle::Plain, implicit: true };
        Event::new(kind, Span::at(at))
    }

    fn pop(&mut self) -> State {
        self.states.pop().unwrap_or(State::End)
    }
}

/// An error of the grammar; go-yaml names the line before the one of `at`, or that of `context`, or none.
fn error(problem: &'static str, context: Option<Mark>, at: Mark) -> Error {
    let line = [Some(at), context].into_iter().flatten().map(|mark| mark.row as usize).find(|row| *row > 0);
    Error::Syntax { problem: problem.into(), line, at }
}
