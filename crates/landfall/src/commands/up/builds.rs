//! Image builds of `up`: decided before the cluster is asked, made once everybody has agreed.

use std::collections::BTreeMap;

use landfall_delivery::{Candidate, UsedImage, named_builds, used_images};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_machine::{Builder, ImageBuild, Imported, Shipping, image_builds};

use super::UpArgs;
use crate::context::Context;

/// What becomes of the declared builds.
pub(super) enum Builds {
    /// They are simulated: the embedded cluster runs no image.
    Simulated(Vec<String>),
    /// They are made.
    Real {
        /// By whom.
        builder: Builder,
        /// Which.
        images: Vec<ImageBuild>,
        /// The others that are run.
        used: Vec<UsedImage>,
        /// Where they go.
        shipping: Shipping,
    },
}

impl Builds {
    /// Decides: on a real cluster images are built unless `--no-build` says otherwise, on the embedded one only when
    /// `--build` asks for it.
    pub(super) async fn decide(
        place: &Place,
        services: &[String],
        args: &UpArgs,
        candidates: &[Candidate],
    ) -> Result<Self, Failure> {
        let Some(environment) = place.declared().filter(|_| !args.no_build && !args.dry_run) else {
            return Ok(Builds::Simulated(Vec::new()));
        };
        let wanted = environment.build.keys().filter(|name| services.is_empty() || services.contains(name));
        let wanted: Vec<String> = wanted.cloned().collect();
        // No container runs on the embedded cluster: its images are built for the asking only.
        if place.cluster.is_kept_in_state() && (wanted.is_empty() || !args.build) {
            return Ok(Builds::Simulated(wanted));
        }
        let shipping = place.cluster.shipping();
        // Nodes on this machine are given the others' images, too, when everything is delivered.
        let takes_others = matches!(shipping, Shipping::K3d(_)) && services.is_empty();
        if wanted.is_empty() && !takes_others {
            return Ok(Builds::Simulated(wanted));
        }
        let Some(builder) = Builder::find().await else {
            if wanted.is_empty() {
                return Ok(Builds::Simulated(wanted));
            }
            return Err(Failure::from(
                Diagnostic::error(code::NO_BUILDER, format!("nobody here builds images ({})", wanted.join(", ")))
                    .note("neither docker nor podman nor buildctl is installed and answers")
                    .note("nothing was changed")
                    .help("build and push them elsewhere, then deliver with --no-build"),
            ));
        };
        let units = || candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
        if wanted.is_empty() {
            let used = used_images(units(), &BTreeMap::new()).map_err(Failure::from)?;
            return Ok(Builds::Real { builder, images: Vec::new(), used, shipping });
        }
        let Some(root) = place.target.source.directory_on_disk() else {
            return Err(Failure::usage(
                Diagnostic::error(
                    code::NEEDS_WORKING_TREE,
                    "images are built from a working tree, and this is a commit or an archive",
                )
                .help("deliver it with --no-build, with images that were built from that commit"),
            ));
        };
        let directory = &place.target.directory;
        let named = named_builds(&environment.build, services, candidates).map_err(Failure::from)?;
        let images = image_builds(named, root, directory).map_err(Failure::from)?;
        let built = images.iter().map(|build| (build.image.as_str(), build.service.as_str())).collect();
        let used = if takes_others { used_images(units(), &built).map_err(Failure::from)? } else { Vec::new() };
        Ok(Builds::Real { builder, images, used, shipping })
    }

    /// Builds and ships what is to be built, and says so line by line.
    pub(super) async fn make(&self, context: &Context) -> Result<(), Failure> {
        // What is simulated is said once, beside the rest of what is.
        let Builds::Real { builder, images, used, shipping } = self else { return Ok(()) };
        for image in images {
            context.ui.status(&format!("  > build {}: {} {}", image.service, builder.name(), image.image));
            tokio::select! {
                built = builder.build(image, shipping) => built.map_err(Failure::from)?,
                () = context.host.stop.cancelled() => return Err(interrupted()),
            }
        }
        let Some(how) = way(shipping) else { return Ok(()) };
        context.ui.status(&format!("  > {how}"));
        let others: Vec<&str> = used.iter().map(|used| used.image.as_str()).collect();
        tokio::select! {
            shipped = builder.ship(images, &others, shipping) => {
                say_shipped(context, &shipped.map_err(Failure::from)?);
                Ok(())
            }
            () = context.host.stop.cancelled() => Err(interrupted()),
        }
    }

    /// One line for each build that is only simulated.
    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Builds::Simulated(services) => services.iter().map(|name| format!("build {name}: simulated")).collect(),
            Builds::Real { .. } => Vec::new(),
        }
    }
}

/// How images get to where they are run, in words.
pub(crate) fn way(shipping: &Shipping) -> Option<String> {
    match shipping {
        Shipping::K3d(cluster) => Some(format!("import into k3d cluster {cluster}")),
        Shipping::Kind(cluster) => Some(format!("load into kind cluster {cluster}")),
        Shipping::Push => Some("push".to_owned()),
        Shipping::Stay => None,
    }
}

/// Says what was brought, what was there, and what the nodes have to look for themselves.
pub(crate) fn say_shipped(context: &Context, shipped: &Imported) {
    if !shipped.cached.is_empty() {
        context.ui.status(&format!("  = {} there already", shipped.cached.join(", ")));
    }
    if !shipped.left.is_empty() {
        context.ui.status(&format!("  ! {} cannot be had here; the nodes look for them", shipped.left.join(", ")));
    }
}

pub(crate) fn interrupted() -> Failure {
    Failure::from(Diagnostic::error(code::INTERRUPTED_BEFORE, "interrupted; nothing was changed on the cluster"))
}
