//! In which order objects are installed and removed (helm: `pkg/releaseutil/kind_sorter.go`).

use std::cmp::Ordering;

use crate::dialect::Dialect;

/// Kinds in the order of installation; Helm 4 appends two.
const INSTALL: [&str; 38] = [
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

/// Kinds in the order of removal, as Helm 3 has it; Helm 4 puts the two webhook kinds in front.
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

/// Which way the kinds go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindOrder {
    /// What others need comes first.
    Install,
    /// What needs others goes first.
    Uninstall,
}

impl KindOrder {
    /// Where a kind stands; unknown ones come last, by name. Meant for a stable sort.
    pub(crate) fn place(self, kind: &str, dialect: Dialect) -> (usize, Option<String>) {
        match self.rank(kind, dialect) {
            Some(rank) => (rank, None),
            None => (usize::MAX, Some(kind.to_owned())),
        }
    }

    fn rank(self, kind: &str, dialect: Dialect) -> Option<usize> {
        let kinds = match (self, dialect) {
            (KindOrder::Install, Dialect::V3) => &INSTALL[..36],
            (KindOrder::Install, Dialect::V4) => &INSTALL[..],
            (KindOrder::Uninstall, Dialect::V3) => &UNINSTALL[2..],
            (KindOrder::Uninstall, Dialect::V4) => &UNINSTALL[..],
        };
        kinds.iter().position(|known| *known == kind)
    }

    /// Compares two kinds; unknown ones come last, by name. Meant for a stable sort.
    pub fn compare(self, a: &str, b: &str, dialect: Dialect) -> Ordering {
        match (self.rank(a, dialect), self.rank(b, dialect)) {
            (None, None) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(&b),
        }
    }
}
