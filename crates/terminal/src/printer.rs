//! The printer: data on standard output, everything else on standard error.
//!
//! One [`Printer`] is passed down; in a peer's voice its texts are written through [`crate::out`] and [`crate::err`]. Styles are
//! labels, colours never carry meaning alone. What is said to people is shown, wherever it goes: what a
//! terminal would obey is written as an escape. Data is as it is for programs, and shown where a terminal reads it.

mod diagnostic;
mod progress;
mod style;
mod table;

use std::io::{IsTerminal, Write};
use std::sync::{Arc, OnceLock};

pub use progress::Progress;
pub use style::Style;
pub use table::Table;

use landfall_diag::{Diagnostic, code};

use crate::{Colour, Inks};

/// What is to be told of standard output that takes nothing; nothing where its reader has gone.
pub fn output_failure(error: &std::io::Error) -> Option<Diagnostic> {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return None;
    }
    let told = Diagnostic::error(code::OUTPUT_UNWRITTEN, "standard output cannot be written").note(error.to_string());
    Some(told.note("what was to be printed is not complete").help("send it somewhere else, or make room there"))
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing but the exit code.
    Silent,
    /// Errors only.
    Quiet,
    /// Errors, warnings and progress.
    Normal,
    /// Steps in detail.
    Verbose,
}

/// The terminal as commands see it.
#[derive(Debug, Clone)]
pub struct Printer {
    verbosity: Verbosity,
    inks: Arc<Inks>,
    color_out: Colour,
    color_err: Colour,
    log: Log,
    live: bool,
    can_prompt: bool,
    /// The terminals' width where a variable says it.
    columns: Option<usize>,
    /// Why standard output takes nothing any more, once it does not.
    unwritten: Arc<OnceLock<std::io::Error>>,
}

/// Who reads what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    /// People, and programs that do not obey.
    Plain,
    /// GitHub's runner, which obeys commands in it.
    Runner,
}

/// Whether a person may be there, to watch and to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watching {
    /// Where a terminal is.
    Somebody,
    /// Not in continuous integration.
    Nobody,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Printer {
    /// A terminal as the environment's variables and flags describe it.
    pub fn new(
        variable: &dyn Fn(&str) -> Option<String>,
        verbosity: Verbosity,
        color: ColorChoice,
        watching: Watching,
    ) -> Self {
        let out_tty = crate::out_is_terminal();
        let err_tty = crate::err_is_terminal();
        let somebody = watching == Watching::Somebody;
        let allowed = |tty: bool| {
            let wanted = match color {
                ColorChoice::Always => true,
                ColorChoice::Never => false,
                ColorChoice::Auto => {
                    variable("NO_COLOR").is_none_or(|text| text.is_empty())
                        && (tty || variable("CLICOLOR_FORCE").is_some_and(|text| text != "0"))
                        && variable("TERM").as_deref() != Some("dumb")
                }
            };
            if wanted { Colour::On } else { Colour::Off }
        };
        Printer {
            verbosity,
            inks: Arc::new(Inks::new()),
            log: if variable("GITHUB_ACTIONS").as_deref() == Some("true") { Log::Runner } else { Log::Plain },
            color_out: allowed(out_tty),
            color_err: allowed(err_tty),
            live: err_tty && somebody && variable("LANDFALL_NO_PROGRESS").is_none(),
            can_prompt: err_tty && std::io::stdin().is_terminal() && somebody,
            columns: variable("COLUMNS").and_then(|text| text.parse().ok()).filter(|columns| *columns > 0),
            unwritten: Arc::default(),
        }
    }

    /// Writes text for people to standard output, shown, unless quiet; what cannot be written is told once, when the
    /// command has ended.
    pub fn data(&self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.asked(text);
        }
    }

    /// Writes text that was asked for by its form, such as names or Markdown, to standard output: shown, and also when
    /// quiet.
    pub fn asked(&self, text: &str) {
        let mut out = crate::out();
        self.written(out.write_painted(&self.shown(text, self.color_out)).and_then(|()| out.flush()));
    }

    /// Writes a name, a line of data: also when quiet.
    pub fn name(&self, name: &str) {
        self.asked(&format!("{name}\n"));
    }

    /// Says what is wrong: a line among the others on standard output, and when only errors are wanted one of them.
    pub fn wrong(&self, text: &str) {
        match self.verbosity {
            Verbosity::Silent => {}
            Verbosity::Quiet => self.err(text),
            Verbosity::Normal | Verbosity::Verbose => self.line(text),
        }
    }

    fn written(&self, written: std::io::Result<()>) {
        if let Err(error) = written {
            // The first reason is the cause of all others.
            let _later = self.unwritten.set(error);
        }
    }

    /// Whether nobody takes standard output any more, so that what only prints may end.
    pub fn nobody_reads(&self) -> bool {
        self.unwritten.get().is_some()
    }

    /// What is to be told of data that could not be written; nothing where a reader such as `head` has gone: what it
    /// wanted it has got.
    pub fn output_failure(&self) -> Option<Diagnostic> {
        self.unwritten.get().and_then(output_failure)
    }

    /// Writes a table for people, no wider than their terminal.
    pub fn table(&self, table: &Table) {
        let columns = self.columns_of(crate::stream::out_columns);
        self.data(&table.render(&self.inks, columns));
    }

    /// Writes lines for people, each folded to their terminal's width at its words: not what is to be copied.
    pub fn folded(&self, text: &str) {
        // Before it is folded: of a value that is known no part would be known any more.
        let text = &*landfall_diag::without_known(text);
        let text = text.strip_suffix('\n').unwrap_or(text);
        match self.columns_of(crate::stream::out_columns) {
            None => self.line(text),
            Some(columns) => {
                text.split('\n').flat_map(|line| self.inks.fold(line, columns)).for_each(|line| self.line(&line));
            }
        }
    }

    /// Writes what became of something and what may be typed next, joined by ` · `: each on a line of its own where all of it is
    /// wider than the terminal, so that a command stays whole.
    pub fn advice(&self, text: &str) {
        let is_wide =
            self.columns_of(crate::stream::out_columns).is_some_and(|columns| self.inks.width(text) > columns);
        self.line(&if is_wide { text.replace(" · ", "\n  ") } else { text.to_owned() });
    }

    /// Says a table on standard error, unless quiet.
    pub fn status_table(&self, table: &Table) {
        let columns = self.columns_of(crate::stream::err_columns);
        let text = table.render(&self.inks, columns);
        if !text.is_empty() {
            self.status(text.trim_end_matches('\n'));
        }
    }

    /// A terminal's width; nothing where none is: what a program reads is folded nowhere.
    fn columns_of(&self, terminal: fn() -> Option<usize>) -> Option<usize> {
        let measured = terminal()?;
        Some(self.columns.unwrap_or(measured))
    }

    /// Writes a line of a container's log: as it is into a pipe or file, shown where people or a runner read it.
    pub fn log_line(&self, line: &str) {
        match self.log {
            Log::Plain => self.bytes(format!("{line}\n").as_bytes()),
            Log::Runner => self.name(line),
        }
    }

    /// Writes a line for people.
    pub fn line(&self, text: &str) {
        self.data(&format!("{text}\n"));
    }

    /// Writes data to standard output: as it is into a pipe or file, shown on a terminal.
    pub fn bytes(&self, bytes: &[u8]) {
        let mut out = crate::out();
        self.written(out.write_all(bytes).and_then(|()| out.flush()));
    }

    /// Text for people as it is written: foreign characters shown, paint as colour, no command of a runner in it.
    fn shown(&self, text: &str, colour: Colour) -> String {
        let shown = self.inks.show(&landfall_diag::without_known(text), colour);
        match self.log {
            Log::Plain => shown,
            Log::Runner => crate::without_commands(&shown).into_owned(),
        }
    }

    /// Says something on standard error, unless quiet.
    pub fn status(&self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.err(text);
        }
    }

    /// Says something on standard error only when asked for detail.
    pub fn detail(&self, text: &str) {
        if self.verbosity >= Verbosity::Verbose {
            self.err(text);
        }
    }

    /// Shows a diagnostic on standard error.
    pub fn diagnostic(&self, diagnostic: &Diagnostic) {
        let least =
            if diagnostic.severity >= landfall_diag::Severity::Error { Verbosity::Quiet } else { Verbosity::Normal };
        if self.verbosity >= least {
            self.err(diagnostic::render(diagnostic, &self.inks).trim_end());
        }
    }

    fn err(&self, text: &str) {
        let mut err = crate::err();
        let text = landfall_diag::without_passwords(text);
        if err.write_painted(&format!("{}\n", self.shown(&text, self.color_err))).is_err() {
            // Nobody is left to be told.
        }
    }

    /// Text of the live line: shown, and on one line.
    fn live(&self, text: &str) -> String {
        crate::shown_on_a_line(&self.inks.show(text, Colour::Off)).into_owned()
    }

    /// Paints text for standard output.
    pub fn out_style(&self, style: Style, text: &str) -> String {
        style.paint(&self.inks, text)
    }

    /// Paints text for standard error.
    pub fn err_style(&self, style: Style, text: &str) -> String {
        style.paint(&self.inks, text)
    }

    /// Whether a live region may be drawn on standard error.
    pub fn is_live(&self) -> bool {
        self.live && self.verbosity >= Verbosity::Normal
    }

    /// Whether only errors are wanted, or not even they.
    pub fn is_quiet(&self) -> bool {
        self.verbosity < Verbosity::Normal
    }

    /// Whether a person is there to be asked.
    pub fn can_prompt(&self) -> bool {
        self.can_prompt
    }

    /// Asks a question on standard error and reads one line; `None` at the end of input.
    pub fn ask(&self, question: &str) -> Option<String> {
        let mut err = crate::err();
        if err.write_painted(&self.shown(question, self.color_err)).and_then(|()| err.flush()).is_err() {
            return None;
        }
        drop(err);
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim().to_owned()),
        }
    }
}
