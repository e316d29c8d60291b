//! exec, attach and port-forward.

use std::sync::Arc;

use http::Response;
use hyper::upgrade::OnUpgrade;

use super::Call;
use super::answer::Body;
use super::dispatch::Target;
use crate::plane::Plane;
use crate::status::Status;

pub(crate) fn open(
    _plane: &Arc<Plane>,
    _call: &Call,
    _target: &Target<'_>,
    _upgrade: Option<OnUpgrade>,
) -> Result<Response<Body>, Status> {
    Err(Status::not_implemented("the container is simulated; it has no process to attach to"))
}
