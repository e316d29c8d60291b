//! Which commit a source's revision leads to, and the files of that commit.
//!
//! A repository elsewhere is asked for its references once for all Applications of it, every [`POLL`], and sooner when
//! somebody says that they have moved; of its commits those are fetched that are wanted, into one directory.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landfall_apps::machine::{Freshness, Past};
use landfall_apps::{Application, Source};
use landfall_delivery::{StandIn, slug};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_source::{
    Fetched, GitRemote, Mirror, Network, ReadSet, References, RefsMark, RefsPlace, RemoteCharts, RemoteRef,
    SourceError, SourceTree, aside, repository_key,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::connections::Connections;
use crate::happened::Happened;
use crate::options::StandInRepository;

/// How often it is looked whether references of a repository on this machine have moved.
const LOOK: Duration = Duration::from_millis(40);
/// After so many looks it is looked anew whose references these are: a directory may belong to another repository by then.
const LOOKS: u32 = 25;
/// The looking itself takes no more than this part of the time.
const SHARE: u32 = 20;
/// How often a repository elsewhere is asked what its references are.
const POLL: Duration = Duration::from_secs(15);
/// How long it is left alone at most after it did not answer.
const LONGEST_POLL: Duration = Duration::from_secs(120);
/// A repository that nobody has wanted for so long is forgotten: every Application is looked at more often than that.
const UNWANTED: Duration = Duration::from_secs(15 * 60);
/// How many threads read from a repository at a time. Each of them opens it, and what closing it costs grows with their number; were
/// they shared among repositories, one on a disk that does not answer would keep all others waiting.
const READERS: usize = 2;
/// How old it may be what a range of a chart's versions led to.
const RANGE: Duration = Duration::from_secs(120);

/// The repositories of all Applications.
pub(crate) struct Repositories {
    local: Vec<Local>,
    remotes: Mutex<HashMap<(String, String), Arc<Remote>>>,
    ranges: Mutex<HashMap<Range, (Instant, String)>>,
    below: PathBuf,
    network: Network,
    patience: Option<Duration>,
    charts: RemoteCharts,
    connections: Arc<Connections>,
    told: Sender<Happened>,
    stop: CancellationToken,
    counts: Arc<Counts>,
}

/// What repositories elsewhere were asked for so far.
#[derive(Default)]
struct Counts {
    fetches: AtomicU64,
    listings: AtomicU64,
}

/// A repository on this machine that stands in for an address.
struct Local {
    repository: StandInRepository,
    readers: Readers,
}

/// Who may read from a repository now.
#[derive(Clone)]
struct Readers(Arc<Semaphore>);

impl Readers {
    fn new() -> Self {
        Readers(Arc::new(Semaphore::new(READERS)))
    }

    /// Reads from the repository when it is its turn.
    async fn read<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Diagnostic> {
        let _place = self.0.acquire().await;
        aside(work).await.map_err(|error| Diagnostic::error(code::BUG, error.to_string()))
    }
}

/// A project, the address of a chart repository, a chart and a range of its versions.
type Range = (String, String, String, String);

/// A repository elsewhere, as one account may see it.
struct Remote {
    address: String,
    /// One of the projects whose account it is.
    project: String,
    mirror: tokio::sync::Mutex<Mirror>,
    readers: Readers,
    known: Mutex<Known>,
    connections: Arc<Connections>,
    counts: Arc<Counts>,
}

/// What is known of a repository elsewhere.
struct Known {
    /// What it said last, and when it was asked.
    answer: Option<(Instant, Result<Arc<References>, Diagnostic>)>,
    /// Since when it may have moved, as somebody said.
    moved: Instant,
    /// When somebody last wanted it.
    wanted: Instant,
    /// When somebody last wanted what a name leads to: hashes lead nowhere else tomorrow.
    followed: Option<Instant>,
    /// References that are neither branches nor tags and that somebody wants.
    further: BTreeSet<String>,
}

/// How old an answer may be.
#[derive(Debug, Clone, Copy)]
enum Age {
    /// Any will do.
    Any,
    /// It must have been asked for since then.
    Since(Instant),
}

/// The revision of a source that names none.
const DEFAULT: &str = "HEAD";

impl Repositories {
    pub(crate) fn new(
        local: Vec<StandInRepository>,
        charts: RemoteCharts,
        below: PathBuf,
        connections: Arc<Connections>,
        (told, stop): (Sender<Happened>, CancellationToken),
    ) -> Self {
        let local = local.into_iter().map(|repository| Local { repository, readers: Readers::new() }).collect();
        Repositories {
            local,
            remotes: Mutex::default(),
            ranges: Mutex::default(),
            below,
            network: charts.network.clone(),
            patience: charts.patience,
            charts,
            connections,
            told,
            stop,
            counts: Arc::default(),
        }
    }

    /// How often repositories elsewhere were fetched from so far, and how often they were asked for their references.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.counts.fetches.load(Ordering::Relaxed), self.counts.listings.load(Ordering::Relaxed))
    }

    /// How charts are asked for, on behalf of a project.
    pub(crate) fn charts(&self, project: &str) -> RemoteCharts {
        RemoteCharts { accounts: self.connections.accounts(project), ..self.charts.clone() }
    }

    /// The addresses that repositories of this machine stand in for.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.local.iter().map(|local| local.repository.address.clone()).collect()
    }

    fn local(&self, address: &str) -> Option<&Local> {
        let key = repository_key(address);
        self.local.iter().find(|local| repository_key(&local.repository.address) == key)
    }

    /// What an Application's sources are at; `asked` takes the place of what the sources name. [`Freshness::Latest`] is
    /// what was said since somebody last told that something has moved, [`Freshness::Hard`] what is said now.
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
        let now = Instant::now();
        for (index, source) in application.sources.iter().enumerate() {
            let own = Some(&source.target_revision).filter(|revision| !revision.is_empty());
            let wanted = asked.get(index).filter(|asked| !asked.is_empty()).or(own).map_or(DEFAULT, String::as_str);
            revisions.push(if is_chart(source) {
                let range = if wanted == DEFAULT { "" } else { wanted };
                self.version(application, source, range, freshness).await?
            } else if let Some(local) = self.local(&source.repo_url) {
                local.commit_of(wanted).await?
            } else {
                let remote = self.remote(&source.repo_url, &application.project)?;
                let age = match freshness {
                    Freshness::Recent => Age::Any,
                    Freshness::Latest => Age::Since(remote.known.lock().moved),
                    Freshness::Hard => Age::Since(now),
                };
                remote.commit_of(wanted, age).await?
            });
        }
        Ok(revisions)
    }

    /// A tag among what an Application follows that leads to another commit than when it was delivered last: the tag, that commit and
    /// the one now. A branch moves; a tag that does was moved by somebody.
    pub(crate) async fn moved_tag(
        &self,
        application: &Application,
        revisions: &[String],
    ) -> Option<(String, String, String)> {
        let delivered = Past::delivering(&application.object);
        let result = "/status/operationState/syncResult";
        let several = application.object.list_at(&format!("{result}/sources"));
        for (index, (source, now)) in application.sources.iter().zip(revisions).enumerate() {
            let (tag, before) = (&source.target_revision, delivered.get(index)?);
            let was = several.get(index).or_else(|| application.object.at(&format!("{result}/source")));
            let is_the_same = was.is_some_and(|was| {
                was["targetRevision"].as_str() == Some(tag.as_str())
                    && was["repoURL"].as_str() == Some(&*source.repo_url)
            });
            if before == now || !is_the_same || is_chart(source) || tag.is_empty() || tag == now {
                continue;
            }
            let is_tag = match self.local(&source.repo_url) {
                Some(local) => {
                    let (directory, name) = (local.repository.directory.clone(), tag.clone());
                    local.readers.read(move || landfall_source::is_tag(&directory, &name)).await.unwrap_or(false)
                }
                None => {
                    let remote = self.remote(&source.repo_url, &application.project).ok()?;
                    let references = remote.references(Age::Any).await.ok()?;
                    references.is_tag(tag)
                }
            };
            if is_tag {
                return Some((tag.clone(), before.clone(), now.clone()));
            }
        }
        None
    }

    /// The version of a chart that a range leads to.
    async fn version(
        &self,
        application: &Application,
        source: &Source,
        range: &str,
        freshness: Freshness,
    ) -> Result<String, Diagnostic> {
        let (project, address, chart) = (&application.project, &source.repo_url, &source.chart);
        let key = (project.clone(), address.clone(), chart.clone(), range.to_owned());
        let known = self.ranges.lock().get(&key).cloned();
        if let Some((at, version)) = known
            && freshness < Freshness::Hard
            && at.elapsed() < RANGE
        {
            return Ok(version);
        }
        let asked = Instant::now();
        let version = self.charts(project).version(address, chart, range).await.map_err(|error| error.diagnose())?;
        let mut ranges = self.ranges.lock();
        ranges.retain(|_, (at, _)| at.elapsed() < RANGE);
        ranges.insert(key, (asked, version.clone()));
        Ok(version)
    }

    /// The same Application with its charts at these versions.
    pub(crate) fn pinned(mut application: Application, revisions: &[String]) -> Application {
        for (source, revision) in application.sources.iter_mut().zip(revisions) {
            if is_chart(source) {
                source.target_revision.clone_from(revision);
            }
        }
        application
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
            let (address, revision, commit) = (source.repo_url.clone(), source.target_revision.clone(), commit.clone());
            let stand_in = match self.local(&source.repo_url) {
                Some(local) => {
                    let directory = local.repository.directory.clone();
                    local.readers.read(move || StandIn::at_commit(&address, &revision, &directory, &commit)).await
                }
                None => {
                    let remote = self.remote(&address, &application.project)?;
                    let fetched = remote.fetched(&commit).await?;
                    remote.readers.read(move || StandIn::fetched(&address, &revision, &fetched, &commit)).await
                }
            };
            stand_ins.push(stand_in??);
        }
        Ok(stand_ins)
    }

    /// Whether an Application's sources are at these revisions what was read of them at others. As a whole it is fetched either
    /// way: whoever waits for a server keeps nobody else from comparing.
    pub(crate) async fn are_alike(
        &self,
        application: &Application,
        (revisions, since): (&[String], &[String]),
        reads: Option<&[ReadSet]>,
    ) -> Result<bool, Diagnostic> {
        let stand_ins = self.stand_ins(application, revisions).await?;
        let Some(reads) = reads.filter(|reads| reads.len() == stand_ins.len()) else { return Ok(false) };
        let versions = application.sources.iter().zip(revisions.iter().zip(since));
        let is_other = versions.into_iter().any(|(source, (is, was))| is_chart(source) && is != was);
        if is_other || revisions.len() != since.len() {
            return Ok(false);
        }
        let of_files = application.sources.iter().filter(|source| !is_chart(source));
        for ((source, stand_in), reads) in of_files.zip(stand_ins).zip(reads) {
            let reads = reads.clone();
            let is_alike = move || stand_in.tree.reads_alike(&reads);
            if !self.readers(source, application)?.read(is_alike).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Who may read from a source's repository now.
    fn readers(&self, source: &Source, application: &Application) -> Result<Readers, Diagnostic> {
        Ok(match self.local(&source.repo_url) {
            Some(local) => local.readers.clone(),
            None => self.remote(&source.repo_url, &application.project)?.readers.clone(),
        })
    }

    /// A repository elsewhere as a project may see it; who asks for it first has it looked at from then on.
    fn remote(&self, address: &str, project: &str) -> Result<Arc<Remote>, Diagnostic> {
        if address.starts_with("file:") {
            let text = format!("{address} is a directory of the server's machine, which no Application may name");
            return Err(
                Diagnostic::refused(code::NO_CHECKOUT, text).help("let it stand in for an address: --repo URL=DIR")
            );
        }
        let account = self.connections.accounts(project).of(address).name;
        // What one account was given another one does not find here.
        let key = (address.trim_end_matches('/').trim_end_matches(".git").to_lowercase(), account);
        let mut remotes = self.remotes.lock();
        remotes.retain(|_, remote| remote.known.lock().wanted.elapsed() < UNWANTED);
        if let Some(known) = remotes.get(&key) {
            known.known.lock().wanted = Instant::now();
            return Ok(Arc::clone(known));
        }
        let shown = RemoteRef { url: address.to_owned(), revision: None }.shown();
        let name = slug(&format!("{shown} {}", key.1)).chars().take(100).collect::<String>();
        let now = Instant::now();
        let remote = Arc::new(Remote {
            address: address.to_owned(),
            project: project.to_owned(),
            mirror: tokio::sync::Mutex::new(Mirror::new(&self.network, self.below.join(name), self.patience)),
            readers: Readers::new(),
            known: Mutex::new(Known {
                answer: None,
                moved: now,
                wanted: now,
                followed: None,
                further: BTreeSet::new(),
            }),
            connections: Arc::clone(&self.connections),
            counts: Arc::clone(&self.counts),
        });
        remotes.insert(key, Arc::clone(&remote));
        tokio::spawn(poll(Arc::clone(&remote), self.told.clone(), self.stop.clone()));
        Ok(remote)
    }

    /// Takes note that somebody says that repositories may have moved.
    pub(crate) fn moved<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) {
        let keys: Vec<String> = addresses.into_iter().map(repository_key).collect();
        let is_named = |address: &str| keys.contains(&repository_key(address));
        let now = Instant::now();
        for remote in self.remotes.lock().values().filter(|remote| is_named(&remote.address)) {
            remote.known.lock().moved = now;
        }
        self.ranges.lock().retain(|(_, address, ..), _| !is_named(address));
    }

    /// Takes note that logins are others now: who did not answer is asked again.
    pub(crate) fn connected(&self) {
        let now = Instant::now();
        for remote in self.remotes.lock().values() {
            let mut known = remote.known.lock();
            if matches!(known.answer, Some((_, Err(_)))) {
                known.moved = now;
            }
        }
    }

    /// Tells when references of repositories on this machine move, until it is told to stop.
    pub(crate) fn look_out(&self) {
        for local in &self.local {
            tokio::spawn(look_out(local.repository.clone(), self.told.clone(), self.stop.clone()));
        }
    }
}

impl Local {
    async fn commit_of(&self, revision: &str) -> Result<String, Diagnostic> {
        let (directory, revision) = (self.repository.directory.clone(), revision.to_owned());
        let read = move || {
            let tree = SourceTree::open_commit(&directory, &revision).map_err(|error| error.diagnose())?;
            Ok(tree.revision().sha().unwrap_or_default().to_owned())
        };
        self.readers.read(read).await?
    }
}

impl Remote {
    fn as_account(&self) -> GitRemote {
        self.connections.accounts(&self.project).remote(&self.address)
    }

    /// What its references are; who asks while somebody else does is told the same.
    async fn references(&self, age: Age) -> Result<Arc<References>, Diagnostic> {
        let recent = || {
            let known = self.known.lock();
            let (at, answer) = known.answer.clone()?;
            let fits = match age {
                Age::Any => true,
                Age::Since(since) => at >= since,
            };
            fits.then_some(answer)
        };
        if let Some(answer) = recent() {
            return answer;
        }
        let mut mirror = self.mirror.lock().await;
        if let Some(answer) = recent() {
            return answer;
        }
        let asked = Instant::now();
        let further: Vec<String> = self.known.lock().further.iter().cloned().collect();
        self.counts.listings.fetch_add(1, Ordering::Relaxed);
        let answer = mirror.references(&self.as_account(), &further).await;
        let answer = answer.map(Arc::new).map_err(|error| error.diagnose());
        self.known.lock().answer = Some((asked, answer.clone()));
        answer
    }

    async fn commit_of(&self, revision: &str, age: Age) -> Result<String, Diagnostic> {
        if revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(revision.to_lowercase());
        }
        self.known.lock().followed = Some(Instant::now());
        let mut age = age;
        let is_further = revision.starts_with("refs/")
            && !revision.starts_with("refs/heads/")
            && !revision.starts_with("refs/tags/");
        if is_further && self.known.lock().further.insert(revision.to_owned()) {
            // It was not among what was asked for so far.
            age = Age::Since(Instant::now());
        }
        let references = self.references(age).await?;
        if let Some(commit) = references.commit(revision) {
            return Ok(commit);
        }
        let mut mirror = self.mirror.lock().await;
        let found = mirror.full_hash(&self.as_account(), revision).await;
        self.counts.fetches.fetch_add(mirror.take_fetches(), Ordering::Relaxed);
        found.map_err(|error| match error {
            SourceError::Revision { revision, shallow, .. } => {
                let nearest = references.nearest(&revision);
                SourceError::Revision { revision, nearest, shallow }.diagnose()
            }
            error => error.diagnose(),
        })
    }

    /// A directory that has a commit.
    async fn fetched(&self, commit: &str) -> Result<Arc<Fetched>, Diagnostic> {
        let mut mirror = self.mirror.lock().await;
        let fetched = mirror.commit(&self.as_account(), commit).await;
        self.counts.fetches.fetch_add(mirror.take_fetches(), Ordering::Relaxed);
        fetched.map_err(|error| error.diagnose())
    }
}

/// Asks a repository elsewhere for its references now and then, and tells when they have moved, when it does not answer
/// and when it does again; until nobody wants it any more.
async fn poll(remote: Arc<Remote>, told: Sender<Happened>, stop: CancellationToken) {
    let mut wait = POLL;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        let (wanted, followed) = {
            let known = remote.known.lock();
            (known.wanted, known.followed)
        };
        if wanted.elapsed() >= UNWANTED {
            return;
        }
        if followed.is_none_or(|followed| followed.elapsed() >= UNWANTED) {
            continue;
        }
        let before = remote.known.lock().answer.clone();
        let due = before.as_ref().map(|(at, _)| POLL.saturating_sub(at.elapsed())).unwrap_or_default();
        if !due.is_zero() && matches!(before, Some((_, Ok(_)))) {
            // Somebody has asked meanwhile.
            wait = due;
            continue;
        }
        let after = remote.references(Age::Since(Instant::now())).await;
        wait = if after.is_ok() { POLL } else { LONGEST_POLL.min(wait * 2) };
        let is_same = match (&before, &after) {
            (Some((_, Ok(before))), Ok(after)) => before == after,
            (Some((_, Err(before))), Err(after)) => before == after,
            _ => false,
        };
        if !is_same && told.send(Happened::Polled(remote.address.clone())).await.is_err() {
            return;
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

async fn look_out(local: StandInRepository, told: Sender<Happened>, stop: CancellationToken) {
    let mut before: Option<RefsMark> = None;
    let (mut place, mut looks): (Option<RefsPlace>, u32) = (None, 0);
    loop {
        let began = std::time::Instant::now();
        let (directory, known) = (local.directory.clone(), place.take().filter(|_| looks % LOOKS != 0));
        looks = looks.wrapping_add(1);
        let looked = aside(move || {
            let at = |place: RefsPlace| place.mark().map(|mark| (place, mark));
            known.and_then(at).or_else(|| RefsPlace::of(&directory).ok().and_then(at))
        });
        let (here, mark) = looked.await.ok().flatten().unzip();
        place = here;
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
