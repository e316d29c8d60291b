//! `landfall images …`

use std::time::Instant;

use landfall_delivery::{named_builds, used_images};
use landfall_host::Failure;
use serde_json::json;

use crate::cli::ImagesListArgs;
use crate::commands::shared;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::{Output, Table};

pub(crate) fn list(context: &Context, args: ImagesListArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.place(args.rendered.target.as_deref(), &args.rendered.place.query())?;
    let overrides = shared::overrides(context, &args.rendered.values)?;
    let selection = shared::selection(context, &place, &args.rendered.place)?;
    let candidates =
        place.target.units(&selection, &overrides, &context.host.default_namespace(&place)).map_err(Failure::from)?;
    let builds = match place.declared() {
        Some(environment) => named_builds(&environment.build, &[], &candidates).map_err(Failure::from)?,
        None => Vec::new(),
    };
    let builds = builds.iter().map(|build| (build.image.as_str(), build.service.as_str())).collect();
    let mut units = Vec::new();
    for (_, unit) in &candidates {
        units.push(unit.as_ref().map_err(|diagnostics| Failure::from(diagnostics.clone()))?);
    }
    let images = used_images(units, &builds).map_err(Failure::from)?;
    let ui = &context.ui;
    match ui.output {
        Output::Json | Output::Yaml => {
            let data = json!({"environment": place.environment, "images": images});
            ui.document(&shared::envelope("Images", Exit::Done, data, started));
        }
        Output::Name => images.iter().for_each(|image| ui.line(&image.image)),
        Output::Table => {
            let mut table = Table::new(["IMAGE", "BUILT HERE AS", "RUN BY"]);
            for image in images {
                let built = image.built_as.unwrap_or_else(|| "-".to_owned());
                table.row([image.image, built, image.used_by.join(", ")]);
            }
            ui.table(&table);
        }
    }
    Ok(Exit::Done)
}
