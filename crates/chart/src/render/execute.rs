//! Parsing and executing a chart's templates in Helm's order.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use landfall_gotemplate::{Map, MissingKey, Recording, Set, Str, Value};

use super::before::Templates;
use super::not_at_hand::{NotAtHand, STAND_INS};
use super::one::{one, traced, whole};
use super::renderable::{Renderable, TEMPLATE};
use super::side_by_side::{self, Together};
use super::{Operation, Prepared, ReleaseInfo, RenderOptions, Tracing, is_notes};
use crate::capabilities::Capabilities;
use crate::chart::{Chart, LeftOut};
use crate::dependency::table_at;
use crate::dialect::Dialect;
use crate::error::{Broken, ChartError, Problem};
use crate::functions::{Surroundings, functions};
use crate::manifest::Manifest;
use crate::objects::{self, capabilities_object, chart_object};
use crate::origin::built_in;
use crate::rendered_file::{Files, RenderedFile, TemplateSource};
use crate::warning::Warnings;

impl Files {
    /// The documents of each file, by path.
    pub(crate) fn documents(
        &mut self,
        options: &RenderOptions,
    ) -> Result<Vec<Result<Vec<Manifest>, ChartError>>, ChartError> {
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
        let mut cut = side_by_side::map(&texts, size, |(path, text)| options.documents(path, text)).into_iter();
        Ok(self.files.values_mut().filter_map(|file| file.documents.take().or_else(|| cut.next())).collect())
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
    let not_at_hand = NotAtHand::of(&prepared.chart);
    let stand_ins = not_at_hand.stand_ins.iter().map(|source| (STAND_INS, source));
    let texts: Vec<(&str, &TemplateSource)> =
        stand_ins.chain(order.iter().map(|path| (*path, &templates[*path].source))).collect();
    let is_partial = |path: &str| path.rsplit('/').next().unwrap_or(path).starts_with('_');
    let run: Vec<(&str, &Renderable)> =
        order.iter().filter(|path| !is_partial(path)).map(|path| (*path, &templates[*path])).collect();
    let at_once = options.tracing == Tracing::Off && strictness == Strictness::Full;
    if let Some(before) = options.before.as_ref().filter(|_| at_once) {
        let whole = (prepared, release, capabilities);
        let printing = Templates { all: &templates, run: &run };
        let (rendered, surroundings) = before.execute(whole, &printing, options, || {
            side_by_side::parse(&mut set, &texts)?;
            Ok((set, surroundings))
        })?;
        warnings.0.append(&mut surroundings.warnings.lock().unwrap_or_else(PoisonError::into_inner).0);
        let mut files = Files { files: by_path(&run, rendered?), ..Files::default() };
        files.left_out = left_out(&files, &templates);
        return Ok(files);
    }
    let later = if at_once {
        parse_what_others_need(&mut set, &texts, |path| !is_partial(path))?
    } else {
        side_by_side::parse(&mut set, &texts)?;
        Vec::new()
    };
    let together = if strictness == Strictness::Full {
        side_by_side::execute(&set, &run, options, &not_at_hand)
    } else {
        Together::NotTried
    };
    let mut recording = Recording::new();
    let rendered = match together {
        Together::Done(rendered) => rendered,
        Together::NotTried => in_order(&set, &run, &mut recording, options, (strictness, &not_at_hand)),
        Together::Noticed => {
            set.begin_again();
            side_by_side::parse(&mut set, &later)?;
            in_order(&set, &run, &mut recording, options, (strictness, &not_at_hand))
        }
    };
    if let Some(before) = &options.before {
        before.count(&set);
    }
    warnings.0.append(&mut surroundings.warnings.lock().unwrap_or_else(PoisonError::into_inner).0);
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) => {
            // Helm parses all before it executes one: what cannot be parsed is what it says.
            side_by_side::parse(&mut set, &later)?;
            return Err(error);
        }
    };
    let mut files = Files { files: by_path(&run, rendered), recording, ..Files::default() };
    files.left_out = left_out(&files, &templates);
    if options.tracing == Tracing::On {
        files.sources = templates.into_iter().map(|(path, template)| (path, template.source)).collect();
    }
    Ok(files)
}

fn by_path(run: &[(&str, &Renderable)], rendered: Vec<RenderedFile>) -> BTreeMap<String, RenderedFile> {
    run.iter().map(|(path, _)| (*path).to_owned()).zip(rendered).collect()
}

/// The files that could not do without charts that are not at hand; notes are nothing to look at.
fn left_out(files: &Files, templates: &BTreeMap<String, Renderable>) -> Vec<LeftOut> {
    let files = files.files.iter().filter(|(path, _)| !is_notes(path));
    files
        .filter_map(|(path, file)| {
            let source = &templates.get(path)?.source;
            let text = String::from_utf8_lossy(&source.text).into_owned();
            Some(LeftOut { path: source.path.clone(), why: file.left_out.clone()?, text })
        })
        .collect()
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
pub(super) fn in_order(
    set: &Set,
    run: &[(&str, &Renderable)],
    recording: &mut Recording,
    options: &RenderOptions,
    (strictness, not_at_hand): (Strictness, &NotAtHand),
) -> Result<Vec<RenderedFile>, ChartError> {
    let mut context = options.sprig.clone();
    run.iter()
        .map(|(path, template)| {
            template.scope.insert(TEMPLATE, template.about(path, options.dialect));
            let dot = objects::values(&template.scope, options.dialect);
            not_at_hand.forgives(match options.tracing {
                Tracing::Off if strictness == Strictness::Full => one(set, path, &dot, &mut context, options),
                Tracing::Off => whole(set, path, &dot, &mut context, options).map(RenderedFile::kept),
                Tracing::On => traced(set, path, &dot, &mut context, (recording, options)).map(RenderedFile::kept),
            })
        })
        .collect()
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
        // Templates of theirs that are called with it stand in for themselves, and ask it for nothing.
        for missing in chart.without.dependencies.iter().filter(|it| it.enabled) {
            let name = missing.key();
            let own = table_at(values, name.as_bytes()).unwrap_or_default();
            subcharts.insert(Str::from(name), [("Values", Value::from(own))].into_iter().collect::<Map>());
        }
        let base_path: Arc<str> = format!("{path}/templates").into();
        for file in chart.templates.iter() {
            let base = file.name.rsplit('/').next().unwrap_or(&file.name);
            if chart.metadata.is_library() && !base.starts_with('_') {
                continue;
            }
            let source = TemplateSource::new(chart.path_of(&file.name), file.data.clone());
            let renderable = Renderable { scope: scope.clone(), base_path: Arc::clone(&base_path), source };
            templates.insert(format!("{path}/{}", file.name), renderable);
        }
        scope
    }
}
