use serde_json::{Map, Value, json};

use super::{FieldSet, Writer};
use crate::object::child_map;

/// How a manager came to its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By create, update or patch.
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// One manager's entry in `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The manager's name.
    pub manager: String,
    /// How it came to its fields.
    pub operation: Operation,
    /// The version its field names are of.
    pub api_version: String,
    /// The subresource it writes through; empty for the object itself.
    pub subresource: String,
    /// When its fields last changed (RFC 3339).
    pub time: Option<String>,
    /// Its fields.
    pub set: FieldSet,
}

/// `metadata.managedFields` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EntryError(String);

impl Entry {
    /// An entry without fields for that writer.
    pub(super) fn identity_of(writer: &Writer<'_>, operation: Operation, manager: &str) -> Self {
        Self {
            manager: if manager.is_empty() { "unknown" } else { manager }.to_owned(),
            operation,
            api_version: writer.api_version.to_owned(),
            subresource: writer.subresource.to_owned(),
            time: None,
            set: FieldSet::default(),
        }
    }

    /// Whether both are of one manager: for Apply the version does not matter.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// The manager as messages name it.
    pub(super) fn label(&self) -> String {
        let mut label = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            label = format!("{label} with subresource {:?}", self.subresource);
        }
        if self.operation == Operation::Update {
            label = format!("{label} using {}", self.api_version);
        }
        label
    }
}

/// Reads the entries of an object; none when it has no `managedFields`.
pub fn entries(object: &Value) -> Result<Vec<Entry>, EntryError> {
    let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    list.into_iter().flatten().enumerate().map(|(at, entry)| read(at, entry)).collect()
}

fn read(at: usize, entry: &Value) -> Result<Entry, EntryError> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    let operation = match text("operation") {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return Err(EntryError("operation must be `Apply` or `Update`".to_owned())),
    };
    if text("apiVersion").is_empty() {
        return Err(EntryError("apiVersion must not be empty".to_owned()));
    }
    match text("fieldsType") {
        "FieldsV1" => {}
        "" => return Err(EntryError(format!("missing fieldsType in managed fields entry {at}"))),
        other => return Err(EntryError(format!("invalid fieldsType {other:?} in managed fields entry {at}"))),
    }
    let set = match entry.get("fieldsV1") {
        None | Some(Value::Null) => FieldSet::default(),
        Some(fields) => {
            FieldSet::from_fields_v1(fields).map_err(|error| EntryError(format!("error decoding set: {error}")))?
        }
    };
    Ok(Entry {
        manager: text("manager").to_owned(),
        operation,
        api_version: text("apiVersion").to_owned(),
        subresource: text("subresource").to_owned(),
        time: entry.get("time").and_then(Value::as_str).map(str::to_owned),
        set,
    })
}

/// Writes the entries into `metadata.managedFields`, in the API server's order; removes the field when there are none.
pub fn set_entries(object: &mut Value, mut entries: Vec<Entry>) {
    let Value::Object(map) = object else { return };
    if entries.is_empty() {
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.remove("managedFields");
        }
        return;
    }
    // RFC 3339 in UTC with whole seconds sorts as text; no time comes first.
    entries.sort_by(|a, b| {
        (a.operation, &a.time, &a.manager, &a.api_version, &a.subresource).cmp(&(
            b.operation,
            &b.time,
            &b.manager,
            &b.api_version,
            &b.subresource,
        ))
    });
    let list = entries.iter().map(write).collect();
    child_map(map, "metadata").insert("managedFields".to_owned(), Value::Array(list));
}

fn write(entry: &Entry) -> Value {
    let mut map = Map::new();
    map.insert("manager".into(), entry.manager.clone().into());
    map.insert("operation".into(), entry.operation.name().into());
    map.insert("apiVersion".into(), entry.api_version.clone().into());
    if let Some(time) = &entry.time {
        map.insert("time".into(), time.clone().into());
    }
    map.insert("fieldsType".into(), json!("FieldsV1"));
    map.insert("fieldsV1".into(), entry.set.to_fields_v1());
    if !entry.subresource.is_empty() {
        map.insert("subresource".into(), entry.subresource.clone().into());
    }
    Value::Object(map)
}

/// Folds the oldest update managers of one version into `ancient-changes` until at most `most` are left.
pub(super) fn capped(mut entries: Vec<Entry>, most: usize) -> Vec<Entry> {
    let mut updaters: Vec<Entry> = Vec::new();
    entries.retain(|entry| {
        let keep = entry.operation == Operation::Apply;
        if !keep {
            updaters.push(entry.clone());
        }
        keep
    });
    updaters.sort_by(|a, b| (&a.time, &a.manager).cmp(&(&b.time, &b.manager)));
    let mut length = updaters.len();
    let (mut kept, mut first): (Vec<Entry>, Vec<String>) = (Vec::new(), Vec::new());
    for updater in updaters {
        let older = kept.iter().position(|entry| entry.api_version == updater.api_version);
        match older {
            Some(at) if length > most && first.contains(&updater.api_version) => {
                let bucket = &mut kept[at];
                bucket.manager = "ancient-changes".to_owned();
                bucket.subresource.clear();
                bucket.set = bucket.set.union(&updater.set);
                bucket.time = updater.time;
                length -= 1;
            }
            _ => {
                first.push(updater.api_version.clone());
                kept.push(updater);
            }
        }
    }
    entries.extend(kept);
    entries
}
