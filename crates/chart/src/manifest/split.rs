//! Where one document ends and the next begins.

use crate::dialect::Dialect;

/// A document in a rendered file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'t> {
    /// Where it begins in the file, in bytes.
    pub(crate) start: usize,
    /// Its text.
    pub(crate) text: &'t str,
}

/// Cuts a rendered file into documents as `SplitManifests` of the dialect does.
pub(crate) fn split_at(file: &str, dialect: Dialect) -> Vec<Piece<'_>> {
    match dialect {
        Dialect::V3 => split_v3(file),
        Dialect::V4 => split_v4(file),
    }
}

/// What `\s` is in Go's regular expressions.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ')
}

/// The regular expression `(?:^|\s*\n)---\s*` over the trimmed file; every piece trimmed.
///
/// The space behind a separator belongs to it, so that a second `---` right behind is not one: it stays in the text.
fn split_v3(file: &str) -> Vec<Piece<'_>> {
    let lead = file.len() - file.trim_start().len();
    let text = file.trim();
    let mut pieces = Vec::new();
    let mut add = |start: usize, end: usize| {
        let raw = &text[start..end];
        if !raw.is_empty() {
            let skipped = raw.len() - raw.trim_start().len();
            pieces.push(Piece { start: lead + start + skipped, text: raw.trim() });
        }
    };
    let behind = |separator: usize| {
        let rest = &text[separator..];
        separator + rest.find(|c| !is_space(c)).unwrap_or(rest.len())
    };
    let mut start = 0;
    if text.starts_with("---") {
        start = behind(3);
    }
    let mut from = start;
    while let Some(found) = text[from..].find("\n---") {
        let newline = from + found;
        let end = start + text[start..newline].trim_end_matches(is_space).len();
        add(start, end);
        start = behind(newline + 4);
        from = start;
    }
    add(start, text.len());
    pieces
}

/// The regular expression `(?m)^---[ \t]*` over the file without leading space; pieces keep their trailing space.
fn split_v4(file: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = file.len() - file.trim_start().len();
    let mut add = |start: usize, end: usize| {
        let raw = &file[start..end];
        let text = raw.trim_start();
        if !text.is_empty() {
            pieces.push(Piece { start: end - text.len(), text });
        }
    };
    let mut line = start;
    while line < file.len() {
        let next = file[line..].find('\n').map_or(file.len(), |at| line + at + 1);
        if let Some(rest) = file[line..].strip_prefix("---") {
            add(start, line);
            start = file.len() - rest.trim_start_matches([' ', '\t']).len();
        }
        line = next.max(start);
    }
    add(start.min(file.len()), file.len());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(file: &str, dialect: Dialect) -> Vec<&str> {
        split_at(file, dialect)
            .into_iter()
            .inspect(|piece| assert!(file[piece.start..].starts_with(piece.text)))
            .map(|piece| piece.text)
            .collect()
    }

    #[test]
    fn helm_3_trims_documents_and_keeps_a_doubled_separator() {
        let rows: &[(&str, &[&str])] = &[
            ("a: 1\n---\nb: 2\n", &["a: 1", "b: 2"]),
            ("---\na: 1\n\n\n---\n\nb: 2", &["a: 1", "b: 2"]),
            ("---\n---\nkind: A", &["---\nkind: A"]),
            ("a: 1\n---apiVersion: v1", &["a: 1", "apiVersion: v1"]),
            ("a: 1\n---\n---\nb: 2", &["a: 1", "---\nb: 2"]),
            ("a: |\n  x\n---\n# only a comment\n", &["a: |\n  x", "# only a comment"]),
            ("a: 1\r\n---\r\nb: 2\r\n", &["a: 1", "b: 2"]),
            ("a ---\n ---\nb", &["a ---\n ---\nb"]),
            ("---\n", &[]),
            ("\n \n", &[]),
            ("---", &[]),
        ];
        for (file, expected) in rows {
            assert_eq!(texts(file, Dialect::V3), *expected, "{file:?}");
        }
    }

    #[test]
    fn helm_4_keeps_what_stands_behind_a_document() {
        let rows: &[(&str, &[&str])] = &[
            ("a: 1\n---\nb: 2\n", &["a: 1\n", "b: 2\n"]),
            ("---\n---\nkind: A\n\n", &["kind: A\n\n"]),
            ("\n\n---\na: 1\n---  \nb: 2", &["a: 1\n", "b: 2"]),
            ("a: 1\n---apiVersion: v1", &["a: 1\n", "apiVersion: v1"]),
        ];
        for (file, expected) in rows {
            assert_eq!(texts(file, Dialect::V4), *expected, "{file:?}");
        }
    }
}
