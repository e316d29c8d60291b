//! What Applications are held against: their projects and Argo CD's settings, as watches tell of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use landfall_apps::machine::{Freshness, Observation};
use landfall_apps::{Project, Settings};
use landfall_cluster::{Change, ListOptions};
use landfall_object::{Object, ObjectKey};

use super::Controller;
use crate::accounts::Doubt;
use crate::projects::{Projects, Weighed};

impl Controller {
    /// Takes note of the projects, before anything is held against them.
    pub(super) async fn list_projects(&mut self) {
        let options = ListOptions::default();
        if let Ok(objects) = self.work.session.cluster.list(&Projects::kind(), &options).await {
            for object in &objects {
                self.protected(object);
                self.projects.take(object);
            }
        }
    }

    /// Takes note of a change of a project, and tells it to those who are held against it.
    pub(super) fn project_changed(&mut self, change: Result<Change, landfall_cluster::Error>) {
        match change {
            Ok(change) => {
                match &change {
                    Change::Listed(_, objects) => objects.iter().for_each(|object| self.protected(object)),
                    Change::Applied(object) => self.protected(object),
                    Change::Deleted(object) => self.unguarded(object),
                    Change::Interrupted(_) => {}
                }
                if let Some(changed) = self.projects.change(change) {
                    self.weigh_anew(&changed);
                }
            }
            Err(error) => tracing::warn!("AppProjects cannot be watched: {error}"),
        }
    }

    /// Takes note of a change of Argo CD's settings, and tells it to those who are held against them.
    pub(super) fn settings_changed(&mut self, change: Result<Change, landfall_cluster::Error>) {
        match change {
            Ok(change) => {
                let before = self.work.settings.now();
                if self.work.settings.change(&change) {
                    let now = self.work.settings.now();
                    let is_same = (&before.excluded, &before.ignored) == (&now.excluded, &now.ignored);
                    let applications = self.entries.values().filter_map(|entry| entry.application.as_ref().ok());
                    let projects = applications.map(|it| it.project.clone()).filter(|_| !is_same).collect();
                    self.weigh_anew(&projects);
                }
            }
            Err(error) => tracing::warn!("{} cannot be watched: {error}", Settings::CONFIG_MAP),
        }
    }

    /// Takes note of whether a project is protected, by what its annotation says.
    fn protected(&self, object: &Object) {
        let name = object.name();
        if object.namespace() != Some(Project::HOME) {
            return;
        }
        match object.annotation(Project::PROTECTED) {
            Some("true") => drop(self.work.orders.protects(object, true)),
            // Whoever may write projects owns them; that it is said in so many words is wanted all the same.
            Some("false") if self.work.orders.protects(object, false) => {
                let text = format!("AppProject {name} is not protected any more: its annotation says so");
                self.announce("project.open", object, text);
            }
            _ => {}
        }
    }

    /// Lets it be heard that a protected project was deleted: it stays protected.
    fn unguarded(&self, object: &Object) {
        let name = object.name();
        if object.namespace() == Some(Project::HOME) && self.work.orders.was_protected(name) {
            let text = format!(
                "AppProject {name} is protected and was deleted: its Applications stay protected, and nothing is delivered for \
                 them until it is back"
            );
            self.announce("project.delete", object, text);
        }
    }

    /// Lets everybody hear of something that a project's protection has to do with: once, however many replicas see it.
    fn announce(&self, action: &'static str, project: &Object, text: String) {
        let target = format!("{}/{}", project.namespace().unwrap_or_default(), project.name());
        // It is deleted once, and may be opened again and again.
        let version = project.resource_version().filter(|_| action == "project.open").unwrap_or_default();
        let once = format!("{action} {} {version}", project.uid().unwrap_or_default());
        let work = Arc::clone(&self.work);
        self.tasks.spawn(async move {
            work.alarms.raise_for_all(("unknown", action, &target), "announced", &text, &once).await;
        });
    }

    /// Tells every Application what counts of it now; those of these projects are compared anew.
    pub(super) fn weigh_anew(&mut self, changed: &BTreeSet<String>) {
        let mut told = Vec::new();
        let settings = self.work.settings.now();
        for (key, entry) in &mut self.entries {
            let Ok(application) = entry.application.clone() else { continue };
            let Weighed { wanted, doubt, unbounded } = self.projects.weigh(&self.work.orders, &settings, &application);
            entry.not_acted_on = settings.told();
            entry.side_door = doubt.as_ref().map(|doubt| doubt.why.clone());
            // A project that has come or gone says what may be delivered at all.
            let is_other = entry.unbounded.is_some() != unbounded.is_some();
            entry.unbounded = unbounded;
            let is_bounded_anew = changed.contains(&application.project);
            told.push((key.clone(), wanted, doubt, (is_other, is_bounded_anew)));
        }
        for (key, wanted, doubt, (is_other, is_bounded_anew)) in told {
            if let Some(doubt) = doubt {
                self.doubted(&key, "application.policy", &doubt);
            }
            self.observe(&key, Observation::Wanted(wanted));
            if is_other {
                self.observe(&key, Observation::Refreshed(Freshness::Latest));
            } else if is_bounded_anew {
                self.observe(&key, Observation::Refreshed(Freshness::Recent));
            }
        }
    }

    /// Lets it be heard that something was written into a protected Application which does not count.
    pub(super) fn doubted(&self, key: &ObjectKey, action: &'static str, doubt: &Doubt) {
        if !doubt.is_new {
            return;
        }
        let application = format!("{}/{}", key.namespace.as_deref().unwrap_or_default(), key.name);
        let what = if action == "application.policy" { "the way in which it syncs" } else { "an operation" };
        let text = format!("{application} is protected, and {what} does not count: {}", doubt.why);
        let work = Arc::clone(&self.work);
        self.tasks.spawn(async move {
            work.alarms.raise(("unknown", action, &application), "refused, announced", &text).await;
        });
    }
}
