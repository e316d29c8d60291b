/// An operator that systems lean on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addon {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// Where its maintainers publish its charts.
    pub repository: &'static str,
    /// Where it is installed by custom.
    pub namespace: &'static str,
    /// The API groups that it serves.
    pub groups: &'static [&'static str],
    /// Its charts in order of installation, the main one last.
    pub charts: &'static [AddonChart],
}

/// A chart of an addon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddonChart {
    /// The chart's name.
    pub name: &'static str,
    /// Its release's name by custom.
    pub release: &'static str,
    /// Values paths that switch its kinds on, newest first: charts have renamed them.
    pub kinds: &'static [&'static str],
    /// Further values, as JSON.
    pub values: &'static [(&'static str, &'static str)],
}

const fn chart(name: &'static str, release: &'static str, kinds: &'static [&'static str]) -> AddonChart {
    AddonChart { name, release, kinds, values: &[] }
}

/// The addons there are.
pub const ADDONS: &[Addon] = &[
    Addon {
        name: "cert-manager",
        about: "certificates from Let's Encrypt and other issuers",
        repository: "https://charts.jetstack.io",
        namespace: "cert-manager",
        groups: &["cert-manager.io", "acme.cert-manager.io"],
        charts: &[chart("cert-manager", "cert-manager", &["crds.enabled", "installCRDs"])],
    },
    Addon {
        name: "sealed-secrets",
        about: "secrets that are safe in git",
        repository: "https://bitnami-labs.github.io/sealed-secrets",
        namespace: "kube-system",
        groups: &["bitnami.com"],
        charts: &[AddonChart {
            name: "sealed-secrets",
            release: "sealed-secrets",
            kinds: &[],
            // Where kubeseal looks for it when nobody says otherwise.
            values: &[("fullnameOverride", "\"sealed-secrets-controller\"")],
        }],
    },
    Addon {
        name: "mariadb-operator",
        about: "MariaDB servers, databases, users and backups as objects",
        repository: "https://helm.mariadb.com/mariadb-operator",
        namespace: "mariadb-operator",
        groups: &["k8s.mariadb.com"],
        charts: &[
            chart("mariadb-operator-crds", "mariadb-operator-crds", &[]),
            chart("mariadb-operator", "mariadb-operator", &["crds.enabled"]),
        ],
    },
];
