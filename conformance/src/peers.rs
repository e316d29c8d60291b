//! Where the binaries are: the oracles', and our own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use oracles::{Cache, Oracle};

use crate::suite::Suite;

/// Which oracles are built.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to build; everything when not said.
    names: Vec<String>,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        Ok(oracles::command(&self.names))
    }
}

/// The cache of this machine.
pub(crate) fn cache() -> anyhow::Result<Cache> {
    Cache::of_environment(|name| std::env::var(name).ok()).context("neither LANDFALL_CACHE nor HOME is set")
}

/// The binary of one oracle, built first where it is missing.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    Ok(cache()?.ensure(oracle(name)?)?.path)
}

/// The binary of one oracle, as it was built before.
///
/// # Errors
/// When it was not, in words that say how it is.
pub(crate) fn built(name: &str) -> Result<PathBuf, String> {
    oracles::built(name)
}

fn oracle(name: &str) -> anyhow::Result<&'static Oracle> {
    oracles::select(name)
        .and_then(|chosen| chosen.first().copied())
        .with_context(|| format!("no oracle is called {name}"))
}

/// Name and cache key of an oracle; the key covers versions and flags.
pub(crate) fn versions(name: &str) -> anyhow::Result<String> {
    Ok(format!("{name} {}", cache()?.key(oracle(name)?)?))
}

/// The `landfall` that a suite runs: the one that was named, else the one that was built beside this program.
pub(crate) fn landfall(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let program = match named {
        Some(path) => std::path::absolute(path)?,
        None => std::env::current_exe()?.with_file_name("landfall"),
    };
    anyhow::ensure!(program.exists(), "{} is not there: build it first", program.display());
    Ok(program)
}
