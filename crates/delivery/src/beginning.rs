//! A first `landfall.yaml`: what a directory holds that one can name, and the file that names it.
//!
//! Read from the same files that a delivery reads. What is not known is left out, and stands as a comment with what to write.

use std::collections::BTreeMap;

use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_project::{EnvironmentName, Namespace, ReleaseName, SystemName};
use landfall_source::SourceTree;
use serde::Serialize;
use serde_json::Value;

use crate::target::{holds_applications, join, working_tree};

/// The environment that everything can be tried in.
const LOCAL: &str = "local";
/// The environment of Applications that do not say theirs.
const PRODUCTION: &str = "production";

/// What a directory holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Beginning {
    /// The system's name.
    pub name: String,
    /// Charts, in the order of their directories.
    pub charts: Vec<FoundChart>,
    /// Environments by name, `local` among them.
    pub environments: BTreeMap<String, FoundEnvironment>,
}

/// A chart that a system can deliver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FoundChart {
    /// Its name.
    pub name: String,
    /// Its directory, from that of the file; `.` for the same.
    pub directory: String,
    /// Where an Application delivers it.
    pub namespace: Option<String>,
    /// Values files beside the usual one, by what stands between `values` and the ending.
    #[serde(skip)]
    values: BTreeMap<String, String>,
}

/// An environment that files speak of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FoundEnvironment {
    /// Charts with their values files.
    pub releases: Vec<FoundRelease>,
    /// Patterns of Argo CD's Applications.
    pub applications: Vec<String>,
}

/// A release of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FoundRelease {
    /// The release's name.
    pub name: String,
    /// The chart's directory.
    pub chart: String,
    /// Where it goes.
    pub namespace: String,
    /// Values files, from the chart's directory.
    pub values: Vec<String>,
}

/// An Application as far as it says something of charts and environments.
struct FoundApplication {
    /// Its file's directory.
    directory: String,
    /// Its chart's path within its repository.
    path: Option<String>,
    namespace: Option<String>,
    /// The environment that its values files, or its file's name, speak of.
    environment: Option<String>,
}

impl Beginning {
    /// Looks through a directory.
    ///
    /// # Errors
    /// It cannot be read, or holds neither a chart nor an Application.
    pub fn of(directory: &std::path::Path, shown: &str) -> Result<Self, Vec<Diagnostic>> {
        let real = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let (source, inside) = working_tree(directory).map_err(|diagnostic| vec![diagnostic])?;
        let mut charts = charts(&source, &inside).map_err(|diagnostic| vec![diagnostic])?;
        let applications = applications(&source, &inside).map_err(|diagnostic| vec![diagnostic])?;
        if charts.is_empty() && applications.is_empty() {
            let shown = if shown == "." { real.display().to_string() } else { shown.to_owned() };
            let text = format!("`{shown}` holds neither a chart nor an Argo Application");
            return Err(vec![
                Diagnostic::error(code::NOTHING_TO_DELIVER, text)
                    .help("`landfall create NAME` makes a chart to begin with; a kustomization or plain manifests need no landfall.yaml: `landfall up DIR`"),
            ]);
        }
        for chart in &mut charts {
            let whole = join(&inside, chart.directory.trim_start_matches('.'));
            let of_it = applications.iter().find(|it| it.path.as_deref() == Some(whole.trim_end_matches('/')));
            chart.namespace = of_it.and_then(|it| it.namespace.clone());
        }
        let named = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let environments = environments(&charts, &applications);
        Ok(Beginning { name: system_name(&named), charts, environments })
    }

    /// The file.
    pub fn text(&self) -> String {
        let mut text = format!(
            "# What is delivered, and where to. `landfall schema` prints all that may stand here.\napiVersion: landfall.dev/v1\nkind: System\nname: {}\n\nenvironments:\n",
            scalar(&self.name)
        );
        let order = |name: &str| (name != LOCAL, name.to_owned());
        let mut environments: Vec<(&String, &FoundEnvironment)> = self.environments.iter().collect();
        environments.sort_by_key(|(name, _)| order(name));
        for (name, environment) in environments {
            text.push_str(&format!("  {}:\n", scalar(name)));
            text.push_str(if name == LOCAL {
                "    cluster: embedded          # in Landfall's own process; or {context: NAME} of the kubeconfig\n"
            } else {
                "    # Embedded as well, until its context of the kubeconfig stands here:\n    # cluster: {context: NAME, protected: true}\n"
            });
            if !environment.releases.is_empty() {
                text.push_str("    releases:\n");
            }
            for release in &environment.releases {
                let mut fields = format!(
                    "name: {}, chart: {}, namespace: {}",
                    scalar(&release.name),
                    scalar(&release.chart),
                    scalar(&release.namespace)
                );
                if !release.values.is_empty() {
                    let files: Vec<String> = release.values.iter().map(|file| scalar(file)).collect();
                    fields.push_str(&format!(", values: [{}]", files.join(", ")));
                }
                text.push_str(&format!("      - {{{fields}}}\n"));
            }
            match environment.applications.as_slice() {
                [] => {}
                [one] => text.push_str(&format!("    applications: {}\n", scalar(one))),
                several => {
                    let all: Vec<String> = several.iter().map(|pattern| scalar(pattern)).collect();
                    text.push_str(&format!("    applications: [{}]\n", all.join(", ")));
                }
            }
        }
        text
    }
}

/// The charts below a directory, without those inside of others and those that only lend templates.
fn charts(source: &SourceTree, inside: &str) -> Result<Vec<FoundChart>, Diagnostic> {
    let mut found: Vec<FoundChart> = Vec::new();
    let files = source.glob(&join(&globset::escape(inside), "**/Chart.yaml")).map_err(|error| error.diagnose())?;
    let directories: Vec<&str> =
        files.iter().filter_map(|file| file.strip_suffix("Chart.yaml")).map(|it| it.trim_end_matches('/')).collect();
    for directory in &directories {
        let is_below = |other: &&str| {
            other.len() < directory.len()
                && (other.is_empty() || directory.strip_prefix(*other).is_some_and(|rest| rest.starts_with('/')))
        };
        if directories.iter().any(is_below) {
            continue;
        }
        let Some(bytes) = source.read(&join(directory, "Chart.yaml")).map_err(|error| error.diagnose())? else {
            continue;
        };
        let chart = landfall_yaml::to_json(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
        let Some(name) = chart["name"].as_str().filter(|name| ReleaseName::parse(name).is_ok()) else { continue };
        if chart["type"] == "library" {
            continue;
        }
        let below = directory.strip_prefix(inside).unwrap_or(directory).trim_start_matches('/');
        let mut values = BTreeMap::new();
        for entry in source.entries(directory).map_err(|error| error.diagnose())? {
            if let Some(environment) = environment_of(&entry) {
                values.insert(environment, entry);
            }
        }
        found.push(FoundChart {
            name: name.to_owned(),
            directory: if below.is_empty() { ".".to_owned() } else { below.to_owned() },
            namespace: None,
            values,
        });
    }
    Ok(found)
}

/// The Applications below a directory; what lies in a chart is a template.
fn applications(source: &SourceTree, inside: &str) -> Result<Vec<FoundApplication>, Diagnostic> {
    let mut found = Vec::new();
    for pattern in ["**/*.yaml", "**/*.yml"] {
        for path in source.glob(&join(&globset::escape(inside), pattern)).map_err(|error| error.diagnose())? {
            if path.contains("/templates/") || path.starts_with("templates/") {
                continue;
            }
            let Some(bytes) = source.read(&path).map_err(|error| error.diagnose())? else { continue };
            let text = String::from_utf8_lossy(&bytes);
            // Most files are none, and are not read as YAML for it.
            if !text.contains("argoproj.io/") || !holds_applications(&text) {
                continue;
            }
            let below = path.strip_prefix(inside).unwrap_or(&path).trim_start_matches('/');
            let (directory, file) = below.rsplit_once('/').unwrap_or(("", below));
            for document in landfall_yaml::to_json_all(&text).unwrap_or_default() {
                found.extend(application(&document, directory, file));
            }
        }
    }
    Ok(found)
}

fn application(document: &Value, directory: &str, file: &str) -> Option<FoundApplication> {
    let kind = document["kind"].as_str().filter(|kind| ["Application", "ApplicationSet"].contains(kind))?;
    let spec = if kind == "Application" { &document["spec"] } else { &document["spec"]["template"]["spec"] };
    let text = |value: &Value| value.as_str().filter(|text| !text.contains("{{")).map(str::to_owned);
    let sources: Vec<&Value> =
        spec["sources"].as_array().map_or_else(|| vec![&spec["source"]], |sources| sources.iter().collect());
    let files = sources.iter().flat_map(|source| source["helm"]["valueFiles"].as_array().into_iter().flatten());
    let named = files.filter_map(Value::as_str).filter_map(|path| environment_of(path.rsplit('/').next()?));
    let by_values = named.reduce(|_, later| later);
    let parts = directory.split(['/', '-', '_', '.']).chain(file.split(['.', '-', '_']));
    let known = ["prod", PRODUCTION, "staging", "stage", "test", "dev", "development"];
    let by_path = parts.filter(|part| known.contains(part)).reduce(|_, later| later).map(str::to_owned);
    Some(FoundApplication {
        directory: directory.to_owned(),
        path: sources.iter().find_map(|source| text(&source["path"])).map(|path| path.trim_matches('/').to_owned()),
        namespace: text(&spec["destination"]["namespace"]),
        environment: by_values.or(by_path),
    })
}

fn environments(charts: &[FoundChart], applications: &[FoundApplication]) -> BTreeMap<String, FoundEnvironment> {
    let mut environments: BTreeMap<String, FoundEnvironment> = BTreeMap::new();
    for application in applications {
        let name = application.environment.clone().unwrap_or_else(|| PRODUCTION.to_owned());
        let pattern = join(&globset::escape(&application.directory), "*.yaml");
        let environment = environments.entry(name).or_default();
        if !environment.applications.contains(&pattern) {
            environment.applications.push(pattern);
        }
    }
    // Files of one directory are of one environment: whoever names it for one names it for all.
    let of_others: Vec<(String, Vec<String>)> = environments
        .iter()
        .filter(|(name, _)| *name != PRODUCTION)
        .map(|(name, environment)| (name.clone(), environment.applications.clone()))
        .collect();
    if let Some(rest) = environments.get_mut(PRODUCTION) {
        rest.applications.retain(|pattern| !of_others.iter().any(|(_, patterns)| patterns.contains(pattern)));
    }
    environments.retain(|_, environment| !environment.applications.is_empty());
    let delivered_by_argo: Vec<String> = environments.keys().cloned().collect();
    let names: std::collections::BTreeSet<String> =
        charts.iter().flat_map(|chart| chart.values.keys().cloned()).chain([LOCAL.to_owned()]).collect();
    for name in names {
        // What Argo CD delivers there is not delivered twice.
        if delivered_by_argo.contains(&name) {
            continue;
        }
        let environment = environments.entry(name.clone()).or_default();
        for chart in charts {
            environment.releases.push(FoundRelease {
                name: chart.name.clone(),
                chart: chart.directory.clone(),
                namespace: chart.namespace.clone().unwrap_or_else(|| chart.name.clone()),
                values: chart.values.get(&name).cloned().into_iter().collect(),
            });
        }
    }
    // Without a chart there is nothing that `local` could deliver but the Applications themselves.
    if charts.is_empty() {
        let all = environments.values().flat_map(|environment| environment.applications.clone()).collect();
        environments.insert(LOCAL.to_owned(), FoundEnvironment { releases: Vec::new(), applications: all });
    }
    for environment in environments.values_mut() {
        environment.releases.retain(|release| Namespace::parse(&release.namespace).is_ok());
    }
    environments
}

/// The environment whose values a file holds: `values.prod.yaml`, `values-prod.yaml`, `prod-values.yaml`.
fn environment_of(file: &str) -> Option<String> {
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml"))?;
    let name = stem
        .strip_prefix("values")
        .and_then(|rest| rest.strip_prefix(['.', '-', '_']))
        .or_else(|| stem.strip_suffix("values").and_then(|rest| rest.strip_suffix(['.', '-', '_'])))?;
    // The place where everything is tried, by another name.
    let name = if name == "embedded" { LOCAL } else { name };
    let is_example = ["example", "sample", "schema", "template"].iter().any(|word| name.contains(word));
    (!is_example && EnvironmentName::parse(name).is_ok()).then(|| name.to_owned())
}

/// A directory's name as one of a system.
fn system_name(directory: &str) -> String {
    let name: String =
        directory.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let name: String = name.trim_matches(['-', '_', '.']).chars().take(63).collect();
    let name = name.trim_end_matches(['-', '_', '.']);
    if SystemName::parse(name).is_ok() { name.to_owned() } else { "system".to_owned() }
}

/// A text as it may stand within braces: in quotes where it is not plain letters.
fn scalar(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_text = landfall_yaml::to_json(text).is_ok_and(|value| value.is_string());
    if is_plain && is_text { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_what_a_values_file_is_called_after() {
        for (file, name) in [
            ("values.prod.yaml", Some("prod")),
            ("values-us-prod.yaml", Some("us-prod")),
            ("values_test.yml", Some("test")),
            ("staging-values.yaml", Some("staging")),
            ("values.embedded.yaml", Some("local")),
            ("values.yaml", None),
            ("values.schema.json", None),
            ("values.example.yaml", None),
            ("Chart.yaml", None),
        ] {
            assert_eq!(environment_of(file).as_deref(), name, "{file}");
        }
    }

    #[test]
    fn any_directory_has_a_name_that_a_system_can_have() {
        for (directory, name) in [
            ("shop", "shop"),
            ("my shop", "my-shop"),
            ("..", "system"),
            ("größe", "gr--e"),
            ("", "system"),
            ("-a-", "a"),
        ] {
            assert_eq!(system_name(directory), name, "{directory}");
        }
        assert_eq!(system_name(&"a".repeat(200)).len(), 63);
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in
            ["web", "true", "1e3", "0x1", "a: b", "a, b", "{x}", "charts/web", ".", "~", "größe", "a\"b", "no", "1.0"]
        {
            let read = landfall_yaml::to_json(&format!("{{x: {}}}", scalar(text))).expect("it is YAML");
            assert_eq!(read["x"], text);
        }
    }
}
