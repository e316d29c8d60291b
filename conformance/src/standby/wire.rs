//! A wire between a replica and what it talks to, which can be cut: bytes are neither lost nor forwarded then, and new connections
//! hang. What was said before a connection ended arrives when the wire is mended, as the kernel of a machine that was cut off sends it
//! then; what was said over one that was reset is forgotten, as that kernel forgets it.

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
    let mut has_ended = false;
    while !has_ended {
        let Ok(read @ 1..) = from.read(&mut bytes).await else { return };
        let mut said = bytes.get(..read).unwrap_or_default().to_vec();
        while !*whole.borrow() {
            tokio::select! {
                mended = whole.wait_for(|whole| *whole) => if mended.is_err() { return },
                read = from.read(&mut bytes), if !has_ended => match read {
                    Ok(0) => has_ended = true,
                    Ok(read) => said.extend_from_slice(bytes.get(..read).unwrap_or_default()),
                    Err(_) => return,
                },
            }
        }
        if to.write_all(&said).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(100);

    /// How a client goes on that has said something over a wire that is cut.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Then {
        Stays,
        Ends,
        Resets,
    }

    /// What arrives of what it says, in two parts.
    fn arrives(then: Then) -> Vec<u8> {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let wire = Wire::lay(runtime.handle(), listener.local_addr().expect("its address").port()).expect("a wire");
        let mut client = TcpStream::connect(("127.0.0.1", wire.port)).expect("a client");
        client.write_all(b"a").expect("said");
        let (mut server, _) = listener.accept().expect("a connection");
        let mut heard = [0; 3];
        server.read_exact(&mut heard[..1]).expect("the first");
        wire.cut();
        for part in [b"b", b"c"] {
            client.write_all(part).expect("said");
            sleep(MOMENT);
        }
        let kept = match then {
            Then::Stays => Some(client),
            Then::Ends => {
                drop(client);
                None
            }
            Then::Resets => {
                client.set_nonblocking(true).expect("as tokio wants it");
                let _inside = runtime.enter();
                let client = tokio::net::TcpStream::from_std(client).expect("the same");
                client.set_zero_linger().expect("it resets when it ends");
                None
            }
        };
        sleep(MOMENT);
        wire.mend();
        server.set_read_timeout(Some(MOMENT * 100)).expect("a limit");
        let (mut came, wanted) = (Vec::new(), if then == Then::Stays { 2 } else { 3 });
        while came.len() < wanted {
            match server.read(&mut heard) {
                Ok(read @ 1..) => came.extend_from_slice(&heard[..read]),
                _ => break,
            }
        }
        drop(kept);
        came
    }

    #[test]
    fn what_is_said_while_a_wire_is_cut_comes_when_it_is_mended_and_never_over_a_connection_that_was_reset() {
        assert_eq!(arrives(Then::Stays), b"bc");
        assert_eq!(arrives(Then::Ends), b"bc");
        assert_eq!(arrives(Then::Resets), b"");
    }
}
