//! What stands about roles: the ConfigMap `argocd-rbac-cm` or a file of the server's own, and what each AppProject says of its
//! roles, of who delivers for it, and of whether it is protected. Watched; asked anew at each question.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use landfall_apps::{Application, Project};
use landfall_cluster::{Change, Cluster, Error as ClusterError, Interest, ListOptions};
use landfall_diag::{Diagnostic, code};
use landfall_object::{Gvk, Object};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use super::pattern::MatchMode;
use super::policy::{Policy, Question, Verdict, allows_somewhere, weigh};

/// The ConfigMap.
const CONFIG_MAP: &str = "argocd-rbac-cm";
/// Resources whose objects begin with their project's name.
const OF_PROJECTS: [&str; 6] = ["applications", "applicationsets", "logs", "exec", "repositories", "clusters"];

/// Whose rights are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// A user, a role, or a project's role.
    pub name: String,
    /// What an account of our own or a token is beside itself.
    pub roles: Vec<String>,
    /// The groups that an issuer says it is in: they count where the policy binds them.
    pub groups: Vec<String>,
}

/// What stands at a moment.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    policy: Policy,
    default_role: Option<String>,
    scopes: Vec<String>,
    /// What projects say of their roles, by their names: of Argo CD's own namespace alone.
    roles: BTreeMap<String, Policy>,
    /// Projects by their names.
    projects: BTreeMap<String, Project>,
    protected: BTreeSet<String>,
    /// Why the policy that is declared does not count.
    pub fault: Option<String>,
}

impl Standing {
    /// What a ConfigMap's data and AppProjects say.
    pub fn read(data: &BTreeMap<String, String>, projects: &[Object]) -> Self {
        let text = |key: &str| data.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
        let (mode, mut fault) = match text("policy.matchMode") {
            None | Some("glob") => (MatchMode::Glob, None),
            Some("regex") => (MatchMode::Regex, None),
            Some(other) => (MatchMode::Glob, Some(format!("policy.matchMode is glob or regex, and not `{other}`"))),
        };
        let mut policy = Policy::built_in();
        let first = data.get_key_value("policy.csv").into_iter();
        let others = data.iter().filter(|(key, _)| *key != "policy.csv");
        let parts = others.filter(|(key, _)| key.starts_with("policy.") && key.ends_with(".csv"));
        let mut declared = Policy::default();
        for (key, lines) in first.chain(parts) {
            match Policy::parse(lines, mode) {
                Ok(part) => declared.extend(part),
                Err(bad) => fault = fault.or_else(|| Some(format!("{key}, {bad}"))),
            }
        }
        // A policy that cannot be read may have denied something: nothing of it counts then.
        let default_role = text("policy.default").map(str::to_owned).filter(|_| fault.is_none());
        if fault.is_none() {
            policy.extend(declared);
        }
        let scopes = text("scopes").map(list).filter(|list| !list.is_empty());
        let mut standing = Standing {
            policy,
            default_role,
            scopes: scopes.unwrap_or_else(|| vec!["groups".to_owned()]),
            fault,
            ..Standing::default()
        };
        projects.iter().for_each(|object| standing.project(object, mode));
        standing
    }

    fn project(&mut self, object: &Object, mode: MatchMode) {
        let name = object.name().to_owned();
        let project = match Project::parse(object) {
            Ok(project) => project,
            Err(error) => return tracing::warn!("{error}"),
        };
        // Elsewhere it is nobody's project.
        if project.namespace != Project::HOME {
            return;
        }
        if project.is_protected {
            self.protected.insert(name.clone());
        }
        let mut all = Policy::default();
        for role in &project.roles {
            let subject = format!("proj:{name}:{}", role.name);
            let lines = role.policies.join("\n");
            match Policy::parse(&lines, mode) {
                Ok(policy) if policy.is_within(&subject, &name, &lines) => all.extend(policy),
                Ok(_) => tracing::warn!(
                    "AppProject {name}: role {} speaks of others or of other projects; it has no rights",
                    role.name
                ),
                Err(bad) => tracing::warn!("AppProject {name}: role {}, {bad}; it has no rights", role.name),
            }
            role.groups.iter().for_each(|group| all.bind(group, &subject));
        }
        self.roles.insert(name.clone(), all);
        self.projects.insert(name, project);
    }

    /// Whether a subject may do something with an object (util/rbac, server/rbacpolicy): what the default role may, everybody
    /// may; else the subject itself, or one of its roles and groups, each weighed by itself.
    pub fn may(&self, subject: &Subject, question: &Question<'_>) -> bool {
        let project = project_of(question);
        let own = subject.name.strip_prefix("proj:").and_then(|rest| rest.split_once(':')).map(|(project, _)| project);
        if own.is_some() && project.is_some() && own != project {
            return false;
        }
        let layers: Vec<&Policy> =
            std::iter::once(&self.policy).chain(project.and_then(|name| self.roles.get(name))).collect();
        let allows = |name: &str| weigh(&layers, name, question) == Verdict::Allowed;
        self.default_role.as_deref().is_some_and(allows) || self.names(subject, &layers).any(allows)
    }

    /// Whether there may be an object with which a subject may do it.
    pub fn may_somewhere(&self, subject: &Subject, resource: &str, action: &str) -> bool {
        let mut layers: Vec<&Policy> = vec![&self.policy];
        layers.extend(self.roles.values());
        let allows = |name: &str| allows_somewhere(&layers, name, resource, action);
        self.default_role.as_deref().is_some_and(allows) || self.names(subject, &layers).any(allows)
    }

    /// A subject's own name, its roles, and those of its groups that somebody has bound to a role here. A group that an issuer
    /// gives the name of a role is none.
    fn names<'s>(&self, subject: &'s Subject, layers: &[&Policy]) -> impl Iterator<Item = &'s str> {
        let is_role = |name: &str| name.starts_with("role:") || name.starts_with("proj:");
        let bound = |group: &&String| !is_role(group) && layers.iter().any(|policy| policy.binds(group));
        let groups: Vec<&str> = subject.groups.iter().filter(bound).map(String::as_str).collect();
        std::iter::once(subject.name.as_str()).chain(subject.roles.iter().map(String::as_str)).chain(groups)
    }

    /// The claims in which an issuer says which groups somebody is in.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether a project's Applications are changed by its owners and its base branch alone.
    pub fn is_protected(&self, project: &str) -> bool {
        self.protected.contains(project)
    }

    /// The project of an Application.
    pub(crate) fn project_of(&self, application: &Application) -> Option<&Project> {
        self.projects.get(&application.project)
    }

    /// Whom the policy speaks of, without what is there from the beginning.
    pub fn subjects(&self) -> BTreeSet<&str> {
        let all = std::iter::once(&self.policy).chain(self.roles.values()).flat_map(Policy::subjects);
        all.filter(|name| !matches!(*name, super::policy::ADMIN | super::policy::READONLY)).collect()
    }
}

/// The project that an object belongs to.
fn project_of<'q>(question: &Question<'q>) -> Option<&'q str> {
    if question.resource == "projects" {
        return Some(question.object);
    }
    let (project, _) = question.object.split_once('/').filter(|_| OF_PROJECTS.contains(&question.resource))?;
    Some(project)
}

/// A list as the ConfigMap has it: `[groups, email]`.
fn list(text: &str) -> Vec<String> {
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    let words = inner.split([',', '\n']).map(|word| word.trim().trim_start_matches("- ").trim_matches(['"', '\'']));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What stands, kept up to date.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    now: RwLock<Arc<Standing>>,
    /// A policy that counts instead of the ConfigMap's.
    fixed: Option<String>,
}

/// What was read, by namespace and name.
#[derive(Default)]
struct Declared {
    data: BTreeMap<String, String>,
    projects: BTreeMap<(String, String), Object>,
}

impl Roles {
    /// The policy of a file, or else the ConfigMap's.
    ///
    /// # Errors
    /// [`code::BAD_POLICY`]: the file has a line that is none.
    pub(crate) fn new(fixed: Option<String>) -> Result<Self, Diagnostic> {
        if let Some(text) = &fixed {
            Policy::parse(text, MatchMode::Glob).map_err(|bad| {
                Diagnostic::error(code::BAD_POLICY, format!("the policy cannot be read: {bad}"))
                    .help("p, role:deployer, applications, sync, shop/*, allow")
                    .help("g, sebastian, role:deployer")
            })?;
        }
        let roles = Roles { now: RwLock::default(), fixed };
        roles.know(&Declared::default());
        Ok(roles)
    }

    /// What stands now.
    pub(crate) fn now(&self) -> Arc<Standing> {
        Arc::clone(&self.now.read())
    }

    fn know(&self, declared: &Declared) {
        let fixed = self.fixed.as_ref().map(|text| BTreeMap::from([("policy.csv".to_owned(), text.clone())]));
        let projects: Vec<Object> = declared.projects.values().cloned().collect();
        let standing = Standing::read(fixed.as_ref().unwrap_or(&declared.data), &projects);
        let before = self.now().fault.clone();
        if let Some(fault) = standing.fault.as_ref().filter(|fault| before.as_ref() != Some(*fault)) {
            tracing::error!("{CONFIG_MAP}: {fault}; nothing of it counts");
        }
        *self.now.write() = Arc::new(standing);
    }

    /// Reads what there is, and then watches it until it is told to stop.
    pub(crate) async fn keep(
        self: Arc<Self>,
        cluster: Cluster,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send {
        let interests = vec![
            Interest {
                gvk: Gvk::new("", "v1", "ConfigMap"),
                namespace: Some(Project::HOME.to_owned()),
                name: Some(CONFIG_MAP.to_owned()),
            },
            Interest { gvk: Gvk::new("argoproj.io", "v1alpha1", "AppProject"), namespace: None, name: None },
        ];
        let mut declared = Declared::default();
        for interest in &interests {
            let options = ListOptions { namespace: interest.namespace.clone(), ..ListOptions::default() };
            match cluster.list(&interest.gvk, &options).await {
                Ok(objects) => objects.into_iter().for_each(|object| declared.take(object)),
                Err(ClusterError::NoMatch { .. }) => {}
                Err(error) => tracing::warn!("{} cannot be read: {error}", interest.gvk.kind),
            }
        }
        self.know(&declared);
        async move {
            let mut changes = cluster.observe(interests);
            loop {
                let change = tokio::select! {
                    () = stop.cancelled() => return,
                    change = changes.next() => change,
                };
                match change {
                    Some(Ok(Change::Listed(interest, objects))) => {
                        declared.forget(&interest);
                        objects.into_iter().for_each(|object| declared.take(object));
                    }
                    Some(Ok(Change::Applied(object))) => declared.take(object),
                    Some(Ok(Change::Deleted(object))) => declared.lose(&object),
                    Some(Ok(Change::Interrupted(_))) => continue,
                    Some(Err(error)) => {
                        tracing::warn!("roles are not kept up to date: {error}");
                        continue;
                    }
                    None => return,
                }
                self.know(&declared);
            }
        }
    }
}

impl Declared {
    fn take(&mut self, object: Object) {
        if Project::is(&object) {
            let place = (object.namespace().unwrap_or_default().to_owned(), object.name().to_owned());
            self.projects.insert(place, object);
        } else if object.name() == CONFIG_MAP {
            let data = object.at("/data").and_then(|data| data.as_object()).into_iter().flatten();
            self.data = data.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect();
        }
    }

    fn lose(&mut self, object: &Object) {
        if Project::is(object) {
            self.projects.remove(&(object.namespace().unwrap_or_default().to_owned(), object.name().to_owned()));
        } else if object.name() == CONFIG_MAP {
            self.data.clear();
        }
    }

    fn forget(&mut self, interest: &Interest) {
        match interest.gvk.kind.as_str() {
            "AppProject" => self.projects.clear(),
            _ => self.data.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
    }

    fn project(namespace: &str, name: &str, spec: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        }))
        .expect("a map")
    }

    fn subject(name: &str, groups: &[&str]) -> Subject {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Subject { name: name.to_owned(), roles: Vec::new(), groups }
    }

    fn may(standing: &Standing, who: &Subject, asked: [&str; 3]) -> bool {
        standing.may(who, &Question { resource: asked[0], action: asked[1], object: asked[2] })
    }

    /// SENS's three users.
    const SENS: &str = "p, role:nonprod, applications, get, */*, allow\n\
        p, role:nonprod, applications, sync, sens-test/*, allow\n\
        p, role:nonprod, logs, get, sens-test/*, allow\n\
        p, role:owner, applications, *, sens-production/*, allow\n\
        p, role:owner, logs, get, */*, allow\n\
        g, deploy, role:nonprod\ng, sebastian, role:nonprod\ng, sebastian, role:owner\n";

    #[test]
    fn the_three_users_of_a_small_team_may_what_they_should() {
        let standing = Standing::read(&data(&[("policy.csv", SENS)]), &[]);
        let (deploy, sebastian) = (subject("deploy", &[]), subject("sebastian", &[]));
        let production = "sens-production/sens-platform-production";
        for (asked, of_deploy, of_sebastian) in [
            (["applications", "get", production], true, true),
            (["applications", "sync", production], false, true),
            (["applications", "sync", "sens-test/sens-platform-test"], true, true),
            (["logs", "get", production], false, true),
            (["logs", "get", "sens-test/sens-platform-test"], true, true),
            (["applications", "update", production], false, true),
            (["accounts", "update", "admin"], false, false),
            (["audit", "get", "*"], false, false),
        ] {
            assert_eq!(may(&standing, &deploy, asked), of_deploy, "deploy {asked:?}");
            assert_eq!(may(&standing, &sebastian, asked), of_sebastian, "sebastian {asked:?}");
        }
        assert!(!standing.may_somewhere(&deploy, "audit", "get"));
        assert!(standing.may_somewhere(&deploy, "applications", "sync"));
    }

    #[test]
    fn what_the_default_role_may_no_denial_takes_away() {
        let lines = "p, mallory, applications, get, */*, deny\np, mallory, applications, sync, */*, allow\n";
        let standing = Standing::read(&data(&[("policy.csv", lines), ("policy.default", "role:readonly")]), &[]);
        let mallory = subject("mallory", &[]);
        assert!(may(&standing, &mallory, ["applications", "get", "a/b"]));
        assert!(may(&standing, &mallory, ["applications", "sync", "a/b"]));
        assert!(may(&standing, &subject("anybody", &[]), ["logs", "get", "a/b"]));
        assert!(!may(&standing, &subject("anybody", &[]), ["applications", "sync", "a/b"]));
    }

    #[test]
    fn a_policy_that_cannot_be_read_counts_for_nothing() {
        let lines =
            "p, role:a, applications, *, */*, allow\np, role:a, applications, *, prod/*, denied\ng, anna, role:a";
        let standing = Standing::read(&data(&[("policy.csv", lines), ("policy.default", "role:admin")]), &[]);
        assert_eq!(standing.fault.as_deref().map(|fault| fault.contains("policy.csv, line 2")), Some(true));
        assert!(!may(&standing, &subject("anna", &[]), ["applications", "get", "a/b"]));
    }

    #[test]
    fn further_parts_of_a_policy_are_read_behind_it() {
        let parts = [("policy.csv", "g, anna, role:a"), ("policy.more.csv", "p, role:a, logs, get, */*, allow")];
        let standing = Standing::read(&data(&parts), &[]);
        assert!(may(&standing, &subject("anna", &[]), ["logs", "get", "a/b"]));
        let standing = Standing::read(&data(&[("scopes", "[groups, email]")]), &[]);
        assert_eq!(standing.scopes(), ["groups", "email"]);
    }

    #[test]
    fn a_group_counts_where_it_is_bound_and_is_never_a_role_by_its_name() {
        let standing = Standing::read(&data(&[("policy.csv", "g, org:team, role:readonly")]), &[]);
        let asked = ["applications", "get", "a/b"];
        assert!(may(&standing, &subject("x", &["org:team"]), asked));
        assert!(!may(&standing, &subject("x", &["org:other"]), asked));
        for claimed in ["role:admin", "role:readonly", "proj:a:b"] {
            assert!(!may(&standing, &subject("x", &[claimed]), asked), "{claimed}");
        }
    }

    #[test]
    fn a_projects_role_is_for_its_project_and_says_nothing_of_others() {
        let role = |policies: &[&str], groups: &[&str]| json!({"name": "ci", "policies": policies, "groups": groups});
        let shop = project(
            "argocd",
            "shop",
            json!({"roles": [role(&["p, proj:shop:ci, applications, sync, shop/*, allow"], &["builders"])]}),
        );
        let escaping = project(
            "argocd",
            "mine",
            json!({"roles": [role(&["p, proj:mine:ci, applications, *, */*, allow"], &["builders"])]}),
        );
        let twin = project(
            "team-a",
            "prod",
            json!({"roles": [role(&["p, proj:prod:ci, applications, *, prod/*, allow"], &["builders"])]}),
        );
        let standing = Standing::read(&BTreeMap::new(), &[shop, escaping, twin]);
        let builders = subject("x", &["builders"]);
        assert!(may(&standing, &builders, ["applications", "sync", "shop/web"]));
        assert!(!may(&standing, &builders, ["applications", "sync", "mine/web"]), "it speaks of others, too");
        assert!(!may(&standing, &builders, ["applications", "sync", "prod/web"]), "another namespace's project");
        let token = subject("proj:shop:ci", &[]);
        assert!(may(&standing, &token, ["applications", "sync", "shop/web"]));
        assert!(!may(&standing, &token, ["applications", "get", "shop/web"]));
        assert!(!may(&standing, &subject("proj:other:ci", &[]), ["applications", "sync", "shop/web"]));
        // What everybody may, a project's token may of its own project alone.
        let open = Standing::read(&data(&[("policy.default", "role:readonly")]), &[]);
        assert!(may(&open, &token, ["applications", "get", "shop/web"]));
        assert!(!may(&open, &token, ["applications", "get", "prod/web"]));
    }

    #[test]
    fn a_project_is_protected_by_its_annotation_and_of_argo_cds_own_namespace_alone() {
        let mut prod = project("argocd", "prod", json!({}));
        prod.set_annotation(Project::PROTECTED, "true");
        let mut elsewhere = project("team-a", "test", json!({}));
        elsewhere.set_annotation(Project::PROTECTED, "true");
        let standing = Standing::read(&BTreeMap::new(), &[prod, project("argocd", "test", json!({})), elsewhere]);
        assert!(standing.is_protected("prod") && !standing.is_protected("test"));
        let theirs = Standing::read(&BTreeMap::new(), &[project("team-a", "test", json!({}))]);
        assert!(theirs.projects.is_empty(), "whoever may write there bounds nobody");
    }
}
