use std::sync::Arc;

use landfall_chart::{
    Capabilities, ChartError, FieldOrigin, KubeVersion, Lookup, Operation, ReleaseInfo, RenderOptions, Rendered,
    Tracing, render,
};
use landfall_cluster::{Cluster, ListOptions};
use landfall_diag::{Diagnose, Diagnostic, Place};
use landfall_object::{Gvk, Object, ObjectKey};

use crate::unit::Unit;

/// What a unit renders to.
#[derive(Debug)]
pub struct RenderedUnit {
    /// The rendering.
    pub rendered: Rendered,
    /// The objects of its manifests, lists taken apart, placed into namespaces, in install order.
    pub objects: Vec<RenderedObject>,
    /// The objects of its hooks, placed too.
    pub hooks: Vec<RenderedObject>,
}

/// An object and the manifest it comes from.
#[derive(Debug, Clone)]
pub struct RenderedObject {
    /// The object.
    pub object: Object,
    /// The manifest's index in `rendered.manifests`, or the hook's in `rendered.hooks`.
    pub manifest: usize,
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
    let mut capabilities = Capabilities::default();
    if let Ok(parsed) = KubeVersion::parse(&version.git_version) {
        capabilities.kube_version = parsed;
    }
    capabilities.api_versions = cluster.api_versions().await?;
    Ok(capabilities)
}

/// Renders a unit against a cluster: its capabilities and its live objects for `lookup`.
///
/// # Errors
/// What the chart refuses with, at the place in the user's file where that is known.
pub async fn render_unit(
    unit: &Unit,
    turn: Turn,
    capabilities: &Capabilities,
    cluster: &Cluster,
) -> Result<RenderedUnit, Vec<Diagnostic>> {
    let release = release_info(unit, turn);
    let lookup: Arc<dyn Lookup> =
        Arc::new(LiveLookup { cluster: cluster.clone(), runtime: tokio::runtime::Handle::current() });
    let options = RenderOptions { lookup: Some(lookup), tracing: Tracing::On, ..RenderOptions::default() };
    let (chart, values, capabilities) = (unit.chart.clone(), unit.values.clone(), capabilities.clone());
    let rendered = tokio::task::spawn_blocking(move || render(&chart, &values, &release, &capabilities, &options))
        .await
        .map_err(|error| vec![Diagnostic::error(700, "rendering ended unexpectedly").note(error.to_string())])?
        .map_err(|error: ChartError| vec![error.diagnose()])?;
    let mut objects = Vec::new();
    for (index, manifest) in rendered.manifests.iter().enumerate() {
        take(&manifest.object, index, &mut objects);
    }
    let mut hooks = Vec::new();
    for (index, hook) in rendered.hooks.iter().enumerate() {
        take(&hook.manifest.object, index, &mut hooks);
    }
    for rendered in objects.iter_mut().chain(&mut hooks) {
        // A kind that is not known yet (its CRD comes with the delivery) keeps the namespace it names.
        if let Ok(placed) = cluster.place(rendered.object.clone(), &unit.namespace).await {
            rendered.object = placed;
        }
    }
    Ok(RenderedUnit { rendered, objects, hooks })
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
    let rendered = render(&unit.chart, &unit.values, &release_info(unit, turn), capabilities, options)
        .map_err(|error| vec![error.diagnose()])?;
    let mut objects = Vec::new();
    for (index, manifest) in rendered.manifests.iter().enumerate() {
        take(&manifest.object, index, &mut objects);
    }
    let mut hooks = Vec::new();
    for (index, hook) in rendered.hooks.iter().enumerate() {
        take(&hook.manifest.object, index, &mut hooks);
    }
    Ok(RenderedUnit { rendered, objects, hooks })
}

fn release_info(unit: &Unit, turn: Turn) -> ReleaseInfo {
    ReleaseInfo {
        name: unit.release_name().to_owned(),
        namespace: unit.namespace.clone(),
        revision: turn.revision,
        operation: turn.operation,
    }
}

fn take(value: &serde_json::Value, manifest: usize, objects: &mut Vec<RenderedObject>) {
    let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) && value["items"].is_array();
    if is_list {
        for item in value["items"].as_array().into_iter().flatten() {
            take(item, manifest, objects);
        }
    } else if let Ok(object) = Object::from_value(value.clone()) {
        objects.push(RenderedObject { object, manifest });
    }
}

impl RenderedUnit {
    /// Objects and hooks together, for what concerns both.
    pub fn all_objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().chain(&self.hooks).map(|rendered| &rendered.object)
    }

    /// Where a field of an object comes from: the user's place first, then the chart's.
    pub fn places(&self, key: &ObjectKey, path: &str) -> Vec<(Place, String)> {
        let Some(origin) = self.origin(key, path) else { return Vec::new() };
        let mut places = Vec::new();
        for source in &origin.sources {
            if let Some(place) = source.place() {
                places.push((place.clone(), "set here".to_owned()));
            }
        }
        if let Some(place) = origin.template {
            places.push((place, "used here".to_owned()));
        }
        places
    }

    /// The template's line and the values that a field of an object comes from.
    pub fn origin(&self, key: &ObjectKey, path: &str) -> Option<FieldOrigin> {
        let provenance = self.rendered.provenance.as_ref()?;
        let in_objects = self.objects.iter().find(|it| it.object.key() == *key);
        let manifest = match in_objects {
            Some(found) => &self.rendered.manifests[found.manifest],
            None => match self.hooks.iter().find(|it| it.object.key() == *key) {
                Some(found) => &self.rendered.hooks[found.manifest].manifest,
                None => return None,
            },
        };
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
fn path_steps(path: &str) -> Vec<String> {
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

/// `lookup` against a live cluster; called on a blocking thread.
#[derive(Debug)]
struct LiveLookup {
    cluster: Cluster,
    runtime: tokio::runtime::Handle,
}

impl Lookup for LiveLookup {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<serde_json::Value>, String> {
        let gvk = Gvk::from_api_version(api_version, kind);
        self.runtime.block_on(async {
            if name.is_empty() {
                let options = ListOptions {
                    namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
                    ..ListOptions::default()
                };
                let items = match self.cluster.list(&gvk, &options).await {
                    Ok(items) => items,
                    Err(error) if error.is_not_found() => return Ok(None),
                    Err(error) => return Err(error.to_string()),
                };
                let items: Vec<serde_json::Value> = items.into_iter().map(Object::into_value).collect();
                return Ok(Some(serde_json::json!({
                    "apiVersion": api_version, "kind": format!("{kind}List"), "metadata": {}, "items": items,
                })));
            }
            let key = ObjectKey::new(gvk, (!namespace.is_empty()).then_some(namespace), name);
            match self.cluster.get(&key).await {
                Ok(found) => Ok(found.map(Object::into_value)),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error.to_string()),
            }
        })
    }
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
