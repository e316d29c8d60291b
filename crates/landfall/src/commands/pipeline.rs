//! `landfall pipeline`: what became of a commit of the product, step by step.

use std::collections::BTreeSet;
use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_server::api::{Asked, EvidenceLine, LedgerLine, Lines, PromotionLine};
use landfall_source::SourceTree;
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::commands::books::{Books, BooksArgs, Use};
use crate::commands::write_back::short;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Lines of the book that are looked through.
const MOST: usize = 1000;
/// Commits that are listed where none is named.
const LISTED: usize = 20;

/// Arguments of `pipeline`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall pipeline                 the commits whose images are known, newest first\n  landfall pipeline 7d1f0c5         what became of one: built, tagged, seen, promoted, and when"
)]
pub(crate) struct PipelineArgs {
    /// The commit: its hash or the beginning of it, or a name that it has in this clone, as HEAD (default: list those that are known)
    #[arg(value_name = "COMMIT")]
    pub(crate) commit: Option<String>,
    #[command(flatten)]
    pub(crate) books: BooksArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for PipelineArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let place = context.host.nowhere()?;
        let books = self.books.open(context, &place, Use::Reads).await?;
        let mut found = courses(&books, self.commit.as_deref()).await;
        // A name is this clone's, and only where no hash begins so.
        let named = self.commit.as_deref().filter(|_| found.as_ref().is_ok_and(Vec::is_empty)).and_then(|name| {
            let tree = SourceTree::open_commit(&context.host.directory, name).ok()?;
            tree.revision().sha().map(str::to_owned)
        });
        if named.is_some() {
            found = courses(&books, named.as_deref()).await;
        }
        books.close().await;
        let courses = found?;
        if let (Some(commit), true) = (&self.commit, courses.is_empty()) {
            let is = named.filter(|sha| !sha.starts_with(commit)).map(|sha| format!(" ({})", short(&sha)));
            let text = format!("no image is known that was built from {commit}{}", is.unwrap_or_default());
            return Err(Failure::from(
                Diagnostic::error(code::NOTHING_KNOWN, text)
                    .help("images are known once `images set --commit`, `images scan` or `promote` has asked for them"),
            ));
        }
        context.report(&Pipeline(courses), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// A step of a commit's way.
struct Step {
    at: String,
    what: String,
    said: String,
}

/// What became of a commit.
struct Course {
    commit: String,
    steps: Vec<Step>,
}

async fn courses(books: &Books, wanted: Option<&str>) -> Result<Vec<Course>, Failure> {
    let ledger: Vec<LedgerLine> = books.ask(Asked::Ledger(None, Some(MOST))).await?;
    let promotions: Vec<PromotionLine> = books.ask(Asked::Promotions(None, Lines::most(MOST))).await?;
    let mut commits: Vec<String> = Vec::new();
    for line in &ledger {
        let Some(revision) = &line.revision else { continue };
        let is_it = wanted.is_none_or(|wanted| revision.to_lowercase().starts_with(&wanted.to_lowercase()));
        if is_it && !commits.contains(revision) {
            commits.push(revision.clone());
        }
    }
    commits.truncate(LISTED);
    let mut courses = Vec::new();
    for commit in commits {
        let mut steps = Vec::new();
        let mine: Vec<&LedgerLine> = ledger.iter().filter(|line| line.revision.as_ref() == Some(&commit)).collect();
        for line in &mine {
            steps.push(Step {
                at: line.at.clone(),
                what: "published".to_owned(),
                said: format!("{}:{}", line.image, line.tag),
            });
        }
        let digests: BTreeSet<&String> = mine.iter().map(|line| &line.digest).collect();
        for digest in &digests {
            let seen: Vec<EvidenceLine> = books.ask(Asked::Evidence((*digest).clone(), Lines::most(MOST))).await?;
            steps.extend(turns(&seen));
        }
        for promotion in &promotions {
            let is_its = promotion.detail["images"]
                .as_array()
                .is_some_and(|images| images.iter().any(|it| digests.iter().any(|digest| it["digest"] == **digest)));
            if is_its {
                steps.extend(promotion.events.iter().map(|event| Step {
                    at: event.at.clone(),
                    what: format!("{} {}", event.state, promotion.to),
                    said: format!("{} by {}: {}", promotion.tag, event.actor, event.said),
                }));
            }
        }
        steps.sort_by(|a, b| a.at.cmp(&b.at));
        courses.push(Course { commit, steps });
    }
    Ok(courses)
}

/// Evidence where it turns: the first of each thing, and what differs from what was seen of it before.
fn turns(seen: &[EvidenceLine]) -> Vec<Step> {
    let mut last = std::collections::BTreeMap::new();
    let mut steps = Vec::new();
    for line in seen {
        if last.insert((&line.environment, &line.what), line.passed) == Some(line.passed) {
            continue;
        }
        let word = if line.passed { "well" } else { "NOT well" };
        let detail = if line.detail.is_empty() { String::new() } else { format!(": {}", line.detail) };
        steps.push(Step {
            at: line.at.clone(),
            what: format!("seen in {}", line.environment),
            said: format!("{} {word}{detail}", line.what),
        });
    }
    steps
}

/// What became of commits.
struct Pipeline(Vec<Course>);

impl Report for Pipeline {
    const KIND: &'static str = "Pipeline";

    fn data(&self) -> Value {
        let course = |course: &Course| {
            let steps = course.steps.iter().map(|step| json!({"at": step.at, "what": step.what, "said": step.said}));
            json!({"commit": course.commit, "steps": steps.collect::<Vec<_>>()})
        };
        json!(self.0.iter().map(course).collect::<Vec<_>>())
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.line("no image is known by the commit that it was built from");
        }
        for course in &self.0 {
            ui.line(&course.commit);
            let mut table = Table::new(["AT", "WHAT", ""]);
            for step in &course.steps {
                table.row([step.at.clone(), step.what.clone(), step.said.clone()]);
            }
            ui.table(&table);
        }
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|course| ui.name(&course.commit));
    }
}
