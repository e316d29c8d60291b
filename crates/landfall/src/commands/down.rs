//! `landfall down`.

mod full;

use std::time::{Duration, Instant};

use clap::Args;
use landfall_delivery::{DownOptions, Outcome as Ended, Overrides, Removal, TargetKind, Unit};
use landfall_diag::{Diagnostic, Ending};
use landfall_host::{self as host, Act, Connection, Failure, Hosting, LONGEST, Place};
use landfall_machine::K3d;
use landfall_project::Span;
use serde_json::{Value, json};

use crate::arguments::{OutputArgs, TargetArgs};
use crate::commands::own_cluster;
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome, exit_of};
use crate::live;
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// How long the process that hosted the cluster may take to be gone.
const ENDING: Duration = Duration::from_secs(10);

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
        .await
        .map_err(Failure::from)?;
    let wanted: Vec<&Unit> = units.iter().filter_map(|(_, unit)| unit.as_ref().ok()).collect();
    if was_never_started(&place) {
        return nothing_runs(context, &place, &args).await;
    }
    confirm(context, &place, &wanted, &args)?;
    if args.dry_run {
        for unit in &wanted {
            context.ui.line(&format!("- {}/{}", unit.namespace, unit.name));
        }
        if let Afterwards::Deleted { name, .. } = Afterwards::of(&place, &args) {
            context.ui.line(&format!("- the k3d cluster {name}"));
        }
        return Ok(Exit::Done);
    }
    let _delivering = context.host.deliver_alone(&place.state, "down", patience(&args)).await?;
    // An `up` that was waited for may have made the cluster, or let go of it.
    let afterwards = Afterwards::of(&place, &args);
    Removing { context, place: &place, args: &args, wanted: &wanted, afterwards, started }.run().await
}

/// Whether a place's cluster is kept in its state directory, and there is none.
fn was_never_started(place: &Place) -> bool {
    place.cluster.is_kept_in_state() && !place.state.has_cluster()
}

/// Removes what is left of the state where no cluster is.
async fn nothing_runs(context: &Context, place: &Place, args: &DownArgs) -> Outcome {
    if place.state.exists() && !args.keep_data && !args.dry_run {
        let _delivering = context.host.deliver_alone(&place.state, "down", patience(args)).await?;
        if let Some(lock) = place.state.try_lock().map_err(Failure::from)? {
            context.host.forget(&place.state, lock)?;
        }
    }
    context.ui.status("nothing runs here");
    Ok(Exit::Done)
}

/// What is taken from somebody else's cluster is named, and so is the cluster by whoever says yes.
fn confirm(context: &Context, place: &Place, wanted: &[&Unit], args: &DownArgs) -> Result<(), Failure> {
    if args.yes || args.dry_run {
        return Ok(());
    }
    let names: Vec<&str> = wanted.iter().map(|unit| unit.name.as_str()).collect();
    let names = names.join(", ");
    consent::given(context, &place.permit(Act::Remove), |consent| {
        let name = &consent.cluster;
        let text = format!("Remove {names} from {name}? Type the context's name: ");
        let needs = format!("removing {names} from `{name}` needs a yes");
        Question::new(text, needs, "say it with --yes", "nothing was removed")
    })
}

/// What becomes of the cluster once all that was wanted is down.
enum Afterwards {
    /// It goes on, for it is somebody else's.
    Stays,
    /// Its process ends, and its state stays for the next `up`.
    Rests,
    /// It goes with its state, where nothing else lives on it.
    Forgotten,
    /// It is deleted, for `up` has made it.
    Deleted {
        /// Its name.
        name: String,
        /// What has made it.
        k3d: K3d,
    },
}

impl Afterwards {
    fn of(place: &Place, args: &DownArgs) -> Self {
        match own_cluster::made(place) {
            Some((name, k3d)) if !args.keep_data => Afterwards::Deleted { name, k3d },
            _ if !place.cluster.is_kept_in_state() => Afterwards::Stays,
            _ if args.keep_data => Afterwards::Rests,
            _ => Afterwards::Forgotten,
        }
    }
}

/// What went beside the releases.
enum Gone {
    /// Nothing.
    Nothing,
    /// The embedded cluster and its state.
    State,
    /// A cluster of this machine.
    Cluster(String),
}

/// A removal with all that it needs, once nobody else delivers.
struct Removing<'a> {
    context: &'a Context,
    place: &'a Place,
    args: &'a DownArgs,
    wanted: &'a [&'a Unit],
    afterwards: Afterwards,
    started: Instant,
}

impl Removing<'_> {
    async fn run(&self) -> Outcome {
        let Removing { context, place, wanted, .. } = self;
        // What is removed whole needs no room, and need not be taken down first.
        let goes_whole = matches!(self.afterwards, Afterwards::Forgotten);
        if goes_whole && place.state.full().is_some() {
            place.state.make_room();
        }
        let connection = match (context.host.connect(place, Hosting::Attach, &[]).await, &self.afterwards) {
            (Ok(connection), _) => connection,
            // A cluster that is to be deleted anyway need not answer for it.
            (Err(failure), Afterwards::Deleted { name, k3d }) if failure.ending == Ending::Unreachable => {
                context.ui.status(&format!("the cluster {name} does not answer; it is deleted as it is"));
                own_cluster::unmake(context, place, name, k3d).await?;
                context.ui.line(&format!("the cluster {name} is gone"));
                return Ok(Exit::Done);
            }
            (Err(failure), _) if goes_whole && full::is_why(&failure) => {
                return full::forget(context, place, wanted, failure).await;
            }
            (Err(failure), _) => return Err(failure),
        };
        let (removal, empty) = match self.take_down(connection).await {
            Err(failure) if goes_whole && full::is_why(&failure) => {
                return full::forget(context, place, wanted, failure).await;
            }
            taken => taken?,
        };
        let exit = self.tell(&removal);
        let gone = if exit == Exit::Done { self.end_cluster(empty).await? } else { Gone::Nothing };
        context.report(&Removed { removal: &removal, gone }, exit, self.started);
        Ok(exit)
    }

    /// Takes down what was wanted; says whether nothing else lives there.
    async fn take_down(&self, mut connection: Connection) -> Result<(Removal, bool), Failure> {
        let timeout = self.args.timeout.as_ref().map_or(LONGEST, Span::duration);
        let options = DownOptions { timeout, keep_data: self.args.keep_data };
        let result = live::with_progress(self.context, &mut connection, self.started, |session| {
            let (wanted, options) = (self.wanted, &options);
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
        let (removal, empty) = result?;
        if let (Some(failure), Afterwards::Forgotten) = (full::of(&removal), &self.afterwards) {
            return Err(failure);
        }
        match lost.filter(|_| removal.units.iter().any(|unit| unit.outcome != Ended::Delivered)) {
            Some(lost) => Err(lost),
            None => Ok((removal, empty)),
        }
    }

    /// Tells what has become of each release, and how the command ends by it.
    fn tell(&self, removal: &Removal) -> Exit {
        let ui = &self.context.ui;
        let mut exit = Exit::Done;
        for unit in &removal.units {
            if matches!(unit.outcome, Ended::Failed | Ended::Interrupted) {
                exit = unit.diagnostics.first().map_or(Exit::Failed, exit_of);
                unit.diagnostics.iter().for_each(|diagnostic| ui.diagnostic(diagnostic));
            } else if !matches!(ui.output, Output::Json | Output::Yaml) {
                ui.line(&format!("- {}/{}", unit.namespace, unit.name));
            }
        }
        exit
    }

    async fn end_cluster(&self, empty: bool) -> Result<Gone, Failure> {
        let Removing { context, place, .. } = self;
        match &self.afterwards {
            Afterwards::Deleted { name, k3d } => {
                own_cluster::unmake(context, place, name, k3d).await?;
                Ok(Gone::Cluster(name.clone()))
            }
            Afterwards::Forgotten if empty => {
                host::stop_server(&place.state).await?;
                if let Some(lock) = place.state.wait_for_lock(ENDING).map_err(Failure::from)? {
                    context.host.forget(&place.state, lock)?;
                }
                Ok(Gone::State)
            }
            Afterwards::Rests => {
                host::stop_server(&place.state).await?;
                Ok(Gone::Nothing)
            }
            Afterwards::Forgotten | Afterwards::Stays => Ok(Gone::Nothing),
        }
    }
}

/// What was taken down, and what went with it.
struct Removed<'a> {
    removal: &'a Removal,
    gone: Gone,
}

impl Report for Removed<'_> {
    const KIND: &'static str = "Removal";

    fn data(&self) -> Value {
        json!(self.removal)
    }

    fn text(&self, ui: &Ui) {
        match &self.gone {
            Gone::Cluster(name) => ui.line(&format!("the cluster {name} is gone")),
            Gone::State => ui.line("the embedded cluster and its state are gone"),
            Gone::Nothing => {
                for key in &self.removal.kept {
                    ui.line(&format!("= {}/{} stays", key.gvk.kind, key.name));
                }
            }
        }
    }
}

/// How long a delivery that is under way is waited for: as long as was said, else as long as somebody sits there.
fn patience(args: &DownArgs) -> Duration {
    args.timeout.as_ref().map_or(landfall_host::SHORT, Span::duration)
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
    if let Some(lock) = place.state.wait_for_lock(ENDING).map_err(Failure::from)? {
        context.host.forget(&place.state, lock)?;
        context.ui.line("the embedded cluster and its state are gone");
    }
    Ok(Exit::Done)
}
