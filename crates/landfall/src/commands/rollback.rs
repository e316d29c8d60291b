//! `landfall rollback`.

mod written;

use std::time::Instant;

use clap::Args;
use landfall_delivery::{Claims, UnitPlan, UnitSummary};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Connection, Failure, Hosting, LONGEST, Place};
use landfall_project::Span;
use landfall_release::{DeployOptions, RollbackOptions, Wait};
use serde_json::{Value, json};

use crate::arguments::{Behind, Environments, Named, OutputArgs, TargetArgs};
use crate::commands::claims;
use crate::commands::plan::Plans;
use crate::commands::promote::by_hand::GlassArgs;
use crate::commands::write_back::WriteBackArgs;
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome, exit_of};
use crate::live;
use crate::report::{Again, Report, print_unit};
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `rollback`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall rollback                 every release of the system, one delivery back\n  landfall rollback luckyplans 3    one release, to its third revision\n  landfall rollback examples/luckyplans luckyplans 3\n  landfall rollback --env prod      of Applications: a commit with the tags that stood there before"
)]
pub(crate) struct RollbackArgs {
    /// A directory, chart or archive; then a release (default: all of the system) and its revision (default: the one
    /// before the last)
    #[arg(value_name = "TARGET|RELEASE|REVISION", num_args = 0..=3)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Do not wait for health
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long it may take, as `90s` or `15m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
    /// Do not ask the registries whether the images are there: asked for --to, and where a promotion leads, where this is refused
    #[arg(long)]
    pub(crate) unchecked: bool,
    #[command(flatten)]
    pub(crate) glass: GlassArgs,
    /// The tag that is to be committed again, where an environment is delivered from git (default: those before the last
    /// commit of tags)
    #[arg(long, value_name = "TAG")]
    pub(crate) to: Option<String>,
    /// The service whose image goes back, where an environment is delivered from git (default: all that the last commit of tags
    /// has set, or with --to all that are built from this repository)
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    pub(crate) service: Vec<String>,
    #[command(flatten)]
    pub(crate) back: WriteBackArgs,
}

impl Verb for RollbackArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: RollbackArgs) -> Outcome {
    let started = Instant::now();
    let (named, revision) = asked(context, &args.words)?;
    let place = context.host.declared_place(named.target.as_deref(), &args.place.query()).await?;
    if named.names.is_empty() && revision.is_none() && written::is_for(&place, &args) {
        return written::run(context, &args, named.target.as_deref(), started).await;
    }
    if !args.service.is_empty() {
        let text = "--service is for what is delivered from git: here a release goes back, with all that is in it";
        let diagnostic = Diagnostic::error(code::BAD_ARGUMENTS, text).note("nothing was rolled back");
        return Err(Failure::usage(diagnostic.help("landfall rollback RELEASE")));
    }
    let is_chart = named.target.as_deref().is_some_and(|target| context.host.chart_name(target).is_some());
    if named.names.is_empty() && place.declared().is_none() && !is_chart && place.cluster.remote().is_some() {
        let text = format!("which releases of {} are meant is not said", place.cluster.shown());
        let diagnostic =
            Diagnostic::error(code::BAD_ARGUMENTS, text).note("no landfall.yaml of this directory names any");
        return Err(Failure::usage(diagnostic.help("landfall rollback RELEASE")));
    }
    if !args.dry_run {
        let cluster = place.cluster.shown();
        consent::given(context, &place.permit(Act::RollBack), || Question {
            yes: args.yes,
            ask: format!("Roll back on {cluster}"),
            deed: format!("rolling back on `{cluster}`"),
            undone: "not rolled back",
            instead: Some("look first with --dry-run"),
        })
        .await?;
    }
    if place.cluster.is_kept_in_state() && !place.state.has_cluster() {
        // Nor is a state directory made for it.
        let diagnostic = match named.names.first() {
            Some(name) => Diagnostic::error(code::NO_RELEASE, format!("there is no release {name}")),
            None => Diagnostic::error(code::NO_REVISION, "there is no earlier revision to go back to"),
        };
        return Err(Failure::from(diagnostic.note("nothing is delivered here").help("landfall up")));
    }
    let timeout = args.timeout.as_ref().map_or(LONGEST, Span::duration);
    let options = RollbackOptions {
        deploy: DeployOptions {
            wait: if args.no_wait { Wait::No } else { Wait::Ready },
            timeout,
            ..DeployOptions::default()
        },
        revision: i64::from(revision.unwrap_or(0)),
    };
    let _delivering = context.host.deliver_alone(&place.state, "rollback", timeout).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let back = Back { context, place: &place, named: &named, args: &args, options: &options, started };
    let claims = if args.yes { Claims::Go } else { Claims::AskedFor };
    let result = match back.take(&mut connection, claims).await {
        Err(told) if claims::are_all(&told) => match claims::confirm(context, &place, told).await {
            Ok(()) => back.take(&mut connection, Claims::Go).await,
            Err(failure) => {
                connection.close().await;
                return Err(failure);
            }
        },
        result => result,
    };
    let result = live::or_lost(&connection, result);
    connection.close().await;
    let (plans, units) = result?;
    if plans.is_empty() && units.is_empty() {
        return Err(Failure::from(Diagnostic::error(code::NO_REVISION, "there is no earlier revision to go back to")));
    }
    if args.dry_run {
        context.answer(&Plans { place: &place, cluster: &connection.name, revision: None, plans: &plans }, Exit::Done);
        return Ok(Exit::Done);
    }
    let exit = units
        .iter()
        .find(|unit| !unit.is_well())
        .map_or(Exit::Done, |unit| unit.diagnostics.first().map_or(Exit::Failed, exit_of));
    let again = Again::of(context, named.target.as_deref(), args.place.env.as_ref());
    context.report(&RolledBack { cluster: &connection.name, units: &units, again }, exit, started);
    Ok(exit)
}

/// What is to come back, and where.
struct Back<'a> {
    context: &'a Context,
    place: &'a Place,
    named: &'a Named,
    args: &'a RollbackArgs,
    options: &'a RollbackOptions,
    started: Instant,
}

/// What would be done with `--dry-run`, and what was done without.
type Taken = (Vec<UnitPlan>, Vec<UnitSummary>);

impl Back<'_> {
    async fn take(&self, connection: &mut Connection, claims: Claims) -> Result<Taken, Vec<Diagnostic>> {
        let Back { context, place, named, args, options, .. } = *self;
        let (namespace, dry_run) = (args.place.namespace.as_deref(), args.dry_run);
        live::with_progress(context, connection, self.started, |session| async move {
            let wanted = named.releases(&context.host, &session, place, namespace).await?;
            let environments = Environments::of(&context.host, place);
            let is_own = |(namespace, name): &(String, String)| environments.is_own(namespace, name);
            let wanted = match named.names.is_empty() {
                // What else lives on the cluster is not the system's.
                true if place.declared().is_some() => {
                    repeated(&session, wanted.into_iter().filter(is_own).collect()).await?
                }
                true => repeated(&session, wanted).await?,
                false => wanted,
            };
            let (mut plans, mut units) = (Vec::new(), Vec::new());
            if dry_run {
                for (namespace, name) in &wanted {
                    plans.push(session.plan_rollback(namespace, name, options).await?);
                }
                return Ok((plans, units));
            }
            if claims == Claims::AskedFor {
                // Before the first one is touched; what cannot be planned is told by what follows.
                for (namespace, name) in &wanted {
                    if let Ok(planned) = session.plan_rollback(namespace, name, options).await {
                        claims.permit(std::iter::once(&planned.plan))?;
                    }
                }
            }
            for (namespace, name) in &wanted {
                units.push(session.rollback(namespace, name, options).await?);
            }
            Ok((plans, units))
        })
        .await
    }
}

/// Takes the arguments apart: behind a release, or a chart, stands a revision.
fn asked(context: &Context, words: &[String]) -> Result<(Named, Option<u32>), Failure> {
    const USAGE: &str = "as in `landfall rollback RELEASE REVISION`, with a directory in front where it is another one";
    let usage = |diagnostic| Failure::usage(diagnostic);
    let mut named = Named::of(&context.host.directory, words, Behind::Names).at_most(2, USAGE).map_err(usage)?;
    let is_number = |word: &String| word.parse::<u32>().is_ok();
    let is_chart = named.target.as_deref().is_some_and(|target| context.host.chart_name(target).is_some());
    let takes_revision = named.names.len() == 2 || (is_chart && named.names.last().is_some_and(is_number));
    let Some(revision) = named.names.pop_if(|_| takes_revision) else { return Ok((named, None)) };
    match revision.parse() {
        Ok(number) => Ok((named, Some(number))),
        Err(_) => {
            let wrong =
                Diagnostic::error(code::BAD_ARGUMENTS, format!("a revision cannot be `{revision}`: it is a number"));
            Err(usage(wrong.help(USAGE)))
        }
    }
}

/// The releases that have an earlier revision to go back to.
async fn repeated(
    session: &landfall_delivery::Session,
    wanted: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, Vec<Diagnostic>> {
    let status = session.status(&[]).await?;
    let has_earlier = |(namespace, name): &(String, String)| {
        status.units.iter().any(|unit| unit.namespace == *namespace && unit.name == *name && unit.revision > 1)
    };
    Ok(wanted.into_iter().filter(has_earlier).collect())
}

/// What came back.
struct RolledBack<'a> {
    cluster: &'a str,
    units: &'a [UnitSummary],
    again: Again,
}

impl Report for RolledBack<'_> {
    const KIND: &'static str = "Rollback";

    fn data(&self) -> Value {
        json!(self.units)
    }

    fn text(&self, ui: &Ui) {
        self.units.iter().for_each(|unit| print_unit(ui, unit, self.cluster, "earlier revision", &self.again));
    }

    fn names(&self, ui: &Ui) {
        self.units.iter().for_each(|unit| ui.name(&format!("{}/{}", unit.namespace, unit.name)));
    }
}
