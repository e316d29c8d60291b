//! The environment's variables as a value: who has one is told of them, and reads none by itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

/// A snapshot of the environment's variables.
#[derive(Debug, Clone, Default)]
pub struct Env {
    vars: BTreeMap<String, String>,
}

impl Env {
    /// The variables that are texts, name and value.
    pub fn of(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let texts =
            vars.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Env { vars: texts.collect() }
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }

    /// Whether a continuous-integration service runs us.
    pub fn is_ci(&self) -> bool {
        self.get("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
    }
}

/// How long a server may be silent, where the user says it.
pub fn patience(env: &Env) -> Option<Duration> {
    let seconds = env.get("LANDFALL_HTTP_PATIENCE")?.trim().parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}
