//! `landfall cluster kubeconfig`: what leads to it.

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// Arguments of `cluster kubeconfig`.
#[derive(Debug, Clone, Args)]
pub(crate) struct KubeconfigArgs {
    /// Merge it into the kubeconfig of `KUBECONFIG` or `~/.kube/config` instead of printing it
    #[arg(long)]
    pub(crate) merge: bool,
    /// Print the file's path instead
    #[arg(long, conflicts_with = "merge")]
    pub(crate) path: bool,
}

impl Verb for KubeconfigArgs {
    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: KubeconfigArgs) -> Outcome {
    let state = context.host.state_here()?;
    let file = state.file("kubeconfig");
    let running = state.is_open();
    if !running {
        return Err(Failure::from(
            Diagnostic::error(code::NOT_RUNNING, "the embedded cluster does not run, so no kubeconfig leads to it")
                .help("landfall cluster start"),
        ));
    }
    // Not the file's own text, which goes into the user's kubeconfig with `--merge`: it could name programs.
    let text = state.access().map_err(Failure::from)?.kubeconfig_text()?;
    if args.path {
        context.ui.name(&file.display().to_string());
    } else if args.merge {
        let into = landfall_host::merge_kubeconfig(&context.host.env, &text)?;
        context.ui.line(&format!("context `landfall` is in {}", into.display()));
    } else {
        context.ui.bytes(text.as_bytes());
    }
    Ok(Exit::Done)
}
