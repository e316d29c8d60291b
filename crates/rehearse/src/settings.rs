//! A chart with settings other than those of the delivery: each switch turned, each customary list filled, each values file of
//! `ci/` taken; rendered, held against the kinds' schemas and sent to a simulated API that keeps nothing.
//!
//! ```text
//! a unit's values ─► choice.rs, samples.rs ─► rendered each ─► what differs from the delivery ─► API (dry run), rules ─► faults
//! ```

mod choice;
mod fallen_out;
mod linked;
mod made_of_anything;
mod misplaced;
mod plain;
mod renamed;
mod samples;
mod shared;
mod spelled_out;
mod unheard;
mod work;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};

use landfall_chart::{Before, Tracing};
use landfall_cluster::{Cluster, DryRun, Patch, WriteOptions};
use landfall_delivery::{RenderedUnit, Unit};
use landfall_diag::{Diagnostic, Finding, Label, Spot, code};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_rules::{
    ClusterFacts, Desired, DesiredUnit, Door, Inventory, OtherSetting, SettingFault, Subject, is_beyond, rule,
};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use self::choice::{Layer, Other, most, others};
use self::plain::{Plain, Renderings, Under};
use self::work::{Added, Turned, Work};
use crate::apart::{apart, runtime};
use crate::stage::Stage;
use crate::study::{Conditions, installed, installed_unlike, is_nil_pointer};

/// The rules that say by objects alone that something is not what was meant, and by lines of templates.
const BY_OBJECTS: &[&str] = &["LF138", "LF165", "LF188", "LF280"];
/// The same on a cluster that serves the kinds of operators, and one more: nobody else has seen what stands behind such a kind.
const OF_SERVED: &[&str] = &["LF138", "LF165", "LF177", "LF188", "LF280"];
const BY_LINES: &[&str] = &["LF180"];
/// The rules that say of objects beside each other that one misses another: of monitors, which are seldom on by themselves, of
/// volumes that come with a setting, and of a release that is called otherwise.
const BESIDE: &[&str] = &["LF168", "LF181"];
/// The rules that say that what belongs together in a release does not find each other.
const LINKED: &[&str] = &["LF103", "LF105", "LF121", "LF123", "LF167", "LF190", "LF266", "LF346"];

/// What charts print only where a cluster serves it, beside the kinds whose definitions are known.
const FURTHER: &[&str] = &["autoscaling.k8s.io/v1", "autoscaling.k8s.io/v1/VerticalPodAutoscaler"];

/// On what it is tried.
#[derive(Clone, Copy)]
pub(crate) struct Meant<'a> {
    /// A cluster with nothing on it; each half of the work has a fork of its own.
    pub(crate) empty: &'a Stage,
    pub(crate) facts: &'a ClusterFacts,
    pub(crate) conditions: &'a Conditions,
    pub(crate) today: jiff::civil::Date,
    /// Ends it early: nothing more is found then.
    pub(crate) stop: &'a CancellationToken,
}

/// The same, for one half of the work.
#[derive(Clone, Copy)]
struct Trials<'a> {
    /// Takes objects, and keeps none.
    cluster: &'a Cluster,
    facts: &'a ClusterFacts,
    today: jiff::civil::Date,
    /// The definitions that lie beside the templates: they are what they are under every setting, and long.
    definitions: &'a Inventory,
    stop: &'a CancellationToken,
}

/// What came of other settings.
#[derive(Default)]
pub(crate) struct Tried {
    /// Those with which something is wrong.
    pub(crate) wrong: Vec<OtherSetting>,
    /// Whether templates had worked for all that they may before each was tried.
    pub(crate) is_cut: bool,
}

/// What is wrong with a unit's chart under other settings and is not under its own; of `wanted` settings alone, where they are
/// given.
///
/// It is done in two halves at once, which share nothing, so that each comes to what it would come to alone: what is only added goes
/// to the one, what is turned to the other and, where it turns on, to both in turns.
///
/// # Errors
/// That the system gives no runtime.
pub(crate) fn other_settings(
    unit: &Unit,
    meant: &Meant<'_>,
    wanted: Option<&BTreeSet<String>>,
) -> Result<Tried, Vec<Diagnostic>> {
    let Some(others) = others(unit) else { return Ok(Tried::default()) };
    let ons: Vec<Other> = others.iter().filter(|it| it.turns_on() && !it.says_that_it_exists()).cloned().collect();
    let choosing: Vec<Other> = others.iter().filter(|it| it.chooses_names()).cloned().collect();
    let work = Work::of(others, wanted, &ons);
    let under = Under::of(meant.conditions);
    let Some(renderings) = Renderings::of(unit, &under) else { return Ok(Tried::default()) };
    let waiting = runtime()?;
    let (_stage, cluster) = taking(unit, meant, &waiting);
    let trials = meant.trials(&cluster, &renderings);
    let plain = renderings.plain(unit, &under, &trials);
    let limit = |steps| if wanted.is_some() { u64::MAX } else { steps };
    let trying = Trying::of(unit, &under, &plain, (&trials, &ons), limit(MOST_STEPS - STEPS_ASIDE));
    let objects = renderings.bare.unit.all_objects().count();
    let most = most(objects);
    let groups = |singles: &[Other], share| grouped(singles.iter().take(share).cloned(), objects / OBJECTS_EACH);
    let (turned, aside) = (groups(&work.turned, most * MOST_TOGETHER), groups(&work.aside, most * MOST_TOGETHER));
    let most_aside = if aside.is_empty() { 0 } else { most / 3 };
    let added = || -> Result<Added, Vec<Diagnostic>> {
        if work.operators.is_empty() && work.samples.is_empty() && work.anything.is_empty() && aside.is_empty() {
            return Ok(Added::default());
        }
        let under = Under::of(meant.conditions);
        let runtime = runtime()?;
        let (_stage, cluster) = taking(unit, meant, &runtime);
        let trials = meant.trials(&cluster, &renderings);
        let plain = renderings.plain(unit, &under, &trials);
        let trying = Trying::of(unit, &under, &plain, (&trials, &ons), limit(STEPS_ASIDE));
        Ok(runtime.block_on(trying.added(&work, (aside.clone(), most_aside), most)))
    };
    let (mut turned, added) = apart(|| waiting.block_on(trying.turned(turned, most - most_aside)), added);
    let added = added?;
    let mut all = added.wrong;
    all.append(&mut turned.wrong);
    turned.ons.extend(added.ons);
    turned.ons.sort_by_key(|on| ons.iter().position(|it| it.setting == on.setting));
    trying.remember(added.added);
    let (ons, offs) = (turned.ons, turned.offs);
    if wanted.is_none() {
        all.extend(trying.of_one_name(most / 8));
    }
    all.extend(waiting.block_on(trying.behind(&ons, &added.fine, most / 4)));
    // In a release that is called as its chart is, what is named by the chart alone happens to be right.
    if wanted.is_none() && unit.chart().is_some_and(|chart| unit.name.contains(chart.name())) {
        all.extend(trying.named(&ons, most / 8));
        all.extend(trying.named_without(&offs, most / 8));
    }
    if wanted.is_none() {
        all.extend(trying.renamed(&choosing, &ons, most / 8));
        all.extend(trying.moved());
    }
    all.retain(|it| !it.faults.is_empty());
    Ok(Tried { wrong: all, is_cut: trying.is_cut.get() || added.is_cut })
}

impl<'a> Meant<'a> {
    fn trials<'t>(&self, cluster: &'t Cluster, renderings: &'t Renderings) -> Trials<'t>
    where
        'a: 't,
    {
        let Meant { facts, today, stop, .. } = *self;
        Trials { cluster, facts, today, definitions: &renderings.definitions, stop }
    }
}

/// A cluster of its own, on which the unit's namespace is: the names that every cluster begins with are taken.
fn taking(unit: &Unit, meant: &Meant<'_>, runtime: &Runtime) -> (Stage, Cluster) {
    let namespace = Object::new(&ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, &*unit.namespace));
    runtime.block_on(async {
        let stage = meant.empty.fork(None);
        let cluster = stage.cluster();
        let _there = cluster.create(&namespace, &WriteOptions::default()).await;
        (stage, cluster)
    })
}

/// The settings of which something was told before.
fn chosen(others: Vec<Other>, wanted: &BTreeSet<String>) -> Vec<Other> {
    let (mut known, mut left) = (Vec::new(), wanted.clone());
    for other in others {
        if left.remove(&other.setting) {
            known.push(other);
        }
    }
    known.extend(left.into_iter().map(Other::typed));
    known
}

/// For each so many objects of a rendering one more switch is turned together with others, and never more than so many.
const OBJECTS_EACH: usize = 15;
const MOST_TOGETHER: usize = 4;

/// Settings in groups: switches of different parts that are turned on together, `most` at once, and every other setting by itself.
fn grouped(others: impl Iterator<Item = Other>, most: usize) -> Vec<Vec<Other>> {
    let most = most.clamp(1, MOST_TOGETHER);
    let mut groups: Vec<Vec<Other>> = Vec::new();
    for other in others {
        let has_room = |group: &&mut Vec<Other>| {
            group.len() < most && group.iter().all(|it| it.turns_on() && it.part() != other.part())
        };
        match groups.iter_mut().find(has_room).filter(|_| other.turns_on()) {
            Some(group) => group.push(other),
            None => groups.push(vec![other]),
        }
    }
    groups
}

/// Nothing is wrong with a setting.
struct Fine;

/// What is wanted of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Whether anything is wrong: they are tried apart then.
    Whether,
    /// All that is wrong, and which lines print it.
    All,
}

/// A unit whose other settings are tried.
struct Trying<'a, 'p> {
    unit: &'a Unit,
    bare: (&'a Plain<'p>, &'a Conditions),
    served: (&'a Plain<'p>, &'a Conditions),
    /// What was printed under some setting and found to be right: a part that many settings switch on is looked at once.
    right: RefCell<HashSet<String>>,
    /// Everything that is off and can be turned on.
    ons: Vec<Other>,
    /// The objects that a switch adds, by the switches that do.
    added: RefCell<BTreeMap<ObjectKey, Vec<Other>>>,
    /// How often it was asked what wants something that is switched off.
    asked: Cell<usize>,
    trials: &'a Trials<'a>,
    /// How much templates may work for all of it.
    most_steps: u64,
    /// Whether something was left out because of that.
    is_cut: Cell<bool>,
}

/// So many switches are turned on at once.
const AT_ONCE: usize = 8;

/// So many steps of templates are spent on settings that nobody has asked for, of some 20 ns each: a chart whose templates work for long,
/// or print megabytes, is tried with fewer.
const MOST_STEPS: u64 = 120_000_000;
/// As much of it is for what is tried aside.
const STEPS_ASIDE: u64 = 60_000_000;

/// So many renderings are spent on finding out what goes wrong behind one switch.
const FEW: usize = 16;

/// So many values that a chart asks for are given it, one after the other.
const GIVEN: usize = 6;

impl<'a, 'p> Trying<'a, 'p> {
    fn of(
        unit: &'a Unit,
        under: &'a Under,
        [bare, served]: &'a [Plain<'p>; 2],
        (trials, ons): (&'a Trials<'a>, &[Other]),
        most_steps: u64,
    ) -> Self {
        Trying {
            unit,
            bare: (bare, &under.all_served),
            served: (served, served.conditions),
            right: RefCell::default(),
            ons: ons.to_vec(),
            added: RefCell::default(),
            asked: Cell::default(),
            trials,
            most_steps,
            is_cut: Cell::default(),
        }
    }
}

impl Trying<'_, '_> {
    /// What is only added, in whatever way, and then the groups that are turned aside.
    async fn added(&self, work: &Work, (groups, left): (Vec<Vec<Other>>, usize), most: usize) -> Added {
        let mut wrong = Vec::new();
        for other in &work.operators {
            wrong.extend(self.one(other.clone(), Look::All).await.ok());
        }
        let (faulty, fine) = self.apart(work.samples.clone(), None, most / 2).await;
        wrong.extend(faulty);
        wrong.extend(self.without_each_other(&fine, most / 8).await);
        wrong.extend(self.apart(work.anything.clone(), None, most / 4).await.0);
        let turned = self.turned(groups, left).await;
        wrong.extend(turned.wrong);
        Added { wrong, fine, ons: turned.ons, added: self.added.take(), is_cut: self.is_cut.get() }
    }

    /// What is turned in groups, of which one is tried apart where something is wrong with it; so many are tried at most.
    async fn turned(&self, mut groups: Vec<Vec<Other>>, mut left: usize) -> Turned {
        let mut turned = Turned::default();
        groups.reverse();
        while let Some(mut group) = groups.pop().filter(|_| left > 0 && self.may_go_on()) {
            left -= 1;
            match self.group(group.iter()).await {
                Err(Fine) => {
                    let (on, others): (Vec<Other>, Vec<Other>) = group.into_iter().partition(Other::turns_on);
                    turned.ons.extend(on.into_iter().filter(|it| !it.says_that_it_exists()));
                    turned.offs.extend(others.into_iter().filter(Other::turns_off));
                }
                Ok(told) if group.len() == 1 => turned.wrong.push(told),
                Ok(_) => {
                    let second = group.split_off(group.len() / 2);
                    groups.extend([second, group]);
                }
            }
        }
        turned
    }

    /// Takes what switches add that were turned elsewhere.
    fn remember(&self, added: BTreeMap<ObjectKey, Vec<Other>>) {
        let mut all = self.added.borrow_mut();
        for (key, switches) in added {
            all.entry(key).or_default().extend(switches);
        }
    }

    /// What is only added seldom gets in each other's way: it is tried all together, and apart where something is wrong. Gives what
    /// is wrong, and what is fine.
    async fn apart(&self, samples: Vec<Other>, with: Option<&Other>, most: usize) -> (Vec<OtherSetting>, Vec<Other>) {
        let (mut faulty, mut fine) = (Vec::new(), Vec::new());
        let mut batches = vec![samples];
        for _ in 0..most {
            let Some(mut batch) = batches.pop() else { break };
            if batch.is_empty() {
                continue;
            }
            if !self.may_go_on() {
                break;
            }
            let look = if batch.len() == 1 { Look::All } else { Look::Whether };
            match self.one(Other::together(with.into_iter().chain(&batch)), look).await {
                Err(Fine) => fine.append(&mut batch),
                Ok(told) if batch.len() == 1 => match self.as_it_is_read(with, &batch[0]).await {
                    Some(other) => fine.push(other),
                    None => faulty.push(told),
                },
                Ok(_) => {
                    let second = batch.split_off(batch.len() / 2);
                    batches.extend([second, batch]);
                }
            }
        }
        (faulty, fine)
    }

    /// What is only added and is fine all together, in halves: what prints a list whose key another one brings is seen then. Each is without
    /// each other one in some of them.
    async fn without_each_other(&self, samples: &[Other], most: usize) -> Vec<OtherSetting> {
        let mut all = Vec::new();
        let halves = (0..usize::BITS).map(|bit| 1_usize << bit).take_while(|bit| *bit < samples.len());
        for half in halves.flat_map(|bit| [(bit, 0), (bit, bit)]).take(most).take_while(|_| self.may_go_on()) {
            let (bit, set) = half;
            let some = || samples.iter().enumerate().filter(|(at, _)| at & bit == set).map(|(_, other)| other);
            if self.one(Other::together(some()), Look::Whether).await.is_ok_and(|told| !told.faults.is_empty()) {
                all.extend(self.apart(some().cloned().collect(), None, most).await.0);
            }
        }
        all
    }

    /// A setting whose name says not how it is written, in another way in which the chart takes it: nothing is wrong with it then
    /// but what is with the switches that it stands behind.
    async fn as_it_is_read(&self, with: Option<&Other>, other: &Other) -> Option<Other> {
        let (_, conditions) = self.served;
        let mut behind = None;
        for otherwise in &other.otherwise {
            let together = Other::together(with.into_iter().chain([otherwise]));
            // What is printed as the engine prints a table was to be a text.
            let is_printed_raw = |unit: RenderedUnit| texts(&unit).any(|text| text.contains("map["));
            if installed(&together.of(self.unit), conditions, Tracing::Off).map_or(true, is_printed_raw) {
                continue;
            }
            let faults = self.words(together).await;
            if !faults.is_empty() && behind.is_none() {
                let switches: Vec<&Other> = with.into_iter().chain(other.behind.as_deref()).collect();
                let is_any = !switches.is_empty();
                behind = Some(if is_any {
                    self.words(Other::together(switches.into_iter())).await
                } else {
                    BTreeSet::new()
                });
            }
            if faults.is_empty() || behind.as_ref().is_some_and(|behind| faults.is_subset(behind)) {
                return Some(otherwise.clone());
            }
        }
        None
    }

    /// All that is said of a setting.
    async fn words(&self, other: Other) -> BTreeSet<String> {
        let told = self.one(other, Look::All).await;
        told.map(|it| it.faults.into_iter().map(|it| it.words).collect()).unwrap_or_default()
    }

    /// What is wrong with what is only added behind switches: several of them at once, and apart where something is wrong.
    async fn behind(&self, ons: &[Other], samples: &[Other], most: usize) -> Vec<OtherSetting> {
        let mut all = Vec::new();
        let mut left = if samples.is_empty() { 0 } else { most };
        let mut groups: Vec<&[Other]> = ons.chunks(AT_ONCE).rev().collect();
        while let Some(group) = groups.pop().filter(|_| left > 0 && self.may_go_on()) {
            left -= 1;
            let together = Other::together(group.iter().chain(samples));
            let Ok(told) = self.one(together, Look::Whether).await else { continue };
            match group {
                [on] if !told.faults.is_empty() => {
                    let some = left.min(FEW);
                    left -= some;
                    all.extend(self.apart(samples.to_vec(), Some(on), some).await.0);
                }
                [_] | [] => {}
                group => {
                    let (one, other) = group.split_at(group.len() / 2);
                    groups.extend([other, one]);
                }
            }
        }
        all
    }

    /// Whether anything is wrong with settings together; what is, with one as it is.
    async fn group(&self, mut group: impl ExactSizeIterator<Item = &Other>) -> Result<OtherSetting, Fine> {
        if group.len() > 1 {
            return self.one(Other::together(group), Look::Whether).await;
        }
        match group.next() {
            Some(other) => {
                let told = self.one(other.clone(), Look::All).await?;
                let fits = self.as_it_is_read(None, other).await;
                if fits.is_some() { Err(Fine) } else { Ok(told) }
            }
            None => Err(Fine),
        }
    }

    /// Whether what is switched off may still be asked for what wants it: so many times.
    fn may_ask(&self) -> bool {
        let asked = self.asked.get() + 1;
        self.asked.set(asked);
        asked <= FEW
    }

    /// Whether one more may be tried: not once it is ended, or once templates have worked for all that they may.
    fn may_go_on(&self) -> bool {
        // Whatever is rendered here counts on one account.
        let steps = self.served.1.before.as_ref().map_or(0, Before::steps);
        let has_worked = steps > self.most_steps;
        self.is_cut.set(self.is_cut.get() || has_worked);
        !has_worked && !self.trials.stop.is_cancelled()
    }

    /// What is wrong with a setting; no faults where the chart refuses it by itself.
    async fn one(&self, mut other: Other, look: Look) -> Result<OtherSetting, Fine> {
        if self.trials.stop.is_cancelled() {
            return Err(Fine);
        }
        if let Layer::Named(_) | Layer::Moved | Layer::Renamed(_) = other.layer {
            return Ok(self.called_otherwise(other).0);
        }
        let ((plain, conditions), rules) = match other.layer {
            Layer::Operators => (self.bare, OF_SERVED),
            _ => (self.served, BY_OBJECTS),
        };
        let mut given = false;
        for _ in 0..GIVEN {
            let turned = other.of(self.unit);
            let is_known = |text: &str| plain.texts.contains(text) || self.right.borrow().contains(text);
            let told = match installed_unlike(&turned, conditions, &is_known, &plain.scopes) {
                Ok(rendered) => {
                    let printed: Vec<String> = texts(&rendered).map(str::to_owned).collect();
                    self.takes_account(&other, &rendered, plain);
                    let has_lost = || plain.texts.iter().any(|text| !printed.iter().any(|it| it == text));
                    let is_changed = rendered.all_objects().any(|it| plain.links_otherwise(it))
                        || (other.turns_off() && has_lost() && self.may_ask());
                    let fallen = fallen_out::fallen_out(&other, &rendered);
                    if let Layer::Anything(_) = other.layer {
                        let mut faults: Vec<SettingFault> = fallen.into_iter().collect();
                        faults.extend(self.of_its_own((&turned, rendered), plain, conditions));
                        if is_changed && faults.is_empty() {
                            faults = self.unlinked(&other, &turned, plain, conditions);
                        }
                        return if faults.is_empty() {
                            Err(Fine)
                        } else {
                            Ok(OtherSetting { setting: other.setting, faults })
                        };
                    }
                    let named = if other.renames() { Named::Otherwise } else { Named::Alike };
                    let printed_anew = (&turned, rendered, named);
                    let mut faults = faults(printed_anew, plain, conditions, self.trials, (look, rules)).await;
                    let is_of_type = |words: &str| words.contains("in body must be of type");
                    // A sample is customary, and not of the type that somebody's own kind wants.
                    if matches!(other.layer, Layer::Sample(_)) && faults.iter().any(|fault| is_of_type(&fault.words)) {
                        // What it prints there is told as fields that the kind does not have, too.
                        faults.retain(|fault| !is_of_type(&fault.words) && !fault.words.contains("probe"));
                        if faults.is_empty() {
                            return Err(Fine);
                        }
                    }
                    // What was made up for want of another value may be of the wrong kind.
                    let is_probe = |words: &str| words.contains("probe") || is_of_type(words);
                    let made_up = |fault: &SettingFault| given && is_probe(&fault.words);
                    faults.iter_mut().for_each(|fault| fault.wants_more |= made_up(fault));
                    // What is off by `false` and is printed itself takes a text: it is no switch.
                    faults.retain(|fault| !(other.takes_a_text() && fault.words.contains("cannot unmarshal bool")));
                    if is_changed && (look == Look::All || faults.is_empty()) {
                        faults.extend(self.unlinked(&other, &turned, plain, conditions));
                    }
                    let kind =
                        |fault: &SettingFault| fault.spot.as_ref()?.object.as_ref().map(|it| it.gvk.kind.clone());
                    faults.retain(|fault| !other.is_beside(kind(fault).as_deref(), &fault.words));
                    return if faults.is_empty() {
                        self.right.borrow_mut().extend(printed);
                        Err(Fine)
                    } else {
                        Ok(OtherSetting { setting: other.setting, faults })
                    };
                }
                Err(told) => told,
            };
            let Some(told) = told.first() else { break };
            if asked_for(told).is_some_and(|path| other.give(&path)) {
                given = true;
                continue;
            }
            // What one key alone breaks as well is not of the kind that is wanted there.
            let is_alike = || {
                let one = other.with_one().map(|one| installed(&one.of(self.unit), conditions, Tracing::Off));
                one.is_some_and(|one| one.is_err_and(|it| it.first().is_some_and(|it| it.code == told.code)))
            };
            let is_wanted = || self.unit.chart().is_some_and(|chart| other.is_written_as_a_list(chart));
            if look == Look::All && matches!(other.layer, Layer::Anything(_)) && !is_wanted() && is_alike() {
                return Err(Fine);
            }
            let faults = refused_by_template(&other, told).into_iter().collect();
            return Ok(OtherSetting { setting: other.setting, faults });
        }
        Ok(OtherSetting { setting: other.setting, faults: Vec::new() })
    }
}

/// The value that a chart refuses to do without.
fn asked_for(told: &Diagnostic) -> Option<String> {
    let is_required =
        told.labels.iter().filter_map(|label| label.place.source.as_deref()).any(|it| it.contains("required"));
    let help = told.helps.iter().find_map(|help| help.strip_prefix("set `")?.strip_suffix('`'))?;
    (told.code == code::TEMPLATE_REFUSES && is_required).then(|| help.to_owned())
}

/// What a finding says, and of what.
fn cause(finding: &Finding) -> (String, String) {
    let spot = finding.spots.iter().find(|it| it.object.is_some());
    (finding.message.clone(), spot.map(Spot::name).unwrap_or_default())
}

/// Whether a setting names the objects of a release otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Alike,
    Otherwise,
}

/// What a finding says, and of what kind, whatever the object is called.
fn lasting(finding: &Finding) -> (String, String) {
    let key = finding.spots.iter().find_map(|it| it.object.as_ref());
    let (name, kind) = key.map(|key| (&*key.name, &*key.gvk.kind)).unwrap_or_default();
    (unnamed(&finding.message, name), kind.to_owned())
}

/// What is said of an object, without its name: in the rules' quotes, and in the API's.
fn unnamed(text: &str, name: &str) -> String {
    text.replace(&format!("`{name}`"), "*").replace(&format!("\"{name}\""), "*")
}

/// What is wrong with a rendering of what is not known, in those objects that the other one has not.
async fn faults(
    (turned, mut rendering, named): (&Unit, RenderedUnit, Named),
    plain: &Plain<'_>,
    conditions: &Conditions,
    trials: &Trials<'_>,
    (look, rules): (Look, &[&str]),
) -> Vec<SettingFault> {
    let is_other = |object: &Object| match plain.objects.get(&object.key()) {
        // A definition is long, and what is on it beside its schemas is on smaller objects as well.
        Some(was) if object.kind() == "CustomResourceDefinition" => was.at("/spec") != object.at("/spec"),
        was => was != Some(&object),
    };
    rendering.objects.retain(|it| is_other(&it.object));
    rendering.hooks.retain(|it| is_other(&it.object));
    if rendering.all_objects().next().is_none() {
        return Vec::new();
    }
    let prints_nothing = rendering.all_objects().any(|object| {
        let was = plain.objects.get(&object.key());
        has_lost(object.value(), was.map(|it| it.value()))
    });
    let volumes = |object: &Object| object.at("/spec/template/spec/volumes").cloned();
    let looks_beside = rendering.all_objects().any(|object| {
        let mounts = || plain.objects.get(&object.key()).is_none_or(|was| volumes(was) != volumes(object));
        object.group() == "monitoring.coreos.com" || (volumes(object).is_some() && mounts())
    });
    let desired = as_desired(turned, rendering);
    let mut faults = Vec::new();
    for desired in &desired.objects {
        faults.extend(refused_by_api(trials.cluster, (plain, named), desired).await);
        if look == Look::Whether && !faults.is_empty() {
            return faults;
        }
    }
    let is_told = |it: &&Finding| match named {
        Named::Alike => !plain.own().contains(&cause(it)),
        Named::Otherwise => !plain.own().contains(&cause(it)) && !plain.own().contains(&lasting(it)),
    };
    faults.extend(found(&desired, rules, trials).iter().filter(is_told).map(by_rule));
    if named == Named::Alike {
        faults.extend(misplaced::misplaced(&desired));
        faults.extend(unheard::unheard(turned, &desired, plain, conditions, trials));
    }
    if look == Look::Whether && !faults.is_empty() {
        return faults;
    }
    // What a monitor is to find, or a volume is made of, may be as it was.
    if looks_beside && let Ok(whole) = installed(turned, conditions, Tracing::Off) {
        let is_new = |it: &&Finding| {
            is_told(it) && it.spots.iter().any(|spot| desired.objects.iter().any(|it| it.spot().object == spot.object))
        };
        faults.extend(found(&as_desired(turned, whole), BESIDE, trials).iter().filter(is_new).map(by_rule));
    }
    if faults.is_empty() && !prints_nothing {
        return faults;
    }
    // Only now it is asked which line prints what.
    let Ok(traced) = installed(turned, conditions, Tracing::On) else { return faults };
    for fault in &mut faults {
        let Some(spot) = &fault.spot else { continue };
        let object = desired.objects.iter().find(|it| it.spot().object == spot.object);
        let origin = object.and_then(|it| traced.origin(&it.key(), spot.field.as_deref()?));
        fault.place = origin.and_then(|origin| origin.template);
    }
    if prints_nothing {
        let is_new = |it: &&Finding| {
            is_told(it) && it.spots.iter().any(|spot| desired.objects.iter().any(|it| it.spot().object == spot.object))
        };
        faults.extend(found(&as_desired(turned, traced), BY_LINES, trials).iter().filter(is_new).map(by_rule));
    }
    faults
}

fn texts(unit: &RenderedUnit) -> impl Iterator<Item = &str> {
    unit.charts.iter().flat_map(|chart| {
        chart.manifests.iter().map(|it| &*it.text).chain(chart.hooks.iter().map(|it| &*it.manifest.text))
    })
}

/// Whether nothing stands somewhere in a value where something stood before, or where there was no place before.
fn has_lost(value: &Value, was: Option<&Value>) -> bool {
    let is_nothing = |value: &Value| value.is_null() || value.as_str() == Some("");
    match value {
        Value::Array(list) => {
            list.iter().enumerate().any(|(at, value)| has_lost(value, was.and_then(|was| was.get(at))))
        }
        Value::Object(map) => map.iter().any(|(key, value)| has_lost(value, was.and_then(|was| was.get(key)))),
        _ => is_nothing(value) && !was.is_some_and(is_nothing),
    }
}

fn as_desired(unit: &Unit, mut rendered: RenderedUnit) -> DesiredUnit {
    rendered.definitions.clear();
    let mut desired = DesiredUnit::new(&unit.name, &unit.namespace, Door::Release, rendered, None);
    desired.chart = unit.chart().cloned();
    desired
}

fn found(unit: &DesiredUnit, rules: &[&str], trials: &Trials<'_>) -> Vec<Finding> {
    found_against(unit, None, rules, trials)
}

/// The same of a change from a base.
fn found_against(
    unit: &DesiredUnit,
    base: Option<&[DesiredUnit]>,
    rules: &[&str],
    trials: &Trials<'_>,
) -> Vec<Finding> {
    let subject = Subject {
        units: std::slice::from_ref(unit),
        base,
        before: trials.definitions,
        cluster: trials.facts,
        trials: &[],
        files: None,
        project: None,
        environment: None,
        today: trials.today,
    };
    let told = rules.iter().filter_map(|id| rule(id)).flat_map(|rule| (rule.check)(&subject));
    // What a chart that is not at hand may bring is missed by nothing.
    told.filter(|finding| !is_beyond(&subject, finding)).collect()
}

fn by_rule(finding: &Finding) -> SettingFault {
    let spot = finding.spots.iter().find(|spot| spot.object.is_some()).cloned();
    // An empty text where a number belongs is a setting that was not given, and so is what is missing.
    let says = |words: &&str| finding.message.contains(words);
    let wanting = ["quantities must match", ": Required value", "has neither a value nor a place"];
    let wants_more = finding.rule == "LF138" && wanting.iter().any(says);
    SettingFault { words: finding.message.clone(), spot, place: None, wants_more }
}

/// The same, with the line that prints it.
fn by_rule_at(finding: &Finding, traced: Option<&RenderedUnit>) -> SettingFault {
    let mut fault = by_rule(finding);
    let spot = fault.spot.as_ref();
    let key = spot.and_then(|it| it.object.as_ref()).map(ObjectKey::from);
    let field = spot.and_then(|it| it.field.as_deref());
    let origin = key.zip(field).and_then(|(key, field)| traced?.origin(&key, field));
    fault.place = origin.and_then(|origin| origin.template);
    fault
}

/// What the engine stopped at; what a chart refuses by itself, or by its schema, it refuses in its own words.
fn refused_by_template(other: &Other, told: &Diagnostic) -> Option<SettingFault> {
    if [code::TEMPLATE_REFUSES, code::SCHEMA_VIOLATED].contains(&told.code) {
        return None;
    }
    let says = |words: &str| std::iter::once(&told.message).chain(&told.notes).any(|it| it.contains(words));
    // What is off by `false` and takes a text is no switch.
    if matches!(other.layer, Layer::Switch(_)) && says("got bool") {
        return None;
    }
    // Of what is made up it is asked only whether it leaves YAML.
    if matches!(other.layer, Layer::Anything(_)) && told.code != code::RENDERED_NOT_YAML {
        return None;
    }
    // A name is customary, and not what it takes.
    if matches!(other.layer, Layer::Sample(_))
        && told.code != code::RENDERED_NOT_YAML
        && ["can't evaluate field", "wrong type", "can't iterate", "expected", "incompatible types for comparison"]
            .into_iter()
            .any(says)
    {
        return None;
    }
    let wants_more = std::iter::once(&told.message).chain(&told.notes).any(|it| is_nil_pointer(it))
        || ["out of range", "invalid value; expected", "got interface {}", "cannot be read"].into_iter().any(says);
    let place = told.labels.first().map(|Label { place, .. }| place.clone());
    // The line's number changes with whatever stands in front of it.
    let words: Vec<&str> = told.message.split(": ").filter(|part| !part.starts_with("line ")).collect();
    Some(SettingFault { words: words.join(": "), spot: None, place, wants_more })
}

/// What the API says to an object that it would take as the delivery has it.
async fn refused_by_api(
    cluster: &Cluster,
    (plain, named): (&Plain<'_>, Named),
    desired: &Desired,
) -> Option<SettingFault> {
    let error = refusal(cluster, &desired.object).await?;
    // What cannot be read at all is told by the rules, with its field.
    let field = error.refused_field().filter(|field| *field != "patch")?;
    // Which families of addresses the cluster has where it is set is not known.
    if ["spec.clusterIP", "spec.ipFamil"].iter().any(|families| field.starts_with(families)) {
        return None;
    }
    let words = error.to_string();
    if let Some(now) = plain.objects.get(&desired.key())
        && refusal(cluster, now).await.is_some_and(|error| error.to_string() == words)
    {
        return None;
    }
    if named == Named::Otherwise {
        let own = unnamed(&words, desired.object.name());
        for now in plain.objects.values().filter(|it| it.gvk() == desired.object.gvk()) {
            let error = refusal(cluster, now).await;
            if error.is_some_and(|error| unnamed(&error.to_string(), now.name()) == own) {
                return None;
            }
        }
    }
    // "May only be used when …": a setting that is for another kind of the same thing.
    // `privileged` wants the chart's own `allowPrivilegeEscalation: false` to go.
    let wants_more = [
        "Required value",
        "Invalid value: \"\"",
        "must be specified",
        "Invalid value: null",
        "may only be ",
        "cannot set `allowPrivilegeEscalation`",
        "must be true if ",
    ];
    let wants_more = wants_more.iter().any(|it| words.contains(it));
    Some(SettingFault { spot: Some(desired.spot_at(field)), place: None, wants_more, words })
}

/// Why an API would not take an object because of what it is.
async fn refusal(cluster: &Cluster, object: &Object) -> Option<landfall_cluster::Error> {
    let options =
        WriteOptions { field_manager: Some("landfall".to_owned()), dry_run: DryRun::Server, ..WriteOptions::default() };
    let asked = cluster.patch(&object.key(), &Patch::ForceApply(object.value().clone()), &options).await;
    asked.err().filter(|error| matches!(error.code(), Some(400 | 422)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_of_different_parts_are_turned_together_as_far_as_the_objects_are_many() {
        let others = ["a.x=true", "a.y=true", "b=false", "b.x=true", "c.x=true", "d.x=true", "e.x=true"];
        let together = |most: usize| -> Vec<String> {
            let others = others.iter().map(|it| Other::switch((*it).to_owned()));
            let named = |group: Vec<Other>| group.into_iter().map(|it| it.setting).collect::<Vec<_>>().join(" ");
            grouped(others, most).into_iter().map(named).collect()
        };
        assert_eq!(together(9), ["a.x=true b.x=true c.x=true d.x=true", "a.y=true e.x=true", "b=false"]);
        assert_eq!(together(2), ["a.x=true b.x=true", "a.y=true c.x=true", "b=false", "d.x=true e.x=true"]);
        assert_eq!(together(0), others);
    }

    #[test]
    fn what_a_switch_says_to_be_there_is_not_missed_and_recreated_are_deployments_alone() {
        let is_beside = |setting: &str, kind, words| Other::switch(setting.to_owned()).is_beside(kind, words);
        let missing = "ConfigMap `web` is neither delivered nor on the cluster";
        assert!(is_beside("web.existingConfigMap=true", Some("Deployment"), missing));
        assert!(!is_beside("web.outside=true", Some("Deployment"), missing));
        assert!(!is_beside("web.existingConfigMap=true", Some("Deployment"), "Pod `web` has no field `spec.port`"));
        let refused = "spec.updateStrategy.type: Unsupported value: \"Recreate\"";
        assert!(is_beside("strategy=\"Recreate\"", Some("StatefulSet"), refused));
        assert!(!is_beside("strategy=\"Recreate\"", Some("Deployment"), refused));
    }
}
