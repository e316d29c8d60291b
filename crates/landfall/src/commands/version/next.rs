//! `landfall version next`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_project::Channel;
use serde_json::{Value, json};

use super::root;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Print what the next build is called.
#[derive(Debug, Clone, Args)]
pub(crate) struct VersionNextArgs {
    /// The product's own version (default: that of package.json, composer.json, Cargo.toml, Chart.yaml or VERSION)
    #[arg(long, value_name = "VERSION")]
    pub(crate) from: Option<String>,
    /// The file that says it
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub(crate) file: Option<String>,
    /// What is built: alpha, rc or stable
    #[arg(long, value_name = "CHANNEL", value_parser = root::channel)]
    pub(crate) channel: Channel,
    /// The number of the run
    #[arg(long, value_name = "N", required_if_eq_any = [("channel", "alpha"), ("channel", "rc")])]
    pub(crate) run: Option<u64>,
    /// Which attempt of the run it is
    #[arg(long, value_name = "M", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) attempt: u64,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for VersionNextArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let from = match self.from {
            Some(from) => from,
            None => root::root_version(context, self.file.as_deref(), None).await?.ok_or_else(root::nothing_says_it)?.1,
        };
        let version = root::stable(&from)?;
        let next = landfall_promote::next(&version, self.channel, self.run.unwrap_or_default(), self.attempt)
            .map_err(|refusal| Failure::usage(Diagnostic::error(code::BAD_VERSION, refusal.to_string())))?;
        let report = Next { from: &from, channel: root::name_of(self.channel), next: &next };
        context.report(&report, Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What the next build is called.
struct Next<'a> {
    from: &'a str,
    channel: &'static str,
    next: &'a str,
}

impl Report for Next<'_> {
    const KIND: &'static str = "NextVersion";

    fn data(&self) -> Value {
        json!({"from": self.from, "channel": self.channel, "version": self.next})
    }

    fn text(&self, ui: &Ui) {
        ui.name(self.next);
    }

    fn names(&self, ui: &Ui) {
        ui.name(self.next);
    }
}
