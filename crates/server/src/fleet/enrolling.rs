//! Edges that enroll at the same time share a transaction: each is answered once its own is on disk.

use landfall_store::{Enrollment, Fleet, NewEdge};
use tokio::sync::{mpsc, oneshot};

/// How many are enrolled at once.
const BATCH: usize = 256;

struct Entry {
    new: NewEdge,
    at: i64,
    done: oneshot::Sender<Option<Enrollment>>,
}

/// What enrolls.
pub(crate) struct Enrolling {
    entries: mpsc::UnboundedSender<Entry>,
}

impl Enrolling {
    /// Over a store; it ends with the last that may ask it.
    pub(crate) fn new(store: Fleet) -> Self {
        let (entries, told) = mpsc::unbounded_channel();
        tokio::spawn(run(store, told));
        Enrolling { entries }
    }

    /// Enrolls an edge, and ends when that is on disk; `None` where it cannot be written.
    pub(crate) async fn enroll(&self, new: NewEdge, at: i64) -> Option<Enrollment> {
        let (done, enrolled) = oneshot::channel();
        self.entries.send(Entry { new, at, done }).ok()?;
        enrolled.await.ok().flatten()
    }
}

async fn run(store: Fleet, mut told: mpsc::UnboundedReceiver<Entry>) {
    let mut entries = Vec::new();
    while told.recv_many(&mut entries, BATCH).await > 0 {
        // A token that ends between the first and the last of them has ended for all.
        let at = entries.iter().map(|entry| entry.at).max().unwrap_or(0);
        let (new, done): (Vec<_>, Vec<_>) = entries.drain(..).map(|entry| (entry.new, entry.done)).unzip();
        let answers = match store.enroll_all(&new, at).await {
            Ok(enrolled) => enrolled.into_iter().map(Some).collect(),
            // One of them may be what cannot be written; it stops nobody else.
            Err(_) => one_by_one(&store, &new, at).await,
        };
        for (done, answer) in done.into_iter().zip(answers) {
            let _gone = done.send(answer);
        }
    }
}

async fn one_by_one(store: &Fleet, new: &[NewEdge], at: i64) -> Vec<Option<Enrollment>> {
    let mut answers = Vec::with_capacity(new.len());
    for new in new {
        match store.enroll(new, at).await {
            Ok(enrolled) => answers.push(Some(enrolled)),
            Err(error) => {
                tracing::error!("an edge cannot be enrolled: {error}");
                answers.push(None);
            }
        }
    }
    answers
}
