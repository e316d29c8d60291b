//! Connections, as they are taken in: so many at once, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long others have to close some, where one could not be taken in.
const PAUSE: Duration = Duration::from_millis(50);

/// Has each connection served by a task of its own, at most so many at once: who comes then waits to be taken in.
pub(crate) async fn accept<S: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    most: usize,
    stop: &CancellationToken,
    serve: impl Fn(TcpStream) -> S,
) {
    let places = Arc::new(Semaphore::new(most));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, mostly.
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let serving = serve(stream);
        tokio::spawn(async move {
            let _place = place;
            serving.await;
        });
    }
}
