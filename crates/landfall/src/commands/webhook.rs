//! `landfall webhook …`

mod secret;

use crate::verb::verbs;

verbs! {
    /// `landfall webhook …`
    pub(crate) enum WebhookCommand {
        /// Make a new secret for the forge's webhook: `secret rotate`; the old one is good for a while longer
        #[command(
            before_help = "Examples:\n  landfall webhook secret rotate                 shown once, for the forge\n  landfall webhook secret rotate --overlap 1h"
        )]
        Secret(secret::WebhookSecretArgs),
    }
}
