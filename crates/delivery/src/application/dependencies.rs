//! Dependencies of charts that Argo CD would build: fetched, or read beside the chart, into memory.

use landfall_chart::{Chart, Dependency, is_compatible};
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_source::{RemoteCharts, SourceTree};

use crate::target::join;
use crate::unit::load_chart;

/// Fills in the charts that a chart names and `charts/` lacks (argo-cd: `helm dependency build` before each render).
///
/// The lock's version is taken where there is a lock. What a repository's alias (`@name`) stands for is known to nobody
/// here, so such a dependency stays missing and rendering says so.
pub(super) async fn fill(
    chart: &mut Chart,
    files: &SourceTree,
    directory: &str,
    remote: &RemoteCharts,
) -> Result<(), Vec<Diagnostic>> {
    let missing: Vec<String> = chart.missing_dependencies().into_iter().map(str::to_owned).collect();
    let before = chart.dependencies.len();
    for name in &missing {
        let named = |dependency: &&Dependency| &dependency.name == name;
        let Some(wanted) = chart.metadata.dependencies.iter().find(named) else { continue };
        let locked = chart.lock.iter().flat_map(|lock| &lock.dependencies).find(named);
        let version = locked.map_or(&wanted.version, |locked| &locked.version);
        let repository = wanted.repository.as_str();
        let found = if let Some(path) = repository.strip_prefix("file://") {
            let directory = beside(directory, path);
            Some(load_chart(files, &directory, &directory)?)
        } else if repository.contains("://") {
            let fetched =
                remote.fetch_dependency(repository, name, version).await.map_err(|error| vec![error.diagnose()])?;
            let archive = format!("{}/charts/{name}-{version}.tgz", chart.location);
            Some(Chart::load_archive(&archive, &fetched.bytes).map_err(|error| vec![error.diagnose()])?)
        } else {
            None
        };
        chart.dependencies.extend(found);
    }
    if chart.dependencies.len() > before {
        // As they would lie in `charts/`.
        chart.dependencies.sort_by(|a, b| a.name().cmp(b.name()));
    }
    Ok(())
}

/// How deep charts beside charts are looked for.
const DEEPEST: usize = 8;

/// Fills in the charts that a chart names by `file://` and `charts/` lacks, as `helm dependency build` would copy them.
///
/// # Errors
/// One that lies there cannot be read.
pub(crate) fn fill_from_beside(chart: &mut Chart, files: &SourceTree, directory: &str) -> Result<(), Vec<Diagnostic>> {
    from_beside(chart, files, directory, DEEPEST)
}

fn from_beside(chart: &mut Chart, files: &SourceTree, directory: &str, left: usize) -> Result<(), Vec<Diagnostic>> {
    let missing: Vec<String> = chart.missing_dependencies().into_iter().map(str::to_owned).collect();
    let before = chart.dependencies.len();
    for name in missing.iter().filter(|_| left > 0) {
        let Some(wanted) = chart.metadata.dependencies.iter().find(|it| it.name == *name) else { continue };
        let Some(path) = wanted.repository.strip_prefix("file://") else { continue };
        let beside = beside(directory, path);
        // What is not there is told as a missing dependency, with Helm's words.
        if !files.is_directory(&beside) {
            continue;
        }
        let mut part = load_chart(files, &beside, &beside)?;
        if part.name() != name || !(wanted.version.is_empty() || is_compatible(&wanted.version, &part.metadata.version))
        {
            continue;
        }
        from_beside(&mut part, files, &beside, left - 1)?;
        chart.dependencies.push(part);
    }
    if chart.dependencies.len() > before {
        // As they would lie in `charts/`.
        chart.dependencies.sort_by(|a, b| a.name().cmp(b.name()));
    }
    Ok(())
}

/// A path as seen from a directory; what leads out of the files above them stays below their root.
fn beside(directory: &str, path: &str) -> String {
    let joined = join(directory, path);
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn charts_beside_a_chart_are_found_and_none_above_the_files() {
        assert_eq!(beside("charts/web", "../common"), "charts/common");
        assert_eq!(beside("charts/web", "../../../etc"), "etc");
        assert_eq!(beside("", "./lib"), "lib");
    }
}
