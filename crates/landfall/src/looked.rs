//! What several commands look at without a cluster: the units of a place, rendered with their origins.

use landfall_delivery::TargetKind;
use landfall_host::{Failure, Place};
use landfall_project::{Environment, ProjectFile};
use landfall_rehearse::{Conditions, study};
use landfall_rules::{ClusterFacts, DesiredUnit, Inventory, Subject};

use crate::arguments::{TargetArgs, ValuesArgs};
use crate::context::Context;

/// Renders what a place delivers.
pub(crate) fn units(
    context: &Context,
    place: &Place,
    args: &TargetArgs,
    values: &ValuesArgs,
    conditions: &Conditions,
) -> Result<Vec<DesiredUnit>, Failure> {
    let overrides = values.overrides(&context.host)?;
    let selection = args.selection(&context.host, place)?;
    let namespace = context.host.default_namespace(place);
    let candidates =
        context.host.wait(place.target.units(&selection, &overrides, &namespace)).map_err(Failure::from)?;
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

/// The project file, when the target is a system.
pub(crate) fn project_of(place: &Place) -> Option<&ProjectFile> {
    match &place.target.kind {
        TargetKind::System(file) => Some(file),
        _ => None,
    }
}

/// The environment with its name.
pub(crate) fn environment_of(place: &Place) -> Option<(&str, &Environment)> {
    Some((place.environment.as_deref()?, place.declared()?))
}
