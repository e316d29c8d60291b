//! What is said of new values of keys; none of the values.

use std::collections::{BTreeMap, BTreeSet};

use landfall_delivery::life::{Stale, State};
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
    /// How the keys stand that are not changed.
    pub(super) standing: BTreeMap<String, State>,
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
                None if self.is_kept(key) => table.row([key.clone(), "kept".to_owned()]),
                None => match self.standing.get(key) {
                    None | Some(State::Missing | State::Vacant) => {}
                    Some(state) => table.row([key.clone(), state.word().to_owned()]),
                },
            }
        }
        table
    }

    /// Whether a key stays as it is, and its value is there: what does not open any more is nobody's.
    fn is_kept(&self, key: &str) -> bool {
        self.standing.get(key).is_some_and(|state| state.is_there())
    }

    /// How many keys are to be there.
    fn declared(&self) -> usize {
        let changed = |key: &String| self.work.changes.iter().any(|change| change.key == *key);
        let is_vacant = |key: &String| self.standing.get(key) == Some(&State::Vacant) && !changed(key);
        self.work.scene.declared.keys.keys().filter(|key| !is_vacant(key)).count()
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
            "kept": work.kept.iter().filter(|key| self.is_kept(key)).collect::<Vec<_>>(),
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
        let declared = self.declared();
        if work.changes.is_empty() && self.files.is_empty() {
            ui.line(&format!("{}: all of its {declared} keys are there; nothing was changed", work.scene.shown()));
            return;
        }
        let kept = work.scene.declared.keys.keys().filter(|key| self.is_kept(key)).map(String::as_str);
        let there: BTreeSet<&str> = work.changes.iter().map(|change| change.key.as_str()).chain(kept).collect();
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
