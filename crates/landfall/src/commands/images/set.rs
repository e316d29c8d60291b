//! `landfall images set`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use clap::Args;
use landfall_delivery::{Apart, Ours, TagLine, TargetKind, of_files, of_units, told_apart};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place, PlaceQuery};
use landfall_promote::{Tag, TagPolicy};
use landfall_source::{Fetched, ImageDetails, SourceTree};

use super::files::place_of;
use super::policy::declared_policy;
use super::registry::{Unlooked, looked_at, noted};
use super::tags::{Older, Said, Tags, history_of, record_beside};
use crate::arguments::{OutputArgs, TargetArgs};
use crate::commands::books::Books;
use crate::commands::promote::base::Tip;
use crate::commands::promote::by_hand::{Broken, GlassArgs, Look, Site, Wish, noted_back, permitted};
use crate::commands::write_back::{
    Called, Deed, Outcomes, WriteBackArgs, actor, agreed, change, report, unlinked, write_here,
};
use crate::context::Context;
use crate::exit::Outcome;
use crate::ui::Output;
use crate::verb::Verb;

/// Set the tag of our images, in the values lines that say it and nowhere else.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImagesSetArgs {
    /// The tag
    #[arg(value_name = "TAG")]
    pub(crate) tag: String,
    /// The service whose image it is (default: all that are built from this repository)
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    pub(crate) service: Vec<String>,
    /// The values file that says it (default: that of the environment); the tags of environments that read it are allowed in it
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Vec<String>,
    /// The commit that the images must have been built from
    #[arg(long, value_name = "SHA")]
    pub(crate) commit: Option<String>,
    /// Do not ask the registries whether the images are there; refused where a promotion leads
    #[arg(long)]
    pub(crate) unchecked: bool,
    /// Set it also where a newer one runs
    #[arg(long)]
    pub(crate) allow_older: bool,
    /// Commit it to the branch of the repository instead of changing the working tree
    #[arg(long)]
    pub(crate) push: bool,
    #[command(flatten)]
    pub(crate) glass: GlassArgs,
    #[command(flatten)]
    pub(crate) back: WriteBackArgs,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    /// Print what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ImagesSetArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, &self).await
    }
}

async fn run(context: &Context, args: &ImagesSetArgs) -> Outcome {
    let started = Instant::now();
    // Before anything else: what is no tag is nowhere looked for.
    let plain = Tag::parse(&args.tag).map_err(|refusal| {
        let mut failure = refused(&refusal.to_string());
        if args.tag.contains('/') || args.tag == "." || args.tag == ".." {
            let help = "the first word is the tag: a directory goes behind -C, an environment behind --env";
            let told = failure.diagnostics.pop().map(|it| it.help(help));
            failure.diagnostics.extend(told);
        }
        failure
    })?;
    if let Some(commit) = &args.commit
        && !(commit.len() >= 7 && commit.len() <= 64 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        let text = format!("--commit {commit} is no commit's hash, nor the beginning of one");
        return Err(Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, text)));
    }
    let Meant { place, policies, source, lines } = meant(context, args).await?;
    let known = source.as_ref().unwrap_or(&place.target.source);
    let mut commit =
        args.commit.as_deref().map(|commit| known.full_hash(commit).unwrap_or_else(|| commit.to_lowercase()));
    let mut tag = plain;
    if policies.is_empty() {
        tag.check_moving(&[]).map_err(|refusal| refused(&refusal.to_string()))?;
    }
    for policy in &policies {
        tag = Tag::under(&args.tag, policy).map_err(|refusal| refused(&refusal.to_string()))?;
    }
    let mut seen: Vec<(String, ImageDetails)> = Vec::new();
    let mut notes = Vec::new();
    if (args.push || args.commit.is_some()) && !args.unchecked {
        let unlooked = Unlooked::at(&place);
        for image in lines.iter().flat_map(|line| line.images(&tag)) {
            seen.push((image.clone(), looked_at(context, &image, commit.as_deref(), unlooked).await?));
        }
        if lines.iter().any(|line| line.running.is_empty()) {
            notes.push("no line says which repository the images are in, so that nobody was asked for them".to_owned());
        }
        if !seen.is_empty() {
            let books = Books::here(context, &place).await?;
            let is_noted = noted(&books, &seen).await;
            books.close().await;
            is_noted?;
        }
    }
    if let Some(beginning) = commit.as_deref().filter(|commit| commit.len() < WHOLE_HASH) {
        commit = Some(whole(beginning, &seen)?);
    }
    if commit.is_none() && has_record(known, &lines) {
        commit = built_from(&lines, &tag, &seen);
    }
    let lineage = match (&tag.commit(), args.push && !args.allow_older) {
        (Some(_), true) => lineage(context, &place, known, &args.back).await,
        _ => None,
    };
    let tags = Tags {
        wanted: lines.into_iter().map(|line| (line, tag.clone())).collect(),
        said: Said {
            commit,
            digests: digests(&seen),
            at: moment(),
            actor: actor(context),
            environment: place.environment.clone().filter(|_| args.file.is_empty()),
            inject: if args.file.is_empty() { injected(&place) } else { Vec::new() },
            applications: if args.file.is_empty() { applications_of(&place) } else { Vec::new() },
        },
        older: if args.allow_older { Older::Accepted } else { Older::Skipped },
        history: history_of(&place),
        lineage,
    };
    let at = match (args.dry_run, args.push) {
        (true, _) => Site::Nowhere,
        (false, true) => Site::There(&args.back),
        (false, false) => Site::Here,
    };
    let source = source.as_ref().unwrap_or(&place.target.source);
    let look = if args.push && args.unchecked { Look::LeftOut } else { Look::Asked };
    let (repos, glass) = (&args.place.repos, Some(&args.glass));
    let wish = Wish { place: &place, source, at, wanted: &tags.wanted, look, repos, glass };
    let glass = permitted(context, &wish).await?;
    let done = applied(context, (&place, source), (tags, glass.as_ref()), notes, args, started).await;
    if let Some(glass) = glass {
        glass.end(context, &done).await;
    }
    done
}

/// How long a commit's whole hash is, in digits.
const WHOLE_HASH: usize = 40;

/// The whole hash of a commit whose beginning was said, as the images say it that were built from it: what is written down is
/// compared with whole hashes for ever.
fn whole(beginning: &str, seen: &[(String, ImageDetails)]) -> Result<String, Failure> {
    let said = seen.iter().filter_map(|(_, details)| details.revision.as_deref());
    let said: BTreeSet<String> = said.map(str::to_lowercase).filter(|it| it.len() >= WHOLE_HASH).collect();
    let mut said = said.into_iter().filter(|it| it.starts_with(beginning));
    match (said.next(), said.next()) {
        (Some(one), None) => Ok(one),
        _ => {
            let text = format!("--commit {beginning} is the beginning of a hash, and nothing says the whole one");
            let diagnostic = Diagnostic::error(code::BAD_ARGUMENTS, text)
                .note("neither this clone has such a commit, nor does a label of the images name it")
                .note("nothing was written");
            Err(Failure::usage(diagnostic.help("name the whole hash: git rev-parse HEAD")))
        }
    }
}

/// Whether a record lies beside one of the lines' files: it says one commit for all of them.
fn has_record(source: &SourceTree, lines: &[TagLine]) -> bool {
    lines.iter().any(|line| matches!(source.read(&record_beside(&line.line.file)), Ok(Some(_))))
}

/// The one commit that all images were built from by their labels; nothing where one of them says none, or another one.
fn built_from(lines: &[TagLine], tag: &Tag, seen: &[(String, ImageDetails)]) -> Option<String> {
    let is_asked = |image: &String| seen.iter().any(|(asked, _)| asked == image);
    let of_line = |line: &TagLine| !line.running.is_empty() && line.images(tag).iter().all(is_asked);
    if !lines.iter().all(of_line) {
        return None;
    }
    let said = seen.iter().map(|(_, details)| details.revision.as_deref().map(str::to_lowercase));
    let said: BTreeSet<String> = said.collect::<Option<_>>()?;
    let mut said = said.into_iter().filter(|it| it.len() == WHOLE_HASH && it.bytes().all(|b| b.is_ascii_hexdigit()));
    match (said.next(), said.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// The repository that is written to with its history, which a clone of the last commit alone does not have; nothing where it cannot
/// be fetched, which whoever writes to it tells.
async fn lineage(
    context: &Context,
    place: &Place,
    source: &SourceTree,
    back: &WriteBackArgs,
) -> Option<(Arc<Fetched>, String)> {
    let to = place.environment.as_deref().unwrap_or_default();
    let directories = [place.target.directory.clone()];
    let tip = Tip::read(context, (place, source), back, (to, &directories)).await.ok()?;
    tip.lineage(context).await.ok()
}

fn refused(why: &str) -> Failure {
    Failure::from(Diagnostic::refused(code::BAD_TAG, why.to_owned()).note("nothing was written"))
}

/// Now, as records say it.
pub(crate) fn moment() -> String {
    said_at(jiff::Timestamp::now())
}

/// A moment, as records say it.
pub(crate) fn said_at(moment: jiff::Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The paths of values that get the version as well, as the promotion to a place's environment declares them.
pub(crate) fn injected(place: &Place) -> Vec<Vec<String>> {
    let TargetKind::System(file) = &place.target.kind else { return Vec::new() };
    let to_here = file.system.promotion.iter().filter(|it| Some(it.to.as_str()) == place.environment.as_deref());
    to_here.flat_map(|it| &it.inject).map(|path| path.split('.').map(str::to_owned).collect()).collect()
}

/// The files of a place's Applications.
pub(crate) fn applications_of(place: &Place) -> Vec<String> {
    let globs = place.declared().and_then(|environment| environment.applications.as_ref());
    let globs = globs.into_iter().flat_map(|globs| globs.iter());
    globs.flat_map(|glob| place.target.source.glob(&place.target.path(glob)).unwrap_or_default()).collect()
}

/// The digests of images, by their names without tags.
pub(crate) fn digests(seen: &[(String, ImageDetails)]) -> BTreeMap<String, String> {
    let bare = |image: &str| image.rsplit_once(':').map_or(image, |(repository, _)| repository).to_owned();
    seen.iter().map(|(image, details)| (bare(image), details.digest.clone())).collect()
}

/// What is meant.
struct Meant {
    place: Place,
    /// What the environments let run that it is for.
    policies: Vec<TagPolicy>,
    /// The tree that the lines are in, where that is not the place's own.
    source: Option<SourceTree>,
    lines: Vec<TagLine>,
}

async fn meant(context: &Context, args: &ImagesSetArgs) -> Result<Meant, Failure> {
    if args.file.is_empty() {
        let place = context.host.place(None, &args.place.query()).await?;
        let units = args.place.units(&context.host, &place).await?;
        let ours = Ours::of(&place.target, &place.target.source, &args.service);
        let lines = of_units(place.target.files(), &units, &ours).map_err(|mut all| {
            let told = all.pop_if(|told| told.code == code::NO_IMAGE_LINE);
            all.extend(told.map(|told| told.help("or name the file that says its tag, with --file")));
            all
        })?;
        let policies = declared_policy(&place).into_iter().collect();
        return Ok(Meant { place, policies, source: None, lines });
    }
    let directory = context.host.directory.clone();
    let source = SourceTree::open_directory(&directory)
        .map_err(|error| Failure::from(landfall_diag::Diagnose::diagnose(&error)))?;
    let root = source.directory_on_disk().map(Path::to_owned).unwrap_or_default();
    let mut files = Vec::new();
    for file in &args.file {
        let refused = |why: &str| Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, format!("`{file}` {why}")));
        let path = directory.join(file).canonicalize().map_err(|error| refused(&format!("cannot be read: {error}")))?;
        if path.is_dir() {
            return Err(refused("is a directory, and no values file"));
        }
        let inside = path.strip_prefix(&root).map_err(|_| refused("lies outside the repository of this directory"))?;
        files.push(inside.display().to_string());
    }
    let (place, policies) = place_of(context, &args.place, &files).await?;
    let ours = Ours::of(&place.target, &source, &args.service);
    let apart = match place.environment.is_some() {
        // What is rendered says whose an image is, where it can be rendered.
        true => {
            // Of one that is named no more was read than what it declares.
            let whole = match args.place.env {
                Some(_) => context.host.place(None, &PlaceQuery { revision: None, ..args.place.query() }).await.ok(),
                None => None,
            };
            let place = whole.as_ref().unwrap_or(&place);
            let units = args.place.units(&context.host, place).await.ok();
            let is_known = |apart: &Apart| apart.is_known || !args.service.is_empty();
            units.and_then(|units| told_apart(place.target.files(), &units, &ours).ok()).filter(is_known)
        }
        false => None,
    };
    let lines = of_files(&source, &files, &ours, apart.as_ref())?;
    Ok(Meant { place, policies, source: Some(source), lines })
}

/// Sets tags, here or in the repository, and says so.
async fn applied(
    context: &Context,
    (place, source): (&Place, &SourceTree),
    (tags, glass): (Tags, Option<&Broken>),
    mut notes: Vec<String>,
    args: &ImagesSetArgs,
    started: Instant,
) -> Outcome {
    let made = tags.edits(source).map_err(Failure::from)?;
    unlinked(source, made.files.keys().map(String::as_str))?;
    notes.extend(made.notes);
    if args.dry_run || !args.push {
        if !args.dry_run {
            let files: Vec<(String, String)> = made.files.into_iter().collect();
            write_here(source, &files)?;
        }
        let outcomes = Outcomes { lines: made.lines, notes, written: None, dry_run: args.dry_run };
        return Ok(report(context, &outcomes, started));
    }
    agreed(context, place, args.yes).await?;
    let cause = cause(&tags, source);
    let told = Arc::new(Mutex::new(made.lines));
    let on_tip = {
        let (tags, told) = (tags.clone(), Arc::clone(&told));
        // What lies here may be older than the branch: what is told is what the commit changes.
        move |tip: &SourceTree| {
            let made = tags.edits(tip)?;
            if let Ok(mut told) = told.lock() {
                told.clone_from(&made.lines);
            }
            tags.committed(made)
        }
    };
    let wanted = tags.wanted.clone();
    let deed = Deed { cause, change: change(on_tip), ..deed(tags) };
    let deed = match glass {
        Some(glass) => glass.said_in(deed),
        None => deed,
    };
    let written = args.back.write(context, place, source, deed).await?;
    if glass.is_none() {
        noted_back(context, place, &wanted, &written).await;
    }
    let told = told.lock().map(|told| told.clone()).unwrap_or_default();
    let lines = written.landed(told);
    let outcomes = Outcomes { lines, notes, written: Some(&written), dry_run: false };
    Ok(report(context, &outcomes, started))
}

/// The commit that the images were built from, whole where this clone has it: a tag of a commit says it as well as `--commit` does.
fn cause(tags: &Tags, source: &SourceTree) -> Option<String> {
    let built = || tags.wanted.iter().find_map(|(_, tag)| tag.commit().map(str::to_owned));
    let commit = tags.said.commit.clone().or_else(built)?;
    Some(source.full_hash(&commit).unwrap_or(commit))
}

/// Tags as what is written to a repository.
pub(crate) fn deed(tags: Tags) -> Deed {
    let (files, cause) = (tags.files(), tags.said.commit.clone());
    let versions: std::collections::BTreeSet<String> = tags.wanted.iter().map(|(_, tag)| tag.to_string()).collect();
    let versions = versions.into_iter().collect::<Vec<_>>().join("-");
    let place = tags.said.environment.clone().unwrap_or_else(|| "images".to_owned());
    let called = Called { branch: format!("set-{place}-{versions}"), title: format!("{place}: {versions}") };
    Deed { change: change(move |tip| tags.commit(tip)), starts_at: None, files, cause, called }
}
