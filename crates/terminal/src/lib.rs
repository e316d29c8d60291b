//! What a person sees: foreign bytes escaped, on the only way to standard output and error.
//!
//! ```text
//! charts, archives, servers, logs, git ─► text ─► shown ─────────────────► terminal
//!                                           └── data, into a pipe or file ─► as it is
//! ```
//!
//! [`Printer`] is how commands of ours speak: data, tables, diagnostics, one live line; a peer's voice uses [`out`] and [`err`].
//!
//! A terminal obeys what it is sent: a chart's description can rename the window, overwrite the line that warns of it,
//! or show `admin` where `nimda` is written. So nothing that somebody else wrote reaches one but as visible characters:
//! what a terminal would obey or hide is written as an escape (`\x1b`, `\u{202e}`).
//!
//! Invariants
//! - [`shown`] and [`Shown`] let through printable characters, `\n` and `\t` only ([`is_harmless`]).
//! - Colours are put on afterwards ([`Inks`]), from a closed set, and cannot be forged by what is painted.
//! - No other room writes to standard output or error; `cargo xtask tidy` sees to it.

mod escape;
mod inks;
mod printer;
mod runner;
mod stream;

pub use escape::{in_json, is_harmless, shown, shown_bytes, shown_on_a_line};
pub use inks::{Colour, Ink, Inks};
pub use printer::{ColorChoice, Printer, Progress, Style, Table, Verbosity, Watching, output_failure};
pub use runner::without_commands;
pub use stream::{Shown, StandardError, StandardOut, err, err_is_terminal, out, out_is_terminal};
