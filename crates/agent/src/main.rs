//! `landfall-agent`: the edge agent as one small static binary.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use landfall_agent::command::{Verb, tell_program};
use landfall_terminal::err;

/// The edge agent: enrolled once, upgraded in two slots, never bricked
#[derive(Debug, Parser)]
#[command(name = "landfall-agent", version = landfall_agent::VERSION)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

fn main() -> ExitCode {
    let program = std::env::args_os().next().unwrap_or_default();
    let own = std::env::current_exe().map_or(program, OsString::from);
    let verb = Command::parse().verb;
    let format = verb.format();
    match verb.run(&[own]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody to tell is no reason to end otherwise.
            let _ = writeln!(err(), "error: {}", failure.message);
            let _ = tell_program(format, &failure);
            ExitCode::from(failure.code)
        }
    }
}
