//! Rolling back what is delivered from git: a commit that says the tags again which stood there before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_promote::{Tag, tag_at, without_role};
use landfall_source::{Edited, LineCommit, SourceTree};

use super::RollbackArgs;
use crate::commands::images::policy::declared_policy;
use crate::commands::images::set::{applications_of, injected, moment};
use crate::commands::images::tags::{Older, Ours, Said, TagLine, Tags, history_of, of_units, record_beside};
use crate::commands::write_back::{Called, Deed, Outcomes, Standing, actor, agreed, change, report, short, text_of};
use crate::context::Context;
use crate::exit::Outcome;

/// Whether a place is gone back in by a commit: what it delivers stands in Applications, or a tag is named.
pub(super) fn is_for(place: &Place, args: &RollbackArgs) -> bool {
    args.to.is_some() || place.declared().is_some_and(|environment| environment.applications.is_some())
}

/// A line, and the tag that it says again.
type Wanted = (TagLine, Tag);

/// What is written.
struct Back {
    wanted: Vec<Wanted>,
    /// The commit that set the tags which go, where no tag was named.
    reverted: Option<LineCommit>,
    /// The commit of the product that belongs to what comes back, and its digests by image.
    product: (Option<String>, BTreeMap<String, String>),
    notes: Vec<String>,
}

pub(super) async fn run(context: &Context, args: &RollbackArgs, target: Option<&str>, started: Instant) -> Outcome {
    let place = &context.host.place(target, &args.place.query()).await?;
    let units = args.place.units(&context.host, place).await?;
    let source = &place.target.source;
    let lines = of_units(&place.target, &units, &Ours::of(&place.target, source, &[]))?;
    let Back { wanted, reverted, product, notes } = match &args.to {
        Some(tag) => named(place, lines, tag)?,
        None => before(source, lines)?,
    };
    let tags = Tags {
        wanted,
        said: Said {
            commit: product.0,
            digests: product.1,
            at: moment(),
            actor: actor(context),
            environment: place.environment.clone(),
            inject: injected(place),
            applications: applications_of(place),
        },
        older: Older::Accepted,
        history: history_of(place),
    };
    let made = tags.edits(source).map_err(Failure::from)?;
    if args.dry_run || made.lines.is_empty() {
        let outcomes = Outcomes { lines: made.lines, notes, written: None, dry_run: args.dry_run };
        return Ok(report(context, &outcomes, started));
    }
    agreed(context, place, args.yes)?;
    let written = args.back.write(context, place, source, deed(tags, reverted)).await?;
    let lines = written.landed(made.lines);
    let outcomes = Outcomes { lines, notes, written: Some(&written), dry_run: false };
    Ok(report(context, &outcomes, started))
}

/// Every line with a tag that somebody has named.
fn named(place: &Place, lines: Vec<TagLine>, text: &str) -> Result<Back, Failure> {
    let refused = |why: String| Failure::from(Diagnostic::refused(code::BAD_TAG, why).note("nothing was written"));
    let tag = match declared_policy(place) {
        Some(policy) => Tag::under(text, &policy),
        None => Tag::parse(text).and_then(|tag| tag.check_moving(&[]).map(|()| tag)),
    };
    let tag = tag.map_err(|refusal| refused(refusal.to_string()))?;
    let wanted = lines.into_iter().map(|line| (line, tag.clone())).collect();
    Ok(Back { wanted, reverted: None, product: (None, BTreeMap::new()), notes: Vec::new() })
}

/// The lines that the last commit of tags has set, each with what it said before that.
fn before(source: &SourceTree, lines: Vec<TagLine>) -> Result<Back, Failure> {
    let nothing = |text: String| {
        Failure::from(
            Diagnostic::error(code::NO_REVISION, text)
                .note("nothing was written")
                .help("git pull, where others have written to the branch since; or say which tag: --to TAG"),
        )
    };
    let mut lineage = source.lineage();
    let mut known = Vec::new();
    for line in lines {
        let Standing::There(path, number) = line.line.standing.clone() else { continue };
        let file = line.line.file.clone();
        let commit = u32::try_from(number).ok().and_then(|number| lineage.line_commit(&file, number));
        let commit = commit
            .ok_or_else(|| nothing(format!("{file}:{number} is not committed here, so nothing was before it")))?;
        known.push((line, path, commit));
    }
    let last = known.iter().map(|(_, _, commit)| commit).reduce(|last, commit| {
        let is_later = source.leads_to(&last.sha, &commit.sha) == Some(true);
        if is_later { commit } else { last }
    });
    let Some(last) = last.cloned() else {
        return Err(nothing("no values file of this environment sets a tag of its own".to_owned()));
    };
    let short = short(&last.sha);
    if last.subject.starts_with(SUBJECT) || last.subject.starts_with("Revert \"") {
        let text = format!("what stands there was gone back to already, by {short} ({})", last.subject);
        return Err(nothing(text));
    }
    let parent = source.directory_on_disk().map(|root| SourceTree::open_commit(root, &format!("{}^", last.sha)));
    let Some(Ok(parent)) = parent else {
        return Err(nothing(format!("{short} ({}) is the first commit that is known here", last.subject)));
    };
    let mut wanted = Vec::new();
    for (line, path, commit) in known {
        if commit.sha != last.sha {
            continue;
        }
        let said = text_of(&parent, &line.line.file).ok().and_then(|text| tag_at(&text, &path));
        let tag = said.and_then(|said| Tag::parse(without_role(&said)).ok());
        let tag = tag.ok_or_else(|| nothing(format!("before {short}, {} said no tag there", line.line.file)))?;
        wanted.push((line, tag));
    }
    let product = product_at(&parent, &wanted);
    let notes = beside(source, &last, &wanted).into_iter().collect();
    Ok(Back { wanted, reverted: Some(last), product, notes })
}

/// How the first line of such a commit begins.
const SUBJECT: &str = "Roll back ";

/// What the records beside the files said of the product: its commit, and its images' digests.
fn product_at(tree: &SourceTree, wanted: &[Wanted]) -> (Option<String>, BTreeMap<String, String>) {
    let (mut commit, mut digests) = (None, BTreeMap::new());
    for (line, _) in wanted {
        let Ok(text) = text_of(tree, &record_beside(&line.line.file)) else { continue };
        let Ok(record) = landfall_yaml::to_json(&text) else { continue };
        commit = commit.or_else(|| record["product_commit"].as_str().map(str::to_owned));
        for repository in &line.repositories {
            let name = repository.rsplit('/').next().unwrap_or(repository);
            if let Some(digest) = record["digest"][name].as_str() {
                digests.insert(repository.clone(), digest.to_owned());
            }
        }
    }
    (commit, digests)
}

/// What the commit has changed besides, which stays.
fn beside(source: &SourceTree, commit: &LineCommit, wanted: &[Wanted]) -> Option<String> {
    let ours: BTreeSet<String> =
        wanted.iter().flat_map(|(line, _)| [line.line.file.clone(), record_beside(&line.line.file)]).collect();
    let changes = source.commit_changes(&commit.sha)?;
    let others: Vec<&str> = changes.files.iter().map(|it| it.path.as_str()).filter(|it| !ours.contains(*it)).collect();
    let (first, more) = others.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    let short = short(&commit.sha);
    Some(format!("{short} has changed {first}{more} as well, which stays: `git revert {short}` takes back all of it"))
}

/// As it is written to the repository.
fn deed(tags: Tags, reverted: Option<LineCommit>) -> Deed {
    let files = tags.files();
    let versions: BTreeSet<String> = tags.wanted.iter().map(|(_, tag)| tag.to_string()).collect();
    let versions = versions.into_iter().collect::<Vec<_>>();
    let place = tags.said.environment.clone().unwrap_or_else(|| "images".to_owned());
    let subject = format!("{SUBJECT}{place} to {}", versions.join(", "));
    let called = Called { branch: format!("rollback-{place}-{}", versions.join("-")), title: subject.clone() };
    let on_tip = move |tip: &SourceTree| {
        moved_on(tip, &tags)?;
        let Edited::Files(mut edits) = tags.commit(tip)? else {
            return Ok(Edited::Nothing("it is so already".to_owned()));
        };
        edits.subject = subject.clone();
        if let Some(reverted) = &reverted {
            edits.body = format!("This reverts commit {}.\n\n{}", reverted.sha, edits.body);
        }
        for (name, value) in &mut edits.trailers {
            if name == "Landfall-Cause" {
                *value = "rollback".to_owned();
            }
        }
        Ok(Edited::Files(edits))
    };
    Deed { change: change(on_tip), files, starts_at: None, cause: None, called }
}

/// A branch that says other tags than what lies here was written to since: what was before them is not known here.
fn moved_on(tip: &SourceTree, tags: &Tags) -> Result<(), Diagnostic> {
    for (line, tag) in &tags.wanted {
        let Standing::There(path, _) = &line.line.standing else { continue };
        let there = tag_at(&text_of(tip, &line.line.file)?, path).unwrap_or_default();
        let is_known = there == tag.as_str() || line.running.iter().any(|(_, running)| *running == there);
        if !is_known && there != line.line.value {
            let text = format!("{} says {there} there by now, and {} here", line.line.file, line.line.value);
            return Err(Diagnostic::error(code::NO_TAG_THERE, text)
                .note("somebody has written to the branch since; nothing was written")
                .help("git pull, and the same again"));
        }
    }
    Ok(())
}
