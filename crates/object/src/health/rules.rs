//! Whose rules say how objects fare.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Health, assess, going};
use crate::Object;

/// What rules say of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It fares so.
    Fares(Health),
    /// They speak of its kind, and say nothing of it yet: it counts for nothing, and is waited for.
    Silent,
    /// Its kind has no health: it is well once it is there.
    Healthless,
}

/// By what rules objects fare.
pub trait HealthRules: Send + Sync + fmt::Debug {
    /// What they say of an object that is not going.
    fn of_present(&self, object: &Object) -> Verdict;

    /// What they say of an object; what is being deleted is on its way, whoever's rules count.
    fn verdict(&self, object: &Object) -> Verdict {
        going(object).map_or_else(|| self.of_present(object), Verdict::Fares)
    }

    /// How an object fares; `None` for kinds that have no health, and where nothing is said of it yet.
    fn assess(&self, object: &Object) -> Option<Health> {
        match self.verdict(object) {
            Verdict::Fares(health) => Some(health),
            Verdict::Silent | Verdict::Healthless => None,
        }
    }
}

/// Those that Argo CD comes with.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnRules;

impl HealthRules for OwnRules {
    fn of_present(&self, object: &Object) -> Verdict {
        assess(object).map_or(Verdict::Healthless, Verdict::Fares)
    }
}

/// The rules that count somewhere: Argo CD's, unless it was given others.
#[derive(Debug, Clone)]
pub struct Rulebook(Arc<dyn HealthRules>);

impl Rulebook {
    /// That with these rules.
    pub fn of(rules: impl HealthRules + 'static) -> Self {
        Rulebook(Arc::new(rules))
    }
}

impl Default for Rulebook {
    fn default() -> Self {
        Rulebook::of(OwnRules)
    }
}

impl Deref for Rulebook {
    type Target = dyn HealthRules;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}
