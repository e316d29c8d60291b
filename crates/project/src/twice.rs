//! Keys that are not what they look like: those that stand twice in one map, of which YAML readers let the second win without a word,
//! and those that YAML takes for a boolean.

use std::collections::HashMap;

use landfall_diag::{Diagnostic, code};
use landfall_yaml::{Document, Kind, Node, ScalarStyle};

use crate::parse::place_of;

/// What YAML 1.1 takes for a boolean, in whichever of three cases it is written.
const BOOLEANS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "y", "n"];

/// Finds each key that stands twice, or is a boolean, however deep; what an alias repeats is looked at where it is written.
pub(crate) fn check(file: &str, document: &Document<'_>, findings: &mut Vec<Diagnostic>) {
    let mut look = Look { file, source: document.source(), findings };
    look.node(document.root(), &mut String::new());
}

struct Look<'a> {
    file: &'a str,
    source: &'a str,
    findings: &'a mut Vec<Diagnostic>,
}

impl Look<'_> {
    fn node(&mut self, node: Node<'_>, path: &mut String) {
        let length = path.len();
        match node.kind() {
            Kind::Mapping(_) => {
                let mut seen: HashMap<String, Node<'_>> = HashMap::new();
                for (key, value) in node.entries() {
                    let Some(name) = key.target().text() else { continue };
                    self.boolean(key.target());
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                    match seen.get(name) {
                        Some(first) => self.twice(path, *first, key),
                        None => drop(seen.insert(name.to_owned(), key)),
                    }
                    self.node(value, path);
                    path.truncate(length);
                }
            }
            Kind::Sequence(_) => {
                for (index, item) in node.items().enumerate() {
                    path.push_str(&format!("[{index}]"));
                    self.node(item, path);
                    path.truncate(length);
                }
            }
            Kind::Scalar(_) | Kind::Alias => {}
        }
    }

    /// A key that YAML takes for a boolean would be called `true`.
    fn boolean(&mut self, key: Node<'_>) {
        let name = key.text().unwrap_or_default();
        let first = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        let is_one = |word: &str| name == word || name == first(word) || name == word.to_ascii_uppercase();
        let is_plain = matches!(key.kind(), Kind::Scalar(ScalarStyle::Plain)) && key.tag().is_none();
        if !is_plain || !BOOLEANS.iter().any(|word| is_one(word)) {
            return;
        }
        self.findings.push(
            Diagnostic::error(code::UNFIT, format!("the key `{name}` is a boolean, as YAML reads it, and no name"))
                .primary(place_of(self.file, self.source, key.span()), "this one")
                .help(format!("write it in quotes: `\"{name}\":`")),
        );
    }

    fn twice(&mut self, path: &str, first: Node<'_>, second: Node<'_>) {
        let line = first.span().start.line();
        self.findings.push(
            Diagnostic::error(
                code::KEY_TWICE,
                format!("the key `{path}` stands twice, and only one of them can count"),
            )
            .primary(place_of(self.file, self.source, second.span()), format!("here, and in line {line}"))
            .label(place_of(self.file, self.source, first.span()), "the first one")
            .help("keep one of the two"),
        );
    }
}
