//! In which forms a value may be written where it must not be seen.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// Characters of a value that stands in any sentence.
const SHORTEST: usize = 4;
/// Digits of a number that may be any.
const DIGITS: usize = 8;
/// Characters of a line of a value that is told from any other.
const LINE: usize = 8;
/// Letters of a word of any language, which says nothing under a name that is no secret's.
const WORD: usize = 12;
/// Characters in base64 that are told from any other.
const ENCODED: usize = 8;
/// Widths at which base64 is folded.
const FOLDED: [usize; 2] = [64, 76];
/// Words that are no secrets, whatever they stand under.
const WORDS: [&str; 12] = [
    "true",
    "false",
    "null",
    "none",
    "info",
    "debug",
    "warn",
    "error",
    "enabled",
    "disabled",
    "localhost",
    "ifnotpresent",
];
/// Parts of names under which a secret stands.
const SECRETIVE: [&str; 16] = [
    "pass", "pwd", "secret", "token", "key", "cred", "auth", "pepper", "salt", "seed", "pin", "private", "cert", "dsn",
    "session", "cookie",
];

/// The forms in which a value may be written that stands under a key: as it is, in base64 (by itself, behind other bytes, folded), quoted
/// as JSON and YAML quote it, in an address, and by its lines. Of what is too short to be told from other text there is none, and none of
/// a word such as `production` under a key that is no secret's: files that are encrypted as a whole hold those as well, and without them
/// nothing that is said could be read.
pub fn written_forms(key: &str, value: &str) -> Vec<String> {
    let told = value.trim();
    if is_ordinary(key, told) {
        return Vec::new();
    }
    let mut forms = written(told);
    forms.push(value.to_owned());
    forms.push(STANDARD.encode(value));
    // What a Secret's manifest holds is in base64 already.
    if let Ok(decoded) = STANDARD.decode(told)
        && let Ok(decoded) = std::str::from_utf8(&decoded)
        && !decoded.chars().any(|letter| letter.is_control() && !letter.is_whitespace())
        && !is_ordinary(key, decoded.trim())
    {
        forms.extend(written(decoded.trim()));
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// Whether a value is told from no other text.
fn is_ordinary(key: &str, told: &str) -> bool {
    let is_number = told.chars().all(|letter| letter.is_ascii_digit() || "+-.".contains(letter)) && told.len() < DIGITS;
    if told.chars().count() < SHORTEST || is_number || WORDS.contains(&told.to_ascii_lowercase().as_str()) {
        return true;
    }
    let inner = told.strip_prefix(|first: char| first.is_ascii_uppercase()).unwrap_or(told);
    let is_word = told.len() <= WORD
        && (inner.bytes().all(|it| it.is_ascii_lowercase()) || told.bytes().all(|it| it.is_ascii_uppercase()));
    let key = key.to_ascii_lowercase();
    is_word && !SECRETIVE.iter().any(|part| key.contains(part))
}

fn written(told: &str) -> Vec<String> {
    let quoted = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        quoted.trim_matches('"').to_owned()
    };
    let whole = STANDARD.encode(told);
    let mut forms = vec![told.to_owned(), quoted(told), quoted(&quoted(told)), told.replace('\'', "''")];
    forms.extend(as_go_writes(told));
    // As a query writes it; how it writes other characters is read plainly by what hides.
    forms.push(told.replace(' ', "+"));
    for width in FOLDED.into_iter().filter(|width| whole.len() > *width) {
        let lines = whole.as_bytes().chunks(width).filter(|line| line.len() >= ENCODED);
        forms.extend(lines.map(|line| String::from_utf8_lossy(line).into_owned()));
    }
    for before in 0..3 {
        forms
            .extend(inside(told, before).into_iter().flat_map(|form| [form.replace('+', "-").replace('/', "_"), form]));
    }
    // As a digest's tools write bytes, and a Secret's manifest that was encoded once more.
    let hex: String = told.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.extend([STANDARD.encode(&whole), hex.to_ascii_uppercase(), hex]);
    forms.push(whole);
    let lines = told.lines().map(str::trim).filter(|line| line.chars().count() >= LINE);
    forms.extend(lines.filter(|_| told.contains('\n')).map(str::to_owned));
    forms
}

/// A whole number of many digits as a template writes it, which holds numbers of values as floats: `%v` of Go's `fmt`.
fn as_go_writes(told: &str) -> Option<String> {
    let is_whole = told.strip_prefix('-').unwrap_or(told).bytes().all(|it| it.is_ascii_digit());
    let number: f64 = told.parse().ok().filter(|_| is_whole && told.len() >= DIGITS)?;
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e')?;
    Some(format!("{digits}e+{exponent:0>2}"))
}

/// A value in base64 where so many bytes of a group stand in front of it and anything behind it: the characters that hang on it alone.
fn inside(told: &str, before: usize) -> Option<String> {
    let encoded = STANDARD_NO_PAD.encode([&[0; 2][..before], told.as_bytes()].concat());
    let whole = (before + told.len()) * 4 / 3;
    let form = encoded.get((before * 4).div_ceil(3)..whole)?;
    (form.len() >= ENCODED).then(|| form.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_as_others_write_it_and_a_short_one_is_not() {
        let forms = written_forms("a", "can\"ary's\nsecond line");
        for wanted in
            ["can\"ary's\nsecond line", "can\\\"ary's\\nsecond line", "second line", "Y2FuImFyeSdzCnNlY29uZCBsaW5l"]
        {
            assert!(forms.iter().any(|form| form == wanted), "{wanted} in {forms:?}");
        }
        assert!(forms.iter().any(|form| form.starts_with("can\"ary''s")));
        let forms = written_forms("token", "canary-1");
        for wanted in ["63616e6172792d31", "63616E6172792D31", "WTJGdVlYSjVMVEU9"] {
            assert!(forms.iter().any(|form| form == wanted), "{wanted} in {forms:?}");
        }
        assert!(written_forms("card", "8412345678901").iter().any(|form| form == "8.412345678901e+12"));
        for short in ["", "abc", "true", "5432", "0.25", "Info"] {
            assert!(written_forms("password", short).is_empty(), "{short}");
        }
    }

    /// In `user:password` of an `Authorization`, of a registry's login, of a whole file.
    #[test]
    fn a_value_in_base64_is_known_behind_and_before_others_and_folded() {
        let value = "canary/?>~value-1";
        let forms = written_forms("a", value);
        let is_in = |text: &str| forms.iter().any(|form| text.contains(form.as_str()));
        for before in ["", "a", "ab", "abc:"] {
            for behind in ["", "x", "yz"] {
                let text = format!("{before}{value}{behind}");
                assert!(is_in(&STANDARD.encode(&text)), "{text}");
                assert!(is_in(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&text)), "{text}");
            }
        }
        let long = "canary-".repeat(30);
        let forms = written_forms("a", &long);
        for width in FOLDED {
            let encoded = STANDARD.encode(&long);
            for line in encoded.as_bytes().chunks(width).filter(|line| line.len() >= ENCODED) {
                assert!(forms.iter().any(|form| form.as_bytes() == line));
            }
        }
        let decoded = written_forms("token", &STANDARD.encode("canary-in-data"));
        assert!(decoded.iter().any(|form| form == "canary-in-data"));
    }

    /// A file that is encrypted as a whole holds `production` beside its passwords.
    #[test]
    fn a_word_is_hidden_under_a_secrets_name_alone() {
        for word in ["production", "Always", "INFO", "DEBUG", "postgres", "IfNotPresent"] {
            assert!(written_forms("environment", word).is_empty(), "{word}");
        }
        for secret in ["hunter2", "tr0ub4dor", "aBcdEfgh", "correct horse", "eu-west-1", "swordfishswordfish"] {
            assert!(!written_forms("environment", secret).is_empty(), "{secret}");
        }
        for key in ["password", "DB_PASS", "apiKey", "TOKEN", "clientSecret"] {
            assert!(!written_forms(key, "swordfish").is_empty(), "{key}");
        }
    }
}
