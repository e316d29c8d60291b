use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, ListOptions};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::{Gvk, Object};
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
    /// The certificate that is sealed with: the controller's own answer, else that of its newest key, where one may read it. A
    /// controller outside of the cluster has no Service, and some clusters let their API reach no pod.
    ///
    /// # Errors
    /// The controller does not answer, or with something else, and none of its keys can be read.
    #[boxed]
    pub async fn certificate(&self, cluster: &Cluster) -> Result<Certificate, Diagnostic> {
        match cluster.ask_service(&self.namespace, &self.name, "/v1/cert.pem").await {
            Ok(text) => Certificate::parse(text.as_bytes())
                .map_err(|error| Diagnostic::error(code::UNSEALED, error.to_string())),
            Err(error) => {
                let keys = match self.keyring(cluster).await {
                    Ok((keyring, refused)) => match keyring.newest() {
                        Some(certificate) => return Ok(certificate.clone()),
                        None => refused.unwrap_or_else(|| format!("there is no key in {} either", self.namespace)),
                    },
                    Err(unread) => unread.message,
                };
                let is_embedded = cluster.version().await.is_ok_and(|version| version.is_embedded());
                Err(Diagnostic::error(code::UNSEALED, "the sealing controller gives no certificate")
                    .note(error.diagnose().message)
                    .note(keys)
                    .help(if is_embedded {
                        "the embedded cluster has it built in, as `sealed-secrets-controller` of kube-system: leave --controller-namespace and --controller-name away"
                    } else {
                        "`landfall serve` makes a key and opens what is sealed with it; so does `landfall addon install sealed-secrets`; or say where the controller is: --controller-namespace, --controller-name"
                    }))
            }
        }
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
        let definitions = match offers {
            Some(offers) => offers.definitions(&kind).map(|(_, definitions)| definitions).unwrap_or_default(),
            // One that is reached by a kubeconfig has its controller as well.
            None if cluster.version().await.is_ok_and(|version| version.is_embedded()) => {
                let definitions = landfall_object::operators::definitions(&kind.group).into_iter();
                definitions.filter_map(|it| Object::from_value(it).ok()).collect()
            }
            None => Vec::new(),
        };
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
