//! Which fields of ApplicationSets and Applications are acted on.

use serde_json::Value;

use crate::expression::Expression;

/// What is acted on within a field.
enum Shape {
    /// All of it.
    All,
    /// Nothing of it.
    Not,
    /// These fields; of a list, in each of its items.
    Of(&'static [(&'static str, Shape)]),
    /// What a generator is.
    Generator,
    /// What an Application is made of.
    Template,
    /// jq expressions: those that are read.
    Expressions,
}

use Shape::{All, Expressions, Generator, Not, Of, Template};

const SET: Shape = Of(&[
    ("generators", Generator),
    ("template", Template),
    ("templatePatch", All),
    ("goTemplate", All),
    ("goTemplateOptions", All),
    ("syncPolicy", Of(&[("preserveResourcesOnDeletion", All), ("applicationsSync", All)])),
    ("strategy", Of(&[("type", All), ("rollingSync", Not), ("deletionOrder", Not)])),
    ("preservedFields", Of(&[("annotations", All), ("labels", All)])),
    ("ignoreApplicationDifferences", Of(&[("name", All), ("jsonPointers", All), ("jqPathExpressions", All)])),
    // Selectors of nested generators always count, as in Argo CD by now.
    ("applyNestedSelectors", All),
]);

const REQUESTS: Shape = Of(&[
    ("owner", All),
    ("repo", All),
    ("project", All),
    ("api", All),
    ("tokenRef", Of(&[("secretName", All), ("key", All)])),
    ("labels", All),
    ("pullRequestState", All),
]);

const PATHS: Shape = Of(&[("path", All), ("exclude", All)]);

const GENERATOR: Shape = Of(&[
    ("list", Of(&[("elements", All), ("elementsYaml", All), ("template", Template)])),
    ("clusters", Of(&[("selector", All), ("values", All), ("flatList", All), ("template", Template)])),
    (
        "git",
        Of(&[
            ("repoURL", All),
            ("revision", All),
            ("directories", PATHS),
            ("files", PATHS),
            ("requeueAfterSeconds", All),
            ("pathParamPrefix", All),
            ("values", All),
            ("template", Template),
        ]),
    ),
    (
        "pullRequest",
        Of(&[
            ("github", REQUESTS),
            ("gitlab", REQUESTS),
            ("gitea", REQUESTS),
            ("filters", Of(&[("branchMatch", All), ("targetBranchMatch", All), ("titleMatch", All)])),
            ("requeueAfterSeconds", All),
            ("values", All),
            ("continueOnRepoNotFoundError", All),
            ("template", Template),
        ]),
    ),
    (
        "plugin",
        Of(&[
            ("configMapRef", Of(&[("name", All)])),
            ("input", Of(&[("parameters", All)])),
            ("requeueAfterSeconds", All),
            ("values", All),
            ("template", Template),
        ]),
    ),
    ("matrix", Of(&[("generators", Generator), ("template", Template)])),
    ("merge", Of(&[("generators", Generator), ("mergeKeys", All), ("template", Template)])),
    ("selector", All),
]);

const TEMPLATE: Shape = Of(&[
    ("metadata", Of(&[("name", All), ("namespace", All), ("labels", All), ("annotations", All), ("finalizers", All)])),
    ("spec", APPLICATION),
]);

const SOURCE: Shape = Of(&[
    ("repoURL", All),
    ("path", All),
    ("targetRevision", All),
    ("chart", All),
    ("ref", All),
    ("name", All),
    (
        "helm",
        Of(&[
            ("valueFiles", All),
            ("parameters", Of(&[("name", All), ("value", All), ("forceString", All)])),
            ("fileParameters", Of(&[("name", All), ("path", All)])),
            ("releaseName", All),
            ("values", All),
            ("valuesObject", All),
            ("ignoreMissingValueFiles", All),
            ("skipCrds", All),
            ("skipTests", All),
            ("skipSchemaValidation", All),
            ("namespace", All),
            ("kubeVersion", All),
            ("apiVersions", All),
            // Argo CD itself no longer heeds it.
            ("version", All),
        ]),
    ),
    // Argo CD wrote empty settings for Jsonnet wherever a directory has some of its own.
    ("directory", Of(&[("recurse", All), ("include", All), ("exclude", All), ("jsonnet", Not)])),
    (
        "kustomize",
        Of(&[
            ("namePrefix", All),
            ("nameSuffix", All),
            ("namespace", All),
            ("images", All),
            ("replicas", All),
            ("commonLabels", All),
            ("forceCommonLabels", All),
            ("commonAnnotations", All),
            ("forceCommonAnnotations", All),
            ("labelWithoutSelector", All),
            ("labelIncludeTemplates", All),
            ("ignoreMissingComponents", All),
            ("commonAnnotationsEnvsubst", All),
            ("patches", All),
            ("components", All),
            ("version", All),
            ("kubeVersion", All),
            ("apiVersions", All),
        ]),
    ),
]);

const APPLICATION: Shape = Of(&[
    ("project", All),
    ("destination", Of(&[("server", All), ("name", All), ("namespace", All)])),
    ("source", SOURCE),
    ("sources", SOURCE),
    (
        "syncPolicy",
        Of(&[
            ("automated", Of(&[("prune", All), ("selfHeal", All), ("allowEmpty", All), ("enabled", All)])),
            ("syncOptions", All),
            ("managedNamespaceMetadata", Of(&[("labels", All), ("annotations", All)])),
            ("retry", All),
        ]),
    ),
    (
        "ignoreDifferences",
        Of(&[
            ("group", All),
            ("kind", All),
            ("name", All),
            ("namespace", All),
            ("jsonPointers", All),
            ("jqPathExpressions", Expressions),
            ("managedFieldsManagers", All),
        ]),
    ),
    // For people to read.
    ("info", All),
    ("revisionHistoryLimit", All),
]);

impl Shape {
    fn within(&self) -> Option<&'static [(&'static str, Shape)]> {
        match self {
            Of(fields) => Some(fields),
            Generator => GENERATOR.within(),
            Template => TEMPLATE.within(),
            All | Not | Expressions => None,
        }
    }
}

/// Fields of an ApplicationSet's specification that are not acted on, each once.
pub(crate) fn not_acted_on(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(&SET, spec, "spec", &mut found);
    if spec.pointer("/strategy/type").and_then(Value::as_str).is_some_and(|it| it != "AllAtOnce" && !it.is_empty()) {
        found.push("spec.strategy.type".to_owned());
    }
    for rule in spec["ignoreApplicationDifferences"].as_array().into_iter().flatten() {
        let expressions = rule["jqPathExpressions"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if expressions.into_iter().any(is_not_read) {
            found.push("spec.ignoreApplicationDifferences.jqPathExpressions".to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Whether a jq expression says more than is read of them; one that a set's template fills in first is not known yet.
fn is_not_read(expression: &str) -> bool {
    !expression.contains("{{") && Expression::parse(expression).is_none()
}

/// The same of an Application's specification.
pub(crate) fn application_not_acted_on(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(&APPLICATION, spec, "spec", &mut found);
    found.sort();
    found.dedup();
    found
}

fn look(shape: &Shape, value: &Value, at: &str, found: &mut Vec<String>) {
    match (shape, value) {
        (All, _) => {}
        (Not, value) => found.extend(says_something(value).then(|| at.to_owned())),
        (Expressions, Value::Array(items)) => {
            found.extend(items.iter().filter_map(Value::as_str).any(is_not_read).then(|| at.to_owned()));
        }
        (shape, Value::Array(items)) => items.iter().for_each(|item| look(shape, item, at, found)),
        (shape, Value::Object(map)) => {
            let fields = shape.within().unwrap_or_default();
            for (key, value) in map {
                let at = format!("{at}.{key}");
                let shape = fields.iter().find(|(name, _)| name == key).map_or(&Not, |(_, shape)| shape);
                look(shape, value, &at, found);
            }
        }
        // What should be a map and is none is found when it is read.
        _ => {}
    }
}

/// Whether a field that is not acted on would have an effect: what is empty or `false` has none, wherever it stands.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(map) => map.values().any(says_something),
    }
}

/// How many fields say something: texts, numbers, and truths.
pub(crate) fn count(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 1,
    }
}

/// Seconds after which git is asked again where nothing is said; Argo CD's own.
const GIT: u64 = 180;
/// The same of forges.
const FORGE: u64 = 1800;

/// Seconds after which a generator is asked again; nothing where only changes of the cluster count.
pub(crate) fn asks_again(generator: &Value) -> Option<u64> {
    let own = |kind: &str, usual: u64| {
        let spec = generator.get(kind).filter(|spec| spec.is_object())?;
        Some(spec["requeueAfterSeconds"].as_u64().filter(|seconds| *seconds > 0).unwrap_or(usual))
    };
    let nested = ["matrix", "merge"].into_iter().filter_map(|kind| generator.get(kind)?["generators"].as_array());
    nested
        .flatten()
        .filter_map(asks_again)
        .chain(own("git", GIT))
        .chain(own("pullRequest", FORGE))
        .chain(own("plugin", FORGE))
        .min()
}
