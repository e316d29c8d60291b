//! Which workloads are meant when the project file names a component.

use landfall_object::Object;

/// Whether a workload is what people call by this name: its own name without what the release puts in front, or what
/// its labels say it is.
pub(crate) fn is_component(object: &Object, release: &str, component: &str) -> bool {
    let name = object.name();
    let without_release = name.strip_prefix(release).and_then(|rest| rest.strip_prefix('-'));
    if name == component || without_release == Some(component) || name.ends_with(&format!("-{component}")) {
        return true;
    }
    ["app.kubernetes.io/component", "app.kubernetes.io/name"].iter().any(|label| object.label(label) == Some(component))
}
