//! A promotion as it is rehearsed, and written: the tag given, the lines changed, a pull request made.

use landfall_delivery::{TagLine, text_of};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::Failure;
use landfall_project::PromotionBy;
use landfall_promote::{ReleasedImage, Tag, branch_of};
use landfall_rehearse::{Preview, Shown, preview_markdown};
use landfall_server::PROMOTION_CONTEXT;
use landfall_server::api::{Asked, Lines, PromotionLine};
use landfall_source::{
    CommitStatus, Edited, ForgeApi, ForgeClient, ForgeRepository, ImageDetails, Landing, Proposal, Proposed,
    Protection, Reference, Retagged, SourceTree, StatusState,
};
use serde_json::{Value, json};

use super::base::Base;
use super::{Course, PromoteArgs, told, warn};
use crate::arguments::{ReportFormat, ValuesArgs};
use crate::commands::books::Books;
use crate::commands::doctor::forge_token;
use crate::commands::images::registry::{noted, registry};
use crate::commands::images::set::said_at;
use crate::commands::images::tags::{Made, Tags, record_beside};
use crate::commands::preview::{PreviewArgs, preview};
use crate::commands::write_back::{Called, Deed, WriteBackArgs, change, foreign, short};
use crate::context::Context;

/// What a rehearsal found.
pub(super) struct Rehearsed {
    pub(super) passes: bool,
    pub(super) markdown: String,
}

/// Delivers the receiving environment as it would be onto a fork of what it is.
pub(super) async fn rehearse(
    context: &Context,
    args: &PromoteArgs,
    base: &Base,
    course: &Course,
    made: &Made,
) -> Result<Rehearsed, Failure> {
    let tip = base.tip.tree().await?;
    let head = base.tip.with(&tip, &made.files, &format!("{} promoted", course.tag))?;
    let file = base.tip.declared(&tip)?;
    let environment = &course.promotion.to;
    let new = base.tip.place(context, head, file.clone(), environment)?;
    let old = base.tip.place(context, tip, file, environment)?;
    let short: String = base.tip.commit.chars().take(7).collect();
    let asked = PreviewArgs {
        target: Vec::new(),
        place: args.target(environment),
        values: ValuesArgs::default(),
        all: false,
        kube_version: None,
        output: ReportFormat::Markdown,
    };
    let found = preview(context, &asked, Some(environment), (&short, Some(&old)), (course.tag.as_str(), &new))?;
    let markdown = preview_markdown(std::slice::from_ref(&found), &short, course.tag.as_str(), Shown::New);
    Ok(Rehearsed { passes: Preview::passes(&found), markdown })
}

/// What was written.
pub(super) struct Outcome {
    pub(super) state: &'static str,
    pub(super) notes: Vec<String>,
    pub(super) data: Value,
}

/// Gives the tag, writes the lines, and makes the pull request where one is wanted.
pub(super) async fn write(
    context: &Context,
    args: &PromoteArgs,
    base: &Base,
    books: &Books,
    course: &Course,
    rehearsed: &Rehearsed,
) -> Result<Outcome, Failure> {
    let forge = args.back.client(context, &base.tip.remote.address)?;
    let by = by(context, args, base, course, forge.as_ref()).await?;
    if by == PromotionBy::Commit && !rehearsed.passes {
        let why = "the rehearsal would not deliver it, and a commit is delivered unseen";
        course.note(books, "refused", why, json!({})).await?;
        return Err(Failure::from(
            Diagnostic::refused(code::REHEARSAL_REFUSES, why)
                .note("nothing was written")
                .help("look at it with --dry-run -o json, or propose it: `by: pull-request`"),
        ));
    }
    // Who may not promote gives no tag, and what was begun is known to whoever finds it half done.
    course.note(books, "tagged", &format!("its tags are given: {}", course.released()), json!({})).await?;
    let tagged = match give_tags(context, books, course).await {
        Ok(tagged) => tagged,
        Err(failure) => {
            let why = failure.diagnostics.first().map_or("it was refused", |told| told.message.as_str());
            let _noted =
                course.note(books, "tagged", &format!("not all of its tags could be given: {why}"), json!({})).await;
            return Err(failure);
        }
    };
    course.note(books, "tagged", &tagged.join("; "), json!({})).await?;
    let own = branch_of(base.tip.directory(), &course.promotion.to, &course.tag);
    let (branch, starts_at) = match by {
        PromotionBy::PullRequest => (own, Some(base.tip.branch.clone())),
        PromotionBy::Commit => (base.tip.branch.clone(), None),
    };
    let back = WriteBackArgs { branch: Some(branch.clone()), ..args.back.clone() };
    let began = match starts_at {
        Some(_) => base.tip.other(context, &branch).await?.and_then(|tree| recorded_at(&tree, &course.tags)),
        None => None,
    };
    let wanted = deed(base, course, starts_at, began);
    let written = back.write(context, &base.here, &base.here.target.source, wanted).await?;
    let mut notes = tagged;
    let commit = match &written.landing {
        Landing::Pushed { commit, .. } => commit.clone(),
        // A command that ended in between has written it already: the same files on the same tip.
        Landing::Nothing { head, .. } => head.clone(),
        Landing::Foreign { head, commits } => {
            let told = foreign(&branch, commits);
            course.note(books, "refused", &format!("{}: {}", told.message, commits.join("; ")), json!({})).await?;
            let description = format!("it has commits of others: {}", commits.join("; "));
            let red = CommitStatus { context: PROMOTION_CONTEXT.to_owned(), state: StatusState::Failure, description };
            if let Some(forge) = &forge {
                forge.say(head, &red).await.map_err(|error| at_forge(&error, &branch))?;
            }
            return Err(Failure::from(told));
        }
        other => format!("{other:?}"),
    };
    let place = place_of(base, &branch, &commit);
    if by == PromotionBy::Commit {
        notes.push(format!("{} is on {}", short(&commit), base.tip.branch));
        course.note(books, "written", &format!("{} is on {}", short(&commit), base.tip.branch), place.clone()).await?;
        return Ok(Outcome { state: "written", notes, data: place });
    }
    // It was asked for before anything was written.
    let Some(forge) = forge else { return Ok(Outcome { state: "written", notes, data: place }) };
    let said = told::Request {
        id: &course.id,
        from: &course.promotion.from,
        to: &course.promotion.to,
        tag: course.tag.as_str(),
        images: &course.going,
        verdicts: &course.verdicts,
        owners: &course.promotion.owners,
        commit: course.commit.as_deref(),
        passes: rehearsed.passes,
        preview: &rehearsed.markdown,
    };
    let mut data = place;
    data["forge"] =
        json!({"kind": forge.place().forge, "api": forge.place().api, "repository": forge.place().repository});
    // What is on the branch is known before the forge is asked: a pull request of before has it already.
    course.note(books, "tagged", &format!("{} is on {branch}", short(&commit)), data.clone()).await?;
    let proposal =
        Proposal { head: branch.clone(), base: base.tip.branch.clone(), title: said.title(), body: said.body() };
    let (request, done) = forge.propose(&proposal).await.map_err(|error| at_forge(&error, &branch))?;
    data["request"] = json!(request);
    course.note(books, "proposed", &format!("pull request {}", request.number), data.clone()).await?;
    let status = status(course, rehearsed.passes);
    forge.say(&commit, &status).await.map_err(|error| at_forge(&error, &branch))?;
    let word = if done == Proposed::Made { "made" } else { "brought up to date" };
    notes.push(format!("pull request {} was {word}: {}", request.number, request.url));
    Ok(Outcome { state: "proposed", notes, data })
}

/// Writes down that a promotion is on its branch, where a command has put it there that ended before it could say so, or somebody
/// has merged it since; says it.
pub(super) async fn landed(
    context: &Context,
    base: &Base,
    books: &Books,
    course: &Course,
) -> Result<Option<String>, Failure> {
    let asked = Asked::Promotions(Some(course.promotion.to.to_string()), Lines::most(MOST_PROMOTIONS));
    let known: Vec<PromotionLine> = books.ask(asked).await?;
    let Some(line) = known.into_iter().find(|line| line.id == course.id) else { return Ok(None) };
    let state = match line.state.as_str() {
        "tagged" => "written",
        "proposed" => "merged",
        _ => return Ok(None),
    };
    let tree = base.tip.history(context).await?;
    let of_line = |(line, _): &(TagLine, Tag)| {
        tree.line_commit(&line.line.file, u32::try_from(line.line.line()?).ok()?).map(|commit| commit.sha)
    };
    let commit = course.tags.wanted.iter().find_map(of_line).unwrap_or_else(|| base.tip.commit.clone());
    let said = format!("{} is on {}", short(&commit), base.tip.branch);
    let mut more = place_of(base, &base.tip.branch, &commit);
    for key in ["request", "forge"].iter().filter(|key| !line.detail[**key].is_null()) {
        more[*key] = line.detail[*key].clone();
    }
    course.note(books, state, &said, more).await?;
    Ok(Some(said))
}

/// Promotions to an environment that are looked through.
const MOST_PROMOTIONS: usize = 1000;

/// Where a promotion was written.
fn place_of(base: &Base, branch: &str, commit: &str) -> Value {
    let remote = landfall_diag::without_passwords(&base.tip.remote.address);
    json!({"branch": branch, "base": base.tip.branch, "commit": commit, "remote": remote})
}

/// What is said of the commit: every image is there under its release's tag, and the rehearsal passes.
fn status(course: &Course, passes: bool) -> CommitStatus {
    let count = course.going.len();
    let images = if count == 1 { "the image is".to_owned() } else { format!("all {count} images are") };
    CommitStatus {
        context: PROMOTION_CONTEXT.to_owned(),
        state: if passes { StatusState::Success } else { StatusState::Failure },
        description: match passes {
            true => format!("{images} there as {}, tested in {}", course.tag, course.promotion.from),
            false => "the rehearsal would not deliver it".to_owned(),
        },
    }
}

/// Sees that no tag that is to be given has another image, or had one; says which have none yet.
pub(super) async fn untagged(context: &Context, books: &Books, course: &Course) -> Result<Vec<String>, Failure> {
    let (mut missing, mut seen) = (Vec::new(), Vec::new());
    for released in &course.going {
        let named = released.named();
        let reference = Reference::image(&named).map_err(|error| Failure::usage(error.diagnose()))?;
        let found = registry(context, &reference).details(&reference).await;
        match found.map_err(|error| Failure::from(error.diagnose()))? {
            Some(details) if details.digest != released.image.digest => {
                return Err(taken(course, released, &details.digest));
            }
            Some(details) => seen.push((named, details)),
            None => missing.push(named),
        }
    }
    noted(books, &seen).await?;
    Ok(missing)
}

/// Gives each image its release's tag, which is known to have it from then on; says what was done.
pub(super) async fn give_tags(context: &Context, books: &Books, course: &Course) -> Result<Vec<String>, Failure> {
    let mut said = Vec::new();
    for released in &course.going {
        let ReleasedImage { image, tag } = released;
        let named = format!("{}@{}", image.repository, image.digest);
        let reference = Reference::image(&named).map_err(|error| Failure::usage(error.diagnose()))?;
        let given = registry(context, &reference).retag(&reference, &image.digest, tag).await;
        match given.map_err(|error| Failure::from(error.diagnose()))? {
            Retagged::Given => said.push(format!("{}:{tag} is {} now", image.repository, short(&image.digest[7..]))),
            Retagged::AlreadyThere => said.push(format!("{}:{tag} was there already", image.repository)),
            Retagged::Taken(other) => return Err(course.taken(books, taken(course, released, &other)).await),
        }
        let (digest, revision) = (image.digest.clone(), course.commit.clone());
        noted(books, &[(released.named(), ImageDetails { digest, revision, created: None })]).await?;
    }
    Ok(said)
}

/// That a release's tag is another image.
fn taken(course: &Course, released: &ReleasedImage, other: &str) -> Failure {
    let text = format!(
        "{} is another image ({other}) than the one that {} has tested ({})",
        released.named(),
        course.promotion.from,
        released.image.digest
    );
    Failure::from(
        Diagnostic::refused(code::TAG_TAKEN, text)
            .note("nothing was written to git")
            .help("raise the product's version, build it, test it, and promote that"),
    )
}

/// The commit of it, on the tip that it was judged on and on no other one; one that is made again says the moment at which it was
/// made first.
fn deed(base: &Base, course: &Course, starts_at: Option<String>, began: Option<String>) -> Deed {
    let (judged, branch) = (base.tip.commit.clone(), base.tip.branch.clone());
    let (mut tags, promotion, tag) = (course.tags.clone(), course.promotion.clone(), course.tag.clone());
    tags.said.at = began.unwrap_or(tags.said.at);
    let id = course.id.clone();
    let files = tags.files();
    let change = change(move |tip| match tags.commit(tip)? {
        // What another tip runs with these lines nobody has rendered yet.
        Edited::Files(_) if tip.revision().sha() != Some(judged.as_str()) => Err(moved(&branch, tip)),
        Edited::Files(mut edits) => {
            edits.subject = format!("Promote {tag} from {} to {}", promotion.from, promotion.to);
            edits.trailers.retain(|(name, _)| name != "Landfall-Cause");
            edits.trailers.insert(0, ("Landfall-Promotion".to_owned(), id.clone()));
            edits.trailers.insert(0, ("Landfall-Cause".to_owned(), "promotion".to_owned()));
            Ok(Edited::Files(edits))
        }
        nothing => Ok(nothing),
    });
    Deed { change, files, starts_at, cause: None, called: Called::default() }
}

/// That somebody has pushed since it was judged.
fn moved(branch: &str, tip: &SourceTree) -> Diagnostic {
    let on = tip.revision().sha().map(|commit| format!(" and is at {}", short(commit))).unwrap_or_default();
    Diagnostic::error(
        code::BRANCH_MOVES,
        format!("`{branch}` was moved{on}, while it was judged what is promoted to it"),
    )
    .note("nothing was written to git")
    .help("run the same command again")
}

/// The moment that the records of a branch say of these tags, where they say one.
fn recorded_at(tree: &SourceTree, tags: &Tags) -> Option<String> {
    let of_line = |(line, tag): &(TagLine, Tag)| {
        let record = landfall_yaml::to_json(&text_of(tree, &record_beside(&line.line.file)).ok()?).ok()?;
        let at: jiff::Timestamp = record["published_at"].as_str()?.parse().ok()?;
        (record["image_tag"] == tag.as_str()).then(|| said_at(at))
    };
    tags.wanted.iter().find_map(of_line)
}

/// How it is written: as declared, but for a branch that takes no commits.
async fn by(
    context: &Context,
    args: &PromoteArgs,
    base: &Base,
    course: &Course,
    forge: Option<&ForgeClient>,
) -> Result<PromotionBy, Failure> {
    let protection = match forge {
        // What cannot be seen is not in the way: the server says so again when it is asked to take the commit.
        Some(forge) => forge.protection(&base.tip.branch).await.unwrap_or(Protection::Hidden),
        None => Protection::Hidden,
    };
    match (course.promotion.by, protection) {
        (PromotionBy::Commit, Protection::Protected { .. }) => {
            warn(context, format!("`{}` is protected: it is proposed as a pull request", base.tip.branch));
            Ok(PromotionBy::PullRequest)
        }
        (PromotionBy::Commit, _) => Ok(PromotionBy::Commit),
        (PromotionBy::PullRequest, _) if forge.is_none() => Err(no_forge(context, args, base)),
        (PromotionBy::PullRequest, protection) => {
            if protection == Protection::Open || protection == (Protection::Protected { wants_owner: false }) {
                warn(
                    context,
                    format!(
                        "`{}` can be merged without a yes of its owners: CODEOWNERS is only documentation",
                        base.tip.branch
                    ),
                );
            }
            Ok(PromotionBy::PullRequest)
        }
    }
}

fn no_forge(context: &Context, args: &PromoteArgs, base: &Base) -> Failure {
    let shown = landfall_diag::without_passwords(&base.tip.remote.address).into_owned();
    let named = args.back.forge.as_deref().and_then(ForgeApi::parse);
    match ForgeRepository::of(&base.tip.remote.address, named, args.back.api.as_deref()) {
        Some(place) => Failure::from(
            forge_token::without_its_port(&place.api, |name| context.host.env.get(name))
                .into_iter()
                .fold(
                    Diagnostic::error(
                        code::NOT_DEPLOYED,
                        format!("published, not deployed: a pull request is wanted, and there is no token for {shown}"),
                    ),
                    Diagnostic::note,
                )
                .note("nothing was written")
                .help("set LANDFALL_FORGE_TOKEN and LANDFALL_FORGE_HOST, or the forge's own GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN"),
        ),
        None => Failure::usage(
            Diagnostic::error(code::NO_FORGE, format!("a pull request is wanted, and whose API {shown} speaks is not known"))
                .note("nothing was written")
                .help("say it: --forge github|gitlab|gitea, with --api URL where it is elsewhere"),
        ),
    }
}

fn at_forge(error: &landfall_source::SourceError, branch: &str) -> Failure {
    let told = error.diagnose();
    Failure::from(told.note(format!("the branch `{branch}` is written; the same command goes on from there")))
}
