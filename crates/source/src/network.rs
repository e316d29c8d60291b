//! What this process has of the network: connections that are shared and kept, and how many work with them at once.
//!
//! A process makes one [`Network`] and gives it to whoever asks somebody; clones share it. How somebody is asked
//! ([`crate::Access`]) is no part of it: who asks alike uses the same connections.

mod clients;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::Access;
use crate::reach::NetworkReach;
use clients::Clients;

/// Exchanges with servers at once; more wait for one to end.
const MOST_EXCHANGES: usize = 64;
/// Of them with one server, so that a slow one does not hold up the others.
const MOST_WITH_ONE: usize = 8;
/// Repositories that are fetched by git at once.
const MOST_REPOSITORIES: usize = 8;
/// Threads that fetch a repository, with those that nobody waits for any more and whose server will not let go of them.
const MOST_HELD: usize = 64;
/// Charts that are fetched and looked into at once: each may fill the memory of an archive and of what is in it.
const MOST_CHARTS: usize = 16;

/// The network as this process uses it.
#[derive(Clone, Default)]
pub struct Network {
    shared: Arc<OnceLock<Shared>>,
    /// Where it leads for whoever has this one.
    reach: NetworkReach,
}

struct Shared {
    clients: Mutex<Clients>,
    exchanges: Arc<Semaphore>,
    /// By host and port; those that somebody uses.
    servers: Mutex<HashMap<String, Weak<Semaphore>>>,
    repositories: Arc<Semaphore>,
    held: Arc<Semaphore>,
    charts: Arc<Semaphore>,
}

/// The right to work with the network, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Default for Shared {
    fn default() -> Self {
        let places = |most| Arc::new(Semaphore::new(most));
        Shared {
            clients: Mutex::default(),
            exchanges: places(MOST_EXCHANGES),
            servers: Mutex::default(),
            repositories: places(MOST_REPOSITORIES),
            held: places(MOST_HELD),
            charts: places(MOST_CHARTS),
        }
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

impl Network {
    /// What clones share, made when somebody is first asked: most commands ask nobody.
    fn shared(&self) -> &Shared {
        self.shared.get_or_init(Shared::default)
    }

    /// The same for addresses that somebody else names: connections and turns are shared, and what is not permitted is not
    /// asked, whether it is written as numbers, a name leads there, or a redirect.
    #[must_use]
    pub fn within(&self, reach: NetworkReach) -> Self {
        Network { shared: Arc::clone(&self.shared), reach }
    }

    /// Waits until an exchange with a server may begin.
    pub(crate) async fn exchange(&self, server: &str) -> Turn {
        // The server's own turn first: whoever waits for that keeps nobody else waiting.
        turn([self.server(server), Arc::clone(&self.shared().exchanges)]).await
    }

    /// Waits until a repository may be fetched.
    pub(crate) async fn repository(&self) -> Turn {
        turn([Arc::clone(&self.shared().repositories)]).await
    }

    /// The right to a thread that a server can hold, until it lets go of it; none where all are held.
    pub(crate) fn thread(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.shared().held).try_acquire_owned().ok()?;
        Some(Turn { _permits: vec![permit] })
    }

    /// Waits until a chart may be fetched.
    pub(crate) async fn chart(&self) -> Turn {
        turn([Arc::clone(&self.shared().charts)]).await
    }

    fn server(&self, server: &str) -> Arc<Semaphore> {
        let mut servers = self.shared().servers.lock();
        if let Some(known) = servers.get(server).and_then(Weak::upgrade) {
            return known;
        }
        servers.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(MOST_WITH_ONE));
        servers.insert(server.to_owned(), Arc::downgrade(&places));
        places
    }

    /// The client that asks as `access` says, made when it is first wanted.
    pub(crate) fn connections(
        &self,
        access: &Access,
        address: &reqwest::Url,
        shown: &str,
    ) -> Result<reqwest::Client, crate::SourceError> {
        self.shared().clients.lock().of(access, &self.reach, address, shown)
    }
}

async fn turn(places: impl IntoIterator<Item = Arc<Semaphore>>) -> Turn {
    let mut permits = Vec::new();
    for places in places {
        // Nobody closes them, so that there is always one to be had.
        permits.extend(places.acquire_owned().await.ok());
    }
    Turn { _permits: permits }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_server_that_is_slow_leaves_room_for_the_others() {
        let network = Network::default();
        let mut held = Vec::new();
        for _ in 0..MOST_WITH_ONE {
            held.push(network.exchange("slow:443").now_or_never().expect("there is room"));
        }
        assert!(network.exchange("slow:443").now_or_never().is_none(), "it has all that one may have");
        held.push(network.clone().exchange("other:443").now_or_never().expect("another one has room"));
        held.remove(0);
        assert!(network.exchange("slow:443").now_or_never().is_some());
    }

    #[tokio::test]
    async fn all_servers_together_have_no_more_than_all_places() {
        let network = Network::default();
        let mut held = Vec::new();
        for server in 0..MOST_EXCHANGES {
            held.push(network.exchange(&format!("h{server}:80")).now_or_never().expect("there is room"));
        }
        assert!(network.exchange("h:80").now_or_never().is_none());
        held.clear();
        // The runtime wants a task to stand back now and then.
        tokio::task::yield_now().await;
        assert!(network.exchange("h:80").now_or_never().is_some());
        assert_eq!(network.shared().servers.lock().len(), 1, "who is not asked is not remembered");
    }
}
