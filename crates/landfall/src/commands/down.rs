//! `landfall down`.

mod full;

use std::time::{Duration, Instant};

use clap::Args;
use landfall_delivery::{DownOptions, Outcome as Ended, Overrides, TargetKind, Unit};
use landfall_diag::{Diagnostic, Ending};
use landfall_host::{self as host, Act, Failure, Hosting, Place};
use landfall_project::Span;

use crate::arguments::{OutputArgs, TargetArgs};
use crate::commands::own_cluster;
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome, exit_of};
use crate::live;
use crate::report;
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `down`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall down                 releases, embedded cluster, process and state\n  landfall down --keep-data     volumes stay for the next `up`"
)]
pub(crate) struct DownArgs {
    /// A directory, chart, archive, Application file or git URL
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Keep volumes and what they hold
    #[arg(long)]
    pub(crate) keep_data: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Print what would be removed and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long it may take, as `90s` or `15m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
}

impl Verb for DownArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: DownArgs) -> Outcome {
    let started = Instant::now();
    let place = match context.host.place(args.target.as_deref(), &args.place.query()) {
        Ok(place) => place,
        Err(failure) => match context.host.declared_place(None, &args.place.query()) {
            Ok(here) if args.target.is_none() && nothing_declared(&here) => {
                return everything_here(context, &args, here, started).await;
            }
            _ => return Err(failure),
        },
    };
    let selection = args.place.selection(&context.host, &place)?;
    let units = place
        .target
        .units(&selection, &Overrides::default(), &context.host.default_namespace(&place))
        .map_err(Failure::from)?;
    let wanted: Vec<&Unit> = units.iter().filter_map(|(_, unit)| unit.as_ref().ok()).collect();
    let embedded = place.cluster.is_kept_in_state();
    if embedded && !place.state.file("cluster.db").exists() && place.state.endpoint().is_none() {
        if place.state.exists() && !args.keep_data && !args.dry_run {
            let _delivering = context.host.deliver_alone(&place.state, "down", patience(&args)).await?;
            if let Some(lock) = place.state.try_lock().map_err(Failure::from)? {
                context.host.forget(&place.state, lock)?;
            }
        }
        context.ui.status("nothing runs here");
        return Ok(Exit::Done);
    }
    if !args.yes && !args.dry_run {
        let names: Vec<&str> = wanted.iter().map(|unit| unit.name.as_str()).collect();
        let names = names.join(", ");
        consent::given(context, &place.permit(Act::Remove), |consent| {
            let name = &consent.cluster;
            let text = format!("Remove {names} from {name}? Type the context's name: ");
            let needs = format!("removing {names} from `{name}` needs a yes");
            Question::new(text, needs, "say it with --yes", "nothing was removed")
        })?;
    }
    let timeout = match &args.timeout {
        Some(timeout) => timeout.duration(),
        None => Duration::from_secs(15 * 60),
    };
    if args.dry_run {
        for unit in &wanted {
            context.ui.line(&format!("- {}/{}", unit.namespace, unit.name));
        }
        if let Some((name, _)) = own_cluster::made(&place).filter(|_| !args.keep_data) {
            context.ui.line(&format!("- the k3d cluster {name}"));
        }
        return Ok(Exit::Done);
    }
    let _delivering = context.host.deliver_alone(&place.state, "down", patience(&args)).await?;
    let all_of_it = embedded && !args.keep_data;
    if all_of_it && place.state.full().is_some() {
        place.state.make_room();
    }
    let ours = own_cluster::made(&place).filter(|_| !args.keep_data);
    let mut connection = match (context.host.connect(&place, Hosting::Attach, &[]).await, &ours) {
        (Ok(connection), _) => connection,
        // A cluster that is to be deleted anyway need not answer for it.
        (Err(failure), Some((name, k3d))) if failure.ending == Ending::Unreachable => {
            context.ui.status(&format!("the cluster {name} does not answer; it is deleted as it is"));
            own_cluster::unmake(context, &place, name, k3d).await?;
            context.ui.line(&format!("the cluster {name} is gone"));
            return Ok(Exit::Done);
        }
        (Err(failure), _) if all_of_it && full::is_why(&failure) => {
            return full::forget(context, &place, &wanted, failure).await;
        }
        (Err(failure), _) => return Err(failure),
    };
    let options = DownOptions { timeout, keep_data: args.keep_data };
    let result = live::with_progress(context, &mut connection, started, |session| {
        let (wanted, options) = (&wanted, &options);
        async move {
            let removal = session.down(wanted, options).await?;
            let empty = session.is_empty().await?;
            Ok::<_, Vec<Diagnostic>>((removal, empty))
        }
    })
    .await;
    let result = live::or_lost(&connection, result);
    let lost = connection.lost();
    connection.close().await;
    let result = match result {
        Err(failure) if all_of_it && full::is_why(&failure) => {
            return full::forget(context, &place, &wanted, failure).await;
        }
        result => result,
    };
    let (removal, empty) = result?;
    if let Some(failure) = full::of(&removal).filter(|_| all_of_it) {
        return full::forget(context, &place, &wanted, failure).await;
    }
    if let Some(lost) = lost.filter(|_| removal.units.iter().any(|unit| unit.outcome != Ended::Delivered)) {
        return Err(lost);
    }
    let mut exit = Exit::Done;
    for unit in &removal.units {
        if matches!(unit.outcome, Ended::Failed | Ended::Interrupted) {
            exit = unit.diagnostics.first().map_or(Exit::Failed, exit_of);
            for diagnostic in &unit.diagnostics {
                context.ui.diagnostic(diagnostic);
            }
        } else if context.ui.output != Output::Json {
            context.ui.line(&format!("- {}/{}", unit.namespace, unit.name));
        }
    }
    if let Some((name, k3d)) = ours.filter(|_| exit == Exit::Done) {
        own_cluster::unmake(context, &place, &name, &k3d).await?;
        if context.ui.output != Output::Json {
            context.ui.line(&format!("the cluster {name} is gone"));
        }
        return finished(context, &removal, exit, started);
    }
    let forget = embedded && empty && exit == Exit::Done;
    if embedded && exit == Exit::Done && (empty || args.keep_data) {
        host::stop_server(&place.state).await?;
        if forget && !args.keep_data {
            let lock = place.state.wait_for_lock(Duration::from_secs(10)).map_err(Failure::from)?;
            if let Some(lock) = lock {
                context.host.forget(&place.state, lock)?;
            }
        }
    }
    if context.ui.output == Output::Json {
        let data = serde_json::to_value(&removal).unwrap_or_default();
        context.ui.document(&report::envelope("Removal", exit, data, started));
    } else {
        let stays = !forget || args.keep_data;
        for key in removal.kept.iter().filter(|_| stays) {
            context.ui.line(&format!("= {}/{} stays", key.gvk.kind, key.name));
        }
        if forget && !args.keep_data {
            context.ui.line("the embedded cluster and its state are gone");
        }
    }
    Ok(exit)
}

/// How long a delivery that is under way is waited for: as long as was said, else as long as somebody sits there.
fn patience(args: &DownArgs) -> Duration {
    args.timeout.as_ref().map_or(landfall_host::SHORT, Span::duration)
}

/// Ends a removal after which nothing is left that could stay.
fn finished(context: &Context, removal: &landfall_delivery::Removal, exit: Exit, started: Instant) -> Outcome {
    if context.ui.output == Output::Json {
        let data = serde_json::to_value(removal).unwrap_or_default();
        context.ui.document(&report::envelope("Removal", exit, data, started));
    }
    Ok(exit)
}

/// Whether a place declares no system, so that only an embedded cluster can be there.
fn nothing_declared(place: &Place) -> bool {
    !matches!(place.target.kind, TargetKind::System(_)) && place.cluster.is_kept_in_state()
}

/// Takes down the embedded cluster of the working directory with all that was delivered to it from elsewhere, as
/// `landfall up ./chart` leaves it.
async fn everything_here(context: &Context, args: &DownArgs, place: Place, started: Instant) -> Outcome {
    if !place.state.exists() {
        context.ui.status("nothing runs here");
        return Ok(Exit::Done);
    }
    let _delivering = context.host.deliver_alone(&place.state, "down", patience(args)).await?;
    let mut connection = match context.host.connect(&place, Hosting::Attach, &[]).await {
        Ok(connection) => connection,
        Err(failure) if !args.keep_data && !args.dry_run && full::is_why(&failure) => {
            return full::forget(context, &place, &[], failure).await;
        }
        Err(failure) => return Err(failure),
    };
    let status =
        live::with_progress(context, &mut connection, started, |session| async move { session.status(&[]).await })
            .await;
    connection.close().await;
    let status = status.map_err(Failure::from)?;
    for unit in &status.units {
        context.ui.line(&format!("- {}/{}", unit.namespace, unit.name));
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    host::stop_server(&place.state).await?;
    if args.keep_data {
        context.ui.line("= the embedded cluster's state stays");
        return Ok(Exit::Done);
    }
    if let Some(lock) = place.state.wait_for_lock(Duration::from_secs(10)).map_err(Failure::from)? {
        context.host.forget(&place.state, lock)?;
        context.ui.line("the embedded cluster and its state are gone");
    }
    Ok(Exit::Done)
}
