//! `--template`: a text of Go's over what a verb would print.

use std::borrow::Cow;

use landfall_chart::{HelmVersion, values_from_json};
use landfall_diag::code;
use landfall_gotemplate::{Data, FuncMap, Host, HostKind, Limits, List, MissingKey, Set, Type, Value};
use landfall_release::{HookRecord, Record};
use landfall_sprig::time;
use serde_json::Value as Json;

use super::Stop;

/// A struct of Go's.
#[derive(Debug)]
struct Struct {
    type_name: &'static str,
    kind: HostKind,
    fields: Vec<(&'static str, Value)>,
}

impl Host for Struct {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.type_name)
    }

    fn kind(&self) -> HostKind {
        self.kind
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    fn fields(&self) -> Vec<(Cow<'static, str>, Value)> {
        self.fields.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect()
    }
}

fn pointer(type_name: &'static str, fields: Vec<(&'static str, Value)>) -> Value {
    Value::host(Struct { type_name, kind: HostKind::Pointer, fields })
}

fn plain(type_name: &'static str, fields: Vec<(&'static str, Value)>) -> Value {
    Value::host(Struct { type_name, kind: HostKind::Struct, fields })
}

/// Prints a value through a template; the error is Go's.
pub(super) fn printed(template: &str, data: &Value) -> Result<Vec<u8>, Stop> {
    const NAME: &str = "_";
    let mut set = Set::new(NAME, FuncMap::default(), MissingKey::Invalid);
    set.parse(NAME, template.as_bytes()).map_err(|error| Stop::words(code::BAD_OUTPUT_TEMPLATE, error.to_string()))?;
    set.execute(NAME, data, &mut (), Limits::default())
        .map_err(|error| Stop::words(code::BAD_OUTPUT_TEMPLATE, error.to_string()))
}

/// What `version --template` prints of; Helm 4 has one field more.
pub(super) fn build_info(helm: &HelmVersion, client: Option<&str>) -> Value {
    let fields = [
        ("Version", &helm.version),
        ("GitCommit", &helm.git_commit),
        ("GitTreeState", &helm.git_tree_state),
        ("GoVersion", &helm.go_version),
    ];
    let mut fields: Vec<_> = fields.map(|(name, value)| (name, Value::from(value.as_str()))).into();
    fields.extend(client.map(|version| ("KubeClientVersion", Value::from(version))));
    plain("version.BuildInfo", fields)
}

/// What `get all --template` prints of: a map with the release in it.
pub(super) fn release(record: &Record) -> Value {
    let info = &record.info;
    let labels = record.labels.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str())));
    let fields = vec![
        ("Name", Value::from(record.name.as_str())),
        (
            "Info",
            pointer(
                "*release.Info",
                vec![
                    ("FirstDeployed", time(info.first_deployed)),
                    ("LastDeployed", time(info.last_deployed)),
                    ("Deleted", time(info.deleted)),
                    ("Description", Value::from(info.description.as_str())),
                    ("Status", Value::from(info.status.word())),
                    ("Notes", Value::from(info.notes.as_str())),
                    ("Resources", Value::from(landfall_chart::Values::nil(Type::Any))),
                ],
            ),
        ),
        ("Chart", chart(&record.chart)),
        ("Config", Value::from(values_from_json(&record.config))),
        ("Manifest", Value::from(record.manifest.as_str())),
        ("Hooks", Value::from(List::of(Type::Host("*release.Hook"), record.hooks.iter().map(hook).collect()))),
        ("Version", Value::from(Data::Int(record.version))),
        ("Namespace", Value::from(record.namespace.as_str())),
        ("Labels", Value::from(landfall_chart::Values::of(Type::String, labels.map(|(k, v)| (k.into(), v)).collect()))),
    ];
    let release = pointer("*release.Release", fields);
    Value::from([("Release", release)].into_iter().collect::<landfall_chart::Values>())
}

fn hook(hook: &HookRecord) -> Value {
    let texts = |texts: &[String]| Value::from(List::strings(texts.iter().map(String::as_str)));
    pointer(
        "*release.Hook",
        vec![
            ("Name", Value::from(hook.name.as_str())),
            ("Kind", Value::from(hook.kind.as_str())),
            ("Path", Value::from(hook.path.as_str())),
            ("Manifest", Value::from(hook.manifest.as_str())),
            ("Events", texts(&hook.events)),
            ("Weight", Value::from(Data::Int(hook.weight))),
            ("DeletePolicies", texts(&hook.delete_policies)),
            ("OutputLogPolicies", texts(&hook.output_log_policies)),
        ],
    )
}

fn chart(chart: &Json) -> Value {
    const METADATA: [(&str, &str); 11] = [
        ("Name", "name"),
        ("Home", "home"),
        ("Version", "version"),
        ("Description", "description"),
        ("Icon", "icon"),
        ("APIVersion", "apiVersion"),
        ("Condition", "condition"),
        ("Tags", "tags"),
        ("AppVersion", "appVersion"),
        ("KubeVersion", "kubeVersion"),
        ("Type", "type"),
    ];
    let metadata = &chart["metadata"];
    let text = |name: &str| Value::from(metadata[name].as_str().unwrap_or_default());
    let mut fields: Vec<(&'static str, Value)> = METADATA.map(|(name, key)| (name, text(key))).into();
    fields.push(("Deprecated", Value::from(metadata["deprecated"].as_bool().unwrap_or_default())));
    for (name, key) in [("Keywords", "keywords"), ("Sources", "sources")] {
        let texts = metadata[key].as_array().into_iter().flatten().filter_map(Json::as_str);
        fields.push((name, Value::from(List::strings(texts))));
    }
    let annotations = metadata["annotations"].as_object().into_iter().flatten();
    let annotations =
        annotations.map(|(name, value)| (name.as_str().into(), value.as_str().unwrap_or_default().into()));
    fields.push(("Annotations", Value::from(landfall_chart::Values::of(Type::String, annotations.collect()))));
    let values = chart["values"].as_object().map(values_from_json).unwrap_or_default();
    let metadata = pointer("*chart.Metadata", fields);
    pointer("*chart.Chart", vec![("Metadata", metadata), ("Values", Value::from(values))])
}
