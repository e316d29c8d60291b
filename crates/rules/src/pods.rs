//! The pods that objects ask for, wherever their template stands.

use landfall_object::Object;
use serde_json::{Map, Value};

/// The pod template of a workload, or a pod itself.
#[derive(Debug, Clone, Copy)]
pub struct PodTemplate<'a> {
    /// The workload.
    pub owner: &'a Object,
    /// Where the pod's spec stands: `spec.template.spec`.
    pub path: &'static str,
    /// The pod's spec.
    pub spec: &'a Value,
    metadata: &'a Value,
}

/// A container of a pod.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it stands: `spec.template.spec.containers[0]`.
    pub path: String,
    /// What it is for.
    pub role: ContainerRole,
    /// The container.
    pub value: &'a Value,
}

/// A ConfigMap or Secret whose keys are a container's variables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EnvFrom<'a> {
    /// Which entry of `envFrom` names it.
    pub(crate) at: usize,
    /// `ConfigMap` or `Secret`.
    pub(crate) kind: &'static str,
    /// The field of the entry that names it: `configMapRef`.
    pub(crate) field: &'static str,
    pub(crate) name: &'a str,
    /// What stands in front of each key.
    pub(crate) prefix: &'a str,
    /// Whether the container starts without it.
    pub(crate) is_optional: bool,
}

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerRole {
    /// It runs as long as the pod.
    Main,
    /// It ends before the main ones start.
    Init,
    /// An init container with `restartPolicy: Always`: it runs as long as the pod.
    Sidecar,
}

/// The kinds with a pod template, and where it stands: as a pointer to the template, and as the path of its spec.
const TEMPLATES: &[(&str, &str, &str, &str)] = &[
    ("apps", "Deployment", "/spec/template", "spec.template.spec"),
    ("apps", "StatefulSet", "/spec/template", "spec.template.spec"),
    ("apps", "DaemonSet", "/spec/template", "spec.template.spec"),
    ("apps", "ReplicaSet", "/spec/template", "spec.template.spec"),
    ("batch", "Job", "/spec/template", "spec.template.spec"),
    ("batch", "CronJob", "/spec/jobTemplate/spec/template", "spec.jobTemplate.spec.template.spec"),
    ("", "ReplicationController", "/spec/template", "spec.template.spec"),
    ("", "Pod", "", "spec"),
];

/// Whether the pods of a kind are to run for good, each replaced by another one.
pub(crate) fn is_lasting(kind: &str) -> bool {
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet")
}

/// The pod template of an object, when it has one.
pub fn pod_template(object: &Object) -> Option<PodTemplate<'_>> {
    let own = (object.group(), object.kind());
    let (_, _, pointer, path) = TEMPLATES.iter().find(|(group, kind, _, _)| own == (*group, *kind))?;
    let template = object.value().pointer(pointer)?;
    Some(PodTemplate {
        owner: object,
        path,
        spec: template.get("spec")?,
        metadata: template.get("metadata").unwrap_or(&Value::Null),
    })
}

impl<'a> PodTemplate<'a> {
    /// Its containers: init containers first, as they start.
    pub fn containers(&self) -> Vec<Container<'a>> {
        let mut containers = Vec::new();
        for field in ["initContainers", "containers"] {
            for (index, value) in list(self.spec, field).iter().enumerate() {
                let role = match (field, value["restartPolicy"].as_str()) {
                    ("containers", _) => ContainerRole::Main,
                    (_, Some("Always")) => ContainerRole::Sidecar,
                    _ => ContainerRole::Init,
                };
                containers.push(Container {
                    name: value["name"].as_str().unwrap_or_default(),
                    path: format!("{}.{field}[{index}]", self.path),
                    role,
                    value,
                });
            }
        }
        containers
    }

    /// Its labels.
    pub fn labels(&self) -> Option<&'a Map<String, Value>> {
        self.metadata.get("labels")?.as_object()
    }

    /// Its annotations.
    pub fn annotations(&self) -> Option<&'a Map<String, Value>> {
        self.metadata.get("annotations")?.as_object()
    }

    /// Its volumes.
    pub fn volumes(&self) -> &'a [Value] {
        list(self.spec, "volumes")
    }

    /// Whether a ConfigMap of that name is among its volumes.
    pub(crate) fn has_config_map(&self, name: &str) -> bool {
        self.volumes().iter().any(|volume| {
            let mut sources = list(&volume["projected"], "sources").iter();
            volume["configMap"]["name"] == name || sources.any(|it| it["configMap"]["name"] == name)
        })
    }

    /// Whether a selector (`matchLabels` and `matchExpressions`, or a plain map of a Service) takes its pods.
    pub fn is_selected_by(&self, selector: &Value) -> bool {
        selects(selector, self.labels())
    }
}

/// Whether a selector takes pods with these labels; an empty selector takes all.
pub fn selects(selector: &Value, labels: Option<&Map<String, Value>>) -> bool {
    let label = |name: &str| labels.and_then(|labels| labels.get(name)).and_then(Value::as_str);
    let equal = |map: &Map<String, Value>| map.iter().all(|(name, value)| label(name) == value.as_str());
    if selector.get("matchLabels").is_none() && selector.get("matchExpressions").is_none() {
        return selector.as_object().is_none_or(equal);
    }
    if !selector["matchLabels"].as_object().is_none_or(equal) {
        return false;
    }
    list(selector, "matchExpressions").iter().all(|term| {
        let name = term["key"].as_str().unwrap_or_default();
        let values: Vec<&str> = list(term, "values").iter().filter_map(Value::as_str).collect();
        match term["operator"].as_str() {
            Some("In") => label(name).is_some_and(|value| values.contains(&value)),
            Some("NotIn") => label(name).is_none_or(|value| !values.contains(&value)),
            Some("Exists") => label(name).is_some(),
            Some("DoesNotExist") => label(name).is_none(),
            _ => false,
        }
    })
}

impl<'a> Container<'a> {
    /// Its environment: index, name and the variable.
    pub fn env(&self) -> impl Iterator<Item = (usize, &'a str, &'a Value)> {
        list(self.value, "env")
            .iter()
            .enumerate()
            .map(|(index, variable)| (index, variable["name"].as_str().unwrap_or_default(), variable))
    }

    /// The ConfigMaps and Secrets whose keys are its variables, each as a whole.
    pub(crate) fn env_from(&self) -> impl Iterator<Item = EnvFrom<'a>> + use<'a> {
        list(self.value, "envFrom").iter().enumerate().flat_map(|(at, source)| {
            let kinds = [("ConfigMap", "configMapRef"), ("Secret", "secretRef")].into_iter();
            kinds.filter_map(move |(kind, field)| {
                let of = source.get(field)?;
                let prefix = source["prefix"].as_str().unwrap_or_default();
                let is_optional = of["optional"] == true;
                Some(EnvFrom { at, kind, field, name: of["name"].as_str()?, prefix, is_optional })
            })
        })
    }

    /// Its ports: number and name (empty for none).
    pub fn ports(&self) -> impl Iterator<Item = (u64, &'a str)> {
        list(self.value, "ports")
            .iter()
            .filter_map(|port| Some((port["containerPort"].as_u64()?, port["name"].as_str().unwrap_or_default())))
    }

    /// Its image.
    pub fn image(&self) -> &'a str {
        self.value["image"].as_str().unwrap_or_default()
    }
}

/// The registry of an image, where it names one, and its repository without tag and digest.
pub(crate) fn image_parts(image: &str) -> (Option<&str>, &str) {
    let image = image.split('@').next().unwrap_or_default();
    let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
    let (host, path) = match image.split_once('/') {
        Some((first, rest)) if is_host(first) => (Some(first), rest),
        _ => (None, image),
    };
    (host, path.split(':').next().unwrap_or_default())
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_are_found_in_every_kind_with_their_paths() {
        let spec = json!({"initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "c"}]});
        let cron = Object::from_value(json!({"apiVersion": "batch/v1", "kind": "CronJob",
            "spec": {"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": spec}}}}}))
        .expect("a map");
        let template = pod_template(&cron).expect("it has one");
        let containers = template.containers();
        assert_eq!(
            containers.iter().map(|it| (it.name, it.role)).collect::<Vec<_>>(),
            [("i", ContainerRole::Init), ("s", ContainerRole::Sidecar), ("c", ContainerRole::Main)]
        );
        assert_eq!(containers[2].path, "spec.jobTemplate.spec.template.spec.containers[0]");
        assert!(template.is_selected_by(&json!({"matchLabels": {"a": "b"}})));
        assert!(template.is_selected_by(&json!({"a": "b"})));
        assert!(!template.is_selected_by(&json!({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]})));
    }

    #[test]
    fn an_image_is_a_registry_and_a_repository() {
        assert_eq!(image_parts("ghcr.io/acme/web:1.2"), (Some("ghcr.io"), "acme/web"));
        assert_eq!(image_parts("localhost:5000/acme/web@sha256:1"), (Some("localhost:5000"), "acme/web"));
        assert_eq!(image_parts("acme/web:1.2"), (None, "acme/web"));
        assert_eq!(image_parts("nginx:1.2"), (None, "nginx"));
    }
}
