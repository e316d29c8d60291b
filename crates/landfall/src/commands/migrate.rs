//! `landfall migrate …`

mod argocd;

use crate::verb::verbs;

verbs! {
    /// `landfall migrate …`
    pub(crate) enum MigrateCommand {
        /// Take a running Argo CD's Applications over without touching what they deliver, or give them back
        #[command(
            before_help = "Examples:\n  landfall migrate argocd --context k3d-prod --dry-run\n  landfall migrate argocd --context k3d-prod\n  landfall migrate argocd --context k3d-prod --back"
        )]
        Argocd(Box<argocd::MigrateArgocdArgs>),
    }
}
