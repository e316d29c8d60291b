//! The charts of a change under settings other than those that it delivers, and of its base where the change's do not work.

use std::collections::{BTreeMap, BTreeSet};

use landfall_delivery::Candidate;
use landfall_rules::{DesiredUnit, OtherSetting};

use super::ground::Ground;
use super::{From, Request};
use crate::settings::{Trials, other_settings};

/// The rule that tells of it.
const RULE: &str = "LF285";

/// What does not work otherwise, by releases.
#[derive(Default)]
pub(super) struct Otherwise {
    head: BTreeMap<String, Vec<OtherSetting>>,
    base: BTreeMap<String, Vec<OtherSetting>>,
}

impl Otherwise {
    /// Tries it, where somebody asks.
    pub(super) async fn tried(request: &Request<'_>, ground: &Ground<'_>) -> Self {
        let mut otherwise = Otherwise::default();
        if !request.rules.iter().any(|rule| rule.id == RULE) {
            return otherwise;
        }
        let stage = ground.empty.fork(None);
        let cluster = stage.cluster();
        let trials =
            Trials { cluster: &cluster, facts: &ground.cluster, conditions: &ground.offline, today: request.today };
        for (name, unit) in ground.played.head.iter().filter_map(read) {
            otherwise.head.insert(name.clone(), other_settings(unit, &trials, None).await);
        }
        if let From::Base { .. } = request.from {
            for (name, unit) in ground.played.base.iter().filter_map(read) {
                let Some(head) = otherwise.head.get(name).filter(|head| !head.is_empty()) else { continue };
                let wanted: BTreeSet<String> = head.iter().map(|it| it.setting.clone()).collect();
                otherwise.base.insert(name.clone(), other_settings(unit, &trials, Some(&wanted)).await);
            }
        }
        otherwise
    }

    /// Adds it to what the rules look at.
    pub(super) fn put_into(self, head: &mut [DesiredUnit], base: Option<&mut Vec<DesiredUnit>>) {
        let put = |units: &mut [DesiredUnit], mut of: BTreeMap<String, Vec<OtherSetting>>| {
            for unit in units {
                unit.other_settings = of.remove(&unit.name).unwrap_or_default();
            }
        };
        put(head, self.head);
        if let Some(base) = base {
            put(base, self.base);
        }
    }
}

fn read((_, unit): &Candidate) -> Option<(&String, &landfall_delivery::Unit)> {
    unit.as_ref().ok().map(|unit| (&unit.name, unit))
}
