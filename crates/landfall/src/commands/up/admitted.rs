//! What may run where it is delivered: tags that the environment's policy lets run, and none that was moved since it was published.

use std::collections::BTreeSet;

use landfall_delivery::{Candidate, TargetKind};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_promote::{Tag, TagPolicy, without_role};
use landfall_server::api::{Asked, LedgerLine};
use landfall_source::Reference;

use crate::commands::books::{Books, BooksArgs, Use};
use crate::commands::images::policy::declared_policy;
use crate::commands::images::registry::registry;
use crate::commands::images::tags::{Ours, TagLine, of_units};
use crate::context::Context;

/// Lines of the ledger that are asked for of one repository.
const MOST: usize = 1000;

/// Sees that images of ours may be delivered to a place's environment.
///
/// # Errors
/// A tag is none that its policy lets run; where promotions lead or come from, a tag that was moved in its registry.
pub(crate) async fn check(context: &Context, place: &Place, candidates: &[Candidate]) -> Result<(), Failure> {
    let (policy, is_promoted) = (declared_policy(place), is_of_promotions(place));
    if policy.is_none() && !is_promoted {
        return Ok(());
    }
    let lines = lines(place, candidates);
    if let Some(policy) = policy {
        allowed(place, &policy, &lines)?;
    }
    if !is_promoted {
        return Ok(());
    }
    let books = BooksArgs::default().open(context, place, Use::Reads).await?;
    let checked = unmoved(context, &books, &running(&lines)).await;
    books.close().await;
    checked
}

/// Sees that the tags of images of ours are such as a place's environment lets run. What is built for it has a tag of its own.
///
/// # Errors
/// One of them is not.
pub(crate) fn by_policy(place: &Place, candidates: &[Candidate]) -> Result<(), Failure> {
    let Some(policy) = declared_policy(place) else { return Ok(()) };
    allowed(place, &policy, &lines(place, candidates))
}

fn allowed(place: &Place, policy: &TagPolicy, lines: &[TagLine]) -> Result<(), Failure> {
    let Some(environment) = place.declared() else { return Ok(()) };
    let is_built = |repository: &str| environment.build.contains_key(repository.rsplit('/').next().unwrap_or_default());
    for line in lines {
        for (repository, tag) in
            line.running.iter().filter(|(repository, tag)| !tag.is_empty() && !is_built(repository))
        {
            let Err(refusal) = Tag::under(without_role(tag), policy) else { continue };
            let text = format!(
                "{repository}:{tag} may not run in {}: {refusal}",
                place.environment.as_deref().unwrap_or_default()
            );
            let at = line.line.line().map(|line| format!(":{line}")).unwrap_or_default();
            return Err(Failure::from(
                Diagnostic::refused(code::BAD_TAG, text)
                    .note(format!(
                        "`{}` of {}{at} says it; `images:` of the environment says what may run",
                        line.line.path(),
                        line.line.file
                    ))
                    .note("nothing was changed"),
            ));
        }
    }
    Ok(())
}

/// Whether something is promoted to a place's environment or from it.
fn is_of_promotions(place: &Place) -> bool {
    let TargetKind::System(file) = &place.target.kind else { return false };
    let named = place.environment.as_deref();
    file.system.promotion.iter().any(|it| [it.from.as_str(), it.to.as_str()].map(Some).contains(&named))
}

/// The lines that set the tags of images of ours; none where none is known to be.
fn lines(place: &Place, candidates: &[Candidate]) -> Vec<TagLine> {
    let units = candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
    of_units(&place.target, units, &Ours::of(&place.target, &place.target.source, &[])).unwrap_or_default()
}

/// What lines run, by a tag that could be moved.
fn running(lines: &[TagLine]) -> BTreeSet<(String, String)> {
    let by_tag =
        lines.iter().filter(|line| !line.is_digest() && line.pinned.is_empty() && !line.line.value.contains('@'));
    by_tag.flat_map(|line| line.running.iter().cloned()).filter(|(_, tag)| !without_role(tag).is_empty()).collect()
}

/// Sees that tags that the book knows are what they were.
async fn unmoved(context: &Context, books: &Books, running: &BTreeSet<(String, String)>) -> Result<(), Failure> {
    for (repository, tag) in running {
        let lines: Vec<LedgerLine> = books.ask(Asked::Ledger(Some(repository.clone()), Some(MOST))).await?;
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
                let text = format!(
                    "the tag of {image} was moved: it was {} on {}, and is {}",
                    known.digest, known.at, now.digest
                );
                return Err(Failure::from(
                    Diagnostic::refused(code::TAG_MOVED, text)
                        .note("nothing was delivered")
                        .help("publish under a new tag; what runs stays what it is"),
                ));
            }
            Ok(None) => unseen("it is not in its registry"),
            Err(error) => unseen(&error.diagnose().message),
        }
    }
    Ok(())
}
