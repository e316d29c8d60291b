//! Images that rendered manifests run.

use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::RenderedUnit;
use landfall_diag::Diagnostic;
use landfall_object::Object;
use serde::Serialize;
use serde_json::Value;

use crate::rendering::render_offline;
use crate::unit::Unit;

/// Lists of a pod's containers.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// An image and who runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedImage {
    /// The image, as it is written.
    pub image: String,
    /// The objects that run it, as `Deployment/web`.
    pub used_by: Vec<String>,
    /// The declared build that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built_as: Option<String>,
}

/// The images that units run, by name: of the containers of all objects and hooks, and what an operator's kinds call
/// their image.
///
/// # Errors
/// When a unit cannot be rendered.
pub fn used_images<'u>(
    units: impl IntoIterator<Item = &'u Unit>,
    builds: &BTreeMap<&str, &str>,
) -> Result<Vec<UsedImage>, Vec<Diagnostic>> {
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for unit in units {
        collect(&render_offline(unit)?, &mut users);
    }
    Ok(users
        .into_iter()
        .map(|(image, used_by)| UsedImage {
            built_as: builds.get(image.as_str()).map(|service| (*service).to_owned()),
            image,
            used_by: used_by.into_iter().collect(),
        })
        .collect())
}

/// The images that objects say to be run, as they are written.
pub fn images_of<'o>(objects: impl IntoIterator<Item = &'o Object>) -> BTreeSet<String> {
    let mut images = BTreeSet::new();
    objects.into_iter().for_each(|object| of_object(object, &mut images));
    images
}

/// The images that what was rendered runs, sorted.
pub(crate) fn images_in(rendered: &RenderedUnit) -> Vec<String> {
    let mut users = BTreeMap::new();
    collect(rendered, &mut users);
    users.into_keys().collect()
}

fn collect(rendered: &RenderedUnit, users: &mut BTreeMap<String, BTreeSet<String>>) {
    for object in rendered.all_objects() {
        let mut images = BTreeSet::new();
        of_object(object, &mut images);
        for image in images {
            users.entry(image).or_default().insert(format!("{}/{}", object.kind(), object.name()));
        }
    }
}

fn of_object(object: &Object, images: &mut BTreeSet<String>) {
    // Built-in groups have no dot, or belong to Kubernetes; anything else is a kind of an operator's.
    let is_custom = object.group().contains('.') && !object.group().ends_with(".k8s.io");
    if object.kind() != "CustomResourceDefinition" {
        walk(object.value(), is_custom, images);
    }
}

fn walk(value: &Value, is_custom: bool, images: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Array(containers) if CONTAINERS.contains(&name.as_str()) => {
                        images.extend(
                            containers.iter().filter_map(|container| container["image"].as_str()).map(str::to_owned),
                        );
                    }
                    Value::String(image)
                        if is_custom && matches!(name.as_str(), "image" | "imageName") && !image.is_empty() =>
                    {
                        images.insert(image.clone());
                    }
                    value => walk(value, is_custom, images),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, is_custom, images)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_kinds_name_their_images_in_fields_of_their_own() {
        let mut images = BTreeSet::new();
        let value = serde_json::json!({"spec": {"image": "mariadb:11", "metrics": {"exporter": {"image": "exporter:1"}},
            "podTemplate": {"containers": [{"image": "a:1"}, {}]}}});
        walk(&value, true, &mut images);
        assert_eq!(images.into_iter().collect::<Vec<_>>(), ["a:1", "exporter:1", "mariadb:11"]);
        let mut images = BTreeSet::new();
        walk(&serde_json::json!({"data": {"image": "not:run"}}), false, &mut images);
        assert!(images.is_empty());
    }
}
