//! What has to be heard: an administrator who signs in, something that was written past everybody who may. It goes into the
//! audit log, into the server's own log, among the news, and onto its page for a day.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};
use landfall_engine::Clock;
use landfall_store::{Audit, AuditEntry, News};
use parking_lot::Mutex;
use serde_json::json;

use crate::news::{self, Sinks};

/// How many are kept, how many are known again, and how long.
const MOST: usize = 50;
const MOST_ONCE: usize = 1000;
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Something that has to be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) at: Timestamp,
    /// What happened.
    pub(crate) text: String,
}

/// All of them.
pub(crate) struct Alarms {
    audit: Audit,
    news: News,
    /// Whom news are told to, once that is known.
    sinks: OnceLock<Sinks>,
    clock: Arc<dyn Clock>,
    told: Mutex<VecDeque<Alarm>>,
    /// What is told once, as long as it stays.
    once: Mutex<BTreeSet<String>>,
}

impl Alarms {
    pub(crate) fn new((audit, news): (Audit, News), clock: Arc<dyn Clock>) -> Self {
        Alarms { audit, news, sinks: OnceLock::new(), clock, told: Mutex::default(), once: Mutex::default() }
    }

    /// Tells them to these, too, from now on.
    pub(crate) fn tell(&self, sinks: Sinks) {
        // Whoever was named first stays.
        let _was_named = self.sinks.set(sinks);
    }

    /// Lets something be heard: who did what to what, and how that ended.
    pub(crate) async fn raise(&self, who: (&str, &str, &str), outcome: &str, text: &str) {
        let now = self.clock.now();
        tracing::warn!("{text}");
        self.write(who, outcome, text, now).await;
        if let Some(sinks) = self.sinks.get()
            && let Err(error) = news::announce(&self.news, sinks, (who.2, text), None, now).await
        {
            tracing::error!("news of {} cannot be written: {error}", who.2);
        }
        self.show(now, text);
    }

    /// The same of what every replica sees that shares the database: one of them lets it be heard, and each shows it on its page.
    pub(crate) async fn raise_for_all(&self, who: (&str, &str, &str), outcome: &str, text: &str, once: &str) {
        let now = self.clock.now();
        let nobody = Sinks::default();
        let sinks = self.sinks.get().unwrap_or(&nobody);
        let is_ours = news::announce(&self.news, sinks, (who.2, text), Some(once), now).await;
        if let Err(error) = &is_ours {
            tracing::error!("news of {} cannot be written: {error}", who.2);
        }
        // Heard twice is better than not at all.
        if is_ours.unwrap_or(true) {
            tracing::warn!("{text}");
            self.write(who, outcome, text, now).await;
        }
        self.show(now, text);
    }

    /// Writes it into the audit log.
    async fn write(&self, (actor, action, target): (&str, &str, &str), outcome: &str, text: &str, now: Timestamp) {
        let entry = AuditEntry {
            at: landfall_object::whole_second(now).to_string(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            detail: json!({"announced": text}),
        };
        match self.audit.begin(&entry).await {
            Ok(number) => {
                if let Err(error) = self.audit.end(number, outcome).await {
                    tracing::error!("how entry {number} of the audit log has ended cannot be written: {error}");
                }
            }
            Err(error) => tracing::error!("the audit log cannot be written: {error}"),
        }
    }

    fn show(&self, at: Timestamp, text: &str) {
        let mut told = self.told.lock();
        if told.len() == MOST {
            told.pop_front();
        }
        told.push_back(Alarm { at, text: text.to_owned() });
    }

    /// The same of what is met again and again: heard once.
    pub(crate) async fn raise_once(&self, who: (&str, &str, &str), outcome: &str, text: &str) {
        let is_new = {
            let mut once = self.once.lock();
            if once.len() >= MOST_ONCE {
                once.clear();
            }
            once.insert(format!("{} {text}", who.2))
        };
        if is_new {
            self.raise(who, outcome, text).await;
        }
    }

    /// Those of the last day, newest first.
    pub(crate) fn recent(&self) -> Vec<Alarm> {
        let now = self.clock.now();
        let mut told = self.told.lock();
        told.retain(|alarm| now.duration_since(alarm.at) < KEPT);
        told.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use landfall_engine::WallClock;
    use landfall_store::{Location, Store};

    use super::*;

    #[tokio::test]
    async fn what_has_to_be_heard_is_heard_everywhere_and_what_is_met_again_once() {
        let store = Store::open(Location::Memory).await.expect("opened");
        let alarms = Alarms::new((store.audit.clone(), store.news.clone()), Arc::new(WallClock));
        alarms.tell(Sinks::default());
        let who = ("admin", "session.begin", "admin");
        alarms.raise(who, "done, announced", "admin has signed in").await;
        for _ in 0..3 {
            alarms.raise_once(("a/b", "application.render", "a/b"), "refused, announced", "a/b renders it").await;
        }
        let page: Vec<String> = alarms.recent().into_iter().map(|alarm| alarm.text).collect();
        assert_eq!(page, ["a/b renders it", "admin has signed in"]);
        let log = store.audit.newest(9, None).await.expect("read");
        assert_eq!(
            log.iter().map(|row| row.entry.action.as_str()).collect::<Vec<_>>(),
            ["application.render", "session.begin"]
        );
        let news = store.news.newest(Some("admin"), 9).await.expect("read");
        assert_eq!(news.iter().map(|row| row.item.kind.as_str()).collect::<Vec<_>>(), ["alarm"]);
        assert_eq!(store.news.newest(None, 9).await.expect("read").len(), 2);
    }
    /// Each replica that had seen it told it.
    #[tokio::test]
    async fn what_every_replica_sees_is_heard_once_and_stands_on_each_page() {
        let store = Store::open(Location::Memory).await.expect("opened");
        let replica = || Alarms::new((store.audit.clone(), store.news.clone()), Arc::new(WallClock));
        let [one, other] = [replica(), replica()];
        one.tell(Sinks::default());
        let who = ("unknown", "project.delete", "argocd/prod");
        for (alarms, uid) in [(&one, "a"), (&other, "a"), (&other, "b")] {
            alarms.raise_for_all(who, "announced", "it was deleted", uid).await;
        }
        assert_eq!(store.audit.newest(9, None).await.expect("read").len(), 2);
        assert_eq!(store.news.newest(None, 9).await.expect("read").len(), 2);
        assert_eq!((one.recent().len(), other.recent().len()), (1, 2));
    }
}
