//! Declared checks: what each asks, again and again until it passes or its time is over.
//!
//! ```text
//! Smoke (checks, the tag that is wanted, from where they are asked)
//!   ├─ asking.rs       an address: status, body, redirect, version, and the line that the request leaves in a log
//!   ├─ certificate.rs  from outside: each host's certificate is waited for, and what is wrong with it named
//!   ├─ printed.rs     a copy of a Secret's value, as whoever keeps it prints it: the same, or another
//!   ├─ reach.rs       where an address may lead that a repository names
//!   ├─ tag.rs          which tag an image has, and which version an answer tells
//!   └─ ../inside.rs    within the cluster: commands, logs, rollouts
//! verdict.rs           what a check found
//! ```

mod asking;
mod certificate;
mod printed;
mod tag;
pub(crate) mod verdict;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_recursion::async_recursion as boxed;
use landfall_cluster::Cluster;
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_project::Check;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

pub use landfall_source::NetworkReach;

pub use self::tag::Tags;
pub use self::verdict::Verdict;
use crate::Progress;
use crate::inside::{self, Inside};

/// How host names of checks are reached when they are not the public ones: the embedded cluster's ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// Where plain HTTP goes.
    pub http: Option<SocketAddr>,
    /// Where HTTPS goes; its certificates are simulated and not verified.
    pub https: Option<SocketAddr>,
}

impl Routes {
    /// Whether names are routed at all.
    pub fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// Where a request to this address goes instead of its public name.
    pub(crate) fn of(&self, url: &reqwest::Url) -> Option<SocketAddr> {
        if url.scheme() == "https" { self.https } else { self.http }
    }

    /// A client that reaches all these addresses; one for all of them, because making one reads certificates.
    pub(crate) fn client<'u>(
        &self,
        urls: impl IntoIterator<Item = &'u reqwest::Url>,
        reach: &NetworkReach,
    ) -> Result<reqwest::Client, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(10));
        if !self.is_empty() {
            // The certificates of the embedded cluster's ingress are simulated.
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some(names) = reach.names() {
            builder = builder.dns_resolver(names);
        }
        for url in urls {
            if let (Some(address), Some(host)) = (self.of(url), url.host_str()) {
                builder = builder.resolve(host, address);
            }
        }
        builder.build()
    }
}

/// One check and what it found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The check's name.
    pub name: String,
    /// The address asked, or the workload.
    pub address: String,
    /// What it found.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Whether a simulated container answered.
    pub simulated: bool,
    /// Tries made.
    pub tries: u32,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

impl CheckResult {
    /// What it found, in a word; `~` where a simulated container answered.
    pub fn word(&self) -> &'static str {
        match self.verdict {
            Verdict::Passed if self.simulated => "passed ~",
            Verdict::Passed => "passed",
            Verdict::Failed { .. } => "failed",
            Verdict::NotSimulated { .. } => "not simulated",
        }
    }
}

/// The header by which the embedded cluster says that an answer is simulated.
pub const SIMULATED_HEADER: &str = "x-landfall-simulated";

/// The header by which it says that nobody declared the answer.
pub const UNDECLARED_HEADER: &str = "x-landfall-undeclared";

/// The header by which it names what stands on the way, decides who gets in, and is not simulated.
pub const NOT_SIMULATED_HEADER: &str = "x-landfall-not-simulated";

/// The longest a check goes on trying when nothing else is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for a line in a log.
pub(crate) const LOG_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one try may take, however little time is left.
const ONE_TRY: Duration = Duration::from_secs(5);

/// Checks as they are to be made.
#[derive(Debug, Clone)]
pub struct Smoke<'a> {
    /// Which.
    pub checks: &'a [Check],
    /// The tags that versions are held against.
    pub tags: Tags,
    /// From where addresses are asked.
    pub from: Standpoint,
}

/// From where addresses are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standpoint {
    /// As the cluster's routes lead: an embedded cluster's names lead to its own ingress.
    Routes(Routes),
    /// As anybody asks who is not of the cluster: public names, certificates that are trusted. Those are waited for so
    /// long, because an authority may still be signing them.
    Outside(Duration),
}

impl Smoke<'_> {
    /// Whether one of them looks into the cluster.
    pub fn needs_cluster(&self) -> bool {
        self.checks.iter().any(|check| check.http.is_none() || check.logged.is_some())
    }

    /// Whether one of them holds a version against a tag.
    pub fn needs_tags(&self) -> bool {
        self.checks.iter().any(|check| check.version.is_some())
    }

    fn routes(&self) -> Routes {
        match &self.from {
            Standpoint::Routes(routes) => routes.clone(),
            Standpoint::Outside(_) => Routes::default(),
        }
    }
}

/// Which namespaces checks may look into: those of whoever types them are bounded by the cluster, those of a repository by its
/// project.
#[derive(Clone, Copy, Default)]
pub enum Bounds<'a> {
    /// All that the cluster lets one see.
    #[default]
    OfTheCluster,
    /// Those that are permitted.
    Permitted(&'a (dyn Fn(&str) -> bool + Sync)),
}

impl Bounds<'_> {
    pub(crate) fn permit(&self, namespace: &str) -> bool {
        match self {
            Bounds::OfTheCluster => true,
            Bounds::Permitted(permitted) => permitted(namespace),
        }
    }
}

/// Who makes checks, and whom it tells.
pub struct Prober<'a> {
    /// What is looked into; of what needs it without one it is said that it cannot be made.
    pub cluster: Option<&'a Cluster>,
    /// Which namespaces of it may be looked into.
    pub bounds: Bounds<'a>,
    /// Where addresses may lead.
    pub reach: NetworkReach,
    /// Where progress is told.
    pub progress: &'a Sender<Progress>,
    /// Ends it.
    pub stop: &'a CancellationToken,
}

impl Prober<'_> {
    /// Makes checks.
    ///
    /// # Errors
    /// When none can be made: the system's certificates cannot be read. When it is told to stop.
    #[boxed]
    pub async fn smoke(&self, asked: &Smoke<'_>) -> Result<Vec<CheckResult>, Vec<Diagnostic>> {
        let routes = asked.routes();
        let addresses = asked.checks.iter().filter_map(|check| check.http.as_deref());
        let urls: Vec<reqwest::Url> = addresses.filter_map(|url| reqwest::Url::parse(url).ok()).collect();
        let client = routes.client(&urls, &self.reach).map_err(|error| {
            vec![Diagnostic::error(code::CHECKS_UNMADE, "the checks cannot be made").note(error.to_string())]
        })?;
        let stopped = || vec![landfall_engine::Error::Interrupted.diagnose()];
        let mut results = Vec::new();
        // By host and port: why nobody who asks there gets an answer.
        let mut untrusted: BTreeMap<String, String> = BTreeMap::new();
        if let Standpoint::Outside(patience) = asked.from {
            for origin in certificate::origins(&urls).into_iter().filter(|url| self.reach.refuses(url).is_none()) {
                let name = certificate::name(&origin);
                self.tell(Progress::Doing(format!("the certificate of {name}"))).await;
                let result = tokio::select! {
                    result = certificate::wait(&client, &origin, patience) => result,
                    () = self.stop.cancelled() => return Err(stopped()),
                };
                if let Verdict::Failed { reason } = &result.verdict {
                    untrusted.insert(name, reason.clone());
                }
                self.tell(Progress::Checked(result.clone())).await;
                results.push(result);
            }
        }
        for check in asked.checks {
            self.tell(Progress::Doing(format!("check {}", check.name))).await;
            let host = check.http.as_deref().and_then(|url| reqwest::Url::parse(url).ok());
            let unasked = host.as_ref().map(certificate::name).and_then(|name| untrusted.get(&name));
            let inside = self.cluster.map(|cluster| Inside { cluster, bounds: &self.bounds });
            let one = One { client: &client, routes: &routes, reach: &self.reach, inside, tags: &asked.tags, check };
            let result = match unasked {
                Some(reason) => one.result(Verdict::Failed { reason: reason.clone() }),
                None => tokio::select! {
                    result = one.run() => result,
                    () = self.stop.cancelled() => return Err(stopped()),
                },
            };
            self.tell(Progress::Checked(result.clone())).await;
            results.push(result);
        }
        Ok(results)
    }

    async fn tell(&self, progress: Progress) {
        // Nobody listening is no reason to stop.
        let _unheard = self.progress.send(progress).await;
    }
}

/// One check, and what it is made with.
pub(crate) struct One<'a> {
    pub(crate) client: &'a reqwest::Client,
    pub(crate) routes: &'a Routes,
    pub(crate) reach: &'a NetworkReach,
    pub(crate) inside: Option<Inside<'a>>,
    pub(crate) tags: &'a Tags,
    pub(crate) check: &'a Check,
}

impl One<'_> {
    /// Makes it, again and again until it passes or its time is over.
    async fn run(&self) -> CheckResult {
        let (check, started) = (self.check, Instant::now());
        let default = if check.logs.is_some() { LOG_TIMEOUT } else { DEFAULT_TIMEOUT };
        let timeout = check.timeout.as_ref().map_or(default, landfall_project::Span::duration);
        // A line that the request leaves is waited for within a try.
        let one_try = ONE_TRY + check.logged.as_ref().map_or(Duration::ZERO, |_| LOG_TIMEOUT);
        let mut pause = Duration::from_millis(50);
        let mut tries = 0;
        loop {
            tries += 1;
            // Whoever is asked last gets as long as a try may take at least: a busy machine is no failure.
            let left = timeout.saturating_sub(started.elapsed()).max(one_try);
            let (verdict, simulated) = tokio::time::timeout(left, self.once()).await.unwrap_or_else(|_| {
                (Verdict::Failed { reason: format!("no answer within {} s", left.as_secs()) }, false)
            });
            let over = started.elapsed() + pause >= timeout;
            if over || !matches!(verdict, Verdict::Failed { .. }) {
                let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                return CheckResult { simulated, tries, elapsed_ms, ..self.result(verdict) };
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    async fn once(&self) -> (Verdict, bool) {
        let check = self.check;
        if let Some(address) = &check.http {
            return self.ask(address).await;
        }
        let Some(inside) = &self.inside else {
            return (Verdict::Failed { reason: "there is no cluster to look into".to_owned() }, false);
        };
        let contains = check.contains.as_deref();
        match (&check.exec, &check.logs, &check.rollout) {
            (Some(exec), ..) => match &check.prints {
                Some(prints) => printed::exec(inside, exec, prints).await,
                None => inside::exec(inside, exec, contains).await,
            },
            (_, Some(workload), _) => inside::logs(inside, workload, contains.unwrap_or_default()).await,
            (_, _, Some(workload)) => inside::rollout(inside, workload).await,
            (None, None, None) => (Verdict::Failed { reason: "it asks nothing".to_owned() }, false),
        }
    }

    /// The result of one that was not even tried.
    fn result(&self, verdict: Verdict) -> CheckResult {
        CheckResult {
            name: self.check.name.clone(),
            address: subject(self.check),
            verdict,
            simulated: false,
            tries: 0,
            elapsed_ms: 0,
        }
    }
}

/// What a check asks, for people: an address, or a workload with a command.
fn subject(check: &Check) -> String {
    let exec = check.exec.as_ref().map(|exec| format!("{} $ {}", exec.workload, exec.argv.join(" ")));
    let log = check.logs.as_ref().map(|workload| format!("log of {workload}"));
    let rollout = check.rollout.as_ref().map(|workload| format!("rollout of {workload}"));
    check.http.as_ref().map(ToString::to_string).or(exec).or(log).or(rollout).unwrap_or_default()
}

/// The checks that could not be made, because nobody declares or simulates what they ask.
pub fn unmade(results: &[CheckResult]) -> impl Iterator<Item = &CheckResult> {
    results.iter().filter(|result| matches!(result.verdict, Verdict::NotSimulated { .. }))
}

/// Counts of verdicts, by word.
pub fn tally(results: &[CheckResult]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for result in results {
        *counts.entry(result.word()).or_default() += 1;
    }
    counts
}
