//! What commands print: one value, as text for people and as a document for programs.

mod again;
mod ago;
mod check;
mod evidence;
mod faults;
mod unit;

use std::time::Instant;

use landfall_diag::Diagnostic;
use serde_json::{Value, json};

pub(crate) use self::again::Again;
pub(crate) use self::ago::ago;
pub(crate) use self::check::print_checks;
pub(crate) use self::evidence::with_evidence;
pub(crate) use self::faults::print_faults;
pub(crate) use self::unit::{Changes, heading, print_unit};
use crate::context::Context;
use crate::exit::Exit;
use crate::ui::{Output, Ui};

/// What is said of a delivery that was interrupted.
pub(crate) const GOES_ON: &str = "the same command goes on from here";

/// What a command has to say.
pub(crate) trait Report {
    /// What it is: `landfall.dev/v1/KIND` is its document's schema.
    const KIND: &'static str;

    /// For programs.
    fn data(&self) -> Value;

    /// For people.
    fn text(&self, ui: &Ui);

    /// The names alone, one a line, each by [`landfall_terminal::Printer::name`].
    fn names(&self, ui: &Ui);
}

impl Context {
    /// Prints a report as `-o` asks, with how the command ends and how long it took.
    pub(crate) fn report<R: Report>(&self, report: &R, exit: Exit, started: Instant) {
        self.print(report, || envelope(R::KIND, exit, report.data(), started));
    }

    /// Prints an answer as `-o` asks: what it says does not hang on when it is asked.
    pub(crate) fn answer<R: Report>(&self, report: &R, exit: Exit) {
        self.print(report, || head(R::KIND, exit, report.data()));
    }

    fn print<R: Report>(&self, report: &R, document: impl FnOnce() -> Value) {
        match self.ui.output {
            Output::Json | Output::Yaml => self.ui.document(&document()),
            Output::Name => report.names(&self.ui),
            Output::Table => report.text(&self.ui),
        }
    }
}

/// The envelope that all machine output has (`docs/output.md`), with the time that the command took.
pub(crate) fn envelope(kind: &str, exit: Exit, data: Value, started: Instant) -> Value {
    let mut envelope = head(kind, exit, data);
    envelope["elapsed_ms"] = json!(started.elapsed().as_millis() as u64);
    envelope
}

fn head(kind: &str, exit: Exit, data: Value) -> Value {
    json!({
        "schema": format!("landfall.dev/v1/{kind}"),
        "ok": exit == Exit::Done,
        "exit": exit as u8,
        "data": data,
    })
}

/// The envelope of a command that failed before it had something to report: what was told of it on standard error.
pub(crate) fn failure(exit: Exit, diagnostics: &[Diagnostic]) -> Value {
    head("Failure", exit, json!({"diagnostics": diagnostics}))
}
