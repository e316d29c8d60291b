//! The lines of a text that is asked for many of them.

use std::sync::OnceLock;

/// Where the lines of a text begin, found when the first of them is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    starts: OnceLock<Vec<usize>>,
}

impl Lines {
    /// A line, from 1, without its end, of a text that is the same each time.
    pub(crate) fn get<'t>(&self, text: &'t [u8], line: u32) -> Option<&'t [u8]> {
        let starts = self.starts.get_or_init(|| {
            let behind = memchr::memchr_iter(b'\n', text).map(|at| at + 1);
            std::iter::once(0).chain(behind).filter(|at| *at < text.len()).collect()
        });
        let rest = &text[*starts.get((line as usize).checked_sub(1)?)?..];
        let Some(end) = memchr::memchr(b'\n', rest) else { return Some(rest) };
        Some(rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_the_whole_text_has_there() {
        for text in ["", "one", "one\n", "one\r", "one\r\ntwo\r\n\r\nfour", "\n\n", "a\nß ö\nc\n"] {
            let lines = Lines::default();
            assert_eq!(lines.get(text.as_bytes(), 0), None);
            for line in 1..7 {
                let whole = text.lines().nth(line as usize - 1).map(str::as_bytes);
                assert_eq!(lines.get(text.as_bytes(), line), whole, "line {line} of {text:?}");
            }
        }
    }
}
