//! Who asks, and what that one may: the one layer under every route.
//!
//! A token is `lf_ID_SECRET`. The store has of the secret its digest alone: 32 random bytes cannot be guessed, so that one
//! SHA-256 is enough, and nothing that is read out of a store opens anything. What a token may is a scope and the
//! projects whose Applications it sees; neither scope holds the other one.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::http::{HeaderMap, Method, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use landfall_diag::{Diagnostic, code};
use landfall_engine::Clock;
use landfall_store::{TokenRow, Tokens};
use sha2::{Digest as _, Sha256};

/// What somebody may do with Applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look at them.
    Read,
    /// Sync them, roll them back, pin them, end what they do.
    Sync,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 2] = [Scope::Read, Scope::Sync];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Sync => "sync",
        }
    }

    /// The scope of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Scope::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// Whoever asks, and what that one may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What it is called in the audit log and in Applications.
    pub name: String,
    scopes: BTreeSet<Scope>,
    /// Globs; `*` is every project.
    projects: Vec<String>,
    /// The token that it came with; none for who came by the state directory or works in this process.
    token: Option<String>,
}

impl Actor {
    /// Whoever may do all that the cluster allows: whoever could do it without a server as well.
    pub fn of_cluster(name: impl Into<String>) -> Self {
        Actor {
            name: name.into(),
            scopes: Scope::ALL.into_iter().collect(),
            projects: vec![ALL_PROJECTS.to_owned()],
            token: None,
        }
    }

    /// Whether it may do that.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it sees a project's Applications.
    pub(crate) fn sees(&self, project: &str) -> bool {
        self.projects.iter().any(|pattern| fits(pattern, project))
    }

    /// Whether it sees those of every project.
    pub(crate) fn sees_all(&self) -> bool {
        self.projects.iter().any(|pattern| pattern == ALL_PROJECTS)
    }
}

/// The glob of every project.
pub const ALL_PROJECTS: &str = "*";

/// Whether a project's name fits a pattern in which `*` is any text.
fn fits(pattern: &str, project: &str) -> bool {
    let Some((front, rest)) = pattern.split_once('*') else { return pattern == project };
    let Some(behind) = project.strip_prefix(front) else { return false };
    (0..=behind.len()).filter(|at| behind.is_char_boundary(*at)).any(|at| fits(rest, &behind[at..]))
}

/// What a token looks like in front.
const PREFIX: &str = "lf_";
/// Random bytes of a token's public half and of its secret half.
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
/// The use of a token is written down again after so many seconds.
const USED_AGAIN: i64 = 60;
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

/// What a route asks of who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// What is done there.
    pub(crate) scope: Scope,
    /// Whether it is about what every project has.
    pub(crate) breadth: Breadth,
}

/// Whose Applications a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// Those that the one sees who asks.
    Seen,
    /// All.
    All,
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

/// Lets in.
pub(crate) struct Gate {
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    /// The token that lies in the state directory, for commands of whoever runs the server: by its digest.
    local: (String, Actor),
}

impl Gate {
    pub(crate) fn new(tokens: Tokens, clock: Arc<dyn Clock>, local: &Token, runs: &str) -> Self {
        Gate { tokens, clock, local: (local.digest(), Actor::of_cluster(runs)) }
    }

    /// Who asks, if that one may do what a route is for.
    pub(crate) async fn admit(&self, method: &Method, headers: &HeaderMap, need: Need) -> Result<Actor, Refused> {
        let actor = self.actor(method, headers).await?;
        let refused = |why: String| Refused {
            status: StatusCode::FORBIDDEN,
            diagnostic: Box::new(
                Diagnostic::refused(code::TOO_SMALL_SCOPE, why)
                    .help("issue one that is: landfall token create NAME --scope read --scope sync"),
            ),
            actor: Some(actor.name.clone()),
        };
        if !actor.may(need.scope) {
            return Err(refused(format!("the token `{}` is not for `{}`", actor.name, need.scope.word())));
        }
        if need.breadth == Breadth::All && !actor.sees_all() {
            return Err(refused(format!("the token `{}` is not for every project", actor.name)));
        }
        Ok(actor)
    }

    /// Whether a token that somebody came with is still good.
    pub(crate) async fn is_still_good(&self, actor: &Actor) -> bool {
        let Some(id) = &actor.token else { return true };
        matches!(self.tokens.find(id).await, Ok(Some(row)) if self.is_good(&row))
    }

    async fn actor(&self, method: &Method, headers: &HeaderMap) -> Result<Actor, Refused> {
        let refused = |why: &str| Refused {
            status: StatusCode::UNAUTHORIZED,
            diagnostic: Box::new(
                Diagnostic::refused(code::UNKNOWN_TOKEN, why)
                    .help("issue one on the server's machine: landfall token create NAME"),
            ),
            actor: None,
        };
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
        Ok(Actor {
            scopes: row.scopes.iter().filter_map(|word| Scope::parse(word)).collect(),
            projects: row.projects,
            token: Some(row.id),
            name: row.name,
        })
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
            let now = now.round(jiff::Unit::Second).unwrap_or(now).to_string();
            if let Err(error) = self.tokens.used(&row.id, &now).await {
                tracing::warn!("the use of a token cannot be written down: {error}");
            }
        }
    }
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

    const READ: Need = Need { scope: Scope::Read, breadth: Breadth::Seen };

    async fn gate() -> (Gate, Store, Token) {
        let store = Store::open(Location::Memory).await.expect("opened");
        let local = Token::random().expect("random");
        (Gate::new(store.tokens.clone(), Arc::new(WallClock), &local, "local"), store, local)
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
        let sync = Need { scope: Scope::Sync, breadth: Breadth::Seen };
        let all = Need { scope: Scope::Read, breadth: Breadth::All };
        assert_eq!(status(&gate, &reads, READ).await, 200);
        assert_eq!(status(&gate, &reads, all).await, 200);
        assert_eq!(status(&gate, &reads, sync).await, 403);
        assert_eq!(status(&gate, &syncs, READ).await, 403);
        assert_eq!(status(&gate, &syncs, sync).await, 200);
        let every = Need { scope: Scope::Sync, breadth: Breadth::All };
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

    #[test]
    fn a_projects_pattern_is_the_name_or_has_stars() {
        for (pattern, project, expected) in [
            ("*", "anything", true),
            ("shop", "shop", true),
            ("shop", "shop-2", false),
            ("shop-*", "shop-2", true),
            ("shop-*", "shop", false),
            ("*-prod", "shop-prod", true),
            ("s*p*d", "shop-prod", true),
            ("", "shop", false),
        ] {
            assert_eq!(fits(pattern, project), expected, "{pattern} {project}");
        }
    }
}
