//! Kinds that Argo CD is told to leave alone: `resource.exclusions` and `resource.inclusions`.

use landfall_object::ObjectKey;
use serde::Deserialize;

use crate::glob::fits;
use crate::project::completed;
use crate::{Application, Target};

/// What a note says of an object that an Application does not have, in Argo CD's words (controller/state.go).
pub const EXCLUDED: &str = " is excluded in the settings";

/// Which kinds are excluded on which clusters: nothing of them is compared, delivered or deleted (util/settings,
/// `ResourcesFilter`). What Argo CD excludes without being told is not excluded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExcludedKinds {
    exclusions: Vec<Pattern>,
    inclusions: Vec<Pattern>,
}

/// Of what is not said everything fits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Pattern {
    api_groups: Vec<String>,
    kinds: Vec<String>,
    clusters: Vec<String>,
}

impl Pattern {
    fn is_of(&self, server: &str) -> bool {
        self.clusters.is_empty() || self.clusters.iter().any(|it| fits(it, server))
    }

    fn is_about(&self, key: &ObjectKey, server: &str) -> bool {
        let by_group = self.api_groups.is_empty() || self.api_groups.iter().any(|it| fits(it, &key.gvk.group));
        let by_kind = self.kinds.is_empty() || self.kinds.iter().any(|it| it == "*" || *it == key.gvk.kind);
        by_group && by_kind && self.is_of(server)
    }
}

impl ExcludedKinds {
    /// Reads what is not to be had.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn exclude(&mut self, text: &str) -> Result<(), String> {
        self.exclusions = read(text)?;
        Ok(())
    }

    /// Reads what alone is to be had.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn include(&mut self, text: &str) -> Result<(), String> {
        self.inclusions = read(text)?;
        Ok(())
    }

    /// Whether an object is excluded where an Application delivers to.
    pub fn excludes(&self, application: &Application, key: &ObjectKey) -> bool {
        let server = &completed(&application.destination).server;
        let is_among = |patterns: &[Pattern]| patterns.iter().any(|it| it.is_about(key, server));
        let is_bounded = || self.inclusions.iter().any(|it| it.is_of(server));
        is_among(&self.exclusions) || (is_bounded() && !is_among(&self.inclusions))
    }

    /// Takes what is excluded out of what an Application is to deliver; says what that is.
    pub fn take(&self, application: &Application, targets: &mut Vec<Target>) -> Vec<String> {
        let mut notes = Vec::new();
        targets.retain(|target| {
            let key = target.object.key();
            let is_excluded = self.excludes(application, &key);
            if is_excluded {
                notes.push(told(&key));
            }
            !is_excluded
        });
        notes
    }
}

/// What a user should know of an object that is excluded.
pub(crate) fn told(key: &ObjectKey) -> String {
    format!("Resource {}/{} {}{EXCLUDED}", key.gvk.group, key.gvk.kind, key.name)
}

fn read(text: &str) -> Result<Vec<Pattern>, String> {
    let written = landfall_yaml::to_json(text).map_err(|error| error.to_string())?;
    Option::<Vec<Pattern>>::deserialize(written).map(Option::unwrap_or_default).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use landfall_object::{Gvk, Object};
    use serde_json::json;

    use super::*;

    fn application(server: &str) -> Application {
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {"project": "default", "source": {"repoURL": "https://git.example.com/shop.git", "path": "."},
                "destination": {"server": server, "namespace": "shop"}},
        });
        Application::parse(&Object::from_value(object).expect("a map")).expect("an application")
    }

    fn is_excluded(exclusions: &str, inclusions: &str, group: &str, kind: &str) -> bool {
        let mut excluded = ExcludedKinds::default();
        excluded.exclude(exclusions).expect("read");
        excluded.include(inclusions).expect("read");
        let key = ObjectKey::new(Gvk::new(group, "v1", kind), Some("shop"), "one");
        excluded.excludes(&application("https://kubernetes.default.svc"), &key)
    }

    #[test]
    fn kinds_are_excluded_as_argo_cds_table_says() {
        // util/settings/resources_filter.go.
        let (none, of_apps) = ("", "- apiGroups: [apps]\n  kinds: [Deployment]\n");
        for (inclusions, exclusions, kind, so) in [
            (none, none, "Deployment", false),
            (of_apps, none, "Deployment", false),
            (of_apps, none, "StatefulSet", true),
            (none, of_apps, "Deployment", true),
            (none, of_apps, "StatefulSet", false),
            (of_apps, "- kinds: [DaemonSet]", "Deployment", false),
            ("- kinds: [DaemonSet]", of_apps, "Deployment", true),
            ("- kinds: [DaemonSet]", of_apps, "StatefulSet", true),
            (of_apps, of_apps, "Deployment", true),
        ] {
            assert_eq!(is_excluded(exclusions, inclusions, "apps", kind), so, "{inclusions:?} {exclusions:?} {kind}");
        }
    }

    #[test]
    fn groups_and_clusters_are_globs_and_kinds_are_words() {
        let text = "### A comment\n- apiGroups: ['', '*.example.com']\n  kinds: [Endpoints, Widget]\n";
        for (group, kind, so) in [
            ("", "Endpoints", true),
            ("shop.example.com", "Widget", true),
            ("shop.example.org", "Widget", false),
            ("", "Service", false),
            ("", "Endpoint", false),
        ] {
            assert_eq!(is_excluded(text, "# nothing", group, kind), so, "{group}/{kind}");
        }
        assert!(is_excluded("- apiGroups: [apps]\n  kinds: ['*']", "", "apps", "Deployment"));
        assert!(!is_excluded("- clusters: ['https://other.*']", "", "apps", "Deployment"));
        // An inclusion for another cluster bounds nothing here.
        assert!(!is_excluded("", "- clusters: ['https://other.*']\n  kinds: [Pod]", "apps", "Deployment"));
        // In its own cluster an Application may be without an address.
        let mut excluded = ExcludedKinds::default();
        excluded.exclude("- clusters: ['https://kubernetes.default.svc']").expect("read");
        assert!(excluded.excludes(&application(""), &ObjectKey::new(Gvk::new("", "v1", "Pod"), None, "one")));
        assert!(excluded.exclude("kinds: [Pod]").is_err());
    }
}
