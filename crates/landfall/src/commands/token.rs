//! `landfall token …`: tokens of the server's API. They lie in the state directory of the server, as digests.

mod create;
mod list;
mod revoke;

use crate::verb::verbs;

verbs! {
    /// `landfall token …`
    pub(crate) enum TokenCommand {
        /// Issue a token for the server's API; it is shown once
        #[command(
            before_help = "Examples:\n  landfall token create ci --scope read --scope sync --project shop\n  landfall token create dashboards --scope read --expires 90d"
        )]
        Create(create::TokenCreateArgs),
        /// List the tokens: what they are for, until when, when they were used last
        #[command(before_help = "Examples:\n  landfall token list")]
        List(list::TokenListArgs),
        /// Revoke a token; it is good for nothing from then on
        #[command(before_help = "Examples:\n  landfall token revoke ci")]
        Revoke(revoke::TokenRevokeArgs),
    }
}
