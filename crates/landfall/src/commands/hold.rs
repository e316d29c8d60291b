//! `landfall hold`: versions that must not be promoted.

use std::time::Instant;

use clap::Args;
use landfall_server::api::{Asked, HoldLine, HoldWish};
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::commands::books::{BooksArgs, Use};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::{Report, ago};
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

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
                let wish = HoldWish { tag: tag.clone(), reason, release };
                books.ask(Asked::Hold(wish)).await.map(|line: HoldLine| vec![line])
            }
            None => books.ask(Asked::Holds(Some(LISTED))).await,
        };
        books.close().await;
        context.report(&Holds(lines?), Exit::Done, started);
        Ok(Exit::Done)
    }
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
