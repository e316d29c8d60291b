//! What a chart may ask about the cluster and about Helm.

use serde::Serialize;

use crate::chart::Chart;
use crate::dependency::is_compatible;
use crate::dialect::Dialect;

/// A Kubernetes version as `.Capabilities.KubeVersion` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KubeVersion {
    /// `v1.37.0`
    pub version: String,
    /// `1`
    pub major: String,
    /// `37`
    pub minor: String,
    /// What constraints are held against: the version without what stands behind its numbers.
    #[serde(skip)]
    pub normalized: String,
}

/// A text that is no Kubernetes version; displays in the words of `k8s.io/apimachinery`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubeVersionError {
    /// No number at the front.
    #[error("could not parse {0:?} as version")]
    Unparsable(String),
    /// Fewer than two numbers.
    #[error("illegal version string {0:?}")]
    OneNumber(String),
    /// The first number has a leading zero.
    #[error("illegal zero-prefixed version component {component:?} in {version:?}")]
    LeadingZero {
        /// The number.
        component: String,
        /// The whole text.
        version: String,
    },
    /// A number that is too large.
    #[error(
        "illegal non-numeric version component {component:?} in {version:?}: strconv.ParseUint: parsing {component:?}: value out of range"
    )]
    OutOfRange {
        /// The number.
        component: String,
        /// The whole text.
        version: String,
    },
}

impl KubeVersion {
    /// Reads what `--kube-version` accepts: `1.30`, `v1.30.2`, `v1.30.2-gke.1`; what follows the numbers is dropped.
    ///
    /// # Errors
    /// As `version.ParseGeneric` refuses.
    pub fn parse(text: &str) -> Result<Self, KubeVersionError> {
        let trimmed = text.trim_start();
        let trimmed = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let numbers: Vec<&str> = trimmed
            .split('.')
            .map_while(|part| {
                let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
                (end > 0).then_some((&part[..end], end == part.len()))
            })
            .scan(true, |going, (number, whole)| {
                let take = std::mem::replace(going, *going && whole);
                take.then_some(number)
            })
            .collect();
        match numbers.len() {
            0 => return Err(KubeVersionError::Unparsable(text.to_owned())),
            1 => return Err(KubeVersionError::OneNumber(text.to_owned())),
            _ => {}
        }
        if numbers[0].starts_with('0') && numbers[0] != "0" {
            return Err(KubeVersionError::LeadingZero { component: numbers[0].to_owned(), version: text.to_owned() });
        }
        let values: Vec<String> = numbers
            .into_iter()
            .map(|number| match number.parse::<u64>() {
                Ok(value) => Ok(value.to_string()),
                Err(_) => Err(KubeVersionError::OutOfRange { component: number.to_owned(), version: text.to_owned() }),
            })
            .collect::<Result<_, _>>()?;
        let version = format!("v{}", values.join("."));
        Ok(KubeVersion { normalized: version.clone(), version, major: values[0].clone(), minor: values[1].clone() })
    }

    /// The version that a chart's `kubeVersion` allows and that is nearest to this one, by its minor number; an earlier one rather
    /// than a later one. `None` where the constraint cannot be read, or allows none that there may be.
    pub fn nearest_allowed(&self, constraint: &str) -> Option<KubeVersion> {
        // Helm's own is as far as anybody looks ahead, and no minor version had more patches.
        const AHEAD: u32 = 20;
        const PATCHES: u32 = 40;
        let here: u32 = self.minor.trim_end_matches(|it: char| !it.is_ascii_digit()).parse().ok()?;
        let minors = (0..=here).rev().chain(here + 1..=here + AHEAD);
        let versions = minors.flat_map(|minor| (0..=PATCHES).map(move |patch| format!("v1.{minor}.{patch}")));
        let allowed = versions.into_iter().find(|version| is_compatible(constraint, version))?;
        KubeVersion::parse(&allowed).ok()
    }

    /// Reads what `--kube-version` of that Helm accepts: Helm 4 keeps what stands behind the numbers for templates to see.
    ///
    /// # Errors
    /// As [`KubeVersion::parse`].
    pub fn parse_as(text: &str, dialect: Dialect) -> Result<Self, KubeVersionError> {
        let mut version = KubeVersion::parse(text)?;
        if dialect == Dialect::V4 {
            version.version = if text.starts_with('v') { text.to_owned() } else { format!("v{text}") };
        }
        Ok(version)
    }
}

/// What `.Capabilities.HelmVersion` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HelmVersion {
    /// `v3.22.0`
    pub version: String,
    /// Commit of the build; empty as in a build from source.
    pub git_commit: String,
    /// State of the tree of the build; empty as in a build from source.
    pub git_tree_state: String,
    /// The Go compiler's version; charts that print it cannot be compared anyway.
    pub go_version: String,
}

/// The version of Helm 4 whose behaviour is kept.
pub(crate) const HELM_4: &str = "v4.3.1";
/// The Kubernetes version of the client that both Helms are built with, as Helm 4 shows it.
pub const KUBE_CLIENT: &str = "v1.37";

impl Default for HelmVersion {
    /// The Helm whose behaviour is kept.
    fn default() -> Self {
        HelmVersion {
            version: "v3.22.0".to_owned(),
            git_commit: String::new(),
            git_tree_state: String::new(),
            go_version: "go1.26.8".to_owned(),
        }
    }
}

impl HelmVersion {
    /// The Helm 4 whose behaviour is kept.
    pub fn four() -> Self {
        HelmVersion { version: HELM_4.to_owned(), ..HelmVersion::default() }
    }
}

/// What `.Capabilities` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// The cluster's version.
    pub kube_version: KubeVersion,
    /// `group/version`, and from a real cluster `group/version/Kind` too.
    pub api_versions: Vec<String>,
    /// Helm's version.
    pub helm_version: HelmVersion,
}

impl Default for Capabilities {
    /// What `helm template` says without a cluster: the versions of the client that Helm 3.22 is built with.
    fn default() -> Self {
        Capabilities {
            kube_version: KubeVersion {
                version: "v1.37.0".to_owned(),
                major: "1".to_owned(),
                minor: "37".to_owned(),
                normalized: "v1.37.0".to_owned(),
            },
            api_versions: DEFAULT_API_VERSIONS.iter().map(|&version| version.to_owned()).collect(),
            helm_version: HelmVersion::default(),
        }
    }
}

impl Capabilities {
    /// The default with further API versions behind, as `--api-versions` gives them.
    #[must_use]
    pub fn with_api_versions<I, S>(mut self, versions: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        self.api_versions.extend(versions.into_iter().map(Into::into));
        self
    }

    /// The same with the API versions that a chart's own `crds/` bring: Helm installs them before it renders.
    #[must_use]
    pub fn with_definitions_of(mut self, chart: &Chart) -> Self {
        for crd in chart.crds() {
            for document in crd.documents().iter().filter(|document| document["kind"] == "CustomResourceDefinition") {
                let group = document["spec"]["group"].as_str().unwrap_or_default();
                let kind = document["spec"]["names"]["kind"].as_str().unwrap_or_default();
                let versions = document["spec"]["versions"].as_array();
                for version in versions.into_iter().flatten().filter(|version| version["served"] == true) {
                    let version = format!("{group}/{}", version["name"].as_str().unwrap_or_default());
                    for known in [format!("{version}/{kind}"), version] {
                        if !self.api_versions.contains(&known) {
                            self.api_versions.push(known);
                        }
                    }
                }
            }
        }
        self
    }

    /// The same with another Kubernetes version.
    #[must_use]
    pub fn with_kube_version(mut self, version: KubeVersion) -> Self {
        self.kube_version = version;
        self
    }
}

/// The API versions that client-go 0.37 and apiextensions know, in their order.
const DEFAULT_API_VERSIONS: [&str; 57] = [
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kube_versions_are_read_generously() {
        for (text, version) in [
            ("1.30", "v1.30"),
            ("v1.30.2", "v1.30.2"),
            ("v1.08.2-gke.1", "v1.8.2"),
            ("1.30+", "v1.30"),
            (" v1.2.3.4", "v1.2.3.4"),
        ] {
            assert_eq!(KubeVersion::parse(text).expect(text).version, version);
        }
        for (text, message) in [
            ("1", "illegal version string \"1\""),
            ("a.b", "could not parse \"a.b\" as version"),
            ("01.2", "illegal zero-prefixed version component \"01\" in \"01.2\""),
        ] {
            assert_eq!(KubeVersion::parse(text).expect_err(text).to_string(), message);
        }
    }
}
