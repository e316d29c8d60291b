//! `landfall secrets cert`: what is sealed with.

use clap::Args;
use landfall_delivery::life::SealingController;
use landfall_host::{Failure, Hosting};
use landfall_secrets::Certificate;
use serde_json::{Value, json};

use crate::arguments::{ClusterArgs, OutputArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `secrets cert`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets cert > cert.pem                          of the cluster of this directory\n  landfall secrets cert --env prod -o name                  its key's fingerprint"
)]
pub(crate) struct CertArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The namespace of the sealing controller
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-system")]
    controller_namespace: String,
    /// The name of the sealing controller's service
    #[arg(long, value_name = "NAME", default_value = "sealed-secrets-controller")]
    controller_name: String,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verb for CertArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let place = context.host.cluster_place(None, &self.cluster.query()).await?;
        if place.cluster.is_kept_in_state() && !place.state.has_cluster() {
            return Err(super::no_cluster().into());
        }
        let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
        let controller = SealingController { namespace: self.controller_namespace, name: self.controller_name };
        // Who asks for it makes the first key, as who seals does.
        let certificate = match SealingController::offered(&connection.cluster, connection.offers()).await {
            Ok(()) => controller.certificate(&connection.cluster).await,
            Err(refused) => Err(refused),
        };
        connection.close().await;
        context.answer(&SealedWith { certificate: &certificate.map_err(Failure::from)? }, Exit::Done);
        Ok(Exit::Done)
    }
}

/// The certificate of a cluster.
struct SealedWith<'a> {
    certificate: &'a Certificate,
}

impl Report for SealedWith<'_> {
    const KIND: &'static str = "SealingCertificate";

    fn data(&self) -> Value {
        json!({
            "fingerprint": self.certificate.key.fingerprint(),
            "not_before": self.certificate.not_before,
            "not_after": self.certificate.not_after,
            "pem": self.certificate.pem(),
        })
    }

    fn text(&self, ui: &Ui) {
        self.certificate.pem().lines().for_each(|line| ui.line(line));
    }

    fn names(&self, ui: &Ui) {
        ui.name(&self.certificate.key.fingerprint());
    }
}
