//! Which settings are tried how, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use landfall_object::ObjectKey;
use landfall_rules::OtherSetting;

use super::choice::{Layer, Other};
use super::chosen;

/// Which settings are tried how.
#[derive(Default)]
pub(super) struct Work {
    /// What a cluster serves nobody has set: it is asked for before anything has cost much.
    pub(super) operators: Vec<Other>,
    pub(super) samples: Vec<Other>,
    pub(super) anything: Vec<Other>,
    /// Everything else, by itself or in groups; of what turns on every second one is done aside.
    pub(super) turned: Vec<Other>,
    pub(super) aside: Vec<Other>,
}

impl Work {
    pub(super) fn of(others: Vec<Other>, wanted: Option<&BTreeSet<String>>, ons: &[Other]) -> Self {
        let mut work = Work::default();
        let chosen = match wanted {
            Some(wanted) => chosen(others, wanted),
            None => others,
        };
        let is_on = |other: &Other| ons.iter().any(|it| it.setting == other.setting);
        let mut in_turns = 0_usize;
        for other in chosen {
            let list = match &other.layer {
                Layer::Operators => &mut work.operators,
                Layer::Sample(_) if wanted.is_none() => &mut work.samples,
                Layer::Anything(_) if wanted.is_none() => &mut work.anything,
                _ if wanted.is_none() && is_on(&other) => {
                    in_turns += 1;
                    if in_turns.is_multiple_of(2) { &mut work.aside } else { &mut work.turned }
                }
                _ => &mut work.turned,
            };
            list.push(other);
        }
        work
    }
}

/// What came of turning settings.
#[derive(Default)]
pub(super) struct Turned {
    pub(super) wrong: Vec<OtherSetting>,
    /// What is fine and turns on, and what is and turns off.
    pub(super) ons: Vec<Other>,
    pub(super) offs: Vec<Other>,
}

/// What came of what was tried aside.
#[derive(Default)]
pub(super) struct Added {
    pub(super) wrong: Vec<OtherSetting>,
    /// What is only added, and is fine.
    pub(super) fine: Vec<Other>,
    /// What turns on, and is fine.
    pub(super) ons: Vec<Other>,
    /// The objects that switches add.
    pub(super) added: BTreeMap<ObjectKey, Vec<Other>>,
    pub(super) is_cut: bool,
}
