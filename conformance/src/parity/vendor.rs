//! Fills in `charts/` without a network: a dependency is taken from the corpus' own charts by name and version.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use landfall_chart::is_compatible;
use serde_json::Value;

/// Charts in charts in charts end here.
const MAX_DEPTH: u8 = 8;

/// The charts of a corpus by name.
pub(crate) struct Shelf {
    by_name: BTreeMap<String, Vec<(String, PathBuf)>>,
}

fn metadata(chart: &Path) -> Result<Value, Box<dyn Error>> {
    let mut json = read_yaml(&chart.join("Chart.yaml"))?;
    // Charts of the first version keep their dependencies in a file of their own.
    if let Ok(old) = read_yaml(&chart.join("requirements.yaml"))
        && json.get("dependencies").is_none()
        && let (Some(json), Some(dependencies)) = (json.as_object_mut(), old.get("dependencies"))
    {
        json.insert("dependencies".to_owned(), dependencies.clone());
    }
    Ok(json)
}

fn read_yaml(path: &Path) -> Result<Value, Box<dyn Error>> {
    let text = fs::read(path)?;
    Ok(landfall_yaml::to_json(&String::from_utf8_lossy(&text)).map_err(|error| error.to_string())?)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

impl Shelf {
    pub(crate) fn of(charts: &[PathBuf]) -> Result<Self, Box<dyn Error>> {
        let mut by_name: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
        for chart in charts {
            let Ok(metadata) = metadata(chart) else { continue };
            let version = text(&metadata, "version").to_owned();
            // What wraps its namesake stands for it nowhere: it would be put into itself.
            if dependencies(chart).iter().any(|it| text(it, "name") == text(&metadata, "name")) {
                continue;
            }
            by_name.entry(text(&metadata, "name").to_owned()).or_default().push((version, chart.clone()));
        }
        Ok(Shelf { by_name })
    }

    /// The chart itself when nothing is missing, else a copy with what the corpus has; a copy, too, where it has links: they
    /// lead to other places of a repository, and a corpus is a folder of files.
    pub(crate) fn prepare(&self, chart: &Path, copy: &Path) -> Result<PathBuf, Box<dyn Error>> {
        let mut missing = Vec::new();
        self.missing(chart, &mut missing);
        if missing.is_empty() && !has_links(chart)? {
            return Ok(chart.to_owned());
        }
        if !copy.join("Chart.yaml").exists() {
            let _ = fs::remove_dir_all(copy);
            self.copy_with(chart, copy, 0)?;
        }
        Ok(copy.to_owned())
    }

    fn missing(&self, chart: &Path, found: &mut Vec<PathBuf>) {
        for dependency in dependencies(chart) {
            if !is_there(chart, text(&dependency, "name"))
                && let Some(path) = self.pick(chart, &dependency)
            {
                found.push(path);
            }
        }
    }

    fn pick(&self, chart: &Path, dependency: &Value) -> Option<PathBuf> {
        if let Some(relative) = text(dependency, "repository").strip_prefix("file://") {
            let path = chart.join(relative);
            if path.join("Chart.yaml").is_file() {
                return Some(path);
            }
        }
        let another = || self.by_name.get(text(dependency, "name"))?.first();
        self.fitting(dependency).or_else(another).map(|(_, path)| path.clone())
    }

    /// What stands on the shelf of the version that a dependency is wanted in.
    fn fitting(&self, dependency: &Value) -> Option<&(String, PathBuf)> {
        let wanted = text(dependency, "version");
        self.by_name.get(text(dependency, "name"))?.iter().find(|(version, _)| is_compatible(wanted, version))
    }

    /// A dependency that two sides of a chart want in different versions, or of different charts by one name, and that one of them
    /// would get in neither: what is said of a change between the two would be said of other charts.
    pub(crate) fn changes_to_another(&self, sides: [&Path; 2]) -> Option<String> {
        let wanted = sides.map(|side| {
            let there =
                |it: &Value| !is_there(side, text(it, "name")) && !text(it, "repository").starts_with("file://");
            dependencies(side).into_iter().filter(there).collect::<Vec<Value>>()
        });
        let [before, after] = &wanted;
        let is_in = |side: &[Value], it: &Value, as_it_is: bool| {
            let same = |key: &str, other: &Value| text(it, key) == text(other, key);
            let is_it = |other: &Value| !as_it_is || (same("name", other) && same("version", other));
            side.iter().any(|other| called(it) == called(other) && is_it(other))
        };
        let is_new = |it: &&Value, other: &[Value]| is_in(other, it, false) && !is_in(other, it, true);
        let changed = before.iter().filter(|it| is_new(it, after)).chain(after.iter().filter(|it| is_new(it, before)));
        let mut lacking = changed.filter(|it| self.fitting(it).is_none());
        lacking.next().map(|it| format!("{} {}", text(it, "name"), text(it, "version")))
    }

    fn copy_with(&self, chart: &Path, copy: &Path, depth: u8) -> Result<(), Box<dyn Error>> {
        copy_directory(chart, copy)?;
        if depth >= MAX_DEPTH {
            return Ok(());
        }
        for dependency in dependencies(chart) {
            let name = text(&dependency, "name");
            if !is_there(copy, name)
                && let Some(path) = self.pick(chart, &dependency)
            {
                self.copy_with(&path, &copy.join("charts").join(name), depth + 1)?;
            }
        }
        Ok(())
    }
}

fn dependencies(chart: &Path) -> Vec<Value> {
    let Ok(metadata) = metadata(chart) else { return Vec::new() };
    metadata.get("dependencies").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// By what name a chart knows its dependency.
fn called(dependency: &Value) -> &str {
    Some(text(dependency, "alias")).filter(|alias| !alias.is_empty()).unwrap_or_else(|| text(dependency, "name"))
}

/// Whether the chart's own `charts/` has the dependency, as a directory or an archive.
fn is_there(chart: &Path, name: &str) -> bool {
    let Ok(entries) = fs::read_dir(chart.join("charts")) else { return false };
    entries.flatten().any(|entry| {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        file == name
            || (file.ends_with(".tgz") && file.starts_with(&format!("{name}-")))
            || metadata(&entry.path()).is_ok_and(|metadata| text(&metadata, "name") == name)
    })
}

fn has_links(directory: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_symlink() || (kind.is_dir() && has_links(&entry.path())?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Copies a directory; links that lead nowhere are left out.
pub(crate) fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match fs::metadata(&source) {
            Ok(metadata) if metadata.is_dir() => copy_directory(&source, &target)?,
            Ok(_) => drop(fs::copy(&source, &target)?),
            // A link that leads nowhere.
            Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_that_wraps_its_namesake_is_not_put_into_itself() {
        let ground = tempfile::tempdir().expect("a folder");
        let wrapper = chart(ground.path(), "helper", "db", "1.0.0", "1.x.x");
        let shelf = Shelf::of(std::slice::from_ref(&wrapper)).expect("a shelf");
        let prepared = shelf.prepare(&wrapper, &ground.path().join("copy")).expect("as it is");
        assert_eq!(prepared, wrapper);
    }

    /// A chart that wants `db` in a version, or is that itself.
    fn chart(ground: &Path, folder: &str, name: &str, version: &str, wants: &str) -> PathBuf {
        let place = ground.join(folder);
        fs::create_dir_all(&place).expect("a folder");
        let needs = format!("dependencies: [{{name: db, version: {wants}, repository: https://charts.example.com}}]\n");
        let needs = if wants.is_empty() { "" } else { &needs };
        let text = format!("apiVersion: v2\nname: {name}\nversion: {version}\n{needs}");
        fs::write(place.join("Chart.yaml"), text).expect("written");
        place
    }

    #[test]
    fn a_change_between_versions_of_a_dependency_is_compared_where_both_are_at_hand() {
        let ground = tempfile::tempdir().expect("a folder");
        let at = |folder: &str, wants: &str| chart(ground.path(), folder, "web", "1.0.0", wants);
        let (old, new, next) = (at("old", "1.2.0"), at("new", "2.0.0"), at("next", "3.0.0"));
        let shelf = |versions: &[&str]| {
            let stands = |it: &&str| chart(ground.path(), &format!("db-{it}"), "db", it, "");
            Shelf::of(&versions.iter().map(stands).collect::<Vec<_>>()).expect("a shelf")
        };
        let some = shelf(&["1.2.0", "2.0.0"]);
        assert_eq!(some.changes_to_another([&old, &new]), None);
        assert_eq!(some.changes_to_another([&new, &next]).as_deref(), Some("db 3.0.0"));
        assert_eq!(some.changes_to_another([&next, &new]).as_deref(), Some("db 3.0.0"));
        assert_eq!(some.changes_to_another([&next, &next]), None, "one stands for it on both sides");
        // Another chart in the place of it.
        let other = at("other", "4.0.0, alias: db");
        let text = fs::read_to_string(other.join("Chart.yaml")).expect("written").replace("name: db", "name: store");
        fs::write(other.join("Chart.yaml"), text).expect("written");
        assert_eq!(some.changes_to_another([&new, &other]).as_deref(), Some("store 4.0.0"));
        fs::create_dir_all(next.join("charts/db")).expect("its own");
        assert_eq!(some.changes_to_another([&new, &next]), None);
    }
}
