//! How a served cluster is talked to: by its address, its token and the authority that signed its certificate.
//!
//! The file `kubeconfig` is written for kubectl and others. Of it the authority is read and nothing else: a kubeconfig
//! can name programs, files and servers.

use async_recursion::async_recursion as boxed;
use kube::config::{KubeConfigOptions, Kubeconfig};
use landfall_diag::{Diagnostic, code};
use serde_json::{Value, json};

use super::StateDir;
use crate::failure::Failure;

/// What it takes to talk to a served cluster.
pub struct Access {
    server: String,
    token: String,
    /// Its certificate, PEM in base64, as kubeconfigs have it.
    authority: String,
}

impl StateDir {
    /// How the cluster is talked to that is served now.
    ///
    /// # Errors
    /// Nobody serves, or what a server writes down is not there.
    pub fn access(&self) -> Result<Access, Diagnostic> {
        let unreadable = |name: &str, why: String| {
            Diagnostic::error(code::UNREADABLE_ACCESS, format!("`{}` cannot be read", self.file(name).display()))
                .note(why)
        };
        let read =
            |name: &str| std::fs::read_to_string(self.file(name)).map_err(|error| unreadable(name, error.to_string()));
        let endpoint = self.endpoint().ok_or_else(|| {
            Diagnostic::error(code::NOT_RUNNING, "the embedded cluster does not run, so no kubeconfig leads to it")
                .help("landfall cluster start")
        })?;
        let kubeconfig = landfall_yaml::to_json(&read("kubeconfig")?)
            .map_err(|error| unreadable("kubeconfig", error.to_string()))?;
        let authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"].as_str();
        let authority = authority.ok_or_else(|| unreadable("kubeconfig", "it names no authority".to_owned()))?;
        Ok(Access { server: endpoint.server, token: read("token")?.trim().to_owned(), authority: authority.to_owned() })
    }
}

impl Access {
    /// How a cluster is talked to that this process serves itself.
    pub(crate) fn of(served: &landfall_drydock::Served) -> Self {
        let kubeconfig = landfall_yaml::to_json(&served.kubeconfig()).unwrap_or_default();
        let authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"].as_str();
        Access {
            server: format!("https://{}", served.address),
            token: served.token.clone(),
            authority: authority.unwrap_or_default().to_owned(),
        }
    }

    /// The kubeconfig that leads there, made anew.
    pub fn kubeconfig(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "landfall",
                "cluster": {"server": self.server, "certificate-authority-data": self.authority},
            }],
            "users": [{"name": "landfall-admin", "user": {"token": self.token}}],
            "contexts": [{
                "name": "landfall",
                "context": {"cluster": "landfall", "user": "landfall-admin", "namespace": "default"},
            }],
            "current-context": "landfall",
        })
    }

    /// The same as text.
    ///
    /// # Errors
    /// Nothing that a cluster wrote; the emitter's.
    pub fn kubeconfig_text(&self) -> Result<String, Failure> {
        landfall_yaml::emit(&self.kubeconfig()).map_err(|error| unusable(&error.to_string()))
    }

    /// A client; no request is made yet.
    ///
    /// # Errors
    /// A certificate that is none.
    #[boxed]
    pub async fn client(&self) -> Result<kube::Client, Failure> {
        let kubeconfig: Kubeconfig =
            serde_json::from_value(self.kubeconfig()).map_err(|error| unusable(&error.to_string()))?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .map_err(|error| unusable(&error.to_string()))?;
        landfall_cluster::client(config).map_err(|error| unusable(&error.to_string()))
    }
}

fn unusable(why: &str) -> Failure {
    Failure::from(Diagnostic::error(code::EMBEDDED_UNTALKABLE, "the embedded cluster cannot be talked to").note(why))
}
