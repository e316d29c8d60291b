//! How two environments of a system differ, object by object.

use std::collections::BTreeMap;

use landfall_object::Object;
use landfall_object::diff::changes;
use landfall_object::schema::Schemas;
use landfall_rules::{Desired, DesiredUnit};
use serde::Serialize;
use serde_json::Value;

/// An object that two environments do not have alike.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// The object: kind and name.
    pub object: String,
    /// `only in A`, `only in B`, or `differs`.
    pub what: Side,
    /// The fields that differ; values of secrets masked.
    pub fields: Vec<FieldDifference>,
}

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// In the first alone.
    OnlyFirst,
    /// In the second alone.
    OnlySecond,
    /// In both, and not the same.
    Differs,
}

/// A field in two environments.
#[derive(Debug, Serialize)]
pub struct FieldDifference {
    /// The field.
    pub path: String,
    /// In the first.
    pub first: Option<Value>,
    /// In the second.
    pub second: Option<Value>,
}

/// Compares what two environments render to. Namespaces and the names of releases are what makes them two, so an object
/// is known by its kind and its name without the release's in front.
pub fn differences(first: &[DesiredUnit], second: &[DesiredUnit]) -> Vec<Difference> {
    let (mut one, mut other) = (by_name(first), by_name(second));
    let mut pairs: Vec<(Name, &Desired, &Desired)> = Vec::new();
    // Alike by their whole name, else by what is left of it without the release's.
    for bare in [Bare::No, Bare::Yes] {
        let left = |all: &BTreeMap<Name, &Desired>| -> BTreeMap<Name, Name> {
            all.iter().map(|(name, desired)| (bare.of(name, desired), name.clone())).collect()
        };
        let (names, twins) = (left(&one), left(&other));
        for (key, name) in &names {
            let Some(twin) = twins.get(key) else { continue };
            if let (Some(a), Some(b)) = (one.remove(name), other.remove(twin)) {
                pairs.push((name.clone(), a, b));
            }
        }
    }
    let schemas = Schemas::builtin();
    let mut found = Vec::new();
    for (name, a, b) in pairs {
        let (old, new) = (placeless(&a.object), placeless(&b.object));
        let fields: Vec<FieldDifference> = changes(&old, &new, &schemas)
            .into_iter()
            .map(|change| FieldDifference { path: change.path, first: change.from, second: change.to })
            .collect();
        if !fields.is_empty() {
            found.push(Difference { object: shown(&name), what: Side::Differs, fields });
        }
    }
    for (left, what) in [(one, Side::OnlyFirst), (other, Side::OnlySecond)] {
        found.extend(left.keys().map(|name| Difference { object: shown(name), what, fields: Vec::new() }));
    }
    found.sort_by(|a, b| a.object.cmp(&b.object));
    found
}

/// Whether the release's name in front of an object's is left out.
#[derive(Clone, Copy)]
enum Bare {
    No,
    Yes,
}

impl Bare {
    fn of(self, name: &Name, desired: &Desired) -> Name {
        let Bare::Yes = self else { return name.clone() };
        let (group, kind, whole, again) = name.clone();
        let bare = match whole.strip_prefix(desired.unit.as_str()) {
            Some("") => String::new(),
            Some(rest) => rest.strip_prefix('-').map_or(whole.clone(), str::to_owned),
            None => whole,
        };
        (group, kind, bare, again)
    }
}

/// Group, kind, name, and how many of the same name stand before it.
type Name = (String, String, String, usize);

fn by_name(units: &[DesiredUnit]) -> BTreeMap<Name, &Desired> {
    let mut found = BTreeMap::new();
    for desired in units.iter().flat_map(|unit| &unit.objects) {
        let object = &desired.object;
        let mut key = (object.group().to_owned(), object.kind().to_owned(), object.name().to_owned(), 0);
        while found.contains_key(&key) {
            key.3 += 1;
        }
        found.insert(key, desired);
    }
    found
}

fn shown((_, kind, name, again): &Name) -> String {
    if *again == 0 { format!("{kind}/{name}") } else { format!("{kind}/{name} ({})", again + 1) }
}

/// An object without what only says where it lies and who delivers it.
fn placeless(object: &Object) -> Object {
    let mut object = object.clone();
    object.metadata_mut().remove("namespace");
    object.metadata_mut().remove("name");
    object.metadata_mut().remove("labels");
    object
}
