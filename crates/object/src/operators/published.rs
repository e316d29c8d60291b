//! What operators publish of their kinds: fields, types, what is required, enums, of several releases in one.
//!
//! One record a line, columns separated by tabs (`data/operators.tsv`, made by `conformance operator-tables`):
//!
//! ```text
//! G product first last                    who publishes kinds, and of which releases they were read
//! s [VALUE…]  b  i  f  o  x               nodes: text (one of values), bool, integer, number, int or string, anything
//! [ N   { N                               list and map of the N-th node
//! O NAME=N[!]…   P NAME=N[!]…             fields, `!` where one is required; P where others are kept
//! K group version kind plural N G         a kind, the node of its objects, and who publishes it
//! ```
//!
//! Nodes, and who publishes, are numbered from 0 in their order; a node is made of earlier ones alone.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::Object;
use crate::schema::Schemas;

const TABLE: &str = include_str!("../../data/operators.tsv");

/// The table's lines by what they are.
#[derive(Debug, Default)]
struct Lines {
    publishers: Vec<&'static str>,
    nodes: Vec<&'static str>,
    kinds: Vec<&'static str>,
}

static LINES: LazyLock<Lines> = LazyLock::new(|| {
    let mut lines = Lines::default();
    for line in TABLE.lines() {
        match line.split('\t').next() {
            Some("G") => lines.publishers.push(line),
            Some("K") => lines.kinds.push(line),
            _ => lines.nodes.push(line),
        }
    }
    lines
});

/// Who publishes a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publisher {
    /// `cert-manager`.
    pub product: &'static str,
    /// The oldest release that was read, such as `v1.0.0`.
    pub first: &'static str,
    /// The newest.
    pub last: &'static str,
}

/// The columns of the lines of a kind: version, plural name, node, publisher.
fn of_kind(group: &str, kind: &str) -> impl Iterator<Item = [&'static str; 4]> {
    LINES.kinds.iter().filter_map(move |line| {
        let mut columns = line.split('\t').skip(1);
        let (its_group, version, its_kind) = (columns.next()?, columns.next()?, columns.next()?);
        let rest = [version, columns.next()?, columns.next()?, columns.next()?];
        ((its_group, its_kind) == (group, kind)).then_some(rest)
    })
}

/// The kinds of a group that are published, each as often as it has versions.
pub fn kinds_of(group: &str) -> Vec<&'static str> {
    let kind = |line: &&'static str| {
        let mut columns = line.split('\t').skip(1);
        let (its_group, _, kind) = (columns.next()?, columns.next()?, columns.next()?);
        (its_group == group).then_some(kind)
    };
    LINES.kinds.iter().filter_map(kind).collect()
}

/// Who publishes a kind; `None` for one that is not known.
pub fn publisher(group: &str, kind: &str) -> Option<Publisher> {
    let [.., number] = of_kind(group, kind).last()?;
    let mut columns = LINES.publishers.get(number.parse::<usize>().ok()?)?.split('\t').skip(1);
    Some(Publisher { product: columns.next()?, first: columns.next()?, last: columns.next()? })
}

/// A definition of a kind with all the versions that are known of it, to judge objects by: it allows what any release that was
/// read allows, and says nothing of status, defaults and rules. `None` for a kind that is not known.
pub fn published(group: &str, kind: &str) -> Option<Value> {
    let mut versions = Vec::new();
    let mut named = "";
    for [version, plural, node, _] in of_kind(group, kind) {
        named = plural;
        let schema = schema(node.parse().ok()?)?;
        versions.push(json!({"name": version, "served": true, "schema": {"openAPIV3Schema": schema}}));
    }
    if versions.is_empty() {
        return None;
    }
    Some(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{named}.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": named}, "versions": versions},
    }))
}

/// The schemas of a kind as it is [`published`], read once for all who ask.
pub fn published_schemas(group: &str, kind: &str) -> Option<Schemas> {
    static READ: LazyLock<Mutex<BTreeMap<(String, String), Schemas>>> = LazyLock::new(Mutex::default);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (group.to_owned(), kind.to_owned());
    if let Some(schemas) = read.get(&key) {
        return Some(schemas.clone());
    }
    let mut schemas = Schemas::builtin();
    schemas.join(&Object::from_value(published(group, kind)?).ok()?).ok()?;
    read.insert(key, schemas.clone());
    Some(schemas)
}

/// A node as a structural schema. Null is what the API server takes away, or puts a default for: it fits everywhere.
fn schema(number: usize) -> Option<Value> {
    let line = LINES.nodes.get(number)?;
    let mut columns = line.split('\t');
    let word = columns.next()?;
    let below = |text: &str| text.parse::<usize>().ok().filter(|below| *below < number).and_then(schema);
    let mut made = match word {
        "s" => {
            let values: Vec<&str> = columns.collect();
            let mut made = json!({"type": "string"});
            if !values.is_empty() {
                made["enum"] = json!(values);
            }
            made
        }
        "b" => json!({"type": "boolean"}),
        "i" => json!({"type": "integer"}),
        "f" => json!({"type": "number"}),
        "o" => json!({"x-kubernetes-int-or-string": true}),
        "x" => json!({"x-kubernetes-preserve-unknown-fields": true}),
        "[" => json!({"type": "array", "items": below(columns.next()?)?}),
        "{" => json!({"type": "object", "additionalProperties": below(columns.next()?)?}),
        "O" | "P" => {
            let (mut properties, mut required) = (Map::new(), Vec::new());
            for column in columns {
                let (name, node) = column.split_once('=')?;
                let plain = node.strip_suffix('!');
                if plain.is_some() {
                    required.push(name);
                }
                properties.insert(name.to_owned(), below(plain.unwrap_or(node))?);
            }
            let mut made = json!({"type": "object", "properties": properties, "required": required});
            if word == "P" {
                made["x-kubernetes-preserve-unknown-fields"] = true.into();
            }
            made
        }
        _ => return None,
    };
    made["nullable"] = true.into();
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_committed_table_reads() {
        assert!(LINES.kinds.len() > 60, "{} kinds", LINES.kinds.len());
        for (number, line) in LINES.nodes.iter().enumerate() {
            // Each node is read by itself: what it is made of is read before.
            let parts = line.split('\t').skip(1);
            let is_made = matches!(line.as_bytes()[0], b'[' | b'{' | b'O' | b'P');
            let below = parts.filter(|_| is_made).map(|part| part.rsplit('=').next().unwrap_or(part));
            for part in below {
                let part: usize = part.trim_end_matches('!').parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(part < number, "{line}");
            }
            assert!(line.starts_with(['s', 'b', 'i', 'f', 'o', 'x', '[', '{', 'O', 'P']), "{line}");
        }
        for line in &LINES.kinds {
            let columns: Vec<&str> = line.split('\t').collect();
            assert!(publisher(columns[1], columns[3]).is_some(), "{line}");
            assert!(published_schemas(columns[1], columns[3]).is_some(), "{line}");
        }
    }

    #[test]
    fn the_kinds_of_a_group_are_its_own() {
        let kinds = kinds_of("operator.victoriametrics.com");
        assert!(kinds.contains(&"VMAlert") && !kinds.contains(&"Certificate"));
        assert_eq!(kinds_of("victoriametrics.com"), [] as [&str; 0]);
    }

    #[test]
    fn a_certificate_has_the_fields_that_cert_manager_publishes() {
        let definition = published("cert-manager.io", "Certificate").expect("known");
        let fields = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
        let fields = fields.and_then(Value::as_object).expect("fields");
        assert!(["secretName", "issuerRef", "dnsNames", "renewBefore"].iter().all(|name| fields.contains_key(*name)));
        assert!(!fields.contains_key("secretname"));
        let publisher = publisher("cert-manager.io", "Certificate").expect("known");
        assert_eq!((publisher.product, publisher.first), ("cert-manager", "v1.0.0"));
        assert_eq!(super::publisher("argoproj.io", "Rollout").map(|it| it.product), Some("Argo Rollouts"));
        assert_eq!(super::publisher("cert-manager.i", "Certificate"), None);
        assert_eq!(published("cert-manager.io", "Nothing"), None);
    }
}
