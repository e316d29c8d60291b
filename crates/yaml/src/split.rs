//! A text of several documents, cut at its `---` lines.

/// One document of a text, with the place where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The document's text, without the separator lines around it.
    pub text: &'a str,
    /// The line of the whole text on which it begins, counted from 1.
    pub line: usize,
    /// The byte of the whole text at which it begins.
    pub offset: usize,
}

/// Cuts a text at lines that begin with `---`, followed by nothing but blanks or a comment.
///
/// This is how Kubernetes reads a stream of documents (`YAMLReader` of apimachinery): nothing is parsed, so a broken
/// document does not hide the others. Parts without text are left out; so `---` inside a block scalar cuts it only
/// where it stands at the start of a line, where YAML would see it as well.
pub fn split_documents(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut start_line) = (0, 1);
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let next = at + line.len();
        if is_separator(line) {
            parts.push(Part { text: &text[start..at], line: start_line, offset: start });
            (start, start_line) = (next, number + 2);
        }
        at = next;
    }
    parts.push(Part { text: &text[start..], line: start_line, offset: start });
    parts.retain(|part| !part.text.trim().is_empty());
    parts
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| {
        let rest = rest.trim();
        rest.is_empty() || rest.starts_with('#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_their_line() {
        let parts = split_documents("# head\n---\na: 1\n--- # two\r\nb: |\n  ---\n---\n\n---x: 1\n");
        let seen: Vec<_> = parts.iter().map(|part| (part.text, part.line, part.offset)).collect();
        assert_eq!(seen, [("# head\n", 1, 0), ("a: 1\n", 3, 11), ("b: |\n  ---\n", 5, 27), ("\n---x: 1\n", 8, 42)]);
    }
}
