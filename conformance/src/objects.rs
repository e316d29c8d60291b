//! What is stored after a delivery: by helm 3, by helm 4 and through each of our doors, object by object.
//!
//! ```text
//! charts (own, made by shape, public) ─► values, and changed ones ─► install, upgrade, rollback
//!     ├─► helm 3 ───────────┐                 each on an API with nothing on it
//!     ├─► helm 4 ───────────┤
//!     └─► install, helm install (3 and 4), up, an Application ─► every stored object ─► equal, but for what the server sets
//! ```
//!
//! Rendered texts and recorded manifests may be byte-equal while the data differ: what counts is what the API stores.
//! What the peer itself draws anew with each delivery is found by delivering twice, and compared by its shape. A chart
//! leaves only because the peer refuses it, and then each of our doors has to refuse it too.

mod change;
mod door;
mod evidence;
mod ground;
mod judge;
mod shapes;
mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use landfall_chart::{Chart, Crd, Dialect};
use serde_json::Value;

use crate::evidence::commit;
use crate::helm::{Helm, cache};
use crate::ours::read_tree;
use crate::parity::cases;
use crate::suite::{Material, Suite, Whole, corpus};
use crate::{parity, peers, root, sample, workers};
use door::{Act, Door, Ended, Parcel, Programs};
use ground::Ground;
use judge::{Found, compare};
use stored::{Stored, leave_single_hooks};

/// How many values files of a chart are tried until its peer installs it.
const TRIES: usize = 4;

/// How `up` tells of a reference to what is neither delivered nor there.
const MISSING: &str = "[LF0530]";

/// How often a peer delivers again where we differ: of a few ports in no order it may take the same one twice.
const DRAWS: usize = 5;

/// How many upgrades are tried until the peer makes one.
const UPGRADES: u64 = 2;

/// Compares what is stored after deliveries by helm 3, by helm 4 and through each of our doors.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only charts whose id holds this text.
    only: Option<String>,
    /// Only so many charts, drawn by the commit's hash.
    #[arg(long)]
    sample: Option<usize>,
    /// How many charts are made by shape.
    #[arg(long, default_value_t = 12)]
    shapes: u64,
    /// The first made chart's seed; from the commit's hash when not said.
    #[arg(long)]
    seed: Option<u64>,
    /// On a real API server instead of embedded ones.
    #[arg(long)]
    control: bool,
    /// How many charts are delivered at a time (default: one a processor).
    #[arg(long)]
    workers: Option<usize>,
    /// Plants a lost newline, a lost null and a number of another type, and expects each to be seen.
    #[arg(long)]
    selftest: bool,
    /// The binary (default: `landfall` beside this program).
    #[arg(long, value_name = "FILE")]
    landfall: Option<PathBuf>,
    /// Write docs/evidence/objects.json, or objects-control.json.
    #[arg(long)]
    evidence: bool,
}

/// A chart and the values that it may be installed with, in the order in which they are tried.
struct Case {
    id: String,
    content: String,
    chart: PathBuf,
    values: Vec<Value>,
}

/// How a chart ended.
#[derive(Default)]
struct Verdict {
    /// Whether the peers refuse it.
    refused: bool,
    /// By door, what was found.
    doors: BTreeMap<Door, Found>,
}

impl Verdict {
    fn faults(&self) -> usize {
        self.doors.values().map(|found| found.faults.len()).sum()
    }
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of(
        "objects",
        Material::Corpus,
        &[&["objects", "--evidence"], &["objects", "--control", "--evidence"]],
    ));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let landfall = peers::landfall(arguments.landfall.as_deref())?;
    let programs = Programs {
        helm3: peers::binary("helm")?,
        helm4: peers::binary("helm4")?,
        kubectl: peers::binary("kubectl")?,
        landfall,
    };
    let commit = commit(root());
    let seed = arguments.seed.unwrap_or_else(sample::seed);
    let made = tempfile::Builder::new().prefix("landfall-shapes-").tempdir()?;
    let ground = if arguments.control { Ground::real()? } else { Ground::embedded() };
    if arguments.selftest {
        let cases = of_shapes(made.path(), 1, 3)?;
        return selftest(&cases, &programs, &ground);
    }
    let mut cases = of_shapes(made.path(), seed, arguments.shapes)?;
    cases.extend(own()?);
    let corpus = corpus();
    if corpus.is_empty() {
        println!("public charts: skipped: no corpus (LANDFALL_CORPUS is not set)");
    } else {
        cases.extend(public(&corpus)?);
    }
    if let Some(only) = &arguments.only {
        cases.retain(|case| case.id.contains(only.as_str()));
    }
    let cases = sample::draw("objects", cases, arguments.sample);
    println!("objects: {} charts, seed {seed}", cases.len());
    let began = Instant::now();
    // What one delivery leaves on a real server, the next one would find.
    let several = if arguments.control { 1 } else { workers::count(arguments.workers) };
    let verdicts = workers::several(several, &cases, |_, case| {
        let verdict = judged(case, &programs, &ground, seed).unwrap_or_else(|error| {
            let found = Found { faults: vec![format!("it could not be delivered: {error:#}")], ..Found::default() };
            Verdict { refused: false, doors: [(Door::Verbs, found)].into() }
        });
        tell(case, &verdict);
        verdict
    });
    let report = evidence::Report::of(&commit, arguments.control, &cases, &verdicts)?;
    report.doors.iter().for_each(|(door, counted)| println!("{door}: {counted}"));
    println!("objects: {}, {} s", report.line(), began.elapsed().as_secs());
    if arguments.evidence && arguments.only.is_none() && arguments.sample.is_none() && !corpus.is_empty() {
        report.write(root())?;
    }
    Ok(if report.failed == 0 && report.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(case: &Case, verdict: &Verdict) {
    let (mut text, mut notes) = (String::new(), String::new());
    for (door, found) in &verdict.doors {
        for fault in found.faults.iter().take(12) {
            text.push_str(&format!("    {}: {fault}\n", door.name()));
        }
        for words in &found.lenient {
            notes.push_str(&format!("    {}: the peer alone refuses: {words}\n", door.name()));
        }
    }
    let word = match (text.is_empty(), verdict.refused) {
        (true, true) => "refused alike",
        (true, false) => "equal",
        (false, _) => "DIFFERS",
    };
    print!("{word} {}\n{text}{notes}", case.id);
}

/// Charts made by shape, from a seed on.
fn of_shapes(directory: &Path, seed: u64, count: u64) -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for seed in seed..seed + count {
        let chart = directory.join(seed.to_string());
        let files = shapes::chart(seed);
        for (path, text) in &files {
            let file = chart.join(path);
            std::fs::create_dir_all(file.parent().context("a file without a folder")?)?;
            std::fs::write(file, text)?;
        }
        cases.push(Case {
            id: format!("shape/{seed}"),
            content: crate::hash(&files.into_values().collect::<String>()),
            chart,
            values: vec![Value::Object(serde_json::Map::new())],
        });
    }
    Ok(cases)
}

/// The charts of the examples and of the suite `releases`.
fn own() -> anyhow::Result<Vec<Case>> {
    let helm = Helm::find(Dialect::V3)?;
    let told = |error: Box<dyn std::error::Error>| anyhow::anyhow!("{error}");
    let mut found = cases::own(root(), &cache().join("conformance/scaffold"), &helm).map_err(told)?;
    let releases = root().join("conformance/releases/charts");
    for chart in cases::charts_below(&releases)? {
        let name = chart.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // One waits for its hook to fail.
        if name != "failhook" {
            found.extend(cases::of_chart(&format!("releases/{name}"), &chart)?);
        }
    }
    Ok(grouped(found))
}

fn public(corpus: &[PathBuf]) -> anyhow::Result<Vec<Case>> {
    let cases = cases::corpus(corpus, &cache().join("conformance/charts"));
    Ok(grouped(cases.map_err(|error| anyhow::anyhow!("the corpus cannot be read: {error}"))?))
}

/// One case a chart, with all of its values files.
fn grouped(found: Vec<parity::Case>) -> Vec<Case> {
    let mut cases: BTreeMap<PathBuf, Case> = BTreeMap::new();
    for it in found {
        let values = match it.values.first() {
            None => Value::Object(serde_json::Map::new()),
            Some((_, text)) => landfall_yaml::to_json(text).unwrap_or_default(),
        };
        let content = it.content[..16].to_owned();
        let case = cases.entry(it.chart.clone()).or_insert_with(|| Case {
            id: it.id,
            content,
            chart: it.chart,
            values: Vec::new(),
        });
        if values.is_object() && case.values.len() < TRIES {
            case.values.push(values);
        }
    }
    cases.into_values().collect()
}

/// Delivers a chart through all doors and compares.
fn judged(case: &Case, programs: &Programs, ground: &Ground, seed: u64) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::default();
    let (parcel, helm_3) = packed(case, programs, ground, seed)?;
    let mut peers = BTreeMap::from([(Door::Helm3, helm_3)]);
    let acts = peers[&Door::Helm3].len();
    let helm_4 = door::deliver(Door::Helm4, &Door::Helm4.acts(&parcel)[..acts], &parcel, programs, ground)?;
    peers.insert(Door::Helm4, helm_4);
    verdict.refused = peers.values().all(|ended| matches!(ended.first(), Some(Ended::Refused(_))));
    let mut again: BTreeMap<Door, Vec<Vec<Ended>>> = BTreeMap::new();
    for door in Door::OURS {
        let peer = door.peer();
        let acts = door.acts(&parcel);
        let acts = &acts[..acts.len().min(peers[&peer].len())];
        let ours = door::deliver(door, acts, &parcel, programs, ground)?;
        let mut found = held(door, acts, &peers[&peer], None, &ours);
        // Only where we differ does it matter whether the peer is of one mind.
        for draw in 0..DRAWS {
            if found.faults.is_empty() {
                break;
            }
            let drawn = again.entry(peer).or_default();
            if drawn.len() == draw {
                let all = &peer.acts(&parcel)[..peers[&peer].len()];
                drawn.push(door::deliver(peer, all, &parcel, programs, ground)?);
            }
            let held_again = held(door, acts, &peers[&peer], Some(&drawn[draw]), &ours);
            // Two draws may agree by chance in one place, and in another the next time.
            let faults = found.faults.iter().filter(|fault| held_again.faults.contains(fault)).cloned().collect();
            found = Found { faults, ..held_again };
        }
        if !found.faults.is_empty() && door == Door::Persona4 {
            // Helm 4 applies what is under `crds/`, so that of two charts' the last one stays; ours keeps the first, as Helm 3.
            let twice = defined_twice(&parcel.chart)?;
            found
                .faults
                .retain(|fault| !twice.iter().any(|name| fault.contains(&format!("CustomResourceDefinition {name}/"))));
        }
        if !found.faults.is_empty() && door == Door::Application {
            found = templated(&parcel, acts, &ours, programs, ground)?;
        }
        verdict.doors.insert(door, found);
    }
    Ok(verdict)
}

/// The definitions that two files under `crds/` of a chart and its dependencies bring.
fn defined_twice(directory: &Path) -> anyhow::Result<BTreeSet<String>> {
    let chart = Chart::load(&read_tree(directory)?, "")?;
    let mut once = BTreeSet::new();
    let crds = chart.crds();
    let names = crds.iter().flat_map(Crd::documents).filter_map(|document| document["metadata"]["name"].as_str());
    Ok(names.filter(|name| !once.insert(*name)).map(str::to_owned).collect())
}

/// The first values that helm 3 installs a chart with, changed ones that it upgrades it with, and how it did.
fn packed(case: &Case, programs: &Programs, ground: &Ground, seed: u64) -> anyhow::Result<(Parcel, Vec<Ended>)> {
    let text = std::fs::read(case.chart.join("values.yaml")).unwrap_or_default();
    let own = landfall_yaml::to_json(&String::from_utf8_lossy(&text)).unwrap_or_default();
    let mut refused = None;
    for values in &case.values {
        let mut defaults = own.clone();
        merge(&mut defaults, values);
        let mut last = None;
        for turn in 0..=UPGRADES {
            let mut second = values.clone();
            if turn < UPGRADES {
                merge(&mut second, &change::changed(&defaults, seed.wrapping_add(turn)));
            }
            let parcel = Parcel { chart: case.chart.clone(), first: values.clone(), second };
            let ended = door::deliver(Door::Helm3, Door::Helm3.acts(&parcel), &parcel, programs, ground)?;
            let installs = matches!(ended.first(), Some(Ended::Done(_)));
            let upgrades = matches!(ended.get(1), Some(Ended::Done(_)));
            last = Some((installs, parcel, ended));
            if !installs || upgrades {
                break;
            }
        }
        match last {
            Some((true, parcel, ended)) => return Ok((parcel, ended)),
            Some((false, parcel, ended)) => refused = refused.or(Some((parcel, ended))),
            None => {}
        }
    }
    refused.context("no values to install it with")
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// What an Application has left, held against what Argo CD's own call of Helm gives for the values of each act.
fn templated(
    parcel: &Parcel,
    acts: &[Act],
    ours: &[Ended],
    programs: &Programs,
    ground: &Ground,
) -> anyhow::Result<Found> {
    let deliver = |act: &Act| -> anyhow::Result<Ended> {
        let ended = door::deliver(Door::Templated, &[*act], parcel, programs, ground)?;
        ended.into_iter().next().context("an act without an end")
    };
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for act in acts {
        first.push(deliver(act)?);
        second.push(deliver(act)?);
    }
    Ok(held(Door::Templated, acts, &first, Some(&second), ours))
}

/// What one of our doors has done, held against its peer.
fn held(door: Door, acts: &[Act], peer: &[Ended], again: Option<&[Ended]>, ours: &[Ended]) -> Found {
    let mut all = Found::default();
    for (at, (act, theirs)) in acts.iter().zip(peer).enumerate() {
        let found = match (theirs, ours.get(at)) {
            (Ended::Refused(_), Some(Ended::Refused(_))) => Found::default(),
            (Ended::Done(theirs), Some(Ended::Done(own))) => {
                let second = again.and_then(|again| match again.get(at) {
                    Some(Ended::Done(second)) => Some(second),
                    _ => None,
                });
                stored_alike(door, theirs, second, own)
            }
            (Ended::Done(_), Some(Ended::Refused(words))) if door.looks_ahead() && words.contains(MISSING) => {
                Found { held_back: 1, ..Found::default() }
            }
            (Ended::Done(_), Some(Ended::Refused(words))) => one_fault(format!("we refuse: {}", last_lines(words))),
            (Ended::Refused(words), Some(Ended::Done(_))) => {
                Found { lenient: vec![last_lines(words)], ..Found::default() }
            }
            (_, None) => break,
        };
        all.objects += found.objects;
        all.values += found.values;
        all.drawn += found.drawn;
        all.held_back += found.held_back;
        all.lenient.extend(found.lenient.into_iter().map(|words| format!("{}: {words}", act.name())));
        all.faults.extend(found.faults.into_iter().map(|fault| format!("{}: {fault}", act.name())));
    }
    all
}

fn one_fault(text: String) -> Found {
    Found { faults: vec![text], ..Found::default() }
}

fn last_lines(words: &str) -> String {
    let lines: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" | ")
}

fn stored_alike(door: Door, peer: &Stored, again: Option<&Stored>, ours: &Stored) -> Found {
    let (mut peer, mut ours) = (peer.as_seen_from(door), ours.as_seen_from(door));
    let mut again = again.map(|again| again.as_seen_from(door));
    if door == Door::Application {
        leave_single_hooks(&mut peer, &mut ours);
        if let Some(again) = &mut again {
            leave_single_hooks(again, &mut ours);
        }
    }
    compare(&peer, again.as_ref(), &ours)
}

/// Shows that a lost newline, a lost null and a number of another type are seen, and that nothing is seen without them.
fn selftest(cases: &[Case], programs: &Programs, ground: &Ground) -> anyhow::Result<ExitCode> {
    type Plant = fn(&mut Value) -> bool;
    const PLANTS: [(&str, Plant); 3] = [
        ("a newline", |value| match value {
            Value::String(text) if text.ends_with('\n') => text.pop().is_some(),
            _ => false,
        }),
        ("a null", |value| match value {
            Value::Object(map) => {
                let key = map.iter().find(|(_, value)| value.is_null()).map(|(key, _)| key.clone());
                key.is_some_and(|key| map.remove(&key).is_some())
            }
            _ => false,
        }),
        ("an integer's type", |value| match value {
            Value::Number(number) if number.is_i64() => {
                *value = Value::String(number.to_string());
                true
            }
            _ => false,
        }),
    ];
    let (mut seen, mut clean) = (BTreeMap::new(), 0);
    for case in cases {
        let (parcel, peer) = packed(case, programs, ground, 1)?;
        let ours = door::deliver(Door::Verbs, &[Act::Install], &parcel, programs, ground)?;
        let (Some(Ended::Done(peer)), Some(Ended::Done(ours))) = (peer.first(), ours.first()) else { continue };
        let found = stored_alike(Door::Verbs, peer, None, ours);
        anyhow::ensure!(found.faults.is_empty(), "{} differs without a plant: {:?}", case.id, found.faults);
        clean += 1;
        for (name, plant) in PLANTS {
            let mut planted = ours.clone();
            let Some(key) =
                planted.objects.iter_mut().find_map(|(key, object)| sow(object, plant).then(|| key.clone()))
            else {
                continue;
            };
            let faults = stored_alike(Door::Verbs, peer, None, &planted).faults;
            anyhow::ensure!(faults.len() == 1, "{name} planted in {key} of {} was not seen: {faults:?}", case.id);
            *seen.entry(name).or_insert(0) += 1;
        }
    }
    anyhow::ensure!(clean > 0 && seen.len() == PLANTS.len(), "not everything could be planted: {seen:?}");
    println!("objects selftest: {clean} charts alike, and seen when planted: {seen:?}");
    Ok(ExitCode::SUCCESS)
}

/// Plants at the first place that takes it.
fn sow(value: &mut Value, plant: fn(&mut Value) -> bool) -> bool {
    if plant(value) {
        return true;
    }
    match value {
        Value::Object(map) => map.values_mut().any(|value| sow(value, plant)),
        Value::Array(items) => items.iter_mut().any(|value| sow(value, plant)),
        _ => false,
    }
}
