//! Patterns of a policy: globs as Argo CD reads them (gobwas/glob without separators), or regular expressions.

use regex::Regex;

/// How the patterns of a policy are read (`policy.matchMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchMode {
    /// As globs, in which `*` is any text, `/` among it.
    #[default]
    Glob,
    /// As regular expressions that may fit anywhere.
    Regex,
}

/// A pattern of a policy.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    /// Anything.
    Any,
    /// That text alone.
    Exact(String),
    /// Whatever an expression fits.
    Expression(Regex),
}

impl Pattern {
    /// Reads one; says why where it is none.
    pub(crate) fn parse(text: &str, mode: MatchMode) -> Result<Self, String> {
        let expression = match mode {
            MatchMode::Glob if text == "*" => return Ok(Pattern::Any),
            MatchMode::Glob if !text.contains(['*', '?', '[', ']', '{', '}', '\\']) => {
                return Ok(Pattern::Exact(text.to_owned()));
            }
            MatchMode::Glob => expression_of(text)?,
            MatchMode::Regex => text.to_owned(),
        };
        // The expression itself may be long; what it takes to run it is bounded by the library.
        Regex::new(&expression).map(Pattern::Expression).map_err(|error| format!("`{text}` is no pattern: {error}"))
    }

    /// Whether it fits a text.
    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Exact(only) => only == text,
            Pattern::Expression(expression) => expression.is_match(text),
        }
    }
}

/// The expression of a glob: `*` and `**` are any text, `?` is one character, `[…]` one of a list, `{a,b}` one of several.
fn expression_of(glob: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("`{glob}` is no pattern: {why}");
    let mut out = String::from("(?s)^");
    let (mut rest, mut open) = (glob.chars().peekable(), 0_usize);
    while let Some(c) = rest.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '{' => {
                open += 1;
                out.push_str("(?:");
            }
            '}' if open > 0 => {
                open -= 1;
                out.push(')');
            }
            ',' if open > 0 => out.push('|'),
            '[' => {
                out.push('[');
                if rest.next_if_eq(&'!').is_some() {
                    out.push('^');
                }
                let before = out.len();
                loop {
                    match rest.next() {
                        None => return Err(wrong("a list is not closed")),
                        Some(']') => break,
                        Some('-') if out.len() > before => out.push('-'),
                        Some(c) => out.push_str(&regex::escape(&c.to_string())),
                    }
                }
                if out.len() == before {
                    return Err(wrong("a list is empty"));
                }
                out.push(']');
            }
            '\\' => match rest.next() {
                Some(c) => out.push_str(&regex::escape(&c.to_string())),
                None => return Err(wrong("nothing follows the backslash")),
            },
            '}' | ']' => return Err(wrong("a list is closed that was not opened")),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    if open > 0 {
        return Err(wrong("a choice is not closed"));
    }
    out.push('$');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str, mode: MatchMode) -> bool {
        Pattern::parse(pattern, mode).expect("a pattern").fits(text)
    }

    #[test]
    fn a_glob_knows_no_separators() {
        for (pattern, text, so) in [
            ("*", "a/b/c", true),
            ("*/*", "shop/web", true),
            ("*/*", "shop/team/web", true),
            ("*/*", "shop", false),
            ("shop/*", "shop-2/web", false),
            ("sens-{test,dev}/*", "sens-dev/api", true),
            ("sens-{test,dev}/*", "sens-production/api", false),
            ("proj-[a-c]/?", "proj-b/x", true),
            ("proj-[!a-c]/?", "proj-b/x", false),
            ("action/*", "action/apps/Deployment/restart", true),
            ("a.b/*", "aXb/c", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
        ] {
            assert_eq!(fits(pattern, text, MatchMode::Glob), so, "{pattern} {text}");
        }
    }

    #[test]
    fn an_expression_may_fit_anywhere() {
        assert!(fits("ge", "get", MatchMode::Regex));
        assert!(fits(".*", "a\nb", MatchMode::Regex));
        assert!(fits("^(get|sync)$", "sync", MatchMode::Regex));
        assert!(!fits("^(get|sync)$", "synced", MatchMode::Regex));
    }

    #[test]
    fn what_cannot_be_read_is_no_pattern() {
        for pattern in ["[a", "{a,b", "a}", "a]", "[]", "a\\"] {
            assert!(Pattern::parse(pattern, MatchMode::Glob).is_err(), "{pattern}");
        }
        assert!(Pattern::parse("(", MatchMode::Regex).is_err());
    }
}
