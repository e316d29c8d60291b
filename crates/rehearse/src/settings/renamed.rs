//! What finds the rest of its release no more, once the release or a part of it is called otherwise.

use std::collections::{BTreeSet, HashSet};

use landfall_chart::Tracing;
use landfall_delivery::{RenderedUnit, Unit};
use landfall_diag::{Finding, Severity};
use landfall_object::references::references;
use landfall_object::{Object, ObjectKey};
use landfall_rules::{OtherSetting, SettingFault};

use super::choice::{Layer, NAMED, Other, Renamed, stands_for_another};
use super::shared::shared;
use super::spelled_out::spelled_out;
use super::{AT_ONCE, FEW, Trying, as_desired, by_rule, found};
use crate::study::installed;

/// The rules that say by the names of objects, and of their parts, that one misses another.
const BY_NAMES: &[&str] = &["LF103", "LF105", "LF168", "LF182", "LF183", "LF184", "LF187", "LF199"];

/// So many things that may stand for others are tried, one after the other.
const STANDING: usize = 6;

impl Trying<'_, '_> {
    /// What finds the rest of its release no more when that is called otherwise: as it is, and with all switches on, of which the
    /// one is named that shows it; `most` times with switches.
    pub(super) fn named(&self, ons: &[Other], most: usize) -> Vec<OtherSetting> {
        self.with_switches(ons, most, &|switches| Other::named(switches))
    }

    /// The same with one switch off each: what stands for a part is made then.
    pub(super) fn named_without(&self, offs: &[Other], most: usize) -> Vec<OtherSetting> {
        let some = offs.iter().take(most.min(FEW));
        some.map(|off| self.called_otherwise(Other::named(&off.setting)).0).collect()
    }

    /// What finds the rest of its release no more in another namespace than the one that is called `default` everywhere.
    pub(super) fn moved(&self) -> Option<OtherSetting> {
        (&*self.unit.namespace == "default").then(|| self.called_otherwise(Other::moved()).0)
    }

    /// What finds the rest of its release no more when a name that the chart lets be chosen is chosen, or something else stands for
    /// what it would make; each of parts, wholes and stand-ins `most / 2` times with switches.
    pub(super) fn renamed(&self, choosing: &[Other], ons: &[Other], most: usize) -> Vec<OtherSetting> {
        let lines = |other: &Other| other.setting.split(',').map(str::to_owned).collect::<Vec<_>>();
        let stands = |other: &&Other| other.setting.split(',').any(stands_for_another);
        let (standing, naming): (Vec<&Other>, Vec<&Other>) = choosing.iter().partition(stands);
        // A whole name leaves its parts unread.
        let is_whole = |other: &&Other| other.setting.to_ascii_lowercase().contains("fullnameoverride");
        let (whole, parts): (Vec<&Other>, Vec<&Other>) = naming.into_iter().partition(is_whole);
        let together = |chosen: &[&Other]| {
            let names: Vec<String> = chosen.iter().flat_map(|it| lines(it)).collect();
            let with = |switches: &str| Other::renamed(names.iter().map(String::as_str).chain(switches.split(',')));
            if names.is_empty() { Vec::new() } else { self.with_switches(ons, most / 2, &with) }
        };
        let standing = &standing[..standing.len().min(STANDING).min(most)];
        let mut all = together(&parts);
        all.extend(together(&whole));
        all.extend(standing.iter().map(|it| self.called_otherwise(Other::renamed(it.setting.split(','))).0));
        all.extend(together(standing));
        all
    }

    /// What is missed under another name: without switches, and with them.
    fn with_switches(&self, ons: &[Other], most: usize, called: &dyn Fn(&str) -> Other) -> Vec<OtherSetting> {
        let settings = |on: &Other| match &on.layer {
            Layer::Switch(text) => text.clone(),
            _ => String::new(),
        };
        let mut all = vec![self.called_otherwise(called("")).0];
        let mut left = most;
        for group in ons.chunks(AT_ONCE) {
            if left == 0 {
                break;
            }
            left -= 1;
            let together: Vec<String> = group.iter().map(settings).collect();
            let (told, is_rendered) = self.called_otherwise(called(&together.join(",")));
            // What does not go together is tried apart, too.
            if !is_rendered || !told.faults.is_empty() {
                let some = &group[..group.len().min(left)];
                left -= some.len();
                all.extend(some.iter().map(|on| self.called_otherwise(called(&settings(on))).0));
            }
        }
        all
    }

    /// What a release that is called otherwise misses, and does not under its own name; and whether it could be rendered.
    pub(super) fn called_otherwise(&self, other: Other) -> (OtherSetting, bool) {
        if !self.may_go_on() {
            return (OtherSetting { setting: other.setting, faults: Vec::new() }, false);
        }
        let (_, conditions) = self.served;
        let own = match &other.layer {
            Layer::Named(switches) | Layer::Renamed(Renamed { switches, .. }) if !switches.is_empty() => {
                Other::switch(switches.clone()).of(self.unit)
            }
            _ => self.unit.clone(),
        };
        let missing = |unit: &Unit, rendered: RenderedUnit| found(&as_desired(unit, rendered), BY_NAMES, self.trials);
        let at = |finding: &Finding| {
            let spot = finding.spots.iter().find(|spot| spot.object.is_some());
            let kind = spot.and_then(|spot| spot.object.as_ref()).map(|key| key.gvk.kind.clone());
            (finding.rule, kind, spot.and_then(|spot| spot.field.clone()))
        };
        let mut faults = Vec::new();
        let another = other.of(self.unit);
        let rendered = [&own, &another].map(|unit| installed(unit, conditions, Tracing::Off).ok());
        let is_rendered = rendered.iter().all(Option::is_some);
        if let [Some(as_own), Some(as_another)] = rendered {
            let mut spelled = Vec::new();
            if other.setting == NAMED {
                faults.extend(shared(&as_own, &as_another));
                spelled = spelled_out((&own, &as_own), (&another, &as_another));
            }
            let gone = match &other.layer {
                Layer::Renamed(Renamed { names, .. }) => Some(Gone::between(names, &as_own, &as_another)),
                _ => None,
            };
            let (own, renamed) = (missing(&own, as_own), missing(&another, as_another));
            let known: HashSet<_> = own.iter().map(at).collect();
            // A host that follows the release's name was not written down by its chart's.
            let is_moved = matches!(other.layer, Layer::Moved);
            let follows = |it: &&Finding| it.rule == "LF187" && !is_moved && it.message.contains(&another.name);
            let is_new = |it: &&Finding| it.severity >= Severity::Warning && !known.contains(&at(it)) && !follows(it);
            let is_of_name = |it: &&Finding| gone.as_ref().is_none_or(|gone| gone.is_missed(it));
            let new = renamed.iter().filter(is_new).filter(is_of_name);
            faults.extend(new.map(by_rule));
            spelled.retain(|(service, _)| !faults.iter().any(|it| is_called_in_vain(it, service)));
            faults.extend(spelled.into_iter().map(|(_, fault)| fault));
        }
        (OtherSetting { setting: other.setting, faults }, is_rendered)
    }
}

/// Whether a fault is that somebody calls a Service of that name.
fn is_called_in_vain(fault: &SettingFault, service: &str) -> bool {
    let says = |words: &str| fault.words.contains(words);
    (says("is no Service") || says("a Service that is not delivered"))
        && (says(&format!("`{service}`")) || says(&format!("`{service}.")))
}

/// What a release has no more, once a name of it is chosen otherwise.
struct Gone {
    /// As messages have it: ``Secret `web` ``.
    named: BTreeSet<String>,
    /// Whether something asks for what stands in its place now.
    is_followed: bool,
}

impl Gone {
    fn between(names: &str, own: &RenderedUnit, another: &RenderedUnit) -> Self {
        let keys = |unit: &RenderedUnit| -> BTreeSet<ObjectKey> { unit.all_objects().map(Object::key).collect() };
        let named =
            keys(own).difference(&keys(another)).map(|key| format!("{} `{}`", key.gvk.kind, key.name)).collect();
        let chosen = names.split(',').filter_map(|line| line.split_once("=\"")?.1.strip_suffix('"'));
        let chosen: BTreeSet<&str> = chosen.collect();
        let follows = |object: &Object| references(object).iter().any(|it| chosen.contains(&*it.name));
        let is_standing = names.split(',').any(stands_for_another);
        Gone { named, is_followed: !is_standing || another.all_objects().any(follows) }
    }

    /// Whether a finding is about one of them, where it is about a whole object: the setting took that away, and something else
    /// follows the setting.
    fn is_missed(&self, finding: &Finding) -> bool {
        let is_of_object = finding.rule == "LF103";
        self.is_followed && (!is_of_object || self.named.iter().any(|it| finding.message.contains(it.as_str())))
    }
}
