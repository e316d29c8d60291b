//! Tags that are set by hand where promotions lead: back to what was there, by its owners and past no hold; and for a reason
//! that everybody hears of past all of that.

use std::collections::BTreeSet;

use clap::Args;
use landfall_delivery::{Ours, Standing, TagLine, TargetKind, saying, system_key, told_apart, tree_path};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_project::{EnvironmentName, ProjectFile, Who};
use landfall_promote::{ByHand, Held, PromotionRefusal, Tag, bare, tag_at, with_role};
use landfall_server::api::{Asked, HoldLine, LedgerLine, Lines, PromotionNote};
use landfall_source::{Edited, Landing, SourceTree};
use landfall_store::{Audit, AuditEntry};
use serde_json::{Value, json};

use super::base::Tip;
use super::{MOST_EVIDENCE, asker, told};
use crate::arguments::TargetArgs;
use crate::commands::books::{Books, BooksArgs, Use};
use crate::commands::images::set::moment;
use crate::commands::write_back::{Deed, WriteBackArgs, Written, actor, change, short};
use crate::context::Context;

/// The emergency's flag.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct GlassArgs {
    /// Set it past the rules of promotions to this environment, for this reason, which is audited and announced
    #[arg(long, value_name = "REASON")]
    pub(crate) break_glass: Option<String>,
}

/// Where a tag is set.
#[derive(Clone, Copy)]
pub(crate) enum Site<'a> {
    /// Nowhere: it is only told.
    Nowhere,
    /// In the working tree.
    Here,
    /// On a branch of a repository elsewhere.
    There(&'a WriteBackArgs),
}

/// Whether the registry says which image a tag is that is set on a branch: the book is asked along with it whether that was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It does.
    Asked,
    /// Nobody was asked: `--unchecked`.
    LeftOut,
}

/// What is to be set by hand.
pub(crate) struct Wish<'a> {
    pub(crate) place: &'a Place,
    /// The tree that the lines are in.
    pub(crate) source: &'a SourceTree,
    pub(crate) at: Site<'a>,
    pub(crate) wanted: &'a [(TagLine, Tag)],
    pub(crate) look: Look,
    /// Directories that stand in for repositories of Applications.
    pub(crate) repos: &'a [String],
    /// The emergency's flag, where the command has it.
    pub(crate) glass: Option<&'a GlassArgs>,
}

/// What was set past the rules, in the audit log and the book.
pub(crate) struct Broken {
    reason: String,
    audit: Option<(Audit, i64)>,
    books: Books,
    /// Its line among the promotions.
    note: PromotionNote,
}

/// The files that say which promotions there are, and what was there before.
struct Law {
    file: ProjectFile,
    /// The tip of the branch; nothing where what lies here is changed.
    tip: Option<Tip>,
    /// Who sets it, as the forge or the environment says.
    who: Who,
}

impl Law {
    /// What the system is called in books that are of several.
    fn system(&self, wish: &Wish<'_>) -> String {
        let here = || wish.source.origin();
        let address = self.tip.as_ref().map(|tip| tip.remote.address.clone()).or_else(here);
        system_key(address.as_deref(), &self.file.system)
    }
}

/// Says whether tags may be set by hand. Where they may for a reason alone, that is written down and announced first.
///
/// # Errors
/// A promotion leads to the environment, and the tag was never there, is held back or is for others to set.
pub(crate) async fn permitted(context: &Context, wish: &Wish<'_>) -> Result<Option<Broken>, Failure> {
    let laws = laws(context, wish).await?;
    let receivers = laws.iter().flat_map(|law| {
        let receivers: BTreeSet<&EnvironmentName> = law.file.system.promotion.iter().map(|it| &it.to).collect();
        receivers.into_iter().map(move |to| (law, to))
    });
    for (law, to) in receivers {
        if !concerns(context, wish, law, to).await? {
            continue;
        }
        let Err(refusal) = judged(context, wish, law, to).await? else { continue };
        let reason = wish
            .glass
            .and_then(|glass| glass.break_glass.as_deref())
            .map(str::trim)
            .filter(|reason| !reason.is_empty());
        let Some(reason) = reason else {
            let mut failure = told::refused(&refusal);
            if let Some(mut told) = failure.diagnostics.pop() {
                if let Some(named) = wish.place.environment.as_deref().filter(|named| *named != to.as_str()) {
                    let lines: BTreeSet<String> = wish
                        .wanted
                        .iter()
                        .map(|(line, _)| format!("{} of {}", line.line.path(), line.line.file))
                        .collect();
                    let lines = lines.into_iter().collect::<Vec<_>>().join(", ");
                    told = told.note(format!("{to} reads {lines} as {named} does"));
                    told = told.help(format!("let a values file of {named}'s own say it"));
                }
                let told = told.help(format!("landfall promote --to {to}"));
                let flag = match wish.glass {
                    Some(_) => "--break-glass REASON",
                    None => "landfall images set TAG --push --break-glass REASON",
                };
                failure.diagnostics.push(told.help(format!("in an emergency {flag}, which is audited and announced")));
            }
            return Err(failure);
        };
        if let Site::Nowhere = wish.at {
            continue;
        }
        return broken(context, wish, law, to, &refusal, reason).await.map(Some);
    }
    Ok(None)
}

/// What is declared where the tags go: by every system above the files, for the one that was asked from is not always theirs.
async fn laws(context: &Context, wish: &Wish<'_>) -> Result<Vec<Law>, Failure> {
    let Site::There(back) = wish.at else {
        return Ok(match &wish.place.target.kind {
            TargetKind::System(file) => vec![Law { file: (**file).clone(), tip: None, who: asker::named(context) }],
            _ => Vec::new(),
        });
    };
    let mut laws = Vec::new();
    let all = directories(wish);
    let first = law(context, wish, back, &all).await?;
    let read = first.as_ref().map(|(tip, _)| tip.directory().to_owned());
    let further = match &first {
        Some((tip, _)) => tip.systems(&tip.tree().await?, &all),
        None => Vec::new(),
    };
    laws.extend(first.and_then(|(tip, declared)| declared.map(|(file, who)| Law { file, tip: Some(tip), who })));
    for directory in further.into_iter().filter(|directory| Some(directory) != read.as_ref()) {
        let another = law(context, wish, back, &[directory]).await?;
        laws.extend(another.and_then(|(tip, declared)| declared.map(|(file, who)| Law { file, tip: Some(tip), who })));
    }
    Ok(laws)
}

/// What a branch says: its tip, and which promotions there are, for whom.
type Said = (Tip, Option<(ProjectFile, Who)>);

/// What is declared in the first of these directories that has a system, on its branch; nothing where there is no branch.
async fn law(
    context: &Context,
    wish: &Wish<'_>,
    back: &WriteBackArgs,
    directories: &[String],
) -> Result<Option<Said>, Failure> {
    let to = wish.place.environment.as_deref().unwrap_or_default();
    let is_none = |failure: &Failure| {
        let none = [code::NO_PROMOTION, code::NO_BRANCH, code::NO_REMOTE, code::NOT_DEPLOYED];
        failure.diagnostics.iter().all(|it| none.contains(&it.code))
    };
    let tip = match Tip::read(context, (wish.place, wish.source), back, (to, directories)).await {
        Ok(tip) => tip,
        // What can be written nowhere is told by whoever writes it.
        Err(failure) if is_none(&failure) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    match tip.declared(&tip.tree().await?) {
        Ok(file) if file.system.promotion.is_empty() => Ok(Some((tip, None))),
        Ok(file) => {
            let who = asker::who(context, back, &tip.remote.address).await?;
            Ok(Some((tip, Some((file, who)))))
        }
        Err(failure) if is_none(&failure) => Ok(Some((tip, None))),
        Err(failure) => Err(failure),
    }
}

/// Where in the repository the system may be: where it is known to be, and else above the files that are changed.
fn directories(wish: &Wish<'_>) -> Vec<String> {
    let above = wish.wanted.iter().flat_map(|(line, _)| {
        let file = line.line.file.as_str();
        let ends = file.match_indices('/').map(|(at, _)| at).rev();
        ends.map(|at| file[..at].to_owned()).chain([String::new()]).collect::<Vec<_>>()
    });
    std::iter::once(wish.place.target.directory.clone()).chain(above).collect()
}

/// Whether what is set is an environment's: by its name, or by the lines that it reads, whoever else reads them; where what lies here may
/// say anything, by the files.
async fn concerns(context: &Context, wish: &Wish<'_>, law: &Law, to: &EnvironmentName) -> Result<bool, Failure> {
    let here = match &wish.place.target.kind {
        TargetKind::System(file) => Some(file.as_ref()),
        _ => None,
    };
    let named = wish.place.environment.as_deref();
    // Another system's environment of that name is another one.
    let is_own = law.tip.as_ref().is_none_or(|tip| here.is_none() || tip.directory() == wish.place.target.directory);
    if is_own && named == Some(to.as_str()) {
        return Ok(true);
    }
    let args = TargetArgs { env: Some(to.clone()), repos: wish.repos.to_vec(), ..TargetArgs::default() };
    let place = match &law.tip {
        Some(tip) => tip.place(context, tip.tree().await?, law.file.clone(), to)?,
        None => context.host.place(elsewhere(context, wish.place).as_deref(), &args.query()).await?,
    };
    // Whether it is another environment's by a name that the branch knows as well.
    let is_anothers = is_own && named.is_some() && here.is_some_and(|here| here.text == law.file.text);
    let files: BTreeSet<&str> = wish.wanted.iter().map(|(line, _)| line.line.file.as_str()).collect();
    let is_read = |name: &str| tree_path(place.target.files(), name).is_some_and(|path| files.contains(path.as_str()));
    let Ok(units) = args.units(&context.host, &place).await else {
        // What cannot be rendered may read anything; of another environment's files it reads what it declares.
        return Ok(!is_anothers || declared(&law.file, to).any(is_read));
    };
    if !units.iter().any(|unit| saying(unit).any(is_read)) {
        return Ok(false);
    }
    if !is_anothers {
        return Ok(true);
    }
    // A file that both read may say one's tag alone, where the other one has a file of its own behind it.
    let Ok(apart) = told_apart(place.target.files(), &units, &Ours::of(&place.target, &place.target.source, &[]))
    else {
        return Ok(true);
    };
    let read: BTreeSet<(String, String)> =
        apart.ours.iter().map(|line| (line.line.file.clone(), line.line.path())).chain(apart.others).collect();
    Ok(wish.wanted.iter().any(|(line, _)| read.contains(&(line.line.file.clone(), line.line.path()))))
}

/// The directory of a place's system, where that is not the one that is here.
fn elsewhere(context: &Context, place: &Place) -> Option<String> {
    let directory = place.target.source.directory_on_disk()?.join(&place.target.directory).canonicalize().ok()?;
    let here = context.host.project_root()?.canonicalize().ok()?;
    (here != directory).then(|| directory.display().to_string())
}

/// The values files that an environment declares.
pub(super) fn declared<'f>(file: &'f ProjectFile, environment: &EnvironmentName) -> impl Iterator<Item = &'f str> {
    let releases = file.system.environments.get(environment.as_str()).into_iter().flat_map(|it| &it.releases);
    releases.flat_map(|release| &release.values).map(|path| path.as_str())
}

/// What the rules say of each line's tag.
async fn judged(
    context: &Context,
    wish: &Wish<'_>,
    law: &Law,
    to: &EnvironmentName,
) -> Result<Result<(), PromotionRefusal>, Failure> {
    let before = match &law.tip {
        Some(tip) => Some(tip.history(context).await?),
        None => None,
    };
    let before = before.as_ref().unwrap_or(wish.source);
    let (actor, _) = &law.file.system.person(&law.who);
    let books = BooksArgs::default().open(context, wish.place, Use::Reads).await?.about(Some(law.system(wish)));
    let known = known(&books, wish).await;
    books.close().await;
    let (holds, names) = known?;
    for (line, tag) in wish.wanted {
        let had = had(before, line);
        let asked = ByHand { to, actor, tag: tag.as_str(), names: &names, had: &had, holds: &holds };
        if let Err(refusal) = asked.judge(&law.file.system.promotion) {
            return Ok(Err(refusal));
        }
        // A tag that was moved since is another image than the one which was there.
        if wish.look == Look::LeftOut && asked.is_ruled(&law.file.system.promotion) {
            return Ok(Err(PromotionRefusal::Unlooked { tag: tag.to_string(), to: to.to_string() }));
        }
    }
    Ok(Ok(()))
}

/// What a line has said, on the branch itself.
fn had(before: &SourceTree, line: &TagLine) -> BTreeSet<String> {
    let Standing::There(path, _) = &line.line.standing else { return BTreeSet::from([line.line.value.clone()]) };
    let texts = before.versions(&line.line.file).into_iter().filter_map(|bytes| String::from_utf8(bytes).ok());
    texts.filter_map(|text| tag_at(&text, path)).collect()
}

/// What is held back, and what else the images are called that are to be set.
async fn known(books: &Books, wish: &Wish<'_>) -> Result<(Vec<Held>, Vec<String>), Failure> {
    let holds = held(books).await?;
    let mut names = Vec::new();
    for (line, tag) in wish.wanted {
        for (repository, now) in &line.running {
            let called = with_role(now, tag.as_str());
            names.extend(also_called(books, repository, |line| bare(&line.tag) == bare(&called)).await?);
        }
    }
    Ok((holds, names))
}

/// What is held back now.
pub(crate) async fn held(books: &Books) -> Result<Vec<Held>, Failure> {
    let holds: Vec<HoldLine> = books.ask(Asked::Holds(Lines::most(MOST_EVIDENCE))).await?;
    let held = holds.into_iter().filter(|hold| hold.released_at.is_none());
    Ok(held.map(|HoldLine { tag, by, reason, .. }| Held { tag, by, reason }).collect())
}

/// Every tag of a repository that has the digest of one which is meant.
pub(super) async fn also_called(
    books: &Books,
    repository: &str,
    is_meant: impl Fn(&LedgerLine) -> bool,
) -> Result<Vec<String>, Failure> {
    let lines: Vec<LedgerLine> = books.ask(Asked::Ledger(Some(repository.to_owned()), Some(MOST_EVIDENCE))).await?;
    let own = lines.iter().filter(|line| line.image == repository);
    let digests: BTreeSet<&str> = own.clone().filter(|line| is_meant(line)).map(|line| line.digest.as_str()).collect();
    Ok(own.filter(|line| digests.contains(line.digest.as_str())).map(|line| line.tag.clone()).collect())
}

/// Writes down that it is set past the rules, and says so.
async fn broken(
    context: &Context,
    wish: &Wish<'_>,
    law: &Law,
    to: &EnvironmentName,
    refusal: &PromotionRefusal,
    reason: &str,
) -> Result<Broken, Failure> {
    let from = law.file.system.promotion.iter().find(|it| it.to == *to).map(|it| it.from.to_string());
    let breach = Breach {
        place: wish.place,
        to: to.as_str(),
        from: from.unwrap_or_default(),
        system: Some(law.system(wish)),
        tag: wish.wanted.first().map(|(_, tag)| tag.to_string()).unwrap_or_default(),
        by: law.who.name().to_owned(),
        deed: "by-hand",
        past: "the rules of promotions to",
        code: refused_as(refusal),
        refused: refusal.to_string(),
        reason,
    };
    breach.written_down(context).await
}

/// Something that is done past the rules, for a reason that everybody hears of.
pub(crate) struct Breach<'a> {
    pub(crate) place: &'a Place,
    /// Of which system; that of the place where nobody says.
    pub(crate) system: Option<String>,
    /// The environment that gets it.
    pub(crate) to: &'a str,
    /// Where promotions to it come from; empty where none leads there.
    pub(crate) from: String,
    /// The tag that it gets.
    pub(crate) tag: String,
    /// Who does it.
    pub(crate) by: String,
    /// What is done, as part of the line's name.
    pub(crate) deed: &'static str,
    /// What is gone past, before the environment's name.
    pub(crate) past: &'static str,
    /// What it would have been refused as, and with which words.
    pub(crate) code: landfall_diag::Code,
    pub(crate) refused: String,
    pub(crate) reason: &'a str,
}

impl Breach<'_> {
    /// Writes it down, and says so.
    ///
    /// # Errors
    /// It cannot be written down: what nobody would hear of is not done.
    pub(crate) async fn written_down(self, context: &Context) -> Result<Broken, Failure> {
        let Breach { place, system, to, from, tag, by, deed, past, code, refused, reason } = self;
        let books = BooksArgs::default().open(context, place, Use::Writes).await?;
        let books = books.written_by(&by).about(system);
        let (at, said) = (moment(), format!("{reason} ({refused})"));
        let entry = AuditEntry {
            at: at.clone(),
            actor: by.clone(),
            action: "promotion.break-glass".to_owned(),
            target: format!("{to}/{tag}"),
            detail: json!({"reason": reason, "refused": refused}),
        };
        let audit = match books.audit() {
            Some(audit) => {
                let number = audit.begin(&entry).await.map_err(|error| {
                    let text = "the audit log cannot be written; nothing was changed";
                    Failure::from(
                        Diagnostic::error(landfall_diag::code::UNAUDITED, text).note(error.diagnose().message),
                    )
                })?;
                Some((audit.clone(), number))
            }
            // A server writes down itself what it is asked for.
            None => None,
        };
        let note = PromotionNote {
            id: format!("{to}-{tag}-{deed}-{}", at.replace([':', '-'], "")),
            from,
            to: to.to_owned(),
            tag,
            state: "glass-broken".to_owned(),
            said: landfall_diag::beginning(&said, 1900),
            detail: json!({"asked_by": by, "reason": reason, "refused": refused}),
            ..PromotionNote::default()
        };
        let noted: Result<Value, Failure> = books.ask(Asked::Promote(note.clone())).await;
        if let Err(failure) = noted {
            // What nobody would hear of is not done.
            if let Some((audit, number)) = &audit {
                let _ended = audit.end(*number, "refused: it could not be announced").await;
            }
            books.close().await;
            return Err(failure);
        }
        let text = format!("past {past} {to}: {reason}; this is audited and announced ({refused})");
        context.ui.diagnostic(&Diagnostic::warning(code, text));
        Ok(Broken { reason: reason.to_owned(), audit, books, note })
    }
}

/// Writes down that tags were set back by hand where promotions lead, once that is on its branch; what cannot be written down is told.
pub(crate) async fn noted_back(context: &Context, place: &Place, wanted: &[(TagLine, Tag)], written: &Written) {
    let (TargetKind::System(file), Some(to)) = (&place.target.kind, &place.environment) else { return };
    let Some(from) = file.system.promotion.iter().find(|it| *it.to == **to).map(|it| it.from.to_string()) else {
        return;
    };
    let (Landing::Pushed { commit, .. }, Some((line, tag))) = (&written.landing, wanted.first()) else { return };
    let by = actor(context);
    let before: BTreeSet<&str> = line.running.iter().map(|(_, tag)| tag.as_str()).collect();
    let before = before.into_iter().collect::<Vec<_>>().join(", ");
    let mut said = format!("{before} -> {tag} by {}", short(commit));
    if let Some(request) = &written.request {
        said.push_str(&format!(", which waits in pull request {}", request.number));
    }
    let note = PromotionNote {
        id: format!("{to}-{tag}-back-{}", moment().replace([':', '-'], "")),
        from,
        to: to.clone(),
        tag: tag.to_string(),
        state: "set-back".to_owned(),
        said,
        detail: json!({"asked_by": by, "commit": commit}),
        ..PromotionNote::default()
    };
    let noted = async {
        let books = BooksArgs::default().open(context, place, Use::Writes).await?.written_by(&by);
        let noted: Result<Value, Failure> = books.ask(Asked::Promote(note)).await;
        books.close().await;
        noted
    };
    if let Err(failure) = noted.await {
        failure.diagnostics.iter().for_each(|told| {
            let text = format!("that it was set back is not written down: {}", told.message);
            context.ui.diagnostic(&Diagnostic::warning(code::HISTORY_UNWRITTEN, text));
        });
    }
}

/// The code that a refusal would have had.
fn refused_as(refusal: &PromotionRefusal) -> landfall_diag::Code {
    told::refused(refusal).diagnostics.first().map_or(code::NEVER_THERE, |it| it.code)
}

impl Broken {
    /// The same commit, which says why it was made.
    pub(crate) fn said_in(&self, deed: Deed) -> Deed {
        let (reason, wanted) = (self.reason.clone(), deed.change);
        let said = change(move |tip| {
            let mut edited = wanted(tip)?;
            if let Edited::Files(edits) = &mut edited {
                edits.trailers.push(("Landfall-Break-Glass".to_owned(), reason.clone()));
            }
            Ok(edited)
        });
        Deed { change: said, ..deed }
    }

    /// Writes down how it has ended: what failed never came, and its line says so.
    pub(crate) async fn end<T>(self, context: &Context, ended: &Result<T, Failure>) {
        let failed = ended
            .as_ref()
            .err()
            .map(|failure| failure.diagnostics.first().map_or("it failed".to_owned(), |it| it.message.clone()));
        if let Some((audit, number)) = &self.audit
            && let Err(error) = audit.end(*number, if failed.is_some() { "failed" } else { "done" }).await
        {
            context.ui.status(&format!("the audit log does not say how it ended: {error}"));
        }
        if let Some(why) = failed {
            let said = landfall_diag::beginning(&format!("it did not come: {why}"), 1900);
            let note = PromotionNote { state: "failed".to_owned(), said, ..self.note };
            let noted: Result<Value, Failure> = self.books.ask(Asked::Promote(note)).await;
            for told in noted.err().into_iter().flat_map(|failure| failure.diagnostics) {
                context.ui.status(&format!("`history --promotions` does not say that it failed: {}", told.message));
            }
        }
        self.books.close().await;
    }
}
