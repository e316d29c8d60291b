pub(crate) mod verdict;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landfall_cluster::Cluster;
use landfall_project::Check;
use serde::Serialize;

pub use self::verdict::Verdict;
use crate::inside;

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
    ) -> Result<reqwest::Client, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(10));
        if !self.is_empty() {
            // The certificates of the embedded cluster's ingress are simulated.
            builder = builder.tls_danger_accept_invalid_certs(true);
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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

/// The header by which the embedded cluster says that an answer is simulated.
pub const SIMULATED_HEADER: &str = "x-landfall-simulated";

/// The header by which it says that nobody declared the answer.
pub const UNDECLARED_HEADER: &str = "x-landfall-undeclared";

/// The header by which it names what stands on the way, decides who gets in, and is not simulated.
pub const NOT_SIMULATED_HEADER: &str = "x-landfall-not-simulated";

/// The longest a check goes on trying when nothing else is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for a line in a log.
const LOG_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one try may take, however little time is left.
const ONE_TRY: Duration = Duration::from_secs(5);

/// A client for checks.
///
/// # Errors
/// When the system's certificates cannot be read.
pub fn check_client(checks: &[Check], routes: &Routes) -> Result<reqwest::Client, reqwest::Error> {
    let asked = checks.iter().filter_map(|check| check.http.as_deref());
    let urls: Vec<reqwest::Url> = asked.filter_map(|url| reqwest::Url::parse(url).ok()).collect();
    routes.client(&urls)
}

/// Makes one check, again and again until it passes or its time is over.
pub async fn run_check(client: &reqwest::Client, check: &Check, routes: &Routes, cluster: &Cluster) -> CheckResult {
    let started = Instant::now();
    let default = if check.logs.is_some() { LOG_TIMEOUT } else { DEFAULT_TIMEOUT };
    let timeout = check.timeout.as_ref().map_or(default, landfall_project::Span::duration);
    let mut pause = Duration::from_millis(50);
    let mut tries = 0;
    loop {
        tries += 1;
        let once = async {
            match (&check.http, &check.exec, &check.logs, &check.rollout) {
                (Some(address), ..) => ask(client, address, check, routes).await,
                (_, Some(exec), ..) => inside::exec(cluster, exec, check.contains.as_deref()).await,
                (_, _, Some(workload), _) => {
                    inside::logs(cluster, workload, check.contains.as_deref().unwrap_or_default()).await
                }
                (_, _, _, Some(workload)) => inside::rollout(cluster, workload).await,
                (None, None, None, None) => (Verdict::Failed { reason: "it asks nothing".to_owned() }, false),
            }
        };
        // Whoever is asked last gets as long as a try may take at least: a busy machine is no failure.
        let left = timeout.saturating_sub(started.elapsed()).max(ONE_TRY);
        let (verdict, simulated) = tokio::time::timeout(left, once)
            .await
            .unwrap_or_else(|_| (Verdict::Failed { reason: format!("no answer within {} s", left.as_secs()) }, false));
        let over = started.elapsed() + pause >= timeout;
        if over || !matches!(verdict, Verdict::Failed { .. }) {
            return CheckResult {
                name: check.name.clone(),
                address: subject(check),
                verdict,
                simulated,
                tries,
                elapsed_ms: started.elapsed().as_millis() as u64,
            };
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// What a check asks, for people: an address, or a workload with a command.
fn subject(check: &Check) -> String {
    let exec = check.exec.as_ref().map(|exec| format!("{} $ {}", exec.workload, exec.argv.join(" ")));
    let log = check.logs.as_ref().map(|workload| format!("log of {workload}"));
    let rollout = check.rollout.as_ref().map(|workload| format!("rollout of {workload}"));
    check.http.as_ref().map(ToString::to_string).or(exec).or(log).or(rollout).unwrap_or_default()
}

async fn ask(client: &reqwest::Client, address: &str, check: &Check, routes: &Routes) -> (Verdict, bool) {
    let failed = |reason: String| (Verdict::Failed { reason }, false);
    let url = match reqwest::Url::parse(address) {
        Ok(url) => url,
        Err(error) => return failed(format!("`{address}` is not an address: {error}")),
    };
    let routed = routes.of(&url);
    let mut asked = url.clone();
    if let Some(address) = routed
        && asked.set_port(Some(address.port())).is_err()
    {
        return failed(format!("`{address}` cannot have a port"));
    }
    let method = match (&check.method, &check.body) {
        (Some(method), _) => method.to_uppercase(),
        (None, Some(_)) => "POST".to_owned(),
        (None, None) => "GET".to_owned(),
    };
    let Ok(method) = method.parse::<reqwest::Method>() else {
        return failed(format!("`{method}` is not a method"));
    };
    let mut request = client.request(method, asked);
    for (name, value) in &check.headers {
        request = request.header(name, value);
    }
    if routed.is_some()
        && let Some(host) = url.host_str()
    {
        // The rules match the public name; the port we really go through is none of their business.
        request = request.header("host", host);
    }
    if let Some(body) = &check.body {
        request = request.body(body.clone());
    }
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return failed(error_words(&error)),
    };
    let status = answer.status().as_u16();
    let simulated = answer.headers().contains_key(SIMULATED_HEADER);
    let undeclared = answer.headers().contains_key(UNDECLARED_HEADER);
    let between =
        answer.headers().get(NOT_SIMULATED_HEADER).map(|which| String::from_utf8_lossy(which.as_bytes()).into_owned());
    let body = match answer.text().await {
        Ok(body) => body,
        Err(error) => return failed(error_words(&error)),
    };
    if let Some(which) = between {
        return (Verdict::NotSimulated { reason: format!("on the way stands what is not simulated: {which}") }, true);
    }
    if undeclared {
        let reason = body.lines().next().unwrap_or_default().trim_start_matches("simulated: ").to_owned();
        return (Verdict::NotSimulated { reason }, true);
    }
    let right = check.status.map_or((200..400).contains(&status), |wanted| wanted == status);
    if !right {
        let wanted = check.status.map_or("200–399".to_owned(), |wanted| wanted.to_string());
        return (Verdict::Failed { reason: format!("status {status}, wanted {wanted}{}", excerpt(&body)) }, simulated);
    }
    if let Some(text) = &check.contains
        && !body.contains(text.as_str())
    {
        return (
            Verdict::Failed { reason: format!("the answer does not contain {text:?}{}", excerpt(&body)) },
            simulated,
        );
    }
    (Verdict::Passed, simulated)
}

fn excerpt(body: &str) -> String {
    let line = body.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if line.is_empty() {
        return String::new();
    }
    let short: String = line.chars().take(120).collect();
    format!("; it says: {short}")
}

/// The innermost cause of an error of the HTTP client; its own words repeat the address.
fn error_words(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    source.to_string()
}

/// The checks that could not be made, because nobody declares or simulates what they ask.
pub fn unmade(results: &[CheckResult]) -> impl Iterator<Item = &CheckResult> {
    results.iter().filter(|result| matches!(result.verdict, Verdict::NotSimulated { .. }))
}

/// Counts of verdicts, by word.
pub fn tally(results: &[CheckResult]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for result in results {
        let word = match result.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed { .. } => "failed",
            Verdict::NotSimulated { .. } => "not simulated",
        };
        *counts.entry(word).or_default() += 1;
    }
    counts
}
