use landfall_diag::{Code, Diagnose, Diagnostic, code};
use landfall_object::ObjectKey;

use crate::Fault;
use crate::fault::elided;

/// Why an Application could not be read, planned or synced.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object is no Application.
    #[error("{key} is not an argoproj.io/v1alpha1 Application")]
    NotAnApplication {
        /// What it is.
        key: Box<ObjectKey>,
    },
    /// The Application's specification cannot be read.
    #[error("application {name}: {reason}")]
    Spec {
        /// The Application.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The ApplicationSet's specification cannot be read.
    #[error("ApplicationSet {name}: {reason}")]
    SetSpec {
        /// The ApplicationSet.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Names and addresses of the Application are none.
    #[error("application {}: {}", elided(name), faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unfit {
        /// The Application.
        name: String,
        /// All of them.
        faults: Vec<Fault>,
    },
    /// A kind is not served.
    #[error(
        "The Kubernetes API could not find {}/{} for requested resource {}/{}. Make sure the {:?} CRD is installed on the destination cluster.",
        key.gvk.group, key.gvk.kind, key.namespace.as_deref().unwrap_or_default(), key.name, key.gvk.kind
    )]
    UnknownKind {
        /// The object.
        key: Box<ObjectKey>,
    },
    /// Another Application tracks an object, and this one refuses to share.
    #[error("Shared resource found: {key} is part of applications {own} and {other}")]
    Shared {
        /// The object.
        key: Box<ObjectKey>,
        /// This Application.
        own: String,
        /// The other one.
        other: String,
    },
    /// A plan would change what an Application of a protected project has delivered.
    #[error("{name} would change {key}, which is {other}'s, whose project {project} is protected")]
    Barred {
        /// Whose plan it is.
        name: String,
        /// The object.
        key: Box<ObjectKey>,
        /// The Application that has delivered it.
        other: String,
        /// The project of that one.
        project: String,
    },
    /// The Application's project is not there.
    #[error("Application referencing project {project} which does not exist")]
    NoProject {
        /// The Application.
        name: String,
        /// Its project.
        project: String,
    },
    /// The Application's project does not permit what it would deliver.
    #[error("application {name}: {}", words.join("; "))]
    NotPermitted {
        /// The Application.
        name: String,
        /// Its project.
        project: String,
        /// What is not permitted, in Argo CD's words.
        words: Vec<String>,
    },
    /// What an Application delivered waits for somebody to confirm that it goes (`Delete=confirm`).
    #[error("waiting for deletion confirmation of {}: {command}", waits.join(", "))]
    Unconfirmed {
        /// The objects.
        waits: Vec<String>,
        /// What is to be typed.
        command: String,
    },
    /// An automated sync would prune everything there is.
    #[error("auto-sync will wipe out all resources")]
    WipesOut,
    /// An operation names objects, and the Application has none of them.
    #[error("No matching app resources found: {} names none of the objects that it has or is to have", names.join(" and "))]
    NothingNamed {
        /// What it names, as Argo CD writes it.
        names: Vec<String>,
    },
    /// The plan could not be made or carried out.
    #[error(transparent)]
    Engine(#[from] landfall_engine::Error),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] landfall_cluster::Error),
    /// The journal.
    #[error(transparent)]
    Store(#[from] landfall_store::Error),
}

impl Error {
    /// As [`landfall_engine::Error::is_for_another_time`].
    pub fn is_for_another_time(&self) -> bool {
        matches!(self, Error::Engine(error) if error.is_for_another_time())
    }
}

impl Diagnose for Error {
    fn diagnose(&self) -> Diagnostic {
        let told = |code: Code| Diagnostic::error(code, self.to_string());
        match self {
            Error::NotAnApplication { .. } => told(code::NO_APPLICATION_OBJECT),
            Error::Spec { .. } | Error::SetSpec { .. } | Error::Unfit { .. } => told(code::BAD_APPLICATION),
            Error::UnknownKind { key } => {
                Diagnostic::error(code::UNKNOWN_KIND, format!("the cluster does not know the kind of {key}"))
                    .note(format!("argocd: {self}"))
                    .help("install the CRD first, or in an earlier wave of the same application")
            }
            Error::Shared { .. } => {
                told(code::SHARED_OBJECT).help("remove the object from one of the two, or drop FailOnSharedResource")
            }
            Error::Barred { key, other, project, .. } => Diagnostic::refused(code::SIDE_DOOR, self.to_string())
                .note("nothing of it was changed")
                .help(format!(
                    "take {key} out of the source, or out of {other}'s first; an Application that is to leave project {project} \
                     names it until an owner lets it: landfall app policy NAME --accept"
                )),
            Error::NoProject { name, .. } => Diagnostic::refused(code::NO_SUCH_PROJECT, self.to_string())
                .note(format!("nobody says what application {name} may deliver: nothing of it was changed"))
                .help("kubectl get appprojects -n argocd"),
            Error::NotPermitted { name, project, words } => words
                .iter()
                .fold(
                    Diagnostic::refused(
                        code::NOT_PERMITTED,
                        format!("project {project} does not permit what application {name} delivers"),
                    ),
                    |diagnostic, words| diagnostic.note(format!("argocd: {words}")),
                )
                .note("nothing of this application was changed"),
            Error::Unconfirmed { .. } => Diagnostic::refused(code::UNCONFIRMED, self.to_string())
                .note("they are marked Delete=confirm, and nothing of the application was deleted"),
            Error::WipesOut => Diagnostic::refused(code::WIPES_OUT, "every object of the application would be pruned")
                .note(format!("argocd: {self}"))
                .help("set syncPolicy.automated.allowEmpty when that is meant"),
            Error::NothingNamed { .. } => told(code::NOTHING_NAMED).note("nothing was changed"),
            Error::Engine(error) => error.diagnose(),
            Error::Cluster(error) => error.diagnose(),
            Error::Store(error) => error.diagnose(),
        }
    }
}
