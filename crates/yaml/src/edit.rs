//! Changes to a text that leave every other byte as it is: comments, blank lines, quotes, line ends, byte order mark.
//!
//! Each edit is proven before it is handed out: the new text is read again, and its value must be the old value with
//! exactly that change, its comments the old comments. What cannot be proven is refused.

mod layout;
mod proof;

use crate::construct::scalar;
use crate::document::{CollectionStyle, Document, Kind, Node, Step, parse};
use crate::error::Error;
use crate::mark::Mark;
use crate::resolve::Scalar;
use crate::scan::ScalarStyle;
use crate::value::Value;

use layout::{Layout, Place, show};

/// Sets the scalar at a path. The path must exist; a null or a block scalar there is replaced.
///
/// The scalar keeps its quotes if the new value fits into them. A string is quoted where a reader of YAML 1.1 or 1.2
/// would take it for something else.
///
/// ```
/// use landfall_yaml::{Scalar, Step, edit};
///
/// let text = "image:\n  tag: 'v1' # set by the pipeline\n";
/// let tag = [Step::Key("image"), Step::Key("tag")];
/// let text = edit::set(text, &tag, &Scalar::Str("v2".into()))?;
/// assert_eq!(text, "image:\n  tag: 'v2' # set by the pipeline\n");
/// # Ok::<(), landfall_yaml::Error>(())
/// ```
///
/// # Errors
/// The text does not parse, holds several documents, or has nothing or no scalar at the path; a key of the path occurs
/// twice, comes by an alias or a merge; or the change cannot be proven.
pub fn set(text: &str, path: &[Step<'_>], value: &Scalar<'_>) -> Result<String, Error> {
    let edit = Edit::new(text, path);
    let document = edit.document()?;
    let node = edit.find(&document, path)?.ok_or_else(|| edit.refuse("there is nothing at this path", None))?;
    edit.replace(&document, node, value)
}

/// Sets the scalar that an anchor stands at, and with it all that aliases make of it: nothing but its own text changes.
///
/// ```
/// use landfall_yaml::{Scalar, Step, edit};
///
/// let text = "version: &v 1.0.0\nweb: {tag: *v}\n";
/// let text = edit::set_shared(text, &[Step::Key("version")], &Scalar::Str("1.1.0".into()))?;
/// assert_eq!(text, "version: &v 1.1.0\nweb: {tag: *v}\n");
/// # Ok::<(), landfall_yaml::Error>(())
/// ```
///
/// # Errors
/// As [`set`].
pub fn set_shared(text: &str, path: &[Step<'_>], value: &Scalar<'_>) -> Result<String, Error> {
    let edit = Edit::new(text, path);
    let document = edit.document()?;
    let node = edit.find(&document, path)?.ok_or_else(|| edit.refuse("there is nothing at this path", None))?;
    let Some(text) = edit.replaced(&document, node, value)? else { return Ok(text.to_owned()) };
    match proof::differs_in(&document, node, &text, value) {
        true => Ok(text),
        false => Err(edit.refuse("the change would touch something else", None)),
    }
}

/// Sets the scalar at a path, or puts it there: missing keys are added behind the last entry of their mapping. A text that
/// holds no document, but comments perhaps, becomes one.
///
/// # Errors
/// As [`set`]; and what the missing keys would be added to is no mapping.
pub fn set_or_insert(text: &str, path: &[Step<'_>], value: &Scalar<'_>) -> Result<String, Error> {
    let edit = Edit::new(text, path);
    if parse(text)?.is_empty() {
        return edit.begin(value);
    }
    let document = edit.document()?;
    if let Some(node) = edit.find(&document, path)? {
        return edit.replace(&document, node, value);
    }
    for depth in (0..path.len()).rev() {
        if let Some(parent) = edit.find(&document, &path[..depth])? {
            return edit.insert(&document, parent, depth, value);
        }
    }
    Err(edit.refuse("there is nothing to add to", None))
}

/// Adds a scalar behind the last item of the sequence at a path.
///
/// # Errors
/// As [`set`]; and what is at the path is no sequence.
pub fn append(text: &str, path: &[Step<'_>], value: &Scalar<'_>) -> Result<String, Error> {
    let edit = Edit::new(text, path);
    let document = edit.document()?;
    let node = edit.find(&document, path)?.ok_or_else(|| edit.refuse("there is nothing at this path", None))?;
    edit.append(&document, node, value)
}

/// Removes the entry or item at a path, with its lines. Comments above it stay.
///
/// # Errors
/// As [`set`]; and a block collection that would be left empty, or an entry that shares its line with a `-`.
pub fn remove(text: &str, path: &[Step<'_>]) -> Result<String, Error> {
    let edit = Edit::new(text, path);
    let document = edit.document()?;
    edit.remove(&document)
}

struct Edit<'t> {
    text: &'t str,
    path: &'t [Step<'t>],
    layout: Layout<'t>,
}

impl<'t> Edit<'t> {
    fn new(text: &'t str, path: &'t [Step<'t>]) -> Self {
        Self { text, path, layout: Layout::of(text) }
    }

    fn refuse(&self, problem: &'static str, at: Option<Mark>) -> Error {
        Error::Edit { path: show(self.path), problem, at }
    }

    fn document(&self) -> Result<Document<'t>, Error> {
        let mut documents = parse(self.text)?;
        match documents.len() {
            0 => Err(self.refuse("the text holds no document", None)),
            1 => Ok(documents.remove(0)),
            _ => Err(self.refuse("the text holds more than one document", Some(documents[1].span().start))),
        }
    }

    /// The node at a path, if all keys but the last exist.
    fn find<'d>(&self, document: &'d Document<'d>, path: &[Step<'_>]) -> Result<Option<Node<'d>>, Error> {
        let mut node = document.root();
        for step in path {
            let at = Some(node.span().start);
            if node.kind() == Kind::Alias {
                return Err(self.refuse("an alias stands on the path", at));
            }
            let found = match *step {
                Step::Key(key) => {
                    if node.entries().filter(|(name, _)| name.is_key(key)).count() > 1 {
                        return Err(self.refuse("a key of the path occurs twice", at));
                    }
                    node.get(key)
                }
                Step::Index(index) => node.items().nth(index),
            };
            match found {
                Some(next) => node = next,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// Refuses a change to a file that SOPS attests: it would not open any more. Where its digest is of encrypted values alone, a
    /// scalar that is none may have another value.
    fn check_attested(&self, document: &Document<'_>, changed: Option<Node<'_>>) -> Result<(), Error> {
        let Some(attested) = document.root().get("sops").filter(|it| it.get("mac").is_some()) else { return Ok(()) };
        let only_encrypted = attested.get("mac_only_encrypted").and_then(|node| node.text()) == Some("true");
        let is_plain = changed.and_then(|node| node.text()).is_some_and(|text| !text.starts_with("ENC["));
        if only_encrypted && is_plain && self.path.first() != Some(&Step::Key("sops")) {
            return Ok(());
        }
        let at = changed.map(|node| node.span().start);
        Err(self.refuse(
            "SOPS attests the file, and would not open it any more: change it with `sops set` or `sops edit`",
            at,
        ))
    }

    /// The document of a text that holds none.
    fn begin(&self, value: &Scalar<'_>) -> Result<String, Error> {
        let key = |step: &Step<'t>| match *step {
            Step::Key(key) => Ok(key),
            Step::Index(_) => Err(self.refuse("an item of a sequence is missing", None)),
        };
        let keys = self.path.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        let text = self.layout.append_lines(&self.layout.block_entry(&keys, value, 0));
        let mut wanted = Value::Null;
        let documents = parse(&text)?;
        let is_it = match (proof::set(&mut wanted, self.path, value), documents.as_slice()) {
            (Some(()), [document]) => Value::of(document)? == wanted,
            _ => false,
        };
        if is_it { Ok(text) } else { Err(self.refuse("the change would touch something else", None)) }
    }

    fn replace(&self, document: &Document<'_>, node: Node<'_>, value: &Scalar<'_>) -> Result<String, Error> {
        match self.replaced(document, node, value)? {
            Some(text) => self.prove(document, text, |root| proof::set(root, self.path, value)),
            None => Ok(self.text.to_owned()),
        }
    }

    /// The text with another scalar, not proven yet; nothing where it says that already.
    fn replaced(&self, document: &Document<'_>, node: Node<'_>, value: &Scalar<'_>) -> Result<Option<String>, Error> {
        let at = Some(node.span().start);
        let Kind::Scalar(style) = node.kind() else {
            return Err(self.refuse("what is at this path is no scalar", at));
        };
        if scalar(node)? == *value {
            return Ok(None);
        }
        self.check_attested(document, Some(node))?;
        // Where a colon within a plain scalar is read already, it is read again.
        let is_read = matches!(style, ScalarStyle::Plain) && node.text().is_some_and(|text| text.contains(':'));
        let is_flow = self.layout.is_in_flow(document, node) && !is_read;
        let place = if is_flow { Place::Flow } else { Place::Block };
        let new = layout::write(value, Some(style), place);
        let range = self.layout.content(node);
        let mut text = String::with_capacity(self.text.len() + new.len() + 1);
        text.push_str(&self.text[..range.start]);
        // Nothing stands directly behind a `:` or `-`: the new value does not either.
        if range.is_empty() && text.ends_with([':', '-']) {
            text.push(' ');
        }
        text.push_str(&new);
        text.push_str(&self.text[range.end..]);
        Ok(Some(text))
    }

    fn insert(
        &self,
        document: &Document<'_>,
        parent: Node<'_>,
        depth: usize,
        value: &Scalar<'_>,
    ) -> Result<String, Error> {
        let at = Some(parent.span().start);
        self.check_attested(document, None)?;
        let mut keys = Vec::new();
        for step in &self.path[depth..] {
            match step {
                Step::Key(key) => keys.push(*key),
                Step::Index(_) => return Err(self.refuse("an item of a sequence is missing", at)),
            }
        }
        let text = match parent.kind() {
            Kind::Mapping(CollectionStyle::Flow) => self.layout.insert_flow(parent, &layout::flow_entry(&keys, value)),
            Kind::Mapping(CollectionStyle::Block) => {
                let column = parent.entries().next().map_or(0, |(key, _)| key.span().start.column() - 1);
                self.layout.insert_lines(parent.span().end, &self.layout.block_entry(&keys, value, column))
            }
            Kind::Scalar(_) if scalar(parent)? == Scalar::Null && parent.text() == Some("") => {
                let column = self.layout.child_column(document, &self.path[..depth]);
                self.layout.insert_lines(parent.span().end, &self.layout.block_entry(&keys, value, column))
            }
            _ => return Err(self.refuse("what the key would be added to is no mapping", at)),
        };
        self.prove(document, text, |root| proof::set(root, self.path, value))
    }

    fn append(&self, document: &Document<'_>, node: Node<'_>, value: &Scalar<'_>) -> Result<String, Error> {
        let at = Some(node.span().start);
        self.check_attested(document, None)?;
        let text = match node.kind() {
            Kind::Sequence(CollectionStyle::Flow) => {
                self.layout.insert_flow(node, &layout::write(value, None, Place::Flow))
            }
            Kind::Sequence(CollectionStyle::Block) => {
                let Some(dash) = node.items().last().and_then(|item| self.layout.dash_column(item)) else {
                    return Err(self.refuse("the last item's dash cannot be found", at));
                };
                let line = format!("{}- {}", " ".repeat(dash), layout::write(value, None, Place::Block));
                self.layout.insert_lines(node.span().end, &line)
            }
            _ => return Err(self.refuse("what is at this path is no sequence", at)),
        };
        self.prove(document, text, |root| proof::append(root, self.path, value))
    }

    fn remove(&self, document: &Document<'_>) -> Result<String, Error> {
        let Some((last, above)) = self.path.split_last() else {
            return Err(self.refuse("the whole document cannot be removed", None));
        };
        self.check_attested(document, None)?;
        let (Some(parent), Some(_)) = (self.find(document, above)?, self.find(document, self.path)?) else {
            return Err(self.refuse("there is nothing at this path", None));
        };
        let at = Some(parent.span().start);
        // Each child with the place where it begins: the key of an entry, an item itself.
        let children: Vec<(Node<'_>, Node<'_>)> = match parent.kind() {
            Kind::Mapping(_) => parent.entries().collect(),
            _ => parent.items().map(|item| (item, item)).collect(),
        };
        let index = match *last {
            Step::Index(index) => index,
            Step::Key(key) => children.iter().position(|(name, _)| name.is_key(key)).unwrap_or(0),
        };
        let flow =
            matches!(parent.kind(), Kind::Mapping(CollectionStyle::Flow) | Kind::Sequence(CollectionStyle::Flow));
        let range = if flow {
            self.layout.flow_range(&children, index)
        } else if children.len() == 1 {
            return Err(self.refuse("the collection would be left empty", at));
        } else {
            self.layout
                .line_range(children[index].0, children[index].1)
                .ok_or_else(|| self.refuse("it does not stand on lines of its own", at))?
        };
        let text = [&self.text[..range.start], &self.text[range.end..]].concat();
        self.prove(document, text, |root| proof::remove(root, self.path))
    }

    /// Hands out a text if it is the old one with exactly this change.
    fn prove(
        &self,
        document: &Document<'_>,
        text: String,
        change: impl FnOnce(&mut Value) -> Option<()>,
    ) -> Result<String, Error> {
        let mut wanted = Value::of(document)?;
        let changed = change(&mut wanted).is_some();
        let proven = changed && proof::holds(document, &text, &wanted);
        if proven { Ok(text) } else { Err(self.refuse("the change would touch something else", None)) }
    }
}
