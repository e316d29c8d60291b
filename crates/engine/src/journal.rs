use std::collections::BTreeMap;

use landfall_store::{StepIntent, StepOutcome, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::Clock;
use crate::entry::{Intent, Outcome};
use crate::{Error, Probe};

/// The journal of one operation, with a probe's points around each write.
pub(crate) struct Journal<'a> {
    store: &'a Store,
    probe: &'a dyn Probe,
    clock: &'a dyn Clock,
    operation: &'a str,
    /// Intent and outcome by step, those of an earlier process included.
    written: BTreeMap<String, (Intent, Option<Outcome>)>,
}

impl<'a> Journal<'a> {
    /// Reads what has been written of an operation so far.
    pub(crate) async fn read(
        store: &'a Store,
        probe: &'a dyn Probe,
        clock: &'a dyn Clock,
        operation: &'a str,
    ) -> Result<Self, Error> {
        let rows = store.journal.steps(operation).await?;
        let mut written = BTreeMap::new();
        for row in rows {
            let intent = entry(&row.name, row.intent)?;
            let outcome = row.outcome.map(|outcome| entry(&row.name, outcome)).transpose()?;
            written.insert(row.name, (intent, outcome));
        }
        Ok(Journal { store, probe, clock, operation, written })
    }

    /// How many steps have an outcome.
    pub(crate) fn done(&self) -> usize {
        self.written.values().filter(|(_, outcome)| outcome.is_some()).count()
    }

    /// What has been written so far, by the steps' names.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&str, &Intent, Option<&Outcome>)> {
        self.written.iter().map(|(name, (intent, outcome))| (name.as_str(), intent, outcome.as_ref()))
    }

    pub(crate) fn intent(&self, step: &str) -> Option<&Intent> {
        self.written.get(step).map(|(intent, _)| intent)
    }

    pub(crate) fn outcome(&self, step: &str) -> Option<&Outcome> {
        self.written.get(step).and_then(|(_, outcome)| outcome.as_ref())
    }

    /// Writes intents that have not been written yet, in one transaction.
    pub(crate) async fn intend(&mut self, intents: Vec<(String, Intent)>) -> Result<(), Error> {
        let new: Vec<(String, Intent)> =
            intents.into_iter().filter(|(name, _)| !self.written.contains_key(name)).collect();
        let Some((first, _)) = new.first() else { return Ok(()) };
        let first = first.clone();
        let mut rows = Vec::with_capacity(new.len());
        for (name, intent) in &new {
            rows.push(StepIntent { name: name.clone(), body: body(name, intent)? });
        }
        self.probe.reach(format_args!("before intent {first}"))?;
        self.store.journal.write_intents(self.operation, &rows, &self.clock.now().to_string()).await?;
        self.written.extend(new.into_iter().map(|(name, intent)| (name, (intent, None))));
        self.probe.reach(format_args!("after intent {first}"))?;
        Ok(())
    }

    /// Writes outcomes in one transaction.
    pub(crate) async fn conclude(&mut self, outcomes: Vec<(String, Outcome)>) -> Result<(), Error> {
        let Some((first, _)) = outcomes.first() else { return Ok(()) };
        let first = first.clone();
        let mut rows = Vec::with_capacity(outcomes.len());
        for (name, outcome) in &outcomes {
            rows.push(StepOutcome { name: name.clone(), body: body(name, outcome)? });
        }
        self.probe.reach(format_args!("before outcome {first}"))?;
        self.store.journal.write_outcomes(self.operation, &rows, &self.clock.now().to_string()).await?;
        for (name, outcome) in outcomes {
            if let Some(entry) = self.written.get_mut(&name) {
                entry.1 = Some(outcome);
            }
        }
        self.probe.reach(format_args!("after outcome {first}"))?;
        Ok(())
    }
}

/// An entry as the store keeps it.
fn body(step: &str, entry: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(entry).map_err(|error| damaged(step, &error))
}

/// The entry that the store has kept.
fn entry<T: DeserializeOwned>(step: &str, body: Value) -> Result<T, Error> {
    serde_json::from_value(body).map_err(|error| damaged(step, &error))
}

fn damaged(step: &str, error: &serde_json::Error) -> Error {
    Error::Store(landfall_store::Error::Damaged { what: format!("step {step}: {error}") })
}
