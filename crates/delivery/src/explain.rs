//! Why a field is what it is: the template's line, the values in it with all that they override, what decided about it.

mod lines;
mod names;
mod recorded;
mod secrets;
mod story;

use landfall_chart::{
    Capabilities, FieldOrigin, Manifest, Operation, Origin, Provenance, Reason, RenderOptions, Rendered, RenderedUnit,
    Source, TemplateOptions, Tracing, ValuesHistory,
};
use landfall_diag::{Diagnostic, Place};

use crate::rendering::{Turn, render_with};
use crate::unit::Unit;
use recorded::Recorded;
use secrets::Secrets;

pub use lines::RenderedLine;
pub use names::{ObjectName, field_path};
pub use recorded::ExplainedRelease;
pub use story::{BlamedCommit, DecisionStory, Effect, FieldStory, LayerStory, ObjectStory, ValueStory};

/// A unit rendered so that each of its fields can be explained.
#[derive(Debug)]
pub struct Explainer {
    unit: String,
    rendered: RenderedUnit,
    /// By chart of the rendering.
    histories: Vec<ValuesHistory>,
    /// Dependencies, taking part or not, with the values that switch them.
    switches: Vec<(String, Vec<String>)>,
    /// The record that was rendered, when it was one.
    recorded: Option<Recorded>,
    /// The values that are in a Secret, and so are shown nowhere else either.
    secrets: Secrets,
}

/// An object of a rendering.
#[derive(Debug, Clone, Copy)]
struct Found<'e> {
    chart: usize,
    rendered: &'e Rendered,
    provenance: &'e Provenance,
    manifest: &'e Manifest,
}

impl Explainer {
    /// Renders a unit without a cluster.
    ///
    /// # Errors
    /// What the chart refuses with.
    pub fn of(unit: &Unit) -> Result<Self, Vec<Diagnostic>> {
        let turn = Turn { revision: 1, operation: Operation::Install };
        let options = RenderOptions { tracing: Tracing::On, ..RenderOptions::new(landfall_source::surroundings()) };
        Ok(Explainer::with(unit, render_with(unit, turn, &Capabilities::default(), &options)?))
    }

    /// What is known of a unit's traced rendering.
    fn with(unit: &Unit, rendered: RenderedUnit) -> Self {
        // Dependencies as they take part: renamed by their aliases.
        let histories = unit
            .charts()
            .zip(&rendered.charts)
            .map(|(source, rendered)| ValuesHistory::of(&rendered.processed, &source.values))
            .collect();
        let declared = unit.chart().into_iter().flat_map(|chart| &chart.metadata.dependencies);
        let switches = declared
            .filter(|dependency| !dependency.condition.is_empty())
            .map(|dependency| {
                let name = if dependency.alias.is_empty() { &dependency.name } else { &dependency.alias };
                (name.clone(), dependency.condition.split(',').map(|path| path.trim().to_owned()).collect())
            })
            .collect();
        let secrets = Secrets::of(&rendered);
        Explainer { unit: unit.name.clone(), rendered, histories, switches, recorded: None, secrets }
    }

    fn all(&self) -> impl Iterator<Item = Found<'_>> {
        self.rendered.charts.iter().enumerate().flat_map(|(chart, rendered)| {
            let manifests = rendered.manifests.iter().chain(rendered.hooks.iter().map(|hook| &hook.manifest));
            let found = rendered
                .provenance
                .as_ref()
                .map(|provenance| manifests.map(move |manifest| Found { chart, rendered, provenance, manifest }));
            found.into_iter().flatten()
        })
    }

    /// The names of all objects, as `deployment/web`.
    pub fn objects(&self) -> Vec<String> {
        self.all().map(|found| ObjectName::of(&found.manifest.object()).to_string()).collect()
    }

    /// The objects of that name with their fields at and below a path, all of them when it is empty.
    pub fn explain(&self, name: &ObjectName, path: &[String]) -> Vec<ObjectStory> {
        let mut stories = Vec::new();
        for found in self.all() {
            let object = found.manifest.object();
            if !name.means(&object) {
                continue;
            }
            let fields =
                found.provenance.fields(found.manifest).into_iter().filter(|field| field.path.starts_with(path));
            let fields = fields.map(|field| {
                let masked = self.secrets.hide(&found, &object, &field.path, &field.origin);
                let recorded = self.recorded.as_ref().and_then(|recorded| recorded.differently(&object, &field.path));
                FieldStory {
                    recorded: recorded.map(|text| if masked { "(another secret)".to_owned() } else { text }),
                    ..self.story(&found, field_path(&field.path), field.text, &field.origin, masked)
                }
            });
            stories.push(ObjectStory {
                unit: self.unit.clone(),
                object: ObjectName::of(&object),
                template: found.manifest.path.clone(),
                fields: fields.collect(),
            });
        }
        // Manifests that no chart has rendered say everything themselves.
        for plain in self.rendered.plain() {
            let object = plain.object.value();
            if name.means(object) {
                stories.push(ObjectStory {
                    unit: self.unit.clone(),
                    object: ObjectName::of(object),
                    template: plain.path.clone(),
                    fields: Vec::new(),
                });
            }
        }
        stories
    }

    /// What a value (or one below its path) is in and decides about; `None` when there is no such value.
    pub fn effect(&self, path: &str) -> Option<Effect> {
        let mut known = false;
        let mut stories: Vec<ObjectStory> = Vec::new();
        for found in self.all() {
            let origins = found.provenance.origins_at(path);
            known |= !origins.is_empty();
            let is_meant = |origin: &Origin| origins.iter().any(|(meant, _)| meant == origin);
            let object = found.manifest.object();
            let mut fields = Vec::new();
            for mut field in found.provenance.fields(found.manifest) {
                // The field is shown as a whole, whichever of the values in it is asked for.
                let whole = field.origin.clone();
                let origin = &mut field.origin;
                origin.data.retain(is_meant);
                origin.keys.retain(is_meant);
                origin.decisions.retain(|decision| is_meant(&decision.origin));
                if origin.data.is_empty() && origin.keys.is_empty() && origin.decisions.is_empty() {
                    continue;
                }
                let masked = self.secrets.hide(&found, &object, &field.path, &whole);
                fields.push(self.story(&found, field_path(&field.path), field.text, &field.origin, masked));
            }
            if !fields.is_empty() {
                stories.push(ObjectStory {
                    unit: self.unit.clone(),
                    object: ObjectName::of(&object),
                    template: found.manifest.path.clone(),
                    fields,
                });
            }
        }
        let mut effect = Effect { objects: stories, left_out: Vec::new(), switches: Vec::new() };
        for provenance in self.rendered.charts.iter().filter_map(|rendered| rendered.provenance.as_ref()) {
            let origins: Vec<Origin> = provenance.origins_at(path).into_iter().map(|(origin, _)| origin).collect();
            known |= !origins.is_empty();
            effect.left_out.extend(provenance.left_out(&origins));
        }
        for (chart, conditions) in &self.switches {
            if conditions.iter().any(|condition| condition == path) {
                known = true;
                effect.switches.push(chart.clone());
            }
        }
        known.then_some(effect)
    }

    /// All paths of values.
    pub fn values(&self) -> Vec<String> {
        let provenances = self.rendered.charts.iter().filter_map(|rendered| rendered.provenance.as_ref());
        provenances.flat_map(|provenance| provenance.paths()).map(str::to_owned).collect()
    }

    /// What `landfall template` prints for the unit's charts.
    ///
    /// # Errors
    /// None is expected: nothing is picked.
    pub fn output(&self) -> Result<String, Diagnostic> {
        let mut all = String::new();
        for rendered in &self.rendered.charts {
            let text = rendered
                .template_output(&TemplateOptions::default())
                .map_err(|error| landfall_diag::Diagnose::diagnose(&error))?;
            all.push_str(&text);
        }
        Ok(all)
    }

    fn story(&self, found: &Found<'_>, field: String, value: String, origin: &FieldOrigin, masked: bool) -> FieldStory {
        let values = origin.data.iter().chain(&origin.keys).filter_map(|origin| self.value(found, *origin, masked));
        let decided = origin.decisions.iter().filter_map(|decision| {
            Some(DecisionStory { reason: decision.reason.word(), value: self.value(found, decision.origin, masked)? })
        });
        FieldStory {
            field,
            value: if masked { "(secret)".to_owned() } else { value },
            // Where a template writes a secret itself, its line says it.
            template: origin.template.clone().map(|place| if masked { Place { source: None, ..place } } else { place }),
            values: values.collect(),
            decided_by: decided.collect(),
            built_in: origin.built_in.clone(),
            functions: origin.functions.clone(),
            recorded: None,
        }
    }

    fn value(&self, found: &Found<'_>, origin: Origin, masked: bool) -> Option<ValueStory> {
        let source = found.provenance.source(origin)?;
        let masked = masked || self.secrets.hold(found, origin);
        let path = found.provenance.path_of(origin).unwrap_or_default().to_owned();
        let settings = match self.histories.get(found.chart) {
            Some(history) if !path.is_empty() => history.settings(&path),
            _ => Vec::new(),
        };
        let mut layers: Vec<LayerStory> = Vec::new();
        for setting in settings.iter().rev() {
            // What stands above the one that counts was taken back, or speaks of something else.
            if layers.is_empty() && !same(&setting.source, &source) {
                continue;
            }
            // A values file may be the chart's own.
            if layers
                .last()
                .is_some_and(|above| above.place.is_some() && above.place.as_ref() == setting.source.place())
            {
                continue;
            }
            layers.push(LayerStory::of(&setting.source, Some(&setting.value), masked));
        }
        if layers.is_empty() {
            layers.push(LayerStory::of(&source, found.rendered_value(&path).as_ref(), masked));
        }
        if let Some(recorded) = &self.recorded {
            layers = layers.into_iter().map(|layer| recorded.told(layer)).collect();
        }
        Some(ValueStory { path, layers })
    }
}

impl Found<'_> {
    fn rendered_value(&self, path: &str) -> Option<landfall_chart::Value> {
        let mut here: landfall_chart::Value = self.rendered.values.clone().into();
        for key in path.split('.') {
            here = here.as_map()?.get(key)?;
        }
        Some(here)
    }
}

fn same(a: &Source, b: &Source) -> bool {
    match (a.place(), b.place()) {
        (Some(a), Some(b)) => a.file == b.file && a.line == b.line && a.column == b.column,
        (None, None) => a == b,
        _ => false,
    }
}

/// Whether a decision is worth a person's look at one field.
pub fn is_near(reason: &str) -> bool {
    [Reason::Branch, Reason::LeftOut, Reason::Key, Reason::Switch].iter().any(|near| near.word() == reason)
}
