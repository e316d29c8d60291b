//! The outbox: what follows from how Applications stand is written into the store, and posted from there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use landfall_object::ObjectKey;
use landfall_source::{Access, Network};
use landfall_store::{AuditEntry, NewsItem, NewsRow, Post};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::UnboundedReceiver;

use super::sinks::STATUS;
use super::{BrokenGlass, Kind, Standing, Told, generating, mail, slack, status};
use crate::errands::Work;

/// The header by which a receiver knows that it was told something before.
pub(super) const IDENTITY: &str = "x-landfall-news";
/// How long one post may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// Posts that are made at once.
const AT_ONCE: u32 = 16;
/// The longest that is waited before it is looked what is due: a clock that was set is noticed then.
const LOOK: Duration = Duration::from_secs(60);
/// The same where replicas take turns at posting.
const TURN: Duration = Duration::from_secs(5);
/// The first pause after a post that did not succeed, and the longest, in seconds.
const PAUSE: i64 = 5;
const LONGEST_PAUSE: i64 = 3600;
/// For how long posts are left to who makes them at once, and when they are tried again where that one did not succeed, in milliseconds.
pub(crate) const LEFT_ALONE: i64 = 60 * 1000;
pub(crate) const SOON: i64 = PAUSE * 1000;
/// Tries after which a post is given up: some three days.
const TRIES: i64 = 80;
/// What was told of an Application that it is held against.
const REMEMBERED: u32 = 50;
/// The most bytes of an answer.
const BYTES: u64 = 64 * 1024;

/// What is told to whoever keeps the outbox.
#[derive(Debug)]
pub(crate) enum Seen {
    /// How an Application stands.
    Stands(Box<Standing>),
    /// That it is gone.
    Gone(String),
}

/// Keeps the outbox until the server ends.
pub(crate) async fn keep(work: Arc<Work>, mut seen: UnboundedReceiver<Seen>) {
    let (clock, stop) = (Arc::clone(&work.session.clock), work.session.stop.clone());
    let mut standings: BTreeMap<String, Standing> = BTreeMap::new();
    if let Err(error) = work.tell_untold().await {
        tracing::error!("which promotions their forges were not told of cannot be read: {error}");
    }
    loop {
        let now = clock.now();
        let until = standings.values().filter_map(|standing| standing.held_until(now)).min();
        let due = if work.shards.is_first() { work.session.store.news.next_due().await.ok().flatten() } else { None };
        let due = due.and_then(|due| Timestamp::from_millisecond(due).ok());
        let next = until.into_iter().chain(due).min();
        let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        let look = if work.shards.is_shared() { TURN } else { LOOK };
        let wait = next.map_or(look, |_| wait.unwrap_or_default()).min(look);
        let changed: Vec<String> = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            first = seen.recv() => {
                let Some(first) = first else { return };
                let mut changed = Vec::new();
                let mut next = Some(first);
                while let Some(one) = next {
                    match one {
                        Seen::Stands(standing) => {
                            let name = standing.name.to_string();
                            standings.insert(name.clone(), *standing);
                            changed.push(name);
                        }
                        Seen::Gone(name) => drop(standings.remove(&name)),
                    }
                    next = seen.try_recv().ok();
                }
                changed
            }
            () = work.session.store.news.written() => Vec::new(),
            () = clock.sleep(wait) => standings.keys().cloned().collect(),
        };
        let now = clock.now();
        for standing in changed.iter().filter_map(|name| standings.get(name)) {
            if let Err(error) = note(&work, standing, now).await {
                tracing::error!("news of {} cannot be written: {error}", standing.name);
            }
        }
        post_all(&work).await;
    }
}

/// Writes what follows from how an Application stands and was not written before.
async fn note(work: &Work, standing: &Standing, now: Timestamp) -> Result<(), landfall_store::Error> {
    let news = &work.session.store.news;
    let last = news.newest(Some(&standing.name.to_string()), REMEMBERED).await?;
    for item in standing.items(&last, now) {
        if !last.iter().any(|row| row.item.change == item.change) && add(work, &item).await? {
            let title = item.body["title"].as_str().unwrap_or_default();
            tracing::info!("news: {title}");
            if let Some(broken) = standing.broken_glass.as_ref().filter(|_| item.kind == Kind::BreakGlass.word()) {
                seen_broken(work, standing, broken).await;
            }
        }
    }
    Ok(())
}

/// Writes that a set errs for a reason since some time, or does no more, unless that was written before.
pub(crate) async fn note_set(work: &Work, set: &ObjectKey, error: Option<(&str, &str)>) {
    let news = &work.session.store.news;
    let noted = async {
        let last = news.newest(Some(&generating::target(set)), REMEMBERED).await?;
        match generating::item(set, error, &last, work.session.clock.now()) {
            Some(item) => add(work, &item).await,
            None => Ok(false),
        }
    };
    if let Err(error) = noted.await {
        tracing::error!("news of {set} cannot be written: {error}");
    }
}

/// Writes into this server's audit log, too, who has gone past the guards from elsewhere.
async fn seen_broken(work: &Work, standing: &Standing, broken: &BrokenGlass) {
    let entry = AuditEntry {
        at: broken.at.clone(),
        actor: broken.by.clone(),
        action: "release.break-glass.seen".to_owned(),
        target: standing.name.to_string(),
        detail: serde_json::json!({"deed": broken.deed, "reason": broken.reason}),
    };
    let audit = &work.session.store.audit;
    let written = async { audit.end(audit.begin(&entry).await?, "announced").await };
    if let Err(error) = written.await {
        tracing::error!("the audit log cannot be written: {error}");
    }
}

async fn add(work: &Work, item: &NewsItem) -> Result<bool, landfall_store::Error> {
    let has_commit = !item.body["commit"].is_null();
    work.session.store.news.add(item, &work.sinks.names(has_commit)).await
}

/// Makes every post that is due.
async fn post_all(work: &Work) {
    // Of several replicas one posts.
    while work.shards.is_first() {
        let now = work.session.clock.now().as_millisecond();
        let due = match work.session.store.news.due(now, AT_ONCE).await {
            Ok(due) => due,
            Err(error) => return tracing::error!("news cannot be read: {error}"),
        };
        if due.is_empty() || work.session.stop.is_cancelled() {
            return;
        }
        futures::future::join_all(due.iter().map(|post| one(work, post))).await;
    }
}

async fn one(work: &Work, post: &Post) {
    let (news, number, sink) = (&work.session.store.news, post.row.number, post.sink.as_str());
    let ended = tokio::select! {
        ended = tell(work, &post.row, sink) => ended,
        // The next process makes it.
        () = work.session.stop.cancelled() => return,
    };
    let now = work.session.clock.now();
    let at = landfall_object::whole_second(now).to_string();
    let noted = match ended {
        Ok(()) => news.end(number, sink, &at, None).await,
        // A commit has one status of us: of two the newer one is told.
        Err(why) if sink == STATUS && news.is_overtaken(number, sink).await.is_ok_and(|is_it| is_it) => {
            news.end(number, sink, &at, Some(&format!("overtaken; {why}"))).await
        }
        Err(why) if post.tries + 1 >= TRIES => {
            tracing::error!("news {number} is given up for {sink}: {why}");
            news.end(number, sink, &at, Some(&why)).await
        }
        Err(why) => {
            tracing::warn!("news {number} could not be told to {sink}: {why}");
            let due = now.as_millisecond() + 1000 * pause(post.tries);
            news.again(number, sink, due, &why).await
        }
    };
    if let Err(error) = noted {
        tracing::error!("what has become of news {number} cannot be written: {error}");
    }
}

/// Seconds until the next try after so many.
fn pause(tries: i64) -> i64 {
    let doublings = u32::try_from(tries.clamp(0, 20)).unwrap_or(20);
    (PAUSE << doublings).min(LONGEST_PAUSE)
}

async fn tell(work: &Work, row: &NewsRow, sink: &str) -> Result<(), String> {
    let (network, sinks) = (&work.network, &work.sinks);
    let told: Told = serde_json::from_value(row.item.body.clone()).map_err(|error| error.to_string())?;
    let identity = identity(&row.item.change, &row.item.at);
    match (sink, &sinks.slack, &sinks.mail, &sinks.forge, &told.commit) {
        ("slack", Some(address), ..) => slack::post(network, address, &identity, &told).await,
        ("mail", _, Some(mail), ..) => mail::post(mail, &identity, &row.item.at, &told).await,
        (STATUS, _, _, Some(_), Some(commit)) if row.item.kind == Kind::Withdrawn.word() => {
            work.tell_red_again(row, &told.title, commit).await
        }
        (STATUS, _, _, Some(forge), Some(commit)) => {
            let context = format!("landfall/{}", row.item.target);
            status::post(network, forge, &context, &told.title, commit).await
        }
        // Nobody is to be told there any more.
        _ => Ok(()),
    }
}

/// What no other news is called by.
fn identity(change: &str, at: &str) -> String {
    let digest = Sha256::digest(format!("{change}\0{at}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Sends JSON; anything but 2xx is why it was not taken.
pub(crate) async fn ask(
    network: &Network,
    access: Access,
    address: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Result<(), String> {
    let mut sent = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).map_err(|error| error.to_string())?;
        let mut value =
            HeaderValue::try_from(*value).map_err(|_| "a header has letters that none may have".to_owned())?;
        value.set_sensitive(name == "authorization" || name == "private-token");
        sent.insert(name, value);
    }
    let reply =
        network.client(access).send(http::Method::POST, address, sent, body.to_string().into_bytes(), BYTES).await;
    match reply {
        Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
        Ok(reply) => Err(format!("it answers {}", reply.status_line)),
        // Its own words may repeat the address.
        Err(error) => {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            Err(cause.to_string().replace(address, "its address"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        assert_eq!([0, 1, 2, 9, 10, 79].map(pause), [5, 10, 20, 2560, 3600, 3600]);
        let all: i64 = (0..TRIES).map(pause).sum();
        assert!(all > 2 * 24 * 3600, "it is not given up within two days: {all} s");
    }

    #[test]
    fn news_are_known_by_their_change() {
        assert_eq!(identity("a", "t"), identity("a", "t"));
        assert_ne!(identity("a", "t"), identity("b", "t"));
        assert_eq!(identity("a", "t").len(), 32);
    }
}
