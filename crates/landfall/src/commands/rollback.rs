//! `landfall rollback`.

use std::time::{Duration, Instant};

use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Failure, Hosting};
use landfall_release::{DeployOptions, RollbackOptions, Wait};

use crate::cli::RollbackArgs;
use crate::commands::consent::{self, Question};
use crate::commands::{history, shared};
use crate::context::Context;
use crate::exit::{Exit, Outcome, exit_of};
use crate::ui::Output;

pub(crate) async fn run(context: &Context, args: RollbackArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.declared_place(None, &args.place.query())?;
    if !args.yes && !args.dry_run {
        consent::given(context, &place.permit(Act::RollBack), |consent| {
            let name = &consent.cluster;
            let needs = format!("rolling back on `{name}` needs a yes");
            let question = Question::new(format!("Roll back on {name}? [y/N] "), needs, "say it with --yes", "");
            // Without a yes it is told as where nobody was asked.
            Question { no: question.nobody.clone(), ..question }
        })?;
    }
    let timeout = match &args.timeout {
        Some(timeout) => timeout.duration(),
        None => Duration::from_secs(15 * 60),
    };
    let options = RollbackOptions {
        deploy: DeployOptions {
            wait: if args.no_wait { Wait::No } else { Wait::Ready },
            timeout,
            ..DeployOptions::default()
        },
        revision: i64::from(args.revision.unwrap_or(0)),
    };
    let _delivering = context.host.deliver_alone(&place.state, "rollback", timeout).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let (named, namespace, dry_run) = (args.release.clone(), args.place.namespace.clone(), args.dry_run);
    let result = shared::with_progress(context, &mut connection, started, |session| async move {
        let wanted = match named {
            Some(name) => vec![history::find(&session, &name, namespace.as_deref()).await?],
            None => {
                let status = session.status(&[]).await?;
                let several = status.units.into_iter().filter(|unit| unit.revision > 1);
                several.map(|unit| (unit.namespace, unit.name)).collect()
            }
        };
        let mut plans = Vec::new();
        let mut units = Vec::new();
        for (namespace, name) in &wanted {
            if dry_run {
                plans.push(session.plan_rollback(namespace, name, &options).await?);
            } else {
                units.push(session.rollback(namespace, name, &options).await?);
            }
        }
        Ok::<_, Vec<Diagnostic>>((plans, units))
    })
    .await;
    let result = shared::or_lost(&connection, result);
    connection.close().await;
    let (plans, units) = result?;
    if args.dry_run {
        shared::print_plans(context, &place, &connection, None, &plans);
        return Ok(Exit::Done);
    }
    if units.is_empty() {
        return Err(Failure::from(Diagnostic::error(code::NO_REVISION, "there is no earlier revision to go back to")));
    }
    let exit = units
        .iter()
        .find(|unit| !unit.is_well())
        .map_or(Exit::Done, |unit| unit.diagnostics.first().map_or(Exit::Failed, exit_of));
    if context.ui.output == Output::Json {
        let data = serde_json::to_value(&units).unwrap_or_default();
        context.ui.document(&shared::envelope("Rollback", exit, data, started));
    } else {
        for unit in &units {
            shared::print_unit(context, unit, &connection.name, "earlier revision");
        }
    }
    Ok(exit)
}
