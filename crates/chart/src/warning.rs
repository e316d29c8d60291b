//! What Helm writes to stderr without stopping.

/// A line of Helm's log: where in Helm's source it comes from, and its text.
///
/// Helm 3 prefixes such lines with the place (`coalesce.go:319: `), and scripts see that, so it is kept;
/// `Display` writes the whole line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Helm's file and line, such as `coalesce.go:319`.
    pub place: &'static str,
    /// The text behind it.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Collects warnings in the order in which Helm would write them.
#[derive(Debug, Clone, Default)]
pub struct Warnings(pub Vec<Warning>);

impl Warnings {
    /// Adds a line.
    pub(crate) fn add(&mut self, place: &'static str, text: impl Into<String>) {
        self.0.push(Warning { place, text: text.into() });
    }
}
