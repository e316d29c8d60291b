//! What commands print: one value, as text for people and as a document for programs.

mod ago;
mod check;
mod evidence;
mod unit;

use std::time::Instant;

use serde_json::{Value, json};

pub(crate) use self::ago::ago;
pub(crate) use self::check::print_check;
pub(crate) use self::evidence::with_evidence;
pub(crate) use self::unit::{print_change, print_unit, result_word};
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

    /// The names alone, one a line; where there are none, the same as for people.
    fn names(&self, ui: &Ui) {
        self.text(ui);
    }
}

impl Context {
    /// Prints a report as `-o` asks, with how the command ends and how long it took.
    pub(crate) fn report<R: Report>(&self, report: &R, exit: Exit, started: Instant) {
        self.print(report, || envelope(R::KIND, exit, report.data(), started));
    }

    /// Prints an answer as `-o` asks: what it says does not hang on when it is asked.
    pub(crate) fn answer<R: Report>(&self, report: &R) {
        self.print(report, || json!({"schema": schema(R::KIND), "ok": true, "data": report.data()}));
    }

    fn print<R: Report>(&self, report: &R, document: impl FnOnce() -> Value) {
        match self.ui.output {
            Output::Json | Output::Yaml => self.ui.document(&document()),
            Output::Name => report.names(&self.ui),
            Output::Table => report.text(&self.ui),
        }
    }
}

fn schema(kind: &str) -> String {
    format!("landfall.dev/v1/{kind}")
}

/// The JSON envelope that all machine output has.
pub(crate) fn envelope(kind: &str, exit: Exit, data: Value, started: Instant) -> Value {
    json!({
        "schema": schema(kind),
        "ok": exit == Exit::Done,
        "exit": exit as u8,
        "data": data,
        "elapsed_ms": started.elapsed().as_millis() as u64,
    })
}
