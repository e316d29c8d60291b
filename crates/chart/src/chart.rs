//! A chart in memory.

mod definitions;
mod load;
mod without;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use landfall_gotemplate::Map;

pub use self::without::{LeftOut, NOT_AT_HAND, StandsBeside, Without};
use crate::lock::Lock;
use crate::metadata::{Dependency, Metadata};
use crate::tree::Bytes;
use crate::warning::Warning;

/// A file of a chart; its name is the path relative to the chart's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path relative to the chart's directory.
    pub name: String,
    /// Content.
    pub data: Bytes,
    pub(crate) read: Documents,
    notes: Notes,
}

/// What is made of a file's text, once for all who ask; no part of what the file is.
#[derive(Default)]
pub(crate) struct Aside<T>(Arc<T>);

/// The documents of a file.
pub(crate) type Documents = Aside<OnceLock<Vec<serde_json::Value>>>;

/// What others have made of it, one of each type.
type Notes = Aside<Mutex<Vec<Arc<dyn Any + Send + Sync>>>>;

impl Documents {
    /// The documents of a text; none where one of them cannot be read.
    fn of(&self, data: &[u8]) -> &[serde_json::Value] {
        self.0.get_or_init(|| {
            let text = String::from_utf8_lossy(data);
            let documents = landfall_yaml::documents(&text).map(|part| part.and_then(|part| part.to_json()));
            documents.collect::<Result<_, _>>().unwrap_or_default()
        })
    }
}

impl<T> Clone for Aside<T> {
    fn clone(&self) -> Self {
        Aside(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Aside<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aside")
    }
}

impl<T> PartialEq for Aside<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Aside<T> {}

impl File {
    /// A file with its content.
    pub fn new(name: impl Into<String>, data: Bytes) -> Self {
        File { name: name.into(), data, read: Documents::default(), notes: Notes::default() }
    }

    /// What is made of the text, once for all who ask for this type: the same file is looked at in hundreds of renderings.
    pub fn noted<T: Send + Sync + 'static>(&self, make: impl FnOnce(&str) -> T) -> Arc<T> {
        let known =
            |notes: &[Arc<dyn Any + Send + Sync>]| notes.iter().find_map(|it| Arc::clone(it).downcast::<T>().ok());
        if let Some(note) = self.notes.0.lock().ok().and_then(|notes| known(&notes)) {
            return note;
        }
        let made = Arc::new(make(&self.text()));
        if let Ok(mut notes) = self.notes.0.lock() {
            notes.push(Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
        }
        made
    }

    /// The content as text, with U+FFFD for what is not UTF-8.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.data)
    }
}

/// A chart with the charts it consists of; cheap to clone.
#[derive(Debug, Clone)]
pub struct Chart {
    /// `Chart.yaml`, with what `requirements.yaml` adds.
    pub metadata: Metadata,
    /// `Chart.lock` or `requirements.lock`.
    pub lock: Option<Lock>,
    /// The files below `templates/`.
    pub templates: Arc<[File]>,
    /// `values.yaml`.
    pub values: Map,
    /// `values.schema.json`.
    pub schema: Option<Bytes>,
    /// What templates reach through `.Files`.
    pub files: Arc<[File]>,
    /// Every file as it was read, `charts/` included.
    pub raw: Arc<[File]>,
    /// The charts in `charts/`, by the name of their directory or archive.
    pub dependencies: Vec<Chart>,
    /// Where the chart lies, as its owner would type it; places in errors begin with it.
    pub location: String,
    /// What Helm would write to stderr while loading it.
    pub warnings: Vec<Warning>,
    /// The name before an alias took its place, when charts below were not taken over into the alias: Helm goes on
    /// calling them by the path they were loaded under.
    pub(crate) loaded_name: Option<String>,
    /// The dependencies that values have switched off; `metadata` names them no more then, as in Helm.
    pub(crate) switched_off: Vec<Dependency>,
    /// What it is looked at without; nothing where it is delivered.
    pub without: Without,
}

/// A file of custom resource definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crd {
    /// Path with the chart's name in front: `web/crds/x.yaml`, `web/charts/db/crds/y.yaml`.
    pub path: String,
    /// Content, not split.
    pub data: Bytes,
    read: Documents,
}

impl Crd {
    /// The content as text, with U+FFFD for what is not UTF-8.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.data)
    }

    /// Its documents; none where one of them cannot be read.
    pub fn documents(&self) -> &[serde_json::Value] {
        self.read.of(&self.data)
    }
}

/// A location as a word of a command that can be pasted into a shell; what has none lies in the directory one is in.
pub(crate) fn typed(location: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    match location {
        "" => ".".to_owned(),
        plainly if plainly.chars().all(plain) => plainly.to_owned(),
        other => format!("'{}'", other.replace('\'', "'\\''")),
    }
}

impl Chart {
    /// The chart's name; for a dependency with an alias, the alias.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The file of that name as it was read.
    pub fn raw_file(&self, name: &str) -> Option<&File> {
        self.raw.iter().find(|file| file.name == name)
    }

    /// A path as the chart's owner would type it.
    pub fn path_of(&self, name: &str) -> String {
        if self.location.is_empty() { name.to_owned() } else { format!("{}/{name}", self.location) }
    }

    /// Where it lies, as a word of a command that can be pasted into a shell.
    pub fn typed(&self) -> String {
        typed(&self.location)
    }

    /// The files in `crds/`, this chart's first, then its dependencies', depth first.
    pub fn crds(&self) -> Vec<Crd> {
        let mut crds = Vec::new();
        self.collect_crds(self.name(), &mut crds);
        crds
    }

    fn collect_crds(&self, path: &str, into: &mut Vec<Crd>) {
        for file in self.files.iter().filter(|file| file.name.starts_with("crds/")) {
            let extension = file.name.rsplit_once('.').map_or("", |(_, extension)| extension);
            if ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known)) {
                into.push(Crd {
                    path: format!("{path}/{}", file.name),
                    data: file.data.clone(),
                    read: file.read.clone(),
                });
            }
        }
        for dependency in &self.dependencies {
            dependency.collect_crds(&format!("{path}/charts/{}", dependency.name()), into);
        }
    }

    /// Dependencies named in `Chart.yaml` that are not in `charts/`.
    pub fn missing_dependencies(&self) -> Vec<&str> {
        self.metadata
            .dependencies
            .iter()
            .map(|wanted| wanted.name.as_str())
            .filter(|name| !self.dependencies.iter().any(|chart| chart.name() == *name))
            .collect()
    }

    /// The dependencies that `Chart.yaml` names, at hand or not, switched on or off.
    pub fn declared(&self) -> impl Iterator<Item = &Dependency> {
        self.metadata.dependencies.iter().chain(&self.switched_off).chain(&self.without.dependencies)
    }

    /// Whether a template, by its path (`web/charts/db/templates/x.yaml`), belongs to a dependency that comes from a repository: to
    /// somebody else's chart, not to a part of this one.
    pub fn is_borrowed(&self, path: &str) -> bool {
        let Some((_, inside)) = path.split_once('/') else { return false };
        let Some((name, _)) = inside.strip_prefix("charts/").and_then(|rest| rest.split_once('/')) else {
            return false;
        };
        let mut declared = self.declared().filter(|it| it.name == name || it.alias == name);
        let is_remote = |repository: &str| !repository.is_empty() && !repository.starts_with("file://");
        declared.any(|dependency| is_remote(&dependency.repository))
            || self.dependencies.iter().any(|part| part.name() == name && part.is_borrowed(inside.split_at(7).1))
    }

    /// The README, whatever the case of its name (helm: `action.findReadme`).
    pub fn readme(&self) -> Option<&File> {
        self.files.iter().find(|file| {
            ["readme.md", "readme.txt", "readme"].iter().any(|known| file.name.eq_ignore_ascii_case(known))
        })
    }
}
