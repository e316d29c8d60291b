//! What a template writes by itself around what was made up: whatever stands there, its fields are the template's.

use landfall_chart::Tracing;
use landfall_delivery::{RenderedUnit, Unit};
use landfall_diag::Finding;
use landfall_object::{Object, ObjectKey};
use landfall_rules::SettingFault;

use super::{Plain, Trying, as_desired, by_rule_at, cause, found};
use crate::study::{Conditions, installed};

impl Trying<'_, '_> {
    /// Fields that a template writes by itself and that its kind does not have, in what is made only where anything stands at all.
    pub(super) fn of_its_own(
        &self,
        (turned, rendered): (&Unit, RenderedUnit),
        plain: &Plain<'_>,
        conditions: &Conditions,
    ) -> Vec<SettingFault> {
        // What is made up stands in a field of its own name, or is of another type than what is wanted there.
        let is_own = |it: &&Finding| {
            (it.message.contains(" has no field `") || it.message.contains("` twice in one place"))
                && !it.message.contains("probe")
                && !plain.own().contains(&cause(it))
        };
        let is_new = |it: &Object| !plain.objects.contains_key(&it.key());
        if !rendered.all_objects().any(is_new) {
            return Vec::new();
        }
        let desired = as_desired(turned, rendered);
        let found = found(&desired, &["LF138"], self.trials);
        let of_new = |it: &&Finding| {
            let mut objects = it.spots.iter().filter_map(|spot| spot.object.as_ref()).map(ObjectKey::from);
            objects.any(|key| !plain.objects.contains_key(&key))
        };
        let own: Vec<&Finding> = found.iter().filter(is_own).filter(of_new).collect();
        if own.is_empty() {
            return Vec::new();
        }
        let traced = installed(turned, conditions, Tracing::On).ok();
        own.into_iter().map(|finding| by_rule_at(finding, traced.as_ref())).collect()
    }
}
