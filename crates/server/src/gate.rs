//! Who asks, and what that one may: the one layer under every route.
//!
//! A token is `lf_ID_SECRET`. The store has of the secret its digest alone: 32 random bytes cannot be guessed, so that one
//! SHA-256 is enough, and nothing that is read out of a store opens anything. What a token may is a scope and the
//! projects whose Applications it sees; neither scope holds the other one. One that was issued for a role may what the policy
//! lets that role, within its scopes and projects. A browser comes with a session of an account; that one may what the policy
//! lets it, its roles and its groups.

use std::sync::Arc;

use ::http::{HeaderMap, Method, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use landfall_diag::{Diagnostic, code};
use landfall_engine::Clock;
use landfall_store::{TokenRow, Tokens};
use sha2::{Digest as _, Sha256};

use crate::accounts::{Accounts, Job, Roles, Standing, Subject, Who};
use crate::actor::{Actor, Authority, Bounds, Means, Need, Permission, Scope, no_right};
use crate::paths::Paths;

/// What a token looks like in front.
const PREFIX: &str = "lf_";
/// Random bytes of a token's public half and of its secret half.
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
/// The use of a token is written down again after so many seconds.
const USED_AGAIN: i64 = 60;
/// How long after its end a CI job's token is listed.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);
/// The longest token that is looked at.
const LONGEST_TOKEN: usize = 256;

/// A token as its owner gets it, once.
pub struct Token {
    id: String,
    secret: String,
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn random() -> Result<Self, Diagnostic> {
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        for bytes in [&mut id[..], &mut secret[..]] {
            aws_lc_rs::rand::fill(bytes)
                .map_err(|_| Diagnostic::error(code::BUG, "the system gives no random numbers"))?;
        }
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Token { id, secret: URL_SAFE_NO_PAD.encode(secret) })
    }

    /// Reads one; nothing for what is none.
    fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX).filter(|it| it.len() <= LONGEST_TOKEN)?.split_once('_')?;
        // What cannot be one costs no look into the store.
        let is_id = id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_whole = is_id && !secret.is_empty();
        is_whole.then(|| Token { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// Its public half.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is kept of its secret half.
    pub fn digest(&self) -> String {
        Sha256::digest(self.secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The whole of it, for its owner.
    pub fn revealed(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The answer's status.
    pub(crate) status: StatusCode,
    /// In words.
    pub(crate) diagnostic: Box<Diagnostic>,
    /// Who asked, where that is known.
    pub(crate) actor: Option<String>,
}

/// The cookie that a browser's session is kept in.
pub(crate) const COOKIE: &str = "landfall-session";
/// The header without which a session changes nothing: a page of another site cannot send it.
pub(crate) const OWN_PAGE: &str = "x-landfall-request";

/// Lets in.
pub(crate) struct Gate {
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    accounts: Arc<Accounts>,
    roles: Arc<Roles>,
    /// The token that lies in the state directory, for commands of whoever runs the server: by its digest.
    local: (String, Actor),
}

impl Gate {
    pub(crate) fn new(
        tokens: Tokens,
        clock: Arc<dyn Clock>,
        (accounts, roles): (Arc<Accounts>, Arc<Roles>),
        (local, runs): (&Token, &str),
    ) -> Self {
        Gate { tokens, clock, accounts, roles, local: (local.digest(), Actor::of_cluster(runs)) }
    }

    /// Accounts of our own, and who is signed in.
    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// What stands about roles.
    pub(crate) fn roles(&self) -> Arc<Standing> {
        self.roles.now()
    }

    /// Who asks, if that one may do what a route is for.
    pub(crate) async fn admit(&self, method: &Method, headers: &HeaderMap, need: Need) -> Result<Actor, Refused> {
        let actor = self.known(method, headers).await?;
        let refused = |diagnostic: Diagnostic| Refused {
            status: StatusCode::FORBIDDEN,
            diagnostic: Box::new(diagnostic),
            actor: Some(actor.name.clone()),
        };
        if actor.session().is_some_and(|who| who.must_change) {
            return Err(refused(
                Diagnostic::refused(code::PASSWORD_MUST_CHANGE, "the first password has to be changed")
                    .help("POST /api/v1/session/password {\"old\": …, \"new\": …}"),
            ));
        }
        if !actor.may_somewhere(need) {
            return Err(refused(no_right(&actor, need)));
        }
        Ok(actor.asking(need.permission))
    }

    /// Who asks, whatever that one may.
    pub(crate) async fn known(&self, method: &Method, headers: &HeaderMap) -> Result<Actor, Refused> {
        if headers.contains_key(header::AUTHORIZATION) {
            return self.with_token(method, headers).await;
        }
        let Some(secret) = cookie(headers, COOKIE) else { return self.with_token(method, headers).await };
        let failed = |diagnostic: Diagnostic| Refused {
            status: StatusCode::SERVICE_UNAVAILABLE,
            diagnostic: Box::new(diagnostic),
            actor: None,
        };
        let Some(who) = self.accounts.who(&secret).await.map_err(failed)? else {
            return Err(unknown("nobody is signed in any more", "sign in again"));
        };
        own_page(method, headers).map_err(|mut refused| {
            refused.actor = Some(who.name.clone());
            refused
        })?;
        Ok(self.of_session(who))
    }

    /// Whoever is behind a session.
    pub(crate) fn of_session(&self, who: Who) -> Actor {
        let subject = Subject { name: who.name.clone(), roles: who.roles.clone(), groups: who.groups.clone() };
        let authority = Authority::OfRoles { subject, roles: Arc::clone(&self.roles), within: Bounds::everything() };
        Actor { name: who.name.clone(), authority, means: Means::Session(Box::new(who)), asks: Permission::LOOK }
    }

    /// Whether what somebody came with is still good.
    pub(crate) async fn is_still_good(&self, actor: &Actor) -> bool {
        match &actor.means {
            Means::Here => true,
            Means::Token(id) => matches!(self.tokens.find(id).await, Ok(Some(row)) if self.is_good(&row)),
            Means::Session(who) => matches!(self.accounts.of_session(&who.session).await, Ok(Some(_))),
        }
    }

    /// A token for a CI job, which nobody knows yet.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(crate) fn token_for(&self, job: &Job) -> Result<(Token, TokenRow), Diagnostic> {
        let token = Token::random()?;
        let now = landfall_object::whole_second(self.clock.now());
        let identity = &job.identity;
        let row = TokenRow {
            id: token.id.clone(),
            name: identity.name.clone(),
            digest: token.digest(),
            scopes: identity.scopes.clone(),
            projects: identity.projects.clone(),
            paths: identity.paths.clone(),
            role: identity.role.clone(),
            issued_at: now.to_string(),
            issued_by: job.issuer.clone(),
            expires_at: Some(now.checked_add(identity.lasts()).unwrap_or(now).to_string()),
            revoked_at: None,
            used_at: None,
        };
        Ok((token, row))
    }

    /// Makes a CI job's token known; those of its issuer that ended a day ago are forgotten.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(crate) async fn issue(&self, row: &TokenRow) -> Result<(), Diagnostic> {
        let failed = |error: landfall_store::Error| landfall_diag::Diagnose::diagnose(&error);
        self.tokens.issue(row).await.map_err(failed)?;
        let now = landfall_object::whole_second(self.clock.now());
        let before = now.checked_sub(FORGOTTEN).unwrap_or(now).to_string();
        self.tokens.forget(&row.issued_by, &before).await.map_err(failed)
    }

    async fn with_token(&self, method: &Method, headers: &HeaderMap) -> Result<Actor, Refused> {
        let refused = |why: &str| unknown(why, "issue one on the server's machine: landfall token create NAME");
        let Some(given) = given(method, headers) else {
            return Err(refused("this wants a token: `Authorization: Bearer lf_…`"));
        };
        let unknown = || refused("the token is not known, revoked, or past its time");
        let token = Token::parse(&given).ok_or_else(unknown)?;
        let digest = token.digest();
        if same(&digest, &self.local.0) {
            return Ok(self.local.1.clone());
        }
        let found = self.tokens.find(&token.id).await.map_err(|error| Refused {
            status: StatusCode::SERVICE_UNAVAILABLE,
            diagnostic: Box::new(landfall_diag::Diagnose::diagnose(&error)),
            actor: None,
        })?;
        let row = found.filter(|row| same(&row.digest, &digest) && self.is_good(row)).ok_or_else(unknown)?;
        self.note_use(&row).await;
        let scopes = row.scopes.iter().filter_map(|word| Scope::parse(word)).collect();
        let bounds = Bounds { scopes, projects: row.projects, paths: Paths::kept(&row.paths) };
        let authority = match row.role.as_str() {
            "" => Authority::Scoped(bounds),
            role => {
                let subject = Subject { name: role.to_owned(), roles: Vec::new(), groups: Vec::new() };
                Authority::OfRoles { subject, roles: Arc::clone(&self.roles), within: bounds }
            }
        };
        Ok(Actor { name: row.name, authority, means: Means::Token(row.id), asks: Permission::LOOK })
    }

    fn is_good(&self, row: &TokenRow) -> bool {
        let in_time = match row.expires_at.as_deref().map(str::parse::<Timestamp>) {
            None => true,
            Some(Ok(end)) => self.clock.now() < end,
            // An end that cannot be read may have passed.
            Some(Err(_)) => false,
        };
        in_time && row.revoked_at.is_none()
    }

    async fn note_use(&self, row: &TokenRow) {
        let now = self.clock.now();
        let before = row.used_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
        if before.is_none_or(|at| now.duration_since(at) >= SignedDuration::from_secs(USED_AGAIN)) {
            let now = landfall_object::whole_second(now).to_string();
            if let Err(error) = self.tokens.used(&row.id, &now).await {
                tracing::warn!("the use of a token cannot be written down: {error}");
            }
        }
    }
}

fn unknown(why: &str, help: &str) -> Refused {
    Refused {
        status: StatusCode::UNAUTHORIZED,
        diagnostic: Box::new(Diagnostic::refused(code::UNKNOWN_TOKEN, why).help(help)),
        actor: None,
    }
}

/// A browser sends its cookies along whoever asks it to: what changes something must carry what no page of another site can
/// send, and come from no such page where the browser says so.
pub(crate) fn own_page(method: &Method, headers: &HeaderMap) -> Result<(), Refused> {
    if method == Method::GET || method == Method::HEAD {
        return Ok(());
    }
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if headers.contains_key(OWN_PAGE) && matches!(site, None | Some("same-origin")) {
        return Ok(());
    }
    let text = "this page is not the server's own, or its request does not say that it is";
    Err(Refused {
        status: StatusCode::FORBIDDEN,
        diagnostic: Box::new(
            Diagnostic::refused(code::FOREIGN_PAGE, text).help(format!("send the header {OWN_PAGE}: 1 along")),
        ),
        actor: None,
    })
}

/// A cookie of a request.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, text)| text.to_owned());
    // Two of one name: one of them was put there by somebody else.
    found.next().filter(|_| found.next().is_none())
}

/// The token of a request: of its bearer, or, to look at something, the password that a browser asks its user for. A
/// browser sends that along whoever asks it to, so that nothing is changed by it.
fn given(method: &Method, headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    let looks = method == Method::GET || method == Method::HEAD;
    if !scheme.eq_ignore_ascii_case("basic") || !looks {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// Whether two digests are the same, in a time that does not hang on where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use landfall_engine::WallClock;
    use landfall_store::{Location, Store};

    use super::*;
    use crate::accounts::password;
    use crate::actor::Breadth;

    const READ: Need = Need { permission: Permission::LOOK, breadth: Breadth::Seen };

    const POLICY: &str = "p, role:nonprod, applications, *, test/*, allow\np, role:nonprod, logs, get, test/*, allow\n\
        g, deploy, role:nonprod";

    async fn gate() -> (Gate, Store, Token) {
        let store = Store::open(Location::Memory).await.expect("opened");
        let local = Token::random().expect("random");
        let accounts = Arc::new(Accounts::new(store.accounts.clone(), Arc::new(WallClock)));
        let roles = Arc::new(Roles::new(Some(POLICY.to_owned())).expect("a policy"));
        let gate = Gate::new(store.tokens.clone(), Arc::new(WallClock), (accounts, roles), (&local, "local"));
        (gate, store, local)
    }

    async fn issue(store: &Store, scopes: &[&str], projects: &[&str], expires: Option<&str>) -> Token {
        let token = Token::random().expect("random");
        let texts = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        let row = TokenRow {
            id: token.id.clone(),
            name: "ci".to_owned(),
            digest: token.digest(),
            scopes: texts(scopes),
            projects: texts(projects),
            paths: Vec::new(),
            role: String::new(),
            issued_at: "2026-01-01T00:00:00Z".to_owned(),
            issued_by: "anna".to_owned(),
            expires_at: expires.map(str::to_owned),
            revoked_at: None,
            used_at: None,
        };
        store.tokens.issue(&row).await.expect("issued");
        token
    }

    fn bearer(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {text}").parse().expect("a header"));
        headers
    }

    async fn status(gate: &Gate, text: &str, need: Need) -> u16 {
        let admitted = gate.admit(&Method::POST, &bearer(text), need).await;
        admitted.err().map_or(200, |refused| refused.status.as_u16())
    }

    #[tokio::test]
    async fn a_token_opens_what_its_scope_says_and_nothing_else() {
        let (gate, store, local) = gate().await;
        let reads = issue(&store, &["read"], &["*"], None).await.revealed();
        let syncs = issue(&store, &["sync"], &["shop-*"], None).await.revealed();
        let sync = Need { permission: Permission::SYNC, breadth: Breadth::Seen };
        let all = Need { permission: Permission::AUDIT, breadth: Breadth::All };
        assert_eq!(status(&gate, &reads, READ).await, 200);
        assert_eq!(status(&gate, &reads, all).await, 200);
        assert_eq!(status(&gate, &reads, sync).await, 403);
        assert_eq!(status(&gate, &syncs, READ).await, 403);
        assert_eq!(status(&gate, &syncs, sync).await, 200);
        let every = Need { permission: Permission::SYNC, breadth: Breadth::All };
        assert_eq!(status(&gate, &syncs, every).await, 403);
        assert_eq!(status(&gate, &local.revealed(), every).await, 200);
    }

    #[tokio::test]
    async fn what_is_no_good_token_opens_nothing() {
        let (gate, store, local) = gate().await;
        let late = issue(&store, &["read"], &["*"], Some("2020-01-01T00:00:00Z")).await;
        let odd = issue(&store, &["read"], &["*"], Some("some day")).await;
        let good = issue(&store, &["read"], &["*"], Some("2999-01-01T00:00:00Z")).await;
        let foreign = format!("{PREFIX}{}_{}", good.id, late.secret);
        for text in ["", "lf_", "lf__", "lf_a_b", "Bearer", &late.revealed(), &odd.revealed(), &foreign, &good.id] {
            assert_eq!(status(&gate, text, READ).await, 401, "{text}");
        }
        let half = format!("{PREFIX}{}_", local.id);
        assert_eq!(status(&gate, &half, READ).await, 401);
        let actor = gate.admit(&Method::GET, &bearer(&good.revealed()), READ).await.expect("good");
        assert!(gate.is_still_good(&actor).await);
        store.tokens.revoke(&good.id, "now").await.expect("revoked");
        assert_eq!(status(&gate, &good.revealed(), READ).await, 401);
        assert!(!gate.is_still_good(&actor).await);
        let row = store.tokens.find(&good.id).await.expect("read").expect("there");
        assert!(row.used_at.is_some() && !good.revealed().contains(&row.digest));
    }

    #[tokio::test]
    async fn a_browsers_password_looks_and_changes_nothing() {
        let (gate, _, local) = gate().await;
        let mut headers = HeaderMap::new();
        let pair = STANDARD.encode(format!("anybody:{}", local.revealed()));
        headers.insert(header::AUTHORIZATION, format!("Basic {pair}").parse().expect("a header"));
        assert!(gate.admit(&Method::GET, &headers, READ).await.is_ok());
        let refused = gate.admit(&Method::POST, &headers, READ).await.expect_err("refused");
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }

    /// A token for a role, and a browser that has signed in.
    async fn with_role(store: &Store, role: &str, scopes: &[&str], projects: &[&str]) -> String {
        let token = issue(store, &[], &[], None).await;
        let mut row = store.tokens.find(&token.id).await.expect("read").expect("there");
        let token = Token::random().expect("random");
        (row.id, row.digest, row.role) = (token.id.clone(), token.digest(), role.to_owned());
        row.scopes = scopes.iter().map(|it| (*it).to_owned()).collect();
        row.projects = projects.iter().map(|it| (*it).to_owned()).collect();
        store.tokens.issue(&row).await.expect("issued");
        token.revealed()
    }

    #[tokio::test]
    async fn a_token_for_a_role_may_what_the_policy_and_its_bounds_let_it() {
        let (gate, store, _) = gate().await;
        let sync = Need { permission: Permission::SYNC, breadth: Breadth::Seen };
        let whole = with_role(&store, "role:nonprod", &["read", "sync"], &["*"]).await;
        let narrow = with_role(&store, "role:nonprod", &["read"], &["other"]).await;
        let nobodys = with_role(&store, "role:unheard-of", &["read", "sync"], &["*"]).await;
        assert_eq!(status(&gate, &whole, sync).await, 200);
        assert_eq!(status(&gate, &narrow, sync).await, 403);
        assert_eq!(status(&gate, &nobodys, READ).await, 403);
        let actor = gate.admit(&Method::GET, &bearer(&whole), READ).await.expect("good");
        assert!(actor.may(Permission::SYNC, ("test", "argocd", "shop")));
        assert!(!actor.may(Permission::SYNC, ("prod", "argocd", "shop")));
        let narrow = gate.admit(&Method::GET, &bearer(&narrow), READ).await.expect("good");
        assert!(!narrow.may(Permission::LOOK, ("test", "argocd", "shop")), "its projects are others");
        let audit = Need { permission: Permission::AUDIT, breadth: Breadth::All };
        let refused = gate.admit(&Method::GET, &bearer(&whole), audit).await.expect_err("refused");
        assert_eq!(refused.diagnostic.code, code::NO_ROLE_FOR_IT);
    }

    fn browser(cookies: &str, more: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookies.parse().expect("a header"));
        for (name, text) in more {
            headers.insert(*name, text.parse().expect("a header"));
        }
        headers
    }

    #[tokio::test]
    async fn a_session_looks_by_itself_and_changes_something_from_the_servers_own_page_alone() {
        let (gate, store, _) = gate().await;
        let account = landfall_store::AccountRow {
            name: "deploy".to_owned(),
            password: password::digest("correct horse battery").expect("made"),
            must_change: false,
            roles: Vec::new(),
            created_at: "2026-01-01T00:00:00Z".to_owned(),
            created_by: "local".to_owned(),
            disabled_at: None,
            signed_in_at: None,
            failed: 0,
            closed_until: None,
        };
        store.accounts.create(&account).await.expect("made");
        let signed = gate.accounts().sign_in("deploy", "correct horse battery").await.expect("signed in");
        let ours = format!("other=1; {COOKIE}={}", signed.secret);
        let sync = Need { permission: Permission::SYNC, breadth: Breadth::Seen };
        let asks = async |method: Method, cookies: &str, more: &[(&'static str, &str)], need: Need| {
            gate.admit(&method, &browser(cookies, more), need).await.map_err(|refused| refused.diagnostic.code)
        };
        let actor = asks(Method::GET, &ours, &[], READ).await.expect("let in");
        assert_eq!(actor.name, "deploy");
        assert!(
            actor.may(Permission::SYNC, ("test", "argocd", "x"))
                && !actor.may(Permission::SYNC, ("prod", "argocd", "x"))
        );
        assert_eq!(asks(Method::POST, &ours, &[], sync).await.err(), Some(code::FOREIGN_PAGE));
        assert!(asks(Method::POST, &ours, &[(OWN_PAGE, "1")], sync).await.is_ok());
        let cross = [(OWN_PAGE, "1"), ("sec-fetch-site", "cross-site")];
        assert_eq!(asks(Method::POST, &ours, &cross, sync).await.err(), Some(code::FOREIGN_PAGE));
        assert!(asks(Method::POST, &ours, &[(OWN_PAGE, "1"), ("sec-fetch-site", "same-origin")], sync).await.is_ok());
        // A second cookie of that name was put there by somebody else, and a token is asked before any cookie.
        let two = format!("{ours}; {COOKIE}=x");
        assert_eq!(asks(Method::GET, &two, &[], READ).await.err(), Some(code::UNKNOWN_TOKEN));
        let both = [("authorization", "Bearer lf_no_good")];
        assert_eq!(asks(Method::GET, &ours, &both, READ).await.err(), Some(code::UNKNOWN_TOKEN));
        gate.accounts().sign_out(actor.session().expect("a session")).await.expect("signed out");
        assert_eq!(asks(Method::GET, &ours, &[], READ).await.err(), Some(code::UNKNOWN_TOKEN));
        assert!(!gate.is_still_good(&actor).await);
    }

    #[tokio::test]
    async fn nothing_but_a_new_password_is_taken_from_who_has_to_change_it() {
        let (gate, store, _) = gate().await;
        let who = Who {
            session: String::new(),
            name: "deploy".to_owned(),
            issuer: String::new(),
            roles: Vec::new(),
            groups: Vec::new(),
            must_change: true,
            ends_at: String::new(),
        };
        let row = landfall_store::AccountRow {
            name: "deploy".to_owned(),
            password: String::new(),
            must_change: true,
            roles: vec!["role:admin".to_owned()],
            created_at: String::new(),
            created_by: String::new(),
            disabled_at: None,
            signed_in_at: None,
            failed: 0,
            closed_until: None,
        };
        store.accounts.create(&row).await.expect("made");
        let signed = gate.accounts().begin(who).await.expect("begun");
        let headers = browser(&format!("{COOKIE}={}", signed.secret), &[]);
        let refused = gate.admit(&Method::GET, &headers, READ).await.expect_err("refused");
        assert_eq!((refused.status.as_u16(), refused.diagnostic.code), (403, code::PASSWORD_MUST_CHANGE));
        assert!(gate.known(&Method::GET, &headers).await.is_ok());
    }
}
