//! Names and addresses in an Application that are none.

use std::borrow::Cow;

use landfall_object::Object;
use landfall_project::{ContextName, Namespace, ObjectName, ReleaseName, RepositoryUrl, TreePath, Unfit, Url};
use serde_json::Value;

/// A text of an Application that is not what its field wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field, from the object's root.
    pub path: Vec<FieldStep>,
    /// What stands there.
    pub text: String,
    /// What is wanted.
    pub unfit: Unfit,
}

/// One step of a field's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldStep {
    /// A key of a map.
    Key(&'static str),
    /// An item of a list, from 0.
    Index(usize),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = elided(&self.text);
        write!(f, "`{}` cannot be `{text}`: ", self.field())?;
        // What is nearest to a text that goes on and on is no help.
        if text.len() < self.text.len() { f.write_str(&self.unfit.wanted) } else { self.unfit.fmt(f) }
    }
}

impl Fault {
    /// The field as people write it: `spec.sources[0].repoURL`.
    pub fn field(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                FieldStep::Key(key) if out.is_empty() => out.push_str(key),
                FieldStep::Key(key) => out.push_str(&format!(".{key}")),
                FieldStep::Index(index) => out.push_str(&format!("[{index}]")),
            }
        }
        out
    }
}

/// Letters of a text that are shown; of a longer one its beginning, and how long it is.
const SHOWN: usize = 80;

/// A text as it is shown.
pub(crate) fn elided(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        None => text.into(),
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()).into(),
    }
}

/// All faults of an Application, in the order in which its fields are looked at.
pub(crate) fn faults(object: &Object) -> Vec<Fault> {
    let mut look = Look { object, faults: Vec::new() };
    let key = FieldStep::Key;
    look.text(&[key("metadata"), key("name")], |text| ObjectName::parse(text).map(drop));
    look.text(&[key("metadata"), key("namespace")], |text| Namespace::parse(text).map(drop));
    look.text(&[key("spec"), key("project")], |text| ObjectName::parse(text).map(drop));
    let destination = |field| [key("spec"), key("destination"), key(field)];
    look.text(&destination("namespace"), |text| Namespace::parse(text).map(drop));
    look.text(&destination("server"), |text| Url::parse(text).map(drop));
    look.text(&destination("name"), |text| ContextName::parse(text).map(drop));
    // As Argo CD: `source` does not count when `sources` is set.
    match object.spec().and_then(|spec| spec.get("sources")?.as_array()).map_or(0, Vec::len) {
        0 => look.source(&[key("spec"), key("source")]),
        count => (0..count).for_each(|index| look.source(&[key("spec"), key("sources"), FieldStep::Index(index)])),
    }
    look.faults
}

struct Look<'o> {
    object: &'o Object,
    faults: Vec<Fault>,
}

impl Look<'_> {
    fn source(&mut self, at: &[FieldStep]) {
        let field = |path: &[&'static str]| -> Vec<FieldStep> {
            at.iter().copied().chain(path.iter().map(|name| FieldStep::Key(name))).collect()
        };
        self.text(&field(&["repoURL"]), |text| RepositoryUrl::parse(text).map(drop));
        // Argo CD's users write a leading slash, too: it is the repository's root.
        self.text(&field(&["path"]), |text| match text.trim_matches('/') {
            "" => Ok(()),
            path => TreePath::parse(path).map(drop),
        });
        self.text(&field(&["helm", "releaseName"]), |text| ReleaseName::parse(text).map(drop));
        self.text(&field(&["helm", "namespace"]), |text| Namespace::parse(text).map(drop));
    }

    /// Holds a text against its rule; an empty one stands for none.
    fn text(&mut self, path: &[FieldStep], judge: impl Fn(&str) -> Result<(), Unfit>) {
        let found = path.iter().try_fold(self.object.value(), |value: &Value, step| match step {
            FieldStep::Key(key) => value.get(key),
            FieldStep::Index(index) => value.get(index),
        });
        let Some(text) = found.and_then(Value::as_str).filter(|text| !text.is_empty()) else { return };
        if let Err(unfit) = judge(text) {
            self.faults.push(Fault { path: path.to_vec(), text: text.to_owned(), unfit });
        }
    }
}
