use landfall_source::Order;
use serde_json::json;

use super::{BAKED, ImageBuild};

/// An order to Docker's `buildx bake`, whose whole build is what it reads: no value stands in its command line or its
/// environment.
pub(super) fn order(image: &ImageBuild) -> Order {
    let mut target = json!({
        "context": literal(&image.context.to_string_lossy()),
        "dockerfile": literal(&image.dockerfile.to_string_lossy()),
        "tags": [literal(&image.image)],
        "output": ["type=docker"],
    });
    let arguments = image.arguments.iter().map(|(name, value)| (name.clone(), json!(literal(value))));
    target["args"] = arguments.collect::<serde_json::Map<_, _>>().into();
    let labels = image.baked().into_iter().map(|(name, digest)| (format!("{BAKED}{name}"), json!(digest)));
    target["labels"] = labels.collect::<serde_json::Map<_, _>>().into();
    if let Some(stage) = &image.target {
        target["target"] = json!(literal(stage));
    }
    let file = json!({"target": {"image": target}}).to_string();
    Order::new("docker", ["buildx", "bake", "--file", "-", "image"])
        // All that it reads lies in the tree, as was checked; older versions know no `--allow`.
        .with_variable("BUILDX_BAKE_ENTITLEMENTS_FS", "0")
        .in_directory(&image.root)
        .with_input(file)
}

/// A text as bake reads it: `${…}` and `%{…}` would be expressions over its environment.
fn literal(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_value_is_no_expression_of_bakes() {
        let image = ImageBuild {
            service: "web".into(),
            image: "shop/web:1".into(),
            root: "/src".into(),
            context: "/src/app".into(),
            dockerfile: "/src/app/Dockerfile".into(),
            target: Some("last".into()),
            arguments: BTreeMap::from([("KEY".to_owned(), "${HOME} %{ if true }\n$PLAIN".to_owned())]),
        };
        let order = order(&image);
        assert_eq!(order.shown(), "docker buildx bake --file - image");
        let file: serde_json::Value = serde_json::from_slice(order.input().expect("read")).expect("JSON");
        let target = &file["target"]["image"];
        assert_eq!(target["args"]["KEY"], "$${HOME} %%{ if true }\n$PLAIN");
        assert_eq!((&target["target"], &target["tags"][0]), (&json!("last"), &json!("shop/web:1")));
    }
}
