//! What replicas tell each other: that references have moved, and what was accepted of protected Applications.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::mpsc::Sender;

use crate::errands::Work;
use crate::happened::Happened;

/// How often it is looked what was accepted through other replicas.
const LOOK: Duration = Duration::from_secs(2);
/// How long lies between two tries to listen.
const AGAIN: Duration = Duration::from_secs(2);

/// A push, as the replica tells it that took the webhook.
#[derive(Debug, Deserialize)]
struct Told {
    from: String,
    moved: Vec<String>,
    revision: Option<String>,
}

/// Hears what other replicas tell until the server ends. What is lost meanwhile costs one look at the repository, as a webhook
/// that was lost does.
pub(crate) async fn hear(work: Arc<Work>, told: Sender<Happened>) {
    let stop = work.session.stop.clone();
    let heard = async {
        tokio::join!(moved(&work, &told), accepted(&work, &told));
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = heard => {}
    }
}

async fn moved(work: &Work, told: &Sender<Happened>) {
    loop {
        if let Ok(Some(mut announcements)) = work.session.store.shards.listen().await {
            while let Ok(text) = announcements.next().await {
                let Ok(heard) = serde_json::from_str::<Told>(&text) else { continue };
                let happened = Happened::Announced(heard.moved, heard.revision);
                if heard.from != work.shards.replica() && told.send(happened).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn accepted(work: &Work, told: &Sender<Happened>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let keeps = |application: &str| work.shards.keeps_named(application);
        let refreshed = work.orders.refresh(&work.session.store.facts, keeps).await;
        if refreshed.unwrap_or_default() && told.send(Happened::SaidAnew).await.is_err() {
            return;
        }
    }
}
