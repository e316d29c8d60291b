//! Admission: what may come in, and what is added on the way (the built-in plug-ins).

use serde_json::Value;

use crate::resource::Resource;
use crate::status::Status;
use crate::world::{Effect, User, World};

mod namespace;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

/// One write on its way through admission.
pub(crate) struct Review<'a> {
    pub(crate) operation: Operation,
    #[expect(dead_code, reason = "plug-ins to come judge by user")]
    pub(crate) user: &'a User,
    pub(crate) resource: &'a Resource,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) object: &'a mut Value,
    #[expect(dead_code, reason = "plug-ins to come compare")]
    pub(crate) old: Option<&'a Value>,
    #[expect(dead_code, reason = "plug-ins to come count only what is kept")]
    pub(crate) effect: Effect,
}

/// Plug-ins that change the object, in the real server's order.
pub(crate) fn mutate(world: &mut World, review: &mut Review<'_>) -> Result<(), Status> {
    namespace::lifecycle(world, review)?;
    Ok(())
}

/// Plug-ins that only judge.
pub(crate) fn validate(world: &World, review: &Review<'_>) -> Result<(), Status> {
    if review.operation == Operation::Delete {
        namespace::protect(world, review)?;
    }
    Ok(())
}
