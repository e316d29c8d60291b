//! The charts of a change under settings other than those that it delivers, and of its base where the change's do not work.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use landfall_delivery::Candidate;
use landfall_diag::Diagnostic;
use landfall_rules::{DesiredUnit, OtherSetting};
use tokio_util::sync::CancellationToken;

use super::ground::Ground;
use super::{From, Request};
use crate::apart::apart;
use crate::settings::{Meant, other_settings};

/// The rule that tells of it.
const RULE: &str = "LF285";

/// What does not work otherwise, by releases.
#[derive(Default)]
pub(super) struct Otherwise {
    head: BTreeMap<String, Vec<OtherSetting>>,
    base: BTreeMap<String, Vec<OtherSetting>>,
    /// The releases of which not every setting was tried.
    cut: Vec<String>,
}

/// Does `work` while other settings are tried beside it, where somebody asks for them. What fails wants them no more.
pub(super) fn beside<T>(
    request: &Request<'_>,
    ground: &Ground<'_>,
    work: impl FnOnce() -> Result<T, Vec<Diagnostic>>,
) -> (Result<T, Vec<Diagnostic>>, Result<Otherwise, Vec<Diagnostic>>) {
    if !request.rules.iter().any(|rule| rule.id == RULE) {
        return (work(), Ok(Otherwise::default()));
    }
    let (today, has_base) = (request.today, matches!(request.from, From::Base { .. }));
    let stop = &CancellationToken::new();
    let here = || {
        let worked = work();
        if worked.is_err() {
            stop.cancel();
        }
        worked
    };
    apart(here, || Otherwise::tried(ground, today, has_base, stop))
}

impl Otherwise {
    /// Tries it.
    fn tried(
        ground: &Ground<'_>,
        today: Date,
        has_base: bool,
        stop: &CancellationToken,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut otherwise = Otherwise::default();
        let (facts, conditions) = (&ground.cluster, &ground.offline);
        let meant = Meant { empty: &ground.empty, facts, conditions, today, stop };
        for (name, unit) in ground.played.head.iter().filter_map(read) {
            let tried = other_settings(unit, &meant, None)?;
            otherwise.cut.extend(tried.is_cut.then(|| name.clone()));
            otherwise.head.insert(name.clone(), tried.wrong);
        }
        if has_base {
            for (name, unit) in ground.played.base.iter().filter_map(read) {
                let Some(head) = otherwise.head.get(name).filter(|head| !head.is_empty()) else { continue };
                let wanted: BTreeSet<String> = head.iter().map(|it| it.setting.clone()).collect();
                otherwise.base.insert(name.clone(), other_settings(unit, &meant, Some(&wanted))?.wrong);
            }
        }
        Ok(otherwise)
    }

    /// What was not tried.
    pub(super) fn not_tried(&self) -> impl Iterator<Item = String> {
        let told = |name: &String| {
            format!(
                "all other settings of {name} (LF285): its templates had worked for as long as they may before each was tried"
            )
        };
        self.cut.iter().map(told)
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
