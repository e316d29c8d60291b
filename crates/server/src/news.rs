//! News: what people are to hear of, each change once.
//!
//! ```text
//! an Application as it stands ── standing.rs ─► items, by what has changed
//! an ApplicationSet that errs, or errs no more ── generating.rs ─► the same
//!        └─► outbox (store): each change once, a post for each sink
//!                 └─ outbox.rs ─► slack.rs · mail.rs (smtp.rs) · status.rs   again later where it did not succeed
//! a promotion that is withdrawn ── forges.rs ─► the same, for its forge alone
//! sinks.rs    whom to tell, as the environment says
//! ```
//!
//! Items follow from what stands in an Application, not from having been there when it changed: a process that was
//! killed tells afterwards what it had not told, and nothing twice. Only where it dies between a sink's answer and the note
//! of it is that one post made again, under the same identity (`X-Landfall-News`, `Message-ID`).

mod generating;
mod mail;
mod outbox;
mod sinks;
mod slack;
mod smtp;
mod standing;
mod status;

use jiff::Timestamp;
use landfall_source::Network;
use landfall_store::{News, NewsItem};
use serde::{Deserialize, Serialize};

pub(crate) use self::outbox::{LEFT_ALONE, SOON, Seen, ask, keep, note_set};
pub(crate) use self::sinks::STATUS;
pub use self::sinks::{BadSink, Sinks};
pub(crate) use self::standing::Standing;
pub use self::standing::{BREAK_GLASS_ANNOTATION, BrokenGlass};

/// What kind of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A sync has failed.
    Failed,
    /// What is wanted cannot be read or rendered.
    Unrendered,
    /// Objects or declared checks say that it does not work.
    Degraded,
    /// All that is well again.
    Recovered,
    /// Somebody has gone past the guards.
    BreakGlass,
    /// A tag leads to another commit than before.
    MovedTag,
    /// A pin, pause or hold has stood for more than a day.
    LongHeld,
    /// An administrator has signed in, or something was written past everybody who may.
    Alarm,
    /// A promotion is withdrawn, which its forge is to hear.
    Withdrawn,
}

impl Kind {
    /// As it is kept.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Failed => "failed",
            Kind::Unrendered => "unrendered",
            Kind::Degraded => "degraded",
            Kind::Recovered => "recovered",
            Kind::BreakGlass => "break-glass",
            Kind::MovedTag => "moved-tag",
            Kind::LongHeld => "long-held",
            Kind::Alarm => "alarm",
            Kind::Withdrawn => "withdrawn",
        }
    }

    /// Whether it says that something is wrong which may be well again.
    fn is_ill(word: &str) -> bool {
        [Kind::Failed, Kind::Unrendered, Kind::Degraded].iter().any(|kind| kind.word() == word)
    }
}

/// Puts into the outbox what has to be heard, under a name of its own or one by which it is told once. Whether it was not there yet.
///
/// # Errors
/// The store cannot be written.
pub(crate) async fn announce(
    news: &News,
    sinks: &Sinks,
    (target, text): (&str, &str),
    once: Option<&str>,
    now: Timestamp,
) -> Result<bool, landfall_store::Error> {
    let told = Told {
        title: text.to_owned(),
        text: "it stands in the audit log".to_owned(),
        help: "GET /api/v1/audit".to_owned(),
        commit: None,
    };
    let mark = once.map_or_else(|| now.as_nanosecond().to_string(), str::to_owned);
    let item = NewsItem {
        change: format!("{} {target} {mark}", Kind::Alarm.word()),
        at: landfall_object::whole_second(now).to_string(),
        kind: Kind::Alarm.word().to_owned(),
        target: target.to_owned(),
        body: serde_json::json!(told),
    };
    news.add(&item, &sinks.names(false)).await
}

/// What stands before a promotion's id, whoever chose that: Applications are told of by their names.
const PROMOTION: &str = "promotion ";

/// The id of the promotion that news are about.
pub(crate) fn promotion_of(target: &str) -> &str {
    target.strip_prefix(PROMOTION).unwrap_or(target)
}

/// What the outbox keeps of a promotion that is withdrawn, whose id is `id`: `at` a moment (RFC 3339).
pub(crate) fn withdrawn((id, why, at): (&str, &str, &str), commit: &Commit, now: Timestamp) -> NewsItem {
    let told = Told { title: why.to_owned(), text: String::new(), help: String::new(), commit: Some(commit.clone()) };
    NewsItem {
        change: format!("{} {id} {}", Kind::Withdrawn.word(), now.as_nanosecond()),
        at: at.to_owned(),
        kind: Kind::Withdrawn.word().to_owned(),
        target: format!("{PROMOTION}{id}"),
        body: serde_json::json!(told),
    }
}

/// Gives a commit a status of its own name at the forge.
///
/// # Errors
/// Why it was not taken.
pub(crate) async fn post_status(
    network: &Network,
    sinks: &Sinks,
    (context, title): (&str, &str),
    commit: &Commit,
) -> Result<(), String> {
    match &sinks.forge {
        Some(forge) => status::post(network, forge, context, title, commit).await,
        None => Ok(()),
    }
}

/// What is told of a change, as it is kept in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// In one line.
    pub(crate) title: String,
    /// The rest, in words.
    pub(crate) text: String,
    /// What to type.
    pub(crate) help: String,
    /// The commit that it is about, where that is known.
    pub(crate) commit: Option<Commit>,
}

/// A commit of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    /// The repository's address, without user and password.
    pub(crate) repository: String,
    /// The commit.
    pub(crate) hash: String,
    /// Whether all is well with it.
    pub(crate) is_well: bool,
}
