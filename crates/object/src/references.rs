//! What an object needs to exist elsewhere, and what it brings into being: for "does every reference resolve?".

mod backends;
mod custom;
mod pod;
mod programs;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Object;

pub use programs::{Certainty, Lack, Program, Rights, account, programs, texts};

/// One reference from an object to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The API group of what is referred to; empty for core.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; `None` for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The key of a Secret or ConfigMap, or the port (number or name) of a Service.
    pub key: Option<String>,
    /// The field that refers: `spec.template.spec.containers[0].env[2].valueFrom.secretKeyRef`.
    pub path: String,
    /// What happens without it.
    pub need: Need,
}

/// What happens when a reference does not resolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Declared optional: nothing.
    Optional,
    /// Nothing is refused, but something does not work until it appears (a route, a certificate's Secret).
    Later,
    /// The object cannot start, or is refused.
    Start,
}

/// Something an object makes a controller create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    /// The API group of what is created; empty for core.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The keys it will have; `None` when they are not known.
    pub keys: Option<Vec<String>>,
}

/// Everything the object refers to by name, in the order of its fields.
pub fn references(object: &Object) -> Vec<Reference> {
    let mut found = Collector { namespace: object.namespace().map(str::to_owned), references: Vec::new() };
    match (object.group(), object.kind()) {
        ("", "Pod") => pod::pod_spec(&mut found, object.at("/spec"), "spec"),
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => {
            pod::pod_spec(&mut found, object.at("/spec/template/spec"), "spec.template.spec");
            if object.kind() == "StatefulSet" {
                claims_instead_of_volumes(&mut found, object);
                stateful_set(&mut found, object);
            }
        }
        ("batch", "CronJob") => {
            let path = "spec.jobTemplate.spec.template.spec";
            pod::pod_spec(&mut found, object.at("/spec/jobTemplate/spec/template/spec"), path);
        }
        ("", "PersistentVolumeClaim") => claim_spec(&mut found, object.at("/spec"), "spec"),
        ("", "ServiceAccount") => {
            for (at, entry) in object.list_at("/imagePullSecrets").iter().enumerate() {
                found.core("Secret", entry.get("name"), None, format!("imagePullSecrets[{at}]"), Need::Later);
            }
        }
        ("networking.k8s.io" | "extensions", "Ingress") => ingress(&mut found, object),
        ("autoscaling", "HorizontalPodAutoscaler") => {
            found.object(object.at("/spec/scaleTargetRef"), "spec.scaleTargetRef", Need::Later);
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => binding(&mut found, object),
        ("apiregistration.k8s.io", "APIService") => {
            service_target(&mut found, object.at("/spec/service"), "spec.service", Need::Later);
        }
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration") => {
            for (at, webhook) in object.list_at("/webhooks").iter().enumerate() {
                let path = format!("webhooks[{at}].clientConfig.service");
                service_target(&mut found, webhook.pointer("/clientConfig/service"), &path, Need::Later);
            }
        }
        _ => {
            custom::references(&mut found, object);
            backends::references(&mut found, object);
        }
    }
    if runs_on_request(object) {
        // Programs may have made by then what no manifest brings.
        found.references.iter_mut().for_each(|reference| reference.need = reference.need.min(Need::Later));
    }
    found.references
}

/// Whether an object is a test of Helm's and nothing else: it runs when somebody asks for it.
fn runs_on_request(object: &Object) -> bool {
    let events = object.annotation("helm.sh/hook").map(str::trim).filter(|events| !events.is_empty());
    events.is_some_and(|events| events.split(',').all(|event| matches!(event.trim(), "test" | "test-success")))
}

/// The keys of a Secret's or ConfigMap's data, also those that a cluster fills in by itself; nothing of other kinds.
pub fn data_keys(object: &Object) -> Option<BTreeSet<String>> {
    let holds_data = object.group().is_empty() && matches!(object.kind(), "Secret" | "ConfigMap");
    holds_data.then(|| {
        let maps = ["/data", "/stringData", "/binaryData"].into_iter().filter_map(|field| object.at(field));
        let written = maps.filter_map(Value::as_object).flat_map(|map| map.keys().cloned());
        let is_token = object.str_at("/type") == Some("kubernetes.io/service-account-token");
        written.chain(OF_A_TOKEN.iter().filter(|_| is_token).map(|key| (*key).to_owned())).collect()
    })
}

/// What a cluster writes into a Secret of a ServiceAccount's token (`pkg/controller/serviceaccount/tokens_controller.go`).
const OF_A_TOKEN: &[&str] = &["token", "ca.crt", "namespace"];

/// What controllers will create on the object's behalf.
pub fn provides(object: &Object) -> Vec<Provided> {
    custom::provides(object)
}

/// Metadata and spec of the pods that an object asks for, or of the pod that it is.
fn pod_template_of(object: &Object) -> Option<(&Value, &Value)> {
    let template = match (object.group(), object.kind()) {
        ("", "Pod") => object.value(),
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => object.at("/spec/template")?,
        ("batch", "CronJob") => object.at("/spec/jobTemplate/spec/template")?,
        _ => return None,
    };
    Some((template.get("metadata").unwrap_or(&Value::Null), template.get("spec")?))
}

struct Collector {
    namespace: Option<String>,
    references: Vec<Reference>,
}

impl Collector {
    /// Notes a reference, unless the name is missing or empty.
    #[allow(clippy::too_many_arguments, reason = "one call a field, each with its own words")]
    fn add(
        &mut self,
        group: &str,
        kind: &str,
        namespace: Option<String>,
        name: Option<&Value>,
        key: Option<String>,
        path: String,
        need: Need,
    ) {
        if let Some(name) = name.and_then(Value::as_str).filter(|name| !name.is_empty()) {
            let (group, kind, name) = (group.to_owned(), kind.to_owned(), name.to_owned());
            self.references.push(Reference { group, kind, namespace, name, key, path, need });
        }
    }

    /// A core object in the object's own namespace.
    fn core(&mut self, kind: &str, name: Option<&Value>, key: Option<String>, path: String, need: Need) {
        self.add("", kind, self.namespace.clone(), name, key, path, need);
    }

    /// A cluster-scoped object.
    fn cluster(&mut self, group: &str, kind: &str, name: Option<&Value>, path: String, need: Need) {
        self.add(group, kind, None, name, None, path, need);
    }

    /// A `{apiVersion, kind, name}` in the object's own namespace.
    fn object(&mut self, target: Option<&Value>, path: &str, need: Need) {
        let Some(target) = target else { return };
        let text = |field: &str| target.get(field).and_then(Value::as_str).unwrap_or_default();
        let (group, _) = crate::gvk::split_api_version(text("apiVersion"));
        self.add(group, text("kind"), self.namespace.clone(), target.get("name"), None, path.to_owned(), need);
    }
}

/// A port by number or name, as text.
fn port_text(port: Option<&Value>) -> Option<String> {
    match port? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// Leaves out what volumes refer to whose place a claim takes: the controller puts each pod's own there.
fn claims_instead_of_volumes(found: &mut Collector, object: &Object) {
    let claims = object.list_at("/spec/volumeClaimTemplates");
    for (at, volume) in object.list_at("/spec/template/spec/volumes").iter().enumerate() {
        if claims.iter().any(|claim| claim["metadata"]["name"] == volume["name"]) {
            let path = format!("spec.template.spec.volumes[{at}].");
            found.references.retain(|reference| !reference.path.starts_with(&path));
        }
    }
}

fn stateful_set(found: &mut Collector, object: &Object) {
    found.core("Service", object.at("/spec/serviceName"), None, "spec.serviceName".to_owned(), Need::Later);
    for (at, template) in object.list_at("/spec/volumeClaimTemplates").iter().enumerate() {
        claim_spec(found, template.get("spec"), &format!("spec.volumeClaimTemplates[{at}].spec"));
    }
}

fn claim_spec(found: &mut Collector, spec: Option<&Value>, path: &str) {
    let Some(spec) = spec else { return };
    let name = spec.get("storageClassName");
    found.cluster("storage.k8s.io", "StorageClass", name, format!("{path}.storageClassName"), Need::Later);
    found.cluster("", "PersistentVolume", spec.get("volumeName"), format!("{path}.volumeName"), Need::Later);
}

fn ingress(found: &mut Collector, object: &Object) {
    let class = object.at("/spec/ingressClassName");
    found.cluster("networking.k8s.io", "IngressClass", class, "spec.ingressClassName".to_owned(), Need::Later);
    for field in ["defaultBackend", "backend"] {
        backend(found, object.at(&format!("/spec/{field}")), &format!("spec.{field}"));
    }
    for (rule_at, rule) in object.list_at("/spec/rules").iter().enumerate() {
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        for (at, path) in paths.into_iter().flatten().enumerate() {
            backend(found, path.get("backend"), &format!("spec.rules[{rule_at}].http.paths[{at}].backend"));
        }
    }
    for (at, tls) in object.list_at("/spec/tls").iter().enumerate() {
        found.core("Secret", tls.get("secretName"), None, format!("spec.tls[{at}].secretName"), Need::Later);
    }
    custom::ingress_annotations(found, object);
}

fn backend(found: &mut Collector, backend: Option<&Value>, path: &str) {
    let Some(backend) = backend else { return };
    let port = backend.pointer("/service/port");
    let port = port_text(port.and_then(|port| port.get("number").or_else(|| port.get("name"))));
    found.core("Service", backend.pointer("/service/name"), port, format!("{path}.service"), Need::Later);
    // Versions before v1 wrote the two beside each other.
    let port = port_text(backend.get("servicePort"));
    found.core("Service", backend.get("serviceName"), port, format!("{path}.serviceName"), Need::Later);
}

fn service_target(found: &mut Collector, target: Option<&Value>, path: &str, need: Need) {
    let Some(target) = target else { return };
    let namespace = target.get("namespace").and_then(Value::as_str).map(str::to_owned);
    // The API server asks at 443 where nothing is said (kubernetes/api, admissionregistration/v1 and apiregistration/v1).
    let port = port_text(target.get("port")).or_else(|| Some("443".to_owned()));
    found.add("", "Service", namespace, target.get("name"), port, path.to_owned(), need);
}

fn binding(found: &mut Collector, object: &Object) {
    let role = object.at("/roleRef");
    let text = |field: &str| role.and_then(|role| role.get(field)).and_then(Value::as_str).unwrap_or_default();
    let namespace = if text("kind") == "Role" { found.namespace.clone() } else { None };
    let name = role.and_then(|role| role.get("name"));
    let kind = text("kind").to_owned();
    found.add("rbac.authorization.k8s.io", &kind, namespace, name, None, "roleRef".to_owned(), Need::Later);
    for (at, subject) in object.list_at("/subjects").iter().enumerate() {
        if subject.get("kind").and_then(Value::as_str) == Some("ServiceAccount") {
            // Where nothing is said, a RoleBinding's own namespace counts.
            let namespace = subject.get("namespace").and_then(Value::as_str).filter(|namespace| !namespace.is_empty());
            let namespace = namespace.map(str::to_owned).or_else(|| found.namespace.clone());
            let name = subject.get("name");
            found.add("", "ServiceAccount", namespace, name, None, format!("subjects[{at}]"), Need::Later);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(value: Value) -> Vec<String> {
        let object = Object::from_value(value).expect("a map");
        let line = |reference: Reference| {
            let key = reference.key.map(|key| format!(":{key}")).unwrap_or_default();
            let namespace = reference.namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
            format!("{:?} {} {namespace}{}{key} at {}", reference.need, reference.kind, reference.name, reference.path)
        };
        references(&object).into_iter().map(line).collect()
    }

    #[test]
    fn what_a_cluster_fills_in_are_keys_of_the_data() {
        let keys = |kind: &str, of: &str| {
            let value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "s"}, "type": of,
                "data": {"b": ""}, "stringData": {"a": ""}});
            data_keys(&Object::from_value(value).expect("a map"))
                .map(|keys| keys.into_iter().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(keys("Secret", "Opaque").as_deref(), Some("a b"));
        let token = keys("Secret", "kubernetes.io/service-account-token");
        assert_eq!(token.as_deref(), Some("a b ca.crt namespace token"));
        assert_eq!(keys("Service", "ClusterIP"), None);
    }

    #[test]
    fn what_a_test_needs_may_come_until_somebody_asks_for_it() {
        let needs = |hook: &str| {
            let value = json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "t", "namespace": "n", "annotations": {"helm.sh/hook": hook}},
                "spec": {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}});
            seen(value)[0].split(' ').next().map(str::to_owned).expect("a need")
        };
        assert_eq!((needs("test"), needs(" test-success, test")), ("Later".to_owned(), "Later".to_owned()));
        assert_eq!((needs("pre-install,test"), needs("")), ("Start".to_owned(), "Start".to_owned()));
    }

    #[test]
    fn a_workloads_secrets_maps_claims_and_accounts_are_found_with_their_fields() {
        let container = json!({"name": "c",
            "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k", "optional": true}}}],
            "envFrom": [{"secretRef": {"name": "all"}}]});
        let spec = json!({"serviceAccountName": "sa", "imagePullSecrets": [{"name": "pull"}], "containers": [container],
            "volumes": [{"name": "v", "secret": {"secretName": "s", "items": [{"key": "x", "path": "x"}]}},
                {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "p", "projected": {"sources": [{"configMap": {"name": "m2"}}]}}]});
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w", "namespace": "n"},
            "spec": {"template": {"spec": spec}}});
        assert_eq!(
            seen(deployment),
            [
                "Start ServiceAccount n/sa at spec.template.spec.serviceAccountName",
                "Later Secret n/pull at spec.template.spec.imagePullSecrets[0]",
                "Start Secret n/s:k at spec.template.spec.containers[0].env[1].valueFrom.secretKeyRef",
                "Optional ConfigMap n/m:k at spec.template.spec.containers[0].env[2].valueFrom.configMapKeyRef",
                "Start Secret n/all at spec.template.spec.containers[0].envFrom[0].secretRef",
                "Start Secret n/s:x at spec.template.spec.volumes[0].secret.items[0]",
                "Start PersistentVolumeClaim n/data at spec.template.spec.volumes[1].persistentVolumeClaim",
                "Start ConfigMap n/m2 at spec.template.spec.volumes[2].projected.sources[0].configMap",
            ]
        );
    }

    #[test]
    fn a_claim_template_takes_the_place_of_the_volume_of_its_name() {
        let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "old"}},
            {"name": "keys", "secret": {"secretName": "keys"}}]);
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "w", "namespace": "n"},
            "spec": {"template": {"spec": {"containers": [], "volumes": volumes}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]}});
        assert_eq!(seen(set), ["Start Secret n/keys at spec.template.spec.volumes[1].secret"]);
    }

    #[test]
    fn routes_name_services_ports_classes_and_issuers() {
        let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "i", "namespace": "n", "annotations": {"cert-manager.io/cluster-issuer": "le",
                "traefik.ingress.kubernetes.io/router.middlewares": "n-strip@kubernetescrd"}},
            "spec": {"ingressClassName": "traefik", "tls": [{"secretName": "tls"}],
                "rules": [{"http": {"paths": [{"backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}});
        assert_eq!(
            seen(ingress),
            [
                "Later IngressClass traefik at spec.ingressClassName",
                "Later Service n/web:80 at spec.rules[0].http.paths[0].backend.service",
                "Later Secret n/tls at spec.tls[0].secretName",
                "Later ClusterIssuer le at metadata.annotations[cert-manager.io/cluster-issuer]",
                "Later Middleware n/strip at metadata.annotations[traefik.ingress.kubernetes.io/router.middlewares]",
            ]
        );
    }
}
