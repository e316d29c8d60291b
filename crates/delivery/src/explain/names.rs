use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// An object's name as a person types it: `deploy/web`, `Ingress/shop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectName {
    /// The kind: its name, plural or short name.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace, when it is written in the manifest or was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Kubernetes' short names of kinds.
const SHORT: [(&str, &str); 22] = [
    ("cm", "configmap"),
    ("cj", "cronjob"),
    ("crd", "customresourcedefinition"),
    ("deploy", "deployment"),
    ("ds", "daemonset"),
    ("ep", "endpoints"),
    ("hpa", "horizontalpodautoscaler"),
    ("ing", "ingress"),
    ("limits", "limitrange"),
    ("netpol", "networkpolicy"),
    ("ns", "namespace"),
    ("pc", "priorityclass"),
    ("pdb", "poddisruptionbudget"),
    ("po", "pod"),
    ("pv", "persistentvolume"),
    ("pvc", "persistentvolumeclaim"),
    ("quota", "resourcequota"),
    ("rs", "replicaset"),
    ("sa", "serviceaccount"),
    ("sc", "storageclass"),
    ("sts", "statefulset"),
    ("svc", "service"),
];

/// Kinds that people name without a short name.
const LONG: [&str; 12] = [
    "clusterrole",
    "clusterrolebinding",
    "deployment",
    "endpointslice",
    "ingressclass",
    "job",
    "lease",
    "node",
    "role",
    "rolebinding",
    "secret",
    "statefulset",
];

impl ObjectName {
    /// Reads `kind/name`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        let word = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':'))
        };
        let is_name = word(kind) && word(name);
        is_name.then(|| ObjectName { kind: kind.to_owned(), name: name.to_owned(), namespace: None })
    }

    /// Whether its kind is one of Kubernetes' own, so that it can hardly be the name of a directory.
    pub fn is_common(&self) -> bool {
        LONG.iter().chain(SHORT.iter().map(|(_, long)| long)).any(|kind| self.is_kind(kind))
    }

    /// The name of an object.
    pub fn of(object: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        ObjectName {
            kind: text(&object["kind"]).unwrap_or_default(),
            name: text(&object["metadata"]["name"])
                .or_else(|| text(&object["metadata"]["generateName"]))
                .unwrap_or_default(),
            namespace: text(&object["metadata"]["namespace"]),
        }
    }

    /// Whether an object is meant.
    pub fn means(&self, object: &Value) -> bool {
        let other = ObjectName::of(object);
        let same_namespace = match (&self.namespace, &other.namespace) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => true,
        };
        same_namespace && self.name == other.name && self.is_kind(&other.kind)
    }

    fn is_kind(&self, kind: &str) -> bool {
        let kind = kind.to_lowercase();
        let typed = self.kind.to_lowercase();
        // The group may stand behind: `deployment.apps`.
        let typed = typed.split('.').next().unwrap_or_default();
        let plural = match kind.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None if kind.ends_with('s') => format!("{kind}es"),
            None => format!("{kind}s"),
        };
        typed == kind || typed == plural || SHORT.iter().any(|(short, long)| *short == typed && *long == kind)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// A path as a person writes it: `spec.containers[0].image`, `metadata.annotations[example.com/a]`.
pub fn field_path(steps: &[String]) -> String {
    let mut path = String::new();
    for step in steps {
        let is_index = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
        if is_index || step.contains(['.', '[', '/']) || step.is_empty() {
            path.push_str(&format!("[{step}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(step);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_found_by_any_of_their_kinds_names() {
        let object = json!({"kind": "NetworkPolicy", "metadata": {"name": "web", "namespace": "shop"}});
        for typed in ["networkpolicy/web", "NetworkPolicy/web", "networkpolicies/web", "netpol/web"] {
            assert!(ObjectName::parse(typed).expect("a name").means(&object), "{typed}");
        }
        assert!(!ObjectName::parse("netpol/wep").expect("a name").means(&object));
        let elsewhere = ObjectName { namespace: Some("other".to_owned()), ..ObjectName::of(&object) };
        assert!(!elsewhere.means(&object));
        assert_eq!(ObjectName::parse("web.replicas"), None);
        assert_eq!(ObjectName::parse("./charts/web"), None);
    }

    #[test]
    fn paths_are_written_as_they_are_read() {
        let path = ["metadata", "annotations", "a.io/b", "0"].map(str::to_owned);
        assert_eq!(field_path(&path), "metadata.annotations[a.io/b][0]");
    }
}
