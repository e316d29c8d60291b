//! The matrix: which chart, and who does what.

use super::side::Tool;

/// A chart and what changes on its upgrade.
pub(crate) struct Chart {
    pub(crate) name: &'static str,
    pub(crate) install: &'static str,
    pub(crate) upgrade: &'static str,
}

const fn chart(name: &'static str, upgrade: &'static str) -> Chart {
    Chart { name, install: "", upgrade }
}

/// The charts of the matrix, each with something of its own: hooks, definitions, a policy that keeps, many objects, a
/// hook that fails, a StatefulSet, a subchart, `lookup`, an object that goes.
pub(crate) const CHARTS: [Chart; 11] = [
    chart("basic", "--set replicas=2,msg=later"),
    chart("hooks", "--set v=2"),
    chart("crds", "--set size=4"),
    chart("keep", "--set v=2"),
    chart("keep", "--set more=false"),
    chart("many", "--set count=20,v=2"),
    chart("failhook", "--set v=2 --no-hooks"),
    chart("sts", "--set r=2"),
    chart("noted", "--reuse-values --set greeting=bye"),
    chart("look", ""),
    Chart { name: "noted", install: "--set sub.level=7 --labels team=a", upgrade: "--reset-values --labels team=b" },
];

/// Who installs and rolls back, and who upgrades and uninstalls; beside it the same with stock helm in our place.
pub(crate) struct Pair<'t> {
    pub(crate) first: &'t Tool,
    pub(crate) second: &'t Tool,
    pub(crate) peer_first: &'t Tool,
    pub(crate) peer_second: &'t Tool,
}

impl Pair<'_> {
    pub(crate) fn name(&self) -> String {
        format!("{} then {}", self.first.name, self.second.name)
    }
}

/// The four steps of a cell; the first number says who does it.
pub(crate) fn steps(chart: &Chart) -> [(usize, String); 4] {
    let Chart { name, install, upgrade } = chart;
    let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    [
        (0, line(format!("install cell {name} {install} --timeout 8s"))),
        (1, line(format!("upgrade cell {name} {upgrade} --timeout 8s"))),
        (0, "rollback cell 1 --timeout 8s".to_owned()),
        (1, "uninstall cell --timeout 8s".to_owned()),
    ]
}
