//! Objects of the whole cluster that are called alike in each release of a chart: the second release takes the first one's.

use std::collections::BTreeSet;

use landfall_delivery::RenderedUnit;
use landfall_object::{Object, ObjectKey};
use landfall_rules::SettingFault;

/// Kinds whose names people write down elsewhere, and of which a cluster has one by design.
const BY_NAME: &[&str] = &[
    "APIService",
    "ClusterIssuer",
    "ClusterSecretStore",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "Namespace",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "VolumeSnapshotClass",
];

/// What is called in two releases alike, where the chart calls anything by the release: the first is told of each kind.
pub(super) fn shared(one: &RenderedUnit, other: &RenderedUnit) -> Vec<SettingFault> {
    let wide = |unit: &RenderedUnit| -> BTreeSet<ObjectKey> {
        let is_own = |object: &&Object| {
            object.namespace().is_none()
                && !BY_NAME.contains(&object.kind())
                && !object.name().starts_with("system:")
                && !object.value()["metadata"]["labels"]
                    .as_object()
                    .is_some_and(|labels| labels.keys().any(|label| label.contains("aggregate-to")))
        };
        unit.objects.iter().map(|it| &it.object).filter(is_own).map(Object::key).collect()
    };
    // Of a chart that calls nothing by its release there is one on a cluster.
    let names = |unit: &RenderedUnit| -> BTreeSet<ObjectKey> { unit.all_objects().map(Object::key).collect() };
    if names(one).is_subset(&names(other)) {
        return Vec::new();
    }
    let (one, other) = (wide(one), wide(other));
    let mut kinds = BTreeSet::new();
    let alike = one.intersection(&other).filter(|key| kinds.insert(key.gvk.kind.clone()));
    let told = alike.map(|key| SettingFault {
        words: format!("{} `{}` of the whole cluster is called so in each release", key.gvk.kind, key.name),
        spot: None,
        place: None,
        wants_more: true,
    });
    told.collect()
}
