//! AppProjects as far as Applications are held against them: when they may be synced, and which are protected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_apps::machine::Wanted;
use landfall_apps::{Application, Project, Settings};
use landfall_cluster::Change;
use landfall_diag::is_mutant;
use landfall_object::{Gvk, Object};

use crate::accounts::{Doubt, Orders};

/// Projects by their names: those of Argo CD's own namespace. Elsewhere one is nobody's project.
#[derive(Default)]
pub(crate) struct Projects(BTreeMap<String, Project>);

/// What is known of an Application where it is held against its project.
pub(crate) struct Weighed {
    /// As the machine needs it.
    pub(crate) wanted: Wanted,
    /// Why what is written into it does not count: of a protected one an owner or the base branch says it.
    pub(crate) doubt: Option<Doubt>,
    /// Why nobody says what it may deliver.
    pub(crate) unbounded: Option<String>,
}

impl Projects {
    /// Their kind.
    pub(crate) fn kind() -> Gvk {
        Gvk::new("argoproj.io", "v1alpha1", "AppProject")
    }

    /// Takes note of one; what cannot be read leaves the one before it.
    pub(crate) fn take(&mut self, object: &Object) {
        match Project::parse(object) {
            Ok(project) if project.namespace != Project::HOME => {}
            Ok(project) => {
                if !project.not_acted_on.is_empty() {
                    let fields = project.not_acted_on.join(", ");
                    tracing::warn!("AppProject {}: not acted on: {fields}", project.name);
                }
                self.0.insert(project.name.clone(), project);
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }

    /// Takes note of a change; gives the names of those that are otherwise than before, where Applications are to be weighed anew.
    pub(crate) fn change(&mut self, change: Change) -> Option<BTreeSet<String>> {
        let before = self.0.clone();
        match change {
            Change::Listed(_, objects) => {
                self.0.clear();
                objects.iter().for_each(|object| self.take(object));
            }
            Change::Applied(object) => self.take(&object),
            Change::Deleted(object) if object.namespace() == Some(Project::HOME) => drop(self.0.remove(object.name())),
            Change::Deleted(_) | Change::Interrupted(_) => return None,
        }
        let names = before.keys().chain(self.0.keys());
        Some(names.filter(|name| before.get(*name) != self.0.get(*name)).cloned().collect())
    }

    /// Whether an Application's project lets it be delivered from where its sources lie.
    pub(crate) fn permits(&self, application: &Application) -> bool {
        let checked = match self.0.get(&application.project) {
            Some(project) => project.check_sources(application),
            None => Project::check_missing(application),
        };
        checked.is_ok()
    }

    /// Whether an Application is changed by owners alone: its project is protected, or it belongs to one that is. A project that was
    /// so stays it, whether it is there or not, until its annotation says otherwise.
    pub(crate) fn is_protected(&self, orders: &Orders, application: &Application) -> bool {
        self.is_named_protected(orders, &application.project) || orders.owner_of(&application.object).is_some()
    }

    /// Whether a project of this name is protected.
    pub(crate) fn is_named_protected(&self, orders: &Orders, name: &str) -> bool {
        self.0.get(name).is_some_and(|project| project.is_protected) || orders.was_protected(name)
    }

    /// Holds an Application against its project. What a protected one says counts when an owner or the base branch has said it,
    /// and so does that it leaves.
    pub(crate) fn weigh(&self, orders: &Arc<Orders>, settings: &Settings, application: &Application) -> Weighed {
        let Application { object, project: name, .. } = application;
        let project = self.0.get(name);
        let unbounded = match project {
            Some(project) => settings.unbounded(project),
            None => Project::check_missing(application).err().map(|error| error.to_string()),
        };
        let windows = project.map(|project| project.windows(application)).unwrap_or_default();
        let mut wanted = Wanted::of(application).within(windows);
        let (is_protected, owner) = (self.is_named_protected(orders, name), orders.owner_of(object));
        let mut doubt = None;
        match owner.filter(|owner| owner != name && !is_mutant("project-owners")) {
            Some(owner) => match orders.is_accepted(object) {
                Ok(()) => orders.belongs(object, Some(name.as_str()).filter(|_| is_protected)),
                Err(why) => {
                    let text = format!("it belongs to project {owner}, and names {name}: {}", why.why);
                    doubt = Some(Doubt { why: text, ..why });
                }
            },
            None if is_protected => {
                orders.belongs(object, Some(name));
                doubt = wanted.automation.is_some().then(|| orders.is_accepted(object).err()).flatten();
            }
            None => {}
        }
        if doubt.is_some() || unbounded.is_some() {
            wanted.automation = None;
        }
        Weighed { wanted, doubt, unbounded }
    }
}
