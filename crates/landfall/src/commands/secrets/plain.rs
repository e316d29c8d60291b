//! New values in clear: shown once, to a person at a terminal or in a file of its owner's alone.
//!
//! A file has the name that was typed once its values are sealed, and another one until then: what an interrupted run has left
//! behind is never taken for what is sealed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_secrets::{Masked, lines};

use crate::context::Context;
use crate::ui::Output;

/// The end of a file's name until its values are sealed.
const WAITING: &str = ".unsealed";
/// The end of its name once they never will be.
const VOID: &str = ".void";

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A name for a file whose values are void that nothing has, and its ending.
fn void_name(path: &Path) -> (PathBuf, String) {
    let mut number = 1;
    loop {
        let ending = if number == 1 { VOID.to_owned() } else { format!("{VOID}-{number}") };
        let named = beside(path, &ending);
        if named.symlink_metadata().is_err() {
            return (named, ending);
        }
        number += 1;
    }
}

/// Gives a file its name whose values are sealed, and whose run was interrupted before it could.
pub(in crate::commands) fn named(context: &Context, shown: &str) {
    let path = context.host.directory.join(shown);
    let waiting = beside(&path, WAITING);
    if path.symlink_metadata().is_ok() || waiting.symlink_metadata().is_err() {
        return;
    }
    let text = match fs::rename(&waiting, &path) {
        Ok(()) => format!("plain values that an interrupted run has sealed are in {shown} (0600)"),
        Err(error) => format!("plain values that an interrupted run has sealed are in {shown}{WAITING}: {error}"),
    };
    context.ui.status(&text);
}

/// Where new values go in clear.
pub(super) enum Plain {
    /// Into a file that was made for them.
    File {
        /// The file.
        path: PathBuf,
        /// Where its values are until they are sealed.
        waiting: PathBuf,
        /// As it was named.
        shown: String,
    },
    /// To the terminal.
    Terminal,
    /// Nowhere: nobody sees what is printed here.
    Nowhere,
}

impl Plain {
    /// Chooses, and writes the file before anything else is written: what it holds may be nowhere else in clear.
    ///
    /// # Errors
    /// The file is there, or cannot be written.
    pub(super) fn begin(
        context: &Context,
        file: Option<&str>,
        values: &BTreeMap<String, Masked>,
    ) -> Result<Self, Failure> {
        let Some(shown) = file else {
            let is_seen = landfall_terminal::out_is_terminal() && !context.host.env.is_ci();
            let is_text = context.ui.output == Output::Table && !context.ui.is_quiet();
            return Ok(if is_seen && is_text { Plain::Terminal } else { Plain::Nowhere });
        };
        let path = context.host.directory.join(shown);
        let failed = |problem: String| {
            Failure::usage(
                Diagnostic::error(code::PLAIN_VALUES, format!("{shown} cannot be written"))
                    .note(problem)
                    .note("nothing was changed")
                    .help("plain values go into a new file, which its owner alone may read"),
            )
        };
        if path.symlink_metadata().is_ok() {
            return Err(failed("it is there already".to_owned()));
        }
        let (waiting, named) = (beside(&path, WAITING), format!("{shown}{WAITING}"));
        if waiting.symlink_metadata().is_ok() {
            let (void, ending) = void_name(&path);
            fs::rename(&waiting, &void).map_err(|error| failed(format!("{named}: {error}")))?;
            let text = format!("{shown}{ending} has the values of a run that was interrupted: they are void");
            context.ui.diagnostic(
                &Diagnostic::warning(code::PLAIN_VALUES, text).note(format!("what is sealed now goes into {shown}")),
            );
        }
        let opened = landfall_source::private_options().create_new(true).open(&waiting);
        let mut open = opened.map_err(|error| failed(error.to_string()))?;
        let text = lines(values.iter().map(|(key, value)| (key.as_str(), value)));
        let written = open.write_all(text.reveal()).and_then(|()| open.sync_all());
        if let Err(error) = written {
            let _gone = fs::remove_file(&waiting);
            return Err(failed(error.to_string()));
        }
        Ok(Plain::File { path, waiting, shown: shown.to_owned() })
    }

    /// Gives the file its name: what it holds is sealed now.
    pub(super) fn sealed(&self, context: &Context) {
        let Plain::File { path, waiting, shown } = self else { return };
        if let Err(error) = fs::rename(waiting, path) {
            let text = format!("plain values are in {shown}{WAITING}: {error}");
            context.ui.diagnostic(&Diagnostic::warning(code::PLAIN_VALUES, text));
        }
    }

    /// Takes the file away: nothing came of the values in it.
    pub(super) fn undo(&self) {
        if let Plain::File { waiting, .. } = self {
            let _gone = fs::remove_file(waiting);
        }
    }

    /// Shows the values, or says where they are.
    pub(super) fn end(&self, context: &Context, values: &BTreeMap<String, Masked>) {
        if values.is_empty() {
            return;
        }
        match self {
            Plain::File { shown, .. } => {
                context
                    .ui
                    .status(&format!("plain values are in {shown} (0600): keep what you need of it, and delete it"));
            }
            Plain::Terminal => {
                context.ui.status("plain values, shown this once:");
                let text = lines(values.iter().map(|(key, value)| (key.as_str(), value)));
                context.ui.bytes(text.reveal());
            }
            Plain::Nowhere => context.ui.status(
                "plain values are shown at a terminal alone; `--plain FILE` writes them into a file of its owner's",
            ),
        }
    }
}
