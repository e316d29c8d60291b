//! What an issuer of identities is believed: tokens that one of its own keys has signed, for whom it is meant, and in time. Keys
//! are found by discovery (`.well-known/openid-configuration`), fetched anew when a token names one that is not known or when
//! they are some minutes old, so that one that was taken back opens nothing for long, and not more often than every ten seconds.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_engine::Clock;
use landfall_source::{Access, HttpClient, Network, Redirects};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

/// Largest answer of an issuer, in bytes, and the longest wait for one.
pub(super) const LARGEST: u64 = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
/// Keys are not fetched more often than that.
const REFETCHED: SignedDuration = SignedDuration::from_secs(10);
/// How long keys are taken for the issuer's own without asking again.
const TAKEN: SignedDuration = SignedDuration::from_mins(5);
/// By how much two clocks may differ, in seconds.
pub(super) const LEEWAY: i64 = 60;

/// By what a token may be signed: keys that only the issuer has.
const SIGNED_BY: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The keys of an issuer.
pub(super) struct IssuerKeys {
    issuer: String,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    places: Option<Places>,
    keys: JwkSet,
    /// When they were read, and when it was tried last.
    read: Option<Timestamp>,
    looked: Option<Timestamp>,
}

/// Where an issuer answers what. One that vouches for CI jobs lets nobody sign in.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Places {
    issuer: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    jwks_uri: String,
}

impl IssuerKeys {
    /// Those of an issuer that is not asked yet.
    ///
    /// # Errors
    /// [`code::BAD_ARGUMENTS`]: an address that everybody on the way could read, unless it is this machine's.
    pub(super) fn new(issuer: &str, network: &Network, clock: Arc<dyn Clock>) -> Result<Self, Diagnostic> {
        checked(issuer)?;
        let access = Access {
            redirects: Redirects::Stop,
            timeout: Some(PATIENCE),
            patience: Some(PATIENCE),
            ..Access::default()
        };
        let http = network.client(access);
        Ok(IssuerKeys { issuer: issuer.to_owned(), http, clock, known: Mutex::default() })
    }

    /// How the issuer is asked.
    pub(super) fn http(&self) -> &HttpClient {
        &self.http
    }

    /// The claims of a token that the issuer has signed for an audience, and that is good now.
    ///
    /// # Errors
    /// [`code::ISSUER_FAILED`]: it is not to be believed, or nobody can say so.
    pub(super) async fn believed(&self, token: &str, audience: &str) -> Result<Value, Diagnostic> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("the issuer's token cannot be read"))?;
        if !SIGNED_BY.contains(&header.alg) {
            return Err(refused("the issuer's token is not signed with a key of its own"));
        }
        let key = self.key_of(header.kid.as_deref(), header.alg).await?;
        let mut validation = Validation::new(header.alg);
        // Time is ours to tell.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[audience]);
        let claims = jsonwebtoken::decode::<Value>(token, &key, &validation)
            .map_err(|error| refused("the issuer's token is not to be believed").note(error.to_string()))?
            .claims;
        let now = self.clock.now().as_second();
        let at = |claim: &str| claims[claim].as_i64();
        if at("exp").is_none_or(|end| end.saturating_add(LEEWAY) <= now) {
            return Err(refused("the issuer's token is past its time"));
        }
        if ["nbf", "iat"].iter().any(|claim| at(claim).is_some_and(|begin| begin > now + LEEWAY)) {
            return Err(refused("the issuer's token is of a time to come"));
        }
        Ok(claims)
    }

    /// The key that a token names; keys that are not known, or have been for long, are fetched.
    async fn key_of(&self, kid: Option<&str>, by: Algorithm) -> Result<DecodingKey, Diagnostic> {
        let places = self.places().await?;
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        let is_recent = known.read.is_some_and(|at| now.duration_since(at) < TAKEN);
        if is_recent && let Some(key) = found(&known.keys, kid, by) {
            return Ok(key);
        }
        let unknown = || refused("the issuer's token names a key that the issuer does not have");
        if known.looked.is_some_and(|at| now.duration_since(at) < REFETCHED) {
            return Err(if is_recent { unknown() } else { silent().note("it was asked a moment ago") });
        }
        known.looked = Some(now);
        known.keys = self.read(&places.jwks_uri).await?;
        known.read = Some(now);
        found(&known.keys, kid, by).ok_or_else(unknown)
    }

    /// Where the issuer answers what.
    pub(super) async fn places(&self) -> Result<Places, Diagnostic> {
        let mut known = self.known.lock().await;
        if let Some(places) = &known.places {
            return Ok(places.clone());
        }
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let places: Places = self.read(&address).await?;
        if places.issuer != self.issuer {
            return Err(refused("the issuer calls itself otherwise").note(format!("it says {}", places.issuer)));
        }
        let others = [&places.authorization_endpoint, &places.token_endpoint].into_iter().flatten();
        for address in others.chain([&places.jwks_uri]) {
            checked(address)?;
        }
        known.places = Some(places.clone());
        Ok(places)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, address: &str) -> Result<T, Diagnostic> {
        let silent = || silent().note(format!("it was asked at {address}"));
        let reply = self.http.send(Method::GET, address, HeaderMap::new(), Vec::new(), LARGEST).await;
        let reply = reply.map_err(|error| silent().note(error.diagnose().message))?;
        if reply.status != 200 {
            return Err(silent().note(format!("it answered {}", reply.status)));
        }
        serde_json::from_slice(&reply.body)
            .map_err(|error| refused("the issuer's answer cannot be read").note(error.to_string()))
    }

    #[cfg(test)]
    pub(super) async fn last_look(&self) -> tokio::sync::MappedMutexGuard<'_, Option<Timestamp>> {
        tokio::sync::MutexGuard::map(self.known.lock().await, |known| &mut known.looked)
    }
}

/// The key of a set that a token names and that is for such a signature; without a name the only one.
fn found(keys: &JwkSet, kid: Option<&str>, by: Algorithm) -> Option<DecodingKey> {
    let jwk = match kid {
        Some(kid) => keys.find(kid)?,
        None if keys.keys.len() == 1 => keys.keys.first()?,
        None => return None,
    };
    is_for(jwk, by).then(|| DecodingKey::from_jwk(jwk).ok()).flatten()
}

/// Whether its issuer has made a key for such a signature, as far as it says: what another one was made for proves nothing.
fn is_for(jwk: &Jwk, by: Algorithm) -> bool {
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let named = jwk.common.key_algorithm.map(|it| serde_json::json!(it));
    signs && named.is_none_or(|named| named == serde_json::json!(by))
}

/// Whether an address is spoken to: over TLS, or on this machine.
///
/// # Errors
/// [`code::BAD_ARGUMENTS`]: it is not.
pub(super) fn checked(address: &str) -> Result<(), Diagnostic> {
    let host = landfall_source::host_of(address);
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name).trim_matches(['[', ']']);
    let is_here = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if address.starts_with("https://") || (is_here && address.starts_with("http://")) {
        return Ok(());
    }
    let text = format!("{address} is not spoken to for sign-ins: everybody on the way could read them");
    Err(Diagnostic::error(code::BAD_ARGUMENTS, text).help("give its https:// address"))
}

/// That nobody can say whom an issuer would let in.
pub(super) fn silent() -> Diagnostic {
    Diagnostic::error(code::ISSUER_SILENT, "the issuer does not answer")
}

/// Why an issuer is not believed.
pub(super) fn refused(why: &str) -> Diagnostic {
    Diagnostic::refused(code::ISSUER_FAILED, why)
}
