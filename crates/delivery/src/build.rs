//! Images built before a delivery, by whichever builder the machine has, and brought to where the cluster finds them.

mod nodes;
mod smoke;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landfall_chart::values_to_json;
use landfall_diag::{Diagnostic, nearest};
use landfall_project::Build;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use nodes::Imported;

use crate::images::UsedImage;
use crate::program::{Order, Refusal};
use crate::rendering::{RenderedUnit, render_offline};
use crate::up::Candidate;

/// Labels of built images that say with which arguments they were made: this, and the argument's name.
const BAKED: &str = "landfall.dev/baked-";

/// What builds images here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// Docker, its daemon answering.
    Docker,
    /// Podman.
    Podman,
    /// BuildKit's own client, its daemon answering.
    BuildKit,
}

/// One image to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageBuild {
    /// The service, as declared.
    pub service: String,
    /// The image, as the rendered workload names it.
    pub image: String,
    context: PathBuf,
    dockerfile: PathBuf,
    target: Option<String>,
    arguments: BTreeMap<String, String>,
}

/// Where images go once they are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shipping {
    /// Into the nodes of a k3d cluster.
    K3d(String),
    /// Into the nodes of a kind cluster.
    Kind(String),
    /// To the registry that the image's name says.
    Push,
    /// Nowhere: nothing runs them.
    Stay,
}

impl Shipping {
    /// How images reach the cluster of a kubeconfig's context.
    pub fn to_context(context: &str) -> Self {
        match context.split_once('-') {
            Some(("k3d", cluster)) => Shipping::K3d(cluster.to_owned()),
            Some(("kind", cluster)) => Shipping::Kind(cluster.to_owned()),
            _ => Shipping::Push,
        }
    }
}

impl Builder {
    /// The first builder that is installed and answers.
    pub async fn find() -> Option<Self> {
        let questions: [(Builder, &str, &[&str]); 3] = [
            (Builder::Docker, "docker", &["version", "--format", "{{.Server.Version}}"]),
            (Builder::Podman, "podman", &["info", "--format", "{{.Version.Version}}"]),
            (Builder::BuildKit, "buildctl", &["debug", "workers"]),
        ];
        for (builder, program, arguments) in questions {
            if Order::new(program, arguments.iter().copied()).run().await.is_ok() {
                return Some(builder);
            }
        }
        None
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Builder::Docker => "docker",
            Builder::Podman => "podman",
            Builder::BuildKit => "buildctl",
        }
    }

    /// Builds one image.
    ///
    /// # Errors
    /// What the builder says.
    pub async fn build(self, image: &ImageBuild, shipping: &Shipping) -> Result<(), Diagnostic> {
        self.order_to_build(image, shipping).run().await.map(|_| ()).map_err(|refusal| {
            failed(616, format!("the image of {} could not be built by {}", image.service, self.name()), &refusal)
        })
    }

    /// Brings built images to the cluster, all together where that is possible; into a k3d cluster also the others that
    /// the manifests run, so that its nodes ask nobody. What is there already is left out.
    ///
    /// # Errors
    /// What the program that does it says.
    pub async fn ship(
        self,
        images: &[ImageBuild],
        used: &[UsedImage],
        shipping: &Shipping,
    ) -> Result<Imported, Diagnostic> {
        if let (Builder::Docker, Shipping::K3d(cluster)) = (self, shipping) {
            return nodes::import(cluster, images, used).await;
        }
        for order in self.orders_to_ship(images, shipping) {
            order.run().await.map_err(|refusal| {
                failed(617, format!("the images were built, but `{}` failed", order.shown()), &refusal)
            })?;
        }
        let imported = images.iter().map(|image| image.image.clone()).collect();
        Ok(Imported { imported, ..Imported::default() })
    }

    fn order_to_build(self, image: &ImageBuild, shipping: &Shipping) -> Order {
        let shown = |path: &Path| path.display().to_string();
        if self == Builder::BuildKit {
            let folder = image.dockerfile.parent().unwrap_or(Path::new("."));
            let file = image.dockerfile.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let mut arguments: Vec<String> = ["build", "--frontend", "dockerfile.v0"].map(str::to_owned).to_vec();
            arguments.extend(["--local".to_owned(), format!("context={}", shown(&image.context))]);
            arguments.extend(["--local".to_owned(), format!("dockerfile={}", shown(folder))]);
            arguments.extend(["--opt".to_owned(), format!("filename={file}")]);
            if let Some(target) = &image.target {
                arguments.extend(["--opt".to_owned(), format!("target={target}")]);
            }
            for (name, value) in &image.arguments {
                // Its client takes build arguments from nowhere else.
                arguments.extend(["--opt".to_owned(), format!("build-arg:{name}={value}")]);
            }
            for (name, digest) in image.baked() {
                arguments.extend(["--opt".to_owned(), format!("label:{BAKED}{name}={digest}")]);
            }
            let push = if *shipping == Shipping::Push { ",push=true" } else { "" };
            arguments.extend(["--output".to_owned(), format!("type=image,name={}{push}", image.image)]);
            return Order { program: self.name(), arguments, variables: BTreeMap::new() };
        }
        let mut arguments = vec!["build".to_owned(), "--tag".to_owned(), image.image.clone()];
        arguments.extend(["--file".to_owned(), shown(&image.dockerfile)]);
        if let Some(target) = &image.target {
            arguments.extend(["--target".to_owned(), target.clone()]);
        }
        for name in image.arguments.keys() {
            // The value comes from the environment: arguments are for everybody to see.
            arguments.extend(["--build-arg".to_owned(), name.clone()]);
        }
        for (name, digest) in image.baked() {
            arguments.extend(["--label".to_owned(), format!("{BAKED}{name}={digest}")]);
        }
        arguments.push(shown(&image.context));
        Order { program: self.name(), arguments, variables: image.arguments.clone() }
    }

    fn orders_to_ship(self, images: &[ImageBuild], shipping: &Shipping) -> Vec<Order> {
        let names = || images.iter().map(|image| image.image.clone());
        let order = |program, arguments| Order { program, arguments, variables: BTreeMap::new() };
        match shipping {
            _ if images.is_empty() => Vec::new(),
            Shipping::Stay => Vec::new(),
            Shipping::K3d(cluster) => {
                let arguments = ["image".to_owned(), "import".to_owned()].into_iter().chain(names());
                vec![order("k3d", arguments.chain(["--cluster".to_owned(), cluster.clone()]).collect())]
            }
            Shipping::Kind(cluster) => {
                let arguments = ["load".to_owned(), "docker-image".to_owned()].into_iter().chain(names());
                vec![order("kind", arguments.chain(["--name".to_owned(), cluster.clone()]).collect())]
            }
            // BuildKit has pushed while it built.
            Shipping::Push if self == Builder::BuildKit => Vec::new(),
            Shipping::Push => names().map(|image| order(self.name(), vec!["push".to_owned(), image])).collect(),
        }
    }
}

impl ImageBuild {
    /// The stage of the Dockerfile that is built, when it is not the last.
    pub fn stage(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// The arguments it is built with, each with the digest of its value: what a later look at the image is compared
    /// with, and no secret where the value is one.
    pub fn baked(&self) -> BTreeMap<&str, String> {
        self.arguments.iter().map(|(name, value)| (name.as_str(), digest_of(value))).collect()
    }
}

/// A value's digest, as labels have it.
fn digest_of(value: &str) -> String {
    let digest: String = Sha256::digest(value.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digest}")
}

fn failed(code: u16, message: String, refusal: &Refusal) -> Diagnostic {
    refusal.told(code, message).note("nothing was changed on the cluster").help("deliver without building: --no-build")
}

/// What is to be built, from an environment's declarations and what its units render to.
///
/// # Errors
/// When no workload of a service's name says which image it runs, or an argument's values path does not exist.
pub fn image_builds(
    declared: &BTreeMap<String, Build>,
    services: &[String],
    candidates: &[Candidate],
    directory: &Path,
) -> Result<Vec<ImageBuild>, Vec<Diagnostic>> {
    let wanted = || declared.iter().filter(|(name, _)| services.is_empty() || services.contains(name));
    if wanted().next().is_none() {
        return Ok(Vec::new());
    }
    let mut rendered = Vec::new();
    for unit in candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok()) {
        rendered.push(render_offline(unit)?);
    }
    let mut builds = Vec::new();
    for (service, build) in wanted() {
        let Some((unit, image)) = rendered.iter().find_map(|unit| Some((unit, image_of(unit, service)?))) else {
            return Err(vec![
                Diagnostic::error(138, format!("build `{service}`: no workload of that name says which image it runs"))
                    .help("name the workload as the build, or take the build out"),
            ]);
        };
        // A repository of its own keeps the tag that the workload runs.
        let image = match &build.image {
            Some(repository) => match tag_of(&image) {
                Some(tag) => format!("{repository}:{tag}"),
                None => repository.to_string(),
            },
            None => image,
        };
        let mut arguments = BTreeMap::new();
        for (name, path) in &build.args {
            arguments.insert(name.clone(), value_at(unit, path).map_err(|diagnostic| vec![diagnostic])?);
        }
        let context = directory.join(build.context.as_deref().unwrap_or("."));
        let dockerfile = match &build.dockerfile {
            Some(file) => directory.join(file.as_str()),
            None => context.join("Dockerfile"),
        };
        let (service, target) = (service.clone(), build.target.clone());
        builds.push(ImageBuild { service, image, context, dockerfile, target, arguments });
    }
    Ok(builds)
}

/// The image that a workload or hook of that name runs: of the container of its name, else of its first.
fn image_of(unit: &RenderedUnit, service: &str) -> Option<String> {
    let object =
        unit.all_objects().find(|object| object.name() == service && object.at("/spec/template/spec").is_some())?;
    let containers = object.list_at("/spec/template/spec/containers");
    let own = containers.iter().find(|container| container["name"] == service).or(containers.first())?;
    own["image"].as_str().map(str::to_owned)
}

/// The tag of an image's name: what follows the last colon behind the last slash.
fn tag_of(image: &str) -> Option<&str> {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split('@').next()?.split_once(':').map(|(_, tag)| tag)
}

fn value_at(unit: &RenderedUnit, path: &str) -> Result<String, Diagnostic> {
    let values = unit.charts.first().map(|chart| values_to_json(&chart.values)).unwrap_or_default();
    let mut at = &values;
    for step in path.split('.') {
        let Some(next) = at.get(step) else {
            let known = at.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            let diagnostic =
                Diagnostic::error(139, format!("the build argument's values path `{path}` has no `{step}`"));
            return Err(match nearest(step, known) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
        };
        at = next;
    }
    Ok(match at {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> ImageBuild {
        ImageBuild {
            service: "web".into(),
            image: "registry.example.com/shop/web:v2".into(),
            context: "/src".into(),
            dockerfile: "/src/apps/web/Dockerfile".into(),
            target: None,
            arguments: BTreeMap::from([("KEY".to_owned(), "value".to_owned())]),
        }
    }

    #[test]
    fn an_arguments_value_is_not_in_the_command_line() {
        let order = Builder::Docker.order_to_build(&image(), &Shipping::Push);
        let expected = [
            "build",
            "--tag",
            "registry.example.com/shop/web:v2",
            "--file",
            "/src/apps/web/Dockerfile",
            "--build-arg",
            "KEY",
            "--label",
            "landfall.dev/baked-KEY=sha256:cd42404d52ad55ccfa9aca4adc828aa5800ad9d385a0671fbcbf724118320619",
            "/src",
        ];
        assert_eq!(order.arguments, expected);
        assert_eq!(order.variables.get("KEY").map(String::as_str), Some("value"));
    }

    #[test]
    fn a_stage_is_named_to_every_builder() {
        let stage = ImageBuild { target: Some("worker".into()), ..image() };
        let arguments = |builder: Builder| builder.order_to_build(&stage, &Shipping::Push).arguments.join(" ");
        assert!(arguments(Builder::Docker).contains("--target worker"));
        assert!(arguments(Builder::BuildKit).contains("--opt target=worker"));
        assert!(!Builder::Docker.order_to_build(&image(), &Shipping::Push).arguments.contains(&"--target".to_owned()));
    }

    #[test]
    fn buildkit_pushes_while_it_builds() {
        let order = Builder::BuildKit.order_to_build(&image(), &Shipping::Push);
        assert_eq!(
            order.arguments.last().map(String::as_str),
            Some("type=image,name=registry.example.com/shop/web:v2,push=true")
        );
        assert!(Builder::BuildKit.orders_to_ship(&[image()], &Shipping::Push).is_empty());
    }

    #[test]
    fn a_local_clusters_context_says_how_images_get_there() {
        assert_eq!(Shipping::to_context("k3d-shop-local"), Shipping::K3d("shop-local".into()));
        assert_eq!(Shipping::to_context("kind-shop"), Shipping::Kind("shop".into()));
        assert_eq!(Shipping::to_context("prod"), Shipping::Push);
    }

    #[test]
    fn a_tag_is_not_a_port() {
        assert_eq!(tag_of("registry:5000/web"), None);
        assert_eq!(tag_of("registry:5000/web:v2"), Some("v2"));
        assert_eq!(tag_of("web:v2@sha256:0"), Some("v2"));
    }
}
