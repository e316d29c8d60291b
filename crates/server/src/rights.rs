//! Whether the server may do on a cluster what it is there for, asked before anything is changed.

use landfall_cluster::Cluster;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_object::Object;
use serde_json::{Value, json};

/// What it is there for: a verb, a group, a resource.
const NEEDED: [(&str, &str, &str); 6] = [
    ("list", "argoproj.io", "applications"),
    ("watch", "argoproj.io", "applications"),
    ("patch", "argoproj.io", "applications"),
    ("get", "argoproj.io", "appprojects"),
    ("list", "argoproj.io", "appprojects"),
    ("watch", "argoproj.io", "appprojects"),
];

/// Fails with one sentence when something of it is not allowed.
pub(crate) async fn check(cluster: &Cluster, name: &str, targets: &[Object]) -> Result<(), Failure> {
    let mut refused = Vec::new();
    let has = |kind: &str| targets.iter().any(|target| target.kind() == kind);
    let creates = (!targets.is_empty()).then_some(("create", "argoproj.io", "applications"));
    let keeps = ["create", "patch"].into_iter().filter(|_| has("Secret")).map(|verb| (verb, "", "secrets"));
    for (verb, group, resource) in NEEDED.into_iter().chain(creates).chain(keeps) {
        if !is_allowed(cluster, verb, group, resource).await? {
            refused.push(format!("{verb} {resource}.{group}").trim_end_matches('.').to_owned());
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    let text = format!("this account may not {} on {name}; nothing was changed", refused.join(", "));
    Err(Diagnostic::refused(code::FORBIDDEN, text)
        .help("give it a ClusterRole with these verbs, or another --context")
        .into())
}

async fn is_allowed(cluster: &Cluster, verb: &str, group: &str, resource: &str) -> Result<bool, Failure> {
    let failed = |why: String| {
        Failure::from(Diagnostic::error(code::FORBIDDEN, "it cannot be asked what this account may do").note(why))
    };
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "group": group, "resource": resource}},
    });
    let request = ::http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        .header("content-type", "application/json")
        .body(review.to_string().into_bytes())
        .map_err(|error| failed(error.to_string()))?;
    let answer: Value = cluster.client().request(request).await.map_err(|error| failed(error.to_string()))?;
    Ok(answer["status"]["allowed"].as_bool().unwrap_or_default())
}
