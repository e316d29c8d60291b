//! `landfall plan`.

use crate::cli::PlanArgs;
use crate::commands::shared;
use crate::context::Context;
use crate::exit::{Exit, Outcome};

pub(crate) async fn run(context: &Context, args: PlanArgs) -> Outcome {
    let (place, connection, plans) =
        shared::planned(context, args.rendered.target.as_deref(), &args.rendered.place, &args.rendered.values).await?;
    shared::print_plans(context, &place, &connection, Some(place.target.source.revision()), &plans);
    let changes = plans.iter().any(|plan| !plan.unchanged);
    Ok(if args.exit_code && changes { Exit::Differs } else { Exit::Done })
}
