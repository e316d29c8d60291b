//! Keys of renders that are compared with each other.

use std::sync::Arc;

use landfall_gotemplate::{Limits, MissingKey, Set, Value};
use landfall_sprig::{Context, Keys, Random, Seeded};

fn render(random: impl Random + 'static) -> String {
    let mut set = Set::new("gotpl", landfall_sprig::funcs(), MissingKey::Zero);
    let text = "{{ genPrivateKey \"rsa\" }}{{ (genCA \"a\" 1).Key }}";
    set.parse("c/templates/t", text.as_bytes()).expect("a template");
    let mut context = Context { random: Arc::new(random), ..Context::default() };
    let dot = Value::from([("a", Value::from("b"))].into_iter().collect::<landfall_gotemplate::Map>());
    let text = set.execute("c/templates/t", &dot, &mut context, Limits::default()).expect("two keys");
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn kept_keys_are_the_same_at_the_same_place_of_a_sequence_and_others_elsewhere() {
    let keys = Keys::default();
    let first = render(Seeded::keeping(1, keys.clone()));
    assert_eq!(first.matches("BEGIN RSA PRIVATE KEY").count(), 2);
    assert_eq!(render(Seeded::keeping(1, keys.clone())), first);
    assert_ne!(render(Seeded::keeping(2, keys)), first);
    assert_ne!(render(Seeded::keeping(1, Keys::default())), first, "they are the system's own");
}
