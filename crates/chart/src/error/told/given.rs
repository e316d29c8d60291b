//! What somebody gives a chart: values, flags, dependencies.

use landfall_diag::{Diagnostic, code};

use crate::chart::typed;
use crate::error::secretive::with_setting;
use crate::error::value_path::shown;
use crate::error::{Mismatch, SchemaViolation};
use crate::origin::Setting;
use crate::set_flag::SetFlag;

/// A line of the `--set` family that cannot be read.
pub(super) fn set(flag: SetFlag, text: &str, problem: &str) -> Diagnostic {
    Diagnostic::error(code::BAD_SET, format!("{} {text} cannot be read: {problem}", flag.name()))
        .help("write `key=value`; escape `,` and `.` in keys and values with `\\`, quote the whole for the shell")
}

/// A subchart's values that are no table.
pub(super) fn not_a_table(mismatch: &Mismatch, setting: Option<&Setting>) -> Diagnostic {
    let name = &mismatch.name;
    let message = format!("`{name}` must be a table: its keys are the values of the subchart");
    with_setting(Diagnostic::error(code::NOT_A_TABLE, message), setting, "set here")
        .help(format!("write the subchart's values below `{name}:`, or switch it off with its condition"))
}

/// Dependencies that are declared and not there.
pub(super) fn missing_dependencies(names: &[String], location: &str) -> Diagnostic {
    let message = format!("dependencies are declared in Chart.yaml and not in charts/: {}", names.join(", "));
    Diagnostic::error(code::MISSING_DEPENDENCIES, message)
        .help(format!("landfall dependency build {}", typed(location)))
}

/// Values that do not fit.
pub(super) fn schema(violations: &[SchemaViolation]) -> Diagnostic {
    let many = violations.len();
    let first = violations.first();
    let message = match first {
        Some(violation) if many == 1 => {
            format!(
                "`{}` does not fit the schema of chart {}: {}",
                shown(&violation.path),
                violation.chart,
                violation.text
            )
        }
        _ => format!("{many} values do not fit their chart's schema"),
    };
    let mut diagnostic = Diagnostic::error(code::SCHEMA_VIOLATED, message);
    for violation in violations.iter().take(10) {
        let what = format!("{}: {}", shown(&violation.path), violation.text);
        match violation.setting.as_deref() {
            Some(setting) => diagnostic = with_setting(diagnostic, Some(setting), &what),
            None => diagnostic = diagnostic.note(what),
        }
    }
    diagnostic.help("correct the values, or render with `--skip-schema-validation`")
}
