/// The order in which kinds are deleted (pkg/releaseutil/kind_sorter.go, UninstallOrder); unknown kinds come last.
const UNINSTALL: [&str; 38] = [
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

/// Where a kind stands when a release is uninstalled: to be sorted by, stably.
pub(crate) fn uninstall_rank(kind: &str) -> (usize, String) {
    match UNINSTALL.iter().position(|known| *known == kind) {
        Some(rank) => (rank, String::new()),
        None => (UNINSTALL.len(), kind.to_owned()),
    }
}
