//! The line of a values file that sets a value for one environment, and no other one.

use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_promote::{BindingPath, path_on, tag_at};
use landfall_source::SourceTree;

use crate::explain::ValueStory;
use crate::target::Target;
use crate::unit::Unit;
use crate::viewpoint::Viewpoint;

/// Files as people are shown them.
#[derive(Debug, Clone, Copy)]
pub struct Files<'t> {
    /// Them.
    pub source: &'t SourceTree,
    /// From where a person reads their paths.
    pub viewpoint: &'t Viewpoint,
}

impl Target {
    /// Its files, as they are shown.
    pub fn files(&self) -> Files<'_> {
        Files { source: &self.source, viewpoint: &self.viewpoint }
    }
}

/// Where a value is set, or is to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueLine {
    /// The file, as its tree knows it.
    pub file: String,
    /// Where in it.
    pub standing: Standing,
    /// What is said there now.
    pub value: String,
}

/// Where in a file a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// On a line.
    There(BindingPath, usize),
    /// Nowhere yet: the chart's default holds for every environment, so that it is put into this environment's own file.
    New(Vec<String>),
}

impl ValueLine {
    /// The path, for people.
    pub fn path(&self) -> String {
        match &self.standing {
            Standing::There(path, _) => path.to_string(),
            Standing::New(keys) => keys.join("."),
        }
    }

    /// The line, where it has one.
    pub fn line(&self) -> Option<usize> {
        match &self.standing {
            Standing::There(_, line) => Some(*line),
            Standing::New(_) => None,
        }
    }
}

/// A file by its path in the repository, by its name as it is shown to people; none where it is no file of that.
pub fn tree_path(files: Files<'_>, shown: &str) -> Option<String> {
    let path = files.viewpoint.path(shown)?;
    matches!(files.source.read(&path), Ok(Some(_))).then_some(path)
}

/// A file of a tree as text.
///
/// # Errors
/// It is not there, cannot be read, or is no text.
pub fn text_of(tree: &SourceTree, path: &str) -> Result<String, Diagnostic> {
    let bytes = tree
        .read(path)
        .map_err(|error| error.diagnose())?
        .ok_or_else(|| Diagnostic::error(code::NOT_IN_TREE, format!("there is no `{path}` in {}", tree.place())))?;
    String::from_utf8(bytes).map_err(|_| Diagnostic::error(code::UNREADABLE_FILE, format!("`{path}` is no text")))
}

/// The files that say a unit's values and the tags of its images, by their names as they are shown.
pub fn saying(unit: &Unit) -> impl Iterator<Item = &str> {
    let kustomizations = unit.manifests().flat_map(|(_, kustomizations)| kustomizations).map(String::as_str);
    unit.value_files().chain(kustomizations)
}

/// What the layer that counts says; empty where that is no scalar, or is not told.
pub fn said(story: &ValueStory) -> String {
    let json = story.layers.first().and_then(|layer| layer.value.as_deref()).unwrap_or_default();
    match serde_json::from_str(json) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Null) | Err(_) => String::new(),
        Ok(other) => other.to_string(),
    }
}

/// Where a value of a unit is set for this environment.
///
/// # Errors
/// Why no line of this repository sets it, in words that follow "because".
pub fn value_line(files: Files<'_>, unit: &Unit, story: &ValueStory) -> Result<ValueLine, String> {
    let top = story.layers.first().ok_or("nothing sets it")?;
    let value = said(story);
    let defaults: Vec<&str> = story
        .layers
        .iter()
        .filter(|layer| layer.kind == "default")
        .filter_map(|layer| Some(layer.place.as_ref()?.file.as_str()))
        .collect();
    let own: Vec<&str> = unit.value_files().filter(|name| !defaults.contains(name)).collect();
    match (top.kind, &top.place) {
        ("flag", _) => Err(format!("{} sets it, and no values file", top.at)),
        ("default", _) if !own.is_empty() => {
            let last = own.last().copied().unwrap_or_default();
            let file = tree_path(files, last).ok_or_else(|| format!("{last} is no file of this repository"))?;
            let keys = story.path.split('.').map(str::to_owned).collect();
            Ok(ValueLine { file, standing: Standing::New(keys), value })
        }
        (_, Some(place)) => {
            let file =
                tree_path(files, &place.file).ok_or_else(|| format!("{} is no file of this repository", place.file))?;
            let text = text_of(files.source, &file).map_err(|error| error.message)?;
            let line = place.line as usize;
            let keys: Vec<&str> = story.path.split('.').collect();
            // A list's entry is named by its place.
            let listed = || BindingPath::parse(&story.path).filter(|path| tag_at(&text, path).is_some());
            let path = path_on(&text, line, &keys).or_else(listed);
            let path = path.ok_or_else(|| format!("{}:{line} says it in another way", place.file))?;
            Ok(ValueLine { file, standing: Standing::There(path, line), value })
        }
        (_, None) => Err(format!("{} sets it, and no values file", top.at)),
    }
}
