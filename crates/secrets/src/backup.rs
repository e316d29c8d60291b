//! What is saved of a cluster's secrets so that losing the cluster loses none: its sealing keys, and what is generated once.
//!
//! The document is a `List` of Secrets, encrypted for its recipients ([`crate::age`]): `age -d FILE | kubectl apply -f -` restores it
//! without us.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::{Object, once_keys};
use serde_json::{Map, Value, json};
use zeroize::Zeroize as _;

use crate::age::{self, AgeError, Audience, Identity};
use crate::control::{is_taken, leave};
use crate::keyring::{KEY_LABEL, KEY_PREFIX, Keyring, SealingKey};
use crate::masked::Masked;
use crate::plain;

/// What of a Secret is saved beside its metadata.
const SAVED: [&str; 3] = ["type", "immutable", "data"];

/// Why there is no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// It does not open.
    #[error(transparent)]
    Closed(#[from] AgeError),
    /// It opens to something else.
    #[error("it opens, but holds no list of Secrets")]
    Form,
}

/// Why a Secret is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// It holds a sealing key, of this fingerprint; in use or not, for values sealed with it may still lie in git.
    SealingKey(String),
    /// It holds these keys that are generated once.
    Once(Vec<String>),
}

/// Secrets that are saved; their values are in clear, and wiped when they go.
pub struct Backup {
    secrets: Vec<Value>,
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backup").field("secrets", &self.secrets.len()).finish()
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        self.secrets.iter_mut().for_each(wipe);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Why a Secret is to be saved, if it is.
pub fn saved_for(secret: &Object) -> Option<Saved> {
    let is_key = secret.label(KEY_LABEL).is_some() || secret.name() == KEY_PREFIX;
    if is_key && let Ok(key) = SealingKey::of_secret(secret.value()) {
        return Some(Saved::SealingKey(key.private.public().fingerprint()));
    }
    let once = once_keys(secret);
    (!once.is_empty()).then_some(Saved::Once(once))
}

/// What of a Secret is to be saved, as the ledger remembers it: a sealing key by its fingerprint, a key that is generated once
/// by `once NAMESPACE/NAME[KEY]`; neither ever changes.
pub fn saved_names(secret: &Object) -> Vec<String> {
    match saved_for(secret) {
        None => Vec::new(),
        Some(Saved::SealingKey(fingerprint)) => vec![fingerprint],
        Some(Saved::Once(keys)) => {
            let place = format!("{}/{}", secret.namespace().unwrap_or_default(), secret.name());
            keys.into_iter().map(|key| format!("once {place}[{key}]")).collect()
        }
    }
}

impl Backup {
    /// What of these Secrets is to be saved.
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut saved: Vec<Value> =
            secrets.into_iter().filter(|secret| saved_for(secret).is_some()).map(handed).collect();
        saved.sort_by_key(|secret| {
            let text = |field: &str| secret["metadata"][field].as_str().unwrap_or_default().to_owned();
            (text("namespace"), text("name"))
        });
        Self { secrets: saved }
    }

    /// Values that are about to be replaced, of one Secret.
    pub fn of_values<'v>(namespace: &str, name: &str, values: impl IntoIterator<Item = (&'v str, &'v Masked)>) -> Self {
        let data: Map<String, Value> =
            values.into_iter().map(|(key, value)| (key.to_owned(), STANDARD.encode(value.reveal()).into())).collect();
        let metadata = json!({"name": name, "namespace": namespace});
        Self { secrets: vec![json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})] }
    }

    /// The same with a Secret that is about to be made, whatever is in it.
    pub fn with(mut self, secret: &Object) -> Self {
        self.secrets.push(cleaned(secret));
        self
    }

    /// Nothing yet.
    pub fn nothing() -> Self {
        Self { secrets: Vec::new() }
    }

    /// What it saves, as the ledger remembers it ([`saved_names`]).
    pub fn saves(&self) -> Vec<String> {
        self.secrets().flat_map(|secret| saved_names(&secret)).collect()
    }

    /// Its Secrets.
    pub fn secrets(&self) -> impl Iterator<Item = Object> {
        self.secrets.iter().filter_map(|secret| Object::from_value(secret.clone()).ok())
    }

    /// Whether there is nothing to be saved.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// All its sealing keys, those that are no longer in use among them.
    pub fn keyring(&self) -> Keyring {
        Keyring::new(self.secrets.iter().filter_map(|secret| SealingKey::of_secret(secret).ok()))
    }

    /// The encrypted file.
    ///
    /// # Errors
    /// [`AgeError::Nobody`], [`AgeError::Failed`]
    pub fn close(&self, audience: &Audience) -> Result<String, AgeError> {
        let mut document = json!({"apiVersion": "v1", "kind": "List", "items": self.secrets});
        let mut text = document.to_string();
        wipe(&mut document);
        let file = age::encrypt(audience, text.as_bytes());
        text.zeroize();
        file
    }

    /// Opens a file.
    ///
    /// # Errors
    /// [`BackupError`]
    pub fn open(identities: &[Identity], file: &[u8]) -> Result<Self, BackupError> {
        let text = age::decrypt(identities, file)?;
        let document: Value = serde_json::from_slice(text.reveal()).map_err(|_| BackupError::Form)?;
        let Value::Object(mut document) = document else { return Err(BackupError::Form) };
        let Some(Value::Array(secrets)) = document.remove("items") else { return Err(BackupError::Form) };
        let backup = Self { secrets };
        let is_secret = |secret: &Value| secret["kind"] == "Secret" && secret["apiVersion"] == "v1";
        if backup.secrets.iter().all(is_secret) { Ok(backup) } else { Err(BackupError::Form) }
    }
}

/// The same of a Secret that lives. By its owner, or by who wrote it, the controller knew whose it is, and neither comes along:
/// what a SealedSecret could write is marked, so that the one that is delivered next finds it, whoever restores it.
fn handed(secret: &Object) -> Value {
    let mut saved = cleaned(secret);
    if is_taken(secret.value()) {
        leave(&mut saved);
    }
    saved
}

/// A Secret as another cluster can take it: nothing of its server's, no owner that is not there.
fn cleaned(secret: &Object) -> Value {
    let found = secret.value();
    let mut kept = Map::new();
    kept.insert("apiVersion".to_owned(), "v1".into());
    kept.insert("kind".to_owned(), "Secret".into());
    let mut metadata = plain::metadata(found.get("metadata")).unwrap_or_default();
    if let Some(fields) = metadata.as_object_mut() {
        fields.retain(|field, _| !matches!(field.as_str(), "generateName" | "managedFields" | "finalizers"));
    }
    kept.insert("metadata".to_owned(), metadata);
    for field in SAVED {
        if let Some(value) = found.get(field).filter(|value| !value.is_null()) {
            kept.insert(field.to_owned(), value.clone());
        }
    }
    Value::Object(kept)
}

/// Whether two values of `data` are one, compared in constant time; what is absent or no base64 equals nothing.
pub fn same_value(one: Option<&str>, other: Option<&str>) -> bool {
    let decoded = |text: Option<&str>| text.and_then(|text| STANDARD.decode(text).ok());
    match (decoded(one), decoded(other)) {
        (Some(one), Some(other)) => aws_lc_rs::constant_time::verify_slices_are_equal(&one, &other).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::KeySize;
    use crate::age::Recipient;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    fn audience(identity: &Identity) -> Audience {
        let recipient: Recipient = identity.recipient().expect("a key").expect("no passphrase");
        Audience::Recipients(vec![recipient])
    }

    #[test]
    fn sealing_keys_in_use_or_not_and_what_is_generated_once_are_saved_and_nothing_else() {
        let key = SealingKey::generate(KeySize::Rsa2048, Timestamp::UNIX_EPOCH).expect("a key");
        let mut active = key.to_secret("kube-system");
        active["metadata"]["name"] = "sealed-secrets-keyabc".into();
        active["metadata"]["uid"] = "1".into();
        active["metadata"]["ownerReferences"] = json!([{"kind": "X"}]);
        let retired = SealingKey::generate(KeySize::Rsa2048, Timestamp::UNIX_EPOCH).expect("a key");
        let mut retired = retired.to_secret("kube-system");
        retired["metadata"]["name"] = "old".into();
        retired["metadata"]["labels"][KEY_LABEL] = "compromised".into();
        let once = json!({"apiVersion": "v1", "kind": "Secret", "data": {"P": "Y2FuYXJ5"},
            "metadata": {"name": "keys", "namespace": "shop", "annotations": {"landfall.dev/once": "P"}}});
        let other = json!({"apiVersion": "v1", "kind": "Secret", "data": {"P": "YQ=="},
            "metadata": {"name": "other", "namespace": "shop"}});
        let objects = [once, other, retired, active].map(object);
        let backup = Backup::of(&objects);
        let names: Vec<String> = backup.secrets().map(|secret| secret.name().to_owned()).collect();
        assert_eq!(names, ["old", "sealed-secrets-keyabc", "keys"]);
        assert_eq!(backup.keyring().keys().len(), 2);
        assert_eq!(saved_for(&objects[0]), Some(Saved::Once(vec!["P".to_owned()])));

        let identity = Identity::generate().expect("random");
        let file = backup.close(&audience(&identity)).expect("encrypted");
        assert!(!file.contains("Y2FuYXJ5") && !format!("{backup:?}").contains("Y2FuYXJ5"));
        let again = Backup::open(std::slice::from_ref(&identity), file.as_bytes()).expect("opens");
        let saved: Vec<Object> = again.secrets().collect();
        assert_eq!(saved[2].str_at("/data/P"), Some("Y2FuYXJ5"));
        assert_eq!(saved[1].at("/metadata/uid"), None);
        assert_eq!(saved[1].at("/metadata/ownerReferences"), None);
        let stranger = [Identity::generate().expect("random")];
        assert_eq!(Backup::open(&stranger, file.as_bytes()).map(drop), Err(BackupError::Closed(AgeError::Closed)));
    }

    #[test]
    fn what_a_sealed_secret_wrote_is_saved_as_its_to_take_and_what_another_wrote_is_not() {
        let saved = |more: Value| {
            let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"P": "YQ=="},
                "metadata": {"name": "keys", "namespace": "shop", "annotations": {"landfall.dev/once": "P"}}});
            for (field, value) in more.as_object().into_iter().flatten() {
                secret["metadata"][field] = value.clone();
            }
            let backup = Backup::of(&[object(secret)]);
            backup.secrets().any(|it| it.annotation(crate::MANAGED) == Some("true"))
        };
        let owner = |api: &str, kind: &str| {
            saved(json!({"ownerReferences": [{"apiVersion": api, "kind": kind, "controller": true}]}))
        };
        let written = |manager: &str| {
            let fields = json!({"f:metadata": {"f:annotations": {"f:landfall.dev/once": {}}}});
            saved(json!({"managedFields": [{"manager": manager, "fieldsV1": fields}]}))
        };
        assert!(owner("bitnami.com/v1alpha1", "SealedSecret"), "the original's");
        assert!(
            written(crate::control::TWIN) && written(crate::control::KEEPER),
            "what is generated once has no owner"
        );
        assert!(!owner("cert-manager.io/v1", "Certificate") && !written("kubectl-create") && !written("landfall"));
        assert!(!saved(json!({})));
    }

    #[test]
    fn what_opens_to_something_else_is_no_backup() {
        let identity = Identity::generate().expect("random");
        for text in ["", "{}", "[]", r#"{"items": [{"kind": "Pod", "apiVersion": "v1"}]}"#] {
            let file = age::encrypt(&audience(&identity), text.as_bytes()).expect("encrypted");
            let opened = Backup::open(std::slice::from_ref(&identity), file.as_bytes()).map(drop);
            assert_eq!(opened, Err(BackupError::Form), "{text}");
        }
    }

    #[test]
    fn values_are_compared_as_bytes() {
        assert!(same_value(Some("YQ=="), Some("YQ==")));
        assert!(!same_value(Some("YQ=="), Some("Yg==")));
        assert!(!same_value(None, None));
    }
}
