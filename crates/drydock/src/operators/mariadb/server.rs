//! A `MariaDB`: its secrets, services and stateful set, and with them its readiness.

use landfall_apiserver::Status;
use landfall_object::SIMULATED;
use serde_json::{Map, Value, json};

use super::{MARIADB, MARIADB_DATABASE, MARIADB_GRANT, MARIADB_USER, Verdict, secret_key, write_status};
use crate::controllers::desk::{Desk, Found, Outcome};
use crate::controllers::fields::{
    annotate, controller_reference, count, deleting, int, is_controlled_by, is_true, list, name, namespace, text, truth,
};
use crate::controllers::kind::{BUDGET, CONFIG_MAP, Kind, SECRET, SERVICE, SERVICE_ACCOUNT, STATEFUL_SET};

/// What stands in for a generated password, in base64.
const PLACEHOLDER: &str = "fnNpbXVsYXRlZA==";
/// The image where the operator's own default would stand.
const IMAGE: &str = "docker-registry1.mariadb.com/library/mariadb:11.8.5";

/// Brings one server up to date.
pub(super) fn reconcile(desk: &mut Desk<'_>, within: &str, name_: &str) -> Result<Outcome, Status> {
    let Some(server) = desk.get(&MARIADB, within, name_).filter(|s| !deleting(s)) else { return Ok(Outcome::done()) };
    let verdict = if truth(&server, "/spec/suspend") {
        Verdict { status: "False", reason: "Suspended", message: "Suspended".to_owned() }
    } else {
        match secrets(desk, &server)? {
            Err(why) => Verdict::failed(format!("Error reconciling Secret: {why}")),
            Ok(()) => {
                stand(desk, &server)?;
                let set = desk.get(&STATEFUL_SET, within, name_);
                readiness(set.as_deref().map(|set| set.value()))
            }
        }
    };
    let ready = verdict.status == "True";
    let replicas = int(&server, "/spec/replicas").unwrap_or(1);
    write_status(desk, &MARIADB, &server, &verdict, |status| {
        status["replicas"] = replicas.into();
        status["currentPrimary"] = format!("{name_}-0").into();
        status["currentPrimaryPodIndex"] = 0.into();
    })?;
    if ready {
        first_statements(desk, &server)?;
    }
    Ok(Outcome::done())
}

/// As `SetReadyWithMariaDB` judges the stateful set.
fn readiness(set: Option<&Value>) -> Verdict {
    let runs = set.is_some_and(|set| {
        let replicas = count(set, "/status/replicas");
        let observed = count(set, "/status/observedGeneration") >= count(set, "/metadata/generation");
        observed && replicas > 0 && count(set, "/status/readyReplicas") == replicas
    });
    if runs {
        Verdict { status: "True", reason: "StatefulSetReady", message: "Running".to_owned() }
    } else {
        Verdict { status: "False", reason: "StatefulSetNotReady", message: "Not ready".to_owned() }
    }
}

/// The root password's secret and key: as written, else `NAME-root` made by the operator.
fn root_password(server: &Value) -> Value {
    match server.pointer("/spec/rootPasswordSecretKeyRef") {
        Some(reference) if !text(reference, "/name").is_empty() => reference.clone(),
        _ => json!({"name": format!("{}-root", name(server)), "key": "password", "generate": true}),
    }
}

/// The initial user's password, when there is an initial user.
fn user_password(server: &Value) -> Option<Value> {
    let user = text(server, "/spec/username");
    match server.pointer("/spec/passwordSecretKeyRef") {
        Some(reference) => Some(reference.clone()),
        None if user.is_empty() || server.pointer("/spec/passwordHashSecretKeyRef").is_some() => None,
        None => Some(json!({"name": format!("{}-password", name(server)), "key": "password", "generate": true})),
    }
}

/// Makes the secrets that are to be generated and copies the root password; why not, when one is missing.
fn secrets(desk: &mut Desk<'_>, server: &Found) -> Result<Result<(), String>, Status> {
    let root = root_password(server);
    let empty = truth(server, "/spec/rootEmptyPassword");
    let within = server.namespace().to_owned();
    for reference in (!empty).then(|| root.clone()).into_iter().chain(user_password(server)) {
        let name = text(&reference, "/name");
        if desk.get(&SECRET, &within, name).is_some() {
            continue;
        }
        if !truth(&reference, "/generate") {
            return Ok(Err(format!("error reconciling password Secret: Secret \"{name}\" not found")));
        }
        // Without an owner, as the operator makes it: a password outlives the server it was made for.
        let mut made = named("v1", "Secret", name, &within);
        made["type"] = "Opaque".into();
        made["data"] = json!({text(&reference, "/key"): PLACEHOLDER});
        annotate(&mut made, SIMULATED, "every value is ~simulated");
        desk.create(&SECRET, made)?;
    }
    if !empty {
        let password = match secret_key(desk, &within, &root) {
            Ok(password) => password,
            Err(why) => return Ok(Err(format!("error getting root password secret: {why}"))),
        };
        let mut copy = named("v1", "Secret", &format!("internal-{}", server.name()), &within);
        copy["type"] = "Opaque".into();
        copy["data"] = json!({text(&root, "/key"): password});
        ensure(desk, &SECRET, server, copy)?;
    }
    Ok(Ok(()))
}

fn named(version: &str, kind: &str, name: &str, within: &str) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": within}})
}

/// Creates an object of the server's own unless there is one of that name.
fn ensure(desk: &mut Desk<'_>, kind: &Kind, server: &Value, mut object: Value) -> Result<(), Status> {
    if desk.get(kind, namespace(server), name(&object)).is_none() {
        object["metadata"]["ownerReferences"] = json!([controller_reference(server)]);
        inherit(server, &mut object);
        desk.create(kind, object)?;
    }
    Ok(())
}

/// `inheritMetadata`: labels and annotations for all that the server owns.
fn inherit(server: &Value, object: &mut Value) {
    for part in ["labels", "annotations"] {
        let inherited = server.pointer(&format!("/spec/inheritMetadata/{part}")).and_then(Value::as_object);
        for (key, value) in inherited.into_iter().flatten() {
            object["metadata"][part][key] = value.clone();
        }
    }
}

fn labels(server: &Value) -> Value {
    json!({"app.kubernetes.io/name": "mariadb", "app.kubernetes.io/instance": name(server)})
}

/// Everything the server runs on.
fn stand(desk: &mut Desk<'_>, server: &Found) -> Result<(), Status> {
    let (name_, within) = (server.name(), server.namespace());
    let mut settings = named("v1", "ConfigMap", &format!("{name_}-config-default"), within);
    settings["data"] = json!({"0-default.cnf": "[mariadb]\nskip-name-resolve\ntemp-pool\n"});
    ensure(desk, &CONFIG_MAP, server, settings)?;
    ensure(desk, &SERVICE_ACCOUNT, server, named("v1", "ServiceAccount", name_, within))?;
    stateful_set(desk, server)?;
    if let Some(budget) = server.pointer("/spec/podDisruptionBudget") {
        let mut object = named("policy/v1", "PodDisruptionBudget", name_, within);
        object["spec"] = budget.clone();
        object["spec"]["selector"] = json!({"matchLabels": labels(server)});
        ensure(desk, &BUDGET, server, object)?;
    }
    let port = json!([{"name": "mariadb", "port": int(server, "/spec/port").unwrap_or(3306)}]);
    let mut internal = named("v1", "Service", &format!("{name_}-internal"), within);
    internal["spec"] =
        json!({"clusterIP": "None", "publishNotReadyAddresses": true, "ports": port, "selector": labels(server)});
    ensure(desk, &SERVICE, server, internal)?;
    let mut service = named("v1", "Service", name_, within);
    service["spec"] = json!({"ports": port, "selector": labels(server)});
    if let Some(kind) = server.pointer("/spec/service/type") {
        service["spec"]["type"] = kind.clone();
    }
    ensure(desk, &SERVICE, server, service)?;
    if truth(server, "/spec/replication/enabled") || truth(server, "/spec/galera/enabled") {
        // Which pod is the primary is not simulated: both services lead to all of them.
        for role in ["primary", "secondary"] {
            let mut service = named("v1", "Service", &format!("{name_}-{role}"), within);
            service["spec"] = json!({"ports": port, "selector": labels(server)});
            ensure(desk, &SERVICE, server, service)?;
        }
    }
    Ok(())
}

fn stateful_set(desk: &mut Desk<'_>, server: &Found) -> Result<(), Status> {
    let wanted = stateful_set_spec(server);
    let Some(there) = desk.get(&STATEFUL_SET, server.namespace(), server.name()) else {
        let mut set = named("apps/v1", "StatefulSet", server.name(), server.namespace());
        set["spec"] = wanted;
        return ensure(desk, &STATEFUL_SET, server, set);
    };
    if !is_controlled_by(&there, server) {
        return Ok(());
    }
    let mut changed = there.value().clone();
    changed["spec"]["replicas"] = wanted["replicas"].clone();
    let container = &wanted["template"]["spec"]["containers"][0];
    for field in ["image", "resources"] {
        if let Some(value) = container.get(field) {
            changed["spec"]["template"]["spec"]["containers"][0][field] = value.clone();
        }
    }
    if changed != *there.value() {
        desk.update(&STATEFUL_SET, changed)?;
    }
    Ok(())
}

fn stateful_set_spec(server: &Value) -> Value {
    let name_ = name(server);
    let port = int(server, "/spec/port").unwrap_or(3306);
    let root = root_password(server);
    let mut env = vec![
        json!({"name": "MYSQL_TCP_PORT", "value": port.to_string()}),
        json!({"name": "MARIADB_ROOT_HOST", "value": "%"}),
        json!({"name": "MARIADB_NAME", "value": name_}),
    ];
    env.push(if truth(server, "/spec/rootEmptyPassword") {
        json!({"name": "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "value": "yes"})
    } else {
        let (secret, key) = (text(&root, "/name"), text(&root, "/key"));
        json!({"name": "MARIADB_ROOT_PASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    });
    env.extend(list(server, "/spec/env").iter().cloned());
    let asks = json!({
        "exec": {"command": ["bash", "-c", "mariadb -u root -p\"${MARIADB_ROOT_PASSWORD}\" -e \"SELECT 1;\""]},
        "initialDelaySeconds": 20, "timeoutSeconds": 5, "periodSeconds": 10,
    });
    let image = text(server, "/spec/image");
    let probe = |field: &str| server.pointer(&format!("/spec/{field}")).cloned().unwrap_or_else(|| asks.clone());
    let mut container = json!({
        "name": "mariadb",
        "image": if image.is_empty() { IMAGE } else { image },
        "env": env,
        "ports": [{"name": "mariadb", "containerPort": port}],
        "volumeMounts": [
            {"name": "storage", "mountPath": "/var/lib/mysql"},
            {"name": "mariadb-config", "mountPath": "/etc/mysql/mariadb.conf.d"},
        ],
        "livenessProbe": probe("livenessProbe"),
        "readinessProbe": probe("readinessProbe"),
    });
    for field in ["imagePullPolicy", "resources", "securityContext", "envFrom"] {
        if let Some(value) = server.pointer(&format!("/spec/{field}")) {
            container[field] = value.clone();
        }
    }
    let mut pod = json!({
        "serviceAccountName": name_,
        "containers": [container],
        "volumes": [{"name": "mariadb-config", "configMap": {"name": format!("{name_}-config-default")}}],
    });
    for (field, pointer) in [
        ("imagePullSecrets", "/spec/imagePullSecrets"),
        ("nodeSelector", "/spec/nodeSelector"),
        ("tolerations", "/spec/tolerations"),
        ("securityContext", "/spec/podSecurityContext"),
    ] {
        if let Some(value) = server.pointer(pointer) {
            pod[field] = value.clone();
        }
    }
    let mut labels_of_pods = labels(server);
    for (key, value) in server.pointer("/spec/podMetadata/labels").and_then(Value::as_object).into_iter().flatten() {
        labels_of_pods[key] = value.clone();
    }
    let mut spec = json!({
        "serviceName": format!("{name_}-internal"),
        "replicas": int(server, "/spec/replicas").unwrap_or(1),
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": labels(server)},
        "template": {"metadata": {"labels": labels_of_pods}, "spec": pod},
    });
    spec["updateStrategy"] = match text(server, "/spec/updateStrategy/type") {
        "RollingUpdate" => json!({"type": "RollingUpdate"}),
        // `ReplicasFirstPrimaryLast`, the default: the operator deletes outdated pods itself.
        "OnDelete" | "Never" => json!({"type": "OnDelete"}),
        _ => json!({"type": "RollingUpdate"}),
    };
    if truth(server, "/spec/storage/ephemeral") {
        let volumes = spec["template"]["spec"]["volumes"].as_array_mut().into_iter();
        volumes.for_each(|volumes| volumes.push(json!({"name": "storage", "emptyDir": {}})));
    } else {
        spec["volumeClaimTemplates"] = json!([{
            "metadata": {"name": "storage", "labels": {"pvc.k8s.mariadb.com/role": "storage"}},
            "spec": claim_spec(server),
        }]);
    }
    spec
}

fn claim_spec(server: &Value) -> Value {
    if let Some(written) = server.pointer("/spec/storage/volumeClaimTemplate") {
        let mut written = written.as_object().cloned().unwrap_or_else(Map::new);
        written.remove("metadata");
        return written.into();
    }
    let size = server.pointer("/spec/storage/size").cloned().unwrap_or_else(|| "1Gi".into());
    let mut claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}});
    if let Some(class) = server.pointer("/spec/storage/storageClassName") {
        claim["storageClassName"] = class.clone();
    }
    claim
}

/// What a new server gets without being asked: its own system user, and the initial database with its user.
fn first_statements(desk: &mut Desk<'_>, server: &Found) -> Result<(), Status> {
    let (name_, within) = (server.name(), server.namespace());
    let reference = json!({"name": name_, "namespace": within, "waitForIt": true});
    let object = |kind: &str, name: String, spec: Value| {
        let mut object = named("k8s.mariadb.com/v1alpha1", kind, &name, within);
        object["spec"] = spec;
        object["spec"]["mariaDbRef"] = reference.clone();
        object
    };
    let database = text(server, "/spec/database");
    if !database.is_empty() {
        let wanted = object("Database", format!("{name_}-database"), json!({"name": database}));
        ensure(desk, &MARIADB_DATABASE, server, kept_as(server, wanted))?;
    }
    let system = format!("{name_}-mariadb-sys");
    let spec = json!({"name": "mariadb.sys", "host": "localhost", "maxUserConnections": 20, "cleanupPolicy": "Skip"});
    ensure(desk, &MARIADB_USER, server, object("User", system.clone(), spec))?;
    if desk.get(&MARIADB_USER, within, &system).is_some_and(|user| is_true(&user, "Ready")) {
        let spec = json!({
            "privileges": ["SELECT", "UPDATE", "DELETE"], "database": "mysql", "table": "global_priv",
            "username": "mariadb.sys", "host": "localhost", "cleanupPolicy": "Skip",
        });
        ensure(desk, &MARIADB_GRANT, server, object("Grant", format!("{name_}-mariadb-sys-global-priv"), spec))?;
    }
    let user = text(server, "/spec/username");
    if user.is_empty() || database.is_empty() {
        return Ok(());
    }
    let mut spec = json!({"name": user, "host": "%", "maxUserConnections": 20});
    if let Some(password) = user_password(server) {
        spec["passwordSecretKeyRef"] = json!({"name": password["name"], "key": password["key"]});
    }
    let initial = format!("{name_}-user");
    ensure(desk, &MARIADB_USER, server, kept_as(server, object("User", initial.clone(), spec)))?;
    if desk.get(&MARIADB_USER, within, &initial).is_some_and(|user| is_true(&user, "Ready")) {
        let spec = json!({
            "privileges": ["ALL PRIVILEGES"], "database": database, "table": "*", "username": user, "host": "%",
        });
        ensure(desk, &MARIADB_GRANT, server, kept_as(server, object("Grant", format!("{name_}-user-all"), spec)))?;
    }
    Ok(())
}

fn kept_as(server: &Value, mut object: Value) -> Value {
    if let Some(policy) = server.pointer("/spec/cleanupPolicy") {
        object["spec"]["cleanupPolicy"] = policy.clone();
    }
    object
}
