//! Patterns with `*` for any run of characters.

/// Whether the whole text fits the pattern.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_stand_for_any_run() {
        assert!(fits("body.*.name", "body.items[0].name"));
        assert!(fits("*", ""));
        assert!(fits("a", "a"));
        assert!(!fits("a", "ab"));
        assert!(!fits("a*b", "ac"));
        assert!(!fits("ab*b", "ab"));
    }
}
