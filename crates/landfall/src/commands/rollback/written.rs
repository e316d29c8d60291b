//! Rolling back what is delivered from git: a commit that says the tags again which stood there before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use landfall_delivery::{Ours, Standing, TagLine, TargetKind, of_units, text_of};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_promote::{BindingPath, Tag, bare, is_older, tag_at, without_role};
use landfall_source::{Edited, ImageDetails, LineCommit, Lineage, SourceTree};

use super::RollbackArgs;
use crate::commands::books::{BooksArgs, Use};
use crate::commands::images::policy::declared_policy;
use crate::commands::images::registry::{Unlooked, looked_at, noted};
use crate::commands::images::set::{applications_of, digests, injected, moment};
use crate::commands::images::tags::{Made, Older, Said, Tags, history_of, record_beside};
use crate::commands::promote::by_hand::{Broken, Look, Site, Wish, noted_back, permitted};
use crate::commands::write_back::{Called, Deed, Outcomes, actor, agreed, change, report, short, unasked, unlinked};
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
    let lines = of_units(place.target.files(), &units, &Ours::of(&place.target, source, &args.service))?;
    let look = if args.unchecked { Look::LeftOut } else { Look::Asked };
    let Back { wanted, reverted, product, notes } = match &args.to {
        Some(tag) => named(context, place, lines, (tag, args)).await?,
        None => {
            let mut back = before(place, lines)?;
            let is_pinned = |(line, _): &Wanted| !line.pinned.is_empty() || line.line.value.contains('@');
            if look == Look::Asked && (is_promoted_to(place) || back.wanted.iter().any(is_pinned)) {
                // What the registry says of what is there now is not what a record of then says.
                back.product.1.extend(digests(&there(context, place, &back.wanted, args).await?));
            }
            back
        }
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
        lineage: None,
    };
    let at = if args.dry_run { Site::Nowhere } else { Site::There(&args.back) };
    let (repos, glass) = (&args.place.repos, Some(&args.glass));
    let wish = Wish { place, source, at, wanted: &tags.wanted, look, repos, glass };
    let glass = permitted(context, &wish).await?;
    let made = tags.edits(source).map_err(Failure::from);
    let done = match made {
        Ok(made) => applied(context, args, (place, made), (tags, reverted, notes), glass.as_ref(), started).await,
        Err(failure) => Err(failure),
    };
    if let Some(glass) = glass {
        glass.end(context, &done).await;
    }
    done
}

/// Writes what is to stand there again, and says so.
async fn applied(
    context: &Context,
    args: &RollbackArgs,
    (place, made): (&Place, Made),
    (tags, reverted, mut notes): (Tags, Option<LineCommit>, Vec<String>),
    glass: Option<&Broken>,
    started: Instant,
) -> Outcome {
    let source = &place.target.source;
    unlinked(source, made.files.keys().map(String::as_str))?;
    notes.extend(reverted.as_ref().and_then(|commit| beside(source, commit, &made)));
    if args.dry_run {
        notes.extend(unasked(&made.lines));
        let outcomes = Outcomes { lines: made.lines, notes, written: None, dry_run: true };
        return Ok(report(context, &outcomes, started));
    }
    agreed(context, place, args.yes).await?;
    let wanted = tags.wanted.clone();
    let deed = deed(tags, reverted);
    let deed = match glass {
        Some(glass) => glass.said_in(deed),
        None => deed,
    };
    let written = args.back.write(context, place, source, deed).await?;
    // What was set past the rules is written down as that.
    if glass.is_none() {
        noted_back(context, place, &wanted, &written).await;
    }
    let lines = written.landed(made.lines);
    let outcomes = Outcomes { lines, notes, written: Some(&written), dry_run: false };
    Ok(report(context, &outcomes, started))
}

/// Every line with a tag that somebody has named, whose images are there: a rollback leaves the steps of builds aside, and neither
/// the channel nor whether there is anything to go back to.
async fn named(
    context: &Context,
    place: &Place,
    lines: Vec<TagLine>,
    (text, args): (&str, &RollbackArgs),
) -> Result<Back, Failure> {
    let refused = |why: String| Failure::from(Diagnostic::refused(code::BAD_TAG, why).note("nothing was written"));
    let tag = match declared_policy(place) {
        Some(policy) => Tag::under(text, &policy),
        None => Tag::parse(text).and_then(|tag| tag.check_moving(&[]).map(|()| tag)),
    };
    let tag = tag.map_err(|refusal| refused(refusal.to_string()))?;
    let wanted: Vec<Wanted> = lines.into_iter().map(|line| (line, tag.clone())).collect();
    let seen = if args.unchecked { Vec::new() } else { there(context, place, &wanted, args).await? };
    let (before, mut found) = last_of(&place.target.source, &wanted);
    // What the registry says of what is there now is not what a record of then says.
    found.extend(digests(&seen));
    let commits: BTreeSet<&String> = seen.iter().filter_map(|(_, details)| details.revision.as_ref()).collect();
    let commit = match commits.len() {
        1 => commits.first().map(|commit| (*commit).clone()),
        _ => before,
    };
    if commit.is_none() || found.is_empty() {
        let without = wanted.iter().map(|(line, _)| record_beside(&line.line.file));
        let without: BTreeSet<String> = without.filter(|file| says_commit(&place.target.source, file)).collect();
        if let Some(file) = without.first() {
            let text =
                format!("which commit and digests {tag} has is known from nowhere, and `{file}` would say others");
            return Err(Failure::from(
                Diagnostic::refused(code::OTHER_REVISION, text)
                    .note("nothing was written")
                    .help("images say their commit in the label org.opencontainers.image.revision"),
            ));
        }
    }
    Ok(Back { wanted, reverted: None, product: (commit, found), notes: Vec::new() })
}

/// Whether new images come to a place's environment by a promotion.
fn is_promoted_to(place: &Place) -> bool {
    let TargetKind::System(file) = &place.target.kind else { return false };
    file.system.promotion.iter().any(|it| Some(it.to.as_str()) == place.environment.as_deref())
}

/// What the registries say of the images that come back: each is there, and still the one that its tag was.
async fn there(
    context: &Context,
    place: &Place,
    wanted: &[Wanted],
    args: &RollbackArgs,
) -> Result<Vec<(String, ImageDetails)>, Failure> {
    let images: BTreeSet<String> = wanted.iter().flat_map(|(line, tag)| line.images(tag)).collect();
    let mut seen = Vec::new();
    for image in images {
        let details = looked_at(context, &image, None, Unlooked::at(place)).await?;
        seen.push((image, details));
    }
    if !seen.is_empty() {
        let wanted = if args.dry_run { Use::Reads } else { Use::Writes };
        let books = BooksArgs::default().open(context, place, wanted).await?;
        let is_noted = noted(&books, &seen).await;
        books.close().await;
        is_noted?;
    }
    Ok(seen)
}

/// Whether a record of a release says which commit it is of.
fn says_commit(source: &SourceTree, file: &str) -> bool {
    let record = text_of(source, file).ok().and_then(|text| landfall_yaml::to_json(&text).ok());
    record.is_some_and(|record| record["image_tag"].is_string() && product_commit(&record).is_some())
}

/// The commit that a record names; nothing where it says none, as beside images of several.
fn product_commit(record: &serde_json::Value) -> Option<&str> {
    record["product_commit"].as_str().filter(|commit| !commit.is_empty())
}

/// What the records beside the files said of the product when these tags stood in them last.
fn last_of(source: &SourceTree, wanted: &[Wanted]) -> (Option<String>, BTreeMap<String, String>) {
    let (mut commit, mut digests) = (None, BTreeMap::new());
    for (line, tag) in wanted {
        let records = source.versions(&record_beside(&line.line.file)).into_iter();
        let records = records.filter_map(|bytes| landfall_yaml::to_json(&String::from_utf8(bytes).ok()?).ok());
        let of_tag = records
            .into_iter()
            .find(|record| record["image_tag"].as_str().is_some_and(|said| bare(said) == bare(tag.as_str())));
        let Some(record) = of_tag else { continue };
        of_record(&record, line, &mut commit, &mut digests);
    }
    (commit, digests)
}

/// What a record says of the product.
fn of_record(
    record: &serde_json::Value,
    line: &TagLine,
    commit: &mut Option<String>,
    digests: &mut BTreeMap<String, String>,
) {
    *commit = commit.take().or_else(|| product_commit(record).map(str::to_owned));
    for repository in &line.repositories {
        let name = repository.rsplit('/').next().unwrap_or(repository);
        if let Some(digest) = record["digest"][name].as_str() {
            digests.insert(repository.clone(), digest.to_owned());
        }
    }
}

/// The lines that the last commit of tags has set, each with what it said before that.
fn before(place: &Place, lines: Vec<TagLine>) -> Result<Back, Failure> {
    let source = &place.target.source;
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
        let set = set_by(&mut lineage, source, &line.line.file, &path);
        let set = set.ok_or_else(|| {
            nothing(format!("{}:{number} is not committed here, so nothing was before it", line.line.file))
        })?;
        known.push((line, set));
    }
    let last = known.iter().map(|(_, set)| &set.commit).reduce(|last, commit| {
        let is_later = source.leads_to(&last.sha, &commit.sha) == Some(true);
        if is_later { commit } else { last }
    });
    let Some(last) = last.cloned() else {
        return Err(nothing("no values file of this environment sets a tag of its own".to_owned()));
    };
    let short = short(&last.sha);
    known.retain(|(_, set)| set.commit.sha == last.sha);
    let is_back = last.subject.starts_with(SUBJECT) || last.subject.starts_with("Revert \"");
    if is_back || known.iter().any(|(_, set)| set.went_back(source)) {
        let text = format!("what stands there was gone back to already, by {short} ({})", last.subject);
        return Err(nothing(text));
    }
    let parent = source.directory_on_disk().map(|root| SourceTree::open_commit(root, &format!("{}^", last.sha)));
    let Some(Ok(parent)) = parent else {
        return Err(nothing(format!("{short} ({}) is the first commit that is known here", last.subject)));
    };
    let mut wanted = Vec::new();
    let mut files = Vec::new();
    for (line, set) in known {
        if line.is_digest() {
            let help = format!(
                "say which tag it was: landfall rollback --env {} --to TAG",
                place.environment.as_deref().unwrap_or("ENV")
            );
            return Err(Failure::from(
                Diagnostic::error(code::NO_REVISION, line.without_tag()).note("nothing was written").help(help),
            ));
        }
        let tag = set.was.as_deref().and_then(|said| Tag::parse(without_role(said)).ok());
        let tag = tag.ok_or_else(|| nothing(format!("before {short}, {} said no tag there", line.line.file)))?;
        wanted.push((line, tag));
        files.push(set.file);
    }
    let product = product_at(&parent, wanted.iter().map(|(line, _)| line).zip(&files));
    Ok(Back { wanted, reverted: Some(last), product, notes: Vec::new() })
}

/// The last change of a tag: of what is said, whatever else became of its line.
struct SetBy {
    /// What is said now.
    now: String,
    /// What was said before; nothing where none was.
    was: Option<String>,
    /// The commit that changed it.
    commit: LineCommit,
    /// Where the file was before.
    file: String,
}

impl SetBy {
    /// Whether what is said now came before what it took the place of: as versions, or by the history of commits.
    fn went_back(&self, source: &SourceTree) -> bool {
        let Some(was) = self.was.as_deref() else { return false };
        let [now, was] = [self.now.as_str(), was].map(|tag| Tag::parse(without_role(tag)).ok());
        let (Some(now), Some(was)) = (now, was) else { return false };
        match (now.commit(), was.commit()) {
            (Some(now), Some(was)) => source.leads_to(now, was) == Some(true),
            _ => is_older(now.as_str(), was.as_str()),
        }
    }
}

/// The commit of the branch itself that has brought a tag which stands in a file; nothing where that is not committed.
fn set_by(lineage: &mut Lineage<'_>, source: &SourceTree, file: &str, path: &BindingPath) -> Option<SetBy> {
    let now = tag_at(&text_of(source, file).ok()?, path)?;
    let mut history = lineage.file_history(file).versions.into_iter();
    let mut last = history.next().filter(|version| tag_at(&version.text, path).as_ref() == Some(&now))?;
    for version in history {
        let said = tag_at(&version.text, path);
        if said.as_ref() != Some(&now) {
            return Some(SetBy { now, was: said, commit: last.commit, file: version.path });
        }
        last = version;
    }
    Some(SetBy { now, was: None, commit: last.commit, file: last.path })
}

/// How the first line of such a commit begins.
const SUBJECT: &str = "Roll back ";

/// What the records beside the files said of the product: its commit, and its images' digests.
fn product_at<'l>(
    tree: &SourceTree,
    lines: impl Iterator<Item = (&'l TagLine, &'l String)>,
) -> (Option<String>, BTreeMap<String, String>) {
    let (mut commit, mut digests) = (None, BTreeMap::new());
    for (line, file) in lines {
        let Ok(text) = text_of(tree, &record_beside(file)) else { continue };
        let Ok(record) = landfall_yaml::to_json(&text) else { continue };
        of_record(&record, line, &mut commit, &mut digests);
    }
    (commit, digests)
}

/// What the commit has changed besides, which stays: files that going back does not touch.
fn beside(source: &SourceTree, commit: &LineCommit, made: &Made) -> Option<String> {
    let ours = &made.files;
    let changes = source.commit_changes(&commit.sha)?;
    let others: Vec<&str> =
        changes.files.iter().map(|it| it.path.as_str()).filter(|it| !ours.contains_key(*it)).collect();
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
