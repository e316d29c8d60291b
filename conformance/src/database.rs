//! A server of PostgreSQL, Debian's own, for as long as a command runs: the tests of the small stores ask it what they ask of SQLite.
//!
//! ```text
//! conformance database -- COMMAND…   LANDFALL_TEST_DATABASE names it to the command
//! ```

pub(crate) mod server;

use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

use crate::suite::Suite;
use server::Server;

/// Runs a command beside a server of PostgreSQL.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The command; it finds the server's address in LANDFALL_TEST_DATABASE.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let server = Server::start()?;
        let (program, arguments) = self.command.split_first().context("no command")?;
        let status = Command::new(program)
            .args(arguments)
            .env("LANDFALL_TEST_DATABASE", server.address("postgres"))
            .status()
            .with_context(|| format!("cannot run {program}"))?;
        ensure!(status.success(), "{program} failed: {status}");
        println!("database: PostgreSQL {}, and {program} succeeded", server.version()?);
        Ok(ExitCode::SUCCESS)
    }
}
