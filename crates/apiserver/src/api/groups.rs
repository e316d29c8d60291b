//! Discovery: legacy lists, and the aggregated form with ETag.

use std::sync::Arc;

use base64::Engine as _;
use http::{HeaderValue, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use super::Call;
use super::accept::{Encoding, wants_aggregated};
use super::answer::{Answer, to_bytes};
use crate::plane::Plane;
use crate::resource::{Registry, Resource};
use crate::status::Status;
use crate::world::World;

pub(crate) fn groups(plane: &Arc<Plane>, call: &Call, legacy: bool) -> Result<Answer, Status> {
    let (registry, unanswered) = {
        let world = plane.world.lock();
        (world.registry().clone(), if legacy { Vec::new() } else { all_unanswered(&world) })
    };
    let handed_on = |group: &str| unanswered.iter().filter(|it| it.0 == group).map(|it| it.1.clone()).collect();
    let mut alone: Vec<&str> = unanswered.iter().map(|it| it.0.as_str()).collect();
    alone.retain(|group| registry.versions(group).is_empty());
    alone.dedup();
    if wants_aggregated(&call.headers) {
        let list = GroupDiscoveryList {
            kind: "APIGroupDiscoveryList",
            api_version: "apidiscovery.k8s.io/v2",
            metadata: GroupName::default(),
            items: (registry.groups().iter().map(String::as_str))
                .filter(|group| group.is_empty() == legacy)
                .chain(alone)
                .map(|group| aggregated(&registry, group, &unanswered))
                .collect(),
        };
        let mut answer =
            with_etag(call, to_bytes(&list), "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
        answer.headers.insert(header::VARY, HeaderValue::from_static("Accept"));
        answer.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public"));
        return Ok(answer);
    }
    let value = if legacy {
        let address = "127.0.0.1";
        json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        })
    } else {
        let groups: Vec<Value> = registry
            .groups()
            .iter()
            .map(String::as_str)
            .filter(|group| !group.is_empty())
            .chain(alone)
            .map(|group| api_group(&registry, group, handed_on(group)))
            .collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    };
    let mut answer = Answer::value(200, &value, call.accept.encoding);
    answer.headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(answer)
}

pub(crate) fn group(plane: &Arc<Plane>, call: &Call, group: &str) -> Result<Answer, Status> {
    let (registry, mut unanswered) = {
        let world = plane.world.lock();
        (world.registry().clone(), all_unanswered(&world))
    };
    unanswered.retain(|it| it.0 == group);
    if registry.versions(group).is_empty() && unanswered.is_empty() {
        return Ok(Answer::text(404, "404 page not found\n"));
    }
    let mut value = api_group(&registry, group, unanswered.into_iter().map(|it| it.1).collect());
    value["kind"] = json!("APIGroup");
    value["apiVersion"] = json!("v1");
    Ok(Answer::value(200, &value, call.accept.encoding))
}

/// The groups and versions that APIServices hand to a Service and nothing here serves, sorted: they are listed, and nobody answers there.
fn all_unanswered(world: &World) -> Vec<(String, String)> {
    let handed_on =
        world.list("apiservices.apiregistration.k8s.io", None).filter(|it| it["spec"]["service"].is_object());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = handed_on.map(|it| (text(&it["spec"]["group"]), text(&it["spec"]["version"]))).collect();
    all.retain(|(group, version)| !group.is_empty() && !world.registry().versions(group).contains(version));
    all.sort();
    all
}

/// What is said where nothing of a group and version is found. A group that nothing here serves and an APIService hands to a Service is the
/// aggregator's to speak of: nobody answers there.
pub(crate) fn nothing_there(world: &World, group: &str, version: &str) -> Result<Answer, Status> {
    let versions = world.registry().versions(group);
    if !versions.iter().any(|known| known == version) {
        let known = world.find("apiservices.apiregistration.k8s.io", "", &format!("{version}.{group}"));
        if known.is_some_and(|it| it["spec"]["service"].is_object()) {
            return Ok(Answer::text(503, "service unavailable\n"));
        }
    }
    if versions.is_empty() {
        return Ok(Answer::text(404, "404 page not found\n"));
    }
    Err(Status::no_such_resource())
}

pub(crate) fn resources(plane: &Arc<Plane>, call: &Call, group: &str, version: &str) -> Result<Answer, Status> {
    let registry = plane.world.lock().registry().clone();
    if !registry.versions(group).iter().any(|known| known == version) {
        return nothing_there(&plane.world.lock(), group, version);
    }
    let mut list = Vec::new();
    for resource in served(&registry, group, version) {
        let hashed = resource.allows("list") && resource.allows("create");
        list.push(ApiResource {
            name: resource.plural.clone(),
            singular_name: &resource.singular,
            namespaced: resource.is_namespaced(),
            group: "",
            version: "",
            kind: &resource.kind,
            verbs: &resource.verbs,
            short_names: &resource.short_names,
            categories: &resource.categories,
            storage_version_hash: if hashed { storage_version_hash(&registry, resource) } else { String::new() },
        });
        for subresource in &resource.subresources {
            list.push(ApiResource {
                name: format!("{}/{}", resource.plural, subresource.name),
                singular_name: "",
                namespaced: resource.is_namespaced(),
                group: &subresource.group,
                version: &subresource.version,
                kind: &subresource.kind,
                verbs: &subresource.verbs,
                short_names: &[],
                categories: &[],
                storage_version_hash: String::new(),
            });
        }
    }
    let list = ApiResourceList {
        kind: "APIResourceList",
        api_version: if group.is_empty() { "" } else { "v1" },
        group_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
        resources: list,
    };
    if call.accept.encoding != Encoding::Json {
        let value = serde_json::to_value(&list).map_err(Status::internal)?;
        return Ok(Answer::value(200, &value, call.accept.encoding));
    }
    let mut bytes = serde_json::to_vec(&list).map_err(Status::internal)?;
    bytes.push(b'\n');
    Ok(Answer::bytes(200, "application/json", bytes.into()))
}

/// `metav1.APIResourceList`, in the order of its fields, which scripts look at.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResourceList<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    api_version: &'a str,
    group_version: String,
    resources: Vec<ApiResource<'a>>,
}

/// `metav1.APIResource`.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResource<'a> {
    name: String,
    singular_name: &'a str,
    namespaced: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    kind: &'a str,
    verbs: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    short_names: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    categories: &'a [String],
    #[serde(skip_serializing_if = "String::is_empty")]
    storage_version_hash: String,
}

fn served<'a>(registry: &'a Registry, group: &'a str, version: &'a str) -> impl Iterator<Item = &'a Arc<Resource>> {
    registry.resources(group, version).filter(|resource| resource.is_served())
}

fn api_group(registry: &Registry, group: &str, handed_on: Vec<String>) -> Value {
    let versions: Vec<Value> = registry
        .versions(group)
        .iter()
        .chain(&handed_on)
        .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
        .collect();
    json!({"name": group, "preferredVersion": versions[0], "versions": versions})
}

/// `apidiscovery.k8s.io/v2`'s list. It is the largest answer that every command asks for, hence typed and borrowed.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupDiscoveryList<'a> {
    kind: &'a str,
    api_version: &'a str,
    metadata: GroupName<'a>,
    items: Vec<GroupDiscovery<'a>>,
}

#[derive(Default, serde::Serialize)]
struct GroupName<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
}

#[derive(serde::Serialize)]
struct GroupDiscovery<'a> {
    metadata: GroupName<'a>,
    versions: Vec<VersionDiscovery<'a>>,
}

#[derive(serde::Serialize)]
struct VersionDiscovery<'a> {
    version: &'a str,
    resources: Vec<ResourceDiscovery<'a>>,
    freshness: &'a str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceDiscovery<'a> {
    resource: &'a str,
    response_kind: DiscoveredKind<'a>,
    scope: &'a str,
    singular_resource: &'a str,
    verbs: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    short_names: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    categories: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subresources: Vec<SubresourceDiscovery<'a>>,
}

#[derive(serde::Serialize)]
struct DiscoveredKind<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct SubresourceDiscovery<'a> {
    subresource: &'a str,
    response_kind: DiscoveredKind<'a>,
    verbs: &'a [String],
}

/// A group with what is known of its versions: nothing of those that are handed on.
fn aggregated<'a>(registry: &'a Registry, group: &'a str, unanswered: &'a [(String, String)]) -> GroupDiscovery<'a> {
    let handed_on = unanswered.iter().filter(|it| it.0 == group);
    let handed_on = handed_on.map(|it| VersionDiscovery { version: &it.1, resources: Vec::new(), freshness: "Stale" });
    let versions = registry.versions(group).iter().map(|version| VersionDiscovery {
        version,
        resources: served(registry, group, version).map(|resource| aggregated_resource(resource)).collect(),
        freshness: "Current",
    });
    GroupDiscovery { metadata: GroupName { name: group }, versions: versions.chain(handed_on).collect() }
}

fn aggregated_resource(resource: &Resource) -> ResourceDiscovery<'_> {
    // Built-in kinds of the same group and version are named alone, as the real server does.
    let (group, version) =
        if resource.custom.is_some() { (&*resource.group, &*resource.version) } else { Default::default() };
    let subresources = resource.subresources.iter().map(|subresource| {
        let (group, version) = if subresource.version.is_empty() {
            (group, version)
        } else {
            (&*subresource.group, &*subresource.version)
        };
        SubresourceDiscovery {
            subresource: &subresource.name,
            response_kind: DiscoveredKind { group, version, kind: &subresource.kind },
            verbs: &subresource.verbs,
        }
    });
    ResourceDiscovery {
        resource: &resource.plural,
        response_kind: DiscoveredKind { group, version, kind: &resource.kind },
        scope: if resource.is_namespaced() { "Namespaced" } else { "Cluster" },
        singular_resource: &resource.singular,
        verbs: &resource.verbs,
        short_names: &resource.short_names,
        categories: &resource.categories,
        subresources: subresources.collect(),
    }
}

/// As `discovery.StorageVersionHash`: the first eight bytes of a hash of group, version and kind.
fn storage_version_hash(registry: &Registry, resource: &Resource) -> String {
    if &*resource.id == "customresourcedefinitions.apiextensions.k8s.io" {
        // Definitions are still stored as v1beta1 as far as this hash goes.
        return "jfWCUB31mvA=".to_owned();
    }
    let stores = registry.stored(&resource.id).map_or(resource, |stores| stores);
    let hash = Sha256::digest(format!("{}/{}/{}", stores.group, stores.version, stores.kind));
    base64::engine::general_purpose::STANDARD.encode(&hash[..8])
}

/// An answer with an ETag; 304 for those who have it already.
pub(crate) fn with_etag(call: &Call, body: bytes::Bytes, content_type: &'static str) -> Answer {
    let tag = format!("\"{:X}\"", Sha512::digest(&body));
    let known = call
        .headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
    let mut answer = if known {
        Answer::bytes(304, content_type, bytes::Bytes::new())
    } else {
        Answer::bytes(200, content_type, body)
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        answer.headers.insert(header::ETAG, value);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_hashes_are_the_real_ones() {
        let registry = Registry::builtin();
        let configmaps = registry.stored("configmaps").expect("served");
        assert_eq!(storage_version_hash(&registry, configmaps), "qFsyl6wFWjQ=");
    }
}
