//! One release or Application that was delivered, or was to be.

use landfall_delivery::{Change, INTERRUPTED, Outcome, UnitSummary};
use landfall_engine::StepResult;
use landfall_object::diff::Brief;

use crate::ui::{Style, Ui};

/// One unit's outcome, for people.
pub(crate) fn print_unit(ui: &Ui, unit: &UnitSummary, cluster: &str, revision: &str) {
    let outcome = match unit.outcome {
        Outcome::Delivered => ui.out_style(Style::Healthy, "delivered"),
        Outcome::Unchanged => ui.out_style(Style::Muted, "unchanged"),
        Outcome::Failed => ui.out_style(Style::Degraded, "failed"),
        Outcome::Interrupted => ui.out_style(Style::Warning, INTERRUPTED),
        Outcome::NotBegun => ui.out_style(Style::Warning, "not begun"),
    };
    let name = ui.out_style(Style::Strong, &unit.name);
    ui.line(&format!("{name} → {cluster}/{}   revision {}   {revision}   {outcome}", unit.namespace, unit.revision));
    for change in &unit.changes {
        print_change(ui, change);
    }
    if unit.unchanged > 0 && unit.outcome != Outcome::Unchanged {
        ui.line(&ui.out_style(Style::Muted, &format!("  = {} unchanged", unit.unchanged)));
    }
    for diagnostic in &unit.diagnostics {
        ui.diagnostic(diagnostic);
    }
    if let Some(failure) = &unit.failure {
        print_failure(ui, failure, unit);
    }
}

fn print_failure(ui: &Ui, failure: &landfall_delivery::FailureReport, unit: &UnitSummary) {
    ui.status(&format!("pods of {}:", unit.namespace));
    for pod in &failure.pods {
        let mark = if pod.simulated { "~" } else { " " };
        ui.status(&format!(
            "  {mark} {:<48} {:<6} {:<28} {} restarts  {}",
            pod.name, pod.ready, pod.status, pod.restarts, pod.node
        ));
    }
    ui.status("last events:");
    for event in &failure.events {
        let times = if event.count > 1 { format!(" (×{})", event.count) } else { String::new() };
        ui.status(&format!("  {} {:<8} {:<20} {}{times}", event.at, event.kind, event.reason, event.message));
    }
    let name = failure.evidence.first().map_or_else(
        || "SERVICE".to_owned(),
        |evidence| evidence.pod.clone().unwrap_or_else(|| evidence.object.name.clone()),
    );
    ui.status(&format!("look further: landfall status · landfall logs {name} · landfall history {}", unit.name));
}

/// One object that changes, for people.
pub(crate) fn print_change(ui: &Ui, change: &Change) {
    let (sign, style) = match (change.result, change.action.as_str()) {
        (Some(StepResult::Failed), _) => ("!", Style::Degraded),
        (_, "create") => ("+", Style::Added),
        (_, "delete") => ("-", Style::Removed),
        (_, "hook") => (">", Style::Changed),
        (_, "restart") => ("↻", Style::Changed),
        _ => ("~", Style::Changed),
    };
    let what = match change.fields.first() {
        Some(field) => {
            let more =
                if change.fields.len() > 1 { format!(" and {} more", change.fields.len() - 1) } else { String::new() };
            format!("{} {}{more}", field.path, Brief::of(field.from.as_ref(), field.to.as_ref(), 40))
        }
        None => change.why.clone(),
    };
    let result = change.result.map(result_word).unwrap_or_default();
    let object = format!("{}/{}", change.object.gvk.kind, change.object.name);
    ui.line(format!("  {} {object:<40} {what:<48} {result}", ui.out_style(style, sign)).trim_end());
    for field in &change.fields {
        if let Some(by) = &field.by {
            ui.line(&ui.out_style(Style::Muted, &format!("      {} was written by {by}", field.path)));
        }
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
