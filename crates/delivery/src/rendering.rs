use std::sync::Arc;

use landfall_chart::{
    Capabilities, FieldOrigin, Hook, KubeVersion, Lookup, Operation, ReleaseInfo, RenderOptions, Rendered, Tracing,
    render,
};
use landfall_cluster::Cluster;
use landfall_diag::{Diagnose, Diagnostic, Place, code};
use landfall_object::{Object, ObjectKey, flattened, mask};

use crate::lookup::LiveLookup;
use crate::unit::{Door, Part, PlainManifest, RenderSettings, Unit, UnitSource};

/// What a unit renders to.
#[derive(Debug)]
pub struct RenderedUnit {
    /// The renderings of its charts, in the order of its sources; a release has exactly one.
    pub charts: Vec<Rendered>,
    /// The objects of its manifests, lists taken apart, placed into namespaces, in install order.
    pub objects: Vec<RenderedObject>,
    /// The objects of its hooks, placed too.
    pub hooks: Vec<RenderedObject>,
    /// Definitions of `crds/` that take part: paths and texts.
    pub definitions: Vec<(String, String)>,
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

/// Which revision a rendering is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// From 1.
    pub revision: i64,
    /// Install or upgrade.
    pub operation: Operation,
}

/// What a cluster offers to templates.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn capabilities(cluster: &Cluster) -> Result<Capabilities, landfall_cluster::Error> {
    let version = cluster.version().await?;
    // As it is told: what stands behind the numbers (`-eks-…`, `+k3s1`) is seen by templates and constraints.
    let kube_version = KubeVersion {
        normalized: version.git_version.clone(),
        version: version.git_version,
        major: version.major,
        minor: version.minor,
    };
    Ok(Capabilities { kube_version, api_versions: cluster.api_versions().await?, ..Capabilities::default() })
}

/// Renders a unit against a cluster: its capabilities and its live objects for `lookup`. With `tracing` off its fields have
/// no origins.
///
/// # Errors
/// What the chart refuses with, at the place in the user's file where that is known.
pub async fn render_unit(
    unit: &Unit,
    turn: Turn,
    capabilities: &Capabilities,
    cluster: &Cluster,
    tracing: Tracing,
) -> Result<RenderedUnit, Vec<Diagnostic>> {
    // Argo CD renders without a cluster: `lookup` finds nothing.
    let lookup: Option<Arc<dyn Lookup>> = match unit.door {
        Door::Release => Some(Arc::new(LiveLookup::of(cluster))),
        Door::Application(_) => None,
    };
    let options = RenderOptions { lookup, tracing, ..RenderOptions::default() };
    let (blocking, capabilities) = (unit.clone(), capabilities.clone());
    let mut whole =
        tokio::task::spawn_blocking(move || render_with(&blocking, turn, &capabilities, &options)).await.map_err(
            |error| vec![Diagnostic::error(code::BUG, "rendering ended unexpectedly").note(error.to_string())],
        )??;
    for rendered in whole.objects.iter_mut().chain(&mut whole.hooks) {
        // A kind that is not known yet (its CRD comes with the delivery) keeps the namespace it names.
        if let Ok(placed) = cluster.place(rendered.object.clone(), &unit.namespace).await {
            rendered.object = placed;
        }
    }
    Ok(whole)
}

/// Renders a unit without any cluster.
///
/// # Errors
/// As [`render_unit`].
pub fn render_offline(unit: &Unit) -> Result<RenderedUnit, Vec<Diagnostic>> {
    let turn = Turn { revision: 1, operation: Operation::Install };
    render_with(unit, turn, &Capabilities::default(), &RenderOptions::default())
}

/// Renders a unit with everything that templates may see given by the caller; namespaces stay as they are written.
///
/// # Errors
/// As [`render_unit`].
pub fn render_with(
    unit: &Unit,
    turn: Turn,
    capabilities: &Capabilities,
    options: &RenderOptions,
) -> Result<RenderedUnit, Vec<Diagnostic>> {
    let mut whole = RenderedUnit::empty();
    for source in &unit.sources {
        match source {
            UnitSource::Manifests(manifests) => whole.add_manifests(manifests),
            UnitSource::Chart(source) => {
                let release = release_info(unit, &source.settings, turn);
                let mut capabilities = seen_by(unit, &source.settings, capabilities);
                if matches!(unit.door, Door::Release)
                    && turn.operation == Operation::Install
                    && source.settings.crds == Part::Taken
                {
                    capabilities = capabilities.with_definitions_of(&source.chart);
                }
                let settings = &source.settings;
                let options =
                    RenderOptions { schema: settings.schema, documents: settings.documents.clone(), ..options.clone() };
                let rendered = render(&source.chart, &source.values, &release, &capabilities, &options)
                    .map_err(|error| vec![error.diagnose()])?;
                whole.add_chart(rendered, &source.settings);
            }
        }
    }
    Ok(whole)
}

fn release_info(unit: &Unit, settings: &RenderSettings, turn: Turn) -> ReleaseInfo {
    ReleaseInfo {
        name: settings.release.as_ref().unwrap_or(&unit.name).clone(),
        namespace: settings.namespace.as_ref().unwrap_or(&unit.namespace).clone(),
        revision: turn.revision,
        operation: turn.operation,
    }
}

/// The capabilities as a release's templates see them, or as an Application wants its own to.
fn seen_by(unit: &Unit, settings: &RenderSettings, cluster: &Capabilities) -> Capabilities {
    let mut capabilities = cluster.clone();
    // Argo CD hands on the numbers of a version alone (parseKubeVersion).
    if matches!(unit.door, Door::Application(_))
        && let Ok(numbers) = KubeVersion::parse(&capabilities.kube_version.version)
    {
        capabilities.kube_version = numbers;
    }
    if let Some(version) = &settings.kube_version {
        capabilities.kube_version = version.clone();
    }
    if !settings.api_versions.is_empty() {
        capabilities.api_versions = Capabilities::default().with_api_versions(&settings.api_versions).api_versions;
    }
    capabilities
}

fn take(document: serde_json::Value, path: &str, origin: (usize, usize), objects: &mut Vec<RenderedObject>) {
    for value in flattened(document) {
        if let Ok(object) = Object::from_value(value) {
            objects.push(RenderedObject { object, path: path.to_owned(), origin: Some(origin) });
        }
    }
}

impl RenderedUnit {
    fn empty() -> Self {
        RenderedUnit { charts: Vec::new(), objects: Vec::new(), hooks: Vec::new(), definitions: Vec::new() }
    }

    /// What one chart has rendered to; namespaces stay as they are written.
    pub fn of_chart(rendered: Rendered, crds: Part) -> Self {
        let mut whole = RenderedUnit::empty();
        whole.add_chart(rendered, &RenderSettings { crds, ..RenderSettings::default() });
        whole
    }

    fn add_manifests(&mut self, manifests: &[PlainManifest]) {
        self.objects.extend(manifests.iter().map(|manifest| RenderedObject {
            object: manifest.object.clone(),
            path: manifest.path.clone(),
            origin: None,
        }));
    }

    fn add_chart(&mut self, rendered: Rendered, settings: &RenderSettings) {
        let chart = self.charts.len();
        for (index, manifest) in rendered.manifests.iter().enumerate() {
            take(manifest.object(), &manifest.path, (chart, index), &mut self.objects);
        }
        for (index, hook) in rendered.hooks.iter().enumerate() {
            let is_test = hook.manifest.head.annotations.get("helm.sh/hook");
            if settings.tests == Part::LeftOut && is_test.is_some_and(|events| events.contains("test")) {
                continue;
            }
            take(hook.manifest.object(), &hook.manifest.path, (chart, index), &mut self.hooks);
        }
        if settings.crds == Part::Taken {
            let text = |crd: &landfall_chart::Crd| String::from_utf8_lossy(&crd.data).into_owned();
            self.definitions.extend(rendered.crds.iter().map(|crd| (crd.path.clone(), text(crd))));
        }
        self.charts.push(rendered);
    }

    /// The objects that no chart has rendered.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &RenderedObject> {
        self.objects.iter().filter(|object| object.origin.is_none())
    }

    /// What the chart says of one of the unit's hooks.
    pub fn hook(&self, hook: &RenderedObject) -> Option<&Hook> {
        let (chart, index) = hook.origin?;
        self.charts.get(chart)?.hooks.get(index)
    }

    /// The rendering of a release's only chart.
    pub(crate) fn chart(&self) -> &Rendered {
        self.charts.first().expect("a release is made with one chart")
    }

    /// Objects and hooks together, for what concerns both.
    pub fn all_objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().chain(&self.hooks).map(|rendered| &rendered.object)
    }

    /// The objects of the chart's `crds/`; a file that cannot be read has none.
    pub fn defined(&self) -> impl Iterator<Item = Object> {
        self.definitions.iter().flat_map(|(_, text)| {
            let documents = landfall_yaml::documents(text).map(|part| part.and_then(|part| part.to_json()));
            let objects = documents.collect::<Result<Vec<_>, _>>().unwrap_or_default();
            objects.into_iter().flat_map(flattened).filter_map(|value| Object::from_value(value).ok())
        })
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
        let steps = path_steps(path);
        let mut steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        // A field that a default filled in is not in the text: the nearest part that is shows where to look.
        loop {
            if let Some(origin) = provenance.origin_of(manifest, &steps) {
                return Some(origin);
            }
            steps.pop()?;
        }
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
