//! What finds each other no more, or is made twice, once something is switched on.

use std::collections::{BTreeSet, HashSet};

use landfall_chart::Tracing;
use landfall_delivery::{RenderedUnit, Unit};
use landfall_diag::{Finding, Severity, Spot};
use landfall_object::references::references;
use landfall_object::{Object, ObjectKey};
use landfall_rules::{OtherSetting, SettingFault};

use super::choice::{Layer, Other};
use super::{FEW, LINKED, Plain, Trying, as_desired, by_rule, by_rule_at, cause, found};
use crate::study::{Conditions, installed};

/// How the rules say that something is not there at all: it may come from elsewhere, unless it bears the release's name.
const NOWHERE: &str = "is neither delivered nor on the cluster";

impl Plain<'_> {
    /// Whether an object is new, or refers to others, chooses pods or is taken in another way than as it is delivered.
    pub(super) fn links_otherwise(&self, now: &Object) -> bool {
        const CHOOSING: &[&str] = &[
            "/spec/selector",
            "/spec/ports",
            "/spec/replicas",
            "/spec/template/metadata/labels",
            "/spec/template/spec/volumes",
            "/spec/volumeClaimTemplates",
            "/data",
            "/stringData",
        ];
        // A variable of one that comes later stands in a text.
        let is_of_variables = || now.value().to_string().contains("$(");
        self.objects.get(&now.key()).is_none_or(|was| {
            *was != now
                && (references(was) != references(now)
                    || CHOOSING.iter().any(|field| was.at(field) != now.at(field))
                    || is_of_variables())
        })
    }
}

impl Trying<'_, '_> {
    /// Remembers what a switch adds.
    pub(super) fn takes_account(&self, other: &Other, rendered: &RenderedUnit, plain: &Plain<'_>) {
        if !other.turns_on() {
            return;
        }
        let mut added = self.added.borrow_mut();
        for object in rendered.all_objects().filter(|it| !plain.objects.contains_key(&it.key())) {
            added.entry(object.key()).or_default().push(other.clone());
        }
    }

    /// What is wrong between the objects of a release in which something is switched on, and is not as it is delivered.
    pub(super) fn unlinked(
        &self,
        other: &Other,
        turned: &Unit,
        plain: &Plain<'_>,
        conditions: &Conditions,
    ) -> Vec<SettingFault> {
        let is_made_up = matches!(other.layer, Layer::Anything(_));
        if !other.switches_on() && !other.turns_off() && !is_made_up {
            return Vec::new();
        }
        let Some(mut new) = self.new_of(turned, plain, conditions) else { return Vec::new() };
        // Of what is made up it is asked only whether what the chart makes of it is there.
        let is_old = |it: &Finding| plain.own().iter().any(|(message, _)| *message == it.message);
        new.retain(|it| !is_made_up || (it.rule == "LF103" && !it.message.contains("probe") && !is_old(it)));
        // What is off is asked for what still wants it; what else comes of that is why it can be switched off.
        new.retain(|it| !other.turns_off() || (matches!(it.rule, "LF103" | "LF105") && !is_old(it)));
        if new.is_empty() {
            return Vec::new();
        }
        // What keeps its name in a release that is called otherwise is not made by this one.
        if new.iter().any(|it| it.message.contains(NOWHERE)) {
            let mut renamed = turned.clone();
            "probe".clone_into(&mut renamed.name);
            let there = self.new_of(&renamed, plain, conditions).unwrap_or_default();
            let messages: BTreeSet<&String> = there.iter().map(|it| &it.message).collect();
            new.retain(|it| !it.message.contains(NOWHERE) || (!there.is_empty() && !messages.contains(&it.message)));
        }
        if new.is_empty() {
            return Vec::new();
        }
        let traced = installed(turned, conditions, Tracing::On).ok();
        // What is off wants more in any case.
        let with_another =
            if other.turns_off() { HashSet::new() } else { self.mended_with_another(other, &new, plain, conditions) };
        let is_known = |key: &ObjectKey| {
            traced.as_ref().is_some_and(|it| {
                it.all_objects().any(|object| object.is_at(key) && plain.objects.get(key) == Some(&object))
            })
        };
        let told = new.iter().map(|finding| {
            let mut fault = by_rule_at(finding, traced.as_ref());
            let key = fault.spot.as_ref().and_then(|it| it.object.as_ref()).map(ObjectKey::from);
            // What was there before misses something that goes: the setting may want it to go, too.
            let is_left = matches!(finding.rule, "LF103" | "LF105") && key.as_ref().is_some_and(is_known);
            fault.wants_more |= is_left || other.turns_off() || with_another.contains(&cause(finding));
            fault
        });
        told.collect()
    }

    /// What the rules say of a rendering and not of the delivery; none where it cannot be rendered.
    fn new_of(&self, unit: &Unit, plain: &Plain<'_>, conditions: &Conditions) -> Option<Vec<Finding>> {
        let whole = installed(unit, conditions, Tracing::Off).ok()?;
        let mut all = found(&as_desired(unit, whole), LINKED, self.trials);
        // That a database has no volume says its own switch.
        let is_meant = |it: &Finding| it.rule != "LF123" || it.message.contains("does not hold");
        all.retain(|it| it.severity >= Severity::Warning && is_meant(it) && !plain.own().contains(&cause(it)));
        Some(all)
    }

    /// What is wrong no more as soon as another switch is on, too.
    fn mended_with_another(
        &self,
        other: &Other,
        new: &[Finding],
        plain: &Plain<'_>,
        conditions: &Conditions,
    ) -> HashSet<(String, String)> {
        let mut mended = HashSet::new();
        let mut hear = |with: &[Other]| {
            let unit = Other::together(with.iter().chain([other])).of(self.unit);
            let Some(there) = self.new_of(&unit, plain, conditions) else { return false };
            let there: HashSet<_> = there.iter().map(cause).collect();
            mended.extend(new.iter().map(cause).filter(|it| !there.contains(it)));
            true
        };
        if !hear(&self.ons) {
            // Those that stand nearest to it are the likeliest.
            let alike = |on: &&Other| on.setting.bytes().zip(other.setting.bytes()).take_while(|(a, b)| a == b).count();
            let mut nearest: Vec<&Other> = self.ons.iter().collect();
            nearest.sort_by_key(|on| std::cmp::Reverse(alike(on)));
            for on in nearest.into_iter().take(FEW) {
                hear(std::slice::from_ref(on));
            }
        }
        mended
    }

    /// Objects of one name that two switches make: alone each is right, and together they are one object twice.
    pub(super) fn of_one_name(&self, most: usize) -> Vec<OtherSetting> {
        let (plain, conditions) = self.served;
        let mut pairs: BTreeSet<(String, String)> = BTreeSet::new();
        for all in self.added.borrow().values() {
            for (at, one) in all.iter().enumerate() {
                pairs.extend(
                    all[at + 1..]
                        .iter()
                        .filter(|other| !one.is_within(other) && !other.is_within(one))
                        .map(|other| (one.setting.clone(), other.setting.clone())),
                );
            }
        }
        let told = pairs.into_iter().take(most).take_while(|_| self.may_go_on()).filter_map(|(one, other)| {
            let both = Other::switch(format!("{one},{other}"));
            let new = self.new_of(&both.of(self.unit), plain, conditions)?;
            let twice = new.iter().filter(|it| it.rule == "LF190").map(|it| {
                let spot = it.spots.first().cloned().map(|spot| Spot { template: None, ..spot });
                SettingFault { spot, ..by_rule(it) }
            });
            Some(OtherSetting { setting: both.setting.clone(), faults: twice.collect() })
        });
        told.collect()
    }
}
