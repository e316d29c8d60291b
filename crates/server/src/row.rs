//! An object of an Application without its body.

use landfall_object::health::HealthRules;
use landfall_object::{HealthStatus, Object};

/// An object as far as it is known without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The Application that it says it belongs to.
    pub(crate) owner: Option<Box<str>>,
    /// The digest of what it declares.
    pub(crate) digest: Box<str>,
    /// How it fares, with the sentence that explains it; absent for kinds without health.
    pub(crate) health: Option<(HealthStatus, Box<str>)>,
    /// Whether it counts for its Application's health.
    pub(crate) counts: bool,
}

impl Row {
    /// That of an object, judged by these rules.
    pub(crate) fn of(object: &Object, rules: &dyn HealthRules) -> Self {
        let health = rules.assess(object);
        Row {
            owner: landfall_apps::owner(object).map(Into::into),
            digest: landfall_engine::live_digest(object).into(),
            counts: health.is_some() && landfall_apps::counts(object),
            health: health.map(|health| (health.status, health.message.into())),
        }
    }
}
