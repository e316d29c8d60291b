//! A Secret becomes a SealedSecret (`pkg/kubeseal/kubeseal.go`, `v1alpha1.NewSealedSecret`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::hybrid::{self, CryptoError};
use crate::key::PublicKey;
use crate::plain::PlainSecret;
use crate::scope::Scope;
use crate::{API_VERSION, KIND};

/// Why a Secret is not sealed; the words are kubeseal's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It has no values.
    #[error(
        "secret.data is empty in input Secret, assuming this is an error and aborting. To work with empty data, --allow-empty-data can be used"
    )]
    Empty,
    /// It has no name.
    #[error("missing metadata.name in input Secret")]
    Nameless,
    /// It is in another namespace than was asked for.
    #[error("namespace mismatch: input secret is in namespace {found:?} but {wanted:?} was specified")]
    Elsewhere {
        /// Where it is.
        found: String,
        /// Where it was to be.
        wanted: String,
    },
    /// It is in no namespace.
    #[error("secret must declare a namespace")]
    Nowhere,
    /// The cryptography refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// What names a namespace for Secrets that name none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Override {
    /// Nothing does.
    #[default]
    None,
    /// It is the one to take, as a kubeconfig's context says.
    Fallback(String),
    /// It was asked for: another one of the Secret is an error.
    Asked(String),
}

/// How a Secret is to be sealed.
#[derive(Debug, Clone, Default)]
pub struct Sealing {
    /// The scope, where it is not the Secret's own annotations that say it.
    pub scope: Scope,
    /// Another name; empty for the Secret's own.
    pub name: String,
    /// Another namespace, that of the file that is merged into; empty for the Secret's own.
    pub within: String,
    /// What names the namespace besides.
    pub namespace: Override,
    /// Whether a Secret without values is meant.
    pub empty: bool,
}

/// Seals a Secret's values, each with a session key of its own.
///
/// # Errors
/// [`SealError`]
pub fn seal(mut secret: PlainSecret, key: &PublicKey, how: &Sealing) -> Result<Value, SealError> {
    if secret.data.is_empty() && !how.empty {
        return Err(SealError::Empty);
    }
    if !how.name.is_empty() {
        secret.metadata["name"] = how.name.as_str().into();
    }
    if secret.said("name").is_empty() {
        return Err(SealError::Nameless);
    }
    if !how.within.is_empty() {
        secret.metadata["namespace"] = how.within.as_str().into();
    }
    if how.scope != Scope::Strict {
        how.scope.write(&mut secret.metadata);
    }
    let scope = Scope::of(&secret.metadata);
    if scope != Scope::ClusterWide {
        place(&mut secret, &how.namespace)?;
    }
    let (namespace, name) = (secret.said("namespace").to_owned(), secret.said("name").to_owned());
    let label = scope.label(&namespace, &name);
    let mut sealed = Map::new();
    for (entry, value) in &secret.data {
        let value = hybrid::seal(key, value.reveal(), &label)?;
        sealed.insert(entry.clone(), STANDARD.encode(value).into());
    }
    let mut metadata = json!({"name": name});
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    if scope != Scope::Strict {
        scope.write(&mut metadata);
    }
    let mut template = json!({"metadata": secret.metadata});
    if !secret.kind.is_empty() {
        template["type"] = secret.kind.as_str().into();
    }
    if let Some(immutable) = secret.immutable {
        template["immutable"] = immutable.into();
    }
    Ok(json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": {"template": template, "encryptedData": sealed},
    }))
}

/// Says in which namespace it is, where it does not say so itself.
fn place(secret: &mut PlainSecret, namespace: &Override) -> Result<(), SealError> {
    let found = secret.said("namespace").to_owned();
    let wanted = match namespace {
        Override::None => "",
        Override::Fallback(wanted) => wanted,
        Override::Asked(wanted) if !found.is_empty() && found != *wanted => {
            return Err(SealError::Elsewhere { found, wanted: wanted.clone() });
        }
        Override::Asked(wanted) => wanted,
    };
    if found.is_empty() {
        if wanted.is_empty() {
            return Err(SealError::Nowhere);
        }
        secret.metadata["namespace"] = wanted.into();
    }
    Ok(())
}
