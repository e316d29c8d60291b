//! Templates parsed and executed on all processors, wherever that gives what one after the other would give.
//!
//! Parsing is independent of order. Executing is, as long as no template writes into what others read, which cannot be
//! told from the text alone (`tpl`, `merge` into a map that holds a shared one). So what is shared is watched while
//! they run: at the first write all is thrown away and done again in order, on values that are still as they were.

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use landfall_gotemplate::{Map, Set, Str, Value, Watch};

use super::not_at_hand::NotAtHand;
use super::one::one;
use super::renderable::{Renderable, TEMPLATE};
use super::{RenderOptions, Tracing};
use crate::dialect::Dialect;
use crate::error::ChartError;
use crate::objects;
use crate::rendered_file::{RenderedFile, TemplateSource};

/// Less text than this, in bytes, is done sooner than a thread is started.
const WORTH_THREADS: usize = 48 * 1024;

/// More threads than this are not used.
const MOST_THREADS: usize = 8;

/// Parses all texts into the set, in their order.
pub(super) fn parse(set: &mut Set, texts: &[(&str, &TemplateSource)]) -> Result<(), ChartError> {
    let size: usize = texts.iter().map(|(_, source)| source.text.len()).sum();
    let failed = |at: usize, error: landfall_gotemplate::ParseError| {
        let place = texts[at].1.line(error.line);
        ChartError::Parse { error: Box::new(error), place: Box::new(place) }
    };
    let threads = threads(texts.len(), size);
    if threads < 2 {
        for (at, (path, source)) in texts.iter().enumerate() {
            let parsed = set.parsed_text(path, &Str::from(source.text.clone())).map_err(|error| failed(at, error))?;
            set.add(parsed);
        }
        return Ok(());
    }
    let known: &Set = set;
    let failed_at = AtomicUsize::new(usize::MAX);
    let parsed = each(texts.len(), threads, |at| {
        // What stands behind the first that cannot be parsed is not wanted any more.
        if at > failed_at.load(Ordering::Relaxed) {
            return None;
        }
        let parsed = known.parsed_text(texts[at].0, &Str::from(texts[at].1.text.clone()));
        if parsed.is_err() {
            failed_at.fetch_min(at, Ordering::Relaxed);
        }
        Some(parsed)
    });
    for (at, parsed) in parsed.into_iter().enumerate() {
        match parsed {
            Some(parsed) => set.add(parsed.map_err(|error| failed(at, error))?),
            None => unreachable!("every text in front of the first that failed was parsed"),
        }
    }
    Ok(())
}

/// What has come of executing templates side by side.
pub(super) enum Together {
    /// All that in order would have given.
    Done(Result<Vec<RenderedFile>, ChartError>),
    /// Nothing: one wrote into what others read. The values are as they were.
    Noticed,
    /// Nothing: it was not tried.
    NotTried,
}

/// Executes all templates, where that can be done side by side.
pub(super) fn execute(
    set: &Set,
    run: &[(&str, &Renderable)],
    options: &RenderOptions,
    not_at_hand: &NotAtHand,
) -> Together {
    let size: usize = run.iter().map(|(_, template)| template.source.text.len()).sum();
    let threads = threads(run.len(), size);
    let ordered = options.tracing == Tracing::On || options.lookup.is_some() || options.sprig.random.is_sequence();
    if threads < 2 || ordered || !children_come_first(run) {
        return Together::NotTried;
    }
    // What a parent sees of its children's scopes is what their last template left there.
    for (path, template) in run {
        template.scope.insert(TEMPLATE, template.about(path, options.dialect));
    }
    let watch = Watch::new();
    for (_, template) in run {
        watch.over(&template.scope.clone().into());
    }
    let failed_at = AtomicUsize::new(usize::MAX);
    let results = each(run.len(), threads, |at| {
        if watch.has_noticed() || at > failed_at.load(Ordering::Relaxed) {
            return None;
        }
        let (path, template) = run[at];
        let dot = seen_by(path, template, &watch, options.dialect);
        let result = one(set, path, &dot, &mut options.sprig.clone(), options);
        let result = not_at_hand.forgives(result);
        if result.is_err() {
            failed_at.fetch_min(at, Ordering::Relaxed);
        }
        Some(result)
    });
    watch.end();
    if watch.has_noticed() {
        for (_, template) in run {
            template.scope.remove(TEMPLATE);
        }
        return Together::Noticed;
    }
    // In front of the first that failed all have been executed.
    Together::Done(results.into_iter().flatten().collect())
}

/// What a template is executed on that is not to see what others do to the scope of their chart; it is watched.
pub(super) fn seen_by(path: &str, template: &Renderable, watch: &Watch, dialect: Dialect) -> Value {
    // Every template has a scope of its own, which differs only in what it says about the template.
    let scope: Map = template.scope.entries().into_iter().collect();
    let about = template.about(path, dialect);
    watch.over(&about);
    scope.insert(TEMPLATE, about);
    // The rest of it is watched in the scope that it was taken from.
    watch.over_map(&scope);
    objects::values(&scope, dialect)
}

/// Whether every template of a subchart is executed before those of the charts above it.
pub(super) fn children_come_first(run: &[(&str, &Renderable)]) -> bool {
    let mut seen: HashSet<&str> = HashSet::new();
    for (_, template) in run {
        let chart = template.base_path();
        if !seen.insert(chart) {
            continue;
        }
        let mut above = chart;
        while let Some((parent, _)) = above.rsplit_once("/charts/") {
            let own = seen.iter().any(|base| base.strip_suffix("/templates") == Some(parent));
            if own {
                return false;
            }
            above = parent;
        }
    }
    true
}

/// Calls `work` for each piece and gives the results in order; side by side where there is that much text.
pub(crate) fn map<P: Sync, T: Send>(pieces: &[P], size: usize, work: impl Fn(&P) -> T + Sync) -> Vec<T> {
    each(pieces.len(), threads(pieces.len(), size), |at| Some(work(&pieces[at]))).into_iter().flatten().collect()
}

/// How many threads are worth their start.
fn threads(pieces: usize, size: usize) -> usize {
    if size < WORTH_THREADS {
        return 1;
    }
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS).min(pieces)
}

/// Calls `work` with every number below `count`, on this and further threads, and gives the results in order; once
/// `work` gives `None`, no further numbers are begun.
fn each<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> Option<T> + Sync) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let take = || {
        let mut done = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                break;
            }
            match work(at) {
                Some(result) => done.push((at, result)),
                None => stopped.store(true, Ordering::Relaxed),
            }
        }
        done
    };
    let mut results: Vec<Option<T>> = Vec::new();
    results.resize_with(count, || None);
    thread::scope(|scope| {
        // Where the system gives no further thread, this one does it all.
        let others: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, take).ok()).collect();
        let mut done = take();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        for (at, result) in done {
            results[at] = Some(result);
        }
    });
    results
}
