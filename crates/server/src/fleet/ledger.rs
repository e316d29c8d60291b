//! What is written, in the order in which it was decided: many decisions in one transaction, each reply after its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use landfall_store::{EdgeEventRow, Fleet, FleetWrite};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Seconds after which it is written at the latest when an edge was seen.
pub(crate) const FLUSH: u64 = 10;
/// How many decisions are written at once.
const BATCH: usize = 1000;
/// How much may wait to be written again before nothing more is taken.
const BACKLOG: usize = 100_000;

/// It could not be written: it will be, but nothing may be answered as if it were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unwritten;

struct Entry {
    writes: Vec<FleetWrite>,
    done: oneshot::Sender<Result<(), Unwritten>>,
}

/// What is written.
pub(crate) struct Ledger {
    entries: mpsc::UnboundedSender<Entry>,
    last_event: AtomicI64,
    waiting: Arc<AtomicU64>,
    writer: Mutex<Option<JoinHandle<()>>>,
    end: CancellationToken,
}

/// What a reply waits for.
pub(crate) struct Written(oneshot::Receiver<Result<(), Unwritten>>);

impl Ledger {
    /// A ledger over a store; its writer ends with [`Ledger::close`].
    pub(crate) fn new(store: Fleet, last_event: i64) -> Self {
        let (entries, told) = mpsc::unbounded_channel();
        let (waiting, end) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let writer = tokio::spawn(run(store, told, Arc::clone(&waiting), end.clone()));
        Ledger { entries, last_event: AtomicI64::new(last_event), waiting, writer: Mutex::new(Some(writer)), end }
    }

    /// Takes down what is to be written, in this order; what is returned ends when it is on disk.
    pub(crate) fn put(&self, writes: Vec<FleetWrite>) -> Written {
        let (done, written) = oneshot::channel();
        self.waiting.fetch_add(writes.len() as u64, Ordering::Relaxed);
        // Whoever waits hears of a writer that is gone by its side of the channel.
        let _gone = self.entries.send(Entry { writes, done });
        Written(written)
    }

    /// Writes, and ends when it is on disk.
    pub(crate) async fn write(&self, writes: Vec<FleetWrite>) -> Result<(), Unwritten> {
        self.put(writes).end().await
    }

    /// Something that happened, with the next number.
    pub(crate) fn event(&self, at: i64, (edge, campaign): (i64, &str), kind: &str, text: String) -> EdgeEventRow {
        let number = self.last_event.fetch_add(1, Ordering::Relaxed) + 1;
        EdgeEventRow { number, at, edge, campaign: campaign.to_owned(), kind: kind.to_owned(), text }
    }

    /// How much waits to be written.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether so much waits that nothing more is taken.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting() > BACKLOG as u64
    }

    /// Writes what was taken down, and ends.
    pub(crate) async fn close(&self) {
        self.end.cancel();
        let writer = self.writer.lock().take();
        if let Some(writer) = writer {
            let _ended = writer.await;
        }
    }
}

impl Written {
    /// Ends when it is on disk.
    pub(crate) async fn end(self) -> Result<(), Unwritten> {
        self.0.await.unwrap_or(Err(Unwritten))
    }
}

async fn run(store: Fleet, mut told: mpsc::UnboundedReceiver<Entry>, waiting: Arc<AtomicU64>, end: CancellationToken) {
    // What could not be written stays before all that follows: what is in memory already must not be missing on disk.
    let mut backlog: Vec<FleetWrite> = Vec::new();
    let mut entries = Vec::new();
    loop {
        tokio::select! {
            biased;
            taken = told.recv_many(&mut entries, BATCH) => if taken == 0 { return },
            () = end.cancelled() => {
                // Nobody decides anything any more.
                told.close();
                continue;
            }
        }
        let mut done = Vec::with_capacity(entries.len());
        for entry in entries.drain(..) {
            backlog.extend(entry.writes);
            done.push(entry.done);
        }
        let result = match store.write(&backlog).await {
            Ok(()) => {
                waiting.fetch_sub(backlog.len() as u64, Ordering::Relaxed);
                backlog.clear();
                Ok(())
            }
            Err(error) => {
                tracing::error!("the fleet's store cannot be written: {error}");
                Err(Unwritten)
            }
        };
        for done in done {
            let _heard = done.send(result);
        }
    }
}
