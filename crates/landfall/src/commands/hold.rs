//! `landfall hold`: versions that must not be promoted.

use std::time::Instant;

use clap::Args;
use landfall_host::Failure;
use landfall_promote::bare;
use landfall_server::api::{Asked, HoldLine, HoldWish, LedgerLine, Lines, PromotionLine};
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::commands::books::{Books, BooksArgs, Use};
use crate::commands::promote::withdrawn;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::{Report, ago};
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Lines of the book that are looked through for a version.
const LOOKED_AT: usize = 1000;
/// Holds that are listed.
const LISTED: usize = 200;

/// Arguments of `hold`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall hold                                              what is held back\n  landfall hold 0.5.0-alpha.124.1 --reason \"loses telemetry\"\n  landfall hold --release 0.5.0-alpha.124.1"
)]
pub(crate) struct HoldArgs {
    /// The version that is held back (default: list what is)
    #[arg(value_name = "VERSION", requires = "reason")]
    pub(crate) version: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", requires = "version")]
    pub(crate) reason: Option<String>,
    /// Let this version go again
    #[arg(long, value_name = "VERSION", conflicts_with = "version")]
    pub(crate) release: Option<String>,
    #[command(flatten)]
    pub(crate) books: BooksArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for HoldArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let place = context.host.nowhere()?;
        let wish = match (&self.version, &self.release) {
            (Some(tag), _) => Some((tag, false)),
            (None, Some(tag)) => Some((tag, true)),
            (None, None) => None,
        };
        let books = self.books.open(context, &place, if wish.is_some() { Use::Writes } else { Use::Reads }).await?;
        let lines: Result<Vec<HoldLine>, _> = match wish {
            Some((tag, release)) => {
                let reason = self.reason.clone().unwrap_or_default();
                let wish = HoldWish { tag: tag.clone(), reason, release, ..HoldWish::default() };
                // A server withdraws them itself, and may have no token for their forge.
                let open = if release { Ok(Vec::new()) } else { withdrawn::open(&books).await };
                let line: Result<HoldLine, _> = books.ask(Asked::Hold(wish)).await;
                if let (Ok(line), false) = (&line, release) {
                    told(context, &books, (line, open)).await;
                }
                line.map(|line| vec![line])
            }
            None => books.ask(Asked::Holds(Lines::most(LISTED))).await,
        };
        books.close().await;
        context.report(&Holds(lines?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Says what a new hold means: promotions that it turns red, and that nobody knows the version.
async fn told(context: &Context, books: &Books, (hold, open): (&HoldLine, Result<Vec<PromotionLine>, Failure>)) {
    let why = format!("{} is held back by {}: {}", hold.tag, hold.by, hold.reason);
    let withdrawn = match open {
        Ok(open) => withdrawn::after_hold(context, books, open, (&hold.tag, &why)).await,
        Err(failure) => Err(failure),
    };
    match withdrawn {
        Ok(lines) => lines.iter().for_each(|line| context.ui.status(line)),
        Err(failure) => failure.diagnostics.iter().for_each(|it| {
            context.ui.status(&format!("whether a promotion of it is open is not known: {}", it.message));
        }),
    }
    if let Ok(false) = is_known(books, &hold.tag).await {
        context.ui.status(&format!(
            "no image and no promotion that is known here is called {}; it is held back all the same",
            hold.tag
        ));
    }
}

/// Whether an image or a promotion is known by one of the names of a version.
async fn is_known(books: &Books, tag: &str) -> Result<bool, Failure> {
    let is_same = |name: &str| bare(name) == bare(tag);
    let published: Vec<LedgerLine> = books.ask(Asked::Ledger(None, Some(LOOKED_AT))).await?;
    if published.iter().any(|line| is_same(&line.tag)) {
        return Ok(true);
    }
    let promotions: Vec<PromotionLine> = books.ask(Asked::Promotions(None, Lines::most(LOOKED_AT))).await?;
    let images = |line: &PromotionLine| line.detail["images"].as_array().cloned().unwrap_or_default();
    Ok(promotions
        .iter()
        .any(|line| is_same(&line.tag) || images(line).iter().any(|image| image["tag"].as_str().is_some_and(is_same))))
}

/// What is held back, and was.
struct Holds(Vec<HoldLine>);

impl Report for Holds {
    const KIND: &'static str = "Holds";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.line("nothing is held back");
            return;
        }
        let mut table = Table::new(["VERSION", "SINCE", "BY", "UNTIL", "REASON"]);
        for hold in &self.0 {
            let until = match (&hold.released_at, &hold.released_by) {
                (Some(at), Some(by)) => format!("{} ({by})", ago(at)),
                _ => "held".to_owned(),
            };
            table.row([hold.tag.clone(), ago(&hold.at), hold.by.clone(), until, hold.reason.clone()]);
        }
        ui.table(&table);
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().filter(|hold| hold.released_at.is_none()).for_each(|hold| ui.name(&hold.tag));
    }
}
