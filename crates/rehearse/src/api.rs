//! What a real cluster's API says of the objects: asked with `dryRun=All`, so that nothing is kept.

use landfall_cluster::{Cluster, DryRun, Patch, WriteOptions};

use crate::finding::{Finding, Witness};
use crate::rules::rule;
use crate::subject::{DesiredUnit, Role};

/// Sends every object to a cluster with `dryRun=All` and gives its refusals, labelled with its name.
///
/// Objects whose namespace or kind is only to come are passed over: a dry run keeps neither.
pub async fn ask_api(cluster: &Cluster, name: &str, units: &[DesiredUnit]) -> Vec<Finding> {
    let Some(rule) = rule("LF100") else { return Vec::new() };
    let version = cluster.version().await.map(|version| version.git_version).unwrap_or_default();
    let witness = Witness::Api(format!("the API of {name} ({version}), asked with dryRun=All"));
    let options =
        WriteOptions { field_manager: Some("landfall".to_owned()), dry_run: DryRun::Server, ..WriteOptions::default() };
    let mut findings = Vec::new();
    for unit in units {
        for desired in unit.objects.iter().filter(|desired| desired.role != Role::Definition) {
            let patch = Patch::ForceApply(desired.object.value().clone());
            let Err(error) = cluster.patch(&desired.key(), &patch, &options).await else { continue };
            if error.is_not_found() || matches!(error, landfall_cluster::Error::NoMatch { .. }) {
                continue;
            }
            findings.push(
                Finding::of(rule, format!("{} is refused: {error}", desired.spot().name()))
                    .because("the same object would be refused on delivery")
                    .said_by(witness.clone())
                    .at(desired.spot()),
            );
        }
    }
    findings
}
