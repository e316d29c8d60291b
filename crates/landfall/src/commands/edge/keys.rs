//! `landfall edge keys …`: the keys that say what edges may install. They stay where they are made; the server has another of its own.

mod renew;

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_fleet::{PublicKey, Role, Root, Signed, SigningKey, Targets};
use landfall_host::Failure;
use serde_json::json;

use super::counter::ServerArgs;
use super::signing::{TARGETS_DAYS, after};
use super::told::{Keys, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::{Verb, verbs};

/// How long a root is believed.
const ROOT_DAYS: i64 = 365;

verbs! {
    /// `landfall edge keys …`
    pub(crate) enum EdgeKeysCommand {
        /// Make the fleet's keys in a directory, and publish the root that names them
        #[command(before_help = "Examples:\n  landfall edge keys init keys")]
        Init(EdgeKeysInitArgs),
        /// Publish the root that follows: believed anew, with other keys or thresholds; or sign the targets anew alone
        #[command(
            before_help = "Examples:\n  landfall edge keys renew --key-file keys/root.pem --targets-key keys/targets.pem   # another year, another 180 days\n  landfall edge keys renew --targets-key keys/targets.pem                             # the targets alone\n  landfall edge keys renew --key-file keys/root.pem --new-targets keys/targets-2.pem  # another key for releases\n  landfall edge keys renew --key-file keys/root.pem --root keys/root.pem --new-root keys/root-2.pem --root-threshold 2"
        )]
        Renew(renew::EdgeKeysRenewArgs),
        /// Show which versions of the signed metadata are published, and how long they are believed
        #[command(before_help = "Examples:\n  landfall edge keys show")]
        Show(EdgeKeysShowArgs),
    }
}

/// Arguments of `edge keys init`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeKeysInitArgs {
    /// A directory that is not there yet, or empty: root.pem and targets.pem are written there, secret, and never sent
    #[arg(value_name = "DIRECTORY")]
    pub(crate) into: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `edge keys show`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeKeysShowArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeKeysInitArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let counter = self.server.open(context).await?;
        let told = counter.get("/api/v1/edge/metadata").await?;
        if told["versions"]["root"].as_u64().unwrap_or(0) > 0 {
            return Err(Failure::usage(
                Diagnostic::error(code::EDGE_CONFLICT, "the fleet has keys already").note("nothing was changed"),
            ));
        }
        let timestamp: PublicKey = serde_json::from_value(told["timestampKey"].clone()).map_err(|error| {
            Failure::from(
                Diagnostic::error(code::STRANGE_ANSWER, "the server names no key of its own").note(error.to_string()),
            )
        })?;
        let bug = |text: String| Failure::from(Diagnostic::error(code::BUG, text));
        let (root, targets) = (fresh()?, fresh()?);
        let roles = [
            (Role::Root, vec![root.public()], 1),
            (Role::Targets, vec![targets.public()], 1),
            (Role::Timestamp, vec![timestamp], 1),
        ];
        let of_root =
            Signed::by(&Root::new(1, after(ROOT_DAYS)?, &roles), &[&root]).map_err(|it| bug(it.to_string()))?;
        let of_targets =
            Signed::by(&Targets::new(1, after(TARGETS_DAYS)?), &[&targets]).map_err(|it| bug(it.to_string()))?;
        let directory = context.host.directory.join(&self.into);
        // Kept before anything is published: a root whose key is nowhere would lock the fleet out.
        let put = |name: &str, text: &str| landfall_source::write_new_private(&directory.join(name), text.as_bytes());
        landfall_source::make_private_directory(&directory)
            .and_then(|()| put("root.pem", &root.to_pem()))
            .and_then(|()| put("targets.pem", &targets.to_pem()))
            .and_then(|()| put("targets.pub.pem", &targets.public().to_pem()))
            .and_then(|()| put("root.json", &of_root.to_text()))
            .map_err(|error| {
                let text = format!("the keys cannot be written into `{}`", self.into);
                Failure::from(
                    Diagnostic::error(code::BAD_SIGNING_KEY, text)
                        .note(error.to_string())
                        .note("nothing was published"),
                )
            })?;
        let wish = json!({"root": of_root.to_text(), "targets": of_targets.to_text()});
        let answer = counter.post("/api/v1/edge/metadata", &wish).await?;
        context.ui.status(&format!("keep {0}/root.pem offline; {0}/targets.pem signs releases", self.into));
        context.report(&Told::<Keys>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl Verb for EdgeKeysShowArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let answer = self.server.open(context).await?.get("/api/v1/edge/metadata").await?;
        context.report(&Told::<Keys>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// A new key.
fn fresh() -> Result<SigningKey, Failure> {
    SigningKey::of_seed(landfall_server::random_seed()?)
        .ok_or_else(|| Failure::from(Diagnostic::error(code::BUG, "no key can be made")))
}
