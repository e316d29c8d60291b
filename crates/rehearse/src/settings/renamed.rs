//! What finds the rest of its release no more, once the release or a part of it is called otherwise.

use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::Tracing;
use landfall_delivery::{RenderedUnit, Unit};
use landfall_diag::{Finding, Severity};
use landfall_object::references::references;
use landfall_object::{Object, ObjectKey};
use landfall_rules::{OtherSetting, SettingFault};

use super::choice::{Layer, NAMED, Other, Renamed, stands_for_another};
use super::shared::shared;
use super::spelled_out::spelled_out;
use super::{AT_ONCE, FEW, Trying, as_desired, by_rule, found, lasting};
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
            // A host that follows the release's name was not written down by its chart's.
            let is_moved = matches!(other.layer, Layer::Moved);
            let called = if is_moved { &own.namespace } else { &own.name };
            let (own, renamed) = (missing(&own, as_own), missing(&another, as_another));
            let follows = |it: &&Finding| it.rule == "LF187" && !is_moved && it.message.contains(&another.name);
            let is_told = |it: &&Finding| it.severity >= Severity::Warning && !follows(it);
            let is_of_name = |it: &&Finding| gone.as_ref().is_none_or(|gone| gone.is_missed(it));
            let new = new_of(&own, &renamed, called).into_iter().filter(is_told).filter(is_of_name);
            faults.extend(new.map(by_rule));
            spelled.retain(|(service, _)| !faults.iter().any(|it| is_called_in_vain(it, service)));
            faults.extend(spelled.into_iter().map(|(_, fault)| fault));
        }
        (OtherSetting { setting: other.setting, faults }, is_rendered)
    }
}

/// The findings of a release that is called otherwise beyond those that it has under its own name: what says the same is the
/// same, whatever it is called and however often, and of the others as many of a kind's field are known as it has there by itself.
fn new_of<'f>(own: &[Finding], renamed: &'f [Finding], called: &str) -> Vec<&'f Finding> {
    let mut known: BTreeMap<About, Vec<String>> = BTreeMap::new();
    for finding in own {
        known.entry(about(finding)).or_default().push(said(finding, called));
    }
    let is_alike = |finding: &&Finding| {
        let words = said(finding, called);
        known.get(&about(finding)).is_some_and(|all| all.contains(&words))
    };
    let (alike, mut new): (Vec<&Finding>, Vec<&Finding>) = renamed.iter().partition(is_alike);
    for finding in alike {
        let Some(all) = known.get_mut(&about(finding)) else { continue };
        let words = said(finding, called);
        if let Some(at) = all.iter().position(|it| *it == words) {
            all.swap_remove(at);
        }
    }
    new.retain(|finding| known.get_mut(&about(finding)).and_then(Vec::pop).is_none());
    new
}

/// A rule, and the kind and the field of which it says something.
type About = (&'static str, Option<String>, Option<String>);

fn about(finding: &Finding) -> About {
    let spot = finding.spots.iter().find(|spot| spot.object.is_some());
    let kind = spot.and_then(|spot| spot.object.as_ref()).map(|key| key.gvk.kind.clone());
    (finding.rule, kind, spot.and_then(|spot| spot.field.clone()))
}

/// What a finding says, with the same name for what is called after the release and for what is called otherwise.
fn said(finding: &Finding, called: &str) -> String {
    let (words, _) = lasting(finding);
    words.replace("probe", called).replace(&format!("{called}-{called}"), called)
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

#[cfg(test)]
mod tests {
    use landfall_diag::Spot;
    use landfall_object::Gvk;
    use landfall_rules::rule;

    use super::*;

    #[test]
    fn what_a_release_misses_under_its_own_name_is_known_under_another_as_often_as_it_is_missed() {
        let missed = |object: &str, service: &str| {
            let key = ObjectKey::new(Gvk::new("apps", "v1", "StatefulSet"), Some("shop"), object);
            let finding = rule("LF105").map(|rule| rule.finding(format!("Service `{service}` is not there")));
            finding.map(|it| it.at(Spot::object(None, key).field("spec.serviceName")))
        };
        let all = |names: &[(&str, &str)]| -> Vec<Finding> {
            names.iter().filter_map(|(object, service)| missed(object, service)).collect()
        };
        let new = |own: &[(&str, &str)], renamed: &[(&str, &str)]| -> Vec<String> {
            new_of(&all(own), &all(renamed), "web").into_iter().map(|it| it.message.clone()).collect()
        };
        let (queue, store) = (("probe-web-queue", "probe-web-queue-headless"), ("probe-web", "web-headless"));
        let own = [("web-queue", "web-queue-headless")];
        assert_eq!(new(&own, &[store, queue]), ["Service `web-headless` is not there"]);
        assert!(new(&own, &[queue]).is_empty());
        assert!(new(&[("web-queue", "elsewhere")], &[("probe", "nowhere")]).is_empty());
        assert_eq!(new(&[], &[store]).len(), 1);
    }
}
