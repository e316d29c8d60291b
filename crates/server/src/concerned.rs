//! Whom the book's tags and holds are about, and so who may write them down: the book is of several systems, and a tag's first digest
//! counts for ever.
//!
//! ```text
//! an image ─► Applications that run it by git ─┬─► their projects
//! a system ─► Applications of it               ┴─► the environments that its landfall.yaml declares ─► may whoever asks in one of these?
//! ```

use landfall_apps::machine::Freshness;
use landfall_apps::{Application, Project};
use landfall_cluster::{Error as ClusterError, ListOptions};
use landfall_delivery::{declaring, image_parts};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_source::aside;
use serde_json::Value;

use crate::actor::{ALL_PROJECTS, Actor};
use crate::errands::Work;
use crate::ground::application_kind;

/// Who may write what, as `docs/promotion.md` has it.
const RULE: &str = "a tag is written down, and a version held back, by whoever may do so in an environment of a system here that runs that image or is called so, in the project of its Application, or in all (`*`)";

/// What an entry is about.
enum About<'a> {
    /// A tag of an image.
    Image(&'a str),
    /// A version of a system ([`landfall_delivery::system_key`]).
    System(&'a str),
}

impl Work {
    /// Sees that somebody may write down which digests tags of these images have.
    ///
    /// # Errors
    /// That one may not, or the Applications cannot be read.
    pub(crate) async fn may_publish(&self, actor: &Actor, images: &[&str]) -> Result<(), Diagnostic> {
        if is_for_all(actor) {
            return Ok(());
        }
        for image in images {
            if !self.concerns(actor, &About::Image(image)).await? {
                return Err(refused(actor, &format!("write down tags of {image}")));
            }
        }
        Ok(())
    }

    /// Sees that somebody may hold back, or let go, versions of a system: of all where none is said.
    ///
    /// # Errors
    /// That one may not, or the Applications cannot be read.
    pub(crate) async fn may_hold(&self, actor: &Actor, system: &str) -> Result<(), Diagnostic> {
        if is_for_all(actor) {
            return Ok(());
        }
        match system {
            "" => Err(refused(actor, "hold versions of all systems")),
            system if self.concerns(actor, &About::System(system)).await? => Ok(()),
            system => Err(refused(actor, &format!("hold versions of `{system}`"))),
        }
    }

    async fn concerns(&self, actor: &Actor, about: &About<'_>) -> Result<bool, Diagnostic> {
        let begun = |one: &&crate::checks::DeclaredAt| matches!(about, About::System(system) if one.key == *system);
        let mut names = self.declared.iter().filter(begun).flat_map(|one| one.system.environments.keys());
        if names.any(|name| may(actor, name)) {
            return Ok(true);
        }
        let found = match self.session.cluster.list(&application_kind(), &ListOptions::default()).await {
            Ok(found) => found,
            Err(ClusterError::NoMatch { .. }) => Vec::new(),
            Err(error) => return Err(error.diagnose()),
        };
        for object in &found {
            let Ok(application) = Application::parse(object) else { continue };
            // What its project does not permit is nobody's yet.
            if !self.is_permitted(&application) {
                continue;
            }
            if let About::Image(image) = about {
                let by_git = object.at("/status/summary/images").and_then(Value::as_array);
                let mut images = by_git.into_iter().flatten().filter_map(Value::as_str);
                if !images.any(|it| image_parts(it).0 == *image) {
                    continue;
                }
                if may(actor, &application.project) {
                    return Ok(true);
                }
            }
            let Some((system, environments)) = self.system_of(&application).await else { continue };
            if matches!(about, About::System(wanted) if system != *wanted) {
                continue;
            }
            if may(actor, &application.project) || environments.iter().any(|name| may(actor, name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The system that delivers an Application, with its environments; nothing where none declares it, and where that cannot be read now.
    async fn system_of(&self, application: &Application) -> Option<(String, Vec<String>)> {
        let begun = self.declared.iter().find(|one| one.is_of(application));
        if let Some(one) = begun {
            return Some((one.key.clone(), one.system.environments.keys().map(ToString::to_string).collect()));
        }
        let revisions = self.revisions(application, &[], Freshness::Recent).await.ok()?;
        let stand_ins = self.stand_ins(application, &revisions).await.ok()?;
        let asked = application.clone();
        let found = aside(move || {
            let found = declaring(&asked, &stand_ins).ok()??;
            Some((found.key(), found.system.environments.keys().map(ToString::to_string).collect()))
        });
        found.await.ok()?
    }
}

fn may(actor: &Actor, place: &str) -> bool {
    actor.may(actor.asks(), (place, Project::HOME, "*"))
}

fn is_for_all(actor: &Actor) -> bool {
    may(actor, ALL_PROJECTS)
}

fn refused(actor: &Actor, deed: &str) -> Diagnostic {
    let asks = actor.asks();
    let (resource, action) = (asks.resource, asks.action);
    Diagnostic::refused(code::NO_ROLE_FOR_IT, format!("{} may not {deed}", actor.name))
        .note(RULE)
        .help(format!("a line of policy.csv would: p, ROLE, {resource}, {action}, ENVIRONMENT/*, allow"))
}
