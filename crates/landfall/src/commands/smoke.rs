//! `landfall smoke`: the declared checks, made now.

use std::time::Instant;

use clap::Args;
use landfall_delivery::{CheckResult, Verdict, tally};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Hosting};
use serde_json::{Value, json};

use crate::arguments::{Behind, Named, OutputArgs, TargetArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report::{Report, print_checks};
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `smoke`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall smoke --env test                  the declared checks, made now\n  landfall smoke gateway                     one of them\n  landfall smoke examples/luckyplans         those of the system of another directory"
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
    let Some(mut environment) = place.declared().cloned().filter(|environment| !environment.checks.is_empty()) else {
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
    environment.checks.retain(|check| only.is_empty() || only.contains(&&check.name));
    if place.cluster.is_kept_in_state() && !place.state.has_cluster() {
        return Err(Failure::from(
            Diagnostic::error(code::NOT_RUNNING, "nothing is delivered here that could be checked").help("landfall up"),
        ));
    }
    // With its ingress, where nobody serves it: the names of its routes are nobody else's.
    let mut connection = context.host.connect(&place, Hosting::InProcess, &[]).await?;
    let results = live::with_progress(context, &mut connection, started, |session| {
        let environment = &environment;
        async move { session.check(environment).await }
    })
    .await;
    connection.close().await;
    let results = results.map_err(Failure::from)?;
    let all_passed = results.iter().all(|result| result.verdict == Verdict::Passed);
    // What was not checked is not passed.
    let exit = if all_passed { Exit::Done } else { Exit::Unhealthy };
    context.report(&Smoke(&results), exit, started);
    Ok(exit)
}

/// The checks, made.
struct Smoke<'a>(&'a [CheckResult]);

impl Report for Smoke<'_> {
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
