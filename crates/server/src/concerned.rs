//! Whom the book's tags and holds are about, and so who may write them down: the book is of several systems, and a tag's first digest
//! counts for ever.
//!
//! ```text
//! an image ─┬► Applications that run it by git ─┬─► their projects
//! a system ─┼► Applications of it               ┴─► the environments that its landfall.yaml declares ─► may whoever asks in one of these?
//!           └► none that runs it ─► its registry, where something here is taken from that one ─► does the tag have that digest there?
//! ```

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use landfall_apps::machine::Freshness;
use landfall_apps::{Application, Project};
use landfall_cluster::{Error as ClusterError, ListOptions};
use landfall_delivery::{declaring, image_parts, is_of_repository};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_source::{Reference, aside};
use serde_json::Value;

use crate::actor::{ALL_PROJECTS, Actor};
use crate::api::LedgerLine;
use crate::errands::Work;
use crate::ground::application_kind;

/// Who may write what, as `docs/promotion.md` has it.
const RULE: &str = "a tag is written down, and a version held back, by whoever may do so in an environment of a system here that runs that image or is called so, in the project of its Application, or in all (`*`); a tag of an image that no Application runs, as its registry has it";
/// Applications whose `landfall.yaml` is read for one request.
const MOST_READ: usize = 100;
/// Tags of images that no Application runs whose registry is asked for one request.
const MOST_ASKED: usize = 20;
/// Tags of the book that are looked through for registries that are known here.
const MOST_KNOWN: u32 = 1000;

/// What an entry is about.
enum About<'a> {
    /// A tag of an image.
    Image(&'a str),
    /// A version of a system ([`landfall_delivery::system_key`]).
    System(&'a str),
}

/// What one request is held against: read once, however much it asks for.
struct Concerned<'a> {
    work: &'a Work,
    actor: &'a Actor,
    applications: Vec<Application>,
    /// Of those that were looked at, by their place.
    systems: BTreeMap<usize, Option<(String, Vec<String>)>>,
}

impl Work {
    /// Sees that somebody may write down which digests tags have.
    ///
    /// # Errors
    /// That one may not, or the Applications cannot be read.
    pub(crate) async fn may_publish(&self, actor: &Actor, lines: &[LedgerLine]) -> Result<(), Diagnostic> {
        if is_for_all(actor) {
            return Ok(());
        }
        let mut concerned = Concerned::read(self, actor).await?;
        let images: BTreeSet<&str> = lines.iter().map(|line| line.image.as_str()).collect();
        let mut unrun = BTreeSet::new();
        for image in images {
            if concerned.may(&About::Image(image)).await {
                continue;
            }
            if concerned.applications.iter().any(|application| runs(application, image)) {
                return Err(refused(actor, &format!("write down tags of {image}")));
            }
            unrun.insert(image);
        }
        let unrun: Vec<&LedgerLine> = lines.iter().filter(|line| unrun.contains(line.image.as_str())).collect();
        concerned.are_published(&unrun).await
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
            system if Concerned::read(self, actor).await?.may(&About::System(system)).await => Ok(()),
            system => Err(refused(actor, &format!("hold versions of `{system}`"))),
        }
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

impl<'a> Concerned<'a> {
    async fn read(work: &'a Work, actor: &'a Actor) -> Result<Self, Diagnostic> {
        let found = match work.session.cluster.list(&application_kind(), &ListOptions::default()).await {
            Ok(found) => found,
            Err(ClusterError::NoMatch { .. }) => Vec::new(),
            Err(error) => return Err(error.diagnose()),
        };
        let applications = found.iter().filter_map(|object| Application::parse(object).ok());
        // What its project does not permit is nobody's yet.
        let applications = applications.filter(|application| work.is_permitted(application)).collect();
        Ok(Concerned { work, actor, applications, systems: BTreeMap::new() })
    }

    /// Whether somebody may in an environment of a system that it is about, or in the project of such an Application.
    async fn may(&mut self, about: &About<'_>) -> bool {
        let actor = self.actor;
        let begun = |one: &&crate::checks::DeclaredAt| matches!(about, About::System(system) if one.key == *system);
        let mut names = self.work.declared.iter().filter(begun).flat_map(|one| one.system.environments.keys());
        if names.any(|name| may(actor, name)) {
            return true;
        }
        let meant: Vec<usize> = self
            .applications
            .iter()
            .enumerate()
            .filter_map(|(at, it)| self.is_meant(it, about).then_some(at))
            .collect();
        // An image's are known without a look at what declares them.
        let is_image = matches!(about, About::Image(_));
        if is_image && meant.iter().any(|at| may(actor, &self.applications[*at].project)) {
            return true;
        }
        for at in meant {
            let Some((system, environments)) = self.system(at).await else { continue };
            if matches!(about, About::System(wanted) if system != *wanted) {
                continue;
            }
            if may(actor, &self.applications[at].project) || environments.iter().any(|name| may(actor, name)) {
                return true;
            }
        }
        false
    }

    /// Whether an Application runs that image by git, or may be that system's.
    fn is_meant(&self, application: &Application, about: &About<'_>) -> bool {
        match about {
            About::Image(image) => runs(application, image),
            About::System(system) => {
                self.work.declared.iter().any(|one| one.is_of(application))
                    || application.sources.iter().any(|source| is_of_repository(system, &source.repo_url))
            }
        }
    }

    async fn system(&mut self, at: usize) -> Option<(String, Vec<String>)> {
        if let Some(known) = self.systems.get(&at) {
            return known.clone();
        }
        if self.systems.len() >= MOST_READ {
            return None;
        }
        let found = self.work.system_of(&self.applications[at]).await;
        self.systems.insert(at, found.clone());
        found
    }

    /// Sees that tags of images that nothing runs have these digests in their registries: a first version, and what releases deliver. Only
    /// registries are asked that something here is taken from.
    async fn are_published(&self, lines: &[&LedgerLine]) -> Result<(), Diagnostic> {
        let Some(first) = lines.first() else { return Ok(()) };
        if lines.len() > MOST_ASKED {
            let deed = format!("write down more than {MOST_ASKED} tags at once of images that no Application runs");
            return Err(refused(self.actor, &deed));
        }
        let book = self.work.session.store.promotions.published("", MOST_KNOWN).await;
        let book = book.map_err(|error| error.diagnose())?;
        let by_git = self.applications.iter().flat_map(images).map(image_parts).map(|(image, _)| image);
        let known: BTreeSet<String> =
            by_git.chain(book.iter().map(|row| row.image.as_str())).filter_map(host).collect();
        let unknown = lines.iter().find(|line| host(&line.image).is_none_or(|host| !known.contains(&host)));
        if unknown.is_some() || first.image.is_empty() {
            let image = &unknown.unwrap_or(first).image;
            let told = refused(self.actor, &format!("write down tags of {image}"));
            return Err(told.note("nothing here is taken from its registry, which is not asked"));
        }
        let asked = lines.iter().map(|line| async move {
            let image = format!("{}:{}", line.image, line.tag);
            let why = match self.work.registries.digest(&image).await {
                Ok(Some(digest)) if digest == line.digest => return Ok(()),
                Ok(Some(_)) => format!("{image} is another image in its registry"),
                Ok(None) => format!("{image} is not in its registry"),
                Err(why) => format!("its registry does not say what {image} is: {why}"),
            };
            Err(refused(self.actor, &format!("write down tags of {}", line.image)).note(why))
        });
        join_all(asked).await.into_iter().collect()
    }
}

/// The images that an Application runs by git.
fn images(application: &Application) -> impl Iterator<Item = &str> {
    let by_git = application.object.at("/status/summary/images").and_then(Value::as_array);
    by_git.into_iter().flatten().filter_map(Value::as_str)
}

fn runs(application: &Application, image: &str) -> bool {
    images(application).any(|it| image_parts(it).0 == image)
}

/// The registry of an image without its tag.
fn host(image: &str) -> Option<String> {
    Reference::image(&format!("{image}:any")).ok().map(|it| it.host().to_owned())
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
