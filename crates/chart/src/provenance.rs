//! Where each byte of a manifest comes from: the template's line, and the places where its values were set.

use std::ops::Range;

use landfall_diag::Place;
use landfall_gotemplate::{Origin, Span};
use landfall_yaml::{Kind, Node};

use crate::manifest::Manifest;
use crate::render::Files;
use crate::values::{Origins, Source};

/// The table from rendered bytes to templates and values, kept by a traced rendering.
#[derive(Debug)]
pub struct Provenance {
    files: Files,
    origins: Origins,
}

/// Where the value of a field comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOrigin {
    /// The template's line that wrote it; `None` where a text was made at run time (`tpl`).
    pub template: Option<Place>,
    /// Where the values in it were set; empty when the template itself says it.
    pub sources: Vec<Source>,
}

impl Provenance {
    pub(crate) fn new(files: Files, origins: Origins) -> Self {
        Provenance { files, origins }
    }

    /// Where a value was set.
    pub fn source(&self, origin: Origin) -> Option<Source> {
        self.origins.source(origin)
    }

    /// Where the field of an object comes from; the path leads from the object's root, numbers for items of lists.
    ///
    /// `None` when there is no such field.
    pub fn origin_of(&self, manifest: &Manifest, path: &[&str]) -> Option<FieldOrigin> {
        let document = landfall_yaml::parse_first(&manifest.text).ok()??;
        let mut node = document.root();
        let mut key: Option<Node<'_>> = None;
        for step in path {
            let target = node.target();
            match target.kind() {
                Kind::Mapping(_) => {
                    let (found, value) = target.get_entry(step)?;
                    key = Some(found);
                    node = value;
                }
                Kind::Sequence(_) => {
                    node = target.items().nth(step.parse().ok()?)?;
                    key = None;
                }
                _ => return None,
            }
        }
        let value = node.span().range();
        let empty = value.is_empty();
        let bytes = match key {
            Some(key) if empty => key.span().range(),
            _ => value,
        };
        self.origin_of_bytes(&manifest.path, manifest.start + bytes.start..manifest.start + bytes.end)
    }

    /// Where a range of bytes of a template's output comes from.
    pub(crate) fn origin_of_bytes(&self, path: &str, bytes: Range<usize>) -> Option<FieldOrigin> {
        let file = self.files.get(path)?;
        let trace = file.trace.as_ref()?;
        let before = |at: usize| {
            let mut at = at;
            for removed in &file.removed {
                if removed.start <= at {
                    at += removed.len();
                }
            }
            at
        };
        let bytes = before(bytes.start)..before(bytes.end).max(before(bytes.start) + 1);
        let spans: Vec<&Span> =
            trace.spans.iter().filter(|span| span.bytes.start < bytes.end && span.bytes.end > bytes.start).collect();
        let mut sources = Vec::new();
        for origin in spans.iter().flat_map(|span| &span.origins) {
            if let Some(source) = self.origins.source(*origin)
                && !sources.contains(&source)
            {
                sources.push(source);
            }
        }
        // An action that printed a value tells more than the plain text around it.
        let telling = spans.iter().find(|span| !span.origins.is_empty()).or(spans.first());
        let template = telling.and_then(|span| {
            let source = self.files.template(&span.file)?;
            let place = source.line(span.line);
            Some(place.columns(span.column, 0))
        });
        Some(FieldOrigin { template, sources })
    }

    /// The bytes of a line (from 1) of a template's output, without indentation.
    pub(crate) fn line_bytes(&self, path: &str, line: usize) -> Option<Range<usize>> {
        let text = &self.files.get(path)?.text;
        let mut start = 0;
        for _ in 1..line {
            start += text[start..].iter().position(|byte| *byte == b'\n')? + 1;
        }
        let end = text[start..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| start + at);
        let lead = text[start..end].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        Some(start + lead..end)
    }
}
