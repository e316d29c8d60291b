//! Which commit a source's revision leads to, and the files of that commit.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfall_apps::machine::Freshness;
use landfall_apps::{Application, Source};
use landfall_delivery::{StandIn, slug};
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_source::{Network, RefsMark, RemoteRef, SourceTree, aside, fetch_repository, repository_key};
use parking_lot::Mutex;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::happened::Happened;
use crate::options::StandInRepository;

/// How often it is looked whether references of a repository on this machine have moved.
const LOOK: Duration = Duration::from_millis(100);
/// The looking itself takes no more than this part of the time.
const SHARE: u32 = 20;

/// The repositories of all Applications.
pub(crate) struct Repositories {
    local: Vec<StandInRepository>,
    /// What was fetched of an address and revision: the commit, and the directory that has it.
    fetched: Mutex<HashMap<(String, String), (String, PathBuf)>>,
    cache: PathBuf,
    network: Network,
    patience: Option<Duration>,
    fetches: AtomicU64,
}

/// The revision of a source that names none.
const DEFAULT: &str = "HEAD";

impl Repositories {
    pub(crate) fn new(
        local: Vec<StandInRepository>,
        cache: PathBuf,
        network: Network,
        patience: Option<Duration>,
    ) -> Self {
        Repositories { local, fetched: Mutex::default(), cache, network, patience, fetches: AtomicU64::new(0) }
    }

    /// Repositories that were fetched over the network so far.
    pub(crate) fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::Relaxed)
    }

    fn local(&self, address: &str) -> Option<&StandInRepository> {
        let key = repository_key(address);
        self.local.iter().find(|local| repository_key(&local.address) == key)
    }

    /// What an Application's sources are at; `asked` takes the place of what the sources name.
    ///
    /// # Errors
    /// A repository cannot be reached, or has no such revision.
    pub(crate) async fn resolve(
        &self,
        application: &Application,
        asked: &[String],
        freshness: Freshness,
    ) -> Result<Vec<String>, Diagnostic> {
        let mut revisions = Vec::new();
        for (index, source) in application.sources.iter().enumerate() {
            let own = Some(&source.target_revision).filter(|revision| !revision.is_empty());
            let wanted = asked.get(index).or(own).map_or(DEFAULT, String::as_str);
            revisions.push(if is_chart(source) {
                wanted.to_owned()
            } else if let Some(local) = self.local(&source.repo_url) {
                commit_of(&local.directory, wanted).await?
            } else {
                self.fetched(&source.repo_url, wanted, freshness).await?.0
            });
        }
        Ok(revisions)
    }

    /// The files of an Application's sources at these commits.
    ///
    /// # Errors
    /// A commit is no longer there.
    pub(crate) async fn stand_ins(
        &self,
        application: &Application,
        revisions: &[String],
    ) -> Result<Vec<StandIn>, Diagnostic> {
        let mut stand_ins = Vec::new();
        for (source, commit) in application.sources.iter().zip(revisions) {
            if is_chart(source) {
                continue;
            }
            let directory = match self.local(&source.repo_url) {
                Some(local) => local.directory.clone(),
                None => {
                    let known = self.fetched.lock().values().find(|(sha, _)| sha == commit).cloned();
                    match known {
                        Some((_, directory)) => directory,
                        None => self.fetched(&source.repo_url, commit, Freshness::Recent).await?.1,
                    }
                }
            };
            let (address, revision, commit) = (source.repo_url.clone(), source.target_revision.clone(), commit.clone());
            let open = move || StandIn::at_commit(&address, &revision, &directory, &commit);
            stand_ins.push(aside(open).await.map_err(broken)??);
        }
        Ok(stand_ins)
    }

    /// The commit that a revision of a remote repository leads to, and a directory that has it.
    async fn fetched(
        &self,
        address: &str,
        revision: &str,
        freshness: Freshness,
    ) -> Result<(String, PathBuf), Diagnostic> {
        let key = (repository_key(address), revision.to_owned());
        if freshness == Freshness::Recent
            && let Some(known) = self.fetched.lock().get(&key)
        {
            return Ok(known.clone());
        }
        let number = self.fetches.fetch_add(1, Ordering::Relaxed);
        let named = (revision != DEFAULT).then(|| revision.to_owned());
        let remote = RemoteRef { url: address.to_owned(), revision: named };
        let incoming = self.cache.join(format!("incoming-{}-{number}", std::process::id()));
        fetch_repository(&self.network, &remote, &incoming, self.patience).await.map_err(|error| error.diagnose())?;
        let commit = match commit_of(&incoming, revision).await {
            Ok(commit) => commit,
            // A clone of one reference has that as its HEAD.
            Err(_) => commit_of(&incoming, DEFAULT).await?,
        };
        let name = slug(&remote.shown()).chars().take(80).collect::<String>();
        let directory = self.cache.join(format!("{name}-{commit}"));
        let (from, to) = (incoming, directory.clone());
        let moved = move || match std::fs::rename(&from, &to) {
            Ok(()) => {}
            // It was there already: what is the same commit is the same.
            Err(_) => drop(std::fs::remove_dir_all(&from)),
        };
        aside(moved).await.map_err(broken)?;
        let known = (commit, directory);
        self.fetched.lock().insert(key, known.clone());
        Ok(known)
    }

    /// Tells when references of repositories on this machine move, until it is told to stop.
    pub(crate) fn look_out(&self, told: &Sender<Happened>, stop: &CancellationToken) {
        for local in &self.local {
            tokio::spawn(look_out(local.clone(), told.clone(), stop.clone()));
        }
    }
}

/// Whether a source is a packed chart: its revision is a version.
fn is_chart(source: &Source) -> bool {
    !source.chart.is_empty() || source.repo_url.starts_with("oci://")
}

/// Whether a source comes from an address.
pub(crate) fn is_of(source: &Source, address: &str) -> bool {
    !is_chart(source) && repository_key(&source.repo_url) == repository_key(address)
}

async fn commit_of(directory: &Path, revision: &str) -> Result<String, Diagnostic> {
    let (directory, revision) = (directory.to_owned(), revision.to_owned());
    let read = move || {
        let tree = SourceTree::open_commit(&directory, &revision).map_err(|error| error.diagnose())?;
        Ok(tree.revision().sha().unwrap_or_default().to_owned())
    };
    aside(read).await.map_err(broken)?
}

fn broken(error: landfall_source::Broken) -> Diagnostic {
    Diagnostic::error(landfall_diag::code::BUG, error.to_string())
}

async fn look_out(local: StandInRepository, told: Sender<Happened>, stop: CancellationToken) {
    let mut before: Option<RefsMark> = None;
    loop {
        let began = std::time::Instant::now();
        let directory = local.directory.clone();
        let mark = aside(move || RefsMark::of(&directory).ok()).await.ok().flatten();
        if mark != before {
            // The first look tells, too: whatever moved before it was not seen.
            before = mark;
            if told.send(Happened::Moved(vec![local.address.clone()], None)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK.max(began.elapsed() * SHARE)) => {}
        }
    }
}
