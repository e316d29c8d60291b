use std::collections::HashSet;

use landfall_chart::{FieldOrigin, Origin, Provenance};
use landfall_diag::is_mutant;
use landfall_object::mask;
use serde_json::Value;

use super::{Found, RenderedUnit};

/// The values of a rendering that are in a Secret: what is hidden there must not be shown as a variable of a container,
/// as a line of a ConfigMap or as what a values file says.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// By chart of the rendering.
    origins: HashSet<(usize, Origin)>,
    /// The same as places, for one value is known under several paths: a global one, one that a subchart is given.
    places: HashSet<(String, u32, u32)>,
}

impl Secrets {
    pub(super) fn of(rendered: &RenderedUnit) -> Self {
        let mut secrets = Secrets::default();
        if is_mutant("explained-secrets") {
            return secrets;
        }
        for (chart, rendered) in rendered.charts.iter().enumerate() {
            let Some(provenance) = &rendered.provenance else { continue };
            for manifest in rendered.manifests.iter().chain(rendered.hooks.iter().map(|hook| &hook.manifest)) {
                // Most manifests do not even have the word in them.
                if !mask::names_a_secret(&manifest.text) {
                    continue;
                }
                let object = manifest.object();
                for field in provenance.fields(manifest).into_iter().filter(|field| mask::hides(&object, &field.path)) {
                    for origin in field.origin.data {
                        secrets.origins.insert((chart, origin));
                        secrets.places.extend(place(provenance, origin));
                    }
                }
            }
        }
        secrets
    }

    /// Whether a value is in a Secret.
    pub(super) fn hold(&self, found: &Found<'_>, origin: Origin) -> bool {
        self.origins.contains(&(found.chart, origin))
            || place(found.provenance, origin).is_some_and(|place| self.places.contains(&place))
    }

    /// Whether a field must not be shown: a Secret's, or one with a value in it that is in a Secret too.
    pub(super) fn hide(&self, found: &Found<'_>, object: &Value, path: &[String], origin: &FieldOrigin) -> bool {
        mask::hides(object, path) || origin.data.iter().any(|origin| self.hold(found, *origin))
    }
}

fn place(provenance: &Provenance, origin: Origin) -> Option<(String, u32, u32)> {
    let source = provenance.source(origin)?;
    let place = source.place()?;
    Some((place.file.clone(), place.line, place.column))
}
