//! Objects of an apiVersion that the cluster does not serve and that nothing delivered brings.

use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::KubeVersion;
use landfall_cluster::{Cluster, Resource};
use landfall_diag::{Diagnostic, Place, code, nearest};
use landfall_object::lifecycle::{self, Successor};
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::Value;

use crate::ADDONS;

/// The kinds that CustomResourceDefinitions of a delivery bring: group and kind, with the versions served.
#[derive(Debug, Clone, Default)]
pub struct Brought {
    kinds: BTreeMap<(String, String), BTreeSet<String>>,
    /// Whether a program of the delivery may install definitions once it runs.
    by_programs: bool,
}

impl Brought {
    /// What these objects bring.
    pub fn of<'o>(objects: impl Iterator<Item = &'o Object>) -> Self {
        let mut brought = Brought::default();
        for object in objects {
            match (object.group(), object.kind()) {
                ("apiextensions.k8s.io", "CustomResourceDefinition") => brought.add(object),
                ("rbac.authorization.k8s.io", "ClusterRole") => brought.by_programs |= may_define(object),
                _ => {}
            }
        }
        brought
    }

    fn add(&mut self, definition: &Object) {
        let text = |pointer: &str| definition.str_at(pointer).unwrap_or_default().to_owned();
        let served = definition.list_at("/spec/versions").iter().filter(|version| version["served"] != false);
        let versions = served.filter_map(|version| version["name"].as_str().map(str::to_owned));
        self.kinds.entry((text("/spec/group"), text("/spec/names/kind"))).or_default().extend(versions);
    }

    fn versions(&self, gvk: &Gvk) -> Option<&BTreeSet<String>> {
        self.kinds.get(&(gvk.group.clone(), gvk.kind.clone()))
    }
}

/// Whether a role lets its bearer install definitions.
fn may_define(role: &Object) -> bool {
    let has = |rule: &Value, field: &str, wanted: &[&str]| {
        let mut given = rule[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        given.any(|it| it == "*" || wanted.contains(&it))
    };
    role.list_at("/rules").iter().any(|rule| {
        has(rule, "apiGroups", &["apiextensions.k8s.io"])
            && has(rule, "resources", &["customresourcedefinitions"])
            && has(rule, "verbs", &["create"])
    })
}

/// Objects of one kind in an apiVersion that nobody serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unserved {
    /// The kind, in the version that is written.
    pub gvk: Gvk,
    /// The objects, as they are written.
    pub objects: Vec<ObjectKey>,
    /// What is known of it.
    pub reason: Reason,
}

impl Unserved {
    /// Whether an earlier Kubernetes serves it.
    pub(crate) fn is_served_by(&self, kubernetes: &KubeVersion) -> bool {
        let minor: Option<u32> = kubernetes.minor.parse().ok();
        matches!(self.reason, Reason::Removed { since, .. } if minor.is_some_and(|minor| minor < since))
    }
}

/// Why an apiVersion is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Kubernetes has removed it.
    Removed {
        /// In 1.N.
        since: u32,
        /// What is to be written instead, an apiVersion or words; empty when nothing follows it.
        instead: String,
    },
    /// The kind is served, or will be, in other versions.
    OtherVersions {
        /// These apiVersions, the newest first.
        served: Vec<String>,
        /// Whether they come with the delivery's own definition.
        delivered: bool,
    },
    /// The group is served and has no such kind.
    OtherKinds {
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// Nobody serves the group.
    UnknownGroup,
}

/// The objects that would be refused because nobody serves their apiVersion, one finding for each kind and version.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn unserved<'o>(
    objects: impl Iterator<Item = &'o Object>,
    brought: &Brought,
    cluster: &Cluster,
) -> Result<Vec<Unserved>, landfall_cluster::Error> {
    let mut kinds: BTreeMap<Gvk, Vec<ObjectKey>> = BTreeMap::new();
    for object in objects {
        kinds.entry(object.gvk()).or_default().push(object.key());
    }
    let mut found = Vec::new();
    for (gvk, objects) in kinds {
        // What says not what it is is told elsewhere.
        if gvk.kind.is_empty() || gvk.version.is_empty() {
            continue;
        }
        if brought.versions(&gvk).is_some_and(|versions| versions.contains(&gvk.version)) {
            continue;
        }
        match cluster.resource(&gvk).await {
            Ok(_) => continue,
            Err(landfall_cluster::Error::NoMatch { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Some(reason) = reason(&gvk, brought, cluster).await? {
            found.push(Unserved { gvk, objects, reason });
        }
    }
    Ok(found)
}

async fn reason(gvk: &Gvk, brought: &Brought, cluster: &Cluster) -> Result<Option<Reason>, landfall_cluster::Error> {
    if let Some(versions) = brought.versions(gvk) {
        let served = sorted(gvk, versions.iter().map(String::as_str));
        return Ok(Some(Reason::OtherVersions { served, delivered: true }));
    }
    let resources = cluster.resources().await?;
    let of_group: Vec<&Resource> = resources.iter().filter(|it| it.gvk.group == gvk.group).collect();
    let of_kind = of_group.iter().filter(|it| it.gvk.kind == gvk.kind).map(|it| it.gvk.version.as_str());
    let served = sorted(gvk, of_kind);
    let minor = cluster.version().await?.minor;
    let minor = minor.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(0);
    if let Some(removed) = lifecycle::removed(gvk, minor) {
        let instead = match removed.successor {
            Successor::ApiVersion(next) => next,
            Successor::Words(words) => words.to_owned(),
            Successor::Unsaid => served.first().cloned().unwrap_or_default(),
        };
        return Ok(Some(Reason::Removed { since: removed.since, instead }));
    }
    if !served.is_empty() {
        return Ok(Some(Reason::OtherVersions { served, delivered: false }));
    }
    let built_in = Schemas::builtin().group_versions().iter().any(|group| *group.group == *gvk.group);
    // A program that is delivered may define it when it runs; what Kubernetes itself brings comes by no program.
    if brought.by_programs && !built_in {
        return Ok(None);
    }
    if of_group.is_empty() {
        return Ok(Some(Reason::UnknownGroup));
    }
    let nearest = nearest(&gvk.kind, of_group.iter().map(|it| it.gvk.kind.as_str())).map(str::to_owned);
    Ok(Some(Reason::OtherKinds { nearest }))
}

/// The versions as apiVersions, in the order of preference that the API itself lists them in.
fn sorted<'v>(gvk: &Gvk, versions: impl Iterator<Item = &'v str>) -> Vec<String> {
    let mut versions: Vec<&str> = versions.collect();
    versions.sort_by_key(|version| (rank(version), *version));
    versions.dedup();
    versions.iter().map(|version| Gvk::new(&*gvk.group, *version, "").api_version()).collect()
}

/// Stable versions before beta before alpha, and of each the greatest number first (apimachinery, version.CompareKubeAwareVersionStrings).
fn rank(version: &str) -> (u8, std::cmp::Reverse<(u32, u32)>) {
    let number = |text: &str| text.parse::<u32>().ok();
    let Some(rest) = version.strip_prefix('v') else { return (3, std::cmp::Reverse((0, 0))) };
    let stage = [("beta", 1), ("alpha", 2)]
        .into_iter()
        .find_map(|(word, stage)| rest.split_once(word).map(|(major, minor)| (stage, major, minor)));
    let (stage, major, minor) = stage.unwrap_or((0, rest, "0"));
    match (number(major), number(minor)) {
        (Some(major), Some(minor)) => (stage, std::cmp::Reverse((major, minor))),
        _ => (3, std::cmp::Reverse((0, 0))),
    }
}

impl Unserved {
    /// The apiVersion that takes the place of one that Kubernetes has removed, where there is one.
    pub fn successor(&self) -> Option<&str> {
        match &self.reason {
            Reason::Removed { instead, .. } if !instead.is_empty() && !instead.contains(' ') => Some(instead),
            _ => None,
        }
    }

    /// The finding as a person reads it, at the line that writes each object's apiVersion.
    pub fn diagnostic(&self, places: impl Fn(&ObjectKey, &str) -> Vec<(Place, String)>) -> Diagnostic {
        let api_version = self.gvk.api_version();
        let kind = &self.gvk.kind;
        let first = format!("{kind}/{}", self.objects[0].name);
        let more = match self.objects.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let is_of = format!("{first}{more} {} of {api_version}", if more.is_empty() { "is" } else { "are" });
        let (message, help) = match &self.reason {
            Reason::Removed { since, instead } => (
                format!("{is_of}, which Kubernetes has removed in 1.{since}"),
                match instead.as_str() {
                    "" => format!("leave {kind} out: nothing replaces it"),
                    next if next.contains(' ') => format!("use {next}"),
                    next => format!("write `apiVersion: {next}`, and look at what has changed in {kind} since"),
                },
            ),
            Reason::OtherVersions { served, delivered } => {
                let by = if *delivered { "the definition that is delivered" } else { "the cluster" };
                let other = served.join(", ");
                match served.first() {
                    Some(first) => (
                        format!("{is_of}, which is not served: {by} serves {kind} as {other}"),
                        format!("write `apiVersion: {first}`, and look at what has changed in {kind} since"),
                    ),
                    None => (
                        format!("{is_of}, which is not served: {by} serves no version of {kind}"),
                        format!("serve {} in the definition", self.gvk.version),
                    ),
                }
            }
            Reason::OtherKinds { nearest } => (
                format!("{is_of}, and the group {} has no kind {kind}", self.group()),
                match nearest {
                    Some(near) => format!("did you mean `kind: {near}`?"),
                    None => format!("`kubectl api-resources --api-group={}` lists its kinds", self.gvk.group),
                },
            ),
            Reason::UnknownGroup => (
                format!("{is_of}: no CustomResourceDefinition of group {} is installed or delivered", self.group()),
                match ADDONS.iter().find(|addon| addon.groups.contains(&&*self.gvk.group)) {
                    Some(addon) => format!("`landfall addon install {}` brings it", addon.name),
                    None => {
                        format!(
                            "install what brings {kind} first: its operator, or its CRDs with `kubectl apply -f CRDS`"
                        )
                    }
                },
            ),
        };
        let mut diagnostic = Diagnostic::error(code::UNSERVED, message);
        for key in &self.objects {
            let found = places(key, "apiVersion");
            if self.objects.len() > 1 {
                let place = found.last().map(|(place, _)| format!(": {}:{}", place.file, place.line));
                diagnostic = diagnostic.note(format!("{kind}/{}{}", key.name, place.unwrap_or_default()));
            }
            for (place, text) in found {
                if diagnostic.labels.iter().any(|label| label.place == place) {
                    continue;
                }
                let is_first = diagnostic.labels.is_empty();
                diagnostic = if is_first { diagnostic.primary(place, text) } else { diagnostic.label(place, text) };
            }
        }
        diagnostic.note("nothing that such an object refers to was looked at").help(help)
    }

    fn group(&self) -> &str {
        if self.gvk.group.is_empty() { "core" } else { &self.gvk.group }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stable_versions_come_before_beta_and_greater_ones_before_smaller() {
        let gvk = Gvk::new("example.com", "", "Widget");
        let sorted = sorted(&gvk, ["v1alpha1", "v1", "v1beta2", "v2", "v1beta10", "odd"].into_iter());
        let versions: Vec<&str> = sorted.iter().filter_map(|it| it.split('/').nth(1)).collect();
        assert_eq!(versions, ["v2", "v1", "v1beta10", "v1beta2", "v1alpha1", "odd"]);
    }

    #[test]
    fn an_operator_with_rights_on_definitions_may_bring_any_kind() {
        let role = |groups: &str| {
            Object::from_value(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "x"},
                "rules": [{"apiGroups": [groups], "resources": ["customresourcedefinitions"], "verbs": ["get", "create"]}]}))
            .expect("a map")
        };
        assert!(Brought::of([role("apiextensions.k8s.io")].iter()).by_programs);
        assert!(!Brought::of([role("apps")].iter()).by_programs);
    }
}
