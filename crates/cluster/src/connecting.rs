//! The client of a cluster, over connections that can be reset.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::legacy::{Builder, Client as HttpClient};
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use tokio::net::TcpStream;
use tower::retry::RetryLayer;
use tower::{BoxError, Service, ServiceBuilder};

use crate::under_way::{Watching, must_not_arrive};

/// How long a connection is kept that nothing goes over: a server that answers a thousand questions at once needs few of them a moment
/// later. What closes them ends with the leave of what is on its way, and from then on they are closed as one is looked for.
const IDLE: Duration = Duration::from_secs(2);

/// A client as `kube` makes one, but for its connections. What it says of a proxy it goes on saying.
pub(crate) fn client(config: kube::Config, watching: Watching) -> Result<kube::Client, kube::Error> {
    if config.proxy_url.is_some() {
        return Ok(ClientBuilder::try_from((config, watching))?.build());
    }
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(Connector(plain))?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    // Without a timer none that is idle is ever closed: after a burst of requests each went on holding its buffers.
    let http: HttpClient<_, Body> =
        Builder::new(watching).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.default_retry.then(|| RetryLayer::new(RetryPolicy::server_retry())))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}

/// Makes connections that are reset where they must not end in order.
#[derive(Clone)]
struct Connector(HttpConnector);

impl Service<http::Uri> for Connector {
    type Response = Resettable;
    type Error = <HttpConnector as Service<http::Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Resettable, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, address: http::Uri) -> Self::Future {
        let connecting = self.0.call(address);
        Box::pin(async move { connecting.await.map(|stream| Resettable { made: Instant::now(), stream }) })
    }
}

struct Resettable {
    made: Instant,
    stream: TokioIo<TcpStream>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if must_not_arrive(self.made) {
            // One that is reset already needs nothing more.
            let _reset = self.stream.inner().set_zero_linger();
        }
    }
}

impl Connection for Resettable {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl Read for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Resettable {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if must_not_arrive(self.made) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use crate::under_way::ALONE;
    use crate::{Cluster, Leave};

    /// The kernel sends what lies in it of a connection that ended in order as soon as it can; of one that is reset it forgets that.
    #[tokio::test]
    async fn a_connection_is_reset_whose_bytes_must_not_arrive_any_more() {
        let _alone = ALONE.lock().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let client = crate::client(kube::Config::new(address.parse().expect("an address"))).expect("a client");
        let leave = Leave::until(tokio::time::Instant::now() + Duration::from_millis(500));
        let cluster = Cluster::new(client).by_leave(&leave);
        let sending = tokio::spawn(async move {
            let request =
                http::Request::patch("/api/v1/namespaces/shop").body(kube::client::Body::from(b"{}".to_vec()));
            cluster.client.send(request.expect("a request")).await.map(drop)
        });
        // Nobody answers it.
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut heard = vec![0; 16 * 1024];
        assert!(stream.read(&mut heard).await.expect("what is asked") > 0);
        let reset = stream.read(&mut heard).await.expect_err("it is reset");
        assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
        assert!(sending.await.expect("it ends").is_err());
    }

    /// What a burst of requests has opened is not held for as long as the server likes.
    #[tokio::test]
    async fn a_connection_that_nothing_goes_over_is_closed() {
        let _alone = ALONE.lock().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let client = crate::client(kube::Config::new(address.parse().expect("an address"))).expect("a client");
        let asking = tokio::spawn(async move {
            let request = http::Request::get("/version").body(kube::client::Body::empty()).expect("a request");
            let answer = client.send(request).await.expect("an answer");
            answer.into_body().collect_bytes().await.expect("its body");
            client
        });
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut heard = vec![0; 16 * 1024];
        assert!(stream.read(&mut heard).await.expect("what is asked") > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.expect("it is answered");
        let client = asking.await.expect("it is asked");
        let ended = tokio::time::timeout(super::IDLE * 5, stream.read(&mut heard)).await.expect("it is closed in time");
        assert_eq!(ended.expect("in order"), 0);
        drop(client);
    }
}
