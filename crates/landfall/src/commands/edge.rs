//! `landfall edge …`: devices, what enrolls them, releases and campaigns; of the server that runs here, or of one elsewhere.

mod campaign;
mod change;
mod counter;
mod get;
mod import;
mod keys;
mod list;
mod release;
mod signing;
mod token;
mod told;

use crate::verb::verbs;

verbs! {
    /// `landfall edge …`
    pub(crate) enum EdgeCommand {
        /// List edges: filtered, counted and paged by the server
        #[command(before_help = "Examples:\n  landfall edge list\n  landfall edge list -o json")]
        List(list::EdgeListArgs),
        /// Show an edge, with what happened to it
        #[command(before_help = "Examples:\n  landfall edge get gate-7")]
        Get(get::EdgeGetArgs),
        /// Say why an edge stands as it does, and what to type
        #[command(before_help = "Examples:\n  landfall edge explain gate-7")]
        Explain(get::EdgeExplainArgs),
        /// Let an edge be told what to run again
        #[command(before_help = "Examples:\n  landfall edge enable gate-7")]
        Enable(change::EdgeEnableArgs),
        /// Tell an edge nothing any more, and leave it out of campaigns
        #[command(before_help = "Examples:\n  landfall edge disable gate-7")]
        Disable(change::EdgeDisableArgs),
        /// Set an edge aside, because something is wrong with it
        #[command(before_help = "Examples:\n  landfall edge quarantine gate-7")]
        Quarantine(change::EdgeQuarantineArgs),
        /// Let an edge's device number enroll once more, within an hour
        #[command(before_help = "Examples:\n  landfall edge reenroll gate-7")]
        Reenroll(change::EdgeReenrollArgs),
        /// Give an edge another credential when it checks in; the old one is good for a day beside it
        #[command(before_help = "Examples:\n  landfall edge rotate gate-7")]
        Rotate(change::EdgeRotateArgs),
        /// Revoke all credentials of an edge
        #[command(before_help = "Examples:\n  landfall edge revoke gate-7 --yes")]
        Revoke(change::EdgeRevokeArgs),
        /// Give an edge the labels by which campaigns select it
        #[command(before_help = "Examples:\n  landfall edge label gate-7 site=north")]
        Label(change::EdgeLabelArgs),
        /// Remove an edge from the fleet
        #[command(before_help = "Examples:\n  landfall edge remove gate-7 --yes")]
        Remove(change::EdgeRemoveArgs),
        /// Take over what the product's own gateway knew: devices go on without enrolling anew
        #[command(before_help = "Examples:\n  landfall edge import edges.json")]
        Import(import::EdgeImportArgs),
        /// Mint, list and revoke what enrolls edges
        #[command(subcommand)]
        Token(token::EdgeTokenCommand),
        /// Make the keys that sign what edges may install
        #[command(subcommand)]
        Keys(keys::EdgeKeysCommand),
        /// Build, register, list and withdraw releases
        #[command(subcommand)]
        Release(release::EdgeReleaseCommand),
        /// Bring a release to edges, wave by wave
        #[command(subcommand)]
        Campaign(campaign::EdgeCampaignCommand),
    }
}
