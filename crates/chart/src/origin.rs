//! Where values were set.

use std::fmt;
use std::sync::Arc;

use landfall_diag::Place;
use landfall_gotemplate::{Data, Map, Origin, Value};

use crate::lines::Lines;
use crate::set_flag::SetFlag;

/// A table from the small numbers that values carry to the places where they were set.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    on: bool,
    layers: Vec<Layer>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Layer {
    kind: LayerKind,
    name: String,
    text: Option<Arc<str>>,
    lines: Lines,
}

/// What kind of layer a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerKind {
    /// A chart's `values.yaml`.
    Default,
    /// A file of the user.
    File,
    /// A flag.
    Flag(SetFlag),
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    layer: u32,
    line: u32,
    column: u32,
    end_column: u32,
}

/// Where a value was set. `Display` writes it as a person would look for it: `values.yaml:3:1`, `--set a=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a chart's own `values.yaml`.
    Default(Place),
    /// In a file of the user.
    File(Place),
    /// By a flag.
    Flag {
        /// Which one.
        flag: SetFlag,
        /// What was given with it.
        text: String,
    },
}

/// What one layer says about a path.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where.
    pub source: Source,
    /// What.
    pub value: Value,
}

/// What templates see besides values, as they write it. New ones go to the end.
const BUILT_IN: [&str; 26] = [
    ".Release.Name",
    ".Release.Namespace",
    ".Release.IsUpgrade",
    ".Release.IsInstall",
    ".Release.Revision",
    ".Release.Service",
    ".Chart.Name",
    ".Chart.Version",
    ".Chart.AppVersion",
    ".Chart.APIVersion",
    ".Chart.Description",
    ".Chart.Home",
    ".Chart.Icon",
    ".Chart.Keywords",
    ".Chart.KubeVersion",
    ".Chart.Maintainers",
    ".Chart.Sources",
    ".Chart.Tags",
    ".Chart.Type",
    ".Chart.Annotations",
    ".Chart.Condition",
    ".Chart.Dependencies",
    ".Chart.Deprecated",
    ".Capabilities.KubeVersion",
    ".Capabilities.APIVersions",
    ".Capabilities.HelmVersion",
];

/// Their origins are the last numbers that a caller of templates may use.
const FIRST_BUILT_IN: u32 = Origin::DERIVED.0 - BUILT_IN.len() as u32;

/// A value with the origin of what templates call so.
pub(crate) fn built_in(name: &str, value: Value) -> Value {
    match BUILT_IN.iter().position(|known| *known == name) {
        Some(at) => value.with_origin(Origin(FIRST_BUILT_IN + at as u32)),
        None => value,
    }
}

/// What templates call a value of that origin, when it is not one of the user's or a chart's values.
pub(crate) fn built_in_name(origin: Origin) -> Option<&'static str> {
    BUILT_IN.get(origin.0.checked_sub(FIRST_BUILT_IN)? as usize).copied()
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default(place) | Source::File(place) => {
                write!(f, "{}:{}:{}", place.file, place.line, place.column)
            }
            Source::Flag { flag, text } => write!(f, "{} {text}", flag.name()),
        }
    }
}

impl Source {
    /// As it is displayed, but of a flag only what it sets and not to what: `--set password=…`.
    pub fn brief(&self) -> String {
        match self {
            Source::Flag { flag, text } => {
                let key = text.split_once('=').map(|(key, _)| key).filter(|key| !key.contains('{'));
                key.map_or_else(|| format!("{} …", flag.name()), |key| format!("{} {key}=…", flag.name()))
            }
            place => place.to_string(),
        }
    }

    /// The place in a file, if it is in one.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Source::Default(place) | Source::File(place) => Some(place),
            Source::Flag { .. } => None,
        }
    }
}

impl Origins {
    /// A table that remembers nothing and costs nothing.
    pub fn off() -> Self {
        Origins::default()
    }

    /// A table that remembers.
    pub fn on() -> Self {
        Origins { on: true, ..Origins::default() }
    }

    /// Whether places are remembered.
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// Begins a layer and gives its number.
    pub(crate) fn layer(&mut self, kind: LayerKind, name: &str, text: Option<&Arc<str>>) -> u32 {
        if self.on {
            self.layers.push(Layer { kind, name: name.to_owned(), text: text.cloned(), lines: Lines::default() });
        }
        (self.layers.len() as u32).saturating_sub(1)
    }

    /// Remembers a place and gives its number.
    pub(crate) fn add(&mut self, layer: u32, line: u32, column: u32, end_column: u32) -> Origin {
        if !self.on || self.entries.len() as u32 >= FIRST_BUILT_IN - 1 {
            return Origin::NONE;
        }
        self.entries.push(Entry { layer, line, column, end_column });
        Origin(self.entries.len() as u32)
    }

    /// A flag as a layer and its only origin.
    pub(crate) fn flag(&mut self, flag: SetFlag, text: &str) -> Origin {
        if !self.on {
            return Origin::NONE;
        }
        let layer = self.layer(LayerKind::Flag(flag), text, None);
        self.add(layer, 0, 0, 0)
    }

    /// Gives the values that one flag has set (`--set a=1,b=2`) an origin each.
    pub(crate) fn tell_apart(&mut self, map: &Map, flag: Origin) {
        if flag == Origin::NONE {
            return;
        }
        let mut first = true;
        for (key, value) in map.entries() {
            let own = self.own_origin(&value, flag, &mut first);
            if value.origin() != own.origin() || value.as_list().is_some() {
                map.insert(key, own);
            }
        }
    }

    fn own_origin(&mut self, value: &Value, flag: Origin, first: &mut bool) -> Value {
        let origin = match value.origin() == flag {
            false => value.origin(),
            true if std::mem::take(first) => flag,
            true => self.again(flag),
        };
        match value.data() {
            Data::Map(map) => {
                for (key, below) in map.entries() {
                    let own = self.own_origin(&below, flag, first);
                    map.insert(key, own);
                }
                value.clone().with_origin(origin)
            }
            Data::List(list) if !list.is_nil() => {
                let items = list.values().iter().map(|item| self.own_origin(item, flag, first)).collect();
                Value::from(list.like(items)).with_origin(origin)
            }
            _ => value.clone().with_origin(origin),
        }
    }

    /// Another number for the same place.
    fn again(&mut self, origin: Origin) -> Origin {
        match self.entries.get((origin.0 as usize).wrapping_sub(1)).copied() {
            Some(entry) => self.add(entry.layer, entry.line, entry.column, entry.end_column),
            None => origin,
        }
    }

    /// Where a value was set.
    pub fn source(&self, origin: Origin) -> Option<Source> {
        let entry = self.entries.get((origin.0 as usize).checked_sub(1)?)?;
        let layer = self.layers.get(entry.layer as usize)?;
        let place = || {
            let place = Place::line(&layer.name, entry.line).columns(entry.column, entry.end_column);
            let line = layer.text.as_ref().and_then(|text| layer.lines.get(text.as_bytes(), entry.line));
            Place { source: line.map(|line| String::from_utf8_lossy(line).into_owned()), ..place }
        };
        Some(match layer.kind {
            LayerKind::Default => Source::Default(place()),
            LayerKind::File => Source::File(place()),
            LayerKind::Flag(flag) => Source::Flag { flag, text: layer.name.clone() },
        })
    }

    /// What stands at a path of a map that was read with this table.
    pub(crate) fn setting_in(&self, map: &Map, path: &[&str]) -> Option<Setting> {
        let (last, tables) = path.split_last()?;
        let mut here = map.clone();
        for key in tables {
            let next = here.get(key)?;
            match next.as_map() {
                Some(table) => here = table.clone(),
                // A layer that puts something else in the way of the path decides about it too.
                None => return Some(Setting { source: self.source(next.origin())?, value: next }),
            }
        }
        let value = here.get(last)?;
        Some(Setting { source: self.source(value.origin())?, value })
    }
}
