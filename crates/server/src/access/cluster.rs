//! What a service account may do on a cluster: asked of it with access reviews, and tried once.

use async_recursion::async_recursion as boxed;
use landfall_cluster::Cluster;
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::{Gvk, ObjectKey};
use serde_json::{Value, json};

use super::Cell;
use crate::connections::as_user;

/// What changes something of a namespace, or reads what is secret there.
const IN_NAMESPACES: [(&str, &str, &[&str]); 22] = [
    ("", "pods", CHANGES),
    ("", "pods/exec", &["create", "get"]),
    ("", "pods/portforward", &["create", "get"]),
    ("", "pods/ephemeralcontainers", &["patch", "update"]),
    ("", "services", CHANGES),
    ("", "configmaps", CHANGES),
    ("", "secrets", &["get", "list", "watch", "create", "update", "patch", "delete"]),
    ("", "serviceaccounts", CHANGES),
    ("", "serviceaccounts/token", &["create"]),
    ("", "persistentvolumeclaims", CHANGES),
    ("apps", "deployments", CHANGES),
    ("apps", "deployments/scale", &["patch", "update"]),
    ("apps", "statefulsets", CHANGES),
    ("apps", "daemonsets", CHANGES),
    ("apps", "replicasets", CHANGES),
    ("batch", "jobs", CHANGES),
    ("batch", "cronjobs", CHANGES),
    ("networking.k8s.io", "ingresses", CHANGES),
    ("networking.k8s.io", "networkpolicies", CHANGES),
    ("rbac.authorization.k8s.io", "roles", CHANGES),
    ("rbac.authorization.k8s.io", "rolebindings", CHANGES),
    ("bitnami.com", "sealedsecrets", CHANGES),
];

const CHANGES: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];

/// What of the namespace that Applications live in decides about production.
const AT_HOME: [(&str, &str, &[&str]); 5] = [
    ("argoproj.io", "applications", CHANGES),
    ("argoproj.io", "applicationsets", CHANGES),
    ("argoproj.io", "appprojects", CHANGES),
    ("", "secrets", &["get", "list", "watch", "create", "update", "patch", "delete"]),
    ("", "configmaps", &["create", "update", "patch", "delete"]),
];

/// What is of the whole cluster and leads everywhere.
const EVERYWHERE: [(&str, &str, &[&str]); 10] = [
    ("", "namespaces", &["create", "update", "patch", "delete"]),
    ("", "nodes", &["create", "update", "patch", "delete"]),
    ("", "nodes/proxy", &["create", "get"]),
    ("", "users", &["impersonate"]),
    ("", "groups", &["impersonate"]),
    ("", "serviceaccounts", &["impersonate"]),
    ("rbac.authorization.k8s.io", "clusterroles", &["create", "update", "patch", "delete", "bind", "escalate"]),
    ("rbac.authorization.k8s.io", "clusterrolebindings", &["create", "update", "patch", "delete"]),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", &["create", "update", "patch", "delete"]),
    ("apiextensions.k8s.io", "customresourcedefinitions", &["create", "update", "patch", "delete"]),
];

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl std::str::FromStr for ServiceAccount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
        };
        match text.split_once('/') {
            Some((namespace, name)) if is_name(namespace) && is_name(name) => {
                Ok(ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err("a service account is NAMESPACE/NAME".to_owned()),
        }
    }
}

impl ServiceAccount {
    /// The user that it is.
    fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// Asks a cluster what it may do in these namespaces, in that of Applications, and everywhere; and tries one write in
    /// each namespace without keeping it.
    ///
    /// # Errors
    /// The cluster cannot be asked, or has no such account: of one that is not there nothing is proved.
    #[boxed]
    pub async fn asked(&self, cluster: &Cluster, namespaces: &[String], home: &str) -> Result<Vec<Cell>, Diagnostic> {
        let key = ObjectKey::new(Gvk::new("", "v1", "ServiceAccount"), Some(&self.namespace), &*self.name);
        let found = cluster.get(&key).await.map_err(|error| error.diagnose())?;
        if found.is_none() {
            let text = format!("there is no service account {self}: of one that is not there nothing is proved");
            return Err(Diagnostic::error(code::NO_SUCH_ACCOUNT, text)
                .help(format!("kubectl get serviceaccounts -n {}", self.namespace)));
        }
        let mut cells = Vec::new();
        let production = namespaces.iter().map(|namespace| (Some(namespace.as_str()), &IN_NAMESPACES[..]));
        let asked = production.chain([(Some(home), &AT_HOME[..]), (None, &EVERYWHERE[..])]);
        for (namespace, list) in asked {
            for (group, resource, verbs) in list {
                for verb in *verbs {
                    let allowed = self.may(cluster, (verb, group, resource), namespace).await?;
                    let kind = if group.is_empty() { (*resource).to_owned() } else { format!("{resource}.{group}") };
                    let on = namespace.map_or("the whole cluster".to_owned(), |it| format!("namespace {it}"));
                    cells.push(Cell { asked: "cluster", what: format!("{verb} {kind}"), on, allowed });
                }
            }
        }
        for namespace in namespaces {
            cells.push(self.tried(cluster, namespace).await?);
        }
        Ok(cells)
    }

    async fn may(
        &self,
        cluster: &Cluster,
        (verb, group, resource): (&str, &str, &str),
        namespace: Option<&str>,
    ) -> Result<bool, Diagnostic> {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": self.user(),
                "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{}", self.namespace), "system:authenticated"],
                "resourceAttributes": {
                    "verb": verb, "group": group, "resource": resource, "subresource": subresource,
                    "namespace": namespace.unwrap_or_default(),
                },
            },
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = posted(cluster.client(), path, &review).await.map_err(|error| {
            Diagnostic::error(code::FORBIDDEN, "the cluster cannot be asked what an account may do")
                .note(error.to_string())
        })?;
        // What is no answer is no proof.
        answer["status"]["allowed"].as_bool().ok_or_else(|| {
            Diagnostic::error(code::FORBIDDEN, "the cluster does not say what an account may do")
                .note(answer.to_string())
        })
    }

    /// Writes as that account, without keeping it.
    async fn tried(&self, cluster: &Cluster, namespace: &str) -> Result<Cell, Diagnostic> {
        let client = as_user(cluster.client().clone(), &self.user())
            .map_err(|why| Diagnostic::error(code::BAD_ARGUMENTS, why))?;
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "landfall-access-"}});
        let path = format!("/api/v1/namespaces/{namespace}/configmaps?dryRun=All");
        let allowed = match posted(&client, &path, &object).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 403 => false,
            Err(error) => {
                let text = format!("it cannot be tried to write into the namespace {namespace}");
                return Err(Diagnostic::error(code::FORBIDDEN, text).note(error.to_string()));
            }
        };
        let (what, on) = ("create configmaps".to_owned(), format!("namespace {namespace}"));
        Ok(Cell { asked: "tried", what, on, allowed })
    }
}

/// A token of a service account that is good for so many seconds.
///
/// # Errors
/// The cluster does not give one.
#[boxed]
pub async fn service_account_token(
    cluster: &Cluster,
    account: &ServiceAccount,
    seconds: u64,
) -> Result<(String, String), Diagnostic> {
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds},
    });
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/{}/token", account.namespace, account.name);
    let answer = posted(cluster.client(), &path, &request).await.map_err(|error| {
        Diagnostic::error(code::FORBIDDEN, format!("the cluster gives no token for {account}")).note(error.to_string())
    })?;
    let text = |field: &str| answer["status"][field].as_str().map(str::to_owned);
    text("token")
        .zip(text("expirationTimestamp"))
        .ok_or_else(|| Diagnostic::error(code::FORBIDDEN, format!("the cluster's answer holds no token for {account}")))
}

async fn posted(client: &kube::Client, path: &str, body: &Value) -> Result<Value, kube::Error> {
    let request = ::http::Request::post(path).header("content-type", "application/json");
    let request = request.body(body.to_string().into_bytes()).map_err(kube::Error::HttpError)?;
    client.request(request).await
}
