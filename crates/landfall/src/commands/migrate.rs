//! `landfall migrate …`

mod argocd;
mod images;

use crate::verb::verbs;

verbs! {
    /// `landfall migrate …`
    pub(crate) enum MigrateCommand {
        /// Take a running Argo CD's Applications over without touching what they deliver, or give them back
        #[command(
            before_help = "Examples:\n  landfall migrate argocd --context k3d-prod --dry-run\n  landfall migrate argocd --context k3d-prod\n  landfall migrate argocd --context k3d-prod --back"
        )]
        Argocd(Box<argocd::MigrateArgocdArgs>),
        /// Read image policies of Flux and of Argo CD's image updater as policies of ours
        #[command(before_help = "Examples:\n  landfall migrate images\n  landfall migrate images clusters/prod -o yaml")]
        Images(Box<images::MigrateImagesArgs>),
    }
}
