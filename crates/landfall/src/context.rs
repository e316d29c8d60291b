//! What a command runs in: where it works, and the terminal.

use landfall_host::{Audience, Host, Notice};

use crate::ui::Ui;

/// What a command runs in.
#[derive(Clone)]
pub(crate) struct Context {
    /// Environment, directory, state, and what may end it.
    pub(crate) host: Host,
    /// The terminal.
    pub(crate) ui: Ui,
    /// The directory that `-C` named, as it was typed.
    pub(crate) elsewhere: Option<String>,
}

impl Audience for Ui {
    fn tell(&self, notice: &Notice) {
        match notice {
            Notice::Found(diagnostic) => self.diagnostic(diagnostic),
            other => self.status(&other.to_string()),
        }
    }
}
