//! `landfall up`.

pub(crate) mod admitted;
pub(crate) mod builds;

use std::path::Path;
use std::time::Instant;

use clap::Args;
use landfall_delivery::{
    Candidate, CheckResult, Claims, INTERRUPTED, Outcome, Overrides, Summary, UpOptions, Verdict, services, unmade,
};
use landfall_diag::{Diagnostic, Ending, Severity, code};
use landfall_host::{Act, Connection, Failure, Hosting, Place, Uncommitted, ending_of};
use landfall_project::Span;
use landfall_source::Revision;
use serde_json::{Value, json};

use self::admitted::Deed;
use self::builds::Builds;
use crate::arguments::{OutputArgs, TargetArgs, ValuesArgs, is_delivered, is_in_system, is_written_as_path};
use crate::commands::plan::Plans;
use crate::commands::plan::saved::SavedPlan;
use crate::commands::promote::by_hand::Broken;
use crate::commands::promote::withdrawn::{self, Checked};
use crate::commands::promote::witnessed::View;
use crate::commands::{addon, claims, own_cluster};
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome as Ended, exit_of};
use crate::live;
use crate::report::{Again, GOES_ON, Report, print_checks, print_unit};
use crate::ui::{Output, Style, Table, Ui, seconds};
use crate::verb::Verb;

/// Arguments of `up`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall up                               the system of this directory, environment `local`\n  landfall up web api-gateway               rebuild and roll two services only\n  landfall up ./chart -n web --set a.b=1    a bare chart\n  landfall up https://host/repo.git#main    a repository\n  landfall up argocd/apps                   Argo Applications"
)]
pub(crate) struct UpArgs {
    /// A directory, chart, archive, Application, kustomization, manifests or git URL; then services to roll alone
    #[arg(value_name = "TARGET|SERVICE")]
    pub(crate) target: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Build no images
    #[arg(long, alias = "helm-only")]
    pub(crate) no_build: bool,
    /// Build images for the embedded cluster, too, where builds are simulated otherwise
    #[arg(long, conflicts_with = "no_build")]
    pub(crate) build: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Go back to the last good revision when the delivery fails
    #[arg(long)]
    pub(crate) atomic: bool,
    /// Run the chart's test hooks afterwards
    #[arg(long)]
    pub(crate) test: bool,
    /// Do not wait for health
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long the delivery may take, as `90s` or `15m` (default: 15m; 120s a restarted service)
    #[arg(long, value_name = "DURATION", env = "HELM_TIMEOUT")]
    pub(crate) timeout: Option<Span>,
    /// Leave no embedded cluster running afterwards
    #[arg(long)]
    pub(crate) once: bool,
    /// Deliver uncommitted changes to a protected environment
    #[arg(long)]
    pub(crate) dirty: bool,
    /// Deliver what may not run there all the same, for this reason, which is audited and announced
    #[arg(long, value_name = "REASON")]
    pub(crate) break_glass: Option<String>,
    /// Take declared checks that could not be made as seen: what they ask is not simulated
    #[arg(long)]
    pub(crate) allow_unsimulated: bool,
    /// Make something fail on the embedded cluster, as `job/prisma-migrate=fail` or `deployment/web=imagepull`
    #[arg(long = "fault", value_name = "OBJECT=FAULT")]
    pub(crate) faults: Vec<String>,
}

impl Verb for UpArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Ended {
        run(context, self, None).await
    }
}

/// Says of what stands beside Applications that nothing becomes of it.
pub(crate) fn tell_beside(context: &Context, place: &Place) -> Result<(), Failure> {
    for beside in place.target.beside(place.environment.as_deref()).map_err(Failure::from)? {
        let why = match beside.credential() {
            Some(_) => "`landfall serve` reads repositories with it",
            None => "only Applications are",
        };
        context.ui.status(&format!("{beside} is not delivered: {why}"));
    }
    Ok(())
}

/// The plan for a cluster that is still to be made: against an empty one in this process.
async fn plan_on_nothing(
    context: &Context,
    place: &Place,
    candidates: &[Candidate],
    options: &UpOptions,
    revision: &Revision,
    started: Instant,
) -> Ended {
    let nowhere = landfall_host::StateDir::at(place.state.file("none"));
    let mut connection = context.host.embedded(&nowhere, Hosting::Attach).await?;
    let plans = live::with_progress(context, &mut connection, started, |session| async move {
        session.plan(candidates, place.declared(), options).await
    })
    .await;
    connection.close().await;
    let plans = plans.map_err(Failure::from)?;
    let plans = Plans { place, cluster: &connection.name, revision: Some(revision), plans: &plans };
    context.answer(&plans, Exit::Done);
    Ok(Exit::Done)
}

/// Split of the positional arguments: what is delivered, and which services of it.
struct Wanted {
    target: Option<String>,
    services: Vec<String>,
}

/// Delivers; what a plan says that somebody approved, or nothing, where there is one.
pub(super) async fn run(context: &Context, args: UpArgs, approved: Option<&SavedPlan>) -> Ended {
    let mut broken = None;
    let ended = delivered(context, args, approved, &mut broken).await;
    if let Some(broken) = broken {
        // What was delivered and is not well came all the same.
        broken.end(context, &ended).await;
    }
    ended
}

/// The same; `broken` is what of it goes past what may run there.
async fn delivered(
    context: &Context,
    mut args: UpArgs,
    approved: Option<&SavedPlan>,
    broken: &mut Option<Broken>,
) -> Ended {
    let started = Instant::now();
    let wanted = match approved {
        Some(approved) => Wanted { target: approved.target().map(str::to_owned), services: Vec::new() },
        None => split(context, &args).await?,
    };
    if args.no_build && !wanted.services.is_empty() {
        return Err(Failure::usage(
            Diagnostic::error(code::NAMED_AND_NOT_BUILT, "--no-build and service names exclude each other")
                .note("a service is named to build and roll it; without a build there is nothing to roll")
                .help("leave one of the two out"),
        ));
    }
    let place = context.host.place(wanted.target.as_deref(), &args.place.query()).await?;
    let overrides = args.values.overrides(&context.host)?;
    let selection = args.place.selection(&context.host, &place)?;
    let namespace = context.host.default_namespace(&place);
    let candidates = place.target.units(&selection, &overrides, &namespace).await.map_err(Failure::from)?;
    tell_beside(context, &place)?;
    check_services(&context.host.directory, &wanted.services, &place, &candidates)?;
    let of_nothing = landfall_rehearse::faults_of_nothing(&candidates, &args.faults);
    if !of_nothing.is_empty() {
        return Err(Failure { ending: Ending::Usage, diagnostics: of_nothing });
    }
    let revision = place.target.source.revision().clone();
    let insisted = args.dirty || args.dry_run;
    place
        .check_committed(if insisted { Uncommitted::Accepted } else { Uncommitted::Refused })
        .map_err(Failure::from)?;
    let options = UpOptions {
        approved: approved.map(SavedPlan::approved),
        revision: revision.to_string(),
        environment: place.environment.clone(),
        services: wanted.services.clone(),
        wait: !args.no_wait,
        atomic: args.atomic,
        test: args.test,
        claims: if args.yes { Claims::Go } else { Claims::AskedFor },
        ..times(args.timeout.as_ref())
    };
    let builds = Builds::decide(&place, &wanted.services, &args, &candidates).await?;
    if let Some(approved) = approved {
        approved.check_tree(context, &place, matches!(builds, Builds::Real { .. }))?;
    }
    let hosting = if args.once || context.host.env.is_ci() { Hosting::InProcess } else { Hosting::Background };
    let faults = args.faults.clone();
    let deed = if args.dry_run { Deed::Shown } else { Deed::Done };
    let glass = (args.break_glass.as_deref(), deed);
    *broken = admitted::check(context, &place, &candidates, glass).await?;
    // Before the cluster is opened: two at once must not both start a server, nor both deliver.
    let _delivering = context.host.deliver_alone(&place.state, "up", options.timeout).await?;
    if let Some((name, k3d)) = own_cluster::missing(context, &place)?
        && approved.is_none()
        && k3d.is_installed().await
    {
        if args.dry_run {
            context.ui.status(&format!("the k3d cluster {name} is not there yet; everything would be new"));
            return plan_on_nothing(context, &place, &candidates, &options, &revision, started).await;
        }
        confirm(context, &place, &args).await?;
        args.yes = true;
        own_cluster::make(context, &place, &name, &k3d).await?;
    }
    let mut connection = context.host.connect(&place, hosting, &faults).await?;
    if let Some(approved) = approved
        && let Err(failure) = approved.check_cluster(&place, &connection).await
    {
        connection.close_unused().await?;
        return Err(failure);
    }
    if !args.dry_run {
        context.host.note_state(wanted.target.as_deref(), &place.state);
    }
    let delivery = Delivery {
        context,
        place: &place,
        args: &args,
        candidates: &candidates,
        options: &options,
        builds: &builds,
        started,
    };
    let delivered = if args.dry_run {
        delivery.show_plan(&mut connection, &revision).await.map(|()| None)
    } else {
        delivery.make(&mut connection).await.map(Some)
    };
    // Only a delivery leaves a server behind, and a server that was lost is not there to be ended.
    let summary = match delivered {
        Ok(Some(summary)) => summary,
        Err(failure) if connection.lost().is_some() => {
            connection.close().await;
            return Err(failure);
        }
        nothing => {
            connection.close_unused().await?;
            return nothing.map(|_| Exit::Done);
        }
    };
    let exit = exit_code(&summary, Unmade::of(&args));
    let report = Delivered {
        place: &place,
        connection: &connection,
        summary: &summary,
        services: &wanted.services,
        again: Again::of(context, wanted.target.as_deref(), args.place.env.as_ref()),
        exit,
        started,
    };
    context.report(&report, exit, started);
    let checks = (&place, &summary.checks[..]);
    note_checks(context, &mut connection, (&args, wanted.target.as_deref()), checks, started).await;
    connection.close().await;
    Ok(exit)
}

/// Writes down what the checks of a delivery have found of what runs then, where something is promoted from there.
async fn note_checks(
    context: &Context,
    connection: &mut Connection,
    (args, target): (&UpArgs, Option<&str>),
    (place, checks): (&Place, &[CheckResult]),
    started: Instant,
) {
    // What could not be made says nothing of what runs: it was never seen.
    let made: Vec<CheckResult> =
        checks.iter().filter(|it| !matches!(it.verdict, Verdict::NotSimulated { .. })).cloned().collect();
    if made.is_empty() || !withdrawn::promotes(place) {
        return;
    }
    let declared = match withdrawn::declared_units(context, target, &args.place).await {
        Ok(declared) => declared,
        Err(failure) => return withdrawn::told_after_checks(context, Err(failure)).await,
    };
    let (declared_at, units) = &declared;
    let checks = place.declared().map(|environment| environment.checks.clone()).unwrap_or_default();
    let view = View::over(context, connection, units, started).await;
    let checked = view.map(|view| Checked { place: declared_at, units, view, results: &made, checks: &checks });
    withdrawn::told_after_checks(context, checked).await;
}

/// What is delivered over a connection.
struct Delivery<'a> {
    context: &'a Context,
    place: &'a Place,
    args: &'a UpArgs,
    candidates: &'a [Candidate],
    options: &'a UpOptions,
    builds: &'a Builds,
    started: Instant,
}

impl Delivery<'_> {
    async fn show_plan(&self, connection: &mut Connection, revision: &Revision) -> Result<(), Failure> {
        let (candidates, declared, options) = (self.candidates, self.place.declared(), self.options);
        let plans = live::with_progress(self.context, connection, self.started, |session| async move {
            session.plan(candidates, declared, options).await
        })
        .await;
        let plans = plans.map_err(Failure::from)?;
        let (place, cluster) = (self.place, connection.name.as_str());
        self.context.answer(&Plans { place, cluster, revision: Some(revision), plans: &plans }, Exit::Done);
        Ok(())
    }

    async fn make(&self, connection: &mut Connection) -> Result<Summary, Failure> {
        confirm(self.context, self.place, self.args).await?;
        addon::tell_missing(self.context, self.place, connection, self.started).await?;
        self.builds.make(self.context).await?;
        let result = match self.deliver(connection, self.options).await {
            Err(told) if claims::are_all(&told) => {
                claims::confirm(self.context, self.place, told).await?;
                self.deliver(connection, &UpOptions { claims: Claims::Go, ..self.options.clone() }).await
            }
            result => result,
        };
        let ended_well = result.as_ref().is_ok_and(|summary| exit_code(summary, Unmade::Seen) == Exit::Done);
        if !ended_well {
            let ending = result.as_ref().err().and_then(|told| told.first()).map_or(Ending::Failed, ending_of);
            if let Some(failure) = connection.lost_behind(ending).await {
                return Err(failure);
            }
        }
        let mut summary = result.map_err(|diagnostics| {
            let mut failure = Failure::from(diagnostics);
            // What a delivery of before has begun was gone on with, perhaps.
            if !self.context.host.stop.is_cancelled() {
                failure.diagnostics.push(Diagnostic::new(Severity::Info, code::NOTHING_CHANGED, "nothing was changed"));
            }
            failure
        })?;
        summary.simulated = connection.simulated(&self.builds.lines()).await;
        Ok(summary)
    }

    async fn deliver(&self, connection: &mut Connection, options: &UpOptions) -> Result<Summary, Vec<Diagnostic>> {
        let (candidates, declared) = (self.candidates, self.place.declared());
        live::with_progress(self.context, connection, self.started, |session| async move {
            session.up(candidates, declared, options).await
        })
        .await
    }
}

/// A first argument is the target when it is an address or holds something to deliver; otherwise it is a service.
///
/// In a system its own names come first: a chart that lies there under the name of one of them is a part of it, and
/// delivered alone would be a second release beside it.
async fn split(context: &Context, args: &UpArgs) -> Result<Wanted, Failure> {
    let mut rest = args.target.iter();
    let Some(first) = rest.next() else { return Ok(Wanted { target: None, services: Vec::new() }) };
    let directory = &context.host.directory;
    let path = directory.join(first);
    let in_system = is_in_system(directory);
    let is_path = is_written_as_path(first) || first.contains('/') || first.starts_with('.') || path.is_file();
    // A system of its own is a part of no other.
    let is_path = is_path || path.join(landfall_project::FILE_NAME).is_file();
    let is_target = is_path || !in_system || (is_delivered(&path) && !is_of_system(context, args, first).await?);
    Ok(if is_target {
        Wanted { target: Some(first.clone()), services: rest.cloned().collect() }
    } else {
        Wanted { target: None, services: args.target.clone() }
    })
}

/// Whether the system of the working directory has a release or service of a name.
async fn is_of_system(context: &Context, args: &UpArgs, name: &str) -> Result<bool, Failure> {
    let place = context.host.place(None, &args.place.query()).await?;
    let selection = args.place.selection(&context.host, &place)?;
    let namespace = context.host.default_namespace(&place);
    let candidates = place.target.units(&selection, &Overrides::default(), &namespace).await.map_err(Failure::from)?;
    let is_release = candidates.iter().any(|(release, _)| release == name);
    Ok(is_release || services(&candidates, place.declared()).iter().any(|service| service == name))
}

fn check_services(directory: &Path, wanted: &[String], place: &Place, candidates: &[Candidate]) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let known = services(candidates, place.declared());
    for service in wanted {
        if known.contains(service) {
            continue;
        }
        let mut diagnostic = Diagnostic::error(code::NO_SERVICE, format!("there is no service `{service}` here"))
            .listing("services", &known)
            .note("nothing was changed")
            .did_you_mean(landfall_diag::nearest(service, known.iter().map(String::as_str)));
        if is_delivered(&directory.join(service)) {
            diagnostic = diagnostic.help(format!("the directory is meant? write `./{service}`"));
        }
        return Err(Failure::usage(diagnostic));
    }
    Ok(())
}

/// Somebody else's cluster needs a yes.
async fn confirm(context: &Context, place: &Place, args: &UpArgs) -> Result<(), Failure> {
    let name = place.cluster.shown();
    consent::given(context, &place.permit(Act::Deliver), || Question {
        yes: args.yes,
        ask: format!("Deliver to {name}"),
        deed: format!("delivering to `{name}`"),
        undone: "not delivered",
        instead: Some("look first with `landfall plan`"),
    })
    .await
}

fn times(timeout: Option<&Span>) -> UpOptions {
    let mut options = UpOptions::default();
    if let Some(timeout) = timeout {
        options.timeout = timeout.duration();
        options.restart_timeout = timeout.duration();
    }
    options
}

/// What a declared check counts as that could not be made, because nobody simulates what it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmade {
    /// As one that did not pass.
    NotPassed,
    /// It was seen, and is accepted.
    Seen,
}

impl Unmade {
    fn of(args: &UpArgs) -> Self {
        if args.allow_unsimulated { Unmade::Seen } else { Unmade::NotPassed }
    }
}

/// How a command ends that delivered.
pub(crate) fn exit_code(summary: &Summary, checks: Unmade) -> Exit {
    for unit in &summary.units {
        if unit.outcome == Outcome::Failed {
            return unit.diagnostics.first().map_or(Exit::Failed, exit_of);
        }
    }
    if summary.units.iter().any(|unit| matches!(unit.outcome, Outcome::Interrupted | Outcome::NotBegun)) {
        return Exit::Interrupted;
    }
    if summary.checks.iter().any(|check| matches!(check.verdict, Verdict::Failed { .. })) {
        return Exit::Unhealthy;
    }
    if checks == Unmade::NotPassed && unmade(&summary.checks).next().is_some() {
        return Exit::Unhealthy;
    }
    Exit::Done
}

/// Whether nothing is wrong but that checks could not be made.
fn only_unmade(summary: &Summary) -> bool {
    exit_code(summary, Unmade::Seen) == Exit::Done
}

/// Whether a full disk is why it stopped.
fn stopped_by_disk(summary: &Summary) -> bool {
    summary.units.iter().flat_map(|unit| &unit.diagnostics).any(|diagnostic| diagnostic.code == code::DISK_FULL)
}

/// What was delivered.
struct Delivered<'a> {
    place: &'a Place,
    connection: &'a Connection,
    summary: &'a Summary,
    /// Those that were named.
    services: &'a [String],
    again: Again,
    exit: Exit,
    started: Instant,
}

impl Report for Delivered<'_> {
    const KIND: &'static str = "Delivery";

    fn data(&self) -> Value {
        let Delivered { place, connection, .. } = self;
        let mut data = json!(self.summary);
        data["cluster"] = json!(connection.name);
        data["environment"] = json!(place.environment);
        data["ingress"] = json!({"http": connection.routes.http, "https": connection.routes.https});
        if self.cluster_ends() {
            data["addresses"] = json!([]);
            data["ingress"] = json!({"http": null, "https": null});
        }
        data
    }

    fn text(&self, ui: &Ui) {
        let Delivered { place, connection, summary, .. } = self;
        let short = place.target.source.revision().short();
        summary.units.iter().for_each(|unit| print_unit(ui, unit, &connection.name, &short, &self.again));
        print_checks(ui, &summary.checks);
        if !summary.addresses.is_empty() && !self.cluster_ends() {
            ui.line("");
            let mut addresses = Table::headless(0);
            for address in &summary.addresses {
                let mark = if address.simulated { "~" } else { " " };
                addresses.row([format!("{mark} {}", address.name), ui.out_style(Style::Literal, &address.url)]);
            }
            ui.table(&addresses);
        }
        if !summary.simulated.is_empty() {
            ui.line("");
            for line in &summary.simulated {
                ui.folded(&ui.out_style(Style::Muted, &format!("~ {line}")));
            }
        }
        ui.line("");
        ui.advice(&self.ended());
        if let Some(stays) = connection.announcement() {
            ui.advice(&format!(
                "the embedded cluster stays at {} (pid {}) · kubectl --kubeconfig {} get pods -A",
                stays.server,
                stays.pid,
                landfall_host::shell_word(&stays.kubeconfig)
            ));
        }
    }

    fn names(&self, ui: &Ui) {
        self.summary.units.iter().for_each(|unit| ui.name(&format!("{}/{}", unit.namespace, unit.name)));
    }
}

impl Delivered<'_> {
    /// Whether the cluster is gone with this process, and all addresses with it; what it holds is kept.
    fn cluster_ends(&self) -> bool {
        self.connection.is_in_process()
    }

    /// How it ended, and what to type next.
    fn ended(&self) -> String {
        let took = seconds(self.started.elapsed());
        let unchanged =
            self.summary.units.iter().all(|unit| unit.outcome == Outcome::Unchanged) && self.services.is_empty();
        let (status, logs) = (self.again.verb("status", &[]), self.again.verb("logs", &["SERVICE"]));
        match self.exit {
            Exit::Done if unchanged => format!("no changes ({took})"),
            Exit::Done if self.cluster_ends() => {
                format!(
                    "done in {took}; the embedded cluster ended with it · {status} · {}",
                    self.again.verb("down", &[])
                )
            }
            Exit::Unhealthy if only_unmade(self.summary) => {
                let names: Vec<&str> = unmade(&self.summary.checks).map(|check| check.name.as_str()).collect();
                let checks = if names.len() == 1 { "check" } else { "checks" };
                format!(
                    "delivered in {took}, but {} {checks} could not be made: {} · declare the answers under `simulate:`, or take it as seen with --allow-unsimulated",
                    names.len(),
                    names.join(", ")
                )
            }
            Exit::Done => format!("done in {took} · {status} · {logs} · {}", self.again.verb("down", &[])),
            Exit::Interrupted => format!("{INTERRUPTED} after {took} · {GOES_ON}"),
            _ if stopped_by_disk(self.summary) => format!("no room after {took} · with room {GOES_ON}"),
            _ => format!("not healthy after {took} · {status} · {logs}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lp_022_a_time_that_is_given_bounds_delivery_and_restarts_alike() {
        let given = times(Some(&"90s".parse().expect("a duration")));
        assert_eq!((given.timeout, given.restart_timeout), (Duration::from_secs(90), Duration::from_secs(90)));
        let usual = times(None);
        assert_eq!((usual.timeout, usual.restart_timeout), (Duration::from_secs(900), Duration::from_secs(120)));
    }
}
