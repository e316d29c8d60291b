//! The log of a CI run as a terminal: GitHub's runner obeys lines that begin with `::` and what follows `##[`.

use std::borrow::Cow;

/// A text whose lines are none of the runner's commands: what would begin one is written as an escape.
///
/// The runner takes `::error::…` at a line's beginning, blanks before it aside, and `##[error]…` wherever it stands.
pub fn without_commands(text: &str) -> Cow<'_, str> {
    let commands = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    if !text.split('\n').any(commands) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let blanks = line.len() - line.trim_start().len();
        let (before, rest) = line.split_at(blanks);
        out.push_str(before);
        let rest = match rest.strip_prefix("::") {
            Some(rest) => {
                out.push_str("\\x3a:");
                rest
            }
            None => rest,
        };
        out.push_str(&rest.replace("##[", "\\x23#["));
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_lines_are_no_commands() {
        assert_eq!(
            without_commands("a\n::error file=x::no\n  ::add-mask::y"),
            "a\n\\x3a:error file=x::no\n  \\x3a:add-mask::y"
        );
        assert_eq!(without_commands("x ##[command]y"), "x \\x23#[command]y");
        assert!(matches!(without_commands("a::b\n# [x]\n"), Cow::Borrowed(_)));
    }
}
