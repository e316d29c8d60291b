//! What a new cluster begins with: namespaces, roles, classes.

use landfall_object::{BUILT_IN, SIMULATED};
use serde_json::{Value, json};

use crate::status::Status;
use crate::world::{Actor, World};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Fills an empty world.
///
/// # Errors
/// What the world itself refuses.
pub fn prepare(world: &mut World) -> Result<(), Status> {
    let actor = Actor::system("kube-apiserver");
    for name in ["kube-system", "kube-public", "kube-node-lease", "default"] {
        world.create(&actor, "namespaces", json!({"metadata": {"name": name}}))?;
    }
    for (name, value) in [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)] {
        let description = "Used for system critical pods that must not be moved from their current node.";
        world.create(
            &actor,
            "priorityclasses.scheduling.k8s.io",
            json!({"metadata": {"name": name}, "value": value, "description": description}),
        )?;
    }
    for (name, rules) in roles() {
        let labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
        let mut role = json!({
            "metadata": {"name": name, "labels": labels, "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}},
            "rules": rules,
        });
        if let Some(target) = match name {
            "edit" => Some("admin"),
            "view" => Some("edit"),
            _ => None,
        } {
            role["metadata"]["labels"][format!("rbac.authorization.k8s.io/aggregate-to-{target}")] = json!("true");
        }
        world.create(&actor, "clusterroles.rbac.authorization.k8s.io", role)?;
    }
    for (name, subjects) in [
        ("cluster-admin", json!([{"kind": "Group", "apiGroup": RBAC, "name": "system:masters"}])),
        ("system:discovery", json!([{"kind": "Group", "apiGroup": RBAC, "name": "system:authenticated"}])),
        ("system:basic-user", json!([{"kind": "Group", "apiGroup": RBAC, "name": "system:authenticated"}])),
        (
            "system:public-info-viewer",
            json!([
                {"kind": "Group", "apiGroup": RBAC, "name": "system:authenticated"},
                {"kind": "Group", "apiGroup": RBAC, "name": "system:unauthenticated"},
            ]),
        ),
    ] {
        world.create(
            &actor,
            "clusterrolebindings.rbac.authorization.k8s.io",
            json!({
                "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
                "subjects": subjects,
            }),
        )?;
    }
    world.create(
        &actor,
        "services",
        json!({
            "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"type": "ClusterIP", "sessionAffinity": "None", "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
        }),
    )?;
    // Where nobody fills in the default class, there is none to fill in.
    if !world.settings().disabled_admission.iter().any(|name| name == "DefaultStorageClass") {
        world.create(
            &actor,
            "storageclasses.storage.k8s.io",
            json!({
                "metadata": {"name": "local-path", "annotations": {"storageclass.kubernetes.io/is-default-class": "true", SIMULATED: BUILT_IN}},
                "provisioner": "rancher.io/local-path", "reclaimPolicy": "Delete",
                "volumeBindingMode": "WaitForFirstConsumer",
            }),
        )?;
    }
    world.create(
        &actor,
        "ingressclasses.networking.k8s.io",
        json!({
            "metadata": {"name": "traefik", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true", SIMULATED: BUILT_IN}},
            "spec": {"controller": "traefik.io/ingress-controller"},
        }),
    )?;
    Ok(())
}

/// Groups and resources that the user-facing roles may read (`bootstrappolicy/policy.go`, `system:aggregate-to-view`).
const READABLE: &[(&[&str], &[&str])] = &[
    (
        &[""],
        &[
            "bindings",
            "configmaps",
            "endpoints",
            "limitranges",
            "namespaces",
            "namespaces/status",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "pods/log",
            "pods/status",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
            "serviceaccounts",
            "services",
            "services/status",
        ],
    ),
    (&["", "events.k8s.io"], &["events"]),
    (&["discovery.k8s.io"], &["endpointslices"]),
    (
        &["apps"],
        &[
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
    ),
    (&["autoscaling"], &["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    (&["batch"], &["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
    (&["policy"], &["poddisruptionbudgets", "poddisruptionbudgets/status"]),
    (&["networking.k8s.io"], &["ingresses", "ingresses/status", "networkpolicies"]),
    (&["resource.k8s.io"], &["resourceclaims", "resourceclaims/status", "resourceclaimtemplates"]),
];

/// What `edit` may write of it; not where services lead (`endpoints`, `endpointslices`): whoever may write that reaches
/// other namespaces' pods through what reads it.
const WRITABLE: &[(&[&str], &[&str])] = &[
    (
        &[""],
        &[
            "configmaps",
            "persistentvolumeclaims",
            "pods",
            "pods/attach",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ],
    ),
    (&["", "events.k8s.io"], &["events"]),
    (
        &["apps"],
        &[
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
    ),
    (&["autoscaling"], &["horizontalpodautoscalers"]),
    (&["batch"], &["cronjobs", "jobs"]),
    (&["policy"], &["poddisruptionbudgets"]),
    (&["networking.k8s.io"], &["ingresses", "networkpolicies"]),
    (&["coordination.k8s.io"], &["leases"]),
    (&["resource.k8s.io"], &["resourceclaims", "resourceclaimtemplates"]),
];

/// What `edit` may read beyond what it may view.
const READABLE_BY_EDITORS: &[(&[&str], &[&str])] = &[
    (&[""], &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"]),
    (&["coordination.k8s.io"], &["leases"]),
];

/// The user-facing default roles, and what everyone may ask.
fn roles() -> Vec<(&'static str, Value)> {
    let rules = |table: &[(&[&str], &[&str])], verbs: &[&str]| -> Vec<Value> {
        let rule = |(groups, resources): &(&[&str], &[&str])| json!({"apiGroups": groups, "resources": resources, "verbs": verbs});
        table.iter().map(rule).collect()
    };
    let read = ["get", "list", "watch"];
    let view = rules(READABLE, &read);
    let mut edit = view.clone();
    edit.extend(rules(READABLE_BY_EDITORS, &read));
    edit.extend(rules(WRITABLE, &["create", "delete", "deletecollection", "patch", "update"]));
    edit.push(json!({"apiGroups": [""], "resources": ["pods/eviction", "serviceaccounts/token"], "verbs": ["create"]}));
    edit.push(json!({"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}));
    let mut admin = edit.clone();
    admin.push(json!({
        "apiGroups": [RBAC], "resources": ["rolebindings", "roles"],
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    }));
    admin.push(
        json!({"apiGroups": ["authorization.k8s.io"], "resources": ["localsubjectaccessreviews"], "verbs": ["create"]}),
    );
    vec![
        (
            "cluster-admin",
            json!([
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["*"]},
            ]),
        ),
        ("admin", Value::Array(admin)),
        ("edit", Value::Array(edit)),
        ("view", Value::Array(view)),
        (
            "system:discovery",
            json!([{
                "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"],
                "verbs": ["get"],
            }]),
        ),
        (
            "system:basic-user",
            json!([
                {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], "verbs": ["create"]},
                {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
            ]),
        ),
        (
            "system:auth-delegator",
            json!([
                {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
                {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
            ]),
        ),
        (
            "system:monitoring",
            json!([{"nonResourceURLs": ["/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz", "/readyz/*"], "verbs": ["get"]}]),
        ),
        (
            "system:service-account-issuer-discovery",
            json!([{"nonResourceURLs": ["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"], "verbs": ["get"]}]),
        ),
        (
            "system:kube-dns",
            json!([{"apiGroups": [""], "resources": ["endpoints", "services"], "verbs": ["list", "watch"]}]),
        ),
        (
            "system:node-problem-detector",
            json!([
                {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
                {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch", "update"]},
            ]),
        ),
        (
            "system:persistent-volume-provisioner",
            json!([
                {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["create", "delete", "get", "list", "watch"]},
                {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list", "update", "watch"]},
                {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get", "list", "watch"]},
                {"apiGroups": [""], "resources": ["events"], "verbs": ["watch", "create", "patch", "update"]},
            ]),
        ),
        (
            "system:public-info-viewer",
            json!([{"nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"], "verbs": ["get"]}]),
        ),
    ]
}
