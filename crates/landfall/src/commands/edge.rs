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
        List(list::EdgeListArgs),
        /// Show an edge, with what happened to it
        Get(get::EdgeGetArgs),
        /// Say why an edge stands as it does, and what to type
        Explain(get::EdgeExplainArgs),
        /// Let an edge be told what to run again
        Enable(change::EdgeEnableArgs),
        /// Tell an edge nothing any more, and leave it out of campaigns
        Disable(change::EdgeDisableArgs),
        /// Set an edge aside, because something is wrong with it
        Quarantine(change::EdgeQuarantineArgs),
        /// Let an edge's device number enroll once more, within an hour
        Reenroll(change::EdgeReenrollArgs),
        /// Give an edge another credential when it checks in; the old one is good for a day beside it
        Rotate(change::EdgeRotateArgs),
        /// Revoke all credentials of an edge
        Revoke(change::EdgeRevokeArgs),
        /// Give an edge the labels by which campaigns select it
        Label(change::EdgeLabelArgs),
        /// Remove an edge from the fleet
        Remove(change::EdgeRemoveArgs),
        /// Take over what the product's own gateway knew: devices go on without enrolling anew
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
