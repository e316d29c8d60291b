//! What a repository's `landfall.yaml` declares to be checked of an Application, as of the commit that was delivered.

use landfall_apps::Application;
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_object::Object;
use landfall_project::{Check, Environment, FILE_NAME, OnSmokeFailure, Sync, SyncMode};
use landfall_source::SourceTree;

use crate::target::join;
use crate::unit::StandIn;

/// The checks of an Application.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredChecks {
    /// The environment that declares them.
    pub environment: String,
    /// Them.
    pub checks: Vec<Check>,
    /// What follows when one fails.
    pub on_failure: OnSmokeFailure,
    /// Whether they are made after syncs alone that somebody has asked for.
    pub by_hand: bool,
}

impl DeclaredChecks {
    /// What an environment declares of an Application; nothing where that is nothing.
    pub fn of(name: &str, environment: &Environment, application: &str) -> Option<Self> {
        let mut checks = environment.checks.clone();
        checks.retain(|check| check.release.as_ref().is_none_or(|release| **release == *application));
        let mode = environment.sync.as_ref().map(|sync| match sync {
            Sync::Mode(mode) | Sync::Owned { mode, .. } => *mode,
        });
        (!checks.is_empty()).then(|| DeclaredChecks {
            environment: name.to_owned(),
            checks,
            on_failure: environment.on_smoke_failure.unwrap_or_default(),
            by_hand: mode == Some(SyncMode::Manual),
        })
    }
}

/// What the repositories of an Application's sources declare to be checked of it: the environment whose `applications:`
/// hold it, or that has a check which names it.
///
/// # Errors
/// A `landfall.yaml` cannot be read.
pub fn declared_checks(
    application: &Application,
    repositories: &[StandIn],
) -> Result<Option<DeclaredChecks>, Vec<Diagnostic>> {
    for repository in repositories {
        let path = join(&repository.root, FILE_NAME);
        let Some(bytes) = repository.tree.read(&path).map_err(|error| vec![error.diagnose()])? else { continue };
        let file = landfall_project::parse_bytes(FILE_NAME, &bytes)?;
        for (name, environment) in &file.system.environments {
            let names_it = || {
                let mut of = environment.checks.iter().filter_map(|check| check.release.as_deref());
                of.any(|release| release == application.name)
            };
            if holds(&repository.tree, &repository.root, environment, application) || names_it() {
                return Ok(DeclaredChecks::of(name, environment, &application.name));
            }
        }
    }
    Ok(None)
}

/// Whether an environment's files of Applications hold one.
fn holds(tree: &SourceTree, root: &str, environment: &Environment, application: &Application) -> bool {
    let patterns = environment.applications.iter().flat_map(landfall_project::OneOrMany::iter);
    patterns.flat_map(|pattern| tree.glob(&join(root, pattern)).unwrap_or_default()).any(|path| {
        let bytes = tree.read(&path).ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let documents = landfall_yaml::documents(&text).filter_map(|part| part.and_then(|part| part.to_json()).ok());
        documents.filter_map(|document| Object::from_value(document).ok()).any(|object| {
            object.kind() == "Application"
                && object.name() == application.name
                && object.namespace().is_none_or(|namespace| namespace == application.namespace)
        })
    })
}
