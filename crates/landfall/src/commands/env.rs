//! `landfall env …`

mod diff;
mod list;

use clap::Args;
use landfall_diag::{Diagnostic, code, nearest};
use landfall_host::Failure;

use crate::arguments::is_written_as_path;
use crate::context::Context;
use crate::exit::Outcome;
use crate::ui::Output;
use crate::verb::{Verb, Waits, verbs};

verbs! {
    /// What `env` can do.
    pub(crate) enum EnvCommand {
        /// List the environments: where they live, what they deliver, how
        #[command(before_help = "Examples:\n  landfall env list\n  landfall env list -o json")]
        List(list::EnvListArgs),
        /// Show how two environments differ, object by object
        Diff(diff::EnvDiffArgs),
    }
}

/// Arguments of `env`: alone it lists.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  landfall env                       the environments of this directory's system\n  landfall env diff local prod"
)]
pub(crate) struct EnvArgs {
    #[command(subcommand)]
    pub(crate) command: Option<EnvCommand>,
    #[command(flatten)]
    pub(crate) list: list::EnvListArgs,
}

impl EnvArgs {
    /// What is asked for.
    fn meant(self) -> Result<EnvCommand, Failure> {
        let EnvArgs { command, list } = self;
        let usage = |what: String| Diagnostic::error(code::BAD_ARGUMENTS, what);
        match (command, list.target.as_deref()) {
            (Some(_), Some(target)) => {
                Err(Failure::usage(usage(format!("`{target}` stands in front of what is to be done")).help(
                    "the directory stands behind it, as in `landfall env list DIR` and `landfall env diff DIR A B`",
                )))
            }
            (Some(_), None) if list.output.output != Output::Table => Err(Failure::usage(
                usage("-o stands in front of what is to be done".to_owned()).help("put it behind it"),
            )),
            (Some(command), None) => Ok(command),
            (None, Some(word)) if !is_written_as_path(word) && nearest(word, ["list", "diff"]).is_some() => {
                let near = nearest(word, ["list", "diff"]).unwrap_or_default();
                Err(Failure::usage(
                    usage(format!("`env {word}` is no command")).help(format!("did you mean `landfall env {near}`?")),
                ))
            }
            (None, _) => Ok(EnvCommand::List(list)),
        }
    }
}

impl Verb for EnvArgs {
    fn output(&self) -> Output {
        self.command.as_ref().map_or_else(|| self.list.output(), Verb::output)
    }

    fn waits(&self) -> Waits {
        self.command.as_ref().map_or_else(|| self.list.waits(), Verb::waits)
    }

    async fn run(self, context: &Context) -> Outcome {
        self.meant()?.run(context).await
    }
}
