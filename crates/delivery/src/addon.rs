//! Addons: the operators that systems lean on, each a release of its maintainers' own chart.
//!
//! ```text
//! name ─► Addon (catalogue) ─► AddonCharts: from a repository, or side by side on disk ─► units ─► Session::up
//! ```
//!
//! The catalogue is data: where charts are published, what their releases are called by custom, and which switch of
//! theirs brings their kinds along. What is installed already, under whatever name and by whomever, is gone on with.

mod catalogue;
mod charts;

use async_recursion::async_recursion as boxed;
use landfall_chart::{Chart, SchemaDocuments, SetFlag, ValueLayers, values_to_json};
use landfall_diag::{Diagnose, Diagnostic, code, nearest};
use landfall_release::{ListFilter, Status};
use serde::Serialize;

pub use catalogue::{ADDONS, Addon, AddonChart};
pub use charts::AddonCharts;

use crate::session::Session;
use landfall_secrets::sops::SopsKeys;

use crate::unit::{Overrides, Unit, add_overrides};
use crate::up::Candidate;

/// A release of an addon's chart that a cluster has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstalledChart {
    /// The chart's name.
    pub chart: String,
    /// The chart's version.
    pub version: String,
    /// The release's name.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Helm's word: `deployed`, `failed`.
    pub status: String,
}

/// An addon of the catalogue by name.
///
/// # Errors
/// When there is none, with the nearest.
pub fn addon(name: &str) -> Result<&'static Addon, Diagnostic> {
    if let Some(addon) = ADDONS.iter().find(|addon| addon.name == name) {
        return Ok(addon);
    }
    let known = || ADDONS.iter().map(|addon| addon.name);
    let diagnostic = Diagnostic::error(code::NO_ADDON, format!("there is no addon `{name}`"))
        .note(format!("addons: {}", known().collect::<Vec<_>>().join(", ")));
    Err(match nearest(name, known()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("any other chart: landfall install NAME CHART --repo URL"),
    })
}

impl Session {
    /// The releases of addons' charts on the cluster.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    #[boxed]
    pub async fn addons(&self) -> Result<Vec<InstalledChart>, Vec<Diagnostic>> {
        let records = self.releases("default").list_everywhere(ListFilter::All).await;
        let records = records.map_err(|error| vec![error.diagnose()])?;
        let known = |name: &str| ADDONS.iter().flat_map(|addon| addon.charts).any(|chart| chart.name == name);
        Ok(records
            .into_iter()
            .filter(|record| record.info.status != Status::Uninstalled && known(record.chart_name()))
            .map(|record| InstalledChart {
                chart: record.chart_name().to_owned(),
                version: record.chart_version().to_owned(),
                status: record.info.status.word().to_owned(),
                release: record.name,
                namespace: record.namespace,
            })
            .collect())
    }
}

impl Addon {
    /// The chart that the addon is about; the others bring its kinds.
    pub fn main(&self) -> &'static AddonChart {
        self.charts.last().expect("every addon of the catalogue has a chart")
    }

    /// Its main chart's release, when it is installed.
    pub fn installed<'i>(&self, all: &'i [InstalledChart]) -> Option<&'i InstalledChart> {
        all.iter().find(|one| one.chart == self.main().name)
    }

    /// What is delivered: a release for each chart, where one is installed already that one; the values go to the main
    /// chart.
    ///
    /// # Errors
    /// When a chart cannot be loaded.
    pub fn units(
        &self,
        charts: Vec<Chart>,
        namespace: Option<&str>,
        values: &Overrides,
        installed: &[InstalledChart],
        documents: &SchemaDocuments,
    ) -> Result<Vec<Candidate>, Vec<Diagnostic>> {
        let main = self.main();
        let brings_kinds = charts.iter().any(|chart| chart.name() != main.name);
        let mut units = Vec::new();
        for chart in charts {
            let is_main = chart.name() == main.name;
            let known = self.charts.iter().find(|known| known.name == chart.name()).unwrap_or(main);
            let mut layers = ValueLayers::new();
            if let Some(line) = known.kinds_switch(&chart, brings_kinds) {
                layers.set(SetFlag::Json, line);
            }
            for (path, value) in known.values {
                layers.set(SetFlag::Json, format!("{path}={value}"));
            }
            if is_main {
                let keys = SopsKeys::unreadable("values files of add-ons are not opened");
                add_overrides(&mut layers, values, &keys)?;
            }
            let already = installed.iter().find(|one| one.chart == chart.name());
            let (release, wanted) = match already {
                Some(one) => (one.release.clone(), one.namespace.clone()),
                None => (known.release.to_owned(), namespace.unwrap_or(self.namespace).to_owned()),
            };
            if let (Some(one), Some(asked)) = (already, namespace)
                && one.namespace != asked
            {
                return Err(vec![
                    Diagnostic::error(
                        code::ADDON_THERE,
                        format!(
                            "{} is installed already, in namespace {} (release {})",
                            self.name, one.namespace, one.release
                        ),
                    )
                    .note("its kinds belong to the whole cluster; two of it would fight over them")
                    .help(format!("go on with that one: leave `-n {asked}` out")),
                ]);
            }
            units.push((release.clone(), Ok(Unit::release(release, wanted, chart, layers, documents))));
        }
        Ok(units)
    }
}

impl AddonChart {
    /// The `--set` line that makes a chart bring its own kinds: the first of its switches that this version of it has.
    /// Where another chart brings them, none.
    fn kinds_switch(&self, chart: &Chart, brought: bool) -> Option<String> {
        if brought {
            return None;
        }
        let values = values_to_json(&chart.values);
        self.kinds
            .iter()
            .find(|path| values.pointer(&format!("/{}", path.replace('.', "/"))).is_some())
            .map(|path| format!("{path}=true"))
    }
}

#[cfg(test)]
mod tests {
    use landfall_chart::Tree;

    use super::*;

    fn chart(name: &str, values: &str) -> Chart {
        let mut tree = Tree::new();
        tree.insert("Chart.yaml", format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n").into_bytes())
            .expect("clean");
        tree.insert("values.yaml", values.as_bytes().to_vec()).expect("clean");
        Chart::load(&tree, name).expect("a chart")
    }

    fn none() -> SchemaDocuments {
        SchemaDocuments::default()
    }

    fn merged(unit: &Unit) -> serde_json::Value {
        let crate::unit::UnitSource::Chart(source) = &unit.sources[0] else { panic!("a chart") };
        values_to_json(&source.values.merge().expect("merges"))
    }

    #[test]
    fn a_switch_is_set_by_the_name_that_the_chart_has() {
        let addon = addon("cert-manager").expect("known");
        for (values, path) in [("crds: {enabled: false}\n", "/crds/enabled"), ("installCRDs: false\n", "/installCRDs")]
        {
            let units = addon
                .units(vec![chart("cert-manager", values)], None, &Overrides::default(), &[], &none())
                .expect("made");
            let unit = units[0].1.as_ref().expect("made");
            assert_eq!(merged(unit).pointer(path), Some(&serde_json::Value::Bool(true)), "{values}");
            assert_eq!((unit.name.as_str(), unit.namespace.as_str()), ("cert-manager", "cert-manager"));
        }
    }

    #[test]
    fn a_release_that_is_there_is_gone_on_with() {
        let addon = addon("sealed-secrets").expect("known");
        let installed = [InstalledChart {
            chart: "sealed-secrets".into(),
            version: "1.0.0".into(),
            release: "mine".into(),
            namespace: "infra".into(),
            status: "deployed".into(),
        }];
        let charts = || vec![chart("sealed-secrets", "{}\n")];
        let units = addon.units(charts(), None, &Overrides::default(), &installed, &none()).expect("made");
        let unit = units[0].1.as_ref().expect("made");
        assert_eq!((unit.name.as_str(), unit.namespace.as_str()), ("mine", "infra"));
        let refused =
            addon.units(charts(), Some("other"), &Overrides::default(), &installed, &none()).expect_err("two of it");
        assert!(refused[0].message.contains("in namespace infra (release mine)"), "{refused:?}");
    }

    #[test]
    fn kinds_come_from_a_chart_of_their_own_or_from_the_main_one() {
        let addon = addon("mariadb-operator").expect("known");
        let main = || chart("mariadb-operator", "crds: {enabled: false}\n");
        let alone = addon.units(vec![main()], None, &Overrides::default(), &[], &none()).expect("made");
        assert_eq!(merged(alone[0].1.as_ref().expect("made"))["crds"]["enabled"], true);
        let both = addon.units(
            vec![chart("mariadb-operator-crds", "{}\n"), main()],
            None,
            &Overrides::default(),
            &[],
            &none(),
        );
        let both = both.expect("made");
        assert_eq!(both[0].0, "mariadb-operator-crds");
        assert_eq!(merged(both[1].1.as_ref().expect("made")), serde_json::json!({}));
    }

    #[test]
    fn an_unknown_addon_names_the_nearest() {
        let refused = addon("cert-manger").expect_err("misspelt");
        assert_eq!(refused.helps, ["did you mean `cert-manager`?"]);
    }
}
