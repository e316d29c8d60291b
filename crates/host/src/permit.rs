//! Whether something may be done to a place, and who has to say yes: what a terminal asks for and a web page's dialog.

use landfall_diag::{Diagnostic, code};

use crate::cluster_choice::Protection;
use crate::place::Place;

/// What is to be done to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Something is delivered to it.
    Deliver,
    /// Something is taken down.
    Remove,
    /// An earlier delivery comes back.
    RollBack,
    /// Operators that systems lean on are installed.
    InstallAddons,
    /// Something of the cluster's own is mended.
    Mend,
}

/// Whether it may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// At once: nobody else is concerned.
    Given,
    /// When somebody says yes.
    Asks(Consent),
}

/// A yes that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// What the cluster is called: its context.
    pub cluster: String,
    /// How it is said.
    pub answer: Answer,
}

/// How a yes is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `y`.
    Yes,
    /// By the context's name: what is lost is lost.
    Cluster,
    /// By the name of the protected environment.
    Environment(String),
}

impl Permit {
    /// For what is nobody else's: whoever is there says yes.
    pub fn of_owner(cluster: &str) -> Self {
        Permit::Asks(Consent { cluster: cluster.to_owned(), answer: Answer::Yes })
    }
}

impl Consent {
    /// Whether an answer says it.
    pub fn is_given_by(&self, answer: &str) -> bool {
        match &self.answer {
            Answer::Yes => answer == "y" || answer.eq_ignore_ascii_case("yes"),
            Answer::Cluster => answer == self.cluster,
            Answer::Environment(name) => answer == name,
        }
    }
}

/// What becomes of changes that no commit has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncommitted {
    /// A protected environment does not take them.
    Refused,
    /// Somebody insists.
    Accepted,
}

impl Place {
    /// Whether something may be done here. A cluster of the state directory is its owner's own; what is done to a protected
    /// environment, whatever it is, is agreed to by its name.
    pub fn permit(&self, act: Act) -> Permit {
        let Some(context) = self.cluster.remote() else { return Permit::Given };
        let named = || Answer::Environment(self.environment.clone().unwrap_or_else(|| context.name.clone()));
        let answer = match (act, context.protection) {
            (_, Protection::Protected) => named(),
            (Act::InstallAddons, Protection::Open) => return Permit::Given,
            (Act::Remove, Protection::Open) => Answer::Cluster,
            (Act::Deliver | Act::RollBack | Act::Mend, Protection::Open) => Answer::Yes,
        };
        Permit::Asks(Consent { cluster: context.name.clone(), answer })
    }

    /// Refuses to deliver to a protected environment what no commit has.
    ///
    /// # Errors
    /// [`code::UNCOMMITTED`], with the revision.
    pub fn check_committed(&self, uncommitted: Uncommitted) -> Result<(), Diagnostic> {
        let is_protected = self.cluster.remote().is_some_and(|context| context.protection == Protection::Protected);
        let revision = self.target.source.revision();
        if !is_protected || !revision.is_dirty() || uncommitted == Uncommitted::Accepted {
            return Ok(());
        }
        Err(Diagnostic::refused(
            code::UNCOMMITTED,
            format!(
                "environment `{}` is protected, and what would be delivered is not committed ({})",
                self.environment.as_deref().unwrap_or_default(),
                revision.short()
            ),
        )
        .note("nothing was changed")
        .help("commit first, deliver a commit with `--ref REV`, or insist with `--dirty`"))
    }
}

#[cfg(test)]
mod tests {
    use landfall_delivery::{Target, TargetKind, Viewpoint};

    use super::*;
    use crate::cluster_choice::{ClusterChoice, RemoteContext};
    use crate::state::StateDir;

    const ALL: [Act; 5] = [Act::Deliver, Act::Remove, Act::RollBack, Act::InstallAddons, Act::Mend];

    fn place(cluster: ClusterChoice) -> Place {
        let source = landfall_source::SourceTree::from_tree("nowhere", landfall_chart::Tree::new());
        let kind = TargetKind::Applications(Vec::new());
        let target = Target { source, directory: String::new(), viewpoint: Viewpoint::Top, kind };
        Place { target, environment: Some("prod".to_owned()), state: StateDir::at("state"), cluster }
    }

    fn remote(protection: Protection) -> Place {
        place(ClusterChoice::of(RemoteContext { name: "k3d-prod".to_owned(), kubeconfig: None, protection }))
    }

    fn asked(place: &Place, act: Act) -> Option<Answer> {
        match place.permit(act) {
            Permit::Given => None,
            Permit::Asks(consent) => Some(consent.answer),
        }
    }

    #[test]
    fn a_protected_environment_is_changed_by_who_names_it_and_another_cluster_by_a_yes() {
        let (open, protected) = (remote(Protection::Open), remote(Protection::Protected));
        for act in ALL {
            assert_eq!(asked(&protected, act), Some(Answer::Environment("prod".to_owned())), "{act:?}");
        }
        for act in [Act::Deliver, Act::RollBack, Act::Mend] {
            assert_eq!(asked(&open, act), Some(Answer::Yes), "{act:?}");
        }
        assert_eq!(asked(&open, Act::Remove), Some(Answer::Cluster));
        assert_eq!(asked(&open, Act::InstallAddons), None);
    }

    #[test]
    fn nobody_is_asked_about_the_embedded_cluster() {
        let own = place(ClusterChoice::embedded());
        for act in ALL {
            assert_eq!(own.permit(act), Permit::Given);
        }
    }

    #[test]
    fn an_answer_gives_a_permit_only_where_it_is_the_one_asked_for() {
        let consent = |answer| Consent { cluster: "k3d-prod".to_owned(), answer };
        let named = consent(Answer::Environment("prod".to_owned()));
        assert!(named.is_given_by("prod") && !named.is_given_by("y") && !named.is_given_by("k3d-prod"));
        assert!(consent(Answer::Cluster).is_given_by("k3d-prod") && !consent(Answer::Cluster).is_given_by("yes"));
        assert!(consent(Answer::Yes).is_given_by("yes") && !consent(Answer::Yes).is_given_by(""));
    }
}
