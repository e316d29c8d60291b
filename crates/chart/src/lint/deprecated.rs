//! Which API versions Kubernetes has deprecated, in its words.

use landfall_object::lifecycle::marked;

use crate::capabilities::KubeVersion;

/// The minor version that Helm 3.22 lints for when none is given.
const DEFAULT_MINOR: u32 = 37;

/// Whether an object is of an API version that is deprecated in a Kubernetes version; the error is Kubernetes' warning.
pub(super) fn check(api_version: &str, kind: &str, kube_version: Option<&KubeVersion>) -> Result<(), String> {
    let Some(marked) = marked(api_version, kind) else { return Ok(()) };
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let (major, minor) =
        kube_version.map_or((1, DEFAULT_MINOR), |version| (number(&version.major), number(&version.minor)));
    let known = (major, minor) != (0, 0);
    if known && (major < 1 || major == 1 && marked.deprecated > minor) {
        return Ok(());
    }
    let mut warning = format!("{api_version} {kind} is deprecated in v1.{}+", marked.deprecated);
    if let Some(removed) = marked.removed {
        warning.push_str(&format!(", unavailable in v1.{removed}+"));
    }
    if let Some(replacement) = marked.replacement {
        warning.push_str(&format!("; use {replacement}"));
    }
    Err(warning)
}
