//! New values in clear: shown once, to a person at a terminal or in a file of its owner's alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_secrets::{Masked, lines};

use crate::context::Context;
use crate::ui::Output;

/// Where new values go in clear.
pub(super) enum Plain {
    /// Into a file that was made for them.
    File {
        /// The file.
        path: PathBuf,
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
        let opened = landfall_source::private_options().create_new(true).open(&path);
        let mut open = opened.map_err(|error| failed(error.to_string()))?;
        let text = lines(values.iter().map(|(key, value)| (key.as_str(), value)));
        let written = open.write_all(text.reveal()).and_then(|()| open.sync_all());
        if let Err(error) = written {
            let _gone = fs::remove_file(&path);
            return Err(failed(error.to_string()));
        }
        Ok(Plain::File { path, shown: shown.to_owned() })
    }

    /// Takes the file away: nothing came of the values in it.
    pub(super) fn undo(&self) {
        if let Plain::File { path, .. } = self {
            let _gone = fs::remove_file(path);
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
