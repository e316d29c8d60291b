//! What a worker and its watchdog say to each other.

use std::io::Write as _;

use landfall_terminal::out;

/// What a worker says to its watchdog, a line each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// It lives.
    Beat,
    /// It is a version that is being tried, and it is well.
    Well,
    /// The spare slot of the agent is ready.
    SwitchAgent,
    /// The spare slot of the payload is ready.
    SwitchPayload,
}

impl Word {
    const ALL: [(Self, &str); 4] = [
        (Self::Beat, "beat"),
        (Self::Well, "well"),
        (Self::SwitchAgent, "switch agent"),
        (Self::SwitchPayload, "switch payload"),
    ];

    pub(crate) fn parse(line: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, text)| *text == line.trim_end()).map(|(word, _)| word)
    }

    /// Says it. Nobody listening means that the watchdog is gone, which standard input tells, too.
    pub(super) fn say(self) {
        let text = Self::ALL.iter().find(|(word, _)| *word == self).map_or("", |(_, text)| text);
        let mut out = out();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
