//! Findings that make a command fail: all of them that is said when only errors are wanted.

use landfall_rules::{Examination, findings_text};

use crate::ui::Ui;

/// Says the findings at error level, and nothing else.
pub(crate) fn print_faults(ui: &Ui, examination: &Examination) {
    let findings: Vec<_> = examination.findings.iter().filter(|finding| finding.fails()).cloned().collect();
    if !findings.is_empty() {
        ui.wrong(findings_text(&Examination { findings, ..Examination::default() }).trim_end());
    }
}
