//! The binary's terminal: the printer, and how data is asked for.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use landfall_diag::seconds;
use landfall_host::Env;
use landfall_terminal::{Printer, Watching};
pub(crate) use landfall_terminal::{Progress, Style, Table, Verbosity, output_failure};

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Output {
    /// Aligned columns for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// Names only, one a line.
    Name,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The terminal as a command of ours sees it.
#[derive(Debug, Clone)]
pub(crate) struct Ui {
    /// How data is printed.
    pub(crate) output: Output,
    printer: Printer,
    /// Whether a document was printed: there is one a command.
    documented: Arc<AtomicBool>,
}

impl Deref for Ui {
    type Target = Printer;

    fn deref(&self) -> &Printer {
        &self.printer
    }
}

/// The terminal as the environment and flags describe it.
pub(crate) fn printer(env: &Env, verbosity: Verbosity, color: ColorChoice) -> Printer {
    let color = match color {
        ColorChoice::Auto => landfall_terminal::ColorChoice::Auto,
        ColorChoice::Always => landfall_terminal::ColorChoice::Always,
        ColorChoice::Never => landfall_terminal::ColorChoice::Never,
    };
    let watching = if env.is_ci() { Watching::Nobody } else { Watching::Somebody };
    Printer::new(&|name| env.get(name).map(str::to_owned), verbosity, color, watching)
}

impl Ui {
    /// A terminal on which data is printed so.
    pub(crate) fn new(printer: Printer, output: Output) -> Self {
        Ui { output, printer, documented: Arc::default() }
    }

    /// Whether a program reads what is printed, and has not been told yet how the command ends.
    pub(crate) fn owes_document(&self) -> bool {
        matches!(self.output, Output::Json | Output::Yaml) && !self.documented.load(Ordering::Relaxed)
    }

    /// Prints a serialisable value as JSON or YAML, as `-o` asks.
    pub(crate) fn document(&self, value: &serde_json::Value) {
        self.documented.store(true, Ordering::Relaxed);
        match self.output {
            Output::Yaml => self.bytes(landfall_yaml::emit(value).unwrap_or_default().as_bytes()),
            _ => {
                let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
                text.push('\n');
                // JSON has escapes of its own: with them it means the same, whoever prints it.
                self.bytes(landfall_terminal::in_json(&text).as_bytes());
            }
        }
    }
}
