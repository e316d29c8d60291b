//! Names beside each other of which one has all words of the other, in their order, and some more.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::{Chart, Rendered, values_to_json};
use serde_json::Value;

use super::{FALLING_BACK, actions, asked_for, is_given_to, is_of_a_part, reads, texts};
use crate::catalogue::value_that_prints_nothing::{declares, is_not_at_hand};

/// What a chart declares, and what is read and asked for of it.
pub(super) struct Fuller<'c> {
    chart: &'c Chart,
    values: Value,
    /// Whatever may read a value: templates, files, and the templates of libraries.
    readers: Vec<Cow<'c, str>>,
    /// The paths that are asked for and that nobody declares.
    asked: BTreeSet<String>,
    /// The declared keys of tables at the top, by the words of both.
    by_words: OnceCell<ByWords>,
}

impl<'c> Fuller<'c> {
    pub(super) fn of(rendered: &'c Rendered) -> Self {
        let chart = &rendered.processed;
        let is_undeclared = |path: &String| !declares(&rendered.values, &path.split('.').collect::<Vec<_>>());
        let asked = texts(chart)
            .iter()
            .flat_map(|(_, text)| actions(text).flat_map(|(_, action)| asked_for(action)).collect::<Vec<_>>())
            .filter(is_undeclared)
            .collect();
        let (values, by_words) = (values_to_json(&rendered.values), OnceCell::new());
        Fuller { chart, values, readers: readers(chart), asked, by_words }
    }

    /// The only declared path beside an undeclared one whose key has words more or less than the other's, where nothing reads it.
    pub(super) fn meant(&self, path: &str) -> Option<String> {
        let steps: Vec<&str> = path.split('.').collect();
        let (key, parents) = steps.split_last()?;
        let table = parents.iter().try_fold(&self.values, |here, step| here.get(*step))?.as_object()?;
        if table.contains_key(*key) || is_not_at_hand(self.chart, &steps) {
            return None;
        }
        let beside = table.keys().filter(|name| is_one_fuller(key, name));
        let beside = beside.map(|name| parents.iter().copied().chain([name.as_str()]).collect::<Vec<_>>());
        // A part reads what stands below its name.
        let mut unread = beside.filter(|other| !is_of_a_part(self.chart, other[0]) && !self.is_read(other));
        let only = unread.next()?.join(".");
        let is_clear = unread.next().is_none() && !self.is_asked_for_otherwise(path, &only) && !self.falls_back(path);
        is_clear.then_some(only)
    }

    /// The only declared value of a table whose words are those of an undeclared name at the top, in whatever order, where a branch asks
    /// for that name and says nothing of the table: `webhook.enable` for `enableWebhook`.
    pub(super) fn turned_round(&self, path: &str, branch: &str) -> Option<String> {
        let by_words = self.by_words.get_or_init(|| by_words(&self.values));
        let [(table, key)] = by_words.get(&sorted(words(path)))?.as_slice() else { return None };
        let is_open = !path.contains('.') && !is_of_a_part(self.chart, table) && !is_not_at_hand(self.chart, &[path]);
        let is_of_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
        let table_of_values = format!(".Values.{table}");
        let mut named = branch.split(&table_of_values).skip(1);
        // Who refuses an older name has to say it.
        let is_silent = named.all(|behind| behind.starts_with(is_of_word)) && !branch.contains("fail ");
        (is_open && is_silent && !self.falls_back(path)).then(|| format!("{table}.{key}"))
    }

    /// Whether anything may read a path: by its own name, as a part of something, or by its key alone.
    pub(super) fn is_read(&self, steps: &[&str]) -> bool {
        let (path, key) = (steps.join("."), steps.last().copied().unwrap_or_default());
        let below = format!(".Values.{path}.");
        let switches = |condition: &str| condition.split(',').any(|it| it.trim().starts_with(&path));
        self.chart.declared().any(|it| switches(&it.condition))
            || self.readers.iter().any(|text| {
                reads(text, steps) || text.contains(&below) || actions(text).any(|(_, action)| is_loose(action, key))
            })
    }

    /// Whether another path than this one is asked for that a declared one may be meant by.
    fn is_asked_for_otherwise(&self, path: &str, declared: &str) -> bool {
        let (table, key) = split(declared);
        self.asked.iter().filter(|it| *it != path).any(|it| {
            let (above, other) = split(it);
            above == table && is_one_fuller(other, key)
        })
    }

    /// Whether something else is taken where a path has nothing: one of two names may be that of an older version.
    fn falls_back(&self, path: &str) -> bool {
        let others = [FALLING_BACK, &["or"]].concat();
        self.readers.iter().any(|text| is_given_to(text, path, &others))
    }
}

/// The texts that may read the values of a chart.
pub(super) fn readers(chart: &Chart) -> Vec<Cow<'_, str>> {
    let mut found: Vec<Cow<'_, str>> = texts(chart).into_iter().map(|(_, text)| text).collect();
    found.extend(chart.files.iter().filter(|file| !file.name.ends_with(".md")).map(|file| file.text()));
    // A value may be a template itself.
    found.extend(chart.raw_file("values.yaml").map(|file| file.text()));
    let is_library = |below: &&Chart| below.metadata.kind == "library" || below.name().ends_with("common");
    chart.dependencies.iter().filter(is_library).for_each(|below| found.extend(readers(below)));
    found
}

/// Tables at the top with one of their keys, by the words of both in one order.
type ByWords = BTreeMap<Vec<String>, Vec<(String, String)>>;

fn by_words(values: &Value) -> ByWords {
    let mut found = ByWords::new();
    for (name, table) in values.as_object().into_iter().flatten() {
        for key in table.as_object().into_iter().flatten().map(|(key, _)| key) {
            let both = sorted(words(name).into_iter().chain(words(key)).collect());
            found.entry(both).or_default().push((name.clone(), key.clone()));
        }
    }
    found
}

/// Words in one order, a switch called one way.
fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.iter_mut().filter(|it| *it == "enabled").for_each(|it| "enable".clone_into(it));
    words.sort();
    words
}

/// A path's table and its key.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// Whether the words of one name, two at least, are those of the other with some left out.
fn is_one_fuller(one: &str, other: &str) -> bool {
    let (one, other) = (words(one), words(other));
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let mut rest = long.iter();
    short.len() > 1 && short.len() < long.len() && short.iter().all(|word| rest.any(|it| it == word))
}

/// The words of a name, in small letters: those of camel case, and those between dashes.
fn words(name: &str) -> Vec<String> {
    let is_between = |letter: char| matches!(letter, '_' | '-');
    let mut found: Vec<String> = Vec::new();
    let mut before = '-';
    for letter in name.chars() {
        if is_between(before) || (letter.is_uppercase() && !before.is_uppercase()) {
            found.push(String::new());
        }
        if let Some(word) = found.last_mut().filter(|_| !is_between(letter)) {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    found.retain(|word| !word.is_empty());
    found
}

/// Whether an action names a key otherwise than on a path of `.Values`: of the dot, of a variable, in quotes.
fn is_loose(action: &str, key: &str) -> bool {
    let is_of_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    action.match_indices(key).any(|(at, _)| {
        let (before, behind) = (&action[..at], &action[at + key.len()..]);
        let path = before.rsplit(|it: char| !is_of_word(it) && !matches!(it, '.' | '$')).next().unwrap_or_default();
        before.ends_with(['.', '"', '`']) && !behind.starts_with(is_of_word) && !path.contains("Values.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_fuller_one_where_words_are_put_into_the_other() {
        for (one, other) in [
            ("spreadPresetTopologyKey", "spreadPresetKey"),
            ("storageClass", "storageClassName"),
            ("extra_volume_mounts", "volumeMounts"),
            ("node-port", "nodePortHttp"),
        ] {
            assert!(is_one_fuller(one, other) && is_one_fuller(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("webName", "name"),
            ("keySpreadPreset", "spreadPreset2Key"),
            ("storageClass", "storageClass"),
            ("portNode", "nodePortHttp"),
            ("hostName", "hostNames"),
        ] {
            assert!(!is_one_fuller(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_key_is_loose_where_no_path_of_the_values_leads_to_it() {
        for action in
            [" .spreadKey ", "$pool.spreadKey | quote", "get . \"spreadKey\"", "include \"x\" \"pool.spreadKey\""]
        {
            assert!(is_loose(action, "spreadKey"), "{action}");
        }
        for action in ["$.Values.web.spreadKey", "$spreadKey", ".spreadKeys", ".Values.a | default .theSpreadKey"] {
            assert!(!is_loose(action, "spreadKey"), "{action}");
        }
    }
}
