use serde::Serialize;

use crate::{Place, Severity};

/// One finding: one cause, however many objects it shows in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, in one sentence that names the thing.
    pub message: String,
    /// What follows from it, in one sentence.
    pub cause: String,
    /// What to type or to edit.
    pub help: String,
    /// Where it shows, the place to look at first in front.
    pub spots: Vec<Spot>,
    /// Who says so.
    pub witness: Witness,
    /// The waiver that accepts it, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<Waived>,
    /// Findings of one rule with the same key have one cause.
    #[serde(skip)]
    pub key: String,
    /// Findings of one rule and family are shown as one, however many causes of the kind there are.
    #[serde(skip)]
    pub family: Option<String>,
}

/// Who says that something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by", content = "who")]
pub enum Witness {
    /// A rule that looked at what was rendered.
    Rule,
    /// The delivery onto the simulated cluster.
    Rehearsal,
    /// A real cluster's API, asked with `dryRun=All`: its name and version.
    Api(String),
}

/// A waiver that accepts a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waived {
    /// Why.
    pub reason: String,
    /// The last day.
    pub until: String,
    /// Where it is declared.
    pub place: Place,
}

/// One place where a finding shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// The release or Application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectName>,
    /// The container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The field, as `spec.template.spec.containers[0].image`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The template's line that wrote the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<Place>,
    /// Where the values in the field were set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueOrigin>,
    /// A place in a file of the repository, for findings that are about files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Place>,
}

/// The object that a finding is about. Its key is `landfall_object`'s; this is what can be told of it here, where no room is
/// known yet, and it serialises alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ObjectName {
    /// Group, version and kind.
    pub gvk: KindName,
    /// The namespace; none for cluster-scoped objects and for manifests that leave it to the context.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// A kind of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct KindName {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version inside the group.
    pub version: String,
    /// The kind.
    pub kind: String,
}

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueOrigin {
    /// As a person would look for it: `values.prod.yaml:12:3`, `--set a=…`.
    pub text: String,
    /// The place in a file; none for flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The commit that wrote the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
}

/// A commit that wrote a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// Its full id.
    pub sha: String,
    /// Its first line.
    pub subject: String,
    /// When it was made, as RFC 3339.
    pub at: String,
}

impl Finding {
    /// A finding of a rule; `message` says what is wrong and names the thing.
    pub fn of(rule: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        let message = message.into();
        Finding {
            rule,
            severity,
            key: message.clone(),
            message,
            cause: String::new(),
            help: String::new(),
            spots: Vec::new(),
            witness: Witness::Rule,
            waived: None,
            family: None,
        }
    }

    /// Another weight than the rule's own.
    #[must_use]
    pub fn weighing(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// What follows from it, in one sentence.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// What to type or to edit.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Where it shows; the first is the place to look at.
    #[must_use]
    pub fn at(mut self, spot: Spot) -> Self {
        self.spots.push(spot);
        self
    }

    /// What makes two findings of a rule one: the same cause. The message when not said.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// What it is shown with as one.
    #[must_use]
    pub fn of_family(mut self, family: impl Into<String>) -> Self {
        self.family = Some(family.into());
        self
    }

    /// Somebody else than a rule says so.
    #[must_use]
    pub fn said_by(mut self, witness: Witness) -> Self {
        self.witness = witness;
        self
    }

    /// Whether it makes the rehearsal fail.
    pub fn fails(&self) -> bool {
        self.severity == Severity::Error && self.waived.is_none()
    }

    /// The first place.
    pub fn spot(&self) -> Option<&Spot> {
        self.spots.first()
    }
}

impl Spot {
    /// A place in an object of a unit.
    pub fn object(unit: Option<&str>, object: impl Into<ObjectName>) -> Self {
        Spot { unit: unit.map(str::to_owned), object: Some(object.into()), ..Spot::default() }
    }

    /// A place in a file.
    pub fn file(place: Place) -> Self {
        Spot { file: Some(place), ..Spot::default() }
    }

    /// In a container.
    #[must_use]
    pub fn container(mut self, name: impl Into<String>) -> Self {
        self.container = Some(name.into()).filter(|name| !name.is_empty());
        self
    }

    /// At a field.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.field = Some(path.into());
        self
    }

    /// Whether it is in that object.
    pub fn is_of(&self, object: &ObjectName) -> bool {
        self.object.as_ref() == Some(object)
    }

    /// `Deployment/web (shop)`, or the file.
    pub fn name(&self) -> String {
        let Some(object) = &self.object else {
            return self.file.as_ref().map(|place| place.file.clone()).unwrap_or_default();
        };
        let namespace = object.namespace.as_deref().map(|namespace| format!(" ({namespace})")).unwrap_or_default();
        format!("{}/{}{namespace}", object.gvk.kind, object.name)
    }
}
