//! What a kustomization names: files of the repository, and nothing else.
//!
//! Kustomize finds fields whatever their case is (Go's encoding/json), takes a path that looks like an address for one, tries as a
//! path what it cannot read as a document, and its built-in plug-ins load files of their own (kustomize: internal/loader,
//! internal/target/kusttarget.go, internal/builtins). So nothing that is forbidden is looked for here. Each field is one of those
//! below or refused, each name in it leads to a file or directory of the repository or is refused, and what Kustomize gets to read
//! is what was judged, written anew: fields by their names, paths that begin with a dot, documents between the lines as files.

mod field;
mod place;

use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::Tree;
use landfall_diag::is_mutant;
use serde_json::{Map, Value};

use self::field::{Names, fold};
use self::place::Place;
use crate::application::KUSTOMIZATIONS;
use crate::target::join;
use crate::unit::NotRun;

/// Kustomizations that lead to one another.
const MOST_KUSTOMIZATIONS: usize = 1_000;

/// A kustomization's path, and what it says, its fields by their names.
pub(super) type Kustomization = (String, Map<String, Value>);

/// A directory's kustomization.
pub(super) fn kustomization(tree: &Tree, directory: &str) -> Result<Option<Kustomization>, String> {
    let mut found = KUSTOMIZATIONS.map(|name| join(directory, name)).into_iter().filter(|it| tree.get(it).is_some());
    let Some(path) = found.next() else { return Ok(None) };
    if let Some(other) = found.next() {
        return Err(format!("there are two kustomizations in one directory, `{path}` and `{other}`"));
    }
    let text = tree.get(&path).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    let said = match landfall_yaml::to_json(&text) {
        Ok(Value::Object(said)) => said,
        Ok(Value::Null) => Map::new(),
        _ => return Err(format!("`{path}` is no kustomization")),
    };
    let known: Vec<&str> = field::OF_KUSTOMIZATIONS.iter().map(|(name, _)| *name).collect();
    let said = renamed(said, &known, &format!("`{path}`"))?;
    Ok(Some((path, said)))
}

/// What becomes of what only another program would make: a plug-in of somebody else's, a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// It is refused.
    Refused,
    /// It is left out and named: to look at the rest.
    LeftOut,
}

/// What kustomizations were judged to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::application) struct Judged {
    /// Their paths, the outermost first.
    pub(in crate::application) led_to: Vec<String>,
    /// What was left out of them.
    pub(in crate::application) not_run: Vec<NotRun>,
}

/// The paths of a directory's kustomization and of those that it leads to, its own first. What is read for them is written anew, as
/// it was judged.
///
/// # Errors
/// Where one says what no kustomization says, or names what is not among the files: an address would be fetched.
pub(super) fn judge(tree: &mut Tree, directory: &str, others: Others) -> Result<Judged, String> {
    let mut judge = Judge {
        tree,
        others,
        written: BTreeMap::new(),
        between_lines: BTreeMap::new(),
        left: Vec::new(),
        judged: Judged::default(),
    };
    judge.left.push((directory.to_owned(), Role::Objects));
    let mut seen = BTreeSet::new();
    while let Some((directory, role)) = judge.left.pop() {
        if !seen.insert((directory.clone(), role.clone())) {
            continue;
        }
        if seen.len() > MOST_KUSTOMIZATIONS {
            return Err("more than 1,000 kustomizations lead to one another".to_owned());
        }
        judge.directory(&directory, &role)?;
    }
    let Judge { written, judged, .. } = judge;
    for (path, text) in written {
        tree.remove(&path);
        tree.insert(path, text.into_bytes()).map_err(|error| error.to_string())?;
    }
    Ok(judged)
}

/// What the objects of a kustomization are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// To be delivered.
    Objects,
    /// To configure plug-ins of another directory's kustomization.
    Plugins(String),
}

/// What entries of a list may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leads {
    File,
    Directory,
    Either,
}

struct Judge<'a> {
    tree: &'a Tree,
    others: Others,
    /// Files as they are to be read: paths and texts.
    written: BTreeMap<String, String>,
    /// Documents that stood between the lines, and their numbers.
    between_lines: BTreeMap<String, usize>,
    left: Vec<(String, Role)>,
    judged: Judged,
}

/// Where a name stands: what tells of it, and from which directory it is seen.
#[derive(Clone, Copy)]
struct Spot<'a> {
    field: &'a str,
    path: &'a str,
    base: &'a str,
}

impl Spot<'_> {
    fn not_there(self, named: &str) -> String {
        let shown = landfall_diag::without_passwords(named);
        format!("{} of `{}` names `{shown}`, which is not in the repository", self.field, self.path)
    }

    fn is_no(self, what: &str) -> String {
        format!("{} of `{}` is no {what}", self.field, self.path)
    }
}

impl Judge<'_> {
    fn directory(&mut self, directory: &str, role: &Role) -> Result<(), String> {
        let Some((path, mut said)) = kustomization(self.tree, directory)? else {
            return Err(format!("there is no kustomization in `{directory}`"));
        };
        if self.others == Others::LeftOut {
            self.without_charts(&mut said, &path);
        }
        for (name, value) in &mut said {
            let names = field::OF_KUSTOMIZATIONS.iter().find(|(known, _)| known == name).map(|(_, names)| *names);
            let spot = Spot { field: name, path: &path, base: directory };
            match role {
                Role::Objects => self.value(value, names.unwrap_or(Names::Nothing), spot)?,
                // What it changes of them would be what nobody has judged.
                Role::Plugins(base) => match name.as_str() {
                    "apiVersion" | "kind" | "metadata" => {}
                    "resources" => self.plugins(value, spot, base)?,
                    _ => {
                        let text =
                            format!("{name} of `{path}` changes configurations of plug-ins, which is not done here");
                        return Err(text);
                    }
                },
            }
        }
        let text = landfall_yaml::emit(&Value::Object(said)).map_err(|error| format!("`{path}`: {error}"))?;
        self.written.insert(path.clone(), text);
        if !self.judged.led_to.contains(&path) {
            self.judged.led_to.push(path);
        }
        Ok(())
    }

    /// Takes out what Helm would make of charts.
    fn without_charts(&mut self, said: &mut Map<String, Value>, path: &str) {
        said.retain(|name, value| {
            let is_of_charts =
                field::OF_KUSTOMIZATIONS.iter().any(|(known, names)| known == name && *names == Names::Charts);
            let charts = value.as_array().into_iter().flatten().filter(|_| is_of_charts);
            let named = charts.map(|chart| chart["name"].as_str().unwrap_or("without a name"));
            let what = named.map(|name| NotRun { kustomization: path.to_owned(), what: format!("chart {name}") });
            self.judged.not_run.extend(what);
            !is_of_charts
        });
    }

    /// Judges a field's value, and leaves it as it is to be read.
    fn value(&mut self, value: &mut Value, names: Names, spot: Spot<'_>) -> Result<(), String> {
        match names {
            Names::Nothing => Ok(()),
            Names::Resources => each(value, spot, |entry| self.led(entry, Leads::Either, spot)),
            Names::Components => each(value, spot, |entry| self.led(entry, Leads::Directory, spot)),
            Names::Files => each(value, spot, |entry| self.led(entry, Leads::File, spot)),
            Names::File => self.led(value, Leads::File, spot),
            Names::Texts => each(value, spot, |entry| self.text(entry, spot)),
            Names::Patches => each(value, spot, |entry| match entry {
                Value::String(_) => self.text(entry, spot),
                _ => self.fields(entry, &field::OF_PATCHES, spot),
            }),
            Names::Replacements => each(value, spot, |entry| self.fields(entry, &field::OF_REPLACEMENTS, spot)),
            Names::Schema => self.fields(value, &field::OF_SCHEMAS, spot),
            Names::Generated => each(value, spot, |entry| self.fields(entry, &field::OF_GENERATED, spot)),
            Names::Sources => each(value, spot, |entry| self.source(entry, spot)),
            Names::Plugins => self.plugins(value, spot, spot.base),
            Names::Charts => {
                Err(format!("{} of `{}` needs Helm within Kustomize, which is not done here", spot.field, spot.path))
            }
        }
    }

    /// Judges the fields of an entry.
    fn fields(&mut self, entry: &mut Value, known: &[(&str, Names)], spot: Spot<'_>) -> Result<(), String> {
        let Value::Object(said) = entry else {
            return if entry.is_null() { Ok(()) } else { Err(spot.is_no("mapping")) };
        };
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let place = format!("{} of `{}`", spot.field, spot.path);
        *said = renamed(std::mem::take(said), &names, &place)?;
        for (name, value) in said {
            let names = known.iter().find(|(known, _)| known == name).map_or(Names::Nothing, |(_, names)| *names);
            self.value(value, names, spot)?;
        }
        Ok(())
    }

    /// Judges a name, and spells it so that it can be nothing but a path.
    fn led(&mut self, entry: &mut Value, leads: Leads, spot: Spot<'_>) -> Result<(), String> {
        let Value::String(text) = entry else {
            return if entry.is_null() { Ok(()) } else { Err(spot.is_no("text")) };
        };
        if text.is_empty() && leads == Leads::File {
            return Ok(());
        }
        let Place { spelt, found } = self.found(text, leads, spot)?;
        if self.tree.get(&found).is_none() {
            self.left.push((found, Role::Objects));
        }
        *text = spelt;
        Ok(())
    }

    fn found(&self, text: &str, leads: Leads, spot: Spot<'_>) -> Result<Place, String> {
        if is_mutant("kustomize-names") {
            return Ok(Place { spelt: text.to_owned(), found: spot.path.to_owned() });
        }
        let place = place::place(spot.base, text).ok_or_else(|| spot.not_there(text))?;
        let is_file = self.tree.get(&place.found).is_some() && leads != Leads::Directory;
        let is_directory = (place.found.is_empty() || self.tree.has_dir(&place.found)) && leads != Leads::File;
        if is_file || is_directory { Ok(place) } else { Err(spot.not_there(text)) }
    }

    /// `[KEY=]FILE`.
    fn source(&mut self, entry: &mut Value, spot: Spot<'_>) -> Result<(), String> {
        let Some(text) = entry.as_str() else { return Err(spot.is_no("text")) };
        let (key, file) = text.split_once('=').map_or((None, text), |(key, file)| (Some(key), file));
        let spelt = self.found(file, Leads::File, spot)?.spelt;
        *entry = key.map_or(spelt.clone(), |key| format!("{key}={spelt}")).into();
        Ok(())
    }

    /// A patch, or the file that has it.
    fn text(&mut self, entry: &mut Value, spot: Spot<'_>) -> Result<(), String> {
        let Some(text) = entry.as_str() else { return Err(spot.is_no("text")) };
        match documents(text) {
            Some(documents) => {
                *entry = self.beside(&documents, spot)?.into();
                Ok(())
            }
            None => self.led(entry, Leads::File, spot),
        }
    }

    /// Makes a file of documents that stood between the lines, and gives its name: what Kustomize cannot read as documents it would
    /// take for a path.
    fn beside(&mut self, documents: &[Value], spot: Spot<'_>) -> Result<String, String> {
        let text = emitted(documents).map_err(|error| format!("{} of `{}`: {error}", spot.field, spot.path))?;
        let next = self.between_lines.len() + 1;
        let number = *self.between_lines.entry(text.clone()).or_insert(next);
        let name = format!("landfall-between-the-lines-{number}.yaml");
        self.written.insert(join(spot.base, &name), text);
        Ok(format!("./{name}"))
    }

    /// Judges configurations of plug-ins: between the lines, in files, or in directories that put files together. What they name is
    /// seen from the directory of the kustomization that has them work.
    fn plugins(&mut self, value: &mut Value, spot: Spot<'_>, base: &str) -> Result<(), String> {
        each(value, spot, |entry| {
            let Some(text) = entry.as_str() else { return Err(spot.is_no("text")) };
            if let Some(documents) = documents(text) {
                let judged = self.configured(documents, Spot { base, ..spot })?;
                // Where all was another's, nothing is left of it.
                *entry = if judged.is_empty() { Value::Null } else { self.beside(&judged, spot)?.into() };
                return Ok(());
            }
            let Place { spelt, found } = self.found(text, Leads::Either, spot)?;
            if let Some(bytes) = self.tree.get(&found) {
                let read = String::from_utf8_lossy(bytes);
                let read = documents_of_file(&read)
                    .ok_or_else(|| format!("`{found}` configures no plug-in of Kustomize's own"))?;
                let judged = self.configured(read, Spot { field: "a plug-in", path: &found, base })?;
                if judged.is_empty() {
                    *entry = Value::Null;
                    return Ok(());
                }
                let text = emitted(&judged).map_err(|error| format!("`{found}`: {error}"))?;
                self.written.insert(found, text);
            } else {
                self.left.push((found, Role::Plugins(base.to_owned())));
            }
            *entry = spelt.into();
            Ok(())
        })?;
        value.as_array_mut().into_iter().for_each(|entries| entries.retain(|entry| !entry.is_null()));
        Ok(())
    }

    fn configured(&mut self, mut documents: Vec<Value>, spot: Spot<'_>) -> Result<Vec<Value>, String> {
        if self.others == Others::LeftOut {
            let (owned, others): (Vec<Value>, Vec<Value>) = documents.into_iter().partition(|it| own(it).is_some());
            documents = owned;
            self.judged.not_run.extend(others.iter().map(|other| not_run(other, spot)));
        }
        for document in &mut documents {
            let (Some((kind, known)), Value::Object(said)) = (own(document), &mut *document) else {
                let text =
                    format!("{} of `{}` configures what is no plug-in of Kustomize's own", spot.field, spot.path);
                return Err(text);
            };
            let spot = Spot { field: kind, ..spot };
            for (name, value) in said {
                let folded = fold(name);
                let names = known.iter().find(|(known, _)| fold(known) == folded);
                self.value(value, names.map_or(Names::Nothing, |(_, names)| *names), spot)?;
            }
        }
        Ok(documents)
    }
}

/// The plug-in of Kustomize's own that a document configures.
fn own(document: &Value) -> Option<(&'static str, &'static [(&'static str, Names)])> {
    let kind = document["kind"].as_str().filter(|_| document["apiVersion"] == "builtin")?;
    field::OF_PLUGINS.iter().find(|(known, _)| *known == kind).copied()
}

/// A plug-in of somebody else's, by its kind and name.
fn not_run(document: &Value, spot: Spot<'_>) -> NotRun {
    let text = |value: &Value| value.as_str().unwrap_or("without a name").to_owned();
    let what = format!("{} {}", text(&document["kind"]), text(&document["metadata"]["name"]));
    NotRun { kustomization: spot.path.to_owned(), what }
}

/// Judges each entry of a list.
fn each(value: &mut Value, spot: Spot<'_>, judge: impl FnMut(&mut Value) -> Result<(), String>) -> Result<(), String> {
    match value {
        Value::Null => Ok(()),
        Value::Array(entries) => entries.iter_mut().try_for_each(judge),
        _ => Err(spot.is_no("list")),
    }
}

/// Fields by their names, as Kustomize finds them.
fn renamed(said: Map<String, Value>, known: &[&str], place: &str) -> Result<Map<String, Value>, String> {
    let mut renamed = Map::new();
    for (name, value) in said {
        let folded = fold(&name);
        let Some(known) = known.iter().find(|known| fold(known) == folded) else {
            return Err(format!("{place} says `{name}`, which is no field of it"));
        };
        if renamed.insert((*known).to_owned(), value).is_some() {
            return Err(format!("{place} says `{known}` twice"));
        }
    }
    Ok(renamed)
}

/// The documents that a text is; nothing where it is none.
fn documents(text: &str) -> Option<Vec<Value>> {
    documents_of_file(text).filter(|documents| !documents.is_empty())
}

fn documents_of_file(text: &str) -> Option<Vec<Value>> {
    let mut documents = landfall_yaml::to_json_all(text).ok()?;
    documents.retain(|document| !document.is_null());
    documents.iter().all(Value::is_object).then_some(documents)
}

fn emitted(documents: &[Value]) -> Result<String, String> {
    let texts: Result<Vec<String>, _> = documents.iter().map(landfall_yaml::emit).collect();
    texts.map(|texts| texts.join("---\n")).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
