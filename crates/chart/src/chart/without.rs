//! A chart that is only looked at, without what it needs and nobody has at hand.
//!
//! Helm refuses such a chart, and so does everything that delivers. To look at it, its missing dependencies are set aside, and what
//! only they could answer (a named template, a default of their values) leaves out the one file that asks for it.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use landfall_gotemplate::{Map, Value};

use super::Chart;
use crate::metadata::Dependency;
use crate::render::NotAtHand;
use crate::values::coalesce::deep_copy_map;

/// What a chart is looked at without.
#[derive(Debug, Clone, Default)]
pub struct Without {
    /// Declared dependencies that are not at hand; once processed, `enabled` says whether they would take part.
    pub dependencies: Vec<Dependency>,
    /// Templates that could not do without them.
    pub templates: Vec<LeftOut>,
    /// What the chart's texts say of them, once somebody has asked.
    pub(crate) read: Arc<OnceLock<Arc<NotAtHand>>>,
}

/// A template that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path as its owner would type it.
    pub path: String,
    /// What it asks for that is not there, such as "calls `common.labels`".
    pub why: String,
    /// Its text.
    pub text: String,
}

impl Chart {
    /// Sets aside the dependencies that are declared and not at hand, those of charts below too, so that the rest can be looked at.
    pub fn do_without_missing(&mut self) {
        let missing: BTreeSet<String> = self.missing_dependencies().into_iter().map(str::to_owned).collect();
        self.do_without(&missing);
        self.dependencies.iter_mut().for_each(Chart::do_without_missing);
    }

    /// Sets aside dependencies by their names, at hand or not.
    pub fn do_without(&mut self, names: &BTreeSet<String>) {
        self.without.read = Arc::default();
        let (gone, stay): (Vec<Dependency>, Vec<Dependency>) =
            std::mem::take(&mut self.metadata.dependencies).into_iter().partition(|it| names.contains(&it.name));
        self.metadata.dependencies = stay;
        self.dependencies.retain(|chart| !names.contains(chart.name()));
        if !gone.is_empty() {
            let names = gone.iter().flat_map(|it| [it.name.as_str(), it.alias.as_str()]).filter(|it| !it.is_empty());
            self.values = self.with_stand_ins(names);
        }
        self.without.dependencies.extend(gone.into_iter().map(|it| Dependency { enabled: true, ..it }));
    }

    /// The chart's values, with something in place of what its templates read of the values of charts that are not at hand: the
    /// tables on the way, and a number where a port is meant.
    fn with_stand_ins<'n>(&self, names: impl Iterator<Item = &'n str>) -> Map {
        let values = deep_copy_map(&self.values);
        for name in names {
            let start = format!(".Values.{name}.");
            for file in self.templates.iter() {
                let text = file.text();
                for (at, _) in text.match_indices(&start) {
                    let rest = &text[at + start.len()..];
                    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
                    let path = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
                    stand_in(&values, std::iter::once(name).chain(path.split('.')));
                }
            }
        }
        values
    }

    /// Leaves templates out, by their paths as their owner would type them.
    pub fn leave_out(&mut self, templates: &[LeftOut]) {
        self.without.read = Arc::default();
        let found = |path: String| templates.iter().find(|it| it.path == path);
        let left: Vec<LeftOut> =
            self.templates.iter().filter_map(|file| found(self.path_of(&file.name))).cloned().collect();
        if !left.is_empty() {
            let stays = |name: &str| !left.iter().any(|it| it.path == self.path_of(name));
            self.templates = self.templates.iter().filter(|file| stays(&file.name)).cloned().collect();
            self.without.templates.extend(left);
        }
        self.dependencies.iter_mut().for_each(|below| below.leave_out(templates));
    }

    /// The chart and those below it.
    pub fn with_parts(&self) -> Vec<&Chart> {
        let mut all = vec![self];
        let mut at = 0;
        while let Some(chart) = all.get(at).copied() {
            all.extend(&chart.dependencies);
            at += 1;
        }
        all
    }
}

/// A port, where somebody reads one that is not known.
const PORT: i64 = 8080;

/// Puts tables where a path leads through nothing, and a number where it ends at a port.
fn stand_in<'p>(values: &Map, path: impl Iterator<Item = &'p str>) {
    let steps: Vec<&str> = path.collect();
    let Some((last, tables)) = steps.split_last() else { return };
    let mut here = values.clone();
    for table in tables {
        here = match here.get(table) {
            Some(value) if !value.is_nil() => match value.as_map() {
                Some(map) => map.clone(),
                None => return,
            },
            _ => {
                let empty = Map::new();
                here.insert(*table, empty.clone());
                empty
            }
        };
    }
    let is_port =
        last.ends_with("port") || last.ends_with("Port") || tables.last().is_some_and(|it| it.ends_with("orts"));
    if is_port && here.get(last).is_none() {
        here.insert(*last, Value::int(PORT));
    }
}

impl Without {
    /// The names by which the dependencies go: their own, and those that the parent gives them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let both = self.dependencies.iter().flat_map(|it| [it.name.as_str(), it.alias.as_str()]);
        both.filter(|name| !name.is_empty())
    }
}
