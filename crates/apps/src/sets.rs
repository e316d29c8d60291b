//! ApplicationSets: a specification and what its generators are answered with give Applications.
//!
//! ```text
//! ApplicationSet (an object) ─► spec.rs ──┐
//! Answers: files, clusters, requests ─────┼─► generators.rs ─► parameters ─► template.rs, patch.rs ─► Applications
//!                                         │     list · git · clusters · pull_requests · plugin · matrix · merge
//!                                         └─► Question: what nobody has answered yet
//! Applications, those that there are ──────► changes.rs ─► created, changed, deleted; or held, by guard.rs
//! conditions.rs   what the ApplicationSet's status says of it
//! ```
//!
//! Nothing here asks anybody: [`expand`] says what it has to know, the caller finds out and calls again. The rules are
//! Argo CD's (applicationset/generators, applicationset/utils, applicationset/controllers).
//!
//! Invariants: a generator that fails, or is not known, generates nothing at all, and so nothing is deleted for it; a
//! template sees nothing of the machine it runs on; no Application leaves the namespace of its set.

mod answers;
mod changes;
mod conditions;
mod fields;
mod functions;
mod generators;
mod params;
mod patch;
mod paths;
mod selector;
mod slug;
mod spec;
mod template;

mod clusters;
mod git;
mod list;
mod matrix;
mod merge;
mod plugin;
mod pull_requests;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use landfall_object::Object;
use serde_json::json;

pub use answers::{
    Answers, Cluster, FileTree, Files, Forge, PluginQuery, PullRequest, PullRequestQuery, Question, SecretRef,
    Unanswered,
};
pub use changes::{Changed, Changes, changes};
pub use conditions::{Outcome, conditions, resources};
pub(crate) use selector::Selector;
pub use spec::{ApplicationSet, ApplicationsSync};

use generators::{Run, Stop};
use params::Params;

/// What an ApplicationSet comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Expansion {
    /// These Applications.
    Generated(Vec<Object>),
    /// Something is to be found out first.
    Unanswered(BTreeSet<Question>),
    /// Nothing, because something is wrong; what it generated before stays.
    Failed(Failure),
}

/// Why an ApplicationSet generates nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Argo CD's word for the kind of it.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

/// Argo CD's words for what went wrong with an ApplicationSet (its conditions' `reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A generator.
    ParamsGeneration,
    /// The template with a generator's parameters.
    RenderTemplate,
    /// What came of it is no Application that can be.
    Validation,
    /// An Application could not be created.
    Create,
    /// An Application could not be changed.
    Update,
    /// An Application could not be deleted, or is not until somebody approves.
    Delete,
}

impl Reason {
    /// As it stands in a condition.
    pub fn word(self) -> &'static str {
        match self {
            Reason::ParamsGeneration => "ApplicationGenerationFromParamsError",
            Reason::RenderTemplate => "RenderTemplateParamsError",
            Reason::Validation => "ApplicationValidationError",
            Reason::Create => "CreateApplicationError",
            Reason::Update => "UpdateApplicationError",
            Reason::Delete => "DeleteApplicationError",
        }
    }
}

/// What an ApplicationSet generates from these answers.
pub fn expand(set: &ApplicationSet, answers: &Answers<'_>) -> Expansion {
    let mut run = match Run::new(set, answers) {
        Ok(run) => run,
        Err(message) => return Expansion::Failed(Failure { reason: Reason::RenderTemplate, message }),
    };
    let (mut found, mut failure) = (Vec::new(), None);
    for generator in &set.generators {
        let templates = match run.transform(generator, Some(&set.template), &Params::new(), 0) {
            Ok(templates) => templates,
            Err(Stop::Unanswered) => continue,
            Err(Stop::Failed(message)) => {
                failure.get_or_insert(Failure { reason: Reason::ParamsGeneration, message });
                continue;
            }
        };
        for (template, params) in templates.iter().flat_map(|one| one.params.iter().map(move |it| (&one.template, it)))
        {
            match run.application(set, template, params) {
                Ok(application) => found.push(application),
                Err(message) => {
                    failure.get_or_insert(Failure { reason: Reason::RenderTemplate, message });
                }
            }
        }
    }
    match (failure, run.asked.is_empty()) {
        (Some(failure), _) => Expansion::Failed(failure),
        (None, false) => Expansion::Unanswered(run.asked),
        (None, true) => Expansion::Generated(found),
    }
}

/// Fields of an Application's specification that are not acted on, each once.
pub(crate) fn application_not_acted_on(application: &Object) -> Vec<String> {
    application.spec().map(fields::application_not_acted_on).unwrap_or_default()
}

/// How many fields of a specification say something.
pub(crate) fn field_count(object: &Object) -> usize {
    object.spec().map(fields::count).unwrap_or_default()
}

/// An Application of a rendered template; it lives where its set does, whatever the template says.
fn application_of(set: &ApplicationSet, mut rendered: serde_json::Value) -> Result<Object, String> {
    rendered["apiVersion"] = json!("argoproj.io/v1alpha1");
    rendered["kind"] = json!("Application");
    rendered["metadata"]["namespace"] = json!(set.namespace);
    Object::from_value(rendered).map_err(|_| "the template is no object".to_owned())
}
