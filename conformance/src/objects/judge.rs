//! In what one door's objects differ from another's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::stored::Stored;
use crate::compare::agrees_by_shape;

/// What was found between a peer's objects and ours.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Objects that both have.
    pub(super) objects: usize,
    /// Values that were compared.
    pub(super) values: usize,
    /// Values that the peer itself draws anew each time, compared by shape.
    pub(super) drawn: usize,
    /// In what they differ, a line each.
    pub(super) faults: Vec<String>,
    /// What `up` holds back because pods would wait for something that nobody delivers: there is nothing to compare.
    pub(super) held_back: usize,
    /// What the peer alone refuses, in its words: there is nothing to compare with.
    pub(super) lenient: Vec<String>,
}

/// Compares objects with a peer's. Where the peer was run twice, what differs between its two runs is compared by its shape.
pub(super) fn compare(peer: &Stored, again: Option<&Stored>, ours: &Stored) -> Found {
    let mut found = Found::default();
    let mut unmatched: Vec<(&String, &Value)> =
        ours.objects.iter().filter(|(key, _)| !peer.objects.contains_key(*key)).collect();
    for (key, object) in &peer.objects {
        let second = again.and_then(|again| again.objects.get(key));
        if let Some(own) = ours.objects.get(key) {
            found.objects += 1;
            found.compare(object, again.map(|_| second.unwrap_or(object)), own, key);
            continue;
        }
        // A name that is drawn anew: another one of the kind stands for it.
        let kind = |key: &str| key.split(' ').next().unwrap_or_default().to_owned();
        let is_drawn = again.is_some_and(|again| !again.objects.contains_key(key));
        match unmatched.iter().position(|(other, _)| is_drawn && kind(other) == kind(key)) {
            Some(at) => {
                let (_, own) = unmatched.remove(at);
                found.objects += 1;
                found.drawn += 1;
                let (mut object, mut own) = (object.clone(), own.clone());
                object["metadata"]["name"] = Value::Null;
                own["metadata"]["name"] = Value::Null;
                found.compare(&object, None, &own, key);
            }
            None => found.faults.push(format!("{key}: only the peer has it")),
        }
    }
    found.faults.extend(unmatched.iter().map(|(key, _)| format!("{key}: only we have it")));
    found
}

impl Found {
    fn compare(&mut self, peer: &Value, again: Option<&Value>, ours: &Value, path: &str) {
        match (peer, ours) {
            (Value::Object(a), Value::Object(b)) => {
                let other = again.and_then(Value::as_object);
                for (name, value) in a {
                    let path = format!("{path}/{name}");
                    match b.get(name) {
                        Some(own) => self.compare(value, other.map(|it| it.get(name).unwrap_or(value)), own, &path),
                        None if other.is_some_and(|it| !it.contains_key(name)) => self.drawn += 1,
                        None => self.faults.push(format!("{path}: only the peer has {}", short(value))),
                    }
                }
                for (name, own) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                    // A key that is drawn anew has its like among the peer's.
                    let drawn = other.is_some_and(|it| it.keys().any(|key| !a.contains_key(key)));
                    match drawn {
                        true => self.drawn += 1,
                        false => self.faults.push(format!("{path}/{name}: only we have {}", short(own))),
                    }
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                let other = again.and_then(Value::as_array).filter(|other| other.len() == a.len());
                for (at, (value, own)) in a.iter().zip(b).enumerate() {
                    self.compare(value, other.map(|it| &it[at]), own, &format!("{path}/{at}"));
                }
            }
            _ => {
                self.values += 1;
                if is_same(peer, ours) {
                    return;
                }
                match again {
                    Some(again) if again != peer && is_like(peer, again, ours) => self.drawn += 1,
                    _ => self.faults.push(format!("{path}: peer {}, ours {}", short(peer), short(ours))),
                }
            }
        }
    }
}

/// The same value of the same type; of floats, the same number however it is written.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            (None, None) => a.as_f64() == b.as_f64(),
            _ => false,
        },
        _ => a == b,
    }
}

/// Whether our value is of the shape of two that the peer has drawn.
fn is_like(first: &Value, second: &Value, ours: &Value) -> bool {
    match (first, second, ours) {
        (Value::String(first), Value::String(second), Value::String(ours)) => {
            match (plain(first), plain(second), plain(ours)) {
                (Some(first), Some(second), Some(ours)) => {
                    agrees_by_shape(&first, &second, &ours) || are_of_any_characters(&first, &second, &ours)
                }
                _ => agrees_by_shape(first, second, ours),
            }
        }
        (Value::Number(_), Value::Number(_), Value::Number(_)) => true,
        _ => false,
    }
}

/// Whether three texts of one length were drawn from all that can be printed, spaces and brackets among it (`randAscii`): words
/// are no words there. Two of them have a character in common by chance alone.
fn are_of_any_characters(first: &str, second: &str, ours: &str) -> bool {
    let is_printable = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let has_marks = |text: &str| text.bytes().filter(u8::is_ascii_punctuation).count() >= 3;
    let is_one = |text: &str| text.len() == first.len() && is_printable(text) && has_marks(text);
    let common = first.bytes().zip(second.bytes()).filter(|(one, other)| one == other).count();
    first.len() >= 16 && [first, second, ours].into_iter().all(is_one) && common * 8 <= first.len()
}

/// The text that a Secret holds.
fn plain(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() >= 6)?;
    String::from_utf8(bytes).ok()
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 160 { format!("{}…", text.chars().take(159).collect::<String>()) } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(object: Value) -> Stored {
        Stored { objects: [("ConfigMap x".to_owned(), object)].into() }
    }

    fn faults(peer: &Value, ours: &Value) -> Vec<String> {
        compare(&stored(peer.clone()), None, &stored(ours.clone())).faults
    }

    #[test]
    fn what_is_drawn_from_all_characters_has_no_words() {
        let drawn = [
            "z{vD!Ph$F)QraHz`[w+s<h;_^6n{r\")y",
            "'.wEm.BRo yxJ1Y.SOr)ijv5IS3U_}W ",
            "ow}#)N!4,'TIt:2*8z=VxaZ6o8hU~25a",
        ];
        let [first, second, ours] = drawn;
        assert!(are_of_any_characters(first, second, ours));
        assert!(!are_of_any_characters(first, second, &ours[1..]));
        assert!(!are_of_any_characters(first, second, &"a".repeat(first.len())));
        assert!(!are_of_any_characters(first, first, ours));
        assert!(!are_of_any_characters(first, &format!("{}{}", &first[..16], &second[16..]), ours));
    }

    #[test]
    fn a_newline_a_null_and_a_type_are_seen() {
        let peer = json!({"data": {"f": "line\n"}, "spec": {"a": null, "n": 5, "f": 1.5}});
        assert_eq!(faults(&peer, &peer), Vec::<String>::new());
        let planted = |pointer: &str, value: Value| {
            let mut ours = peer.clone();
            *ours.pointer_mut(pointer).expect("there") = value;
            faults(&peer, &ours)
        };
        assert_eq!(planted("/data/f", json!("line")), ["ConfigMap x/data/f: peer \"line\\n\", ours \"line\""]);
        assert_eq!(planted("/spec/n", json!("5")).len(), 1);
        assert_eq!(planted("/spec/n", json!(5.5)).len(), 1);
        let mut ours = peer.clone();
        ours["spec"].as_object_mut().expect("a map").remove("a");
        assert_eq!(faults(&peer, &ours), ["ConfigMap x/spec/a: only the peer has null"]);
    }

    #[test]
    fn what_the_peer_draws_is_compared_by_shape_and_nothing_else_is() {
        let of = |secret: &str, fixed: &str| stored(json!({"data": {"p": STANDARD.encode(secret), "q": fixed}}));
        let (first, second) = (of("aB3dE6gHk", "x"), of("Zz9yX1wVq", "x"));
        let found = compare(&first, Some(&second), &of("11aaBBxxy", "x"));
        assert_eq!((found.faults.len(), found.drawn), (0, 1));
        assert_eq!(compare(&first, Some(&second), &of("11aaBBx", "x")).faults.len(), 1);
        assert_eq!(compare(&first, Some(&second), &of("11aaBBxxy", "y")).faults.len(), 1);
        assert_eq!(compare(&first, None, &second).faults.len(), 1);
    }
}
