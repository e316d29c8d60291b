//! What is done with an edge: `landfall edge enable`, `disable`, `quarantine`, `reenroll`, `rotate`, `revoke`, `label`, `remove`.

use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::counter::{ServerArgs, piece};
use super::told::{Edge, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

macro_rules! changes {
    ($($(#[$about:meta])* $verb:ident, $action:literal, $doing:literal;)*) => { $(
        $(#[$about])*
        #[derive(Debug, Clone, Args)]
        pub(crate) struct $verb {
            /// The edge, by its device number or identifier
            #[arg(value_name = "EDGE")]
            pub(crate) edge: String,
            /// Do not ask
            #[arg(short = 'y', long)]
            pub(crate) yes: bool,
            #[command(flatten)]
            pub(crate) server: ServerArgs,
            #[command(flatten)]
            pub(crate) output: OutputArgs,
        }

        impl Verb for $verb {
            fn output(&self) -> Output {
                self.output.output
            }

            async fn run(self, context: &Context) -> Outcome {
                let started = Instant::now();
                let ask = format!("{} {}", $doing, self.edge);
                self.server.agreed(context, self.yes, (&ask, &ask.to_lowercase())).await?;
                let target = format!("/api/v1/edge/edges/{}/{}", piece(&self.edge), $action);
                let answer = self.server.open(context).await?.post(&target, &json!({})).await?;
                context.report(&Told::<Edge>::new(answer), Exit::Done, started);
                Ok(Exit::Done)
            }
        }
    )* };
}

changes! {
    /// Arguments of `edge enable`.
    EdgeEnableArgs, "enable", "Enabling";
    /// Arguments of `edge disable`.
    EdgeDisableArgs, "disable", "Disabling";
    /// Arguments of `edge quarantine`.
    EdgeQuarantineArgs, "quarantine", "Setting aside";
    /// Arguments of `edge reenroll`.
    EdgeReenrollArgs, "reenroll", "Letting enroll once more";
    /// Arguments of `edge rotate`.
    EdgeRotateArgs, "rotate", "Giving another credential to";
    /// Arguments of `edge revoke`.
    EdgeRevokeArgs, "revoke", "Revoking all credentials of";
    /// Arguments of `edge remove`.
    EdgeRemoveArgs, "remove", "Removing";
}

/// Arguments of `edge label`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeLabelArgs {
    /// The edge, by its device number or identifier
    #[arg(value_name = "EDGE")]
    pub(crate) edge: String,
    /// All labels that it is to have, `NAME=VALUE`
    #[arg(value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeLabelArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let target = format!("/api/v1/edge/edges/{}/label", piece(&self.edge));
        let answer = self.server.open(context).await?.post(&target, &json!({"labels": self.labels})).await?;
        context.report(&Told::<Edge>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}
