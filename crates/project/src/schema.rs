use serde_json::{Value, json};

use crate::System;

/// The JSON Schema (draft 2020-12) of `landfall.yaml`, generated from the types that read it.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(System).to_value();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".to_owned(), json!("landfall.yaml"));
        map.insert("$id".to_owned(), json!("https://landfall.dev/schema/v1.json"));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word;
    use proptest::prelude::*;
    use regex::Regex;

    /// The copy that editors are pointed at.
    const COMMITTED: &str = include_str!("../../../docs/landfall.schema.json");

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let committed: Value = serde_json::from_str(COMMITTED).expect("JSON");
        assert!(committed == json_schema(), "refresh it: `landfall schema > docs/landfall.schema.json`");
    }

    /// Every rule that the schema names, with what the schema says of it beside.
    fn rules(schema: &Value, found: &mut Vec<(String, Value)>) {
        if let Some(rule) = schema.get(word::RULE).and_then(Value::as_str) {
            found.push((rule.to_owned(), schema.clone()));
        }
        match schema {
            Value::Object(map) => map.values().for_each(|value| rules(value, found)),
            Value::Array(items) => items.iter().for_each(|value| rules(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_rule_of_the_schema_is_known_to_who_reads() {
        let mut found = Vec::new();
        rules(&json_schema(), &mut found);
        assert!(found.len() > 20, "{}", found.len());
        for (rule, shape) in found {
            assert!(word::judge(&rule).is_some(), "{rule}");
            assert!(shape.get("pattern").is_some(), "{rule} says nothing to editors");
        }
    }

    proptest! {
        /// An editor that goes by the pattern marks nothing that is taken.
        #[test]
        fn what_is_taken_fits_the_pattern(text in "[a-zA-Z0-9./:_ *@-]{0,24}|(https?://)?[a-z.]{1,9}(:[0-9]{1,4})?(/[a-z]*)?|[0-9.]{1,4}(ms|s|m|h|Mi|k)?") {
            let mut found = Vec::new();
            rules(&json_schema(), &mut found);
            for (rule, shape) in found {
                let pattern = Regex::new(shape["pattern"].as_str().expect("checked above")).expect("a pattern");
                if word::judge(&rule).expect("checked above")(&text).is_ok() {
                    prop_assert!(pattern.is_match(&text), "{} takes {:?}, its pattern does not", rule, text);
                }
            }
        }
    }
}
