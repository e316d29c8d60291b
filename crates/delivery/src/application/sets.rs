//! What an ApplicationSet of the target's files generates, as far as files can answer that.

use landfall_apps::Source;
use landfall_apps::sets::{Answers, ApplicationSet, Expansion, Files, Question, Unanswered, expand};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::Object;

use super::{ArgoObject, at_file};
use crate::Target;
use crate::unit::Selection;

/// How often an answer may lead to other questions.
const ROUNDS: usize = 6;

/// A generated Application: where it comes from, itself, and nothing that is wrong with its names yet.
type Generated = (String, Object, Vec<Diagnostic>);

impl Target {
    /// The Applications of a set: its lists, and git where the repositories stand here. Which clusters and pull requests
    /// there are, a server alone knows.
    pub(super) fn generated(&self, one: &ArgoObject, selection: &Selection) -> Result<Vec<Generated>, Vec<Diagnostic>> {
        let wrong = |diagnostic: Diagnostic| vec![at_file(diagnostic, &one.path)];
        let set = ApplicationSet::parse(&one.object).map_err(|error| wrong(error.diagnose()))?;
        let failed = |why: &str| {
            let text = format!("ApplicationSet {} generates nothing: {why}", set.name);
            wrong(Diagnostic::error(code::SET_NOT_EXPANDED, text))
        };
        let mut checkouts = Vec::new();
        let mut answers = Answers::default();
        for _ in 0..ROUNDS {
            let questions = match expand(&set, &answers) {
                Expansion::Generated(found) => {
                    let from = format!("{} (ApplicationSet {})", one.path, set.name);
                    return Ok(found.into_iter().map(|object| (from.clone(), object, Vec::new())).collect());
                }
                Expansion::Failed(failure) => return Err(failed(&failure.message)),
                Expansion::Unanswered(questions) => questions,
            };
            for question in questions {
                match question {
                    Question::Files { repository, revision } => {
                        let source = Source {
                            repo_url: repository.clone(),
                            target_revision: if revision == "HEAD" { String::new() } else { revision.clone() },
                            ..Source::default()
                        };
                        let Some(checkout) = self.checkout_of(&source, selection) else {
                            let text = format!(
                                "ApplicationSet {} is generated from {repository}, which is not this repository",
                                set.name
                            );
                            let help = format!("let a checkout stand in: --repo {repository}=DIR");
                            return Err(wrong(Diagnostic::error(code::NO_CHECKOUT, text).help(help)));
                        };
                        checkouts.push((repository, revision, checkout));
                    }
                    Question::Clusters => answers.clusters(Err(Unanswered::Failed(
                        "which clusters there are, `landfall serve` alone finds out".to_owned(),
                    ))),
                    Question::Plugin(query) => answers.plugin(
                        query,
                        Err(Unanswered::Failed("what a plugin answers, `landfall serve` alone finds out".to_owned())),
                    ),
                    Question::PullRequests(query) => answers.pull_requests(
                        query,
                        Err(Unanswered::Failed(
                            "which pull requests are open, `landfall serve` alone finds out".to_owned(),
                        )),
                    ),
                }
            }
            for (repository, revision, checkout) in checkouts.drain(..) {
                let files = match checkout.stand_in {
                    Some(tree) => Files::of(tree, &checkout.root),
                    None => Files::of(&self.source, &checkout.root),
                };
                answers.files(&repository, &revision, files.map_err(Unanswered::Failed));
            }
        }
        Err(failed("its generators ask for ever more"))
    }
}
