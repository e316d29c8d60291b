//! A chart that is rendered again and again with other values: templates that read nothing of what differs have printed it already.
//!
//! ```text
//! first rendering ─► templates parsed ─► each executed, what it reads of its scope written down ─► kept
//! next one ─► its values held against the first's ─► which keys differ ─► templates that read one are executed again, the others kept
//! ```
//!
//! A template that writes into what others read makes them depend on each other: then all are executed, in order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use landfall_gotemplate::{Map, Reads, Recording, Set, Watch};
use landfall_sprig::Context;

use super::execute::in_order;
use super::not_at_hand::NotAtHand;
use super::one::one;
use super::renderable::{Renderable, TEMPLATE};
use super::side_by_side::{children_come_first, seen_by};
use super::{Prepared, ReleaseInfo, RenderOptions, Strictness};
use crate::capabilities::Capabilities;
use crate::chart::Chart;
use crate::dependency::table_at;
use crate::dialect::Dialect;
use crate::error::ChartError;
use crate::functions::Surroundings;
use crate::manifest::Manifest;
use crate::rendered_file::RenderedFile;
use crate::tree::Bytes;

/// So many renderings are kept: of the charts of a unit, on another cluster, under another name.
const MOST: usize = 8;

/// What earlier renderings of charts have read and printed, for others of the same charts with other values. Clones share it.
///
/// It is for renderings that see the same cluster and begin with the same chance and the same time, in which nobody asks where bytes
/// come from. A template that is executed again finds chance where the first rendering found it there, whatever others draw.
#[derive(Clone, Default)]
pub struct Before(Arc<Known>);

#[derive(Default)]
struct Known {
    kept: Mutex<Vec<Arc<Kept>>>,
    steps: AtomicU64,
}

/// One rendering.
struct Kept {
    dialect: Dialect,
    release: ReleaseInfo,
    capabilities: Capabilities,
    /// All templates, partials too, parsed.
    set: Set,
    surroundings: Arc<Surroundings>,
    sources: BTreeMap<String, Bytes>,
    /// The charts that take part, with templates or without: `.Chart.Dependencies` and `.Subcharts` name them.
    parts: Vec<String>,
    values: Map,
    /// By template; nothing where they depend on each other.
    printed: Option<BTreeMap<String, Printed>>,
}

/// What one template did.
struct Printed {
    reads: Reads,
    /// Chance as it found it.
    chance: Context,
    text: Vec<u8>,
    documents: Option<Vec<Manifest>>,
    left_out: Option<String>,
}

/// The templates of a rendering.
pub(super) struct Templates<'a> {
    pub(super) all: &'a BTreeMap<String, Renderable>,
    /// Those that print, in their order.
    pub(super) run: &'a [(&'a str, &'a Renderable)],
}

/// What was made of them.
type Outcome = Result<Vec<RenderedFile>, ChartError>;

impl Before {
    /// Executes templates, of which some may be known; `parse` makes the set that they are executed in. Gives what that has said
    /// meanwhile, too.
    pub(super) fn execute(
        &self,
        (prepared, release, capabilities): (&Prepared, &ReleaseInfo, &Capabilities),
        templates: &Templates<'_>,
        options: &RenderOptions,
        parse: impl FnOnce() -> Result<(Set, Arc<Surroundings>), ChartError>,
    ) -> Result<(Outcome, Arc<Surroundings>), ChartError> {
        let not_at_hand = NotAtHand::of(&prepared.chart);
        let (known, has_room) = {
            let kept = self.kept();
            let known = kept.iter().find(|it| it.is_of((prepared, release, capabilities), templates, options)).cloned();
            (known, kept.len() < MOST)
        };
        if let Some(known) = known {
            known.set.begin_again();
            let outcome = known.again(prepared, templates, options, &not_at_hand).unwrap_or_else(|| {
                self.count(&known.set);
                known.set.begin_again();
                plainly(&known.set, templates, options, &not_at_hand)
            });
            self.count(&known.set);
            return Ok((outcome, Arc::clone(&known.surroundings)));
        }
        let (set, surroundings) = parse()?;
        let Some(chance) = options.sprig.forked().filter(|_| has_room) else {
            let outcome = plainly(&set, templates, options, &not_at_hand);
            self.count(&set);
            return Ok((outcome, surroundings));
        };
        let (outcome, seen) = match first(&set, templates, options, &not_at_hand) {
            Some((outcome, seen)) => (outcome, Some(seen)),
            None => {
                self.count(&set);
                set.begin_again();
                let options = RenderOptions { sprig: chance, ..options.clone() };
                (plainly(&set, templates, &options, &not_at_hand), None)
            }
        };
        self.count(&set);
        if let Ok(files) = &outcome {
            let this = Kept {
                dialect: options.dialect,
                release: release.clone(),
                capabilities: capabilities.clone(),
                set,
                surroundings: Arc::clone(&surroundings),
                sources: templates.all.iter().map(|(path, it)| (path.clone(), it.source.text.clone())).collect(),
                parts: parts(&prepared.chart),
                values: prepared.values.clone(),
                printed: seen.and_then(|seen| with_texts(seen, templates, files)),
            };
            self.kept().push(Arc::new(this));
        }
        Ok((outcome, surroundings))
    }

    /// The steps of all executions so far, of some 20 ns each, those that are traced included; what was given up and done again
    /// counts twice.
    pub fn steps(&self) -> u64 {
        self.0.steps.load(Ordering::Relaxed)
    }

    /// Counts what templates of a rendering have worked.
    pub(super) fn count(&self, set: &Set) {
        self.0.steps.fetch_add(set.steps(), Ordering::Relaxed);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Arc<Kept>>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All in order, as if nothing was known.
fn plainly(set: &Set, templates: &Templates<'_>, options: &RenderOptions, not_at_hand: &NotAtHand) -> Outcome {
    let mut recording = Recording::new();
    in_order(set, templates.run, &mut recording, options, (Strictness::Full, not_at_hand))
}

/// Executes all, each seen by itself: what came of it, what each read and where it found chance. Nothing where one writes into
/// what others read, or where the order of charts matters; all is as it was then, but for chance.
fn first(
    set: &Set,
    templates: &Templates<'_>,
    options: &RenderOptions,
    not_at_hand: &NotAtHand,
) -> Option<(Outcome, Vec<(Reads, Context)>)> {
    if !children_come_first(templates.run) {
        return None;
    }
    let mut known = Vec::new();
    let outcome = watched(Watch::reading(), templates, options, |watch, (path, template)| {
        let mut context = options.sprig.clone();
        let chance = context.forked().unwrap_or_else(|| context.clone());
        let dot = seen_by(path, template, watch, options.dialect);
        let _of_the_watch = watch.take_reads();
        let file = not_at_hand.forgives(one(set, path, &dot, &mut context, options));
        known.push((watch.take_reads(), chance));
        file
    })?;
    Some((outcome, known))
}

/// Executes templates under a watch over what they share. Nothing where one writes into it: no write was made then.
fn watched<'t>(
    watch: Watch,
    templates: &Templates<'t>,
    options: &RenderOptions,
    mut run: impl FnMut(&Watch, (&'t str, &'t Renderable)) -> Result<RenderedFile, ChartError>,
) -> Option<Outcome> {
    for (path, template) in templates.run {
        template.scope.insert(TEMPLATE, template.about(path, options.dialect));
    }
    for (_, template) in templates.run {
        watch.over(&template.scope.clone().into());
    }
    let mut files = Vec::new();
    let mut failed = None;
    for it in templates.run {
        match run(&watch, *it) {
            _ if watch.has_noticed() => break,
            Ok(file) => files.push(file),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    watch.end();
    if watch.has_noticed() {
        for (_, template) in templates.run {
            template.scope.remove(TEMPLATE);
        }
        return None;
    }
    Some(failed.map_or(Ok(files), Err))
}

/// What templates did, with what they printed; nothing where something cannot be printed again.
fn with_texts(
    known: Vec<(Reads, Context)>,
    templates: &Templates<'_>,
    files: &[RenderedFile],
) -> Option<BTreeMap<String, Printed>> {
    let printed = templates.run.iter().zip(known).zip(files).map(|(((path, _), (reads, chance)), file)| {
        let documents = match &file.documents {
            None => None,
            Some(Ok(documents)) => Some(documents.clone()),
            Some(Err(_)) => return None,
        };
        let printed = Printed { reads, chance, text: file.text.clone(), documents, left_out: file.left_out.clone() };
        Some(((*path).to_owned(), printed))
    });
    printed.collect()
}

impl Kept {
    /// Whether a rendering is of the same charts, and sees the same release and cluster.
    fn is_of(
        &self,
        (prepared, release, capabilities): (&Prepared, &ReleaseInfo, &Capabilities),
        templates: &Templates<'_>,
        options: &RenderOptions,
    ) -> bool {
        self.dialect == options.dialect
            && self.release == *release
            && self.sources.len() == templates.all.len()
            && self.sources.iter().zip(templates.all).all(|((path, text), (other, template))| {
                path == other && (Arc::ptr_eq(text, &template.source.text) || *text == template.source.text)
            })
            && self.capabilities == *capabilities
            && self.parts == parts(&prepared.chart)
    }

    /// Renders with other values; nothing where a template writes into what others read: nothing was written then.
    fn again(
        &self,
        prepared: &Prepared,
        templates: &Templates<'_>,
        options: &RenderOptions,
        not_at_hand: &NotAtHand,
    ) -> Option<Outcome> {
        let known = self.printed.as_ref().filter(|_| have_same_tables(&prepared.chart, &self.values, &prepared.values));
        let Some(printed) = known else { return Some(plainly(&self.set, templates, options, not_at_hand)) };
        let changed = self.values.differences(&prepared.values);
        watched(Watch::new(), templates, options, |watch, (path, template)| {
            let known = printed.get(path);
            let is_touched =
                |known: &&Printed| changed.iter().any(|(map, key)| known.reads.has_key(map, key.as_bytes()));
            if let Some(same) = known.filter(|known| !is_touched(known)) {
                return Ok(same.file());
            }
            let chance = known.map_or(&options.sprig, |known| &known.chance);
            let mut context = chance.forked().unwrap_or_else(|| chance.clone());
            let dot = seen_by(path, template, watch, options.dialect);
            not_at_hand.forgives(one(&self.set, path, &dot, &mut context, options))
        })
    }
}

impl Printed {
    fn file(&self) -> RenderedFile {
        RenderedFile {
            text: self.text.clone(),
            trace: None,
            removed: Vec::new(),
            documents: self.documents.clone().map(Ok),
            left_out: self.left_out.clone(),
        }
    }
}

/// The charts below one, at any depth, and what each declares of those that take part.
fn parts(chart: &Chart) -> Vec<String> {
    let mut all: Vec<String> =
        chart.metadata.dependencies.iter().map(|it| format!("{}:{}", it.name, it.alias)).collect();
    for child in &chart.dependencies {
        all.push(child.name().to_owned());
        all.extend(parts(child).iter().map(|part| format!("{}/{part}", child.name())));
    }
    all
}

/// Whether the charts have tables of their own in both, or in neither: a chart without one sees an empty one that lies nowhere.
fn have_same_tables(chart: &Chart, one: &Map, other: &Map) -> bool {
    chart.dependencies.iter().all(|child| {
        let name = child.name().as_bytes();
        match (table_at(one, name), table_at(other, name)) {
            (Ok(one), Ok(other)) => have_same_tables(child, &one, &other),
            (Err(_), Err(_)) => child.dependencies.is_empty(),
            _ => false,
        }
    })
}

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept();
        let alone = kept.iter().filter(|it| it.printed.is_some()).count();
        f.debug_struct("Before").field("kept", &kept.len()).field("alone", &alone).finish()
    }
}
