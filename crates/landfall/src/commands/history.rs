//! `landfall history`.

use std::time::Instant;

use clap::Args;
use landfall_delivery::{HistoryLine, INTERRUPTED};
use landfall_diag::code;
use landfall_host::{Failure, Hosting};
use landfall_project::ReleaseName;
use serde_json::{Value, json};

use crate::arguments::{OutputArgs, TargetArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report::{GOES_ON, Report, ago};
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `history`.
#[derive(Debug, Clone, Args)]
#[command(before_help = "Examples:\n  landfall history\n  landfall history luckyplans -n luckyplans")]
pub(crate) struct HistoryArgs {
    /// A release's name (default: all of the system)
    #[arg(id = "release_name", value_name = "RELEASE")]
    pub(crate) release: Option<ReleaseName>,
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
    let place = context.host.declared_place(None, &args.place.query())?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let named = args.release.clone();
    let namespace = args.place.namespace.clone();
    let lines = live::with_progress(context, &mut connection, started, |session| async move {
        let wanted = match named {
            Some(name) => vec![find(&session, &name, namespace.as_deref()).await?],
            None => {
                let status = session.status(&[]).await?;
                status.units.into_iter().map(|unit| (unit.namespace, unit.name)).collect()
            }
        };
        session.history(&wanted, args.max).await
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
            ui.line(&format!("{}/{} {}", line.namespace, line.name, line.revision));
        }
    }

    fn text(&self, ui: &Ui) {
        let mut table = Table::new(["RELEASE", "REVISION", "UPDATED", "STATUS", "CHART", "SOURCE", "DESCRIPTION"]);
        for line in self.0 {
            table.row([
                format!("{}/{}", line.namespace, line.name),
                line.revision.to_string(),
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

/// Helm's description, and whose edits were set back.
fn described(line: &HistoryLine) -> String {
    if line.status == INTERRUPTED {
        return GOES_ON.to_owned();
    }
    let Some(first) = line.reverted.first() else { return line.description.clone() };
    let more = match line.reverted.len() - 1 {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    let (kind, name) = (&first.object.gvk.kind, &first.object.name);
    format!("{}; {}'s {kind}/{name} {} set back{more}", line.description, first.by.manager, first.field)
}

/// A release's namespace: the one given, else the only one in which a release of that name lives.
pub(crate) async fn find(
    session: &landfall_delivery::Session,
    name: &str,
    namespace: Option<&str>,
) -> Result<(String, String), Vec<landfall_diag::Diagnostic>> {
    if let Some(namespace) = namespace {
        return Ok((namespace.to_owned(), name.to_owned()));
    }
    let status = session.status(&[]).await?;
    let found: Vec<_> = status.units.iter().filter(|unit| unit.name == name).collect();
    match found.as_slice() {
        [one] => Ok((one.namespace.clone(), name.to_owned())),
        [] => {
            let known: Vec<&str> = status.units.iter().map(|unit| unit.name.as_str()).collect();
            let mut diagnostic =
                landfall_diag::Diagnostic::error(code::NO_RELEASE, format!("there is no release {name}"))
                    .note(format!("releases: {}", known.join(", ")));
            if let Some(near) = landfall_diag::nearest(name, known.iter().copied()) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            Err(vec![diagnostic])
        }
        several => {
            let namespaces: Vec<&str> = several.iter().map(|unit| unit.namespace.as_str()).collect();
            Err(vec![
                landfall_diag::Diagnostic::error(
                    code::WHICH_NAMESPACE,
                    format!("release {name} lives in several namespaces"),
                )
                .note(namespaces.join(", "))
                .help("say which: -n NAMESPACE"),
            ])
        }
    }
}

fn short(source: &str) -> String {
    match source.split_once('+') {
        Some((sha, rest)) => format!("{}+{rest}", &sha[..sha.len().min(7)]),
        None => source[..source.len().min(7)].to_owned(),
    }
}
