//! The fields of an object: what they are made of, what decided about them and about where they stand.

use std::ops::Range;

use landfall_gotemplate::PieceKind;
use landfall_yaml::{CollectionStyle, Document, Kind, Node, ScalarStyle};

use super::{FieldOrigin, Gathered, Output, Provenance, Reason, TemplateLines};
use crate::manifest::Manifest;
use crate::unit::path_steps;

/// A field of an object with its value and where that comes from.
#[derive(Debug, Clone)]
pub struct Field {
    /// From the object's root, numbers for items of lists.
    pub path: Vec<String>,
    /// As it is written: scalars without quotes, `{}`, `[]`, or nothing.
    pub text: String,
    /// Where it comes from.
    pub origin: FieldOrigin,
    /// Which of the lines that were asked for write it: template and line, from 1. A block of text may have several.
    pub lines: Vec<(String, u32)>,
}

/// What is around a field.
#[derive(Clone, Default)]
struct Around<'d> {
    /// The keys of the tables that it is in, its own last.
    keys: Vec<Node<'d>>,
    /// From the beginning of each list that it is in to its item there.
    before: Vec<Range<usize>>,
}

/// Reads a manifest's fields.
struct Reader<'p> {
    provenance: &'p Provenance,
    manifest: &'p Manifest,
    output: Output<'p>,
    /// Only fields that these lines write, where not all are wanted.
    wanted: Option<&'p TemplateLines>,
}

impl<'p> Reader<'p> {
    fn new(provenance: &'p Provenance, manifest: &'p Manifest) -> Option<Self> {
        Some(Reader { provenance, manifest, output: Output::of(provenance, &manifest.path)?, wanted: None })
    }

    /// The lines that are wanted and write a field; none where it is not wanted. Where the rest of it comes from is dear to tell.
    fn wanted(&self, node: Node<'_>, around: &Around<'_>) -> Option<Vec<(String, u32)>> {
        let Some(wanted) = self.wanted else { return Some(Vec::new()) };
        let files = &self.provenance.files;
        let range = self.bytes(own(node, around));
        let mut gathered = Gathered::default();
        gathered.value(&self.output, range.clone());
        let told = gathered.telling.and_then(|(piece, byte)| files.recording.place(piece, byte));
        // What is printed in the middle of a block stands on a line of its own.
        let is_block = matches!(node.target().kind(), Kind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded));
        let within = is_block.then(|| self.output.pieces(range)).into_iter().flatten();
        let within = within.filter_map(|piece| files.recording.place(piece, piece.start));
        let mut lines: Vec<(String, u32)> = told
            .into_iter()
            .chain(within)
            .filter_map(|spot| Some((files.template(&spot.file)?.path.clone(), spot.line)))
            .filter(|(file, line)| wanted.get(file).is_some_and(|lines| lines.contains(line)))
            .collect();
        lines.sort();
        lines.dedup();
        (!lines.is_empty()).then_some(lines)
    }

    /// A range of the manifest's text as one of the template's output.
    fn bytes(&self, range: Range<usize>) -> Range<usize> {
        self.output.before(self.manifest.start + range.start..self.manifest.start + range.end)
    }

    fn told(&self, node: Node<'_>, around: &Around<'_>, root: Node<'_>) -> FieldOrigin {
        let mut gathered = Gathered::default();
        self.gather(node, around, &mut gathered);
        self.identity(root, &mut gathered);
        for origin in self.provenance.switched_on(&self.manifest.path) {
            gathered.control(origin, Reason::Switch);
        }
        gathered.told(self.provenance)
    }

    fn gather(&self, node: Node<'_>, around: &Around<'_>, gathered: &mut Gathered<'p>) {
        let own = own(node, around);
        gathered.value(&self.output, self.bytes(own.clone()));
        self.beside(node, own, gathered);
        for (index, key) in around.keys.iter().enumerate() {
            let reason = if index + 1 == around.keys.len() { Reason::Branch } else { Reason::Key };
            for piece in self.output.pieces(self.bytes(key.span().range())).filter(|piece| !piece.is_nothing()) {
                gathered.control(piece.origin, Reason::Key);
                gathered.control(piece.control, reason);
            }
        }
        for before in &around.before {
            for piece in self.output.pieces(self.bytes(before.clone())) {
                gathered.control(piece.control, Reason::Position);
            }
        }
    }

    /// Branches that printed nothing within a value or right behind it.
    fn beside(&self, node: Node<'_>, own: Range<usize>, gathered: &mut Gathered<'p>) {
        let text = self.manifest.text.as_bytes();
        // Behind a key without a value stands its colon.
        let colon = usize::from(text.get(own.end) == Some(&b':') && node.span().range().is_empty());
        let behind = own.end.max(node.span().range().end).max(own.end + colon);
        let rest = text.get(behind..).unwrap_or(&[]);
        // Whatever is added behind a value that can take more lines makes it longer.
        let takes_lines = match node.kind() {
            Kind::Scalar(style) => {
                node.span().range().is_empty() || matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
            }
            Kind::Sequence(style) | Kind::Mapping(style) => style == CollectionStyle::Flow,
            _ => false,
        };
        let end = if takes_lines {
            rest.iter().position(|byte| !byte.is_ascii_whitespace()).map_or(text.len(), |at| behind + at)
        } else {
            rest.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| behind + at)
        };
        // A document's text ends with its last value; what was left out behind it is still its own.
        let after = self.output.file.text.get(self.manifest.start + text.len()..).unwrap_or(&[]);
        let trimmed = if end == text.len() { after.len() - after.trim_ascii_start().len() } else { 0 };
        let whole = self.bytes(own.start..end + trimmed);
        let inside = self.bytes(own).end;
        for piece in self.output.pieces(whole).filter(|piece| piece.is_nothing()) {
            if takes_lines || piece.kind == PieceKind::NoValue || piece.start < inside {
                gathered.control(piece.control, Reason::LeftOut);
            }
        }
    }

    /// What the object is called, and what else decides whether it is this object at all.
    fn identity(&self, root: Node<'_>, gathered: &mut Gathered<'p>) {
        let metadata = root.get("metadata").map(Node::target);
        let annotations = metadata.and_then(|metadata| metadata.get("annotations")).map(Node::target);
        let parts = [
            root.get_entry("apiVersion"),
            root.get_entry("kind"),
            metadata.and_then(|metadata| metadata.get_entry("name")),
            metadata.and_then(|metadata| metadata.get_entry("generateName")),
            metadata.and_then(|metadata| metadata.get_entry("namespace")),
            annotations.and_then(|annotations| annotations.get_entry("helm.sh/hook")),
        ];
        for (key, value) in parts.into_iter().flatten() {
            let whole = key.span().range().start..value.span().range().end.max(key.span().range().end);
            for piece in self.output.pieces(self.bytes(whole)) {
                gathered.control(piece.origin, Reason::Identity);
                gathered.control(piece.control, Reason::Identity);
            }
        }
    }

    /// A text as it is delivered.
    fn stored(&self, path: &[String]) -> Option<String> {
        let object = self.manifest.object();
        let value = path.iter().try_fold(&object, |here, step| match here {
            serde_json::Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            here => here.get(step),
        })?;
        value.as_str().map(str::to_owned)
    }

    fn all(&self, node: Node<'_>, root: Node<'_>, path: &[String], around: &Around<'_>, into: &mut Vec<Field>) {
        let target = node.target();
        if path.len() > 100 || target.count() == 0 {
            let Some(lines) = self.wanted(node, around) else { return };
            let text = match target.kind() {
                Kind::Mapping(_) => "{}".to_owned(),
                Kind::Sequence(_) => "[]".to_owned(),
                // A block that the document ends with has its last newline from the manifest that the document is put into.
                Kind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded)
                    if target.span().range().end == self.manifest.text.len() =>
                {
                    self.stored(path).unwrap_or_else(|| target.text().unwrap_or_default().to_owned())
                }
                _ => target.text().unwrap_or_default().to_owned(),
            };
            into.push(Field { path: path.to_vec(), text, origin: self.told(node, around, root), lines });
            return;
        }
        for (key, value) in target.entries() {
            let mut path = path.to_vec();
            path.push(key.text().unwrap_or_default().to_owned());
            self.all(value, root, &path, &around.below(key), into);
        }
        for (at, item) in target.items().enumerate() {
            let mut path = path.to_vec();
            path.push(at.to_string());
            self.all(item, root, &path, &around.item(target, item), into);
        }
    }
}

impl<'d> Around<'d> {
    fn below(&self, key: Node<'d>) -> Self {
        let mut around = self.clone();
        around.keys.push(key);
        around
    }

    fn item(&self, list: Node<'d>, item: Node<'d>) -> Self {
        let mut around = self.clone();
        // What was left out in front of the first item stands behind the list's key.
        let key = self.keys.last().map(|key| key.span().range().end);
        let list = list.span().range().start;
        let start = key.filter(|key| self.before.last().is_none_or(|item| item.end <= *key)).unwrap_or(list);
        around.before.push(start.min(list)..item.span().range().start);
        around
    }
}

/// What a field writes: its value, or its key where there is none.
fn own(node: Node<'_>, around: &Around<'_>) -> Range<usize> {
    let value = node.span().range();
    let key = around.keys.last().filter(|_| around.before.last().is_none_or(|item| item.end <= value.start));
    match key {
        Some(key) if value.is_empty() => key.span().range(),
        _ => value,
    }
}

pub(super) fn all(provenance: &Provenance, manifest: &Manifest, wanted: Option<&TemplateLines>) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(reader) = Reader::new(provenance, manifest).map(|reader| Reader { wanted, ..reader })
        && let Ok(Some(document)) = landfall_yaml::parse_first(&manifest.text)
    {
        reader.all(document.root(), document.root(), &[], &Around::default(), &mut fields);
    }
    fields
}

/// An object as its template wrote it, read once, for the fields that are asked for one after the other.
#[derive(Debug)]
pub struct Written<'p> {
    provenance: &'p Provenance,
    manifest: &'p Manifest,
    document: Document<'p>,
}

impl<'p> Written<'p> {
    pub(super) fn of(provenance: &'p Provenance, manifest: &'p Manifest) -> Option<Self> {
        let document = landfall_yaml::parse_first(&manifest.text).ok()??;
        Some(Written { provenance, manifest, document })
    }

    /// Where a field comes from; the path leads from the object's root, numbers for items of lists.
    ///
    /// `None` when there is no such field.
    pub fn origin_of(&self, path: &[&str]) -> Option<FieldOrigin> {
        let root = self.document.root();
        let (node, around) = walk(root, path)?;
        Some(Reader::new(self.provenance, self.manifest)?.told(node, &around, root))
    }

    /// The same of a field by its path (`spec.containers[0].env[2].name`). One that a default filled in is not in the text: the
    /// nearest part that is shows where to look.
    pub fn origin(&self, path: &str) -> Option<FieldOrigin> {
        let steps = path_steps(path);
        let mut steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        loop {
            if let Some(origin) = self.origin_of(&steps) {
                return Some(origin);
            }
            steps.pop()?;
        }
    }
}

fn walk<'d>(root: Node<'d>, path: &[&str]) -> Option<(Node<'d>, Around<'d>)> {
    let mut node = root;
    let mut around = Around::default();
    for step in path {
        let target = node.target();
        match target.kind() {
            Kind::Mapping(_) => {
                let (key, value) = target.get_entry(step)?;
                around = around.below(key);
                node = value;
            }
            Kind::Sequence(_) => {
                let item = target.items().nth(step.parse().ok()?)?;
                around = around.item(target, item);
                node = item;
            }
            _ => return None,
        }
    }
    Some((node, around))
}

pub(super) fn path_at(text: &str, line: usize) -> Option<Vec<String>> {
    let document = landfall_yaml::parse_first(text).ok()??;
    let mut node = document.root();
    let mut path = Vec::new();
    loop {
        let target = node.target();
        // The last that begins on the line or above holds it.
        let entry = target.entries().take_while(|(key, _)| key.span().start.line() <= line).last();
        let item = target.items().enumerate().take_while(|(_, item)| item.span().start.line() <= line).last();
        match (entry, item) {
            (Some((key, value)), _) => {
                path.push(key.text()?.to_owned());
                if key.span().start.line() == line && value.span().start.line() != line {
                    return Some(path);
                }
                node = value;
            }
            (None, Some((at, item))) => {
                path.push(at.to_string());
                node = item;
            }
            (None, None) => return Some(path),
        }
    }
}
