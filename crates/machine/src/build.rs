//! Images built before a delivery, by whichever builder the machine has, and brought to where the cluster finds them.

mod bake;
mod dockerfile;
mod nodes;
mod smoke;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_recursion::async_recursion as boxed;
use landfall_diag::{Code, Diagnostic, code, nearest};
use landfall_project::Build;
use landfall_source::{Order, Refusal, is_mutant};
use sha2::{Digest as _, Sha256};

pub use nodes::Imported;

/// Labels of built images that say with which arguments they were made: this, and the argument's name.
const BAKED: &str = "landfall.dev/baked-";

/// What builds images here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// Docker, its daemon answering.
    Docker(DockerBuild),
    /// Podman.
    Podman,
    /// BuildKit's own client, its daemon answering.
    BuildKit,
}

/// How Docker is told what to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DockerBuild {
    /// `docker buildx bake` reads the whole build, its arguments' values included, from its standard input.
    Bake,
    /// `docker build`, for want of the plugin: values stand in its command line, because its environment, the only
    /// other way it knows, decides what else it runs.
    Classic,
}

/// One image to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageBuild {
    /// The service, as declared.
    pub service: String,
    /// The image, as the rendered workload names it.
    pub image: String,
    /// The tree that context and Dockerfile lie in.
    root: PathBuf,
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
    #[boxed]
    pub async fn find() -> Option<Self> {
        let answers = async |program: &str, arguments: &[&str]| Order::new(program, arguments).said().await.is_ok();
        if answers("docker", &["version", "--format", "{{.Server.Version}}"]).await {
            let bakes = answers("docker", &["buildx", "version"]).await;
            return Some(Builder::Docker(if bakes { DockerBuild::Bake } else { DockerBuild::Classic }));
        }
        if answers("podman", &["info", "--format", "{{.Version.Version}}"]).await {
            return Some(Builder::Podman);
        }
        answers("buildctl", &["debug", "workers"]).await.then_some(Builder::BuildKit)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Builder::Docker(_) => "docker",
            Builder::Podman => "podman",
            Builder::BuildKit => "buildctl",
        }
    }

    /// Builds one image.
    ///
    /// # Errors
    /// What the builder says.
    #[boxed]
    pub async fn build(self, image: &ImageBuild, shipping: &Shipping) -> Result<(), Diagnostic> {
        let message = || format!("the image of {} could not be built by {}", image.service, self.name());
        let file = match self {
            Builder::Podman => values_file(&image.arguments).map_err(|error| {
                Diagnostic::error(code::BUILD_FAILED, message())
                    .note(format!("its arguments cannot be written down: {error}"))
            })?,
            Builder::Docker(_) | Builder::BuildKit => None,
        };
        let order = self.order_to_build(image, shipping, file.as_ref().map(tempfile::NamedTempFile::path));
        order.said().await.map(|_| ()).map_err(|refusal| failed(code::BUILD_FAILED, message(), &refusal))
    }

    /// Brings built images to the cluster, all together where that is possible; into a k3d cluster also the `others` that
    /// are run there, by name, so that its nodes ask nobody. What is there already is left out.
    ///
    /// # Errors
    /// What the program that does it says.
    #[boxed]
    pub async fn ship(
        self,
        images: &[ImageBuild],
        others: &[&str],
        shipping: &Shipping,
    ) -> Result<Imported, Diagnostic> {
        if let (Builder::Docker(_), Shipping::K3d(cluster)) = (self, shipping) {
            return nodes::import(cluster, images, others).await;
        }
        for order in self.orders_to_ship(images, shipping) {
            order.said().await.map_err(|refusal| {
                failed(
                    code::IMAGE_NOT_BROUGHT,
                    format!("the images were built, but `{}` failed", order.shown()),
                    &refusal,
                )
            })?;
        }
        let imported = images.iter().map(|image| image.image.clone()).collect();
        Ok(Imported { imported, ..Imported::default() })
    }

    /// What the builder is told. Values of arguments never become its environment; they stand in its command line only
    /// where it offers nothing else: `values` is the file with those that need not.
    fn order_to_build(self, image: &ImageBuild, shipping: &Shipping, values: Option<&Path>) -> Order {
        match self {
            Builder::Docker(DockerBuild::Bake) => bake::order(image),
            Builder::Docker(DockerBuild::Classic) | Builder::Podman => self.order_to_build_alone(image, values),
            Builder::BuildKit => order_to_buildkit(image, shipping),
        }
    }

    fn order_to_build_alone(self, image: &ImageBuild, values: Option<&Path>) -> Order {
        let mut arguments = vec!["build".to_owned(), "--tag".to_owned(), image.image.clone()];
        arguments.extend(["--file".to_owned(), shown(&image.dockerfile)]);
        if let Some(target) = &image.target {
            arguments.extend(["--target".to_owned(), target.clone()]);
        }
        if let Some(file) = values {
            arguments.extend(["--build-arg-file".to_owned(), shown(file)]);
        }
        for (name, value) in image.arguments.iter().filter(|(_, value)| values.is_none() || !is_one_line(value)) {
            arguments.extend(["--build-arg".to_owned(), format!("{name}={value}")]);
        }
        for (name, digest) in image.baked() {
            arguments.extend(["--label".to_owned(), format!("{BAKED}{name}={digest}")]);
        }
        arguments.push(shown(&image.context));
        Order::new(self.name(), arguments).in_directory(&image.root)
    }

    fn orders_to_ship(self, images: &[ImageBuild], shipping: &Shipping) -> Vec<Order> {
        let names = || images.iter().map(|image| image.image.clone());
        let order = |program: &'static str, arguments: Vec<String>| Order::new(program, arguments);
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

/// What BuildKit's own client is told. It takes build arguments from nowhere but its command line.
fn order_to_buildkit(image: &ImageBuild, shipping: &Shipping) -> Order {
    let folder = image.dockerfile.parent().unwrap_or(Path::new("."));
    let file = image.dockerfile.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut arguments: Vec<String> = ["build", "--frontend", "dockerfile.v0"].map(str::to_owned).to_vec();
    arguments.extend(["--local".to_owned(), format!("context={}", shown(&image.context))]);
    arguments.extend(["--local".to_owned(), format!("dockerfile={}", shown(folder))]);
    let mut options = vec![format!("filename={file}")];
    options.extend(image.target.iter().map(|target| format!("target={target}")));
    options.extend(image.arguments.iter().map(|(name, value)| format!("build-arg:{name}={value}")));
    options.extend(image.baked().into_iter().map(|(name, digest)| format!("label:{BAKED}{name}={digest}")));
    arguments.extend(options.into_iter().flat_map(|option| ["--opt".to_owned(), option]));
    let push = if *shipping == Shipping::Push { ",push=true" } else { "" };
    arguments.extend(["--output".to_owned(), format!("type=image,name={}{push}", image.image)]);
    Order::new(Builder::BuildKit.name(), arguments).in_directory(&image.root)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Whether a value can stand in a file of a line a value.
fn is_one_line(value: &str) -> bool {
    !value.contains(['\n', '\r'])
}

/// The arguments as Podman reads them from a file, which only its owner may read; nothing where there are none.
fn values_file(arguments: &BTreeMap<String, String>) -> std::io::Result<Option<tempfile::NamedTempFile>> {
    use std::io::Write as _;
    if arguments.is_empty() {
        return Ok(None);
    }
    let mut file = tempfile::NamedTempFile::new()?;
    for (name, value) in arguments.iter().filter(|(_, value)| is_one_line(value)) {
        writeln!(file, "{name}={value}")?;
    }
    file.flush()?;
    Ok(Some(file))
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

fn failed(code: Code, message: String, refusal: &Refusal) -> Diagnostic {
    refusal.told(code, message).note("nothing was changed on the cluster").help("deliver without building: --no-build")
}

/// A build as declared, with what was rendered says of it: the image's name and its arguments' values.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedBuild {
    /// The service, as declared.
    pub service: String,
    /// The image, as the rendered workload names it.
    pub image: String,
    /// What is declared.
    pub declared: Build,
    /// The build arguments' values, by name.
    pub arguments: BTreeMap<String, String>,
}

/// What is to be built, each with the files that it is built from: `root` is the tree, and `directory` the place in it
/// that declarations are relative to.
///
/// # Errors
/// When an image's name is none, a Dockerfile does not declare an argument, or context or Dockerfile lie outside the tree.
pub fn image_builds(named: Vec<NamedBuild>, root: &Path, directory: &str) -> Result<Vec<ImageBuild>, Vec<Diagnostic>> {
    named.into_iter().map(|build| placed(build, root, directory)).collect()
}

fn placed(named: NamedBuild, root: &Path, directory: &str) -> Result<ImageBuild, Vec<Diagnostic>> {
    let NamedBuild { service, image, declared, arguments } = named;
    let alone = |diagnostic| vec![diagnostic];
    check_image(&service, &image).map_err(alone)?;
    let Places { root, context, dockerfile } = places_of(&service, &declared, root, directory).map_err(alone)?;
    check_arguments(&service, &dockerfile, &arguments)?;
    Ok(ImageBuild { service, image, root, context, dockerfile, target: declared.target, arguments })
}

/// Where a build's files lie, links resolved.
struct Places {
    root: PathBuf,
    context: PathBuf,
    dockerfile: PathBuf,
}

/// The places that a build names, all inside the tree: what a builder is sent would otherwise be any file of this machine.
fn places_of(service: &str, build: &Build, root: &Path, directory: &str) -> Result<Places, Diagnostic> {
    let missing = |what: &str, path: &Path, error: &std::io::Error| {
        Diagnostic::error(
            code::UNREADABLE_BUILD,
            format!("build `{service}`: the {what} `{}` cannot be read", path.display()),
        )
        .note(error.to_string())
    };
    let real = |what: &str, path: PathBuf| path.canonicalize().map_err(|error| missing(what, &path, &error));
    let root = real("tree", root.to_owned())?;
    let inside = |what: &str, named: &str, from: &Path| {
        let found = real(what, from.join(named))?;
        let hidden = |path: &Path| path.iter().any(|part| part == ".git" || part == ".landfall");
        match found.strip_prefix(&root) {
            Ok(path) if !hidden(path) => Ok(found),
            _ if is_mutant("build-places") => Ok(found),
            Ok(_) => Err(Diagnostic::error(
                code::BUILD_OUT_OF_TREE,
                format!("build `{service}`: the {what} `{named}` is not of the tree's own files"),
            )
            .help("name a directory beside `.git` and `.landfall`, not in them")),
            Err(_) => Err(Diagnostic::error(
                code::BUILD_OUT_OF_TREE,
                format!("build `{service}`: the {what} `{named}` leads out of the tree"),
            )
            .note(format!("the tree is `{}`", root.display()))
            .help("what an image is built from lies in the repository that declares it")),
        }
    };
    let directory = root.join(directory);
    let context = inside("context", build.context.as_deref().unwrap_or("."), &directory)?;
    let dockerfile = match &build.dockerfile {
        Some(file) => inside("dockerfile", file.as_str(), &directory)?,
        None => inside("dockerfile", "Dockerfile", &context)?,
    };
    Ok(Places { root, context, dockerfile })
}

/// Arguments that the Dockerfile declares, and whose names nobody but it reads.
fn check_arguments(
    service: &str,
    dockerfile: &Path,
    arguments: &BTreeMap<String, String>,
) -> Result<(), Vec<Diagnostic>> {
    if arguments.is_empty() {
        return Ok(());
    }
    let text = std::fs::read(dockerfile).map_err(|error| {
        let message = format!("build `{service}`: the dockerfile `{}` cannot be read", dockerfile.display());
        vec![Diagnostic::error(code::UNREADABLE_BUILD, message).note(error.to_string())]
    })?;
    let declared = dockerfile::declared_arguments(&String::from_utf8_lossy(&text));
    let refused: Vec<Diagnostic> = arguments
        .keys()
        .filter_map(|name| {
            if dockerfile::is_read_by_others(name) && !is_mutant("build-names") {
                let message = format!("build `{service}`: `{name}` cannot be a build argument");
                return Some(
                    Diagnostic::error(code::RESERVED_BUILD_ARGUMENT, message)
                        .note("builders and the loader of programs read that name for themselves")
                        .help("give the argument a name of its own"),
                );
            }
            if declared.contains(name) || is_mutant("build-declared") {
                return None;
            }
            let message =
                format!("build `{service}`: its Dockerfile declares no `ARG {name}`, so the value would not arrive");
            let diagnostic = Diagnostic::error(code::UNDECLARED_BUILD_ARGUMENT, message)
                .note(format!("read: {}", dockerfile.display()));
            Some(match nearest(name, declared.iter().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => {
                    diagnostic.help(format!("write `ARG {name}` into the stage that uses it, or take the argument out"))
                }
            })
        })
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// An image's name that no program takes for an option.
fn check_image(service: &str, image: &str) -> Result<(), Diagnostic> {
    let is_name =
        !image.is_empty() && !image.starts_with('-') && !image.chars().any(|c| c.is_whitespace() || c.is_control());
    if is_name || is_mutant("image-names") {
        return Ok(());
    }
    Err(Diagnostic::error(code::BAD_IMAGE_NAME, format!("build `{service}`: {image:?} is not the name of an image")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> ImageBuild {
        ImageBuild {
            service: "web".into(),
            image: "registry.example.com/shop/web:v2".into(),
            root: "/src".into(),
            context: "/src".into(),
            dockerfile: "/src/apps/web/Dockerfile".into(),
            target: None,
            arguments: BTreeMap::from([("KEY".to_owned(), "value".to_owned())]),
        }
    }

    fn told(order: &Order) -> Vec<String> {
        order.arguments().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    const LABEL: &str =
        "landfall.dev/baked-KEY=sha256:cd42404d52ad55ccfa9aca4adc828aa5800ad9d385a0671fbcbf724118320619";

    #[test]
    fn an_arguments_value_is_in_the_command_line_only_where_the_builder_offers_nothing_else() {
        let file = values_file(&image().arguments).expect("written").expect("a file");
        assert_eq!(std::fs::read_to_string(file.path()).expect("there"), "KEY=value\n");
        let order = Builder::Podman.order_to_build(&image(), &Shipping::Push, Some(file.path()));
        let path = file.path().display().to_string();
        let start = ["build", "--tag", "registry.example.com/shop/web:v2", "--file", "/src/apps/web/Dockerfile"];
        let expected: Vec<&str> =
            start.into_iter().chain(["--build-arg-file", &path, "--label", LABEL, "/src"]).collect();
        assert_eq!(told(&order), expected);
        let classic = Builder::Docker(DockerBuild::Classic);
        let order = classic.order_to_build(&image(), &Shipping::Push, None);
        let expected: Vec<&str> =
            start.into_iter().chain(["--build-arg", "KEY=value", "--label", LABEL, "/src"]).collect();
        assert_eq!(told(&order), expected);
        let baked = Builder::Docker(DockerBuild::Bake).order_to_build(&image(), &Shipping::Push, None);
        assert!(!told(&baked).iter().any(|word| word.contains("value")), "{:?}", told(&baked));
        assert!(String::from_utf8_lossy(baked.input().expect("read")).contains("\"KEY\":\"value\""));
    }

    #[test]
    fn a_value_of_several_lines_does_not_become_another_argument() {
        let mut image = image();
        image.arguments.insert("KEY".into(), "a\nPATH=/evil".into());
        let file = values_file(&image.arguments).expect("written").expect("a file");
        assert_eq!(std::fs::read_to_string(file.path()).expect("there"), "");
        let order = Builder::Podman.order_to_build(&image, &Shipping::Push, Some(file.path()));
        assert!(told(&order).contains(&"KEY=a\nPATH=/evil".to_owned()));
    }

    #[test]
    fn a_stage_is_named_to_every_builder() {
        let stage = ImageBuild { target: Some("worker".into()), ..image() };
        let arguments = |builder: Builder| told(&builder.order_to_build(&stage, &Shipping::Push, None)).join(" ");
        assert!(arguments(Builder::Docker(DockerBuild::Classic)).contains("--target worker"));
        assert!(arguments(Builder::BuildKit).contains("--opt target=worker"));
        assert!(
            !told(&Builder::Podman.order_to_build(&image(), &Shipping::Push, None)).contains(&"--target".to_owned())
        );
    }

    #[test]
    fn buildkit_pushes_while_it_builds() {
        let order = Builder::BuildKit.order_to_build(&image(), &Shipping::Push, None);
        assert_eq!(
            told(&order).last().map(String::as_str),
            Some("type=image,name=registry.example.com/shop/web:v2,push=true")
        );
        assert!(Builder::BuildKit.orders_to_ship(&[image()], &Shipping::Push).is_empty());
    }

    #[test]
    fn what_an_image_is_built_from_lies_in_the_tree() {
        let outside = tempfile::tempdir().expect("a directory");
        let root = outside.path().join("tree");
        for directory in ["app", ".git", "deploy"] {
            std::fs::create_dir_all(root.join(directory)).expect("made");
        }
        for file in ["tree/app/Dockerfile", "tree/.git/Dockerfile", "Dockerfile"] {
            std::fs::write(outside.path().join(file), "ARG KEY\n").expect("written");
        }
        let build = |context: &str, dockerfile: Option<&str>| {
            let build = serde_json::json!({"context": context, "dockerfile": dockerfile});
            let build: Build = serde_json::from_value(build).expect("a build");
            places_of("web", &build, &root, "deploy").map(|places| places.context).map_err(|error| error.code)
        };
        assert_eq!(build("../app", None), Ok(root.join("app").canonicalize().expect("there")), "beside, in the tree");
        for (context, dockerfile) in [("../..", None), ("../.git", None), ("../app", Some("../../Dockerfile"))] {
            assert_eq!(build(context, dockerfile), Err(code::BUILD_OUT_OF_TREE), "{context} {dockerfile:?}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(outside.path(), root.join("app/out")).expect("linked");
            assert_eq!(build("../app/out", None), Err(code::BUILD_OUT_OF_TREE));
        }
        assert_eq!(build("../nothing", None), Err(code::UNREADABLE_BUILD));
    }

    #[test]
    fn only_declared_arguments_reach_the_builder_and_none_that_others_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("Dockerfile");
        std::fs::write(&file, "FROM x\nARG API_URL\nARG PATH\nARG LD_PRELOAD\n").expect("written");
        let check = |name: &str| {
            let arguments = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
            check_arguments("web", &file, &arguments).map_err(|found| found[0].code)
        };
        assert_eq!(check("API_URL"), Ok(()));
        assert_eq!(
            (check("PATH"), check("LD_PRELOAD")),
            (Err(code::RESERVED_BUILD_ARGUMENT), Err(code::RESERVED_BUILD_ARGUMENT)),
            "declared or not"
        );
        assert_eq!(check("API_URI"), Err(code::UNDECLARED_BUILD_ARGUMENT));
        assert!(check_image("web", "--config=/x").is_err() && check_image("web", "a b").is_err());
    }

    #[test]
    fn a_local_clusters_context_says_how_images_get_there() {
        assert_eq!(Shipping::to_context("k3d-shop-local"), Shipping::K3d("shop-local".into()));
        assert_eq!(Shipping::to_context("kind-shop"), Shipping::Kind("shop".into()));
        assert_eq!(Shipping::to_context("prod"), Shipping::Push);
    }
}
