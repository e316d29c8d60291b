//! Dependencies of charts that Argo CD would build: fetched, or read beside the chart, into memory.

use landfall_chart::{Chart, Dependency, StandsBeside, is_compatible};
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
        if !is_wanted(wanted, &part) {
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

/// Whether a chart is one that a dependency asks for, by its name and its version.
fn is_wanted(wanted: &Dependency, part: &Chart) -> bool {
    let fits = || wanted.version.is_empty() || is_compatible(&wanted.version, &part.metadata.version);
    part.name() == wanted.name && fits()
}

/// Takes charts of the same repository for dependencies by an address that are not at hand: those that lie beside the chart
/// under the dependency's name, in a version that is wanted. What is published may be another one: this is to look at a
/// chart, and not to deliver it. Each is noted in the chart. `shown` is how a path of the files is told.
pub(crate) fn stand_in_from_beside(
    chart: &mut Chart,
    files: &SourceTree,
    directory: &str,
    shown: &dyn Fn(&str) -> String,
) {
    stand_in(chart, files, directory, shown, DEEPEST);
}

fn stand_in(chart: &mut Chart, files: &SourceTree, directory: &str, shown: &dyn Fn(&str) -> String, left: usize) {
    // Of what lies above the files nothing is known.
    if directory.trim_matches(['.', '/']).is_empty() || left == 0 {
        return;
    }
    let missing: Vec<String> = chart.missing_dependencies().into_iter().map(str::to_owned).collect();
    let before = chart.dependencies.len();
    for name in &missing {
        let Some(wanted) = chart.metadata.dependencies.iter().find(|it| it.name == *name) else { continue };
        let is_by_address = wanted.repository.contains("://") && !wanted.repository.starts_with("file://");
        let beside = beside(directory, &format!("../{name}"));
        if !is_by_address || beside == directory || !files.is_directory(&beside) {
            continue;
        }
        let place = shown(&beside);
        let Ok(mut part) = load_chart(files, &beside, &place) else { continue };
        if !is_wanted(wanted, &part) {
            continue;
        }
        stand_in(&mut part, files, &beside, shown, left - 1);
        chart.without.beside.push(StandsBeside { dependency: wanted.clone(), place });
        chart.dependencies.push(part);
    }
    if chart.dependencies.len() > before {
        // As they would lie in `charts/`.
        chart.dependencies.sort_by(|a, b| a.name().cmp(b.name()));
    }
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
    use landfall_chart::{Chart, Tree};
    use landfall_source::SourceTree;

    use super::{beside, stand_in_from_beside};

    #[test]
    fn charts_beside_a_chart_are_found_and_none_above_the_files() {
        assert_eq!(beside("charts/web", "../common"), "charts/common");
        assert_eq!(beside("charts/web", "../../../etc"), "etc");
        assert_eq!(beside("", "./lib"), "lib");
    }

    /// `charts/web`, which wants `common` of a version from an address, as it is looked at in a repository that has a library in
    /// `directory`.
    fn looked_at(wanted: &str, address: &str, directory: &str, library: &str) -> Chart {
        let web = format!(
            "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n\
             - {{name: common, version: \"{wanted}\", repository: \"{address}\"}}\n"
        );
        let library = format!("apiVersion: v2\ntype: library\n{library}\n");
        let at = format!("{directory}/Chart.yaml");
        let files: Tree =
            [("charts/web/Chart.yaml".to_owned(), web.into_bytes()), (at, library.into_bytes())].into_iter().collect();
        let tree = SourceTree::from_tree("files", files);
        let mut chart = super::load_chart(&tree, "charts/web", "charts/web").expect("a chart");
        stand_in_from_beside(&mut chart, &tree, "charts/web", &str::to_owned);
        chart
    }

    #[test]
    fn a_chart_of_the_same_repository_stands_in_for_the_published_one() {
        let address = "https://charts.example.com";
        let chart = looked_at("2.x", address, "charts/common", "name: common\nversion: 2.3.1");
        assert!(chart.missing_dependencies().is_empty());
        let noted: Vec<_> = chart.without.beside.iter().map(|it| (&*it.dependency.name, &*it.place)).collect();
        assert_eq!(noted, [("common", "charts/common")]);
        for (wanted, address, directory, library) in [
            ("3.x", address, "charts/common", "name: common\nversion: 2.3.1"),
            ("2.x", address, "charts/common", "name: other\nversion: 2.3.1"),
            ("2.x", address, "library/common", "name: common\nversion: 2.3.1"),
            ("2.x", "@charts", "charts/common", "name: common\nversion: 2.3.1"),
        ] {
            let chart = looked_at(wanted, address, directory, library);
            assert_eq!(chart.missing_dependencies(), ["common"], "{wanted} {address} {directory} {library}");
        }
    }
}
