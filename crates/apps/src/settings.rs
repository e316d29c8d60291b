//! Argo CD's own settings, as far as somebody who relies on them has to know that they have no effect here.

use std::collections::BTreeSet;

use landfall_object::Object;
use serde_json::Value;

use crate::expression::Expression;
use crate::ignored::NOT_ACTED_ON;
use crate::sets::Selector;
use crate::{ExcludedKinds, HealthScripts, IgnoreDifference, Project};

/// What of `argocd-cm` (util/settings/settings.go) changes what is compared and delivered, and is not acted on: keys, and beginnings of
/// keys.
const KEYS: [&str; 12] = [
    "application.instanceLabelKey",
    "application.sync.impersonation.enabled",
    "application.sync.impersonation.enforced",
    "application.sync.requireOverridePrivilegeForRevisionSync",
    "helm.enable",
    "helm.valuesFileSchemes",
    "installationID",
    "kustomize.buildOptions",
    "kustomize.enable",
    "resource.compareoptions",
    "resource.respectRBAC",
    "timeout.reconciliation",
];
const BEGINNINGS: [&str; 4] =
    ["kustomize.buildOptions.", "kustomize.path.", "kustomize.version.", "resource.customizations."];
/// How often Argo CD looks again is no meaning.
const WITHOUT_EFFECT: &str = "resource.customizations.ignoreResourceUpdates.";
/// How an object's Application is known, and what of that is ours.
const TRACKING: (&str, &str) = ("application.resourceTrackingMethod", "annotation");
/// Kinds that are excluded, and those that alone are not.
const EXCLUSIONS: &str = "resource.exclusions";
const INCLUSIONS: &str = "resource.inclusions";
/// Differences that do not count: of a kind, `GROUP_KIND`, or of `all`; and the form of earlier versions, all settings of all kinds in
/// one text.
const IGNORED: &str = "resource.customizations.ignoreDifferences.";
const CUSTOMIZATIONS: &str = "resource.customizations";
/// Scripts that say how objects of a kind fare, and whether they want all of Lua's libraries: those are not run.
const HEALTH: &str = "resource.customizations.health.";
const OPEN_LIBRARIES: &str = "resource.customizations.useOpenLibs.";
/// What scripts are called in the form of earlier versions.
const OLD_HEALTH: &str = "health.lua";
const OLD_OPEN_LIBRARIES: &str = "health.lua.useOpenLibs";
/// Projects from which others have bounds.
const GLOBAL_PROJECTS: &str = "globalProjects";

/// What Argo CD's settings say: what is acted on, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Keys of the ConfigMap, sorted.
    pub not_acted_on: BTreeSet<String>,
    /// Kinds that are excluded; what cannot be read of it is not acted on.
    pub excluded: ExcludedKinds,
    /// Differences that count for no Application; what cannot be read of it is not acted on.
    pub ignored: Vec<IgnoreDifference>,
    /// Scripts by which objects are judged; those that want more than there is are not acted on.
    pub health: HealthScripts,
    /// Which projects have bounds of another one, or why nobody knows.
    inherits: Option<Result<Vec<(Selector, String)>, String>>,
}

impl Settings {
    /// The ConfigMap, in Argo CD's own namespace.
    pub const CONFIG_MAP: &str = "argocd-cm";

    /// Reads the ConfigMap.
    pub fn parse(object: &Object) -> Self {
        let data = object.at("/data").and_then(Value::as_object).into_iter().flatten();
        let said = data.filter_map(|(key, text)| Some((key.as_str(), text.as_str()?)));
        let mut settings = Settings::default();
        let mut open = Vec::new();
        for (key, whole) in said.filter(|(_, text)| !text.trim().is_empty()) {
            // A script has its lines as they are written.
            let text = whole.trim();
            let is_known = KEYS.contains(&key) || BEGINNINGS.iter().any(|beginning| key.starts_with(beginning));
            if key == GLOBAL_PROJECTS {
                settings.inherits = Some(inherits(text));
                continue;
            }
            let is_in_vain = match key {
                EXCLUSIONS => settings.excluded.exclude(text).is_err(),
                INCLUSIONS => settings.excluded.include(text).is_err(),
                CUSTOMIZATIONS => settings.customize(text).is_none(),
                _ => {
                    if let Some(kind) = key.strip_prefix(IGNORED) {
                        settings.ignore(kind, '_', text).is_none()
                    } else if let Some(kind) = key.strip_prefix(HEALTH) {
                        let place = format!("{key} of {}", Self::CONFIG_MAP);
                        kind_of(kind, '_').map(|kind| settings.health.take(kind, whole, place)).is_none()
                    } else if let Some(kind) = key.strip_prefix(OPEN_LIBRARIES) {
                        open.extend(kind_of(kind, '_').filter(|_| text == "true").map(|kind| (kind, key)));
                        false
                    } else {
                        is_known && !key.starts_with(WITHOUT_EFFECT)
                    }
                }
            };
            if is_in_vain || (key == TRACKING.0 && text != TRACKING.1) {
                settings.not_acted_on.insert(key.to_owned());
            }
        }
        // Half of what a script wants is not what it was written for.
        for (kind, key) in open {
            if settings.health.leave_out(&kind) {
                settings.not_acted_on.insert(key.to_owned());
            }
        }
        settings
    }

    /// Takes what is ignored of a kind, as it is named with that between its group and it (util/settings, `convertToOverrideKey`;
    /// util/argo, `getGroupKindForOverrideKey`); nothing where that cannot be read, or not all of it acted on.
    fn ignore(&mut self, named: &str, between: char, text: &str) -> Option<()> {
        let (group, kind) = match named {
            "all" | "*/*" => ("*", "*"),
            _ => named.split_once(between).unwrap_or(("", named)),
        };
        let written = landfall_yaml::to_json(text).ok()?;
        let said: IgnoreDifference = serde_json::from_value(written).ok()?;
        let paths = said.jq_path_expressions.iter().filter(|it| Expression::parse(it).is_some()).cloned().collect();
        let is_whole = said.jq_path_expressions == paths;
        self.ignored.push(IgnoreDifference {
            group: group.to_owned(),
            kind: kind.to_owned(),
            json_pointers: said.json_pointers,
            jq_path_expressions: paths,
            managed_fields_managers: said.managed_fields_managers,
            ..IgnoreDifference::default()
        });
        is_whole.then_some(())
    }

    /// The same of the form of earlier versions; nothing where something else is said of a kind, too, that has an effect.
    fn customize(&mut self, text: &str) -> Option<()> {
        let Ok(Value::Object(kinds)) = landfall_yaml::to_json(text) else { return None };
        let mut is_whole = true;
        for (kind, said) in &kinds {
            let fields = said.as_object()?;
            let wants_all = fields.get(OLD_OPEN_LIBRARIES).is_some_and(|wants| wants == true);
            for (field, text) in fields {
                is_whole &= match field.as_str() {
                    OLD_HEALTH if !wants_all => {
                        let place = format!("{OLD_HEALTH} of {kind} in {CUSTOMIZATIONS} of {}", Self::CONFIG_MAP);
                        let script = text.as_str().filter(|text| !text.trim().is_empty());
                        script.into_iter().for_each(|script| self.health.take(kind.clone(), script, place.clone()));
                        true
                    }
                    OLD_OPEN_LIBRARIES => !wants_all,
                    "ignoreDifferences" => self.ignore(kind, '/', text.as_str().unwrap_or_default()).is_some(),
                    "ignoreResourceUpdates" => true,
                    _ => false,
                };
            }
        }
        is_whole.then_some(())
    }

    /// What a user should know.
    pub fn told(&self) -> Option<String> {
        let keys: Vec<&str> = self.not_acted_on.iter().map(String::as_str).collect();
        (!keys.is_empty()).then(|| format!("{} of {}{NOT_ACTED_ON}", keys.join(", "), Self::CONFIG_MAP))
    }

    /// Why nobody says what Applications of a project may deliver: it has bounds and windows of another one, too
    /// (`globalProjects`), which are not weighed here.
    pub fn unbounded(&self, project: &Project) -> Option<String> {
        let name = &project.name;
        match self.inherits.as_ref()? {
            Err(why) => Some(format!("{GLOBAL_PROJECTS} of {} cannot be read: {why}", Self::CONFIG_MAP)),
            Ok(all) => {
                let is_other = |(selector, of): &&(Selector, String)| of != name && selector.selects(&project.labels);
                let (_, of) = all.iter().find(is_other)?;
                Some(format!(
                    "project {name} has bounds of project {of}, too ({GLOBAL_PROJECTS} of {}), which is not acted on: write them \
                     into {name}, and take the label off that it is selected by",
                    Self::CONFIG_MAP
                ))
            }
        }
    }
}

/// A kind as scripts know it, `GROUP/KIND` or `KIND` (util/settings, `convertToOverrideKey`); nothing where it cannot be one.
fn kind_of(named: &str, between: char) -> Option<String> {
    match named.split(between).collect::<Vec<_>>()[..] {
        ["all"] => Some("*/*".to_owned()),
        [kind] if !kind.is_empty() => Some(kind.to_owned()),
        [group, kind] => Some(format!("{group}/{kind}")),
        _ => None,
    }
}

fn inherits(text: &str) -> Result<Vec<(Selector, String)>, String> {
    let written = landfall_yaml::to_json(text).map_err(|error| error.to_string())?;
    let Value::Array(items) = written else { return Err("it is no list".to_owned()) };
    let read = |item: &Value| {
        let name = item["projectName"].as_str().unwrap_or_default().to_owned();
        Selector::read(item, "labelSelector").map(|selector| (selector.unwrap_or_default(), name))
    };
    items.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(data: Value) -> Settings {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": data});
        Settings::parse(&Object::from_value(object).expect("a map"))
    }

    fn project(name: &str, labels: Value) -> Project {
        let metadata = json!({"name": name, "labels": labels});
        let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": metadata});
        Project::parse(&Object::from_value(object).expect("a map")).expect("a project")
    }

    #[test]
    fn keys_with_an_effect_that_are_not_acted_on_are_told_once_and_sorted() {
        let said = settings(json!({
            "url": "https://argocd.example.com", "timeout.reconciliation": "60s", "kustomize.buildOptions": "--enable-helm",
            "resource.customizations.actions.apps_Deployment": "x", "resource.exclusions": "- kinds: [Event]",
            "resource.compareoptions": "x: y", "resource.customizations.ignoreResourceUpdates.all": "jsonPointers: []", "resource.inclusions": "- {",
            "application.resourceTrackingMethod": "label", "accounts.anna": "login",
        }));
        assert_eq!(
            said.told().as_deref(),
            Some(
                "application.resourceTrackingMethod, kustomize.buildOptions, resource.compareoptions, resource.customizations.actions.apps_Deployment, \
                 resource.inclusions, timeout.reconciliation of argocd-cm is not acted on"
            )
        );
        let same = json!({"application.resourceTrackingMethod": "annotation", "url": "x"});
        assert_eq!(settings(same).told(), None);
        assert_eq!(settings(json!(null)), Settings::default());
    }

    #[test]
    fn differences_that_are_ignored_for_everybody_are_read_in_both_forms_and_what_is_not_acted_on_is_told() {
        let said = settings(json!({
            "resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/spec/replicas]\nmanagedFieldsManagers: [scaler]\n",
            "resource.customizations.ignoreDifferences.Service": "jqPathExpressions: ['.spec.ports[]?.nodePort', 'del(.spec)']\n",
            "resource.customizations.ignoreDifferences.all": "managedFieldsManagers: [sidecar]\n",
            "resource.customizations.ignoreDifferences.apps_StatefulSet": "- {",
            "resource.customizations": "argoproj.io/Rollout:\n  ignoreDifferences: |\n    jsonPointers: [/spec/paused]\n",
        }));
        let mut ignored: Vec<String> = said
            .ignored
            .iter()
            .map(|it| {
                let fields = [&it.json_pointers[..], &it.jq_path_expressions, &it.managed_fields_managers].concat();
                format!("{}/{} {}", it.group, it.kind, fields.join(" "))
            })
            .collect();
        ignored.sort();
        let expected = [
            "*/* sidecar",
            "/Service .spec.ports[]?.nodePort",
            "apps/Deployment /spec/replicas scaler",
            "argoproj.io/Rollout /spec/paused",
        ];
        assert_eq!(ignored, expected);
        let told = "resource.customizations.ignoreDifferences.Service, resource.customizations.ignoreDifferences.apps_StatefulSet of argocd-cm is not acted on";
        assert_eq!(said.told().as_deref(), Some(told));
        let health = "apps/Deployment:\n  actions: x\n  ignoreDifferences: |\n    jsonPointers: [/spec/replicas]\n";
        let said = settings(json!({"resource.customizations": health}));
        assert_eq!(said.ignored.len(), 1);
        assert_eq!(said.told().as_deref(), Some("resource.customizations of argocd-cm is not acted on"));
    }

    #[test]
    fn scripts_are_read_in_both_forms_and_what_wants_all_libraries_is_not_run_and_told() {
        let said = settings(json!({
            "resource.customizations.health.shop.example.com_Order": "\nreturn {}\n",
            "resource.customizations.health.ConfigMap": "return {}",
            "resource.customizations.health.a_b_c": "return {}",
            "resource.customizations.health.example.com_Basket": "return {}",
            "resource.customizations.useOpenLibs.example.com_Basket": "true",
            "resource.customizations.useOpenLibs.ConfigMap": "false",
            "resource.customizations.useOpenLibs.example.com_Nothing": "true",
        }));
        assert_eq!(
            said.told().as_deref(),
            Some(
                "resource.customizations.health.a_b_c, resource.customizations.useOpenLibs.example.com_Basket of argocd-cm is not acted on"
            )
        );
        let mut scripts = HealthScripts::default();
        let place = |kind: &str| format!("resource.customizations.health.{kind} of argocd-cm");
        scripts.take("shop.example.com/Order".to_owned(), "\nreturn {}\n", place("shop.example.com_Order"));
        scripts.take("ConfigMap".to_owned(), "return {}", place("ConfigMap"));
        assert_eq!(said.health, scripts);
        let old = "'*.example.com/*':\n  health.lua: |\n    return {}\nexample.org/Order:\n  health.lua: return {}\n  health.lua.useOpenLibs: true\n";
        let said = settings(json!({"resource.customizations": old}));
        let mut scripts = HealthScripts::default();
        let place = "health.lua of *.example.com/* in resource.customizations of argocd-cm";
        scripts.take("*.example.com/*".to_owned(), "return {}\n", place.to_owned());
        assert_eq!(said.health, scripts);
        assert_eq!(said.told().as_deref(), Some("resource.customizations of argocd-cm is not acted on"));
    }

    #[test]
    fn a_project_with_bounds_of_another_one_has_none_that_are_known() {
        let said = settings(
            json!({"globalProjects": "- labelSelector:\n    matchExpressions:\n    - {key: team, operator: In, values: [a, b]}\n  projectName: bounds\n"}),
        );
        let told = said.unbounded(&project("shop", json!({"team": "a"}))).expect("told");
        assert!(told.starts_with("project shop has bounds of project bounds, too"), "{told}");
        assert_eq!(said.unbounded(&project("shop", json!({"team": "c"}))), None);
        assert_eq!(said.unbounded(&project("shop", json!({}))), None);
        assert_eq!(said.unbounded(&project("bounds", json!({"team": "a"}))), None, "its own are known");
        assert_eq!(settings(json!({})).unbounded(&project("shop", json!({"team": "a"}))), None);
        // Everybody is selected; and what cannot be read may select anybody.
        for text in [
            "- labelSelector: {}\n  projectName: bounds\n",
            "- {",
            "some: thing",
            "- labelSelector: {matchExpressions: [{key: a, operator: in}]}\n  projectName: b\n",
        ] {
            assert!(
                settings(json!({"globalProjects": text})).unbounded(&project("shop", json!({}))).is_some(),
                "{text}"
            );
        }
    }
}
