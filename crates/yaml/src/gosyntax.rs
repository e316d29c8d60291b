//! Values as Go's `%#v` shows them, for error texts that quote a key.

use std::fmt::Write as _;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::construct::scalar;
use crate::document::{Kind, Node};
use crate::number::float_g;
use crate::resolve::Scalar;

/// Why writing does not fail.
const STRING: &str = "writing to a string cannot fail";

/// Longest quotation; go-yaml has no limit, but a text that a person reads does.
const LIMIT: usize = 4096;

pub(crate) fn go_syntax(node: Node<'_>) -> String {
    let mut out = String::new();
    write_node(&mut out, node, 0, false);
    out
}

fn write_node(out: &mut String, node: Node<'_>, depth: usize, element: bool) {
    if depth > 20 || out.len() > LIMIT {
        out.push_str("...");
        return;
    }
    let node = node.target();
    match node.kind() {
        Kind::Scalar(_) | Kind::Alias => write_scalar(out, node, element),
        Kind::Sequence(_) => {
            out.push_str("[]interface {}{");
            for (i, item) in node.items().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_node(out, item, depth + 1, true);
            }
            out.push('}');
        }
        Kind::Mapping(_) => {
            out.push_str("map[interface {}]interface {}{");
            let mut entries: Vec<_> = node
                .entries()
                .map(|(key, value)| {
                    let mut text = String::new();
                    write_node(&mut text, key, depth + 1, true);
                    (text, value)
                })
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            for (i, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(&key);
                out.push(':');
                write_node(out, value, depth + 1, true);
            }
            out.push('}');
        }
    }
}

fn write_scalar(out: &mut String, node: Node<'_>, element: bool) {
    let written = match scalar(node) {
        Ok(Scalar::Null) | Err(_) => {
            out.push_str(if element { "interface {}(nil)" } else { "<nil>" });
            Ok(())
        }
        Ok(Scalar::Bool(value)) => write!(out, "{value}"),
        Ok(Scalar::Int(value)) => write!(out, "{value}"),
        Ok(Scalar::Uint(value)) => write!(out, "{value:#x}"),
        Ok(Scalar::Float(value)) => write!(out, "{}", float_g(value)),
        Ok(Scalar::Str(text)) => {
            quote(out, &text);
            Ok(())
        }
    };
    written.expect(STRING);
}

/// Go's `strconv.IsPrint`.
fn is_print(c: char) -> bool {
    use GeneralCategoryGroup::{Letter, Mark, Number, Punctuation, Symbol};
    matches!(c, ' '..='~')
        || (!c.is_ascii() && matches!(c.general_category_group(), Letter | Mark | Number | Punctuation | Symbol))
}

/// Go's `%q`.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if c.is_ascii_control() => write!(out, "\\x{:02x}", c as u32).expect(STRING),
            c if !is_print(c) && (c as u32) <= 0xFFFF => write!(out, "\\u{:04x}", c as u32).expect(STRING),
            c if !is_print(c) => write!(out, "\\U{:08x}", c as u32).expect(STRING),
            c => out.push(c),
        }
    }
    out.push('"');
}
