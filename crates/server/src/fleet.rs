//! The edge's server: devices enroll, check in, and are brought to releases in campaigns.
//!
//! ```text
//!            doorway.rs   whoever brings wrong tokens and credentials again and again waits
//! device ──► front.rs ─┬─ legacy.rs     the seven routes of the agent that is out there ─┐
//!                      ├─ device.rs     our own agent's: enroll, check in ───────────────┼─► hearing.rs   what an edge says
//!                      │  enrolling.rs  those that enroll at the same time, in one transaction      │
//!                      └─ artifacts.rs  bytes, with ranges, without redirects            │      │
//! operator ─► front.rs ─► operator.rs   edges, tokens, releases, campaigns               │      ▼
//!                                                                                 campaigns.rs   `fleet::campaign::step`
//!                                                                                 reversal.rs    and back again
//! book.rs       edges and credentials, in memory; starts.rs: those of an agent before     │
//! following.rs  which campaigns hear what an edge says                                    │
//! import.rs     what the product's own gateway knew
//! collecting.rs  bytes that nobody will fetch any more
//! releases.rs   what may be installed, and what is signed                                 ▼
//! ledger.rs     what is written, in batches; a reply waits for its own                ledger.rs ─► store
//! ```
//!
//! Invariants: a status is on disk before it is answered; presence (when an edge was seen, what it was at) is written at most
//! [`ledger::FLUSH`] later and nothing hangs on it; a decision is made under its campaign's lock, and written in that order.

mod answers;
mod artifacts;
mod book;
mod campaigns;
mod collecting;
mod device;
pub(crate) mod doorway;
mod enrolling;
mod explain;
mod following;
mod front;
mod hearing;
mod import;
mod keys;
mod ledger;
mod legacy;
mod listing;
mod numbers;
mod only;
mod operator;
mod page;
mod releases;
mod reversal;
pub(crate) mod routes;
mod rows;
mod starts;

use std::path::PathBuf;
use std::sync::Arc;

use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_engine::Clock;
use landfall_store::{Audit, Fleet};
use tokio_util::sync::CancellationToken;

pub use campaigns::NewCampaign;
pub use only::{OnlyFleet, serve_fleet};
pub use operator::NewToken;
pub use releases::{NewArtifact, NewRelease};
pub(crate) use routes::{Described, described, described_alone, is_ours};

use self::book::Book;
use self::campaigns::Campaigns;
use self::doorway::Doorway;
use self::enrolling::Enrolling;
use self::keys::Keys;
use self::ledger::Ledger;
use self::numbers::Numbers;
use self::releases::Releases;
use crate::networks::Network;

/// What an edge's server is given.
#[derive(Debug, Clone, Default)]
pub struct FleetOptions {
    /// Where existing agents fetch artifacts: this server's own address over HTTPS. Without it they are offered nothing.
    pub address: Option<String>,
    /// The key under which digests of credentials are kept; one of the state directory's own when absent.
    pub pepper: Option<String>,
    /// The key before it: what was kept under it is taken, and kept anew.
    pub pepper_before: Option<String>,
    /// Who signs artifacts for the existing agent, PEM.
    pub signer: Option<String>,
    /// In how many seconds our own agent checks in again.
    pub poll_seconds: u32,
    /// Proxies that stand before this server and say for whom they ask.
    pub proxies: Vec<Network>,
}

/// The edge's server.
pub(crate) struct Control {
    store: Fleet,
    audit: Audit,
    clock: Arc<dyn Clock>,
    keys: Keys,
    directory: PathBuf,
    address: Option<String>,
    poll_seconds: u32,
    book: Book,
    releases: Releases,
    campaigns: Campaigns,
    ledger: Ledger,
    enrolling: Enrolling,
    doorway: Doorway,
    numbers: Numbers,
    streams: tokio::sync::Semaphore,
}

/// How many edges are read at once when a server begins, and of how many it is written at once when they were heard.
const READ: i64 = 1000;
const WRITTEN: usize = 1000;

/// How many artifacts are served at once; whoever comes beyond them is told to come again.
const STREAMS: usize = 64;

impl Control {
    /// Opens the fleet that a store holds, with its keys and artifacts in a directory.
    pub(crate) async fn open(
        (store, audit): (Fleet, Audit),
        clock: Arc<dyn Clock>,
        directory: PathBuf,
        options: FleetOptions,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, Diagnostic> {
        let keys = Keys::open(&directory, &options)?;
        let contents = store.load().await.map_err(|error| error.diagnose())?;
        let ledger = Ledger::new(store.clone(), contents.last_event);
        let enrolling = Enrolling::new(store.clone());
        let address = options.address.map(|address| address.trim_end_matches('/').to_owned());
        if let Some(address) = address.as_deref().filter(|address| !address.starts_with("https://")) {
            let text = format!("{address} is no address from which existing agents fetch artifacts");
            return Err(Diagnostic::error(code::BAD_ARGUMENTS, text)
                .note("the agent refuses anything but https://")
                .help("give the address at which a proxy serves this server over TLS: --edge-url https://…"));
        }
        let doorway = Doorway::new(options.proxies, address.is_some());
        if doorway.is_blind() {
            tracing::warn!(
                "wrong tokens and credentials of edges are not limited by address: name the proxy before this server with --edge-proxy"
            );
        }
        let now = clock.now().as_second();
        let campaigns = Campaigns::of(&contents, now)?;
        let releases = Releases::of(&contents, now);
        let book = Book::default();
        let mut after = 0;
        // By and by: as rows they take more room than they will in the book.
        loop {
            let some = store.edges(after, READ).await.map_err(|error| error.diagnose())?;
            let Some(last) = some.edges.last() else { break };
            after = last.number;
            book.read(some);
        }
        let control = Arc::new(Control {
            store,
            audit,
            clock,
            keys,
            directory,
            address,
            poll_seconds: options.poll_seconds.clamp(1, 3600),
            book,
            releases,
            campaigns,
            ledger,
            enrolling,
            doorway,
            numbers: Numbers::default(),
            streams: tokio::sync::Semaphore::new(STREAMS),
        });
        control.tell_campaigns();
        tokio::spawn(Arc::clone(&control).keep(stop));
        Ok(control)
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// What time brings: presence is written, campaigns go on, the timestamp is signed anew, what nobody fetches any more goes.
    async fn keep(self: Arc<Self>, stop: CancellationToken) {
        let mut beat = tokio::time::interval(std::time::Duration::from_secs(1));
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seconds = 0_u64;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = beat.tick() => {}
            }
            self.tick_campaigns();
            if seconds.is_multiple_of(ledger::FLUSH) {
                self.flush_presence().await;
            }
            if seconds.is_multiple_of(600)
                && let Err(diagnostic) = self.renew_timestamp().await
            {
                tracing::warn!("the timestamp of the fleet's metadata cannot be signed anew: {}", diagnostic.message);
            }
            if seconds.is_multiple_of(3600) {
                self.collect().await;
            }
            seconds += 1;
        }
        self.flush_presence().await;
        self.ledger.close().await;
    }

    /// Writes how edges were when they were heard last.
    pub(crate) async fn flush_presence(&self) {
        // No more than there are now: who is heard meanwhile is written the next time.
        let mut left = self.book.unwritten();
        while left > 0 {
            let rows = self.book.take_heard(left.min(WRITTEN));
            left = if rows.is_empty() { 0 } else { left.saturating_sub(rows.len()) };
            if !rows.is_empty() && self.ledger.write(rows).await.is_err() {
                tracing::warn!("when edges were heard last cannot be written; it is tried again");
                return;
            }
        }
    }
}

/// What a signing key is made of.
///
/// # Errors
/// The system has no randomness.
pub fn random_seed() -> Result<[u8; 32], Diagnostic> {
    random()
}

/// Random bytes.
fn random<const N: usize>() -> Result<[u8; N], Diagnostic> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Diagnostic::error(code::BUG, "the system gives no random numbers"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
