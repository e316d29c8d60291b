use std::path::PathBuf;

use landfall_diag::{Diagnose, Diagnostic, code, without_passwords as safe};

/// What could not be fetched or read. No text of it shows the password of an address, not in the peers' words either.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file or directory could not be read.
    #[error("`{path}` cannot be read")]
    Read {
        /// The path as given.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A symbolic link points out of the tree, to nothing, or in a circle.
    #[error("the link `{path}` {why}")]
    Link {
        /// The link's path within the tree.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file is larger than anything that is read.
    #[error("`{path}` has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// The path within the tree.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A tree holds more than is read of one.
    #[error("`{path}` is not read: {spent}")]
    Spent {
        /// The directory or archive.
        path: String,
        /// What there is too much of.
        spent: landfall_chart::Spent,
    },
    /// A server sends too little to be waited for; displays in Go's words.
    #[error("Get {url:?}: context deadline exceeded ({})", if *.began { "Client.Timeout or context cancellation while reading body" } else { "Client.Timeout exceeded while awaiting headers" })]
    Slow {
        /// What was asked for.
        url: String,
        /// Whether the answer had begun.
        began: bool,
        /// How long it was waited for.
        waited: std::time::Duration,
    },
    /// A git repository could not be read.
    #[error("the git repository at `{path}` cannot be read: {}", safe(.why))]
    Git {
        /// Where it is.
        path: PathBuf,
        /// What git said.
        why: String,
    },
    /// A revision does not exist.
    #[error("`{revision}` is no commit, branch or tag of this repository")]
    Revision {
        /// What was asked for.
        revision: String,
        /// The nearest name there is.
        nearest: Option<String>,
        /// Whether the clone leaves out older commits.
        shallow: bool,
    },
    /// A path does not exist in the tree.
    #[error("there is no `{path}` in {}", safe(.place))]
    Missing {
        /// The path asked for.
        path: String,
        /// Where it was looked for.
        place: String,
    },
    /// An archive is broken or hostile.
    #[error("the archive `{path}` cannot be read: {why}")]
    Archive {
        /// The archive.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A repository could not be fetched.
    #[error("`{}` cannot be fetched: {}", safe(.url), safe(.why))]
    Fetch {
        /// The repository.
        url: String,
        /// What the transport said.
        why: String,
    },
    /// A repository's server asks for a login, and there is none.
    #[error("`{}` cannot be fetched: it asks for a login, and no account has one for it", safe(.url))]
    NoLogin {
        /// The repository.
        url: String,
    },
    /// There is no git on this machine, which is what sends commits.
    #[error("nothing can be sent to `{}`: there is no git on the search path", safe(.url))]
    NoGit {
        /// The repository.
        url: String,
    },
    /// A server did not answer; displays in Go's words.
    #[error("Get {:?}: {}", safe(.url), safe(.why))]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why, in Go's words.
        why: String,
    },
    /// An address that a repository names leads where nothing may be asked for one.
    #[error("{} is not asked: {why}", safe(.url))]
    Inside {
        /// What was asked for.
        url: String,
        /// Where it leads.
        why: String,
    },
    /// A server's certificate is not trusted; displays in Go's words.
    #[error("Get {:?}: tls: failed to verify certificate: {why}", safe(.url))]
    Certificate {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A server answered with something else than success; displays in Helm's words.
    #[error("failed to fetch {} : {status}", safe(.url))]
    Status {
        /// What was asked for.
        url: String,
        /// Its status: number and words.
        status: String,
    },
    /// A registry refused; displays in the words of Helm's client.
    #[error("{doing}{method} {:?}: {}", safe(.url), safe(.said))]
    Refused {
        /// What was being done, with a colon and a space behind it; may be empty.
        doing: &'static str,
        /// The request's method.
        method: String,
        /// What was asked for.
        url: String,
        /// The answer's status; 401 where nothing was sent for want of credentials.
        status: u16,
        /// What is said of it.
        said: String,
    },
    /// A redirect, an answer's size or a file of certificates that is not accepted.
    #[error("{}: {}", safe(.url), safe(.why))]
    Exchange {
        /// What was asked for.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// Something that is no address of a chart or repository.
    #[error("invalid chart URL format: {}", safe(.0))]
    Url(String),
    /// An index that is none; displays in Helm's words.
    #[error("{}", safe(.0))]
    Index(String),
    /// A chart that is not in an index.
    #[error("{}", safe(.0))]
    NoSuchChart(String),
    /// Bytes that are not those that were promised.
    #[error("{}: digest mismatch: expected sha256:{expected}, got sha256:{actual}", safe(.what))]
    Digest {
        /// What was fetched.
        what: String,
        /// The digest that the index or registry names, in hex.
        expected: String,
        /// The digest of what came, in hex.
        actual: String,
    },
    /// An archive that nobody who is known has signed; displays in Helm's words.
    #[error("{0}")]
    Provenance(String),
    /// A path given as text is not one this system can use.
    #[error("`{0}` is not a usable path inside the tree")]
    Path(String),
}

impl From<crate::aside::Broken> for SourceError {
    fn from(broken: crate::aside::Broken) -> Self {
        SourceError::Index(broken.to_string())
    }
}

impl Diagnose for SourceError {
    fn diagnose(&self) -> Diagnostic {
        match self {
            SourceError::Read { path, source } if landfall_diag::is_full(source.kind()) => {
                landfall_diag::disk_full(path.parent().unwrap_or(path)).note(self.to_string())
            }
            SourceError::Read { source, .. } => {
                Diagnostic::error(code::UNREADABLE_FILE, self.to_string()).note(source.to_string())
            }
            SourceError::Link { .. } => Diagnostic::error(code::LINK_OUT, self.to_string())
                .help("replace the link by the file it means, or keep both inside the repository"),
            SourceError::TooLarge { .. } => Diagnostic::error(code::TREE_TOO_LARGE, self.to_string())
                .help("keep it out of the chart, or name it in `.helmignore`"),
            SourceError::Spent { .. } => Diagnostic::error(code::TREE_TOO_LARGE, self.to_string())
                .help("name a directory with less in it; docs/limits.md says what is read"),
            SourceError::Slow { url, began, waited } => {
                let (host, seconds) = (crate::address::host_of(url), waited.as_secs_f32());
                let what = if *began { "sends hardly anything" } else { "does not answer" };
                Diagnostic::error(code::NO_ANSWER, format!("{host} {what}"))
                    .note(format!("it was given up after {seconds:.0} s"))
                    .note(self.to_string())
                    .help("where it needs longer, set LANDFALL_HTTP_PATIENCE to the seconds that it may be silent")
            }
            SourceError::Git { .. } => Diagnostic::error(code::BAD_REPOSITORY, self.to_string()),
            SourceError::Revision { nearest, shallow, .. } => {
                let diagnostic = Diagnostic::error(code::NO_COMMIT, self.to_string());
                match nearest {
                    None if *shallow => diagnostic
                        .note("this clone is shallow: commits before those that were fetched are not here")
                        .help("git fetch --unshallow"),
                    Some(nearest) => diagnostic.help(format!("did you mean `{nearest}`?")),
                    None => diagnostic.help("`git branch -a` and `git tag` list what there is"),
                }
            }
            SourceError::Missing { .. } => Diagnostic::error(code::NOT_IN_TREE, self.to_string()),
            SourceError::Archive { .. } => Diagnostic::error(code::UNREADABLE_ARCHIVE, self.to_string()),
            SourceError::Fetch { .. } => Diagnostic::error(code::NO_ANSWER, self.to_string())
                .help("check the address and the network (LANDFALL_HTTP_PATIENCE: the seconds that it may be silent); a local clone works without: `landfall up DIR`"),
            SourceError::NoLogin { .. } => Diagnostic::error(code::NO_ANSWER, self.to_string())
                .help("give it an account: a Secret with its address and login, or a token in the environment"),
            SourceError::NoGit { .. } => {
                Diagnostic::error(code::NO_GIT, self.to_string()).help("install git, as with `apt-get install git`")
            }
            SourceError::Unreachable { url, why } => {
                Diagnostic::error(code::NO_ANSWER, format!("{} does not answer", crate::address::host_of(url)))
                    .note(why.clone())
                    .help("check the address, the network, and HTTP_PROXY, HTTPS_PROXY and NO_PROXY")
            }
            SourceError::Inside { url, why } => {
                let host = crate::address::host_of(url);
                let declared = "or where the repository is declared, by a Secret of the kind `repository` with its `url`";
                Diagnostic::error(code::BAD_EXCHANGE, format!("{host} is not asked for what a chart names"))
                    .note(format!("{why}, {declared}"))
            }
            SourceError::Certificate { url, why } => {
                let host = crate::address::host_of(url);
                Diagnostic::error(code::UNTRUSTED, format!("the certificate of {host} is not trusted")).note(why.clone()).help(
                    "give the authority that signed it with --ca-file FILE; --insecure-skip-tls-verify leaves it unchecked",
                )
            }
            SourceError::Refused { url, status, said, .. } => {
                let diagnostic = Diagnostic::error(code::SERVER_REFUSED, format!("{url} refuses: {said}"));
                match status {
                    401 => {
                        diagnostic.help("`registry login` keeps credentials; --username and --password give them once")
                    }
                    403 => diagnostic.help("these credentials may not do it"),
                    404 => diagnostic.help("check the address and the version"),
                    _ => diagnostic,
                }
            }
            SourceError::Status { url, status } => {
                let diagnostic = Diagnostic::error(code::SERVER_REFUSED, format!("{url} answered {status}"));
                match status.get(..3) {
                    Some("401") => diagnostic.help("give --username and --password"),
                    Some("403") => diagnostic.help("these credentials may not read it"),
                    Some("404") => {
                        diagnostic.help("check the address and the version; `repo update` refreshes the index")
                    }
                    _ => diagnostic,
                }
            }
            SourceError::Exchange { .. } => Diagnostic::error(code::BAD_EXCHANGE, self.to_string()),
            SourceError::Url(_) => Diagnostic::error(code::BAD_ADDRESS, self.to_string()),
            SourceError::Index(_) => Diagnostic::error(code::BAD_INDEX, self.to_string())
                .help("a chart repository has an index.yaml beneath its address; `repo index DIR` writes one"),
            SourceError::NoSuchChart(_) => Diagnostic::error(code::NO_SUCH_CHART, self.to_string())
                .help("`search repo` lists what there is; `repo update` refreshes it"),
            SourceError::Digest { .. } => Diagnostic::error(code::OTHER_DIGEST, self.to_string())
                .help("nothing of it was kept; the archive has changed since the index was made, or on its way"),
            SourceError::Provenance(_) => Diagnostic::error(code::PROVENANCE, self.to_string())
                .help("`gpg --export >FILE` writes the keys of people you trust; give them with --keyring FILE"),
            SourceError::Path(_) => Diagnostic::error(code::BAD_PATH, self.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_shows_the_password_of_an_address() {
        let url = || "https://u:hunter2@h/a".to_owned();
        let why = || "https://v:hunter2@h: refused".to_owned();
        let all = [
            SourceError::Git { path: "a".into(), why: why() },
            SourceError::Missing { path: "a".into(), place: url() },
            SourceError::Fetch { url: url(), why: why() },
            SourceError::NoLogin { url: url() },
            SourceError::NoGit { url: url() },
            SourceError::Unreachable { url: url(), why: why() },
            SourceError::Inside { url: url(), why: "inside".into() },
            SourceError::Certificate { url: url(), why: "expired".into() },
            SourceError::Status { url: url(), status: "404 Not Found".into() },
            SourceError::Refused { doing: "", method: "GET".into(), url: url(), status: 401, said: why() },
            SourceError::Exchange { url: url(), why: why() },
            SourceError::Url(url()),
            SourceError::Index(why()),
            SourceError::NoSuchChart(why()),
            SourceError::Digest { what: url(), expected: "a".into(), actual: "b".into() },
        ];
        for error in all {
            let told = landfall_diag::render_plain(&error.diagnose());
            assert!(!error.to_string().contains("hunter2") && !told.contains("hunter2"), "{error}\n{told}");
        }
        let open = SourceError::Status { url: "https://h/a".into(), status: "404 Not Found".into() };
        assert_eq!(open.to_string(), "failed to fetch https://h/a : 404 Not Found");
    }
}
