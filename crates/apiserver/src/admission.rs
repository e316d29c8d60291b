//! Admission: what may come in, and what is added on the way (the built-in plug-ins).

use serde_json::Value;

use crate::remarks::Remarks;
use crate::resource::Resource;
use crate::status::Status;
use crate::world::{User, World};

mod certificates;
mod classes;
mod limits;
mod namespace;
mod pod_security;
mod pods;
mod quota;
mod runtime_class;
mod service_account;

pub use classes::untaint;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

/// One write on its way through admission.
pub(crate) struct Review<'a> {
    pub(crate) user: &'a User,
    pub(crate) operation: Operation,
    pub(crate) resource: &'a Resource,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) object: &'a mut Value,
    pub(crate) old: Option<&'a Value>,
    /// Takes what is remarked about the write, also when it is refused.
    pub(crate) remarks: &'a Remarks,
}

impl Review<'_> {
    /// 403 for this object.
    pub(crate) fn forbid(&self, why: impl std::fmt::Display) -> Status {
        let name = self.object["metadata"]["name"].as_str().unwrap_or_default();
        Status::forbidden(&self.resource.group, &self.resource.plural, name, why)
    }

    fn creates(&self, id: &str) -> bool {
        self.operation == Operation::Create && self.subresource.is_empty() && &*self.resource.id == id
    }
}

fn on(world: &World, plugin: &str) -> bool {
    !world.settings().disabled_admission.iter().any(|name| name == plugin)
}

/// Plug-ins that change the object, in the real server's order.
pub(crate) fn mutate(world: &mut World, review: &mut Review<'_>) -> Result<(), Status> {
    namespace::lifecycle(world, review)?;
    if on(world, "LimitRanger") {
        limits::fill(world, review)?;
    }
    if on(world, "ServiceAccount") {
        service_account::assign(world, review)?;
    }
    if on(world, "TaintNodesByCondition") {
        classes::taint(review);
    }
    if on(world, "Priority") {
        pods::priority(world, review)?;
    }
    if on(world, "DefaultTolerationSeconds") {
        pods::tolerations(review);
    }
    if on(world, "DefaultStorageClass") {
        classes::storage(world, review);
    }
    if on(world, "StorageObjectInUseProtection") {
        classes::protect_volumes(review);
    }
    if on(world, "RuntimeClass") {
        runtime_class::assign(world, review)?;
    }
    if on(world, "DefaultIngressClass") {
        classes::ingress(world, review);
    }
    Ok(())
}

/// Plug-ins that only judge.
pub(crate) fn validate(world: &World, review: &Review<'_>) -> Result<(), Status> {
    if review.operation == Operation::Delete {
        namespace::protect(review)?;
    }
    if on(world, "LimitRanger") {
        limits::check(world, review)?;
    }
    if on(world, "PodSecurity") {
        pod_security::check(world, review)?;
    }
    if on(world, "Priority") {
        pods::one_default(world, review)?;
    }
    if on(world, "CertificateApproval") {
        certificates::approval(world, review)?;
    }
    if on(world, "CertificateSigning") {
        certificates::signing(world, review)?;
    }
    if on(world, "CertificateSubjectRestriction") {
        certificates::subject(review)?;
    }
    if on(world, "PersistentVolumeClaimResize") {
        classes::resize(world, review)?;
    }
    if on(world, "ResourceQuota") {
        quota::check(world, review)?;
    }
    Ok(())
}
