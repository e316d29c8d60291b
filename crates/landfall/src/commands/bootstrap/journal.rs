//! What is noted of each step, before and after it: a file of the state directory.

use std::collections::BTreeMap;

use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, StateDir};
use serde::{Deserialize, Serialize};

/// The file.
const FILE: &str = "bootstrap.json";
/// The version of what is written; one that is newer is not read.
const VERSION: u32 = 1;

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It was begun.
    Began,
    /// It ended well.
    Done,
    /// Its end is left to a person.
    Waits,
}

/// A step that was noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    step: String,
    state: State,
    /// When, as RFC 3339.
    at: String,
}

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    version: u32,
    /// By environment, in the order of the steps.
    environments: BTreeMap<String, Vec<Noted>>,
}

/// The journal of an environment's first day.
pub(super) struct Journal<'a> {
    state: &'a StateDir,
    environment: String,
    content: Content,
}

impl<'a> Journal<'a> {
    /// Reads what earlier runs noted.
    ///
    /// # Errors
    /// It cannot be read, or a newer Landfall wrote it.
    pub(super) fn open(state: &'a StateDir, environment: &str) -> Result<Self, Failure> {
        let path = state.file(FILE);
        let failed = |why: String| {
            let text = format!("`{}` cannot be read", path.display());
            Failure::from(
                Diagnostic::error(code::FILES, text)
                    .note(why)
                    .help("it only says how far a bootstrap came: delete it to begin anew"),
            )
        };
        let content: Content = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Content::default(),
            Err(error) => return Err(failed(error.to_string())),
        };
        if content.version > VERSION {
            return Err(failed(format!("it is of version {}, and this Landfall knows {VERSION}", content.version)));
        }
        Ok(Journal { state, environment: environment.to_owned(), content })
    }

    /// The step in which an earlier run ended.
    pub(super) fn interrupted(&self) -> Option<&str> {
        let steps = self.content.environments.get(&self.environment)?;
        steps.iter().find(|noted| noted.state == State::Began).map(|noted| noted.step.as_str())
    }

    /// Notes how far a step is, on disk before anything else is done.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn note(&mut self, step: &str, state: State) -> Result<(), Failure> {
        self.content.version = VERSION;
        let steps = self.content.environments.entry(self.environment.clone()).or_default();
        let noted = Noted { step: step.to_owned(), state, at: jiff::Timestamp::now().to_string() };
        match steps.iter_mut().find(|it| it.step == step) {
            Some(known) => *known = noted,
            None => steps.push(noted),
        }
        let text = serde_json::to_string_pretty(&self.content).unwrap_or_default();
        self.state.write_private(FILE, text.as_bytes()).map_err(Failure::from)?;
        Ok(())
    }
}
