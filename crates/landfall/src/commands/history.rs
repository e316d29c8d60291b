//! `landfall history`.

use std::num::NonZeroUsize;
use std::time::Instant;

use clap::Args;
use landfall_delivery::{GivenValue, HistoryLine, INTERRUPTED};
use landfall_host::{Failure, Hosting};
use landfall_server::api::{Asked, Lines, PromotionLine};
use serde_json::{Value, json};

use crate::arguments::{Behind, Named, OutputArgs, TargetArgs};
use crate::commands::books::{BooksArgs, Use};
use crate::commands::promote::withdrawn;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report::{GOES_ON, Report, ago};
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// How many of the values that were given otherwise a line names.
const GIVEN: usize = 3;
/// How many promotions that wait are looked for at their forge.
const ASKED_AT_FORGE: usize = 10;

/// Arguments of `history`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall history\n  landfall history luckyplans -n luckyplans     one release\n  landfall history examples/luckyplans          the system of another directory"
)]
pub(crate) struct HistoryArgs {
    /// A directory, chart or archive; then releases (default: all of the system)
    #[arg(value_name = "TARGET|RELEASE")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// List promotions instead: what was tested, who brought it where, and what became of it
    #[arg(long)]
    pub(crate) promotions: bool,
    #[command(flatten)]
    pub(crate) books: BooksArgs,
    /// At most so many revisions
    #[arg(long, default_value = "256", value_name = "N")]
    pub(crate) max: NonZeroUsize,
}

impl Verb for HistoryArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: HistoryArgs) -> Outcome {
    let started = Instant::now();
    if args.promotions {
        return promoted(context, &args, started).await;
    }
    let named = Named::of(&context.host.directory, &args.words, Behind::Names);
    let place = context.host.declared_place(named.target.as_deref(), &args.place.query()).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let lines = live::with_progress(context, &mut connection, started, |session| {
        let (named, host, place, namespace) = (&named, &context.host, &place, args.place.namespace.as_deref());
        async move {
            let wanted = named.releases(host, &session, place, namespace).await?;
            session.history(&wanted, args.max.get()).await
        }
    })
    .await;
    connection.close().await;
    let lines = lines.map_err(Failure::from)?;
    context.report(&History(&lines), Exit::Done, started);
    Ok(Exit::Done)
}

/// Lists promotions, newest first.
async fn promoted(context: &Context, args: &HistoryArgs, started: Instant) -> Outcome {
    let place = context.host.nowhere()?;
    let books = args.books.open(context, &place, Use::Reads).await?;
    let environment = args.place.env.as_ref().map(|name| name.to_string());
    let mut lines: Result<Vec<PromotionLine>, Failure> =
        books.ask(Asked::Promotions(environment, Lines::most(args.max.get()))).await;
    // Nobody tells the book that a pull request was merged.
    let waiting = lines.iter_mut().flatten().filter(|line| line.state == "proposed");
    for line in waiting.take(ASKED_AT_FORGE) {
        if withdrawn::merged(context, &books, line).await.is_some() {
            line.state = "merged".to_owned();
        }
    }
    books.close().await;
    context.report(&Promoted(lines?), Exit::Done, started);
    Ok(Exit::Done)
}

/// Promotions, newest first.
struct Promoted(Vec<PromotionLine>);

impl Report for Promoted {
    const KIND: &'static str = "Promotions";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|line| ui.name(&format!("{}/{}", line.to, line.tag)));
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.line("nothing was promoted · landfall promote --from ENV --to ENV");
            return;
        }
        let mut table = Table::new(["AT", "TO", "VERSION", "STATE", "BY", "COMMIT", "IMAGES"]);
        for line in &self.0 {
            let by = line.events.last().map_or("-", |event| event.actor.as_str());
            let commit = line.detail["product_commit"].as_str().unwrap_or("-").chars().take(7).collect();
            let images = line.detail["images"].as_array().into_iter().flatten();
            let images: Vec<String> = images
                .map(|image| {
                    let text = |key: &str| image[key].as_str().unwrap_or_default().to_owned();
                    let digest: String = text("digest").chars().take(19).collect();
                    format!("{}@{digest}", text("repository"))
                })
                .collect();
            table.row([
                ago(&line.at),
                line.to.clone(),
                line.tag.clone(),
                line.state.clone(),
                by.to_owned(),
                commit,
                images.join(", "),
            ]);
        }
        ui.table(&table);
        for line in self.0.iter().filter(|line| !line.intact) {
            ui.line(&format!("{}: what is written of it was changed afterwards", line.id));
        }
    }
}

/// The deliveries, newest last.
struct History<'a>(&'a [HistoryLine]);

impl Report for History<'_> {
    const KIND: &'static str = "History";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        for line in self.0 {
            let revision = if line.revision > 0 { format!(" {}", line.revision) } else { String::new() };
            ui.name(&format!("{}/{}{revision}", line.namespace, line.name));
        }
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.line("nothing is delivered here · landfall up");
        }
        let mut table = Table::new(["RELEASE", "REVISION", "UPDATED", "STATUS", "CHART", "SOURCE", "DESCRIPTION"]);
        for line in self.0 {
            table.row([
                format!("{}/{}", line.namespace, line.name),
                if line.revision > 0 { line.revision.to_string() } else { "-".to_owned() },
                ago(&line.updated),
                line.status.clone(),
                line.chart.clone(),
                line.source.as_deref().map_or("-".to_owned(), short),
                described(line),
            ]);
        }
        ui.table(&table);
    }
}

/// Helm's description, what was given otherwise than before, and whose edits were set back.
fn described(line: &HistoryLine) -> String {
    if line.status == INTERRUPTED {
        return GOES_ON.to_owned();
    }
    let mut description = line.description.clone();
    if !line.given.is_empty() {
        let mut given: Vec<String> = line.given.iter().take(GIVEN).map(GivenValue::shown).collect();
        if line.given.len() > GIVEN {
            given.push(format!("{} more", line.given.len() - GIVEN));
        }
        description = format!("{description}; values: {}", given.join(", "));
    }
    let Some(first) = line.reverted.first() else { return description };
    let more = match line.reverted.len() - 1 {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    let (kind, name) = (&first.object.gvk.kind, &first.object.name);
    format!("{description}; {}'s {kind}/{name} {} set back{more}", first.by.manager, first.field)
}

fn short(source: &str) -> String {
    match source.split_once('+') {
        Some((sha, rest)) => format!("{}+{rest}", &sha[..sha.len().min(7)]),
        None => source[..source.len().min(7)].to_owned(),
    }
}
