//! What turns open promotions red: a check that has failed where their images come from, wherever it was made, and a hold.

use std::collections::{BTreeMap, BTreeSet};

use landfall_delivery::{CheckResult, Ours, TargetKind, Unit, of_units};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_project::Check;
use landfall_promote::{TestedImage, bare};
use landfall_server::api::{Asked, EvidenceLine, LedgerLine, Lines, PromotionLine, PromotionNote};
use landfall_server::{Proposed, TOLD, UNTOLD};
use landfall_source::ForgeRepository;
use serde_json::Value;

use super::witnessed::{Unmade, View, is_unmade, of_checks};
use crate::arguments::TargetArgs;
use crate::commands::books::{Books, BooksArgs, Use};
use crate::commands::doctor::forge_token;
use crate::context::Context;

/// Lines of the book that are looked through.
const MOST: usize = 1000;
/// How a promotion stands that waits for somebody.
const OPEN: [&str; 2] = ["tagged", "proposed"];
/// How one stands that has become nothing.
const NOTHING: [&str; 3] = ["tagged", "proposed", "withdrawn"];
/// How one stands whose version the branch says, and one that was delivered.
const SAID: [&str; 2] = ["written", "merged"];
const DELIVERED: [&str; 2] = ["live", "failed"];

/// Whether something is promoted from a place's environment.
pub(crate) fn promotes(place: &Place) -> bool {
    let TargetKind::System(file) = &place.target.kind else { return false };
    file.system.promotion.iter().any(|it| Some(it.from.as_str()) == place.environment.as_deref())
}

/// A place with what it declares now, whatever was delivered there with options of somebody's own.
pub(crate) async fn declared_units(
    context: &Context,
    target: Option<&str>,
    args: &TargetArgs,
) -> Result<(Place, Vec<Unit>), Failure> {
    let place = context.host.place(target, &args.query()).await?;
    let selection = args.selection(&context.host, &place)?;
    let namespace = context.host.default_namespace(&place);
    let candidates = place.target.units(&selection, &Default::default(), &namespace).await?;
    let units = candidates.into_iter().filter_map(|(_, unit)| unit.ok()).collect();
    Ok((place, units))
}

/// What checks have found, and what ran while they were made.
pub(crate) struct Checked<'a> {
    /// Where.
    pub(crate) place: &'a Place,
    /// The units that are declared there.
    pub(crate) units: &'a [Unit],
    /// What was seen of them.
    pub(crate) view: View,
    /// What was found.
    pub(crate) results: &'a [CheckResult],
    /// The checks as they were made.
    pub(crate) checks: &'a [Check],
}

/// Writes down what checks of an environment have found, and says which promotions were withdrawn, or why it cannot be.
pub(crate) async fn told_after_checks(context: &Context, checked: Result<Checked<'_>, Failure>) {
    let said = match checked {
        Ok(checked) => after_checks(context, &checked).await,
        Err(failure) => Err(failure),
    };
    match said {
        Ok(said) => said.iter().for_each(|line| context.ui.status(line)),
        Err(failure) => failure.diagnostics.iter().for_each(|told| {
            let text = format!("what was seen is not written down: {}", told.message);
            context.ui.diagnostic(&Diagnostic::warning(code::HISTORY_UNWRITTEN, text));
        }),
    }
}

/// Writes down what checks of an environment have found of what ran, where something is promoted from there; says of what nothing
/// could be said, and which promotions were withdrawn.
async fn after_checks(context: &Context, checked: &Checked<'_>) -> Result<Vec<String>, Failure> {
    let place = checked.place;
    if !promotes(place) {
        return Ok(Vec::new());
    }
    let environment = place.environment.clone().unwrap_or_default();
    let lines = of_units(place.target.files(), checked.units, &Ours::of(&place.target, &place.target.source, &[]))?;
    let books = BooksArgs::default().open(context, place, Use::Writes).await?;
    let done = noted(context, &books, &environment, lines.iter().flat_map(|line| &line.running), checked).await;
    books.close().await;
    done
}

async fn noted<'r>(
    context: &Context,
    books: &Books,
    environment: &str,
    running: impl Iterator<Item = &'r (String, String)>,
    checked: &Checked<'_>,
) -> Result<Vec<String>, Failure> {
    let mut images = Vec::new();
    for (repository, tag) in running {
        let known: Vec<LedgerLine> = books.ask(Asked::Ledger(Some(repository.clone()), Some(MOST))).await?;
        // What nobody has asked its registry for has no digest that could be spoken of.
        if let Some(line) = known.into_iter().find(|line| line.image == *repository && line.tag == *tag) {
            images.push(TestedImage { repository: line.image, tag: line.tag, digest: line.digest });
        }
    }
    let mut checks = of_checks(environment, checked.results, checked.checks, Unmade::NotPassed);
    checks.retain(|line| !is_unmade(line));
    let sighted = checked.view.of_images(environment, &images, &checks);
    let mut said: Vec<String> =
        sighted.untold.iter().map(|(_, why)| format!("what was checked proves nothing of it: {why}")).collect();
    if !sighted.lines.is_empty() {
        said.extend(written(context, books, environment, sighted.lines).await?);
    }
    Ok(said)
}

/// Writes evidence down, and withdraws open promotions of digests of which something has failed where they come from; says which.
pub(super) async fn written(
    context: &Context,
    books: &Books,
    environment: &str,
    evidence: Vec<EvidenceLine>,
) -> Result<Vec<String>, Failure> {
    let failed: Vec<EvidenceLine> = evidence.iter().filter(|line| line.has_failed()).cloned().collect();
    // A server withdraws them itself, and may have no token for their forge.
    let open = if failed.is_empty() { Vec::new() } else { open(books).await? };
    let _written: usize = books.ask(Asked::Witness(evidence)).await?;
    let again = told_again(context, books).await?;
    let Some(first) = failed.first() else { return Ok(again) };
    let why = format!("{} has failed in {environment}: {}", first.what, first.detail);
    let digests: BTreeSet<&str> = failed.iter().map(|line| line.digest.as_str()).collect();
    let is_meant = |line: &PromotionLine| {
        line.from == environment
            && images_of(line).any(|image| image["digest"].as_str().is_some_and(|it| digests.contains(it)))
    };
    Ok([again, withdraw(context, books, (open, is_meant), &why).await?].concat())
}

/// Withdraws open promotions of a version that is held back from now on; says which, and which environments have it: it is gone back from
/// there.
pub(crate) async fn after_hold(
    context: &Context,
    books: &Books,
    open: Vec<PromotionLine>,
    (tag, why): (&str, &str),
) -> Result<Vec<String>, Failure> {
    let all: Vec<PromotionLine> = books.ask(Asked::Promotions(None, Lines::most(MOST))).await?;
    let is_same = |name: &str| bare(name) == bare(tag);
    // The same image may have further tags.
    let known: Vec<LedgerLine> = books.ask(Asked::Ledger(None, Some(MOST))).await?;
    let digests: BTreeSet<&str> = known.iter().filter(|it| is_same(&it.tag)).map(|it| it.digest.as_str()).collect();
    let is_meant = |line: &PromotionLine| {
        is_same(&line.tag)
            || images_of(line).any(|image| {
                image["tag"].as_str().is_some_and(is_same)
                    || image["digest"].as_str().is_some_and(|it| digests.contains(it))
            })
    };
    let had: Vec<String> = standing(&all).into_iter().filter(|line| is_meant(line)).filter_map(has).collect();
    let mut said = told_again(context, books).await?;
    said.extend(withdraw(context, books, (open, is_meant), why).await?);
    said.extend(had);
    Ok(said)
}

/// What became last of each environment's promotions, those aside of which nothing came.
fn standing(lines: &[PromotionLine]) -> Vec<&PromotionLine> {
    let mut last: BTreeMap<(&str, &str), &PromotionLine> = BTreeMap::new();
    for line in lines.iter().filter(|line| !NOTHING.contains(&line.state.as_str())) {
        let moment = |line: &PromotionLine| line.events.last().map_or(line.at.clone(), |event| event.at.clone());
        let kept = last.entry((&line.system, &line.to)).or_insert(line);
        if moment(line) > moment(kept) {
            *kept = line;
        }
    }
    last.into_values().collect()
}

/// That an environment has a version or is to have it, and how it is gone back from.
fn has(line: &PromotionLine) -> Option<String> {
    let PromotionLine { tag, to, state, .. } = line;
    let said = match state.as_str() {
        state if SAID.contains(&state) => {
            format!("the branch says {tag} for {to}, which is not given it where it does not run yet")
        }
        state if DELIVERED.contains(&state) => format!("{to} has {tag}, and keeps it"),
        _ => return None,
    };
    Some(format!("{said} · back with landfall rollback --env {to}"))
}

fn images_of(line: &PromotionLine) -> impl Iterator<Item = &Value> {
    line.detail["images"].as_array().into_iter().flatten()
}

/// The promotions that wait for somebody.
pub(crate) async fn open(books: &Books) -> Result<Vec<PromotionLine>, Failure> {
    let promotions: Vec<PromotionLine> = books.ask(Asked::Promotions(None, Lines::most(MOST))).await?;
    Ok(promotions.into_iter().filter(|line| OPEN.contains(&line.state.as_str())).collect())
}

/// Withdraws those of the promotions that are meant, here and at their forge; says which.
async fn withdraw(
    context: &Context,
    books: &Books,
    (open, is_meant): (Vec<PromotionLine>, impl Fn(&PromotionLine) -> bool),
    why: &str,
) -> Result<Vec<String>, Failure> {
    let meant: Vec<PromotionLine> = open.into_iter().filter(is_meant).collect();
    if meant.is_empty() {
        return Ok(Vec::new());
    }
    let now: Vec<PromotionLine> = books.ask(Asked::Promotions(None, Lines::most(MOST))).await?;
    let mut withdrawn = Vec::new();
    for line in meant {
        // What was merged is withdrawn by nobody: it is gone back from.
        if let Some(said) = merged(context, books, &line).await {
            let (tag, to) = (line.tag.clone(), line.to.clone());
            withdrawn.push(format!("{said}: {to} has {tag} · back with landfall rollback --env {to}"));
            noted_as(books, line, ("merged", &said)).await?;
            continue;
        }
        withdrawn.push(format!("the promotion of {} to {} is withdrawn: {why}", line.tag, line.to));
        if books.is_elsewhere() {
            withdrawn.extend(red(context, books, &line.detail, why).await);
            if !now.iter().any(|it| it.id == line.id && it.state == "withdrawn") {
                noted_as(books, line, ("withdrawn", why)).await?;
            }
            continue;
        }
        // Before the forge is told: who is killed in between has left it to the next one.
        let mut line = line;
        if Proposed::of(&line.detail).is_some() {
            line.detail[UNTOLD] = why.into();
        }
        noted_as(books, line.clone(), ("withdrawn", why)).await?;
        withdrawn.extend(told_red(context, books, line, (why, RED)).await?);
    }
    Ok(withdrawn)
}

/// That a forge has heard of it at once.
const RED: &str = "its pull request is red";

/// Tells the forge of a promotion that stands as withdrawn, and writes down what it has heard, in these words; a sentence where that is
/// nothing.
async fn told_red(
    context: &Context,
    books: &Books,
    mut line: PromotionLine,
    (why, heard): (&str, &str),
) -> Result<Option<String>, Failure> {
    let untold = red(context, books, &line.detail, why).await;
    if let Some(said) = &untold {
        // As often as it is tried: what is said once is not said again.
        if line.events.last().is_none_or(|event| !event.said.starts_with(said)) {
            noted_as(books, line, ("withdrawn", &format!("{said}; the next command or server tries it again"))).await?;
        }
        return Ok(untold);
    }
    let was_known = line.detail.as_object_mut().and_then(|detail| detail.remove(UNTOLD)).is_none();
    if !was_known {
        noted_as(books, line, ("withdrawn", heard)).await?;
    }
    Ok(None)
}

/// Tells the forges of what stays withdrawn in the state directory's own book and was not told; says what they still do not know. A
/// server does so itself.
pub(crate) async fn told_again(context: &Context, books: &Books) -> Result<Vec<String>, Failure> {
    if books.is_elsewhere() {
        return Ok(Vec::new());
    }
    let mut said = Vec::new();
    let promotions: Vec<PromotionLine> = books.ask(Asked::Promotions(None, Lines::most(MOST))).await?;
    for line in promotions.into_iter().filter(|line| line.state == "withdrawn") {
        let Some(why) = line.detail[UNTOLD].as_str().map(str::to_owned) else { continue };
        let named = format!("the promotion of {} to {} is withdrawn", line.tag, line.to);
        said.push(match told_red(context, books, line, (&why, TOLD)).await? {
            Some(untold) => format!("{named}: {untold}"),
            None => format!("{named}: {TOLD}"),
        });
    }
    Ok(said)
}

/// Writes down how a promotion stands now.
async fn noted_as(books: &Books, line: PromotionLine, (state, said): (&str, &str)) -> Result<(), Failure> {
    let note = PromotionNote {
        id: line.id,
        from: line.from,
        to: line.to,
        tag: line.tag,
        state: state.to_owned(),
        said: landfall_diag::beginning(said, 1900),
        detail: line.detail,
        system: line.system,
    };
    let _noted: Value = books.ask(Asked::Promote(note)).await?;
    Ok(())
}

/// That the pull request of a promotion that waits was merged, where its forge is this directory's and says so.
pub(crate) async fn merged(context: &Context, books: &Books, line: &PromotionLine) -> Option<String> {
    let proposed = Proposed::of(&line.detail).filter(|_| line.state == "proposed")?;
    if books.is_elsewhere() && !is_ours(context, &proposed) {
        return None;
    }
    let token = forge_token::token_for(&proposed.place.api, None, |name| context.host.env.get(name));
    proposed.merged(&context.host.network, token).await
}

/// Whether a promotion waits in this directory's own repository.
fn is_ours(context: &Context, proposed: &Proposed) -> bool {
    let place = &proposed.place;
    let own =
        context.host.origin().and_then(|origin| ForgeRepository::of(&origin, Some(place.forge), Some(&place.api)));
    own.is_some_and(|own| own.repository.eq_ignore_ascii_case(&place.repository))
}

/// Says at the forge that a pull request must not be merged; a sentence where that cannot be said.
async fn red(context: &Context, books: &Books, detail: &Value, why: &str) -> Option<String> {
    let proposed = Proposed::of(detail)?;
    // What stands in a server's book was written by somebody, who may name what this one's token reaches as well.
    if books.is_elsewhere() && !is_ours(context, &proposed) {
        return Some(proposed.untold("it waits in another repository than this directory's"));
    }
    let token = forge_token::token_for(&proposed.place.api, None, |name| context.host.env.get(name));
    proposed.red(&context.host.network, token, why).await
}
