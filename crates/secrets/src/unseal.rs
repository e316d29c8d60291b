//! A SealedSecret becomes a Secret (`v1alpha1.SealedSecret.Unseal`), or is sealed anew under the newest key.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::ONCE_ANNOTATION;
use landfall_sprig::{Context, decode_base64};
use serde_json::{Map, Value, json};

use crate::hybrid::{self, CryptoError};
use crate::key::Certificate;
use crate::keyring::Keyring;
use crate::masked::Masked;
use crate::plain::{self, PlainError, PlainSecret};
use crate::scope::Scope;
use crate::template;
use crate::{API_VERSION, KIND, SKIP_OWNER};

/// Why a SealedSecret gives no Secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// `spec.encryptedData` is no map of texts: upstream would take it for an empty one, and empty the Secret.
    #[error("spec.encryptedData must be a map of texts")]
    InvalidEncryptedData,
    /// The template claims a wider scope than the metadata gives.
    #[error("the template claims the scope {template}, but the metadata gives no more than {metadata}")]
    WiderTemplate {
        /// What the template says.
        template: &'static str,
        /// What holds.
        metadata: &'static str,
    },
    /// Both forms of values at once; the words are upstream's.
    #[error("cannot use the field 'encryptedData' and the deprecated field 'data' at the same time")]
    Both,
    /// Values that do not open, and texts that cannot be filled: what is wrong, and with which keys; never a value.
    #[error("{}", grouped(.0))]
    Keys(BTreeMap<String, String>),
    /// What is not of the form of a SealedSecret.
    #[error(transparent)]
    Form(#[from] PlainError),
    /// The cryptography refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// There is no key to seal with.
    #[error("there is no sealing key")]
    NoKey,
}

/// What is wrong, each with its keys: `no key could decrypt secret (A, B)`, a line each.
fn grouped(problems: &BTreeMap<String, String>) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (key, problem) in problems {
        match groups.iter_mut().find(|(known, _)| known == problem) {
            Some((_, keys)) => keys.push(key),
            None => groups.push((problem, vec![key])),
        }
    }
    let lines: Vec<String> = groups.iter().map(|(problem, keys)| format!("{problem} ({})", keys.join(", "))).collect();
    lines.join("\n")
}

/// What a SealedSecret opened to.
#[derive(Debug)]
pub struct Unsealed {
    /// The Secret, in the SealedSecret's own namespace under its own name.
    pub secret: PlainSecret,
    /// Whether it belongs to the SealedSecret, and goes with it.
    pub owned: bool,
}

impl Unsealed {
    /// The Secret as the controller writes it, with the SealedSecret as its owner where it has one.
    pub fn to_secret(&self, sealed: &Value) -> Value {
        let mut secret = self.secret.to_value();
        if self.owned {
            let said = |pointer: &str| sealed.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            secret["metadata"]["ownerReferences"] = json!([{
                "apiVersion": said("/apiVersion"),
                "kind": said("/kind"),
                "name": said("/metadata/name"),
                "uid": said("/metadata/uid"),
                "controller": true,
            }]);
        }
        secret
    }
}

/// Opens a SealedSecret with whichever keys do.
///
/// # Errors
/// [`UnsealError`], in upstream's words where it has some.
pub fn unseal(sealed: &Value, keyring: &Keyring, context: &Context) -> Result<Unsealed, UnsealError> {
    let own = sealed.get("metadata").cloned().unwrap_or_default();
    let scope = Scope::of(&own);
    let template = sealed.pointer("/spec/template").cloned().unwrap_or_default();
    let claimed = Scope::of(template.get("metadata").unwrap_or(&Value::Null));
    if claimed > scope {
        return Err(UnsealError::WiderTemplate { template: claimed.name(), metadata: scope.name() });
    }
    let said = |field: &str| own.get(field).and_then(Value::as_str).unwrap_or_default();
    let label = scope.label(said("namespace"), said("name"));
    let values = encrypted(sealed)?;
    let mut secret = match sealed.pointer("/spec/data").and_then(Value::as_str).filter(|text| !text.is_empty()) {
        Some(_) if !values.is_empty() => return Err(UnsealError::Both),
        Some(whole) => first_form(whole, keyring, &label)?,
        None => opened(&template, &values, keyring, &label, context)?,
    };
    for field in ["name", "namespace"] {
        match said(field) {
            "" => {}
            text => secret.metadata[field] = text.into(),
        }
    }
    let annotations = template.pointer("/metadata/annotations");
    let skips = annotations.and_then(|all| all.get(SKIP_OWNER)).is_some_and(|it| it == "true");
    // What is generated once may not go because its SealedSecret, or the definition of all of them, was deleted.
    let is_once = annotations.and_then(|all| all.get(ONCE_ANNOTATION)).is_some();
    Ok(Unsealed { secret, owned: !skips && !is_once })
}

/// The sealed values by their keys.
fn encrypted(sealed: &Value) -> Result<BTreeMap<String, String>, UnsealError> {
    match sealed.pointer("/spec/encryptedData") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(values)) => {
            let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(UnsealError::InvalidEncryptedData);
            values.iter().map(|(key, value)| Ok((key.clone(), text(value)?))).collect()
        }
        Some(_) => Err(UnsealError::InvalidEncryptedData),
    }
}

fn opened(
    template: &Value,
    sealed: &BTreeMap<String, String>,
    keyring: &Keyring,
    label: &[u8],
    context: &Context,
) -> Result<PlainSecret, UnsealError> {
    let mut problems = BTreeMap::new();
    let mut data = BTreeMap::new();
    for (key, text) in sealed {
        let bytes = decode_base64(text.as_bytes()).map_err(|at| format!("illegal base64 data at input byte {at}"));
        match bytes.and_then(|bytes| keyring.open(&bytes, label).map_err(|error| error.to_string())) {
            Ok((value, _)) => {
                data.insert(key.clone(), value);
            }
            Err(problem) => {
                problems.insert(key.clone(), problem);
            }
        }
    }
    if problems.is_empty() {
        let texts = template.get("data").and_then(Value::as_object);
        let mut filled = BTreeMap::new();
        for (key, text) in texts.into_iter().flatten() {
            let text = plain::text(text).ok_or_else(|| plain::mismatch(text, "SecretTemplateSpec.data", "string"))?;
            match template::fill(key, &text, &data, context) {
                Ok(value) => {
                    filled.insert(key.clone(), value);
                }
                Err(problem) => {
                    problems.insert(key.clone(), without_values(problem, &data));
                }
            }
        }
        data.extend(filled);
    }
    if !problems.is_empty() {
        return Err(UnsealError::Keys(problems));
    }
    Ok(PlainSecret {
        metadata: plain::metadata(template.get("metadata"))?,
        kind: template.get("type").and_then(plain::text).unwrap_or_default(),
        immutable: template.get("immutable").and_then(Value::as_bool),
        data,
    })
}

/// What a template says of itself, without the values that it may say: `{{ fail .PASSWORD }}`.
fn without_values(problem: String, values: &BTreeMap<String, Masked>) -> String {
    let mut texts: Vec<&str> = values.values().filter_map(|value| std::str::from_utf8(value.reveal()).ok()).collect();
    // The longest first: one may be part of another.
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let shown = |problem: String, text: &&str| problem.replace(*text, "***");
    texts.iter().filter(|text| text.trim().len() > 2).fold(problem, shown)
}

/// The form of the first versions: one sealed value that is a whole Secret.
fn first_form(whole: &str, keyring: &Keyring, label: &[u8]) -> Result<PlainSecret, UnsealError> {
    let alone = |problem: String| UnsealError::Keys([("data".to_owned(), problem)].into());
    let bytes =
        decode_base64(whole.as_bytes()).map_err(|at| alone(format!("illegal base64 data at input byte {at}")))?;
    let (value, _) = keyring.open(&bytes, label)?;
    let document =
        serde_json::from_slice(value.reveal()).map_err(|_| alone("what it holds is no Secret".to_owned()))?;
    PlainSecret::read(&document)?.ok_or_else(|| alone("what it holds is no Secret".to_owned()))
}

/// The same values under the newest key. What is sealed with it already keeps its bytes; the scope stays that of the
/// metadata, and the template gets the metadata's annotations of scope.
///
/// # Errors
/// [`UnsealError`]
pub fn reseal(sealed: &Value, keyring: &Keyring, newest: &Certificate) -> Result<Value, UnsealError> {
    let mut sealed = normalised(sealed)?;
    let own = sealed["metadata"].clone();
    let scope = Scope::of(&own);
    let claimed = Scope::of(sealed.pointer("/spec/template/metadata").unwrap_or(&Value::Null));
    if claimed > scope {
        return Err(UnsealError::WiderTemplate { template: claimed.name(), metadata: scope.name() });
    }
    let said = |field: &str| own.get(field).and_then(Value::as_str).unwrap_or_default();
    let label = scope.label(said("namespace"), said("name"));
    let (mut problems, mut anew) = (BTreeMap::new(), Map::new());
    let published = newest.key.fingerprint();
    for (key, text) in encrypted(&sealed)? {
        let bytes = decode_base64(text.as_bytes()).map_err(|at| format!("illegal base64 data at input byte {at}"));
        match bytes.and_then(|bytes| keyring.open(&bytes, &label).map_err(|error| error.to_string())) {
            Ok((_, at)) if keyring.keys()[at].private.public().fingerprint() == published => {
                anew.insert(key, text.into());
            }
            Ok((value, _)) => {
                let value = hybrid::seal(&newest.key, value.reveal(), &label)?;
                anew.insert(key, STANDARD.encode(value).into());
            }
            Err(problem) => {
                problems.insert(key, problem);
            }
        }
    }
    if !problems.is_empty() {
        return Err(UnsealError::Keys(problems));
    }
    sealed["spec"]["encryptedData"] = Value::Object(anew);
    Ok(sealed)
}

/// A SealedSecret with nothing in it but what one holds, as kubeseal reads it before it writes it again.
///
/// # Errors
/// [`UnsealError::Form`] for fields of other types, [`UnsealError::InvalidEncryptedData`].
pub fn normalised(found: &Value) -> Result<Value, UnsealError> {
    let mut template = Map::new();
    let given = found.pointer("/spec/template").cloned().unwrap_or_default();
    template.insert("metadata".to_owned(), plain::metadata(given.get("metadata"))?);
    if let Some(kind) = given.get("type").and_then(plain::text).filter(|kind| !kind.is_empty()) {
        template.insert("type".to_owned(), kind.into());
    }
    if let Some(immutable) = given.get("immutable").and_then(Value::as_bool) {
        template.insert("immutable".to_owned(), immutable.into());
    }
    if let Some(texts) = given.get("data").and_then(Value::as_object).filter(|texts| !texts.is_empty()) {
        let mut kept = Map::new();
        for (key, text) in texts {
            let wrong = || plain::mismatch(text, "SecretTemplateSpec.spec.template.data", "string");
            kept.insert(key.clone(), plain::text(text).ok_or_else(wrong)?.into());
        }
        template.insert("data".to_owned(), Value::Object(kept));
    }
    let values: Map<String, Value> = encrypted(found)?.into_iter().map(|(key, text)| (key, text.into())).collect();
    let mut spec = json!({"template": template, "encryptedData": values});
    if let Some(whole) = found.pointer("/spec/data").filter(|whole| whole.is_string()) {
        spec["data"] = whole.clone();
    }
    Ok(json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": plain::metadata(found.get("metadata"))?,
        "spec": spec,
    }))
}

/// A SealedSecret with another's values, and with its template's labels, annotations and texts, as `--merge-into` has it.
///
/// # Errors
/// [`UnsealError`], when one is of another form.
pub fn merged(into: &Value, other: &Value) -> Result<Value, UnsealError> {
    let (mut into, other) = (normalised(into)?, normalised(other)?);
    for path in [
        &["encryptedData"][..],
        &["template", "metadata", "annotations"],
        &["template", "metadata", "labels"],
        &["template", "data"],
    ] {
        let found = path.iter().try_fold(&other["spec"], |at, step| at.get(step)).and_then(Value::as_object);
        for (key, value) in found.into_iter().flatten() {
            let slot = path.iter().fold(&mut into["spec"], |at, step| &mut at[*step]);
            slot[key.as_str()] = value.clone();
        }
    }
    Ok(into)
}
