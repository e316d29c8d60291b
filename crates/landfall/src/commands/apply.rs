//! `landfall apply`: carries out what `plan --out` saved, and nothing else.

use clap::Args;

use crate::arguments::OutputArgs;
use crate::commands::plan::saved::SavedPlan;
use crate::commands::up::{self, UpArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `apply`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall plan --env prod --out ../release.plan\n  landfall apply ../release.plan",
    after_help = "Where the cluster, what the tree renders to, or what landfall.yaml says of the environment has changed since the\nplan was saved, nothing is done, what has changed is named, and the exit code is 5. It is carried out where it was\nplanned: paths that were typed then are looked for from this directory, or from that of -C."
)]
pub(crate) struct ApplyArgs {
    /// The file that `landfall plan --out` saved
    #[arg(value_name = "PLAN")]
    plan: String,
    #[command(flatten)]
    output: OutputArgs,
    /// Build no images
    #[arg(long)]
    no_build: bool,
    /// Build images for the embedded cluster, too, where builds are simulated otherwise
    #[arg(long, conflicts_with = "no_build")]
    build: bool,
    /// Say whether it could be carried out, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    yes: bool,
    /// Leave no embedded cluster running afterwards
    #[arg(long)]
    once: bool,
    /// Deliver uncommitted changes to a protected environment
    #[arg(long)]
    dirty: bool,
    /// Deliver what may not run there all the same, for this reason, which is audited and announced
    #[arg(long, value_name = "REASON")]
    break_glass: Option<String>,
    /// Take declared checks that could not be made as seen: what they ask is not simulated
    #[arg(long)]
    allow_unsimulated: bool,
}

impl Verb for ApplyArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let plan = SavedPlan::read(context, &self.plan)?;
        let (place, values) = plan.arguments();
        let args = UpArgs {
            target: Vec::new(),
            place,
            values,
            output: self.output,
            no_build: self.no_build,
            build: self.build,
            dry_run: self.dry_run,
            yes: self.yes,
            atomic: false,
            test: false,
            no_wait: false,
            timeout: None,
            once: self.once,
            dirty: self.dirty,
            break_glass: self.break_glass,
            allow_unsimulated: self.allow_unsimulated,
            faults: Vec::new(),
        };
        up::run(context, args, Some(&plan)).await
    }
}
