//! Who somebody is and what that one may do.
//!
//! ```text
//! password.rs             slow digests; what is no password
//! policy.rs, pattern.rs   `policy.csv`: rules, roles, denials
//! roles.rs                what stands of it: the ConfigMap or a file, AppProjects; kept up to date
//! keys.rs                 what an issuer is believed: signatures, audiences, times
//! issuer.rs               sign-in by somebody else's word: OpenID Connect
//! jobs.rs                 CI jobs, by their forge's word
//! orders.rs               what was asked of protected Applications through the API: nothing else counts there
//! ```
//!
//! Here: accounts of our own, their tries, and sessions. All of it lies in the store: a restart signs nobody out and opens
//! nothing that was closed.

mod issuer;
mod jobs;
mod keys;
mod orders;
pub mod password;
mod pattern;
mod policy;
mod roles;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_engine::Clock;
use landfall_store::{AccountRow, SessionRow};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

pub(crate) use issuer::Issuer;
pub use issuer::IssuerOptions;
pub(crate) use jobs::{Job, Jobs};
pub(crate) use orders::{Doubt, Going, Orders};
pub use pattern::MatchMode;
pub use policy::{ADMIN, BadPolicy, Policy, Question, READONLY, Verdict};
pub(crate) use roles::Roles;
pub use roles::{Standing, Subject};

/// How long somebody stays signed in, and how long without asking for anything.
const STAYS: SignedDuration = SignedDuration::from_hours(12);
const IDLES: SignedDuration = SignedDuration::from_hours(4);
/// The use of a session is written down again after so long.
const USED_AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// Tries in a row that cost no waiting; then it is as long as this, twice as long each time, up to the longest.
const FREE_TRIES: i64 = 4;
const FIRST_WAIT: i64 = 30;
const LONGEST_WAIT: i64 = 15 * 60;
/// Passwords that are tried at once, each with 16 MiB, and how long one waits for its turn.
const AT_ONCE: usize = 2;
const TURN: Duration = Duration::from_secs(5);
/// How often a try is counted again that somebody else's came before.
const COUNTS: usize = 8;
/// What a session's secret is kept as by a browser: so many random bytes.
const SECRET: usize = 32;
/// The longest that is looked at.
const LONGEST_SECRET: usize = 128;

/// Accounts of our own, and who is signed in.
pub(crate) struct Accounts {
    rows: landfall_store::Accounts,
    clock: Arc<dyn Clock>,
    trying: Semaphore,
}

/// Somebody who has signed in.
pub(crate) struct SignedIn {
    /// What the browser keeps; nobody else has it.
    pub(crate) secret: String,
    /// How long, in seconds.
    pub(crate) stays: i64,
    /// Who.
    pub(crate) who: Who,
}

/// Whoever is behind a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// The digest of the session's secret.
    pub(crate) session: String,
    pub(crate) name: String,
    /// Who says so; empty for an account of our own.
    pub(crate) issuer: String,
    pub(crate) roles: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) must_change: bool,
    pub(crate) ends_at: String,
}

/// Whether the browser speaks with the server, or with what stands in front of it, over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secure {
    Yes,
    No,
}

/// Why somebody is not signed in.
#[derive(Debug)]
pub(crate) enum NotSignedIn {
    /// Name or password are wrong, or it is too early; the last of these is told to nobody but the audit log.
    No { closed_now: bool },
    /// It could not be tried.
    Failed(Diagnostic),
}

impl Accounts {
    pub(crate) fn new(rows: landfall_store::Accounts, clock: Arc<dyn Clock>) -> Self {
        Accounts { rows, clock, trying: Semaphore::new(AT_ONCE) }
    }

    /// Signs somebody in. It takes as long for an account that is not there, and says no more of one that is closed.
    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Result<SignedIn, NotSignedIn> {
        let (row, closed_now) = self.tried(name, password).await?;
        let Some(row) = row else { return Err(NotSignedIn::No { closed_now }) };
        let now = self.now();
        self.rows.signed_in(&row.name, &now.to_string()).await.map_err(failed)?;
        let who = Who {
            session: String::new(),
            name: row.name,
            issuer: String::new(),
            roles: row.roles,
            groups: Vec::new(),
            must_change: row.must_change,
            ends_at: String::new(),
        };
        self.begin(who).await
    }

    /// Begins a session of somebody who is known.
    pub(crate) async fn begin(&self, who: Who) -> Result<SignedIn, NotSignedIn> {
        let Some(mut who) = self.apart(who).await.map_err(failed)? else {
            return Err(NotSignedIn::No { closed_now: false });
        };
        let secret = URL_SAFE_NO_PAD.encode(password::random_bytes::<SECRET>().map_err(NotSignedIn::Failed)?);
        let now = self.now();
        who.session = digest(&secret);
        who.ends_at = now.checked_add(STAYS).unwrap_or(now).to_string();
        let row = SessionRow {
            digest: who.session.clone(),
            account: who.name.clone(),
            issuer: who.issuer.clone(),
            roles: who.groups.clone(),
            began_at: now.to_string(),
            ends_at: who.ends_at.clone(),
            used_at: now.to_string(),
        };
        self.rows.begin(&row).await.map_err(failed)?;
        Ok(SignedIn { secret, stays: STAYS.as_secs(), who })
    }

    /// The account, if that is its password and it takes tries; and whether it takes none from now on.
    async fn tried(&self, name: &str, password: &str) -> Result<(Option<AccountRow>, bool), NotSignedIn> {
        let turn = tokio::time::timeout(TURN, self.trying.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            let busy = Diagnostic::error(code::BUSY_SIGNING_IN, "too many sign in at once; try again in a moment");
            return Err(NotSignedIn::Failed(busy));
        };
        let mut closed_now = false;
        let row = self.counted(name, &mut closed_now).await?;
        let (kept, given) = (row.as_ref().map(|row| row.password.clone()), password.to_owned());
        let is_it = tokio::task::spawn_blocking(move || password::is(kept.as_deref(), &given)).await.unwrap_or(false);
        let row = row.filter(|row| is_it && row.disabled_at.is_none());
        Ok((row, closed_now && !is_it))
    }

    /// The account, if it takes a try now: that one is counted before it is made, so that many at once are many.
    async fn counted(&self, name: &str, closes: &mut bool) -> Result<Option<AccountRow>, NotSignedIn> {
        for _ in 0..COUNTS {
            let Some(row) = self.rows.find(name).await.map_err(failed)? else { return Ok(None) };
            let now = self.now();
            let closed = |until: &String| until.parse::<Timestamp>().map_or(true, |until| now < until);
            if row.closed_until.as_ref().is_some_and(closed) {
                return Ok(None);
            }
            let until = waits(row.failed + 1).and_then(|wait| now.checked_add(wait).ok()).map(|at| at.to_string());
            if self.rows.count_try(name, row.failed, until.as_deref()).await.map_err(failed)? {
                *closes = until.is_some();
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Whoever has that session, as long as it lasts; its use is written down.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn who(&self, secret: &str) -> Result<Option<Who>, Diagnostic> {
        if secret.is_empty() || secret.len() > LONGEST_SECRET {
            return Ok(None);
        }
        self.of_session(&digest(secret)).await
    }

    /// The same by the digest of the session's secret.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn of_session(&self, digest: &str) -> Result<Option<Who>, Diagnostic> {
        let read = |error: landfall_store::Error| error.diagnose();
        let Some(row) = self.rows.session(digest).await.map_err(read)? else { return Ok(None) };
        let now = self.now();
        let at = |text: &str| text.parse::<Timestamp>().ok();
        let lasts = at(&row.ends_at).is_some_and(|end| now < end)
            && at(&row.used_at).is_some_and(|used| now.duration_since(used) < IDLES);
        if !lasts {
            return Ok(None);
        }
        let mut who = Who {
            session: row.digest,
            name: row.account,
            issuer: row.issuer,
            roles: Vec::new(),
            groups: row.roles,
            must_change: false,
            ends_at: row.ends_at,
        };
        if who.issuer.is_empty() {
            let account = self.rows.find(&who.name).await.map_err(read)?;
            let Some(account) = account.filter(|account| account.disabled_at.is_none()) else { return Ok(None) };
            (who.roles, who.must_change, who.groups) = (account.roles, account.must_change, Vec::new());
        }
        let Some(who) = self.apart(who).await.map_err(read)? else { return Ok(None) };
        if at(&row.used_at).is_none_or(|used| now.duration_since(used) >= USED_AGAIN)
            && let Err(error) = self.rows.used(&who.session, &now.to_string()).await
        {
            tracing::warn!("the use of a session cannot be written down: {error}");
        }
        Ok(Some(who))
    }

    /// Whom an issuer speaks for, without groups that are called as an account of our own is: a policy that binds the account would
    /// bind them. Nobody, where that one is called so itself.
    async fn apart(&self, mut who: Who) -> Result<Option<Who>, landfall_store::Error> {
        if who.issuer.is_empty() {
            return Ok(Some(who));
        }
        let own: BTreeSet<String> = self.rows.all().await?.into_iter().map(|row| row.name).collect();
        who.groups.retain(|group| !own.contains(group));
        Ok(Some(who).filter(|who| !own.contains(&who.name)))
    }

    /// Signs somebody out.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(crate) async fn sign_out(&self, who: &Who) -> Result<(), Diagnostic> {
        self.rows.end(&who.session).await.map_err(|error| error.diagnose())
    }

    /// Gives an account another password: whoever is signed in with the old one is no longer, the one who asks included.
    pub(crate) async fn change(&self, name: &str, old: &str, new: &str) -> Result<(), NotSignedIn> {
        password::acceptable(name, new).map_err(NotSignedIn::Failed)?;
        if old == new {
            let same = Diagnostic::error(code::WEAK_PASSWORD, "the new password is the old one");
            return Err(NotSignedIn::Failed(same));
        }
        let (row, closed_now) = self.tried(name, old).await?;
        let Some(row) = row else { return Err(NotSignedIn::No { closed_now }) };
        let new = new.to_owned();
        let made = tokio::task::spawn_blocking(move || password::digest(&new)).await;
        let made = made.map_err(|broken| {
            NotSignedIn::Failed(Diagnostic::error(code::BUG, "a password cannot be kept").note(broken.to_string()))
        })?;
        let made = made.map_err(NotSignedIn::Failed)?;
        self.rows.set_password(&row.name, &made, false).await.map_err(failed)?;
        Ok(())
    }

    /// Whether there is an account of our own of that name: nobody else's user is taken for it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn has(&self, name: &str) -> Result<bool, Diagnostic> {
        Ok(self.rows.find(name).await.map_err(|error| error.diagnose())?.is_some())
    }

    fn now(&self) -> Timestamp {
        landfall_object::whole_second(self.clock.now())
    }
}

/// How long an account takes no try after so many that failed in a row.
fn waits(failed: i64) -> Option<SignedDuration> {
    let beyond = u32::try_from(failed - FREE_TRIES - 1).ok()?;
    let seconds = FIRST_WAIT.saturating_mul(2_i64.saturating_pow(beyond)).min(LONGEST_WAIT);
    Some(SignedDuration::from_secs(seconds))
}

fn failed(error: landfall_store::Error) -> NotSignedIn {
    NotSignedIn::Failed(error.diagnose())
}

/// What is kept of a secret that nobody guesses: one SHA-256 is enough.
pub(crate) fn digest(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use landfall_store::{Location, Store};
    use parking_lot::Mutex;

    use super::*;

    /// A clock that is set by hand.
    struct ByHand(Mutex<Timestamp>);

    impl Clock for ByHand {
        fn now(&self) -> Timestamp {
            *self.0.lock()
        }

        fn sleep(&self, _: Duration) -> futures::future::BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    impl ByHand {
        fn passes(&self, seconds: i64) {
            let mut now = self.0.lock();
            *now = now.checked_add(SignedDuration::from_secs(seconds)).expect("a time");
        }
    }

    const GOOD: &str = "correct horse battery";

    async fn accounts(must_change: bool) -> (Accounts, Store, Arc<ByHand>) {
        let store = Store::open(Location::Memory).await.expect("opened");
        let row = AccountRow {
            name: "sebastian".to_owned(),
            password: password::digest(GOOD).expect("made"),
            must_change,
            roles: vec!["role:owner".to_owned()],
            created_at: "2026-01-01T00:00:00Z".to_owned(),
            created_by: "local".to_owned(),
            disabled_at: None,
            signed_in_at: None,
            failed: 0,
            closed_until: None,
        };
        assert!(store.accounts.create(&row).await.expect("made"));
        let clock = Arc::new(ByHand(Mutex::new("2026-01-01T00:00:00Z".parse().expect("a time"))));
        (Accounts::new(store.accounts.clone(), Arc::clone(&clock) as Arc<dyn Clock>), store, clock)
    }

    fn is_no<T>(tried: Result<T, NotSignedIn>) -> bool {
        matches!(tried, Err(NotSignedIn::No { .. }))
    }

    #[tokio::test]
    async fn who_signs_in_stays_so_across_a_restart_until_it_is_over() {
        let (accounts, store, clock) = accounts(false).await;
        assert!(is_no(accounts.sign_in("sebastian", "correct horse batterx").await));
        assert!(is_no(accounts.sign_in("nobody", GOOD).await));
        let signed = accounts.sign_in("sebastian", GOOD).await.expect("signed in");
        let again = Accounts::new(store.accounts.clone(), Arc::clone(&clock) as Arc<dyn Clock>);
        let who = again.who(&signed.secret).await.expect("read").expect("still there");
        assert_eq!((who.name.as_str(), who.roles.as_slice()), ("sebastian", &["role:owner".to_owned()][..]));
        assert_eq!(again.who("guessed").await.expect("read"), None);
        // Whoever asks now and then stays until it is over; whoever does not is gone sooner.
        for _ in 0..3 {
            clock.passes(3 * 3600 + 1800);
            assert!(again.who(&signed.secret).await.expect("read").is_some());
        }
        clock.passes(2 * 3600);
        assert_eq!(again.who(&signed.secret).await.expect("read"), None);
        let idle = again.sign_in("sebastian", GOOD).await.expect("signed in");
        clock.passes(4 * 3600);
        assert_eq!(again.who(&idle.secret).await.expect("read"), None);
    }

    #[tokio::test]
    async fn whom_an_issuer_speaks_for_is_no_account_of_ours_by_any_name() {
        let (accounts, store, _clock) = accounts(false).await;
        let of_issuer = |name: &str| Who {
            session: String::new(),
            name: name.to_owned(),
            issuer: "https://issuer.example.com".to_owned(),
            roles: Vec::new(),
            groups: vec!["sebastian".to_owned(), "team".to_owned()],
            must_change: false,
            ends_at: String::new(),
        };
        let signed = accounts.begin(of_issuer("mallory@example.com")).await.expect("signed in");
        assert_eq!(signed.who.groups, ["team"]);
        let who = accounts.who(&signed.secret).await.expect("read").expect("still there");
        assert_eq!(who.groups, ["team"], "sebastian is an account, and what the policy binds it to is its own");
        assert!(is_no(accounts.begin(of_issuer("sebastian")).await));
        // Also of an account that is made later.
        let row = store.accounts.find("sebastian").await.expect("read").expect("there");
        let later = AccountRow { name: "team".to_owned(), ..row.clone() };
        assert!(store.accounts.create(&later).await.expect("made"));
        let who = accounts.who(&signed.secret).await.expect("read").expect("still there");
        assert_eq!(who.groups, [""; 0]);
        let later = AccountRow { name: "mallory@example.com".to_owned(), ..row };
        assert!(store.accounts.create(&later).await.expect("made"));
        assert_eq!(accounts.who(&signed.secret).await.expect("read"), None);
    }

    #[tokio::test]
    async fn tries_cost_more_and_more_time_and_a_restart_forgets_none() {
        let (accounts, store, clock) = accounts(false).await;
        for n in 0..4 {
            assert!(
                matches!(accounts.sign_in("sebastian", "x").await, Err(NotSignedIn::No { closed_now: false })),
                "{n}"
            );
        }
        assert!(matches!(accounts.sign_in("sebastian", "x").await, Err(NotSignedIn::No { closed_now: true })));
        let again = Accounts::new(store.accounts.clone(), Arc::clone(&clock) as Arc<dyn Clock>);
        assert!(is_no(again.sign_in("sebastian", GOOD).await), "the right one is not even looked at");
        clock.passes(30);
        assert!(is_no(again.sign_in("sebastian", "x").await));
        clock.passes(30);
        assert!(is_no(again.sign_in("sebastian", GOOD).await), "it is a minute by now");
        clock.passes(30);
        assert!(again.sign_in("sebastian", GOOD).await.is_ok());
        assert_eq!(store.accounts.find("sebastian").await.expect("read").expect("there").failed, 0);
        assert_eq!(waits(1_000).map(|it| it.as_secs()), Some(LONGEST_WAIT));
    }

    #[tokio::test]
    async fn many_tries_at_once_are_many() {
        let (accounts, store, _clock) = accounts(false).await;
        let tries = (0..12).map(|n| accounts.sign_in("sebastian", if n == 11 { GOOD } else { "x" }));
        futures::future::join_all(tries).await;
        let row = store.accounts.find("sebastian").await.expect("read").expect("there");
        assert!(row.failed == 5 && row.closed_until.is_some(), "{row:?}");
    }

    #[tokio::test]
    async fn a_new_password_signs_out_and_a_disabled_account_is_nobody() {
        let (accounts, store, _clock) = accounts(true).await;
        let first = accounts.sign_in("sebastian", GOOD).await.expect("signed in");
        assert!(first.who.must_change);
        assert!(is_no(accounts.change("sebastian", "wrong wrong wrong", "four words of mine").await));
        assert!(matches!(accounts.change("sebastian", GOOD, GOOD).await, Err(NotSignedIn::Failed(_))));
        assert!(matches!(accounts.change("sebastian", GOOD, "short").await, Err(NotSignedIn::Failed(_))));
        assert!(accounts.change("sebastian", GOOD, "four words of mine").await.is_ok());
        assert_eq!(accounts.who(&first.secret).await.expect("read"), None);
        assert!(is_no(accounts.sign_in("sebastian", GOOD).await));
        let second = accounts.sign_in("sebastian", "four words of mine").await.expect("signed in");
        assert!(!second.who.must_change);
        store.accounts.disable("sebastian", Some("then")).await.expect("disabled");
        assert_eq!(accounts.who(&second.secret).await.expect("read"), None);
        assert!(is_no(accounts.sign_in("sebastian", "four words of mine").await));
    }
}
