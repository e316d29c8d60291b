//! `landfall rehearse --from live --ask-api` against a real API server: what it refuses is told in its words, and its audit
//! log holds reads and dry runs alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::recorder::{items, text};
use super::stand_in;
use crate::limited;
use crate::testbed::{Audit, Layout, Request, Running};
use crate::traces::side::Side;

/// What stands for the value of a Secret that must not come out.
const SECRET: &str = "hunter2-of-the-live-cluster";

const CHART: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
    ("templates/settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n"),
    (
        "templates/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n        - name: web\n          image: registry.example.com/web:1.0.0\n          env: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: KEY}}}]\n",
    ),
];

/// Each check that failed, in a sentence; and how many requests were looked at.
pub(super) async fn ask(landfall: &Path) -> anyhow::Result<(usize, Vec<String>)> {
    let home = tempfile::Builder::new().prefix("landfall-asking-").tempdir()?;
    let audit = Audit::within(home.path())?;
    let mut layout = Layout::on_free_ports()?;
    layout.api_server_flags = audit.flags();
    let running = tokio::task::block_in_place(|| Running::start(layout))?;
    let side = Side::new(running.testbed().endpoint()?)?;
    stand_in::furnish(&side, &[]).await?;
    prepare(&side).await?;
    for (path, text) in CHART {
        let file = home.path().join("shop").join(path);
        fs::create_dir_all(file.parent().context("a file in a folder")?)?;
        fs::write(file, text)?;
    }
    let before = versions(&side).await?;
    let out = home.path().join("out.json");
    let mut child = Command::new(landfall)
        .args(["rehearse", "shop", "-n", "shop", "--from", "live", "--ask-api", "-o", "json", "--context", "testbed"])
        .arg("--kubeconfig")
        .arg(running.testbed().kubeconfig())
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out)?)
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", landfall.display()))?;
    let code = tokio::task::block_in_place(|| limited::wait(&mut child, Duration::from_secs(120)))?;
    let printed = fs::read_to_string(&out)?;
    let answer: Value = serde_json::from_str(&printed).unwrap_or_default();
    let mut wrong = Vec::new();
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    expect(code == Some(1), "it ends with 1: the API refuses an object");
    let refused = items(&answer["data"]["findings"]).find(|finding| finding["witness"]["by"] == "api");
    let refused = refused.cloned().unwrap_or_default();
    expect(text(&refused, "/message").contains("no owner"), "the policy's own words are told");
    expect(text(&refused, "/witness/who").contains("testbed"), "the API's name stands beside them");
    expect(!printed.contains(SECRET), "no value of a Secret is printed");
    expect(versions(&side).await? == before, "every object has the version that it had");
    let requests = audit.requests()?;
    let is_dry = |request: &Request| request.verb == "patch" && request.uri.contains("dryRun=All");
    expect(requests.iter().any(is_dry), "objects are sent");
    for request in requests.iter().filter(|request| !request.is_read() && !is_dry(request)) {
        wrong.push(format!("it wrote: {} {}", request.verb, request.uri));
    }
    Ok((requests.len(), wrong))
}

/// A namespace with a Secret, and a policy that the simulated cluster knows nothing of.
async fn prepare(side: &Side) -> anyhow::Result<()> {
    side.create("/api/v1/namespaces", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}))
        .await?;
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"KEY": SECRET}});
    side.create("/api/v1/namespaces/shop/secrets", &secret).await?;
    const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "owners"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}]},
            "validations": [{"expression": "has(object.metadata.labels) && 'owner' in object.metadata.labels",
                "message": "a deployment has no owner"}],
        },
    });
    side.create(&format!("{ADMISSION}/validatingadmissionpolicies"), &policy).await?;
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "owners"}, "spec": {"policyName": "owners", "validationActions": ["Deny"]},
    });
    side.create(&format!("{ADMISSION}/validatingadmissionpolicybindings"), &binding).await?;
    // A policy counts a moment after it was made: until a deployment is refused.
    let probe = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "probe"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    for _ in 0..300 {
        if side.create("/apis/apps/v1/namespaces/shop/deployments?dryRun=All", &probe).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the policy does not count")
}

/// The objects of the namespace with their versions.
async fn versions(side: &Side) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for path in [
        "/api/v1/namespaces/shop/secrets",
        "/api/v1/namespaces/shop/configmaps",
        "/apis/apps/v1/namespaces/shop/deployments",
        "/api/v1/namespaces",
    ] {
        for object in side.list(path).await? {
            all.push(format!(
                "{path} {} {}",
                text(&object, "/metadata/name"),
                text(&object, "/metadata/resourceVersion")
            ));
        }
    }
    Ok(all)
}
