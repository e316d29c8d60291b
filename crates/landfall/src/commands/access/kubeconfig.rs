//! `landfall access kubeconfig`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place, kubeconfig_files, merged_kubeconfig};
use landfall_project::Span;
use landfall_server::access::{ServiceAccount, service_account_token};
use serde_json::{Value, json};

use super::connected;
use crate::arguments::{ClusterArgs, OutputArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// How long a token is good where nobody says so, in seconds: a working day.
const USUAL: u64 = 12 * 3600;

/// Arguments of `access kubeconfig`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccessKubeconfigArgs {
    /// The service account, NAMESPACE/NAME
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) service_account: ServiceAccount,
    /// How long its token is good, as `24h` (default: 12h)
    #[arg(long, value_name = "DURATION")]
    pub(crate) expires: Option<Span>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AccessKubeconfigArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let (place, mut connection) = connected(context, &self.cluster).await?;
        let seconds = self.expires.as_ref().map_or(USUAL, |span| span.duration().as_secs());
        let token = service_account_token(&connection.cluster, &self.service_account, seconds).await;
        connection.close().await;
        let (token, expires) = token?;
        let cluster = authority(context, &place)?;
        let account = &self.service_account;
        let name = format!("{}@{}", account.name, place.cluster.shown());
        let document = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": place.cluster.shown(), "cluster": cluster}],
            "users": [{"name": account.to_string(), "user": {"token": token}}],
            "contexts": [{"name": name, "context": {
                "cluster": place.cluster.shown(), "user": account.to_string(), "namespace": account.namespace,
            }}],
            "current-context": name,
        });
        let text = landfall_yaml::emit(&document).map_err(|error| {
            Failure::from(Diagnostic::error(code::BUG, "a kubeconfig cannot be written").note(error.to_string()))
        })?;
        context.report(&Issued { account, expires, document, text }, Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Where the cluster is, and what its certificate is known by: nothing else of the kubeconfig that leads there.
fn authority(context: &Context, place: &Place) -> Result<Value, Failure> {
    let Some(remote) = place.cluster.remote() else {
        let document = place.state.access().map_err(Failure::from)?.kubeconfig();
        return Ok(document["clusters"][0]["cluster"].clone());
    };
    let unknown = |why: &str| {
        Failure::from(
            Diagnostic::error(code::BAD_KUBECONFIG, format!("where the context {} leads cannot be read", remote.name))
                .note(why.to_owned()),
        )
    };
    let files = kubeconfig_files(&context.host.env, remote.kubeconfig.as_deref());
    let merged = merged_kubeconfig(&files).map_err(|unreadable| unknown(&unreadable.why.to_string()))?;
    let config = merged.config.ok_or_else(|| unknown("there is no kubeconfig"))?;
    let config = serde_json::to_value(config).map_err(|error| unknown(&error.to_string()))?;
    let named = |list: &str, name: &Value| -> Option<Value> {
        config[list].as_array()?.iter().find(|it| it["name"] == *name).cloned()
    };
    let found = named("contexts", &json!(remote.name));
    let found = found.and_then(|found| named("clusters", &found["context"]["cluster"]));
    let found = found.ok_or_else(|| unknown("it names no such context, or its cluster is not there"))?;
    let mut cluster = json!({});
    for field in ["server", "certificate-authority-data", "certificate-authority", "tls-server-name"] {
        if found["cluster"][field].is_string() {
            cluster[field] = found["cluster"][field].clone();
        }
    }
    Ok(cluster)
}

/// A kubeconfig that was made.
struct Issued<'a> {
    account: &'a ServiceAccount,
    expires: String,
    document: Value,
    text: String,
}

impl Report for Issued<'_> {
    const KIND: &'static str = "Kubeconfig";

    fn data(&self) -> Value {
        json!({"service_account": self.account.to_string(), "expires_at": self.expires, "kubeconfig": self.document})
    }

    fn names(&self, ui: &Ui) {
        ui.name(self.document["current-context"].as_str().unwrap_or_default());
    }

    fn text(&self, ui: &Ui) {
        ui.bytes(self.text.as_bytes());
        ui.status(&format!("it is good until {}, for what {} may", self.expires, self.account));
    }
}
