//! `landfall down`.

mod full;

use std::time::{Duration, Instant};

use clap::Args;
use landfall_delivery::{DownOptions, Outcome as Ended, Overrides, Removal, TargetKind, Unit, UnitSummary, trial};
use landfall_diag::{Diagnostic, Ending, code};
use landfall_engine::StepResult;
use landfall_host::{self as host, Act, Connection, Failure, Hosting, Kept, LONGEST, Permit, Place};
use landfall_machine::K3d;
use landfall_object::ObjectKey;
use landfall_project::Span;
use serde_json::{Value, json};

use crate::arguments::{OutputArgs, TargetArgs};
use crate::commands::{books, own_cluster, secrets};
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome, exit_of};
use crate::live;
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// How long the process that hosted the cluster may take to be gone.
const ENDING: Duration = Duration::from_secs(10);

/// Arguments of `down`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall down                 releases, embedded cluster, process and state\n  landfall down --keep-data     volumes stay for the next `up`"
)]
pub(crate) struct DownArgs {
    /// A directory, chart, archive, Application, kustomization, manifests or git URL
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Keep volumes and what they hold
    #[arg(long)]
    pub(crate) keep_data: bool,
    /// Do not ask, also where sealing keys and values that are generated once go that no backup has
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
    let place = match context.host.place(args.target.as_deref(), &args.place.query()).await {
        Ok(place) => place,
        Err(failure) => match context.host.declared_place(None, &args.place.query()).await {
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
        return nothing_runs(context, &place, &args, started).await;
    }
    confirm(context, &place, &wanted, &args).await?;
    if args.dry_run {
        let planned = wanted.iter().map(|unit| (unit.namespace.as_str(), unit.name.as_str())).collect();
        let cluster = Afterwards::of(&place, &args);
        context.report(&Planned { units: planned, cluster }, Exit::Done, started);
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
async fn nothing_runs(context: &Context, place: &Place, args: &DownArgs, started: Instant) -> Outcome {
    if place.state.exists() && !args.keep_data && !args.dry_run {
        let _delivering = context.host.deliver_alone(&place.state, "down", patience(args)).await?;
        if let Some(lock) = place.state.try_lock().map_err(Failure::from)?
            && books::forget(context, &place.state, lock).await? == Kept::Book
        {
            context.ui.status(books::STAYS);
        }
    }
    context.report(&Removed::of(Cluster::None), Exit::Done, started);
    Ok(Exit::Done)
}

/// What is taken from somebody else's cluster needs a yes, and is named.
async fn confirm(context: &Context, place: &Place, wanted: &[&Unit], args: &DownArgs) -> Result<(), Failure> {
    if args.dry_run {
        return Ok(());
    }
    let names: Vec<&str> = wanted.iter().map(|unit| unit.name.as_str()).collect();
    let (names, cluster) = (names.join(", "), place.cluster.shown());
    consent::given(context, &place.permit(Act::Remove), || Question {
        yes: args.yes,
        ask: format!("Remove {names} from {cluster}"),
        deed: format!("removing {names} from `{cluster}`"),
        undone: "nothing was removed",
        instead: Some("look first with --dry-run"),
    })
    .await
}

/// What goes with the cluster and is in no backup needs a yes of its own, and is named.
async fn consent_to_loss(
    context: &Context,
    args: &DownArgs,
    connection: &mut Connection,
    wanted: Wanted<'_>,
    started: Instant,
) -> Result<(), Failure> {
    let lost = live::with_progress(context, connection, started, |session| async move {
        match wanted {
            Wanted::These(units) => session.lost_with_cluster(units).await,
            Wanted::All => session.lost_with_all().await,
        }
    })
    .await;
    let lost = live::or_lost(connection, lost)?;
    if lost.is_empty() {
        return Ok(());
    }
    // Who is not asked reads it all the same.
    if args.yes {
        secrets::tell_lost(context, &lost);
    }
    let lost = lost.join(", ");
    consent::given(context, &Permit::of_owner("the cluster"), || Question {
        yes: args.yes,
        ask: format!("Remove the cluster, and with it what no backup has, {lost}"),
        deed: format!("removing the cluster, and with it what no backup has, {lost},"),
        undone: "nothing was removed",
        instead: Some("save it first, `landfall secrets backup keys.age --recipient age1…`"),
    })
    .await
}

/// What is taken down with a cluster.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// These, and the cluster where nothing else lives on it.
    These(&'a [&'a Unit]),
    /// All that is there.
    All,
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

/// What has become of the cluster.
enum Cluster {
    /// There was none.
    None,
    /// It goes on: it is somebody else's, or something else lives on it.
    Stays,
    /// The embedded one goes on: something else lives on it.
    Used,
    /// Its process has ended, and its state stays.
    Rests,
    /// The embedded one is gone with its state, but for what stays of that.
    Forgotten(Kept),
    /// One of this machine is gone.
    Deleted(String),
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
        let Removing { context, place, args, wanted, .. } = self;
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
                context.report(&Removed::of(Cluster::Deleted(name.clone())), Exit::Done, self.started);
                return Ok(Exit::Done);
            }
            (Err(failure), _) if goes_whole && full::is_why(&failure) => {
                return full::forget(context, place, wanted, failure, self.started).await;
            }
            (Err(failure), _) => return Err(failure),
        };
        let mut connection = connection;
        if matches!(self.afterwards, Afterwards::Forgotten | Afterwards::Deleted { .. }) {
            let consent = consent_to_loss(context, args, &mut connection, Wanted::These(wanted), self.started).await;
            if let Err(failure) = consent {
                connection.close().await;
                return Err(failure);
            }
        }
        let (removal, empty) = match self.take_down(connection).await {
            Err(failure) if goes_whole && full::is_why(&failure) => {
                return full::forget(context, place, wanted, failure, self.started).await;
            }
            taken => taken?,
        };
        let broken = |unit: &&UnitSummary| matches!(unit.outcome, Ended::Failed | Ended::Interrupted);
        let exit = removal
            .units
            .iter()
            .rfind(broken)
            .map_or(Exit::Done, |unit| unit.diagnostics.first().map_or(Exit::Failed, exit_of));
        let cluster = if exit == Exit::Done { self.end_cluster(empty).await? } else { Cluster::Stays };
        let Removal { units, kept, left } = removal;
        context.report(&Removed { units, kept, left, cluster }, exit, self.started);
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

    /// Ends the cluster as far as it is ours and nothing else lives on it.
    async fn end_cluster(&self, empty: bool) -> Result<Cluster, Failure> {
        let Removing { context, place, .. } = self;
        match &self.afterwards {
            Afterwards::Deleted { name, k3d } => {
                own_cluster::unmake(context, place, name, k3d).await?;
                Ok(Cluster::Deleted(name.clone()))
            }
            Afterwards::Forgotten if empty => {
                host::stop_server(&place.state).await?;
                Ok(Cluster::Forgotten(forget(context, place).await?))
            }
            Afterwards::Rests => {
                host::stop_server(&place.state).await?;
                Ok(Cluster::Rests)
            }
            Afterwards::Forgotten => Ok(Cluster::Used),
            Afterwards::Stays => Ok(Cluster::Stays),
        }
    }
}

/// Removes the state of a place whose server has ended, but for what is known of other environments as well.
async fn forget(context: &Context, place: &Place) -> Result<Kept, Failure> {
    match place.state.wait_for_lock(ENDING).await.map_err(Failure::from)? {
        Some(lock) => books::forget(context, &place.state, lock).await,
        None => Err(Failure::from(Diagnostic::error(code::EMBEDDED_IN_USE, "the embedded cluster is in use"))),
    }
}

/// What would be taken down.
struct Planned<'a> {
    /// Namespace and name of each release.
    units: Vec<(&'a str, &'a str)>,
    /// What would become of the cluster.
    cluster: Afterwards,
}

impl Report for Planned<'_> {
    const KIND: &'static str = "RemovalPlan";

    fn data(&self) -> Value {
        let units = self.units.iter().map(|(namespace, name)| json!({"namespace": namespace, "name": name}));
        let cluster = match self.cluster {
            Afterwards::Stays | Afterwards::Rests => "kept",
            Afterwards::Forgotten | Afterwards::Deleted { .. } => "gone",
        };
        json!({"units": units.collect::<Vec<_>>(), "cluster": cluster})
    }

    fn text(&self, ui: &Ui) {
        self.units.iter().for_each(|(namespace, name)| ui.line(&format!("- {namespace}/{name}")));
        match &self.cluster {
            Afterwards::Deleted { name, .. } => ui.line(&format!("- the k3d cluster {name}")),
            Afterwards::Forgotten => ui.line("- the embedded cluster and its state, when nothing else lives on it"),
            Afterwards::Rests => ui.line("= the embedded cluster's state"),
            Afterwards::Stays if self.units.is_empty() => ui.status("nothing would be removed"),
            Afterwards::Stays => {}
        }
    }

    fn names(&self, ui: &Ui) {
        self.units.iter().for_each(|(namespace, name)| ui.name(&format!("{namespace}/{name}")));
    }
}

/// What was taken down, and what has become of the cluster.
struct Removed {
    units: Vec<UnitSummary>,
    kept: Vec<ObjectKey>,
    left: Vec<String>,
    cluster: Cluster,
}

impl Removed {
    /// Nothing was taken down by itself.
    fn of(cluster: Cluster) -> Self {
        Removed { units: Vec::new(), kept: Vec::new(), left: Vec::new(), cluster }
    }

    /// Namespaces that stay of deliveries that were refused.
    fn left(&self) -> &[String] {
        if self.is_cluster_gone() { &[] } else { &self.left }
    }

    /// What stays, which is nothing where the cluster has gone with all that was on it.
    fn kept(&self) -> &[ObjectKey] {
        if self.is_cluster_gone() { &[] } else { &self.kept }
    }

    fn is_cluster_gone(&self) -> bool {
        match self.cluster {
            Cluster::Forgotten(_) | Cluster::Deleted(_) => true,
            Cluster::None | Cluster::Stays | Cluster::Used | Cluster::Rests => false,
        }
    }
}

impl Report for Removed {
    const KIND: &'static str = "Removal";

    fn data(&self) -> Value {
        let cluster = match &self.cluster {
            Cluster::None => "none",
            Cluster::Stays | Cluster::Used | Cluster::Rests => "kept",
            Cluster::Forgotten(_) | Cluster::Deleted(_) => "gone",
        };
        json!({"units": self.units, "kept": self.kept(), "left": self.left(), "cluster": cluster})
    }

    fn text(&self, ui: &Ui) {
        let mut units = Table::headless(0);
        for unit in &self.units {
            if unit.is_well() {
                let deleted = unit.changes.iter().filter(|it| it.result == Some(StepResult::Deleted)).count();
                let what = match deleted {
                    0 => String::new(),
                    1 => "1 object deleted".to_owned(),
                    many => format!("{many} objects deleted"),
                };
                units.row([format!("- {}/{}", unit.namespace, unit.name), what]);
            } else {
                unit.diagnostics.iter().for_each(|diagnostic| ui.diagnostic(diagnostic));
            }
        }
        ui.table(&units);
        self.kept().iter().for_each(|key| ui.line(&format!("= {}/{} stays", key.gvk.kind, key.name)));
        for name in self.left() {
            let what = "stays: it was made for a delivery that was refused, and something is in it";
            ui.line(&format!("= Namespace/{name} {what} · {}", trial::way_out(name)));
        }
        match &self.cluster {
            Cluster::None => ui.status("nothing runs here"),
            Cluster::Stays | Cluster::Used if self.units.is_empty() => ui.status("nothing of this was delivered"),
            Cluster::Stays => {}
            Cluster::Used => ui.line("= the embedded cluster stays: something else lives on it"),
            Cluster::Rests => ui.line("= the embedded cluster's state stays for the next `landfall up`"),
            Cluster::Forgotten(Kept::Nothing) => ui.line("the embedded cluster and its state are gone"),
            Cluster::Forgotten(Kept::Book) => {
                ui.line("the embedded cluster is gone");
                ui.line(&format!("= {}", books::STAYS));
            }
            Cluster::Deleted(name) => ui.line(&format!("the cluster {name} is gone")),
        }
    }

    fn names(&self, ui: &Ui) {
        let gone = self.units.iter().filter(|unit| unit.is_well());
        gone.for_each(|unit| ui.name(&format!("{}/{}", unit.namespace, unit.name)));
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
        context.report(&Removed::of(Cluster::None), Exit::Done, started);
        return Ok(Exit::Done);
    }
    let _delivering = context.host.deliver_alone(&place.state, "down", patience(args)).await?;
    let mut connection = match context.host.connect(&place, Hosting::Attach, &[]).await {
        Ok(connection) => connection,
        Err(failure) if !args.keep_data && !args.dry_run && full::is_why(&failure) => {
            return full::forget(context, &place, &[], failure, started).await;
        }
        Err(failure) => return Err(failure),
    };
    let status =
        live::with_progress(context, &mut connection, started, |session| async move { session.status(&[]).await })
            .await;
    let consent = if args.keep_data || args.dry_run || status.is_err() {
        Ok(())
    } else {
        consent_to_loss(context, args, &mut connection, Wanted::All, started).await
    };
    connection.close().await;
    let status = status.map_err(Failure::from)?;
    consent?;
    if args.dry_run {
        let units = status.units.iter().map(|unit| (unit.namespace.as_str(), unit.name.as_str())).collect();
        let cluster = if args.keep_data { Afterwards::Rests } else { Afterwards::Forgotten };
        context.report(&Planned { units, cluster }, Exit::Done, started);
        return Ok(Exit::Done);
    }
    host::stop_server(&place.state).await?;
    let units = status.units.iter().map(|unit| UnitSummary::gone(&unit.namespace, &unit.name, unit.revision)).collect();
    let (units, cluster) = if args.keep_data {
        (Vec::new(), Cluster::Rests)
    } else {
        (units, Cluster::Forgotten(forget(context, &place).await?))
    };
    context.report(&Removed { units, kept: Vec::new(), left: Vec::new(), cluster }, Exit::Done, started);
    Ok(Exit::Done)
}
