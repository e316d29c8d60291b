//! A chart that is only looked at, without what it needs and nobody has at hand.
//!
//! Helm refuses such a chart, and so does everything that delivers. To look at it, its missing dependencies are set aside, and what
//! only they could answer (a named template, a default of their values) leaves out the one file that asks for it.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use landfall_gotemplate::{Map, Value};

use super::definitions::definitions_alone;
use super::{Chart, File};
use crate::metadata::Dependency;
use crate::render::NotAtHand;
use crate::values::coalesce::deep_copy_map;

/// What a chart is looked at without.
#[derive(Debug, Clone, Default)]
pub struct Without {
    /// Declared dependencies that are not at hand; once processed, `enabled` says whether they would take part.
    pub dependencies: Vec<Dependency>,
    /// Declared dependencies that are not at hand, in whose place others are looked at.
    pub beside: Vec<StandsBeside>,
    /// Templates that could not do without them, and those that let one of them print all objects of the chart.
    pub templates: Vec<LeftOut>,
    /// What the chart's texts say of them, once somebody has asked.
    pub(crate) read: Arc<OnceLock<Arc<NotAtHand>>>,
}

/// A chart of the same repository that is looked at in the place of a dependency by an address.
#[derive(Debug, Clone)]
pub struct StandsBeside {
    /// The dependency as it is declared.
    pub dependency: Dependency,
    /// Where the chart lies, as its owner would type it.
    pub place: String,
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
        if gone.iter().any(|it| it.name == "common") {
            let unseen = self.printing_all();
            self.without.add(unseen);
        }
        self.without.dependencies.extend(gone.into_iter().map(|it| Dependency { enabled: true, ..it }));
    }

    /// Values that were read anew, with what stands for those of charts that are not at hand.
    pub(crate) fn stood_for(&self, read: Map) -> Map {
        let theirs = Map::new();
        for name in self.without.names() {
            if let Some(own) = self.values.get(name) {
                theirs.insert(name, own);
            }
        }
        fill(&read, &theirs);
        read
    }

    /// Puts something in place of what a template was left out for: a value of a chart that is not at hand. Gives the value's path,
    /// where nothing stood there yet.
    pub fn stand_in(&mut self, left: &LeftOut) -> Option<String> {
        let is_own = |name: &str| self.path_of(name) == left.path;
        if !self.templates.iter().any(|file| is_own(&file.name)) {
            return self.dependencies.iter_mut().find_map(|below| below.stand_in(left));
        }
        let path = path_read(&left.why)?;
        if !self.without.names().any(|name| name == path[0]) {
            return None;
        }
        let values = deep_copy_map(&self.values);
        let is_new = place(&values, &path, is_data_alone(&left.text));
        self.values = values;
        is_new.then(|| path.join("."))
    }

    /// The templates that let a library which is not at hand print all objects of the chart: those are objects of any kind.
    fn printing_all(&self) -> Vec<LeftOut> {
        let unseen = |file: &File| {
            let text = file.text().into_owned();
            let name = PRINT_ALL.iter().find(|name| text.contains(&format!("\"{name}\"")))?;
            Some(LeftOut { path: self.path_of(&file.name), why: format!("calls `{name}`"), text })
        };
        self.templates.iter().filter_map(unseen).collect()
    }

    /// Leaves templates out, by their paths as their owner would type them. What they define for others stays.
    pub fn leave_out(&mut self, templates: &[LeftOut]) {
        self.without.read = Arc::default();
        let found = |path: String| templates.iter().find(|it| it.path == path);
        let left: Vec<LeftOut> =
            self.templates.iter().filter_map(|file| found(self.path_of(&file.name))).cloned().collect();
        if !left.is_empty() {
            let is_left = |file: &File| left.iter().any(|it| it.path == self.path_of(&file.name));
            let rest = |file: &File| match is_left(file) {
                true => definitions_alone(&file.text()).map(|text| File::new(&*file.name, text.into_bytes().into())),
                false => Some(file.clone()),
            };
            self.templates = self.templates.iter().filter_map(rest).collect();
            self.without.add(left);
        }
        self.dependencies.iter_mut().for_each(|below| below.leave_out(templates));
    }

    /// Whether it, or one below it, is looked at without charts that it needs.
    pub fn does_without(&self) -> bool {
        self.with_parts().iter().any(|part| !part.without.dependencies.is_empty())
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

/// What stands for a text of the values of a chart that is not at hand, in data alone: it is base64, too. What is said of it is said
/// of nothing that is there.
pub const NOT_AT_HAND: &str = "notAtHandNotHere";

/// A port, where somebody reads one that is not known.
const PORT: i64 = 8080;

/// Puts what one table has and another lacks into that one.
fn fill(table: &Map, from: &Map) {
    for (key, value) in from.entries() {
        match table.get(&key) {
            Some(there) if !there.is_nil() => {
                if let (Some(there), Some(value)) = (there.as_map(), value.as_map()) {
                    fill(there, value);
                }
            }
            _ => drop(table.insert(key, value)),
        }
    }
}

/// Puts tables where a path leads through nothing, and a number at its end where its name says one; a text where the tables are
/// there already, nothing is at the end, and a text does no harm. Whether anything was put.
fn place(values: &Map, path: &[String], takes_text: bool) -> bool {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    let Some((here, last, is_way_new)) = tables_to(values, &steps) else { return false };
    if here.get(last).is_some_and(|it| !it.is_nil()) {
        return is_way_new;
    }
    let text = || (takes_text && !is_way_new).then(|| Value::str(NOT_AT_HAND));
    match number(path).or_else(text) {
        Some(value) => {
            here.insert(last, value);
            true
        }
        None => is_way_new,
    }
}

/// The table at which a path ends, with tables put where it leads through nothing, the last step, and whether any was put; none
/// where something else than a table is in the way.
fn tables_to<'p>(values: &Map, path: &[&'p str]) -> Option<(Map, &'p str, bool)> {
    let (last, tables) = path.split_last()?;
    let (mut here, mut is_new) = (values.clone(), false);
    for table in tables {
        here = match here.get(table) {
            Some(value) if !value.is_nil() => value.as_map()?.clone(),
            _ => {
                let empty = Map::new();
                here.insert(*table, empty.clone());
                is_new = true;
                empty
            }
        };
    }
    Some((here, last, is_new))
}

/// What stands for a number, by its name: a port, or how many there are.
fn number(path: &[String]) -> Option<Value> {
    let (last, tables) = path.split_last()?;
    let is = |name: &str, word: &str, end: &str| name == word || name.ends_with(end);
    if is(last, "port", "Port") || tables.last().is_some_and(|it| is(it, "ports", "Ports")) {
        return Some(Value::int(PORT));
    }
    (is(last, "count", "Count") || is(last, "replicas", "Replicas")).then(|| Value::int(1))
}

/// Whether a template makes nothing but ConfigMaps and Secrets, whose data are texts: elsewhere a text may stand where a number belongs.
fn is_data_alone(text: &str) -> bool {
    let mut kinds = text.lines().filter_map(|line| line.trim_start().strip_prefix("kind:")).map(str::trim).peekable();
    kinds.peek().is_some() && kinds.all(|kind| matches!(kind.trim_matches(['"', '\'']), "ConfigMap" | "Secret"))
}

/// The path of values that an expression reads: `.Values.redis.auth.user`, or `index .Values "redis" "auth" "user"`.
fn path_read(why: &str) -> Option<Vec<String>> {
    let at = why.find(".Values")?;
    let is_indexed = why[..at].contains("index ");
    let mut rest = &why[at + ".Values".len()..];
    let mut path = Vec::new();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    while let Some(name) = rest.strip_prefix('.') {
        let end = name.find(|c: char| !is_word(c)).unwrap_or(name.len());
        path.push(name[..end].to_owned());
        rest = &name[end..];
    }
    while let Some(quoted) = rest.trim_start().strip_prefix('"').filter(|_| is_indexed) {
        let (name, behind) = quoted.split_once('"')?;
        path.push(name.to_owned());
        rest = behind;
    }
    (path.len() > 1).then_some(path)
}

/// The templates with which libraries print all objects of a chart.
const PRINT_ALL: &[&str] = &["common.all", "bjw-s.common.loader.all", "bjw-s.common.loader.generate"];

impl Without {
    /// Adds templates, each once.
    fn add(&mut self, left: Vec<LeftOut>) {
        for one in left {
            if self.templates.iter().all(|it| it.path != one.path) {
                self.templates.push(one);
            }
        }
    }

    /// The names by which the dependencies go: their own, and those that the parent gives them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let both = self.dependencies.iter().flat_map(|it| [it.name.as_str(), it.alias.as_str()]);
        both.filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_that_is_read_is_seen_however_it_is_written() {
        for (why, path) in [
            ("reads `.Values.redis.auth.user`", "redis.auth.user"),
            ("reads `$.Values.redis.port | quote`", "redis.port"),
            ("reads `index .Values \"my-redis\" \"auth\" \"user\"`", "my-redis.auth.user"),
            (
                "reads `required \"redis.auth.user is required!\" (index $.Values.redis \"auth\" \"user\")`",
                "redis.auth.user",
            ),
        ] {
            assert_eq!(path_read(why).map(|it| it.join(".")).as_deref(), Some(path), "{why}");
        }
        for why in ["calls `redis.fullname`", "reads `.Values.redis`", "reads `.Subcharts.redis`"] {
            assert_eq!(path_read(why), None, "{why}");
        }
    }

    #[test]
    fn a_value_is_stood_in_for_where_nothing_is() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        let values = Map::new();
        let at =
            |text: &str| path(text).iter().try_fold(Value::from(values.clone()), |here, step| here.as_map()?.get(step));
        // The way first: what is asked whether it is there is not there.
        assert!(place(&values, &path("redis.auth.user"), true));
        assert!(at("redis.auth").is_some() && at("redis.auth.user").is_none());
        assert!(!place(&values, &path("redis.auth.user"), false));
        assert!(place(&values, &path("redis.auth.user"), true));
        assert!(at("redis.auth.user").is_some_and(|it| it.as_str().is_some()));
        assert!(!place(&values, &path("redis.auth.user"), true));
        assert!(!place(&values, &path("redis.auth.user.name"), true));
        assert!(place(&values, &path("redis.service.ports.redis"), false));
        assert_eq!(at("redis.service.ports.redis").and_then(|it| it.as_i64()), Some(PORT));
        assert!(place(&values, &path("redis.replicaCount"), false));
        assert_eq!(at("redis.replicaCount").and_then(|it| it.as_i64()), Some(1));
        for name in ["redis.support", "redis.exports.path", "redis.discount", "redis.account"] {
            assert!(number(&path(name)).is_none(), "{name}");
        }
    }

    #[test]
    fn a_text_stands_in_data_alone() {
        assert!(is_data_alone("kind: ConfigMap\n---\nkind: \"Secret\"\n"));
        for other in
            ["kind: ConfigMap\n---\nkind: Deployment\n", "kind: {{ .Values.kind }}\n", "{{ include \"a\" . }}\n"]
        {
            assert!(!is_data_alone(other), "{other}");
        }
        assert_eq!(NOT_AT_HAND.len() % 4, 0);
    }
}
