//! `landfall env diff`: how two environments differ, object by object.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_object::diff::Brief;
use landfall_project::EnvironmentName;
use landfall_rehearse::{Conditions, Difference, Side, differences};
use landfall_rules::DesiredUnit;
use serde_json::{Value, json};

use crate::arguments::{OutputArgs, TargetArgs, ValuesArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::looked;
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::{Verb, Waits};

/// Show how two environments differ, object by object.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall env diff local prod\n  landfall env diff examples/luckyplans local prod     those of another directory\n  landfall env diff test production -o json"
)]
pub(crate) struct EnvDiffArgs {
    /// Two environments; a directory in front where they are another one's
    #[arg(value_name = "TARGET|ENVIRONMENT", num_args = 2..=3, required = true)]
    pub(crate) words: Vec<String>,
    /// A directory that stands in for a repository of an Application
    #[arg(long = "repo", value_name = "URL=DIR")]
    pub(crate) repos: Vec<String>,
    /// Exit 3 when something differs
    #[arg(long)]
    pub(crate) exit_code: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EnvDiffArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, &self)
    }
}

fn run(context: &Context, args: &EnvDiffArgs) -> Outcome {
    let started = Instant::now();
    let (directory, names) = match args.words.as_slice() {
        [directory, names @ ..] if names.len() == 2 => (Some(directory.as_str()), names),
        names => (None, names),
    };
    let environment = |index: usize| -> Result<EnvironmentName, Failure> {
        let word = names.get(index).map_or("", String::as_str);
        EnvironmentName::parse(word).map_err(|unfit| {
            let what = format!("an environment cannot be called `{word}`: {unfit}");
            Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, what))
        })
    };
    let (one, other) = (environment(0)?, environment(1)?);
    let render = |name: &EnvironmentName| -> Result<Vec<DesiredUnit>, Failure> {
        let target = TargetArgs { env: Some(name.clone()), repos: args.repos.clone(), ..TargetArgs::default() };
        let place = context.host.wait(context.host.place(directory, &target.query()))?;
        looked::units(context, &place, &target, &ValuesArgs::default(), &Conditions::offline())
    };
    let (first, second) = (render(&one)?, render(&other)?);
    let found = differences(&first, &second);
    let exit = if args.exit_code && !found.is_empty() { Exit::Differs } else { Exit::Done };
    context.report(&EnvironmentDiff { first: &one, second: &other, objects: &found }, exit, started);
    Ok(exit)
}

/// What differs between two environments.
struct EnvironmentDiff<'a> {
    first: &'a EnvironmentName,
    second: &'a EnvironmentName,
    objects: &'a [Difference],
}

impl Report for EnvironmentDiff<'_> {
    const KIND: &'static str = "EnvironmentDiff";

    fn data(&self) -> Value {
        json!({"first": self.first, "second": self.second, "objects": self.objects})
    }

    fn text(&self, ui: &Ui) {
        for it in self.objects {
            let what = match it.what {
                Side::OnlyFirst => format!("only in {}", self.first),
                Side::OnlySecond => format!("only in {}", self.second),
                Side::Differs => String::new(),
            };
            ui.line(format!("{} {what}", it.object).trim_end());
            for field in &it.fields {
                let Brief { line, from, to } = Brief::of(field.first.as_ref(), field.second.as_ref(), 80);
                let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
                ui.folded(&format!("  {}{line}: {from} | {to}", field.path));
            }
        }
        let (first, second) = (self.first, self.second);
        ui.status(&match self.objects.len() {
            0 => format!("{first} and {second} do not differ"),
            1 => format!("1 object differs between {first} and {second}"),
            many => format!("{many} objects differ between {first} and {second}"),
        });
    }

    fn names(&self, ui: &Ui) {
        self.objects.iter().for_each(|it| ui.name(&it.object));
    }
}
