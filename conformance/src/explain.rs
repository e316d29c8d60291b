//! What a traced rendering says each field depends on, against what really changes when a value does.
//!
//! ```text
//! chart ─► traced rendering: field → values in it, values that decided
//!   └─ each value changed, one at a time ─► rendering ─► fields that changed, went, came
//!        ├─ every one of them was said to depend on the value            (all)
//!        └─ every field that is made of this value alone has changed     (99 of 100, the rest with their functions)
//! ```
//!
//! The other way round, of the values that are named as deciding about a field it is measured how many do
//! (`explain/precision.rs`): what is told too often helps nobody.
//!
//! A field whose place in a list has been taken by an element of another name has changed, too.
//! Fields that differ between two renderings of the same input (passwords, keys) tell nothing and are left out.

mod precision;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use landfall_chart::{
    Capabilities, Chart, Field, FieldOrigin, Manifest, Origin, ReleaseInfo, RenderOptions, Rendered, SchemaCheck,
    Tracing, ValueLayers, render,
};
use serde::Serialize;
use serde_json::Value as Json;

use crate::evidence::commit;
use crate::ours::read_tree;
use crate::suite::{Material, Suite, Whole, root, said};
use crate::workers;
use precision::Precision;

/// Which charts.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directories of charts, dependencies in place.
    #[arg(required = true)]
    charts: Vec<PathBuf>,
    /// Only every so many-th value.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Of a hundred lines that are told as deciding about a field, how many have to change it when they are changed.
    #[arg(long, default_value_t = 60.0)]
    floor: f64,
    /// Write docs/evidence/explain.json.
    #[arg(long)]
    evidence: bool,
}

/// The three large charts of a whole run, in a corpus or among the vendored ones.
const LARGE: [&str; 3] = [
    "traefik+traefik-helm-chart/traefik",
    "prometheus-community+helm-charts/charts/prometheus",
    "prometheus-community+helm-charts/charts/kube-prometheus-stack",
];

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole {
        more: |given| large(given.corpus),
        ..Whole::of("explain", Material::Corpus, &[&["explain", "--evidence"]])
    });

    fn run(&self) -> anyhow::Result<ExitCode> {
        said(run(root(), self))
    }
}

/// What a chart has shown.
#[derive(Debug, Default, Serialize)]
struct Tally {
    chart: String,
    version: String,
    objects: usize,
    fields: usize,
    /// Values in the chart, and how many of them were changed.
    values: usize,
    changed_values: usize,
    /// Values whose every change the chart refuses.
    refused: usize,
    /// Values that change nothing.
    without_effect: usize,
    /// Fields that changed, went or came, over all values.
    changed_fields: usize,
    /// Of these, those in which the value is, and those about which it decided.
    as_data: usize,
    as_control: usize,
    /// Those that were not said to depend on the value.
    unattributed: usize,
    /// Fields made of the changed value alone, and how many of them changed.
    sole: usize,
    sole_changed: usize,
    /// The others, with the functions on the way.
    absorbed: BTreeMap<String, usize>,
    /// The first few of what was missed: value, object, field.
    missed: Vec<String>,
    /// The first few that did not change though they are made of the value alone.
    unchanged: Vec<String>,
    /// Of the values that are named as deciding about a field, how many do.
    precision: Precision,
}

#[derive(Serialize)]
struct Report<'a> {
    suite: &'static str,
    commit: String,
    every: usize,
    planned: usize,
    passed: usize,
    failed: usize,
    sole_percent: f64,
    /// Of a hundred lines that are told as deciding about a field, how many change it when they are changed.
    control_percent: f64,
    control_floor: f64,
    control: Precision,
    charts: &'a [Tally],
}

/// Runs the suite and gives its last line; an error when something was missed.
fn run(root: &Path, options: &Arguments) -> Result<String, Box<dyn Error>> {
    let mut tallies = Vec::new();
    for directory in &options.charts {
        let tally =
            chart(directory, options.every.max(1)).map_err(|error| format!("{}: {error}", directory.display()))?;
        println!(
            "{} {}: {} objects, {} fields, {} of {} values changed ({} refused, {} without effect); {} fields changed: {} data, {} control, {} missed; {} of {} made of one value alone changed; {:?}",
            tally.chart,
            tally.version,
            tally.objects,
            tally.fields,
            tally.changed_values,
            tally.values,
            tally.refused,
            tally.without_effect,
            tally.changed_fields,
            tally.as_data,
            tally.as_control,
            tally.unattributed,
            tally.sole_changed,
            tally.sole,
            tally.absorbed
        );
        for (reason, pairs) in &tally.precision.reasons {
            println!(
                "  named as control ({reason}): {} of {} ({} %) change the field",
                pairs.changed,
                pairs.named,
                pairs.percent()
            );
        }
        tally.missed.iter().for_each(|missed| println!("  missed: {missed}"));
        tally.unchanged.iter().for_each(|unchanged| println!("  unchanged: {unchanged}"));
        tallies.push(tally);
    }
    let sum = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    let (planned, failed) = (sum(|it| it.changed_fields), sum(|it| it.unattributed));
    let (sole, sole_changed) = (sum(|it| it.sole), sum(|it| it.sole_changed));
    let percent = if sole == 0 { 100.0 } else { sole_changed as f64 * 100.0 / sole as f64 };
    let mut control = Precision::default();
    tallies.iter().for_each(|tally| control.add(&tally.precision));
    let told = control.told();
    if options.evidence {
        let report = Report {
            suite: "explain",
            commit: commit(root),
            every: options.every,
            planned,
            passed: planned - failed,
            failed,
            sole_percent: (percent * 100.0).round() / 100.0,
            control_percent: told.percent(),
            control_floor: options.floor,
            control: control.clone(),
            charts: &tallies,
        };
        let mut text = serde_json::to_string_pretty(&report)?;
        text.push('\n');
        std::fs::write(root.join("docs/evidence/explain.json"), text)?;
    }
    let line = format!(
        "explain: {} of {planned} changed fields attributed; {sole_changed} of {sole} ({percent:.2} %) fields of one value changed; {} of {} ({} %) lines named as control change their field, at least {} %",
        planned - failed,
        told.changed,
        told.named,
        told.percent(),
        options.floor
    );
    if failed == 0 && percent >= 99.0 && told.percent() >= options.floor { Ok(line) } else { Err(line.into()) }
}

/// An object and one of its fields.
type Key = (String, String);

/// The fields of a rendering.
struct Fields {
    rendered: Rendered,
    all: BTreeMap<Key, Field>,
}

fn chart(directory: &Path, every: usize) -> Result<Tally, Box<dyn Error>> {
    let location = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let tree = read_tree(directory)?;
    let chart = Chart::load(&tree, &location)?;
    let base = fields(&chart, None)?;
    let known = Read::default();
    let again = texts(&chart, None, &known)?;
    let random: BTreeSet<&Key> =
        base.all.iter().filter(|(key, field)| again.get(*key) != Some(&field.text)).map(|(key, _)| key).collect();
    let provenance = base.rendered.provenance.as_ref().ok_or("not traced")?;
    let values = landfall_chart::values_to_json(&base.rendered.values);
    let mut leaves: Vec<(String, Origin, Vec<Step>, Json)> = Vec::new();
    walk(&values, &base.rendered.values.clone().into(), &mut Vec::new(), &mut |path, origin, value| {
        let text = shown(path);
        if provenance.path_of(origin) == Some(text.as_str()) {
            leaves.push((text, origin, path.to_vec(), value.clone()));
        }
    });
    let leaf_origins: BTreeSet<Origin> = leaves.iter().map(|(_, origin, ..)| *origin).collect();
    let mut tally = Tally {
        chart: chart.name().to_owned(),
        version: chart.metadata.version.clone(),
        objects: base.rendered.manifests.len() + base.rendered.hooks.len(),
        fields: base.all.len(),
        values: leaves.len(),
        ..Tally::default()
    };
    let chosen: Vec<_> = leaves.iter().step_by(every).collect();
    tally.changed_values = chosen.len();
    let found = workers::each(&chosen, |_, (path, origin, steps, value)| {
        let leaf = Leaf { path, origin: *origin, steps, value };
        flip(&chart, &base, &random, &leaf_origins, &leaf, &values, &known)
    });
    found.into_iter().for_each(|found| add(&mut tally, found));
    tally.precision = precision::measure(&chart, &tree, &base, &random, &values, &known, every);
    Ok(tally)
}

/// A value that is changed.
struct Leaf<'a> {
    path: &'a str,
    origin: Origin,
    steps: &'a [Step],
    value: &'a Json,
}

fn add(tally: &mut Tally, found: Tally) {
    tally.refused += found.refused;
    tally.without_effect += found.without_effect;
    tally.changed_fields += found.changed_fields;
    tally.as_data += found.as_data;
    tally.as_control += found.as_control;
    tally.unattributed += found.unattributed;
    tally.sole += found.sole;
    tally.sole_changed += found.sole_changed;
    for (functions, count) in found.absorbed {
        *tally.absorbed.entry(functions).or_default() += count;
    }
    const SHOWN: usize = 40;
    tally.missed.extend(found.missed);
    tally.missed.truncate(SHOWN);
    tally.unchanged.extend(found.unchanged);
    tally.unchanged.truncate(SHOWN);
}

fn flip(
    chart: &Chart,
    base: &Fields,
    random: &BTreeSet<&Key>,
    leaves: &BTreeSet<Origin>,
    leaf: &Leaf<'_>,
    values: &Json,
    known: &Read,
) -> Tally {
    let mut tally = Tally::default();
    let changed = others(leaf.value).into_iter().find_map(|other| {
        let layer = overriding(values, leaf.steps, &other).to_string();
        Some((texts(chart, Some(&layer), known).ok()?, layer))
    });
    let Some((flipped, layer)) = changed else {
        tally.refused = 1;
        return tally;
    };
    let count = |origin: &FieldOrigin, leaf: Origin, tally: &mut Tally| {
        tally.changed_fields += 1;
        if origin.data.contains(&leaf) || origin.keys.contains(&leaf) {
            tally.as_data += 1;
        } else if origin.decisions.iter().any(|decision| decision.origin == leaf) {
            tally.as_control += 1;
        } else {
            tally.unattributed += 1;
            return false;
        }
        true
    };
    for (key, field) in base.all.iter().filter(|(key, _)| !random.contains(key)) {
        let now = flipped.get(key);
        let differs = now != Some(&field.text);
        if differs && !count(&field.origin, leaf.origin, &mut tally) {
            tally.missed.push(format!("{} → {} {}: {:?} → {now:?}", leaf.path, key.0, key.1, field.text));
        }
        let mut made_of = field.origin.data.iter().filter(|origin| leaves.contains(origin));
        if made_of.next() == Some(&leaf.origin) && made_of.next().is_none() {
            tally.sole += 1;
            if differs || moved(key, &base.all, &flipped) {
                tally.sole_changed += 1;
            } else {
                let functions = field.origin.functions.join(" ← ");
                tally.unchanged.push(format!("{} → {} {}: {:?} by {functions}", leaf.path, key.0, key.1, field.text));
                *tally.absorbed.entry(functions).or_default() += 1;
            }
        }
    }
    let came: Vec<&Key> = flipped.keys().filter(|key| !base.all.contains_key(key)).collect();
    if !came.is_empty()
        && let Ok(traced) = fields(chart, Some(&layer))
        && let Some(provenance) = &traced.rendered.provenance
    {
        let at: Vec<Origin> = provenance
            .origins_at(leaf.path)
            .into_iter()
            .filter(|(_, path)| path == leaf.path)
            .map(|(origin, _)| origin)
            .collect();
        for key in came {
            // A key that a random name is in is another one each time.
            let Some(field) = traced.all.get(key) else { continue };
            let Some(origin) = at.first() else { continue };
            if !count(&field.origin, *origin, &mut tally) {
                tally.missed.push(format!("{} → {} {} came: {:?}", leaf.path, key.0, key.1, field.text));
            }
        }
    }
    tally.without_effect = usize::from(tally.changed_fields == 0);
    tally
}

/// Whether another element has come to a field's place in a list: the name beside it is another one.
fn moved(key: &Key, before: &BTreeMap<Key, Field>, after: &BTreeMap<Key, String>) -> bool {
    let steps: Vec<&str> = key.1.split('\u{1f}').collect();
    (0..steps.len()).filter(|at| steps[*at].parse::<usize>().is_ok()).any(|at| {
        let name = (key.0.clone(), format!("{}\u{1f}name", steps[..=at].join("\u{1f}")));
        before.get(&name).is_some_and(|field| after.get(&name) != Some(&field.text))
    })
}

fn rendering(chart: &Chart, layer: Option<&str>, tracing: Tracing) -> Result<Rendered, Box<dyn Error>> {
    let mut layers = ValueLayers::new();
    if let Some(layer) = layer {
        layers.file("changed.yaml", layer);
    }
    let options =
        RenderOptions { tracing, schema: SchemaCheck::Skip, ..RenderOptions::new(landfall_source::surroundings()) };
    let release = ReleaseInfo::install("release", "space");
    Ok(render(chart, &layers, &release, &Capabilities::default(), &options)?)
}

fn fields(chart: &Chart, layer: Option<&str>) -> Result<Fields, Box<dyn Error>> {
    let rendered = rendering(chart, layer, Tracing::On)?;
    let provenance = rendered.provenance.as_ref().ok_or("not traced")?;
    let mut all = BTreeMap::new();
    let manifests = rendered.manifests.iter().chain(rendered.hooks.iter().map(|hook| &hook.manifest));
    for manifest in manifests {
        let name = object(&manifest.object());
        for field in provenance.fields(manifest) {
            all.insert((name.clone(), field.path.join("\u{1f}")), field);
        }
    }
    Ok(Fields { rendered, all })
}

/// Texts of manifests that were read already, with their fields: most of them are the same in every rendering.
#[derive(Default)]
struct Read(Mutex<HashMap<String, Arc<Objects>>>);

/// Objects by key, each as a text.
type Objects = Vec<(Key, String)>;

impl Read {
    /// The fields of a manifest; what the unchanged chart gives is remembered.
    fn fields(&self, manifest: &Manifest, remembered: bool) -> Arc<Vec<(Key, String)>> {
        let known = self.0.lock().ok().and_then(|known| known.get(&manifest.text).cloned());
        known.unwrap_or_else(|| {
            let read = Arc::new(read(manifest));
            if let (true, Ok(mut known)) = (remembered, self.0.lock()) {
                known.insert(manifest.text.clone(), Arc::clone(&read));
            }
            read
        })
    }
}

/// The fields' texts alone, without tracing: what is compared does not come from what is tested.
fn texts(chart: &Chart, layer: Option<&str>, known: &Read) -> Result<BTreeMap<Key, String>, Box<dyn Error>> {
    let rendered = rendering(chart, layer, Tracing::Off)?;
    let manifests = rendered.manifests.iter().chain(rendered.hooks.iter().map(|hook| &hook.manifest));
    Ok(manifests.flat_map(|manifest| known.fields(manifest, layer.is_none()).to_vec()).collect())
}

fn read(manifest: &Manifest) -> Vec<(Key, String)> {
    let mut all = Vec::new();
    let name = object(&manifest.object());
    let Ok(Some(document)) = landfall_yaml::parse_first(&manifest.text) else { return all };
    let mut work = vec![(document.root(), Vec::<String>::new())];
    while let Some((node, path)) = work.pop() {
        let node = node.target();
        if node.count() == 0 {
            let text = match node.kind() {
                landfall_yaml::Kind::Mapping(_) => "{}",
                landfall_yaml::Kind::Sequence(_) => "[]",
                _ => node.text().unwrap_or_default(),
            };
            all.push(((name.clone(), path.join("\u{1f}")), text.to_owned()));
        }
        let below = |step: String| path.iter().cloned().chain([step]).collect::<Vec<_>>();
        work.extend(node.entries().map(|(key, value)| (value, below(key.text().unwrap_or_default().to_owned()))));
        work.extend(node.items().enumerate().map(|(at, item)| (item, below(at.to_string()))));
    }
    all
}

fn object(object: &Json) -> String {
    let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default();
    format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

/// A step on the way to a value.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    At(usize),
}

fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&key.replace('.', "\\."));
            }
            Step::At(at) => text.push_str(&format!("[{at}]")),
        }
    }
    text
}

/// Visits booleans, numbers and strings.
fn walk(
    json: &Json,
    value: &landfall_chart::Value,
    path: &mut Vec<Step>,
    visit: &mut impl FnMut(&[Step], Origin, &Json),
) {
    match json {
        Json::Object(entries) => {
            for (key, below) in entries {
                let Some(inner) = value.as_map().and_then(|map| map.get(key)) else { continue };
                path.push(Step::Key(key.clone()));
                walk(below, &inner, path, visit);
                path.pop();
            }
        }
        Json::Array(items) => {
            for (at, below) in items.iter().enumerate() {
                let Some(inner) = value.as_list().and_then(|list| list.values().get(at)) else { continue };
                path.push(Step::At(at));
                walk(below, inner, path, visit);
                path.pop();
            }
        }
        Json::Null => {}
        _ => visit(path, value.origin(), json),
    }
}

/// Other values of the same kind, the likeliest first.
fn others(value: &Json) -> Vec<Json> {
    match value {
        Json::Bool(truth) => vec![Json::Bool(!truth)],
        Json::Number(number) => match number.as_i64() {
            Some(whole) => vec![(whole + 1).into(), (whole * 2 + 3).into()],
            None => vec![(number.as_f64().unwrap_or_default() + 1.0).into()],
        },
        Json::String(text) if text.is_empty() => vec!["flipped".into(), "1".into()],
        Json::String(text) => vec![format!("{text}x").into(), format!("x{text}").into(), "flipped".into()],
        _ => Vec::new(),
    }
}

/// A values layer that changes one value; lists are replaced as a whole.
fn overriding(values: &Json, steps: &[Step], other: &Json) -> Json {
    match steps {
        [] => other.clone(),
        [Step::Key(key), rest @ ..] => {
            let below = values.get(key).unwrap_or(&Json::Null);
            Json::Object([(key.clone(), overriding(below, rest, other))].into_iter().collect())
        }
        [Step::At(at), rest @ ..] => {
            let mut items = values.as_array().cloned().unwrap_or_default();
            if let Some(item) = items.get_mut(*at) {
                *item = within(item, rest, other);
            }
            Json::Array(items)
        }
    }
}

/// A value inside of a list, all around it kept.
fn within(value: &Json, steps: &[Step], other: &Json) -> Json {
    let mut changed = value.clone();
    let mut here = &mut changed;
    for step in steps {
        let below = match step {
            Step::Key(key) => here.get_mut(key),
            Step::At(at) => here.get_mut(*at),
        };
        match below {
            Some(below) => here = below,
            None => return value.clone(),
        }
    }
    *here = other.clone();
    changed
}

/// Where the large charts lie.
fn large(corpus: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let vendored = crate::helm::cache().join("conformance/charts");
    let place = |chart: &str| {
        let mut places = std::iter::once(&vendored).chain(corpus).map(|folder| folder.join(chart));
        places.find(|place| place.join("Chart.yaml").is_file())
    };
    let found = LARGE.map(|chart| place(chart).map(|place| place.display().to_string()).ok_or(chart));
    found.into_iter().collect::<Result<_, _>>().map_err(|chart| anyhow::anyhow!("{chart} is not in the corpus"))
}
