//! Clones of an object share its value until one of them is changed.

use landfall_object::Object;
use serde_json::json;

fn definition() -> Object {
    let value = json!({"kind": "A", "metadata": {"name": "a", "annotations": {"k": "v"}}, "spec": {"x": 1}});
    Object::from_value(value).expect("it is a map")
}

fn are_shared(one: &Object, other: &Object) -> bool {
    std::ptr::eq(one.value(), other.value())
}

#[test]
fn a_clone_is_the_same_value_until_it_is_changed() {
    let one = definition();
    let mut other = one.clone();
    assert!(are_shared(&one, &other));
    other.set_label("a", "b");
    assert!(!are_shared(&one, &other));
    assert_eq!((one.label("a"), other.label("a")), (None, Some("b")));
    assert_ne!(one, other);
    assert_eq!(one, definition(), "what is equal need not be shared");
    assert_eq!(one.clone().into_value(), one.into_value());
}

#[test]
fn what_is_not_there_is_no_reason_for_a_copy() {
    let one = definition();
    let mut other = one.clone();
    assert_eq!(other.at_mut("/spec/y"), None);
    assert_eq!(other.remove_annotation("other"), None);
    assert!(are_shared(&one, &other));
    *other.at_mut("/spec/x").expect("it is there") = json!(2);
    assert_eq!(other.remove_annotation("k").as_deref(), Some("v"));
    assert_eq!((one.i64_at("/spec/x"), one.annotation("k")), (Some(1), Some("v")));
    assert_eq!((other.i64_at("/spec/x"), other.annotations()), (Some(2), None));
}
