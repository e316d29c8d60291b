//! What is said of new values of keys; none of the values.

use std::collections::{BTreeMap, BTreeSet};

use landfall_delivery::life::Stale;
use landfall_secrets::{Fingerprint, Making};
use serde_json::{Value, json};

use super::changes::{Change, Deed, Work};
use crate::report::Report;
use crate::ui::{Table, Ui};

/// What was written.
pub(super) struct Changed<'a> {
    pub(super) work: &'a Work<'a>,
    /// The files that were written.
    pub(super) files: Vec<&'a str>,
    /// The fingerprints of what was born.
    pub(super) born: &'a BTreeMap<String, Fingerprint>,
    /// Who was restarted.
    pub(super) restarted: &'a [Stale],
    /// The commit.
    pub(super) committed: Option<&'a str>,
    /// Whether nothing was done yet.
    pub(super) dry: bool,
}

impl Changed<'_> {
    fn how(&self, change: &Change) -> String {
        let making = self.work.scene.declared.keys.get(&change.key).map(|key| &key.making);
        match (change.deed, making) {
            (Deed::Born | Deed::Rotated, Some(making)) => format!("{}: {}", change.deed.word(), making.words()),
            (Deed::Follows, Some(Making::Composed { .. } | Making::PublicOf(_))) => {
                making.map(Making::words).unwrap_or_default()
            }
            _ => change.deed.word().to_owned(),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["KEY", "VALUE"]);
        for key in self.work.scene.declared.keys.keys() {
            match self.work.changes.iter().find(|change| change.key == *key) {
                Some(change) => table.row([key.clone(), self.how(change)]),
                None if self.work.kept.contains(key) => table.row([key.clone(), "kept".to_owned()]),
                None => {}
            }
        }
        table
    }

    /// What is to be done, before somebody agrees to it.
    pub(super) fn plan(&self, ui: &Ui) {
        ui.status_table(&self.table());
    }
}

impl Report for Changed<'_> {
    const KIND: &'static str = "SecretChanges";

    fn data(&self) -> Value {
        let Self { work, .. } = self;
        let changes: Vec<Value> =
            work.changes.iter().map(|change| json!({"key": change.key, "how": change.deed.id()})).collect();
        let born: BTreeMap<&str, String> =
            self.born.iter().map(|(key, print)| (key.as_str(), print.to_string())).collect();
        json!({
            "environment": work.scene.environment,
            "secret": work.scene.shown(),
            "changes": changes,
            "kept": work.kept,
            "files": self.files,
            "fingerprints": born,
            "restarted": self.restarted.iter().map(|one| one.workload.to_string()).collect::<Vec<_>>(),
            "commit": self.committed,
            "dry_run": self.dry,
        })
    }

    fn text(&self, ui: &Ui) {
        let Self { work, .. } = self;
        ui.table(&self.table());
        let declared = work.scene.declared.keys.len();
        if work.changes.is_empty() && self.files.is_empty() {
            ui.line(&format!("{}: all of its {declared} keys are there; nothing was changed", work.scene.shown()));
            return;
        }
        let there: BTreeSet<&str> =
            work.changes.iter().map(|change| change.key.as_str()).chain(work.kept.iter().map(String::as_str)).collect();
        let place = match &work.scene.held {
            Some(held) => format!("sealed in {}", held.shown),
            None => format!("on {}", work.connection.name),
        };
        let would = if self.dry { "would be " } else { "" };
        ui.line(&format!("{}/{declared} keys {would}{place}, for {}", there.len(), work.scene.shown()));
        for (key, print) in self.born {
            ui.line(&format!("{key}: {print}, in landfall.yaml for git, so that nothing else takes its place"));
        }
        self.restarted.iter().for_each(|one| ui.line(&format!("restarted {}", one.workload)));
        if let Some(commit) = self.committed {
            ui.line(&format!("committed as {commit}{}", if work.args.push { ", and pushed" } else { "" }));
        }
    }

    fn names(&self, ui: &Ui) {
        self.work.changes.iter().for_each(|change| ui.name(&change.key));
    }
}
