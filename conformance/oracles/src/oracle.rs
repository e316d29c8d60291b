//! Which binaries there are, and how each is linked.

/// One binary of a peer.
#[derive(Debug, Clone, Copy)]
pub struct Oracle {
    /// The binary's name in the cache.
    pub name: &'static str,
    /// The folder of module files, beside this crate's manifest.
    pub module: &'static str,
    /// The Go package that holds its `main`.
    pub package: &'static str,
    /// What it is built with beside its own code.
    pub with: With,
    /// Variables set at link time: `(package path, name, value)`.
    pub variables: &'static [(&'static str, &'static str, &'static str)],
    /// What the peer publishes beside its program.
    pub beside: Option<Beside>,
}

/// What a binary is built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With {
    /// Go alone.
    Go,
    /// A C compiler, and these build tags.
    C(&'static str),
}

/// Files of a module that are put together into one `NAME-WHAT.yaml` beside the binary.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// What they are, as the file's name says it: `stages`, `definitions`.
    pub what: &'static str,
    /// The module's path.
    pub module: &'static str,
    /// Paths inside the module.
    pub files: &'static [&'static str],
}

const HELM_VERSION: &str = "v3.22.0";
/// The minor version of the client-go that Helm's own go.mod names; its release build links exactly this.
const HELM_KUBE_MINOR: &str = "37";
const HELM4_VERSION: &str = "v4.3.1";
const KUBE_VERSION: &str = "v1.36.3";

const HELM_VARIABLES: &[(&str, &str, &str)] = &[
    ("helm.sh/helm/v3/internal/version", "version", HELM_VERSION),
    ("helm.sh/helm/v3/internal/version", "metadata", ""),
    ("helm.sh/helm/v3/pkg/lint/rules", "k8sVersionMajor", "1"),
    ("helm.sh/helm/v3/pkg/lint/rules", "k8sVersionMinor", HELM_KUBE_MINOR),
    ("helm.sh/helm/v3/pkg/chartutil", "k8sVersionMajor", "1"),
    ("helm.sh/helm/v3/pkg/chartutil", "k8sVersionMinor", HELM_KUBE_MINOR),
];

/// Helm 4 takes the Kubernetes version from its own build information; only its own version is linked in.
const HELM4_VARIABLES: &[(&str, &str, &str)] = &[
    ("helm.sh/helm/v4/internal/version", "version", HELM4_VERSION),
    ("helm.sh/helm/v4/internal/version", "metadata", ""),
];

const KUBE_VARIABLES: &[(&str, &str, &str)] = &[
    ("k8s.io/component-base/version", "gitVersion", KUBE_VERSION),
    ("k8s.io/component-base/version", "gitMajor", "1"),
    ("k8s.io/component-base/version", "gitMinor", "36"),
    ("k8s.io/component-base/version", "gitTreeState", "clean"),
    ("k8s.io/client-go/pkg/version", "gitVersion", KUBE_VERSION),
    ("k8s.io/client-go/pkg/version", "gitMajor", "1"),
    ("k8s.io/client-go/pkg/version", "gitMinor", "36"),
    ("k8s.io/client-go/pkg/version", "gitTreeState", "clean"),
];

/// Kwok's published stages for nodes that are always ready and pods that run at once; without any, kwok exits.
const KWOK_STAGES: Beside = Beside {
    what: "stages",
    module: "sigs.k8s.io/kwok",
    files: &[
        "kustomize/stage/node/fast/node-initialize.yaml",
        "kustomize/stage/node/heartbeat/node-heartbeat.yaml",
        "kustomize/stage/pod/fast/pod-ready.yaml",
        "kustomize/stage/pod/fast/pod-complete.yaml",
        "kustomize/stage/pod/fast/pod-delete.yaml",
        "kustomize/stage/pod/chaos/pod-container-running-failed.yaml",
        "kustomize/stage/volume/fast/pv-bind.yaml",
        "kustomize/stage/volume/fast/pv-delete.yaml",
        "kustomize/stage/volume/fast/pvc-delete.yaml",
        "kustomize/stage/volume/fast/pvc-provision.yaml",
        "kustomize/stage/volume/fast/storage-class.yaml",
    ],
};

/// The controllers' own definitions.
const SEALED_SECRETS: Beside = Beside {
    what: "definitions",
    module: "github.com/bitnami/sealed-secrets",
    files: &["helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml"],
};
const CERT_MANAGER: Beside = Beside {
    what: "definitions",
    module: "github.com/cert-manager/cert-manager",
    files: &[
        "deploy/crds/acme.cert-manager.io_challenges.yaml",
        "deploy/crds/acme.cert-manager.io_orders.yaml",
        "deploy/crds/cert-manager.io_certificaterequests.yaml",
        "deploy/crds/cert-manager.io_certificates.yaml",
        "deploy/crds/cert-manager.io_clusterissuers.yaml",
        "deploy/crds/cert-manager.io_issuers.yaml",
    ],
};
const FLUX_SOURCE: Beside = Beside {
    what: "definitions",
    module: "github.com/fluxcd/source-controller",
    files: &[
        "config/crd/bases/source.toolkit.fluxcd.io_buckets.yaml",
        "config/crd/bases/source.toolkit.fluxcd.io_externalartifacts.yaml",
        "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
        "config/crd/bases/source.toolkit.fluxcd.io_helmcharts.yaml",
        "config/crd/bases/source.toolkit.fluxcd.io_helmrepositories.yaml",
        "config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml",
    ],
};
const FLUX_KUSTOMIZE: Beside = Beside {
    what: "definitions",
    module: "github.com/fluxcd/kustomize-controller",
    files: &["config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"],
};

const ARGO_CD: Beside = Beside {
    what: "definitions",
    module: "github.com/argoproj/argo-cd/v3",
    files: &[
        "manifests/crds/application-crd.yaml",
        "manifests/crds/applicationset-crd.yaml",
        "manifests/crds/appproject-crd.yaml",
    ],
};

/// The oracles that make up a control plane.
const CONTROL_PLANE: [&str; 5] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"];
/// What one suite on demand alone runs: published controllers, their client, Helm's own code in process, checkers of manifests.
const ON_DEMAND: [&str; 10] = [
    "helm-warm",
    "sealed-secrets-controller",
    "kubeseal",
    "cert-manager-controller",
    "flux-source-controller",
    "flux-kustomize-controller",
    "argo-cd",
    "gitea",
    "kube-score",
    "kubeconform",
];

/// Every oracle, in the order in which they are wanted.
pub const ALL: &[Oracle] = &[
    Oracle {
        name: "helm",
        module: "helm",
        package: "helm.sh/helm/v3/cmd/helm",
        with: With::Go,
        variables: HELM_VARIABLES,
        beside: None,
    },
    Oracle {
        name: "helm4",
        module: "helm4",
        package: "helm.sh/helm/v4/cmd/helm",
        with: With::Go,
        variables: HELM4_VARIABLES,
        beside: None,
    },
    // Helm's own code in process, for the benchmarks alone.
    Oracle {
        name: "helm-warm",
        module: "helmwarm",
        package: "landfall.dev/conformance/oracles/helmwarm",
        with: With::Go,
        variables: HELM_VARIABLES,
        beside: None,
    },
    // What the tests of `yaml` and `sprig` ask: the originals' readers and writers, Helm's functions.
    Oracle {
        name: "yamlcheck",
        module: "yamlcheck",
        package: "landfall.dev/conformance/yamlcheck",
        with: With::Go,
        variables: &[],
        beside: None,
    },
    Oracle {
        name: "sprigcheck",
        module: "sprigcheck",
        package: "landfall.dev/conformance/sprigcheck",
        with: With::Go,
        variables: &[],
        beside: None,
    },
    kube("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    kube("kubectl-convert", "k8s.io/kubernetes/cmd/kubectl-convert"),
    Oracle {
        name: "etcd",
        module: "etcd",
        package: "go.etcd.io/etcd/server/v3",
        with: With::Go,
        variables: &[],
        beside: None,
    },
    kube("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    kube("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    kube("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Oracle {
        name: "kwok",
        module: "kwok",
        package: "sigs.k8s.io/kwok/cmd/kwok",
        with: With::Go,
        variables: &[],
        beside: Some(KWOK_STAGES),
    },
    controller(
        "sealed-secrets-controller",
        "sealed-secrets",
        "github.com/bitnami/sealed-secrets/cmd/controller",
        Some(SEALED_SECRETS),
    ),
    controller("kubeseal", "sealed-secrets", "github.com/bitnami/sealed-secrets/cmd/kubeseal", None),
    controller(
        "cert-manager-controller",
        "cert-manager",
        "landfall.dev/conformance/oracles/cert-manager",
        Some(CERT_MANAGER),
    ),
    controller("flux-source-controller", "flux-source", "github.com/fluxcd/source-controller", Some(FLUX_SOURCE)),
    controller(
        "flux-kustomize-controller",
        "flux-kustomize",
        "github.com/fluxcd/kustomize-controller",
        Some(FLUX_KUSTOMIZE),
    ),
    // Its `main` is in its module as well; ours leaves out the web page, which is not.
    controller("argo-cd", "argo-cd", "landfall.dev/conformance/oracles/argo-cd", Some(ARGO_CD)),
    // Its database is written in C.
    Oracle {
        name: "gitea",
        module: "gitea",
        package: "code.gitea.io/gitea",
        with: With::C("sqlite sqlite_unlock_notify"),
        variables: &[],
        beside: None,
    },
    // Checkers of manifests that Landfall's rehearsal is held beside.
    checker("kube-score", "github.com/zegl/kube-score/cmd/kube-score"),
    checker("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform"),
];

const fn checker(name: &'static str, package: &'static str) -> Oracle {
    Oracle { name, module: name, package, with: With::Go, variables: &[], beside: None }
}

const fn controller(name: &'static str, module: &'static str, package: &'static str, beside: Option<Beside>) -> Oracle {
    Oracle { name, module, package, with: With::Go, variables: &[], beside }
}

const fn kube(name: &'static str, package: &'static str) -> Oracle {
    Oracle { name, module: "kube", package, with: With::Go, variables: KUBE_VARIABLES, beside: None }
}

impl Oracle {
    /// The value of `-ldflags`.
    pub fn link_flags(&self) -> String {
        let mut flags = String::from("-s -w");
        for (package, name, value) in self.variables {
            flags.push_str(&format!(" -X {package}.{name}={value}"));
        }
        flags
    }
}

/// The oracles that a word of the command line means: a binary's name, `control-plane`, or `all` that are compared with.
pub fn select(word: &str) -> Option<Vec<&'static Oracle>> {
    let chosen: Vec<&Oracle> = match word {
        "all" => ALL.iter().filter(|oracle| !ON_DEMAND.contains(&oracle.name)).collect(),
        "control-plane" => ALL.iter().filter(|oracle| CONTROL_PLANE.contains(&oracle.name)).collect(),
        name => ALL.iter().filter(|oracle| oracle.name == name).collect(),
    };
    (!chosen.is_empty()).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helm_is_linked_as_its_release_is() {
        let helm = select("helm").expect("helm is an oracle")[0];
        assert!(helm.link_flags().contains("-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37"));
    }

    #[test]
    fn an_unknown_word_selects_nothing() {
        assert!(select("hlem").is_none());
        assert_eq!(select("control-plane").map(|chosen| chosen.len()), Some(5));
    }
}
