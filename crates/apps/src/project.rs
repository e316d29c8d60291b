use std::collections::BTreeMap;

use landfall_diag::is_mutant;
use landfall_object::{Object, ObjectKey};
use landfall_source::repository_key;
use serde::Deserialize;

use crate::glob::{fits, fits_address};
use crate::sealed_scope::SealedScope;
use crate::windows::{Windows, Written};
use crate::{Application, Destination, Error};

/// The cluster that an Argo CD lives in.
pub(crate) const IN_CLUSTER: (&str, &str) = ("https://kubernetes.default.svc", "in-cluster");

/// An Argo CD AppProject: from where, to where and what its Applications may deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// The namespace that it lives in.
    pub namespace: String,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    bounds: Bounds,
    /// Its own roles, for groups and tokens.
    pub roles: Vec<ProjectRole>,
    /// Whether its Applications are changed by its owners and its base branch alone (annotation [`Project::PROTECTED`]).
    pub is_protected: bool,
    /// How far SealedSecrets of its Applications may open beyond the one name (annotation [`Project::SEALED_SCOPES`]).
    sealed_scopes: Vec<SealedScope>,
    /// Fields that are not acted on, from the object's root.
    pub not_acted_on: Vec<&'static str>,
}

/// A role that a project has of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ProjectRole {
    /// Its name; the policy speaks of it as `proj:PROJECT:NAME`.
    pub name: String,
    /// Lines of a policy.
    pub policies: Vec<String>,
    /// The groups that have it.
    pub groups: Vec<String>,
}

/// As whom is delivered to a place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DestinationAccount {
    server: String,
    name: String,
    namespace: String,
    default_service_account: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Bounds {
    source_repos: Vec<String>,
    /// Namespaces beside Argo CD's own that Applications of the project may live in.
    source_namespaces: Vec<String>,
    sync_windows: Vec<Written>,
    destinations: Vec<Destination>,
    cluster_resource_whitelist: Vec<KindPattern>,
    cluster_resource_blacklist: Vec<KindPattern>,
    /// Absent is everything, empty is nothing.
    namespace_resource_whitelist: Option<Vec<KindPattern>>,
    namespace_resource_blacklist: Vec<KindPattern>,
    destination_service_accounts: Vec<DestinationAccount>,
    #[serde(rename = "roles")]
    project_roles: Vec<ProjectRole>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct KindPattern {
    group: String,
    kind: String,
    name: String,
}

/// What a project may say that nobody here heeds: whoever relies on it is to know.
const NOT_ACTED_ON: [&str; 4] =
    ["signatureKeys", "sourceIntegrity", "orphanedResources", "permitOnlyProjectScopedClusters"];

/// Whether a pattern names a namespace: a glob, or a regular expression between slashes.
fn names(pattern: &str, namespace: &str) -> bool {
    let expression = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let by_expression = expression.and_then(|it| regex::Regex::new(it).ok()).is_some_and(|it| it.is_match(namespace));
    by_expression || fits(pattern, namespace)
}

impl Project {
    /// The namespace of Argo CD itself: projects lie there alone, also those of Applications of other namespaces.
    pub const HOME: &str = "argocd";
    /// The project of an Application that names none.
    pub const DEFAULT: &str = "default";
    /// The annotation of a project that is protected.
    pub const PROTECTED: &str = "landfall.dev/protected";
    /// The annotation of a project that says which wide scopes of SealedSecrets it permits: `namespace-wide,cluster-wide`.
    pub const SEALED_SCOPES: &str = "landfall.dev/sealed-scopes";

    /// Reads an AppProject.
    ///
    /// # Errors
    /// [`Error::Spec`].
    pub fn parse(object: &Object) -> Result<Self, Error> {
        let failed = |reason: String| Error::Spec { name: object.name().to_owned(), reason };
        let mut bounds = match object.spec() {
            Some(spec) => Bounds::deserialize(spec).map_err(|error| failed(format!("AppProject spec: {error}")))?,
            None => Bounds::default(),
        };
        let says = |field: &str| match object.at(&format!("/spec/{field}")) {
            None | Some(serde_json::Value::Null | serde_json::Value::Bool(false)) => false,
            Some(serde_json::Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        };
        let mut not_acted_on: Vec<&str> = NOT_ACTED_ON.into_iter().filter(|field| says(field)).collect();
        if object.list_at("/spec/syncWindows").iter().any(|window| window["syncOverrun"] == true) {
            not_acted_on.push("syncWindows.syncOverrun");
        }
        let namespace = object.namespace().unwrap_or(Self::HOME).to_owned();
        let roles = std::mem::take(&mut bounds.project_roles);
        let is_protected = object.annotation(Self::PROTECTED) == Some("true");
        let sealed_scopes = SealedScope::allowed(object.annotation(Self::SEALED_SCOPES).unwrap_or_default());
        let name = object.name().to_owned();
        let labels = object.labels().into_iter().flatten();
        let labels = labels.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect();
        Ok(Project { name, namespace, labels, bounds, roles, is_protected, sealed_scopes, not_acted_on })
    }

    /// The sync windows that are about an Application.
    pub fn windows(&self, application: &Application) -> Windows {
        Windows::about(&self.bounds.sync_windows, application)
    }

    /// As whom an Application is delivered (`destinationServiceAccounts`, controller/sync.go): namespace and name of a service
    /// account, or nothing where the project names none at all.
    ///
    /// # Errors
    /// [`Error::NotPermitted`]: the project names accounts, and none for where the Application delivers to, or none that is one.
    pub fn delivers_as(&self, application: &Application) -> Result<Option<(String, String)>, Error> {
        let accounts = &self.bounds.destination_service_accounts;
        if accounts.is_empty() {
            return Ok(None);
        }
        let wanted = completed(&application.destination);
        let by_place = |it: &&DestinationAccount| {
            let by_server = !it.server.is_empty() && fits(&it.server, &wanted.server);
            let by_name = !it.name.is_empty() && fits(&it.name, &wanted.name);
            (by_server || by_name) && fits(&it.namespace, &wanted.namespace)
        };
        let refused = |words: String| Error::NotPermitted {
            name: application.name.clone(),
            project: self.name.clone(),
            words: vec![words],
        };
        let Some(found) = accounts.iter().find(by_place) else {
            return Err(refused(format!(
                "no service account of project '{}' is for server '{}' and namespace '{}'",
                self.name, wanted.server, wanted.namespace
            )));
        };
        let written = found.default_service_account.trim();
        let (namespace, name) = written.split_once(':').unwrap_or((&wanted.namespace, written));
        let is_name = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
        };
        if !is_name(namespace) || !is_name(name) {
            return Err(refused(format!("`{written}` of project '{}' names no service account", self.name)));
        }
        Ok(Some((namespace.to_owned(), name.to_owned())))
    }

    /// Whether an Application of the project may live in a namespace; in Argo CD's own, `home`, always.
    pub fn permits_home(&self, namespace: &str, home: &str) -> bool {
        namespace.is_empty() || namespace == home || self.bounds.source_namespaces.iter().any(|it| names(it, namespace))
    }

    /// Whether what an Application of the project delivers may lie in a namespace of its destination, and its checks look into it.
    pub fn permits_namespace(&self, application: &Application, namespace: &str) -> bool {
        namespace == application.destination.namespace || self.permits_destination(&application.destination, namespace)
    }

    /// Whether the object is an AppProject.
    pub fn is(object: &Object) -> bool {
        object.group() == "argoproj.io" && object.kind() == "AppProject"
    }

    /// Whether an Application may go without its project, which is not there: of Argo CD's own namespace and of the project that
    /// Argo CD itself makes.
    ///
    /// # Errors
    /// [`Error::NoProject`], in Argo CD's words (controller/appcontroller.go).
    pub fn check_missing(application: &Application) -> Result<(), Error> {
        let (name, project) = (application.name.clone(), application.project.clone());
        let is_own = project == Self::DEFAULT && application.namespace == Self::HOME;
        match is_own || is_mutant("missing-projects") {
            true => Ok(()),
            false => Err(Error::NoProject { name, project }),
        }
    }

    /// Checks where an Application stands and what it is delivered from, before anything is read there with anybody's login.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], as [`Project::check`].
    pub fn check_sources(&self, application: &Application) -> Result<(), Error> {
        let words = self.outside(application);
        match words.is_empty() || is_mutant("project-sources") {
            true => Ok(()),
            false => Err(Error::NotPermitted { name: application.name.clone(), project: self.name.clone(), words }),
        }
    }

    /// That it does not stand where the project's Applications may, and what it may not be delivered from.
    fn outside(&self, application: &Application) -> Vec<String> {
        let mut words = Vec::new();
        if !self.permits_home(&application.namespace, &self.namespace) && !is_mutant("project-homes") {
            words.push(format!(
                "application '{}' in namespace '{}' is not permitted to use project '{}'",
                application.name, application.namespace, self.name
            ));
        }
        for source in &application.sources {
            if !self.permits_source(&source.repo_url) {
                words.push(format!("application repo {} is not permitted in project '{}'", source.repo_url, self.name));
            }
        }
        words
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
        let mut words = self.outside(application);
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

    /// Checks how far the SealedSecrets of an Application would open: under the one name that they were sealed for, unless the
    /// project says otherwise, or lets its Applications deliver everywhere anyway.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] with each that opens further.
    pub fn check_sealed<'a>(
        &self,
        application: &Application,
        objects: impl IntoIterator<Item = &'a Object>,
    ) -> Result<(), Error> {
        let is_anywhere = |it: &Destination| (it.server == "*" || it.name == "*") && it.namespace == "*";
        let entries = &self.bounds.destinations;
        if entries.iter().any(is_anywhere) && !entries.iter().any(is_denial) {
            return Ok(());
        }
        let wide = objects.into_iter().filter_map(|object| Some((object, SealedScope::of(object)?)));
        let words: Vec<String> = wide
            .filter(|(_, scope)| !self.sealed_scopes.contains(scope))
            .map(|(object, scope)| {
                format!(
                    "SealedSecret {} is {}, which project '{}' does not permit (annotation {}: {})",
                    object.name(),
                    scope.name(),
                    self.name,
                    Self::SEALED_SCOPES,
                    scope.name()
                )
            })
            .collect();
        if words.is_empty() {
            return Ok(());
        }
        Err(Error::NotPermitted { name: application.name.clone(), project: self.name.clone(), words })
    }

    /// As Argo CD documents it: a pattern fits, and none that begins with `!` does. Its own code lets a denial that does not
    /// fit permit everything.
    fn permits_source(&self, address: &str) -> bool {
        let key = repository_key(address);
        let fits = |pattern: &str| pattern == "*" || fits_address(&repository_key(pattern), &key);
        let mut permitted = false;
        for pattern in &self.bounds.source_repos {
            match pattern.strip_prefix('!') {
                Some(denied) if fits(denied) => return false,
                Some(_) => {}
                None => permitted |= fits(pattern),
            }
        }
        permitted
    }

    /// As Argo CD documents it: an entry without any `!` fits, and none that has one denies. Its own code (`isDestinationMatched`)
    /// lets a denial that does not fit permit everything else.
    fn permits_destination(&self, destination: &Destination, namespace: &str) -> bool {
        let wanted = completed(destination);
        let mut permitted = false;
        for entry in &self.bounds.destinations {
            if is_denial(entry) {
                if denies(entry, &wanted, namespace) {
                    return false;
                }
                continue;
            }
            let by_name = !wanted.name.is_empty() && fits(&entry.name, &wanted.name);
            let by_server = !wanted.server.is_empty() && fits(&entry.server, &wanted.server);
            permitted |= (by_name || by_server) && fits(&entry.namespace, namespace);
        }
        permitted
    }

    /// Whether the project's bounds let its Applications have an object where they deliver to, also to take it away
    /// (`IsLiveResourcePermitted`): what lies outside of them is nothing of theirs, whatever it bears.
    pub fn permits_live(&self, application: &Application, key: &ObjectKey) -> bool {
        let lies_within = |namespace: &String| self.permits_destination(&application.destination, namespace);
        self.permits_kind(key) && key.namespace.as_ref().is_none_or(lies_within)
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

/// What is denied by an entry that begins with `!`.
fn denied(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('!')
}

/// Whether an entry denies places, and permits none.
fn is_denial(entry: &Destination) -> bool {
    [&entry.server, &entry.name, &entry.namespace].into_iter().any(|pattern| denied(pattern).is_some())
}

/// Whether a denial is about a place: each of its parts with a `!` denies what it names, among what its other parts are about. A
/// cluster whose name or address is not known may be the one that is denied.
fn denies(entry: &Destination, wanted: &Destination, namespace: &str) -> bool {
    let is_named =
        |pattern: &str, text: &str| denied(pattern).is_some_and(|denied| text.is_empty() || fits(denied, text));
    let is_about = |pattern: &str, text: &str| denied(pattern).is_some() || fits(pattern, text);
    let is_somewhere = entry.server.is_empty() && entry.name.is_empty();
    let about_cluster = is_somewhere
        || (!entry.server.is_empty() && is_about(&entry.server, &wanted.server))
        || (!entry.name.is_empty() && is_about(&entry.name, &wanted.name));
    // As in Argo CD, whatever the namespace.
    is_named(&entry.name, &wanted.name)
        || (is_named(&entry.server, &wanted.server) && is_about(&entry.namespace, namespace))
        || (denied(&entry.namespace).is_some_and(|denied| fits(denied, namespace)) && about_cluster)
}

/// Both names of the cluster that Argo CD itself runs in.
pub(crate) fn completed(destination: &Destination) -> Destination {
    let mut both = destination.clone();
    if both.server.is_empty() && (both.name.is_empty() || both.name == IN_CLUSTER.1) {
        both.server = IN_CLUSTER.0.to_owned();
    }
    if both.name.is_empty() && both.server == IN_CLUSTER.0 {
        both.name = IN_CLUSTER.1.to_owned();
    }
    both
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

    /// Retold from `TestAppProject_IsNegatedSourcePermitted` (pkg/apis/application/v1alpha1/types_test.go).
    #[test]
    fn a_denial_wins_and_permits_nothing_by_itself() {
        let permits = |patterns: &[&str], address: &str| {
            words(
                &project(json!({"sourceRepos": patterns, "destinations": [{"server": "*", "namespace": "*"}]})),
                &application(address, "shop"),
                &[],
            )
            .is_empty()
        };
        assert!(!permits(&["!https://git.example.com/team/web.git"], "https://git.example.com/team/web.git"));
        assert!(!permits(&["!https://git.example.com/team/*"], "https://git.example.com/team/web.git"));
        assert!(!permits(&["!https://git.example.com/team/**"], "https://git.example.com/team/deep/web"));
        assert!(!permits(
            &["https://git.example.com/a/b.git", "!https://git.example.com/c/d.git"],
            "https://git.example.com/c/d.git"
        ));
        assert!(permits(&["!https://git.example.com/team/*", "*"], "https://git.example.com/other/web.git"));
        assert!(!permits(&["!https://git.example.com/team/*"], "https://git.example.com/other/web.git"));
        assert!(!permits(&[], "https://git.example.com/other/web.git"));
    }

    /// The destinations of `TestAppProject_IsNegatedDestinationPermitted`, as Argo CD documents them.
    #[test]
    fn a_denied_destination_wins_and_permits_nothing_by_itself() {
        let here = "https://kubernetes.default.svc";
        let permits = |entries: Value, server: &str, name: &str, namespace: &str| {
            let destination =
                Destination { server: server.to_owned(), name: name.to_owned(), namespace: namespace.to_owned() };
            project(json!({"destinations": entries})).permits_destination(&destination, namespace)
        };
        let entry = |server: &str, namespace: &str| json!({"server": server, "namespace": namespace});
        let all = entry("*", "*");
        for (entry, server, namespace, so) in [
            (entry("!https://kubernetes.default.svc", "default"), here, "default", false),
            (entry(here, "!default"), here, "kube-system", true),
            (entry(here, "!default"), here, "default", false),
            (entry(here, "!default"), "https://elsewhere", "default", true),
            (entry("!https://my-cluster", "default"), here, "default", true),
            (entry("!https://kubernetes.default.svc", "*"), here, "kube-system", false),
            (entry("!https://*.default.svc", "default"), here, "default", false),
            (entry("!https://*.default.svc", "default"), here, "other", true),
            (entry("!https://team1-*", "default"), "https://test2-dev-cluster", "default", true),
            (entry(here, "!test-*"), here, "test-foo", false),
            (entry(here, "!test-*"), here, "test", true),
            // Both at once: neither the cluster nor the namespace.
            (entry("!https://prod", "!kube-*"), "https://prod", "shop", false),
            (entry("!https://prod", "!kube-*"), "https://prod", "kube-system", false),
            (entry("!https://prod", "!kube-*"), "https://test", "kube-system", false),
            (entry("!https://prod", "!kube-*"), "https://test", "shop", true),
            (json!({"namespace": "!kube-system"}), here, "kube-system", false),
            (json!({"namespace": "!kube-system", "name": "in-cluster"}), here, "kube-system", false),
        ] {
            let (before, behind) = (json!([entry, all]), json!([all, entry]));
            assert_eq!(permits(before.clone(), server, "", namespace), so, "{before} {server} {namespace}");
            assert_eq!(permits(behind.clone(), server, "", namespace), so, "{behind} {server} {namespace}");
            assert!(!permits(json!([entry]), server, "", namespace), "by itself: {entry} {server} {namespace}");
        }
        let named = |name: &str| json!([{"server": "*", "namespace": "*"}, {"name": "*", "namespace": "*"}, {"namespace": "*", "name": name}]);
        assert!(!permits(named("!test"), "", "test", "test"));
        assert!(permits(named("!test2"), "", "test", "test"));
        assert!(!permits(named("!prod"), "https://nobody-knows-its-name", "", "test"), "it may be that one");
        assert!(!permits(json!([{"namespace": "*", "name": "!test2"}]), "", "test", "test"));
    }

    #[test]
    fn what_is_live_outside_of_the_bounds_is_nobodys_to_take_away() {
        let project = project(json!({
            "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "shop"}],
            "namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
        }));
        let application = application("https://git.example.com/a/b", "elsewhere");
        for (key, so) in [
            (key("", "ConfigMap", Some("shop")), true),
            (key("", "ConfigMap", Some("kube-system")), false),
            // Not even where it says that it delivers to.
            (key("", "ConfigMap", Some("elsewhere")), false),
            (key("", "Secret", Some("shop")), false),
            (key("", "Namespace", None), true),
            (key("rbac.authorization.k8s.io", "ClusterRole", None), false),
        ] {
            assert_eq!(project.permits_live(&application, &key), so, "{key}");
        }
    }

    #[test]
    fn applications_live_at_home_and_where_the_project_lets_them() {
        let project = project(json!({"sourceNamespaces": ["team-*", "/^ops-[0-9]+$/"]}));
        for (namespace, so) in
            [("argocd", true), ("", true), ("team-a", true), ("ops-12", true), ("ops-x", false), ("shop", false)]
        {
            assert_eq!(project.permits_home(namespace, "argocd"), so, "{namespace}");
        }
    }

    #[test]
    fn it_is_delivered_as_the_account_of_the_place_or_not_at_all() {
        let here = "https://kubernetes.default.svc";
        let account = |server: &str, namespace: &str, name: &str| json!({"server": server, "namespace": namespace, "defaultServiceAccount": name});
        let with = |accounts: Value| project(json!({"destinationServiceAccounts": accounts}));
        let told = |project: &Project, namespace: &str| {
            let found = project.delivers_as(&application("https://git.example.com/a/b", namespace));
            found.map(|it| it.map(|(namespace, name)| format!("{namespace}/{name}"))).map_err(|error| error.to_string())
        };
        assert_eq!(told(&with(json!([])), "shop"), Ok(None));
        let project = with(json!([
            account(here, "shop-*", "deployer"),
            account("https://elsewhere", "*", "nobody"),
            account(here, "ops", "kube-deployers:ops"),
            account(here, "bad", "a/../b"),
        ]));
        assert_eq!(told(&project, "shop-test").as_ref().map(Option::as_deref), Ok(Some("shop-test/deployer")));
        assert_eq!(told(&project, "ops").as_ref().map(Option::as_deref), Ok(Some("kube-deployers/ops")));
        assert!(told(&project, "other").is_err_and(|why| why.contains("no service account")));
        assert!(told(&project, "bad").is_err_and(|why| why.contains("names no service account")));
    }

    #[test]
    fn what_is_not_acted_on_is_named() {
        let said = project(json!({
            "signatureKeys": [{"keyID": "4AEE18F83AFDEB23"}], "orphanedResources": {"warn": true},
            "permitOnlyProjectScopedClusters": false, "syncWindows": [{"syncOverrun": true}],
        }));
        assert_eq!(said.not_acted_on, ["signatureKeys", "orphanedResources", "syncWindows.syncOverrun"]);
        assert!(project(json!({"sourceRepos": ["*"], "signatureKeys": []})).not_acted_on.is_empty());
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

    /// Attack A5: what is sealed for the whole cluster, taken out of another project's repository.
    #[test]
    fn project_denies_wide_scope() {
        let bounds = json!({"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "shop"}]});
        let sealed = |annotations: Value| {
            Object::from_value(json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
                "metadata": {"name": "keys", "annotations": annotations}}))
            .expect("a map")
        };
        let application = application("https://git.example.com/a/b", "shop");
        let told =
            |project: &Project, annotations: Value| match project.check_sealed(&application, &[sealed(annotations)]) {
                Err(Error::NotPermitted { words, .. }) => words.join(";"),
                _ => String::new(),
            };
        let wide = |scope: &str| json!({format!("sealedsecrets.bitnami.com/{scope}"): "true"});
        let strict = project(bounds.clone());
        assert_eq!(told(&strict, json!({})), "");
        assert_eq!(told(&strict, json!({"sealedsecrets.bitnami.com/cluster-wide": "yes"})), "");
        assert!(told(&strict, wide("cluster-wide")).contains("SealedSecret keys is cluster-wide"));
        assert!(told(&strict, wide("namespace-wide")).contains("landfall.dev/sealed-scopes: namespace-wide"));
        let metadata = json!({"name": "team", "annotations": {Project::SEALED_SCOPES: "namespace-wide"}});
        let object =
            json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": metadata, "spec": bounds});
        let some = Project::parse(&Object::from_value(object).expect("a map")).expect("a project");
        assert_eq!(told(&some, wide("namespace-wide")), "");
        assert!(told(&some, wide("cluster-wide")).contains("cluster-wide"));
        // A project that bounds nothing: whoever may write in every namespace has no need of another's value there.
        let all = project(json!({"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}));
        assert_eq!(told(&all, wide("cluster-wide")), "");
        let but = json!([{"server": "*", "namespace": "*"}, {"server": "*", "namespace": "!prod"}]);
        assert_ne!(told(&project(json!({"sourceRepos": ["*"], "destinations": but})), wide("cluster-wide")), "");
    }
}
