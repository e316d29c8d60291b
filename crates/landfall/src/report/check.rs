//! One declared check.

use landfall_delivery::{CheckResult, Verdict};

use crate::ui::{Style, Ui};

/// One check's outcome, for people.
pub(crate) fn print_check(ui: &Ui, check: &CheckResult) {
    let (word, style, why) = match &check.verdict {
        Verdict::Passed if check.simulated => ("passed ~", Style::Healthy, String::new()),
        Verdict::Passed => ("passed", Style::Healthy, String::new()),
        Verdict::Failed { reason } => ("failed", Style::Degraded, format!(": {reason}")),
        Verdict::NotSimulated { reason } => ("not simulated", Style::Warning, format!(": {reason}")),
    };
    ui.line(&format!("check {:<12} {:<40} {}{why}", check.name, check.address, ui.out_style(style, word)));
}
