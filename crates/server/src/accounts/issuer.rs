//! Sign-in by an issuer of identities: OpenID Connect's authorization code with PKCE. What the issuer says is believed when its
//! own keys have signed it, for us, for this sign-in, and in time (`keys.rs`).

use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_engine::Clock;
use landfall_source::Network;
use landfall_store::Facts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::keys::{IssuerKeys, LARGEST, Places, checked, refused, silent};
use super::{Secure, Who, password};

/// How long somebody may take at the issuer.
const TAKES: SignedDuration = SignedDuration::from_mins(10);
/// Most groups of somebody that are taken, and the longest name.
const MOST_GROUPS: usize = 1000;
const LONGEST: usize = 256;

/// How an issuer is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuerOptions {
    /// Its address, as its tokens have it.
    pub issuer: String,
    /// Who we are there.
    pub client: String,
    /// What proves it; a public client has none.
    pub secret: String,
    /// Our own address, as browsers reach it: `https://landfall.example.com`.
    pub own_address: String,
}

impl std::fmt::Debug for IssuerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuerOptions")
            .field("issuer", &self.issuer)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// Where the key is kept that sign-ins are sealed with.
const SIGN_INS: &str = "sign-ins";
const KEY: &str = "key";

/// An issuer of identities.
pub(crate) struct Issuer {
    options: IssuerOptions,
    clock: Arc<dyn Clock>,
    /// What a sign-in that was begun is sealed with: this process's own until it is shared.
    key: aws_lc_rs::hmac::Key,
    keys: IssuerKeys,
}

/// A sign-in that was begun: the browser brings it back.
#[derive(Serialize, Deserialize)]
struct Begun {
    state: String,
    nonce: String,
    verifier: String,
    until: i64,
}

/// A sign-in that was begun: where the browser goes, and what it keeps meanwhile.
pub(crate) struct Beginning {
    pub(crate) location: String,
    pub(crate) kept: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Issuer {
    /// One that is not asked yet.
    ///
    /// # Errors
    /// [`code::BAD_ARGUMENTS`]: an address that everybody on the way could read, unless it is this machine's.
    pub(crate) fn new(options: IssuerOptions, network: &Network, clock: Arc<dyn Clock>) -> Result<Self, Diagnostic> {
        checked(&options.own_address)?;
        let keys = IssuerKeys::new(&options.issuer, network, Arc::clone(&clock))?;
        let secret = password::random_bytes::<32>()?;
        Ok(Issuer {
            options: IssuerOptions { own_address: options.own_address.trim_end_matches('/').to_owned(), ..options },
            clock,
            key: aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret),
            keys,
        })
    }

    /// The same with what all have who share a store: a browser that one replica has led to the issuer may come back to another one,
    /// or to this one when it has been started again.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub(crate) async fn shared(self, facts: &Facts) -> Result<Self, Diagnostic> {
        let own = URL_SAFE_NO_PAD.encode(password::random_bytes::<32>()?);
        let failed = |error: landfall_store::Error| error.diagnose();
        // Of several who begin at once one is the first.
        facts.claim(SIGN_INS, KEY, &own.into()).await.map_err(failed)?;
        let kept = facts.get(SIGN_INS, KEY).await.map_err(failed)?;
        let secret = kept.as_ref().and_then(Value::as_str).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let secret = secret.filter(|secret| secret.len() >= 32);
        let secret = secret.ok_or_else(|| Diagnostic::error(code::BUG, "the store's key of sign-ins is none"))?;
        Ok(Issuer { key: aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret), ..self })
    }

    /// Whether browsers reach us over TLS.
    pub(crate) fn secure(&self) -> Secure {
        if self.options.own_address.starts_with("https://") { Secure::Yes } else { Secure::No }
    }

    /// Where it is come back to.
    fn back(&self) -> String {
        format!("{}/api/v1/session/issuer/back", self.options.own_address)
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// The issuer does not answer.
    pub(crate) async fn begin(&self) -> Result<Beginning, Diagnostic> {
        let authorization = self.place(|places| places.authorization_endpoint).await?;
        let random = || password::random_bytes::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let until = self.clock.now().checked_add(TAKES).map_or(0, Timestamp::as_second);
        let begun = Begun { state: random()?, nonce: random()?, verifier: random()?, until };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(begun.verifier.as_bytes()));
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.options.client)
            .append_pair("redirect_uri", &self.back())
            .append_pair("scope", "openid profile email groups")
            .append_pair("state", &begun.state)
            .append_pair("nonce", &begun.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        let and = if authorization.contains('?') { '&' } else { '?' };
        let location = format!("{authorization}{and}{query}");
        Ok(Beginning { location, kept: self.sealed(&begun) })
    }

    /// Ends a sign-in: what the browser kept, and what it brings from the issuer. `scopes` are the claims that hold groups.
    ///
    /// # Errors
    /// [`code::ISSUER_FAILED`]: nobody is signed in, and why.
    pub(crate) async fn end(&self, kept: &str, query: &str, scopes: &[String]) -> Result<Who, Diagnostic> {
        let begun = self.opened(kept).ok_or_else(|| no("no sign-in was begun here, or it took too long"))?;
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let one = |name: &str| {
            let mut found = pairs.iter().filter(|(key, _)| key == name).map(|(_, text)| text.as_str());
            found.next().filter(|_| found.next().is_none())
        };
        let same = |a: &str, b: &str| aws_lc_rs::constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes());
        if one("state").is_none_or(|state| same(state, &begun.state).is_err()) {
            return Err(no("what came back is no answer to the sign-in that was begun"));
        }
        if one("error").is_some() {
            return Err(no("the issuer has not let anybody in"));
        }
        let code = one("code").ok_or_else(|| no("the issuer has sent no code"))?;
        let token = self.exchanged(code, &begun.verifier).await?;
        let claims = self.verified(&token, &begun.nonce).await?;
        self.who(&claims, scopes)
    }

    /// What is sent for a code: its head and its body.
    fn exchange(&self, code: &str, verifier: &str) -> Result<(HeaderMap, Vec<u8>), Diagnostic> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.back())
            .append_pair("code_verifier", verifier);
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if self.options.secret.is_empty() {
            body.append_pair("client_id", &self.options.client);
        } else {
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&self.options.client), encoded(&self.options.secret));
            let basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)));
            let mut basic = basic.map_err(|_| no("the client's secret cannot be sent"))?;
            basic.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, basic);
        }
        Ok((headers, body.finish().into_bytes()))
    }

    async fn exchanged(&self, code: &str, verifier: &str) -> Result<String, Diagnostic> {
        let place = self.place(|places| places.token_endpoint).await?;
        let (headers, body) = self.exchange(code, verifier)?;
        let reply = self.keys.http().send(Method::POST, &place, headers, body, LARGEST).await;
        let reply = reply.map_err(|error| again(silent().note(error.diagnose().message)))?;
        if reply.status >= 500 {
            return Err(again(silent().note(format!("it answered {}", reply.status))));
        }
        if reply.status != 200 {
            // What it says may hold the code.
            return Err(no("the issuer gives nothing for the code").note(format!("it answered {}", reply.status)));
        }
        let tokens: Tokens = serde_json::from_slice(&reply.body).map_err(|_| no("the issuer sends no token"))?;
        Ok(tokens.id_token)
    }

    /// One of the places where the issuer lets people in.
    async fn place(&self, which: impl FnOnce(Places) -> Option<String>) -> Result<String, Diagnostic> {
        which(self.keys.places().await?).ok_or_else(|| no("the issuer lets nobody sign in: it names no place for that"))
    }

    /// The claims of a token that the issuer has signed for us, for this sign-in, and that is good now.
    async fn verified(&self, token: &str, nonce: &str) -> Result<Value, Diagnostic> {
        let claims = self.keys.believed(token, &self.options.client).await.map_err(again)?;
        if claims["nonce"].as_str() != Some(nonce) {
            return Err(no("the issuer's token is for another sign-in"));
        }
        let several = claims["aud"].as_array().is_some_and(|list| list.len() > 1);
        let party = claims["azp"].as_str();
        if party.is_some_and(|party| party != self.options.client) || (several && party.is_none()) {
            return Err(no("the issuer's token is for somebody else, too"));
        }
        Ok(claims)
    }

    /// Whoever the claims are of: by a verified e-mail, else by the issuer's own name for that one.
    fn who(&self, claims: &Value, scopes: &[String]) -> Result<Who, Diagnostic> {
        let text = |claim: &str| claims[claim].as_str().filter(|text| !text.is_empty() && text.len() <= LONGEST);
        let subject = text("sub").ok_or_else(|| no("the issuer's token names nobody"))?;
        let mail = text("email").filter(|_| claims["email_verified"] == true);
        let name = mail.unwrap_or(subject);
        let is_role = |name: &str| name.starts_with("role:") || name.starts_with("proj:");
        if is_role(name) || name.chars().any(char::is_control) {
            return Err(no("the issuer's name for somebody is that of a role"));
        }
        let mut groups: Vec<String> = vec![subject.to_owned()];
        for scope in scopes {
            match &claims[scope] {
                // An address that nobody has looked at is no group.
                Value::String(_) if scope == "email" && mail.is_none() => {}
                Value::String(one) => groups.push(one.clone()),
                Value::Array(list) => groups.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
                _ => {}
            }
        }
        groups.retain(|group| !group.is_empty() && group.len() <= LONGEST && !is_role(group));
        if groups.len() > MOST_GROUPS {
            return Err(no("the issuer names more groups than anybody is in"));
        }
        Ok(Who {
            session: String::new(),
            name: name.to_owned(),
            issuer: self.options.issuer.clone(),
            roles: Vec::new(),
            groups,
            must_change: false,
            ends_at: String::new(),
        })
    }

    fn sealed(&self, begun: &Begun) -> String {
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(begun).unwrap_or_default());
        let seal = aws_lc_rs::hmac::sign(&self.key, text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(seal.as_ref()))
    }

    fn opened(&self, kept: &str) -> Option<Begun> {
        let (text, seal) = kept.split_once('.')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        aws_lc_rs::hmac::verify(&self.key, text.as_bytes(), &seal).ok()?;
        let begun: Begun = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        (self.clock.now().as_second() < begun.until).then_some(begun)
    }
}

fn no(why: &str) -> Diagnostic {
    again(refused(why))
}

fn again(diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.help("sign in again: GET /api/v1/session/issuer")
}

#[cfg(test)]
pub(super) mod tests;
