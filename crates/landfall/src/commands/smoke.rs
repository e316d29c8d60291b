//! `landfall smoke`: the declared checks, made now.

use std::time::Instant;

use clap::Args;
use landfall_delivery::{
    Bounds, CheckResult, NetworkReach, Prober, Progress, Smoke, Standpoint, Tags, Unit, Verdict, tally, used_images,
};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Hosting, Place};
use landfall_project::{Check, Span};
use serde_json::{Value, json};

use crate::arguments::{Behind, Named, OutputArgs, TargetArgs};
use crate::commands::promote::withdrawn::{self, Checked};
use crate::commands::promote::witnessed::View;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report::{Report, print_checks};
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `smoke`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall smoke --env test                  the declared checks, made now\n  landfall smoke gateway                     one of them\n  landfall smoke examples/luckyplans         those of the system of another directory\n  landfall smoke --env prod --external --expect-tag sha-1a2b3c4   as anybody outside asks"
)]
pub(crate) struct SmokeArgs {
    /// A directory; then checks (default: all)
    #[arg(value_name = "TARGET|CHECK")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Only the checks of these names
    #[arg(long = "only", value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Ask as anybody does who is not of the cluster: public names, certificates that are trusted. A cluster is looked
    /// into only where a check asks for it
    #[arg(long)]
    pub(crate) external: bool,
    /// How long a trusted certificate is waited for, with --external
    #[arg(long, value_name = "TIME", default_value = "120s", requires = "external")]
    pub(crate) tls_timeout: Span,
    /// The tag that versions must be (default: the one that the image has where it is delivered)
    #[arg(long, value_name = "TAG")]
    pub(crate) expect_tag: Option<String>,
}

impl Verb for SmokeArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: SmokeArgs) -> Outcome {
    let started = Instant::now();
    let named = Named::of(&context.host.directory, &args.words, Behind::Names);
    let place = context.host.declared_place(named.target.as_deref(), &args.place.query()).await?;
    let only: Vec<&String> = args.only.iter().chain(&named.names).collect();
    let Some(environment) = place.declared().cloned().filter(|environment| !environment.checks.is_empty()) else {
        return Err(Failure::usage(
            Diagnostic::error(code::NO_CHECK, "nothing is declared to be checked here")
                .help("declare `checks:` in the environment of landfall.yaml"),
        ));
    };
    for name in only.iter().copied() {
        if !environment.checks.iter().any(|check| check.name == *name) {
            let known: Vec<&str> = environment.checks.iter().map(|check| check.name.as_str()).collect();
            let diagnostic = Diagnostic::error(code::NO_CHECK, format!("there is no check `{name}`"))
                .listing("checks", &known)
                .did_you_mean(landfall_diag::nearest(name, known));
            return Err(Failure::usage(diagnostic));
        }
    }
    let mut checks = environment.checks;
    checks.retain(|check| only.is_empty() || only.contains(&&check.name));
    let tags = tags(context, &args, &named, &checks).await?;
    // What was asked as anybody outside asks, or of another tag, is not what the environment runs.
    let declared = match args.expect_tag.is_none() && withdrawn::promotes(&place) {
        true => Some(withdrawn::declared_units(context, named.target.as_deref(), &args.place).await),
        false => None,
    };
    let units = declared.as_ref().and_then(|declared| declared.as_ref().ok()).map(|(_, units)| units.as_slice());
    let from = Standpoint::Outside(args.tls_timeout.duration());
    let outside = Smoke { checks: &checks, tags: tags.clone(), from };
    let (results, view) = match args.external {
        true if !outside.needs_cluster() => (without_cluster(context, &outside).await?, None),
        external => {
            let asked = (&checks[..], tags, external.then_some(outside.from));
            within(context, &place, started, asked, units).await?
        }
    };
    match declared {
        None => {}
        Some(Err(failure)) => withdrawn::told_after_checks(context, Err(failure)).await,
        Some(Ok((declared_at, units))) => {
            let view = match view {
                Some(view) => Ok(view),
                // Who asks from outside need not reach the cluster, and can say nothing of what runs there then.
                None => looked_at(context, &place, &units, started).await,
            };
            let checked = view.map(|view| Checked {
                place: &declared_at,
                units: &units,
                view,
                results: &results,
                checks: &checks,
            });
            withdrawn::told_after_checks(context, checked).await;
        }
    }
    let all_passed = results.iter().all(|result| result.verdict == Verdict::Passed);
    // What was not checked is not passed.
    let exit = if all_passed { Exit::Done } else { Exit::Unhealthy };
    context.report(&Made(&results), exit, started);
    Ok(exit)
}

/// The tags that versions are held against: the one that was given, else those of the images that are delivered.
async fn tags(context: &Context, args: &SmokeArgs, named: &Named, checks: &[Check]) -> Result<Tags, Failure> {
    let needed = checks.iter().any(|check| check.version.is_some());
    match &args.expect_tag {
        Some(tag) if needed => return Ok(Tags::Given(tag.clone())),
        Some(tag) => {
            return Err(Failure::usage(
                Diagnostic::error(code::NO_CHECK, format!("no check asks for a version that could be {tag}"))
                    .help("give a check with `http:` a `version: {image: NAME}`"),
            ));
        }
        None if !needed => return Ok(Tags::Of(Vec::new())),
        None => {}
    }
    let place = context.host.place(named.target.as_deref(), &args.place.query()).await?;
    let units = args.place.units(&context.host, &place).await?;
    let images = used_images(&units, &Default::default()).map_err(Failure::from)?;
    Ok(Tags::Of(images.into_iter().map(|used| used.image).collect()))
}

/// Makes checks that look into no cluster.
async fn without_cluster(context: &Context, asked: &Smoke<'_>) -> Result<Vec<CheckResult>, Failure> {
    // Nobody listens: without a cluster there is no live line.
    let (progress, unheard) = tokio::sync::mpsc::channel::<Progress>(1);
    drop(unheard);
    let prober = Prober {
        cluster: None,
        bounds: Bounds::default(),
        reach: NetworkReach::default(),
        progress: &progress,
        stop: &context.host.stop,
    };
    prober.smoke(asked).await.map_err(Failure::from)
}

/// Makes checks where the system is delivered: from outside, or as the cluster's routes lead; says what of the units ran meanwhile,
/// where some are given.
async fn within(
    context: &Context,
    place: &Place,
    started: Instant,
    (checks, tags, outside): (&[Check], Tags, Option<Standpoint>),
    units: Option<&[Unit]>,
) -> Result<(Vec<CheckResult>, Option<View>), Failure> {
    if place.cluster.is_kept_in_state() && !place.state.has_cluster() {
        return Err(Failure::from(
            Diagnostic::error(code::NOT_RUNNING, "nothing is delivered here that could be checked").help("landfall up"),
        ));
    }
    // With its ingress, where nobody serves it: the names of its routes are nobody else's.
    let mut connection = context.host.connect(place, Hosting::InProcess, &[]).await?;
    let results = live::with_progress(context, &mut connection, started, |session| async move {
        let from = outside.unwrap_or_else(|| Standpoint::Routes(session.routes.clone()));
        let prober = Prober {
            cluster: Some(&session.cluster),
            bounds: Bounds::default(),
            reach: NetworkReach::default(),
            progress: &session.progress,
            stop: &session.stop,
        };
        let asked = Smoke { checks, tags, from };
        match units {
            Some(units) => {
                View::during(&session, units, prober.smoke(&asked)).await.map(|(results, view)| (results, Some(view)))
            }
            None => Ok::<_, Vec<Diagnostic>>((prober.smoke(&asked).await?, None)),
        }
    })
    .await;
    connection.close().await;
    results.map_err(Failure::from)
}

/// What of the units runs in a place.
async fn looked_at(context: &Context, place: &Place, units: &[Unit], started: Instant) -> Result<View, Failure> {
    let mut connection = context.host.connect(place, Hosting::InProcess, &[]).await?;
    let view = View::over(context, &mut connection, units, started).await;
    connection.close().await;
    view
}

/// The checks, made.
struct Made<'a>(&'a [CheckResult]);

impl Report for Made<'_> {
    const KIND: &'static str = "Smoke";

    fn data(&self) -> Value {
        json!({"checks": self.0})
    }

    fn text(&self, ui: &Ui) {
        print_checks(ui, self.0);
        let counts: Vec<String> = tally(self.0).iter().map(|(word, count)| format!("{count} {word}")).collect();
        let checks = if self.0.len() == 1 { "check" } else { "checks" };
        ui.status(&format!("{} {checks}: {}", self.0.len(), counts.join(", ")));
        let all_passed = self.0.iter().all(|result| result.verdict == Verdict::Passed);
        let failed = self.0.iter().any(|result| matches!(result.verdict, Verdict::Failed { .. }));
        if !failed && !all_passed {
            ui.status("a check that could not be made has not passed");
        }
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().filter(|result| result.verdict != Verdict::Passed).for_each(|result| ui.name(&result.name));
    }
}
