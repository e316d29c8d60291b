//! `landfall promote`: what was tested in one environment, brought into the next.
//!
//! ```text
//! base.rs       the branch as its repository has it: policy, what runs in either environment · asker.rs who asks
//! witnessed.rs  what is seen of the images now · there.rs how a server sees them · vouched.rs who has signed them
//!     └─► the book ─► the rules' gates ─► refused, each in its own sentence
//! going.rs       what the receiving environment runs with its lines changed: what was tested, and nothing else changes
//! the receiving environment's lines with the release's tag ─► rehearsed ─► the tag given ─► written: a commit, or a branch
//! by_hand.rs    tags that are set without any of it: back, and not forward
//! told.rs       refusals, a pull request's text · withdrawn.rs what a later failure means for it
//! ```

mod asker;
pub(crate) mod base;
pub(crate) mod by_hand;
mod going;
mod there;
mod told;
mod vouched;
pub(crate) mod withdrawn;
pub(crate) mod witnessed;
mod written;

use std::collections::BTreeSet;
use std::time::Instant;

use clap::Args;
use landfall_delivery::TagLine;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Failure, Place};
use landfall_project::{Check, EnvironmentName, Maturity, Promotion, Who};
use landfall_promote::{
    Asked as Question, DeclaredCheck, Evidence, GateVerdict, RUNS, ReleasedImage, Tag, TestedImage, declared, judge,
    not_back, released_as, role_of,
};
use landfall_server::api::{Asked, EvidenceLine, Lines, PromotionNote};
use landfall_server::{Sighted, made_as};
use serde_json::{Value, json};

use self::base::Base;
use self::witnessed::Unmade;
use crate::arguments::{OutputArgs, TargetArgs};
use crate::commands::books::{Books, BooksArgs, Use};
use crate::commands::images::policy::declared_policy;
use crate::commands::images::registry::{Unlooked, looked_at, noted};
use crate::commands::images::set::{applications_of, injected, moment};
use crate::commands::images::tags::{Made, Older, Said, Tags};
use crate::commands::write_back::WriteBackArgs;
use crate::consent::{self, Question as Consent};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Evidence of one digest that is looked at.
const MOST_EVIDENCE: usize = 1000;

/// Tips of the branch that it is judged by, one after the other, where others push meanwhile.
const MOST_TIPS: u32 = 5;

/// Arguments of `promote`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall promote --from test --to production --dry-run    what would go, and what every gate says\n  landfall promote --to production                          as declared: a pull request, or a commit\n  landfall promote --to production --sarif scan.sarif       with a report, where the gates ask for one\n  landfall promote --to production --recorded               by what was seen before, without looking at the cluster"
)]
pub(crate) struct PromoteArgs {
    /// The environment that has proved it (default: the one that is declared)
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<EnvironmentName>,
    /// The environment that receives it
    #[arg(long, value_name = "NAME")]
    pub(crate) to: EnvironmentName,
    /// The service whose image it is (default: all that are built from this repository)
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    pub(crate) service: Vec<String>,
    /// A report in SARIF on the images
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Vec<String>,
    /// Take what was recorded, and do not look at the cluster now
    #[arg(long)]
    pub(crate) recorded: bool,
    /// Take declared checks that could not be made as seen: what they ask is not simulated
    #[arg(long)]
    pub(crate) allow_unsimulated: bool,
    /// A directory that stands in for a repository of an Application
    #[arg(long = "repo", value_name = "URL=DIR")]
    pub(crate) repos: Vec<String>,
    #[command(flatten)]
    pub(crate) books: BooksArgs,
    #[command(flatten)]
    pub(crate) back: WriteBackArgs,
    /// Print what would go and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for PromoteArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let is_moved = |failure: &Failure| failure.diagnostics.iter().any(|it| it.code == code::BRANCH_MOVES);
        for _ in 1..MOST_TIPS {
            let done = once(context, &self, started).await;
            if !done.as_ref().is_err_and(is_moved) {
                return done;
            }
            context.ui.status("the branch was moved meanwhile: what goes there is judged anew");
        }
        once(context, &self, started).await
    }
}

/// Judges what goes by the branch as it is now, and promotes it onto that.
async fn once(context: &Context, args: &PromoteArgs, started: Instant) -> Outcome {
    let base = Base::read(context, args).await?;
    let who = asker::who(context, &args.back, &base.tip.remote.address).await?;
    let books = args.books.open(context, &base.here, if args.dry_run { Use::Reads } else { Use::Writes }).await?;
    let books = books.written_by(who.name()).about(base.tip.system().await?);
    let done = run(context, args, (&base, &who), &books, started).await;
    books.close().await;
    done
}

impl PromoteArgs {
    fn target(&self, environment: &EnvironmentName) -> TargetArgs {
        TargetArgs { env: Some(environment.clone()), repos: self.repos.clone(), ..TargetArgs::default() }
    }
}

/// Everything that a promotion is made of, before anything is changed.
struct Course {
    id: String,
    promotion: Promotion,
    tag: Tag,
    /// What was tested.
    images: Vec<TestedImage>,
    /// Those that go, each with the tag that it is run by there.
    going: Vec<ReleasedImage>,
    /// The commit that all of them were built from, where they say one.
    commit: Option<String>,
    verdicts: Vec<GateVerdict>,
    /// Who asks, as the system calls that one, and at the forge.
    actor: (String, Option<String>),
    to: Place,
    tags: Tags,
    /// What they change on the tip.
    made: Made,
}

async fn run(
    context: &Context,
    args: &PromoteArgs,
    (base, who): (&Base, &Who),
    books: &Books,
    started: Instant,
) -> Outcome {
    let course = judged(context, args, (base, who), books, started).await?;
    let closed = told::closed(&course.verdicts);
    if !closed.is_empty() {
        let why: Vec<String> = closed.iter().map(|it| it.message.clone()).collect();
        if !args.dry_run {
            course.note(books, "refused", &why.join("; "), json!({})).await?;
        }
        return Err(Failure::from(closed));
    }
    let untagged = match written::untagged(context, books, &course).await {
        Err(failure) if !args.dry_run => return Err(course.taken(books, failure).await),
        untagged => untagged?,
    };
    let made = &course.made;
    if made.files.is_empty() {
        let mut why = if made.notes.is_empty() { vec!["it is so already".to_owned()] } else { made.notes.clone() };
        if args.dry_run {
            why.extend(untagged.iter().map(|image| format!("{image} is not in its registry")));
        } else if !untagged.is_empty() {
            agreed(context, args, &course).await?;
            why.extend(written::give_tags(context, books, &course).await?);
        }
        if made.notes.is_empty() && !args.dry_run {
            why.extend(written::landed(context, base, books, &course).await?);
        }
        let done = Done {
            course: &course,
            state: "nothing",
            lines: Vec::new(),
            notes: why,
            passes: None,
            written: json!(null),
        };
        context.report(&done, Exit::Done, started);
        return Ok(Exit::Done);
    }
    let rehearsed = written::rehearse(context, args, base, &course, made).await?;
    let lines = made.lines.iter().map(|it| format!("{} {}: {} -> {}", it.file, it.path, it.from, it.to)).collect();
    if args.dry_run {
        let notes = vec!["nothing was changed (--dry-run)".to_owned()];
        let exit = if rehearsed.passes { Exit::Done } else { Exit::Failed };
        let done = Done {
            course: &course,
            state: "would go",
            lines,
            notes,
            passes: Some(rehearsed.passes),
            written: json!({"preview": rehearsed.markdown}),
        };
        context.report(&done, exit, started);
        return Ok(exit);
    }
    agreed(context, args, &course).await?;
    let outcome = written::write(context, args, base, books, &course, &rehearsed).await?;
    let exit = if rehearsed.passes { Exit::Done } else { Exit::Failed };
    let done = Done {
        course: &course,
        state: outcome.state,
        lines,
        notes: outcome.notes,
        passes: Some(rehearsed.passes),
        written: outcome.data,
    };
    context.report(&done, exit, started);
    Ok(exit)
}

/// Gets a yes for it.
async fn agreed(context: &Context, args: &PromoteArgs, course: &Course) -> Result<(), Failure> {
    consent::given(context, &course.to.permit(Act::Deliver), || Consent {
        yes: args.yes,
        ask: format!("Promote {} to {}", course.tag, args.to),
        deed: format!("promoting to `{}`", args.to),
        undone: "nothing was promoted",
        instead: Some("look first with --dry-run"),
    })
    .await
}

/// What would go, and what every gate says.
async fn judged(
    context: &Context,
    args: &PromoteArgs,
    (base, who): (&Base, &Who),
    books: &Books,
    started: Instant,
) -> Result<Course, Failure> {
    let tip = base.tip.tree().await?;
    let file = base.tip.declared(&tip)?;
    let named = file.system.person(who);
    let asked = (args.from.as_deref(), args.to.as_ref());
    let promotion = declared(&file.system.promotion, asked, &named.0).map_err(|it| told::refused(&it))?.clone();
    let from = base.tip.place(context, base.tip.tree().await?, file.clone(), &promotion.from)?;
    let to = base.tip.place(context, base.tip.tree().await?, file, &promotion.to)?;
    let tested_units = base::units(context, args, &from).await?;
    let tested = base::lines(&from, &tested_units, &args.service)?;
    let (images, commit) = published(context, books, &tested).await?;
    let tag = released_as(&promotion, &images, declared_policy(&to).as_ref()).map_err(|it| told::refused(&it))?;
    let received_units = base::units(context, args, &to).await?;
    let mut wanted = Vec::new();
    for line in base::lines_of(&to, &received_units, images.iter().map(|it| it.repository.clone()).collect())? {
        // One repository may have several images, which their roles tell apart.
        let is_tested = |(repository, present): &&(String, String)| {
            images.iter().any(|it| it.repository == *repository && role_of(&it.tag) == role_of(present))
        };
        let mine: Vec<&(String, String)> = line.running.iter().filter(is_tested).collect();
        for (_, present) in &mine {
            not_back(&tag, present, &args.to).map_err(|it| told::refused(&it))?;
            base.goes_forward(context, &tag, (present, &args.to)).await?;
        }
        if !mine.is_empty() {
            wanted.push((line.clone(), tag.clone()));
        }
    }
    if wanted.is_empty() {
        let text = format!("no line of `{}` runs an image that {} has tested", args.to, promotion.from);
        return Err(Failure::from(Diagnostic::error(code::NO_IMAGE_LINE, text)));
    }
    let is_tested =
        |line: &TagLine| tested.iter().any(|it| it.line.file == line.line.file && it.line.path() == line.line.path());
    if let Some((line, _)) = wanted.iter().find(|(line, _)| is_tested(line)) {
        let text = format!("{} reads {} of {} as {} does", args.to, line.line.path(), line.line.file, promotion.from);
        return Err(Failure::from(
            Diagnostic::refused(code::ONE_LINE_FOR_BOTH, text)
                .note("what is promoted would be set where it was tested, too; nothing was changed")
                .help(format!("let a values file of {}'s own say it", args.to)),
        ));
    }
    let tags = Tags {
        wanted,
        said: Said {
            commit: commit.clone(),
            digests: images.iter().map(|it| (it.repository.clone(), it.digest.clone())).collect(),
            at: moment(),
            actor: named.0.clone(),
            environment: to.environment.clone(),
            inject: injected(&to),
            applications: applications_of(&to),
        },
        older: Older::Skipped,
        history: None,
        lineage: None,
    };
    let asked = going::Asked {
        promotion: &promotion,
        tags: &tags,
        images: &images,
        released: &tag,
        services: &args.service,
        units: &received_units,
    };
    let (going, made) = going::look(context, args, base, asked).await?;
    let verdicts =
        gates(context, args, books, (&promotion, &from, &to), (&tested_units, &images, &tag), started).await?;
    let id = id_of((books.system(), &args.to), tag.as_str(), &images);
    Ok(Course { id, promotion, tag, images, going, commit, verdicts, actor: named, to, tags, made })
}

/// What no other promotion has, and what the same one has again: where to, as what, and of which images.
fn id_of((system, to): (Option<&str>, &str), tag: &str, images: &[TestedImage]) -> String {
    let digests: BTreeSet<&str> = images.iter().map(|image| image.digest.trim_start_matches("sha256:")).collect();
    let short = digests.iter().map(|digest| &digest[..digest.len().min(8)]).take(4);
    let of = format!("{to}-{tag}-{}", short.collect::<Vec<_>>().join("-"));
    match system {
        Some(system) => format!("{of}-{}", system.replace(['/', ' '], "-")),
        None => of,
    }
}

/// The images of lines as their registries have them: each tag with the digest that it always had.
async fn published(
    context: &Context,
    books: &Books,
    lines: &[TagLine],
) -> Result<(Vec<TestedImage>, Option<String>), Failure> {
    let running: BTreeSet<(String, String)> = lines.iter().flat_map(|line| line.running.clone()).collect();
    let (mut images, mut seen, mut commits) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (repository, tag) in running {
        let named = format!("{repository}:{tag}");
        let details = looked_at(context, &named, None, Unlooked::Nothing).await?;
        commits.extend(details.revision.clone());
        images.push(TestedImage { repository, tag, digest: details.digest.clone() });
        seen.push((named, details));
    }
    noted(books, &seen).await?;
    let commit = if commits.len() == 1 { commits.pop_first() } else { None };
    Ok((images, commit))
}

/// Looks, writes down what was seen, and asks every gate.
async fn gates(
    context: &Context,
    args: &PromoteArgs,
    books: &Books,
    (promotion, from, to): (&Promotion, &Place, &Place),
    (units, images, released): (&[landfall_delivery::Unit], &[TestedImage], &Tag),
    started: Instant,
) -> Result<Vec<GateVerdict>, Failure> {
    let unmade = if args.allow_unsimulated { Unmade::LeftOut } else { Unmade::NotPassed };
    // Who has a server's book need not be where the cluster is kept that it tells of.
    let is_elsewhere = books.is_elsewhere() && from.cluster.is_kept_in_state() && !from.state.has_cluster();
    let Sighted { mut lines, waiting, .. } = match (args.recorded, is_elsewhere) {
        (true, _) => Sighted::default(),
        (false, true) => {
            there::look(books, from, units).await?;
            Sighted::default()
        }
        (false, false) => witnessed::look(context, from, units, images, unmade, started).await?,
    };
    if let Some(level) = promotion.gates.reports {
        lines.extend(witnessed::reports(context, &args.sarif, level, &promotion.from, images)?);
    }
    // What could not be made, or is left out for this once, says nothing the next time.
    let mut unmade: Vec<EvidenceLine> = lines.extract_if(.., |line| witnessed::is_unmade(line)).collect();
    if !lines.is_empty() {
        match withdrawn::written(context, books, &promotion.from, lines.clone()).await {
            Ok(said) => said.iter().for_each(|said| context.ui.status(said)),
            // Who may promote need not be who may write down what was seen there: it is asked of this promotion, and of no other one.
            Err(failure) if failure.diagnostics.iter().any(|told| told.code == code::NO_ROLE_FOR_IT) => {
                let told = failure.diagnostics.into_iter().next();
                let text = told.as_ref().map_or_else(String::new, |told| told.message.clone());
                let text = format!("what was seen of {} counts this once: {text}", promotion.from);
                let warned = Diagnostic::warning(code::HISTORY_UNWRITTEN, text);
                let helps = told.map(|told| told.helps).unwrap_or_default();
                context.ui.diagnostic(&helps.into_iter().fold(warned, Diagnostic::help));
                unmade.extend(lines);
            }
            Err(failure) => return Err(failure),
        }
    }
    let mut evidence = Vec::new();
    for image in images {
        let mut seen: Vec<EvidenceLine> =
            books.ask(Asked::Evidence(image.digest.clone(), Lines::most(MOST_EVIDENCE))).await?;
        let now = jiff::Timestamp::now().to_string();
        let of_it = unmade.iter().filter(|line| line.digest == image.digest).cloned();
        seen.extend(of_it.map(|line| EvidenceLine { at: now.clone(), ..line }));
        evidence.extend(seen.into_iter().filter_map(|line| {
            let EvidenceLine { digest, environment, at, what, passed, detail, made_as, .. } = line;
            // What is not declared there any more is waited for no longer.
            let unit = what.strip_prefix(RUNS);
            let is_declared = |name: &str| units.iter().any(|it| format!("{}/{}", it.namespace, it.name) == name);
            let counts = unit.is_none_or(is_declared);
            counts.then_some(Evidence { digest, environment, at: at.parse().ok()?, what, passed, detail, made_as })
        }));
    }
    let holds = by_hand::held(books).await?;
    let mut names = vec![released.to_string()];
    for image in images {
        names.extend(by_hand::also_called(books, &image.repository, |line| line.digest == image.digest).await?);
    }
    let found = vouched::look(context, &to.target.source, (&promotion.gates, &to.target.directory), images).await?;
    let of_check = |check: &Check| DeclaredCheck { name: check.name.clone(), made_as: made_as(check) };
    let checks: Vec<DeclaredCheck> =
        from.declared().map(|environment| environment.checks.iter().map(of_check).collect()).unwrap_or_default();
    let open: Vec<String> = to
        .declared()
        .map(|environment| {
            let open = environment.maturity.iter().filter(|(_, stands)| **stands == Maturity::Open);
            open.map(|(what, _)| what.clone()).collect()
        })
        .unwrap_or_default();
    Ok(judge(&Question {
        gates: &promotion.gates,
        from: &promotion.from,
        images,
        checks: &checks,
        evidence: &evidence,
        waiting: &waiting,
        signatures: &found.signatures,
        attestations: &found.attestations,
        open: &open,
        holds: &holds,
        names: &names,
        now: jiff::Timestamp::now(),
    }))
}

impl Course {
    /// Writes down that a tag is another image's, as every refusal is; anything else that failed is none.
    async fn taken(&self, books: &Books, failure: Failure) -> Failure {
        let is_taken = |told: &&Diagnostic| told.code == code::TAG_TAKEN;
        if let Some(told) = failure.diagnostics.iter().find(is_taken) {
            let _noted = self.note(books, "refused", &told.message, json!({})).await;
        }
        failure
    }

    /// What goes, by the tags that it gets.
    fn released(&self) -> String {
        self.going.iter().map(ReleasedImage::named).collect::<Vec<_>>().join(", ")
    }

    /// Writes down what has become of it.
    async fn note(&self, books: &Books, state: &str, said: &str, more: Value) -> Result<(), Failure> {
        let mut detail = json!({
            "images": self.images,
            "released": self.going.iter().map(ReleasedImage::named).collect::<Vec<_>>(),
            "product_commit": self.commit,
            "asked_by": self.actor.0,
            "at_forge": self.actor.1,
            "gates": self.verdicts,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            detail[key] = value.clone();
        }
        // What is refused today takes nothing back of what was done before.
        let id = if state == "refused" { format!("{}-refused", self.id) } else { self.id.clone() };
        let note = PromotionNote {
            id,
            from: self.promotion.from.to_string(),
            to: self.promotion.to.to_string(),
            tag: self.tag.to_string(),
            state: state.to_owned(),
            said: landfall_diag::beginning(said, 1900),
            detail,
            ..PromotionNote::default()
        };
        let _noted: Value = books.ask(Asked::Promote(note)).await?;
        Ok(())
    }
}

/// A promotion that was made, or would be.
struct Done<'a> {
    course: &'a Course,
    state: &'a str,
    lines: Vec<String>,
    notes: Vec<String>,
    /// Whether the rehearsal passes; nothing where there was nothing to rehearse.
    passes: Option<bool>,
    written: Value,
}

impl Report for Done<'_> {
    const KIND: &'static str = "Promotion";

    fn data(&self) -> Value {
        let course = self.course;
        json!({
            "id": course.id, "from": course.promotion.from, "to": course.promotion.to, "tag": course.tag.as_str(),
            "state": self.state, "images": course.images, "released": course.going, "product_commit": course.commit, "gates": course.verdicts,
            "edits": self.lines, "notes": self.notes, "rehearsal_passes": self.passes, "written": self.written,
        })
    }

    fn text(&self, ui: &Ui) {
        let course = self.course;
        ui.line(&format!("{} to {}: {}", course.promotion.from, course.promotion.to, course.tag));
        let mut table = Table::new(["IMAGE", "TESTED AS", "RELEASED AS", "DIGEST"]);
        for ReleasedImage { image, tag } in &course.going {
            let digest: String = image.digest.chars().take(19).collect();
            table.row([image.repository.clone(), image.tag.clone(), tag.clone(), digest]);
        }
        ui.table(&table);
        for verdict in &course.verdicts {
            ui.folded(&format!("  {}: {}", verdict.gate, verdict.said));
        }
        self.lines.iter().for_each(|line| ui.folded(line));
        match self.passes {
            Some(true) => ui.line("the rehearsal would deliver"),
            Some(false) => ui.line("the rehearsal would NOT deliver: landfall preview shows why"),
            None => {}
        }
        self.notes.iter().for_each(|note| ui.folded(note));
    }

    fn names(&self, ui: &Ui) {
        ui.name(self.course.tag.as_str());
    }
}

/// A note that goes on standard error and changes nothing of how a command ends.
fn warn(context: &Context, text: String) {
    context.ui.diagnostic(&Diagnostic::warning(code::NO_FORGE, text));
}
