//! The kinds the controllers read and write; an operator's stand in its own file.

/// A kind with all its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Kind {
    /// API group; empty for core.
    pub(crate) group: &'static str,
    /// Version.
    pub(crate) version: &'static str,
    /// The kind's name in manifests.
    pub(crate) kind: &'static str,
    /// Under which name the world keeps its objects: `pods`, `deployments.apps`.
    pub(crate) id: &'static str,
    /// Whether its objects live in namespaces.
    pub(crate) namespaced: bool,
}

/// A table of kinds, each a constant; after `in NAME:` also the list of all of them.
macro_rules! kinds {
    (in $all:ident: $($name:ident = $group:literal $version:literal $kind:literal $id:literal $scope:ident;)*) => {
        $crate::controllers::kind::kinds! { $($name = $group $version $kind $id $scope;)* }
        /// Every kind of this table, in its order.
        pub(crate) const $all: &[$crate::controllers::kind::Kind] = &[$($name),*];
    };
    ($($name:ident = $group:literal $version:literal $kind:literal $id:literal $scope:ident;)*) => {
        $(
            #[doc = concat!("`", $kind, "`")]
            pub(crate) const $name: $crate::controllers::kind::Kind = $crate::controllers::kind::Kind {
                group: $group,
                version: $version,
                kind: $kind,
                id: $id,
                namespaced: $crate::controllers::kind::kinds!(@$scope),
            };
        )*
    };
    (@namespaced) => { true };
    (@cluster) => { false };
}

pub(crate) use kinds;

kinds! {
    in ALL:
    NAMESPACE = "" "v1" "Namespace" "namespaces" cluster;
    NODE = "" "v1" "Node" "nodes" cluster;
    POD = "" "v1" "Pod" "pods" namespaced;
    SERVICE = "" "v1" "Service" "services" namespaced;
    ENDPOINTS = "" "v1" "Endpoints" "endpoints" namespaced;
    CONFIG_MAP = "" "v1" "ConfigMap" "configmaps" namespaced;
    SECRET = "" "v1" "Secret" "secrets" namespaced;
    SERVICE_ACCOUNT = "" "v1" "ServiceAccount" "serviceaccounts" namespaced;
    VOLUME = "" "v1" "PersistentVolume" "persistentvolumes" cluster;
    CLAIM = "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims" namespaced;
    EVENT = "" "v1" "Event" "events" namespaced;
    QUOTA = "" "v1" "ResourceQuota" "resourcequotas" namespaced;
    REPLICATION_CONTROLLER = "" "v1" "ReplicationController" "replicationcontrollers" namespaced;
    DEPLOYMENT = "apps" "v1" "Deployment" "deployments.apps" namespaced;
    REPLICA_SET = "apps" "v1" "ReplicaSet" "replicasets.apps" namespaced;
    STATEFUL_SET = "apps" "v1" "StatefulSet" "statefulsets.apps" namespaced;
    DAEMON_SET = "apps" "v1" "DaemonSet" "daemonsets.apps" namespaced;
    CONTROLLER_REVISION = "apps" "v1" "ControllerRevision" "controllerrevisions.apps" namespaced;
    JOB = "batch" "v1" "Job" "jobs.batch" namespaced;
    CRON_JOB = "batch" "v1" "CronJob" "cronjobs.batch" namespaced;
    AUTOSCALER = "autoscaling" "v2" "HorizontalPodAutoscaler" "horizontalpodautoscalers.autoscaling" namespaced;
    BUDGET = "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets.policy" namespaced;
    SIGNING_REQUEST = "certificates.k8s.io" "v1" "CertificateSigningRequest" "certificatesigningrequests.certificates.k8s.io" cluster;
    API_SERVICE = "apiregistration.k8s.io" "v1" "APIService" "apiservices.apiregistration.k8s.io" cluster;
    INGRESS = "networking.k8s.io" "v1" "Ingress" "ingresses.networking.k8s.io" namespaced;
    INGRESS_CLASS = "networking.k8s.io" "v1" "IngressClass" "ingressclasses.networking.k8s.io" cluster;
    STORAGE_CLASS = "storage.k8s.io" "v1" "StorageClass" "storageclasses.storage.k8s.io" cluster;
    ENDPOINT_SLICE = "discovery.k8s.io" "v1" "EndpointSlice" "endpointslices.discovery.k8s.io" namespaced;
    CLUSTER_ROLE = "rbac.authorization.k8s.io" "v1" "ClusterRole" "clusterroles.rbac.authorization.k8s.io" cluster;
    CRD = "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions.apiextensions.k8s.io" cluster;
}

impl Kind {
    /// `pods`, `deployments.apps`.
    pub(crate) fn qualified(&self) -> &'static str {
        self.id
    }
}
