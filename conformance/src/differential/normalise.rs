//! Replaces what two servers may choose freely by symbols that keep identity and order.
//!
//! The list of places is closed: a value is replaced only where its path ends as one of [`PLACES`] says, or, in a table, under one of
//! [`TABLE_COLUMNS`]. A value that names a thing (uid, generated name, address) gets the number of its first appearance, wherever in the script's
//! answers it appears again, inside messages too. A resource version gets its rank among those of its object; a collection's and a created object's may
//! not lie behind what was answered before. Times must lie between the side's start and the answer: which
//! of two seconds a background write fell into is nobody's promise.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::transcript::Transcript;

/// What kind of value stands in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Any text that names one thing and is chosen by the server.
    Name(&'static str),
    /// The version of one object, a decimal number.
    ResourceVersion,
    /// A moment up to now.
    Time,
    /// A moment that may lie ahead.
    Future,
    /// Text without a meaning to clients.
    Opaque(&'static str),
}

/// The ends of paths; `[]` stands for any index.
const PLACES: &[(&[&str], Kind)] = &[
    (&["metadata", "uid"], Kind::Name("uid")),
    (&["ownerReferences", "[]", "uid"], Kind::Name("uid")),
    (&["details", "uid"], Kind::Name("uid")),
    (&["involvedObject", "uid"], Kind::Name("uid")),
    (&["regarding", "uid"], Kind::Name("uid")),
    (&["claimRef", "uid"], Kind::Name("uid")),
    (&["targetRef", "uid"], Kind::Name("uid")),
    (&["labels", "controller-uid"], Kind::Name("uid")),
    (&["labels", "batch.kubernetes.io/controller-uid"], Kind::Name("uid")),
    (&["matchLabels", "batch.kubernetes.io/controller-uid"], Kind::Name("uid")),
    (&["labels", "pod-template-hash"], Kind::Name("hash")),
    (&["matchLabels", "pod-template-hash"], Kind::Name("hash")),
    (&["labels", "controller-revision-hash"], Kind::Name("hash")),
    (&["spec", "clusterIP"], Kind::Name("address")),
    (&["spec", "clusterIPs", "[]"], Kind::Name("address")),
    (&["status", "podIP"], Kind::Name("address")),
    (&["status", "podIPs", "[]", "ip"], Kind::Name("address")),
    (&["status", "hostIP"], Kind::Name("address")),
    (&["status", "hostIPs", "[]", "ip"], Kind::Name("address")),
    (&["addresses", "[]", "ip"], Kind::Name("address")),
    (&["endpoints", "[]", "addresses", "[]"], Kind::Name("address")),
    (&["serverAddressByClientCIDRs", "[]", "serverAddress"], Kind::Name("address")),
    (&["spec", "ports", "[]", "nodePort"], Kind::Name("port")),
    (&["spec", "healthCheckNodePort"], Kind::Name("port")),
    (&["metadata", "resourceVersion"], Kind::ResourceVersion),
    (&["involvedObject", "resourceVersion"], Kind::ResourceVersion),
    (&["metadata", "creationTimestamp"], Kind::Time),
    (&["metadata", "deletionTimestamp"], Kind::Future),
    (&["managedFields", "[]", "time"], Kind::Time),
    (&["conditions", "[]", "lastTransitionTime"], Kind::Time),
    (&["conditions", "[]", "lastUpdateTime"], Kind::Time),
    (&["conditions", "[]", "lastProbeTime"], Kind::Time),
    (&["status", "startTime"], Kind::Time),
    (&["status", "completionTime"], Kind::Time),
    (&["status", "lastPhaseTransitionTime"], Kind::Time),
    (&["running", "startedAt"], Kind::Time),
    (&["terminated", "startedAt"], Kind::Time),
    (&["terminated", "finishedAt"], Kind::Time),
    (&["firstTimestamp"], Kind::Time),
    (&["lastTimestamp"], Kind::Time),
    (&["eventTime"], Kind::Time),
    (&["status", "expirationTimestamp"], Kind::Future),
    (&["metadata", "continue"], Kind::Opaque("continue")),
    (&["status", "token"], Kind::Name("token")),
    (&["spec", "token"], Kind::Name("token")),
    (&["extra", "authentication.kubernetes.io/credential-id", "[]"], Kind::Name("credential")),
];

/// Columns of tables whose cells depend on the moment.
const TABLE_COLUMNS: &[&str] = &["Age", "Last Seen", "First Seen", "Duration", "Created At"];

/// Keys from the answer's root, `[]` for an index.
type Path = Vec<String>;

/// Gives each answer of a transcript with symbols in place of free values.
pub(crate) fn normalise(transcript: &Transcript) -> Vec<Value> {
    let values: Vec<Value> = transcript.exchanges.iter().map(super::transcript::Exchange::value).collect();
    let mut seen = Seen::default();
    for value in &values {
        seen.collect(value, &mut Vec::new());
    }
    let mut births = BTreeMap::new();
    let mut newest = 0;
    values
        .into_iter()
        .zip(&transcript.exchanges)
        .map(|(mut value, exchange)| {
            let mut moment = Moment {
                seen: &seen,
                births: &mut births,
                newest: &mut newest,
                side_since: transcript.side_since,
                received: exchange.received,
                created: exchange.status == 201,
                is_token: value["body"]["kind"] == "TokenRequest",
                columns: Vec::new(),
            };
            moment.replace(&mut value, &mut Vec::new(), Place::Object);
            value
        })
        .collect()
}

/// What a transcript contains.
#[derive(Default)]
struct Seen {
    /// Symbol by value, for values that name things.
    names: BTreeMap<String, String>,
    /// How many symbols of each kind there are.
    counts: BTreeMap<&'static str, usize>,
    /// Resource versions by the uid of their object; those of objects without one under the empty text.
    versions: BTreeMap<String, BTreeSet<u64>>,
}

/// Whether a resource version is an object's or a collection's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Object,
    Collection,
}

impl Seen {
    fn collect(&mut self, value: &Value, path: &mut Path) {
        match value {
            Value::Object(map) => {
                if let Some(name) = generated_name(value) {
                    self.name("generated", name);
                }
                if let Some(Ok(version)) = text_of(map, "resourceVersion").map(str::parse) {
                    let uid = text_of(map, "uid").unwrap_or_default();
                    self.versions.entry(uid.to_owned()).or_default().insert(version);
                }
                for (key, child) in map {
                    path.push(key.clone());
                    self.collect(child, path);
                    path.pop();
                }
            }
            Value::Array(items) => {
                for item in items {
                    path.push("[]".to_owned());
                    self.collect(item, path);
                    path.pop();
                }
            }
            Value::String(text) => match kind_of(path) {
                Some(Kind::Name("address")) if text == "None" || text.is_empty() => {}
                Some(Kind::Name(kind)) => self.name(kind, text),
                _ => {}
            },
            Value::Number(number) => {
                if let Some(Kind::Name(kind)) = kind_of(path) {
                    self.name(kind, &number.to_string());
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn name(&mut self, kind: &'static str, text: &str) {
        if text.is_empty() || self.names.contains_key(text) {
            return;
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        self.names.insert(text.to_owned(), format!("<{kind}:{count}>"));
    }
}

/// The name of an object that the server completed from `generateName`.
fn generated_name(object: &Value) -> Option<&str> {
    let prefix = object.get("generateName")?.as_str()?;
    let name = object.get("name")?.as_str()?;
    name.strip_prefix(prefix).filter(|suffix| suffix.len() == 5).map(|_| name)
}

/// One answer's view of what was seen.
struct Moment<'a> {
    seen: &'a Seen,
    /// Creation time by uid: it never changes.
    births: &'a mut BTreeMap<String, String>,
    /// The greatest resource version of an answer so far.
    newest: &'a mut u64,
    side_since: i64,
    received: i64,
    /// Whether the answer tells of a new object.
    created: bool,
    /// Whether it is a token, which has its account's uid and a time of its own.
    is_token: bool,
    /// Columns of the answer's tables whose cells depend on the moment: a watch defines them in its first table alone.
    columns: Vec<usize>,
}

impl Moment<'_> {
    fn replace(&mut self, value: &mut Value, path: &mut Path, place: Place) {
        match value {
            Value::Object(map) => {
                if map.get("kind").and_then(Value::as_str) == Some("Table") {
                    mask_table(map, &mut self.columns);
                }
                let collection = map.contains_key("items") || map.contains_key("rows") || is_bookmark(map);
                let uid = text_of(map, "uid").map(str::to_owned);
                let owner = uid.clone().unwrap_or_default();
                let uid = uid.filter(|_| !self.is_token);
                if let (Some(uid), Some(Value::String(born))) = (uid, map.get("creationTimestamp")) {
                    let first = self.births.entry(uid).or_insert_with(|| born.clone()).clone();
                    if &first != born {
                        map.insert("creationTimestamp".to_owned(), Value::String(format!("<changed from {first}>")));
                    }
                }
                if let Some(Value::Array(entries)) = map.get_mut("managedFields") {
                    entries.sort_by_cached_key(manager_key);
                }
                let mut renamed = serde_json::Map::new();
                for (key, mut child) in std::mem::take(map) {
                    path.push(key.clone());
                    let inner = if key == "metadata" && collection { Place::Collection } else { Place::Object };
                    match &mut child {
                        Value::String(text) if kind_of(path) == Some(Kind::ResourceVersion) => {
                            *text = self.version(text, place, &owner);
                        }
                        other => self.replace(other, path, inner),
                    }
                    path.pop();
                    renamed.insert(self.renamed(&key), child);
                }
                *map = renamed;
            }
            Value::Array(items) => {
                for item in items {
                    path.push("[]".to_owned());
                    self.replace(item, path, Place::Object);
                    path.pop();
                }
            }
            Value::String(text) => *text = self.text(text, path),
            Value::Number(number) => {
                if matches!(kind_of(path), Some(Kind::Name(_)))
                    && let Some(symbol) = self.seen.names.get(&number.to_string())
                {
                    *value = Value::String(symbol.clone());
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&self, text: &str, path: &Path) -> String {
        match kind_of(path) {
            Some(Kind::Time) => self.time(text, 1),
            Some(Kind::Future) => self.time(text, 7200),
            Some(Kind::Opaque(kind)) if !text.is_empty() => format!("<{kind}>"),
            _ => self.renamed(text),
        }
    }

    fn version(&mut self, text: &str, place: Place, uid: &str) -> String {
        let Ok(version) = text.parse::<u64>() else { return text.to_owned() };
        let behind = version < *self.newest;
        if place == Place::Collection {
            // It also counts what others wrote meanwhile: all that can be said is that it is not behind.
            return if behind { "<version:past>" } else { "<version:now>" }.to_owned();
        }
        *self.newest = version.max(*self.newest);
        if behind && self.created {
            return "<version:past>".to_owned();
        }
        let rank = self.seen.versions.get(uid).map_or(0, |versions| versions.range(..=version).count());
        format!("<version:{rank}>")
    }

    /// A symbol for a time that is plausible, else the text as it is.
    fn time(&self, text: &str, ahead: i64) -> String {
        let Some((seconds, kind)) = moment(text) else { return text.to_owned() };
        if (self.side_since - 2..=self.received + ahead).contains(&seconds) {
            format!("<{kind}>")
        } else {
            text.to_owned()
        }
    }

    /// Text with every known name replaced.
    fn renamed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if text.len() < 4 {
            return text;
        }
        // Longer names first: a generated name may contain a hash.
        let mut names: Vec<(&String, &String)> = self.seen.names.iter().filter(|(name, _)| name.len() >= 4).collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, symbol) in names {
            // A port is a short number that may stand anywhere: it is replaced in its own place only.
            if !symbol.starts_with("<port:") && text.contains(name.as_str()) {
                text = text.replace(name.as_str(), symbol);
            }
        }
        mask_texts(text)
    }
}

/// Places inside texts where a server's choice stands: what comes before it, and how many characters it has at least. A volume's generated suffix, and
/// resource versions in messages.
const IN_TEXT: &[(&str, usize)] = &[
    ("kube-api-access-", 5),
    (", current: ", 1),
    ("the ResourceVersion in the precondition (", 1),
    ("the ResourceVersion in record (", 1),
];

fn mask_texts(mut text: String) -> String {
    for (prefix, least) in IN_TEXT {
        text = mask_after(&text, prefix, |c| c.is_ascii_alphanumeric(), *least);
    }
    text
}

/// Replaces what follows `prefix` by a symbol when at least `least` characters fit.
fn mask_after(text: &str, prefix: &str, fits: impl Fn(char) -> bool, least: usize) -> String {
    let Some(at) = text.find(prefix) else { return text.to_owned() };
    let (head, tail) = text.split_at(at + prefix.len());
    let length = tail.find(|c| !fits(c)).unwrap_or(tail.len());
    if length < least {
        return text.to_owned();
    }
    format!("{head}<any>{}", &tail[length..])
}

/// Managers are ordered by operation and time, in whole seconds; who comes first of two in one second depends on the moment. The order of operations
/// stays, within one it is by name.
fn manager_key(entry: &Value) -> (String, String, String, String) {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("operation"), text("manager"), text("subresource"), text("apiVersion"))
}

fn text_of<'a>(map: &'a serde_json::Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

fn is_bookmark(map: &serde_json::Map<String, Value>) -> bool {
    let empty = |key: &str| map.get(key).is_none_or(|value| value.as_object().is_some_and(serde_json::Map::is_empty));
    map.get("metadata")
        .is_some_and(|metadata| metadata.get("name").is_none() && metadata.get("resourceVersion").is_some())
        && empty("spec")
        && empty("status")
}

fn mask_table(table: &mut serde_json::Map<String, Value>, columns: &mut Vec<usize>) {
    let defined = table.get("columnDefinitions").and_then(Value::as_array).filter(|defined| !defined.is_empty());
    if let Some(defined) = defined {
        let moving = |column: &Value| column["name"].as_str().is_some_and(|name| TABLE_COLUMNS.contains(&name));
        *columns = (0..defined.len()).filter(|index| moving(&defined[*index])).collect();
    }
    for row in table.get_mut("rows").and_then(Value::as_array_mut).into_iter().flatten() {
        for index in columns.iter() {
            let cell = row.get_mut("cells").and_then(|cells| cells.get_mut(*index));
            if let Some(Value::String(text)) = cell
                && text.ends_with(|c: char| "smhdyZ".contains(c))
                && text.starts_with(|c: char| c.is_ascii_digit())
            {
                *text = "<age>".to_owned();
            }
        }
    }
}

fn kind_of(path: &Path) -> Option<Kind> {
    PLACES
        .iter()
        .find(|(end, _)| path.len() >= end.len() && path[path.len() - end.len()..] == **end)
        .map(|(_, kind)| *kind)
}

/// Seconds since 1970 of an RFC 3339 time in UTC, and whether it has microseconds.
fn moment(text: &str) -> Option<(i64, &'static str)> {
    let rest = text.strip_suffix('Z')?;
    let (whole, kind) = match rest.split_once('.') {
        Some((whole, fraction)) if fraction.len() == 6 && fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
            (whole, "microtime")
        }
        Some(_) => return None,
        None => (rest, "time"),
    };
    let bytes = whole.as_bytes();
    if bytes.len() != 19
        || [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')].iter().any(|(at, mark)| bytes[*at] != *mark)
    {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Days from civil, after Howard Hinnant's algorithm.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second, kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::differential::transcript::{Body, Exchange};

    fn transcript(bodies: &[Value]) -> Transcript {
        let exchange = |body: &Value| Exchange {
            step: "s".to_owned(),
            status: 200,
            headers: Vec::new(),
            body: Body::Json(body.clone()),
            received: 1_000_010,
        };
        Transcript { side_since: 1_000_000, exchanges: bodies.iter().map(exchange).collect() }
    }

    #[test]
    fn times_are_read() {
        assert_eq!(moment("1970-01-12T13:46:40Z"), Some((1_000_000, "time")));
        assert_eq!(moment("1970-01-12T13:46:40.123456Z"), Some((1_000_000, "microtime")));
        assert_eq!(moment("2000-03-01T00:00:00Z"), Some((951_868_800, "time")));
        assert_eq!(moment("1970-01-12 13:46:40Z"), None);
    }

    #[test]
    fn a_watchs_later_tables_have_the_columns_of_its_first() {
        let event = |columns: Value, age: &str| json!({"type": "ADDED", "object": {"kind": "Table", "columnDefinitions": columns, "rows": [{"cells": ["a", age]}]}});
        let first = event(json!([{"name": "Name"}, {"name": "Age"}]), "0s");
        let answers = normalise(&transcript(&[json!([first, event(Value::Null, "1s")])]));
        for index in [0, 1] {
            assert_eq!(answers[0]["body"][index]["object"]["rows"][0]["cells"], json!(["a", "<age>"]));
        }
    }

    #[test]
    fn a_token_is_younger_than_its_account() {
        let of = |kind: &str, second: u32| {
            let born = format!("1970-01-12T13:46:4{second}Z");
            json!({"kind": kind, "metadata": {"uid": "aaaa-1", "creationTimestamp": born}})
        };
        let born = |later: &str| {
            let answers = normalise(&transcript(&[of("ServiceAccount", 0), of(later, 1)]));
            answers[1]["body"]["metadata"]["creationTimestamp"].as_str().expect("a time").to_owned()
        };
        assert_eq!(born("TokenRequest"), "<time>");
        assert_eq!(born("ServiceAccount"), "<changed from 1970-01-12T13:46:40Z>");
    }

    #[test]
    fn names_keep_their_identity() {
        let one = json!({"metadata": {"name": "a", "uid": "aaaa-1", "resourceVersion": "50"}});
        let two = json!({"metadata": {"name": "b", "uid": "bbbb-2", "resourceVersion": "70"}, "message": "uid aaaa-1 is gone"});
        let answers = normalise(&transcript(&[one, two]));
        assert_eq!(
            answers[0]["body"]["metadata"],
            json!({"name": "a", "uid": "<uid:1>", "resourceVersion": "<version:1>"})
        );
        assert_eq!(
            answers[1]["body"]["metadata"],
            json!({"name": "b", "uid": "<uid:2>", "resourceVersion": "<version:1>"})
        );
        assert_eq!(answers[1]["body"]["message"], "uid <uid:1> is gone");
    }

    #[test]
    fn versions_of_one_object_keep_their_order() {
        let at = |version: &str| json!({"metadata": {"name": "a", "uid": "aaaa-1", "resourceVersion": version}});
        let answers = normalise(&transcript(&[at("70"), at("50"), at("70")]));
        let symbols: Vec<&Value> =
            answers.iter().map(|answer| &answer["body"]["metadata"]["resourceVersion"]).collect();
        assert_eq!(symbols, ["<version:2>", "<version:1>", "<version:2>"]);
    }

    #[test]
    fn implausible_times_stay() {
        let body = json!({"metadata": {"creationTimestamp": "1970-01-12T13:46:45Z", "deletionTimestamp": "1971-01-12T13:46:45Z"}});
        let answers = normalise(&transcript(&[body]));
        assert_eq!(answers[0]["body"]["metadata"]["creationTimestamp"], "<time>");
        assert_eq!(answers[0]["body"]["metadata"]["deletionTimestamp"], "1971-01-12T13:46:45Z");
    }

    #[test]
    fn a_list_behind_its_objects_is_seen() {
        let object = json!({"metadata": {"name": "a", "resourceVersion": "50"}});
        let behind = json!({"metadata": {"resourceVersion": "40"}, "items": []});
        let ahead = json!({"metadata": {"resourceVersion": "60"}, "items": []});
        let answers = normalise(&transcript(&[object, behind, ahead]));
        assert_eq!(answers[1]["body"]["metadata"]["resourceVersion"], "<version:past>");
        assert_eq!(answers[2]["body"]["metadata"]["resourceVersion"], "<version:now>");
    }
}
