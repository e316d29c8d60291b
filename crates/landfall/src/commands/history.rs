//! `landfall history`.

use std::time::Instant;

use clap::Args;
use landfall_delivery::{GivenValue, HistoryLine, INTERRUPTED};
use landfall_host::{Failure, Hosting};
use serde_json::{Value, json};

use crate::arguments::{Behind, Named, OutputArgs, TargetArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report::{GOES_ON, Report, ago};
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// How many of the values that were given otherwise a line names.
const GIVEN: usize = 3;

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
    /// At most so many revisions
    #[arg(long, default_value_t = 256, value_name = "N")]
    pub(crate) max: usize,
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
    let named = Named::of(&context.host.directory, &args.words, Behind::Names);
    let place = context.host.declared_place(named.target.as_deref(), &args.place.query()).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let lines = live::with_progress(context, &mut connection, started, |session| {
        let (named, host, place, namespace) = (&named, &context.host, &place, args.place.namespace.as_deref());
        async move {
            let wanted = named.releases(host, &session, place, namespace).await?;
            session.history(&wanted, args.max).await
        }
    })
    .await;
    connection.close().await;
    let lines = lines.map_err(Failure::from)?;
    context.report(&History(&lines), Exit::Done, started);
    Ok(Exit::Done)
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
