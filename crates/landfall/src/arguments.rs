//! Arguments that several verbs take; those of one verb stand beside what it does.

mod cluster;
mod named;
mod output;
mod target;
mod values;

pub(crate) use cluster::ClusterArgs;
pub(crate) use named::{Behind, Environments, Named, is_delivered, is_in_system, is_written_as_path};
pub(crate) use output::{OutputArgs, ReportFormat};
pub(crate) use target::{RenderedArgs, TargetArgs};
pub(crate) use values::ValuesArgs;

/// Reads a version of Kubernetes as `helm template --kube-version` does.
pub(crate) fn kube_version(text: &str) -> Result<landfall_chart::KubeVersion, String> {
    landfall_chart::KubeVersion::parse(text).map_err(|error| error.to_string())
}
