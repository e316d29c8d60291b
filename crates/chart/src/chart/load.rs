//! A tree becomes a chart (helm: `pkg/chart/loader`).

use std::collections::BTreeMap;

use landfall_diag::Place;
use landfall_gotemplate::Map;

use super::{Chart, File, Without};
use crate::archive::{ArchiveError, read_archive_within, read_entries};
use crate::budget::{Budget, MAX_TREE_DEPTH, Spent};
use crate::dialect::Dialect;
use crate::error::{ChartError, Reading, in_helm4s_words, no_chart};
use crate::ignore::{IGNORE_FILE, Ignore};
use crate::lock::Lock;
use crate::metadata::{API_VERSION_V1, Metadata};
use crate::tree::Tree;
use crate::values::{count_of, read_all_documents, read_values};
use crate::warning::{Warning, Warnings};

impl Chart {
    /// Loads a chart from a directory's files, leaving out what its `.helmignore` names. Archives in it are unpacked with
    /// what the tree's budget has left.
    ///
    /// `location` is the directory as its owner would type it; it stands in front of places in errors.
    ///
    /// # Errors
    /// As Helm refuses.
    pub fn load(tree: &Tree, location: &str) -> Result<Chart, ChartError> {
        let ignore = match tree.get(IGNORE_FILE) {
            None => Ignore::defaults(),
            Some(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                Ignore::parse(&text).map_err(|error| ChartError::Ignore {
                    place: Box::new(Place::line(join(location, IGNORE_FILE), error.line).source_from(&text)),
                    problem: error.problem,
                })?
            }
        };
        let files = tree
            .iter()
            .filter(|(path, _)| !ignore.ignores_file(path))
            .map(|(path, data)| {
                let data = match data.strip_prefix(b"\xef\xbb\xbf") {
                    Some(rest) => rest.into(),
                    None => data.clone(),
                };
                File::new(path, data)
            })
            .collect();
        load_files(files, location, 0, &mut tree.left())
    }

    /// As [`Chart::load`], as that Helm does: Helm 4 takes all documents of `values.yaml`.
    ///
    /// # Errors
    /// As that Helm refuses.
    pub fn load_as(tree: &Tree, location: &str, dialect: Dialect) -> Result<Chart, ChartError> {
        if dialect == Dialect::V4 && tree.get("Chart.yaml").is_none() {
            return Err(no_chart(location));
        }
        in_dialect(Chart::load(tree, location), dialect)
    }

    /// As [`Chart::load_archive`], as that Helm does.
    ///
    /// # Errors
    /// As that Helm refuses.
    pub fn load_archive_as(name: &str, bytes: &[u8], dialect: Dialect) -> Result<Chart, ChartError> {
        in_dialect(Chart::load_archive(name, bytes), dialect)
    }

    /// Loads a chart from a `.tgz`; `name` is the file as its owner would type it.
    ///
    /// # Errors
    /// As Helm refuses.
    pub fn load_archive(name: &str, bytes: &[u8]) -> Result<Chart, ChartError> {
        let tree = read_archive_within(name, bytes, Budget::default())?;
        load_files(files_of(&tree), name, 0, &mut tree.left())
    }
}

/// What Helm 4 makes of a chart that Helm 3 has loaded.
fn in_dialect(loaded: Result<Chart, ChartError>, dialect: Dialect) -> Result<Chart, ChartError> {
    if dialect == Dialect::V3 {
        return loaded;
    }
    let loaded = loaded.and_then(|mut chart| {
        if !matches!(chart.metadata.api_version.as_str(), "v1" | "v2") {
            return Err(ChartError::ApiVersion(chart.metadata.api_version));
        }
        read_all_documents(&mut chart)?;
        Ok(chart)
    });
    loaded.map_err(in_helm4s_words)
}

fn files_of(tree: &Tree) -> Vec<File> {
    tree.iter().map(|(path, data)| File::new(path, data.clone())).collect()
}

fn join(location: &str, name: &str) -> String {
    if location.is_empty() { name.to_owned() } else { format!("{location}/{name}") }
}

fn load_files(all: Vec<File>, location: &str, depth: usize, budget: &mut Budget) -> Result<Chart, ChartError> {
    if depth > MAX_TREE_DEPTH {
        return Err(ChartError::ChartDepth(MAX_TREE_DEPTH));
    }
    let spent = |spent: Spent| ChartError::Spent { location: location.to_owned(), spent };
    let mut warnings = Warnings::default();
    let mut metadata: Option<Metadata> = None;
    let mut chart_file = None;
    for file in all.iter().filter(|file| file.name == "Chart.yaml") {
        let metadata = metadata.get_or_insert_with(Metadata::default);
        let json = read_yaml(file, CHART, location)?;
        budget.values(count_in(&json)).map_err(spent)?;
        metadata.read_into(&json).map_err(|error| ChartError::decode(CHART, error, file, location))?;
        if metadata.api_version.is_empty() {
            metadata.api_version = API_VERSION_V1.to_owned();
        }
        chart_file = Some(file);
    }
    let mut lock = None;
    let mut values = Map::new();
    let mut schema = None;
    let mut templates = Vec::new();
    let mut files = Vec::new();
    let mut subcharts: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in &all {
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => lock = Some(read_lock(file, Reading::Chart("Chart.lock"), location, budget)?),
            "values.yaml" => {
                values = read_values(file, location)?;
                budget.values(count_of(&values)).map_err(spent)?;
            }
            "values.schema.json" => schema = Some(file.data.clone()),
            "requirements.yaml" => {
                let metadata = metadata.get_or_insert_with(Metadata::default);
                let old = metadata.api_version == API_VERSION_V1;
                if !old {
                    warnings.add(
                        "load.go:120",
                        "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend migrating dependencies to Chart.yaml.",
                    );
                }
                let json = read_yaml(file, Reading::Chart("requirements.yaml"), location)?;
                budget.values(count_in(&json)).map_err(spent)?;
                metadata
                    .read_into(&json)
                    .map_err(|error| ChartError::decode(Reading::Chart("requirements.yaml"), error, file, location))?;
                if metadata.api_version == API_VERSION_V1 {
                    files.push(file.clone());
                }
            }
            "requirements.lock" => {
                lock = Some(read_lock(file, Reading::Chart("requirements.lock"), location, budget)?);
                let old = metadata.get_or_insert_with(Metadata::default).api_version == API_VERSION_V1;
                if old {
                    files.push(file.clone());
                } else {
                    warnings.add(
                        "load.go:138",
                        "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We recommend migrating to Chart.lock.",
                    );
                }
            }
            name => {
                if name.starts_with("templates/") {
                    templates.push(file.clone());
                } else if let Some(path) = name.strip_prefix("charts/") {
                    if path.ends_with(".prov") {
                        files.push(file.clone());
                        continue;
                    }
                    let directory = path.split('/').next().unwrap_or(path);
                    let inner = File::new(path, file.data.clone());
                    subcharts.entry(directory.to_owned()).or_default().push(inner);
                } else {
                    files.push(file.clone());
                }
            }
        }
    }
    let Some(mut metadata) = metadata else { return Err(ChartError::NoChartFile { location: location.to_owned() }) };
    metadata.validate().map_err(|error| ChartError::metadata(error, chart_file, location))?;
    let mut dependencies = Vec::new();
    for (name, files) in subcharts {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let subchart = load_subchart(&name, files, &metadata.name, (location, depth), budget).map_err(|error| {
            ChartError::Subchart { name: name.clone(), parent: metadata.name.clone(), error: Box::new(error) }
        });
        match subchart {
            Err(ChartError::Subchart { error, .. }) if stands_for_itself(&error) => {
                return Err(*error);
            }
            subchart => {
                let mut subchart = subchart?;
                warnings.0.append(&mut subchart.warnings);
                dependencies.push(subchart);
            }
        }
    }
    let warnings: Vec<Warning> = warnings.0;
    Ok(Chart {
        metadata,
        lock,
        templates: templates.into(),
        values,
        schema,
        files: files.into(),
        raw: all.into(),
        dependencies,
        location: location.to_owned(),
        warnings,
        loaded_name: None,
        switched_off: Vec::new(),
        without: Without::default(),
    })
}

fn load_subchart(
    name: &str,
    files: Vec<File>,
    parent: &str,
    (location, depth): (&str, usize),
    budget: &mut Budget,
) -> Result<Chart, ChartError> {
    let location = join(location, &format!("charts/{name}"));
    if name.ends_with(".tgz") {
        let Some(file) = files.first().filter(|file| file.name == name) else {
            return Err(ChartError::SubchartFile {
                parent: parent.to_owned(),
                name: name.to_owned(),
                found: files.first().map(|file| file.name.clone()).unwrap_or_default(),
            });
        };
        // Helm does not look at an inner archive's beginning and shows the decompressor's own words.
        let tree = read_entries(name, &file.data, *budget).map_err(|error| match error {
            ArchiveError::GzipHeader(_) => ArchiveError::Broken("gzip: invalid header".to_owned()).into(),
            ArchiveError::Spent(_, spent) => ChartError::Spent { location: location.clone(), spent },
            error => ChartError::from(error),
        })?;
        *budget = tree.left();
        return load_files(files_of(&tree), &location, depth + 1, budget);
    }
    let inside = files
        .into_iter()
        .filter_map(|file| {
            let (_, rest) = file.name.split_once('/')?;
            Some(File::new(rest, file.data.clone()))
        })
        .collect();
    load_files(inside, &location, depth + 1, budget)
}

/// Whether an error names its place itself, however deep the chart lies.
fn stands_for_itself(error: &ChartError) -> bool {
    matches!(error, ChartError::SubchartFile { .. } | ChartError::Spent { .. } | ChartError::ChartDepth(_))
}

/// How many values there are in a document.
fn count_in(json: &serde_json::Value) -> u64 {
    let mut open = vec![json];
    let mut count = 0;
    while let Some(value) = open.pop() {
        count += 1;
        match value {
            serde_json::Value::Array(items) => open.extend(items),
            serde_json::Value::Object(entries) => open.extend(entries.values()),
            _ => {}
        }
    }
    count
}

/// The chart's own file.
const CHART: Reading = Reading::Chart("Chart.yaml");

fn read_yaml(file: &File, reading: Reading, location: &str) -> Result<serde_json::Value, ChartError> {
    let text = file.text();
    crate::decode::yaml(&text).map_err(|error| ChartError::yaml(reading, &error, &join(location, &file.name), &text))
}

fn read_lock(file: &File, reading: Reading, location: &str, budget: &mut Budget) -> Result<Lock, ChartError> {
    let json = read_yaml(file, reading.clone(), location)?;
    let spent = |spent: Spent| ChartError::Spent { location: location.to_owned(), spent };
    budget.values(count_in(&json)).map_err(spent)?;
    Lock::read(&json).map_err(|error| ChartError::decode(reading, error, file, location))
}
