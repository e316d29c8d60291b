//! A chart with settings other than those of the delivery: each switch turned, each customary list filled, each values file of
//! `ci/` taken; rendered, held against the kinds' schemas and sent to a simulated API that keeps nothing.
//!
//! ```text
//! a unit's values ─► choice.rs, samples.rs ─► rendered each ─► what differs from the delivery ─► API (dry run), rules ─► faults
//! ```

mod choice;
mod samples;

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use landfall_chart::Tracing;
use landfall_cluster::{Cluster, DryRun, Patch, WriteOptions};
use landfall_delivery::{RenderedUnit, Unit};
use landfall_diag::{Diagnostic, Finding, Label, Spot, code};
use landfall_object::operators::known_versions;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_rules::{ClusterFacts, Desired, DesiredUnit, Door, Inventory, OtherSetting, SettingFault, Subject, rule};
use serde_json::Value;

use self::choice::{Layer, Other, most, others};
use crate::study::{Conditions, installed, is_nil_pointer};

/// The rules that say by objects alone that something is not what was meant, and by lines of templates.
const BY_OBJECTS: &[&str] = &["LF138", "LF188"];
const BY_LINES: &[&str] = &["LF180"];

/// On what it is tried.
pub(crate) struct Trials<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) facts: &'a ClusterFacts,
    pub(crate) conditions: &'a Conditions,
    pub(crate) today: jiff::civil::Date,
}

/// What is wrong with a unit's chart under other settings and is not under its own; of `wanted` settings alone, where they are
/// given.
pub(crate) async fn other_settings(
    unit: &Unit,
    trials: &Trials<'_>,
    wanted: Option<&BTreeSet<String>>,
) -> Vec<OtherSetting> {
    let Some(others) = others(unit) else { return Vec::new() };
    let usual = trials.conditions;
    let Ok(bare) = installed(unit, usual, Tracing::Off) else { return Vec::new() };
    let mut all_served = usual.clone();
    all_served.capabilities = all_served.capabilities.with_api_versions(known_versions());
    // What stands behind `.Capabilities.APIVersions.Has` is rendered with all other settings.
    let served = installed(unit, &all_served, Tracing::Off).ok();
    let (served, conditions) = served.as_ref().map_or((&bare, usual), |served| (served, &all_served));
    let namespace = Object::new(&ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, &*unit.namespace));
    // The names that every cluster begins with are taken.
    let _there = trials.cluster.create(&namespace, &WriteOptions::default()).await;
    let [bare, served] = [(&bare, usual), (served, conditions)]
        .map(|(rendered, conditions)| Plain::of(unit, rendered, conditions, trials));
    let mut all = Vec::new();
    let tried = others.into_iter().take(most(bare.rendered.all_objects().count()));
    for other in tried.filter(|it| wanted.is_none_or(|wanted| wanted.contains(&it.setting))) {
        let plain = match other.layer {
            Layer::Operators => &bare,
            _ => &served,
        };
        let conditions = if matches!(other.layer, Layer::Operators) { &all_served } else { conditions };
        let turned = other.of(unit);
        let faults = match installed(&turned, conditions, Tracing::Off) {
            Err(told) => told.first().and_then(|told| refused_by_template(&other, told)).into_iter().collect(),
            Ok(rendered) => faults(&turned, rendered, plain, conditions, trials).await,
        };
        if !faults.is_empty() {
            all.push(OtherSetting { setting: other.setting, faults });
        }
    }
    all
}

/// The rendering that another one is held against.
struct Plain<'a> {
    rendered: &'a RenderedUnit,
    objects: HashMap<ObjectKey, &'a Object>,
    texts: HashSet<&'a str>,
    /// What the rules say of it; asked for where they say something of another one.
    own: LazyCell<Own, Box<dyn FnOnce() -> Own + 'a>>,
}

/// What findings say, and of what.
type Own = BTreeSet<(String, String)>;

impl<'a> Plain<'a> {
    fn of(unit: &'a Unit, rendered: &'a RenderedUnit, conditions: &'a Conditions, trials: &'a Trials<'a>) -> Self {
        let own = move || {
            let traced = installed(unit, conditions, Tracing::On);
            let found = traced.map(|traced| found(&as_desired(unit, traced), &[BY_OBJECTS, BY_LINES].concat(), trials));
            found.unwrap_or_default().iter().map(cause).collect()
        };
        Plain {
            rendered,
            objects: rendered.all_objects().map(|object| (object.key(), object)).collect(),
            texts: texts(rendered).collect(),
            own: LazyCell::new(Box::new(own)),
        }
    }
}

/// What a finding says, and of what.
fn cause(finding: &Finding) -> (String, String) {
    let spot = finding.spots.iter().find(|it| it.object.is_some());
    (finding.message.clone(), spot.map(Spot::name).unwrap_or_default())
}

/// What is wrong with those objects of a rendering that another one has not.
async fn faults(
    turned: &Unit,
    mut rendering: RenderedUnit,
    plain: &Plain<'_>,
    conditions: &Conditions,
    trials: &Trials<'_>,
) -> Vec<SettingFault> {
    let is_other = |object: &Object| plain.objects.get(&object.key()) != Some(&object);
    rendering.objects.retain(|it| is_other(&it.object));
    rendering.hooks.retain(|it| is_other(&it.object));
    for chart in &mut rendering.charts {
        chart.manifests.retain(|it| !plain.texts.contains(&*it.text));
        chart.hooks.retain(|it| !plain.texts.contains(&*it.manifest.text));
    }
    if rendering.all_objects().next().is_none() {
        return Vec::new();
    }
    let prints_nothing = rendering.all_objects().any(|object| has_nothing(object.value()));
    let desired = as_desired(turned, rendering);
    let mut faults = Vec::new();
    for desired in &desired.objects {
        faults.extend(refused_by_api(trials.cluster, plain, desired).await);
    }
    let is_told = |it: &&Finding| !plain.own.contains(&cause(it));
    faults.extend(found(&desired, BY_OBJECTS, trials).iter().filter(is_told).map(by_rule));
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

fn has_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.iter().any(has_nothing),
        Value::Object(map) => map.values().any(has_nothing),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn as_desired(unit: &Unit, rendered: RenderedUnit) -> DesiredUnit {
    let mut desired = DesiredUnit::new(&unit.name, &unit.namespace, Door::Release, rendered, None);
    desired.chart = unit.chart().cloned();
    desired
}

fn found(unit: &DesiredUnit, rules: &[&str], trials: &Trials<'_>) -> Vec<Finding> {
    let before = Inventory::default();
    let subject = Subject {
        units: std::slice::from_ref(unit),
        base: None,
        before: &before,
        cluster: trials.facts,
        trials: &[],
        files: None,
        project: None,
        environment: None,
        today: trials.today,
    };
    rules.iter().filter_map(|id| rule(id)).flat_map(|rule| (rule.check)(&subject)).collect()
}

fn by_rule(finding: &Finding) -> SettingFault {
    let spot = finding.spots.iter().find(|spot| spot.object.is_some()).cloned();
    // An empty text where a number belongs is a setting that was not given.
    let wants_more = finding.rule == "LF138" && finding.message.contains("quantities must match");
    SettingFault { words: finding.message.clone(), spot, place: None, wants_more }
}

/// What the engine stopped at; what a chart refuses by itself, or by its schema, it refuses in its own words.
fn refused_by_template(other: &Other, told: &Diagnostic) -> Option<SettingFault> {
    if [code::TEMPLATE_REFUSES, code::SCHEMA_VIOLATED].contains(&told.code) {
        return None;
    }
    let says = |words: &str| std::iter::once(&told.message).chain(&told.notes).any(|it| it.contains(words));
    // A name is customary, and not what it takes.
    if matches!(other.layer, Layer::Sample(_))
        && ["can't evaluate field", "wrong type", "can't iterate", "expected"].into_iter().any(says)
    {
        return None;
    }
    let wants_more = std::iter::once(&told.message).chain(&told.notes).any(|it| is_nil_pointer(it))
        || ["out of range", "invalid value; expected", "cannot be read"].into_iter().any(says);
    let place = told.labels.first().map(|Label { place, .. }| place.clone());
    Some(SettingFault { words: told.message.clone(), spot: None, place, wants_more })
}

/// What the API says to an object that it would take as the delivery has it.
async fn refused_by_api(cluster: &Cluster, plain: &Plain<'_>, desired: &Desired) -> Option<SettingFault> {
    let error = refusal(cluster, &desired.object).await?;
    // What cannot be read at all is told by the rules, with its field.
    let field = error.refused_field().filter(|field| *field != "patch")?;
    let words = error.to_string();
    if let Some(now) = plain.objects.get(&desired.key())
        && refusal(cluster, now).await.is_some_and(|error| error.to_string() == words)
    {
        return None;
    }
    let wants_more = ["Required value", "Invalid value: \"\"", "must be specified", "Invalid value: null"];
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
