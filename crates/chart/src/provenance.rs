//! Where each byte of a manifest comes from: the template's line, the places where its values were set, and what
//! decided that it is there.

mod fields;
mod switches;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use landfall_diag::Place;
use landfall_gotemplate::{Data, Map, Origin, Piece, Trace};

use crate::chart::Chart;
use crate::manifest::Manifest;
use crate::origin::{Origins, Source, built_in_name};
use crate::rendered_file::{Files, RenderedFile};

pub use fields::{Field, Written};

/// Lines of templates, from 1, by the templates' paths as their owner would type them.
pub type TemplateLines = BTreeMap<String, BTreeSet<u32>>;

/// The table from rendered bytes to templates and values, kept by a traced rendering.
#[derive(Debug)]
pub struct Provenance {
    files: Files,
    origins: Origins,
    /// What switched the charts below on, by the path of their templates: `web/charts/db/`.
    switches: BTreeMap<String, Vec<Origin>>,
    /// Where the values of an origin stand, shortest path first.
    paths: HashMap<Origin, Vec<String>>,
}

/// Where the value of a field comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldOrigin {
    /// The template's line that wrote it; `None` where a text was made at run time (`tpl`).
    pub template: Option<Place>,
    /// Where the values in it were set; empty when the template itself says it.
    pub sources: Vec<Source>,
    /// The values in it.
    pub data: Vec<Origin>,
    /// Entries of values whose keys are in it.
    pub keys: Vec<Origin>,
    /// What decided about it.
    pub decisions: Vec<Decision>,
    /// What it has from the release, the chart and the cluster, as templates call it: `.Release.Name`.
    pub built_in: Vec<&'static str>,
    /// The functions that made it of its values, the last one first.
    pub functions: Vec<String>,
}

/// A value that decided about a field without being in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The value.
    pub origin: Origin,
    /// How it decided.
    pub reason: Reason,
}

/// How a value decides about a field that it is not in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A branch or loop around it was taken, or a function chose it.
    Branch,
    /// Something beside it was left out.
    LeftOut,
    /// It is in the key of a table around the field.
    Key,
    /// It decided which items stand in front of the field in a list.
    Position,
    /// It is in the object's kind, name or namespace.
    Identity,
    /// It switched the chart on.
    Switch,
}

impl Reason {
    /// The word in machine output.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Branch => "branch",
            Reason::LeftOut => "left-out",
            Reason::Key => "key",
            Reason::Position => "position",
            Reason::Identity => "identity",
            Reason::Switch => "switch",
        }
    }
}

impl Provenance {
    pub(crate) fn new(files: Files, origins: Origins, chart: &Chart, values: &Map) -> Self {
        let switches = switches::of(chart, values);
        Provenance { files, origins, switches, paths: paths(values) }
    }

    /// Where a value was set.
    pub fn source(&self, origin: Origin) -> Option<Source> {
        self.origins.source(origin)
    }

    /// The path of a value in the merged values, from the root chart's point of view; the shortest, where one value
    /// shows in several places (globals).
    pub fn path_of(&self, origin: Origin) -> Option<&str> {
        self.paths.get(&origin)?.first().map(String::as_str)
    }

    /// The origins of the values at a path and below it (`web.image`, `hosts[0]`), with their paths.
    pub fn origins_at(&self, path: &str) -> Vec<(Origin, String)> {
        let mut found: Vec<(Origin, String)> = Vec::new();
        for (origin, paths) in &self.paths {
            let below = paths.iter().find(|known| {
                known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            });
            if let Some(below) = below {
                found.push((*origin, below.clone()));
            }
        }
        found.sort_by(|a, b| a.1.cmp(&b.1));
        found
    }

    /// All paths of values, sorted.
    pub fn paths(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.paths.values().flatten().map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Where the field of an object comes from; the path leads from the object's root, numbers for items of lists.
    ///
    /// `None` when there is no such field.
    pub fn origin_of(&self, manifest: &Manifest, path: &[&str]) -> Option<FieldOrigin> {
        self.written(manifest)?.origin_of(path)
    }

    /// An object as its template wrote it; `None` where that cannot be read.
    pub fn written<'p>(&'p self, manifest: &'p Manifest) -> Option<Written<'p>> {
        Written::of(self, manifest)
    }

    /// All fields of an object that hold a value: scalars and empty collections, in the order of the text.
    pub fn fields(&self, manifest: &Manifest) -> Vec<Field> {
        fields::all(self, manifest, None)
    }

    /// Those of them that certain lines of templates write.
    pub(crate) fn fields_at(&self, manifest: &Manifest, lines: &TemplateLines) -> Vec<Field> {
        fields::all(self, manifest, Some(lines))
    }

    /// The path of the field that a line (from 1) of a YAML document writes.
    pub fn path_at(text: &str, line: usize) -> Option<Vec<String>> {
        fields::path_at(text, line)
    }

    /// The places of branches that print nothing because of values of these origins, by file and line.
    pub fn left_out(&self, origins: &[Origin]) -> Vec<Place> {
        let recording = &self.files.recording;
        let mut places: Vec<Place> = Vec::new();
        let mut known: HashMap<Origin, bool> = HashMap::new();
        for trace in self.files.traces() {
            for piece in trace.pieces().iter().filter(|piece| piece.is_nothing()) {
                let decided = *known.entry(piece.control).or_insert_with(|| {
                    recording.leaves([], [piece.control]).control.iter().any(|origin| origins.contains(origin))
                });
                let spot = if decided { recording.place(piece, piece.start) } else { None };
                let place = spot.and_then(|spot| {
                    let source = self.files.template(&spot.file)?;
                    Some(source.line(spot.line).columns(spot.column, 0))
                });
                places.extend(place);
            }
        }
        places.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        places.dedup();
        places
    }

    /// The templates whose output was printed, in part or as a whole, by a file with one of these lines.
    pub(crate) fn printed_by(&self, lines: &TemplateLines) -> Vec<&str> {
        let files = &self.files;
        // An action that printed nothing has left no piece: what is around it has.
        let is_wanted = |piece: &Piece| {
            let file = files.recording.file(piece)?;
            Some(lines.contains_key(&files.template(file)?.path))
        };
        let traced = files.files.iter().filter_map(|(path, file)| Some((path.as_str(), file.trace.as_ref()?)));
        traced
            .filter(|(_, trace)| trace.pieces().iter().any(|piece| is_wanted(piece) == Some(true)))
            .map(|(path, _)| path)
            .collect()
    }

    /// Where a range of bytes of a template's output comes from.
    pub(crate) fn origin_of_bytes(&self, path: &str, bytes: Range<usize>) -> Option<FieldOrigin> {
        let output = Output::of(self, path)?;
        let mut gathered = Gathered::default();
        gathered.value(&output, output.before(bytes));
        Some(gathered.told(self))
    }

    /// The bytes of a line (from 1) of a template's output, without indentation.
    pub(crate) fn line_bytes(&self, path: &str, line: usize) -> Option<Range<usize>> {
        let text = &self.files.get(path)?.text;
        let mut start = 0;
        for _ in 1..line {
            start += text[start..].iter().position(|byte| *byte == b'\n')? + 1;
        }
        let end = text[start..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| start + at);
        let lead = text[start..end].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        Some(start + lead..end)
    }

    fn switched_on(&self, path: &str) -> impl Iterator<Item = Origin> {
        self.switches.iter().filter(move |(chart, _)| path.starts_with(chart.as_str())).flat_map(|(_, by)| by.clone())
    }
}

/// One template's traced output.
struct Output<'p> {
    file: &'p RenderedFile,
    trace: &'p Trace,
}

impl<'p> Output<'p> {
    fn of(provenance: &'p Provenance, path: &str) -> Option<Self> {
        let file = provenance.files.get(path)?;
        Some(Output { file, trace: file.trace.as_ref()? })
    }

    /// A range of the output as it was before Helm took things out.
    fn before(&self, bytes: Range<usize>) -> Range<usize> {
        let place = |mut at: usize| {
            for removed in &self.file.removed {
                if removed.start <= at {
                    at += removed.len();
                }
            }
            at
        };
        place(bytes.start)..place(bytes.end)
    }

    fn pieces(&self, bytes: Range<usize>) -> impl Iterator<Item = &'p Piece> {
        self.trace.over(bytes)
    }
}

/// What is known about a field, not looked up yet.
#[derive(Default)]
struct Gathered<'p> {
    data: Vec<Origin>,
    controls: Vec<(Origin, Reason)>,
    /// The piece that tells most about where the field is written, and a byte of it.
    telling: Option<(&'p Piece, usize)>,
}

impl<'p> Gathered<'p> {
    /// The bytes of a value.
    fn value(&mut self, output: &Output<'p>, bytes: Range<usize>) {
        let bytes = bytes.start..bytes.end.max(bytes.start + 1);
        for piece in output.pieces(bytes.clone()).filter(|piece| !piece.is_nothing()) {
            // An action that printed a value tells more than the plain text around it.
            let is_value = piece.origin != Origin::NONE && piece.origin != Origin::MADE;
            if is_value && self.data.is_empty() || self.telling.is_none() {
                self.telling = Some((piece, bytes.start.max(piece.start)));
            }
            self.data(piece.origin);
            self.control(piece.control, Reason::Branch);
        }
    }

    fn data(&mut self, origin: Origin) {
        if origin != Origin::NONE && origin != Origin::MADE && !self.data.contains(&origin) {
            self.data.push(origin);
        }
    }

    fn control(&mut self, origin: Origin, reason: Reason) {
        if origin != Origin::NONE && !self.controls.iter().any(|(known, _)| *known == origin) {
            self.controls.push((origin, reason));
        }
    }

    fn told(self, provenance: &Provenance) -> FieldOrigin {
        let recording = &provenance.files.recording;
        let mut told = FieldOrigin::default();
        let leaves = recording.leaves(self.data, []);
        let mut built_in = |origins: &mut Vec<Origin>| {
            origins.retain(|origin| match built_in_name(*origin) {
                Some(name) => {
                    if !told.built_in.contains(&name) {
                        told.built_in.push(name);
                    }
                    false
                }
                None => true,
            });
        };
        let (mut data, mut keys) = (leaves.data, leaves.keys);
        built_in(&mut data);
        built_in(&mut keys);
        told.data = data;
        told.keys = keys;
        told.functions = leaves.functions.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        for origin in told.data.iter().chain(&told.keys) {
            if let Some(source) = provenance.source(*origin)
                && !told.sources.contains(&source)
            {
                told.sources.push(source);
            }
        }
        let decided = leaves.control.into_iter().map(|origin| Decision { origin, reason: Reason::Branch });
        let mut decisions: Vec<Decision> = decided.collect();
        // Of several reasons the nearest one is told.
        let mut controls = self.controls;
        controls.sort_by_key(|(_, reason)| *reason);
        for group in controls.chunk_by(|a, b| a.1 == b.1) {
            let leaves = recording.leaves([], group.iter().map(|(origin, _)| *origin));
            for origin in leaves.control {
                if !decisions.iter().any(|known| known.origin == origin) {
                    decisions.push(Decision { origin, reason: group[0].1 });
                }
            }
        }
        // What is in the field need not be said to have decided about it.
        decisions.retain(|it| built_in_name(it.origin).is_none() && !told.data.contains(&it.origin));
        told.decisions = decisions;
        told.template = self.telling.and_then(|(piece, byte)| {
            let spot = recording.place(piece, byte)?;
            let source = provenance.files.template(&spot.file)?;
            Some(source.line(spot.line).columns(spot.column, 0))
        });
        told
    }
}

/// So many places of values are looked at: templates can write into values, and few writes make many places.
const MOST_PLACES: usize = 200_000;

/// Where the values of an origin stand.
fn paths(values: &Map) -> HashMap<Origin, Vec<String>> {
    let mut paths: HashMap<Origin, Vec<String>> = HashMap::new();
    let mut work = vec![(landfall_gotemplate::Value::from(values.clone()), String::new(), 0)];
    // The tables around the value that is looked at, by depth: one that is within itself has no end.
    let mut around: Vec<Option<Map>> = Vec::new();
    let mut left = MOST_PLACES;
    while let Some((value, path, depth)) = work.pop().filter(|_| left > 0) {
        left -= 1;
        around.truncate(depth);
        let origin = value.origin();
        if origin != Origin::NONE && origin.0 < Origin::DERIVED.0 && !path.is_empty() {
            paths.entry(origin).or_default().push(path.clone());
        }
        if depth > 100 {
            continue;
        }
        match value.data() {
            Data::Map(map) if around.iter().flatten().any(|it| it.same(map)) => {}
            Data::Map(map) => {
                around.push(Some(map.clone()));
                for (key, below) in map.entries() {
                    let key = path_step(&key.to_string_lossy());
                    let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                    work.push((below, path, depth + 1));
                }
            }
            Data::List(list) => {
                around.push(None);
                for (at, below) in list.values().iter().enumerate() {
                    work.push((below.clone(), format!("{path}[{at}]"), depth + 1));
                }
            }
            _ => {}
        }
    }
    for known in paths.values_mut() {
        known.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        known.dedup();
    }
    paths
}

/// A key as a step of a path, its dots escaped as `--set` wants them.
fn path_step(key: &str) -> String {
    key.replace('.', "\\.")
}

#[cfg(test)]
mod tests {
    use landfall_gotemplate::Value;

    use super::*;

    #[test]
    fn values_that_are_within_themselves_and_values_that_are_everywhere_have_an_end() {
        let values = Map::new();
        values.insert("a", Value::from("x").with_origin(Origin(1)));
        values.insert("again", values.clone());
        values.insert("once more", values.clone());
        let json = crate::values_to_json(&values);
        assert_eq!((&json["a"], &json["again"]), (&serde_json::json!("x"), &serde_json::Value::Null));
        let mut many: Map = [("a", Value::from("y").with_origin(Origin(2)))].into_iter().collect();
        for _ in 0..40 {
            many = [("a", many.clone()), ("b", many)].into_iter().collect();
        }
        values.insert("0", many.clone());
        assert_eq!(paths(&values)[&Origin(1)], ["a"]);
        assert!(crate::values_to_json(&many)["a"].is_object());
        let mut deep = Map::new();
        for _ in 0..20_000 {
            deep = [("a", deep)].into_iter().collect();
        }
        assert!(crate::values_to_json(&deep)["a"]["a"].is_object());
        // What holds itself is never let go of by itself.
        values.remove("again");
        values.remove("once more");
    }
}
