//! In which forms a value may be written where it must not be seen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Characters of a value that stands in any sentence.
const SHORTEST: usize = 4;
/// Digits of a number that may be any.
const DIGITS: usize = 8;
/// Characters of a line of a value that is told from any other.
const LINE: usize = 8;
/// Words that are no secrets.
const WORDS: [&str; 8] = ["true", "false", "null", "none", "info", "debug", "warn", "error"];

/// The forms in which a value may be written: as it is, in base64, quoted as JSON and YAML quote it, and by its lines. Of what is too
/// short to be told from other text there is none.
pub fn written_forms(value: &str) -> Vec<String> {
    let told = value.trim();
    let is_number = told.chars().all(|letter| letter.is_ascii_digit() || "+-.".contains(letter)) && told.len() < DIGITS;
    if told.chars().count() < SHORTEST || is_number || WORDS.contains(&told.to_ascii_lowercase().as_str()) {
        return Vec::new();
    }
    let quoted = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        quoted.trim_matches('"').to_owned()
    };
    let mut forms =
        vec![value.to_owned(), told.to_owned(), STANDARD.encode(value), STANDARD.encode(told), quoted(told)];
    forms.push(quoted(&quoted(told)));
    forms.push(told.replace('\'', "''"));
    let lines = told.lines().map(str::trim).filter(|line| line.chars().count() >= LINE);
    forms.extend(lines.filter(|_| told.contains('\n')).map(str::to_owned));
    forms.sort_unstable();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_as_others_write_it_and_a_short_one_is_not() {
        let forms = written_forms("can\"ary's\nsecond line");
        for wanted in
            ["can\"ary's\nsecond line", "can\\\"ary's\\nsecond line", "second line", "Y2FuImFyeSdzCnNlY29uZCBsaW5l"]
        {
            assert!(forms.iter().any(|form| form == wanted), "{wanted} in {forms:?}");
        }
        assert!(forms.iter().any(|form| form.starts_with("can\"ary''s")));
        for short in ["", "abc", "true", "5432", "0.25", "Info"] {
            assert!(written_forms(short).is_empty(), "{short}");
        }
    }
}
