//! How a delivery is made.

use std::sync::Arc;
use std::time::Duration;

use landfall_release::HookRuns;

use super::{Approved, Claims};

/// How a delivery is made.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// What was delivered, for the history.
    pub revision: String,
    /// What the environment of landfall.yaml is called, where one is meant: advice names it.
    pub environment: Option<String>,
    /// Services to roll alone; empty for everything.
    pub services: Vec<String>,
    /// Whether health is waited for.
    pub wait: bool,
    /// Whether a failure is undone.
    pub atomic: bool,
    /// Whether test hooks run afterwards.
    pub test: bool,
    /// Whether hooks run; without them an Application's waves follow one another at once.
    pub hooks: HookRuns,
    /// What becomes of references that resolve nowhere.
    pub references: References,
    /// What becomes of claims for volumes that are no longer delivered.
    pub claims: Claims,
    /// What is tried before anything is begun.
    pub tries: Tries,
    /// What becomes of the delivery where something of it is refused before it begins.
    pub refusals: Refusals,
    /// What somebody approved: anything else is refused.
    pub approved: Option<Arc<Approved>>,
    /// The time one unit's delivery may take.
    pub timeout: Duration,
    /// The time a restarted service may take.
    pub restart_timeout: Duration,
}

/// What becomes of references without which a pod cannot start, and that resolve nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum References {
    /// The delivery is refused before it begins.
    #[default]
    MustResolve,
    /// They are told: an operator makes its own certificates, once it runs.
    MayCome,
    /// They are told, but for a key of a Secret that the delivery itself seals: the Secret is what was sealed, so that its
    /// pods would never start again.
    MayComeButSealed,
}

/// What is tried at the cluster before the first thing is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tries {
    /// Every object of every phase; nothing is begun when one would be refused.
    #[default]
    Everything,
    /// Nothing: what can be delivered is, and what is refused ends it there.
    Nothing,
}

/// What becomes of a delivery of which something is refused before the first thing is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refusals {
    /// It does not begin.
    #[default]
    EndIt,
    /// What is refused is told ([`Progress::LeftOut`](crate::Progress::LeftOut)) and left out, and the rest is delivered,
    /// so that it shows what is wrong with that too; an object of a version that is gone is taken for its successor.
    LeftOut,
}

impl Default for UpOptions {
    fn default() -> Self {
        UpOptions {
            revision: String::new(),
            environment: None,
            services: Vec::new(),
            wait: true,
            atomic: false,
            test: false,
            hooks: HookRuns::Run,
            references: References::default(),
            claims: Claims::default(),
            tries: Tries::default(),
            refusals: Refusals::default(),
            approved: None,
            timeout: Duration::from_secs(15 * 60),
            restart_timeout: Duration::from_secs(120),
        }
    }
}
