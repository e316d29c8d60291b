//! Who may do what, shown as one table, and the proof that an identity cannot touch what is protected: the policy is weighed
//! by the functions that let people in, the cluster is asked, and one write is tried without keeping it.

mod cluster;

use std::collections::{BTreeMap, BTreeSet};

use async_recursion::async_recursion as boxed;
use landfall_apps::Project;
use landfall_cluster::{Cluster, Error as ClusterError, ListOptions};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::{Gvk, Object, ObjectKey};

pub use cluster::{ServiceAccount, service_account_token};

use crate::accounts::{MatchMode, Policy, Question, Standing, Subject};
use crate::ground::application_kind;

/// What is done with Applications and what belongs to them.
pub const ACTIONS: [(&str, &str); 8] = [
    ("applications", "get"),
    ("applications", "create"),
    ("applications", "update"),
    ("applications", "delete"),
    ("applications", "sync"),
    ("applications", "override"),
    ("logs", "get"),
    ("exec", "create"),
];

/// What is done with things that decide about every project.
const DECIDING: [(&str, &str); 12] = [
    ("projects", "create"),
    ("projects", "update"),
    ("projects", "delete"),
    ("repositories", "create"),
    ("repositories", "update"),
    ("repositories", "delete"),
    ("clusters", "create"),
    ("clusters", "update"),
    ("clusters", "delete"),
    ("accounts", "create"),
    ("accounts", "update"),
    ("accounts", "delete"),
];

/// An Application that nobody has: what may be done with every Application of a project may be done with it.
const ANY: &str = "any-other";

/// What stands on a cluster about roles, projects and Applications.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// The policy.
    pub standing: Standing,
    /// The projects' names.
    pub projects: BTreeSet<String>,
    /// The Applications of each project, with the namespaces that they live in and deliver to.
    pub applications: BTreeMap<String, Vec<Placed>>,
}

/// An Application, and where it delivers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The object of it that a policy speaks of: `shop/web`.
    pub object: String,
    /// The namespace that it delivers to, in the cluster that it lives in; none where that is another one.
    pub namespace: Option<String>,
}

/// One question, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Who was asked: `policy`, `cluster`, `tried`.
    pub asked: &'static str,
    /// What is to be done: `applications, sync` or `patch deployments.apps`.
    pub what: String,
    /// With what: an Application, a namespace, or everything.
    pub on: String,
    /// Whether that may be done.
    pub allowed: bool,
}

impl Ground {
    /// Reads a cluster; a policy that is given counts instead of the ConfigMap's.
    ///
    /// # Errors
    /// The cluster cannot be asked; [`code::BAD_POLICY`].
    #[boxed]
    pub async fn read(cluster: &Cluster, policy: Option<&str>) -> Result<Self, Vec<Diagnostic>> {
        let failed = |error: ClusterError| vec![error.diagnose()];
        let data = match policy {
            Some(text) => BTreeMap::from([("policy.csv".to_owned(), text.to_owned())]),
            None => {
                let key = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(Project::HOME), "argocd-rbac-cm");
                let found = cluster.get(&key).await.map_err(failed)?;
                let data = found.as_ref().and_then(|it| it.at("/data")).and_then(|it| it.as_object());
                let texts = data.into_iter().flatten();
                texts.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect()
            }
        };
        if let Some(text) = policy {
            Policy::parse(text, MatchMode::Glob).map_err(|bad| {
                vec![Diagnostic::error(code::BAD_POLICY, format!("the policy cannot be read: {bad}"))]
            })?;
        }
        let projects = listed(cluster, &Gvk::new("argoproj.io", "v1alpha1", "AppProject")).await.map_err(failed)?;
        let applications = listed(cluster, &application_kind()).await.map_err(failed)?;
        Ok(Ground::of(&data, &projects, &applications))
    }

    /// The same of objects that are read already.
    pub fn of(data: &BTreeMap<String, String>, projects: &[Object], applications: &[Object]) -> Self {
        let mut ground = Ground {
            standing: Standing::read(data, projects),
            projects: projects.iter().map(|project| project.name().to_owned()).collect(),
            applications: BTreeMap::new(),
        };
        for object in applications {
            let project = object.str_at("/spec/project").filter(|name| !name.is_empty()).unwrap_or("default");
            ground.projects.insert(project.to_owned());
            let named = match object.namespace() {
                None | Some(Project::HOME) => format!("{project}/{}", object.name()),
                Some(namespace) => format!("{project}/{namespace}/{}", object.name()),
            };
            let server = object.str_at("/spec/destination/server").unwrap_or_default();
            let name = object.str_at("/spec/destination/name").unwrap_or_default();
            let here = matches!(server, "" | "https://kubernetes.default.svc") && matches!(name, "" | "in-cluster");
            let namespace = object.str_at("/spec/destination/namespace").filter(|_| here).map(str::to_owned);
            let placed = Placed { object: named, namespace };
            ground.applications.entry(project.to_owned()).or_default().push(placed);
        }
        ground
    }

    /// The projects that are protected.
    pub fn protected(&self) -> impl Iterator<Item = &str> {
        self.projects.iter().map(String::as_str).filter(|name| self.standing.is_protected(name))
    }

    /// The namespaces that Applications of a project deliver to on this cluster.
    pub fn namespaces(&self, project: &str) -> BTreeSet<&str> {
        self.applications.get(project).into_iter().flatten().filter_map(|placed| placed.namespace.as_deref()).collect()
    }

    /// What a subject may do with at least one Application of a project, of [`ACTIONS`].
    pub fn may(&self, subject: &Subject, project: &str) -> Vec<String> {
        let objects = self.objects(project);
        let may = |(resource, action): &(&str, &str)| {
            objects.iter().any(|object| self.standing.may(subject, &Question { resource, action, object }))
        };
        let word = |(resource, action): (&str, &str)| match resource {
            "applications" => action.to_owned(),
            resource => resource.to_owned(),
        };
        ACTIONS.into_iter().filter(may).map(word).collect()
    }

    fn objects(&self, project: &str) -> Vec<String> {
        let placed = self.applications.get(project).into_iter().flatten().map(|placed| placed.object.clone());
        placed.chain([format!("{project}/{ANY}")]).collect()
    }

    /// Weighs the policy: everything that changes an Application of these projects, or decides about all.
    pub fn weigh(&self, subject: &Subject, projects: &BTreeSet<String>) -> Vec<Cell> {
        let mut cells = Vec::new();
        let mut ask = |resource: &str, action: &str, object: &str| {
            let allowed = self.standing.may(subject, &Question { resource, action, object });
            let (what, on) = (format!("{resource}, {action}"), object.to_owned());
            cells.push(Cell { asked: "policy", what, on, allowed });
        };
        for project in projects {
            for object in self.objects(project) {
                for (resource, action) in ACTIONS.into_iter().filter(|(_, action)| *action != "get") {
                    ask(resource, action, &object);
                }
                ask("applications", "action/apps/Deployment/restart", &object);
                ask("applicationsets", "update", &object);
            }
            ask("projects", "update", project);
            ask("projects", "delete", project);
        }
        for (resource, action) in DECIDING {
            ask(resource, action, "*");
        }
        cells
    }
}

async fn listed(cluster: &Cluster, gvk: &Gvk) -> Result<Vec<Object>, ClusterError> {
    match cluster.list(gvk, &ListOptions::default()).await {
        // A cluster without the kind has none.
        Err(ClusterError::NoMatch { .. }) => Ok(Vec::new()),
        listed => listed,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(kind: &str, name: &str, annotations: Value, spec: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": "argocd", "annotations": annotations},
        }))
        .expect("a map")
    }

    fn ground(policy: &str) -> Ground {
        let data = BTreeMap::from([("policy.csv".to_owned(), policy.to_owned())]);
        let prod = object("AppProject", "prod", json!({"landfall.dev/protected": "true"}), json!({}));
        let web = |project: &str| {
            let to = json!({"server": "https://kubernetes.default.svc", "namespace": format!("sens-{project}")});
            object("Application", &format!("web-{project}"), json!({}), json!({"project": project, "destination": to}))
        };
        Ground::of(&data, &[prod, object("AppProject", "test", json!({}), json!({}))], &[web("prod"), web("test")])
    }

    fn subject(name: &str) -> Subject {
        Subject { name: name.to_owned(), roles: Vec::new(), groups: Vec::new() }
    }

    #[test]
    fn who_may_do_one_thing_with_one_application_of_production_is_found() {
        let whole = "p, deploy, applications, *, test/*, allow\np, deploy, applications, get, */*, allow\n";
        let production = BTreeSet::from(["prod".to_owned()]);
        let proof = |policy: &str| -> Vec<String> {
            let cells = ground(policy).weigh(&subject("deploy"), &production);
            assert!(cells.len() > 20, "{cells:?}");
            cells.into_iter().filter(|cell| cell.allowed).map(|cell| format!("{} {}", cell.what, cell.on)).collect()
        };
        assert_eq!(proof(whole), [""; 0]);
        assert_eq!(
            proof(&format!("{whole}p, deploy, applications, sync, prod/web-prod, allow")),
            ["applications, sync prod/web-prod"]
        );
        assert_eq!(proof(&format!("{whole}p, deploy, clusters, update, *, allow")), ["clusters, update *"]);
        assert_eq!(proof(&format!("{whole}p, deploy, projects, update, prod, allow")), ["projects, update prod"]);
        let everything = proof(&format!("{whole}g, deploy, role:admin"));
        assert!(everything.len() > 20, "{everything:?}");
    }

    #[test]
    fn the_table_has_what_may_be_done_with_an_application_of_each_project() {
        let ground = ground(
            "p, deploy, applications, \"{get,sync}\", test/*, allow\np, deploy, logs, get, test/web-test, allow",
        );
        assert_eq!(ground.may(&subject("deploy"), "test"), ["get", "sync", "logs"]);
        assert_eq!(ground.may(&subject("deploy"), "prod"), [""; 0]);
        assert_eq!(ground.protected().collect::<Vec<_>>(), ["prod"]);
        assert_eq!(ground.namespaces("prod").into_iter().collect::<Vec<_>>(), ["sens-prod"]);
    }
}
