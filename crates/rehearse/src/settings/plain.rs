//! A unit under its own settings, which its rendering under others is held against.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

use landfall_chart::Tracing;
use landfall_delivery::{RenderedUnit, Unit};
use landfall_object::operators::known_versions;
use landfall_object::{Object, ObjectKey};
use landfall_rules::{DesiredUnit, Inventory};

use super::{BESIDE, BY_LINES, FURTHER, LINKED, OF_SERVED, Trials, as_desired, cause, found, lasting, texts};
use crate::study::{Conditions, Scopes, installed};

/// A unit as it is delivered, on a cluster as it is and on one that serves the kinds of operators.
pub(super) struct Renderings {
    pub(super) bare: RenderedUnit,
    served: Option<RenderedUnit>,
    pub(super) definitions: Inventory,
    own: [OnceLock<Own>; 2],
    whole: [OnceLock<Option<DesiredUnit>>; 2],
}

/// Under what a unit is rendered again and again; each half of the work has its own.
pub(super) struct Under {
    pub(super) usual: Conditions,
    pub(super) all_served: Conditions,
}

impl Under {
    pub(super) fn of(conditions: &Conditions) -> Self {
        let usual = conditions.again_and_again();
        let mut all_served = usual.clone();
        let known = known_versions().into_iter().chain(FURTHER.iter().map(|it| (*it).to_owned()));
        all_served.capabilities = all_served.capabilities.with_api_versions(known);
        Under { usual, all_served }
    }
}

impl Renderings {
    pub(super) fn of(unit: &Unit, under: &Under) -> Option<Self> {
        let bare = installed(unit, &under.usual, Tracing::Off).ok()?;
        // What stands behind `.Capabilities.APIVersions.Has` is rendered with all other settings.
        let served = installed(unit, &under.all_served, Tracing::Off).ok();
        let definitions = bare.defined().collect();
        Some(Renderings { bare, served, definitions, own: Default::default(), whole: Default::default() })
    }

    pub(super) fn plain<'a>(&'a self, unit: &'a Unit, under: &'a Under, trials: &'a Trials<'a>) -> [Plain<'a>; 2] {
        let served = self.served.as_ref().map_or((&self.bare, &under.usual), |served| (served, &under.all_served));
        let [(bare, usual), (served, conditions)] = [(&self.bare, &under.usual), served];
        [
            Plain::of((unit, bare, usual), trials, (&self.own[0], &self.whole[0])),
            Plain::of((unit, served, conditions), trials, (&self.own[1], &self.whole[1])),
        ]
    }
}

/// The rendering that another one is held against.
pub(super) struct Plain<'a> {
    /// Under which it was rendered.
    pub(super) conditions: &'a Conditions,
    pub(super) objects: HashMap<ObjectKey, &'a Object>,
    pub(super) texts: HashSet<&'a str>,
    pub(super) scopes: Scopes,
    unit: &'a Unit,
    trials: &'a Trials<'a>,
    own: &'a OnceLock<Own>,
    whole: &'a OnceLock<Option<DesiredUnit>>,
}

/// What findings say, and of what.
pub(super) type Own = BTreeSet<(String, String)>;

impl<'a> Plain<'a> {
    pub(super) fn of(
        (unit, rendered, conditions): (&'a Unit, &'a RenderedUnit, &'a Conditions),
        trials: &'a Trials<'a>,
        (own, whole): (&'a OnceLock<Own>, &'a OnceLock<Option<DesiredUnit>>),
    ) -> Self {
        Plain {
            conditions,
            objects: rendered.all_objects().map(|object| (object.key(), object)).collect(),
            texts: texts(rendered).collect(),
            scopes: Scopes::of(rendered),
            unit,
            trials,
            own,
            whole,
        }
    }

    /// What the rules say of it; asked for where they say something of another one.
    pub(super) fn own(&self) -> &'a Own {
        self.own.get_or_init(|| {
            let rules = [OF_SERVED, BY_LINES, BESIDE, LINKED].concat();
            let traced = installed(self.unit, self.conditions, Tracing::On);
            let found = traced.map(|traced| found(&as_desired(self.unit, traced), &rules, self.trials));
            found.unwrap_or_default().iter().flat_map(|it| [cause(it), lasting(it)]).collect()
        })
    }

    /// It as the rules take it; asked for where they compare another one with it.
    pub(super) fn whole(&self) -> Option<&'a DesiredUnit> {
        let whole = || installed(self.unit, self.conditions, Tracing::Off).ok().map(|it| as_desired(self.unit, it));
        self.whole.get_or_init(whole).as_ref()
    }
}
