//! What holds for every text and value.

use landfall_yaml::{Kind, Node, Scalar, Step, Value, edit};
use proptest::prelude::*;

fn nearly_yaml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("b"),
        Just(": "),
        Just(":"),
        Just("- "),
        Just("\n"),
        Just("\n  "),
        Just(" "),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(", "),
        Just("&x "),
        Just("*x "),
        Just("!!str "),
        Just("'"),
        Just("\""),
        Just("|\n"),
        Just(">-\n"),
        Just("# c\n"),
        Just("? "),
        Just("<<: "),
        Just("1"),
        Just("\t"),
        Just("---\n"),
        Just("...\n"),
        Just("\r\n"),
        Just("%TAG ! !x\n"),
        Just("\\"),
        Just("é"),
        Just("\u{2028}"),
        Just("\u{feff}"),
        Just("\u{0}"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("JSON has only finite numbers", |number| number.is_finite()).prop_map(|number| {
            // A whole number comes back as one.
            if number.fract() == 0.0 { serde_json::Value::from(number as i64) } else { number.into() }
        }),
        "[ -~é日\\n]{0,30}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::Array),
            prop::collection::btree_map(key(), inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A key: go-yaml writes `<<` plain, as any text, and reads it as a merge, so that one alone is not read back by anybody.
fn key() -> impl Strategy<Value = String> {
    "[ -~]{0,12}".prop_filter("a merge", |key| key != "<<")
}

/// Paths to all scalars that an edit may touch.
fn scalars<'d>(node: Node<'d>, at: &mut Vec<Step<'d>>, found: &mut Vec<Vec<Step<'d>>>) {
    match node.kind() {
        Kind::Scalar(_) => found.push(at.clone()),
        Kind::Sequence(_) => {
            for (index, item) in node.items().enumerate() {
                at.push(Step::Index(index));
                scalars(item, at, found);
                at.pop();
            }
        }
        Kind::Mapping(_) => {
            for (key, value) in node.entries() {
                if let Some(text) = key.text() {
                    at.push(Step::Key(text));
                    scalars(value, at, found);
                    at.pop();
                }
            }
        }
        Kind::Alias => {}
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in nearly_yaml()) {
        let _ = landfall_yaml::parse(&text);
        let _ = landfall_yaml::to_json_strict(&text);
        let _ = Value::parse_all(&text);
        for part in landfall_yaml::documents(&text).map_while(Result::ok) {
            let _ = part.to_json();
        }
    }

    #[test]
    fn any_text_at_all_is_read_or_refused(text in any::<String>()) {
        let _ = Value::parse_all(&text);
    }

    #[test]
    fn what_is_written_is_read_back(value in values()) {
        let text = landfall_yaml::emit_value(&value).expect("printable values can be written");
        prop_assert_eq!(&landfall_yaml::to_json(&text).expect("what was written can be read"), &value);
        let text = landfall_yaml::emit_pretty(&value).expect("printable values can be written");
        prop_assert_eq!(&landfall_yaml::to_json(&text).expect("what was written can be read"), &value);
    }

    #[test]
    fn a_lone_merge_key_is_written_as_go_yaml_writes_it(value in -9i64..9) {
        let text = landfall_yaml::emit_value(&serde_json::json!({"<<": value})).expect("is written");
        prop_assert_eq!(&text, &format!("<<: {value}\n"));
        let refused = landfall_yaml::to_json(&text).expect_err("is read as a merge").to_string();
        prop_assert!(refused.contains("map merge requires map or sequence of maps as the value"), "{}", refused);
    }

    #[test]
    fn serde_and_the_fast_path_write_the_same(value in values()) {
        prop_assert_eq!(landfall_yaml::emit(&value), landfall_yaml::emit_value(&value));
    }

    #[test]
    fn spans_cut_out_what_they_name(text in nearly_yaml()) {
        for document in landfall_yaml::parse(&text).unwrap_or_default() {
            let mut found = Vec::new();
            scalars(document.root(), &mut Vec::new(), &mut found);
            for path in found {
                let Some(node) = document.at(&path) else { continue };
                let range = node.span().range();
                prop_assert!(range.start <= range.end && text.get(range).is_some());
            }
        }
    }

    #[test]
    fn a_scalar_set_and_set_back_leaves_the_text_as_it_was(value in values()) {
        let text = landfall_yaml::emit_value(&value).expect("printable values can be written");
        let documents = landfall_yaml::parse(&text).expect("what was written can be read");
        let mut paths = Vec::new();
        scalars(documents[0].root(), &mut Vec::new(), &mut paths);
        for path in paths {
            let node = documents[0].at(&path).expect("the path was just found");
            let old = node.text().unwrap_or_default();
            // Only strings that need no care come back in the very same form.
            let simple = old.len() > 3 && old.bytes().all(|byte| byte.is_ascii_lowercase());
            if let Ok(changed) = edit::set(&text, &path, &Scalar::Str("changed".into()))
                && simple
                && old != "null" && old != "true" && old != "false"
            {
                prop_assert_eq!(edit::set(&changed, &path, &Scalar::Str(old.into())).expect("it can be set back"), text.clone());
            }
        }
    }
}

#[test]
fn deep_nesting_ends_in_an_error_on_a_small_stack() {
    let texts = [
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "{a: ".repeat(100_000),
        format!("{}1{}", "[".repeat(499), "]".repeat(499)),
        (0..200)
            .map(|i| {
                format!(
                    "a{i}: &a{i} {}{}{}\n",
                    "[".repeat(450),
                    if i > 0 { format!("*a{}", i - 1) } else { String::new() },
                    "]".repeat(450)
                )
            })
            .collect(),
        format!(
            "a: &a [x]\n{}",
            (1..500).map(|i| format!("b{i}: &b{i} [{}*{}]\n", "[".repeat(9), i)).collect::<String>()
        ),
    ];
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for text in texts {
                let _ = Value::parse_all(&text);
                if let Ok(value) = landfall_yaml::to_json(&text) {
                    let _ = landfall_yaml::emit(&value);
                    let _ = landfall_yaml::emit_value(&value);
                }
            }
        })
        .expect("a thread can be started")
        .join()
        .expect("nothing overflows");
}

#[test]
fn aliases_do_not_explode() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let before = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
    }
    let error = landfall_yaml::to_json(&text).expect_err("ten to the tenth is too much");
    assert_eq!(error.to_string(), "yaml: document contains excessive aliasing");
}
