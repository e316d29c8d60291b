//! Simulated operators stand back for the real ones.

use jiff::Timestamp;
use landfall_apiserver::{Event, ObjectRef, World, rfc3339};
use landfall_object::SIMULATED;
use serde_json::Value;

use super::desk::{Agent, Desk, EventType, Found, guard};
use super::events::Correlator;
use super::fields::{annotation, list, text};
use super::kind::{CONFIG_MAP, SECRET};
use crate::operators::standing::{Entry, OPERATOR_RECORD, OperatorRecord, Operators, Sign, sign};

/// Which simulated operators do not act, and who was seen since it was last looked.
#[derive(Clone, Debug, Default)]
pub(super) struct Attendance {
    record: OperatorRecord,
    news: Vec<(Sign, Found)>,
}

impl Attendance {
    /// Whether an object is the one in which it is kept.
    pub(super) fn is_record(object: &ObjectRef) -> bool {
        &*object.resource == CONFIG_MAP.id && (object.namespace.as_str(), object.name.as_str()) == OPERATOR_RECORD
    }

    /// Reads what is kept in the cluster; whether that changed anything.
    pub(super) fn read(&mut self, world: &World) -> bool {
        let kept = world.find(CONFIG_MAP.id, OPERATOR_RECORD.0, OPERATOR_RECORD.1);
        let record = kept.map(|kept| OperatorRecord::of_config_map(&kept)).unwrap_or_default();
        let changed = record != self.record;
        self.record = record;
        changed
    }

    /// Notices a write that shows a real operator.
    pub(super) fn see(&mut self, event: &Event) {
        if let Some(sign) = sign(event)
            && self.record.get(&sign.name).is_none()
            && self.news.iter().all(|(known, _)| known.name != sign.name)
        {
            self.news.push((sign, event.object.clone()));
        }
    }

    /// Whether somebody was seen who has not been given way to.
    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// Whether a twin is to act, as far as others leave it the choice.
    pub(super) fn acts(&self, twin: &str, operators: Operators) -> bool {
        match self.record.get(twin) {
            None => true,
            Some(Entry::StoodBack { .. }) => operators == Operators::Alone,
            Some(Entry::Off { .. }) => false,
        }
    }

    /// Lets twins stand back: it is written down and said, and what only pretended goes.
    pub(super) fn give_way(&mut self, world: &mut World, events: &mut Correlator, now: Timestamp) {
        for (Sign { name, twin, because }, seen) in std::mem::take(&mut self.news) {
            tracing::info!(operator = name, because, "the simulated operator stands back: the real one acts");
            let entry = Entry::StoodBack { since: rfc3339(now), because: because.clone() };
            self.record.set(&name, entry);
            let mut desk = Desk::new(world, events, now, Agent::Landfall);
            let taken = if name == twin.name { take_back(&mut desk, twin.agent) } else { 0 };
            let mut message = format!("The simulated {name} stands back for the real one: {because}");
            if taken > 0 {
                message.push_str(&format!("; placeholders taken back: {taken}"));
            }
            desk.event(&seen, EventType::Normal, "StoodBack", &message);
        }
        let record = self.record.to_config_map();
        let mut desk = Desk::new(world, events, now, Agent::Landfall);
        let written = match desk.get(&CONFIG_MAP, OPERATOR_RECORD.0, OPERATOR_RECORD.1) {
            Some(kept) => {
                let mut changed = kept.value().clone();
                changed["data"] = record["data"].clone();
                desk.update(&CONFIG_MAP, changed)
            }
            None => desk.create(&CONFIG_MAP, record),
        };
        if let Err(refusal) = written {
            tracing::warn!(%refusal, "that simulated operators stand back could not be kept");
        }
    }
}

/// Deletes the Secrets of which a twin wrote every field: the real operator would take them for somebody's.
fn take_back(desk: &mut Desk<'_>, agent: Agent) -> usize {
    let is_own = |secret: &Value| {
        let writers = list(secret, "/metadata/managedFields");
        annotation(secret, SIMULATED).is_some()
            && !writers.is_empty()
            && writers.iter().all(|entry| text(entry, "/manager") == agent.name())
            && guard(secret, None).is_ok()
    };
    let own: Vec<Found> = desk.list(&SECRET, "").into_iter().filter(|secret| is_own(secret)).collect();
    own.iter()
        .filter(|secret| match desk.delete(&SECRET, secret.namespace(), secret.name()) {
            Ok(()) => true,
            Err(refusal) => {
                tracing::warn!(%refusal, secret = secret.name(), "a placeholder could not be taken back");
                false
            }
        })
        .count()
}
