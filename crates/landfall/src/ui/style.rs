use owo_colors::OwoColorize;

/// What a piece of text means; the theme turns it into colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Added,
    Removed,
    Changed,
    Healthy,
    Degraded,
    Progressing,
    Muted,
    Strong,
    Literal,
    Warning,
}

/// Paints text when colour is allowed.
pub(crate) fn paint(color: bool, style: Style, text: &str) -> String {
    if !color {
        return text.to_owned();
    }
    match style {
        Style::Added | Style::Healthy => text.green().to_string(),
        Style::Removed | Style::Degraded => text.red().to_string(),
        Style::Changed | Style::Progressing | Style::Warning => text.yellow().to_string(),
        Style::Muted => text.dimmed().to_string(),
        Style::Strong => text.bold().to_string(),
        Style::Literal => text.cyan().to_string(),
    }
}
