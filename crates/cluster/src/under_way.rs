//! Connections that end rather than send what must not be written any more.
//!
//! Between the moment at which somebody looks whether it may still write and the one at which the bytes leave the process, that may
//! stand still for long: stopped, swapped out, moved with its machine. When it goes on, nobody says which of its tasks goes on first.
//! So each connection looks before it moves a byte whether the leave of anything on its way has ended meanwhile.
//!
//! What has left the process may still lie in the kernel, when nobody answers, and be sent as soon as somebody does: long after its
//! leave. A connection that ends of that reason is reset, by which the kernel forgets what lies there ([`connecting`]).
//!
//! [`connecting`]: crate::connecting

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::{Leave, connecting};

/// What this process is writing to clusters.
static WRITES: Mutex<Writes> = Mutex::new(Writes { under_way: Vec::new(), seen_past: None });

struct Writes {
    /// The leaves of what is on its way.
    under_way: Vec<Leave>,
    /// When the leave of something that was on its way was seen to have ended last.
    seen_past: Option<Instant>,
}

fn writes() -> MutexGuard<'static, Writes> {
    WRITES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A write on its way.
pub(crate) struct UnderWay {
    leave: Leave,
    is_answered: bool,
}

impl UnderWay {
    /// One by a leave; none where that holds no more. Whoever waits for what is on its way hears of it before it is looked.
    pub(crate) fn by(leave: &Leave) -> Option<Self> {
        leave.begun();
        if !leave.holds() {
            leave.done(true);
            return None;
        }
        writes().under_way.push(leave.clone());
        Some(UnderWay { leave: leave.clone(), is_answered: false })
    }

    /// It was answered, or never sent: nothing of it arrives later.
    pub(crate) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut writes = writes();
        if self.leave.is_over() {
            writes.seen_past = Some(Instant::now());
        }
        if let Some(at) = writes.under_way.iter().position(|leave| leave.is(&self.leave)) {
            writes.under_way.swap_remove(at);
        }
        self.leave.done(self.is_answered);
    }
}

/// Whether a connection that was made then may carry what must not arrive any more.
pub(crate) fn must_not_arrive(made: Instant) -> bool {
    let writes = writes();
    writes.seen_past.is_some_and(|at| made <= at) || writes.under_way.iter().any(Leave::is_over)
}

/// A client whose connections end before they send anything while something is on its way whose leave has ended
/// ([`crate::Cluster::by_leave`]).
///
/// # Errors
/// As [`kube::Client::try_from`].
pub fn client(config: kube::Config) -> Result<kube::Client, kube::Error> {
    connecting::client(config, Watching)
}

type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Has connections carried as tasks of their own.
#[derive(Clone, Copy)]
pub(crate) struct Watching;

impl hyper::rt::Executor<Connection> for Watching {
    fn execute(&self, connection: Connection) {
        tokio::spawn(Watched { made: Instant::now(), connection: Some(connection) });
    }
}

struct Watched {
    made: Instant,
    connection: Option<Connection>,
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if must_not_arrive(self.made) {
            self.connection = None;
        }
        match &mut self.connection {
            Some(connection) => connection.as_mut().poll(context),
            None => Poll::Ready(()),
        }
    }
}

/// Held by a test in which a leave ends: what it sees is the whole process's.
#[cfg(test)]
pub(crate) static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_connection_ends_before_it_moves_a_byte_when_the_leave_of_what_is_on_its_way_has_ended() {
        let _alone = ALONE.lock().await;
        let carried = Arc::new(AtomicUsize::new(0));
        let connection = || {
            let carried = Arc::clone(&carried);
            let connection: Connection = Box::pin(async move {
                carried.fetch_add(1, Ordering::SeqCst);
            });
            Watched { made: Instant::now(), connection: Some(connection) }
        };
        let leave = Leave::without_end();
        let on_its_way = UnderWay::by(&leave).expect("it holds");
        connection().await;
        assert_eq!(carried.load(Ordering::SeqCst), 1);
        leave.end();
        connection().await;
        assert_eq!(carried.load(Ordering::SeqCst), 1, "nothing is carried any more");
        assert_eq!(asked(&on_its_way).await, 0, "nor what a client of this room is to send");
        let before = connection();
        drop(on_its_way);
        before.await;
        assert_eq!(carried.load(Ordering::SeqCst), 1, "nor by one that was made before it was let go");
        connection().await;
        assert_eq!(carried.load(Ordering::SeqCst), 2, "what comes after it is");
    }

    /// How many bytes a server is told by a client while something is on its way whose leave has ended.
    async fn asked(_: &UnderWay) -> usize {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let client = client(kube::Config::new(address.parse().expect("an address"))).expect("a client");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await.unwrap_or_default()
        });
        let request = http::Request::get("/version").body(kube::client::Body::empty()).expect("a request");
        assert!(client.send(request).await.is_err(), "it is not sent");
        server.await.expect("it ends")
    }
}
