//! The environment's variables as a value: who has one is told of them, and reads none by itself.

use std::env::{Args, ArgsOs, VarsOs};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

/// A snapshot of the environment's variables.
#[derive(Debug, Clone, Default)]
pub struct Env {
    /// Name and value, as they came: there are some dozens of them, of which few are asked for.
    vars: Arc<Vec<(String, String)>>,
}

impl Env {
    /// The variables that are texts, name and value.
    pub fn of(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let texts =
            vars.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Env { vars: Arc::new(texts.collect()) }
    }

    /// Those of the process, as the binary hands them over: what is generic is made in this room, which is optimised.
    pub fn of_process(vars: VarsOs) -> Self {
        Env::of(vars)
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a continuous-integration service runs us.
    pub fn is_ci(&self) -> bool {
        self.get("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
    }
}

/// The words of the process's command line, as the binary hands them over.
pub fn words(arguments: ArgsOs) -> Vec<OsString> {
    arguments.collect()
}

/// How the process was called: the first of those words.
pub fn program(mut arguments: Args) -> String {
    arguments.next().unwrap_or_default()
}

/// How long a server may be silent, where the user says it.
pub fn patience(env: &Env) -> Option<Duration> {
    let seconds = env.get("LANDFALL_HTTP_PATIENCE")?.trim().parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}
