//! Service account tokens: signed, checked, reviewed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use landfall_object::Gvk;
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::dispatch::Target;
use crate::clock::rfc3339;
use crate::managers;
use crate::plane::Plane;
use crate::resource::Resource;
use crate::status::{FieldError, Status};
use crate::world::User;

const ISSUER: &str = "https://kubernetes.default.svc";

pub(crate) fn create(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let gvk = Gvk::new("authentication.k8s.io", "v1", "TokenRequest");
    let (mut request, _) = body::typed(&plane.schemas(), &gvk, &call.headers, &call.body, FieldValidation::Warn)?;
    let path = target.path;
    let (account, now) = {
        let world = plane.world.lock();
        (world.get("serviceaccounts", &path.namespace, &path.name)?, world.now())
    };
    let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
    if seconds < 600 {
        let error =
            FieldError::invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes");
        return Err(Status::invalid("authentication.k8s.io", "TokenRequest", "", vec![error]));
    }
    if seconds > 1 << 32 {
        let detail = "may not specify a duration larger than 2^32 seconds";
        let error = FieldError::invalid("spec.expirationSeconds", seconds, detail);
        return Err(Status::invalid("authentication.k8s.io", "TokenRequest", "", vec![error]));
    }
    let audiences = match request["spec"]["audiences"].as_array() {
        Some(given) if !given.is_empty() => Value::Array(given.clone()),
        _ => json!([ISSUER]),
    };
    let expires = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now);
    let claims = json!({
        "iss": ISSUER,
        "sub": format!("system:serviceaccount:{}:{}", path.namespace, path.name),
        "aud": audiences,
        "iat": now.as_second(),
        "nbf": now.as_second(),
        "exp": expires.as_second(),
        "jti": plane.world.lock().random().uuid(),
        "kubernetes.io": {
            "namespace": path.namespace,
            "serviceaccount": {"name": path.name, "uid": account.uid()},
        },
    });
    // Who asked shows in the answer, although nothing is stored.
    let resource = plane.world.lock().resource("serviceaccounts")?;
    let owner = Resource {
        group: gvk.group.to_string(),
        version: gvk.version.to_string(),
        kind: gvk.kind.to_string(),
        ..Resource::clone(&resource)
    };
    managers::record_update(&plane.world.lock(), &owner, None, &mut request, &call.actor().manager, "token");
    let key = EncodingKey::from_ec_pem(plane.credentials.signing_key().as_bytes()).map_err(Status::internal)?;
    let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).map_err(Status::internal)?;
    request["metadata"]["name"] = json!(path.name);
    request["metadata"]["namespace"] = json!(path.namespace);
    request["metadata"]["creationTimestamp"] = json!(rfc3339(now));
    request["metadata"]["uid"] = json!(plane.world.lock().random().uuid());
    request["spec"]["audiences"] = audiences;
    request["spec"]["expirationSeconds"] = json!(seconds);
    request["status"] = json!({"token": token, "expirationTimestamp": rfc3339(expires)});
    Ok(Answer::value(201, &request, call.accept.encoding))
}

/// The service account a token stands for: signature, time and the account's continued existence are checked.
pub(crate) fn user_of(plane: &Plane, token: &str) -> Option<User> {
    let verifying = plane.credentials.verifying_key().ok()?;
    let key = DecodingKey::from_ec_pem(verifying.as_bytes()).ok()?;
    let mut validation = Validation::new(Algorithm::ES256);
    // The cluster's clock may be virtual: times are compared below.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_issuer(&[ISSUER]);
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).ok()?.claims;
    let world = plane.world.lock();
    let now = world.now().as_second();
    if claims["exp"].as_i64()? <= now || claims["nbf"].as_i64()? > now {
        return None;
    }
    let bound = &claims["kubernetes.io"];
    let (namespace, name) = (bound["namespace"].as_str()?, bound["serviceaccount"]["name"].as_str()?);
    let account = world.find("serviceaccounts", namespace, name)?;
    if bound["serviceaccount"]["uid"].as_str()? != account.uid() {
        return None;
    }
    let mut extra = BTreeMap::new();
    if let Some(id) = claims["jti"].as_str() {
        extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("JTI={id}")]);
    }
    Some(User {
        name: format!("system:serviceaccount:{namespace}:{name}"),
        uid: account.uid().to_owned(),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ],
        extra,
    })
}
