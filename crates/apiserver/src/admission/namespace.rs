//! NamespaceLifecycle: nothing is created where no namespace is, or where one is going.

use super::{Operation, Review};
use crate::status::Status;
use crate::world::World;

/// Namespaces that cannot be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-public", "kube-system"];

pub(crate) fn lifecycle(world: &World, review: &Review<'_>) -> Result<(), Status> {
    if review.namespace.is_empty() || &*review.resource.id == "namespaces" || review.operation != Operation::Create {
        return Ok(());
    }
    // Access reviews ask about namespaces; they need not exist.
    if review.resource.plural == "localsubjectaccessreviews" {
        return Ok(());
    }
    let namespace = world.get("namespaces", "", review.namespace)?;
    if namespace["status"]["phase"] != "Terminating" && !namespace.is_deleting() {
        return Ok(());
    }
    let name = review.object["metadata"]["name"].as_str().unwrap_or_default();
    let why = format!("unable to create new content in namespace {} because it is being terminated", review.namespace);
    Err(Status::forbidden(&review.resource.group, &review.resource.plural, name, why).with_cause(
        "NamespaceTerminating",
        &format!("namespace {} is being terminated", review.namespace),
        "metadata.namespace",
    ))
}

pub(crate) fn protect(review: &Review<'_>) -> Result<(), Status> {
    let name = review.object["metadata"]["name"].as_str().unwrap_or_default();
    if &*review.resource.id == "namespaces" && IMMORTAL.contains(&name) {
        return Err(Status::forbidden("", "namespaces", name, "this namespace may not be deleted"));
    }
    Ok(())
}
