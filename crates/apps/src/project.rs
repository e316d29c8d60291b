use landfall_object::{Object, ObjectKey};
use landfall_source::repository_key;
use serde::Deserialize;

use crate::glob::{fits, fits_address};
use crate::{Application, Destination, Error};

/// The cluster that an Argo CD lives in.
const IN_CLUSTER: (&str, &str) = ("https://kubernetes.default.svc", "in-cluster");

/// An Argo CD AppProject: from where, to where and what its Applications may deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name.
    pub name: String,
    bounds: Bounds,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Bounds {
    source_repos: Vec<String>,
    destinations: Vec<Destination>,
    cluster_resource_whitelist: Vec<KindPattern>,
    cluster_resource_blacklist: Vec<KindPattern>,
    /// Absent is everything, empty is nothing.
    namespace_resource_whitelist: Option<Vec<KindPattern>>,
    namespace_resource_blacklist: Vec<KindPattern>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct KindPattern {
    group: String,
    kind: String,
    name: String,
}

impl Project {
    /// Reads an AppProject.
    ///
    /// # Errors
    /// [`Error::Spec`].
    pub fn parse(object: &Object) -> Result<Self, Error> {
        let failed = |reason: String| Error::Spec { name: object.name().to_owned(), reason };
        let bounds = match object.spec() {
            Some(spec) => Bounds::deserialize(spec).map_err(|error| failed(format!("AppProject spec: {error}")))?,
            None => Bounds::default(),
        };
        Ok(Project { name: object.name().to_owned(), bounds })
    }

    /// Whether the object is an AppProject.
    pub fn is(object: &Object) -> bool {
        object.group() == "argoproj.io" && object.kind() == "AppProject"
    }

    /// Checks an Application and the objects it would deliver against the project's bounds; an object without a
    /// namespace is one of the whole cluster.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] with all that is not, in Argo CD's words (util/argo/argo.go, pkg/apis/application).
    pub fn check<'a>(
        &self,
        application: &Application,
        objects: impl IntoIterator<Item = &'a ObjectKey>,
    ) -> Result<(), Error> {
        let mut words = Vec::new();
        for source in &application.sources {
            if !self.permits_source(&source.repo_url) {
                words.push(format!("application repo {} is not permitted in project '{}'", source.repo_url, self.name));
            }
        }
        let destination = &application.destination;
        if !self.permits_destination(destination, &destination.namespace) {
            words.push(format!(
                "application destination server '{}' and namespace '{}' do not match any of the allowed destinations in project '{}'",
                completed(destination).server, destination.namespace, self.name
            ));
        }
        for key in objects {
            if !self.permits_kind(key) {
                words.push(format!(
                    "Resource {}:{} is not permitted in project {}.",
                    key.gvk.group, key.gvk.kind, self.name
                ));
            } else if let Some(namespace) = &key.namespace
                && *namespace != destination.namespace
                && !self.permits_destination(destination, namespace)
            {
                words.push(format!("namespace {namespace} is not permitted in project '{}'", self.name));
            }
        }
        words.dedup();
        if words.is_empty() {
            return Ok(());
        }
        Err(Error::NotPermitted { name: application.name.clone(), project: self.name.clone(), words })
    }

    fn permits_source(&self, address: &str) -> bool {
        let key = repository_key(address);
        let fits = |pattern: &str| pattern == "*" || fits_address(&repository_key(pattern), &key);
        permitted(self.bounds.source_repos.iter().map(String::as_str), fits)
    }

    /// A destination fits an entry as a whole: the cluster, by address or name, and the namespace.
    fn permits_destination(&self, destination: &Destination, namespace: &str) -> bool {
        let wanted = completed(destination);
        let mut allowed = false;
        for entry in &self.bounds.destinations {
            let cluster = |pattern: &str| {
                let given = if entry.server.is_empty() { &wanted.name } else { &wanted.server };
                fits(pattern, given)
            };
            let pattern = if entry.server.is_empty() { entry.name.as_str() } else { entry.server.as_str() };
            let inside = |pattern: &str| fits(pattern, namespace);
            match (pattern.strip_prefix('!'), entry.namespace.strip_prefix('!')) {
                (Some(denied), _) if cluster(denied) => return false,
                (None, Some(denied)) if cluster(pattern) && inside(denied) => return false,
                (None, None) => allowed |= cluster(pattern) && inside(&entry.namespace),
                _ => {}
            }
        }
        allowed
    }

    fn permits_kind(&self, key: &ObjectKey) -> bool {
        let named = |pattern: &KindPattern| {
            fits(&pattern.group, &key.gvk.group)
                && fits(&pattern.kind, &key.gvk.kind)
                && (pattern.name.is_empty() || fits(&pattern.name, &key.name))
        };
        let bounds = &self.bounds;
        if key.namespace.is_some() {
            return bounds.namespace_resource_whitelist.as_ref().is_none_or(|list| list.iter().any(named))
                && !bounds.namespace_resource_blacklist.iter().any(named);
        }
        bounds.cluster_resource_whitelist.iter().any(named) && !bounds.cluster_resource_blacklist.iter().any(named)
    }
}

/// Both names of the cluster that Argo CD itself runs in.
fn completed(destination: &Destination) -> Destination {
    let mut both = destination.clone();
    if both.server.is_empty() && (both.name.is_empty() || both.name == IN_CLUSTER.1) {
        both.server = IN_CLUSTER.0.to_owned();
    }
    if both.name.is_empty() && both.server == IN_CLUSTER.0 {
        both.name = IN_CLUSTER.1.to_owned();
    }
    both
}

/// Something is permitted when a pattern fits and none that begins with `!` does.
fn permitted<'p>(patterns: impl Iterator<Item = &'p str>, fits: impl Fn(&str) -> bool) -> bool {
    let mut allowed = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(denied) if fits(denied) => return false,
            Some(_) => {}
            None => allowed |= fits(pattern),
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use landfall_object::Gvk;
    use serde_json::{Value, json};

    use super::*;

    fn project(spec: Value) -> Project {
        let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "team"}, "spec": spec});
        Project::parse(&Object::from_value(object).expect("a map")).expect("a project")
    }

    fn application(repository: &str, namespace: &str) -> Application {
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
            "spec": {"project": "team", "source": {"repoURL": repository, "path": "x"},
                     "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace}},
        });
        Application::parse(&Object::from_value(object).expect("a map")).expect("an application")
    }

    fn words(project: &Project, application: &Application, objects: &[ObjectKey]) -> Vec<String> {
        match project.check(application, objects) {
            Ok(()) => Vec::new(),
            Err(Error::NotPermitted { words, .. }) => words,
            Err(other) => panic!("{other}"),
        }
    }

    fn key(group: &str, kind: &str, namespace: Option<&str>) -> ObjectKey {
        ObjectKey::new(Gvk::new(group, "v1", kind), namespace, "x")
    }

    #[test]
    fn nothing_listed_permits_nothing() {
        let told = words(&project(json!({})), &application("https://git.example.com/a/b", "shop"), &[]);
        assert_eq!(
            told,
            [
                "application repo https://git.example.com/a/b is not permitted in project 'team'",
                "application destination server 'https://kubernetes.default.svc' and namespace 'shop' do not match any of the allowed destinations in project 'team'",
            ]
        );
    }

    #[test]
    fn a_star_is_one_part_of_an_address_and_a_denial_wins() {
        let spec = json!({
            "sourceRepos": ["https://git.example.com/team/*", "!https://git.example.com/team/secret"],
            "destinations": [{"server": "*", "namespace": "shop-*"}, {"server": "*", "namespace": "!shop-prod"}],
        });
        let project = project(spec);
        assert!(words(&project, &application("git@git.example.com:team/a.git", "shop-test"), &[]).is_empty());
        assert_eq!(words(&project, &application("https://git.example.com/team/deep/a", "shop-test"), &[]).len(), 1);
        assert_eq!(words(&project, &application("https://git.example.com/team/secret", "shop-prod"), &[]).len(), 2);
    }

    #[test]
    fn kinds_are_bounded_by_both_lists_and_namespaces_by_the_destinations() {
        let project = project(json!({
            "sourceRepos": ["*"],
            "destinations": [{"name": "in-cluster", "namespace": "shop"}],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
            "namespaceResourceBlacklist": [{"group": "", "kind": "ResourceQuota"}],
        }));
        let objects = [
            key("", "Namespace", None),
            key("rbac.authorization.k8s.io", "ClusterRole", None),
            key("apps", "Deployment", Some("shop")),
            key("", "ResourceQuota", Some("shop")),
            key("", "ConfigMap", Some("kube-system")),
        ];
        assert_eq!(
            words(&project, &application("https://git.example.com/a/b", "shop"), &objects),
            [
                "Resource rbac.authorization.k8s.io:ClusterRole is not permitted in project team.",
                "Resource :ResourceQuota is not permitted in project team.",
                "namespace kube-system is not permitted in project 'team'",
            ]
        );
    }
}
