//! `landfall cluster kubeconfig`: what leads to it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
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
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for KubeconfigArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: KubeconfigArgs) -> Outcome {
    let started = Instant::now();
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
    let access = state.access().map_err(Failure::from)?;
    let way = if args.path {
        Way::Path
    } else if args.merge {
        Way::Merged(landfall_host::merge_kubeconfig(&context.host.env, &access.kubeconfig_text()?)?)
    } else {
        Way::Printed { text: access.kubeconfig_text()?, document: access.kubeconfig() }
    };
    context.report(&Leading { file: &file, way }, Exit::Done, started);
    Ok(Exit::Done)
}

/// What leads to the embedded cluster.
struct Leading<'a> {
    /// Its kubeconfig.
    file: &'a Path,
    way: Way,
}

/// How a kubeconfig is handed over.
enum Way {
    /// Itself.
    Printed { text: String, document: Value },
    /// As the place where it lies.
    Path,
    /// Merged into a personal one.
    Merged(PathBuf),
}

impl Report for Leading<'_> {
    const KIND: &'static str = "Kubeconfig";

    fn data(&self) -> Value {
        let mut data = json!({"file": self.file.display().to_string(), "context": "landfall"});
        match &self.way {
            Way::Printed { document, .. } => data["kubeconfig"].clone_from(document),
            Way::Path => {}
            Way::Merged(into) => data["merged"] = into.display().to_string().into(),
        }
        data
    }

    fn text(&self, ui: &Ui) {
        match &self.way {
            Way::Printed { text, .. } => ui.bytes(text.as_bytes()),
            Way::Path => self.names(ui),
            Way::Merged(into) => ui.line(&format!("context `landfall` is in {}", into.display())),
        }
    }

    fn names(&self, ui: &Ui) {
        ui.name(&self.file.display().to_string());
    }
}
