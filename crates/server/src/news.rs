//! News: what people are to hear of, each change once.
//!
//! ```text
//! an Application as it stands ── standing.rs ─► items, by what has changed
//! an ApplicationSet that errs, or errs no more ── generating.rs ─► the same
//!        └─► outbox (store): each change once, a post for each sink
//!                 └─ outbox.rs ─► slack.rs · mail.rs (smtp.rs) · status.rs   again later where it did not succeed
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
use landfall_store::{News, NewsItem};
use serde::{Deserialize, Serialize};

pub(crate) use self::outbox::{Seen, ask, keep, note_set};
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
        at: now.round(jiff::Unit::Second).unwrap_or(now).to_string(),
        kind: Kind::Alarm.word().to_owned(),
        target: target.to_owned(),
        body: serde_json::json!(told),
    };
    news.add(&item, &sinks.names(false)).await
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
