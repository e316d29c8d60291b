use std::fmt;

/// The process is taken to have died at a named point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("killed at {0}")]
pub struct Killed(pub String);

/// A listener at the named points before and after each journal write and each effect.
///
/// A test's probe records the points of one run, and in the next returns [`Killed`] at one of them; the executor then
/// returns at once and touches nothing more, as a killed process would.
pub trait Probe: Send + Sync {
    /// Reached on every run of the same plan in the same order.
    ///
    /// # Errors
    /// [`Killed`] when the run is to end here.
    fn reach(&self, point: fmt::Arguments<'_>) -> Result<(), Killed>;
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn reach(&self, _: fmt::Arguments<'_>) -> Result<(), Killed> {
        Ok(())
    }
}
