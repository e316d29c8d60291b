//! The service: one request in, one answer out.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};

use super::accept::Accept;
use super::answer::Answer;
use super::arrival::Arrival;
use super::body::Unread;
use super::door::Door;
use super::{Call, PeerCertificate, accept, dispatch, identity, query};
use crate::lines::{Body, Line};
use crate::plane::{Plane, Running};
use crate::remarks::Remarks;
use crate::status::Status;
use crate::world::User;

/// The API as a `tower` service.
#[derive(Clone)]
pub struct Service {
    plane: Arc<Plane>,
    door: Door,
    peer: Option<Arc<PeerCertificate>>,
    line: Option<Arc<Line>>,
}

impl Service {
    /// Called in this process; requests without credentials are the admin's.
    pub fn in_process(plane: Arc<Plane>) -> Self {
        Self { plane, door: Door::InProcess, peer: None, line: None }
    }

    pub(crate) fn served(plane: Arc<Plane>) -> Self {
        Self { plane, door: Door::Served, peer: None, line: None }
    }

    /// The same for one connection.
    pub(crate) fn on(mut self, line: Arc<Line>, peer: Option<PeerCertificate>) -> Self {
        self.peer = peer.map(Arc::new);
        self.line = Some(line);
        self
    }

    async fn handle<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let asking = self.line.as_ref().map(Line::begin);
        let running = self.plane.activity.begin();
        let response = self.answer(request, running).await;
        match asking {
            Some(asking) => asking.until_sent(response),
            None => response,
        }
    }

    async fn answer<B>(&self, mut request: Request<B>, running: Running<'_>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let upgrade = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
        let (parts, content) = request.into_parts();
        let (accept, unacceptable) = match accept::negotiate(&parts.headers) {
            Ok(accept) => (accept, None),
            // Some paths have answers of their own kind (OpenAPI as protobuf); they judge for themselves.
            Err(_) if !parts.uri.path().starts_with("/api") => (Accept::JSON, None),
            // So has discovery, for clients that want all of it at once or nothing.
            Err(_) if accept::asks_for_aggregated(parts.uri.path(), &parts.headers) => (Accept::JSON, None),
            Err(status) => (Accept::JSON, Some(status)),
        };
        let mut arrival = Arrival { unread: Some(Unread::new(content)), upgrade, unacceptable };
        let user = match self.user(&parts.headers) {
            Ok(user) => user,
            Err(status) => {
                arrival.forget(&parts.headers).await;
                return Answer::refusal(&status, accept.encoding).into_response(&parts.headers);
            }
        };
        let call = Call {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: query::Query::parse(parts.uri.query().unwrap_or_default()),
            raw_query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: Bytes::new(),
            asker: user.name.clone(),
            user,
            line: self.line.clone(),
            accept,
            remarks: Remarks::default(),
        };
        let mut response = dispatch::dispatch(&self.plane, call, arrival, running).await;
        if let Ok(id) = HeaderValue::from_str(&self.plane.world.lock().random().uuid()) {
            response.headers_mut().insert("audit-id", id);
        }
        response
    }

    /// Who asks. A connection on which nobody shows who they are ends with this answer.
    fn user(&self, headers: &HeaderMap) -> Result<User, Status> {
        let user = identity::authenticate(&self.plane, self.door, headers, self.peer.as_deref());
        if let Some(line) = &self.line {
            match &user {
                Ok(user) if !identity::is_anonymous(user) => line.belongs_to(&user.name)?,
                _ => line.is_nobodys(),
            }
        }
        user
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
