//! What may run where it is delivered: tags that the environment's policy lets run, none that was moved since it was published, and
//! where a promotion leads none that is held back.

use std::collections::BTreeSet;

use landfall_delivery::{Admission, Candidate, OurImage, Ours, TargetKind, our_images};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_promote::{Moved, TestedImage};
use landfall_server::api::{Asked, LedgerLine};
use landfall_source::Reference;

use crate::commands::books::{Books, BooksArgs, Use};
use crate::commands::images::registry::registry;
use crate::commands::promote::by_hand::{Breach, Broken, held};
use crate::commands::write_back::actor;
use crate::context::Context;

/// Lines of the ledger that are asked for of one repository.
const MOST: usize = 1000;

/// Whether something is delivered, or only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Done,
    Shown,
}

/// Sees that images of ours may be delivered to a place's environment. What may not is, for a reason: that is written down and
/// announced first.
///
/// # Errors
/// A tag is none that its policy lets run; where promotions lead one that is held back, where they lead or come from one that was moved in
/// its registry.
pub(crate) async fn check(
    context: &Context,
    place: &Place,
    candidates: &[Candidate],
    (glass, deed): (Option<&str>, Deed),
) -> Result<Option<Broken>, Failure> {
    let Some(admission) = admission(place) else { return Ok(None) };
    let images = images(place, candidates);
    let Err(mut failure) = admits(context, place, (&admission, &images)).await else { return Ok(None) };
    let is_refusal = |told: &&mut Diagnostic| [code::BAD_TAG, code::HELD_BACK, code::TAG_MOVED].contains(&told.code);
    let Some(told) = failure.diagnostics.iter_mut().find(is_refusal) else { return Err(failure) };
    let reason = glass.map(str::trim).filter(|reason| !reason.is_empty());
    match (reason, deed) {
        (None, _) => {
            let advice = "in an emergency --break-glass REASON, which is audited and announced";
            *told = told.clone().help(advice);
            Err(failure)
        }
        (Some(_), Deed::Shown) => {
            context.ui.status(&format!("it would go past what may run there: {}", told.message));
            Ok(None)
        }
        (Some(reason), Deed::Done) => {
            let breach = Breach {
                system: None,
                place,
                to: &admission.environment,
                from: from(place),
                tag: refused_tag(&images, told),
                by: actor(context),
                deed: "up",
                past: "what may run in",
                code: told.code,
                refused: told.message.clone(),
                reason,
            };
            breach.written_down(context).await.map(Some)
        }
    }
}

/// Where promotions to a place's environment come from; empty where none leads there.
fn from(place: &Place) -> String {
    let TargetKind::System(file) = &place.target.kind else { return String::new() };
    let leads = |it: &&landfall_project::Promotion| Some(it.to.as_str()) == place.environment.as_deref();
    file.system.promotion.iter().find(leads).map(|it| it.from.to_string()).unwrap_or_default()
}

/// The tag that a refusal is about.
fn refused_tag(images: &[OurImage], told: &Diagnostic) -> String {
    let is_named = |image: &&OurImage| told.message.contains(&format!("{}:{} ", image.repository, image.tag));
    images.iter().find(is_named).or(images.first()).map(|image| image.tag.clone()).unwrap_or_default()
}

async fn admits(
    context: &Context,
    place: &Place,
    (admission, images): (&Admission, &[OurImage]),
) -> Result<(), Failure> {
    admission.allows(images).map_err(unchanged)?;
    if !admission.is_promoted {
        return Ok(());
    }
    let books = BooksArgs::default().open(context, place, Use::Reads).await?;
    let checked = match let_in(&books, admission, images).await {
        Ok(()) => unmoved(context, &books, &by_tag(images)).await,
        held => held,
    };
    books.close().await;
    checked
}

/// Sees that nothing comes that is held back.
async fn let_in(books: &Books, admission: &Admission, images: &[OurImage]) -> Result<(), Failure> {
    let holds = if admission.receives { held(books).await? } else { Vec::new() };
    if holds.is_empty() {
        return Ok(());
    }
    let mut published = Vec::new();
    for repository in images.iter().map(|image| &image.repository).collect::<BTreeSet<_>>() {
        let lines: Vec<LedgerLine> = books.ask(Asked::Ledger(Some(repository.clone()), Some(MOST))).await?;
        published.extend(lines.into_iter().map(|it| TestedImage {
            repository: it.image,
            tag: it.tag,
            digest: it.digest,
        }));
    }
    admission.lets_in(images, &published, &holds).map_err(unchanged)
}

/// Sees that the tags of images of ours are such as a place's environment lets run.
///
/// # Errors
/// One of them is not.
pub(crate) fn by_policy(place: &Place, candidates: &[Candidate]) -> Result<(), Failure> {
    let Some(admission) = admission(place) else { return Ok(()) };
    admission.allows(&images(place, candidates)).map_err(unchanged)
}

fn unchanged(refused: Diagnostic) -> Failure {
    Failure::from(refused.note("nothing was changed"))
}

/// What a place's environment asks for; nothing where that is nothing.
fn admission(place: &Place) -> Option<Admission> {
    let TargetKind::System(file) = &place.target.kind else { return None };
    Admission::of(&file.system, place.environment.as_deref()?)
}

/// The images of ours that are to be delivered; none where none is known to be.
fn images(place: &Place, candidates: &[Candidate]) -> Vec<OurImage> {
    let units = candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
    let ours = Ours::of(&place.target, &place.target.source, &[]);
    // What does not render is told by whoever delivers it.
    our_images(place.target.files(), units, &ours).unwrap_or_default()
}

/// What runs by a tag that could be moved.
fn by_tag(images: &[OurImage]) -> BTreeSet<(&str, &str)> {
    let by_tag = images.iter().filter(|image| !image.is_pinned);
    by_tag.map(|image| (image.repository.as_str(), image.tag.as_str())).collect()
}

/// Sees that tags that the book knows are what they were.
async fn unmoved(context: &Context, books: &Books, running: &BTreeSet<(&str, &str)>) -> Result<(), Failure> {
    for (repository, tag) in running {
        let lines: Vec<LedgerLine> = books.ask(Asked::Ledger(Some((*repository).to_owned()), Some(MOST))).await?;
        let Some(known) = lines.into_iter().find(|line| line.image == *repository && line.tag == *tag) else {
            continue;
        };
        let image = format!("{repository}:{tag}");
        let reference = Reference::image(&image).map_err(|error| Failure::usage(error.diagnose()))?;
        let unseen = |why: &str| {
            let text = format!("whether {image} was moved since {} is not seen: {why}", known.at);
            context.ui.status(&text);
        };
        match registry(context, &reference).details(&reference).await {
            Ok(Some(now)) if now.digest == known.digest => {}
            Ok(Some(now)) => {
                let moved = Moved { image, before: known.digest, since: known.at, now: now.digest };
                return Err(Failure::from(moved.diagnose().note("nothing was delivered")));
            }
            Ok(None) => unseen("it is not in its registry"),
            Err(error) => unseen(&error.diagnose().message),
        }
    }
    Ok(())
}
