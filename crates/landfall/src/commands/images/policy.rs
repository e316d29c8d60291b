//! Which tags an environment lets run.

use landfall_delivery::TargetKind;
use landfall_host::Place;
use landfall_promote::TagPolicy;

/// The policy that a place's environment declares; nothing where it declares none.
pub(crate) fn declared_policy(place: &Place) -> Option<TagPolicy> {
    let images = place.declared()?.images.as_ref()?;
    let TargetKind::System(file) = &place.target.kind else { return None };
    let places = file.system.environments.keys().cloned().collect();
    Some(TagPolicy { policy: images.policy, channel: images.channel, places })
}
