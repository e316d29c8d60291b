//! Which Kubernetes a change is looked at for: a chart that refuses the one that is there hides nothing of itself.

use landfall_chart::{Capabilities, KubeVersion, is_compatible};
use landfall_delivery::{Candidate, Door, Unit};
use landfall_object::schema::Schemas;

/// Has units seen by a Kubernetes: the one that was asked for, and where a chart takes neither that nor the one that is there
/// (`here`, the simulated one where none is named), the nearest that it takes. Rule LF340 tells the latter.
pub fn mean(candidates: &mut [Candidate], asked: Option<&KubeVersion>, here: Option<&str>) {
    let schemas = Schemas::builtin();
    let here = asked.cloned().or_else(|| KubeVersion::parse(here.unwrap_or(schemas.kubernetes_version())).ok());
    let Some(here) = here else { return };
    // What renders without any cluster sees Helm's own version.
    let bare = Capabilities::default().kube_version;
    for unit in candidates.iter_mut().filter_map(|(_, unit)| unit.as_mut().ok()) {
        let takes = |unit: &Unit, version: &KubeVersion| {
            let mut charts = unit.charts().filter(|it| it.settings.kube_version.is_none());
            charts.all(|it| {
                let wanted = &it.chart.metadata.kube_version;
                wanted.is_empty() || is_compatible(wanted, &version.normalized)
            })
        };
        unit.meant_for = match (takes(unit, &here), asked.is_some() || !takes(unit, &bare)) {
            (true, true) => Some(here.clone()),
            (true, false) => None,
            (false, _) => nearest(unit, &here).filter(|version| takes(unit, version)),
        };
        // Argo CD hands on the numbers alone.
        if let (Door::Application(_), Some(meant)) = (&unit.door, &mut unit.meant_for) {
            meant.version.clone_from(&meant.normalized);
        }
    }
}

/// The nearest version that the charts which refuse this one take.
fn nearest(unit: &Unit, here: &KubeVersion) -> Option<KubeVersion> {
    let mut wanted = unit.charts().map(|it| it.chart.metadata.kube_version.as_str());
    let refusing = wanted.find(|wanted| !wanted.is_empty() && !is_compatible(wanted, &here.normalized))?;
    here.nearest_allowed(refusing)
}
