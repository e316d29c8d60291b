//! Rules about templates and what they render (helm: `pkg/lint/rules/template.go`).

use landfall_diag::Severity;
use landfall_gotemplate::{Map, format};
use landfall_object::mask;
use serde_json::Value as Json;

use super::{Lint, deprecated, names};
use crate::capabilities::{Capabilities, KubeVersion};
use crate::chart::Chart;
use crate::decode::{DecodeError, Fields};
use crate::dialect::Dialect;
use crate::origin::Origins;
use crate::render::{Prepared, ReleaseInfo, RenderOptions, Strictness, execute_with};
use crate::values::coalesce::{Nulls, coalesce_values};
use crate::warning::Warnings;
use crate::{dependency, schema};

/// Renders the chart leniently and looks at every template.
pub(super) fn lint(
    chart: &Chart,
    values: &Map,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
    options: &RenderOptions,
    kube_version: Option<&KubeVersion>,
    lint: &mut Lint,
) {
    let mut warnings = Warnings(chart.warnings.clone());
    let mut chart = chart.clone();
    let values = dependency::process(&mut chart, values, options.dialect, &mut warnings)
        .and_then(|()| coalesce_values(&chart, values, Nulls::of(options.dialect), &mut warnings))
        // Helm brings the values together twice here.
        .and_then(|values| coalesce_values(&chart, &values, Nulls::of(options.dialect), &mut warnings));
    lint.warnings.append(&mut warnings.0);
    let Ok(values) = values else { return };
    let path = "templates/";
    if options.schema == crate::render::SchemaCheck::Validate
        && let Err(failure) = schema::validate(&chart, &values, &options.documents)
    {
        let text = format!(
            "values don't meet the specifications of the schema(s) in the following chart(s):\n{}",
            failure.text()
        );
        lint.add(Severity::Error, path, Err(text));
        return;
    }
    let prepared = Prepared { chart, values, user_values: Map::new(), origins: Origins::off() };
    let mut noted = Warnings::default();
    let files = execute_with(&prepared, release, capabilities, options, Strictness::Lenient, &mut noted);
    lint.warnings.append(&mut noted.0);
    let files = match files {
        Ok(files) => files,
        Err(error) => {
            let error = if options.dialect == Dialect::V4 { crate::error::in_helm4s_words(error) } else { error };
            lint.add(Severity::Error, path, Err(error.to_string()));
            return;
        }
    };
    let chart = &prepared.chart;
    for file in chart.templates.iter() {
        let path = file.name.as_str();
        let text = file.text();
        lint.add(Severity::Error, path, check_extension(path));
        lint.add(Severity::Warning, path, check_crd_hook(&text));
        lint.add(Severity::Error, path, check_release_time(&text));
        if !path.ends_with(".yaml") {
            continue;
        }
        let Some(rendered) = files.get(&format!("{}/{path}", chart.name())) else { continue };
        let rendered = String::from_utf8_lossy(&rendered.text);
        if rendered.trim().is_empty() {
            continue;
        }
        lint.add(Severity::Warning, path, check_top_indent(&rendered));
        if !lint_documents(path, &rendered, kube_version, lint) {
            return;
        }
    }
}

/// Looks at every document; false when one cannot be read, which ends Helm's lint of templates.
fn lint_documents(path: &str, rendered: &str, kube_version: Option<&KubeVersion>, lint: &mut Lint) -> bool {
    for part in landfall_yaml::documents(rendered) {
        let object = match part.map_err(|error| error.to_string()).and_then(Object::read) {
            Ok(None) => continue,
            Ok(Some(object)) => object,
            Err(text) => {
                let text = mask::words_about(rendered, text);
                lint.add(Severity::Error, path, Err(format!("unable to parse YAML: {text}")));
                return false;
            }
        };
        lint.add(Severity::Warning, path, check_name(&object));
        lint.add(Severity::Warning, path, deprecated::check(&object.api_version, &object.kind, kube_version));
        lint.add(Severity::Error, path, check_selector(&object, rendered));
        lint.add(Severity::Error, path, check_list(&object, rendered));
    }
    true
}

/// What Helm's lint reads of an object.
struct Object {
    api_version: String,
    kind: String,
    name: String,
}

impl Object {
    fn read(part: landfall_yaml::Part<'_>) -> Result<Option<Self>, String> {
        let json = part.to_json().map_err(|error| format!("error converting YAML to JSON: {error}"))?;
        let decoded = || -> Result<Option<Self>, DecodeError> {
            let Some(fields) = Fields::root(&json, "rules.K8sYamlStruct", "K8sYamlStruct")? else { return Ok(None) };
            let api_version = fields.text_or_empty("apiVersion")?;
            let kind = fields.text_or_empty("Kind")?;
            let name = match fields.object("Metadata", "k8sYamlMetadata", "rules.k8sYamlMetadata")? {
                None => String::new(),
                Some(metadata) => {
                    let name = metadata.text_or_empty("Name")?;
                    metadata.text_or_empty("Namespace")?;
                    name
                }
            };
            Ok(Some(Object { api_version, kind, name }))
        };
        decoded().map_err(|error| format!("error unmarshaling JSON: while decoding JSON: {error}"))
    }
}

fn check_extension(path: &str) -> Result<(), String> {
    let base = path.rsplit('/').next().unwrap_or(path);
    let extension = base.rfind('.').map_or("", |at| &base[at..]);
    if [".yaml", ".yml", ".tpl", ".txt"].contains(&extension) {
        return Ok(());
    }
    Err(format!("file extension '{extension}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt"))
}

fn check_crd_hook(text: &str) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.find("helm.sh/hook") {
        rest = &rest[at + "helm.sh/hook".len()..];
        let after = rest.strip_prefix('"').unwrap_or(rest);
        if let Some(after) = after.strip_prefix(':')
            && after.starts_with(|c: char| c.is_ascii_whitespace())
            && after.trim_start().starts_with("crd-install")
        {
            return Err("manifest is a crd-install hook. This hook is no longer supported in v3 and all CRDs should also exist the crds/ directory at the top level of the chart".to_owned());
        }
    }
    Ok(())
}

fn check_release_time(text: &str) -> Result<(), String> {
    if text.contains(".Release.Time") {
        return Err(
            ".Release.Time has been removed in v3, please replace with the `now` function in your templates".to_owned()
        );
    }
    Ok(())
}

fn check_top_indent(rendered: &str) -> Result<(), String> {
    let first = rendered.lines().find(|line| !line.trim().is_empty());
    match first.filter(|line| line.starts_with([' ', '\t'])) {
        None => Ok(()),
        Some(line) => Err(format!(
            "document starts with an illegal indent: {}, which may cause parsing problems",
            format::quote(line.as_bytes())
        )),
    }
}

fn check_name(object: &Object) -> Result<(), String> {
    let quoted = format::quote(object.name.as_bytes());
    let problems: Vec<String> = names::problems(&object.kind, &object.name)
        .into_iter()
        .map(|problem| format!("metadata.name: Invalid value: {quoted}: {problem}"))
        .collect();
    let all = match problems.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(format!("object name does not conform to Kubernetes naming requirements: {quoted}: {all}"))
}

fn check_selector(object: &Object, rendered: &str) -> Result<(), String> {
    let needs = ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"].contains(&object.kind.as_str());
    if needs && !rendered.contains("matchLabels") && !rendered.contains("matchExpressions") {
        return Err(format!(
            "a {} must contain matchLabels or matchExpressions, and {} does not",
            object.kind,
            format::quote(object.name.as_bytes())
        ));
    }
    Ok(())
}

fn check_list(object: &Object, rendered: &str) -> Result<(), String> {
    if object.kind != "List" {
        return Ok(());
    }
    let json = landfall_yaml::to_json(rendered)
        .map_err(|error| format!("unable to parse YAML: error converting YAML to JSON: {error}"))?;
    let items = json.get("items").and_then(Json::as_array).into_iter().flatten();
    for item in items {
        let annotations = item.get("metadata").and_then(|metadata| metadata.get("annotations"));
        if annotations.and_then(|annotations| annotations.get("helm.sh/resource-policy")).is_some() {
            return Err("Annotation 'helm.sh/resource-policy' within List objects are ignored".to_owned());
        }
    }
    Ok(())
}
