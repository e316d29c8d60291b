//! Applications that a unit renders (an application of applications), as units beside it.

use std::collections::{BTreeMap, BTreeSet};

use landfall_apps::{Application, Project};
use landfall_object::Object;

use super::unit_of;
use crate::Target;
use crate::rendering::render_offline;
use crate::unit::{Door, Overrides, Selection, Unit, UnitSource};
use crate::up::Candidate;

/// How many Applications lead to further ones, one below the other.
const DEEPEST: usize = 8;
/// How many Applications are followed altogether.
const MOST: usize = 500;

impl Target {
    /// Adds the Applications that units render, and those that these render: each once, however often it is named.
    pub(crate) async fn follow(&self, units: &mut Vec<Candidate>, selection: &Selection) {
        let is_application =
            |unit: &Result<Unit, _>| unit.as_ref().is_ok_and(|unit| matches!(unit.door, Door::Application(_)));
        let (own, others): (Vec<&Candidate>, Vec<&Candidate>) =
            units.iter().partition(|(_, unit)| is_application(unit));
        let names = |all: Vec<&Candidate>| all.into_iter().map(|(name, _)| name.clone()).collect::<BTreeSet<String>>();
        let (mut known, taken) = (names(own), names(others));
        let mut from = 0;
        for _ in 0..DEEPEST {
            let upto = units.len();
            let mut found = Vec::new();
            for (_, unit) in &mut units[from..upto] {
                let Ok(unit) = unit else { continue };
                found.extend(self.children(unit, (&mut known, &taken), selection).await);
            }
            if found.is_empty() || units.len() + found.len() > MOST {
                return;
            }
            from = upto;
            units.extend(found);
        }
    }

    /// The Applications that a unit renders and that are not known yet.
    async fn children(
        &self,
        unit: &mut Unit,
        (known, taken): (&mut BTreeSet<String>, &BTreeSet<String>),
        selection: &Selection,
    ) -> Vec<Candidate> {
        if !may_render_applications(unit) {
            return Vec::new();
        }
        // What does not render says so when it is to be delivered.
        let Ok(rendered) = render_offline(unit) else { return Vec::new() };
        let mut projects = BTreeMap::new();
        for one in rendered.objects.iter().filter(|one| Project::is(&one.object)) {
            if let Ok(project) = Project::parse(&one.object) {
                projects.insert(project.name.clone(), project);
            }
        }
        let mut found: Vec<Candidate> = Vec::new();
        let mut named = Vec::new();
        for one in rendered.objects.iter().filter(|one| is_application(&one.object)) {
            let name = one.object.name().to_owned();
            // Two units of one name could not be told apart; what cannot be read stays an object.
            let Some(application) = Application::parse(&one.object).ok().filter(|_| !taken.contains(&name)) else {
                continue;
            };
            named.push(name.clone());
            if !known.contains(&name) {
                let sources = self.sources_of(&one.path, &application, selection, &Overrides::default()).await;
                let project = projects.get(&application.project).cloned();
                found.push((name, sources.map(|sources| unit_of(application, project, sources))));
            }
        }
        // Where all of them come from elsewhere, they are objects for whoever looks after them; where some lie here, the
        // others fail one by one, as Applications do.
        if found.iter().all(|(_, child)| child.is_err()) && named.iter().all(|name| !known.contains(name)) {
            return Vec::new();
        }
        known.extend(named.iter().cloned());
        let projects = projects.into_keys().map(|name| ("AppProject".to_owned(), name));
        unit.followed.extend(named.into_iter().map(|name| ("Application".to_owned(), name)).chain(projects));
        found
    }
}

impl Unit {
    /// Whether an object is an Application or project that is delivered as a unit of its own.
    pub(crate) fn is_followed(&self, object: &Object) -> bool {
        object.group() == "argoproj.io"
            && self.followed.iter().any(|(kind, name)| kind == object.kind() && name == object.name())
    }
}

fn is_application(object: &Object) -> bool {
    object.group() == "argoproj.io" && object.kind() == "Application"
}

/// Whether what a unit is made of speaks of Applications: rendering it for that costs as much as rendering it.
fn may_render_applications(unit: &Unit) -> bool {
    unit.sources.iter().any(|source| match source {
        UnitSource::Manifests { manifests, .. } => manifests.iter().any(|manifest| is_application(&manifest.object)),
        UnitSource::Chart(source) => source.chart.templates.iter().any(|file| {
            let text = file.text();
            text.contains("argoproj.io/") && text.contains("kind: Application")
        }),
    })
}
