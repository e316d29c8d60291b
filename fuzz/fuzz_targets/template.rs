//! No template makes the engine or a function panic.
#![no_main]

use landfall_gotemplate::{Limits, Map, MissingKey, Set, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut set = Set::new("gotpl", landfall_sprig::funcs(), MissingKey::Zero);
    if set.parse("t", text.as_bytes()).is_ok() {
        let dot = Value::from(Map::new());
        let _ = set.execute("t", &dot, &mut landfall_sprig::Context::default(), Limits::default());
    }
});
