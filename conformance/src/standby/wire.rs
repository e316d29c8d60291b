//! A wire between a replica and what it talks to, which can be cut: bytes are neither lost nor forwarded then, new connections hang,
//! and what a client has hung up on is forgotten, as a machine that was cut off for long would find it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// A wire to one port.
pub(super) struct Wire {
    pub(super) port: u16,
    whole: Arc<watch::Sender<bool>>,
    task: tokio::task::JoinHandle<()>,
}

impl Wire {
    /// Lays one on loopback.
    pub(super) fn lay(runtime: &Handle, to: u16) -> anyhow::Result<Self> {
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).context("no free port")?;
        let port = listener.local_addr()?.port();
        let whole = Arc::new(watch::Sender::new(true));
        let seen = Arc::clone(&whole);
        let task = runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carried(client, SocketAddr::from(([127, 0, 0, 1], to)), seen.subscribe()));
            }
        });
        Ok(Wire { port, whole, task })
    }

    pub(super) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(super) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carried(client: TcpStream, to: SocketAddr, mut whole: watch::Receiver<bool>) {
    if whole.wait_for(|whole| *whole).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(to).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // Whichever side ends ends both.
    tokio::select! {
        () = one_way(from_client, to_server, whole.clone()) => {}
        () = one_way(from_server, to_client, whole) => {}
    }
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut whole: watch::Receiver<bool>) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut bytes).await else { return };
        if !*whole.borrow() {
            // Held back, and forgotten where the sender hangs up meanwhile.
            tokio::select! {
                mended = whole.wait_for(|whole| *whole) => if mended.is_err() { return },
                () = hung_up(&mut from) => return,
            }
        }
        if to.write_all(bytes.get(..read).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}

/// Waits until the other side has hung up; that it says more is no end.
async fn hung_up(from: &mut OwnedReadHalf) {
    let mut one = [0; 1];
    match from.peek(&mut one).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}
