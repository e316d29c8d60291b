//! The service: one request in, one answer out.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;

use super::accept::Encoding;
use super::answer::{Answer, Body};
use super::{Call, PeerCertificate, accept, body, dispatch, identity, path, query};
use crate::plane::Plane;
use crate::remarks::Remarks;
use crate::status::Status;

/// The API as a `tower` service.
#[derive(Clone)]
pub struct Service {
    plane: Arc<Plane>,
    door: Door,
    peer: Option<Arc<PeerCertificate>>,
}

/// By which door requests come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// From this process: without credentials, the admin's.
    InProcess,
    /// From a socket.
    Served,
}

impl Service {
    pub(crate) fn in_process(plane: Arc<Plane>) -> Self {
        Self { plane, door: Door::InProcess, peer: None }
    }

    pub(crate) fn served(plane: Arc<Plane>) -> Self {
        Self { plane, door: Door::Served, peer: None }
    }

    pub(crate) fn with_peer(mut self, peer: Option<PeerCertificate>) -> Self {
        self.peer = peer.map(Arc::new);
        self
    }

    async fn handle<B>(self, mut request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let running = self.plane.activity.begin();
        let upgrade = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
        let (parts, content) = request.into_parts();
        let accept = match accept::negotiate(&parts.headers) {
            Ok(accept) => accept,
            // Some paths have answers of their own kind (OpenAPI as protobuf); they judge for themselves.
            Err(_) if !parts.uri.path().starts_with("/api") => accept::Accept::JSON,
            Err(status) => return Answer::refusal(&status, Encoding::Json).into_response(&parts.headers),
        };
        let refuse =
            |status: Status, headers: &HeaderMap| Answer::refusal(&status, accept.encoding).into_response(headers);
        let user = match identity::authenticate(&self.plane, self.door, &parts.headers, self.peer.as_deref()) {
            Ok(user) => user,
            Err(status) => return refuse(status, &parts.headers),
        };
        let body = match read(content).await {
            Ok(body) => body,
            Err(status) => return refuse(status, &parts.headers),
        };
        let call = Call {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: query::Query::parse(parts.uri.query().unwrap_or_default()),
            raw_query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
            user,
            accept,
            remarks: Remarks::default(),
        };
        let what = path::parse(&call.path);
        let mut response = dispatch::dispatch(&self.plane, call, what, upgrade, running).await;
        if let Ok(id) = HeaderValue::from_str(&self.plane.world.lock().random().uuid()) {
            response.headers_mut().insert("audit-id", id);
        }
        response
    }
}

/// How much of a body that is too large is still read, in bytes: who is cut off while sending never sees the answer.
const DRAINED: usize = 64 * 1024 * 1024;

/// Reads a whole body; one that is too large is read on and forgotten.
async fn read<B>(content: B) -> Result<Bytes, Status>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut content = std::pin::pin!(content);
    let mut body = BytesMut::new();
    let mut forgotten = 0;
    while let Some(frame) = content.frame().await {
        let frame = frame.map_err(|error| {
            let error: Box<dyn std::error::Error + Send + Sync> = error.into();
            Status::bad_request(format!("the body could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if forgotten == 0 && body.len() + data.len() <= body::LIMIT {
            body.extend_from_slice(&data);
            continue;
        }
        body = BytesMut::new();
        forgotten += data.len().max(1);
        if forgotten > DRAINED {
            break;
        }
    }
    if forgotten > 0 {
        return Err(Status::too_large(format!("Request entity too large: limit is {}", body::LIMIT)));
    }
    Ok(body.freeze())
}

impl<B> tower::Service<Request<B>> for Service
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}
