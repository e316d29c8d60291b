//! Which Application delivers a release: who changes it directly goes past git.

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, Error, ListOptions, Patch, WriteOptions};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::json;

/// The addresses by which an Application means the cluster that it lives in itself.
const HOME: [&str; 2] = ["https://kubernetes.default.svc", "in-cluster"];

/// The Applications of a cluster that deliver a release of it; a cluster without the kind has none.
///
/// # Errors
/// The cluster does not answer. Whoever may not read Applications is told none.
#[boxed]
pub async fn managers_of(cluster: &Cluster, namespace: &str, release: &str) -> Result<Vec<ObjectKey>, Error> {
    let kind = Gvk::new("argoproj.io", "v1alpha1", "Application");
    match cluster.list(&kind, &ListOptions::default()).await {
        Ok(found) => Ok(found.iter().filter(|one| delivers(one, namespace, release)).map(Object::key).collect()),
        Err(Error::NoMatch { .. }) => Ok(Vec::new()),
        Err(error) if error.code() == Some(403) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether an Application delivers a release of that name to that namespace of its own cluster.
fn delivers(application: &Object, namespace: &str, release: &str) -> bool {
    let destination = |field: &str| application.str_at(&format!("/spec/destination/{field}"));
    let place = destination("server").or(destination("name")).unwrap_or(HOME[0]);
    if !HOME.contains(&place) || destination("namespace") != Some(namespace) {
        return false;
    }
    let one = application.at("/spec/source").into_iter();
    let mut names = one.chain(application.list_at("/spec/sources")).filter_map(|it| it["helm"]["releaseName"].as_str());
    application.name() == release || names.any(|name| name == release)
}

/// Writes an annotation into an Application.
///
/// # Errors
/// The cluster refuses, or does not answer.
#[boxed]
pub async fn annotate_application(cluster: &Cluster, key: &ObjectKey, name: &str, text: &str) -> Result<(), Error> {
    let options = WriteOptions { field_manager: Some("landfall".to_owned()), ..WriteOptions::default() };
    let patch = json!({"metadata": {"annotations": {name: text}}});
    cluster.patch(key, &Patch::Merge(patch), &options).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_known_by_its_name_and_place() {
        let application = |spec: serde_json::Value| {
            let metadata = json!({"name": "shop-prod", "namespace": "argocd"});
            Object::from_value(json!({"kind": "Application", "metadata": metadata, "spec": spec})).expect("a map")
        };
        let home = json!({"server": "https://kubernetes.default.svc", "namespace": "shop"});
        let named = application(json!({"destination": home, "source": {"helm": {"releaseName": "shop"}}}));
        assert!(delivers(&named, "shop", "shop") && delivers(&named, "shop", "shop-prod"));
        assert!(!delivers(&named, "shop", "other") && !delivers(&named, "elsewhere", "shop"));
        let several = application(json!({"destination": {"name": "in-cluster", "namespace": "shop"},
            "sources": [{"path": "a"}, {"helm": {"releaseName": "shop"}}]}));
        assert!(delivers(&several, "shop", "shop"));
        let elsewhere = json!({"server": "https://10.0.0.1:6443", "namespace": "shop"});
        assert!(!delivers(&application(json!({"destination": elsewhere, "source": {}})), "shop", "shop-prod"));
    }
}
