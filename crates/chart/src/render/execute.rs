//! Parsing and executing a chart's templates in Helm's order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError};

use landfall_diag::Place;
use landfall_gotemplate::{Map, MissingKey, Recording, Set, Str, Trace, Value};

use super::side_by_side::{self, Together};
use super::{Operation, Prepared, ReleaseInfo, RenderOptions, Tracing, is_notes};
use crate::capabilities::Capabilities;
use crate::chart::Chart;
use crate::dependency::table_at;
use crate::dialect::Dialect;
use crate::error::{Broken, ChartError, Problem};
use crate::functions::{Surroundings, functions};
use crate::limits::MAX_RENDERED;
use crate::manifest::{Manifest, documents};
use crate::objects::{self, capabilities_object, chart_object};
use crate::tree::Bytes;
use crate::values::built_in;
use crate::warning::Warnings;

/// What Go prints for nothing at all; Helm takes it out of every rendered file.
const NO_VALUE: &[u8] = b"<no value>";

/// Bytes of output that a document counts as, beside its text: what is known of it stays until the last is rendered.
const DOCUMENT: u64 = 512;

/// Rendered files by path.
#[derive(Debug, Default)]
pub(crate) struct Files {
    files: BTreeMap<String, RenderedFile>,
    /// All templates, partials too.
    sources: BTreeMap<String, TemplateSource>,
    /// What their traces mean.
    pub(crate) recording: Recording,
}

/// One template's output.
#[derive(Debug)]
pub(crate) struct RenderedFile {
    pub(crate) text: Vec<u8>,
    pub(crate) trace: Option<Trace>,
    /// What was taken out of the output, as ranges of the output before.
    pub(crate) removed: Vec<Range<usize>>,
    /// The output cut into documents, where nobody wants it whole; the text is gone then.
    documents: Option<Result<Vec<Manifest>, ChartError>>,
}

impl RenderedFile {
    /// In no more room than it needs: all of them wait for the last one.
    fn kept(mut self) -> Self {
        self.text.shrink_to_fit();
        self
    }

    /// Cuts the output into documents, unless it is to be shown as it is.
    fn cut(mut self, path: &str, dialect: Dialect) -> Self {
        if !is_notes(path)
            && let Ok(text) = std::str::from_utf8(&self.text)
        {
            self.documents = Some(documents(path, text, dialect));
            self.text = Vec::new();
        }
        self
    }
}

/// A template file.
#[derive(Debug, Clone)]
pub(crate) struct TemplateSource {
    /// Path as its owner would type it.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: Bytes,
}

impl TemplateSource {
    /// A line of the file, from 1.
    pub(crate) fn line(&self, line: u32) -> Place {
        Place::line(&self.path, line).source_from(&String::from_utf8_lossy(&self.text))
    }
}

impl Files {
    /// The documents of each file, by path.
    pub(crate) fn documents(&mut self, dialect: Dialect) -> Result<Vec<Result<Vec<Manifest>, ChartError>>, ChartError> {
        let whole = self.files.iter().filter(|(_, file)| file.documents.is_none());
        let texts = whole.map(|(path, file)| match std::str::from_utf8(&file.text) {
            Ok(text) => Ok((path.as_str(), text)),
            Err(_) => {
                // go-yaml's words; manifests are the only thing that is read as YAML.
                let problem = Problem::Yaml("invalid leading UTF-8 octet".into());
                Err(ChartError::manifest(path, (Broken::Yaml, problem), None, "", 0, ""))
            }
        });
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let size = texts.iter().map(|(_, text)| text.len()).sum();
        let mut cut = side_by_side::map(&texts, size, |(path, text)| documents(path, text, dialect)).into_iter();
        Ok(self.files.values_mut().filter_map(|file| file.documents.take().or_else(|| cut.next())).collect())
    }

    /// Takes files out.
    pub(super) fn take(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let paths: Vec<String> = self.files.keys().filter(|path| wanted(path)).cloned().collect();
        paths
            .into_iter()
            .filter_map(|path| {
                let file = self.files.remove(&path)?;
                Some((path, String::from_utf8_lossy(&file.text).into_owned()))
            })
            .collect()
    }

    /// A template by the name it is parsed under.
    pub(crate) fn template(&self, path: &str) -> Option<&TemplateSource> {
        self.sources.get(path)
    }

    /// The traces of all files.
    pub(crate) fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.files.values().filter_map(|file| file.trace.as_ref())
    }

    /// One file.
    pub(crate) fn get(&self, path: &str) -> Option<&RenderedFile> {
        self.files.get(path)
    }
}

/// A template with the scope it is executed in.
pub(super) struct Renderable {
    pub(super) scope: Map,
    base_path: Arc<str>,
    pub(super) source: TemplateSource,
}

/// Under which name a template finds itself in its scope.
pub(super) const TEMPLATE: &str = "Template";

impl Renderable {
    /// What a template is told about itself.
    pub(super) fn about(&self, path: &str, dialect: Dialect) -> Value {
        let about: Map =
            [("Name", Value::from(path)), ("BasePath", Value::from(&*self.base_path))].into_iter().collect();
        objects::values(&about, dialect)
    }

    /// The directory of the chart's templates, which tells its charts apart.
    pub(super) fn base_path(&self) -> &str {
        &self.base_path
    }
}

/// Renders all templates.
pub(crate) fn execute(
    prepared: &Prepared,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
    options: &RenderOptions,
    warnings: &mut Warnings,
) -> Result<Files, ChartError> {
    execute_with(prepared, release, capabilities, options, Strictness::Full, warnings)
}

/// How `required` and `fail` are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// They stop rendering.
    Full,
    /// They are noted (lint).
    Lenient,
}

/// As [`execute`]; what is noted on the way is added to `warnings`, even where rendering stops.
pub(crate) fn execute_with(
    prepared: &Prepared,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
    options: &RenderOptions,
    strictness: Strictness,
    warnings: &mut Warnings,
) -> Result<Files, ChartError> {
    let templates = collect(prepared, release, capabilities, options.dialect);
    // Deepest first, and of equal depth the last name first: a parent's definitions come later and so win.
    let mut order: Vec<&str> = templates.keys().map(String::as_str).collect();
    let depth = |path: &str| path.matches('/').count();
    order.sort_by(|a, b| depth(b).cmp(&depth(a)).then_with(|| b.cmp(a)));
    let surroundings = Arc::new(Surroundings {
        lookup: options.lookup.clone(),
        lenient: strictness == Strictness::Lenient,
        warnings: Default::default(),
    });
    let mut funcs = landfall_sprig::funcs();
    if options.dialect == Dialect::V4 {
        funcs.extend(landfall_sprig::helm4_funcs());
    }
    funcs.extend(functions(&surroundings));
    let mut set = Set::new("gotpl", funcs, MissingKey::Zero);
    set.limit_together();
    let texts: Vec<(&str, &TemplateSource)> = order.iter().map(|path| (*path, &templates[*path].source)).collect();
    let is_partial = |path: &str| path.rsplit('/').next().unwrap_or(path).starts_with('_');
    let run: Vec<(&str, &Renderable)> =
        order.iter().filter(|path| !is_partial(path)).map(|path| (*path, &templates[*path])).collect();
    let at_once = options.tracing == Tracing::Off && strictness == Strictness::Full;
    let later = if at_once {
        parse_what_others_need(&mut set, &texts, |path| !is_partial(path))?
    } else {
        side_by_side::parse(&mut set, &texts)?;
        Vec::new()
    };
    let together =
        if strictness == Strictness::Full { side_by_side::execute(&set, &run, options) } else { Together::NotTried };
    let mut recording = Recording::new();
    let rendered = match together {
        Together::Done(rendered) => rendered,
        Together::NotTried => in_order(&set, &run, &mut recording, options, strictness),
        Together::Noticed => {
            set.begin_again();
            side_by_side::parse(&mut set, &later)?;
            in_order(&set, &run, &mut recording, options, strictness)
        }
    };
    warnings.0.append(&mut surroundings.warnings.lock().unwrap_or_else(PoisonError::into_inner).0);
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) => {
            // Helm parses all before it executes one: what cannot be parsed is what it says.
            side_by_side::parse(&mut set, &later)?;
            return Err(error);
        }
    };
    let files = run.iter().map(|(path, _)| (*path).to_owned()).zip(rendered).collect();
    let mut files = Files { files, recording, ..Files::default() };
    if options.tracing == Tracing::On {
        files.sources = templates.into_iter().map(|(path, template)| (path, template.source)).collect();
    }
    Ok(files)
}

/// Parses the templates that others may include, and defers those that only print: each of them is parsed, executed
/// and let go of by itself, so that a large chart is never in memory as a whole. Gives those.
fn parse_what_others_need<'t>(
    set: &mut Set,
    texts: &[(&'t str, &'t TemplateSource)],
    prints: impl Fn(&str) -> bool,
) -> Result<Vec<(&'t str, &'t TemplateSource)>, ChartError> {
    let (later, now): (Vec<_>, Vec<_>) =
        texts.iter().copied().partition(|(path, source)| prints(path) && Set::is_alone(&source.text));
    let parsed = side_by_side::parse(set, &now);
    // Of several that cannot be parsed, or that define the same, the order of all decides.
    if parsed.is_err() || later.iter().any(|(path, _)| set.contains(path)) {
        set.clear();
        side_by_side::parse(set, texts)?;
        return Ok(Vec::new());
    }
    for (path, source) in &later {
        set.defer(path, Str::from(source.text.clone()));
    }
    Ok(later)
}

/// Executes one template after the other; what one writes into shared values, the next one sees.
fn in_order(
    set: &Set,
    run: &[(&str, &Renderable)],
    recording: &mut Recording,
    options: &RenderOptions,
    strictness: Strictness,
) -> Result<Vec<RenderedFile>, ChartError> {
    let mut context = options.sprig.clone();
    run.iter()
        .map(|(path, template)| {
            template.scope.insert(TEMPLATE, template.about(path, options.dialect));
            let dot = objects::values(&template.scope, options.dialect);
            match options.tracing {
                Tracing::Off if strictness == Strictness::Full => one(set, path, &dot, &mut context, options),
                Tracing::Off => whole(set, path, &dot, &mut context, options).map(RenderedFile::kept),
                Tracing::On => traced(set, path, &dot, &mut context, (recording, options)).map(RenderedFile::kept),
            }
        })
        .collect()
}

/// Executes one template and cuts its output into documents.
pub(super) fn one(
    set: &Set,
    path: &str,
    dot: &Value,
    context: &mut landfall_sprig::Context,
    options: &RenderOptions,
) -> Result<RenderedFile, ChartError> {
    let file = whole(set, path, dot, context, options)?.cut(path, options.dialect);
    let documents = file.documents.as_ref().map_or(0, |documents| documents.as_ref().map_or(0, Vec::len));
    if !set.charge(documents as u64 * DOCUMENT, options.limits) {
        return Err(ChartError::RenderedSize { size: MAX_RENDERED });
    }
    Ok(file)
}

/// Executes one template.
fn whole(
    set: &Set,
    path: &str,
    dot: &Value,
    context: &mut landfall_sprig::Context,
    options: &RenderOptions,
) -> Result<RenderedFile, ChartError> {
    let text = set.execute(path, dot, context, options.limits).map_err(failed)?;
    check_printed(set, &text)?;
    Ok(rendered_file(text, None))
}

/// Counts what a template has printed; that all together is too much is noticed before it is read.
fn check_printed(set: &Set, text: &[u8]) -> Result<(), ChartError> {
    let printed = set.printed(text.len() as u64);
    if printed > MAX_RENDERED as u64 {
        return Err(ChartError::RenderedSize { size: usize::try_from(printed).unwrap_or(usize::MAX) });
    }
    Ok(())
}

/// Executes one template and records where everything comes from.
fn traced(
    set: &Set,
    path: &str,
    dot: &Value,
    context: &mut landfall_sprig::Context,
    (recording, options): (&mut Recording, &RenderOptions),
) -> Result<RenderedFile, ChartError> {
    let (text, trace) = set.execute_traced(path, dot, context, options.limits, recording).map_err(failed)?;
    check_printed(set, &text)?;
    Ok(rendered_file(text, Some(trace)))
}

fn failed(error: landfall_gotemplate::ExecError) -> ChartError {
    ChartError::Exec { error: Box::new(error), evidence: Default::default() }
}

fn rendered_file(text: Vec<u8>, trace: Option<Trace>) -> RenderedFile {
    let (text, removed) = without_no_value(text);
    RenderedFile { text, trace, removed, documents: None }
}

fn without_no_value(text: Vec<u8>) -> (Vec<u8>, Vec<Range<usize>>) {
    let mut removed = Vec::new();
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&text[from..], NO_VALUE) {
        removed.push(from + at..from + at + NO_VALUE.len());
        from += at + NO_VALUE.len();
    }
    if removed.is_empty() {
        return (text, removed);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for range in &removed {
        out.extend_from_slice(&text[from..range.start]);
        from = range.end;
    }
    out.extend_from_slice(&text[from..]);
    (out, removed)
}

/// All templates of a chart and its subcharts, each with its scope (helm: `recAllTpls`).
fn collect(
    prepared: &Prepared,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
    dialect: Dialect,
) -> BTreeMap<String, Renderable> {
    let about: Map = [
        ("Name", Value::from(release.name.as_str())),
        ("Namespace", Value::from(release.namespace.as_str())),
        ("IsUpgrade", Value::from(release.operation == Operation::Upgrade)),
        ("IsInstall", Value::from(release.operation == Operation::Install)),
        ("Revision", Value::int(release.revision)),
        ("Service", Value::from("Helm")),
    ]
    .into_iter()
    .map(|(name, value)| (name, built_in(&format!(".Release.{name}"), value)))
    .collect();
    let shared =
        Shared { release: Value::from(about), capabilities: capabilities_object(capabilities, dialect), dialect };
    let mut templates = BTreeMap::new();
    let chart = &prepared.chart;
    shared.scope(chart, &prepared.values, chart.name(), true, &mut templates);
    templates
}

/// What all scopes have in common.
struct Shared {
    release: Value,
    capabilities: Value,
    dialect: Dialect,
}

impl Shared {
    fn scope(
        &self,
        chart: &Chart,
        values: &Map,
        path: &str,
        is_root: bool,
        templates: &mut BTreeMap<String, Renderable>,
    ) -> Map {
        let subcharts = Map::new();
        let scope: Map = [
            ("Chart", chart_object(chart, is_root, self.dialect)),
            ("Files", Value::host(objects::Files::of(chart))),
            ("Release", self.release.clone()),
            ("Capabilities", self.capabilities.clone()),
            ("Values", objects::values(values, self.dialect)),
            ("Subcharts", Value::from(subcharts.clone())),
        ]
        .into_iter()
        .collect();
        let below = match (&chart.loaded_name, path.rsplit_once('/')) {
            (Some(name), Some((parent, _))) => format!("{parent}/{name}"),
            _ => path.to_owned(),
        };
        for child in &chart.dependencies {
            let values = table_at(values, child.name().as_bytes()).unwrap_or_default();
            let path = format!("{below}/charts/{}", child.name());
            let scope = self.scope(child, &values, &path, false, templates);
            subcharts.insert(Str::from(child.name()), scope);
        }
        let base_path: Arc<str> = format!("{path}/templates").into();
        for file in chart.templates.iter() {
            let base = file.name.rsplit('/').next().unwrap_or(&file.name);
            if chart.metadata.is_library() && !base.starts_with('_') {
                continue;
            }
            let source = TemplateSource { path: chart.path_of(&file.name), text: file.data.clone() };
            let renderable = Renderable { scope: scope.clone(), base_path: Arc::clone(&base_path), source };
            templates.insert(format!("{path}/{}", file.name), renderable);
        }
        scope
    }
}
