use std::collections::BTreeMap;

use landfall_store::{StepIntent, StepOutcome, Store};
use serde_json::Value;

use crate::clock::Clock;
use crate::{Error, Probe};

/// The journal of one operation, with a probe's points around each write.
pub(crate) struct Journal<'a> {
    store: &'a Store,
    probe: &'a dyn Probe,
    clock: &'a dyn Clock,
    operation: &'a str,
    /// Intent and outcome by step, those of an earlier process included.
    written: BTreeMap<String, (Value, Option<Value>)>,
}

impl<'a> Journal<'a> {
    /// Reads what has been written of an operation so far.
    pub(crate) async fn read(
        store: &'a Store,
        probe: &'a dyn Probe,
        clock: &'a dyn Clock,
        operation: &'a str,
    ) -> Result<Self, Error> {
        let rows = store.steps(operation).await?;
        let written = rows.into_iter().map(|row| (row.name, (row.intent, row.outcome))).collect();
        Ok(Journal { store, probe, clock, operation, written })
    }

    /// How many steps have an outcome.
    pub(crate) fn done(&self) -> usize {
        self.written.values().filter(|(_, outcome)| outcome.is_some()).count()
    }

    pub(crate) fn intent(&self, step: &str) -> Option<&Value> {
        self.written.get(step).map(|(intent, _)| intent)
    }

    pub(crate) fn outcome(&self, step: &str) -> Option<&Value> {
        self.written.get(step).and_then(|(_, outcome)| outcome.as_ref())
    }

    /// Writes intents that have not been written yet, in one transaction.
    pub(crate) async fn intend(&mut self, intents: Vec<(String, Value)>) -> Result<(), Error> {
        let rows: Vec<StepIntent> = intents
            .into_iter()
            .filter(|(name, _)| !self.written.contains_key(name))
            .map(|(name, body)| StepIntent { name, body })
            .collect();
        let Some(first) = rows.first() else { return Ok(()) };
        let first = first.name.clone();
        self.probe.reach(format_args!("before intent {first}"))?;
        self.store.write_intents(self.operation, &rows, &self.clock.now().to_string()).await?;
        for row in rows {
            self.written.insert(row.name, (row.body, None));
        }
        self.probe.reach(format_args!("after intent {first}"))?;
        Ok(())
    }

    /// Writes outcomes in one transaction.
    pub(crate) async fn conclude(&mut self, outcomes: Vec<(String, Value)>) -> Result<(), Error> {
        let Some((first, _)) = outcomes.first() else { return Ok(()) };
        let first = first.clone();
        let rows: Vec<StepOutcome> = outcomes.into_iter().map(|(name, body)| StepOutcome { name, body }).collect();
        self.probe.reach(format_args!("before outcome {first}"))?;
        self.store.write_outcomes(self.operation, &rows, &self.clock.now().to_string()).await?;
        for row in rows {
            if let Some(entry) = self.written.get_mut(&row.name) {
                entry.1 = Some(row.body);
            }
        }
        self.probe.reach(format_args!("after outcome {first}"))?;
        Ok(())
    }
}
