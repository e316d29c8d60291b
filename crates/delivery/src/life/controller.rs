use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, ListOptions};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::Gvk;
use landfall_secrets::{Certificate, KEY_LABEL, Keyring};

use crate::Offers;

/// The controller that opens what is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingController {
    /// Its namespace, in which its keys are, too.
    pub namespace: String,
    /// Its service.
    pub name: String,
}

impl Default for SealingController {
    fn default() -> Self {
        Self { namespace: "kube-system".to_owned(), name: "sealed-secrets-controller".to_owned() }
    }
}

impl SealingController {
    /// The certificate that is sealed with.
    ///
    /// # Errors
    /// The controller does not answer, or with something else.
    #[boxed]
    pub async fn certificate(&self, cluster: &Cluster) -> Result<Certificate, Diagnostic> {
        let text = cluster.ask_service(&self.namespace, &self.name, "/v1/cert.pem").await.map_err(|error| {
            let said = error.diagnose();
            Diagnostic::error(code::UNSEALED, "the sealing controller gives no certificate")
                .note(said.message)
                .help("`landfall addon install sealed-secrets`, or say where it is: --controller-namespace, --controller-name")
        })?;
        Certificate::parse(text.as_bytes()).map_err(|error| Diagnostic::error(code::UNSEALED, error.to_string()))
    }

    /// Lets a cluster that offers one simulate it: what is to be sealed for a cluster may be sealed before anything is delivered.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn offered(cluster: &Cluster, offers: Option<&dyn Offers>) -> Result<(), Diagnostic> {
        let kind = Gvk::from_api_version(landfall_secrets::API_VERSION, landfall_secrets::KIND);
        if cluster.resource(&kind).await.is_ok() {
            return Ok(());
        }
        let Some((_, definitions)) = offers.and_then(|offers| offers.definitions(&kind)) else { return Ok(()) };
        for definition in definitions {
            cluster.apply(&definition, "landfall").await.map_err(|error| error.diagnose())?;
        }
        cluster.forget_discovery();
        Ok(())
    }

    /// Its keys, as far as one may read them; none where one may not, with the server's words.
    ///
    /// # Errors
    /// The cluster does not answer.
    #[boxed]
    pub async fn keyring(&self, cluster: &Cluster) -> Result<(Keyring, Option<String>), Diagnostic> {
        let options = ListOptions {
            namespace: Some(self.namespace.clone()),
            label_selector: Some(KEY_LABEL.to_owned()),
            ..ListOptions::default()
        };
        match cluster.list(&Gvk::new("", "v1", "Secret"), &options).await {
            Ok(secrets) => {
                let (keyring, _unusable) = Keyring::of_secrets(secrets.iter().map(landfall_object::Object::value));
                Ok((keyring, None))
            }
            Err(error) if error.code() == Some(403) => Ok((Keyring::default(), Some(error.to_string()))),
            Err(error) => Err(error.diagnose()),
        }
    }
}
