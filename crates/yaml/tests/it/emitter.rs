//! The emitter against a table made by Go.

use std::collections::BTreeMap;

#[test]
fn strings_are_written_in_the_style_that_go_yaml_chooses() {
    let rows: Vec<(String, String)> = serde_json::from_str(include_str!("emitter.json")).expect("the table is JSON");
    assert!(rows.len() > 100);
    for (text, written) in rows {
        let value = BTreeMap::from([("k", &text)]);
        assert_eq!(landfall_yaml::emit(&value).expect("a string can be written"), written, "{text:?}");
    }
}
