//! A release as its record keeps it, rendered once more: the chart and the values of that revision, whatever lies on disk.
//!
//! A record holds the templates, the default values and what the user gave, but neither subcharts nor the lines of
//! `values.yaml`; subcharts are lent by the chart on disk. What comes out otherwise than it was recorded is told.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_chart::{
    Chart, Lookup, Operation, RenderOptions, SchemaCheck, SchemaDocuments, Tracing, Tree, ValueLayers, is_compatible,
};
use landfall_cluster::Cluster;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_release::{Record, hook_objects, manifest_objects};
use serde::Serialize;
use serde_json::Value;

use super::{Explainer, LayerStory, ObjectName};
use crate::lookup::LiveLookup;
use crate::rendering::{Turn, capabilities, render_with};
use crate::unit::{Unit, UnitSource};

/// Which revision of a release is explained.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedRelease {
    /// The release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub revision: i64,
    /// `deployed`, `failed`, …
    pub status: String,
    /// The chart with its version, `shop-0.1.0`.
    pub chart: String,
    /// What a reader has to know: which subcharts are lent, and which are not there.
    pub notes: Vec<String>,
}

/// What a record says, for comparison with what it renders to now.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) release: ExplainedRelease,
    /// Objects and the templates they come from.
    objects: Vec<(String, Value)>,
}

impl Explainer {
    /// Renders a revision of a release from its record, against the cluster it is on.
    ///
    /// # Errors
    /// When the record holds no chart that could be rendered; what the chart refuses with.
    #[boxed]
    pub async fn of_record(
        record: &Record,
        on_disk: Option<&Chart>,
        cluster: &Cluster,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut notes = Vec::new();
        let chart = chart_of(record, on_disk, &mut notes)?;
        let mut values = ValueLayers::new();
        if !record.config.is_empty() {
            let text = landfall_yaml::emit(&Value::Object(record.config.clone()))
                .map_err(|error| vec![damaged(record, &error.to_string())])?;
            values.file(format!("values of revision {}", record.version), text);
        }
        // No schema is looked at below, so that no document of one is wanted.
        let documents = SchemaDocuments::default();
        let mut unit = Unit::release(record.name.clone(), record.namespace.clone(), chart, values, &documents);
        for source in &mut unit.sources {
            if let UnitSource::Chart(source) = source {
                // What was delivered has been held against its schema.
                source.settings.schema = SchemaCheck::Skip;
            }
        }
        let operation = if record.version > 1 { Operation::Upgrade } else { Operation::Install };
        let turn = Turn { revision: record.version, operation };
        let offered = capabilities(cluster).await.map_err(|error| vec![error.diagnose()])?;
        let lookup: Option<Arc<dyn Lookup>> = Some(Arc::new(LiveLookup::of(cluster)));
        let options =
            RenderOptions { lookup, tracing: Tracing::On, ..RenderOptions::new(landfall_source::surroundings()) };
        let blocking = unit.clone();
        let rendered =
            tokio::task::spawn_blocking(move || render_with(&blocking, turn, &offered, &options)).await.map_err(
                |error| vec![Diagnostic::error(code::BUG, "rendering ended unexpectedly").note(error.to_string())],
            )?;
        let rendered = rendered.map_err(|diagnostics| explained(diagnostics, &notes))?;
        let mut explainer = Explainer::with(&unit, rendered);
        explainer.recorded = Some(Recorded {
            release: ExplainedRelease {
                name: record.name.clone(),
                namespace: record.namespace.clone(),
                revision: record.version,
                status: record.info.status.to_string(),
                chart: label(record),
                notes,
            },
            objects: objects(record),
        });
        Ok(explainer)
    }

    /// The revision that is explained, when it is one of a release in a cluster.
    pub fn release(&self) -> Option<&ExplainedRelease> {
        self.recorded.as_ref().map(|recorded| &recorded.release)
    }

    /// The template that an object of the record comes from, rendered now or not.
    pub fn recorded_template(&self, name: &ObjectName) -> Option<&str> {
        let objects = &self.recorded.as_ref()?.objects;
        objects.iter().find(|(_, object)| name.means(object)).map(|(path, _)| path.as_str())
    }
}

impl Recorded {
    /// What the record says at a field of an object, where that is not what it renders to now.
    pub(super) fn differently(&self, object: &Value, path: &[String]) -> Option<String> {
        let name = ObjectName::of(object);
        let recorded = self.objects.iter().find(|(_, recorded)| name.means(recorded)).map(|(_, recorded)| recorded);
        let recorded = recorded.and_then(|recorded| at(recorded, path));
        match (recorded, at(object, path)) {
            (recorded, now) if recorded == now => None,
            (None, _) => Some("(not there)".to_owned()),
            (Some(Value::String(text)), _) => Some(text.clone()),
            (Some(other), _) => Some(other.to_string()),
        }
    }

    /// A layer as a person would look for it: the record holds the default values without their file's lines.
    pub(super) fn told(&self, mut layer: LayerStory) -> LayerStory {
        let file = format!("{}/values.yaml", self.release.chart);
        if layer.place.as_ref().is_some_and(|place| place.file == file) {
            layer.at = format!("chart {}, as recorded", self.release.chart);
            layer.place = None;
        }
        layer
    }
}

fn at<'v>(object: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(object, |here, step| match here {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        here => here.get(step),
    })
}

/// `shop-0.1.0`.
fn label(record: &Record) -> String {
    format!("{}-{}", record.chart_name(), record.chart_version())
}

fn damaged(record: &Record, reason: &str) -> Diagnostic {
    let what = format!("revision {} of release {} holds no chart that can be rendered", record.version, record.name);
    Diagnostic::error(code::BROKEN_RECORD, what).note(reason.to_owned())
}

/// What a rendering without all of its subcharts was refused for, with that said.
fn explained(diagnostics: Vec<Diagnostic>, notes: &[String]) -> Vec<Diagnostic> {
    let with = |diagnostic: Diagnostic| notes.iter().fold(diagnostic, |diagnostic, note| diagnostic.note(note.clone()));
    diagnostics.into_iter().map(with).collect()
}

/// The objects of a record with the templates they come from; what cannot be read is left out.
fn objects(record: &Record) -> Vec<(String, Value)> {
    let hooks = record.hooks.iter().flat_map(|hook| {
        let objects = hook_objects(&hook.path, &hook.manifest).unwrap_or_default();
        objects.into_iter().map(|object| (hook.path.clone(), object.into_value()))
    });
    let manifests = manifest_objects(&record.manifest).unwrap_or_default();
    manifests.into_iter().map(|entry| (entry.path, entry.object.value().clone())).chain(hooks).collect()
}

/// The recorded chart, with the subcharts that the one on disk lends.
fn chart_of(record: &Record, on_disk: Option<&Chart>, notes: &mut Vec<String>) -> Result<Chart, Vec<Diagnostic>> {
    let tree = tree(record).map_err(|reason| vec![damaged(record, &reason)])?;
    let mut chart = Chart::load(&tree, &label(record)).map_err(|error| vec![error.diagnose()])?;
    let lender = on_disk.filter(|chart| chart.name() == record.chart_name());
    let mut absent = Vec::new();
    for wanted in &chart.metadata.dependencies {
        let named = |name: &str| lender.and_then(|lender| lender.dependencies.iter().find(|lent| lent.name() == name));
        // A record calls a subchart by its alias.
        let declared = lender
            .and_then(|lender| lender.metadata.dependencies.iter().find(|dependency| dependency.alias == wanted.name));
        let found = named(&wanted.name).or_else(|| declared.and_then(|dependency| named(&dependency.name)));
        let locked = chart.lock.as_ref().and_then(|lock| {
            let name = declared.map_or(wanted.name.as_str(), |dependency| dependency.name.as_str());
            lock.dependencies.iter().find(|dependency| dependency.name == name)
        });
        let version = locked.map_or(wanted.version.as_str(), |dependency| dependency.version.as_str());
        let Some(found) = found else {
            notes.push(format!(
                "subchart {} {version} is not explained: records hold no subcharts; `--chart DIR` lends those of a \
                 chart on disk",
                wanted.name
            ));
            absent.push(wanted.name.clone());
            continue;
        };
        if !version.is_empty() && !is_compatible(version, &found.metadata.version) {
            notes.push(format!(
                "subchart {} is lent by the chart on disk in version {}, not in {version}",
                wanted.name, found.metadata.version
            ));
        }
        let mut lent = found.clone();
        lent.metadata.name.clone_from(&wanted.name);
        chart.dependencies.push(lent);
    }
    // The chart's own templates are explained without the rest.
    chart.metadata.dependencies.retain(|dependency| !absent.contains(&dependency.name));
    Ok(chart)
}

/// The files of a recorded chart.
fn tree(record: &Record) -> Result<Tree, String> {
    let chart = &record.chart;
    let mut tree = Tree::new();
    let mut add = |path: &str, bytes: Vec<u8>| tree.insert(path, bytes).map_err(|error| error.to_string());
    let yaml = |value: &Value| landfall_yaml::emit(value).map(String::into_bytes).map_err(|error| error.to_string());
    add("Chart.yaml", yaml(&chart["metadata"])?)?;
    for (file, part) in [("values.yaml", "values"), ("Chart.lock", "lock")] {
        if !chart[part].is_null() {
            add(file, yaml(&chart[part])?)?;
        }
    }
    for part in ["templates", "files"] {
        for file in chart[part].as_array().into_iter().flatten() {
            let data = file["data"].as_str().unwrap_or_default();
            let bytes = STANDARD.decode(data).map_err(|error| format!("{}: {error}", file["name"]))?;
            add(file["name"].as_str().unwrap_or_default(), bytes)?;
        }
    }
    Ok(tree)
}
