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
    pub(super) bare: Rendering,
    /// None where the unit does not render there.
    served: Option<Rendering>,
    pub(super) definitions: Inventory,
}

/// A rendering that others are held against, with what is worked out of it once somebody asks.
pub(super) struct Rendering {
    pub(super) unit: RenderedUnit,
    own: OnceLock<Own>,
    whole: OnceLock<Option<DesiredUnit>>,
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
        let rendering = |conditions: &Conditions| {
            let unit = installed(unit, conditions, Tracing::Off).ok()?;
            Some(Rendering { unit, own: OnceLock::new(), whole: OnceLock::new() })
        };
        let bare = rendering(&under.usual)?;
        let definitions = bare.unit.defined().collect();
        // What stands behind `.Capabilities.APIVersions.Has` is rendered with all other settings.
        Some(Renderings { served: rendering(&under.all_served), bare, definitions })
    }

    pub(super) fn plain<'a>(&'a self, unit: &'a Unit, under: &'a Under, trials: &'a Trials<'a>) -> [Plain<'a>; 2] {
        let bare = (&self.bare, &under.usual);
        let served = self.served.as_ref().map_or(bare, |served| (served, &under.all_served));
        [bare, served].map(|(rendering, conditions)| Plain::of(unit, rendering, conditions, trials))
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
    rendering: &'a Rendering,
    trials: &'a Trials<'a>,
}

/// What findings say, and of what.
pub(super) type Own = BTreeSet<(String, String)>;

impl<'a> Plain<'a> {
    fn of(unit: &'a Unit, rendering: &'a Rendering, conditions: &'a Conditions, trials: &'a Trials<'a>) -> Self {
        Plain {
            conditions,
            objects: rendering.unit.all_objects().map(|object| (object.key(), object)).collect(),
            texts: texts(&rendering.unit).collect(),
            scopes: Scopes::of(&rendering.unit),
            unit,
            rendering,
            trials,
        }
    }

    /// What the rules say of it; asked for where they say something of another one.
    pub(super) fn own(&self) -> &'a Own {
        self.rendering.own.get_or_init(|| {
            let rules = [OF_SERVED, BY_LINES, BESIDE, LINKED].concat();
            let traced = installed(self.unit, self.conditions, Tracing::On);
            let found = traced.map(|traced| found(&as_desired(self.unit, traced), &rules, self.trials));
            found.unwrap_or_default().iter().flat_map(|it| [cause(it), lasting(it)]).collect()
        })
    }

    /// It as the rules take it; asked for where they compare another one with it.
    pub(super) fn whole(&self) -> Option<&'a DesiredUnit> {
        let whole = || installed(self.unit, self.conditions, Tracing::Off).ok().map(|it| as_desired(self.unit, it));
        self.rendering.whole.get_or_init(whole).as_ref()
    }
}
