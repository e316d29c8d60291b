//! What `fromYaml`, `fromJson` and `fromToml` give for what they cannot read: a table with the error in it.

/// How such an error begins, and what was to be read.
const BEGINNINGS: &[(&str, &str)] = &[
    ("error converting YAML to JSON:", "YAML"),
    ("error unmarshaling JSON:", "YAML"),
    ("json: cannot unmarshal", "JSON"),
    ("yaml: line ", "YAML"),
    ("toml: line ", "TOML"),
];

/// So many letters of an error are told.
const TOLD: usize = 90;

/// What stands around a key or its text, that may itself stand in a text.
const QUOTES: [char; 3] = ['"', '\'', '\\'];

/// What could not be read, and the error's own words, where a field holds them; `path` is the field's.
pub(super) fn unread<'t>(path: &str, text: &'t str) -> Option<(&'static str, &'t str)> {
    let is_field = path == "Error" || path.ends_with(".Error");
    let whole = if is_field { error(text) } else { None };
    whole.or_else(|| text.lines().find_map(in_line))
}

/// The error that a line gives to the key `Error`.
fn in_line(line: &str) -> Option<(&'static str, &str)> {
    line.match_indices("Error").find_map(|(at, key)| {
        let ahead = line[..at].trim_end_matches(QUOTES).trim();
        let is_key = matches!(ahead, "" | "-") || ahead.ends_with(['{', '[', ',']);
        if !is_key || ahead.starts_with(['#', '/']) {
            return None;
        }
        let behind = line[at + key.len()..].trim_start_matches(QUOTES).trim_start().strip_prefix([':', '='])?;
        error(behind.trim_start().trim_start_matches(QUOTES))
    })
}

/// The error that a text begins with.
fn error(text: &str) -> Option<(&'static str, &str)> {
    let (_, format) = BEGINNINGS.iter().find(|(beginning, _)| text.starts_with(*beginning))?;
    // What stands in backticks is quoted from what was read, and may be a secret.
    let words = text.split(['"', '`', '\n']).next().unwrap_or_default();
    let end = words.char_indices().nth(TOLD).map_or(words.len(), |(at, _)| at);
    Some((*format, words[..end].trim_end_matches(['\\', '\'', ']', '}', ' '])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_where_it_stands_for_what_could_not_be_read() {
        let error = "error converting YAML to JSON: yaml: line 3: mapping values";
        for text in [
            format!("{{\"Error\":\"{error}\"}}"),
            format!("{{\n  \"Error\": \"{error}\"\n}}"),
            format!("Error: '{error}'\n"),
            format!("a:\n  Error: {error}\n"),
            format!("map[Error:{error}]"),
            format!("{{\"a\":\"{{\\\"Error\\\":\\\"{error}\\\"}}\"}}"),
        ] {
            assert_eq!(unread("data.x", &text), Some(("YAML", error)), "{text}");
        }
        assert_eq!(unread("spec.Error", error), Some(("YAML", error)));
        let toml = "toml: line 1: expected";
        assert_eq!(unread("data.x", &format!("Error = \"{toml}\"")), Some(("TOML", toml)));
        for text in [
            error.to_owned(),
            format!("it says Error: {error}"),
            format!("# Error: {error}"),
            format!("lastError: {error}"),
            "Error: cannot connect".to_owned(),
            "Error: YAML parse error on x: error converting YAML to JSON: y".to_owned(),
        ] {
            assert_eq!(unread("data.x", &text), None, "{text}");
        }
    }
}
