//! What a repository's `landfall.yaml` declares to be checked of an Application, as of the commit that was delivered.

use landfall_apps::Application;
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_object::Object;
use landfall_project::{Check, Environment, FILE_NAME, OnSmokeFailure, Sync, SyncMode, System};
use landfall_source::{SourceTree, repository_key};

use crate::target::join;
use crate::unit::StandIn;

/// The checks of an Application.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredChecks {
    /// The system that declares them ([`system_key`]).
    pub system: String,
    /// Its environment that does.
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
    pub fn of(system: &str, (name, environment): (&str, &Environment), application: &str) -> Option<Self> {
        let mut checks = environment.checks.clone();
        checks.retain(|check| check.release.as_ref().is_none_or(|release| **release == *application));
        let mode = environment.sync.as_ref().map(|sync| match sync {
            Sync::Mode(mode) | Sync::Owned { mode, .. } => *mode,
        });
        (!checks.is_empty()).then(|| DeclaredChecks {
            system: system.to_owned(),
            environment: name.to_owned(),
            checks,
            on_failure: environment.on_smoke_failure.unwrap_or_default(),
            by_hand: mode == Some(SyncMode::Manual),
        })
    }
}

/// What tells a system from others whose environments have the same names: the path of its repository and its name. One repository has
/// several hosts (a forge's inside of the cluster, and the one that people know), so its host is no part of it.
pub fn system_key(repository: Option<&str>, system: &System) -> String {
    let path = repository.map(repository_path).unwrap_or_default();
    format!("{path} {}", system.name).trim_start().to_owned()
}

/// Whether a system that is called so in books ([`system_key`]) may be declared in that repository.
pub fn is_of_repository(system: &str, repository: &str) -> bool {
    let path = repository_path(repository);
    path.is_empty() || system.strip_prefix(&path).is_some_and(|rest| rest.starts_with(' '))
}

fn repository_path(repository: &str) -> String {
    let key = repository_key(repository);
    key.trim_start_matches('/').split_once('/').map_or("", |(_, path)| path).to_owned()
}

/// The environment that delivers an Application, as its repository declares it.
#[derive(Debug, Clone)]
pub struct Declaring<'r> {
    /// The environment's name.
    pub environment: String,
    /// The system that it belongs to.
    pub system: System,
    /// The repository that says so.
    pub repository: &'r StandIn,
}

impl Declaring<'_> {
    /// What the system is called in books that are of several.
    pub fn key(&self) -> String {
        system_key(Some(&self.repository.address), &self.system)
    }
}

/// The environment that delivers an Application, by what the repositories of its sources declare: the one whose `applications:`
/// hold it, or that has a check which names it; in the nearest `landfall.yaml` above what is delivered that has one.
///
/// # Errors
/// A `landfall.yaml` cannot be read.
pub fn declaring<'r>(
    application: &Application,
    repositories: &'r [StandIn],
) -> Result<Option<Declaring<'r>>, Vec<Diagnostic>> {
    for repository in repositories {
        for directory in directories(application, repository) {
            let path = join(&directory, FILE_NAME);
            let Some(bytes) = repository.tree.read(&path).map_err(|error| vec![error.diagnose()])? else { continue };
            let file = landfall_project::parse_bytes(FILE_NAME, &bytes)?;
            let found = file.system.environments.iter().find(|(_, environment)| {
                let mut of = environment.checks.iter().filter_map(|check| check.release.as_deref());
                holds(&repository.tree, &directory, environment, application)
                    || of.any(|release| release == application.name)
            });
            if let Some(environment) = found.map(|(name, _)| name.clone()) {
                return Ok(Some(Declaring { environment, system: file.system, repository }));
            }
        }
    }
    Ok(None)
}

/// Where a repository may declare a system: above what an Application takes from it, the nearest first, and at its root.
fn directories(application: &Application, repository: &StandIn) -> Vec<String> {
    let key = repository_key(&repository.address);
    let mut found: Vec<String> = Vec::new();
    for source in application.sources.iter().filter(|source| repository_key(&source.repo_url) == key) {
        let mut path = source.path.trim_matches('/');
        while !path.is_empty() && path != "." {
            found.push(join(&repository.root, path));
            path = path.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
    // A longer way is a nearer one.
    found.sort_by_key(|path| std::cmp::Reverse(path.matches('/').count()));
    found.dedup();
    found.push(repository.root.clone());
    found
}

/// What the repositories of an Application's sources declare to be checked of it.
///
/// # Errors
/// A `landfall.yaml` cannot be read.
pub fn declared_checks(
    application: &Application,
    repositories: &[StandIn],
) -> Result<Option<DeclaredChecks>, Vec<Diagnostic>> {
    let Some(declaring) = declaring(application, repositories)? else { return Ok(None) };
    let environment = declaring.system.environments.get(&declaring.environment);
    Ok(environment.and_then(|it| DeclaredChecks::of(&declaring.key(), (&declaring.environment, it), &application.name)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_one_by_whatever_address_its_repository_is_reached_and_another_in_another_repository() {
        let text = "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments: {}\n";
        let file = landfall_project::parse_bytes(FILE_NAME, text.as_bytes()).expect("a system");
        let key = |address| system_key(address, &file.system);
        for address in [
            "https://git.example.com/acme/shop.git",
            "git@git.example.com:acme/shop",
            "http://gitea.forge.svc:3000/acme/shop",
        ] {
            assert_eq!(key(Some(address)), "acme/shop shop", "{address}");
        }
        assert_eq!(key(Some("https://git.example.com/eve/shop.git")), "eve/shop shop");
        assert_eq!(key(None), "shop");
        assert!(is_of_repository("acme/shop shop", "git@git.example.com:acme/shop"));
        assert!(!is_of_repository("acme/shop shop", "https://git.example.com/acme/sho.git"));
        assert!(is_of_repository("shop", "shop"));
    }
}
