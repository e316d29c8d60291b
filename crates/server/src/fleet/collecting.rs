//! What nobody will fetch any more goes from the disk: deltas to releases that are withdrawn or old, and bytes that came and belong
//! to no release.
//!
//! A release's artifacts stay as long as it is registered. A delta stays as long as the signed targets name it and it leads to one of
//! the [`LED_TO`] newest releases of its product that are offered, or to one that a campaign brings which has not ended. Whoever comes for
//! another one fetches the artifact whole, as where there never was a delta. What has been there for less than [`FRESH`] stays: it
//! may be of a release that is just being registered.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use landfall_fleet::campaign::CampaignState;
use landfall_fleet::{Signed, Targets};

use super::Control;
use super::releases::Known;

/// To how many releases of a product deltas are kept.
pub(crate) const LED_TO: usize = 8;
/// How long what belongs to nothing is kept, in seconds.
pub(crate) const FRESH: i64 = 24 * 3600;

/// Product and version.
type Wanted = BTreeSet<(String, String)>;

impl Known {
    /// The digests of all bytes that are kept; none where what is published cannot be read, for then nothing is known of deltas.
    fn kept(&self, mut wanted: Wanted) -> Option<HashSet<String>> {
        let mut newest: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for release in self.releases.values().filter(|release| release.row.yanked_at.is_none()) {
            newest.entry(&release.row.product).or_default().push(&release.row);
        }
        for mut rows in newest.into_values() {
            rows.sort_by_key(|row| std::cmp::Reverse(row.counter));
            wanted.extend(rows.iter().take(LED_TO).map(|row| (row.product.clone(), row.version.clone())));
        }
        let artifacts = self.releases.values().flat_map(|release| &release.artifacts);
        let mut kept: HashSet<String> = artifacts.map(|artifact| artifact.sha256.clone()).collect();
        // As it was published: that it has run out does not mean that it will not be signed anew.
        let Some(text) = &self.targets else { return Some(kept) };
        let targets: Targets = Signed::parse(text.as_bytes()).ok()?.read().ok()?;
        for target in targets.targets.values().map(|target| &target.custom) {
            let is_offered = (self.releases.get(&(target.product.clone(), target.version.clone())))
                .is_some_and(|release| release.row.yanked_at.is_none());
            if is_offered && wanted.contains(&(target.product.clone(), target.version.clone())) {
                kept.extend(target.deltas.iter().filter_map(|delta| Some(delta["sha256"].as_str()?.to_owned())));
            }
        }
        Some(kept)
    }
}

impl Control {
    /// Removes what nobody will fetch any more; gives how much there was of it.
    pub(crate) async fn collect(&self) -> u64 {
        let of_campaigns = self.campaigns.all().into_iter().filter_map(|slot| {
            slot.look(|campaign| {
                let has_ended = matches!(campaign.standing().state, CampaignState::Completed | CampaignState::Aborted);
                (!has_ended).then(|| (campaign.spec().product.clone(), campaign.spec().version.clone()))
            })
            .flatten()
        });
        let Some(kept) = self.releases.known().kept(of_campaigns.collect()) else {
            tracing::warn!("the published targets cannot be read: no artifact or delta is collected");
            return 0;
        };
        let directory = self.directory.join("artifacts");
        let before = u64::try_from(self.now() - FRESH).unwrap_or(0);
        let before = SystemTime::UNIX_EPOCH + Duration::from_secs(before);
        let removed = tokio::task::spawn_blocking(move || remove(&directory, &kept, before)).await.unwrap_or((0, 0));
        if removed.0 > 0 {
            tracing::info!("{} artifacts and deltas of no release, {} bytes, were removed", removed.0, removed.1);
        }
        removed.1
    }
}

/// Removes files under a digest that is not kept, and pieces of them, that came before a time; gives how many, and their bytes.
fn remove(directory: &Path, kept: &HashSet<String>, before: SystemTime) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    // Where nothing was uploaded there is no directory.
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_whole = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_ours = (is_whole && !kept.contains(&name)) || name.ends_with(".part");
        let Ok(meta) = entry.metadata() else { continue };
        let is_old = meta.modified().is_ok_and(|at| at < before);
        if is_ours && is_old && meta.is_file() && std::fs::remove_file(entry.path()).is_ok() {
            files += 1;
            bytes += meta.len();
        }
    }
    (files, bytes)
}
