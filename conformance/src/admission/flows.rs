//! What is not a new pod: workloads, labels of namespaces, pods that change.

use serde_json::{Value, json};

use super::cases::base;
use super::server::Request;
use super::table::Base;

/// The label of a mode, as `enforce` or `warn-version`.
pub(super) fn label(mode: &str) -> String {
    format!("pod-security.kubernetes.io/{mode}")
}

/// A namespace with labels of modes.
pub(super) fn namespace(name: &str, modes: &[(&str, &str)]) -> Value {
    let labels: serde_json::Map<String, Value> =
        modes.iter().map(|(mode, value)| (label(mode), json!(value))).collect();
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// Pods that workloads are made of.
fn templates() -> Vec<(&'static str, Value)> {
    let mut host = base(Base::Linux);
    host["spec"]["hostNetwork"] = json!(true);
    let mut root = base(Base::Linux);
    root["spec"]["securityContext"] = json!({});
    let mut old = base(Base::Linux);
    old["spec"]["securityContext"] = json!({"runAsNonRoot": true});
    old["metadata"]["annotations"] = json!({
        "container.apparmor.security.beta.kubernetes.io/main": "unconfined",
        "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
    });
    let mut volumes = base(Base::Linux);
    volumes["spec"]["volumes"] =
        json!([{"name": "g", "gitRepo": {"repository": "r"}}, {"name": "h", "hostPath": {"path": "/"}}]);
    vec![("good", base(Base::Linux)), ("host", host), ("root", root), ("old", old), ("volumes", volumes)]
}

/// Modes of the namespaces that workloads are sent into.
pub(super) const MODES: [(&str, &[(&str, &str)]); 7] = [
    ("none", &[]),
    ("enforce", &[("enforce", "restricted")]),
    ("warn", &[("warn", "baseline")]),
    ("warn-old", &[("warn", "restricted"), ("warn-version", "v1.10")]),
    ("audit", &[("audit", "restricted")]),
    ("enforce-quietly", &[("enforce", "baseline"), ("warn", "privileged")]),
    (
        "enforce-and-warn",
        &[("enforce", "baseline"), ("enforce-version", "v1.22"), ("warn-version", "v1.30"), ("warn", "restricted")],
    ),
];

/// Workloads of every kind, as dry runs.
pub(super) fn workloads() -> Vec<Request> {
    let mut requests = Vec::new();
    for (modes, _) in MODES {
        for (what, pod) in templates() {
            let labels = json!({"app": "w"});
            let mut template = json!({"metadata": pod["metadata"], "spec": pod["spec"]});
            template["metadata"]["labels"] = labels.clone();
            let mut ending = template.clone();
            ending["spec"]["restartPolicy"] = json!("Never");
            let set = json!({"selector": {"matchLabels": labels}, "template": template});
            let mut stateful = set.clone();
            stateful["serviceName"] = json!("w");
            let job = json!({"template": ending});
            let kinds = [
                ("apis/apps/v1", "Deployment", "deployments", set.clone()),
                ("apis/apps/v1", "ReplicaSet", "replicasets", set.clone()),
                ("apis/apps/v1", "DaemonSet", "daemonsets", set),
                ("apis/apps/v1", "StatefulSet", "statefulsets", stateful),
                ("apis/batch/v1", "Job", "jobs", job.clone()),
                (
                    "apis/batch/v1",
                    "CronJob",
                    "cronjobs",
                    json!({"schedule": "* * * * *", "jobTemplate": {"spec": job}}),
                ),
                (
                    "api/v1",
                    "ReplicationController",
                    "replicationcontrollers",
                    json!({"selector": labels, "template": template}),
                ),
            ];
            for (group, kind, plural, spec) in kinds {
                let version = group.trim_start_matches("apis/").trim_start_matches("api/");
                let body = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "w"}, "spec": spec});
                let path = format!("/{group}/namespaces/modes-{modes}/{plural}?dryRun=All");
                requests.push(Request::post(format!("workload/{modes}/{what}/{kind}"), path, body));
            }
            let body =
                json!({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "w"}, "template": template});
            let path = format!("/api/v1/namespaces/modes-{modes}/podtemplates?dryRun=All");
            requests.push(Request::post(format!("workload/{modes}/{what}/PodTemplate"), path, body));
            let mut named = pod.clone();
            named["metadata"]["name"] = json!("w");
            let path = format!("/api/v1/namespaces/modes-{modes}/pods?dryRun=All");
            requests.push(Request::post(format!("workload/{modes}/{what}/Pod"), path, named));
        }
    }
    requests
}

/// Values that labels are tried with.
const VALUES: [&str; 16] = [
    "privileged",
    "baseline",
    "restricted",
    "latest",
    "v1.25",
    "v1.0",
    "v1.999",
    "odd",
    "",
    "Restricted",
    "1.25",
    "v1",
    "v1.01",
    "v2.0",
    "V1.25",
    "v1.25.1",
];

/// Namespaces made and changed with right and wrong labels, as dry runs.
pub(super) fn labels() -> Vec<Request> {
    let modes = ["enforce", "enforce-version", "audit", "audit-version", "warn", "warn-version"];
    let mut requests = Vec::new();
    for mode in modes {
        for value in VALUES {
            let body = namespace("made", &[(mode, value)]);
            requests.push(Request::post(
                format!("label/made/{mode}={value}"),
                "/api/v1/namespaces?dryRun=All".into(),
                body,
            ));
            let body = json!({"metadata": {"labels": {label(mode): value}}});
            for into in ["plain", "peopled"] {
                let path = format!("/api/v1/namespaces/{into}?dryRun=All");
                requests.push(Request::merge(format!("label/{into}/{mode}={value}"), path, body.clone()));
            }
        }
    }
    let many = [("enforce", "odd"), ("audit-version", "1"), ("warn", ""), ("warn-version", "v1.2")];
    requests.push(Request::post(
        "label/several".into(),
        "/api/v1/namespaces?dryRun=All".into(),
        namespace("made", &many),
    ));
    let body = json!({"metadata": {"labels": {label("enforce"): "restricted", label("enforce-version"): "v1.20"}}});
    requests.push(Request::merge("label/peopled/old".into(), "/api/v1/namespaces/peopled?dryRun=All".into(), body));
    requests
}

/// The pods of the namespace `peopled`.
pub(super) fn people() -> Vec<Request> {
    let mut requests = Vec::new();
    let mut pod = |name: &str, owner: Option<&str>, change: &dyn Fn(&mut Value)| {
        let mut pod = base(Base::Linux);
        pod["metadata"]["name"] = json!(name);
        if let Some(uid) = owner {
            pod["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "set", "uid": uid, "controller": true,
            }]);
        }
        change(&mut pod);
        requests.push(Request::post(format!("people/{name}"), "/api/v1/namespaces/peopled/pods".into(), pod));
    };
    pod("good", None, &|_| {});
    for name in ["host-b", "host-a", "host-c"] {
        pod(name, None, &|pod| pod["spec"]["hostPID"] = json!(true));
    }
    for name in ["set-z", "set-y"] {
        pod(name, Some("11111111-1111-1111-1111-111111111111"), &|pod| pod["spec"]["securityContext"] = json!({}));
    }
    pod("both", None, &|pod| {
        pod["spec"]["hostIPC"] = json!(true);
        pod["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    });
    requests
}

/// A life of namespaces and pods, in which each step leans on those before.
pub(super) fn lives() -> Vec<Request> {
    let at = |path: &str| format!("/api/v1/namespaces/life{path}");
    let mut requests = vec![
        Request::post("life/made wrong".into(), "/api/v1/namespaces".into(), namespace("life", &[("enforce", "odd")])),
        Request::post("life/made".into(), "/api/v1/namespaces".into(), namespace("life", &[])),
        Request::post(
            "life/account".into(),
            at("/serviceaccounts"),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}),
        ),
    ];
    let mut bad = base(Base::Linux);
    bad["metadata"]["name"] = json!("bad");
    bad["spec"]["hostNetwork"] = json!(true);
    let mut good = base(Base::Linux);
    good["metadata"]["name"] = json!("good");
    requests.push(Request::post("life/a bad pod before".into(), at("/pods"), bad.clone()));
    requests.push(Request::post("life/a good pod before".into(), at("/pods"), good.clone()));
    let enforce = |level: Value| json!({"metadata": {"labels": {label("enforce"): level}}});
    requests.push(Request::merge("life/enforced wrongly".into(), at(""), enforce(json!("odd"))));
    requests.push(Request::merge("life/enforced".into(), at(""), enforce(json!("baseline"))));
    requests.push(Request::merge("life/enforced again".into(), at(""), enforce(json!("baseline"))));
    requests.push(Request::merge("life/enforced more".into(), at(""), enforce(json!("restricted"))));
    requests.push(Request::merge("life/enforced less".into(), at(""), enforce(json!("baseline"))));
    let version = json!({"metadata": {"labels": {label("enforce-version"): "v1.20"}}});
    requests.push(Request::merge("life/enforced as of another version".into(), at(""), version));
    let mut late = bad.clone();
    late["metadata"]["name"] = json!("late");
    requests.push(Request::post("life/a bad pod after".into(), at("/pods"), late.clone()));
    late["metadata"] = json!({"generateName": "late-"});
    late["spec"]["hostNetwork"] = json!(false);
    requests.push(Request::post("life/a good pod after".into(), at("/pods"), late));
    requests.push(Request::merge(
        "life/a label of the bad pod".into(),
        at("/pods/bad"),
        json!({"metadata": {"labels": {"a": "b"}}}),
    ));
    let image = |name: &str, image: &str| json!({"spec": {"containers": [{"name": name, "image": image}]}});
    requests.push(Request::strategic(
        "life/an image of the bad pod".into(),
        at("/pods/bad"),
        image("main", "registry.example.com/i:2"),
    ));
    requests.push(Request::strategic(
        "life/an image of the good pod".into(),
        at("/pods/good"),
        image("main", "registry.example.com/i:2"),
    ));
    let first = json!({"spec": {"initContainers": [{"name": "first", "image": "registry.example.com/i:3"}]}});
    requests.push(Request::strategic("life/a first image of the bad pod".into(), at("/pods/bad"), first));
    requests.push(Request::merge(
        "life/a status of the bad pod".into(),
        at("/pods/bad/status"),
        json!({"status": {"message": "m"}}),
    ));
    let debug = |name: &str, security: Value| json!({"spec": {"ephemeralContainers": [{"name": name, "image": "registry.example.com/d:1", "securityContext": security}]}});
    let safe = || json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    for (pod, name, security) in [
        ("good", "privileged", json!({"privileged": true})),
        ("good", "adding", json!({"capabilities": {"add": ["SYS_PTRACE"]}})),
        ("good", "safe", safe()),
        ("good", "bare", json!({})),
        ("bad", "on-the-host", safe()),
    ] {
        let path = at(&format!("/pods/{pod}/ephemeralcontainers"));
        requests.push(Request::strategic(format!("life/{pod} gets {name}"), path, debug(name, security)));
    }
    requests.push(Request::merge("life/restricted".into(), at(""), enforce(json!("restricted"))));
    let path = at("/pods/good/ephemeralcontainers");
    requests.push(Request::strategic("life/good gets another bare".into(), path, debug("bare-too", json!({}))));
    requests.push(Request::merge("life/nothing enforced".into(), at(""), enforce(Value::Null)));
    requests.push(Request::strategic(
        "life/an image of the bad pod at last".into(),
        at("/pods/bad"),
        image("main", "registry.example.com/i:4"),
    ));
    requests
}
