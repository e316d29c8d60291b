//! What may run where a sync delivers it: asked of the commit that is delivered, of the book and of registries, before the first thing
//! is touched.
//!
//! ```text
//! Application, its files at the commit ─► the environment that delivers it (delivery's `Admission`) ─► nothing is asked, or
//!     its images of ours ─┬─ the policy ─► LF0962
//!                         ├─ promoted there: what a revision of somebody's own brings ─► LF0994
//!                         ├─ promoted there: what is held back and does not run there yet ─► LF0973
//!                         └─ promoted there or from there: those that the book knows ─ registry ─► LF0968, or not seen, which is told
//! refused ─► not begun; somebody's own sync with a reason goes on, audited, announced and in the book
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use landfall_apps::machine::Freshness;
use landfall_apps::{Application, Initiator, Operation};
use landfall_chart::Tree;
use landfall_delivery::{
    Admission, Files, OurImage, Ours, StandIn, Unit, Viewpoint, declaring, image_parts, our_images,
};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::Object;
use landfall_promote::{Held, Moved, TestedImage};
use landfall_source::{Access, Credentials, Network, Reference, Registry, Scheme, SourceTree, aside};
use landfall_store::{HoldRow, PromotionEvent, PromotionRow, PublishedRow};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use crate::errands::{Work, words};

/// How long a sync waits for one registry at most.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what a registry says of a tag counts: as long as many Applications of one commit are synced.
const SAID: Duration = Duration::from_secs(5);
/// How long one that does not answer is not asked again.
const SILENT: Duration = Duration::from_secs(60);
/// Tags that are remembered at most.
const MOST: usize = 1000;
/// Lines of the book that are looked through for what is held back.
const MOST_LINES: u32 = 1000;
/// What a promotion's line says of what was delivered past the rules.
const BROKEN: &str = "glass-broken";

/// What a registry says of a tag: its digest, nothing where there is no such tag, or why it does not say it.
pub(crate) type Said = Result<Option<String>, String>;

/// Registries, asked which digests tags have.
pub(crate) struct Registries {
    network: Network,
    /// Files in the form of Docker's `config.json`.
    files: Vec<PathBuf>,
    said: Mutex<BTreeMap<String, (Instant, Said)>>,
}

/// What was found of an Application that may be delivered.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    /// What could not be seen, in a sentence.
    pub(crate) unseen: Option<String>,
}

/// What is delivered, and where.
struct Delivered {
    admission: Admission,
    /// The system ([`landfall_delivery::system_key`]).
    system: String,
    /// Where promotions to the environment come from.
    from: String,
    images: Vec<OurImage>,
}

impl Registries {
    /// Asked over a network, as Docker's files say.
    pub(crate) fn new(network: Network, files: Vec<PathBuf>) -> Self {
        Registries { network, files, said: Mutex::default() }
    }

    /// The digest of an image's tag.
    pub(crate) async fn digest(&self, image: &str) -> Said {
        let kept = self.said.lock().get(image).cloned();
        if let Some((at, said)) = kept
            && at.elapsed() < if said.is_ok() { SAID } else { SILENT }
        {
            return said;
        }
        let asked = timeout(PATIENCE, self.asked(image)).await;
        let said = asked.unwrap_or_else(|_| Err(format!("its registry has not answered for {} s", PATIENCE.as_secs())));
        let mut all = self.said.lock();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(image.to_owned(), (Instant::now(), said.clone()));
        said
    }

    async fn asked(&self, image: &str) -> Said {
        let told = |error: landfall_source::SourceError| error.diagnose().message;
        let reference = Reference::image(image).map_err(told)?;
        let name = reference.host().rsplit_once(':').map_or(reference.host(), |(name, _)| name);
        let is_here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
        let scheme = if is_here { Scheme::Either } else { Scheme::Https };
        let credentials = Credentials { given: None, files: self.files.clone() };
        let registry = Registry::new(self.network.client(Access::default()), credentials, scheme);
        Ok(registry.details(&reference).await.map_err(told)?.map(|details| details.digest))
    }
}

/// Whether these revisions were delivered before, as far as its history tells.
fn was_delivered(application: &Object, revisions: &[String]) -> bool {
    let delivered = |entry: &serde_json::Value| {
        let one = entry["revision"].as_str().filter(|it| !it.is_empty());
        let several = entry["revisions"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        let all: Vec<&str> = several.collect();
        if all.is_empty() { one.into_iter().eq(revisions) } else { all == revisions }
    };
    application.list_at("/status/history").iter().any(delivered)
}

impl Work {
    /// Sees that what an Application's files would run may run where it is delivered.
    ///
    /// # Errors
    /// It may not, or what is declared there cannot be read; nothing is delivered.
    pub(crate) async fn admitted(
        &self,
        application: &Application,
        (operation, revisions): (&Operation, &[String]),
        (unit, repositories): (&Unit, &[StandIn]),
    ) -> Result<Admitted, Vec<Diagnostic>> {
        let (delivered, unread) = match self.delivered(application, unit, repositories).await? {
            Some(found) => found,
            None => return Ok(Admitted::default()),
        };
        let (refused, unseen) = match delivered.admission.allows(&delivered.images) {
            Err(refused) => (Some(refused.help("deliver a tag that it lets run")), Vec::new()),
            Ok(()) => match self.brought_by_hand(application, (operation, revisions), &delivered).await? {
                Some(brought) => (Some(brought), Vec::new()),
                None => match self.held_back(application, &delivered).await? {
                    Some(held) => (Some(held), Vec::new()),
                    None => self.moved(&delivered).await?,
                },
            },
        };
        let unseen: Vec<String> = unread.into_iter().chain(unseen).collect();
        let unseen = Some(unseen.join("; ")).filter(|unseen| !unseen.is_empty());
        let Some(refused) = refused else { return Ok(Admitted { unseen }) };
        let name = format!("{}/{}", application.namespace, application.name);
        if let Some(reason) = &operation.break_glass {
            self.broken((&name, operation, revisions), &delivered, (&refused, reason)).await?;
            return Ok(Admitted { unseen });
        }
        let helps = refused.helps.join("; ");
        let way_out = format!("in an emergency `landfall app sync {name} --break-glass REASON`");
        let notes = refused.notes.join("; ");
        let why = if notes.is_empty() { String::new() } else { format!("{notes}; ") };
        let told = Diagnostic::refused(refused.code, refused.message).note(format!("{why}{helps}; {way_out}"));
        if told.code == code::TAG_MOVED {
            let text = format!("{name} is not synced: {}", told.message);
            self.alarms.raise_once((&name, "application.images", &name), "refused, announced", &text).await;
        }
        Err(vec![told])
    }

    /// What is asked of an Application's images, with them, and why they cannot be told; nothing where nothing is asked.
    async fn delivered(
        &self,
        application: &Application,
        unit: &Unit,
        repositories: &[StandIn],
    ) -> Result<Option<(Delivered, Option<String>)>, Vec<Diagnostic>> {
        let (asked, files) = (application.clone(), repositories.to_vec());
        let begun = self.declared.iter().find(|one| one.is_of(application));
        let begun = begun.map(|one| (one.name.clone(), one.system.clone(), self.origin.clone(), one.key.clone()));
        let unit = unit.clone();
        let found = aside(move || {
            let found = declaring(&asked, &files)?;
            let found = found.map(|it| {
                let key = it.key();
                (it.environment, it.system, Some(it.repository.address.clone()), key)
            });
            let Some((environment, system, address, key)) = found.or(begun) else { return Ok(None) };
            let Some(admission) = Admission::of(&system, &environment) else { return Ok(None) };
            let from = system.promotion.iter().find(|it| *it.to == *environment).map(|it| it.from.to_string());
            // Lines are told of the repository that declares it; whatever else says a tag is named by its object.
            let tree = files.iter().find(|it| Some(&it.address) == address.as_ref()).or(files.first());
            let ours = Ours::of_system(&system, address.as_deref());
            // A packed chart has no files of a repository.
            let nothing = SourceTree::from_tree(String::new(), Tree::default());
            let source = tree.map_or(&nothing, |it| &*it.tree);
            let images = our_images(Files { source, viewpoint: &Viewpoint::Top }, [&unit], &ours);
            let (images, unread) = match images {
                Ok(images) => (images, None),
                Err(told) => (Vec::new(), Some(format!("which images it runs is not seen: {}", words(&told)))),
            };
            Ok(Some((Delivered { admission, system: key, from: from.unwrap_or_default(), images }, unread)))
        });
        found.await.map_err(|broken| vec![Diagnostic::error(code::BUG, broken.to_string())])?
    }

    /// What somebody's own revision would bring, where a promotion leads: an image that neither what is followed says nor what runs there
    /// has. What was delivered there before may come back.
    async fn brought_by_hand(
        &self,
        application: &Application,
        (operation, revisions): (&Operation, &[String]),
        delivered: &Delivered,
    ) -> Result<Option<Diagnostic>, Vec<Diagnostic>> {
        let is_own = !operation.revisions.is_empty() && !operation.is_automated();
        if !delivered.admission.receives || !is_own || was_delivered(&application.object, revisions) {
            return Ok(None);
        }
        let followed = self.revisions(application, &[], Freshness::Recent).await.map_err(|told| vec![told])?;
        if followed == revisions {
            return Ok(None);
        }
        let stand_ins = self.stand_ins(application, &followed).await.map_err(|told| vec![told])?;
        let unit = self.unit(application, &followed).await?;
        let found = self.delivered(application, &unit, &stand_ins).await?;
        let said = found.map(|(followed, _)| followed.images).unwrap_or_default();
        let session = self.session_of(application).map_err(|why| vec![Diagnostic::error(code::NO_DESTINATION, why)])?;
        let live = session.live_images(application).await?;
        let is_new = |image: &&OurImage| {
            let (repository, tag) = (image.repository.as_str(), image.tag.as_str());
            !said.iter().any(|it| it.repository == repository && it.tag == tag)
                && !live.iter().any(|it| image_parts(it) == (repository, tag))
        };
        Ok(delivered.images.iter().find(is_new).map(|OurImage { repository, tag, said_by, .. }| {
            let environment = &delivered.admission.environment;
            let text = format!("{repository}:{tag} is neither what is promoted to {environment} nor runs there");
            let by = operation.revisions.join(", ");
            Diagnostic::refused(code::NEVER_THERE, text)
                .note(format!("{said_by} says it at {by}, which somebody has asked for"))
                .help(format!("sync without a revision, once it is promoted: landfall promote --to {environment}"))
        }))
    }

    /// What is held back, where a promotion leads and it does not run yet: what runs there is healed and changed as ever until it is gone
    /// back from.
    async fn held_back(
        &self,
        application: &Application,
        delivered: &Delivered,
    ) -> Result<Option<Diagnostic>, Vec<Diagnostic>> {
        if !delivered.admission.receives {
            return Ok(None);
        }
        let (book, failed) = (&self.session.store.promotions, |error: landfall_store::Error| vec![error.diagnose()]);
        let holds = book.holds(Some(&delivered.system), MOST_LINES).await.map_err(failed)?;
        let holds = holds.into_iter().filter(|hold| hold.released_at.is_none());
        let holds: Vec<Held> = holds.map(|HoldRow { tag, by, reason, .. }| Held { tag, by, reason }).collect();
        if holds.is_empty() {
            return Ok(None);
        }
        let mut published = Vec::new();
        let repositories: BTreeSet<&str> = delivered.images.iter().map(|image| image.repository.as_str()).collect();
        for repository in repositories {
            let known = book.published(repository, MOST_LINES).await.map_err(failed)?;
            let known =
                known.into_iter().map(|it| TestedImage { repository: it.image, tag: it.tag, digest: it.digest });
            published.extend(known);
        }
        if delivered.admission.lets_in(&delivered.images, &published, &holds).is_ok() {
            return Ok(None);
        }
        let session = self.session_of(application).map_err(|why| vec![Diagnostic::error(code::NO_DESTINATION, why)])?;
        let live = session.live_images(application).await?;
        let comes = |image: &&OurImage| {
            !live.iter().any(|it| image_parts(it) == (image.repository.as_str(), image.tag.as_str()))
        };
        let coming: Vec<OurImage> = delivered.images.iter().filter(comes).cloned().collect();
        Ok(delivered.admission.lets_in(&coming, &published, &holds).err())
    }

    /// The tag that is another image than the book knows, if one is; and of which that is not seen.
    async fn moved(&self, delivered: &Delivered) -> Result<(Option<Diagnostic>, Vec<String>), Vec<Diagnostic>> {
        if !delivered.admission.is_promoted {
            return Ok((None, Vec::new()));
        }
        let book = &self.session.store.promotions;
        let by_tag = delivered.images.iter().filter(|image| !image.is_pinned);
        let tags: BTreeSet<(&str, &str)> =
            by_tag.map(|image| (image.repository.as_str(), image.tag.as_str())).collect();
        let mut known: Vec<PublishedRow> = Vec::new();
        for (repository, tag) in tags {
            known.extend(book.tag(repository, tag).await.map_err(|error| vec![error.diagnose()])?);
        }
        let asked = known.into_iter().map(|row| async move {
            let image = format!("{}:{}", row.image, row.tag);
            let said = self.registries.digest(&image).await;
            (image, row, said)
        });
        let mut unseen = Vec::new();
        for (image, PublishedRow { digest, at, .. }, said) in join_all(asked).await {
            let why = match said {
                Ok(Some(now)) if now == digest => continue,
                Ok(Some(now)) => {
                    let moved = Moved { image, before: digest, since: at, now };
                    return Ok((Some(moved.diagnose()), unseen));
                }
                Ok(None) => "it is not in its registry".to_owned(),
                Err(why) => why,
            };
            unseen.push(format!("whether {image} was moved since {at} is not seen: {why}"));
        }
        Ok((None, unseen))
    }

    /// Writes down that somebody has something delivered past what may run there, and lets it be heard, before it is done.
    async fn broken(
        &self,
        (name, operation, revisions): (&str, &Operation, &[String]),
        delivered: &Delivered,
        (refused, reason): (&Diagnostic, &str),
    ) -> Result<(), Vec<Diagnostic>> {
        let environment = &delivered.admission.environment;
        let by = match &operation.initiator {
            Initiator::Person(name) if !name.is_empty() => name.as_str(),
            _ => "unknown",
        };
        let text = format!("{name} is synced to {environment} past what may run there: {reason} ({})", refused.message);
        let tag = delivered
            .images
            .iter()
            .find(|image| refused.message.contains(&format!("{}:{} ", image.repository, image.tag)));
        let tag = tag.or(delivered.images.first()).map(|image| image.tag.clone()).unwrap_or_default();
        let revision: String = revisions.first().map(|it| it.chars().take(12).collect()).unwrap_or_default();
        let id = format!("{environment}-{tag}-sync-{revision}-{}", name.replace('/', "-"));
        let book = &self.session.store.promotions;
        let failed = |error: landfall_store::Error| vec![error.diagnose()];
        // What is tried again was heard already.
        if book.promotion(&id).await.map_err(failed)?.is_some() {
            return Ok(());
        }
        let at = landfall_object::whole_second(self.session.clock.now()).to_string();
        let row = PromotionRow {
            id,
            system: delivered.system.clone(),
            at: at.clone(),
            origin: delivered.from.clone(),
            receiver: environment.clone(),
            tag,
            state: BROKEN.to_owned(),
            body: serde_json::json!({"asked_by": by, "reason": reason, "refused": refused.message}),
        };
        let said = landfall_diag::beginning(&format!("{reason} ({})", refused.message), 1000);
        let event = PromotionEvent { at, actor: by.to_owned(), state: BROKEN.to_owned(), said };
        book.note(&row, &event).await.map_err(failed)?;
        self.alarms.raise((by, "promotion.break-glass", name), "done, announced", &text).await;
        Ok(())
    }
}
