//! Tokens of Secrets that name a service account (`pkg/controller/serviceaccount/tokens_controller.go`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_apiserver::{Credentials, Status};
use serde_json::json;

use super::desk::{Desk, Found, Outcome, guard};
use super::fields::{child, deleting, text};
use super::kind::{SECRET, SERVICE_ACCOUNT};
use super::loops::{After, Call, Loop, Wake};
use super::queue::Role;

/// The Secrets that are looked after.
const TYPE: &str = "kubernetes.io/service-account-token";
/// Which account one is for, by name and by UID.
const ACCOUNT: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::Token,
    kinds: &[SECRET],
    wakes: &[Wake { after: After::These(&[SERVICE_ACCOUNT.id]), queue: of_account }],
};

/// The Secrets of an account that came or went.
fn of_account(call: &mut Call<'_>) {
    let account = call.object();
    for secret in call.world.list(SECRET.qualified(), Some(account.namespace())) {
        if is_token(secret) && secret.annotation(ACCOUNT) == Some(account.name()) {
            call.look_at(&SECRET, account.namespace(), secret.name());
        }
    }
}

fn is_token(secret: &Found) -> bool {
    text(secret, "/type") == TYPE
}

/// Fills a Secret in, or lets it go with its account.
pub(super) fn reconcile(
    desk: &mut Desk<'_>,
    credentials: &Credentials,
    namespace: &str,
    name: &str,
) -> Result<Outcome, Status> {
    let Some(secret) = desk.get(&SECRET, namespace, name) else { return Ok(Outcome::done()) };
    let Some(account) = secret.annotation(ACCOUNT).filter(|_| is_token(&secret) && !deleting(&secret)) else {
        return Ok(Outcome::done());
    };
    let uid = secret.annotation(ACCOUNT_UID).unwrap_or_default();
    let account = desk.get(&SERVICE_ACCOUNT, namespace, account).filter(|it| uid.is_empty() || it.uid() == uid);
    let Some(account) = account else {
        // A key that is generated once is nobody's to take away.
        if guard(&secret, None).is_ok() {
            desk.delete(&SECRET, namespace, name)?;
        }
        return Ok(Outcome::done());
    };
    let mut filled = secret.value().clone();
    child(child(&mut filled, "metadata"), "annotations")[ACCOUNT_UID] = account.uid().into();
    let authority = STANDARD.encode(&desk.world().settings().authority);
    let data = child(&mut filled, "data");
    if data["token"].as_str().is_none_or(str::is_empty) {
        let token = credentials.secret_token(&account, name).map_err(Status::internal)?;
        data["token"] = STANDARD.encode(token).into();
    }
    data["ca.crt"] = json!(authority);
    data["namespace"] = STANDARD.encode(namespace).into();
    if filled != *secret.value() {
        desk.update(&SECRET, filled)?;
    }
    Ok(Outcome::done())
}
