//! What goes with a cluster that is removed: sealing keys and values that are generated once, of which nobody has a copy.

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, Error, ListOptions};
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_object::{Gvk, SIMULATED};
use landfall_secrets::saved_names;

use super::remembered::all_remembered;

/// What of a cluster is in no backup: sealing keys by their fingerprints, and keys that are generated once.
///
/// # Errors
/// The cluster does not answer.
#[boxed]
pub async fn unsaved(cluster: &Cluster) -> Result<Vec<String>, Diagnostic> {
    let told = |error: Error| error.diagnose();
    let secrets = cluster.list(&Gvk::new("", "v1", "Secret"), &ListOptions::default()).await.map_err(told)?;
    let real = secrets.iter().filter(|secret| secret.annotation(SIMULATED).is_none());
    let mut names: Vec<String> = real.flat_map(saved_names).collect();
    if !names.is_empty() {
        let ledgers = all_remembered(cluster).await?;
        names.retain(|name| !ledgers.iter().any(|ledger| ledger.saved.contains_key(name)));
    }
    Ok(names)
}
