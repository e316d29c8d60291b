//! Service account tokens: signed, checked, reviewed.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use landfall_object::Gvk;
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::target::Target;
use crate::clock::rfc3339;
use crate::credentials::SECRET_ISSUER;
use crate::managers;
use crate::plane::Plane;
use crate::resource::Resource;
use crate::status::{FieldError, Status};
use crate::world::{Stored, User, World};

/// Who signs, and for whom tokens are that name no audience.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc";

/// What is told of a token that stands for nobody.
pub(crate) const INVALID: &str = "invalid bearer token";

pub(crate) fn create(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let gvk = Gvk::new("authentication.k8s.io", "v1", "TokenRequest");
    let (mut request, _) = body::typed(&plane.schemas(), &gvk, &call.headers, &call.body, FieldValidation::Warn)?;
    let path = target.path;
    let (account, now) = {
        let world = plane.world.lock();
        (world.get("serviceaccounts", &path.namespace, &path.name)?, world.now())
    };
    check_identity(&gvk, &request, &account)?;
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
    let bound = Bound::of_request(plane, &request["spec"]["boundObjectRef"], &account)?;
    let audiences = match request["spec"]["audiences"].as_array() {
        Some(given) if !given.is_empty() => Value::Array(given.clone()),
        _ => json!([ISSUER]),
    };
    let expires = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now);
    let mut claims = json!({
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
    for (field, to) in [("pod", &bound.pod), ("secret", &bound.secret), ("node", &bound.node)] {
        if let Some((name, uid)) = to {
            claims["kubernetes.io"][field] = json!({"name": name, "uid": uid});
        }
    }
    // Who asked shows in the answer, although nothing is stored.
    let resource = plane.world.lock().resource("serviceaccounts")?;
    let owner = Resource {
        group: gvk.group.to_string(),
        version: gvk.version.to_string(),
        kind: gvk.kind.to_string(),
        ..Resource::clone(&resource)
    };
    managers::record_update(&plane.world.lock(), &owner, None, &mut request, &call.actor().manager, "token");
    let token = plane.credentials.sign_claims(&claims).map_err(Status::internal)?;
    request["metadata"]["name"] = json!(path.name);
    request["metadata"]["namespace"] = json!(path.namespace);
    request["metadata"]["creationTimestamp"] = json!(rfc3339(now));
    request["metadata"]["uid"] = json!(account.uid());
    request["spec"]["audiences"] = audiences;
    request["spec"]["expirationSeconds"] = json!(seconds);
    request["status"] = json!({"token": token, "expirationTimestamp": rfc3339(expires)});
    Ok(Answer::value(201, &request, call.accept.encoding))
}

/// What the request says of the account must be so.
fn check_identity(gvk: &Gvk, request: &Value, account: &Stored) -> Result<(), Status> {
    let given = |field: &str| request["metadata"][field].as_str().unwrap_or_default();
    if !given("namespace").is_empty() && given("namespace") != account.namespace() {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if !given("name").is_empty() && given("name") != account.name() {
        let why = "must match the service account name if specified";
        let error = FieldError::invalid("metadata.name", given("name"), why);
        return Err(Status::invalid(&gvk.group, &gvk.kind, account.name(), vec![error]));
    }
    if !given("uid").is_empty() && given("uid") != account.uid() {
        let why = format!(
            "the UID in the token request ({}) does not match the UID of the service account ({})",
            given("uid"),
            account.uid()
        );
        return Err(Status::conflict(&gvk.group, &gvk.kind, account.name(), &why));
    }
    Ok(())
}

/// The object that a token lives and dies with, each by name and UID; a pod's with its node.
#[derive(Default)]
struct Bound {
    pod: Option<(String, String)>,
    secret: Option<(String, String)>,
    node: Option<(String, String)>,
}

impl Bound {
    /// What a request asks to be bound to.
    fn of_request(plane: &Plane, refers: &Value, account: &Stored) -> Result<Self, Status> {
        let mut bound = Self::default();
        if !refers.is_object() {
            return Ok(bound);
        }
        let text = |field: &str| refers[field].as_str().unwrap_or_default();
        let world = plane.world.lock();
        let identity = |object: &Stored| Some((object.name().to_owned(), object.uid().to_owned()));
        let (slot, found) = match (text("apiVersion"), text("kind")) {
            ("v1", "Pod") => {
                let pod = world.get("pods", account.namespace(), text("name"))?;
                if pod["spec"]["serviceAccountName"].as_str().unwrap_or_default() != account.name() {
                    return Err(Status::bad_request(format!(
                        "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                        account.name()
                    )));
                }
                let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
                bound.node = world.find("nodes", "", node).as_deref().and_then(identity);
                (&mut bound.pod, pod)
            }
            ("v1", "Secret") => (&mut bound.secret, world.get("secrets", account.namespace(), text("name"))?),
            ("v1", "Node") => (&mut bound.node, world.get("nodes", "", text("name"))?),
            (version, kind) => {
                let (group, version) = version.split_once('/').unwrap_or(("", version));
                return Err(Status::bad_request(format!(
                    "cannot bind token to object of type {group}/{version}, Kind={kind}"
                )));
            }
        };
        if !text("uid").is_empty() && text("uid") != found.uid() {
            let why = format!(
                "the UID in the bound object reference ({}) does not match the UID in record. The object might have been deleted and then recreated",
                text("uid")
            );
            return Err(Status::conflict("", text("kind"), text("name"), &why));
        }
        *slot = identity(&found);
        Ok(bound)
    }

    /// What a token's claims say.
    fn of_claims(claims: &Value) -> Self {
        let of = |field: &str| {
            let text = |part: &str| claims[field][part].as_str().map(str::to_owned);
            Some((text("name")?, text("uid")?))
        };
        Self { pod: of("pod"), secret: of("secret"), node: of("node") }
    }

    /// Whether the object is still there; else what is wrong.
    fn check(&self, world: &World, namespace: &str) -> Result<(), String> {
        let there = |resource: &str, namespace: &str, (name, uid): &(String, String)| {
            let found = world.find(resource, namespace, name);
            // Who is on the way out may still use its token.
            if found.is_some_and(|object| object.uid() == uid) {
                Ok(())
            } else {
                Err("service account token has been invalidated".to_owned())
            }
        };
        if let Some(secret) = &self.secret {
            there("secrets", namespace, secret)?;
        }
        match (&self.pod, &self.node) {
            (Some(pod), _) => there("pods", namespace, pod),
            (None, Some(node)) => there("nodes", "", node),
            (None, None) => Ok(()),
        }
    }

    /// What is known of the user by it.
    fn extra(&self, extra: &mut BTreeMap<String, Vec<String>>) {
        for (kind, object) in [("pod", &self.pod), ("node", &self.node)] {
            if let Some((name, uid)) = object {
                extra.insert(format!("authentication.kubernetes.io/{kind}-name"), vec![name.clone()]);
                extra.insert(format!("authentication.kubernetes.io/{kind}-uid"), vec![uid.clone()]);
            }
        }
    }
}

/// The service account that a token stands for, and for which of these audiences it is; else what is wrong. Signature,
/// audience, time, and the continued existence of the account and of what the token is bound to are checked.
pub(crate) fn user_of(plane: &Plane, token: &str, audiences: &[&str]) -> Result<(User, Vec<String>), String> {
    let claims = claims_of(plane, token).ok_or_else(|| INVALID.to_owned())?;
    let own: Vec<String> = match &claims["aud"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    // Who names nobody means the API server.
    let own = if own.is_empty() { vec![ISSUER.to_owned()] } else { own };
    let common = audiences.iter().filter(|audience| own.iter().any(|own| own == *audience));
    let common: Vec<String> = common.map(|audience| (*audience).to_owned()).collect();
    if common.is_empty() {
        let list = |texts: &[&str]| texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(" ");
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        return Err(format!(
            "token audiences [{}] is invalid for the target audiences [{}]",
            list(&own),
            list(audiences)
        ));
    }
    let world = plane.world.lock();
    if claims["iss"] == SECRET_ISSUER {
        return Ok((user_of_secret(&world, &claims, token)?, common));
    }
    let now = world.now().as_second();
    if claims["exp"].as_i64().is_none_or(|until| until <= now) {
        return Err("service account token has expired".to_owned());
    }
    if claims["nbf"].as_i64().is_none_or(|from| from > now) {
        return Err("service account token is not valid yet".to_owned());
    }
    let private = &claims["kubernetes.io"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (namespace, name) = (text(&private["namespace"]), text(&private["serviceaccount"]["name"]));
    let uid = text(&private["serviceaccount"]["uid"]);
    let account = account_of(&world, (&namespace, &name), &uid)?;
    let bound = Bound::of_claims(private);
    bound.check(&world, &namespace)?;
    let mut extra = BTreeMap::new();
    if let Some(id) = claims["jti"].as_str() {
        extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("JTI={id}")]);
    }
    bound.extra(&mut extra);
    Ok((User { extra, ..account_user(&account) }, common))
}

/// The account that the token of a Secret stands for, while both are there and the Secret holds it; else what is wrong
/// (`legacyValidator.Validate`).
fn user_of_secret(world: &World, claims: &Value, token: &str) -> Result<User, String> {
    let text = |field: &str| claims[format!("kubernetes.io/serviceaccount/{field}")].as_str().unwrap_or_default();
    let namespace = text("namespace");
    let secret = world.get("secrets", namespace, text("secret.name")).ok();
    let held = secret.and_then(|it| STANDARD.decode(it["data"]["token"].as_str().unwrap_or_default()).ok());
    if held.as_deref() != Some(token.as_bytes()) {
        return Err("service account token has been invalidated".to_owned());
    }
    let account = account_of(world, (namespace, text("service-account.name")), text("service-account.uid"))?;
    Ok(account_user(&account))
}

/// The account that a token names, while it is the same; else what is wrong.
fn account_of(world: &World, (namespace, name): (&str, &str), uid: &str) -> Result<Arc<Stored>, String> {
    let account = world.get("serviceaccounts", namespace, name).map_err(|status| status.message)?;
    if uid != account.uid() {
        return Err(format!("service account UID ({}) does not match claim ({uid})", account.uid()));
    }
    Ok(account)
}

/// A service account as a user.
fn account_user(account: &Stored) -> User {
    let (namespace, name) = (account.namespace(), account.name());
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
        "system:authenticated".to_owned(),
    ];
    User {
        name: format!("system:serviceaccount:{namespace}:{name}"),
        uid: account.uid().to_owned(),
        groups: groups.into(),
        extra: BTreeMap::new(),
    }
}

/// What a token that this cluster signed says.
fn claims_of(plane: &Plane, token: &str) -> Option<Value> {
    let verifying = plane.credentials.verifying_key().ok()?;
    let key = DecodingKey::from_ec_pem(verifying.as_bytes()).ok()?;
    let mut validation = Validation::new(Algorithm::ES256);
    // The cluster's clock may be virtual, and several audiences may be asked for: both are compared by the caller.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_issuer(&[ISSUER, SECRET_ISSUER]);
    validation.required_spec_claims.clear();
    Some(jsonwebtoken::decode::<Value>(token, &key, &validation).ok()?.claims)
}
