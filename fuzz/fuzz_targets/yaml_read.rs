//! No text makes the reader panic, and every node's span lies in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = landfall_yaml::to_json(text);
    let _ = landfall_yaml::to_json_strict(text);
    let _ = landfall_yaml::Value::parse_all(text);
    for document in landfall_yaml::parse(text).unwrap_or_default() {
        assert!(text.get(document.root().span().range()).is_some());
        for comment in document.comments() {
            assert!(comment.span.text(text).starts_with('#'));
        }
    }
    for part in landfall_yaml::split_documents(text) {
        assert!(text[part.offset..].starts_with(part.text));
    }
});
