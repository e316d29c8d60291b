use crate::{Ink, Inks};

/// What a piece of text means; the theme turns it into colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// What comes.
    Added,
    /// What goes.
    Removed,
    /// What becomes another.
    Changed,
    /// What is as it should be.
    Healthy,
    /// What is not.
    Degraded,
    /// What is on its way.
    Progressing,
    /// What matters less.
    Muted,
    /// What matters most.
    Strong,
    /// What can be typed or opened.
    Literal,
    /// What wants attention.
    Warning,
}

impl Style {
    /// Paints text; it is shown as colour where colour is allowed.
    pub(super) fn paint(self, inks: &Inks, text: &str) -> String {
        let ink = match self {
            Style::Added | Style::Healthy => Ink::Green,
            Style::Removed | Style::Degraded => Ink::Red,
            Style::Changed | Style::Progressing | Style::Warning => Ink::Yellow,
            Style::Muted => Ink::Dim,
            Style::Strong => Ink::Bold,
            Style::Literal => Ink::Cyan,
        };
        inks.paint(ink, text)
    }
}
