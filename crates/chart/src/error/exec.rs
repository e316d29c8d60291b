//! A template that failed, told to people.

use landfall_diag::{Diagnostic, code, nearest};
use landfall_gotemplate::{Cause, ExecError, FuncError};

use super::Evidence;
use super::secretive::with_setting;
use super::value_path::shown;
use crate::origin::Setting;

/// A template that failed.
pub(super) fn exec(error: &ExecError, evidence: &Evidence) -> Diagnostic {
    if let Some(message) = error.failure() {
        return refuses(message, evidence);
    }
    let reads_a_part = !evidence.culprit.is_empty() && evidence.culprit.len() < evidence.path.len();
    if matches!(error.root().cause, Cause::Field(_)) && reads_a_part {
        return unreadable(evidence);
    }
    failed(error, evidence)
}

/// The chart asks for something: `fail` and `required`.
fn refuses(message: &str, evidence: &Evidence) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(code::TEMPLATE_REFUSES, message.trim().to_owned());
    if !evidence.path.is_empty() {
        diagnostic = with_setting(diagnostic, evidence.settings.last(), "the value it looks at");
        diagnostic = diagnostic.help(format!("set `{}`", evidence.path.join(".")));
    }
    used(diagnostic, evidence, "the chart asks for it here")
}

/// Why nothing can be read below a value.
enum Obstacle<'e> {
    Unset,
    Null(&'e Setting),
    NoTable,
}

/// A value below something that is not set, null or no table.
fn unreadable(evidence: &Evidence) -> Diagnostic {
    let (whole, culprit) = (shown(&evidence.path), evidence.culprit.join("."));
    let last = evidence.settings.last();
    let obstacle = match last {
        None => Obstacle::Unset,
        Some(setting) if setting.value.is_nil() => Obstacle::Null(setting),
        Some(_) => Obstacle::NoTable,
    };
    let is = match obstacle {
        Obstacle::Unset => "is not set",
        Obstacle::Null(_) => "is null",
        Obstacle::NoTable => "is not a table",
    };
    let diagnostic = Diagnostic::error(code::VALUE_UNREADABLE, format!("`{whole}` cannot be read: `{culprit}` {is}"));
    let overridden = evidence.settings.len().checked_sub(2).and_then(|at| evidence.settings.get(at));
    let text = match (&obstacle, overridden) {
        (Obstacle::Null(_), Some(lower)) => format!("set to null here, overrides {}", lower.source),
        (Obstacle::Null(_), None) => "set to null here".to_owned(),
        (_, Some(lower)) => format!("set here, overrides {}", lower.source),
        (_, None) => "set here".to_owned(),
    };
    let diagnostic = used(with_setting(diagnostic, last, &text), evidence, "used here");
    let key = evidence.path.get(evidence.culprit.len()).cloned().unwrap_or_default();
    diagnostic.help(match obstacle {
        Obstacle::Null(setting) => format!("delete the empty key at {}, or set `{key}` under it", setting.source),
        Obstacle::Unset => match mistyped(evidence) {
            Some(near) => format!("set `{culprit}.{key}`; there is a key `{near}`"),
            None => format!("set `{culprit}.{key}`, for example with `--set {culprit}.{key}=…`"),
        },
        Obstacle::NoTable => format!("make `{culprit}` a table with the key `{key}`"),
    })
}

/// The key that may have been meant.
fn mistyped(evidence: &Evidence) -> Option<&str> {
    let last = evidence.culprit.last().filter(|key| key.chars().count() > 2)?;
    nearest(last, evidence.siblings.iter().map(String::as_str))
}

/// Any other failure.
fn failed(error: &ExecError, evidence: &Evidence) -> Diagnostic {
    let cause = &error.root().cause;
    let code = match cause {
        Cause::Limit(_) => code::LIMIT,
        Cause::NoTemplate { .. } => code::NO_NAMED_TEMPLATE,
        _ if error.is_circle() => code::TEMPLATE_CIRCLE,
        _ => code::TEMPLATE_FAILED,
    };
    let mut diagnostic = Diagnostic::error(code, format!("a template failed: {}", words(cause)));
    if code == code::TEMPLATE_CIRCLE {
        diagnostic = diagnostic.help("the template includes itself, here or through another one: break the circle");
    }
    if let Some(place) = &evidence.place {
        diagnostic = diagnostic.primary(place.clone(), "");
    }
    if let Some(place) = &evidence.outer {
        diagnostic = diagnostic.label(place.clone(), "reached from here");
    }
    if !evidence.settings.is_empty() {
        let places: Vec<String> = evidence.settings.iter().map(|setting| setting.source.to_string()).collect();
        diagnostic = diagnostic.note(format!("`{}` is set at {}", evidence.culprit.join("."), places.join(", then ")));
    }
    diagnostic
}

/// Go's words for the innermost cause, without the name of the package in front.
fn words(cause: &Cause) -> String {
    match cause {
        Cause::NoTemplate { name, set } => format!("no template {name} associated with template {set}"),
        Cause::Call { error, .. } => match &**error {
            FuncError::Parse { prefix, error } if prefix.is_empty() => {
                format!("{}:{}: {}", error.name, error.line, error.message)
            }
            error => error.to_string(),
        },
        cause => cause.to_string(),
    }
}

/// With the template's line, and the one that led to it.
fn used(mut diagnostic: Diagnostic, evidence: &Evidence, text: &str) -> Diagnostic {
    if let Some(place) = &evidence.place {
        diagnostic = diagnostic.label(place.clone(), text);
    }
    match &evidence.outer {
        Some(place) => diagnostic.label(place.clone(), "reached from here"),
        None => diagnostic,
    }
}
