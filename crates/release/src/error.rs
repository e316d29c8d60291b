use std::fmt;

use landfall_diag::{Code, Diagnose, Diagnostic, code};
use landfall_object::{ONCE_ANNOTATION, ObjectKey, showing};

/// Why a release's operation could not be prepared or carried out; where Helm has words for it, they are Helm's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is none.
    #[error("{0}")]
    InvalidName(String),
    /// There is no such release.
    #[error("release: not found")]
    NotFound {
        /// Its name.
        name: String,
    },
    /// There is no such revision.
    #[error("release has no {version} version")]
    NoRevision {
        /// The release.
        name: String,
        /// The revision.
        version: i64,
    },
    /// The name is taken.
    #[error("cannot re-use a name that is still in use")]
    NameInUse {
        /// The name.
        name: String,
    },
    /// Nothing of the release has ever been deployed.
    #[error("{name:?} has no deployed releases")]
    NothingDeployed {
        /// Its name.
        name: String,
    },
    /// An operation is under way, or its process died.
    #[error("another operation (install/upgrade/rollback) is in progress")]
    Pending {
        /// The release.
        name: String,
        /// `pending-upgrade`.
        status: crate::Status,
        /// Seconds since it began.
        age: i64,
    },
    /// The release is uninstalled already.
    #[error("the release named {name:?} is already deleted")]
    AlreadyDeleted {
        /// Its name.
        name: String,
    },
    /// A label's name is Helm's own.
    #[error(
        "user supplied labels contains system reserved label name. System labels: [name owner status version createdAt modifiedAt]"
    )]
    SystemLabel,
    /// An object exists and belongs to somebody else.
    #[error("Unable to continue with {verb}: {object} exists and cannot be imported into the current release: invalid ownership metadata; {}", reasons.join("; "))]
    Foreign {
        /// `install` or `update`.
        verb: &'static str,
        /// `ConfigMap "x" in namespace "y"`.
        object: String,
        /// What its metadata lacks.
        reasons: Vec<String>,
        /// The release that wants it, and what it holds.
        sought: Box<Sought>,
    },
    /// A manifest cannot be read.
    #[error("YAML parse error on {path}: {reason}")]
    Manifest {
        /// The template's path.
        path: String,
        /// Why.
        reason: String,
    },
    /// A manifest says not what it is.
    #[error("error validating \"\": error validating data: {}", unset(fields))]
    Unset {
        /// The template's path.
        path: String,
        /// `apiVersion`, `kind`.
        fields: Vec<&'static str>,
    },
    /// A manifest says not what it is, told with the manifest's sort.
    #[error("unable to build kubernetes objects from {which} manifest: {source}")]
    Unbuilt {
        /// Which.
        which: Which,
        /// Why.
        source: Box<Error>,
    },
    /// An object has no name.
    #[error(
        "Unable to continue with {verb}: could not get information about the resource {kind} \"\" in namespace {namespace:?}: resource name may not be empty"
    )]
    Nameless {
        /// `install` or `update`.
        verb: &'static str,
        /// The object's kind.
        kind: String,
        /// Its namespace.
        namespace: String,
    },
    /// Kinds of a manifest are not served.
    #[error("unable to build kubernetes objects from {which} manifest: {}", several(sources))]
    Build {
        /// Which.
        which: Which,
        /// Why, one for each object.
        sources: Vec<landfall_cluster::Error>,
    },
    /// A record cannot be read or written.
    #[error("the release record {what} is damaged: {reason}")]
    Damaged {
        /// The Secret's name.
        what: String,
        /// Why.
        reason: String,
    },
    /// A record could not be stored.
    #[error("{what}: {source}")]
    Storage {
        /// `create: failed to create`, in Helm's words.
        what: &'static str,
        /// Why.
        #[source]
        source: landfall_cluster::Error,
    },
    /// The plan could not be made or carried out.
    #[error(transparent)]
    Engine(#[from] landfall_engine::Error),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] landfall_cluster::Error),
}

/// Which manifest; displays as Helm names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Of a first installation.
    Release,
    /// Of a release that is there already.
    NewRelease,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Which::Release => "release",
            Which::NewRelease => "new release",
        })
    }
}

impl Error {
    /// Why the objects of an upgrade cannot be built, as Helm says it before it has begun: without naming the manifest.
    pub fn before_upgrade(&self) -> Option<String> {
        match self {
            Error::Build { which: Which::NewRelease, sources } => Some(several(sources)),
            Error::Unbuilt { which: Which::NewRelease, source } => Some(source.to_string()),
            _ => None,
        }
    }
}

/// Fields as the Kubernetes client library lists those it misses.
fn unset(fields: &[&str]) -> String {
    let told: Vec<String> = fields.iter().map(|field| format!("{field} not set")).collect();
    match told.as_slice() {
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    }
}

/// Several errors as the Kubernetes client library lists them.
fn several(errors: &[landfall_cluster::Error]) -> String {
    let mut told: Vec<String> = Vec::new();
    for text in errors.iter().map(ToString::to_string) {
        if !told.contains(&text) {
            told.push(text);
        }
    }
    match told.as_slice() {
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    }
}

/// An object of somebody else that a release wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// The object.
    pub object: ObjectKey,
    /// Its keys that are generated once.
    pub once: Vec<String>,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
}

impl Sought {
    /// What to type. What is generated once lives on by being taken, and is lost by the other way that comes to mind.
    fn told(&self, refused: Diagnostic) -> Diagnostic {
        let Sought { object, once, release, namespace } = self;
        let take = format!(
            "`landfall upgrade {release} CHART -n {namespace} --take-ownership`, with its chart's directory and its values files (`-f`)"
        );
        let Some(first) = once.first() else {
            return refused.help(format!("name it otherwise, or take it into the release, once: {take}"));
        };
        let keys = once.join(", ");
        refused
            .note(format!(
                "it holds {keys} generated once: taken over, it keeps the value that lives, and another one is refused; deleted, it \
                 would lose it, and what was made with it could never be read again"
            ))
            .help(format!(
                "give the template the value that lives ({} shows it) and the annotation `{ONCE_ANNOTATION}: {keys}`",
                showing(object, first)
            ))
            .help(format!("then take it into the release, once: {take}"))
    }
}

impl Diagnose for Error {
    fn diagnose(&self) -> Diagnostic {
        let told = |code: Code| Diagnostic::error(code, self.to_string());
        match self {
            Error::InvalidName(_) => {
                told(code::BAD_RELEASE_NAME).help("use lower-case letters, digits, `-` and `.`, at most 53")
            }
            Error::NotFound { name } => Diagnostic::error(code::NO_RELEASE, format!("there is no release {name}"))
                .note(format!("helm: {self}"))
                .help("`landfall list -A` shows the releases of all namespaces"),
            // The one before the last was meant.
            Error::NoRevision { name, version: 0 } => {
                Diagnostic::error(code::NO_REVISION, format!("release {name} has no earlier revision to go back to"))
                    .note(format!("helm: {self}"))
                    .help(format!("`landfall history {name}` shows its revisions"))
            }
            Error::NoRevision { name, version } => {
                Diagnostic::error(code::NO_REVISION, format!("release {name} has no revision {version}"))
                    .note(format!("helm: {self}"))
                    .help(format!("`landfall history {name}` shows its revisions"))
            }
            Error::NameInUse { name } => {
                Diagnostic::error(code::NAME_IN_USE, format!("there is a release {name} already"))
                    .note(format!("helm: {self}"))
                    .help(format!("`landfall upgrade {name}`, or choose another name"))
            }
            Error::NothingDeployed { .. } => told(code::NOTHING_DEPLOYED).help("`upgrade --install` installs it"),
            Error::Pending { name, status, age } => Diagnostic::error(
                code::PENDING,
                format!("release {name} is {status}: another operation is in progress, or died {age} s ago"),
            )
            .note(format!("helm: {self}"))
            .help(format!(
                "wait for it; if its process is gone, `landfall rollback {name}` or the same command later repairs it"
            )),
            Error::AlreadyDeleted { .. } => told(code::ALREADY_DELETED),
            Error::SystemLabel => told(code::SYSTEM_LABEL),
            Error::Foreign { sought, .. } => sought.told(Diagnostic::refused(code::FOREIGN_OBJECT, self.to_string())),
            Error::Manifest { .. } | Error::Nameless { .. } => told(code::UNBUILDABLE),
            Error::Unset { path, fields } => {
                Diagnostic::error(code::UNBUILDABLE, format!("{path}: {}", unset(fields))).note(format!("helm: {self}"))
            }
            Error::Unbuilt { source, .. } => source.diagnose(),
            Error::Build { sources, .. } => {
                let mut diagnostic = sources.first().map_or_else(|| told(code::UNBUILDABLE), Diagnose::diagnose);
                diagnostic.notes.insert(0, self.to_string());
                diagnostic
            }
            Error::Damaged { .. } => told(code::DAMAGED_RECORD),
            Error::Storage { source, .. } => {
                if let Some(full) = source.full_disk() {
                    return full.note(self.to_string());
                }
                let diagnostic = told(code::RECORD_UNSTORED);
                if source.is_too_long() {
                    diagnostic.help("the chart and its rendering are too large for one Secret (1 MiB): ship fewer files in the chart")
                } else {
                    diagnostic
                }
            }
            Error::Engine(error) => error.diagnose(),
            Error::Cluster(error) => error.diagnose(),
        }
    }
}
