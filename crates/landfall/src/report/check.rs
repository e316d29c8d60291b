//! Declared checks.

use landfall_delivery::{CheckResult, Verdict};

use crate::ui::{Style, Table, Ui};

/// The checks' outcomes, for people.
pub(crate) fn print_checks(ui: &Ui, checks: &[CheckResult]) {
    let mut table = Table::headless(0);
    for check in checks {
        let (style, why) = match &check.verdict {
            Verdict::Passed => (Style::Healthy, String::new()),
            Verdict::Failed { reason } => (Style::Degraded, format!(": {reason}")),
            Verdict::NotSimulated { reason } => (Style::Warning, format!(": {reason}")),
        };
        let verdict = format!("{}{why}", ui.out_style(style, check.word()));
        if ui.is_quiet() && check.verdict != Verdict::Passed {
            ui.wrong(&format!("check {}: {verdict}", check.name));
        }
        table.row([format!("check {}", check.name), check.address.clone(), verdict]);
    }
    ui.table(&table);
}
