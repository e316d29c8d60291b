//! Where what is not asynchronous waits for what is: Helm's verbs, values and charts that are read before a cluster is asked,
//! schemas in the middle of a rendering.
//!
//! This is the one bridge. Rooms below are asynchronous; nobody else builds a runtime to wait for them.

use std::sync::{Arc, OnceLock};

use landfall_chart::SchemaDocuments;
use landfall_source::{NetworkReach, schema_document, schema_document_if_reached};
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::{Host, Notice};

/// Waits, on the runtime that is there, else on one without threads that is made when it is first wanted.
#[derive(Debug, Clone, Default)]
pub struct Waiting(Arc<Own>);

#[derive(Debug, Default)]
struct Own(OnceLock<Runtime>);

impl Waiting {
    /// Waits for work to end. Also where waiting has no business to be: it may be called from anywhere.
    pub fn wait<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        match Handle::try_current() {
            Err(_) => self.0.0.get_or_init(runtime).block_on(work),
            Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
                tokio::task::block_in_place(|| handle.block_on(work))
            }
            // The one thread of that runtime is this one, and cannot go on while it waits here.
            Ok(_) => std::thread::scope(|scope| {
                let ended = scope.spawn(|| {
                    let runtime = runtime();
                    let ended = runtime.block_on(work);
                    runtime.shutdown_background();
                    ended
                });
                ended.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }),
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // What still blocks there is waited for by nobody.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A runtime that starts no threads but for work that blocks.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("the system gives a handle to wait with")
}

impl Host {
    /// Waits for work to end.
    pub fn wait<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        self.waiting.wait(work)
    }

    /// The documents that charts' schemas refer to by address, each fetched when it is first wanted.
    pub fn schema_documents(&self) -> SchemaDocuments {
        self.schema_documents_within(NetworkReach::Anywhere)
    }

    /// The same of charts that others write, whose addresses may lead there alone.
    pub fn schema_documents_within(&self, reach: NetworkReach) -> SchemaDocuments {
        let (waiting, network) = (self.waiting.clone(), self.network.within(reach));
        SchemaDocuments::fetched_by(move |url| waiting.wait(schema_document(&network, url)))
    }

    /// The same for what is delivered by Landfall's own verbs: what cannot be reached is told, and what it asks for is not
    /// checked.
    pub fn schema_documents_if_reached(&self) -> SchemaDocuments {
        let (waiting, network, audience) = (self.waiting.clone(), self.network.clone(), self.audience.clone());
        SchemaDocuments::fetched_if_reached(move |url| {
            let document = waiting.wait(schema_document_if_reached(&network, url))?;
            if document.is_none() {
                audience.tell(&Notice::Unchecked { address: landfall_diag::without_passwords(url).to_string() });
            }
            Ok(document)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn a_moment() -> u8 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        tokio::task::spawn_blocking(|| 7).await.expect("it ran")
    }

    #[test]
    fn it_is_waited_for_from_anywhere() {
        let waiting = Waiting::default();
        assert!(waiting.wait(async { waiting.0.0.get().is_some() }), "made when it is wanted");
        assert_eq!((waiting.wait(a_moment()), waiting.wait(a_moment())), (7, 7));
        let many = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        assert_eq!(many.block_on(async { waiting.wait(a_moment()) }), 7);
        let there = waiting.clone();
        let task = async move { tokio::task::spawn_blocking(move || there.wait(a_moment())).await.expect("it ran") };
        assert_eq!(many.block_on(task), 7);
        assert_eq!(runtime().block_on(async { waiting.wait(a_moment()) }), 7, "within a runtime of one thread");
        std::thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| waiting.wait(a_moment())));
            assert_eq!(both.map(|one| one.join().expect("it ran")), [7, 7], "from two threads at once");
        });
    }
}
