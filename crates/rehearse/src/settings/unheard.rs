//! Settings that change what pods read as variables, and leave the pods as they are, where the chart restarts them for others.

use landfall_chart::Tracing;
use landfall_delivery::Unit;
use landfall_diag::Finding;
use landfall_rules::{DesiredUnit, SettingFault};

use super::{Plain, Trials, as_desired, by_rule, found_against};
use crate::study::{Conditions, installed};

/// What a chart calls the annotation that restarts pods.
const CHECKSUM: &str = "checksum";

/// What the change from the delivery to a setting leaves unread. Pods that no checksum restarts are somebody else's to restart.
pub(super) fn unheard(
    turned: &Unit,
    changed: &DesiredUnit,
    plain: &Plain<'_>,
    conditions: &Conditions,
    trials: &Trials<'_>,
) -> Vec<SettingFault> {
    let is_read = changed.objects.iter().any(|it| {
        let was = plain.objects.get(&it.key());
        let fields = ["/data", "/stringData"];
        matches!(it.object.kind(), "ConfigMap" | "Secret")
            && was.is_some_and(|was| fields.iter().any(|field| was.at(field) != it.object.at(field)))
    });
    let has_checksum = |object: &landfall_object::Object| {
        let annotations = object.at("/spec/template/metadata/annotations").and_then(|it| it.as_object());
        annotations.is_some_and(|it| it.keys().any(|key| key.starts_with(CHECKSUM)))
    };
    // What differs by the cluster alone is no change of settings.
    if !is_read || !std::ptr::eq(plain.conditions, conditions) {
        return Vec::new();
    }
    if !plain.objects.values().any(|object| has_checksum(object)) {
        return Vec::new();
    }
    let Some(was) = plain.whole() else { return Vec::new() };
    let Ok(whole) = installed(turned, conditions, Tracing::Off) else { return Vec::new() };
    let of_one_with_checksum = |it: &&Finding| {
        let mut objects = it.spots.iter().filter_map(|spot| spot.object.as_ref());
        objects.any(|key| plain.objects.values().any(|was| was.is_at(&key.into()) && has_checksum(was)))
    };
    let base = Some(std::slice::from_ref(was));
    let found = found_against(&as_desired(turned, whole), base, &["LF149"], trials);
    found.iter().filter(of_one_with_checksum).map(by_rule).collect()
}
