//! In which order kinds are installed and removed: Helm's two tables and Argo CD's.

use crate::Object;

/// Helm's order of installation (`pkg/release/util/kind_sorter.go`); unknown kinds come last, by kind.
pub const INSTALL: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Helm 3 knows the first this many of [`INSTALL`].
const INSTALL_V3: usize = 36;

/// Helm's order of removal; not the reverse of [`INSTALL`].
pub const UNINSTALL: [&str; 38] = [
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
];

/// Which of Helm's tables: version 4 adds the webhook configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelmOrder {
    /// Helm 3.
    V3,
    /// Helm 4.
    V4,
}

/// What to sort by for installation: sort stably by this key.
pub fn install_key(kind: &str, order: HelmOrder) -> (usize, String) {
    let known = match order {
        HelmOrder::V3 => &INSTALL[..INSTALL_V3],
        HelmOrder::V4 => &INSTALL[..],
    };
    key(kind, known)
}

/// What to sort by for removal: sort stably by this key.
pub fn uninstall_key(kind: &str, order: HelmOrder) -> (usize, String) {
    let known = match order {
        HelmOrder::V3 => &UNINSTALL[UNINSTALL.len() - INSTALL_V3..],
        HelmOrder::V4 => &UNINSTALL[..],
    };
    key(kind, known)
}

fn key(kind: &str, known: &[&str]) -> (usize, String) {
    match known.iter().position(|name| *name == kind) {
        Some(at) => (at, String::new()),
        None => (known.len(), kind.to_owned()),
    }
}

/// Argo CD's order inside a wave (`gitops-engine/pkg/sync/sync_tasks.go`): known kinds first, others after, then by name.
pub fn sync_key(object: &Object) -> (usize, String) {
    let at = SYNC.iter().position(|kind| *kind == object.kind()).unwrap_or(SYNC.len());
    (at, object.name().to_owned())
}

/// Argo CD's table: [`INSTALL`] of Helm 3 without its first entry.
const SYNC: &[&str] = INSTALL.split_at(INSTALL_V3).0.split_at(1).1;

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut kinds: Vec<&'static str>, key: impl Fn(&str) -> (usize, String)) -> Vec<&'static str> {
        kinds.sort_by_key(|kind| key(kind));
        kinds
    }

    #[test]
    fn unknown_kinds_come_last_by_name() {
        let kinds = vec!["Zebra", "Service", "Alpha", "Namespace", "Deployment"];
        assert_eq!(
            sorted(kinds.clone(), |kind| install_key(kind, HelmOrder::V3)),
            ["Namespace", "Service", "Deployment", "Alpha", "Zebra"]
        );
        assert_eq!(
            sorted(kinds, |kind| uninstall_key(kind, HelmOrder::V4)),
            ["Service", "Deployment", "Namespace", "Alpha", "Zebra"]
        );
    }

    #[test]
    fn webhook_configurations_are_known_to_helm_4_only() {
        let kinds = vec!["ValidatingWebhookConfiguration", "Alpha"];
        assert_eq!(
            sorted(kinds.clone(), |kind| install_key(kind, HelmOrder::V3)),
            ["Alpha", "ValidatingWebhookConfiguration"]
        );
        assert_eq!(sorted(kinds, |kind| install_key(kind, HelmOrder::V4)), ["ValidatingWebhookConfiguration", "Alpha"]);
        assert_eq!((SYNC.len(), SYNC[0]), (35, "Namespace"));
    }
}
