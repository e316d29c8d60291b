//! Every object of every phase, tried at the server before the first effect.
//!
//! ```text
//! plans ─► namespaces of theirs: made, written down      (namespaces.rs)
//!      ─► theirs that another trial has made: claimed    (claim.rs)
//!      ─► each step: its own request, with dryRun=All     (request.rs)
//!         kinds that the plans bring: their definitions   (definitions.rs)
//!      ─► what the answer says of the object              (verdict.rs)
//!      ─► Trial: refused, not tried, checked otherwise ─► the caller keeps or takes back the namespaces
//! ```
//!
//! Nothing else is written: the server keeps nothing of a dry run.

pub(crate) mod claim;
mod definitions;
mod namespaces;
mod request;
mod tried;
mod verdict;

use std::fmt;

use futures::StreamExt;
use landfall_object::ObjectKey;

use self::definitions::Definitions;
use self::namespaces::Trying;
use self::verdict::{Surroundings, Verdict};
use crate::executor::Executor;
use crate::plan::{Plan, Step};
use crate::{Error, digest};

pub use self::claim::LEFT_OF_TRIAL;
pub use self::namespaces::{Concluded, Fate};

/// Requests under way at once. Each is a connection of its own, and a connection costs more than a round trip.
const AT_ONCE: usize = 6;

/// What a trial has shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trial {
    /// What would be refused, in the plans' order.
    pub refusals: Vec<Refusal>,
    /// What could not be tried.
    pub untried: Vec<Untried>,
    /// What was checked against a definition that the plans bring, because the server does not serve the kind so yet.
    pub by_definition: Vec<Tried>,
    /// The namespaces that were made so that objects in them could be tried.
    pub made: Vec<MadeNamespace>,
}

/// An object of a plan that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The plan among those given, from 0.
    pub plan: usize,
    /// The object.
    pub key: ObjectKey,
}

/// An object that would be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub tried: Tried,
    /// Where it comes from: the step's reason, as `templates/web.yaml`.
    pub why: String,
    /// What is objected.
    pub objection: Objection,
    /// The fields that are objected to, where they are named: `spec.replicas`, and what is said of it.
    pub fields: Vec<(String, String)>,
}

/// Why an object would be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// The server's words, or the definition's.
    Said(String),
    /// An object of a hook's name is there, and nothing takes it away before.
    InTheWay {
        /// Its resource: `jobs.batch`.
        resource: String,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Objection::Said(words) => f.write_str(words),
            Objection::InTheWay { resource, name } => write!(
                f,
                "{resource} {name:?} already exists, and the hook's delete policy does not take it away before"
            ),
        }
    }
}

/// An object of which it is not known what the server will say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untried {
    /// Which.
    pub tried: Tried,
    /// Why.
    pub reason: String,
}

/// A namespace that was made for a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeNamespace {
    /// The plan that brings it.
    pub plan: usize,
    /// The namespace.
    pub key: ObjectKey,
    /// What it declares, as a plan sees it.
    pub digest: String,
    /// Its uid.
    pub uid: String,
    /// The operation that it was written down in.
    pub operation: String,
}

impl Trial {
    /// Whether anything would be refused.
    pub fn is_refused(&self) -> bool {
        !self.refusals.is_empty()
    }

    /// Whether anything of a plan would be refused.
    pub fn refuses(&self, plan: usize) -> bool {
        self.refusals.iter().any(|refusal| refusal.tried.plan == plan)
    }
}

impl Refusal {
    /// The object as a person names it.
    pub fn object(&self) -> String {
        format!("{}/{}", self.tried.key.gvk.kind, self.tried.key.name)
    }
}

impl Plan {
    /// Takes the namespaces that were made for its trial as what the plan saw: they are its own.
    pub fn adopt(&mut self, made: &[MadeNamespace]) {
        for seen in &mut self.seen {
            if let Some(namespace) = made.iter().find(|made| made.key == seen.key) {
                seen.digest = Some(namespace.digest.clone());
                seen.uid = Some(namespace.uid.clone());
            }
        }
    }

    /// The name under which its trial is written down: no operation on the target itself has begun.
    pub fn trial_target(target: &str) -> String {
        format!("trial of {target}")
    }
}

/// Makes an operation's id.
type NewId<'a> = &'a (dyn Fn() -> String + Send + Sync);

impl Executor {
    /// Tries plans.
    pub(crate) async fn try_out(&self, plans: &[&Plan], new_id: NewId<'_>) -> Result<Trial, Error> {
        self.hold();
        let trial = self.try_out_held(plans, new_id).await;
        self.let_go();
        trial
    }

    async fn try_out_held(&self, plans: &[&Plan], new_id: NewId<'_>) -> Result<Trial, Error> {
        let mut trial = Trial::default();
        let mut trying = Trying::default();
        for index in 0..plans.len() {
            self.make_namespaces(plans, index, new_id, &mut trying).await?;
        }
        trial.made = std::mem::take(&mut trying.made);
        let own: Vec<ObjectKey> = trial.made.iter().map(|made| made.key.clone()).collect();
        self.claim_all(plans, &own).await?;
        let definitions = Definitions::of(plans);
        let surroundings = Surroundings::of(plans, &trial.made);
        let steps: Vec<(Tried, &Plan, &Step)> = plans
            .iter()
            .enumerate()
            .flat_map(|(index, plan)| plan.steps().map(move |step| (index, *plan, step)))
            .filter(|(_, _, step)| tried::is_tried(step))
            .map(|(index, plan, step)| (Tried { plan: index, key: step.key.clone() }, plan, step))
            .filter(|(tried, _, _)| !trial.made.iter().any(|made| made.key == tried.key))
            .collect();
        let asked: Vec<_> =
            steps.iter().map(|(_, plan, step)| self.judge(plan, step, &definitions, &surroundings)).collect();
        let verdicts: Vec<Result<Verdict, Error>> = futures::stream::iter(asked).buffered(AT_ONCE).collect().await;
        for ((tried, _, step), verdict) in steps.into_iter().zip(verdicts) {
            let verdict = match verdict {
                // Who is told to stop leaves nothing behind.
                Err(Error::Interrupted) => {
                    for index in 0..plans.len() {
                        self.conclude_held(&trial, index, Fate::TakenBack).await?;
                    }
                    return Err(Error::Interrupted);
                }
                other => other?,
            };
            match verdict {
                Verdict::Accepted => {}
                Verdict::AcceptedByDefinition => trial.by_definition.push(tried),
                Verdict::Untried(reason) => trial.untried.push(Untried { tried, reason }),
                Verdict::Refused { objection, fields } => {
                    trial.refusals.push(Refusal { tried, why: step.why.clone(), objection, fields });
                }
            }
        }
        for (tried, why, said) in trying.refused {
            trial.refusals.push(Refusal { tried, why, objection: Objection::Said(said), fields: Vec::new() });
        }
        trial.refusals.sort_by_key(|refusal| refusal.tried.plan);
        Ok(trial)
    }

    /// What is said of one step: by a definition that comes with the plans, else by the server.
    async fn judge(
        &self,
        plan: &Plan,
        step: &Step,
        definitions: &Definitions,
        surroundings: &Surroundings,
    ) -> Result<Verdict, Error> {
        if self.stop.is_cancelled() {
            return Err(Error::Interrupted);
        }
        match definitions.judge(step, &self.cluster).await? {
            Some(verdict) => Ok(verdict),
            None => self.ask(plan, step, surroundings).await,
        }
    }
}

fn seen_digest(object: &landfall_object::Object) -> String {
    digest::live_digest(object)
}
