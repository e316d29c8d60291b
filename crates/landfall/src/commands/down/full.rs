//! `landfall down` on a disk that is full: nothing can be taken down one by one, for each step would have to be written
//! down first. What is removed whole needs no room.

use std::time::{Duration, Instant};

use landfall_cluster::Cluster;
use landfall_delivery::{Removal, Unit};
use landfall_diag::code;
use landfall_host::{self as host, Failure, Place};
use landfall_release::{ListFilter, Releases, Status};

use super::Removed;
use crate::commands::books;
use crate::context::Context;
use crate::exit::{Exit, Outcome};

/// Whether a command failed because the disk is full.
pub(super) fn is_why(failure: &Failure) -> bool {
    failure.diagnostics.iter().any(|diagnostic| diagnostic.code == code::DISK_FULL)
}

/// The same of a removal that came to its end.
pub(super) fn of(removal: &Removal) -> Option<Failure> {
    let mut diagnostics = removal.units.iter().flat_map(|unit| &unit.diagnostics);
    diagnostics.find(|diagnostic| diagnostic.code == code::DISK_FULL).cloned().map(Failure::from)
}

/// Removes an embedded cluster as it is, where nothing but `wanted` lives on it; what else does is told instead.
pub(super) async fn forget(
    context: &Context,
    place: &Place,
    wanted: &[&Unit],
    mut why: Failure,
    started: Instant,
) -> Outcome {
    let others = others(place, wanted).await;
    if !others.is_empty() {
        if let Some(first) = why.diagnostics.first_mut() {
            *first = std::mem::replace(first, landfall_diag::disk_full(place.state.path()))
                .note(format!("not removed as it is, for these live on the same cluster: {}", others.join(", ")))
                .help("`landfall cluster reset` forgets all of it, and needs no room");
        }
        return Err(why);
    }
    context.ui.status(&format!(
        "{}: nothing is taken down one by one, the embedded cluster is removed as it is",
        landfall_diag::disk_full_words(place.state.path())
    ));
    host::stop_server(&place.state).await?;
    let kept = match place.state.wait_for_lock(Duration::from_secs(10)).await.map_err(Failure::from)? {
        Some(lock) => books::forget(context, &place.state, lock).await?,
        None => return Err(why),
    };
    context.report(&Removed::of(super::Cluster::Forgotten(kept)), Exit::Done, started);
    Ok(Exit::Done)
}

/// Releases that nobody asked to take down, as far as a server that runs can be asked.
async fn others(place: &Place, wanted: &[&Unit]) -> Vec<String> {
    let serves = place.state.is_open() && place.state.endpoint().is_some_and(|endpoint| endpoint.listens());
    if wanted.is_empty() || !serves {
        return Vec::new();
    }
    let Ok(access) = place.state.access() else { return Vec::new() };
    let Ok(client) = access.client().await else { return Vec::new() };
    let releases = Releases::new(Cluster::new(client), "default", std::sync::Arc::new(landfall_engine::WallClock));
    let records = releases.list_everywhere(ListFilter::All).await.unwrap_or_default();
    let known = |namespace: &str, name: &str| wanted.iter().any(|it| it.namespace == namespace && it.name == name);
    let others = records.iter().filter(|it| it.info.status != Status::Uninstalled && !known(&it.namespace, &it.name));
    others.map(|record| format!("{}/{}", record.namespace, record.name)).collect()
}
