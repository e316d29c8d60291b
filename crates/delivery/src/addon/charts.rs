use std::path::{Path, PathBuf};

use async_recursion::async_recursion as boxed;
use landfall_chart::Chart;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_source::RemoteCharts;

use super::Addon;
use crate::unit::load_chart;

/// Where an addon's charts come from.
#[derive(Debug, Clone)]
pub enum AddonCharts {
    /// A chart repository.
    Repository {
        /// Its address.
        url: String,
        /// The version; the newest stable one when absent.
        version: Option<String>,
        /// How it is asked; what it keeps, a second installation asks nobody for.
        charts: Box<RemoteCharts>,
    },
    /// The main chart's directory or archive; the others lie beside it.
    Local(PathBuf),
}

impl AddonCharts {
    /// Loads an addon's charts, in order of installation.
    ///
    /// # Errors
    /// When there is no such chart or version, the repository cannot be reached, or a chart is none.
    #[boxed]
    pub async fn load(&self, addon: &Addon) -> Result<Vec<Chart>, Vec<Diagnostic>> {
        match self {
            AddonCharts::Repository { url, version, charts: remote } => {
                let mut charts = Vec::new();
                let mut version = version.clone();
                // The main one first: it says which version the others have when nobody did.
                for chart in addon.charts.iter().rev() {
                    let fetched = remote
                        .fetch(url, chart.name, version.as_deref().unwrap_or_default())
                        .await
                        .map_err(|error| vec![error.diagnose()])?;
                    let loaded =
                        Chart::load_archive(&fetched.place, &fetched.bytes).map_err(|error| vec![error.diagnose()])?;
                    version.get_or_insert_with(|| loaded.metadata.version.clone());
                    charts.push(loaded);
                }
                charts.reverse();
                Ok(charts)
            }
            AddonCharts::Local(path) => {
                let mut main = local(path)?;
                if main.name() != addon.main().name {
                    return Err(vec![
                        Diagnostic::error(
                            code::OTHER_CHART,
                            format!("`{}` is the chart {}, not {}", path.display(), main.name(), addon.main().name),
                        )
                        .help(format!("landfall install {} {}", main.name(), path.display())),
                    ]);
                }
                let mut charts = Vec::new();
                for companion in addon.charts.iter().filter(|chart| chart.name != addon.main().name) {
                    let beside = path.parent().unwrap_or(Path::new(".")).join(companion.name);
                    if beside.is_dir() {
                        let companion = local(&beside)?;
                        // A chart that lists its companion among its dependencies has it there, once it is packed.
                        let lists_it = main.missing_dependencies().contains(&companion.name());
                        if lists_it {
                            main.dependencies.push(companion.clone());
                        }
                        charts.push(companion);
                    } else if main.dependencies.iter().all(|inner| inner.name() != companion.name) {
                        return Err(vec![
                            Diagnostic::error(
                                code::MISSING_COMPANION,
                                format!("{} also needs the chart {}", addon.name, companion.name),
                            )
                            .note(format!(
                                "it is neither at `{}` nor in {}'s own charts/",
                                beside.display(),
                                main.name()
                            ))
                            .help("put it there, or run `landfall dependency update` on the chart"),
                        ]);
                    }
                }
                charts.push(main);
                Ok(charts)
            }
        }
    }
}

fn local(path: &Path) -> Result<Chart, Vec<Diagnostic>> {
    let shown = path.display().to_string();
    if path.is_file() {
        let bytes = landfall_source::read_bounded(path, landfall_source::MAX_PACKED)
            .map_err(|error| unreadable(&shown, &error))?;
        return Chart::load_archive(&shown, &bytes).map_err(|error| vec![error.diagnose()]);
    }
    if !path.is_dir() {
        return Err(vec![Diagnostic::error(code::NO_TARGET, format!("there is no `{shown}`"))]);
    }
    let (source, inside) = crate::target::working_tree(path).map_err(|diagnostic| vec![diagnostic])?;
    load_chart(&source, &inside, &shown)
}

fn unreadable(shown: &str, error: &std::io::Error) -> Vec<Diagnostic> {
    vec![Diagnostic::error(code::NO_TARGET, format!("`{shown}` cannot be read")).note(error.to_string())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addon::addon;

    fn write(path: &Path, name: &str) {
        std::fs::create_dir_all(path).expect("made");
        std::fs::write(path.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"))
            .expect("written");
    }

    #[tokio::test]
    async fn companions_lie_beside_the_main_chart() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let addon = addon("mariadb-operator").expect("known");
        let main = dir.path().join("mariadb-operator");
        write(&main, "mariadb-operator");
        let refused = AddonCharts::Local(main.clone()).load(addon).await.expect_err("one is missing");
        assert!(refused[0].message.contains("mariadb-operator-crds"), "{refused:?}");
        write(&dir.path().join("mariadb-operator-crds"), "mariadb-operator-crds");
        let text = "apiVersion: v2\nname: mariadb-operator\nversion: 1.0.0\ndependencies: [{name: mariadb-operator-crds, version: 1.0.0, repository: \"file://../mariadb-operator-crds\"}]\n";
        std::fs::write(main.join("Chart.yaml"), text).expect("written");
        let charts = AddonCharts::Local(main).load(addon).await.expect("both");
        assert_eq!(charts.iter().map(Chart::name).collect::<Vec<_>>(), ["mariadb-operator-crds", "mariadb-operator"]);
        assert!(charts[1].missing_dependencies().is_empty());
    }

    #[tokio::test]
    async fn another_chart_is_not_the_addon() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        write(dir.path(), "web");
        let refused = AddonCharts::Local(dir.path().to_owned()).load(addon("cert-manager").expect("known")).await;
        assert!(refused.expect_err("another chart")[0].message.contains("is the chart web, not cert-manager"));
    }
}
