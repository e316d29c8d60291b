//! The service: one request in, one answer out.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::accept::Encoding;
use super::answer::{Answer, Body};
use super::{Call, PeerCertificate, accept, body, dispatch, identity, path, query};
use crate::plane::Plane;
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
        let body = match Limited::new(content, body::LIMIT).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) => {
                let status = if error.downcast_ref::<LengthLimitError>().is_some() {
                    Status::too_large(format!("Request entity too large: limit is {}", body::LIMIT))
                } else {
                    Status::bad_request(format!("the body could not be read: {error}"))
                };
                return refuse(status, &parts.headers);
            }
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
        };
        let what = path::parse(&call.path);
        let mut response = dispatch::dispatch(&self.plane, call, what, upgrade, running).await;
        if let Ok(id) = HeaderValue::from_str(&self.plane.world.lock().random().uuid()) {
            response.headers_mut().insert("audit-id", id);
        }
        response
    }
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
