//! `landfall edge token …`: what enrolls edges.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_project::Span;
use serde_json::{Value, json};

use super::counter::{ServerArgs, piece};
use super::told::{Token, Tokens, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::{Verb, verbs};

verbs! {
    /// `landfall edge token …`
    pub(crate) enum EdgeTokenCommand {
        /// Mint an enrollment token; it is shown once
        #[command(
            before_help = "Examples:\n  landfall edge token create workshop --max-uses 20 --expires 24h\n  landfall edge token create berlin --label site=berlin"
        )]
        Create(EdgeTokenCreateArgs),
        /// List enrollment tokens: never what they are
        #[command(before_help = "Examples:\n  landfall edge token list")]
        List(EdgeTokenListArgs),
        /// Revoke an enrollment token; edges that it has enrolled go on
        #[command(before_help = "Examples:\n  landfall edge token revoke kiosks")]
        Revoke(EdgeTokenRevokeArgs),
    }
}

/// Arguments of `edge token create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeTokenCreateArgs {
    /// What it is for
    #[arg(value_name = "LABEL")]
    pub(crate) name: String,
    /// How many edges it enrolls (default: any number)
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_uses: Option<u32>,
    /// How long it is good, as `24h` (default: until it is revoked)
    #[arg(long, value_name = "DURATION")]
    pub(crate) expires: Option<Span>,
    /// Labels of the edges that it enrolls, `NAME=VALUE`
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `edge token list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeTokenListArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `edge token revoke`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeTokenRevokeArgs {
    /// The token, by its id or the eight characters after etr_live_
    #[arg(value_name = "TOKEN")]
    pub(crate) token: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeTokenCreateArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let expires_at = match &self.expires {
            None => None,
            Some(span) => Some(jiff::Timestamp::now().checked_add(span.duration()).map_err(|_| {
                Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, "no calendar goes as far as that token would"))
            })?),
        };
        let wish = json!({
            "label": self.name, "maxUses": self.max_uses, "expiresAt": expires_at.map(|at| at.to_string()),
            "labels": self.labels,
        });
        let answer = self.server.open(context).await?.post("/api/v1/edge/tokens", &wish).await?;
        context.report(&Minted(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl Verb for EdgeTokenListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let answer = self.server.open(context).await?.get("/api/v1/edge/tokens").await?;
        context.report(&Told::<Tokens>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl Verb for EdgeTokenRevokeArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let target = format!("/api/v1/edge/tokens/{}/revoke", piece(&self.token));
        let answer = self.server.open(context).await?.post(&target, &json!({})).await?;
        context.report(&Told::<Token>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// A token that was minted.
struct Minted(Value);

impl Report for Minted {
    const KIND: &'static str = "EdgeToken";

    fn data(&self) -> Value {
        self.0.clone()
    }

    fn names(&self, ui: &Ui) {
        ui.name(self.0["token"].as_str().unwrap_or_default());
    }

    fn text(&self, ui: &Ui) {
        // The token alone on standard output, so that it can be written into a file.
        self.names(ui);
        let of = |at: &str| super::told::cell(&self.0, at);
        let text = format!(
            "enrollment token {} ({}): uses {}, expires {}",
            of("label"),
            of("id"),
            of("maxUses"),
            self.0["expiresAt"].as_str().unwrap_or("never")
        );
        super::told::say(ui, text);
        ui.status(&format!("it is shown this once; landfall edge token revoke {} takes it back", of("id")));
    }
}
