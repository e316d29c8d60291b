//! AppProjects as far as Applications are held against them: when they may be synced, and which are protected.

use std::collections::BTreeMap;

use landfall_apps::machine::Wanted;
use landfall_apps::{Application, Project, Windows};
use landfall_cluster::Change;
use landfall_object::{Gvk, Object};

use crate::accounts::{Doubt, Orders};

/// Projects by namespace and name.
#[derive(Default)]
pub(crate) struct Projects(BTreeMap<(String, String), Project>);

impl Projects {
    /// Their kind.
    pub(crate) fn kind() -> Gvk {
        Gvk::new("argoproj.io", "v1alpha1", "AppProject")
    }

    /// Takes note of one; what cannot be read leaves the one before it.
    pub(crate) fn take(&mut self, object: &Object) {
        match Project::parse(object) {
            Ok(project) => {
                if !project.not_acted_on.is_empty() {
                    let fields = project.not_acted_on.join(", ");
                    tracing::warn!("AppProject {}: not acted on: {fields}", project.name);
                }
                self.0.insert(place(object), project);
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }

    /// Takes note of a change; gives whether Applications are to be weighed anew.
    pub(crate) fn change(&mut self, change: Change) -> bool {
        match change {
            Change::Listed(_, objects) => {
                self.0.clear();
                objects.iter().for_each(|object| self.take(object));
            }
            Change::Applied(object) => self.take(&object),
            Change::Deleted(object) => drop(self.0.remove(&place(&object))),
            Change::Interrupted(_) => return false,
        }
        true
    }

    /// An Application's project in a namespace.
    fn of(&self, home: &str, application: &Application) -> Option<&Project> {
        self.0.get(&(home.to_owned(), application.project.clone()))
    }

    /// The sync windows of an Application's project: one of its own namespace, else Argo CD's.
    fn windows(&self, application: &Application) -> Windows {
        let project = self.of(&application.namespace, application).or_else(|| self.of(Project::HOME, application));
        project.map(|project| project.windows(application)).unwrap_or_default()
    }

    /// Whether an Application's project is protected: its own namespace's, or Argo CD's of that name. One that was so stays it,
    /// whether it is there or not, until its annotation says otherwise.
    pub(crate) fn is_protected(&self, orders: &Orders, application: &Application) -> bool {
        [application.namespace.as_str(), Project::HOME].into_iter().any(|home| {
            self.of(home, application).is_some_and(|project| project.is_protected)
                || orders.was_protected(home, &application.project)
        })
    }

    /// Whether any project of this name is protected, in whichever namespace.
    pub(crate) fn is_any_protected(&self, name: &str) -> bool {
        self.0.values().any(|project| project.name == name && project.is_protected)
    }

    /// An Application as the machine needs it; and why it does not sync by itself although it says so: what a protected one
    /// says counts when an owner or the base branch has said it.
    pub(crate) fn wanted(&self, orders: &Orders, application: &Application) -> (Wanted, Option<Doubt>) {
        let mut wanted = Wanted::of(application).within(self.windows(application));
        if wanted.automation.is_some()
            && self.is_protected(orders, application)
            && let Err(doubt) = orders.is_accepted(&application.object)
        {
            wanted.automation = None;
            return (wanted, Some(doubt));
        }
        (wanted, None)
    }
}

fn place(object: &Object) -> (String, String) {
    (object.namespace().unwrap_or_default().to_owned(), object.name().to_owned())
}
