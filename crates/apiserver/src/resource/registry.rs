//! The table of all that is served: built in, and from CustomResourceDefinitions.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::{Resource, Scope, Subresource};

const BUILTIN: &str = include_str!("builtin.txt");

/// All resources served, in the order in which discovery lists groups.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Groups in order of discovery; the core group (empty name) first.
    groups: Vec<String>,
    /// By group, version, plural.
    resources: BTreeMap<(String, String, String), Arc<Resource>>,
    /// By storage id: the version that stores.
    stored: BTreeMap<Arc<str>, Arc<Resource>>,
    /// Versions of a group in which something is served, preferred first.
    versions: BTreeMap<String, Vec<String>>,
    /// Counts changes, for ETags and caches.
    revision: u64,
}

static DEFAULT: LazyLock<Registry> = LazyLock::new(Registry::parse);

impl Registry {
    /// What a cluster without CustomResourceDefinitions serves.
    pub fn builtin() -> Self {
        DEFAULT.clone()
    }

    fn parse() -> Self {
        let mut registry = Self {
            groups: Vec::new(),
            resources: BTreeMap::new(),
            stored: BTreeMap::new(),
            versions: BTreeMap::new(),
            revision: 0,
        };
        for line in BUILTIN.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split(' ').collect();
            let [group, version, plural, kind, scope, singular, short, categories, flags, verbs, subresources] =
                fields[..]
            else {
                continue;
            };
            let group = if group == "-" { "" } else { group };
            // Two groups show the same events; both versions of the autoscaler share one store.
            let id = match group {
                "events.k8s.io" => Arc::from("events"),
                _ => Arc::from(crate::status::qualified(plural, group)),
            };
            registry.insert(Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: plural.to_owned(),
                kind: kind.to_owned(),
                scope: if scope == "N" { Scope::Namespaced } else { Scope::Cluster },
                singular: singular.to_owned(),
                short_names: words(short),
                categories: words(categories),
                verbs: match verbs {
                    "*" => words("create,delete,deletecollection,get,list,patch,update,watch"),
                    _ => words(verbs),
                },
                subresources: if subresources == "-" {
                    Vec::new()
                } else {
                    subresources.split(';').filter_map(subresource).collect()
                },
                tracks_generation: flags.contains('g'),
                creates_on_update: flags.contains('c'),
                requires_version: flags.contains('r'),
                id,
                custom: None,
            });
        }
        registry.revision = 0;
        registry
    }

    /// Adds a resource; the first version of a storage id to come is the one that stores.
    pub fn insert(&mut self, resource: Resource) {
        if resource.is_served() {
            self.name(&resource);
        }
        let resource = Arc::new(resource);
        let stores = match &resource.custom {
            Some(custom) => custom.storage_version == resource.version,
            None => !self.stored.contains_key(&resource.id),
        };
        if stores {
            self.stored.insert(resource.id.clone(), resource.clone());
        }
        self.resources.insert((resource.group.clone(), resource.version.clone(), resource.plural.clone()), resource);
        self.revision += 1;
    }

    /// Names group and version of what is served in discovery.
    fn name(&mut self, resource: &Resource) {
        if !self.groups.contains(&resource.group) {
            self.groups.push(resource.group.clone());
        }
        let versions = self.versions.entry(resource.group.clone()).or_default();
        if !versions.contains(&resource.version) {
            versions.push(resource.version.clone());
            if resource.custom.is_some() {
                versions.sort_by_key(|version| std::cmp::Reverse(version_order(version)));
            }
        }
    }

    /// Takes away all versions of a resource.
    pub fn remove(&mut self, group: &str, plural: &str) {
        self.resources.retain(|(g, _, p), _| g != group || p != plural);
        self.stored.retain(|_, resource| resource.group != group || resource.plural != plural);
        if let Some(versions) = self.versions.get_mut(group) {
            let is_served = |version: &String| {
                self.resources.values().any(|it| it.is_served() && it.group == group && it.version == *version)
            };
            versions.retain(is_served);
            if versions.is_empty() {
                self.versions.remove(group);
                self.groups.retain(|known| known != group);
            }
        }
        self.revision += 1;
    }

    /// The resource served at `/apis/GROUP/VERSION/PLURAL`.
    pub fn served(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources
            .get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
            .filter(|resource| resource.is_served())
    }

    /// The version that stores, by storage id such as `pods` or `deployments.apps`.
    pub fn stored(&self, id: &str) -> Option<&Arc<Resource>> {
        self.stored.get(id)
    }

    /// The resource of a kind in a group and version.
    pub fn of_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.resources
            .values()
            .find(|resource| resource.group == group && resource.version == version && resource.kind == kind)
    }

    /// The resource that stores objects of a kind, whatever the version asked for.
    pub fn stores_kind(&self, group: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.stored.values().find(|resource| resource.group == group && resource.kind == kind)
    }

    /// Groups in order of discovery, core (empty) first.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Versions of a group in which something is served, preferred first.
    pub fn versions(&self, group: &str) -> &[String] {
        self.versions.get(group).map_or(&[], Vec::as_slice)
    }

    /// Resources of a group and version, by plural.
    pub fn resources<'a>(&'a self, group: &'a str, version: &'a str) -> impl Iterator<Item = &'a Arc<Resource>> {
        self.resources.iter().filter(move |((g, v, _), _)| g == group && v == version).map(|(_, resource)| resource)
    }

    /// All resources that store objects, by id.
    pub fn all_stored(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.stored.values()
    }

    /// Changes with each change.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

fn words(list: &str) -> Vec<String> {
    if list == "-" { Vec::new() } else { list.split(',').map(str::to_owned).collect() }
}

fn subresource(text: &str) -> Option<Subresource> {
    let (name, rest) = text.split_once('=')?;
    let (kind, verbs) = rest.split_once(':')?;
    let mut parts = kind.rsplit('/');
    let kind = parts.next()?.to_owned();
    let version = parts.next().unwrap_or_default().to_owned();
    let group = parts.next().unwrap_or_default().to_owned();
    Some(Subresource { name: name.to_owned(), group, version, kind, verbs: words(verbs) })
}

/// Kubernetes' order of versions: `v2` > `v1` > `v1beta2` > `v1alpha1` > anything else
/// (apimachinery `pkg/version`).
fn version_order(version: &str) -> (u8, u64, u64, std::cmp::Reverse<String>) {
    let other = (0, 0, 0, std::cmp::Reverse(version.to_owned()));
    let Some(rest) = version.strip_prefix('v') else { return other };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let Ok(major) = rest[..digits].parse::<u64>() else { return other };
    let (rank, minor) = match &rest[digits..] {
        "" => (3, 0),
        suffix => match (suffix.strip_prefix("beta"), suffix.strip_prefix("alpha")) {
            (Some(number), _) => (2, number.parse().unwrap_or(0)),
            (_, Some(number)) => (1, number.parse().unwrap_or(0)),
            _ => return other,
        },
    };
    (rank, major, minor, std::cmp::Reverse(String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_what_discovery_lists() {
        let registry = Registry::builtin();
        let deployments = registry.served("apps", "v1", "deployments").expect("served");
        assert_eq!(deployments.kind, "Deployment");
        assert!(deployments.tracks_generation);
        assert_eq!(deployments.subresource("scale").expect("has /scale").kind, "Scale");
        assert_eq!(registry.versions("autoscaling"), ["v2", "v1"]);
        assert_eq!(registry.stored("horizontalpodautoscalers.autoscaling").expect("stored").version, "v2");
        assert_eq!(registry.stored("events").expect("stored").group, "");
        assert_eq!(registry.groups()[0], "");
    }

    #[test]
    fn versions_are_ordered_as_kubernetes_orders_them() {
        let mut versions = vec!["v1alpha1", "v1", "foo", "v2", "v1beta2", "v1beta1", "v10"];
        versions.sort_by_key(|version| std::cmp::Reverse(version_order(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"]);
    }
}
