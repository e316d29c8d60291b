use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use landfall_chart::Dialect;
use sha2::{Digest as _, Sha256};

use super::vendor;
use crate::helm::{Helm, hex};
use crate::ours::read_tree;

/// A chart with values.
#[derive(Debug)]
pub(crate) struct Case {
    /// `repository/path` with the values file behind a colon.
    pub(crate) id: String,
    /// The chart's directory, dependencies in place.
    pub(crate) chart: PathBuf,
    /// Values files with their texts.
    pub(crate) values: Vec<(PathBuf, String)>,
    /// Digest of all files.
    pub(crate) content: String,
}

/// The cases of a chart: default values, and each of its values files for tests.
pub(crate) fn of_chart(id: &str, chart: &Path) -> io::Result<Vec<Case>> {
    let mut hash = Sha256::new();
    for (path, bytes) in read_tree(chart)?.iter() {
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update(bytes);
        hash.update([0]);
    }
    let content = hex(&hash.finalize());
    let mut files: Vec<PathBuf> = Vec::new();
    if let Ok(entries) = fs::read_dir(chart.join("ci")) {
        for entry in entries {
            let path = entry?.path();
            if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with("values.yaml")) {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut cases =
        vec![Case { id: id.to_owned(), chart: chart.to_owned(), values: Vec::new(), content: content.clone() }];
    for path in files {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let chart = chart.to_owned();
        cases.push(Case { id: format!("{id}:{name}"), chart, values: vec![(path, text)], content: content.clone() });
    }
    Ok(cases)
}

/// Our own charts below `examples/` and `deploy/`, and what `helm create` makes.
pub(crate) fn own(root: &Path, scaffold: &Path, helm: &Helm) -> Result<Vec<Case>, Box<dyn Error>> {
    let mut cases = Vec::new();
    for top in ["examples", "deploy"] {
        for chart in charts_below(&root.join(top))? {
            let id = chart.strip_prefix(root)?.display().to_string();
            let own = of_chart(&id, &chart)?;
            let content = own.first().map(|case| case.content.clone()).unwrap_or_default();
            cases.extend(own);
            // Values files beside the default are environments.
            let mut files: Vec<PathBuf> =
                fs::read_dir(&chart)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
            files.sort();
            for path in files {
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
                let environment = name.starts_with("values.") || name.starts_with("values-");
                if environment && name.ends_with(".yaml") && name != "values.yaml" {
                    let text = fs::read_to_string(&path)?;
                    let id = format!("{id}:{name}");
                    cases.push(Case {
                        id,
                        chart: chart.clone(),
                        values: vec![(path.clone(), text)],
                        content: content.clone(),
                    });
                }
            }
        }
    }
    let made = scaffold.join(match helm.dialect {
        Dialect::V3 => "scaffold",
        Dialect::V4 => "scaffold-v4",
    });
    if !made.exists() {
        fs::create_dir_all(scaffold)?;
        if !helm.create(&made)? {
            return Err(format!("helm create failed with {}", helm.version).into());
        }
    }
    cases.extend(of_chart("helm-create", &made)?);
    Ok(cases)
}

/// Charts of a corpus: directories of repositories, which lend each other dependencies.
pub(crate) fn corpus(corpus: &[PathBuf], prepared: &Path) -> Result<Vec<Case>, Box<dyn Error>> {
    let mut charts = Vec::new();
    for directory in corpus {
        for chart in charts_below(directory)? {
            charts.push((chart.strip_prefix(directory)?.display().to_string(), chart));
        }
    }
    let paths: Vec<PathBuf> = charts.iter().map(|(_, chart)| chart.clone()).collect();
    let shelf = vendor::Shelf::of(&paths)?;
    let mut cases = Vec::new();
    for (id, chart) in &charts {
        let ready = shelf.prepare(chart, &prepared.join(id))?;
        cases.extend(of_chart(id, &ready)?);
    }
    Ok(cases)
}

/// Directories that hold a `Chart.yaml` and do not lie inside another chart.
pub(crate) fn charts_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    if directory.join("Chart.yaml").is_file() {
        return Ok(vec![directory.to_owned()]);
    }
    let Ok(entries) = fs::read_dir(directory) else { return Ok(Vec::new()) };
    let mut below: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    below.sort();
    let mut charts = Vec::new();
    for path in below {
        if path.is_dir() && !path.is_symlink() {
            charts.extend(charts_below(&path)?);
        }
    }
    Ok(charts)
}
