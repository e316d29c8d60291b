//! Values of a Secret that its template draws anew and that live, put into what was rendered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::{Object, kept_value};
use landfall_yaml::{Scalar, Step, edit};
use serde_json::Value;

/// A manifest's text with other values of a Secret in it.
pub(crate) fn with_values(text: &str, secret: &Object, keys: &[String]) -> String {
    let document = landfall_yaml::documents(text).next();
    let mut whole: Value = document.and_then(|part| part.ok()?.to_json().ok()).unwrap_or_default();
    let is_it = |value: &Value| value["kind"] == "Secret" && value["metadata"]["name"].as_str() == Some(secret.name());
    let item = match whole.get("items").and_then(Value::as_array).filter(|_| !is_it(&whole)) {
        None => None,
        Some(items) => match items.iter().position(is_it) {
            None => return text.to_owned(),
            found => found,
        },
    };
    let mut text = Some(text.to_owned());
    for key in keys {
        let Some(value) = kept_value(secret, key) else { continue };
        let found = match item {
            Some(index) => &mut whole["items"][index],
            None => &mut whole,
        };
        let Value::Object(found) = found else { continue };
        let before = found.clone();
        let (field, said) = put_value(found, key, &value);
        let drawn = before.get(field).and_then(|values| values.get(key)?.as_str()).unwrap_or_default();
        let mut way: Vec<Step<'_>> =
            item.into_iter().flat_map(|index| [Step::Key("items"), Step::Index(index)]).collect();
        way.extend([Step::Key(field), Step::Key(key)]);
        text = text.and_then(|text| {
            let alike = printed_alike(&text, drawn, &said, &whole);
            alike.or_else(|| edit::set(&text, &way, &Scalar::Str(said.into())).ok())
        });
    }
    // JSON is YAML: what cannot be changed in place is written anew.
    text.unwrap_or_else(|| whole.to_string())
}

/// The text with a value in the place of one that was drawn, printed as its template would have, so that what was recorded with it is the
/// same text again; nothing where that does not read as is wanted.
fn printed_alike(text: &str, drawn: &str, value: &str, wanted: &Value) -> Option<String> {
    let first = drawn.lines().next().filter(|line| !line.is_empty())?;
    text.match_indices(first).find_map(|(at, _)| {
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        // The lines of a block stand below each other.
        let printed = |value: &str| value.trim_end_matches('\n').replace('\n', &format!("\n{}", &text[line..at]));
        let rest = text[at..].strip_prefix(&printed(drawn))?;
        let made = format!("{}{}{rest}", &text[..at], printed(value));
        let read = landfall_yaml::documents(&made).next()?.ok()?.to_json().ok()?;
        (read == *wanted).then_some(made)
    })
}

/// Puts a value, as base64, where a Secret has it: among its texts where it stands there and is one, else among its data. Says where,
/// and as what.
pub(crate) fn put_value(secret: &mut serde_json::Map<String, Value>, key: &str, value: &str) -> (&'static str, String) {
    let text = || String::from_utf8(STANDARD.decode(value).ok()?).ok();
    if let Some(Value::Object(texts)) = secret.get_mut("stringData")
        && texts.contains_key(key)
    {
        if let Some(text) = text() {
            texts.insert(key.to_owned(), text.clone().into());
            return ("stringData", text);
        }
        texts.remove(key);
    }
    let data = secret.entry("data").or_insert_with(|| Value::Object(serde_json::Map::new()));
    if let Value::Object(data) = data {
        data.insert(key.to_owned(), value.into());
    }
    ("data", value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, values: &[(&str, &str)]) -> String {
        let data: serde_json::Map<String, Value> =
            values.iter().map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into())).collect();
        let secret =
            serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": data});
        let secret = Object::from_value(secret).expect("a map");
        let keys: Vec<String> = values.iter().map(|(key, _)| (*key).to_owned()).collect();
        with_values(text, &secret, &keys)
    }

    #[test]
    fn a_value_is_put_where_it_was_printed_and_nothing_else_changes() {
        let text =
            "kind: Secret\nmetadata: {name: keys}\nstringData:\n  A: \"drawn\" # here\ndata:\n  B: ZHJhd24=\n  C: Yw==";
        let wanted =
            "kind: Secret\nmetadata: {name: keys}\nstringData:\n  A: \"live\" # here\ndata:\n  B: bGl2ZQ==\n  C: Yw==";
        assert_eq!(put(text, &[("A", "live"), ("B", "live")]), wanted);
        let list = "kind: List\nitems:\n- kind: Secret\n  metadata: {name: other}\n  stringData: {A: drawn}\n- kind: Secret\n  metadata: {name: keys}\n  stringData: {A: drawn}";
        let (other, keys) = list.rsplit_once("drawn").expect("one");
        assert_eq!(put(list, &[("A", "live")]), format!("{other}live{keys}"));
    }

    #[test]
    fn a_value_is_printed_as_its_template_printed_it() {
        let printed = |value: &str| {
            let block = value.replace('\n', "\n    ");
            format!(
                "kind: Secret\nmetadata: {{name: keys}}\nstringData:\n  A: |\n    {block}\n  B: x{value:.4}\n  C: {value:.4}\n  D: '1'\n"
            )
        };
        let (drawn, live) = ("drawn key\nof two lines\n", "live key\nof\nthree lines\n");
        assert_eq!(put(&printed(drawn), &[("A", live), ("B", "xlive"), ("C", "live")]), printed(live));
        // What would read as a number is quoted.
        let number = put(&printed(drawn), &[("C", "1234")]);
        assert!(number.contains("C: '1234'") || number.contains("C: \"1234\""), "{number}");
    }

    #[test]
    fn what_cannot_be_changed_in_place_is_written_anew() {
        let text = "kind: Secret\nmetadata: {name: keys}\nstringData: &all {A: drawn}\ndata: {B: Yg==}\nx: *all";
        let made: Value = serde_json::from_str(&put(text, &[("C", "live")])).expect("JSON");
        assert_eq!((&made["data"]["C"], &made["stringData"]["A"]), (&"bGl2ZQ==".into(), &"drawn".into()));
    }
}
