//! `landfall edge campaign …`

use std::time::Instant;

use clap::Args;
use landfall_fleet::protocol::DEFAULT_PRODUCT;
use landfall_host::Failure;
use landfall_project::Span;
use serde_json::{Value, json};

use super::counter::{ServerArgs, piece};
use super::told::{Campaign, Campaigns, Preview, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::{Verb, verbs};

verbs! {
    /// `landfall edge campaign …`
    pub(crate) enum EdgeCampaignCommand {
        /// Bring a release to edges, wave by wave
        #[command(
            before_help = "Examples:\n  landfall edge campaign create 1.2.0 --dry-run\n  landfall edge campaign create 1.2.0 --waves 1,10%,100% --selector site=berlin --window 'daily 22:00 4h Europe/Berlin'"
        )]
        Create(Box<EdgeCampaignCreateArgs>),
        /// List campaigns
        #[command(before_help = "Examples:\n  landfall edge campaign list")]
        List(EdgeCampaignListArgs),
        /// Show a campaign with its edges
        #[command(before_help = "Examples:\n  landfall edge campaign get 7")]
        Get(EdgeCampaignGetArgs),
        /// Begin a draft
        #[command(before_help = "Examples:\n  landfall edge campaign start 7")]
        Start(EdgeCampaignStartArgs),
        /// Offer nothing more; what an edge has begun goes on
        #[command(before_help = "Examples:\n  landfall edge campaign pause 7")]
        Pause(EdgeCampaignPauseArgs),
        /// Go on; failures until now are taken as they are
        #[command(before_help = "Examples:\n  landfall edge campaign resume 7")]
        Resume(EdgeCampaignResumeArgs),
        /// Agree that the next wave opens
        #[command(before_help = "Examples:\n  landfall edge campaign approve 7")]
        Approve(EdgeCampaignApproveArgs),
        /// Give it up
        #[command(before_help = "Examples:\n  landfall edge campaign abort 7 --yes")]
        Abort(EdgeCampaignAbortArgs),
        /// Let edges that failed try again
        #[command(before_help = "Examples:\n  landfall edge campaign retry 7")]
        Retry(EdgeCampaignRetryArgs),
        /// Give it up, and bring edges back to what each ran before
        #[command(before_help = "Examples:\n  landfall edge campaign rollback 7 --yes")]
        Rollback(EdgeCampaignRollbackArgs),
    }
}

/// Arguments of `edge campaign create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeCampaignCreateArgs {
    /// The version
    #[arg(value_name = "VERSION")]
    pub(crate) version: String,
    /// The product
    #[arg(long, value_name = "NAME", default_value = DEFAULT_PRODUCT)]
    pub(crate) product: String,
    /// What the campaign is called (default: product and version)
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) name: String,
    /// Which edges: labels, platform, arch, version or name, as `site=berlin,version<1.2.0` (default: all)
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub(crate) selector: String,
    /// These edges alone
    #[arg(long = "edge", value_name = "EDGE", value_delimiter = ',')]
    pub(crate) edges: Vec<String>,
    /// Counts or percentages of edges, each with those before it
    #[arg(long, value_name = "WAVES", default_value = "1,10%,100%")]
    pub(crate) waves: String,
    /// How long a wave rests once enough have succeeded (default: 15m)
    #[arg(long, value_name = "DURATION")]
    pub(crate) soak: Option<Span>,
    /// How many of a hundred have to succeed (default: 100 of the first wave, 95 of later ones)
    #[arg(long, value_name = "PERCENT")]
    pub(crate) success_percent: Option<u32>,
    /// Pause with more failures than these in a wave (default: 0 in the first)
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_failures: Option<u32>,
    /// Pause with more failures among a hundred that ended (default: 10 in later waves)
    #[arg(long, value_name = "PERCENT")]
    pub(crate) max_failure_percent: Option<u32>,
    /// But not before so many have ended (default: 5)
    #[arg(long, value_name = "COUNT")]
    pub(crate) min_completed: Option<u32>,
    /// Wait for somebody's word before each wave but the first
    #[arg(long)]
    pub(crate) approval: bool,
    /// When upgrades may begin, `DAYS START DURATION [ZONE]`
    #[arg(long = "window", value_name = "WINDOW")]
    pub(crate) windows: Vec<String>,
    /// How many edges may be under way at once
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_concurrent: Option<u32>,
    /// How fast an edge may fetch, in bytes a second
    #[arg(long, value_name = "BYTES")]
    pub(crate) bytes_per_second: Option<u64>,
    /// Go back to an older version; the signed targets have to have consented (`edge release consent`)
    #[arg(long)]
    pub(crate) downgrade: bool,
    /// Leave an edge as it is that was not there and comes back
    #[arg(long)]
    pub(crate) no_catch_up: bool,
    /// How often an edge tries whose network or disk has failed
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_attempts: Option<u32>,
    /// Make it without beginning it
    #[arg(long)]
    pub(crate) draft: bool,
    /// Show what it would be
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask where it concerns half of the fleet, or a hundred edges
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl EdgeCampaignCreateArgs {
    fn wish(&self) -> Value {
        json!({
            "name": self.name, "product": self.product, "version": self.version, "selector": self.selector,
            "edges": self.edges, "waves": self.waves,
            "soakSeconds": self.soak.as_ref().map(|soak| soak.duration().as_secs()),
            "successPercent": self.success_percent, "maxFailures": self.max_failures,
            "maxFailurePercent": self.max_failure_percent, "minCompleted": self.min_completed,
            "approval": self.approval, "windows": self.windows, "maxConcurrent": self.max_concurrent,
            "bytesPerSecond": self.bytes_per_second, "downgrade": self.downgrade, "noCatchUp": self.no_catch_up,
            "maxAttempts": self.max_attempts, "draft": self.draft,
        })
    }
}

/// From how many edges on a campaign needs a yes in any fleet, and from how many on where they are half of it.
const MANY: u64 = 100;
const HALF: u64 = 10;

fn is_wide(edges: u64, fleet: u64) -> bool {
    edges >= MANY || (edges >= HALF && edges.saturating_mul(2) >= fleet)
}

/// Gets a yes for a campaign over much of the fleet.
async fn agreed(
    context: &Context,
    server: &ServerArgs,
    yes: bool,
    (edges, fleet): (Option<u64>, Option<u64>),
    to: &str,
) -> Result<(), Failure> {
    // A server that does not say how large its fleet is may have no other edges.
    let edges = edges.unwrap_or(MANY);
    let fleet = fleet.unwrap_or(edges);
    if !is_wide(edges, fleet) {
        return Ok(());
    }
    let ask = format!("Bring {edges} of {fleet} edges to {to}");
    server.agreed(context, yes, (&ask, &format!("bringing {edges} of {fleet} edges to {to}"))).await
}

impl Verb for EdgeCampaignCreateArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let counter = self.server.open(context).await?;
        if self.dry_run || !self.draft {
            let preview = counter.post("/api/v1/edge/campaigns/preview", &self.wish()).await?;
            if self.dry_run {
                context.report(&Told::<Preview>::new(preview), Exit::Done, started);
                return Ok(Exit::Done);
            }
            let to = format!("{} {}", self.product, self.version);
            agreed(context, &self.server, self.yes, (preview["count"].as_u64(), preview["fleet"].as_u64()), &to)
                .await?;
        }
        let answer = counter.post("/api/v1/edge/campaigns", &self.wish()).await?;
        context.report(&Told::<Campaign>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Arguments of `edge campaign list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeCampaignListArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeCampaignListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let answer = self.server.open(context).await?.get("/api/v1/edge/campaigns").await?;
        context.report(&Told::<Campaigns>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Arguments of `edge campaign get`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeCampaignGetArgs {
    /// The campaign, by its name or identifier
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaign: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeCampaignGetArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let target = format!("/api/v1/edge/campaigns/{}", piece(&self.campaign));
        let answer = self.server.open(context).await?.get(&target).await?;
        context.report(&Told::<Campaign>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Arguments of `edge campaign start`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeCampaignStartArgs {
    /// The campaign, by its name or identifier
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaign: String,
    /// Do not ask where it concerns half of the fleet, or a hundred edges
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeCampaignStartArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let counter = self.server.open(context).await?;
        let target = format!("/api/v1/edge/campaigns/{}", piece(&self.campaign));
        let draft = counter.get(&target).await?;
        if draft["state"] == "DRAFT" {
            let assigned = |wave: &Value| wave["counts"]["assigned"].as_u64();
            let edges = draft["waves"].as_array().and_then(|waves| waves.iter().map(assigned).sum::<Option<u64>>());
            let to = format!(
                "{} {}",
                draft["product"].as_str().unwrap_or_default(),
                draft["version"].as_str().unwrap_or_default()
            );
            agreed(context, &self.server, self.yes, (edges, draft["fleet"].as_u64()), &to).await?;
        }
        let answer = counter.post(&format!("{target}/start"), &json!({})).await?;
        context.report(&Told::<Campaign>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What is done with a campaign; what ends it for good is asked for first.
macro_rules! changes {
    ($($(#[$about:meta])* $verb:ident, $action:literal $(, $yes:literal, ($ask:literal, $doing:literal))?;)*) => { $(
        $(#[$about])*
        #[derive(Debug, Clone, Args)]
        pub(crate) struct $verb {
            /// The campaign, by its name or identifier
            #[arg(value_name = "CAMPAIGN")]
            pub(crate) campaign: String,
            $(
                #[arg(short = 'y', long, help = $yes)]
                pub(crate) yes: bool,
            )?
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
                $(
                    let (ask, doing) = (format!($ask, self.campaign), format!($doing, self.campaign));
                    self.server.agreed(context, self.yes, (&ask, &doing)).await?;
                )?
                let target = format!("/api/v1/edge/campaigns/{}/{}", piece(&self.campaign), $action);
                let answer = self.server.open(context).await?.post(&target, &json!({})).await?;
                context.report(&Told::<Campaign>::new(answer), Exit::Done, started);
                Ok(Exit::Done)
            }
        }
    )* };
}

changes! {
    /// Arguments of `edge campaign pause`.
    EdgeCampaignPauseArgs, "pause";
    /// Arguments of `edge campaign resume`.
    EdgeCampaignResumeArgs, "resume";
    /// Arguments of `edge campaign approve`.
    EdgeCampaignApproveArgs, "approve";
    /// Arguments of `edge campaign abort`.
    EdgeCampaignAbortArgs, "abort", "Do not ask", ("Give up campaign {}", "giving up campaign {}");
    /// Arguments of `edge campaign retry`.
    EdgeCampaignRetryArgs, "retry";
    /// Arguments of `edge campaign rollback`.
    EdgeCampaignRollbackArgs, "rollback", "Do not ask", (
        "Give up campaign {} and bring its edges back to what each ran before",
        "giving up campaign {} and bringing its edges back"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_fleet_or_a_hundred_edges_need_a_yes_and_a_handful_does_not() {
        for (edges, fleet, wide) in
            [(9, 9, false), (10, 10, true), (10, 20, true), (10, 21, false), (99, 1000, false), (100, 100_000, true)]
        {
            assert_eq!(is_wide(edges, fleet), wide, "{edges} of {fleet}");
        }
    }
}
