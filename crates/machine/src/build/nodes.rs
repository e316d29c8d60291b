//! Images on the nodes of a k3d cluster: what is there stays, the rest is imported in one go.

use std::collections::BTreeSet;

use landfall_diag::{Diagnostic, code};
use landfall_source::Order;
use serde::Deserialize;

use super::{ImageBuild, failed};
use crate::image_name::whole_name;
use crate::k3d::K3d;

/// What became of the images that a cluster's nodes should have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Brought to the nodes.
    pub imported: Vec<String>,
    /// There already.
    pub cached: Vec<String>,
    /// Not to be had here; the nodes will look for themselves.
    pub left: Vec<String>,
}

/// `crictl images`, as far as it is needed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeImages {
    images: Vec<NodeImage>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeImage {
    id: String,
    repo_tags: Vec<String>,
    repo_digests: Vec<String>,
}

/// Brings built images and the others that are run to all nodes of a k3d cluster; Docker has them or fetches
/// them. What all nodes have already is left out: a built one by its content, another by its name.
pub(super) async fn import(cluster: &str, built: &[ImageBuild], others: &[&str]) -> Result<Imported, Diagnostic> {
    let nodes = images_of_nodes(cluster).await;
    let mut done = Imported::default();
    let mut seen = BTreeSet::new();
    for image in built.iter().map(|build| &build.image).filter(|image| seen.insert(image.as_str())) {
        let content = content_of(image).await;
        let is_there = |node: &NodeImages| {
            node.images.iter().any(|known| known.has(image) && content.as_deref() == Some(known.id.as_str()))
        };
        if !nodes.is_empty() && nodes.iter().all(is_there) {
            done.cached.push(image.clone());
        } else {
            done.imported.push(image.clone());
        }
    }
    for image in others.iter().copied() {
        if built.iter().any(|build| build.image == image) {
            continue;
        }
        if !nodes.is_empty() && nodes.iter().all(|node| node.images.iter().any(|known| known.has(image))) {
            done.cached.push(image.to_owned());
        } else if content_of(image).await.is_some()
            || Order::new("docker", ["pull", "--quiet", image]).said().await.is_ok()
        {
            done.imported.push(image.to_owned());
        } else {
            done.left.push(image.to_owned());
        }
    }
    if !done.imported.is_empty() {
        let words = ["image", "import"].into_iter().chain(done.imported.iter().map(String::as_str));
        let order = Order::new("k3d", words.chain(["--cluster", cluster]));
        order.said().await.map_err(|refusal| {
            failed(code::IMAGE_NOT_BROUGHT, format!("the images were built, but `{}` failed", order.shown()), &refusal)
        })?;
    }
    Ok(done)
}

/// What each node has; nothing when one cannot be asked, because then everything is brought.
async fn images_of_nodes(cluster: &str) -> Vec<NodeImages> {
    let Ok(Some(listed)) = K3d::default().find(cluster).await else { return Vec::new() };
    let mut all = Vec::new();
    for node in listed.nodes() {
        let said = Order::new("docker", ["exec", node, "crictl", "images", "--output", "json"]).said().await;
        match said.ok().and_then(|text| serde_json::from_str(&text).ok()) {
            Some(images) => all.push(images),
            None => return Vec::new(),
        }
    }
    all
}

/// The content of an image that Docker has.
async fn content_of(image: &str) -> Option<String> {
    let said = Order::new("docker", ["image", "inspect", "--format", "{{.Id}}", image]).said().await.ok()?;
    Some(said.trim().to_owned()).filter(|id| !id.is_empty())
}

impl NodeImage {
    fn has(&self, image: &str) -> bool {
        let whole = whole_name(image);
        self.repo_tags.iter().chain(&self.repo_digests).any(|known| *known == whole)
    }
}
