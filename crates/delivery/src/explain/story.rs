use landfall_chart::{Source, Value};
use landfall_diag::Place;
use serde::Serialize;

use super::ObjectName;

/// An object with the stories of its fields.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectStory {
    /// The release or Application.
    pub unit: String,
    /// The object.
    pub object: ObjectName,
    /// The template it comes from.
    pub template: String,
    /// Its fields, as they stand in its text.
    pub fields: Vec<FieldStory>,
}

/// What a value does.
#[derive(Debug, Clone, Serialize)]
pub struct Effect {
    /// The fields that it is in or decides about, by object.
    pub objects: Vec<ObjectStory>,
    /// Branches of templates that print nothing because of it.
    pub left_out: Vec<Place>,
    /// Charts that it switches on and off.
    pub switches: Vec<String>,
}

/// Why a field is what it is.
#[derive(Debug, Clone, Serialize)]
pub struct FieldStory {
    /// The path, as `spec.template.spec.containers[0].image`.
    pub field: String,
    /// As it is written.
    pub value: String,
    /// The template's line that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<Place>,
    /// The values in it.
    pub values: Vec<ValueStory>,
    /// The values that decided about it.
    pub decided_by: Vec<DecisionStory>,
    /// What it has from the release, the chart or the cluster: `.Release.Name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub built_in: Vec<&'static str>,
    /// The functions that made it of them, the last one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
    /// What the release's record says instead, where it was rendered to something else then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<String>,
}

/// A value, and who said what about it.
#[derive(Debug, Clone, Serialize)]
pub struct ValueStory {
    /// The path in the values.
    pub path: String,
    /// The layer that counts, then what it overrides.
    pub layers: Vec<LayerStory>,
}

/// A value that decided about a field, and how.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionStory {
    /// How: `branch`, `left-out`, `key`, `position`, `identity`, `switch`.
    pub reason: &'static str,
    /// The value.
    #[serde(flatten)]
    pub value: ValueStory,
}

/// What one layer says about a value.
#[derive(Debug, Clone, Serialize)]
pub struct LayerStory {
    /// `default` (a chart's), `file` or `flag`.
    pub kind: &'static str,
    /// Where, as a person would look for it: `values.prod.yaml:12:3`, `--set a=1`.
    pub at: String,
    /// The place in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What it says, when it is short and no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The commit that wrote the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<BlamedCommit>,
}

/// A commit that wrote a line.
#[derive(Debug, Clone, Serialize)]
pub struct BlamedCommit {
    /// Its full id.
    pub sha: String,
    /// Who wrote it.
    pub author: String,
    /// When, as RFC 3339.
    pub at: String,
    /// Its first line.
    pub subject: String,
}

impl LayerStory {
    pub(super) fn of(source: &Source, value: Option<&Value>, masked: bool) -> Self {
        let kind = match source {
            Source::Default(_) => "default",
            Source::File(_) => "file",
            Source::Flag { .. } => "flag",
        };
        let at = match source {
            Source::Flag { flag, .. } if masked => flag.name().to_owned(),
            other => other.to_string(),
        };
        let mut place = source.place().cloned();
        if masked && let Some(place) = &mut place {
            place.source = None;
        }
        let value = value.filter(|_| !masked).and_then(|value| {
            let is_scalar = value.as_map().is_none() && value.as_list().is_none();
            is_scalar.then(|| {
                let one: landfall_chart::Values = [("v", value.clone())].into_iter().collect();
                landfall_chart::values_to_json(&one)["v"].to_string()
            })
        });
        LayerStory { kind, at, place, value, commit: None }
    }
}
