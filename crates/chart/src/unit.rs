//! A unit of delivery as it is rendered: its charts' renderings and plain manifests, each object with its origin.

use std::collections::BTreeSet;

use landfall_diag::Place;
use landfall_object::{Object, ObjectKey, flattened, kept_value, mask};

use crate::kept::{put_value, with_values};
use crate::{Crd, Field, FieldOrigin, Hook, Manifest, Rendered, TemplateLines, Written};

/// What a unit renders to.
#[derive(Debug, Default)]
pub struct RenderedUnit {
    /// The renderings of its charts, in the order of its sources; a release has exactly one.
    pub charts: Vec<Rendered>,
    /// The objects of its manifests, lists taken apart, placed into namespaces, in install order.
    pub objects: Vec<RenderedObject>,
    /// The objects of its hooks, placed too.
    pub hooks: Vec<RenderedObject>,
    /// Definitions of `crds/` that take part.
    pub definitions: Vec<Crd>,
    /// What is not among them, because another program would make it.
    pub not_run: Vec<String>,
}

/// An object and the file it comes from.
#[derive(Debug, Clone)]
pub struct RenderedObject {
    /// The object.
    pub object: Object,
    /// The template's or file's path.
    pub path: String,
    /// The chart among the unit's, and the manifest or hook among the chart's; none for a plain manifest.
    origin: Option<(usize, usize)>,
}

/// Whether something takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// It does.
    #[default]
    Taken,
    /// It is left out.
    LeftOut,
}

fn take(manifest: &Manifest, origin: (usize, usize), objects: &mut Vec<RenderedObject>) {
    let all = manifest.objects().into_iter();
    objects.extend(all.map(|object| RenderedObject { object, path: manifest.path.clone(), origin: Some(origin) }));
}

impl RenderedUnit {
    /// What one chart has rendered to; namespaces stay as they are written.
    pub fn of_chart(rendered: Rendered, crds: Part) -> Self {
        let mut whole = RenderedUnit::default();
        whole.add_chart(rendered, crds, Part::Taken);
        whole
    }

    /// Adds an object that no chart renders, from the file at `path`.
    pub fn add_plain(&mut self, path: &str, object: Object) {
        self.objects.push(RenderedObject { object, path: path.to_owned(), origin: None });
    }

    /// Adds what a chart has rendered to; `crds/` and test hooks where they take part.
    pub fn add_chart(&mut self, rendered: Rendered, crds: Part, tests: Part) {
        let chart = self.charts.len();
        for (index, manifest) in rendered.manifests.iter().enumerate() {
            take(manifest, (chart, index), &mut self.objects);
        }
        for (index, hook) in rendered.hooks.iter().enumerate() {
            let is_test = hook.manifest.head.annotations.get("helm.sh/hook");
            if tests == Part::LeftOut && is_test.is_some_and(|events| events.contains("test")) {
                continue;
            }
            take(&hook.manifest, (chart, index), &mut self.hooks);
        }
        if crds == Part::Taken {
            self.definitions.extend(rendered.crds.iter().cloned());
        }
        self.charts.push(rendered);
    }

    /// The objects that no chart has rendered.
    pub fn plain(&self) -> impl Iterator<Item = &RenderedObject> {
        self.objects.iter().filter(|object| object.origin.is_none())
    }

    /// What the chart says of one of the unit's hooks.
    pub fn hook(&self, hook: &RenderedObject) -> Option<&Hook> {
        let (chart, index) = hook.origin?;
        self.charts.get(chart)?.hooks.get(index)
    }

    /// The rendering of a release's only chart.
    ///
    /// # Panics
    /// For a unit without a chart: a release is made with one.
    pub fn chart(&self) -> &Rendered {
        self.charts.first().expect("a release is made with one chart")
    }

    /// The rendering of a release's only chart, with what was put into it.
    ///
    /// # Panics
    /// As [`RenderedUnit::chart`].
    pub fn into_chart(mut self) -> Rendered {
        self.charts.pop().expect("a release is made with one chart")
    }

    /// Objects and hooks together, for what concerns both.
    pub fn all_objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().chain(&self.hooks).map(|rendered| &rendered.object)
    }

    /// The objects of the chart's `crds/`; a file that cannot be read has none.
    pub fn defined(&self) -> impl Iterator<Item = Object> {
        let documents = self.definitions.iter().flat_map(|crd| crd.documents().iter().cloned());
        documents.flat_map(flattened).filter_map(|value| Object::from_value(value).ok())
    }

    /// Leaves objects out, as if no template had written them; a list goes as a whole.
    pub fn leave_out(&mut self, keys: &BTreeSet<ObjectKey>) {
        let origins = |all: &[RenderedObject]| -> BTreeSet<(usize, usize)> {
            all.iter().filter(|it| keys.contains(&it.object.key())).filter_map(|it| it.origin).collect()
        };
        let (manifests, hooks) = (origins(&self.objects), origins(&self.hooks));
        let stays = |gone: &BTreeSet<(usize, usize)>, it: &RenderedObject| match it.origin {
            Some(origin) => !gone.contains(&origin),
            None => !keys.contains(&it.object.key()),
        };
        self.objects.retain(|it| stays(&manifests, it));
        self.hooks.retain(|it| stays(&hooks, it));
        for (chart, index) in manifests {
            // What is left of it is an empty document, which no client takes for an object.
            self.charts[chart].manifests[index].say_instead(String::new());
        }
        for (chart, index) in hooks.into_iter().rev() {
            self.charts[chart].hooks.remove(index);
            for origin in self.hooks.iter_mut().filter_map(|it| it.origin.as_mut()) {
                if origin.0 == chart && origin.1 > index {
                    origin.1 -= 1;
                }
            }
        }
    }

    /// Takes an object for one of another version of its kind, as if its template had said so; `false` when its text does
    /// not show where that stands.
    pub fn take_for(&mut self, key: &ObjectKey, api_version: &str) -> bool {
        let mut taken = false;
        let RenderedUnit { charts, objects, hooks, .. } = self;
        for (is_hook, rendered) in objects.iter_mut().map(|it| (false, it)).chain(hooks.iter_mut().map(|it| (true, it)))
        {
            if rendered.object.key() != *key {
                continue;
            }
            if let Some((chart, index)) = rendered.origin {
                let chart = &mut charts[chart];
                let manifest = match is_hook {
                    true => &mut chart.hooks[index].manifest,
                    false => &mut chart.manifests[index],
                };
                let line = manifest.text.lines().find(|line| line.starts_with("apiVersion:")).map(str::to_owned);
                let Some(line) = line.filter(|_| manifest.head.kind == key.gvk.kind) else { continue };
                // Of the same length where that is possible: what follows stays at its place.
                let instead = format!("{:<1$}", format!("apiVersion: {api_version}"), line.len());
                manifest.say_instead(manifest.text.replacen(&line, &instead, 1));
            }
            rendered.object.map_mut().insert("apiVersion".to_owned(), api_version.into());
            taken = true;
        }
        taken
    }

    /// Gives an object's keys the values that it has in `secret`, a Secret of the same name, as if its template had printed them; in its
    /// text nothing else changes, where that can be.
    pub fn put_values(&mut self, secret: &Object, keys: &[String]) {
        let RenderedUnit { charts, objects, .. } = self;
        let Some(rendered) = objects.iter_mut().find(|it| it.object.key() == secret.key()) else { return };
        let manifest = rendered.origin.map(|(chart, index)| &mut charts[chart].manifests[index]);
        for key in keys {
            let Some(value) = kept_value(secret, key) else { continue };
            put_value(rendered.object.map_mut(), key, &value);
        }
        if let Some(manifest) = manifest {
            manifest.say_instead(with_values(&manifest.text, secret, keys));
        }
    }

    /// The fields that certain lines of templates write, with the objects that they are in; nothing without provenance.
    pub fn fields_at(&self, lines: &TemplateLines) -> Vec<(ObjectKey, Field)> {
        let mut found = Vec::new();
        let printed: Vec<Vec<&str>> = self
            .charts
            .iter()
            .map(|chart| chart.provenance.as_ref().map(|it| it.printed_by(lines)).unwrap_or_default())
            .collect();
        let objects = self.objects.iter().map(|object| (object, false));
        for (object, is_hook) in objects.chain(self.hooks.iter().map(|object| (object, true))) {
            let Some((chart, index)) = object.origin else { continue };
            let rendered = &self.charts[chart];
            let manifest = if is_hook { &rendered.hooks[index].manifest } else { &rendered.manifests[index] };
            let Some(provenance) = rendered.provenance.as_ref() else { continue };
            // The fields of a list's items are called otherwise in the list.
            if !printed[chart].contains(&manifest.path.as_str()) || manifest.object()["kind"] != object.object.kind() {
                continue;
            }
            let written = provenance.fields_at(manifest, lines);
            found.extend(written.into_iter().map(|field| (object.object.key(), field)));
        }
        found
    }

    /// Where a field of an object comes from: the user's place first, then the chart's. Of what is in a Secret the lines
    /// are named and not shown.
    pub fn places(&self, key: &ObjectKey, path: &str) -> Vec<(Place, String)> {
        let Some(origin) = self.origin(key, path) else { return Vec::new() };
        let secret = mask::is_secret(&Object::new(key));
        let shown = |place: Place| if secret { Place { source: None, ..place } } else { place };
        let mut places = Vec::new();
        for source in &origin.sources {
            if let Some(place) = source.place() {
                places.push((shown(place.clone()), "set here".to_owned()));
            }
        }
        if let Some(place) = origin.template {
            places.push((shown(place), "used here".to_owned()));
        }
        places
    }

    /// The template's line and the values that a field of an object comes from.
    pub fn origin(&self, key: &ObjectKey, path: &str) -> Option<FieldOrigin> {
        self.written(key)?.origin(path)
    }

    /// An object as its template wrote it, to ask for many of its fields.
    pub fn written(&self, key: &ObjectKey) -> Option<Written<'_>> {
        // What is of a kind that was not served when it was rendered has no namespace yet, where it names none.
        let bare = ObjectKey { namespace: None, ..key.clone() };
        let find = |all: &[RenderedObject]| {
            let at = |key: &ObjectKey| all.iter().position(|it| it.object.is_at(key));
            at(key).or_else(|| at(&bare))
        };
        let in_objects = find(&self.objects).map(|at| &self.objects[at]);
        let in_hooks = || find(&self.hooks).map(|at| &self.hooks[at]);
        let (chart, index) = in_objects.or_else(in_hooks)?.origin?;
        let rendered = &self.charts[chart];
        let provenance = rendered.provenance.as_ref()?;
        let manifest = if in_objects.is_some() { &rendered.manifests[index] } else { &rendered.hooks[index].manifest };
        provenance.written(manifest)
    }
}

/// A field path (`spec.containers[0].env[2].name`) as steps.
pub fn path_steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        // What stands in brackets is one step, dots and all: `metadata.annotations[example.com/a]`.
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = inner.split_once(']').unwrap_or((inner, ""));
            steps.push(step.to_owned());
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        steps.push(rest[..end].to_owned());
        rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_paths_become_steps() {
        assert_eq!(
            path_steps("spec.template.spec.containers[0].env[12].name"),
            ["spec", "template", "spec", "containers", "0", "env", "12", "name"]
        );
        assert_eq!(path_steps("metadata.annotations[a.io/b].x"), ["metadata", "annotations", "a.io/b", "x"]);
    }
}
