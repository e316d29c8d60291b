//! What several commands look at without a cluster: the units of a place, rendered with their origins.

use landfall_host::{Failure, Place};
use landfall_rehearse::{Conditions, study};
use landfall_rules::{ClusterFacts, DesiredUnit, Inventory, Subject};

use crate::cli::{TargetArgs, ValuesArgs};
use crate::commands::rehearse::{environment_of, project_of};
use crate::commands::shared;
use crate::context::Context;

/// Renders what a place delivers.
pub(crate) fn units(
    context: &Context,
    place: &Place,
    args: &TargetArgs,
    values: &ValuesArgs,
    conditions: &Conditions,
) -> Result<Vec<DesiredUnit>, Failure> {
    let overrides = shared::overrides(context, values)?;
    let selection = shared::selection(context, place, args)?;
    let candidates =
        place.target.units(&selection, &overrides, &context.host.default_namespace(place)).map_err(Failure::from)?;
    // What cannot be read is a fault of the target, not something to be passed over.
    if let Some(diagnostics) = candidates.iter().find_map(|(_, unit)| unit.as_ref().err()) {
        return Err(Failure::from(diagnostics.clone()));
    }
    study(&candidates, conditions).map_err(Failure::from)
}

/// A subject for rules and graphs.
pub(crate) fn subject<'a>(
    place: &'a Place,
    units: &'a [DesiredUnit],
    before: &'a Inventory,
    cluster: &'a ClusterFacts,
) -> Subject<'a> {
    Subject {
        units,
        base: None,
        before,
        cluster,
        trials: &[],
        files: Some(&place.target.source),
        project: project_of(place),
        environment: environment_of(place),
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
    }
}
