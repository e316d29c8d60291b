//! An edit that is handed out changes what it was asked to and nothing else.
#![no_main]

use landfall_yaml::{Scalar, Step, edit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str)| {
    let (text, key, value) = input;
    let path = [Step::Key(key)];
    let new = Scalar::Str(value.into());
    for changed in [edit::set(text, &path, &new), edit::set_or_insert(text, &path, &new)].into_iter().flatten() {
        let read = landfall_yaml::to_json(&changed);
        if let Ok(read) = read {
            assert_eq!(read[key], value);
        }
    }
    let _ = edit::remove(text, &path);
    let _ = edit::append(text, &path, &new);
});
