//! Secrets as they may be shown: which keys there are and which differ, never what is in them.
//!
//! What counts as a secret is decided here alone, and generously: the API server takes a `Secret` of `v1` for one, but
//! what is shown has often not met a server yet, and a list, a sealed secret's template, a record of Helm's or a slip
//! of the pen (`kind: secret`) holds the same values.

mod known;

use landfall_diag::{is_mutant, knows_any};
use serde_json::{Map, Value};

use crate::Object;

/// What stands for a hidden value.
pub const MASK: &str = "++++++++";

/// The annotation in which `kubectl apply` keeps what it wrote last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What of a Secret holds no value of its own.
const PLAIN: [&str; 5] = ["apiVersion", "kind", "metadata", "type", "immutable"];

/// Annotations in which tools keep the whole object as they last wrote it.
const COPIES: [&str; 4] =
    [LAST_APPLIED, "kapp.k14s.io/original", "objectset.rio.cattle.io/applied", "banzaicloud.com/last-applied"];

type Fields = Map<String, Value>;

/// Whether the object itself holds values that must not be shown: a Secret, however its kind is written and whatever
/// group it claims, or a record of Helm's in a ConfigMap, which holds the manifests of Secrets.
pub fn is_secret(object: &Object) -> bool {
    secrecy(object.map()) != Secrecy::None
}

/// Whether the field at a path of an object (keys, and numbers for items of lists) holds a value that must not be shown.
pub fn hides<S: AsRef<str>>(object: &Value, path: &[S]) -> bool {
    let steps: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    object.as_object().is_some_and(|fields| hides_in(fields, secrecy(fields), &steps))
}

/// Whether a text that cannot be read as YAML says somewhere that it is a Secret: then no line of it may be shown.
pub fn names_a_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.match_indices("kind").any(|(at, key)| {
        let rest = text[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        let Some(mut value) = rest.strip_prefix(':').map(str::trim_start) else { return false };
        // A tag or an anchor may stand before it.
        while value.starts_with(['!', '&']) {
            value = value.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
        }
        let value = value.trim_start_matches(['"', '\'', ' ']);
        value.starts_with("secret") || value.starts_with("sealedsecret")
    })
}

/// What a parser says of a text, without what it quotes of a Secret: `unknown anchor 'hunter2' referenced` where a value
/// begins with `*`. Signs (`':'`) stay.
pub fn words_about(text: &str, words: String) -> String {
    if !names_a_secret(text) {
        return words;
    }
    let mut out = String::with_capacity(words.len());
    let mut rest = words.as_str();
    while let Some((before, after)) = rest.split_once(['\'', '"', '`']) {
        let quote = rest[before.len()..].chars().next().unwrap_or('\'');
        let (quoted, behind) = after.rsplit_once(quote).unwrap_or((after, ""));
        // The outermost pair: what is quoted may hold quotes, unless it is `',' or '}'`.
        let are_signs = quoted.split(quote).step_by(2).all(|sign| sign.chars().count() <= 2);
        out.push_str(before);
        out.push(quote);
        out.push_str(if are_signs { quoted } else { MASK });
        out.push(quote);
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// A server's words about a Secret that it was sent, without the values in them: a patch that does not fit is answered
/// with the whole object (`Invalid value: "{…}"`).
pub fn words_of_server(sent: &Value, words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    let mut rest = words;
    while let Some((before, after)) = rest.split_once("value: ") {
        out.push_str(before);
        out.push_str("value: ");
        let length = literal(after);
        out.push_str(if length > 0 { MASK } else { "" });
        rest = &after[length..];
    }
    out.push_str(rest);
    let values = ["data", "stringData"].iter().filter_map(|field| sent.get(*field)?.as_object()).flat_map(Map::values);
    for value in values.filter_map(Value::as_str).filter(|value| value.len() >= SHORTEST) {
        out = out.replace(value, MASK);
    }
    out
}

/// Values of fewer bytes stand in any sentence.
const SHORTEST: usize = 4;

/// The length of the quoted text, map or list that a text begins with, up to its end where it has none; 0 of anything else.
fn literal(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut chars = text.char_indices();
    let mut quoted = false;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quoted => drop(chars.next()),
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth = depth.saturating_sub(1),
            _ if depth == 0 && !quoted => return 0,
            _ => {}
        }
        if depth == 0 && !quoted {
            return at + c.len_utf8();
        }
    }
    text.len()
}

fn hides_in(fields: &Fields, secrecy: Secrecy, steps: &[&str]) -> bool {
    match steps {
        [field, ..] if secrecy.hides(field) => true,
        ["metadata", "annotations", name, ..] => secrecy != Secrecy::None && COPIES.contains(name),
        ["spec", "template", rest @ ..] if is_sealed(fields) => hides_in(&Fields::new(), Secrecy::Secret, rest),
        ["items", index, rest @ ..] => {
            let item = index.parse::<usize>().ok().and_then(|index| fields.get("items")?.get(index)?.as_object());
            item.is_some_and(|item| hides_in(item, secrecy_of_item(fields, item), rest))
        }
        _ => false,
    }
}

/// Whether [`mask`] could change anything: what nearly every object is answered with, without a copy of it.
pub(crate) fn may_hide(object: &Object) -> bool {
    let fields = object.map();
    knows_any() || secrecy(fields) != Secrecy::None || is_sealed(fields) || fields.contains_key("items")
}

/// The object with every secret value replaced by [`MASK`]; anything that holds none is returned as it is.
pub fn mask(object: &Object) -> Object {
    let mut object = object.clone();
    hide(Some(&mut object), None);
    object
}

/// Two states of one object, masked so that equal values stay equal and different ones differ.
pub fn pair(left: Option<&Object>, right: Option<&Object>) -> (Option<Object>, Option<Object>) {
    let (mut left, mut right) = (left.cloned(), right.cloned());
    hide(left.as_mut(), right.as_mut());
    (left, right)
}

/// As [`pair`], in place.
pub fn hide(left: Option<&mut Object>, right: Option<&mut Object>) {
    if is_mutant("shown-secrets") {
        return;
    }
    // A side that is not there has no fields.
    let (mut no_left, mut no_right) = (Fields::new(), Fields::new());
    let (left, right) = (left.map_or(&mut no_left, Object::map_mut), right.map_or(&mut no_right, Object::map_mut));
    let secrecy = secrecy(left).or(secrecy(right));
    hide_fields(left, right, secrecy);
    if knows_any() {
        known::hide(left, right);
    }
}

/// How much of an object is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    /// Nothing, by what it says of itself.
    None,
    /// `data` and `stringData`: another group's kind of that name, whose other fields are not for values.
    Data,
    /// All but [`PLAIN`]: a field that a Secret does not have is a slip of the pen, with the value in it.
    Secret,
}

impl Secrecy {
    fn hides(self, field: &str) -> bool {
        match self {
            Secrecy::None => false,
            Secrecy::Data => field == "data" || field == "stringData",
            Secrecy::Secret => !PLAIN.contains(&field),
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Secrecy::Secret, _) | (_, Secrecy::Secret) => Secrecy::Secret,
            (Secrecy::Data, _) | (_, Secrecy::Data) => Secrecy::Data,
            _ => Secrecy::None,
        }
    }
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default().trim()
}

fn secrecy(fields: &Fields) -> Secrecy {
    let kind = text(fields, "kind");
    if kind.eq_ignore_ascii_case("Secret") {
        return if text(fields, "apiVersion").contains('/') { Secrecy::Data } else { Secrecy::Secret };
    }
    // With `HELM_DRIVER=configmap`.
    let label = || fields.get("metadata")?.get("labels")?.get("owner")?.as_str();
    if kind == "ConfigMap" && label() == Some("helm") { Secrecy::Data } else { Secrecy::None }
}

fn secrecy_of_item(list: &Fields, item: &Fields) -> Secrecy {
    // Items of a `SecretList` need not say what they are.
    let own = secrecy(item);
    if text(list, "kind").eq_ignore_ascii_case("SecretList") { own.or(Secrecy::Secret) } else { own }
}

fn is_sealed(fields: &Fields) -> bool {
    text(fields, "kind").eq_ignore_ascii_case("SealedSecret")
}

fn hide_fields(left: &mut Fields, right: &mut Fields, secrecy: Secrecy) {
    if secrecy != Secrecy::None {
        let mut hidden: Vec<String> =
            left.keys().chain(right.keys()).filter(|field| secrecy.hides(field)).cloned().collect();
        hidden.sort_unstable();
        hidden.dedup();
        for field in &hidden {
            hide_field(left, right, field);
        }
        below(left, right, &["metadata", "annotations"], |left, right| {
            COPIES.iter().for_each(|copy| hide_field(left, right, copy));
        });
    }
    if is_sealed(left) || is_sealed(right) {
        // What is sealed may be seen; what its template adds is not sealed.
        below(left, right, &["spec", "template"], |left, right| hide_fields(left, right, Secrecy::Secret));
    }
    if left.contains_key("items") || right.contains_key("items") {
        let count = [&*left, &*right].map(|side| side.get("items").and_then(Value::as_array).map_or(0, Vec::len));
        for index in 0..count[0].max(count[1]) {
            let of = |side: &Fields| {
                let item = side.get("items").and_then(|items| items.get(index)?.as_object());
                item.map_or(Secrecy::None, |item| secrecy_of_item(side, item))
            };
            let secrecy = of(&*left).or(of(&*right));
            let (mut no_left, mut no_right) = (Fields::new(), Fields::new());
            let left = item_mut(left, index).unwrap_or(&mut no_left);
            hide_fields(left, item_mut(right, index).unwrap_or(&mut no_right), secrecy);
        }
    }
}

fn item_mut(list: &mut Fields, index: usize) -> Option<&mut Fields> {
    list.get_mut("items")?.get_mut(index)?.as_object_mut()
}

/// Does it to the maps at a path, an empty one where there is none.
fn below(left: &mut Fields, right: &mut Fields, path: &[&str], work: impl FnOnce(&mut Fields, &mut Fields)) {
    fn at<'a>(fields: &'a mut Fields, path: &[&str]) -> Option<&'a mut Fields> {
        match path {
            [] => Some(fields),
            [first, rest @ ..] => at(fields.get_mut(*first)?.as_object_mut()?, rest),
        }
    }
    let (mut no_left, mut no_right) = (Fields::new(), Fields::new());
    work(at(left, path).unwrap_or(&mut no_left), at(right, path).unwrap_or(&mut no_right));
}

/// Masks one field on both sides: the left one shows the plain mask, a right value that differs from its left one a
/// longer one.
fn hide_field(left: &mut Fields, right: &mut Fields, field: &str) {
    let mask = |differs: bool| Value::String(if differs { format!("{MASK}+") } else { MASK.to_owned() });
    let before = left.get(field).cloned();
    for (side, other) in [(left, None), (right, before.as_ref())] {
        match side.get_mut(field) {
            None => {}
            Some(Value::Object(values)) => {
                for (key, value) in values {
                    let differs = other.and_then(|other| other.get(key)).is_some_and(|other| other != value);
                    *value = mask(differs);
                }
            }
            Some(value) => *value = mask(other.is_some_and(|other| other != value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(data: Value) -> Object {
        let annotations = json!({COPIES[0]: "{\"data\":\"c2VjcmV0\"}"});
        let value =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": annotations}, "data": data});
        Object::from_value(value).expect("a map")
    }

    #[test]
    fn values_are_hidden_and_differences_stay_visible() {
        let (before, after) = pair(
            Some(&secret(json!({"same": "YQ==", "other": "Yg==", "gone": "Yw=="}))),
            Some(&secret(json!({"same": "YQ==", "other": "WA==", "new": "Yw=="}))),
        );
        assert_eq!(before.expect("given").at("/data"), Some(&json!({"same": MASK, "other": MASK, "gone": MASK})));
        let after = after.expect("given");
        assert_eq!(after.at("/data"), Some(&json!({"same": MASK, "other": "+++++++++", "new": MASK})));
        assert_eq!(after.annotation(COPIES[0]), Some(MASK));
    }

    /// What was opened in this process is a secret wherever it stands, and so is what stood there before.
    #[test]
    fn what_is_known_is_hidden_in_whatever_object_and_so_is_what_was_in_its_place() {
        landfall_diag::hide_from_now_on(["mask-canary-now".to_owned()]);
        let pod = |value: &str, more: &str| {
            let value = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mask-canary-now", "annotations": {"a": value}},
                "spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": more}, {"name": "Y", "value": value}]}]}});
            Object::from_value(value).expect("a map")
        };
        let (before, after) = pair(Some(&pod("old-value", "x")), Some(&pod("at mask-canary-now!", "x")));
        let (before, after) = (before.expect("given"), after.expect("given"));
        assert_eq!(before.at("/spec/containers/0/env/1/value"), Some(&json!(MASK)));
        assert_eq!(after.at("/spec/containers/0/env/1/value"), Some(&json!("+++++++++")));
        assert_eq!(after.at("/spec/containers/0/env/0/value"), Some(&json!("x")));
        assert_eq!((after.name(), after.annotation("a")), ("mask-canary-now", Some("+++++++++")));
        let alone = serde_json::to_string(&pod("mask-canary-now", "x")).expect("JSON");
        assert_eq!(alone.matches("mask-canary-now").count(), 1, "its name alone: {alone}");
    }

    /// A key with a new name, an item that has another place, a value that has gone into a map: what was there before is as secret.
    #[test]
    fn what_is_known_hides_what_has_gone_where_it_has_come() {
        landfall_diag::hide_from_now_on(["mask-canary-now".to_owned()]);
        let map = |data: Value| {
            let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data});
            Object::from_value(value).expect("a map")
        };
        for (before, after) in [
            (json!({"A": "old-value", "L": "x"}), json!({"B": "mask-canary-now", "L": "x"})),
            (json!({"A": "old-value", "L": "x"}), json!({"A": "plain", "B": "mask-canary-now", "L": "x"})),
            (json!({"A": ["old-value", "x"]}), json!({"A": ["x", "mask-canary-now", "z"]})),
            (json!({"A": {"b": "old-value"}, "L": "x"}), json!({"A": "mask-canary-now", "L": "x"})),
            (json!({"A": "old-value", "L": "x"}), json!({"A": {"b": ["mask-canary-now"]}, "L": "x"})),
            (
                json!({"env": [{"name": "A", "value": "old-value"}, {"name": "L", "value": "x"}]}),
                json!({"env": [{"name": "B", "value": "mask-canary-now"}, {"name": "L", "value": "x"}]}),
            ),
        ] {
            let (one, other) = pair(Some(&map(before)), Some(&map(after)));
            let data = |it: Option<Object>| it.expect("given").at("/data").expect("data").to_string();
            let told = format!("{} {}", data(one), data(other));
            assert!(!told.contains("old-value") && !told.contains("canary") && told.contains("\"x\""), "{told}");
        }
        // What changes elsewhere is told.
        let (one, _) = pair(
            Some(&map(json!({"plain": {"A": "old"}, "B": {}}))),
            Some(&map(json!({"plain": {"A": "new"}, "B": {"c": "mask-canary-now"}}))),
        );
        assert_eq!(one.expect("given").at("/data/plain/A"), Some(&json!("old")));
    }

    #[test]
    fn other_kinds_are_left_alone() {
        let object =
            Object::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}})).expect("a map");
        assert_eq!(mask(&object), object);
    }

    #[test]
    fn no_way_to_write_a_secret_down_shows_its_values() {
        let leaf = json!({"password": "hunter2"});
        let copy = json!({"annotations": {COPIES[0]: "{\"data\":{\"password\":\"hunter2\"}}"}});
        let all = [
            json!({"apiVersion": "v1", "kind": "Secret", "stringData": leaf}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": copy}),
            json!({"apiVersion": "v1", "kind": "Secret", "Data": leaf, "string_data": "hunter2"}),
            json!({"apiVersion": "v1", "kind": "Secret", "data": "hunter2"}),
            json!({"apiVersion": "v1", "kind": "Secret", "data": ["hunter2"]}),
            json!({"apiVersion": "V1", "kind": "secret", "data": leaf}),
            json!({"apiVersion": "", "kind": " Secret ", "data": leaf}),
            json!({"kind": "SECRET", "data": leaf}),
            json!({"apiVersion": "core/v1", "kind": "Secret", "data": leaf, "metadata": copy}),
            json!({"apiVersion": "v1", "kind": "List", "items": [{"kind": "ConfigMap"}, {"kind": "Secret", "data": leaf}]}),
            json!({"apiVersion": "v1", "kind": "SecretList", "items": [{"data": leaf}, {"kind": "Pod", "stringData": leaf}]}),
            json!({"kind": "List", "items": [{"kind": "List", "items": [{"kind": "Secret", "stringData": leaf}]}]}),
            json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "spec": {"encryptedData": {"a": "Ag=="},
                "template": {"metadata": copy, "data": leaf}}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {"owner": "helm"}},
                "data": {"release": "hunter2"}}),
        ];
        for value in all {
            let object = Object::from_value(value.clone()).expect("a map");
            let alone = mask(&object).into_value();
            assert!(!alone.to_string().contains("hunter2"), "{alone}");
            let (one, other) = pair(Some(&object), Some(&object));
            assert!(one == other && !format!("{:?}", one.map(Object::into_value)).contains("hunter2"), "{value}");
            // The path of each value is one that is hidden, so that both ways to ask agree.
            let mut shown = Vec::new();
            leaves(&value, &mut Vec::new(), &mut |path, leaf| {
                if leaf.to_string().contains("hunter2") && !hides(&value, path) {
                    shown.push(path.join("."));
                }
            });
            assert_eq!(shown, Vec::<String>::new(), "{value}");
        }
    }

    fn leaves(value: &Value, path: &mut Vec<String>, seen: &mut dyn FnMut(&[String], &Value)) {
        let inner: Vec<(String, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
            leaf => return seen(path, leaf),
        };
        for (step, value) in inner {
            path.push(step);
            leaves(value, path, seen);
            path.pop();
        }
    }

    #[test]
    fn what_is_no_value_of_a_secret_stays_to_be_seen() {
        let shown = [
            json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
                "metadata": {"name": "keys", "labels": {"a": "b"}, "annotations": {"note": "rotated in May"}}}),
            json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"annotations": {"a": "b"}},
                "spec": {"encryptedData": {"a": "Ag=="}, "template": {"metadata": {"name": "keys"}, "type": "Opaque"}}}),
            json!({"apiVersion": "secretsmanager.aws.crossplane.io/v1beta1", "kind": "Secret",
                "spec": {"forProvider": {"description": "a"}}}),
            json!({"apiVersion": "v1", "kind": "List", "items": [{"kind": "ConfigMap", "data": {"a": "b"}}]}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"annotations": {COPIES[0]: "{}"}}, "data": {"a": "b"}}),
        ];
        for value in shown {
            assert_eq!(mask(&Object::from_value(value.clone()).expect("a map")).into_value(), value);
        }
    }

    #[test]
    fn a_copy_in_an_annotation_that_differs_is_seen_to_differ() {
        let copied = |copy: &str| {
            let annotations = json!({COPIES[0]: copy});
            Object::from_value(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": annotations}}))
                .expect("a map")
        };
        let (one, other) = pair(Some(&copied("hunter2")), Some(&copied("hunter3")));
        assert_ne!(one, other);
        assert!(!format!("{:?}", (one.map(Object::into_value), other.map(Object::into_value))).contains("hunter"));
    }

    #[test]
    fn a_text_that_says_it_is_a_secret_is_known_without_being_read() {
        let secrets = [
            "kind: Secret\ndata: {",
            "a: b\n---\n\"kind\" : \"Secret\"",
            "{kind: 'Secret'",
            "kind:\n  Secret",
            "? kind\n: !!str &a Secret",
            "kind: SecretList",
            "kind: SealedSecret",
            "KIND: secret",
        ];
        for text in secrets {
            assert!(names_a_secret(text), "{text}");
        }
        for text in ["kind: ConfigMap\nmetadata: {name: secret}", "secretKeyRef: a", "kind: Pod # Secret", "kind", ""] {
            assert!(!names_a_secret(text), "{text}");
        }
    }

    #[test]
    fn words_about_a_secret_quote_signs_alone() {
        let about = |words: &str| words_about("kind: Secret", words.to_owned());
        assert_eq!(about("yaml: unknown anchor 'hunter2' referenced"), "yaml: unknown anchor '++++++++' referenced");
        assert_eq!(about("a \"hun'ter2\" b"), "a \"++++++++\" b");
        assert_eq!(about("line 5: could not find expected ':'"), "line 5: could not find expected ':'");
        assert_eq!(about("did not find expected ',' or '}'"), "did not find expected ',' or '}'");
        assert_eq!(about("an open 'hunter2"), "an open '++++++++'");
        assert_eq!(words_about("kind: Pod", "anchor 'a1b2'".to_owned()), "anchor 'a1b2'");
    }

    #[test]
    fn what_a_server_says_of_a_secret_keeps_its_sense_and_no_value() {
        let sent = json!({"data": {"a": "hunter2!"}, "stringData": {"b": "hunter3", "c": "x"}});
        let about = |words: &str| words_of_server(&sent, words);
        assert_eq!(
            about(
                r#" "" is invalid: patch: Invalid value: "{\"data\":{\"a\":\"hunter9\"}}": illegal base64 data at input byte 6"#
            ),
            r#" "" is invalid: patch: Invalid value: ++++++++: illegal base64 data at input byte 6"#
        );
        assert_eq!(about(r#"b: Invalid value: {"a":["}hunter9"]}: no"#), "b: Invalid value: ++++++++: no");
        assert_eq!(about("b: Invalid value: \"hunter9"), "b: Invalid value: ++++++++");
        assert_eq!(about("value: 3, denied: hunter2! and hunter3"), "value: 3, denied: ++++++++ and ++++++++");
        for words in
            ["secrets \"keys\" is forbidden: User \"x\" cannot patch", "admission webhook \"a.b\" denied it: no owner"]
        {
            assert_eq!(about(words), words);
        }
    }
}
