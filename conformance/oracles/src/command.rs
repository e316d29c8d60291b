//! The command line, shared by this crate's binary and by `conformance`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the command's own output")]

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cache::Cache;
use crate::oracle::{ALL, select};

/// The binary of an oracle that a test is to ask.
///
/// # Errors
/// When it was not built here, in words that say how it is. A test that cannot ask its oracle fails: it has shown nothing.
pub fn built(name: &str) -> Result<PathBuf, String> {
    let cache =
        Cache::of_environment(|name| std::env::var(name).ok()).ok_or("neither LANDFALL_CACHE nor HOME is set")?;
    let oracle =
        select(name).and_then(|chosen| chosen.first().copied()).ok_or(format!("no oracle is called {name}"))?;
    cache.built(oracle)
}

/// Builds what `words` name (everything when there are none) and prints a line for each.
pub fn command(words: &[String]) -> ExitCode {
    let Some(cache) = Cache::of_environment(|name| std::env::var(name).ok()) else {
        eprintln!("error: neither LANDFALL_CACHE nor HOME is set");
        return ExitCode::from(2);
    };
    let default = ["all".to_owned()];
    let words = if words.is_empty() { &default } else { words };
    let mut chosen = Vec::new();
    for word in words {
        let Some(named) = select(word) else {
            let known: Vec<&str> = ALL.iter().map(|oracle| oracle.name).collect();
            eprintln!("error: no oracle is called {word:?}\n  known: all, control-plane, {}", known.join(", "));
            return ExitCode::from(2);
        };
        chosen.extend(named);
    }
    for oracle in chosen {
        match cache.ensure(oracle) {
            Ok(built) => {
                let how = built
                    .took
                    .map_or_else(|| "cached".to_owned(), |took| format!("built in {:.0} s", took.as_secs_f64()));
                println!("{:<24} {how:<16} {}", oracle.name, built.path.display());
            }
            Err(error) => {
                eprintln!("error: {} was not built: {error}", oracle.name);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
