//! Which tags an environment lets run.

use landfall_delivery::{TargetKind, policy_of};
use landfall_host::Place;
use landfall_promote::TagPolicy;

/// The policy that a place's environment declares; nothing where it declares none.
pub(crate) fn declared_policy(place: &Place) -> Option<TagPolicy> {
    let TargetKind::System(file) = &place.target.kind else { return None };
    policy_of(&file.system, place.environment.as_deref()?)
}
