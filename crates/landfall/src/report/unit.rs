//! One release or Application that was delivered, or was to be.

use landfall_delivery::{Change, Deed, FailureReport, INTERRUPTED, Outcome, UnitSummary};
use landfall_engine::{Action, StepResult};
use landfall_object::diff::Brief;

use super::Again;
use crate::ui::{Style, Table, Ui};

/// One unit's outcome, for people.
pub(crate) fn print_unit(ui: &Ui, unit: &UnitSummary, cluster: &str, revision: &str, again: &Again) {
    let outcome = match unit.outcome {
        Outcome::Delivered => ui.out_style(Style::Healthy, "delivered"),
        Outcome::Unchanged => ui.out_style(Style::Muted, "unchanged"),
        Outcome::Failed => ui.out_style(Style::Degraded, "failed"),
        Outcome::Interrupted => ui.out_style(Style::Warning, INTERRUPTED),
        Outcome::NotBegun => ui.out_style(Style::Warning, "not begun"),
    };
    ui.folded(&format!("{}   {outcome}", heading(ui, &unit.name, (cluster, &unit.namespace), unit.revision, revision)));
    let mut changes = Changes::new();
    unit.changes.iter().for_each(|change| changes.add(ui, change));
    if unit.outcome != Outcome::Unchanged {
        changes.unchanged(ui, unit.unchanged);
    }
    changes.print(ui);
    for diagnostic in &unit.diagnostics {
        ui.diagnostic(diagnostic);
    }
    if let Some(failure) = &unit.failure {
        print_failure(ui, failure, unit, again);
    }
}

/// What is delivered where, and what it becomes; a revision only of what has one.
pub(crate) fn heading(ui: &Ui, name: &str, (cluster, namespace): (&str, &str), number: i64, revision: &str) -> String {
    let place = if namespace.is_empty() { cluster.to_owned() } else { format!("{cluster}/{namespace}") };
    let number = if number > 0 { format!("   revision {number}") } else { String::new() };
    format!("{} → {place}{number}   {revision}", ui.out_style(Style::Strong, name))
}

fn print_failure(ui: &Ui, failure: &FailureReport, unit: &UnitSummary, again: &Again) {
    if !failure.pods.is_empty() {
        ui.status(&format!("pods of {}:", unit.namespace));
        let mut pods = Table::headless(2);
        for pod in &failure.pods {
            let mark = if pod.simulated { "~" } else { " " };
            let restarts = format!("{} restarts", pod.restarts);
            let name = format!("{mark} {}", pod.name);
            pods.row([name, pod.ready.clone(), pod.status.clone(), restarts, pod.node.clone()]);
        }
        ui.status_table(&pods);
    }
    if !failure.events.is_empty() {
        ui.status("last events:");
        let mut events = Table::headless(2);
        for event in &failure.events {
            let times = if event.count > 1 { format!(" (×{})", event.count) } else { String::new() };
            let said = format!("{}{times}", event.message);
            events.row([event.at.to_string(), event.kind.clone(), event.reason.clone(), said]);
        }
        ui.status_table(&events);
    }
    let name = failure.evidence.first().map_or_else(
        || "SERVICE".to_owned(),
        |evidence| evidence.pod.clone().unwrap_or_else(|| evidence.object.name.clone()),
    );
    let [status, logs, history] =
        [("status", None), ("logs", Some(name.as_str())), ("history", Some(unit.name.as_str()))]
            .map(|(verb, name)| again.verb(verb, name.as_slice()));
    ui.status(&format!("look further: {status} · {logs} · {history}"));
}

/// Objects that change, a line each, for people.
pub(crate) struct Changes(Table);

impl Changes {
    /// None yet.
    pub(crate) fn new() -> Self {
        Changes(Table::headless(2))
    }

    /// What the changes below it have in common.
    pub(crate) fn phase(&mut self, ui: &Ui, phase: &str) {
        self.0.line(ui.out_style(Style::Muted, phase));
    }

    /// One more.
    pub(crate) fn add(&mut self, ui: &Ui, change: &Change) {
        let (sign, style) = match (change.result, change.action) {
            (Some(StepResult::Failed), _) => ("!", Style::Degraded),
            (_, Deed::Step(Action::Create)) => ("+", Style::Added),
            (_, Deed::Step(Action::Delete)) => ("-", Style::Removed),
            (_, Deed::Step(Action::Keep)) => ("=", Style::Muted),
            (_, Deed::Step(Action::Hook)) => (">", Style::Changed),
            (_, Deed::Restart) => ("↻", Style::Changed),
            _ => ("~", Style::Changed),
        };
        let what = match change.fields.first() {
            Some(field) => {
                let more = if change.fields.len() > 1 {
                    format!(" and {} more", change.fields.len() - 1)
                } else {
                    String::new()
                };
                format!("{} {}{more}", field.path, Brief::of(field.from.as_ref(), field.to.as_ref(), 40))
            }
            None => change.why.clone(),
        };
        let object = format!("{} {}/{}", ui.out_style(style, sign), change.object.gvk.kind, change.object.name);
        match change.result {
            Some(result) => self.0.row([object, what, result_word(result).to_owned()]),
            None => self.0.row([object, what]),
        }
        for field in &change.fields {
            if let Some(by) = &field.by {
                self.0.line(ui.out_style(Style::Muted, &format!("    {} was written by {by}", field.path)));
            }
        }
    }

    /// Those that are as they should be.
    pub(crate) fn unchanged(&mut self, ui: &Ui, count: usize) {
        if count > 0 {
            self.0.line(ui.out_style(Style::Muted, &format!("= {count} unchanged")));
        }
    }

    /// Prints them.
    pub(crate) fn print(&self, ui: &Ui) {
        ui.table(&self.0);
    }
}

/// What has become of an object, in a word.
pub(crate) fn result_word(result: StepResult) -> &'static str {
    match result {
        StepResult::Created => "created",
        StepResult::Changed => "changed",
        StepResult::Deleted => "deleted",
        StepResult::Failed => "failed",
        StepResult::HookSucceeded => "succeeded",
        StepResult::Kept => "kept",
        StepResult::Unchanged => "unchanged",
        StepResult::Absent => "absent",
        StepResult::Ready => "ready",
    }
}
