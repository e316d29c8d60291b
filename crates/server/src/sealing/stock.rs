//! Whether the original controller is there: a Deployment of it that is to have pods, or somebody else who writes conditions.

use std::collections::BTreeSet;

use jiff::Timestamp;
use landfall_object::Object;
use landfall_secrets::control::TWIN;
use serde_json::Value;

use super::{MANAGER, Name, name_of};

/// What its image is called, whatever registry it comes from.
const IMAGE: &str = "sealed-secrets-controller";
/// Who may touch a status without being a controller, by what their names as field managers begin with.
const TOOLS: [&str; 4] = ["kubectl", "landfall", "helm", "argocd"];

/// What shows it.
pub(super) struct Stock {
    began: Timestamp,
    deployments: BTreeSet<Name>,
    /// A writer of conditions who is not us.
    writer: Option<String>,
    /// Whether the cluster itself opens what is sealed.
    twin: bool,
    /// What was told last.
    told: Option<String>,
}

impl Stock {
    pub(super) fn new(began: Timestamp) -> Self {
        Stock { began, deployments: BTreeSet::new(), writer: None, twin: false, told: None }
    }

    pub(super) fn list(&mut self, deployments: &[Object]) {
        self.deployments.clear();
        deployments.iter().for_each(|deployment| self.see(deployment));
    }

    /// One that is scaled to nothing is as good as gone; one whose pods are not ready yet will act.
    pub(super) fn see(&mut self, deployment: &Object) {
        let is_wanted =
            deployment.i64_at("/spec/replicas").unwrap_or(1) > 0 && deployment.deletion_timestamp().is_none();
        if is_wanted && is_controller(deployment) {
            self.deployments.insert(name_of(deployment));
        } else {
            self.lose(deployment);
        }
    }

    pub(super) fn lose(&mut self, deployment: &Object) {
        self.deployments.remove(&name_of(deployment));
    }

    /// Somebody who writes a condition since this process began works as the controller, wherever it runs.
    pub(super) fn see_status(&mut self, sealed: &Object) {
        let began = self.began.as_second();
        let writer = sealed.list_at("/metadata/managedFields").iter().find_map(|entry| {
            let manager = entry["manager"].as_str()?;
            let at: Timestamp = entry["time"].as_str()?.parse().ok()?;
            let is_status = entry["fieldsV1"].get("f:status").is_some();
            let is_known = manager == MANAGER || manager == TWIN || TOOLS.iter().any(|tool| manager.starts_with(tool));
            (is_status && !is_known && at.as_second() > began).then(|| manager.to_owned())
        });
        if let Some(writer) = writer {
            self.writer = Some(format!("{writer} wrote the condition of {}", sealed.key()));
        }
    }

    /// An embedded cluster whose own controller acts opens what is sealed, and need not write anything for that.
    pub(super) fn see_twin(&mut self, acts: bool) {
        self.twin = acts;
    }

    pub(super) fn is_there(&self) -> bool {
        self.because().is_some()
    }

    fn because(&self) -> Option<String> {
        let deployment =
            self.deployments.first().map(|(namespace, name)| format!("Deployment {namespace}/{name} is there"));
        let twin = || self.twin.then(|| "the embedded cluster opens its own".to_owned());
        deployment.or_else(twin).or_else(|| self.writer.clone())
    }

    /// What there is to tell that was not told yet: why it is there, or that it is gone.
    pub(super) fn news(&mut self) -> Option<Option<String>> {
        let because = self.because();
        if because.is_some() == self.told.is_some() {
            return None;
        }
        self.told.clone_from(&because);
        Some(because)
    }
}

fn is_controller(deployment: &Object) -> bool {
    let containers = deployment.list_at("/spec/template/spec/containers").iter();
    let mut images = containers.filter_map(|container| container.get("image").and_then(Value::as_str));
    images.any(|image| {
        let last = image.rsplit('/').next().unwrap_or(image);
        last.split(['@', ':']).next() == Some(IMAGE)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str, replicas: i64) -> Object {
        let spec = json!({"replicas": replicas, "template": {"spec": {"containers": [{"image": image}]}}});
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec,
            "metadata": {"name": "sealed-secrets", "namespace": "kube-system"}});
        Object::from_value(object).expect("a map")
    }

    #[test]
    fn the_original_is_there_until_it_is_scaled_to_nothing_or_deleted() {
        let mut stock = Stock::new(Timestamp::UNIX_EPOCH);
        assert_eq!(stock.news(), None);
        for image in
            ["bitnami/sealed-secrets-controller:0.36.6", "mirror.example.com:5000/x/sealed-secrets-controller@sha256:0"]
        {
            stock.see(&deployment(image, 1));
            assert!(stock.is_there(), "{image}");
            assert_eq!(stock.news().flatten().as_deref(), Some("Deployment kube-system/sealed-secrets is there"));
            assert_eq!(stock.news(), None, "it is told once");
            stock.see(&deployment(image, 0));
            assert_eq!(stock.news(), Some(None));
        }
        for other in
            ["shop/web:1", "sealed-secrets-controller-exporter:1", "localhost:5000/sealed-secrets-controller/ui"]
        {
            stock.list(&[deployment(other, 1)]);
            assert!(!stock.is_there(), "{other}");
        }
    }

    #[test]
    fn whoever_writes_conditions_works_as_the_controller_but_for_ourselves_our_twin_and_persons_tools() {
        let sealed = |manager: &str, field: &str, at: &str| {
            let fields = json!([{"manager": manager, "time": at, "fieldsV1": {field: {}}}]);
            Object::from_value(json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
                "metadata": {"name": "keys", "namespace": "shop", "managedFields": fields}}))
            .expect("a map")
        };
        let mut stock = Stock::new("2026-01-01T00:00:00Z".parse().expect("a time"));
        let after = "2026-01-01T00:00:01Z";
        for manager in [MANAGER, TWIN, "kubectl-edit"] {
            stock.see_status(&sealed(manager, "f:status", after));
        }
        stock.see_status(&sealed("controller", "f:spec", after));
        stock.see_status(&sealed("controller", "f:status", "2026-01-01T00:00:00Z"));
        assert!(!stock.is_there());
        stock.see_status(&sealed("controller", "f:status", after));
        assert!(stock.news().flatten().is_some_and(|why| why.starts_with("controller wrote the condition of ")));
    }
}
