//! `landfall build`.

use std::time::Instant;

use clap::Args;
use landfall_delivery::named_builds;
use landfall_diag::{Diagnostic, Ending, code, nearest};
use landfall_host::{Failure, Place};
use landfall_machine::{Builder, ImageBuild, Imported, Shipping, image_builds};
use serde_json::{Value, json};

use crate::arguments::{Behind, Named, OutputArgs, TargetArgs, ValuesArgs};
use crate::commands::up::builds::{interrupted, say_shipped, way};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui, seconds};
use crate::verb::Verb;

/// Arguments of `build`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall build                       every image that the environment declares\n  landfall build web --env prod        one, with the arguments of that environment's values\n  landfall build examples/luckyplans   those of the system of another directory\n  landfall build --target app,worker   those of two stages\n  landfall build --smoke               and run each for a moment"
)]
pub(crate) struct BuildArgs {
    /// A directory; then services (default: all)
    #[arg(value_name = "TARGET|SERVICE")]
    pub(crate) services: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Only the images of these stages of their Dockerfiles
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub(crate) target: Vec<String>,
    /// Run each image for a moment; one that ends at once fails
    #[arg(long)]
    pub(crate) smoke: bool,
    /// Bring the images to where the environment's cluster finds them
    #[arg(long)]
    pub(crate) ship: bool,
    /// Print what would be built and build nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Verb for BuildArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: BuildArgs) -> Outcome {
    let started = Instant::now();
    let named = Named::of(&context.host.directory, &args.services, Behind::Names);
    let place = context.host.place(named.target.as_deref(), &args.place.query()).await?;
    let args = BuildArgs { services: named.names, ..args };
    let images = wanted(context, &place, &args).await?;
    if images.is_empty() {
        let environment = place.environment.as_deref();
        context.report(&Build { environment, images: &images, done: None, started }, Exit::Done, started);
        return Ok(Exit::Done);
    }
    if args.dry_run {
        context.report(
            &Build { environment: place.environment.as_deref(), images: &images, done: None, started },
            Exit::Done,
            started,
        );
        return Ok(Exit::Done);
    }
    let Some(builder) = Builder::find().await else {
        let names: Vec<&str> = images.iter().map(|image| image.service.as_str()).collect();
        return Err(Failure::from(
            Diagnostic::error(code::NO_BUILDER, format!("nobody here builds images ({})", names.join(", ")))
                .note("neither docker nor podman nor buildctl is installed and answers")
                .help("start Docker, or see what would be built with --dry-run"),
        ));
    };
    let shipping = if args.ship { place.cluster.shipping() } else { Shipping::Stay };
    for image in &images {
        context.ui.status(&format!("  > build {}: {} {}", image.service, builder.name(), image.image));
        tokio::select! {
            built = builder.build(image, &shipping) => built.map_err(alone)?,
            () = context.host.stop.cancelled() => return Err(interrupted()),
        }
    }
    if args.smoke {
        smoke(context, builder, &images).await?;
    }
    let mut shipped = None;
    if let Some(how) = way(&shipping) {
        context.ui.status(&format!("  > {how}"));
        let done = tokio::select! {
            done = builder.ship(&images, &[], &shipping) => done.map_err(alone)?,
            () = context.host.stop.cancelled() => return Err(interrupted()),
        };
        say_shipped(context, &done);
        shipped = Some(done);
    }
    let done = Some((builder, shipped));
    context.report(
        &Build { environment: place.environment.as_deref(), images: &images, done, started },
        Exit::Done,
        started,
    );
    Ok(Exit::Done)
}

/// The builds asked for, with the arguments that the environment's values say.
async fn wanted(context: &Context, place: &Place, args: &BuildArgs) -> Result<Vec<ImageBuild>, Failure> {
    let Some(environment) = place.declared() else {
        return Err(Failure::usage(
            Diagnostic::error(code::NOTHING_TO_BUILD, "there is no landfall.yaml here that says what is built")
                .help("declare it under environments.NAME.build"),
        ));
    };
    let known = || environment.build.keys().map(String::as_str);
    for service in &args.services {
        if !environment.build.contains_key(service) {
            return Err(Failure::usage(unknown("service", service, known())));
        }
    }
    let stages = || environment.build.values().filter_map(|build| build.target.as_deref());
    for stage in &args.target {
        if !stages().any(|known| known == stage) {
            return Err(Failure::usage(unknown("stage", stage, stages())));
        }
    }
    let Some(root) = place.target.source.directory_on_disk() else {
        return Err(Failure::usage(
            Diagnostic::error(
                code::NEEDS_WORKING_TREE,
                "images are built from a working tree, and this is a commit or an archive",
            )
            .help("leave --ref out, or check the commit out first"),
        ));
    };
    let overrides = args.values.overrides(&context.host)?;
    let selection = args.place.selection(&context.host, place)?;
    let namespace = context.host.default_namespace(place);
    let candidates = place.target.units(&selection, &overrides, &namespace).await?;
    let directory = &place.target.directory;
    let named = named_builds(&environment.build, &args.services, &candidates).map_err(Failure::from)?;
    let images = image_builds(named, root, directory).map_err(Failure::from)?;
    let stage_wanted = |image: &ImageBuild| {
        args.target.is_empty() || image.stage().is_some_and(|stage| args.target.iter().any(|wanted| wanted == stage))
    };
    Ok(images.into_iter().filter(stage_wanted).collect())
}

fn unknown<'k>(what: &str, name: &str, known: impl Iterator<Item = &'k str> + Clone) -> Diagnostic {
    let diagnostic = Diagnostic::error(code::NO_BUILD, format!("no build here is of the {what} `{name}`"))
        .listing(&format!("{what}s"), known.clone());
    diagnostic.did_you_mean(nearest(name, known))
}

/// Runs each image for a moment; all are tried, so that each that ends at once is named.
async fn smoke(context: &Context, builder: Builder, images: &[ImageBuild]) -> Result<(), Failure> {
    let mut findings = Vec::new();
    for image in images {
        context.ui.status(&format!("  > run {}: {}", image.service, image.image));
        tokio::select! {
            ran = builder.smoke(image) => findings.extend(ran.err()),
            () = context.host.stop.cancelled() => return Err(interrupted()),
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure { ending: Ending::Unhealthy, diagnostics: findings }) }
}

/// A failed build's diagnostic, where nothing was going to be delivered.
fn alone(mut diagnostic: Diagnostic) -> Failure {
    diagnostic.helps.clear();
    Failure::from(diagnostic)
}

/// What was built, or would be.
struct Build<'a> {
    environment: Option<&'a str>,
    images: &'a [ImageBuild],
    /// By whom, and what was brought to the cluster.
    done: Option<(Builder, Option<Imported>)>,
    started: Instant,
}

impl Report for Build<'_> {
    const KIND: &'static str = "Build";

    fn data(&self) -> Value {
        let images: Vec<Value> = self
            .images
            .iter()
            .map(|image| {
                json!({
                    "service": image.service,
                    "image": image.image,
                    "stage": image.stage(),
                    "arguments": image.baked(),
                })
            })
            .collect();
        let shipped = self.done.as_ref().and_then(|(_, shipped)| shipped.as_ref());
        json!({
            "environment": self.environment,
            "builder": self.done.as_ref().map(|(builder, _)| builder.name()),
            "images": images,
            "imported": shipped.map(|shipped| &shipped.imported),
        })
    }

    fn text(&self, ui: &Ui) {
        for image in self.images {
            let stage = image.stage().map(|stage| format!(" (stage {stage})")).unwrap_or_default();
            let baked: Vec<String> =
                image.baked().into_iter().map(|(name, digest)| format!("{name} {}", &digest[..19])).collect();
            ui.line(format!("{} → {}{stage}   {}", image.service, image.image, baked.join(", ")).trim_end());
        }
        match self.done {
            None if self.images.is_empty() => {
                let environment = self.environment.unwrap_or("this place");
                ui.line(&format!("{environment} declares no builds; nothing to do"));
            }
            Some(_) => ui.line(&format!("built in {}", seconds(self.started.elapsed()))),
            None => ui.line("nothing was built"),
        }
    }

    fn names(&self, ui: &Ui) {
        self.images.iter().for_each(|image| ui.name(&image.image));
    }
}
