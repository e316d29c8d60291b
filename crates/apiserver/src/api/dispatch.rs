//! From a request to its handler: authorization, verbs, subresources.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};
use tokio::runtime::RuntimeFlavor;

use super::accept::Encoding;
use super::answer::{Answer, full};
use super::arrival::Arrival;
use super::impersonation::{asks_for_another, impersonate};
use super::path::{self, Path, ResourcePath};
use super::target::Target;
use super::{
    Call, collection, create, delete, eviction, get, groups, health, list, logs, patch, pod_parts, proxy, reviews,
    scale, streams, token, update, view, watch,
};
use crate::audit::AuditEntry;
use crate::lines::Body;
use crate::plane::{Plane, Running};
use crate::rbac::{self, Attributes};
use crate::resource::Resource;
use crate::status::Status;
use crate::world::Part;

pub(crate) async fn dispatch(
    plane: &Arc<Plane>,
    mut call: Call,
    mut arrival: Arrival,
    running: Running<'_>,
) -> Response<Body> {
    let what = path::parse(&call.path);
    let verb = verb(&call, &what);
    let result = match admit(plane, &mut call, &mut arrival, &what, verb) {
        Err(status) => Err(status),
        Ok(()) => match &what {
            Path::Resource(path) => objects(plane, &mut call, &mut arrival, (path, verb), running).await,
            other => aside(&what, || paths(plane, &call, other)).map(|answer| answer.into_response(&call.headers)),
        },
    };
    let mut response =
        result.unwrap_or_else(|status| Answer::refusal(&status, call.accept.encoding).into_response(&call.headers));
    if call.method == Method::HEAD {
        *response.body_mut() = full(Bytes::new());
    }
    let code = response.status().as_u16();
    if code >= 400 {
        arrival.forget(&call.headers).await;
    }
    if !matches!(verb, "get" | "list" | "watch") || code >= 400 {
        let agent =
            call.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        plane.audit.record(AuditEntry {
            at: plane.world.lock().now(),
            user: call.user.name.clone(),
            agent: agent.to_owned(),
            verb: verb.to_owned(),
            path: call.path.clone(),
            dry_run: call.query.has("dryRun"),
            code,
            resource_version: call.remarks.take_version(),
            annotations: call.remarks.take_annotations(),
        });
    }
    response
}

/// Makes an answer. Documents of everything that is served take long where there are many definitions: no other connection waits for them.
fn aside(what: &Path, answer: impl FnOnce() -> Result<Answer, Status>) -> Result<Answer, Status> {
    let takes_long = matches!(what, Path::Other(path) if path.starts_with("/openapi"));
    match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) if takes_long => tokio::task::block_in_place(answer),
        _ => answer(),
    }
}

/// Whether the request may be made at all: whom it is made as, and whether they may. Nothing of its body is read before.
fn admit(plane: &Plane, call: &mut Call, arrival: &mut Arrival, what: &Path, verb: &'static str) -> Result<(), Status> {
    let attributes = match what {
        Path::Resource(path) => Attributes {
            verb: verb.to_owned(),
            group: path.group.clone(),
            namespace: path.namespace.clone(),
            resource: path.resource.clone(),
            subresource: path.subresource.clone(),
            name: path.name.clone(),
            path: None,
        },
        _ => Attributes::path(&call.method.as_str().to_ascii_lowercase(), &call.path),
    };
    let world = plane.world.lock();
    if asks_for_another(&call.headers) {
        let requestor = std::mem::take(&mut call.user);
        call.user =
            impersonate(&world, &plane.last_modes, &requestor, &call.headers, &attributes).inspect_err(|_| {
                call.user.clone_from(&requestor);
            })?;
    }
    rbac::authorize(&world, &call.user, &attributes)?;
    arrival.unacceptable.take().map_or(Ok(()), Err)
}

/// The Kubernetes verb of a request.
fn verb(call: &Call, what: &Path) -> &'static str {
    let (collection, watch) = match what {
        Path::Resource(path) => (path.name.is_empty(), call.query.flag("watch") || path.is_watch),
        _ => (false, false),
    };
    match call.method {
        Method::GET | Method::HEAD if watch => "watch",
        Method::GET | Method::HEAD if collection => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if collection => "deletecollection",
        Method::DELETE => "delete",
        _ => "get",
    }
}

fn paths(plane: &Arc<Plane>, call: &Call, what: &Path) -> Result<Answer, Status> {
    if call.method != Method::GET && call.method != Method::HEAD {
        return Err(Status::method_not_allowed());
    }
    match what {
        Path::Groups { legacy } => groups::groups(plane, call, *legacy),
        Path::Group(group) => groups::group(plane, call, group),
        Path::Resources { group, version } => groups::resources(plane, call, group, version),
        Path::Other(path) => health::other(plane, call, path),
        Path::Resource(_) => Err(Status::no_such_resource()),
    }
}

/// Whether objects are asked for by this method at all.
fn is_method(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE)
}

/// What stands at a path.
enum Route {
    Served,
    /// Something, but not for this verb.
    OtherMethods,
    /// Nothing, in a group that is served.
    None,
    /// Nothing, and nobody that would say so.
    Nobodys,
}

/// All namespaces at once can be listed and watched, and nothing else: who forgets the namespace of a deletion must not empty them all.
fn route(resource: &Resource, path: &ResourcePath, verb: &str) -> Route {
    let is_custom = resource.custom.is_some();
    match (resource.is_namespaced(), path.namespace.is_empty()) {
        (true, true) if path.name.is_empty() && matches!(verb, "list" | "watch") => Route::Served,
        (true, true) | (false, false) if is_custom => Route::Nobodys,
        (true, true) if path.name.is_empty() => Route::OtherMethods,
        (true, true) => Route::None,
        (false, false) if &*resource.id != "namespaces" => Route::None,
        _ => Route::Served,
    }
}

async fn objects(
    plane: &Arc<Plane>,
    call: &mut Call,
    arrival: &mut Arrival,
    (path, verb): (&ResourcePath, &'static str),
    running: Running<'_>,
) -> Result<Response<Body>, Status> {
    let resource = plane.world.lock().registry().served(&path.group, &path.version, &path.resource).cloned();
    let Some(resource) = resource else {
        let told = groups::nothing_there(&plane.world.lock(), &path.group, &path.version)?;
        return Ok(told.into_response(&call.headers));
    };
    if !is_method(&call.method) && path.subresource != "proxy" {
        return Err(Status::method_not_allowed());
    }
    match route(&resource, path, verb) {
        Route::Served => {}
        Route::OtherMethods => return Err(Status::method_not_allowed()),
        Route::None => return Err(Status::no_such_resource()),
        // The real server's custom resources have no routes: a path is theirs or nobody's.
        Route::Nobodys => return Ok(Answer::text(404, "404 page not found\n").into_response(&call.headers)),
    }
    // Custom kinds have no field numbers, and events are not framed.
    if call.accept.encoding == Encoding::Protobuf && (resource.custom.is_some() || verb == "watch") {
        return Err(Status::no_such_form());
    }
    let target = Target { resource: &resource, path };
    match (verb, path.subresource.as_str()) {
        ("watch", "") => return watch::open(plane, call, &target, arrival.upgrade.take()),
        ("get", "log") if &*resource.id == "pods" => return logs::open(plane, call, &target),
        (_, "exec" | "attach" | "portforward") if &*resource.id == "pods" => {
            return streams::open(plane, call, &target, arrival.upgrade.take());
        }
        _ => {}
    }
    if !matches!(verb, "get" | "list") || path.subresource == "proxy" {
        call.body = match arrival.unread.take() {
            Some(unread) => unread.read().await?,
            None => Bytes::new(),
        };
    }
    let call = &*call;
    match (verb, path.subresource.as_str()) {
        (_, "proxy") if matches!(&*resource.id, "pods" | "services") => return proxy::open(plane, call, &target),
        _ => {}
    }
    let writes = !matches!(verb, "get" | "list") && !reviews::is_review(&resource);
    if writes && let Err(why) = plane.writable().await {
        return Err(Status::insufficient_storage(&why));
    }
    let answer = act(plane, call, &target, verb);
    if writes {
        let version = plane.world.lock().version();
        if let Err(why) = plane.persisted(version).await {
            drop(running);
            return Err(Status::insufficient_storage(&why));
        }
    }
    let answer = answer.unwrap_or_else(|status| {
        // Who is refused is told as well that the kind is on its way out.
        call.remarks.warn_all(view::deprecation(&target));
        Answer::refusal(&status, call.accept.encoding)
    });
    Ok(answer.warn(&call.remarks.take_warnings()).into_response(&call.headers))
}

fn act(plane: &Arc<Plane>, call: &Call, target: &Target<'_>, verb: &str) -> Result<Answer, Status> {
    let resource = target.resource;
    let name = target.path.name.as_str();
    if !target.path.subresource.is_empty() {
        return part(plane, call, target, verb);
    }
    let supported = resource.allows(verb);
    match verb {
        "create" if !name.is_empty() => Err(Status::method_not_allowed()),
        "update" | "patch" if name.is_empty() => Err(Status::method_not_allowed()),
        _ if !supported => Err(Status::method_not_allowed()),
        "create" if reviews::is_review(resource) => reviews::create(plane, call, target),
        "create" if resource.plural == "bindings" => pod_parts::bind(plane, call, target),
        "create" => create::create(plane, call, target),
        "get" => get::get(plane, call, target),
        "list" => list::list(plane, call, target),
        "update" => update::update(plane, call, target, Part::Main),
        "patch" => patch::patch(plane, call, target, Part::Main),
        "delete" => delete::delete(plane, call, target),
        "deletecollection" => collection::delete(plane, call, target),
        _ => Err(Status::method_not_allowed()),
    }
}

fn part(plane: &Arc<Plane>, call: &Call, target: &Target<'_>, verb: &str) -> Result<Answer, Status> {
    let Some(subresource) = target.resource.subresource(&target.path.subresource) else {
        return Err(Status::no_such_resource());
    };
    if !subresource.verbs.iter().any(|known| known == verb) {
        return Err(Status::method_not_allowed());
    }
    let part = match subresource.name.as_str() {
        "status" => Part::Status,
        "finalize" => Part::Finalize,
        "approval" => Part::Approval,
        "ephemeralcontainers" => Part::EphemeralContainers,
        "resize" => Part::Resize,
        "scale" => return scale::scale(plane, call, target, verb),
        "token" => return token::create(plane, call, target),
        "binding" => return pod_parts::bind(plane, call, target),
        "eviction" => return eviction::evict(plane, call, target),
        "proxy" => {
            return Err(Status::not_implemented("the embedded cluster has no kubelets that answer"));
        }
        _ => return Err(Status::no_such_resource()),
    };
    match verb {
        "get" => get::get(plane, call, target),
        "update" => update::update(plane, call, target, part),
        "patch" => patch::patch(plane, call, target, part),
        _ => Err(Status::method_not_allowed()),
    }
}
