//! Values that are made from others: texts of Go's over the keys that they name.

use std::collections::{BTreeMap, BTreeSet};

use landfall_gotemplate::{FuncMap, Limits, Map, MissingKey, Set, Str, Type, Value};
use landfall_sprig::Context;

use crate::masked::Masked;

/// What a text may do with a key beside Go's own functions: nothing that differs from one time to the next.
const FUNCTIONS: [&str; 16] = [
    "b64dec",
    "b64enc",
    "cat",
    "default",
    "indent",
    "join",
    "lower",
    "nindent",
    "quote",
    "replace",
    "sha256sum",
    "squote",
    "toJson",
    "trim",
    "trimSuffix",
    "upper",
];

const LIMITS: Limits = Limits { steps: 1_000_000, depth: 50, output_bytes: 1 << 20, held_bytes: 16 << 20 };

/// Why a value is not made from others. No value is in any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// It is no template.
    #[error("it is no template: {0}")]
    Syntax(String),
    /// It names what is no key.
    #[error("`{0}` is no key of this Secret")]
    Unknown(String),
    /// It names no key at all.
    #[error("it names no key, so that its value would stand here in clear")]
    Constant,
    /// It cannot be filled.
    #[error("it cannot be filled with its keys' values")]
    Unfilled,
    /// A value would end the part of an address in which it stands.
    #[error("the value of `{0}` has characters that mean something else in an address")]
    Unescaped(String),
}

fn functions() -> FuncMap {
    let all = landfall_sprig::funcs();
    let mut functions = FuncMap::new();
    for name in FUNCTIONS {
        if let Some(function) = all.get(name) {
            functions.insert(name, function.clone());
        }
    }
    functions
}

/// The keys that a text names.
///
/// # Errors
/// [`ComposeError`], all but of values.
pub(crate) fn parts(name: &str, template: &str, names: &BTreeSet<&str>) -> Result<BTreeSet<String>, ComposeError> {
    let syntax = |words: String| ComposeError::Syntax(words);
    parsed(name, template).map_err(syntax)?;
    if let Some(unknown) = named(template).into_iter().find(|part| !names.contains(part.as_str())) {
        return Err(ComposeError::Unknown(unknown));
    }
    // What it asks for it cannot do without: each key is taken away once.
    let whole = |left: Option<&str>| -> BTreeMap<String, Masked> {
        let names = names.iter().filter(|known| Some(**known) != left && **known != name);
        names.map(|known| ((*known).to_owned(), Masked::from(&b"x"[..]))).collect()
    };
    if fill(name, template, &whole(None)).is_err() {
        return Err(if named(template).contains(name) {
            ComposeError::Unknown(name.to_owned())
        } else {
            ComposeError::Unfilled
        });
    }
    let mut found: BTreeSet<String> = names
        .iter()
        .filter(|known| **known != name && fill(name, template, &whole(Some(known))).is_err())
        .map(|known| (*known).to_owned())
        .collect();
    found.extend(named(template));
    // `index . "oauth.key"` is content with nothing.
    found.extend(
        names.iter().filter(|known| **known != name && is_indexed(template, known)).map(|known| (*known).to_owned()),
    );
    if found.is_empty() { Err(ComposeError::Constant) } else { Ok(found) }
}

/// The fields of the dot that a text names as `.KEY`: a branch that is not taken names some, too.
fn named(template: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = template;
    while let Some((_, inside)) = rest.split_once("{{") {
        let (action, after) = inside.split_once("}}").unwrap_or((inside, ""));
        rest = after;
        let mut before = ' ';
        let mut letters = action.char_indices();
        let mut quoted = None;
        while let Some((at, letter)) = letters.next() {
            match quoted {
                Some(quote) if letter == quote => quoted = None,
                Some('"') if letter == '\\' => drop(letters.next()),
                Some(_) => {}
                None if matches!(letter, '"' | '`') => quoted = Some(letter),
                None if letter == '.' && (before.is_whitespace() || matches!(before, '(' | '|' | '-')) => {
                    let field: String =
                        action[at + 1..].chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect();
                    if !field.is_empty() {
                        found.insert(field);
                    }
                }
                None => {}
            }
            before = letter;
        }
    }
    found
}

fn parsed(name: &str, template: &str) -> Result<Set, String> {
    let mut set = Set::new(name, functions(), MissingKey::Error);
    set.parse(name, template.as_bytes()).map_err(|error| error.to_string())?;
    Ok(set)
}

fn fill(name: &str, template: &str, values: &BTreeMap<String, Masked>) -> Result<Masked, String> {
    let set = parsed(name, template)?;
    let entries = values.iter().map(|(key, value)| (Str::from(key.as_str()), Value::str(value.reveal())));
    let dot = Value::from(Map::of(Type::String, entries.collect()));
    // Nothing of the context is asked for by the functions above.
    let written = set.execute(name, &dot, &mut Context::repeatable(0), LIMITS).map_err(|error| error.to_string())?;
    Ok(Masked::new(written))
}

/// The value that follows from others.
///
/// # Errors
/// [`ComposeError::Unfilled`], [`ComposeError::Unescaped`]
pub fn compose(name: &str, template: &str, parts: &BTreeMap<String, Masked>) -> Result<Masked, ComposeError> {
    let made = fill(name, template, parts).map_err(|_| ComposeError::Unfilled)?;
    if template.contains("://") {
        let text = String::from_utf8_lossy(made.reveal());
        for (part, value) in parts {
            let value = String::from_utf8_lossy(value.reveal());
            let means_more =
                value.contains(|letter: char| "/?#[]@:%\\ \"<>^`{|}".contains(letter) || letter.is_control());
            // An address that is itself a part, and one at the very front, are meant as they are.
            if means_more && !value.contains("://") && text.contains(value.as_ref()) && names(template, part) {
                return Err(ComposeError::Unescaped(part.clone()));
            }
        }
    }
    Ok(made)
}

/// Whether a text takes a key by `index`.
fn is_indexed(template: &str, key: &str) -> bool {
    let mut actions = template.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    let quoted = [format!("\"{key}\""), format!("`{key}`")];
    actions.any(|action| action.contains("index") && quoted.iter().any(|quoted| action.contains(quoted)))
}

/// Whether a text names a key without writing it for an address.
fn names(template: &str, part: &str) -> bool {
    let mut actions = template.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    actions.any(|action| action.contains(part) && !action.contains("urlquery"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, Masked> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Masked::from(value.as_bytes()))).collect()
    }

    fn made(template: &str, pairs: &[(&str, &str)]) -> Result<String, ComposeError> {
        compose("URL", template, &values(pairs)).map(|made| String::from_utf8_lossy(made.reveal()).into_owned())
    }

    #[test]
    fn a_text_names_its_parts_in_whatever_branch() {
        let names = BTreeSet::from(["A", "B", "C", "d.e"]);
        let found = |template: &str| parts("URL", template, &names).map(|parts| parts.into_iter().collect::<Vec<_>>());
        assert_eq!(found("{{ .A }}-{{.B|urlquery}}"), Ok(vec!["A".to_owned(), "B".to_owned()]));
        assert_eq!(found("{{ index . \"d.e\" }}"), Ok(vec!["d.e".to_owned()]));
        assert_eq!(found("{{ if eq .A \"x\" }}{{ .B }}{{ else }}{{ .C }}{{ end }}").map(|it| it.len()), Ok(3));
        assert_eq!(found("{{ .A }}{{ \".B }}\" }}"), Ok(vec!["A".to_owned()]));
        assert_eq!(found("postgres://x"), Err(ComposeError::Constant));
        assert!(matches!(found("{{ randAlpha 5 }}{{ .A }}"), Err(ComposeError::Syntax(_))));
    }

    /// T10: a password with a `/` in it breaks the address that it stands in.
    #[test]
    fn a_value_that_would_end_its_part_of_an_address_is_refused() {
        let template = "postgresql://app:{{ .PASSWORD }}@db:5432/app";
        assert_eq!(made(template, &[("PASSWORD", "aB-_9")]).as_deref(), Ok("postgresql://app:aB-_9@db:5432/app"));
        assert_eq!(made(template, &[("PASSWORD", "a/b")]), Err(ComposeError::Unescaped("PASSWORD".to_owned())));
        let escaped = "postgresql://app:{{ .PASSWORD | urlquery }}@db:5432/app";
        assert_eq!(made(escaped, &[("PASSWORD", "a/b")]).as_deref(), Ok("postgresql://app:a%2Fb@db:5432/app"));
        assert_eq!(made("{{ .A }}:{{ .B }}", &[("A", "x/y"), ("B", "z")]).as_deref(), Ok("x/y:z"));
        assert_eq!(made("{{ .A }}", &[]), Err(ComposeError::Unfilled));
    }
}
