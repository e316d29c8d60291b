//! `landfall images …`

mod charts;
pub(crate) mod commits;
mod files;
mod lowered;
pub(crate) mod policy;
pub(crate) mod registry;
mod scan;
pub(crate) mod set;
pub(crate) mod tags;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::Args;
use landfall_delivery::{Explainer, UsedImage, named_builds, running_images, used_images};
use landfall_host::Failure;
use serde_json::{Value, json};

use crate::arguments::{OutputArgs, RenderedArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::{Verb, verbs};

verbs! {
    /// `landfall images …`
    pub(crate) enum ImagesCommand {
        /// List the images that the rendered manifests run, and which of them are built here
        #[command(before_help = "Examples:\n  landfall images list\n  landfall images list --env prod -o name")]
        List(Box<ImagesListArgs>),
        /// Set the tag of our images, in the values lines that say it and nowhere else
        #[command(
            before_help = "Examples:\n  landfall images set sha-1a2b3c4 --env prod            in the working tree\n  landfall images set 0.5.0-alpha.123.1 --env test --commit 7d1f0c5 --push\n  landfall images set v1.2.3 --service web --env prod --push --dry-run\n  landfall images set sha-1a2b3c4 --file helm/values.prod.yaml"
        )]
        Set(Box<set::ImagesSetArgs>),
        /// Ask the registries which newer tags the declared policies choose, and set them where asked to
        #[command(
            before_help = "Examples:\n  landfall images scan --env test\n  landfall images scan --env test --push\n  landfall images scan --image ghcr.io/acme/web --semver 1.x"
        )]
        Scan(Box<scan::ImagesScanArgs>),
    }
}

/// Arguments of `images`: alone it lists.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    before_help = "Examples:\n  landfall images\n  landfall images --env prod -o name"
)]
pub(crate) struct ImagesArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ImagesCommand>,
    #[command(flatten)]
    pub(crate) list: Box<ImagesListArgs>,
}

impl ImagesArgs {
    fn meant(mut self, context: &Context) -> ImagesCommand {
        // Behind a flag of `images` itself `list` is read as a directory.
        let is_word = |target: &String| target == "list" && !context.host.directory.join(target).exists();
        self.list.rendered.target = self.list.rendered.target.filter(|target| !is_word(target));
        self.command.unwrap_or(ImagesCommand::List(self.list))
    }
}

impl Verb for ImagesArgs {
    fn output(&self) -> Output {
        self.command.as_ref().map_or_else(|| self.list.output(), Verb::output)
    }

    async fn run(self, context: &Context) -> Outcome {
        self.meant(context).run(context).await
    }
}

/// List the images that the rendered manifests run, and which of them are built here.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImagesListArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ImagesListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, &self).await
    }
}

async fn run(context: &Context, args: &ImagesListArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.place(args.rendered.target.as_deref(), &args.rendered.place.query()).await?;
    let overrides = args.rendered.values.overrides(&context.host)?;
    let selection = args.rendered.place.selection(&context.host, &place)?;
    let namespace = context.host.default_namespace(&place);
    let candidates = place.target.units(&selection, &overrides, &namespace).await?;
    let builds = match place.declared() {
        Some(environment) => named_builds(&environment.build, &[], &candidates).map_err(Failure::from)?,
        None => Vec::new(),
    };
    let builds = builds.iter().map(|build| (build.image.as_str(), build.service.as_str())).collect();
    let mut units = Vec::new();
    for (_, unit) in &candidates {
        units.push(unit.as_ref().map_err(|diagnostics| Failure::from(diagnostics.clone()))?);
    }
    let mut set_at: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for unit in &units {
        let explainer = Explainer::of(unit).map_err(Failure::from)?;
        for image in running_images(place.target.files(), unit, &explainer) {
            let places = set_at.entry(image.image).or_default();
            places.extend(image.tag.iter().filter_map(|story| Some(story.layers.first()?.at.clone())));
        }
    }
    let images = used_images(units, &builds).map_err(Failure::from)?;
    let report = Images { environment: place.environment.as_deref(), images: &images, set_at: &set_at };
    context.report(&report, Exit::Done, started);
    Ok(Exit::Done)
}

/// The images that are run.
struct Images<'a> {
    environment: Option<&'a str>,
    images: &'a [UsedImage],
    /// By image, the lines that set their tags.
    set_at: &'a BTreeMap<String, BTreeSet<String>>,
}

impl Images<'_> {
    fn lines(&self, image: &UsedImage) -> Vec<&str> {
        self.set_at.get(&image.image).into_iter().flatten().map(String::as_str).collect()
    }
}

impl Report for Images<'_> {
    const KIND: &'static str = "Images";

    fn data(&self) -> Value {
        let images = self.images.iter().map(|image| {
            let mut row = json!(image);
            row["set_at"] = json!(self.lines(image));
            row
        });
        json!({"environment": self.environment, "images": images.collect::<Vec<_>>()})
    }

    fn text(&self, ui: &Ui) {
        if self.images.is_empty() {
            ui.line("nothing that is delivered runs an image");
        }
        let mut table = Table::new(["IMAGE", "BUILT HERE AS", "TAG SET AT", "RUN BY"]);
        for image in self.images {
            let built = image.built_as.clone().unwrap_or_else(|| "-".to_owned());
            let lines = self.lines(image);
            let lines = if lines.is_empty() { "-".to_owned() } else { lines.join(", ") };
            table.row([image.image.clone(), built, lines, image.used_by.join(", ")]);
        }
        ui.table(&table);
    }

    fn names(&self, ui: &Ui) {
        self.images.iter().for_each(|image| ui.name(&image.image));
    }
}
