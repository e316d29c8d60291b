//! Contents as a chart would render to.

use landfall_release::{Content, HookRecord};
use serde_json::json;

/// A Deployment of one container and a ConfigMap.
pub(crate) fn web(image: &str) -> Content {
    let manifest = format!(
        "---\n# Source: web/templates/config.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  image: {image}\n---\n# Source: web/templates/web.yaml\n{}",
        deployment(image)
    );
    content(manifest)
}

pub(crate) fn deployment(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1\n  selector:\n    matchLabels: {{app: web}}\n  template:\n    metadata:\n      labels: {{app: web}}\n    spec:\n      containers:\n      - name: web\n        image: {image}\n        resources:\n          limits: {{cpu: 500m, memory: 64Mi}}\n"
    )
}

pub(crate) fn content(manifest: String) -> Content {
    Content {
        chart: json!({
            "metadata": {"apiVersion": "v2", "name": "web", "version": "0.1.0", "appVersion": "1.0"},
            "lock": null,
            "templates": [],
            "values": {"image": "default"},
            "schema": null,
            "files": [],
        }),
        manifest,
        notes: "Have a look.".into(),
        ..Content::default()
    }
}

/// A Job as a hook.
pub(crate) fn job_hook(name: &str, events: &[&str], spec: &str, policies: &[&str]) -> HookRecord {
    let manifest = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations:\n    \"helm.sh/hook\": {}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n{spec}      containers:\n      - name: run\n        image: shop/migrate:1\n",
        events.join(",")
    );
    HookRecord {
        name: name.into(),
        kind: "Job".into(),
        path: format!("web/templates/{name}.yaml"),
        manifest,
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        delete_policies: policies.iter().map(|policy| (*policy).to_owned()).collect(),
        ..HookRecord::default()
    }
}

/// Any object as a hook.
pub(crate) fn hook(name: &str, kind: &str, events: &[&str], manifest: &str) -> HookRecord {
    HookRecord {
        name: name.into(),
        kind: kind.into(),
        path: format!("web/templates/{name}.yaml"),
        manifest: manifest.into(),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        ..HookRecord::default()
    }
}
