//! `landfall plan`.

use std::time::Instant;

use landfall_delivery::UpOptions;

use crate::cli::PlanArgs;
use crate::commands::shared;
use crate::context::Context;
use crate::embedded::Hosting;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

pub(crate) async fn run(context: &Context, args: PlanArgs) -> Outcome {
    let started = Instant::now();
    let place = context.place(args.target.as_deref(), &args.place)?;
    let overrides = shared::overrides(context, &args.values)?;
    let selection = shared::selection(context, &place, &args.place)?;
    let candidates = place.target.units(&selection, &overrides, "default").map_err(Failure::from)?;
    let mut connection = context.connect(&place, Hosting::Attach, &[]).await?;
    let options = UpOptions::default();
    let plans = shared::with_progress(context, &mut connection, started, |session| {
        let (candidates, options) = (&candidates, &options);
        async move { session.plan(candidates, options).await }
    })
    .await;
    connection.close_before_result().await;
    let plans = plans.map_err(Failure::from)?;
    shared::print_plans(context, &place, &connection, place.target.source.revision(), &plans);
    let changes = plans.iter().any(|plan| !plan.unchanged);
    Ok(if args.exit_code && changes { Exit::Differs } else { Exit::Done })
}
