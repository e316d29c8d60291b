//! A plan in a file: what was shown, and all that leads to it again.

use std::path::Path;
use std::sync::Arc;

use landfall_delivery::{Approved, UnitPlan};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure, Place, shell_word};
use landfall_object::{Gvk, ObjectKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::{RenderedArgs, TargetArgs, ValuesArgs};
use crate::context::Context;

/// What the file says that it is.
const SCHEMA: &str = "landfall.dev/v1/SavedPlan";
/// The largest file that is read.
const LARGEST: u64 = 256 << 20;

/// A plan that was shown, as `plan --out` saves it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedPlan {
    schema: String,
    /// As they were typed: files are looked for where the plan is carried out.
    target: Option<String>,
    place: TargetArgs,
    values: ValuesArgs,
    /// What the cluster is called.
    cluster: String,
    /// The uid of its namespace `kube-system`, where it is not one of this directory.
    cluster_uid: Option<String>,
    /// The revision of the tree.
    revision: String,
    environment: Option<String>,
    /// What landfall.yaml says of the environment.
    declared: Option<Value>,
    units: Approved,
}

impl SavedPlan {
    /// Whether a plan can be saved there, before anything else is done.
    pub(super) fn check(context: &Context, file: &str, values: &ValuesArgs) -> Result<(), Failure> {
        if values.values.iter().any(|name| name == "-") {
            let text = "values from standard input cannot be read again when the plan is carried out";
            return Err(Failure::usage(
                Diagnostic::error(code::UNSAVED_PLAN, text).help("name a values file with -f FILE"),
            ));
        }
        match context.host.directory.join(file).symlink_metadata() {
            Ok(_) => Err(unsaved(file, "it is there already").help("name another file, or remove it").into()),
            Err(_) => Ok(()),
        }
    }

    /// What was shown just now.
    pub(super) async fn of(
        args: &RenderedArgs,
        place: &Place,
        connection: &Connection,
        plans: &[UnitPlan],
    ) -> Result<Self, Failure> {
        let units = Approved::of(plans).map_err(|error| {
            Diagnostic::error(code::UNSAVED_PLAN, "the plan cannot be saved").note(error.to_string())
        })?;
        Ok(SavedPlan {
            schema: SCHEMA.to_owned(),
            target: args.target.clone(),
            place: args.place.clone(),
            values: args.values.clone(),
            cluster: connection.name.clone(),
            cluster_uid: uid(place, connection).await,
            revision: place.target.source.revision().to_string(),
            environment: place.environment.clone(),
            declared: declared(place)?,
            units,
        })
    }

    /// Writes it into a new file that its owner alone reads.
    pub(super) fn save(&self, context: &Context, file: &str) -> Result<(), Failure> {
        let text = serde_json::to_string(self).map_err(|error| unsaved(file, &error.to_string()))?;
        let written = landfall_source::write_new_private(&context.host.directory.join(file), text.as_bytes());
        Ok(written.map_err(|error| unsaved(file, &error.to_string()))?)
    }

    /// Reads one.
    pub(crate) fn read(context: &Context, file: &str) -> Result<Self, Failure> {
        let told = |why: &str| {
            Failure::usage(
                Diagnostic::error(code::NOT_A_PLAN, format!("{file} is not a plan that can be carried out"))
                    .note(why.to_owned())
                    .help("`landfall plan --out FILE` saves one"),
            )
        };
        let path = context.host.directory.join(file);
        let known = std::fs::metadata(&path).map_err(|error| told(&error.to_string()))?;
        if !known.is_file() {
            return Err(told("it is not a file"));
        }
        if known.len() > LARGEST {
            return Err(told("it is larger than is read"));
        }
        let bytes = std::fs::read(&path).map_err(|error| told(&error.to_string()))?;
        let plan: SavedPlan = serde_json::from_slice(&bytes).map_err(|_| told("it does not hold what a plan holds"))?;
        if plan.schema != SCHEMA { Err(told("it is of another version")) } else { Ok(plan) }
    }

    /// What was named to be delivered.
    pub(crate) fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// Where it was to go, and with which values.
    pub(crate) fn arguments(&self) -> (TargetArgs, ValuesArgs) {
        (self.place.clone(), self.values.clone())
    }

    /// What was shown.
    pub(crate) fn approved(&self) -> Arc<Approved> {
        Arc::new(self.units.clone())
    }

    /// Whether the tree is still the one that was planned from, as far as no rendering shows it: what landfall.yaml says of
    /// the environment, and all of it where images are built from it.
    pub(crate) fn check_tree(&self, context: &Context, place: &Place, builds: bool) -> Result<(), Failure> {
        let mut notes = Vec::new();
        let declared = declared(place)?;
        if self.environment != place.environment {
            let named = |name: &Option<String>| name.as_deref().map_or("none".to_owned(), |name| format!("`{name}`"));
            notes.push(format!(
                "the environment was {}, and is {}",
                named(&self.environment),
                named(&place.environment)
            ));
        } else if self.declared != declared {
            let changed = changed(self.declared.as_ref(), declared.as_ref());
            notes.push(format!("landfall.yaml says something else of the environment: {}", changed.join(", ")));
        }
        let revision = place.target.source.revision().to_string();
        if self.revision != revision && builds {
            notes.push(format!("images are built from the tree, which was at {}, and is at {revision}", self.revision));
        }
        if notes.is_empty() {
            if self.revision != revision {
                let text = format!("the tree was at {}, and is at {revision}", self.revision);
                context.ui.status(&text);
            }
            return Ok(());
        }
        let told = Diagnostic::refused(code::PLAN_OUTDATED, "the plan is out of date: the tree has changed since");
        let told = notes.into_iter().fold(told, Diagnostic::note);
        Err(told.help("`landfall plan --out FILE` shows and saves what would be done now").into())
    }

    /// Whether the cluster is the one that was planned for.
    pub(crate) async fn check_cluster(&self, place: &Place, connection: &Connection) -> Result<(), Failure> {
        let note = if self.cluster != connection.name {
            format!("it was made for {}, and this is {}", self.cluster, connection.name)
        } else if self.cluster_uid != uid(place, connection).await {
            format!("{} is another cluster of the same name", connection.name)
        } else {
            return Ok(());
        };
        Err(Diagnostic::refused(code::PLAN_OUTDATED, "the plan is for another cluster")
            .note(note)
            .help("`landfall plan --out FILE` shows and saves what would be done here")
            .into())
    }
}

/// What landfall.yaml says of the place's environment.
fn declared(place: &Place) -> Result<Option<Value>, Failure> {
    let declared = place.declared().map(serde_json::to_value).transpose();
    Ok(declared.map_err(|error| {
        Diagnostic::error(code::UNSAVED_PLAN, "what is declared cannot be written down").note(error.to_string())
    })?)
}

/// The fields in which two declarations of an environment differ.
fn changed(before: Option<&Value>, now: Option<&Value>) -> Vec<String> {
    let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
    let (before, now) = (fields(before), fields(now));
    let mut names: Vec<String> = before.keys().chain(now.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| before.get(name) != now.get(name));
    names.into_iter().map(|name| format!("`{name}`")).collect()
}

/// What no other cluster has; the one that is kept with the state is known by that.
async fn uid(place: &Place, connection: &Connection) -> Option<String> {
    if place.cluster.is_kept_in_state() {
        return None;
    }
    let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, "kube-system");
    // Whoever may not read it has the name alone.
    connection.cluster.get(&key).await.ok()??.uid().map(str::to_owned)
}

/// A file's name as it is typed.
pub(super) fn word(file: &str) -> String {
    shell_word(Path::new(file))
}

fn unsaved(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error(code::UNSAVED_PLAN, format!("the plan cannot be saved in {file}")).note(why.to_owned())
}
